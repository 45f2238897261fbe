"""The statements of random valid specs that hold others, or other definitions."""

from __future__ import annotations

from nnxc.dims import const, symbol
from nnxc.syntax import tree

from .builder import B, Builder, Value
from .steps import activation, stage, wide
from .trees import assign, call, literal, name, pipe

# --------------------------------------------------------------- structure


def widening(b: Builder) -> bool:
    """`for width in [4, 8]:`, the size of `x` changing as it goes."""
    x = wide(b)
    if x is None or x.name in b.optional:
        return False
    width = b.fresh("size")
    widths = [b.one(2, 4, 8) for _ in range(b.one(1, 2, 3))]
    layers = [stage(b, "Linear", name(width)), *activation(b)]
    body = (assign(x.name, pipe(b.read(x), *layers)),)
    b.body.append(tree.For((name(width),), literal(widths), body))
    b.put(Value(x.name, (*x.sizes[:-1], const(widths[-1]))))
    # What follows must not rely on the last width being known by its number.
    out = b.static_size()
    expr = pipe(b.read(x), stage(b, "Linear", out))
    b.body.append(assign(x.name, expr))
    b.put(Value(x.name, (*x.sizes[:-1], out)))
    return True


def optional_input(b: Builder) -> bool:
    """`if bias != none: x += bias`."""
    x = b.pick(lambda v: v.name not in b.optional)
    if x is None or b.optional or not lead_only(x):
        return False
    text = "offset"
    b.inputs[text] = x.sizes
    b.dtypes[text] = "float"
    b.optional.add(text)
    b.read(x)
    given = tree.Binary("!=", name(text), literal(None))
    b.body.append(tree.If(given, (assign(x.name, name(text), "+="),), ()))
    b.put(x)
    return True


def lead_only(x: Value) -> bool:
    """Whether the shape may be declared by an input: plain axes and static sizes."""
    return bool(x.sizes) and x.sizes[0] == B and all(s.symbols for s in x.sizes[1:-1])


def second_input(b: Builder) -> bool:
    """A further input, embedded or joined."""
    if len(b.inputs) > 2 or b.is_block:
        return False
    text, steps = b.fresh("other"), symbol("S")
    if b.flip():
        b.add_input(text, (B, steps), "int")
        width = b.static_size()
        vocab = (
            b.size_param(3, 8) if b.flip() else const(b.one(3, 7))
        )  # ids are below 3
        expr = pipe(name(text), call("Embed", vocab, width))
        b.unused.pop(text)
        target = b.fresh("e")
        b.body.append(assign(target, expr))
        b.put(Value(target, (B, steps, width)))
    else:
        b.add_input(text, (B, const(b.one(2, 5))))
    return True


def static_local(b: Builder) -> bool:
    """`half = width // 2`, as a size."""
    x = wide(b)
    params = [p for p in b.params if p in b.static and b.env[p] % 2 == 0]
    if x is None or not params:
        return False
    text, param = b.fresh("half"), b.one(*params)
    b.body.append(assign(text, tree.Binary("//", name(param), literal(2))))
    out = b.static_size()
    layers = [call("Linear", name(text)), *activation(b), stage(b, "Linear", out)]
    b.give(x, pipe(b.read(x), *layers), *x.sizes[:-1], out)
    return True


def listed_widths(b: Builder) -> bool:
    """`for i, w in enumerate(widths):` over a parameter that is a list."""
    x = wide(b)
    if x is None or b.is_block or x.name in b.optional:
        return False
    widths = b.new_param("widths", [b.one(2, 4, 8) for _ in range(b.one(1, 2, 3))])
    index, width = b.fresh("i"), b.fresh("w")
    scale = tree.Binary("/", literal(1.0), tree.Binary("+", name(index), literal(1)))
    expr = tree.Binary("*", pipe(b.read(x), call("Linear", name(width))), scale)
    targets = (name(index), name(width))
    body = (assign(x.name, expr),)
    b.body.append(tree.For(targets, call("enumerate", name(widths)), body))
    out = b.static_size()
    b.body.append(assign(x.name, pipe(x.tree, stage(b, "Linear", out))))
    b.put(Value(x.name, (*x.sizes[:-1], out)))
    return True


def required(b: Builder) -> bool:
    """`require width % 2 == 0, "..."` where it holds."""
    params = [p for p in b.params if p in b.static]
    if not params:
        return False
    param = b.one(*params)
    rest = tree.Binary("%", name(param), literal(2))
    condition = tree.Binary("==", rest, literal(b.env[param] % 2))
    b.body.append(tree.Require(condition, b.one(None, "a message, with {braces}")))
    return not b.is_block


def activated(b: Builder) -> bool:
    """A function as a parameter: `activation = gelu`."""
    x = b.pick()
    if x is None or b.is_block:
        return False
    text = b.new_param("act", name(b.one("relu", "gelu", "tanh")))
    b.give(x, pipe(b.read(x), name(text)), *x.sizes)
    return True


def parted(b: Builder) -> bool:
    """`a, c = split(x, 2, axis=-1)`, both used."""
    x = b.pick(lambda v: len(v.sizes) >= 2 and (v.sizes[-1].value or 1) % 2 == 0)
    if x is None or x.sizes[-1].value is None:
        return False
    targets = [b.fresh("part"), b.fresh("part")]
    expr = call("split", b.read(x), 2, axis=-1)
    b.body.append(tree.Assign(tuple(map(name, targets)), "=", expr))
    for target in targets:
        b.put(Value(target, (*x.sizes[:-1], x.sizes[-1] // 2)))
    return True
