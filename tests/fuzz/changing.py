"""Numbers, sizes and lists that loops and conditions change, while a value keeps its type."""

from __future__ import annotations

from nnxc.syntax import tree

from .builder import Builder, Value
from .conditions import condition, factor, times
from .trees import assign, call, declare, literal, name, pipe, type_of


def number(b: Builder, x: Value) -> None:
    """`scale = 1.0`, changed by a loop or a condition, and used."""
    text = b.fresh(b.one("scale", "weight", "decay"))
    first = name(factor(b)) if b.flip() else literal(b.one(1.0, 0.5))
    b.add(assign(text, first))
    use = assign(x.name, tree.Binary("*", name(text), x.tree))
    match b.one("if", "if else", "loop", "loop", "loop if"):
        case "if":
            b.add(tree.If(condition(b), (changed(b, text),), ()), use)
        case "if else":
            other = assign(text, scaled(text, 0.5))
            b.add(tree.If(condition(b), (changed(b, text),), (other,)), use)
        case "loop":
            index = b.fresh("i")
            body = [use, assign(text, plus(text, index))]
            if b.flip():
                body = [use, changed(b, text), indexed(x, index)]
            if b.flip():
                body.reverse()
            b.add(tree.For((name(index),), call("range", times(b)), tuple(body)))
            b.add(assign(x.name, tree.Binary("+", x.tree, name(text))))
        case _:
            index = b.fresh("i")
            asked = tree.Binary(b.one("==", ">"), name(index), literal(b.one(0, 1)))
            arm = tree.If(asked, (changed(b, text),), ())
            both = (use, arm) if b.flip() else (arm, use)
            b.add(tree.For((name(index),), call("range", times(b)), both))
            b.add(assign(x.name, tree.Binary("+", x.tree, name(text))))


def plus(text: str, index: str) -> tree.Expr:
    """`scale + i`."""
    return tree.Binary("+", name(text), name(index))


def indexed(x: Value, index: str) -> tree.Statement:
    """`x = x + i`."""
    return assign(x.name, tree.Binary("+", x.tree, name(index)))


def changed(b: Builder, text: str) -> tree.Assign:
    """A number that becomes another."""
    match b.one("times", "plus", "set", "op"):
        case "times":
            return assign(text, tree.Binary("*", name(text), literal(b.one(0.5, 2.0))))
        case "plus":
            return assign(text, tree.Binary("+", name(text), literal(0.25)))
        case "op":
            return assign(text, literal(b.one(0.5, 2.0)), b.one("+=", "*=", "-="))
    return assign(text, literal(b.one(0.125, 3.0)))


def width(b: Builder, x: Value) -> None:
    """`wide = 4`, a size that a loop or a condition changes."""
    text = b.fresh(b.one("wide", "inner", "hid"))
    first = literal(b.one(2, 4)) if b.flip() else literal(b.static_size())
    b.add(assign(text, first))
    last = x.sizes[-1]
    use = assign(
        x.name, pipe(x.tree, call("Linear", name(text)), call("Linear", last)), "+="
    )
    wider = assign(text, tree.Binary(b.one("+", "*"), literal(2), name(text)))
    other = b.one(wider, assign(text, literal(3)))
    if b.flip():
        orelse = (wider,) if b.flip() else ()
        b.add(tree.If(condition(b), (other,), orelse), use)
        return
    index = b.fresh("i")
    body = (use, other, indexed(x, index))
    b.add(tree.For((name(index),), call("range", times(b)), body), use)


def collected(b: Builder, x: Value) -> None:
    """A list of tensors that a loop appends to or that flow through a stack, and what becomes of it."""
    text, index = b.fresh("hs"), b.fresh("i")
    last, rounds = x.sizes[-1], literal(b.one(1, 2, 3))
    if b.flip():
        stack = tree.Binary("*", call("Linear", last), rounds)
        flow = pipe(x.tree, stack)
        b.add(tree.Assign((name(x.name),), "=", flow, gathers=name(text)))
        return _used(b, x, text)
    b.add(assign(text, literal([x.tree]) if b.flip() else literal([])))
    step = assign(x.name, pipe(x.tree, call("Linear", last)), b.one("=", "+="))
    append = tree.Evaluate(call_of(text, "append", x.tree))
    body: list[tree.Statement] = [step, append, indexed(x, index)]
    if b.flip():
        body[0], body[2] = body[2], body[0]
    b.add(tree.For((name(index),), call("range", rounds), tuple(body)))
    _used(b, x, text)


def _used(b: Builder, x: Value, text: str) -> None:
    """What becomes of a list of tensors."""
    whole: tree.Expr = name(text)
    if b.flip():
        whole = tree.ListOf((tree.Starred(name(text)), x.tree))
    last = x.sizes[-1]
    match b.one("first", "last", "concat", "stack", "pop"):
        case "first":
            found = tree.Index(name(text), (literal(0),))
            b.add(assign(x.name, found, "+="))
        case "last":
            found = tree.Index(name(text), (literal(-1),))
            b.add(assign(x.name, found, "+="))
        case "concat":
            joined = call("concat", whole, axis=-1)
            b.add(assign(x.name, pipe(joined, call("Linear", last)), "+="))
        case "stack":
            joined = call("stack", whole, axis=0)
            b.add(assign(x.name, call("mean", joined, axis=0), "+="))
        case "pop":
            b.add(assign(x.name, call_of(text, "pop"), "+="))


def call_of(text: str, method: str, *args: tree.Expr) -> tree.Call:
    """`value.method(args)`."""
    given = tuple(tree.Arg(None, a) for a in args)
    return tree.Call(tree.Attribute(name(text), method), given)


def dims(b: Builder, x: Value) -> None:
    """A list of sizes, chosen or written, indexed and gone through."""
    text, index = b.fresh("dims"), b.fresh("w")
    written = literal([b.one(2, 4), b.one(3, 6)])
    value = tree.IfElse(condition(b), written, literal([5, 2])) if b.flip() else written
    b.add(assign(text, value))
    last = x.sizes[-1]
    if b.flip():
        wide = tree.Index(name(text), (literal(b.one(0, 1, -1)),))
        stages = [call("Linear", wide), call("Linear", last)]
        b.add(assign(x.name, pipe(x.tree, *stages), "+="))
        return
    stages = [call("Linear", name(index)), call("Linear", last)]
    step = assign(x.name, pipe(x.tree, *stages), "+=")
    b.add(tree.For((name(index),), name(text), (step,)))


def stepped(b: Builder, x: Value) -> None:
    """`scan xt in x over T with h = zeros([B, d]):`, for values of three axes."""
    if len(x.sizes) != 3 or x.sizes[1].name is None:
        return dims(b, x)
    xt, h, ys = b.fresh("xt"), b.fresh("h"), b.fresh("ys")
    lead, time, last = x.sizes
    shape = type_of((lead, last)).dims
    assert shape is not None
    begin = call("zeros", tree.ListOf(shape))
    match b.one("plain", "layer", "shared", "if"):
        case "plain":
            new: tree.Expr = tree.Binary("+", scaled(h, 0.5), name(xt))
        case "layer":
            new = call(
                "tanh",
                pipe(call("concat", name(xt), name(h), axis=-1), call("Linear", last)),
            )
        case "if":
            sides = (
                tree.Binary("+", scaled(h, 0.5), name(xt)),
                call("maximum", name(h), name(xt)),
            )
            new = tree.IfElse(condition(b), *sides)
        case _:
            text = b.fresh("rec")
            b.add(assign(text, call("Linear", last)))
            new = call("tanh", tree.Binary("+", call(text, name(h)), name(xt)))
    over = name(time.name)
    head = tree.Carry(h, begin)
    body = (assign(h, new), tree.Collect(ys, name(h)))
    b.add(
        tree.Scan(
            (name(xt),), (x.tree,), over, b.one(False, False, True), (head,), body
        )
    )
    b.add(assign(x.name, name(ys), b.one("=", "+=")))
    return None


def scaled(text: str, by: float) -> tree.Expr:
    """`0.5 * h`."""
    return tree.Binary("*", literal(by), name(text))


def weighed(b: Builder, x: Value) -> None:
    """A `param` that only one side reads."""
    text = b.fresh("gain")
    b.add(declare("param", (text, type_of(x.sizes[-1:]), name("ones"))))
    use = assign(x.name, tree.Binary("*", x.tree, name(text)))
    b.add(tree.If(condition(b), (use,), ()) if b.flip() else use)


CHANGING = (number, number, width, width, collected, collected, dims, stepped, weighed)
