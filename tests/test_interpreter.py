"""Generated models compute what the interpreter does: values, gradients, state, paths."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from interpreted import pages, zoo
from judged import judge

FOLDER = Path(__file__).parent / "interpreter"
KNOWN = {"nnxc.syntax", "nnxc.source", "nnxc.diagnostics", "nnxc.record"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.stem)
def test_the_interpreter_knows_nothing_of_the_compiler_but_syntax(path: Path) -> None:
    if path.stem == "__main__":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in (n for n in names if n.split(".")[0] in ("nnxc", "tests")):
            assert any(name == k or name.startswith(f"{k}.") for k in KNOWN), name


QUICK = ["actor_critic", "char_gpt", "digits_mlp", "gpt2", "lenet", "simple_mlp", "vit"]
ZOO_CASES = [make for make in zoo() if make.name in QUICK]
PAGE_CASES = [
    make for make in pages() if make.name.startswith(("models.md", "library"))
]


@pytest.mark.parametrize("make", ZOO_CASES, ids=lambda make: make.name)
def test_the_zoo_means_what_it_says(make) -> None:
    assert judge(make(), gradients=True) == "same"


@pytest.mark.parametrize("make", PAGE_CASES, ids=lambda make: make.name)
def test_examples_mean_what_they_say(make) -> None:
    assert judge(make(), gradients=False) == "same"
