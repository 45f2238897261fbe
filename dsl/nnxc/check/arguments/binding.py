"""Binding what a call writes to what an entry or a block takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...diagnostics import Advice, write
from ...ops.base import REQUIRED, Input, Kind, Op
from ...ops.base import Param as OpParam
from ...shapes import TensorType
from ...source import Span
from ...syntax import tree
from ...syntax.walk import names_in
from ..context import Context
from ..expressions.none_values import without_none
from ..expressions.operands import no_tuple, static_or_name
from ..foreign import foreign_forms, foreign_hints, initials, native
from ..foreign.model_arguments import no_model, no_stack
from ..values import BAD, Converted, Fault, Static, Value
from .activation_names import by_name
from .reduced import no_axis

# Arguments of these kinds are names that need not be values in scope.
BY_NAME = (Kind.AXIS, Kind.AXES, Kind.DTYPE, Kind.STREAM, Kind.INIT, Kind.SHAPE)


@dataclass(slots=True)
class Written:
    """The arguments of a call, sorted out but not evaluated."""

    params: dict[str, tree.Expr] = field(default_factory=dict)
    inputs: dict[str, list[tree.Expr]] = field(default_factory=dict)
    extra: dict[str, tree.Expr] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    unknown: bool = (
        False  # an argument has no place: perhaps it was meant for a missing one
    )


def sort_out(ctx: Context, op: Op, args: Iterable[tree.Arg], *, piped: bool) -> Written:
    """Give each argument of an entry its place. Functions take inputs first, then parameters;
    layers take parameters by position and inputs by name. A positional text goes to the next
    parameter that takes one."""
    written = Written()
    if op.group in ("function", "loss", "metric"):
        no_model(ctx, op, args)
        no_stack(ctx, op, args)
    free = required_inputs(op)[1 if piped and not _many(op) else 0 :]
    params = [p for p in op.params if p.positional]
    for arg in args:
        if arg.name is not None:
            _by_name(ctx, op, arg, written)
            continue
        if isinstance(arg.value, tree.String) and (text := _next_text(params, written)):
            _put(ctx, op, text.name, arg, written.params, written)
        elif free:
            written.inputs.setdefault(free[0].name, []).append(arg.value)
            written.spans.setdefault(free[0].name, arg.span)
            if not free[0].many:
                free.pop(0)
        else:
            _positional(ctx, op, arg, params, written)
    return written


def required_inputs(op: Op) -> list[Input]:
    """What a function takes by position before its parameters; a layer takes none there."""
    if op.group in ("layer", "optimizer", "schedule"):
        return []
    return [i for i in op.inputs if not i.optional]


def _many(op: Op) -> bool:
    return bool(op.inputs) and op.inputs[0].many


def _next_text(params: list[OpParam], written: Written) -> OpParam | None:
    return next(
        (p for p in params if p.kind is Kind.TEXT and p.name not in written.params),
        None,
    )


def _positional(
    ctx: Context, op: Op, arg: tree.Arg, params: list[OpParam], written: Written
) -> None:
    target = next((p for p in params if p.name not in written.params), None)
    last = next((p for p in params if p.kind in (Kind.SIZES, Kind.INTS)), None)
    if (
        last is not None
        and (target is None or target is not last)
        and last.name in written.params
    ):
        before = written.params[last.name]
        if _extends(before, arg.value):
            items = before.items if isinstance(before, tree.ListOf) else (before,)
            span = before.span.to(arg.value.span)
            written.params[last.name] = tree.ListOf((*items, arg.value), span)
            return
    if target is None:
        most = len(params) + len(required_inputs(op))
        ctx.fail(
            "N205",
            f"`{op.name}` takes {most} positional argument{'s' * (most != 1)}",
            arg.span,
            **_too_many(ctx, op, arg),
        )
    no_axis(ctx, op, target, arg)
    _put(ctx, op, target.name, arg, written.params, written)


_LAID_OUT: Advice = {
    "help": "the axes that are meant are written: `x -> [B, H * W, d]`"
}


def _too_many(ctx: Context, op: Op, arg: tree.Arg) -> Advice:
    otherwise: Advice = {"help": _takes(op)}
    if op.name == "flatten":  # what its axes are is not known here
        laid = native.advice(ctx, arg, otherwise)
        return laid if laid.get("help", "").startswith("write `[") else _LAID_OUT
    if found := native.input_by_name(ctx, op, arg):
        return found
    if op.group == "initializer":  # functions of the same names take other things
        return initials.around(ctx, op, arg) or otherwise
    return native.too_many(ctx, arg, otherwise)


def _extends(before: tree.Expr, value: tree.Expr) -> bool:
    """Whether another positional argument can join sizes: `Linear(heads, head_dim)`. A list that is
    written as one has an end."""
    whole = before.span.text.startswith("[")
    return not (whole or isinstance(value, (tree.ListOf, tree.Window, tree.Constant)))


def _by_name(ctx: Context, op: Op, arg: tree.Arg, written: Written) -> None:
    assert arg.name is not None
    if op.param(arg.name):
        _put(ctx, op, arg.name, arg, written.params, written)
    elif op.input(arg.name):
        if arg.name in written.inputs:
            ctx.fail("N210", f"`{arg.name}` is given twice", arg.span)
        written.inputs[arg.name] = [arg.value]
        written.spans[arg.name] = arg.span
    elif op.extra is not None:
        _put(ctx, op, arg.name, arg, written.extra, written)
    else:
        written.unknown = True
        known = [p.name for p in op.params] + [i.name for i in op.inputs]
        each = foreign_forms.EACH.get(op.name)
        hint = foreign_hints.argument(op.group, op.name, arg.name, each)
        if op.group == "initializer":
            advice = initials.around(ctx, op, arg) or {"help": _takes(op)}
            text = f"`{op.name}` has no argument `{arg.name}`"
            ctx.fail("N204", text, arg.span, **advice)
        unknown_argument(ctx, op.name, arg, known, hint)


def unknown_argument(
    ctx: Context,
    callee: str,
    arg: tree.Arg,
    names: list[str],
    hint: str | None = None,
) -> None:
    """Report N204; what is written as elsewhere gives up the call."""
    takes = "it takes " + (", ".join(f"`{n}`" for n in names) or "no arguments")
    near: Advice = {"help": hint} if hint else {}
    if hint is None:
        near = ctx.suggest(arg.name or "", names, arg.span, takes)
    advice = native.advice(ctx, arg, near)
    text = f"`{callee}` has no argument `{arg.name}`"
    for name in names_in(arg.value):
        if name.id in ctx.scope:  # it is read, only not by what was meant
            ctx.scope[name.id].use()
    ctx.error("N204", text, arg.span, **advice)
    if advice is not near:
        raise Fault


def _put(
    ctx: Context,
    op: Op,
    name: str,
    arg: tree.Arg,
    into: dict[str, tree.Expr],
    written: Written,
) -> None:
    if name in into:
        advice = native.without_input_size(ctx, op, arg)
        if isinstance(into[name], tree.String):
            advice = {
                "help": f"`{op.name}` takes no pattern; `expand` and `broadcast` add axes"
            }
        ctx.fail("N210", f"`{name}` is given twice", arg.span, **advice)
    into[name] = arg.value
    written.spans[name] = arg.span


def _takes(op: Op) -> str:
    names = [p.name for p in op.params]
    return f"`{op.name}` takes " + (
        ", ".join(f"`{n}`" for n in names) or "no arguments"
    )


def with_defaults(ctx: Context, op: Op, written: Written) -> None:
    """Add what the file's `defaults` say for this entry."""
    for name, arg in ctx.defaults.get(op.name, {}).items():
        if name not in written.params:
            written.params[name] = arg.value
            written.spans[name] = arg.span


def missing(ctx: Context, op: Op, written: Written, span: Span) -> None:
    """Required parameters that nobody gave."""
    for param in op.params:
        if param.default is REQUIRED and param.name not in written.params:
            if written.unknown:
                raise Fault
            ctx.fail(
                "N211",
                f"`{op.name}` needs `{param.name}`",
                span,
                **_given(op, param, span),
            )


_TYPICAL = {"learning_rate": "1e-3", "rate": "0.1"}


def _given(op: Op, param: OpParam, span: Span) -> Advice:
    """How a required parameter is given: a usual value, where there is one."""
    if op.name == "transpose":
        inner = span.text.removeprefix("transpose").strip()[1:-1]
        return write(
            span, f"swapaxes({', '.join([inner] * bool(inner) + ['-1', '-2'])})"
        )
    if param.name == "rng" and span.text.endswith(")"):
        return write(span, f"{span.text[:-1]}, rng=noise)")
    usual = _TYPICAL.get(param.name)
    if usual is None or not span.text.startswith(op.name):
        head, _, inside = span.text.partition("(")
        before = f"{inside.removesuffix(')')}, " if inside.strip(")") else ""
        text = f"write `{head}({before}{param.name}=...)`: {param.doc}"
        return {"help": text} if param.doc else {}
    rest = span.text.removeprefix(op.name).strip("()")
    return write(span, f"{op.name}({', '.join([usual, *([rest] if rest else [])])})")


def evaluate_params(
    ctx: Context,
    op: Op,
    written: Written,
    subject: TensorType | None,
    *,
    only: tuple[Kind, ...] | None = None,
    skip: tuple[Kind, ...] = (),
) -> dict[str, Converted]:
    """Convert parameters in signature order, those of `only` some kinds or all but `skip`."""
    done: dict[str, Converted] = {}
    broken = False
    _shape_first(ctx, op, written)
    for param in op.params:
        if param.name not in written.params or param.kind in skip:
            continue
        if only is not None and param.kind not in only:
            continue
        try:
            done[param.name] = convert_one(
                ctx, param, written.params[param.name], subject, done
            )
        except Fault:
            broken = True
    for name, node in written.extra.items():
        if op.extra is not None and (only is None or op.extra in only):
            try:
                done[name] = convert_one(ctx, OpParam(name, op.extra), node, subject)
            except Fault:
                broken = True
    if broken:
        raise Fault
    return done


def _shape_first(ctx: Context, op: Op, written: Written) -> None:
    """`full(0.5, [B, d])`: the shape stands first."""
    if len(op.params) < 2 or op.params[0].kind is not Kind.SHAPE:
        return
    given = [written.params.get(p.name) for p in op.params]
    first, *others = given
    second = next((n for n in others if isinstance(n, tree.ListOf)), None)
    if isinstance(first, tree.ListOf) or second is None:
        return
    if first is None or first.span.end > second.span.start:
        return
    before = [n for n in given if n and n.span.end <= second.span.start]
    place = first.span.to(second.span)
    text = ", ".join(n.span.text for n in (second, *before))
    message = f"`{op.params[0].name}` must be a shape such as `[B, d]`"
    advice = write(place, text, "the shape stands first")
    ctx.fail("N207", message, first.span, **advice)


def convert_one(
    ctx: Context,
    param: OpParam,
    node: tree.Expr,
    subject: TensorType | None,
    others: Mapping[str, Converted] | None = None,
) -> Converted:
    """One argument by its kind; of an entry, `others` are those that stand before."""
    no_tuple(ctx, node)
    if param.kind is Kind.FUNCTION:
        by_name(ctx, node)
    value: Value = (
        static_or_name(ctx, node) if param.kind in BY_NAME else ctx.expr(node)
    )
    if value is BAD and param.kind not in BY_NAME:
        raise Fault
    if isinstance(value, Static) and others is not None:
        value = without_none(ctx, param, node, value, others)
    return ctx.dispatch.argument(ctx, param, node, value, subject)


def entry_args(
    ctx: Context,
    op: Op,
    args: Iterable[tree.Arg],
    span: Span,
    subject: TensorType | None,
) -> dict[str, Converted]:
    """The parameters of an entry that has no inputs: an initialiser, an optimizer."""
    written = sort_out(ctx, op, args, piped=False)
    missing(ctx, op, written, span)
    return evaluate_params(ctx, op, written, subject)


def dims_of(converted: Mapping[str, Converted]) -> dict[str, Any]:
    """What shape rules receive, by parameter."""
    return {name: value for name, (_, value) in converted.items()}
