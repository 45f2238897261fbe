"""A whole spec: what it uses, in which order definitions depend on each other, configs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from .. import ir
from ..diagnostics import Advice, Label, Sink, did_you_mean
from ..dims import DimError, const
from ..instance.evaluate import evaluate
from ..ir.fold_static import static_dims
from ..ir.static_values import EvaluationError, Value
from ..ops import LOSSES, METRICS, MODEL_OPS
from ..source import Span
from ..syntax import tree
from ..syntax.walk import mentioned, names_in, nodes_in
from . import borrowed, gathering, init_lines
from .arguments.block_arguments import evaluate_block_params, sort_out_block
from .context import Context
from .definitions.decide import decide
from .definitions.decodable import check_generate, one_each, report_problems
from .definitions.definition import check_definition
from .definitions.naming import is_camel
from .definitions.patterns import specialise
from .dispatch import DISPATCH
from .documented import doc_of, file_doc
from .groups import hand_on, tell_unread
from .state_kinds import kinds_apart
from .train.batch_types import with_types
from .train.brought_trains import with_trains
from .train.frozen import frozen_models
from .train.train_section import check_train
from .uses import Files, Known, Loader, gather, one_class_each, unused_uses
from .values import Fault, Signature
from .weights.weights_brought import brought
from .weights.weights_section import check_weights, one_section_each

N = TypeVar("N", bound=tree.Item)
T = TypeVar("T")

IDLE = frozenset(("N260", "N262", "N401"))
"""Mistakes of having too much, which hide no other: what there is can be decided."""


def check_program(file: tree.File, sink: Sink, loader: Loader) -> ir.Program | None:
    """Check a parsed spec. None where it, or something it uses, has mistakes."""
    files = Files(sink, loader, lossy=file.broken)
    visible = gather(files, file)
    file = with_trains(files, file)
    written = [n for n in file.items if isinstance(n, tree.Config)]
    gathering.write_out(files)
    borrowed.settle(files)
    hand_on(files, written)
    chosen = specialise(files, written, visible)
    init_lines.write_out(files)
    signatures = _definitions(files)
    tell_unread(files)
    init_lines.tell_unmet(files)
    by_name = {n: signatures[k] for n, k in visible.items() if k in signatures}
    configs = [c for n in chosen if (c := _config(files, n, by_name))]
    _unique_configs(sink, file, {k.node.name.id for k in files.known.values()})
    trains = _sound(
        file, tree.Train, lambda n: _train(files, n, by_name, opens=n is file.items[0])
    )
    _one_train_each(sink, file)
    weights = _sound(
        file, tree.Weights, lambda n: _weights(files, file, n, by_name, signatures)
    )
    one_section_each(sink, file)
    generates = _sound(file, tree.Generate, lambda n: _generate(files, n, by_name))
    one_each(sink, file)
    unused_uses(files, file)
    wanted = _reached(files, [*visible.values(), *(c.model for c in configs)])
    one_class_each(files, wanted)
    kinds_apart(files, wanted)
    if any(d.code not in IDLE for d in sink.diagnostics):
        return None
    definitions = tuple(s.definition for k, s in signatures.items() if k in wanted)
    program = ir.Program(
        file.span.source.path,
        file_doc(file),
        definitions,
        tuple(configs),
        trains,
        weights,
        generates,
    )
    report_problems(program, sink)
    decide(program, sink)
    return None if any(d.severity == "error" for d in sink.diagnostics) else program


def _sound(
    file: tree.File, kind: type[N], check: Callable[[N], T | None]
) -> tuple[T, ...]:
    """What the items of a kind mean, less those that have mistakes."""
    made = (check(item) for item in file.items if isinstance(item, kind))
    return tuple(one for one in made if one is not None)


# ---------------------------------------------------------------------- files


# ---------------------------------------------------------------- definitions


def _definitions(files: Files) -> dict[str, Signature]:
    """Check every definition, callees first."""
    signatures: dict[str, Signature] = {}
    broken = {k for k, known in files.known.items() if known.node.broken}
    faulty: set[Span] = set()  # a mistake is told once, and a block may be borrowed
    for key in _ordered(files):
        known = files.known[key]
        brought, options = files.brought(known.visible)
        seen = {n: signatures[k] for n, k in known.visible.items() if k in signatures}
        forbidden = (
            frozenset(
                {n for n, k in known.visible.items() if k not in signatures}
                | files.missing
                | _perhaps_dropped(known)
            )
            - brought.keys()
        )
        before = len(files.sink.found)
        lacks = _lacks_a_use(files, known.node)
        signatures[key] = check_definition(
            known.node,
            files.sink,
            seen,
            {**MODEL_OPS, **brought},
            {**known.defaults, **options},
            forbidden,
            known.node if known.first else None,
            frozenset(files.fractions.get(key, ())),
            key in files.unsure or lacks,
        )
        signatures[key].broken |= key in broken
        if len(files.sink.found) > before:
            faulty.add(known.node.span)
        if known.node.groups and (known.node.span in faulty or lacks):
            files.unsure.update(known.visible.values())  # of the model's parameters
    return signatures


def _lacks_a_use(files: Files, node: tree.Definition) -> bool:
    """Whether it names what a `use` could not bring, which may read any parameter."""
    lost = files.missing & files.used_names.keys()
    return not lost.isdisjoint(mentioned(node.body))


def _perhaps_dropped(known: Known) -> set[str]:
    """Names that may have had a meaning in what a mistake of syntax took away."""
    return {
        n
        for n in mentioned(known.node.body)
        if (known.lossy if is_camel(n) and len(n) > 1 else known.node.broken)
    }


def _ordered(files: Files) -> Iterator[str]:
    """Depth first without recursion; a definition that needs itself is reported and left out."""
    state: dict[str, str] = {}
    for root in files.known:
        if root in state:
            continue
        stack = [(root, iter(_callees(files, root)))]
        state[root] = "open"
        while stack:
            key, rest = stack[-1]
            for name, span in rest:
                if state.get(name) == "open":
                    _circle(files, [k for k, _ in stack], name, span)
                elif name not in state:
                    state[name] = "open"
                    stack.append((name, iter(_callees(files, name))))
                    break
            else:
                state[key] = "done"
                stack.pop()
                yield key


def _reached(files: Files, keys: list[str]) -> set[str]:
    """The definitions that are named, and all that they contain."""
    found: set[str] = set()
    while keys:
        key = keys.pop()
        if key in files.known and key not in found:
            found.add(key)
            keys += [name for name, _ in _callees(files, key)]
    return found


def _circle(files: Files, path: list[str], name: str, span: Span) -> None:
    circle = " -> ".join([*path[path.index(name) :], name])
    files.sink.error(
        "N273",
        f"`{name}` contains itself",
        span,
        circle if " -> " in circle and len(path) > 1 else "",
        help="repeat a block with `Block(...) * n`",
    )


def _callees(files: Files, key: str) -> list[tuple[str, Span]]:
    known = files.known[key]
    found: dict[str, Span] = {}
    axes = {n.span for t in nodes_in(known.node.body, tree.TypeOf) for n in names_in(t)}
    for name in (n for n in names_in(known.node.body) if n.span not in axes):
        target = known.visible.get(name.id)
        if target in files.known:
            found.setdefault(target, name.span)
    return list(found.items())


# --------------------------------------------------------- configs and trains


def _config(
    files: Files, node: tree.Config, signatures: Mapping[str, Signature]
) -> ir.Config | None:
    func = node.value.func
    signature = _model(files, func, signatures) if isinstance(func, tree.Name) else None
    if signature is None:
        return None
    ctx = Context(DISPATCH, files.sink, "model", node.name.id, {}, MODEL_OPS, {})
    ctx.statement = node
    number = "a config gives values: write the number"
    ctx.hints = dict.fromkeys(signature.params, number)
    try:
        written = sort_out_block(ctx, signature, node.value.args, node.value.span)
        if written.inputs:
            first = next(iter(written.inputs))
            ctx.fail(
                "N204", f"`{first}` is an input, not a parameter", written.spans[first]
            )
        values = evaluate_block_params(ctx, signature, written, node.value.span)
        statics = {name: static for name, (static, _) in values.items()}
        args = _computed(ctx, node, statics).items()
    except Fault:
        return None
    name = signature.definition.name
    return ir.Config(node.name.id, name, tuple(args), node.span)


def _computed(
    ctx: Context, node: tree.Config, values: Mapping[str, ir.Static]
) -> dict[str, ir.Static]:
    """Arguments of a config in which what has no form, such as `int(7.5)`, is a number."""
    found: dict[str, Value] = {}
    done = dict(values)
    try:
        for part in ctx.body:
            if isinstance(part, ir.StaticLet):
                found[part.name] = evaluate(part.value, found)
        for name, static in values.items():
            if any(dim.symbols & found.keys() for dim in static_dims(static)):
                done[name] = _literal(evaluate(static, found))
    except (EvaluationError, DimError) as error:
        text = f"this cannot be computed: {error}"
        ctx.fail("N322", text, node.value.span)
    return done


def _literal(value: Value) -> ir.Static:
    """A value that is written down. Raises `DimError` where it is too large."""
    if isinstance(value, tuple):
        return ir.StaticList(tuple(map(_literal, value)))
    if isinstance(value, int):
        const(value)
    return ir.Literal(value)


_DEFINE = "define it, `model Name(...):`, or bring it by `use`"


def _extended(name: tree.Name) -> Advice:
    """`config huge = big(layers=4)`: a config begins with a model, not with another config."""
    found = re.search(
        rf"(?m)^config {name.id} *= *(\w+)\((.*)\)", name.span.source.text
    )
    if found is None:
        return {}
    given = f"{found[2]}, " if found[2] else ""
    return {"help": f"a config begins with a model: `{found[1]}({given}...)`"}


def _model(
    files: Files, name: tree.Name, signatures: Mapping[str, Signature]
) -> Signature | None:
    """The model of that name; reported where there is none."""
    signature = signatures.get(name.id)
    if signature is None:
        gone = files.lossy or name.id in files.missing or name.id in files.known
        if not gone:
            files.sink.error(
                "N200",
                f"there is no model `{name.id}`",
                name.span,
                **_extended(name)
                or did_you_mean(name.span, name.id, signatures, _DEFINE),
            )
        return None
    if not signature.definition.is_model:
        files.sink.error(
            "N274",
            f"`{name.id}` is a block",
            name.span,
            help=f"declare it as `model {name.id}` to configure or train it",
        )
        return None
    return signature


def _unique_configs(sink: Sink, file: tree.File, classes: set[str]) -> None:
    """Configs become constants, `large` LARGE: no two of one name, and none that is a class's."""
    seen: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Config):
            constant = item.name.id.upper()
            if constant in classes:
                text = f"`{item.name.id}` becomes the constant `{constant}`, as a class is called"
                help = f"choose another, such as `{item.name.id}_base`"
                sink.error("N203", text, item.name.span, help=help)
            if item.name.id in seen:
                sink.error(
                    "N202",
                    f"there are two configs `{item.name.id}`",
                    item.name.span,
                    related=(Label(seen[item.name.id], "the first"),),
                )
            seen.setdefault(item.name.id, item.name.span)


def _train(
    files: Files, node: tree.Train, signatures: Mapping[str, Signature], opens: bool
) -> ir.Train | None:
    signature = _model(files, node.model, signatures)
    brought, options = files.brought(files.visible[node.span.source.path])
    functions = {**MODEL_OPS, **LOSSES, **METRICS, **brought}
    if signature is None or node.broken or files.missing & frozen_models(node):
        return None
    doc = doc_of(node.trivia, opens)
    names = next(iter(files.visible.values()))
    known = files.known.get(names.get(node.model.id, ""))
    node = with_types(node, known.node if known else None)
    return check_train(node, files.sink, signature, functions, options, signatures, doc)


def _weights(
    files: Files,
    file: tree.File,
    node: tree.Weights,
    by_name: Mapping[str, Signature],
    signatures: Mapping[str, Signature],
) -> ir.Weights | None:
    signature = _model(files, node.model, by_name)
    if signature is None or signature.broken or node.broken:
        return None
    try:
        lines = brought(files, node, signature, signatures)
    except Fault:
        return None
    named = (i.model.id for i in file.items if isinstance(i, tree.Generate))
    generates = node.model.id in {*named}
    return check_weights(node, files.sink, signature, lines, generates)


def _generate(
    files: Files, node: tree.Generate, signatures: Mapping[str, Signature]
) -> ir.Generate | None:
    signature = _model(files, node.model, signatures)
    if signature is None or signature.broken:
        return None
    return check_generate(node, files.sink, signature.definition)


def _one_train_each(sink: Sink, file: tree.File) -> None:
    seen: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Train):
            name = item.model
            if name.id in seen:
                sink.error(
                    "N500",
                    f"`{name.id}` has two trains",
                    name.span,
                    related=(Label(seen[name.id], "the first"),),
                )
            seen.setdefault(name.id, name.span)
