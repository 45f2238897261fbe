"""Generated models compute what the interpreter does: values, gradients, state, paths."""

from __future__ import annotations

import ast
from pathlib import Path

import jax
import pytest
from flax import nnx
from interpreted import pages
from interpreting import Subject, compare, inputs_for, modes_of
from test_zoo import SMALL, ZOO

FOLDER = Path(__file__).parent / "interpreter"
KNOWN = {"nnxc.syntax", "nnxc.source", "nnxc.diagnostics", "nnxc.record"}


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch):
    """What is random is drawn with the interpreter's key; XLA compiles quickly."""
    monkeypatch.setattr(nnx.RngStream, "__call__", lambda self: jax.random.key(0))
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


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


QUICK = ["actor_critic", "digits_mlp", "lenet", "siamese", "simple_mlp"]


@pytest.mark.parametrize("name", QUICK)
def test_the_zoo_means_what_it_says(name: str) -> None:
    subject = Subject(ZOO[name].read_text())
    small, model = SMALL[name], subject.program.trains[0].model
    rates = [p.name for p in subject.definition(model).params if p.name == "rate"]
    args = {**small.params, **dict.fromkeys(rates, 0.0)}
    inputs = inputs_for(subject, model, args, small.axes, True)
    compare(subject, model, args, inputs)
    if modes_of(subject.create(model, args)):
        compare(subject, model, args, inputs, train=True, gradients=False)


MODELS = [make for make in pages() if make.name.startswith("models.md")]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.name)
def test_examples_have_the_weights_and_shapes_that_they_mean(make) -> None:
    if "my_pkg" in (case := make()).subject.text:
        pytest.skip("the example brings in a package that there is not")
    compare(
        case.subject, case.model, case.args, case.inputs, gradients=False, values=False
    )
