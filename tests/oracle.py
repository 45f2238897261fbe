"""Builds an entry's example with Flax or JAX, and asks its rule what should come out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from nnxc.dims import Dim, as_dim, const, symbol
from nnxc.emit.python.library_calls import fill
from nnxc.emit.python.text import Text, literal, quoted
from nnxc.ops import MODEL_OPS
from nnxc.ops.base import Example, Kind, Op, Shaped
from nnxc.ops.functions.creation import type_of_numbers
from nnxc.ops.rules.pattern import shape_of
from nnxc.ops.training.optimizers import DECAYING, MATRICES
from nnxc.shapes import DTYPES, Axis, TensorType
from tests.importing import shared

Env = Mapping[str, int]
NAMESPACE: dict[str, Any] = {
    "Any": Any,
    "partial": partial,
    "jax": jax,
    "jnp": jnp,
    "nnx": nnx,
    "optax": optax,
}


@dataclass(frozen=True)
class Case:
    """One example of one entry, or of a method of one."""

    op: Op
    example: Example
    layer: Op | None = None

    @property
    def types(self) -> dict[str, Any]:
        """Types by input name."""
        found: dict[str, Any] = {}
        texts = list(self.example.inputs)
        if self.op.inputs and self.op.inputs[0].many:
            return {self.op.inputs[0].name: tuple(type_of(t) for t in texts)}
        for spec, text in zip(self.op.inputs, texts, strict=False):
            found[spec.name] = type_of(text)
        return found | {n: type_of(t) for n, t in self.example.named.items()}

    @property
    def symbols(self) -> list[str]:
        """Every free name in the example."""
        types = [
            t
            for v in self.types.values()
            for t in (v if isinstance(v, tuple) else (v,))
        ]
        names = {s for t in types for d in t.sizes for s in d.symbols}
        for param in self.op.params:
            if param.kind not in _SIZED or param.name not in self.example.args:
                continue
            for item in _items(self.example.args[param.name]):
                if isinstance(item, str) and item.isidentifier():
                    names.add(item)
        return sorted(names)


_SIZED = (Kind.SIZE, Kind.SIZES, Kind.INT, Kind.INTS, Kind.SHAPE)


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def type_of(text: str) -> TensorType:
    """A type from an example: `B T d`, `int: B T`, `2*d`."""
    dtype, _, axes = text.rpartition(":")
    return TensorType(
        dtype.strip() or "float",
        tuple(Axis(size(a), a if a.isidentifier() else None) for a in axes.split()),
    )


def size(item: Any) -> Dim:
    """A size from a number or an expression over names."""
    if isinstance(item, int):
        return const(item)
    if item.lstrip("-").isdigit():
        return const(int(item))
    factors = [const(int(f)) if f.isdigit() else symbol(f) for f in item.split("*")]
    total = const(1)
    for factor in factors:
        total = total * factor
    return total


def concrete(type: Any, env: Env) -> Any:
    """A type with numbers for its symbols."""
    if isinstance(type, tuple):
        return tuple(concrete(t, env) for t in type)
    return type.with_axes(
        tuple(Axis(a.size.substitute(env), a.label) for a in type.axes)
    )


def rule_args(case: Case, env: Env | None = None) -> dict[str, Any]:
    """The example's arguments as rules receive them."""

    def dim(item: Any) -> Dim:
        return size(item).substitute(env or {})

    found: dict[str, Any] = {}
    for name, value in case.example.args.items():
        param = case.op.param(name)
        kind = param.kind if param else case.op.extra
        if isinstance(value, str) and param is not None and param.choices:
            found[name] = value
            continue
        match kind:
            case Kind.SIZE | Kind.INT:
                found[name] = None if value is None else dim(value)
            case Kind.SIZES | Kind.INTS | Kind.WINDOW:
                found[name] = tuple(dim(item) for item in _items(value))
            case Kind.SHAPE:
                found[name] = tuple(
                    Axis(dim(i), i if isinstance(i, str) else None) for i in value
                )
            case Kind.NUMBERS:
                found[name] = type_of_numbers(value)
            case _:
                found[name] = value
    return found


def predict(case: Case, env: Env | None = None) -> Shaped:
    """What the rule says, of numbers where `env` gives them."""
    types = {
        n: concrete(t, env) if env is not None else t for n, t in case.types.items()
    }
    inputs = tuple(types.get(i.name) for i in case.op.inputs)
    return shape_of(case.op, inputs, rule_args(case, env))


def python(case: Case, shaped: Shaped, env: Env) -> str:
    """The Python text of the example."""
    op, args = case.op, case.example.args

    def lookup(name: str) -> Text | None:
        if name in case.types:
            many = isinstance(case.types[name], tuple)
            count = len(case.types[name]) if many else 0
            items = ", ".join(f"{name}[{i}]" for i in range(count))
            return Text(f"[{items}]") if many else Text(name)
        if op.input(name):
            return None
        if name == "rngs":
            return Text("rngs")
        if name in (MATRICES, DECAYING):
            return None  # there is no model that they would be of
        param = op.param(name)
        if param and param.kind is Kind.STREAM:
            return _stream(op, args.get(name, op.streams[0] if op.streams else name))
        if name in args:
            return _written(case, name, env)
        if name in shaped.sizes:
            return literal(shaped.sizes[name].substitute(env).value)
        assert param is not None, f"{op.name} has nothing called {name}"
        if param.choices and param.default in param.choices:
            return Text(param.choices[param.default])
        return literal(param.default)

    written = {*args, *case.types}
    more = ["rngs=rngs"] if op.group == "layer" and op.takes_rngs else []
    return fill(shaped.build or op.build_for(written), lookup, written, more).text


def _stream(op: Op, name: str) -> Text:
    return Text(quoted(name)) if op.group == "layer" else Text(name)


def _written(case: Case, name: str, env: Env) -> Text:
    param, value = case.op.param(name), case.example.args[name]
    kind = param.kind if param else case.op.extra
    if param and param.choices and isinstance(value, str):
        return Text(param.choices[value])
    if kind is Kind.DTYPE:
        return Text(f"jnp.{DTYPES[value]}")
    if kind is Kind.FUNCTION:
        build = MODEL_OPS[value].build
        return Text(build if isinstance(build, str) else build.target)
    if kind in (*_SIZED, Kind.WINDOW) and value is not None:
        numbers = [size(i).substitute(env).value for i in _items(value)]
        single = len(numbers) == 1 and not isinstance(value, tuple | list)
        return literal(numbers[0] if single else tuple(numbers))
    if kind is Kind.AXES and isinstance(value, tuple) and len(value) == 1:
        return literal(value[0])
    return literal(value)


def struct(type: TensorType) -> jax.ShapeDtypeStruct:
    """A concrete type as JAX sees it, `float` being float32."""
    shape = tuple(as_dim(s).value for s in type.sizes)
    return jax.ShapeDtypeStruct(shape, jnp.dtype(DTYPES[type.dtype].rstrip("_")))


def structs(types: Any) -> Any:
    """Structures of types."""
    return tuple(map(structs, types)) if isinstance(types, tuple) else struct(types)


def namespace(op: Op) -> dict[str, Any]:
    """What an entry's Python text may refer to."""
    names = dict(NAMESPACE)
    if op.helper is not None:
        for helper in (*op.helper.needs, op.helper, *op.other_helpers):
            if helper.source:
                exec(helper.source, names)
            else:
                names[helper.name] = shared(helper.name)
    return names


def apply(
    case: Case, shaped: Shaped, env: Env, *, abstract: bool = False
) -> tuple[Any, Any]:
    """The layer (None for a function), and a function from input arrays by name to outputs.

    An abstract layer has shapes in the place of weights, and costs nothing to make.
    """
    op = case.op
    names = namespace(op)
    text = python(case, shaped, env)
    if op.group != "layer":

        def function(arrays: Mapping[str, Any]) -> Any:
            return eval(text, names | {"rngs": nnx.Rngs(0)} | dict(arrays))

        return None, function

    def make() -> Any:
        return eval(text, names | {"rngs": nnx.Rngs(0)})

    layer = nnx.eval_shape(make) if abstract else make()
    draws = "rngs" in inspect.signature(layer.__call__).parameters and bool(op.streams)

    def call(layer: Any, arrays: Mapping[str, Any]) -> Any:
        more = {"rngs": nnx.Rngs(0)} if draws else {}
        first = op.inputs[0].name
        rest = {n: a for n, a in arrays.items() if n != first}
        return layer(arrays[first], **rest, **more)

    return layer, call


def cases(ops: Mapping[str, Op] = MODEL_OPS) -> list[Any]:
    """Every example of every entry, as pytest parameters would have them."""
    return [Case(op, example) for op in ops.values() for example in op.examples]
