"""Helpers: generated models and the interpreter, at the same weights and inputs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import nnxc
from nnxc import ir
from nnxc.driver import analyse
from nnxc.instance import instantiate
from nnxc.instance.nodes import bind
from nnxc.shapes import DTYPES, is_int
from nnxc.syntax import tree
from nnxc.syntax.walk import nodes_in
from tests.fuzz.build import loaded, renamed, unfilled
from tests.fuzz.evaluate import run
from tests.fuzz.values import plain, stacked
from tests.fuzz.values import quiet as quiet_functions
from tests.interpreter import Program, load
from tests.interpreter.values import key

Path = tuple[Any, ...]
CHOICES = (
    "vocab",
    "tags",
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
        return self.built(self.options or nnxc.Options(black=False))

    def built(self, options: nnxc.Options) -> Any:
        """The module that a way of building makes."""
        return loaded(self.text_of(options))

    def text_of(self, options: nnxc.Options) -> str:
        """The text of that module."""
        return next(iter(self.output(options).files.values()))

    def builds(self, options: nnxc.Options) -> bool:
        """Whether the compiler does not refuse such a build."""
        return bool(self.output(options).files)

    def output(self, options: nnxc.Options) -> Any:
        """What the compiler makes of the spec."""
        return nnxc.compile(self.text, path="spec.nnx", read=self.read, options=options)

    @cached_property
    def meaning(self) -> Program:
        """The spec, interpreted."""
        return load(self.text, self.read)

    def definition(self, name: str) -> ir.Definition:
        return self.program.definition(name)

    def create(
        self,
        name: str,
        args: Mapping[str, Any],
        module: Any = None,
        *,
        seed: int = 0,
        then: Callable[[Any], Any] = lambda model: model,
    ) -> nnx.Module:
        """A generated model with random weights; of another module if given. `then` makes
        something else of it before it has weights."""
        cls = getattr(module or self.module, name)
        takes = inspect.signature(cls.__init__).parameters
        hints = typing.get_type_hints(cls.__init__)
        given = frozen(args)

        def made() -> nnx.Module:
            streams = {"rngs": nnx.Rngs(0)} if "rngs" in takes else {}
            if "cfg" in hints:
                cfg = hints["cfg"](**renamed(hints["cfg"], given))
                return then(cls(cfg, **streams))
            return then(cls(**renamed(cls.__init__, given), **streams))

        with unfilled():
            model = nnx.eval_shape(made)
        fill(model, seed)
        return model


@contextmanager
def quiet() -> Iterator[None]:
    """Random draws are the same wherever they are drawn: by one key, most without one."""
    one = mock.patch.object(nnx.RngStream, "__call__", lambda self: key())
    with quiet_functions(), one:
        yield


def no_file(name: str) -> bytes:
    raise FileNotFoundError(name)


def fill(model: nnx.Module, seed: int = 0) -> None:
    """Gives a model without values random ones; what scales is positive."""
    rng = np.random.default_rng(seed)

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
    fields = subject.definition(name).inputs
    chosen = [field for field in fields if optional or not field.optional]
    return arrays_for(subject, name, args, axes, chosen)


def arrays_for(
    subject: Subject,
    name: str,
    args: Mapping[str, Any],
    axes: Mapping[str, int],
    fields: Iterable[Any],
) -> dict[str, jax.Array]:
    """Random arrays as declarations of a model or its train want them."""
    values = {**parameters(subject, name, args), **axes}
    bounds = [values[n] for n in CHOICES if values.get(n)]
    high = min([*bounds, *tables(subject)], default=2)
    rng = np.random.default_rng(1)
    return {f.name: random_array(rng, bind(f.type, values), high) for f in fields}


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
    return dict(instantiate(subject.program, name, frozen(args), {}).values)


def frozen(value: Any) -> Any:
    """Arguments as the compiler has them: lists are tuples."""
    if isinstance(value, Mapping):
        return {name: frozen(part) for name, part in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def random_array(rng: np.random.Generator, type: Any, high: int) -> jax.Array:
    shape = tuple(size.value for size in type.sizes)
    if type.dtype == "bool":
        return jnp.asarray(rng.random(shape) < 0.7)
    if is_int(type.dtype):
        drawn = rng.integers(0, high, shape)
        if shape:  # neighbours are the same now and then, as in segments
            drawn = np.where(rng.random(shape) < 0.3, np.roll(drawn, 1, -1), drawn)
        return jnp.asarray(drawn, DTYPES[type.dtype])
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
    model: nnx.Module | None = None,
    way: nnx.Module | None = None,
    known: Known | None = None,
) -> None:
    """Holds a generated model to what its spec means: paths, values, gradients, state; without
    `values`, paths and shapes alone. Both are traced and computed with numpy, in float64.
    `way` is the model as another way of building makes it, held to the weights of `model`.
    `known` keeps what the spec means between calls for one model, arguments and inputs.
    """
    model = model or subject.create(name, args)
    way = way or model
    weights = {plain(p): v for p, v in weights_of(model).items()}
    frozen = {plain(p) for p, _ in nnx.to_flat_state(nnx.state(model, NOT_PARAM))}
    trained = {p: v for p, v in weights.items() if p not in frozen}
    graphdef, state, rest = nnx.split(view(way, train), nnx.Not(nnx.RngState), ...)
    own = [p for p, _ in nnx.to_flat_state(nnx.state(way, NOT_PARAM))]
    draws = "rngs" in inspect.signature(type(way).__call__).parameters
    names = {n: python_name(way, n) for n in inputs}
    floating = {n: x for n, x in inputs.items() if is_float(x)}
    others = {n: x for n, x in inputs.items() if n not in floating}
    reads: set[Path] = set()

    def generated(values: Mapping[Path, jax.Array], floats: Any, others: Any) -> Any:
        filled = refilled(state, {**weights, **values})
        copy = nnx.merge(graphdef, filled, jax.tree.map(jnp.asarray, rest))
        streams = {"rngs": nnx.Rngs(0)} if draws else {}
        given = {names[n]: x for n, x in {**floats, **others}.items()}
        result = [jnp.asarray(x) for x in leaves(copy(**given, **streams))]
        after = weights_of(copy)
        return scored(result), (result, [after[p] for p in own])

    def meant(values: Mapping[Path, jax.Array], floats: Any, others: Any) -> Any:
        given, there = {**floats, **others}, {**weights, **values}
        out = subject.meaning.call(name, there, given, args, train)
        reads.update(map(plain, out.read))
        result = spread(leaves(out.value), shapes)
        after = {**there, **{plain(p): v for p, v in out.state.items()}}
        like = weights_of(way)
        kept = [stacked(plain(p), like[p].shape, after) for p in own]
        return scored(result), (result, kept)

    def traced(side: Callable[..., Any]) -> Traced:
        both = jax.value_and_grad(side, (0, 1), has_aux=True) if gradients else side
        with quiet():
            return Traced(both, trained, floating, others)

    mine = traced(generated)
    shapes = (mine.shape[0] if gradients else mine.shape)[1][0]
    known = {} if known is None else known
    question = train, gradients, tuple(own), str(signature(mine.shape))
    if question not in known:
        known[question] = traced(meant), reads
    theirs, reads = known[question]
    if reads != set(weights):
        raise Differs(f"paths: {sorted(map(str, reads ^ set(weights)))}")
    if (a := signature(mine.shape)) != (b := signature(theirs.shape)):
        raise Differs(f"shapes: {a}, not {b}")
    if not values:
        return
    with quiet():
        (got, slopes), (want, their_slopes) = (
            f.values if gradients else (f.values, None) for f in (mine, theirs)
        )
    close("outputs", got[1][0], want[1][0])
    close("state", got[1][1], want[1][1])
    if gradients:
        for what, a, b in zip(PARTS, slopes, their_slopes, strict=True):
            close(what, list(a.values()), [b[k] for k in a])


NOT_PARAM = nnx.All(nnx.Not(nnx.Param), nnx.Not(nnx.RngState))
PARTS = ("gradients", "input gradients")


Known = dict[tuple[Any, ...], tuple["Traced", set[Path]]]


class Traced:
    """What a function of JAX computes, and the shapes of what it gives."""

    def __init__(self, function: Callable[..., Any], *args: Any):
        self.closed, self.shape = jax.make_jaxpr(function, return_shape=True)(*args)
        self.args = jax.tree.leaves(args)

    @cached_property
    def values(self) -> Any:
        """In float64, a tree of arrays."""
        found = run(self.closed.jaxpr, self.closed.consts, self.args)
        return jax.tree.unflatten(jax.tree.structure(self.shape), found)


def refilled(state: nnx.State, weights: Mapping[Path, Any]) -> nnx.State:
    """A state with these weights; where layers are stacked, those of all of them."""
    flat = nnx.to_flat_state(state)
    return nnx.from_flat_state(
        (p, v.replace(jnp.asarray(stacked(plain(p), v.get_value().shape, weights))))
        for p, v in flat
    )


def signature(shape: Any) -> list[Any]:
    """Shapes and dtypes of a tree."""
    return [(x.shape, str(x.dtype)) for x in jax.tree.leaves(shape)]


def python_name(model: nnx.Module, name: str) -> str:
    """What an input is called in Python."""
    taken = inspect.signature(type(model).__call__).parameters
    return name if name in taken else f"{name}_"


def scored(found: list[jax.Array]) -> jax.Array:
    """One number that depends on every floating output."""
    seeds = [np.cos(np.arange(x.size) + 1).reshape(x.shape) for x in found]
    pairs = zip(found, seeds, strict=True)
    return sum(((x * s).sum() for x, s in pairs if is_float(x)), jnp.zeros(()))


def is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def spread(found: list[Any], shapes: list[Any]) -> list[jax.Array]:
    """Results as arrays: what is a number here, and a tensor on another side, is of its shape."""
    if len(found) != len(shapes):
        return [jnp.asarray(x) for x in found]
    pairs = zip(found, shapes, strict=True)
    return [
        jnp.full(like.shape, x, like.dtype) if type(x) in (int, float) else x
        for x, like in pairs
    ]


def leaves(value: Any) -> list[Any]:
    """The arrays and numbers of a result, in the order of the spec."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def view(model: nnx.Module, train: bool) -> nnx.Module:
    """A model in training or in evaluation."""
    there = modes_of(model)
    return nnx.view(model, **dict.fromkeys(there, not train)) if there else model


def modes_of(model: nnx.Module) -> set[str]:
    """What distinguishes training from evaluation in a model."""
    names = ("deterministic", "use_running_average")
    parts = [part for _, part in nnx.iter_graph(model)]
    return {m for m in names if any(hasattr(part, m) for part in parts)}


RELATIVE = 1e-5  # of the largest value of an array: constants are rounded to float32
LEAST = 1e-7


def close(
    what: str, mine: list[Any], theirs: list[Any], relative: float = RELATIVE
) -> None:
    """Holds arrays to be equal but for rounding."""
    if len(mine) != len(theirs):
        raise Differs(f"{what}: {len(mine)} of them, not {len(theirs)}")
    # A gradient that is 0 in theory is made of the roundings of the others.
    whole = max((float(abs(b).max(initial=0)) for b in theirs), default=0.0)
    for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
        if a.shape != b.shape:
            raise Differs(f"{what} {i}: {a.shape}, not {b.shape}")
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if not np.isfinite(b).all():
            raise Differs(f"{what} {i}: not finite")
        off = abs(a - b).max(initial=0)
        size = whole if "gradients" in what else abs(b).max(initial=0)
        if not off <= LEAST + relative * size:
            raise Differs(
                f"{what} {i}: off by {off:.2g} of {abs(b).max(initial=0):.2g}"
            )
