"""The files of a spec: what they define, use and set as defaults."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..diagnostics import (
    Advice,
    Diagnostic,
    Fix,
    Label,
    Sink,
    did_you_mean,
    meant,
    write,
)
from ..ops import MODEL_OPS
from ..ops.base import Op
from ..record import Record
from ..source import Span
from ..syntax import tree
from ..syntax.walk import mentioned
from .definitions.externs import defaults_of, extern
from .foreign import argument_names

Loader = Callable[[tree.String | tree.Zoo], tree.File | None]


Defaults = dict[str, dict[str, tree.Arg]]


MAX_FILES = 64


class Lent(Record):
    """A block in its own file: its key, and the names of its model's parameters."""

    key: str
    names: frozenset[str]


@dataclass(slots=True)
class Known:
    """A definition with the file's defaults that hold in it."""

    node: tree.Definition
    defaults: Defaults
    visible: dict[str, str]  # names in its file -> keys of Files.known
    first: bool  # the first item of its file, whose comment is the file's
    lossy: bool  # its file lacks items that mistakes were found in
    lent: Lent | None = None  # what it is in its own file, where another borrows it


@dataclass(slots=True)
class Files:
    """All definitions of a spec and of the files that it uses."""

    sink: Sink
    loader: Loader
    known: dict[str, Known] = field(default_factory=dict)
    externs: dict[str, Op] = field(default_factory=dict)
    options: Defaults = field(default_factory=dict)  # of externs, likewise
    visible: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # by path of the file
    loading: list[str] = field(default_factory=list)
    fractions: dict[str, set[str]] = field(
        default_factory=dict
    )  # by definition: parameters that are given numbers that are not whole
    missing: set[str] = field(default_factory=set)  # names that a mistake took away
    unsure: set[str] = field(
        default_factory=set
    )  # definitions whose names something that was taken away may read
    unread: dict[str, tuple[Span, str]] = field(
        default_factory=dict
    )  # by definition: where it names a model, and which, of which it reads nothing
    unmet: list[tuple[Diagnostic, tuple[Span, ...]]] = field(
        default_factory=list
    )  # lines `init` that no weight follows, with the definitions that may have one
    lossy: bool = False  # the spec itself lacks items that mistakes were found in
    used_names: dict[str, Span] = field(default_factory=dict)
    uses: dict[str, list[str]] = field(default_factory=dict)  # by path of the file
    sections: dict[str, list[tree.Weights]] = field(default_factory=dict)  # likewise

    def brought(self, visible: dict[str, str]) -> tuple[dict[str, Op], Defaults]:
        """The externs among what names mean, and what their calls may leave out."""
        found = {n: k for n, k in visible.items() if k in self.externs}
        ops = {name: self.externs[key] for name, key in found.items()}
        return ops, {name: self.options[key] for name, key in found.items()}


def gather(files: Files, file: tree.File) -> dict[str, str]:
    """Collect a file's definitions, and those of files that it uses; what its names mean."""
    path = file.span.source.path
    visible: dict[str, str] = {}
    files.visible[path] = visible
    files.loading.append(path)
    files.missing |= file.lost
    defaults = _file_defaults(files.sink, file)
    spans: dict[str, Span] = {}
    for item in file.items:
        if isinstance(item, tree.Use):
            _use(files, item, visible, spans)
        elif isinstance(item, tree.Extern):
            _extern(files, item, visible, spans)
        elif isinstance(item, tree.Weights):
            files.sections.setdefault(path, []).append(item)
        elif isinstance(item, tree.Definition):
            first = file.items[0]
            _define(files, item, defaults, visible, spans, first, file.broken)
    files.loading.pop()
    return visible


def _define(
    files: Files,
    node: tree.Definition,
    defaults: Defaults,
    visible: dict[str, str],
    spans: dict[str, Span],
    first: tree.Item,
    lossy: bool,
) -> None:
    name = node.name.id
    if _taken(files.sink, name, node.name.span, spans):
        return
    key = name if name not in files.known else f"{name}@{node.span.source.path}"
    files.known[key] = Known(node, defaults, visible, node is first, lossy)
    visible[name] = key


def _extern(
    files: Files,
    node: tree.Extern,
    visible: dict[str, str],
    spans: dict[str, Span],
) -> None:
    name, path = node.name.id, node.span.source.path
    if _taken(files.sink, name, node.name.span, spans):
        return
    made = extern(node, files.sink, lambda file: _beside(file, path, files.loading[0]))
    if made is None:
        files.missing.add(name)
        return
    key = visible[name] = f"extern {name}@{path}"
    files.externs[key], files.options[key] = made, defaults_of(node)


def _beside(file: str, path: str, spec: str) -> str:
    """A file named relative to the file at `path`, relative to the spec."""
    folder = posixpath.relpath(
        posixpath.dirname(path) or ".", posixpath.dirname(spec) or "."
    )
    return posixpath.normpath(posixpath.join(folder, file))


def one_class_each(files: Files, keys: Collection[str]) -> None:
    """Of those definitions that become classes, no two have one name."""
    seen: dict[str, Span] = {}
    for name in (files.known[k].node.name for k in files.known if k in keys):
        if name.id in seen:
            files.sink.error(
                "N202",
                f"there are two definitions `{name.id}`",
                name.span,
                related=(Label(seen[name.id], "the first"),),
                help="both would become classes of one module; rename one",
            )
        seen.setdefault(name.id, name.span)


def _taken(sink: Sink, name: str, span: Span, spans: dict[str, Span]) -> bool:
    if name in RESERVED_CLASSES:
        sink.error(
            "N203",
            f"`{name}` is a name of the generated module",
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
    if not node.names:
        _every_name(files, node)
        return
    file = files.loader(node.path)
    loaded = None if file is None else load(files, node.path, file)
    if file is not None:
        user = node.span.source.path
        files.uses.setdefault(user, []).append(file.span.source.path)
    for name in node.names:
        if name.id in spans:
            if name.id not in files.missing:
                _taken(files.sink, name.id, name.span, spans)
            continue
        spans[name.id] = name.span
        files.used_names[name.id] = name.span
        if loaded is not None and name.id in loaded:
            visible[name.id] = loaded[name.id]
            continue
        files.missing.add(name.id)
        if file is not None and loaded is not None and not file.broken:
            files.sink.error(
                "N270",
                f"{called(node.path)} has no `{name.id}`",
                name.span,
                **did_you_mean(name.span, name.id, loaded),
            )


def called(path: tree.String | tree.Zoo) -> str:
    """A file, in a message."""
    return f'"{path.value}"' if isinstance(path, tree.String) else f"`{path.value}`"


def _every_name(files: Files, node: tree.Use) -> None:
    """`use * from`: the names that are used are said."""
    source, star = node.span.source, node.span.place_of("*")
    words = dict.fromkeys(re.findall(r"\b[A-Z][A-Za-z0-9]*(?=\()", source.text))
    defined = re.findall(r"(?:block|model)\s+(\w+)", source.text)
    wanted = [w for w in words if w not in MODEL_OPS and w not in defined]
    files.missing |= {*wanted, "*"}
    advice = write(star, ", ".join(wanted or ["Block"]), "name what is used")
    files.sink.error("N137", "`use` names what it brings", star, **advice)


def load(
    files: Files, place: tree.String | tree.Zoo, file: tree.File
) -> dict[str, str] | None:
    """What the names of a file mean that another one uses; None where it cannot."""
    path = file.span.source.path
    if path in files.loading:
        circle = " uses ".join([*files.loading[files.loading.index(path) :], path])
        files.sink.error(
            "N271", "these files use each other in a circle", place.span, circle
        )
        return None
    if path in files.visible:
        return files.visible[path]
    if len(files.visible) >= MAX_FILES:
        files.sink.error("N251", f"a spec uses at most {MAX_FILES} files", place.span)
        return None
    return gather(files, file)


def unused_uses(files: Files, file: tree.File) -> None:
    """Every name in a `use`, and every `extern`, is used."""
    brings = (tree.Use, tree.Extern)
    rest = (item for item in file.items if not isinstance(item, brings))
    used = {n for item in rest for n in mentioned(item)} | files.missing
    for item in file.items:
        match item:
            case tree.Use(names=names):
                _each_used(files, file, names, used, "remove it from `use`")
            case tree.Extern(name=name):
                _each_used(files, file, (name,), used, "remove it")


def _each_used(
    files: Files,
    file: tree.File,
    names: tuple[tree.Name, ...],
    used: set[str],
    help: str,
) -> None:
    for name in names:
        if name.id not in used and not file.broken:
            files.sink.error("N262", f"`{name.id}` is not used", name.span, help=help)


def _file_defaults(sink: Sink, file: tree.File) -> Defaults:
    """`defaults Linear(bias=false)`: checked as far as no call is needed."""
    defaults: Defaults = {}
    definitions = [i for i in file.items if isinstance(i, tree.Definition)]
    used = {n for i in definitions for n in (*mentioned(i), *i.lost)}
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
            **did_you_mean(call.func.span, name, MODEL_OPS),
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
            first, advice = _named_default(op, name, call, arg)
            if first is not None:
                defaults[name][first] = arg
            text = "defaults are given by name"
            sink.error("N205", text, arg.span, **advice)
        elif op.param(arg.name) is None:
            names = [p.name for p in op.params]
            sink.error(
                "N204",
                f"`{name}` has no argument `{arg.name}`",
                arg.span,
                **_option_meant(arg.name, names, arg.span),
            )
        else:
            defaults[name][arg.name] = arg


def _named_default(
    op: Op, name: str, call: tree.Call, arg: tree.Arg
) -> tuple[str | None, Advice]:
    """What a default without a name is, where it stands alone, and how it is written."""
    if len(call.args) != 1 or not op.params:
        known = ", ".join(f"`{p.name}=`" for p in op.params[:6])
        return None, {"help": f"name it: {known}"}
    switch = isinstance(arg.value, tree.Constant) and op.param("bias")
    first = "bias" if switch else op.params[0].name
    text = f"{first}={arg.span.text}"
    help = f"write `{name}({text})`"
    return first, {"help": help, "fix": Fix(arg.span, text)}


def _option_meant(name: str, known: list[str], span: Span) -> Advice:
    other = argument_names.argument(name, known)
    if other:
        return meant(span.place_of(name), other)
    takes = f"it takes {', '.join(known) or 'no arguments'}"
    return did_you_mean(span.place_of(name), name, known, takes)
