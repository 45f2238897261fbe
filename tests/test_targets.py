"""Code for earlier releases of Flax: what they have otherwise is written as they have it.

That the code runs under each of them, `make targets` tells.
"""

from __future__ import annotations

import ast
import inspect

import pytest
from flax import nnx
from test_zoo import ZOO

import nnxc
from nnxc.targets.flax import DIFFERENCES, NEWEST, RELEASES, Argument, written_for

SOURCE = """\
@nnx.remat(graph=False)
def f(x, rngs):
    é = nnx.view(x, only=nnx.view(x, b=1), deterministic=True)  # nnx.view
    a, b = nnx.split(é), "a.b".split("."), text.split(rngs)
    return nnx.vmap(
        f, in_axes=(0, None), graph=False
    )(a, rngs.split(3)), nnx.scan(graph=False, in_axes=0), f(x, g(rngs=keys), rngs=keys.split(cfg.n))
y = nnx.remat(F.__call__, graph=False)(f, x[0], rngs=rngs), nnx.remat(g, graph=False)(f, x)
"""
EARLIEST = """\
@nnx.remat
def f(x, rngs):
    é = nnx.set_mode(x, only=nnx.set_mode(x, b=1), deterministic=True)  # nnx.view
    a, b = nnx.split(é), "a.b".split("."), text.split(rngs)
    return nnx.vmap(
        f, in_axes=(0, None)
    )(a, rngs.fork(split=3)), nnx.scan(in_axes=0), f(x, g(rngs=keys), rngs=keys.fork(split=cfg.n))
y = nnx.remat(lambda rngs, *args: F.__call__(*args, rngs=rngs))(rngs, f, x[0]), nnx.remat(g)(f, x)
"""


def test_what_came_later_is_written_as_it_was() -> None:
    assert written_for(SOURCE, RELEASES[0]) == EARLIEST
    assert written_for(SOURCE, NEWEST) == SOURCE


EACH = (RELEASES[0], *sorted({difference.since for difference in DIFFERENCES}))


@pytest.mark.parametrize("release", EACH)
@pytest.mark.parametrize("options", [{}, {"stack": "scan", "remat": True}])
def test_the_zoo_has_nothing_that_a_release_lacks(
    release: str, options: dict[str, object]
) -> None:
    for name in ("gpt2", "mlp_mixer", "transformer"):
        chosen = nnxc.Options(black=False, target=release, **options)  # type: ignore[arg-type]
        text = "".join(
            nnxc.compile(ZOO[name].read_text(), options=chosen).files.values()
        )
        for difference in DIFFERENCES:
            later = RELEASES.index(release) < RELEASES.index(difference.since)
            edits = [*difference.edits(ast.parse(text))]
            assert not (later and edits), (name, edits)


def test_the_installed_flax_has_what_is_written_for_it() -> None:
    """Rows are about functions that there are: a misspelt one would never match."""
    for difference in DIFFERENCES:
        if isinstance(difference, Argument):
            for function in difference.functions:
                found = getattr(nnx, function.removeprefix("nnx."))
                assert difference.name in inspect.signature(found).parameters
    assert callable(nnx.view) and callable(nnx.Rngs.split) and callable(nnx.EMA)


def test_another_release_is_an_error() -> None:
    options = nnxc.Options(target="0.11.0")
    with pytest.raises(ValueError, match=r"a release of Flax, 0\.12\.1 to"):
        nnxc.compile(ZOO["simple_mlp"].read_text(), options=options)
