"""A whole spec: what it uses, in which order definitions depend on each other, configs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .. import ir
from ..diagnostics import Label, Sink, did_you_mean
from ..ops import LOSSES, METRICS, MODEL_OPS
from ..source import Span
from ..syntax import tree
from .calls import evaluate_block_params, sort_out_block
from .context import Context
from .definition import check_definition, file_doc
from .statements import mentioned
from .train import check_train
from .values import Fault, Signature

Loader = Callable[[str, Span], tree.File | None]
Defaults = dict[str, dict[str, tree.Arg]]
MAX_FILES = 64


@dataclass(slots=True)
class Known:
    """A definition with the file's defaults that hold in it."""

    node: tree.Definition
    defaults: Defaults
    visible: dict[str, str]  # names in its file -> keys of Files.known
    first: bool  # the first item of its file, whose comment is the file's


@dataclass(slots=True)
class Files:
    """All definitions of a spec and of the files that it uses."""

    sink: Sink
    loader: Loader
    known: dict[str, Known] = field(default_factory=dict)
    visible: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # by path of the file
    loading: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)  # names that a mistake took away
    used_names: dict[str, Span] = field(default_factory=dict)


def check_program(file: tree.File, sink: Sink, loader: Loader) -> ir.Program | None:
    """Check a parsed spec. None where it, or something it uses, has mistakes."""
    files = Files(sink, loader)
    visible = _gather(files, file)
    signatures = _definitions(files)
    by_name = {
        name: signatures[key] for name, key in visible.items() if key in signatures
    }
    configs = [
        c
        for n in file.items
        if isinstance(n, tree.Config)
        if (c := _config(files, n, by_name))
    ]
    _unique_configs(sink, file)
    trains = [
        t
        for n in file.items
        if isinstance(n, tree.Train)
        if (t := _train(files, n, by_name)) is not None
    ]
    _one_train_each(sink, file)
    _unused_uses(files, file)
    if any(d.severity == "error" for d in sink.diagnostics):
        return None
    definitions = tuple(s.definition for s in signatures.values())
    program = ir.Program(
        file.span.source.path,
        file_doc(file),
        definitions,
        tuple(configs),
        tuple(trains),
    )
    from .decide import decide

    decide(program, sink)
    return None if any(d.severity == "error" for d in sink.diagnostics) else program


# ---------------------------------------------------------------------- files


def _gather(files: Files, file: tree.File) -> dict[str, str]:
    """Collect a file's definitions, and those of files that it uses; what its names mean."""
    path = file.span.source.path
    visible: dict[str, str] = {}
    files.visible[path] = visible
    files.loading.append(path)
    defaults = _file_defaults(files.sink, file)
    spans: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Use):
            _use(files, item, visible, spans)
        elif isinstance(item, tree.Definition):
            _define(files, item, defaults, visible, spans, file.items[0])
    files.loading.pop()
    return visible


def _define(
    files: Files,
    node: tree.Definition,
    defaults: Defaults,
    visible: dict[str, str],
    spans: dict[str, Span],
    first: tree.Item,
) -> None:
    name = node.name.id
    if _taken(files.sink, name, node.name.span, spans):
        return
    key = name if name not in files.known else f"{name}@{node.span.source.path}"
    if key in files.known or key != name:
        files.sink.error(
            "N202",
            f"there are two definitions `{name}`",
            node.name.span,
            related=(Label(files.known[name].node.name.span, "the first"),),
            help="both would become classes of one module; rename one",
        )
        return
    files.known[key] = Known(node, defaults, visible, node is first)
    visible[name] = key


def _taken(sink: Sink, name: str, span: Span, spans: dict[str, Span]) -> bool:
    if name in MODEL_OPS or name in RESERVED_CLASSES:
        sink.error(
            "N203",
            f"`{name}` is a name of the library",
            span,
            help=f"choose another, such as `My{name}`",
        )
        return True
    if name in spans:
        sink.error(
            "N202",
            f"there are two definitions `{name}`",
            span,
            related=(Label(spans[name], "the first"),),
        )
        return True
    spans[name] = span
    return False


RESERVED_CLASSES = frozenset({"Config", "KVCache", "Trainer", "True", "False", "None"})


def _use(
    files: Files, node: tree.Use, visible: dict[str, str], spans: dict[str, Span]
) -> None:
    loaded = _load(files, node)
    for name in node.names:
        if name.id in spans:
            _taken(files.sink, name.id, name.span, spans)
            continue
        spans[name.id] = name.span
        files.used_names[name.id] = name.span
        if loaded is None:
            files.missing.add(name.id)
        elif name.id in loaded:
            visible[name.id] = loaded[name.id]
        else:
            files.missing.add(name.id)
            files.sink.error(
                "N270",
                f'"{node.path.value}" has no `{name.id}`',
                name.span,
                help=did_you_mean(name.id, loaded),
            )


def _load(files: Files, node: tree.Use) -> dict[str, str] | None:
    file = files.loader(node.path.value, node.path.span)
    if file is None:
        return None
    path = file.span.source.path
    if path in files.loading:
        circle = " uses ".join([*files.loading[files.loading.index(path) :], path])
        files.sink.error(
            "N271", "these files use each other in a circle", node.path.span, circle
        )
        return None
    if path in files.visible:
        return files.visible[path]
    if len(files.visible) >= MAX_FILES:
        files.sink.error(
            "N251", f"a spec uses at most {MAX_FILES} files", node.path.span
        )
        return None
    return _gather(files, file)


def _unused_uses(files: Files, file: tree.File) -> None:
    mentioned_names = {
        n
        for item in file.items
        if not isinstance(item, tree.Use)
        for n in mentioned(item)
    }
    for item in file.items:
        if isinstance(item, tree.Use) and not file.broken:
            for name in item.names:
                if name.id not in mentioned_names and name.id not in files.missing:
                    files.sink.error(
                        "N262",
                        f"`{name.id}` is not used",
                        name.span,
                        help="remove it from `use`",
                    )


def _file_defaults(sink: Sink, file: tree.File) -> Defaults:
    """`defaults Linear(bias=false)`: checked as far as no call is needed."""
    defaults: Defaults = {}
    used = {
        n for i in file.items if isinstance(i, tree.Definition) for n in mentioned(i)
    }
    for item in file.items:
        if isinstance(item, tree.Defaults):
            for call in item.calls:
                _default_call(sink, call, defaults, used, file.broken)
    return defaults


def _default_call(
    sink: Sink, call: tree.Call, defaults: Defaults, used: set[str], broken: bool
) -> None:
    name = call.func.id if isinstance(call.func, tree.Name) else ""
    op = MODEL_OPS.get(name)
    if op is None:
        sink.error(
            "N200",
            f"there is no layer `{name}`",
            call.func.span,
            help=did_you_mean(name, MODEL_OPS),
        )
        return
    if name in defaults:
        sink.error("N210", f"`{name}` has defaults already", call.span)
        return
    if name not in used and not broken:
        sink.error(
            "N262",
            f"`{name}` is not used in this file",
            call.span,
            help="remove its defaults",
        )
    defaults[name] = {}
    for arg in call.args:
        if arg.name is None:
            sink.error("N205", "defaults are given by name", arg.span)
        elif op.param(arg.name) is None:
            names = [p.name for p in op.params]
            sink.error(
                "N204",
                f"`{name}` has no argument `{arg.name}`",
                arg.span,
                help=did_you_mean(arg.name, names) or f"it takes {', '.join(names)}",
            )
        else:
            defaults[name][arg.name] = arg


# ---------------------------------------------------------------- definitions


def _definitions(files: Files) -> dict[str, Signature]:
    """Check every definition, callees first."""
    signatures: dict[str, Signature] = {}
    broken = {k for k, known in files.known.items() if known.node.broken}
    for key in _ordered(files):
        known = files.known[key]
        seen = {n: signatures[k] for n, k in known.visible.items() if k in signatures}
        forbidden = frozenset(
            {n for n, k in known.visible.items() if k not in signatures} | files.missing
        )
        signatures[key] = check_definition(
            known.node,
            files.sink,
            seen,
            MODEL_OPS,
            known.defaults,
            forbidden,
            known.node if known.first else None,
        )
        signatures[key].broken |= key in broken
    return signatures


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
    for name in _names(known.node.body):
        target = known.visible.get(name.id)
        if target is not None:
            found.setdefault(target, name.span)
    return list(found.items())


def _names(node: object) -> Iterator[tree.Name]:
    if isinstance(node, tree.Name):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _names(item)
    elif hasattr(node, "__match_args__") and not isinstance(node, Span):
        for name in node.__match_args__:
            yield from _names(getattr(node, name))


# --------------------------------------------------------- configs and trains


def _config(
    files: Files, node: tree.Config, signatures: Mapping[str, Signature]
) -> ir.Config | None:
    func = node.value.func
    signature = _model(files, func, signatures) if isinstance(func, tree.Name) else None
    if signature is None:
        return None
    ctx = Context(files.sink, "model", node.name.id, {}, MODEL_OPS, {})
    try:
        written = sort_out_block(ctx, signature, node.value.args, node.value.span)
        if written.inputs:
            first = next(iter(written.inputs))
            ctx.fail(
                "N204", f"`{first}` is an input, not a parameter", written.spans[first]
            )
        values = evaluate_block_params(ctx, signature, written, node.value.span)
    except Fault:
        return None
    args = tuple((name, static) for name, (static, _) in values.items())
    return ir.Config(node.name.id, signature.definition.name, args, node.span)


def _model(
    files: Files, name: tree.Name, signatures: Mapping[str, Signature]
) -> Signature | None:
    """The model of that name; reported where there is none."""
    signature = signatures.get(name.id)
    if signature is None:
        if name.id not in files.missing and name.id not in files.known:
            files.sink.error(
                "N200",
                f"there is no model `{name.id}`",
                name.span,
                help=did_you_mean(name.id, signatures),
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


def _unique_configs(sink: Sink, file: tree.File) -> None:
    seen: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Config):
            if item.name.id in seen:
                sink.error(
                    "N202",
                    f"there are two configs `{item.name.id}`",
                    item.name.span,
                    related=(Label(seen[item.name.id], "the first"),),
                )
            seen.setdefault(item.name.id, item.name.span)


def _train(
    files: Files, node: tree.Train, signatures: Mapping[str, Signature]
) -> ir.Train | None:
    signature = _model(files, node.model, signatures)
    functions = {**MODEL_OPS, **LOSSES, **METRICS}
    if signature is None or node.broken:
        return None
    return check_train(node, files.sink, signature, functions)


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
