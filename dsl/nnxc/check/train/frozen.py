"""Models that a train uses and that do not learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import ir
from ...dims import symbol
from ...syntax import tree
from ..arguments.binding import Written, convert_one
from ..arguments.block_arguments import as_entry, sort_out_block
from ..context import Context
from ..definitions.declarations import check_name
from ..values import Fault, ModelRef, Obligation, Signature

if TYPE_CHECKING:
    from .train_parts import Parts


def freeze(
    ctx: Context,
    node: tree.Frozen,
    parts: Parts,
    signature: Signature,
    models: Mapping[str, Signature],
) -> None:
    """`frozen teacher = Teacher(classes=classes)`: parameters that are not given are the model's
    own where it is of the same class, else whatever the frozen model has."""
    check_name(ctx, node.name, node.name_span)
    if node.name in ctx.scope or node.name in ctx.hints:
        help = "give the frozen model another name"
        ctx.fail("N202", f"`{node.name}` is taken", node.name_span, help=help)
    value = node.value
    name, given = (
        (value.func, value.args) if isinstance(value, tree.Call) else (value, ())
    )
    assert isinstance(name, tree.Name)
    found = models.get(name.id)
    if found is None:
        text = f"there is no model `{name.id}`"
        define = f"define it, `model {name.id}(...):`, or bring it by `use`"
        advice = ctx.suggest(name.id, models, name.span, define)
        ctx.fail("N200", text, name.span, **advice)
    if not found.definition.is_model:
        help = f"declare it as `model {name.id}` to use it here"
        ctx.fail("N274", f"`{name.id}` is a block", name.span, help=help)
    written = sort_out_block(ctx, found, given, node.span)
    for key in written.inputs:
        text = f"`{key}` is an input, not a parameter"
        ctx.fail("N204", text, written.spans[key])
    if written.unknown:
        raise Fault
    args = _arguments(ctx, node.name, found, written, found is signature)
    ctx.bind(node.name, ModelRef(found, node.name, args), node.name_span, "model")
    parts.frozen.append(ir.Frozen(node.name, found.definition.name))


def frozen_models(node: tree.Train) -> set[str]:
    """The models that a train names as frozen."""
    values = (s.value for s in node.body if isinstance(s, tree.Frozen))
    names = (v.func if isinstance(v, tree.Call) else v for v in values)
    return {name.id for name in names if isinstance(name, tree.Name)}


def undecided(ctx: Context, parts: Parts) -> None:
    """Report what depends on a frozen model's own parameters: no constructor could check it."""
    names = {frozen.name for frozen in parts.frozen}
    for fact in ctx.body:
        if not isinstance(fact, Obligation):
            continue
        for size in sorted(fact.left.symbols | fact.right.symbols):
            name, _, param = size.partition(".")
            if param and name in names:
                text = f"cannot tell whether {fact.left} {fact.relation} {fact.right}"
                help = f"say what `{param}` is in `frozen {name} = ...({param}=...)`"
                ctx.error("N311", f"{fact.message}: {text}", fact.span, help=help)
                parts.broken = True
                break


def _arguments(
    ctx: Context, name: str, found: Signature, written: Written, same: bool
) -> dict[str, tuple[ir.Static, Any]]:
    args: dict[str, tuple[ir.Static, Any]] = {}
    for key, param in found.params.items():
        if key in written.params:
            args[key] = convert_one(ctx, as_entry(param), written.params[key], None)
        elif not same:
            own = symbol(f"{name}.{key}")
            args[key] = (ir.Size(own), own)
    return args
