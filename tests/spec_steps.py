"""The statements of random valid specs: each step reads values in scope and names what it makes.

A step returns False where nothing in scope suits it.
"""

from __future__ import annotations

from spec_builder import ACTIVATIONS, UNARY, B, Block, Builder, Value
from spec_trees import assign, call, declare, literal, name, pipe, type_of

from nnxc.dims import Dim, const, symbol
from nnxc.syntax import tree


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


# ------------------------------------------------------------------- layers


def attention(b: Builder) -> bool:
    """Self-attention over rank 3, heads dividing the width as written."""
    x = b.pick(lambda v: len(v.sizes) == 3 and (v.sizes[-1].value or 1) % 2 == 0)
    if x is None:
        return False
    causal = {"causal": True} if b.flip() else {}
    layer = stage(b, "Attention", 2, **causal)
    b.give(x, pipe(b.read(x), layer), *x.sizes)
    return True


def convolution(b: Builder) -> bool:
    """A convolution that keeps its resolution, over any images."""
    x = b.pick(lambda v: len(v.sizes) == 4 and b.is_static(v.sizes[-1]))
    if x is None:
        return False
    out = b.static_size()
    layer = stage(b, "Conv", out, tree.Window(b.one((1, 1), (3, 3), (5, 3))))
    b.give(x, pipe(b.read(x), layer, *activation(b)), *x.sizes[:-1], out)
    return True


def noise(b: Builder) -> bool:
    """`x + normal([B, 4], rng=noise)`."""
    x = b.pick()
    assert x is not None
    shape = type_of(x.sizes).dims
    assert shape is not None
    drawn = call("normal", tree.ListOf(shape), rng=name("noise"))
    b.give(x, tree.Binary("+", b.read(x), drawn), *x.sizes)
    return True


def block(b: Builder) -> bool:
    """A block of this file, once, shared, or as a stack."""
    ranks = {len(v.sizes) for v in b.values if b.is_static(v.sizes[-1])}
    known = [k for k in b.blocks if k.rank in ranks]
    if not known:
        return False
    chosen: Block = b.one(*known)
    x = b.pick(lambda v: len(v.sizes) == chosen.rank and b.is_static(v.sizes[-1]))
    assert x is not None
    args = [b.static_size() for _ in chosen.sizes]
    made: tree.Expr = call(chosen.name, *args)
    if chosen.out is None:
        out = x.sizes[-1]
        if b.flip():
            made = tree.Binary("*", made, literal(b.one(0, 1, 3)))
    else:
        bound = dict(zip(chosen.sizes, args, strict=True)) | {"d": x.sizes[-1]}
        out = chosen.out.substitute(bound)
    b.give(x, pipe(b.read(x), made), *x.sizes[:-1], out)
    return True


# --------------------------------------------------------------- structure


def nested_residual(b: Builder, x: Value) -> tuple[tree.Statement, ...]:
    """The body of a loop or a condition: it keeps the type of `x`."""
    expr = pipe(x.tree, *inner_layers(b, x))
    return (assign(x.name, expr, "+="),)


def loop(b: Builder) -> bool:
    """`for i in range(n):` with a use of `i`."""
    x = wide(b)
    if x is None or x.name in b.optional:
        return False
    b.read(x)
    index = b.fresh("i")
    count = literal(b.one(1, 2, 3))
    scale = tree.Binary("+", name(index), literal(1))
    body = (*nested_residual(b, x), assign(x.name, tree.Binary("*", x.tree, scale)))
    b.body.append(tree.For((name(index),), call("range", count), body))
    b.put(x)
    return True


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


def choice(b: Builder) -> bool:
    """`if deep:` on a parameter, both sides of one type."""
    x = wide(b)
    if x is None or x.name in b.optional:
        return False
    b.read(x)
    flag = b.new_param("deep", b.flip())
    then = nested_residual(b, x)
    orelse = nested_residual(b, x) if b.flip() else ()
    b.body.append(tree.If(name(flag), then, orelse))
    b.put(x)
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
        expr = pipe(name(text), call("Embed", b.static_size(), width))
        b.unused.pop(text)
        target = b.fresh("e")
        b.body.append(assign(target, expr))
        b.put(Value(target, (B, steps, width)))
    else:
        b.add_input(text, (B, const(b.one(2, 5))))
    return True


STEPS = (
    linear, linear, residual, branches, unary, reduction, together, joined, reshaped,
    rearranged, contracted, scaled, taken, attention, convolution, noise, block, block,
    loop, widening, choice, optional_input, second_input,
)  # fmt: skip
KEEPING = (residual, loop, choice)
