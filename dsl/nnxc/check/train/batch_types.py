"""Batch fields that are only named, `batch image, label: int[B]`: of the types of the model's inputs."""

from __future__ import annotations

from ...record import replace
from ...shapes import DTYPES
from ...syntax import tree
from ...syntax.walk import mentioned, targets


def with_types(node: tree.Train, model: tree.Definition | None) -> tree.Train:
    """The train with the types of such fields written out, where the model says them."""
    types = _types(node, model) if model else {}
    body = tuple(
        (
            replace(s, fields=tuple(_typed(f, types) for f in s.fields))
            if isinstance(s, tree.Declare) and s.keyword == "batch"
            else s
        )
        for s in node.body
    )
    return replace(node, body=body)


def is_bare(field: tree.Field) -> bool:
    """Whether a field has no type."""
    return field.type.dtype is None and field.type.dims is None


def _types(node: tree.Train, model: tree.Definition) -> dict[str, tree.TypeOf]:
    """The types of a model's inputs, but for those made of what the model alone computes."""
    computed = {t.id for s in model.body for t in targets(s)}
    computed -= {t.id for s in node.body for t in targets(s)}
    declared = [s for s in model.body if isinstance(s, tree.Declare)]
    inputs = [f for s in declared if s.keyword == "input" for f in s.fields]
    return {f.name: f.type for f in inputs if computed.isdisjoint(mentioned(f.type))}


def _typed(field: tree.Field, types: dict[str, tree.TypeOf]) -> tree.Field:
    if not is_bare(field) or field.name not in types:
        return field
    kind = types[field.name]
    told = kind.dtype not in (None, *DTYPES)  # where the model has it, once
    return replace(field, type=kind if told else replace(kind, span=field.span))
