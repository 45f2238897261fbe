"""Which blocks take the Config of their model: those that read its parameters by name."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ir
from ..dims import symbol
from ..ir.fold_statements import declared


def shared_configs(program: ir.Program) -> Mapping[str, str]:
    """The model of each block whose constructor takes that model's Config: the block is handed on
    parameters, and is constructed by the model, and by others that take its Config, alone.
    """
    found: dict[str, str] = {}
    for block in reversed(program.definitions):  # callers before what they call
        if not any(param.handed for param in block.params):
            continue
        calls = [
            (owner, layer)
            for owner in program.definitions
            for layer in declared(owner.body)
            if isinstance(layer, ir.Layer) and layer.callee == block.name
        ]
        models = {
            owner.name if owner.is_model else found.get(owner.name)
            for owner, layer in calls
            if _hands_on(owner, layer, block)
        }
        whole = all(_hands_on(owner, layer, block) for owner, layer in calls)
        if whole and len(models) == 1 and (model := models.pop()):
            found[block.name] = model
    return found


def _hands_on(owner: ir.Definition, layer: ir.Layer, block: ir.Definition) -> bool:
    """Whether a block gets what it reads of the model as its owner has it."""
    args = dict(layer.args)
    own = {p.name for p in owner.params if owner.is_model or p.handed}
    return all(
        p.name in own and args.get(p.name) in (ir.Ref(p.name), ir.Size(symbol(p.name)))
        for p in block.params
        if p.handed
    )
