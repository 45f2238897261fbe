"""Language models of random valid specs: what they are made of has a form token by token."""

from __future__ import annotations

from nnxc.dims import const, symbol
from nnxc.syntax import tree

from .builder import B, Block, Builder, Draw, Value
from .conditions import applied, condition, factor, kinds, times
from .trees import assign, call, literal, name, pipe

VOCAB = 11
T = symbol("T")


def language_block(draw: Draw, text: str) -> tuple[tree.Definition, Block]:
    """A block over [B, T, d] that may stand in a language model."""
    b = Builder(draw, [], is_block=True)
    b.env["d"], b.static = 4, {"d"}
    b.add_input("x", (B, T, symbol("d")))
    x = b.values[-1]
    b.read(x)
    for _ in range(b.one(1, 2)):
        mix(b, x)
    b.body.append(tree.Return((x.tree,)))
    required = tuple(p for p, v in b.params.items() if v is ...)
    return b.definition("block", text), Block(text, 3, dict(b.kinds), required, None)


def language_model(draw: Draw, blocks: list[Block], text: str) -> tuple[Builder, Value]:
    """A model of tokens that scores the next one."""
    b = Builder(draw, blocks, is_block=False)
    b.add_input("tokens", (B, T), "int")
    b.unused.pop("tokens")
    width = const(b.one(4, 8)) if b.flip() else b.size_param(4, 8)
    embed = tree.Named(call("Embed", VOCAB, width), "embed")
    tied = b.one(False, False, True)
    if tied:
        b.add(assign("embed", call("Embed", VOCAB, width)))
        embed = name("embed")
    x = b.put(Value("x", (B, T, width)))
    b.add(assign("x", pipe(name("tokens"), embed)))
    if b.flip():
        table = tree.Call(
            call("Embed", 40, width),
            (tree.Arg(None, call("positions", name("tokens"))),),
        )
        b.add(assign("x", tree.Binary("+", x.tree, table)))
    for _ in range(b.one(1, 2, 3)):
        mix(b, x)
    head = tree.Attribute(name("embed"), "attend")
    if not tied:
        head = tree.Named(call("Linear", VOCAB), "head")
    b.read(x)
    b.add(assign("y", pipe(x.tree, head)))
    b.values = []
    return b, b.put(Value("y", (B, T, const(VOCAB))))


def mix(b: Builder, x: Value) -> None:
    """A statement that keeps `x`, looking back or not."""
    ways = [
        attention,
        attention,
        heads,
        gru,
        convolution,
        shifted,
        feed,
        feed,
        scanned,
        halved,
    ]
    if b.blocks:
        ways += [of_blocks] * 4
    if b.depth < 2:
        ways += [choice, choice, loop, loop]
    b.one(*ways)(b, x)


def attention(b: Builder, x: Value) -> None:
    """`x += x -> Attention(2, causal=true)`."""
    stages = [call("Attention", 2, causal=True)]
    if b.flip():
        stages.insert(0, name("LayerNorm"))
    b.add(assign(x.name, pipe(x.tree, *stages), "+="))


def heads(b: Builder, x: Value) -> None:
    """`attend` over heads, with rotary positions, a window or fewer keys."""
    made = []
    at = call("positions", x.tree)
    rope = b.flip()
    for text in ("q", "k", "v"):
        value = pipe(x.tree, call("Linear", 2, 4))
        if text != "v" and rope:
            value = pipe(value, call("rope", at))
        target = b.fresh(text)
        b.add(assign(target, value))
        made.append(name(target))
    named: dict[str, object] = {"window": b.one(2, 3)} if b.flip() else {}
    out = call("Linear", x.sizes[-1], over=[-2, -1])
    b.add(assign(x.name, pipe(call("attend", *made, causal=True, **named), out), "+="))


def gru(b: Builder, x: Value) -> None:
    """`x -> GRU(d)`, or an LSTM."""
    layer = call(b.one("GRU", "LSTM"), x.sizes[-1])
    b.add(assign(x.name, pipe(x.tree, layer), b.one("=", "+=")))


def convolution(b: Builder, x: Value) -> None:
    """A causal convolution."""
    layer = call("Conv", x.sizes[-1], literal([b.one(2, 3)]), padding="causal")
    b.add(assign(x.name, pipe(x.tree, layer, name("silu")), "+="))


def shifted(b: Builder, x: Value) -> None:
    """`x + shift(x)`."""
    b.add(assign(x.name, call("shift", x.tree), "+="))


def feed(b: Builder, x: Value) -> None:
    """Layers that see each token alone."""
    last = x.sizes[-1]
    stages = [call("Linear", 2 * last), name("gelu"), call("Linear", last)]
    if b.flip():
        stages.insert(0, name(b.one("LayerNorm", "RMSNorm")))
    b.add(assign(x.name, pipe(x.tree, *stages), "+="))


def halved(b: Builder, x: Value) -> None:
    """`x = factor * x`."""
    by = name(factor(b)) if b.flip() else literal(0.5)
    b.add(assign(x.name, tree.Binary("*", by, x.tree)))


def scanned(b: Builder, x: Value) -> None:
    """A recurrence by hand."""
    xt, h, ys = b.fresh("xt"), b.fresh("h"), b.fresh("ys")
    shape = tree.ListOf((name("B"), literal(x.sizes[-1])))
    head = tree.Carry(h, call("zeros", shape))
    old = tree.Binary("*", literal(0.5), name(h))
    body = (assign(h, tree.Binary("+", old, name(xt))), tree.Collect(ys, name(h)))
    b.add(tree.Scan((name(xt),), (x.tree,), name("T"), False, (head,), body))
    b.add(assign(x.name, name(ys)))


def of_blocks(b: Builder, x: Value) -> None:
    """A block, once or as a stack."""
    made, _ = applied(b, b.one(*b.blocks))
    if b.flip():
        made = tree.Binary("*", made, literal(2))
    b.add(assign(x.name, pipe(x.tree, made)))


def choice(b: Builder, x: Value) -> None:
    """What looks back on one side of a condition, or on both."""
    with b.nested() as then:
        mix(b, x)
    with b.nested() as orelse:
        if b.flip():
            mix(b, x)
    b.add(tree.If(condition(b), tuple(then), tuple(orelse)))


def loop(b: Builder, x: Value) -> None:
    """Layers in a loop, of kinds or alike."""
    with b.nested() as body:
        mix(b, x)
    if b.flip():
        index = b.fresh("i")
        body.append(assign(x.name, tree.Binary("+", x.tree, name(index))))
        over = call("range", times(b))
        b.add(tree.For((name(index),), over, tuple(body)))
        return
    kind = b.fresh("kind")
    with b.nested() as other:
        mix(b, x)
    asked = tree.Binary("==", name(kind), literal("a"))
    arm = tree.If(asked, tuple(body), tuple(other))
    b.add(tree.For((name(kind),), name(kinds(b)), (arm,)))


def generates(text: str) -> tree.Item:
    """`generate Net`."""
    return tree.Generate(name(text), tree.NO_TRIVIA)
