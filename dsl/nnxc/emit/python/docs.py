"""Docstrings: the spec's own words, else a sentence made from the types."""

from __future__ import annotations

import textwrap

from ... import ir
from ...shapes import Outputs, is_int
from ..signature import Names, Signature
from .labels import Labels, axes
from .names import MEANINGS

_WIDTH = 88
_QUOTES = '"""'


def docstring(text: str) -> str:
    """Any text, made safe between triple quotes."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    kept = kept.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').strip()
    kept = f" {kept}" if kept.startswith('"') else kept
    return f'{kept[:-1]}\\"' if kept.endswith('"') else kept


def class_doc(signature: Signature, program: ir.Program, names: Names) -> str:
    """What the spec says of a definition, and its shapes; indented from the second line on."""
    definition = signature.definition
    labels = Labels(definition, {n: s.output for n, s in names.signatures.items()})
    # A comment that opens a file of several definitions is about the file, and its one model.
    alone = len(program.definitions) == 1
    own = definition.doc if alone or definition.doc != program.doc else ""
    models = [d for d in program.definitions if d.is_model]
    comment = own or (program.doc if models == [definition] else "")
    return described(comment, _sentence(definition, labels))


def described(comment: str, sentence: str) -> str:
    """The docstring of a class or function: the spec's comment, then the compiler's sentence."""
    about = _paragraphs(comment, 4)
    if not about:
        return _wrapped(sentence, 4, closing=len(_QUOTES))
    text = "\n\n    ".join([*about, _wrapped(sentence, 4)]) + "\n    "
    return f" {text}" if text.startswith('"') else text


def _paragraphs(comment: str, indent: int) -> list[str]:
    """A comment in lines that fit: blank ones part it, indented ones stay as they are."""
    blocks = (b.strip("\n") for b in docstring(comment).split("\n\n"))
    return [_filled(block, indent) for block in blocks if block]


def _filled(block: str, indent: int) -> str:
    lines: list[str] = []
    running = False  # whether the line before may be continued
    for line in block.split("\n"):
        if running and not line.startswith(" "):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        running = not line.startswith(" ")
    return ("\n" + " " * indent).join(_wrapped(line, indent) for line in lines)


def _wrapped(line: str, indent: int, closing: int = 0) -> str:
    """One line as several that fit between quotes; words stay whole, so that no escape is parted."""
    margin = line[: len(line) - len(line.lstrip(" "))]
    lines = textwrap.wrap(
        line,
        _WIDTH - indent - len(_QUOTES) - closing,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return ("\n" + " " * indent).join(lines)


def _outputs(definition: ir.Definition, labels: Labels) -> str:
    if isinstance(definition.outputs, Outputs):
        return labels.types(definition.outputs)
    return ", ".join(labels.types(o) for o in definition.outputs)


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
    own = program.definitions[0].doc if len(program.definitions) == 1 else ""
    # A comment that opens a file of one definition is said by its class.
    doc = program.doc if program.doc != own else ""
    axes_said = legend(program)
    parts = _paragraphs(doc or title, 0)
    parts += [_wrapped(axes_said, 0)] if axes_said else []
    body = "\n\n".join(parts)
    return f"{body}\n" if "\n" in body else body


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def legend(program: ir.Program) -> str:
    """`Axes: b batch, t time.`, for those whose letter says it."""
    found: dict[str, str] = {}
    for definition in program.definitions:
        params = {p.name for p in definition.params}
        symbols = set(axes(definition)) - params
        labels = Labels(definition)
        for name in axes(definition):
            if name in MEANINGS and name in symbols and _is_usual(name, symbols):
                found.setdefault(labels.name(name), MEANINGS[name])
    axes_said = ", ".join(f"{name} {meaning}" for name, meaning in found.items())
    return f"Axes: {axes_said}." if axes_said else ""


def _is_usual(name: str, symbols: set[str]) -> bool:
    """H and W mean an image only together."""
    return name not in ("H", "W") or {"H", "W"} <= symbols
