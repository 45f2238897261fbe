"""One block or model: parameters, body, and what its callers need to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from ... import ir
from ...diagnostics import (
    Advice,
    Enough,
    Label,
    Sink,
    closest,
    did_you_mean,
    meant,
)
from ...dims import DimError
from ...ir.asked import asked
from ...ops.base import Kind, Op
from ...record import replace
from ...source import Span
from ...syntax import tree
from ...syntax.walk import mentioned, targets
from ..context import Context
from ..control import lists
from ..control.bodies import missing_return
from ..dispatch import DISPATCH
from ..documented import doc_of
from ..values import BAD, Binding, Fault, LayerInfo, Obligation, Param, Signature
from ..weights.weights_slots import TooMany, slots_of
from .existential_sizes import found_sizes
from .fans import with_fans
from .finished import finish
from .inputless import inputless, with_inputs
from .known_axes import determined, needed_inputs
from .listed_layers import with_chains
from .naming import layer_names
from .parameters import numbers_of, parameter

MOST_PASSES = 4  # a kind narrows twice at most


def check_definition(
    node: tree.Definition,
    sink: Sink,
    signatures: Mapping[str, Signature],
    functions: Mapping[str, Op],
    defaults: Mapping[str, Mapping[str, tree.Arg]],
    forbidden: frozenset[str],
    first: tree.Definition | None,
    fractions: frozenset[str] = frozenset(),
    unsure: bool = False,
) -> Signature:
    """Check a block or model whose callees have been checked. The comment above the `first` item
    of a file describes the file; a model there as well, a block not. `fractions` are parameters
    that a call or a config gives numbers that are not whole. `unsure`: what a mistake took away may
    have read the parameters.

    Where a parameter turns out to be more than an earlier use took it for, all is checked again.
    """
    kinds: dict[str, tuple[Kind, Span | None]] = {}
    for _ in range(MOST_PASSES):
        ctx = Context(
            DISPATCH,
            Sink(),
            node.kind,
            node.name.id,
            signatures,
            functions,
            defaults,
            forbidden=forbidden,
            lost=unsure,
        )
        try:
            _check(ctx, node, kinds, fractions)
        except (DimError, Enough, RecursionError, TooMany) as stopped:
            _stopped(ctx, node, sink, stopped)
        found = {
            p.name: (p.kind, p.place)
            for p in ctx.params.values()
            if p.doubtful and p.kind in (Kind.INT, Kind.SIZE)
        }
        if all(
            kinds[n][0] is kind for n, (kind, _) in found.items() if n in kinds
        ) and (found.keys() <= kinds.keys()):
            break
        kinds.update(found)
    for diagnostic in ctx.sink.diagnostics:
        sink.add(diagnostic)
    ctx.sink = sink
    if ctx.abandoned and not any(d.severity == "error" for d in sink.diagnostics):
        raise AssertionError(f"a mistake in `{ctx.name}` was not reported")
    return _signature(ctx, node, first)


def _stopped(
    ctx: Context, node: tree.Definition, sink: Sink, why: Exception
) -> NoReturn:
    """Report what was found until there was too much, of mistakes, of levels or of a size."""
    for diagnostic in ctx.sink.diagnostics:
        sink.add(diagnostic)
    if isinstance(why, RecursionError):
        text = f"`{node.name.id}` is nested too deeply"
        sink.error("N251", text, node.name.span, help="divide it into blocks")
    elif isinstance(why, TooMany):
        sink.error("N251", f"`{node.name.id}`: {why}", node.name.span)
    elif isinstance(why, DimError):
        sink.error("N309", f"a size of `{node.name.id}`: {why}", node.name.span)
    raise Enough


def _check(
    ctx: Context,
    node: tree.Definition,
    kinds: Mapping[str, tuple[Kind, Span | None]],
    fractions: frozenset[str],
) -> None:
    """All of a definition, where these parameters have these kinds."""
    node = with_chains(ctx, with_inputs(ctx, node))
    ctx.written = frozenset(mentioned(node.body))
    ctx.definition = node.body
    ctx.head = node.span.to(node.body[-1].span) if node.body else node.span
    ctx.growing = frozenset(lists.changed(node.body))
    given = [t for s in node.body for t in targets(s)]
    ctx.later = {t.id: t.span for t in given}
    counts = Counter(t.id for t in given)
    ctx.reassigned = frozenset(n for n, count in counts.items() if count > 1)
    taken = {p.name for p in node.params} | node.seen | set(ctx.later)
    ctx.layer_names = layer_names(node.body, taken)
    numbers = numbers_of(node)
    for param in node.params:
        try:
            made = parameter(ctx, param, numbers, param.name in fractions)
            made.kind, made.place = kinds.get(param.name, (made.kind, None))
        except Fault:
            ctx.broken = True
            ctx.bind(param.name, BAD, param.name_span, "parameter")
    if inputless(ctx, node):
        return
    ctx.statements(node.body)
    ctx.faulty |= node.broken
    if not node.broken:
        _complete(ctx, node)
        if node.kind == "model":
            determined(ctx)
        _of_one_name(ctx)
        _unused(ctx)
    _streams(ctx)


def _complete(ctx: Context, node: tree.Definition) -> None:
    if not ctx.has_return:
        last = node.body[-1].span
        if not any(last.contains(d.primary.span) for d in ctx.sink.diagnostics):
            ctx.error(
                "N249",
                f"`{node.name.id}` returns nothing",
                node.name.span,
                **missing_return(node),
            )
        ctx.broken = ctx.lost = True
    if not ctx.inputs and not ctx.broken_inputs:
        ctx.error(
            "N250",
            f"`{node.name.id}` has no input",
            node.name.span,
            help="begin with `input x: [B, d]`",
        )
        ctx.broken = True


def _of_one_name(ctx: Context) -> None:
    """Layers of one name on the two sides of an `if` have alike weights, and are as many."""
    seen: dict[str, LayerInfo] = {}
    for layer in ctx.layers.values():
        other = seen.setdefault(layer.name, layer)
        if other is layer or any(map(_is_broken, (layer, other))):
            continue
        forms = [_forms(i) for i in (layer, other)]
        alike = all(forms[1].get(n, form) == form for n, form in forms[0].items())
        several = [(i.count is None, i.each is None) for i in (layer, other)]
        if not alike or several[0] != several[1]:
            ctx.error(
                "N202",
                f"`{layer.name}` is another layer on the other side",
                layer.span,
                related=(Label(other.span, "the other"),),
                help="give one of them another name with `as`",
            )


def _is_broken(layer: LayerInfo) -> bool:
    return isinstance(layer.callee, Signature) and layer.callee.broken


_UNREAD = ("axis", "layer", "loop variable")  # may be declared and not used


def _forms(layer: LayerInfo) -> dict[object, object]:
    """How the weights of a layer lie in checkpoints."""
    if isinstance(layer.callee, Op):
        return {n: (len(w.sizes), w.tensor) for n, w in layer.weights.items()}
    slots = slots_of(layer.callee)
    return {path: (slot.axes, slot.tensor) for path, slot in slots.items()}


def _unused(ctx: Context) -> None:
    """Whatever is declared is used; an ignored parameter is a model that differs from its spec."""
    needed_inputs(ctx)
    for binding in ctx.bindings:
        if ctx.lost or binding.used or binding.what in _UNREAD:
            continue
        if binding.what == "list" and binding.parents:
            continue
        text = {
            "parameter": "parameter `{}` is not used",
            "input": "input `{}` is not used",
        }.get(binding.what, "the value of `{}` is not used")
        advice = _misspelt(ctx, binding) or {"help": "use it, or remove it"}
        ctx.error("N260", text.format(binding.name), binding.span, **advice)
    for layer in ctx.layers.values():
        if not (layer.used or ctx.lost):
            ctx.error(
                "N261",
                f"layer `{layer.name}` is never applied",
                layer.span,
                help=f"apply it: `x -> {layer.name}`",
            )


def _misspelt(ctx: Context, binding: Binding) -> Advice | None:
    """A parameter whose name stands in shapes, all but a letter: there it is an axis."""
    axes = [a for a in ctx.axes if a not in ctx.params]
    near = closest(binding.name, axes, 0.8) if binding.what == "parameter" else None
    return meant(binding.span, near) if near else None


def _streams(ctx: Context) -> None:
    """Declared streams are drawn from; drawn streams are declared, where any are."""
    declared = ctx.declared_streams
    if not declared or ctx.broken:
        return
    idle = _idle_streams(ctx)
    help = {} if ctx.faulty else dict.fromkeys(idle, "remove it")
    for name, span in ctx.streams.items():
        if name in declared or _is_lost(ctx, name):
            continue
        near = closest(name, idle)
        if near and any(name in op.streams for op in ctx.functions.values()):
            help[near] = f"did you mean `{name}`?"
            continue
        help.pop(str(near), None)
        add = f"add it: `rngs {', '.join([*declared, name])}`"
        text = f"the stream `{name}` is not declared"
        ctx.error("N400", text, span, **did_you_mean(span, name, idle, add))
    for name, text in help.items():
        message = f"nothing draws from the stream `{name}`"
        ctx.error("N401", message, idle[name], help=text)


def _is_lost(ctx: Context, name: str) -> bool:
    """Whether a value of that name was lost to a mistake."""
    held = ctx.scope.get(name)
    return held is not None and held.value is BAD


def _idle_streams(ctx: Context) -> dict[str, Span]:
    weights = ctx.has_weights or any(_has_weights(i) for i in ctx.layers.values())
    drawn = {*ctx.streams, *(["params"] if weights else [])}
    return {n: s for n, s in ctx.declared_streams.items() if n not in drawn}


def _has_weights(layer: LayerInfo) -> bool:
    if isinstance(layer.callee, Signature):
        return layer.callee.has_weights
    return bool(layer.weights) or layer.bound_at is None


def _axes_of(param: Param) -> int | None:
    """Over how many axes a window slides, where it is one."""
    if param.kind is not Kind.WINDOW or param.element is None:
        return None
    return int(param.element.value)


def _parameter(param: Param) -> ir.Parameter:
    return ir.Parameter(
        param.name,
        param.kind or Kind.NUMBER,
        param.default,
        param.span,
        param.optional,
        param.fractions,
        param.bounds,
        window=_axes_of(param),
        handed=param.handed,
    )


def _made(
    ctx: Context, node: tree.Definition, first: tree.Definition | None
) -> ir.Definition:
    """What a definition is, as its context holds it at the end."""
    return ir.Definition(
        node.name.id,
        node.kind == "model",
        doc_of(node.trivia, opens=node is first and node.kind == "block"),
        tuple(map(_parameter, ctx.params.values())),
        tuple(a for a in ctx.axes if a in ctx.inferred),
        tuple(ctx.inputs),
        ctx.outputs,
        with_fans(finish(ctx, _checks_first(ctx))),
        tuple(sorted(ctx.streams)),
        tuple(sorted(ctx.modes)),
        node.name.span,
        ctx.spelled,
    )


def _signature(
    ctx: Context, node: tree.Definition, first: tree.Definition | None
) -> Signature:
    callees = signatures_of(ctx)
    faulty = ctx.faulty or any(map(_is_open, callees.values()))
    for param in () if faulty else ctx.params.values():
        param.kind = param.kind or Kind.NUMBER
    definition = _made(ctx, node, first)
    known = {name: callee.definition for name, callee in callees.items()}
    loose = asked(definition, known)
    for param in ctx.params.values():
        param.asked = param.name in loose
    params = (replace(p, asked=p.name in loose) for p in definition.params)
    definition = replace(definition, params=tuple(params))
    weights = ctx.has_weights or any(_has_weights(i) for i in ctx.layers.values())
    broken = ctx.broken or node.broken or ctx.broken_inputs or not ctx.outputs
    return Signature(
        definition,
        ctx.params,
        frozenset(ctx.axes),
        tuple(ctx.obligations),
        frozenset(ctx.hard_streams),
        weights,
        bool(ctx.states) or any(i.has_state for i in ctx.layers.values()),
        broken,
        node.broken or ctx.broken_inputs,
        found_sizes(ctx),
        callees,
    )


def _is_open(signature: Signature) -> bool:
    """Whether a mistake leaves open what a block is, or what its parameters are."""
    kinds = (p.kind for p in signature.params.values())
    return signature.broken or any(kind is None for kind in kinds)


def signatures_of(ctx: Context) -> dict[str, Signature]:
    """The blocks that the definition contains, by name."""
    callees = [i.callee for i in ctx.layers.values()]
    return {c.definition.name: c for c in callees if isinstance(c, Signature)}


def _checks_first(ctx: Context) -> list[Any]:
    """A constructor checks its arguments before it builds anything from them."""
    known = ctx.params.keys() | ctx.axes.keys()

    def early(item: Any) -> bool:
        return (
            isinstance(item, Obligation)
            and item.left.symbols | item.right.symbols <= known
        )

    return [*ctx.lengths, *sorted(ctx.body, key=lambda item: not early(item))]
