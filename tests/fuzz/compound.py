"""Copies along an axis, blocks as arguments, blocks of several values, outputs by name."""

from __future__ import annotations

from nnxc.dims import symbol
from nnxc.syntax import tree

from .builder import B, Block, Builder, Draw, Value
from .conditions import condition, flag
from .steps import wide
from .trees import assign, call, definition, literal, name, pipe, type_of

LAYERS = ("LayerNorm", "RMSNorm")
T = symbol("T")


def copies(b: Builder) -> bool:
    """`x -> Linear(4, each=1)`: weights for every entry of an axis of known size."""
    x = b.pick(
        lambda v: len(v.sizes) >= 3
        and b.is_static(v.sizes[1])
        and b.is_static(v.sizes[-1])
        and b.number(v.sizes[1]) < 9
    )
    if x is None:
        return False
    known = [k for k in b.blocks if k.rank == len(x.sizes) - 1 and k.out is None]
    if known and b.flip():
        from .conditions import applied

        made, _ = applied(b, b.one(*known))
        assert isinstance(made, tree.Call)
        each = tree.Call(made.func, (*made.args, tree.Arg("each", literal(1))))
        b.give(x, pipe(b.read(x), each), *x.sizes)
        return True
    out = b.static_size()
    b.give(x, pipe(b.read(x), call("Linear", out, each=1)), *x.sizes[:-1], out)
    return True


def host(draw: Draw, blocks: list[Block], text: str) -> tuple[tree.Item, Block]:
    """A block that takes a block or a layer: `block Host(inner = Block0, norm = LayerNorm):`."""
    b = Builder(draw, blocks, is_block=True)
    inner = [k for k in blocks if k.out is None and not k.required]
    rank = b.one(*(k.rank for k in inner)) if inner else 3
    lead = {2: (B,), 3: (B, T), 4: (B, symbol("H"), symbol("W"))}[rank]
    b.env["d"], b.static = 6, {"d"}
    b.add_input("x", (*lead, symbol("d")))
    x = b.values[-1]
    inner = [k for k in inner if k.rank == rank]
    params: dict[str, object] = {}
    if inner:
        first = b.one(*inner)
        params["inner"] = name(first.name)
        stage: tree.Expr = name("inner")
        if b.flip():
            stage = tree.Binary("*", tree.Call(stage, ()), literal(b.one(1, 2)))
        body = [assign("x", pipe(x.tree, stage), b.one("=", "+="))]
    else:
        params["norm"] = name(b.one(*LAYERS))
        body = [
            assign("x", pipe(x.tree, name("norm"), call("Linear", symbol("d"))), "+=")
        ]
    if b.flip():
        rest = pipe(x.tree, call("Linear", symbol("d")))
        body.append(tree.If(condition(b), (assign("x", rest),), ()))
    b.body += [*body, tree.Return((name("x"),))]
    params |= b.params
    ordered = dict(sorted(params.items(), key=lambda p: p[1] is not ...))
    shape = type_of((*lead, symbol("d")))
    declared = tree.Declare("input", (tree.Field("x", shape, None),))
    written = definition("block", text, ordered, [declared, *b.body])
    kinds = {"inner": "block"} if inner else {"norm": "layer"}
    required = tuple(p for p, v in ordered.items() if v is ...)
    choices = tuple(k.name for k in inner) if inner else LAYERS
    return written, Block(text, rank, {**kinds, **b.kinds}, required, None, choices)


def pair(draw: Draw, text: str) -> tree.Definition:
    """A block that gives two values, by name or not."""
    b = Builder(draw, [], is_block=True)
    named = b.flip()
    b.add_input("x", (B, symbol("d")))
    x = name("x")
    first = pipe(x, call("Linear", symbol("d")))
    second = call(
        "mean", tree.Binary("**", pipe(x, call("Linear", 2)), literal(2)), axis=-1
    )
    body: list[tree.Statement] = []
    if b.flip():
        other = pipe(x, call("Linear", symbol("d")), name("relu"))
        body.append(tree.If(name(flag(b)), (assign("x", other),), ()))
    names = (name("main"), name("side")) if named else ()
    body.append(tree.Return((first, second), names))
    b.params = {p: True if v is ... else v for p, v in b.params.items()}
    b.body = body
    return b.definition("block", text)


def is_named(written: tree.Definition) -> bool:
    """Whether the values of a block have names."""
    last = written.body[-1]
    return isinstance(last, tree.Return) and bool(last.names)


def two_values(b: Builder) -> bool:
    """What a block of two values gives, taken apart or by number or name."""
    x = wide(b)
    if x is None or len(x.sizes) != 2 or not b.pairs:
        return False
    text, named = b.one(*b.pairs)
    made = pipe(b.read(x), call(text))
    lead, last = x.sizes
    if b.flip():
        first, second = b.fresh("main"), b.fresh("side")
        b.add(tree.Assign((name(first), name(second)), "=", made))
        b.put(Value(first, (lead, last)))
        b.put(Value(second, (lead,)))
        return True
    whole = b.fresh("out")
    b.add(assign(whole, made))
    parts = ("main", "side") if named else (0, 1)
    for part, sizes in zip(parts, ((lead, last), (lead,)), strict=True):
        target = b.fresh("part")
        found: tree.Expr = tree.Index(name(whole), (literal(part),))
        if named:
            found = tree.Attribute(name(whole), str(part))
        b.add(assign(target, found))
        b.put(Value(target, sizes))
    return True
