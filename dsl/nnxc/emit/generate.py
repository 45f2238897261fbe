"""What the templates of `generate` lay out."""

from __future__ import annotations

from .. import ir
from ..record import Record
from ..shapes import Outputs
from .signature import Names


class GenerateView(Record):
    """How a language model is called while it decodes."""

    model: str
    evaluated: str  # the model without dropout, another object over the same weights
    logits: str  # which of its outputs scores tokens: `.logits`, or nothing where it is the only one


def generate_view(
    section: ir.Generate, program: ir.Program, names: Names
) -> GenerateView:
    """Decide everything about a section."""
    model = program.definition(section.model)
    modes = "".join(f", {mode}=True" for mode in model.modes)
    return GenerateView(
        names.signatures[section.model].name,
        f"nnx.view(model{modes})" if modes else "nnx.merge(*nnx.split(model))",
        _chosen(model.result, section.logits),
    )


def _chosen(result: ir.Type, index: int) -> str:
    """One of several values."""
    if isinstance(result, Outputs):
        return f".{result.names[index]}"
    return f"[{index}]" if isinstance(result, tuple) else ""
