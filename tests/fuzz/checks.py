"""What must hold of every valid spec."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import black
import jax
import jax.numpy as jnp
from flax import nnx

import nnxc
from nnxc.driver import analyse
from nnxc.instance import instantiate
from nnxc.ir import Program
from nnxc.shapes import TensorType
from nnxc.syntax.format import format_file

from .builder import ModelCase, Spec
from .laws import SECONDS, holds, time_limit
from .safe import check_safe

TRAIN_PARTS = (
    "create_model", "create_optimizer", "create_ema", "create_rngs", "train_step",
)  # fmt: skip


def check_valid(spec: Spec, *, tree_mode: bool = False, scan: bool = False) -> None:
    """A valid spec compiles, and what it compiles to computes the predicted shapes."""
    text = spec.text
    options = nnxc.Options(stack="scan", remat=tree_mode) if scan else None
    with time_limit(SECONDS):
        output = nnxc.compile(text, path="spec.nnx", read=spec.read, options=options)
    found = [f"{d.code} {d.message}" for d in output.diagnostics]
    holds(not found, "no diagnostics", found)
    (generated,) = output.files.values()
    used = spec.used and format_file(spec.used)
    check_safe(generated, f"{text}\n{used}")
    check_black(generated)
    program = analyse(text, path="spec.nnx", read=spec.read).program
    assert program is not None
    module = loaded(generated)
    with nnx.set_graph_mode(not tree_mode):
        for case in spec.models:
            check_model(module, case, program, stacked=scan)
        for train in program.trains:
            case = next(c for c in spec.models if c.name == train.model)
            check_train(module, case, len(program.trains) > 1)


def check_black(text: str) -> None:
    """Generated text is as Black leaves it."""
    holds(black.format_str(text, mode=black.Mode()) == text, "Black leaves it as it is")


def loaded(text: str) -> types.ModuleType:
    """Generated text as a module."""
    module = types.ModuleType("generated_by_fuzz")
    module.__file__ = str(Path(__file__).with_name("spec.py"))
    sys.modules[module.__name__] = module
    exec(compile(text, "spec.py", "exec"), module.__dict__)
    return module


def check_model(
    module: types.ModuleType, case: ModelCase, program: Program, *, stacked: bool
) -> None:
    """A model, without its optional inputs and with them: outputs and weights as predicted."""
    needed = [n for n in case.inputs if n not in case.optional]
    for given in (needed, [*needed, *case.optional]) if case.optional else (needed,):
        predicted = instantiate(program, case.name, case.args, case.axes, given)
        holds(not predicted.failures, "requirements hold", predicted.failures)
        expected = case.outputs
        shapes = sizes(predicted.outputs)
        holds(shapes == expected, "checker's shapes", (shapes, expected))
        outputs, weights = computed(module, case, given)
        holds(outputs == expected, "JAX's shapes", (outputs, expected))
        listed = {
            n.replace("_.", ".").rstrip("_"): tuple(s.value for s in w.sizes)
            for n, w in predicted.weights().items()
            if not n.endswith("*")  # what Python code has
        }
        if not stacked:
            holds(weights == listed, "weights", {"jax": weights, "predicted": listed})


def computed(
    module: types.ModuleType, case: ModelCase, given: list[str]
) -> tuple[Any, Any]:
    """Shapes of outputs and of weights by path, as JAX has them."""

    def run(*inputs: jax.Array) -> tuple[Any, Any]:
        model = construct(module, case)
        draws = "rngs" in inspect.signature(type(model).__call__).parameters
        rngs = {"rngs": nnx.Rngs(1)} if draws else {}
        state = nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))
        return model(*inputs, **rngs), state

    outputs, state = jax.eval_shape(run, *abstract(case, given))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    weights = {
        ".".join(str(p).rstrip("_") for p in path): leaf.shape
        for path, leaf in nnx.to_flat_state(state)
    }
    return tuple(o.shape for o in outputs), weights


def abstract(case: ModelCase, given: Iterable[str]) -> list[jax.ShapeDtypeStruct]:
    """Inputs without values."""
    dtypes = {"float": "float32", "int": "int32", "bool": "bool_"}
    return [jax.ShapeDtypeStruct(case.inputs[n], dtypes[case.dtypes[n]]) for n in given]


def check_train(module: types.ModuleType, case: ModelCase, several: bool) -> None:
    """A train's step gives a loss in float32, and changes no weight's shape."""
    suffix = f"_{case.name.lower()}" if several else ""
    part = {n: getattr(module, n + suffix, None) for n in TRAIN_PARTS}

    def run(*batch: jax.Array) -> Any:
        model = part["create_model"]()
        before = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        objects = [model, part["create_optimizer"](model)]
        if part["create_ema"]:
            objects.append(part["create_ema"](model))
        if part["create_rngs"]:
            objects.append(part["create_rngs"]())
        loss, _ = part["train_step"](*objects, *batch)
        after = jax.tree.map(jnp.shape, nnx.state(model, nnx.Param))
        holds(before == after, "a step keeps shapes", (before, after))
        return loss

    needed = [n for n in case.inputs if n not in case.optional]
    loss = jax.eval_shape(run, *abstract(case, needed))
    holds((loss.shape, loss.dtype.name) == ((), "float32"), "a loss", loss)


def sizes(output: Any) -> tuple[tuple[int | None, ...], ...]:
    """The shapes of one output or several."""
    types = (output,) if isinstance(output, TensorType) else output
    return tuple(tuple(s.value for s in t.sizes) for t in types)


def construct(module: types.ModuleType, case: ModelCase) -> Any:
    """The model, as its constructor wants its parameters."""
    model = getattr(module, case.name)
    rngs = "rngs" in inspect.signature(model.__init__).parameters
    streams = {"rngs": nnx.Rngs(0)} if rngs else {}
    hints = typing.get_type_hints(model.__init__)
    if "cfg" in hints:
        return model(hints["cfg"](**renamed(hints["cfg"], case.args)), **streams)
    return model(**renamed(model, case.args), **streams)


def renamed(callee: Any, args: Mapping[str, object]) -> dict[str, object]:
    """Arguments by the names that Python lets them have."""
    names = inspect.signature(callee).parameters
    return {n if n in names else f"{n}_": value for n, value in args.items()}
