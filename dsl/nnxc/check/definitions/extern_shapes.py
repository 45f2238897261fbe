"""The shape rule that an `extern` declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import ir
from ...dims import Dim
from ...ops.base import Inputs, Requirement, Rule, Shaped, ShapeError
from ...ops.rules.pattern import equal
from ...record import Record
from ...shapes import TensorType
from ..arguments.blocks import output, solve
from ..arguments.types import fits


class Declared(Record):
    """What an `extern` says of its inputs and outputs; `axes` are the names that inputs bind."""

    name: str
    inputs: tuple[ir.ModelInput, ...]
    outputs: tuple[TensorType, ...]
    axes: frozenset[str]


def rule_of(declared: Declared) -> Rule:
    """What outputs follow from inputs; FLOPs are unknown."""

    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        match = _Match(declared, args)
        for spec, found in zip(declared.inputs, inputs, strict=True):
            if found is not None:
                match.input(spec, found)
        out = tuple(match.output(kind) for kind in declared.outputs)
        sizes = {n: s for n, s in match.sizes.items() if n in declared.axes}
        single = out[0] if len(out) == 1 else out
        return Shaped(single, sizes, flops=None, requires=tuple(match.requires))

    return rule


class _Match:
    """What the names of a declaration stand for in one call."""

    def __init__(self, declared: Declared, args: Mapping[str, Any]) -> None:
        self.declared = declared
        self.sizes = {n: v for n, v in args.items() if isinstance(v, Dim)}
        self.labels: dict[str, str | None] = {}
        self.lead: TensorType | None = None
        self.requires: list[Requirement] = []

    def input(self, spec: ir.ModelInput, found: TensorType) -> None:
        """Bind the axes of one input, and hold it to what is declared."""
        want, name = spec.type, spec.name
        text = f"{name} is {found}, `{self.declared.name}` takes {want}"
        if not fits(found.dtype, want.dtype):
            raise ShapeError(text, at=name, code="N302")
        few = found.rank < want.rank
        if few or (not want.lead and (found.lead or found.rank > want.rank)):
            raise ShapeError(text, at=name, code="N303")
        cut = found.rank - want.rank
        if want.lead:
            self._lead(found.with_axes(found.axes[:cut]), text, name)
        for have, axis in zip(found.axes[cut:], want.axes, strict=True):
            self._bind(have.size, axis.size)
            self._equal(have.size, axis.size.substitute(self.sizes), text, name)
            if axis.label:
                self.labels.setdefault(axis.label, have.label)

    def _lead(self, lead: TensorType, text: str, name: str) -> None:
        """All inputs with `...` have the same leading axes."""
        first = self.lead = self.lead or lead
        if (first.rank, first.lead) != (lead.rank, lead.lead):
            raise ShapeError(f"{text}, after others with {first} there", at=name)
        for left, right in zip(lead.sizes, first.sizes, strict=True):
            self._equal(left, right, text, name)

    def _bind(self, size: Dim, pattern: Dim) -> None:
        unbound = pattern.symbols & (self.declared.axes - self.sizes.keys())
        if len(unbound) == 1:
            (name,) = unbound
            solved = solve(size, pattern.substitute(self.sizes), name)
            self.sizes |= {} if solved is None else {name: solved}

    def _equal(self, left: Dim, right: Dim, text: str, name: str) -> None:
        if open_ := right.symbols & (self.declared.axes - self.sizes.keys()):
            unknown = ", ".join(f"`{n}`" for n in sorted(open_))
            raise ShapeError(
                f"{name} does not determine {unknown}", at=name, code="N317"
            )
        self.requires += equal(left, right, text, at=name)

    def output(self, kind: TensorType) -> TensorType:
        """An output in the terms of the caller."""
        for symbol in sorted(
            symbols_of(kind) & (self.declared.axes - self.sizes.keys())
        ):
            help = "pass the input that has it"
            raise ShapeError(
                f"nothing here determines `{symbol}`", code="N317", help=help
            )
        lead = (self.lead.axes, self.lead.lead) if self.lead else ((), False)
        made = output(kind, self.sized, self.labels, lead)
        assert isinstance(made, TensorType)
        return made

    def sized(self, size: Dim) -> Dim:
        """A size in the terms of the caller."""
        return size.substitute(self.sizes)


def symbols_of(kind: TensorType) -> frozenset[str]:
    """The names in the sizes of a type."""
    return frozenset().union(*(size.symbols for size in kind.sizes))
