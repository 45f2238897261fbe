"""Writes the table of published models: lines of their specs beside the reference's.

python -m benchmarks.families
"""

from __future__ import annotations

import json

from .size import lines, model_lines
from .timing import RESULTS, ZOO

PAGE = ZOO / "pretrained/README.md"
START, END = "<!-- families -->", "<!-- end of families -->"
HEAD = (
    "| Spec | Reference | Lines of the model | With weights and training "
    "| Lines of the reference | Model over reference |\n|---|---|---|---|---|---|"
)


def main() -> None:
    """Rewrite the table."""
    PAGE.write_text(refreshed(PAGE.read_text()))


def refreshed(page: str) -> str:
    """The page with its table made anew."""
    before, after = page.split(START)[0], page.split(END)[1]
    return f"{before}{START}\n{table()}\n{END}{after}"


def table() -> str:
    """The families as Markdown."""
    references = json.loads((RESULTS / "references.json").read_text())["families"]
    rows = [
        row(spec.stem, spec.read_text(), references.get(spec.stem))
        for spec in sorted((ZOO / "pretrained").glob("*.nnx"))
    ]
    return "\n".join([HEAD, *rows])


def row(name: str, text: str, reference: dict[str, str | int] | None) -> str:
    """One family; a spec without a measured reference has its own figures only."""
    model, whole = model_lines(text), lines(text)
    start = f"| [{name}]({name}.nnx) |"
    if reference is None:
        return f"{start} | {model} | {whole} | | |"
    theirs = int(reference["lines"])
    label = f"{reference['library']} `{reference['class']}`"
    return f"{start} {label} | {model} | {whole} | {theirs} | {model / theirs:.2f} |"


if __name__ == "__main__":
    main()
