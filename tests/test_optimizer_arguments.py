"""What `create_optimizer` is given does what the spec does that says so, for every optimizer and schedule."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc.emit.training.train_tx import CHOSEN
from nnxc.ops import OPTIMIZERS, SCHEDULES
from nnxc.ops.base import Op

MODEL = """model Net(d = 3):
    input x: [B, d]
    return x -> Linear(d) -> Linear(d)

train Net:
    batch x: [B, d]
    y = model(x)
    loss = mean(y * y)
    optimizer = {}
"""
# Other values than those of the examples.
OTHERS = {
    "learning_rate": 0.07,
    "value": 0.05,
    "init": 0.06,
    "peak": 0.3,
    "warmup": 3,
    "steps": 60,
    "weight_decay": 0.2,
}


def said(op: Op, values: Mapping[str, Any], default: str) -> str:
    """An entry as a spec says it."""
    given = {name: text(value) for name, value in values.items()}
    if op.param("learning_rate") is not None:
        given.setdefault("learning_rate", default)
    return f"{op.name}({', '.join(f'{n}={v}' for n, v in given.items())})"


def text(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def module_of(optimizer: str) -> ModuleType:
    return load(text_of(MODEL.format(optimizer)))


def updates(module: ModuleType, **given: Any) -> list[np.ndarray]:
    """What each of some steps makes of the weights."""
    model = module.Net(rngs=nnx.Rngs(0))
    optimizer = module.create_optimizer(model, **given)

    @nnx.jit
    def step(model: Any, optimizer: Any) -> list[jax.Array]:
        grads = jax.tree.map(lambda x: 0.1 * x + 0.01, nnx.state(model, nnx.Param))
        optimizer.update(model, grads)
        return jax.tree.leaves(nnx.state(model, nnx.Param))

    return [np.asarray(x) for _ in range(65) for x in step(model, optimizer)]


def agree(op: Op, spec: str, others: str, names: Mapping[str, Any]) -> None:
    module = module_of(spec)
    takes = inspect.signature(module.create_optimizer).parameters
    chosen = {name: value for name, value in names.items() if name in takes}
    assert chosen.keys() == names.keys(), f"{op.name} does not take {names}"
    for mine, spec_s in zip(
        updates(module, **chosen), updates(module_of(others)), strict=True
    ):
        np.testing.assert_allclose(mine, spec_s, rtol=1e-6, atol=1e-7)


def chosen_of(op: Op) -> dict[str, Any]:
    """Values of the parameters that a run chooses and the example says, but for the rate."""
    example = op.examples[0].args
    return {
        name: OTHERS[name]
        for name in CHOSEN
        if name in example and not isinstance(example[name], str)
    }


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_given_other_numbers_is_the_schedule_of_these(name: str) -> None:
    op = SCHEDULES[name]
    example, names = op.examples[0].args, chosen_of(op)
    spec = said(op, example, "0.1")
    others = said(op, {**example, **names}, "0.1")
    agree(op, f"sgd({spec})", f"sgd({others})", names)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_given_other_numbers_is_the_optimizer_of_these(name: str) -> None:
    op = OPTIMIZERS[name]
    names = {
        n: OTHERS[n]
        for n in ("learning_rate", "weight_decay")
        if op.param(n) is not None
    }
    spec = said(op, {n: v / 2 for n, v in names.items()}, "0.1")
    agree(op, spec, said(op, names, "0.1"), names)
