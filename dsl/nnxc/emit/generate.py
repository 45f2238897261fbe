"""What the templates of `generate` lay out."""

from __future__ import annotations

from .. import ir
from ..record import Record
from ..shapes import Outputs
from .signature import Names


class GenerateView(Record):
    """How a language model is called while it decodes."""

    model: str
    logits: (
        str  # an argument: which of its outputs scores tokens, where there are several
    )


def generate_view(
    section: ir.Generate, program: ir.Program, names: Names
) -> GenerateView:
    """Decide everything about a section."""
    result = program.definition(section.model).result
    several = isinstance(result, tuple | Outputs)
    return GenerateView(
        names.signatures[section.model].name,
        f"logits={section.logits}, " if several else "",
    )
