"""What the template of Tunix's interface lays out."""

from __future__ import annotations

from .. import ir
from ..dims import Dim
from ..record import Record, replace
from ..shapes import TensorType
from ..stepwise import Parts
from .calls.call import call_body
from .options import Options
from .python.scope import Scope
from .python.static_text import size
from .python.suites import flatten
from .signature import Draws, Names, Signature
from .view import MethodView


class TunixView(Record):
    """A model as Tunix calls it; `width` and `vocab` are texts of sizes."""

    name: str
    model: str
    config: str
    tokens: str
    width: str
    vocab: str
    draws: bool
    methods: tuple[MethodView, ...]


def tunix_view(
    section: ir.Generate, parts: Parts, names: Names, options: Options
) -> TunixView:
    """Decide everything about the interface of a model."""
    signature = names.signatures[section.model]
    assert signature.config is not None
    scope = Scope(lambda name: f"cfg.{signature.arguments[name]}")
    tokens = signature.inputs[signature.definition.inputs[0].name]
    return TunixView(
        names.module.give(f"Tunix{signature.name}"),
        signature.name,
        signature.config,
        tokens,
        size(_last(parts.features.outputs[0]), scope).text,
        size(_last(parts.head.outputs[0]), scope).text,
        signature.draws is not Draws.NEVER,
        (
            _method(signature, parts.features, "features", tokens, names, options),
            _method(signature, parts.head, "compute_final_logits", "x", names, options),
        ),
    )


def _last(type_: ir.Type) -> Dim:
    assert isinstance(type_, TensorType)
    return type_.sizes[-1]


def _method(
    signature: Signature,
    definition: ir.Definition,
    name: str,
    given: str,
    names: Names,
    options: Options,
) -> MethodView:
    mine = replace(
        signature,
        definition=definition,
        inputs={
            i.name: signature.inputs.get(i.name, i.name) for i in definition.inputs
        },
    )
    body, _ = call_body(mine, names, options)
    others = "".join(
        f", {mine.inputs[i.name]}: jax.Array | None = None"
        for i in definition.inputs[1:]
    )
    lines = tuple(flatten(body, 2))
    if any("rngs=rngs" in line for line in lines):  # of Dropout, which is off
        others += ", *, rngs: nnx.Rngs | None = None"
    head = f"def {name}(self, {given}: jax.Array{others}) -> jax.Array:"
    return MethodView(head, lines)
