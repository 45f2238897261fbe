"""Statements of random valid specs that change sizes or types in rarer ways."""

from __future__ import annotations

from nnxc.dims import Dim, const
from nnxc.syntax import tree

from .builder import Builder, Value
from .steps import activation, stage, wide
from .trees import assign, call, declare, literal, name, pipe, type_of

EVERY = tree.Slice(None, None, None)


def halved(b: Builder) -> bool:
    """A convolution or pooling with stride: `(H + 1) // 2`."""
    x = b.pick(lambda v: len(v.sizes) == 4 and b.is_static(v.sizes[-1]))
    if x is None or min(map(b.number, x.sizes[1:3])) < 4:
        return False
    lead, rows, columns, last = x.sizes
    window = tree.Window((3, 3))
    match b.one("same", "valid", "max_pool", "avg_pool"):
        case "same":
            out = b.static_size()
            layer = stage(b, "Conv", out, window, stride=2)
            made = ((rows + 1) // 2, (columns + 1) // 2, out)
        case "valid":
            out = b.static_size()
            layer = stage(b, "Conv", out, window, padding="valid")
            made = (rows - 2, columns - 2, out)
        case func:
            layer = call(func, tree.Window((2, 2)), stride=2)
            made = (rows // 2, columns // 2, last)
    b.give(x, pipe(b.read(x), layer), lead, *made)
    return True


def doubled(b: Builder) -> bool:
    """A transposed convolution with stride."""
    x = b.pick(lambda v: len(v.sizes) == 4 and b.is_static(v.sizes[-1]))
    if x is None or b.number(x.sizes[1]) > 20:
        return False
    out = b.static_size()
    layer = stage(b, "ConvTranspose", out, tree.Window((2, 2)), stride=2)
    sizes = (x.sizes[1] * 2, x.sizes[2] * 2, out)
    b.give(x, pipe(b.read(x), layer), x.sizes[0], *sizes)
    return True


def shifted(b: Builder) -> bool:
    """`x[:, 1:]`, `x[:, :-1]`: one place less along an axis."""
    x = b.pick(lambda v: len(v.sizes) >= 3 and b.number(v.sizes[1]) > 2)
    if x is None:
        return False
    one = literal(1)
    cut = b.one(tree.Slice(one, None, None), tree.Slice(None, literal(-1), None))
    expr = tree.Index(b.read(x), (EVERY, cut))
    b.give(x, expr, x.sizes[0], x.sizes[1] - 1, *x.sizes[2:])
    return True


def counted(b: Builder) -> bool:
    """`one_hot(argmax(x, axis=-1), n)`."""
    x = b.pick(lambda v: len(v.sizes) >= 2)
    if x is None:
        return False
    classes = b.static_size()
    best = call("argmax", b.read(x), axis=-1)
    b.give(x, call("one_hot", best, classes), *x.sizes[:-1], classes)
    return True


def stacked(b: Builder) -> bool:
    """`stack(x, y, axis=1)`."""
    x = b.pick()
    if x is None or not x.sizes or len(x.sizes) > 4:
        return False
    y = b.pick(lambda v: v.sizes == x.sizes)
    assert y is not None
    expr = call("stack", b.read(x), b.read(y), axis=1)
    b.give(x, expr, x.sizes[0], const(2), *x.sizes[1:])
    return True


def divided(b: Builder) -> bool:
    """`x / sqrt(width)`, a number computed from a parameter."""
    x = b.pick()
    params = [p for p in b.params if p in b.static]
    if x is None or not params:
        return False
    root = call(b.one("sqrt", "log", "float"), name(b.one(*params)))
    b.give(x, tree.Binary("/", b.read(x), root), *x.sizes)
    return True


def dropped(b: Builder) -> bool:
    """`Dropout(rate)`, the rate a parameter; with a stream of its own, or the usual one."""
    x = b.pick()
    if x is None or b.is_block:
        return False
    rate = name(b.new_param("rate", b.one(0.0, 0.1)))
    named = {"rng": name("noise")} if b.flip() else {}
    layer = call(b.one("Dropout", "Dropout", "DropPath"), rate, **named)
    if len(x.sizes) < 2:
        layer = call("Dropout", rate, **named)
    b.give(x, pipe(b.read(x), layer), *x.sizes)
    return True


def masked(b: Builder) -> bool:
    """`where(x > 0 and x < 1, x, -x)` and its like."""
    x = b.pick()
    if x is None:
        return False
    source = b.read(x)
    low = tree.Binary(b.one(">", ">="), source, literal(0))
    high = tree.Binary(b.one("<", "!="), source, literal(0.5))
    both: tree.Expr = tree.Binary(b.one("and", "or"), low, high)
    if b.flip():
        both = tree.Unary("not", both)
    b.give(x, call("where", both, source, tree.Unary("-", source)), *x.sizes)
    return True


def remembered(b: Builder) -> bool:
    """A state that is updated, and used."""
    x = wide(b)
    if x is None:
        return False
    text = b.fresh("average")
    b.body.append(declare("state", (text, type_of(x.sizes[-1:]), literal(0))))
    axes: list[object] = list(range(len(x.sizes) - 1))
    now = call("mean", b.read(x), axis=axes)
    old = tree.Binary("*", name(text), literal(0.9))
    new = tree.Binary("+", old, tree.Binary("*", now, literal(0.1)))
    b.body.append(assign(text, new))
    b.give(x, tree.Binary("-", b.read(x), name(text)), *x.sizes)
    return True


def shortcut(b: Builder) -> bool:
    """`if last != width: x = x -> Linear(width)`, where both sides come to one type."""
    x = wide(b)
    if x is None or x.name in b.optional or not x.sizes[-1].symbols:
        return False
    out = b.static_size()
    last = x.sizes[-1]
    b.read(x)
    y = b.fresh("y")
    b.body.append(assign(y, pipe(x.tree, call("Linear", out))))
    differs = tree.Binary("!=", literal(last), literal(out))
    then = assign(x.name, pipe(x.tree, call("Linear", out)))
    if last == out:
        return bool(b.put(Value(y, x.sizes)))
    b.body.append(tree.If(differs, (then,), ()))
    sizes: tuple[Dim, ...] = (*x.sizes[:-1], out)
    b.values = [v for v in b.values if v.name != x.name]
    b.body.append(assign(y, tree.Binary("+", name(y), x.tree)))
    b.put(Value(y, sizes))
    return True


def chosen(b: Builder) -> bool:
    """`x if flag else f(x)`: a choice within an expression."""
    x = wide(b)
    if x is None or b.is_block:
        return False
    flag = name(b.new_param("plain", b.flip()))
    other = pipe(b.read(x), call("Linear", x.sizes[-1]), *activation(b))
    b.give(x, tree.IfElse(flag, b.read(x), other), *x.sizes)
    return True
