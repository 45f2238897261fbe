"""Stacks of layers at call time: a Python loop, or a scan over stacked weights."""

from __future__ import annotations

from collections.abc import Sequence

from ...record import Record
from ..python.loops import Part, Source
from ..python.suites import Function, Line, Loop, Node
from ..python.text import Text
from ..signature import Draws

TENSOR = "jax.Array"


class Stack(Record):
    """`call` applies `element`, one layer of `holder`, to `carried` with the streams in `rngs`;
    `kind` is its class.
    What each gives goes to the list `gathered`, or with `before` what each gets."""

    holder: str
    element: str
    kind: str
    carried: str
    call: Part
    draws: Draws
    count: Part
    remat: bool
    gathered: str | None = None
    before: bool = False
    policy: str = ""  # a further argument of what rematerialises


def loop(stack: Stack) -> list[Node]:
    """`for block in self.blocks: x = block(x)`."""
    text, uses = stack.call
    body = [Line(f"{stack.carried} = {text}", uses)]
    if stack.gathered:
        append = Line(f"{stack.gathered}.append({stack.carried})")
        body.insert(0 if stack.before else 1, append)
    elements = ((stack.element, stack.holder),)
    return [Loop((), Source((Text(stack.holder), ())), elements, tuple(body))]


def _ends(stack: Stack) -> tuple[list[Line], str]:
    """The end of a function of one layer: what it hands on, and what is gathered."""
    text, uses = stack.call
    if stack.gathered and not stack.before:
        return [
            Line(f"{stack.carried} = {text}", uses)
        ], f"{stack.carried}, {stack.carried}"
    return [], f"{text}, {stack.carried}"


def remat(owner: str, policy: str) -> str:
    """The call of a class, computed again in the backward pass."""
    return f"nnx.remat({owner}.__call__, graph=False{policy})"


def scan(stack: Stack, body: str, rngs: str, key: str, every: str) -> list[Node]:
    """`jax.lax.scan` over the layers; the other arguments are free names. A layer without state
    needs no more."""
    text, uses = stack.call
    each, over = stack.element, stack.holder
    taken = annotation([stack.kind, *streams(stack.draws)])
    lines: list[Node] = []
    if stack.draws:
        lines.append(Line(f"{each}, {key} = xs"))
        each, over = "xs", f"({stack.holder}, {rngs})"
    more, end = _ends(stack) if stack.gathered else ([], f"{text}, None")
    lines += [*more, Line(f"return {end}", uses)]
    run = f"jax.checkpoint({body}{stack.policy})" if stack.remat else body
    left = every if stack.gathered else "_"
    call = f"{stack.carried}, {left} = jax.lax.scan({run}, {stack.carried}, {over})"
    head = f"def {body}({stack.carried}: {TENSOR}, {each}: {taken})"
    returned = f"tuple[{TENSOR}, {TENSOR if stack.gathered else None}]"
    return [
        *function(f"{head} -> {returned}", lines),
        *keys(stack.draws, stack.count, rngs),
        Line(call),
        *_extended(stack, every),
    ]


def stateful_scan(
    stack: Stack, body: str, rngs: str, key: str, every: str
) -> list[Node]:
    """`nnx.scan` over layers whose state changes."""
    text, uses = stack.call
    drawing = bool(stack.draws)
    parameters = [f"{stack.carried}: {TENSOR}", f"{stack.element}: {stack.kind}"]
    parameters += [f"{key}: {kind}" for kind in streams(stack.draws)]
    arguments = [stack.carried, stack.holder, *([rngs] if drawing else [])]
    axes = ", ".join(["nnx.Carry", *["0"] * (len(arguments) - 1)])
    outs = "(nnx.Carry, 0)" if stack.gathered else "nnx.Carry"
    decorators = [f"@nnx.scan(in_axes=({axes}), out_axes={outs}, graph=False)"]
    decorators += [f"@nnx.remat(graph=False{stack.policy})"] if stack.remat else []
    returned = f"tuple[{TENSOR}, {TENSOR}]" if stack.gathered else TENSOR
    head = f"def {body}({', '.join(parameters)}) -> {returned}"
    more, end = _ends(stack) if stack.gathered else ([], text)
    left = f"{stack.carried}, {every}" if stack.gathered else stack.carried
    return [
        *function(head, [*more, Line(f"return {end}", uses)], decorators),
        *keys(stack.draws, stack.count, rngs),
        Line(f"{left} = {body}({', '.join(arguments)})"),
        *_extended(stack, every),
    ]


def _extended(stack: Stack, every: str) -> list[Line]:
    """What the layers gave, as further tensors of the list."""
    return [Line(f"{stack.gathered}.extend({every})")] if stack.gathered else []


def function(
    head: str, lines: Sequence[Node], decorators: Sequence[str] = ()
) -> list[Node]:
    """A local function, set apart by blank lines."""
    above = [Line(text) for text in decorators]
    return [Line(""), *above, Function(head, tuple(lines)), Line("")]


def streams(draws: Draws) -> tuple[str, ...]:
    """The types of what one layer or step draws from."""
    match draws:
        case Draws.TRAINING:
            return ("nnx.Rngs | None",)
        case Draws.ALWAYS:
            return ("nnx.Rngs",)
    return ()


def annotation(types: Sequence[str]) -> str:
    """The type of one value, or of a tuple of several."""
    if len(types) < 2:
        return types[0] if types else "None"
    several = len(types) > 2 and {*types} == {TENSOR}
    return f"tuple[{f'{TENSOR}, ...' if several else ', '.join(types)}]"


def keys(draws: Draws, count: Part, name: str) -> list[Node]:
    """One set of streams for each layer or step."""
    number, uses = count
    match draws:
        case Draws.TRAINING:
            text = f"{name} = None if rngs is None else rngs.split({number})"
            return [Line(text, uses)]
        case Draws.ALWAYS:
            return [Line(f"{name} = rngs.split({number})", uses)]
    return []
