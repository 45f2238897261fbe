"""Helpers: specs compiled, imported and run; shapes predicted by the IR."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import nnxc
from nnxc import emit, ir
from nnxc.driver import analyse
from nnxc.emit.signature import Draws, assign_names
from nnxc.instance import instantiate
from nnxc.ops.torch_layouts import LEAVES
from nnxc.shapes import DTYPES, ListType, TensorType, is_int
from tests.importing import from_text

ZOO = Path(nnxc.__file__).parent / "zoo/pretrained"
load = from_text


def program(text: str) -> ir.Program:
    """The meaning of a spec without mistakes; it may use the published models of the zoo."""
    analysis = analyse(
        text, path="spec.nnx", read=lambda name: (ZOO / name).read_bytes()
    )
    found = [(d.code, d.message, d.primary.span.text) for d in analysis.diagnostics]
    assert analysis.program is not None and not found, found
    return analysis.program


def text_of(spec: str, **options: Any) -> str:
    """The generated text of a spec."""
    return emit.emit(program(spec), emit.Options(**options))


def class_of(spec: str, name: str, **options: Any) -> str:
    """The text of one generated class."""
    text = text_of(spec, **options)
    start = next(re.finditer(rf"^class {name}[(:]", text, re.M)).start()
    return text[start:].split("\n\n\n")[0].rstrip() + "\n"


def concrete(type_: TensorType, env: Mapping[str, int]) -> jax.ShapeDtypeStruct:
    """A type at given sizes."""
    sizes = []
    for size in type_.sizes:
        value = size.substitute(env).value
        assert value is not None, f"{size} is open"
        sizes.append(value)
    lead = (2, 3) if type_.lead else ()
    return jax.ShapeDtypeStruct((*lead, *sizes), DTYPES[type_.dtype])


def array(type_: TensorType, env: Mapping[str, int]) -> jax.Array:
    """Some input of a type: small ints, ramps."""
    spec = concrete(type_, env)
    ramp = jnp.arange(int(jnp.prod(jnp.array(spec.shape, int)))).reshape(spec.shape)
    if spec.dtype == jnp.bool_:
        return ramp % 3 != 0
    return (
        (ramp % 2).astype(spec.dtype)
        if is_int(type_.dtype)
        else jnp.sin(ramp).astype(spec.dtype)
    )


def maker(
    spec: str,
    name: str | None = None,
    *,
    params: Mapping[str, Any] = {},
    axes: Mapping[str, int] = {},
    **options: Any,
) -> tuple[ir.Definition, Callable[[], Any]]:
    """A definition, and what makes an object of its class."""
    meaning = program(spec)
    definition = meaning.definitions[-1] if name is None else meaning.definition(name)
    module = load(emit.emit(meaning, emit.Options(black=False, **options)))
    signature = assign_names(meaning).signatures[definition.name]
    args: list[Any] = [axes[n] for n in definition.inferred]
    keywords = {signature.arguments.get(n, n): v for n, v in params.items()}

    def make() -> Any:
        rngs = {"rngs": nnx.Rngs(0)} if signature.takes_rngs else {}
        made = getattr(module, signature.name)
        if signature.config:
            cfg = getattr(module, signature.config)(**keywords)
            return made(*args, cfg, **rngs)
        return made(*args, **keywords, **rngs)

    return definition, make


def defaults(definition: ir.Definition) -> dict[str, int]:
    """The sizes among the defaults of the parameters."""
    values = {
        p.name: p.default.value
        for p in definition.params
        if isinstance(p.default, ir.Literal)
    }
    return {
        n: v
        for n, v in values.items()
        if isinstance(v, int) and not isinstance(v, bool)
    }


def run(
    spec: str,
    name: str | None = None,
    *,
    params: Mapping[str, Any] = {},
    axes: Mapping[str, int] = {},
    given: tuple[str, ...] = (),
    **options: Any,
) -> None:
    """Make and call a model, abstractly: its outputs have the shapes and dtypes of the IR."""
    definition, make = maker(spec, name, params=params, axes=axes, **options)
    sizes = {n: v for n, v in params.items() if type(v) is int}
    env = {**defaults(definition), **sizes, **axes}
    args = [concrete(i.type, env) for i in definition.inputs if not i.optional]
    more = {i.name: concrete(i.type, env) for i in definition.inputs if i.name in given}

    def call(args: Any, more: Any) -> Any:
        rngs = {"rngs": nnx.Rngs(1)} if draws(spec, definition.name) else {}
        return make()(*args, **more, **rngs)

    outputs = jax.tree.leaves(jax.eval_shape(call, args, more))
    types_ = _flat(definition.outputs)
    if any(isinstance(t, ListType) for t in types_):
        known = instantiate(program(spec), definition.name, params, axes, given)
        types_ = _flat((known.outputs,))
    expected = [concrete(t, env) for t in types_]
    assert [(o.shape, o.dtype) for o in outputs] == [
        (e.shape, e.dtype) for e in expected
    ]


def draws(spec: str, name: str) -> bool:
    """Whether calls take rngs."""
    return assign_names(program(spec)).signatures[name].draws > Draws.NEVER


def _flat(types_: tuple[ir.Type, ...]) -> list[Any]:
    """All tensors; a list is one where its tensors are not known one by one."""
    inner = ((t.items or t) if isinstance(t, ListType) else t for t in types_)
    return [
        t
        for item in inner
        for t in (_flat(item) if isinstance(item, tuple) else [item])
    ]


def stored_names(module: Any) -> dict[str, Any]:
    """What a module's table calls the tensors of weights, by their paths: of a layer, of all that
    it may have."""
    found = {row.paths: row.names or row.paths for row in module.STORED}
    for row in module.STORED:
        for leaf in LEAVES:
            of_weight = row.of_leaf(leaf, 3)
            found.setdefault(of_weight.paths, of_weight.names)
    return found
