"""Layers and functions of random valid specs, one statement each."""

from __future__ import annotations

from nnxc.dims import Dim, const
from nnxc.syntax import tree

from .builder import B, Block, Builder, Value
from .conditions import applied
from .steps import activation, stage, wide
from .trees import assign, call, literal, name, pipe, type_of

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
    made, args = applied(b, chosen)
    if chosen.out is None:
        out = x.sizes[-1]
        if b.flip():
            made = tree.Binary("*", made, literal(b.one(1, 2, 3)))
    else:
        bound = {p: s for p, s in args.items() if isinstance(s, Dim)}
        out = chosen.out.substitute({**bound, "d": x.sizes[-1]})
    b.give(x, pipe(b.read(x), made), *x.sizes[:-1], out)
    return True


def pooled(b: Builder) -> bool:
    """Pooling that halves images of known size, or keeps their size."""
    x = b.pick(lambda v: len(v.sizes) == 4)
    if x is None:
        return False
    func = b.one("max_pool", "avg_pool")
    layer = call(func, tree.Window((3, 3)), stride=1, padding="same")
    b.give(x, pipe(b.read(x), layer), *x.sizes)
    return True


def recurrent(b: Builder) -> bool:
    """An LSTM or a GRU over the second axis."""
    x = b.pick(lambda v: len(v.sizes) == 3 and b.is_static(v.sizes[-1]))
    if x is None:
        return False
    out = b.static_size()
    layer = stage(b, b.one("LSTM", "GRU"), out)
    b.give(x, pipe(b.read(x), layer), *x.sizes[:-1], out)
    return True


def positions(b: Builder) -> bool:
    """`x + Embed(64, d)(arange(T))`."""
    x = b.pick(lambda v: len(v.sizes) == 3 and b.is_static(v.sizes[-1]))
    if x is None or x.sizes[1].name is None:
        return False
    layer = call("Embed", 64, x.sizes[-1])
    added = tree.Call(layer, (tree.Arg(None, call("arange", x.sizes[1])),))
    b.give(x, tree.Binary("+", b.read(x), added), *x.sizes)
    return True


def tied(b: Builder) -> bool:
    """`embed.attend(x)`: an embedding that is the head as well."""
    x = b.pick(lambda v: len(v.sizes) == 3 and b.is_static(v.sizes[-1]))
    if x is None or x.sizes[1].name is None:
        return False
    text, vocab = b.fresh("embed"), const(24)
    b.body.append(assign(text, call("Embed", vocab, x.sizes[-1])))
    added = tree.Binary("+", b.read(x), call(text, call("arange", x.sizes[1])))
    attend = tree.Attribute(name(text), "attend")
    b.give(x, pipe(added, attend), *x.sizes[:-1], vocab)
    return True


def heads_of(b: Builder, x: Value) -> tree.Expr:
    """`Linear(2, 4)`; where 2 comes in, that looks like PyTorch's sizes in and out."""
    return call("Linear", 3 if b.number(x.sizes[-1]) == 2 else 2, 4)


def headed(b: Builder) -> bool:
    """Several output axes, then contracted again: `Linear(2, 4)`, `over=[-2, -1]`."""
    x = wide(b)
    if x is None:
        return False
    out = b.static_size()
    layers = [heads_of(b, x), stage(b, "Linear", out, over=[-2, -1])]
    b.give(x, pipe(b.read(x), *layers), *x.sizes[:-1], out)
    return True


def softened(b: Builder) -> bool:
    """`softmax` along some axis, of matching products."""
    x = b.pick(lambda v: len(v.sizes) >= 2)
    if x is None:
        return False
    place = b.one(*range(1, len(x.sizes)))
    func = b.one("softmax", "log_softmax", "cumsum")
    b.give(x, pipe(b.read(x), call(func, axis=place)), *x.sizes)
    return True


def attended(b: Builder) -> bool:
    """`attend(q, k, v)` over heads, with rotary positions or without."""
    x = b.pick(lambda v: len(v.sizes) == 3 and b.is_static(v.sizes[-1]))
    if x is None or x.sizes[1].name is None:
        return False
    heads: list[tree.Expr] = []
    for text in ("q", "k", "v"):
        value = pipe(b.read(x), heads_of(b, x))
        if text != "v" and b.flip():
            value = pipe(value, call("rope", call("arange", x.sizes[1]), 1e4))
        target = b.fresh(text)
        b.body.append(assign(target, value))
        heads.append(name(target))
    out = call("Linear", x.sizes[-1], over=[-2, -1])
    causal = {"causal": True} if b.flip() else {}
    b.give(x, pipe(call("attend", *heads, **causal), out), *x.sizes)
    return True


def patches(b: Builder) -> bool:
    """`rearrange` that takes an axis apart and joins others."""
    x = b.pick(lambda v: len(v.sizes) == 4 and v.sizes[-1].value in (4, 8, 12))
    if x is None:
        return False
    rows, columns, last = x.sizes[1:]
    stage_ = call("rearrange", "b h w (c p) -> b (h w) p c", p=2)
    b.give(x, pipe(b.read(x), stage_), B, rows * columns, const(2), last // 2)
    return True
