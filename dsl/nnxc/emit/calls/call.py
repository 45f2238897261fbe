"""The whole `__call__`: its statements, the names bound before them, what they ask the object for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...dims_text import grouped
from ...ops.base import Kind
from ..options import Options
from ..python.line_uses import Found, Stored, Use
from ..python.suites import Line, Node, all_uses
from ..signature import Names, Signature
from .call_axes import to_bind, unpack
from .call_names import CallNames
from .flow import Flow

OFTEN = 3  # a static value used so often gets a local name


def call_body(
    signature: Signature, names: Names, options: Options, wanted: Iterable[str] = ()
) -> tuple[list[Node], dict[str, str]]:
    """The statements of `__call__`, and the static values that they need: name -> attribute."""
    bound: frozenset[str] = frozenset()
    while True:
        known = CallNames(signature, names, bound, options)
        written = Flow(known).body()
        uses = list(all_uses(written))
        read = {use.name for use in uses if isinstance(use, Found)}
        more = to_bind(uses, known.sources) | _often(uses, signature) | read | bound
        if more == bound:
            break
        bound = more
    axes = {n: known.bound[n] for n in sorted(bound & known.sources.keys())}
    asked = [use.name for use in uses if isinstance(use, Stored)]

    def told(name: str) -> str:
        if name in known.sources:
            return grouped(known.sources[name].at_once(signature.inputs, told))
        asked.append(name)
        return f"self.{known.attribute(name)}"

    lines = unpack(signature.definition, axes, known.sources, signature.inputs, told)
    stores = dict.fromkeys([*asked, *sorted(wanted)])
    attributes = {n: known.attribute(n) for n in stores}
    local = [n for n in attributes if n in bound]
    if local:
        targets = ", ".join(known.bound[n] for n in local)
        values = ", ".join(f"self.{attributes[n]}" for n in local)
        lines.append(Line(f"{targets} = {values}"))
    return [*lines, *written], attributes


def _often(uses: Iterable[Use], signature: Signature) -> frozenset[str]:
    """The static values that get a local name."""
    counts = Counter(use.name for use in uses if isinstance(use, Stored))
    params = signature.definition.params
    functions = {p.name for p in params if p.kind is Kind.FUNCTION}
    return frozenset(n for n in counts if counts[n] >= OFTEN and n not in functions)
