"""Docstrings: the spec's own words, else a sentence made from the types."""

from __future__ import annotations

import textwrap

from ... import ir
from ...shapes import Outputs, is_int
from ..signature import Names, Signature
from .labels import Labels, axes
from .names import MEANINGS

_WIDTH = 88


def docstring(text: str) -> str:
    """Any text, made safe between triple quotes."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    kept = kept.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').strip()
    return f'{kept[:-1]}\\"' if kept.endswith('"') else kept


def class_doc(signature: Signature, program: ir.Program, names: Names) -> str:
    """`What the spec says: (b, t, d) -> (b, t, d).`, indented from the second line on."""
    definition = signature.definition
    labels = Labels(definition, {n: s.output for n, s in names.signatures.items()})
    # A comment that opens a file of several definitions is about the file.
    alone = len(program.definitions) == 1
    doc = docstring(definition.doc if alone or definition.doc != program.doc else "")
    if not doc:
        return _wrapped(_sentence(definition, labels), 4)
    arrow = _arrow(definition, labels)
    short = f"{doc.rstrip('.')}: {arrow}."
    if "\n" not in doc and len(short) + 10 <= _WIDTH:
        return short
    if len(doc) + 10 <= _WIDTH and "\n" not in doc:
        return f"{doc}\n\n    {arrow}.\n    "
    return f"{_wrapped(doc, 4)}\n\n    {arrow}.\n    "


def _wrapped(doc: str, indent: int) -> str:
    """Lines that fit; a first line of its own where there are several."""
    pad = " " * indent
    lines = [
        line
        for p in doc.split("\n")
        for line in textwrap.wrap(p, _WIDTH - indent - 3) or [""]
    ]
    return "\n".join(
        [lines[0], *(f"{pad}{line}" if line else "" for line in lines[1:])]
    )


def _inputs(definition: ir.Definition, labels: Labels) -> list[str]:
    return [labels.shape(i.type) for i in definition.inputs if not i.optional]


def _outputs(definition: ir.Definition, labels: Labels) -> str:
    if isinstance(definition.outputs, Outputs):
        return labels.types(definition.outputs)
    return ", ".join(labels.types(o) for o in definition.outputs)


def _arrow(definition: ir.Definition, labels: Labels) -> str:
    inputs = ", ".join(_inputs(definition, labels)) or "()"
    return f"{inputs} -> {_outputs(definition, labels)}"


def _sentence(definition: ir.Definition, labels: Labels) -> str:
    named = len(definition.inputs) > 1
    parts = []
    for item in definition.inputs:
        kind = (
            "int "
            if is_int(item.type.dtype)
            else "bool " if item.type.dtype == "bool" else ""
        )
        optional = "optional " if item.optional else ""
        name = f"{item.name} " if named or kind else ""
        parts.append(f"{optional}{kind}{name}{labels.shape(item.type)}")
    inputs = ", ".join(parts)
    verb = f"Maps {inputs} to" if inputs else "Gives"
    return f"{verb} {_outputs(definition, labels)}."


def module_doc(program: ir.Program) -> str:
    """The title, the spec's own words and one legend of axes."""
    models = [d.name for d in program.definitions if d.is_model]
    names = models or [d.name for d in program.definitions]
    title = f"{_listed(names)} in Flax NNX."
    doc = docstring(program.doc)
    if doc and len(program.definitions) > 1:
        first, _, rest = doc.partition("\n")
        title = f"{first}\n\n{rest}".strip() if rest else first
    legend = _legend(program)
    body = "\n\n".join(p for p in (_wrapped(title, 0), legend) if p)
    return f"{body}\n" if "\n" in body else body


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _legend(program: ir.Program) -> str:
    """`Axes: b batch, t time.`, for those whose letter says it."""
    found: dict[str, str] = {}
    for definition in program.definitions:
        params = {p.name for p in definition.params}
        symbols = set(axes(definition)) - params
        labels = Labels(definition)
        for name in axes(definition):
            if name in MEANINGS and name in symbols and _is_usual(name, symbols):
                found.setdefault(labels.name(name), MEANINGS[name])
    legend = ", ".join(f"{name} {meaning}" for name, meaning in found.items())
    return _wrapped(f"Axes: {legend}.", 0) if legend else ""


def _is_usual(name: str, symbols: set[str]) -> bool:
    """H and W mean an image only together."""
    return name not in ("H", "W") or {"H", "W"} <= symbols
