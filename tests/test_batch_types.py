"""Fields of a batch that are only named have the types of the model's inputs."""

from __future__ import annotations

import numpy as np
import pytest
from emitting import load
from interpreting import Subject

import nnxc
from nnxc.driver import reformat

MODEL = """model Net(d = 4, out = 3):
    half = d // 2
    input x: [B, T, d], mask: bool[B, T] = true, ids: int[B, half] = 0
    y = x * mask[..., none] -> Linear(out) as linear -> mean(axis=T)
    return y + sum(ids)
"""
TRAIN = """
train Net:
    batch BATCH
    loss = mse(model(x, mask), y)
    optimizer = adam(1e-3)
"""
BARE, TYPED = "x, mask, y: [B, out]", "x: [B, T, d], mask: bool[B, T], y: [B, out]"


def compiled(batch: str, **more: str) -> nnxc.Output:
    """What is made of a train with such a batch, and of the files beside it."""
    files = {name: text.encode() for name, text in more.items()}
    text = MODEL + (TRAIN.replace("BATCH", batch) if batch else more["train"])
    return nnxc.compile(text, path="net.nnx", read=files.__getitem__)


def told(batch: str) -> list[tuple[str, str]]:
    """Each mistake: its code, and what it is about."""
    return [(d.code, d.primary.span.text) for d in compiled(batch).diagnostics]


def test_it_is_the_type_written_out() -> None:
    bare, typed = (compiled(b).files["net.py"] for b in (BARE, TYPED))
    assert bare.split("\n", 3)[3] == typed.split("\n", 3)[3]


def test_it_has_one_form() -> None:
    text = MODEL + TRAIN.replace("BATCH", BARE)
    assert reformat(text.replace("x, mask, y", "x,mask ,y")) == (text, ())


def test_a_train_of_another_file_has_the_types_of_this_model() -> None:
    other = MODEL.replace("d = 4, out = 3", "d = 4, out = 3, deep = 2")
    other = other.replace("[B, T, d]", "[B, T, d * deep]")
    other += TRAIN.replace("BATCH", BARE)
    train = '\ntrain Net from "other.nnx"\n'
    found = compiled("", **{"other.nnx": other, "train": train})
    assert found.ok, found.diagnostics
    expected = compiled(TYPED).files["net.py"]
    assert found.files["net.py"].split("\n", 3)[3] == expected.split("\n", 3)[3]


def test_the_interpreter_knows_it() -> None:
    text = MODEL + TRAIN.replace("BATCH", BARE)
    weights = {
        ("linear", "kernel"): np.ones((4, 3)),
        ("linear", "bias"): np.zeros(3),
    }
    batch = np.ones((2, 5, 4)), np.ones((2, 5), bool), np.ones((2, 3))
    found, _ = Subject(text).meaning.loss("Net", weights, batch)
    assert float(found) == 9.0
    module = load(compiled(BARE).files["net.py"])
    assert module.eval_step(module.create_model(), *map(np.float32, batch))


@pytest.mark.parametrize(
    ("batch", "mistakes"),
    [
        ("x, mask, y", [("N523", "y")]),
        ("x, ids, mask, y: [B, out]", [("N523", "ids")]),  # of what the model computes
        ("x, x, mask, y: [B, out]", [("N202", "x")]),
        ("x = 3, mask, y: [B, out]", [("N120", "x")]),
        ("X, x, mask, y: [B, out]", [("N141", "X")]),
    ],
)
def test_mistakes(batch: str, mistakes: list[tuple[str, str]]) -> None:
    assert told(batch) == mistakes


@pytest.mark.parametrize("keyword", ["input", "param", "state"])
def test_nothing_else_stands_without_a_type(keyword: str) -> None:
    output = nnxc.compile(
        MODEL.replace("    half", f"    {keyword} z\n    half"), path="net.nnx"
    )
    assert "N120" in [d.code for d in output.diagnostics]
