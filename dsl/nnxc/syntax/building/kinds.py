"""The kind of a state, which stands behind what it begins as: `= zeros as Codebook`."""

from __future__ import annotations

import re

from ...record import replace
from ...source import Span
from .. import tree

_CAMEL = re.compile(r"[A-Z][A-Za-z0-9]*")


def is_kind(name: str) -> bool:
    """Whether a name is spelt like a class."""
    return _CAMEL.fullmatch(name) is not None


def with_kind(field: tree.Field) -> tree.Field:
    """The field, with its kind apart from what it begins as."""
    begins, named = _parted(field.default)
    if named is None or not is_kind(named.name):
        return field
    return replace(field, default=begins, kind=named.name, kind_span=named.name_span)


def _parted(value: tree.Expr | None) -> tuple[tree.Expr | None, tree.Named | None]:
    match value:
        case tree.Named():
            return value.value, value
        case tree.Pipe(stages=(*first, tree.Stage(tree.Named() as named) as last)):
            plain = replace(last, value=named.value)
            end = named.value.span.end
            span = Span(value.span.source, value.span.start, end)
            return replace(value, stages=(*first, plain), span=span), named
    return value, None
