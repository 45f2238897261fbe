"""Values: what generated models compute, held to what the interpreter says a spec means."""

from __future__ import annotations

import inspect
import re
import types
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.interpreter import Program

from .build import construct, unfilled
from .builder import ModelCase
from .laws import holds
from .slopes import Slopes, with_slopes

Path = tuple[Any, ...]
Weights = dict[Path, Any]
DTYPES = {"float": "float32", "int": "int32", "bool": "bool_"}
CLOSE = 1e-5  # in float64, but for what is not rounded alike
HALF = 3e-2  # where constants of functions are bfloat16


@dataclass(frozen=True)
class Built:
    """A generated model without values: its structure, its variables, and its loop's weights."""

    graph: Any
    state: Any
    weights: Weights  # by the paths of a model whose layers are in loops

    def filled(self, weights: Mapping[Path, Any]) -> Any:
        """The variables, of these values."""
        flat = [
            (path, leaf.replace(jnp.asarray(stacked(plain(path), leaf.shape, weights))))
            for path, leaf in nnx.to_flat_state(self.state)
        ]
        return nnx.from_flat_state(flat)


def built(module: types.ModuleType, case: ModelCase, loops: Weights | None) -> Built:
    """A model at its arguments; `loops` are the paths of its weights where they are stacked."""
    return apart(lambda: construct(module, case), loops)


def apart(make: Callable[[], Any], loops: Weights | None = None) -> Built:
    """What is made, its structure apart from values."""
    with unfilled():
        model = nnx.eval_shape(make)
    graph, state = nnx.split(model)
    own = {plain(path): leaf for path, leaf in nnx.to_flat_state(state)}
    shapes = loops
    if loops is None:
        shapes = {path: leaf.shape for path, leaf in own.items()}
    return Built(graph, state, {p: weight(p, shape) for p, shape in shapes.items()})


def plain(path: Path) -> Path:
    """A path without the `_` that Python makes some names have."""
    return tuple(p.rstrip("_") if isinstance(p, str) else p for p in path)


def weight(path: Path, shape: tuple[int, ...]) -> Any:
    """Random values that depend on the path alone."""
    draw = np.random.default_rng(zlib.crc32(repr((path, shape)).encode()))
    value = draw.standard_normal(shape) * 0.5
    return (abs(value) + 0.5 if path[-1] == "var" else value).astype(np.float32)


def stacked(path: Path, shape: tuple[int, ...], weights: Mapping[Path, Any]) -> Any:
    """The weight at a path; of a scanned stack, those of all its layers."""
    if path in weights:
        return weights[path]
    size = int(np.prod(shape))
    for fits in (begins, within):
        found = sorted(
            (q for q in weights if fits(path, q)),
            key=lambda q: [p for p in q if isinstance(p, int)],
        )
        if sum(int(np.prod(weights[q].shape)) for q in found) == size:
            rows = [weights[q] for q in found]
            return (jnp.stack(rows) if rows else jnp.zeros(size)).reshape(shape)
    return holds(False, "weights of the interpreter", path)


def within(path: Path, whole: Path) -> bool:
    """Whether a path is another one without positions in its innermost loops."""
    parts, wholes = steps(path), steps(whole)
    return len(parts) == len(wholes) and all(
        part == other[: len(part)] for part, other in zip(parts, wholes, strict=True)
    )


def steps(path: Path) -> list[Path]:
    """A path by its names, each with the positions after it."""
    starts = [n for n, part in enumerate(path) if isinstance(part, str)]
    return [path[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def begins(path: Path, whole: Path) -> bool:
    """Whether a path is another one whose layers are one stack from some loop inwards."""
    pairs = list(zip_longest(runs(path), runs(whole), fillvalue=("", ())))
    return all(a == b and i == j[: len(i)] for (a, i), (b, j) in pairs)


def runs(path: Path) -> list[tuple[str, Path]]:
    """The names of a path, each with the positions behind it."""
    found: list[tuple[str, Path]] = []
    for part in path:
        if isinstance(part, str):
            found.append((part, ()))
        else:
            name, places = found.pop()
            found.append((name, (*places, part)))
    return found


# ---------------------------------------------------------------------- calls


@contextmanager
def quiet() -> Iterator[None]:
    """Random draws are the same numbers wherever they are drawn."""

    def kept(key: Any, p: Any = 0.5, shape: Any = None, *_: Any, **__: Any) -> Any:
        return jnp.ones(jnp.shape(p) if shape is None else shape, bool)

    def ramp(key: Any, shape: Any = (), dtype: Any = None, *_: Any, **__: Any) -> Any:
        size = int(np.prod(shape))
        return jnp.asarray(np.sin(np.arange(size)).reshape(shape), dtype)

    fakes = {"bernoulli": kept, "normal": ramp, "uniform": ramp}
    with mock.patch.multiple(jax.random, **fakes):
        yield


def inputs_of(case: ModelCase, given: list[str]) -> dict[str, Any]:
    """Random inputs."""
    draw = np.random.default_rng(len(given))
    found: dict[str, Any] = {}
    for name in given:
        shape = case.inputs[name]
        match case.dtypes[name]:
            case "int":
                found[name] = draw.integers(0, 3, shape).astype(np.int32)
            case "bool":
                found[name] = draw.integers(0, 2, shape).astype(bool)
            case _:
                found[name] = draw.standard_normal(shape).astype(np.float32)
    return found


def leaves(value: Any) -> list[Any]:
    """The tensors of a value, in the order of the spec."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def generated(
    made: Built, weights: Weights, inputs: dict[str, Any], train: bool
) -> tuple[list[Any], dict[Path, Any]]:
    """What the generated model gives, and what it keeps."""
    model = nnx.merge(made.graph, made.filled(weights))
    if not train:
        modes = {"deterministic": True, "use_running_average": True}
        model = nnx.view(model, raise_if_not_found=False, **modes)
    parameters = inspect.signature(type(model).__call__).parameters
    rngs = {"rngs": nnx.Rngs(0)} if "rngs" in parameters else {}
    named = {n if n in parameters else f"{n}_": v for n, v in inputs.items()}
    value = leaves(model(**named, **rngs))
    kept = nnx.state(model, nnx.Not(nnx.Param))
    return value, {plain(p): v.get_value() for p, v in nnx.to_flat_state(kept)}


def check_values(
    made: Built,
    program: Program,
    case: ModelCase,
    given: list[str],
    *,
    train: bool,
    slopes: Slopes,
) -> None:
    """Outputs, perhaps gradients, what is kept and what is read: as the interpreter has them."""
    inputs = inputs_of(case, given)
    floats = {n: v for n, v in inputs.items() if v.dtype == np.float32}
    others = {n: v for n, v in inputs.items() if n not in floats}
    read: set[Path] = set()

    def ours(weights: Any, floats: Any) -> Any:
        return generated(made, weights, {**floats, **others}, train)

    def theirs(weights: Any, floats: Any) -> Any:
        args = dict(case.args)
        found = program.call(case.name, weights, {**floats, **others}, args, train)
        read.update(map(plain, found.read))
        return leaves(found.value), {plain(p): v for p, v in found.state.items()}

    with quiet():
        want, slope, kept = with_slopes(slopes, theirs, made.weights, floats)
        got, own_slope, own_kept = with_slopes(slopes, ours, made.weights, floats)
    shapes = tuple(map(np.shape, want))
    holds(case.outputs in (None, shapes), "shapes of the interpreter", (shapes, case))
    check_equal(got, want, "values of the interpreter", case)
    holds(read == set(made.weights), "weights that are read", read ^ set(made.weights))
    for path, value in kept.items():
        if path in own_kept:
            check_equal([own_kept[path]], [value], "state of the interpreter", path)
    check_equal(own_slope, slope, "gradients of the interpreter", case)


def check_equal(
    got: list[Any], want: list[Any], law: str, detail: Any, close: float = CLOSE
) -> None:
    """Arrays are equal, nothing else."""
    shapes = [np.shape(a) for a in got], [np.shape(a) for a in want]
    holds(shapes[0] == shapes[1], f"shapes, {law}", (shapes, detail))
    for index, (a, b) in enumerate(zip(got, want, strict=True)):
        size = float(np.max(np.abs(b[np.isfinite(b)]), initial=1))
        same = np.allclose(a, b, rtol=close, atol=close * size, equal_nan=True)
        holds(same, law, (index, detail, short(a), short(b)))


def short(array: Any) -> str:
    """The beginning of an array."""
    return re.sub(r"\s+", " ", str(np.asarray(array).ravel()[:6]))
