"""Mistakes: each is told once, exactly where it is, and nothing is told that follows from another.

The cases stand in `mistakes/*.txt`, each below a line `== title`. A line `#   ^N200` is no part of
the spec; it says that N200 is reported at that column of the line above, and all are said. `#<N200`
is said of the first column.

In the files of `HELPED` the help is applied too: the spec compiles then, or has the mistakes of a
line `# then N261`, others than the one that the help is about. A line `# by hand` says that no help
can know what is to be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import nnxc
from nnxc.codes import CODES
from nnxc.diagnostics import Diagnostic, Fix

MARK = re.compile(r"[\^<](N\d{3})")
THEN = re.compile(r"(?m)^# then (.+)$")
Place = tuple[int, int]  # line and column, counted from 1


class Case(NamedTuple):
    """A spec with the places and codes of its mistakes; `helped`: their help is applied too."""

    title: str
    spec: str
    mistakes: list[tuple[Place, str]]
    helped: bool


def cases(path: Path) -> Iterator[Case]:
    """All cases of a file."""
    for part in re.split(r"(?m)^== ", path.read_text("utf-8"))[1:]:
        title, _, body = part.partition("\n")
        yield case(title, body.splitlines(), path.stem in HELPED)


def case(title: str, lines: list[str], helped: bool) -> Case:
    """The spec without its marks, and what they say."""
    spec: list[str] = []
    mistakes: list[tuple[Place, str]] = []
    for line in lines:
        if line.startswith("#") and MARK.search(line):
            found = MARK.finditer(line)
            mistakes += [((len(spec), column(m)), m[1]) for m in found]
        else:
            spec.append(line)
    text = "\n".join(spec).strip("\n") + "\n"
    return Case(title, text, sorted(mistakes), helped and bool(mistakes))


def column(mark: re.Match[str]) -> int:
    """Where a mark points."""
    return 1 if mark[0].startswith("<") else mark.start() + 1


HELPED = (
    "chains",
    "foreign",
    "forms",
    "inputs",
    "newcomers",
    "persons",
    "habits",
    "libraries",
    "slips",
    "sections",
    "heads",
    "calls",
    "values",
    "scopes",
    "trains",
)
FILES = sorted((Path(__file__).parent / "mistakes").glob("*.txt"))
CASES = [c for path in FILES for c in cases(path)]


def place(diagnostic: Diagnostic) -> Place:
    """Where a diagnostic points."""
    span = diagnostic.primary.span
    return span.source.position(span.start)


def told(spec: str) -> tuple[Diagnostic, ...]:
    """The diagnostics of a spec."""
    options = nnxc.Options(black=False)
    return nnxc.compile(spec, path="spec.nnx", options=options).diagnostics


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.title)
def test_mistakes_are_told_where_they_are(case: Case) -> None:
    found = told(case.spec)
    shown = "\n".join(f"{place(d)} {d.code} {d.message}" for d in found)
    assert sorted((place(d), d.code) for d in found) == case.mistakes, shown
    assert {d.code for d in found} <= set(CODES)
    if case.helped:
        help_works(case, found)


def applied(spec: str, fixes: list[Fix]) -> str:
    """The spec with what the helps say, from the end on; of those that overlap, the last."""
    free = len(spec)
    for fix in sorted(fixes, key=lambda f: -f.span.start):
        if fix.span.end <= free:
            spec = spec[: fix.span.start] + fix.text + spec[fix.span.end :]
            free = fix.span.start
    return spec


def help_works(case: Case, found: tuple[Diagnostic, ...]) -> None:
    """The help, applied, gives a spec without those mistakes."""
    fixes = [d.fix for d in found if d.fix]
    if "# by hand\n" in case.spec:
        assert not fixes and all(d.help for d in found)
        return
    mended = applied(case.spec, fixes)
    rest = [d.code for d in told(mended)]
    then = THEN.search(case.spec)
    assert rest == (then[1].split() if then else []), mended


NET = "model Net(hidden = 4):\n    input x: [B, 2]\n"
HELP = {
    "    return x -> Liner(hidden)": "did you mean `Linear`?",
    "    return x -> Linear(hiden)": "did you mean `hidden`?",
    "    return x -> Dense(hidden)": "did you mean `Linear`?",
    "    return x -> linear(hidden)": "did you mean `Linear`?",
    "    return x -> GELU -> Linear(hidden)": "did you mean `gelu`?",
    "    return x -> Linear(hidden, bais=true)": "did you mean `bias`?",
    "    return x -> Linear(hidden) -> Dropout(0.1, rgn=noise)": "did you mean `rng`?",
    "    return x -> Linear(hidden, kernel_init=ones_)": "did you mean `ones`?",
    "    return x -> Linear(hidden) : f23[B, hidden]": "did you mean `f32`?",
    "    return x -> mean(axis=b) -> Linear(hidden)": "did you mean `B`?",
    "    return Linear(hidden)": "apply it: `x -> Linear(hidden)`",
    "    y = Linear(hidden)\n    return x": "apply it: `x -> y`",
    "    x += x -> Linear(3)\n    return x * hidden": "end the branch with `-> Linear(2)`",
    "    if x > 0:\n        x = -x\n    return x * hidden": "`where(condition, a, b)`",
    "    x -> Linear(hidden)": "write `return x -> Linear(hidden)`",
    "    for i in hidden:\n        x = -x\n    return x": "write `range(hidden)`",
}


@pytest.mark.parametrize("body", HELP)
def test_help_names_the_action(body: str) -> None:
    helps = [d.help for d in told(f"{NET}{body}\n")]
    assert len(helps) == 1 and HELP[body] in str(helps[0])


def test_a_requirement_of_a_block_says_what_it_means_to_the_caller() -> None:
    spec = """\
block Heads(heads):
    input x: [B, T, d]
    return x -> Attention(heads)

model Net(n = 4):
    input x: [B, T, 10]
    return x -> Heads(4) -> Linear(n)
"""
    (found,) = told(spec)
    assert (found.code, place(found)) == ("N304", (7, 17))
    assert found.primary.text == "d = 10, heads = 4"
    assert [r.text for r in found.related] == ["required here, in `Heads`"]


@pytest.mark.parametrize(
    "name", ["print", "len", "list", "eval", "train", "iter", "__"]
)
def test_names_of_python_and_flax_may_be_used_or_are_refused(name: str) -> None:
    spec = (
        f"model Net({name} = 4):\n    input x: [B, 2]\n"
        f"    return x -> Linear({name}) -> Linear(2) as {name}_layer\n"
    )
    output = nnxc.compile(spec, path="spec.nnx")
    for text in output.files.values():
        compile(text, "spec.py", "exec")
    assert output.files or {d.code for d in output.diagnostics} == {"N219"}
