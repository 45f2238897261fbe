"""Scans at call time: `jax.lax.scan` over a function of one step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...ops.base import Call, Op
from ...record import Record
from ...shapes import TensorType
from ..python.line_uses import Use
from ..python.loops import Part
from ..python.suites import Line, Node
from ..signature import Draws
from .stacks import TENSOR, annotation, function, keys, streams


class Steps(Record):
    """The texts of a scan. `kept` are the names of a loop around that a step uses, `carries` (of
    these `types`) and `entries` those that it begins with, `nodes` its statements and `ends` what
    it returns of each carry, and of what is collected. `first` and `inputs` are what the scan
    begins with, `left` the names of what it leaves."""

    kept: tuple[str, ...]
    carries: tuple[str, ...]
    types: tuple[str, ...]
    entries: tuple[str, ...]
    nodes: tuple[Node, ...]
    ends: tuple[tuple[str, ...], tuple[str, ...]]
    uses: tuple[Use, ...]
    first: tuple[Part, ...]
    inputs: tuple[Part, ...]
    left: tuple[tuple[str, ...], tuple[str, ...]]
    draws: Draws
    length: Part
    reverse: bool
    run: str = "jax.lax.scan"


class Free(Record):
    """Names that are free for the function and what it takes."""

    step: str
    carry: str
    entries: str
    keys: str


def scan(steps: Steps, free: Free) -> list[Node]:
    """`def step(h, xt): ...` and `h, ys = jax.lax.scan(step, h, xs)`."""
    entries = (*steps.entries, *(["rngs"] if steps.draws else []))
    carry, lines = _taken(steps.carries, free.carry)
    entry, more = _taken(entries, free.entries)
    carried, collected = steps.ends
    end = Line(f"return {_one(carried)}, {_one(collected) or 'None'}", steps.uses)
    kept = (f"{n}={n}" for n in steps.kept)
    state, stacked = annotation(steps.types), annotation([TENSOR] * len(collected))
    given = annotation([*[TENSOR] * len(steps.entries), *streams(steps.draws)])
    taken = ", ".join([f"{carry}: {state}", f"{entry or '_'}: {given}", *kept])
    head = f"def {free.step}({taken}) -> tuple[{state}, {stacked}]"
    return [
        *function(head, [*lines, *more, *steps.nodes, end]),
        *keys(steps.draws, steps.length, free.keys),
        _run(steps, free),
    ]


def _run(steps: Steps, free: Free) -> Line:
    """The call. Where there are no inputs, it says how many steps there are."""
    inputs = [text for text, _ in steps.inputs] + ([free.keys] if steps.draws else [])
    uses: list[Use] = [u for _, part in (*steps.first, *steps.inputs) for u in part]
    arguments = [free.step, _one([text for text, _ in steps.first])]
    if inputs:
        arguments.append(_one(inputs))
    else:
        arguments.append(f"length={steps.length[0]}")
        uses += steps.length[1]
    arguments += ["reverse=True"] if steps.reverse else []
    names, stacked = steps.left
    targets = f"{_left(names)}, {_one(stacked) or '_'}"
    return Line(f"{targets} = {steps.run}({', '.join(arguments)})", tuple(uses))


def _taken(names: Sequence[str], whole: str) -> tuple[str, list[Node]]:
    """A parameter that brings some values, and the line that takes it apart."""
    if len(names) < 2:
        return _one(names), []
    return whole, [Line(f"{', '.join(names)} = {whole}")]


def _one(texts: Sequence[str]) -> str:
    """One value, or a tuple of several."""
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})" if texts else ""


def carried_type(first: ir.Expr) -> str:
    """The annotation of a carry that begins so: a number stays weakly typed, and is no tensor yet."""
    return "Any" if isinstance(first, ir.Scalar) else TENSOR


def _left(names: Sequence[str]) -> str:
    return "_" if {*names} == {"_"} else _one(names)


# ------------------------------------------------------------------- before


def unstacked(body: Sequence[ir.Stmt]) -> Iterator[ir.Stmt]:
    """The statements, with the axis of a scan moved by assignments of their own: JAX goes along
    the first axis, and stacks along the first."""
    for stmt in body:
        if not isinstance(stmt, ir.Scan):
            yield stmt
            continue
        yield stmt
        for made in stmt.collects:
            if made.axis:
                front = ir.Var(made.name, _front(made.type, made.axis), stmt.span)
                value = moved(front, 0, made.axis, made.type)
                yield ir.Assign((made.name,), value, stmt.span)


def stepped(step: ir.Step) -> ir.Expr:
    """What a scan steps along, its axis first."""
    assert isinstance(step.value.type, TensorType)
    type_ = _front(step.value.type, step.axis)
    return moved(step.value, step.axis, 0, type_)


def _front(type_: TensorType, axis: int) -> TensorType:
    axes = list(type_.axes)
    return type_.with_axes((axes.pop(axis), *axes))


def moved(value: ir.Expr, source: int, to: int, type_: TensorType) -> ir.Expr:
    """The value with one axis in another place."""
    if source == to:
        return value
    build: Call | str = Call("jnp.moveaxis", ("x", f"={source}", f"={to}"))
    if {source, to} == {0, 1}:
        build = "{x}.swapaxes(0, 1)"
    return _call("moveaxis", build, value, type_)


def _call(name: str, build: Call | str, x: ir.Expr, type_: TensorType) -> ir.Expr:
    op = Op(name, "function", "", build)
    return ir.OpCall(op, (("x", x),), (), {}, type_, x.span)


def divided(
    scan: ir.Scan,
) -> tuple[tuple[ir.Stmt, ...], dict[str, ir.Expr]]:
    """The body up to the assignments that only collect, and the value of each local."""
    values: dict[str, ir.Expr] = {
        made.local: ir.Var(made.local, made.type, scan.span) for made in scan.collects
    }
    body = list(scan.body)
    while body:
        match body[-1]:
            case ir.Assign((name,), value) if name in values:
                values[name] = value
                body.pop()
            case _:
                break
    return tuple(body), values


def draws(exprs: Iterator[ir.Expr], of: dict[str, Draws]) -> Draws:
    """Whether a step draws; `of` says it of the layers."""
    found = Draws.NEVER
    for expr in exprs:
        match expr:
            case ir.Apply(layer=layer):
                found = max(found, of[layer])
            case ir.OpCall(op=op, stream=stream) if stream or op.streams:
                found = Draws.ALWAYS
    return found
