"""Axes by name: einsum contracts, rearrange moves, splits and merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from string import ascii_letters
from typing import Any

from ...dims import Dim, const, product
from ...shapes import Axis, TensorType, promote
from ..base import (
    IN_FLOAT32,
    Along,
    Call,
    Example,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Shaped,
    ShapeError,
)
from ..rules.pattern import DOTS, divides, equal, expect_known, ordinal

Group = tuple[str, ...]


def _refuse(message: str, help: str | None = None) -> ShapeError:
    return ShapeError(message, at="pattern", help=help, code="N306")


def _sides(pattern: str, example: str) -> tuple[str, str]:
    sides = pattern.split("->")
    if len(sides) != 2:
        raise _refuse("a pattern has one `->`", f'as in "{example}"')
    return sides[0], sides[1]


# --------------------------------------------------------------------- einsum


def _einsum(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    types: tuple[TensorType, ...] = inputs[0]
    left, right = _sides(args["pattern"], "b t d, d e -> b t e")
    terms, out = _terms(left.split(","), right)
    if len(terms) != len(types):
        raise _refuse(f"the pattern has {len(terms)} operands, the call {len(types)}")
    axes, lead, requires = _bind(terms, types)
    _check_result(out, axes)
    made = [a for name in out for a in (lead.axes if name == DOTS else (axes[name],))]
    dtype = reduce(promote, (t.dtype for t in types))
    everything = product((*(a.size for a in axes.values()), *lead.sizes))
    return Shaped(
        out=TensorType(dtype, tuple(made), lead.lead and DOTS in out),
        flops=(2 if len(types) > 1 else 0) * everything,
        requires=tuple(requires),
        build=Call("jnp.einsum", (f'="{_letters(terms, out)}"', "*xs")),
    )


def _terms(left: Sequence[str], right: str) -> tuple[list[Group], Group]:
    """The names of each operand and of the result; letters where nothing is set apart."""
    texts = [*left, right]
    apart = any(len(t.replace(DOTS, "").split()) > 1 for t in texts)
    if apart:
        terms = [tuple(t.replace(DOTS, f" {DOTS} ").split()) for t in texts]
    else:
        terms = [
            (DOTS,) * (DOTS in t) + tuple(t.replace(DOTS, "").strip()) for t in texts
        ]
    for term in terms:
        for name in term:
            if name != DOTS and not name.isidentifier():
                raise _refuse(f"`{name}` is no name of an axis")
        if DOTS in term[1:]:
            raise _refuse("`...` stands first in a term")
    return terms[:-1], terms[-1]


def _bind(
    terms: Sequence[Group], types: Sequence[TensorType]
) -> tuple[dict[str, Axis], TensorType, list[Requirement]]:
    """The axis of each name, what `...` stands for, and what must hold."""
    axes: dict[str, Axis] = {}
    lead = TensorType("float", ())
    requires: list[Requirement] = []
    for term, type in zip(terms, types, strict=True):
        names = [n for n in term if n != DOTS]
        cut = type.rank - len(names)
        if cut < 0 or (DOTS not in term and (cut or type.lead)):
            raise ShapeError(
                f"the pattern names {len(names)} axes, this operand is {type}",
                at="xs",
                code="N303",
            )
        if DOTS in term:
            if lead.axes and lead.sizes != type.sizes[:cut]:
                raise ShapeError("`...` stands for different axes", at="xs")
            lead = TensorType("float", type.axes[:cut], type.lead)
        for name, axis in zip(names, type.axes[cut:], strict=True):
            first = axes.setdefault(name, axis)
            message = f"`{name}` is {first.size} and {axis.size}"
            requires += equal(axis.size, first.size, message, at="xs")
    return axes, lead, requires


def _check_result(out: Group, axes: Mapping[str, Axis]) -> None:
    for name in out:
        if name != DOTS and name not in axes:
            raise _refuse(f"`{name}` of the result is in no operand")
        if out.count(name) > 1:
            raise _refuse(f"`{name}` stands twice in the result")


def _letters(terms: Sequence[Group], out: Group) -> str:
    """The pattern in jax's form: one letter for each name, its own initial where free."""
    chosen: dict[str, str] = {DOTS: DOTS}
    names = dict.fromkeys(n for t in terms for n in t if n != DOTS)
    single = {n for n in names if len(n) == 1 and n in ascii_letters}
    for name in names:
        if name in single:
            chosen[name] = name
            continue
        wanted = [c for c in name + name.upper() + ascii_letters if c in ascii_letters]
        taken = {*chosen.values(), *single}
        chosen[name] = next((c for c in wanted if c not in taken), "")
        if not chosen[name]:
            raise _refuse("the pattern has more than 52 names")
    texts = ["".join(chosen[n] for n in term) for term in (*terms, out)]
    return f"{','.join(texts[:-1])}->{texts[-1]}"


# ------------------------------------------------------------------ rearrange


@dataclass(slots=True)
class _Layout:
    """What a pattern's names stand for."""

    sizes: dict[str, Dim] = field(default_factory=dict)
    axes: dict[str, Axis] = field(default_factory=dict)
    requires: list[Requirement] = field(default_factory=list)


def _rearrange(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Split what is grouped on the left, transpose, merge what is grouped on the right."""
    x: TensorType = inputs[0]
    expect_known("x", x, "rearrange")
    left, right = _sides(args["pattern"], "b t (h k) -> b h t k")
    old, new = _groups(left), _groups(right)
    lead = x.rank - sum(group != (DOTS,) for group in old)
    old, new = (_spread(groups, lead) for groups in (old, new))
    _same_names(old, new)
    if len(old) != x.rank:
        raise ShapeError(
            f"the pattern names {len(old)} axes, x is {x}", at="x", code="N303"
        )
    layout = _layout(x, old, _given(args, old))
    before = [n for group in old for n in group]
    after = [n for group in new for n in group]
    text = "{x}"
    moved = before != after
    if moved and any(len(group) != 1 for group in old):
        text += f".reshape({', '.join(f'{{axis_{n}}}' for n in before)})"
    if moved:
        text += f".transpose({', '.join(str(before.index(n)) for n in after)})"
    merged = {f"axis_{n}": size for n, size in layout.sizes.items()}
    if any(len(group) != 1 for group in (new if moved else (*old, *new))):
        merges = [group for group in new if len(group) > 1]
        shape = [f"{{{_merged(group)}}}" if group else "1" for group in new]
        if len(merges) == 1:
            shape[new.index(merges[0])] = "-1"
        text += f".reshape({', '.join(shape)})"
        merged |= {_merged(g): _size(g, layout) for g in new}
    return Shaped(
        out=x.with_axes(tuple(_axis(g, layout) for g in new)),
        sizes=merged,
        requires=tuple(layout.requires),
        build=text,
    )


def _groups(side: str) -> list[Group]:
    """The axes of one side, each the names that it is made of; `1` is made of none."""
    groups: list[Group] = []
    inside: list[str] | None = None
    for token in side.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(" and inside is None:
            inside = []
        elif token == ")" and inside is not None:
            groups.append(tuple(inside))
            inside = None
        elif token in ("(", ")"):
            raise _refuse("the parentheses do not match")
        elif token != "1" and token != DOTS and not token.isidentifier():
            raise _refuse(f"`{token}` is no name of an axis")
        elif inside is not None:
            inside += () if token == "1" else (token,)
        else:
            groups.append(() if token == "1" else (token,))
    if inside is not None:
        raise _refuse("the parentheses do not match")
    return groups


def _spread(groups: Sequence[Group], lead: int) -> list[Group]:
    """`...` as so many axes of their own."""
    spread: list[Group] = []
    for group in groups:
        if group == (DOTS,):
            spread += [(f"lead{i}",) for i in range(lead)]
        elif DOTS in group:
            raise _refuse("`...` cannot be merged or split")
        else:
            spread.append(group)
    return spread


def _same_names(old: Sequence[Group], new: Sequence[Group]) -> None:
    before, after = ([n for g in side for n in g] for side in (old, new))
    for names in (before, after):
        for name in names:
            if names.count(name) > 1:
                raise _refuse(f"`{name}` stands twice on one side")
    for name in before:
        if name not in after:
            raise _refuse(
                f"`{name}` is missing on the right", "use `mean` or `sum` to reduce"
            )
    for name in after:
        if name not in before:
            raise _refuse(
                f"`{name}` is missing on the left", "use `repeat` to add entries"
            )


def _given(args: Mapping[str, Any], old: Sequence[Group]) -> dict[str, Dim]:
    """The sizes that the call gives by name."""
    given = {n: size for n, size in args.items() if n != "pattern"}
    names = {n for g in old for n in g}
    for name in given:
        if name not in names:
            raise ShapeError(f"the pattern has no `{name}`", at=name, code="N306")
    return given


def _layout(x: TensorType, old: Sequence[Group], given: Mapping[str, Dim]) -> _Layout:
    layout = _Layout()
    for index, (group, axis) in enumerate(zip(old, x.axes, strict=True)):
        place = f"its {ordinal(index, x.rank)} axis"
        unknown = [n for n in group if n not in given]
        known = product(tuple(given[n] for n in group if n in given))
        if len(unknown) > 1:
            raise _refuse(
                f"the sizes of {' and '.join(f'`{n}`' for n in unknown)} are not known",
                f"give all but one: `rearrange(..., {unknown[-1]}=...)`",
            )
        if unknown and len(group) > 1:
            named = [n for n in group if n in given]
            what = " * ".join(named)
            layout.requires += divides(known, axis.size, what, at=named[0])
        elif not unknown:
            message = f"x is {x}, {place} must be {known}"
            layout.requires += equal(axis.size, known, message, at="x")
        for name in group:
            layout.sizes[name] = given.get(name, axis.size // known)
        if len(group) == 1:
            layout.axes[group[0]] = axis
    return layout


def _size(group: Group, layout: _Layout) -> Dim:
    return product(tuple(layout.sizes[n] for n in group))


def _axis(group: Group, layout: _Layout) -> Axis:
    if len(group) == 1 and group[0] in layout.axes:
        return layout.axes[group[0]]
    size = _size(group, layout) if group else const(1)
    return Axis(size, size.name)


def _merged(group: Group) -> str:
    return "_by_".join(("axis", *group)) if len(group) != 1 else f"axis_{group[0]}"


ENTRIES: tuple[Op, ...] = (
    Op(
        "einsum",
        "function",
        'Sums products over named axes: `einsum("b t d, d e -> b t e", x, w)`.',
        Call("jnp.einsum", ("pattern", "*xs")),
        in_full=Call("jnp.einsum", ("pattern", "*xs"), IN_FLOAT32),
        product=True,
        params=(
            Param("pattern", Kind.TEXT, doc="axes before and after", literal=True),
        ),
        inputs=(Input("xs", "number", many=True, scalar=False),),
        shape=_einsum,
        along=Along.EQUATION,
        examples=(
            Example({"pattern": "b t d, e d f -> b t e f"}, ("B T d", "E d f")),
            Example({"pattern": "btd,dk->btk"}, ("B T d", "d k")),
            Example(
                {"pattern": "... query d, ... key d -> ... query key"},
                ("B H T d", "B H S d"),
            ),
            Example({"pattern": "i i -> i"}, ("n n",)),
            Example({"pattern": "b i, i j, b j -> b"}, ("B n", "n m", "B m")),
        ),
    ),
    Op(
        "rearrange",
        "function",
        'Splits, moves and merges axes by name: `rearrange("b t (h k) -> b h t k", h=8)`.',
        "{x}",
        params=(
            Param("pattern", Kind.TEXT, doc="axes before and after", literal=True),
        ),
        inputs=(Input("x", scalar=False),),
        shape=_rearrange,
        extra=Kind.SIZE,
        along=Along.MOVES,
        examples=(
            Example({"pattern": "b t d -> b d t"}, ("B T d",)),
            Example({"pattern": "b t (h k) -> b h t k", "h": 2}, ("B T 6",)),
            Example(
                {"pattern": "b (h p) (w q) c -> b (h w) (p q c)", "p": 2, "q": 3},
                ("B 4 9 C",),
            ),
            Example({"pattern": "b h t k -> b t (h k)"}, ("B H T k",)),
            Example({"pattern": "... a b -> ... (b a)"}, ("B H T k",)),
            Example({"pattern": "b 1 d -> b d 1"}, ("B 1 d",)),
        ),
    ),
)
