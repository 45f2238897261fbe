"""A weights section: which tensors of a checkpoint are which weights of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ... import ir
from ...diagnostics import Label, Sink, write
from ...ops.torch_layouts import name_of
from ...source import Span
from ...syntax import tree, tree_weights
from ..context import Context
from ..dispatch import DISPATCH
from ..values import Fault, Signature
from .usual_keys import places
from .weights_blocks import Brought, written_out
from .weights_config import assume, known, read, required_once, unsaid, write_key
from .weights_names import Target, rule_of, targets_of, tensor_name
from .weights_rows import rows_of
from .weights_slots import Slot, TooMany, slots_of


@dataclass(slots=True)
class Parts:
    """What a section says, as found so far."""

    targets: list[Target] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    optional: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    config: dict[str, ir.Recorded] = field(default_factory=dict)
    assumed: dict[tuple[str, ...], tuple[ir.Recorded, ...]] = field(
        default_factory=dict
    )
    absent: dict[str, ir.Recorded] = field(default_factory=dict)
    written: dict[str, ir.Recorded] = field(default_factory=dict)
    immaterial: list[str] = field(default_factory=list)
    broken: bool = False


def check_weights(
    node: tree.Weights,
    sink: Sink,
    signature: Signature,
    brought: Sequence[Brought],
    generates: bool,
) -> ir.Weights | None:
    """Check the section of a sound model; None where it has mistakes. `brought` are lines that
    come with the blocks that it uses. The model `generates` texts, or does not."""
    ctx = Context(DISPATCH, sink, "weights", signature.definition.name, {}, {}, {})
    try:
        slots = slots_of(signature)
    except TooMany as error:
        ctx.error("N251", f"`{ctx.name}`: {error}", node.model.span)
        return None
    parts = Parts()
    known(node, parts.assumed, parts.written)
    for line in node.body:
        _attempt(parts, partial(_line, ctx, line, parts, signature))
    unsaid(node, parts.config, parts.assumed, parts.immaterial, generates)
    _attempt(parts, partial(required_once, ctx, node, parts.assumed, parts.written))
    _attempt(parts, partial(_stored, ctx, node, parts, slots, signature, brought))
    try:
        rule = rule_of(ctx, node.rule) if node.rule else None
        if parts.broken:
            return None
        _parameters(ctx, node, parts, signature)
        rows = rows_of(ctx, node.model, parts.targets, rule, slots)
    except Fault:
        return None
    taken = {path for row in rows for path in row.paths}
    return ir.Weights(
        signature.definition.name,
        tuple(rows),
        tuple(parts.ignored),
        parts.optional,
        tuple((_older(slots.values()) | parts.renamed).items()),
        tuple(parts.config.items()),
        tuple(parts.assumed.items()),
        tuple(parts.absent.items()),
        tuple(parts.written.items()),
        tuple(parts.immaterial),
        tuple(path for path in slots if path not in taken),
        node.span,
    )


def _line(
    ctx: Context,
    line: tree_weights.WeightsLine,
    parts: Parts,
    signature: Signature,
) -> None:
    match line:
        case tree_weights.Ignore(globs):
            parts.ignored += [tensor_name(ctx, glob) for glob in globs]
        case tree_weights.Lacking(prefix):
            if parts.optional:
                ctx.fail("N603", "there are two lines `optional`", line.span)
            if "*" in prefix.value:
                text = "`optional` is what names begin with"
                plain = f'"{prefix.value.partition("*")[0]}"'
                ctx.fail("N604", text, prefix.span, **write(prefix.span, plain))
            parts.optional = tensor_name(ctx, prefix)
        case tree_weights.Rename(pairs):
            for old, new in pairs:
                _rename(ctx, old, new, parts)
        case tree_weights.Read():
            read(ctx, line, parts.config, signature)
        case tree_weights.Assume(conditions):
            for condition in conditions:
                assume(ctx, condition, parts.assumed, parts.absent)
        case tree_weights.Write(entries):
            for key, value in entries:
                write_key(ctx, key, value, parts.written, signature)
        case tree_weights.PassOver(keys):
            for key in keys:
                if not key.value.strip("*."):
                    text, help = "this is every key", 'name some: `"pooler_*"`'
                    ctx.fail("N609", text, key.span, help=help)
                parts.immaterial += places(key.value)


def _rename(ctx: Context, old: tree.String, new: tree.String, parts: Parts) -> None:
    """A name that a file may have; what `*` stands for stays."""
    if old.value in parts.renamed:
        ctx.fail("N603", f"{old.span.text} is renamed twice", old.span)
    if old.value.count("*") != new.value.count("*"):
        text = f"{old.span.text} has as many `*` as its new name"
        ctx.fail("N604", text, new.span)
    parts.renamed[tensor_name(ctx, old)] = tensor_name(ctx, new)


def _older(slots: Iterable[Slot]) -> dict[str, str]:
    """Former names of what the layers of a model have."""
    found = {}
    for slot in slots:
        if slot.op is not None:
            name = name_of(slot.op, ".".join(map(str, slot.path[-slot.inner :])))
            if name in slot.op.older:
                found[f"*.{slot.op.older[name]}"] = f"*.{name}"
    return found


def _stored(
    ctx: Context,
    node: tree.Weights,
    parts: Parts,
    slots: dict[ir.Path, Slot],
    signature: Signature,
    brought: Sequence[Brought],
) -> None:
    """The lines that name tensors, each with what the ones before it have named."""
    lines = [line for line in node.body if isinstance(line, tree_weights.Stored)]
    for line in written_out(ctx, lines, node.rule, signature, brought):
        try:
            parts.targets += targets_of(
                ctx, line, parts.targets, slots, signature.params
            )
        except Fault:
            parts.broken = True


def _attempt(parts: Parts, work: Callable[[], None]) -> None:
    try:
        work()
    except Fault:
        parts.broken = True


def _parameters(
    ctx: Context, node: tree.Weights, parts: Parts, signature: Signature
) -> None:
    """Where `config.json` is read, it gives every parameter that has no default."""
    if not (parts.config or parts.assumed or parts.written or parts.immaterial):
        return
    for param in signature.definition.params:
        if param.default is None and param.name not in parts.config:
            ctx.error(
                "N607",
                f"`{param.name}` has no default and is not read",
                node.model.span,
                help=f'write `config {param.name} = "..."`, or give it a default',
            )


def one_section_each(sink: Sink, file: tree.File) -> None:
    """Every model has one section at most."""
    seen: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Weights):
            name = item.model
            if name.id in seen:
                sink.error(
                    "N600",
                    f"`{name.id}` has two sections of weights",
                    name.span,
                    related=(Label(seen[name.id], "the first"),),
                    help="put the lines of both into one",
                )
            seen.setdefault(name.id, name.span)
