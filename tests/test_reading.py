"""Outputs as ruff and pyright read them, and the page that shows them beside code by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from test_zoo import ALL, ZOO

from benchmarks import beside_page
from benchmarks.findings import find_pyright, own, pyright, ruff
from benchmarks.reading import BY_HAND, OURS, compiled
from benchmarks.reading_page import PAGE, page
from benchmarks.reading_size import formatted, size_of
from benchmarks.timing import RESULTS

RULES = [
    "A",
    "B",
    "C4",
    "C90",
    "E4",
    "E501",
    "E7",
    "E9",
    "F",
    "I",
    "N",
    "PIE",
    "PLR0913",
    "RET",
    "UP",
    "W",
]
# The most that a function has: these may only go down.
COMPLEXITY, ARGUMENTS = 14, 21
COMPLEXITY_OF_OWN, ARGUMENTS_OF_OWN = 10, 14  # of `attend`
EXAMPLE = '''"""A module."""

# A comment.
def first(self, a, *, b=1,):
    """What it is for."""

    return [
        a, b,
    ]


class Some:
    def method(self):
        return 1
'''


def written(specs: Iterable[Path], folder: Path) -> list[Path]:
    """The outputs of specs in a folder, beside each other as the specs are."""
    paths: dict[Path, None] = {}
    for spec in specs:
        place = folder / f"of_{spec.parent.name}"
        place.mkdir(exist_ok=True)
        for name, text in compiled(spec).items():
            (place / name).write_text(text)
            paths[place / name] = None
    return list(paths)


def problems(files: Iterable[Path], complexity: int, arguments: int) -> list[str]:
    """What ruff finds, in words."""
    found = ruff(files, RULES, complexity, arguments)
    return [
        f"{path.name}:{one['location']['row']} {one['code']} {one['message']}"
        for path, findings in found.items()
        for one in findings
    ]


def test_ruff_finds_nothing_in_outputs(tmp_path: Path) -> None:
    files = written(ZOO.values(), tmp_path)
    assert not problems(files, COMPLEXITY_OF_OWN, ARGUMENTS_OF_OWN)


@pytest.mark.heavy
def test_ruff_finds_nothing_in_outputs_of_published_models(tmp_path: Path) -> None:
    assert not problems(written(ALL.values(), tmp_path), COMPLEXITY, ARGUMENTS)


def test_ruff_would_find_something(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text("def f(a, b, c):\n    open = a\n    return open, b, c\n")
    found = problems([path], COMPLEXITY, 2)
    assert [line.split()[1] for line in found] == ["PLR0913", "A001"]


@pytest.mark.heavy
def test_pyright_finds_what_libraries_leave_untyped_alone(tmp_path: Path) -> None:
    if find_pyright() is None:
        pytest.skip("pyright is not installed: `make reading` installs it")
    broken = tmp_path / "broken.py"
    broken.write_text("def f(x):\n    return x\n")
    files = [*written(ALL.values(), tmp_path), broken]
    found = pyright(tmp_path, files)
    assert own(found.pop(broken))
    assert not [
        f"{path.name}:{one['range']['start']['line'] + 1} {one['rule']} {one['message']}"
        for path, findings in found.items()
        for one in own(findings)
    ]


def test_sizes_do_not_depend_on_layout() -> None:
    for text in (EXAMPLE, formatted(EXAMPLE)):
        size = size_of(formatted(text))
        assert size == {"lines": 5, "tokens": 31, "longest": 2, "arguments": 2}


def test_findings_of_libraries_are_told_apart() -> None:
    argument, unknown = "reportArgumentType", "reportUnknownMemberType"
    untyped = 'parameter "padding" of type "str" in function "max_pool"\n  "tuple[int]"'
    found = [
        {"rule": argument, "message": untyped},
        {"rule": argument, "message": untyped.replace("max_pool", "mine")},
        {"rule": unknown, "message": 'Type of "x" is unknown'},
        {"message": "a line that is no Python"},
    ]
    assert own(found) == [found[1], found[3]]


def test_the_page_has_the_measured_figures() -> None:
    results = json.loads((RESULTS / "reading.json").read_text())
    assert PAGE.read_text() == page(results, [*OURS], BY_HAND)
    assert all(model in results["ours"]["models"] for model in OURS)


def test_the_page_of_the_same_checkpoints_has_the_measured_figures() -> None:
    results = json.loads((RESULTS / "beside.json").read_text())
    assert beside_page.PAGE.read_text() == beside_page.page(results)
    # What is told as within what is tolerated, is.
    assert all(float(row["ours"]) <= 1 for row in results["followed"].values())
