"""The kinds of state that a spec names: each a class of its own, or one that Flax has."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..diagnostics import Advice, Label, Sink
from ..ir.statements import OF_FLAX
from ..source import Span
from ..syntax import tree
from ..syntax.walk import nodes_in
from .uses import RESERVED_CLASSES, Files

FILLED_BY_FLAX = frozenset(
    ("Intermediate", "LoRAParam", "MetricState", "OptArray", "OptState", "OptVariable")
) | {"Perturbation", "RngCount", "RngKey", "RngState", "Variable", "VariableState"}


def kinds_apart(files: Files, keys: Collection[str]) -> None:
    """No kind of state of those definitions has the name of something else."""
    nodes = [known.node for key, known in files.known.items() if key in keys]
    classes = {n.name.id: n.name.span for n in nodes}
    for node in nodes:
        for field in _fields(node):
            if field.kind not in OF_FLAX:
                _apart(files.sink, field, classes)


def _fields(node: tree.Definition) -> Iterator[tree.Field]:
    return (field for field in nodes_in(node.body, tree.Field) if field.kind)


def _apart(sink: Sink, field: tree.Field, classes: dict[str, Span]) -> None:
    kind, span = field.kind, field.kind_span
    other: Advice = {"help": "choose a name of its own"}
    if kind in classes:
        label = Label(classes[kind], "defined here")
        text = f"`{kind}` is a definition, and no kind of state"
        sink.error("N202", text, span, related=(label,), **other)
    elif kind == "Param":
        help = "declare what trains by `param`"
        sink.error("N203", "`Param` is no kind of state", span, help=help)
    elif kind in FILLED_BY_FLAX:
        sink.error("N203", f"`{kind}` is what Flax itself fills", span, **other)
    elif kind in RESERVED_CLASSES:
        text = f"`{kind}` is a name of the generated module"
        sink.error("N203", text, span, **other)
