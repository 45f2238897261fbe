"""Applies an entry to types: evaluates its shape pattern, or calls its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...dims import Dim, as_dim, const, product, symbol
from ...dims_compare import Comparison, compare
from ...shapes import Axis, TensorType, is_float, is_int
from ..base import (
    REQUIRED,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Shaped,
    ShapeError,
    Tensor,
    Weight,
)
from ..torch_layouts import usual

DOTS = "..."


def shape_of(op: Op, inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """What `op` makes of inputs and arguments, given as `Kind` says (absent ones take their
    defaults). A method's entry receives the arguments of its layer.

    Raises `ShapeError` where inputs or arguments provably do not fit.
    """
    for spec, value in zip(op.inputs, inputs, strict=True):
        _check_dtype(spec, value)
    complete = {**args}
    for param in op.params:
        complete[param.name] = _argument(param, args.get(param.name, REQUIRED), inputs)
    if callable(op.shape):
        return op.shape(inputs, complete)
    return _evaluate(op, op.shape, inputs, complete)


# ------------------------------------------------------------------ arguments


def _argument(param: Param, value: Any, inputs: Inputs) -> Any:
    """An argument as rules receive it; the default where none is given."""
    if value is REQUIRED:
        value = None if param.default is REQUIRED else param.default
        if param.kind is Kind.AXIS and value is not None and value >= 0:
            _counted(param.name, value, inputs[0])
    if value is None or isinstance(value, str):
        return value
    match param.kind:
        case Kind.SIZE | Kind.INT:
            return as_dim(value)
        case Kind.SIZES | Kind.INTS | Kind.WINDOW:
            items = value if isinstance(value, tuple | list) else (value,)
            return tuple(as_dim(item) for item in items)
        case Kind.AXIS:
            return _position(param.name, value, inputs[0])
        case Kind.AXES:
            items = value if isinstance(value, tuple | list) else (value,)
            return tuple(_position(param.name, item, inputs[0]) for item in items)
        case _:
            return value


def _counted(name: str, axis: int, first: TensorType) -> None:
    """A default counts from the first axis, which `...` hides."""
    if first.lead:
        raise ShapeError(
            f"{first} has no axis {axis}",
            at=name,
            code="N307",
            help="name the axis, or count from -1 at the end",
        )


def _position(name: str, axis: int, first: Any) -> int:
    """An axis counted from 0 among the known axes of the first input."""
    type = first[0] if isinstance(first, tuple) else first
    position = axis + type.rank if axis < 0 else axis
    if not 0 <= position < type.rank:
        raise ShapeError(
            f"{type} has no axis {axis}",
            at=name,
            code="N307",
            help="name the axis, or count from 0 (from -1 at the end)",
        )
    return position


_WANTED = {
    "float": (
        "floating",
        is_float,
        "look ids up with `Embed(vocab, d)`; convert numbers with `astype(x, float)`",
    ),
    "int": ("int", is_int, "pass ids, or convert with `astype(x, int)`"),
    "bool": ("bool", lambda dtype: dtype == "bool", "compare, as in `x > 0`"),
    "number": (
        "a number",
        lambda dtype: dtype != "bool",
        "convert with `astype(x, int)`",
    ),
}


def _check_dtype(spec: Input, value: Any) -> None:
    if value is None or spec.dtype == "any":
        return
    wanted, holds, help = _WANTED[spec.dtype]
    for type in value if isinstance(value, tuple) else (value,):
        if not holds(type.dtype):
            raise ShapeError(
                f"{spec.name} is {type}, it must be {wanted}",
                at=spec.name,
                code="N302",
                help=help,
            )


# ------------------------------------------------------------------- patterns


@dataclass(slots=True)
class _Match:
    """What the symbols of a pattern stand for, once inputs are matched against it."""

    sizes: dict[str, Dim] = field(default_factory=dict)
    axes: dict[str, Axis] = field(default_factory=dict)
    lead: TensorType | None = None
    requires: list[Requirement] = field(default_factory=list)


def _evaluate(op: Op, shape: str, inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    left, right = shape.split("->")
    patterns = [p.split() for p in left.split(",")]
    match = _Match(sizes={n: v for n, v in args.items() if isinstance(v, Dim)})
    for spec, tokens, value in zip(op.inputs, patterns, inputs, strict=False):
        if value is not None:
            _match_input(match, spec.name, tokens, value)
    outs = tuple(
        _output(match, patterns[0], p.split(), inputs[0], op) for p in right.split(",")
    )
    if match.lead is not None:
        match.sizes[DOTS] = product(match.lead.sizes)
    found = {n: d for n, d in match.sizes.items() if n not in args and n != DOTS}
    return Shaped(
        out=outs[0] if len(outs) == 1 else outs,
        sizes=found,
        weights=_weights(op, match.sizes, args),
        flops=op.flops(match.sizes) if op.flops else const(0),
        requires=tuple(match.requires),
    )


def _match_input(
    match: _Match, name: str, tokens: Sequence[str], type: TensorType
) -> None:
    dots = bool(tokens) and tokens[0] == DOTS
    tail = tokens[1:] if dots else tokens
    expect_rank(name, type, len(tail), at_least=dots)
    cut = type.rank - len(tail)
    if dots:
        _match_lead(match, name, type.with_axes(type.axes[:cut]))
    for index, (token, axis) in enumerate(zip(tail, type.axes[cut:], strict=True)):
        expected = match.sizes.get(token)
        if token.isdigit():
            expected = const(int(token))
        if expected is None:
            match.sizes[token] = axis.size
        else:
            place = f"its {ordinal(cut + index, type.rank)} axis"
            match.requires += equal(
                axis.size,
                expected,
                f"{name} is {type}, {place} must be {expected}",
                at=name,
            )
        match.axes.setdefault(token, axis)


def _match_lead(match: _Match, name: str, lead: TensorType) -> None:
    if match.lead is None:
        match.lead = lead
        return
    if match.lead.lead != lead.lead or match.lead.rank != lead.rank:
        raise ShapeError(
            f"the leading axes of {name} differ from those of the first input",
            at=name,
        )
    for mine, theirs in zip(lead.sizes, match.lead.sizes, strict=True):
        match.requires += equal(
            mine, theirs, f"{name} has an axis {mine} where {theirs} is due", at=name
        )


def _output(
    match: _Match,
    source: Sequence[str],
    tokens: Sequence[str],
    first: Any,
    op: Op,
) -> TensorType:
    lead = match.lead
    axes: list[Axis] = []
    for index, token in enumerate(tokens):
        if token == DOTS:
            axes += lead.axes if lead else ()
        elif token in match.axes and match.axes[token].size == match.sizes[token]:
            axes.append(match.axes[token])
        else:
            size = _size(token, match.sizes)
            replaced = len(tokens) == len(source) and match.axes.get(source[index])
            axes.append(Axis(size, replaced.label if replaced else size.name))
    dtype = op.dtype or (first.dtype if isinstance(first, TensorType) else "float")
    has_lead = DOTS in tokens and lead is not None and lead.lead
    return TensorType(dtype, tuple(axes), has_lead)


def _size(token: str, sizes: Mapping[str, Dim]) -> Dim:
    """The value of `d`, `3` or a product such as `2*d`."""
    factors = [
        const(int(f)) if f.isdigit() else sizes.get(f, symbol(f))
        for f in token.split("*")
    ]
    return product(tuple(factors))


def _weights(
    op: Op, sizes: Mapping[str, Dim], args: Mapping[str, Any]
) -> dict[str, Weight]:
    found: dict[str, Weight] = {}
    for table, state in ((op.weights, False), (op.state, True)):
        for name, text in table.items():
            pattern, _, switch = text.partition(" if ")
            shape = tuple(_size(token, sizes) for token in pattern.split())
            tensor = usual(name, len(shape))
            found |= weight(
                name, shape, args, switch or None, state=state, tensor=tensor
            )
    return found


# ------------------------------------------------------- what rules share


def weight(
    name: str,
    sizes: tuple[Dim, ...],
    args: Mapping[str, Any],
    when: str | None = None,
    *,
    state: bool = False,
    tensor: Tensor | None = None,
) -> dict[str, Weight]:
    """A variable; none where its switch is known to be off, conditional where it is unknown."""
    on = True if when is None else args[when]
    if on is False:
        return {}
    return {name: Weight(sizes, state, when if on is None else None, tensor)}


def equal(
    left: Dim,
    right: Dim,
    message: str,
    *,
    at: str | None = None,
    help: str | None = None,
) -> list[Requirement]:
    """What remains to be checked for two sizes to be equal; `ShapeError` where they differ."""
    match compare(left, right):
        case Comparison.EQUAL:
            return []
        case Comparison.DIFFERENT:
            raise ShapeError(message, at=at, help=help)
        case Comparison.UNKNOWN:
            return [Requirement(left, right, message, at=at, help=help)]


def divides(
    divisor: Dim, dividend: Dim, what: str, *, at: str | None = None
) -> list[Requirement]:
    """What remains to be checked for one size (called `what`) to divide another."""
    rest = dividend % divisor
    if rest.value == 0:
        return []
    clause = f"must divide {dividend}"
    if rest.value is not None:
        raise ShapeError(
            f"{what} is {divisor}, it {clause}",
            at=at,
            help=_nearest_divisors(divisor, dividend),
            code="N304",
        )
    return [Requirement(rest, const(0), f"{divisor} {clause}", at=at, code="N304")]


def _nearest_divisors(divisor: Dim, dividend: Dim) -> str | None:
    n, whole = divisor.value, dividend.value
    if n is None or whole is None or not 0 < whole <= 1_000_000 or n < 1:
        return None
    if n > whole:
        return f"the nearest that does is {whole}"
    below = next(k for k in range(n, 0, -1) if whole % k == 0)
    above = next(k for k in range(n, whole + 1) if whole % k == 0)
    return f"the nearest that do are {below} and {above}"


def multiple(
    size: Dim, n: int, what: str, *, at: str | None = None
) -> list[Requirement]:
    """What remains to be checked for a size (called `what`) to be a multiple of a number."""
    rest = size % n
    if rest.value == 0:
        return []
    clause = "must be even" if n == 2 else f"must be a multiple of {n}"
    if rest.value is not None:
        raise ShapeError(f"{what} is {size}, it {clause}", at=at, code="N304")
    return [Requirement(rest, const(0), f"{size} {clause}", at=at, code="N304")]


def expect_rank(
    name: str, type: TensorType, rank: int, *, at_least: bool = False
) -> None:
    """Refuse an input of another rank (or of a lesser one)."""
    fits = type.rank >= rank if at_least else type.rank == rank and not type.lead
    if fits:
        return
    few = "at least " if at_least else ""
    plural = "" if rank == 1 else "s"
    raise ShapeError(
        f"{name} is {type}, it must have {few}{rank} "
        f"{'known ' if type.lead else ''}ax{'is' if not plural else 'es'}",
        at=name,
        code="N303",
        help="name the axes of the input instead of `...`" if type.lead else None,
    )


def expect_known(name: str, type: TensorType, what: str) -> None:
    """Refuse `[..., d]` where every axis must be known."""
    if type.lead:
        raise ShapeError(
            f"{name} is {type}, {what} must know all its axes",
            at=name,
            code="N303",
            help="name the axes of the input instead of `...`",
        )


def ordinal(index: int, rank: int) -> str:
    """How to speak of an axis: "last", "first", "3rd"."""
    if index == rank - 1:
        return "last"
    names = ("first", "second", "third")
    return names[index] if index < len(names) else f"{index + 1}th"
