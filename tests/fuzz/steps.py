"""The statements of random valid specs: each step reads values in scope and names what it makes.

A step returns False where nothing in scope suits it.
"""

from __future__ import annotations

from nnxc.dims import Dim, const
from nnxc.syntax import tree

from .builder import ACTIVATIONS, UNARY, Builder, Value
from .trees import assign, call, declare, literal, name, pipe, type_of


def stage(b: Builder, func: str, *args: object, **named: object) -> tree.Expr:
    """A layer of a pipeline, named by its author or not."""
    expr: tree.Expr = call(func, *args, **named)
    return tree.Named(expr, b.fresh("layer")) if b.one(False, False, True) else expr


def wide(b: Builder) -> Value | None:
    """A value whose last axis may feed weights."""
    return b.pick(lambda v: len(v.sizes) >= 2 and b.is_static(v.sizes[-1]))


def activation(b: Builder) -> list[tree.Expr]:
    """At most one activation."""
    return [name(b.one(*ACTIVATIONS))] if b.flip() else []


def norm(b: Builder) -> list[tree.Expr]:
    """At most one normalisation, with or without parentheses."""
    if b.flip():
        return []
    func = b.one("LayerNorm", "RMSNorm", "BatchNorm")
    return [name(func) if b.flip() else call(func, eps=1e-5)]


# --------------------------------------------------------------- one to one


def linear(b: Builder) -> bool:
    """`x -> Linear(n) -> relu`."""
    x = wide(b)
    if x is None:
        return False
    out = b.static_size()
    named = {"bias": False} if b.one(True, False, False) else {}
    layers = [*norm(b), stage(b, "Linear", out, **named), *activation(b)]
    b.give(x, pipe(b.read(x), *layers), *x.sizes[:-1], out)
    return True


def inner_layers(b: Builder, x: Value) -> list[tree.Expr]:
    """Layers that lead back to the type of their input."""
    last = x.sizes[-1]
    layers = [*norm(b), stage(b, "Linear", b.static_size()), *activation(b)]
    if b.flip():
        layers.append(call("Dropout", b.one(0.0, 0.1, 0.5)))
    return [*layers, stage(b, "Linear", last)]


def residual(b: Builder) -> bool:
    """`x += x -> ... -> Linear(d)`."""
    x = wide(b)
    if x is None or x.name in b.optional:
        return False
    b.body.append(assign(x.name, pipe(b.read(x), *inner_layers(b, x)), "+="))
    b.put(x)
    return True


def branches(b: Builder) -> bool:
    """`x -> (f | g) -> concat(axis=-1)`."""
    x = wide(b)
    if x is None:
        return False
    outs = [b.static_size() for _ in range(b.one(2, 3))]
    arms = []
    for out in outs:
        arm = stage(b, "Linear", out)
        arms.append(pipe(arm, *activation(b)))
    expr = pipe(b.read(x), tree.Branch(tuple(arms)), call("concat", axis=-1))
    b.give(x, expr, *x.sizes[:-1], sum(outs[1:], outs[0]))
    return True


def alike(b: Builder) -> bool:
    """`x -> f as (a, b) -> concat(axis=-1)`."""
    x = wide(b)
    if x is None:
        return False
    outs = [b.static_size()] * b.one(2, 3)
    arms = [tree.Named(call("Linear", outs[0]), b.fresh("layer")) for _ in outs]
    sides = tree.Branch(tuple(arms), alike=True)
    expr = pipe(b.read(x), sides, call("concat", axis=-1))
    b.give(x, expr, *x.sizes[:-1], sum(outs[1:], outs[0]))
    return True


def unary(b: Builder) -> bool:
    """A function, or arithmetic with a number."""
    x = b.pick()
    assert x is not None
    source = b.read(x)
    match b.one("function", "times", "minus", "shift", "power"):
        case "function":
            expr: tree.Expr = call(b.one(*UNARY), source)
        case "times":
            expr = tree.Binary("*", source, literal(b.one(2, 0.5, 1e-3)))
        case "minus":
            expr = tree.Unary("-", source)
        case "shift":
            expr = tree.Binary("+", source, literal(b.one(1, 2.5)))
        case _:
            expr = tree.Binary("**", source, literal(2))
    b.give(x, expr, *x.sizes)
    return True


def reduction(b: Builder) -> bool:
    """`mean(x, axis=-2)`, by position or by the axis's name."""
    x = b.pick(lambda v: len(v.sizes) >= 2)
    if x is None:
        return False
    place = b.one(*range(1, len(x.sizes)))
    keep = b.flip()
    named = {"keepdims": True} if keep else {}
    func = b.one("mean", "sum", "max", "min", "std", "logsumexp")
    axis = by_name(b, x, place)
    expr = call(func, b.read(x), axis=axis, **named)
    kept = (const(1),) if keep else ()
    b.give(x, expr, *x.sizes[:place], *kept, *x.sizes[place + 1 :])
    return True


def by_name(b: Builder, x: Value, place: int) -> object:
    """An axis: its position from either end, or the name of its size where that is its own."""
    size = x.sizes[place]
    if size.name and x.sizes.count(size) == 1 and b.flip():
        return name(size.name)
    return place if b.flip() else place - len(x.sizes)


# ------------------------------------------------------------- two to one


def together(b: Builder) -> bool:
    """Arithmetic between two values of one shape."""
    x = b.pick()
    assert x is not None
    y = b.pick(lambda v: v.sizes == x.sizes)
    assert y is not None
    match b.one("+", "-", "*", "maximum", "where"):
        case "maximum":
            expr: tree.Expr = call("maximum", b.read(x), b.read(y))
        case "where":
            positive = tree.Binary(">", b.read(x), literal(0))
            expr = call("where", positive, b.read(x), b.read(y))
        case op:
            expr = tree.Binary(op, b.read(x), b.read(y))
    b.give(x, expr, *x.sizes)
    return True


def joined(b: Builder) -> bool:
    """`concat(x, y, axis=-1)` of values that agree but for the last axis."""
    x = b.pick(lambda v: len(v.sizes) >= 2)
    if x is None:
        return False
    y = b.pick(lambda v: v.sizes[:-1] == x.sizes[:-1])
    assert y is not None
    expr = call("concat", b.read(x), b.read(y), axis=-1)
    b.give(x, expr, *x.sizes[:-1], x.sizes[-1] + y.sizes[-1])
    return True


# ------------------------------------------------------------------ layouts


def reshaped(b: Builder) -> bool:
    """`x -> [B, T * d]`: the last two axes become one, or the last one two."""
    x = b.pick(lambda v: len(v.sizes) >= 3)
    if x is None:
        return False
    lead, (a, c) = x.sizes[:-2], x.sizes[-2:]
    if c.value and c.value % 2 == 0 and b.flip():
        sizes: tuple[Dim, ...] = (*lead, a, const(2), c // 2)
    else:
        sizes = (*lead, a * c)
    shape = type_of(sizes).dims
    assert shape is not None
    b.give(x, pipe(b.read(x), tree.ListOf(shape)), *sizes)
    return True


def rearranged(b: Builder) -> bool:
    """`rearrange("a b c -> a c b")`."""
    x = b.pick(lambda v: len(v.sizes) >= 3)
    if x is None:
        return False
    letters = "abcde"[: len(x.sizes)]
    order = [*letters[:-2], letters[-1], letters[-2]]
    pattern = f"{' '.join(letters)} -> {' '.join(order)}"
    expr = pipe(b.read(x), call("rearrange", pattern))
    b.give(x, expr, *x.sizes[:-2], x.sizes[-1], x.sizes[-2])
    return True


def contracted(b: Builder) -> bool:
    """`einsum` with a learned matrix."""
    x = wide(b)
    if x is None:
        return False
    weight, out, last = b.fresh("kernel"), b.static_size(), x.sizes[-1]
    init = name(b.one("lecun_normal", "zeros", "he_uniform"))
    b.body.append(declare("param", (weight, type_of((last, out)), init)))
    letters = " ".join("abcd"[: len(x.sizes) - 1])
    equation = f"{letters} i, i o -> {letters} o"
    expr = call("einsum", equation, b.read(x), name(weight))
    b.give(x, expr, *x.sizes[:-1], out)
    return True


def scaled(b: Builder) -> bool:
    """A learned scale and shift along the last axis."""
    x = wide(b)
    if x is None:
        return False
    text, last = b.fresh("gain"), x.sizes[-1]
    b.body.append(declare("param", (text, type_of((last,)), name("ones"))))
    op = b.one("*", "+")
    b.give(x, tree.Binary(op, b.read(x), name(text)), *x.sizes)
    return True


def taken(b: Builder) -> bool:
    """`x[:, 0]`: one place along an axis of known size."""
    x = b.pick(lambda v: len(v.sizes) >= 2 and v.sizes[1].value is not None)
    if x is None:
        return False
    every = tree.Slice(None, None, None)
    match b.one("first", "last", "none"):
        case "first":
            item, made = literal(0), ()
        case "last":
            item, made = literal(-1), ()
        case _:
            item, made = literal(None), (const(1), x.sizes[1])
    expr = tree.Index(b.read(x), (every, item))
    b.give(x, expr, x.sizes[0], *made, *x.sizes[2:])
    return True
