"""Statements that keep the name and the type of a value: what loops, conditions and blocks hold."""

from __future__ import annotations

from nnxc.syntax import tree

from .builder import Block, Builder, Index, Value
from .changing import CHANGING
from .conditions import applied, condition, factor, kinds, limit, times
from .steps import activation, norm
from .trees import assign, call, literal, name, pipe

DEEPEST = 2
NAMES = ("proj", "fc", "mixer", "gate")


def keep(b: Builder, x: Value) -> None:
    """One or two statements that keep `x`."""
    choices = SIMPLE if b.depth >= DEEPEST else (*SIMPLE, *NESTED)
    for _ in range(b.one(1, 1, 2)):
        b.one(*choices)(b, x)


def layer(b: Builder, expr: tree.Expr, names: tuple[str, ...] = NAMES) -> tree.Expr:
    """A layer, sometimes by a name that the other side of a condition may have too."""
    free = [n for n in names if n not in b.taken]
    if not free or b.flip():
        return expr
    chosen = b.one(*free)
    b.taken.add(chosen)
    return tree.Named(expr, chosen)


# --------------------------------------------------------------------- simple


def added(b: Builder, x: Value) -> None:
    """`x += x -> ... -> Linear(d)`, or without the sum."""
    last = x.sizes[-1]
    stages = [*norm(b)]
    if b.flip():
        stages += [layer(b, call("Linear", b.static_size())), *activation(b)]
    if b.one(False, False, True):
        stages.append(call("Dropout", b.one(0.0, 0.1)))
    stages.append(layer(b, call("Linear", last)))
    b.add(assign(x.name, pipe(x.tree, *stages), b.one("+=", "=")))


def rescaled(b: Builder, x: Value) -> None:
    """`x = 2 * x`, `x = factor * x`, `x = x / (i + 1)`."""
    numbers = [i.name for i in b.indices if i.kind == "int"]
    match b.one("number", "param", "index"):
        case "param":
            expr: tree.Expr = tree.Binary("*", name(factor(b)), x.tree)
        case "index" if numbers:
            more = tree.Binary("+", name(b.one(*numbers)), literal(1))
            expr = tree.Binary(b.one("*", "/"), x.tree, more)
        case _:
            expr = tree.Binary("*", literal(b.one(2, 0.5, -1.0)), x.tree)
    b.add(assign(x.name, expr))


def tied(b: Builder, x: Value) -> None:
    """`layer = Linear(d)`, applied twice, or once for each of a few steps."""
    text = b.fresh("tied")
    b.add(assign(text, call("Linear", x.sizes[-1])))
    if b.flip():
        once = pipe(x.tree, name(text), *activation(b))
        b.add(assign(x.name, call(text, once)))
        return
    step = assign(x.name, pipe(x.tree, name(text), *activation(b)), b.one("+=", "="))
    b.add(tree.For((name(b.fresh("i")),), call("range", times(b)), (step,)))


def clipped(b: Builder, x: Value) -> None:
    """`if limit != none: x = clip(x, -limit, limit)`."""
    text = limit(b)
    there = tree.Binary("!=", name(text), literal(None))
    expr = call("clip", x.tree, tree.Unary("-", name(text)), name(text))
    b.add(tree.If(there, (assign(x.name, expr),), ()))


def chosen(b: Builder, x: Value) -> None:
    """`x = f(x) if deep else g(x)`, and sizes that are chosen."""
    last = x.sizes[-1]
    if b.flip():
        wide = tree.IfElse(condition(b), literal(b.one(2, 4)), literal(b.static_size()))
        stages = [layer(b, call("Linear", wide)), *activation(b), call("Linear", last)]
        b.add(assign(x.name, pipe(x.tree, *stages), "+="))
        return
    before = set(b.taken)
    one = pipe(x.tree, layer(b, call("Linear", last)), *activation(b))
    after, b.taken = b.taken, before
    other = pipe(x.tree, layer(b, call("Linear", last)), *activation(b))
    b.taken |= after
    sides = (one, other) if b.flip() else (one, x.tree)
    b.add(assign(x.name, tree.IfElse(condition(b), *b.one(sides, sides[::-1]))))


def inside(b: Builder, x: Value) -> None:
    """A block that keeps the type of its input, once or as a stack."""
    known = [k for k in b.blocks if k.rank == len(x.sizes) and k.out is None]
    if not known:
        return added(b, x)
    chosen: Block = b.one(*known)
    made, _ = applied(b, chosen)
    names = (f"of_{chosen.name.lower()}",)  # a name is of one kind on all sides
    made = tree.Binary("*", made, times(b)) if b.flip() else layer(b, made, names)
    return b.add(assign(x.name, pipe(x.tree, made)))


def changing(b: Builder, x: Value) -> None:
    """A number, a size or a list that changes."""
    b.one(*CHANGING)(b, x)


# --------------------------------------------------------------------- nested


def branch(b: Builder, x: Value) -> None:
    """`if`, `elif` and `else`; each arm has statements of its own."""
    before = set(b.taken)
    met: set[str] = set()
    arms = []
    for _ in range(b.one(1, 1, 2, 3)):
        asked = condition(b)
        arms.append((asked, arm(b, x, before, met)))
    orelse = arm(b, x, before, met) if b.flip() else ()
    for asked, body in reversed(arms):
        orelse = (tree.If(asked, body, orelse),)
    b.taken = before | met
    b.add(*orelse)


def arm(
    b: Builder, x: Value, before: set[str], met: set[str]
) -> tuple[tree.Statement, ...]:
    """One side of a condition: it may use the names of the others' layers."""
    b.taken = set(before)
    with b.nested() as body:
        keep(b, x)
    met |= b.taken
    return tuple(body)


def loop(b: Builder, x: Value) -> None:
    """`for` over numbers, texts, or both."""
    heads, over, indices = b.one(ranged, ranged, listed, enumerated, zipped)(b)
    outer = b.indices
    b.indices = [*outer, *indices]
    with b.nested() as body:
        for index in indices:
            used(b, x, index)
        if b.flip():
            keep(b, x)
    b.indices = outer
    b.add(tree.For(tuple(map(name, heads)), over, tuple(body)))


Head = tuple[list[str], tree.Expr, list[Index]]


def ranged(b: Builder) -> Head:
    """`for i in range(n):`."""
    text = b.fresh("i")
    return [text], call("range", times(b)), [Index(text, "int", (0, 1, 2))]


def listed(b: Builder) -> Head:
    """`for kind in kinds:`."""
    text = b.fresh("kind")
    over: tree.Expr = name(kinds(b))
    match b.one("all", "all", "some", "back"):
        case "some":
            over = tree.Index(over, (tree.Slice(None, literal(2), None),))
        case "back":
            over = call("reversed", over)
    return [text], over, [Index(text, "text", ("a", "b", "c"))]


def enumerated(b: Builder) -> Head:
    """`for i, kind in enumerate(kinds):`."""
    first, second = b.fresh("i"), b.fresh("kind")
    found = [Index(first, "int", (0, 1, 2)), Index(second, "text", ("a", "b", "c"))]
    return [first, second], call("enumerate", name(kinds(b))), found


def zipped(b: Builder) -> Head:
    """`for kind, wide in zip(["a", "b"], [2, 4]):`."""
    first, second = b.fresh("kind"), b.fresh("wide")
    found = [Index(first, "text", ("a", "b")), Index(second, "int", (1, 2))]
    return [first, second], call("zip", literal(["a", "b"]), literal([2, 1])), found


def used(b: Builder, x: Value, index: Index) -> None:
    """A statement that reads the variable of a loop."""
    made = name(index.name)
    if index.kind == "int" and b.flip():
        more = tree.Binary("+", made, literal(1))
        b.add(assign(x.name, tree.Binary(b.one("*", "/"), x.tree, more)))
        return
    if index.kind == "int":
        asked: tree.Expr = tree.Binary(b.one("==", ">"), made, literal(b.one(0, 1)))
    else:
        asked = tree.Binary(b.one("==", "!="), made, literal(b.one("a", "b", "c")))
    before, met = set(b.taken), set[str]()
    then = arm(b, x, before, met)
    orelse = arm(b, x, before, met) if b.flip() else ()
    b.taken = before | met
    b.add(tree.If(asked, then, orelse))


SIMPLE = (added, added, rescaled, tied, clipped, chosen, inside, changing)
NESTED = (branch, branch, branch, loop, loop)


def kept(b: Builder) -> bool:
    """A statement of a model that keeps some value."""
    x = b.pick(
        lambda v: len(v.sizes) >= 2
        and v.name not in b.optional
        and b.is_static(v.sizes[-1])
    )
    if x is None:
        return False
    b.read(x)
    b.one(
        branch,
        branch,
        loop,
        loop,
        chosen,
        clipped,
        tied,
        inside,
        changing,
        changing,
        changing,
    )(b, x)
    b.put(x)
    return True
