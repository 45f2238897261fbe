"""A pass over a loop's body that does not count leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_spec import BLOCKS, PAGES, reader
from test_zoo import ALL

import nnxc
from nnxc.check.control import for_loops, trials
from nnxc.diagnostics import Enough, Sink

ZOO = [path for path in ALL.values() if "for " in path.read_text()]


@pytest.fixture
def tried_twice(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every pass over a body is preceded by one that is taken back; which they were."""
    run, tried = for_loops._run, []

    def twice(ctx: Any, loop: Any) -> Any:
        if ctx.conditional < 2:  # each level doubles the work
            before, sink, scope = trials.snapshot(ctx), ctx.sink, ctx.scope
            starts, statics = dict(loop.starts), dict(loop.statics)
            ctx.sink = Sink()
            try:
                run(ctx, loop)
            except Enough:
                pass
            finally:
                ctx.sink, ctx.scope = sink, scope
                loop.starts, loop.statics = starts, statics
            trials.restore(ctx, before)
            tried.append(ctx.name)
        return run(ctx, loop)

    monkeypatch.setattr(for_loops, "_run", twice)
    return tried


def outcome(data: str | bytes, read: Any) -> tuple[dict[str, str], list[str]]:
    """What comes of a spec: its files, and what is said of it."""
    options = nnxc.Options(black=False)
    output = nnxc.compile(data, path="spec.nnx", read=read, options=options)
    said = [f"{d.code} {d.message} {d.primary} {d.help}" for d in output.diagnostics]
    return dict(output.files), said


def sources() -> list[tuple[str | bytes, Any]]:
    """Every spec of the zoo and of the pages that has a loop."""

    def beside(path: Path) -> Any:
        return lambda name: (path.parent / name).read_bytes()

    pages = [(b.data, reader(b)) for b in BLOCKS if "for " in b.text]
    return [*pages, *((p.read_text(), beside(p)) for p in ZOO)]


@pytest.mark.heavy
def test_a_pass_that_is_taken_back_leaves_nothing(
    tried_twice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(PAGES) > 8 and len(ZOO) > 40
    twice = [outcome(*source) for source in sources()]
    assert len(tried_twice) > 200
    monkeypatch.undo()
    for source, found in zip(sources(), twice, strict=True):
        assert found == outcome(*source), source[0]
