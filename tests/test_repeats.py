"""What modules of published models have word for word in common."""

from __future__ import annotations

from pathlib import Path

import nnxc
from benchmarks.repeats import Repeated, in_others, parts, read, repeated
from benchmarks.timing import ZOO

ONE = '''"""Of this model."""
import jax

class Config:
    """Not counted."""
    d = 1

class One:
    x = 1

def load(model: One):
    """Nor this."""
    a = 1
    b = 2  # nor this
    c = 3
    return model, a, b, c
'''
OTHER = ONE.replace("One", "Other").replace("x = 1", "y = 1")
# What a spec says, and what a user changes: a table, a loss, an optimizer.
OWN = {"STORED", "SETTINGS", "classes", "create_optimizer", "loss_fn"}
STEPS = {"train_step", "eval_step"}


def test_a_model_is_called_the_same() -> None:
    found = [*parts("one", ONE), *parts("other", OTHER)]
    assert in_others(found) == (16, 18)
    assert repeated(found) == [Repeated("load", 10, 2, 2)]


def test_lines_that_follow_each_other() -> None:
    short = OTHER.replace("    c = 3\n", "")
    assert repeated([*parts("one", ONE), *parts("other", short)]) == []


def test_weights_are_read_by_what_is_shared(tmp_path: Path) -> None:
    specs = [ZOO / "pretrained" / f"{name}.nnx" for name in ("bert", "roberta", "vit")]
    assert nnxc.build(specs, tmp_path).ok
    assert {row.name for row in repeated(read(tmp_path))} <= OWN | STEPS
