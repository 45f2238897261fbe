"""Helpers: generated models and the interpreter, at the same weights and inputs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import nnxc
from nnxc import ir
from nnxc.driver import analyse
from nnxc.nodes import bind
from nnxc.shapes import DTYPES, is_int
from nnxc.syntax import tree
from nnxc.syntax.walk import nodes_in
from tests.fuzz.build import loaded, renamed
from tests.interpreter import Program, load

Path = tuple[Any, ...]
CHOICES = (
    "vocab",
    "classes",
    "actions",
)  # parameters that bound an integer of an input


class Differs(AssertionError):
    """A generated model is not what its spec means."""


class Subject:
    """One spec: its generated module, and what it means."""

    def __init__(
        self, text: str, read: Callable[[str], bytes] | None = None, options: Any = None
    ):
        self.text, self.read = text, read or no_file
        self.options = options

    @cached_property
    def program(self) -> ir.Program:
        """What the compiler makes of it."""
        found = analyse(self.text, path="spec.nnx", read=self.read)
        assert found.program is not None, [d.message for d in found.diagnostics]
        return found.program

    @cached_property
    def module(self) -> Any:
        """The generated module."""
        output = nnxc.compile(
            self.text, path="spec.nnx", read=self.read, options=self.options
        )
        (generated,) = output.files.values()
        return loaded(generated)

    @cached_property
    def meaning(self) -> Program:
        """The spec, interpreted."""
        return load(self.text, self.read)

    def definition(self, name: str) -> ir.Definition:
        return self.program.definition(name)

    def create(self, name: str, args: Mapping[str, Any]) -> nnx.Module:
        """A generated model with random weights."""
        cls = getattr(self.module, name)
        takes = inspect.signature(cls.__init__).parameters
        hints = typing.get_type_hints(cls.__init__)
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in args.items()}

        def made() -> nnx.Module:
            streams = {"rngs": nnx.Rngs(0)} if "rngs" in takes else {}
            if "cfg" in hints:
                return cls(hints["cfg"](**renamed(hints["cfg"], given)), **streams)
            return cls(**renamed(cls.__init__, given), **streams)

        model = nnx.eval_shape(made)
        fill(model)
        return model


def no_file(name: str) -> bytes:
    raise FileNotFoundError(name)


def fill(model: nnx.Module) -> None:
    """Gives a model without values random ones; what scales is positive."""
    rng = np.random.default_rng(0)

    def value(path: Path, like: Any) -> jax.Array:
        if not jnp.issubdtype(like.dtype, jnp.floating):
            return jnp.zeros(like.shape, like.dtype)
        drawn = rng.normal(0, 1, like.shape)
        if len(like.shape) < 2 or path[-1] in ("scale", "var", "mean"):
            drawn = 0.1 * abs(drawn) + (0.9 if path[-1] in ("scale", "var") else 0)
        else:
            drawn = drawn / np.sqrt(max(np.prod(like.shape[:-1]), 1))
        return jnp.asarray(drawn, like.dtype)

    state = nnx.state(model)
    flat = [
        (p, v.replace(value(p, v.get_value()))) for p, v in nnx.to_flat_state(state)
    ]
    nnx.update(model, nnx.from_flat_state(flat))


def weights_of(model: nnx.Module) -> dict[Path, jax.Array]:
    """Weights and state by path."""
    state = nnx.state(model, nnx.Not(nnx.RngState))
    return {path: v[...] for path, v in nnx.to_flat_state(state)}


def inputs_for(
    subject: Subject,
    name: str,
    args: Mapping[str, Any],
    axes: Mapping[str, int],
    optional: bool,
) -> dict[str, jax.Array]:
    """Random inputs of a model."""
    definition = subject.definition(name)
    values = {**parameters(subject, name, args), **axes}
    bounds = [values[n] for n in CHOICES if values.get(n)]
    high = min([*bounds, *tables(subject)], default=2)
    rng = np.random.default_rng(1)
    return {
        field.name: random_array(rng, bind(field.type, values), high)
        for field in definition.inputs
        if optional or not field.optional
    }


def tables(subject: Subject) -> list[int]:
    """How many ids the tables of a spec have, where it says so in numbers."""
    return [
        call.args[0].value.value
        for file in subject.meaning.files_read()
        for call in nodes_in(file.items, tree.Call)
        if isinstance(call.func, tree.Name) and call.func.id == "Embed" and call.args
        if isinstance(call.args[0].value, tree.Number)
    ]


def parameters(subject: Subject, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What every parameter of a model is."""
    from nnxc.instance import instantiate

    return dict(instantiate(subject.program, name, args, {}).values)


def random_array(rng: np.random.Generator, type: Any, high: int) -> jax.Array:
    shape = tuple(size.value for size in type.sizes)
    if type.dtype == "bool":
        return jnp.asarray(rng.random(shape) < 0.7)
    if is_int(type.dtype):
        return jnp.asarray(rng.integers(0, high, shape), DTYPES[type.dtype])
    return jnp.asarray(rng.normal(0, 1, shape), DTYPES[type.dtype])


def compare(
    subject: Subject,
    name: str,
    args: Mapping[str, Any],
    inputs: Mapping[str, jax.Array],
    *,
    train: bool = False,
    gradients: bool = True,
    values: bool = True,
) -> None:
    """Holds a generated model to what its spec means: paths, values, gradients, state; without
    `values`, paths and shapes alone."""
    model = subject.create(name, args)
    weights = weights_of(model)
    graphdef, params, rest = nnx.split(view(model, train), nnx.Param, ...)
    draws = "rngs" in inspect.signature(type(model).__call__).parameters
    floating = {n: x for n, x in inputs.items() if is_float(x)}
    trained = {p: v[...] for p, v in nnx.to_flat_state(params)}
    reads: list[set[Path]] = []

    def generated(values: Mapping[Path, jax.Array], floats: Any) -> Any:
        flat = [(p, v.replace(values[p])) for p, v in nnx.to_flat_state(params)]
        own = jax.tree.map(jnp.asarray, rest)  # variables of this trace
        copy = nnx.merge(graphdef, nnx.from_flat_state(flat), own)
        streams = {"rngs": nnx.Rngs(0)} if draws else {}
        result = leaves(copy(**{**inputs, **floats}, **streams))
        return scored(result), (result, weights_of(copy))

    def meant(values: Mapping[Path, jax.Array], floats: Any) -> Any:
        given = {**inputs, **floats}
        out = subject.meaning.call(name, {**weights, **values}, given, args, train)
        reads.append(out.read)
        result = leaves(out.value)
        return scored(result), (result, {**weights, **values, **out.state})

    found = []
    for side in (generated, meant):
        if not values:
            found.append(jax.eval_shape(side, trained, floating))
            continue
        run = jax.value_and_grad(side, (0, 1), has_aux=True) if gradients else side
        found.append(jax.jit(run)(trained, floating))
    if reads[0] != set(weights):
        raise Differs(f"paths: {sorted(map(str, reads[0] ^ set(weights)))}")
    if not values:
        shapes = [[(x.shape, x.dtype) for x in f[1][0]] for f in found]
        if shapes[0] != shapes[1]:
            raise Differs(f"shapes: {shapes[0]}, not {shapes[1]}")
        return
    mine, theirs = ([f[0][1], f[1]] if gradients else [f[1], None] for f in found)
    close("outputs", mine[0][0], theirs[0][0])
    close("state", *([side[0][1][p] for p in weights] for side in (mine, theirs)))
    if gradients:
        close(
            "gradients", *([side[1][0][p] for p in trained] for side in (mine, theirs))
        )
        close(
            "input gradients", *(list(side[1][1].values()) for side in (mine, theirs))
        )


def scored(found: list[jax.Array]) -> jax.Array:
    """One number that depends on every floating output."""
    seeds = [np.cos(np.arange(x.size) + 1).reshape(x.shape) for x in found]
    pairs = zip(found, seeds, strict=True)
    return sum(((x * s).sum() for x, s in pairs if is_float(x)), jnp.zeros(()))


def is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def leaves(value: Any) -> list[jax.Array]:
    """The arrays of a result, in the order of the spec."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in leaves(part)]
    return [jnp.asarray(value)]


def view(model: nnx.Module, train: bool) -> nnx.Module:
    """A model in training or in evaluation."""
    there = modes_of(model)
    return nnx.view(model, **dict.fromkeys(there, not train)) if there else model


def modes_of(model: nnx.Module) -> set[str]:
    """What distinguishes training from evaluation in a model."""
    names = ("deterministic", "use_running_average")
    parts = [part for _, part in nnx.iter_graph(model)]
    return {m for m in names if any(hasattr(part, m) for part in parts)}


RELATIVE = 2e-5  # of the largest value of an array: some 200 roundings of float32
LEAST = 1e-6


def close(what: str, mine: list[Any], theirs: list[Any]) -> None:
    """Holds arrays to be equal but for rounding."""
    if len(mine) != len(theirs):
        raise Differs(f"{what}: {len(mine)} of them, not {len(theirs)}")
    # A gradient that is 0 in theory is made of the roundings of the others.
    whole = max((float(abs(b).max(initial=0)) for b in theirs), default=0.0)
    for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise Differs(f"{what} {i}: {a.dtype}{a.shape}, not {b.dtype}{b.shape}")
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if not np.isfinite(b).all():
            raise Differs(f"{what} {i}: not finite")
        off = abs(a - b).max(initial=0)
        size = whole if "gradients" in what else abs(b).max(initial=0)
        if not off <= LEAST + RELATIVE * size:
            raise Differs(
                f"{what} {i}: off by {off:.2g} of {abs(b).max(initial=0):.2g}"
            )
