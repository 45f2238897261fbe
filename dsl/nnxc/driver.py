"""The façade: a spec in, generated files and diagnostics out. Pure, and safe in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import __version__, fresh
from .diagnostics import Diagnostic, Enough, Label, Sink, did_you_mean
from .emit import Options as Options
from .header import module_name, with_header, with_shared_header
from .record import Record, replace
from .source import Source, Span

if TYPE_CHECKING:
    from .ir import Program
    from .syntax import tree

    # What a program is made into: files by their names, without headers. The text names the module.
    Product = Callable[[Program, str, Options], Mapping[str, str]]

Read = Callable[[str], bytes]

ZOO = "zoo."  # begins the names of specs that ship


class Output(Record):
    """What a spec compiles to: file names with their texts; none where there are errors."""

    files: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not any(d.severity == "error" for d in self.diagnostics)


class Analysis(Record):
    """What is known of a spec before anything is emitted; `texts` are it and its uses."""

    source: Source | None
    file: tree.File | None
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]


def compile(
    source: str | bytes,
    *,
    path: str = "<spec>",
    read: Read | None = None,
    options: Options | None = None,
) -> Output:
    """Compile one spec. Mistakes of the spec come back as diagnostics, never raised.

    `path` stands in diagnostics and names the generated module. `read` gives the bytes of
    a file that the spec uses, directly or not, named relative to the spec's folder; it
    raises OSError or KeyError where it cannot. Without it a spec cannot use other files.
    """
    options = options or Options()
    analysis = analyse(source, path=path, read=read)
    if analysis.program is None:
        return Output(MappingProxyType({}), analysis.diagnostics)
    found = _option_problems(analysis, options)
    if found:
        return Output(MappingProxyType({}), (*analysis.diagnostics, *found))
    bodies: dict[str, str] = {}
    try:
        for product in PRODUCTS:
            bodies |= product(analysis.program, module_name(path), options)
    except RecursionError:
        assert analysis.source is not None
        sink = Sink()
        message = "this spec is nested too deeply"
        sink.error("N251", message, Span(analysis.source, 0, 0))
        return Output(MappingProxyType({}), (*analysis.diagnostics, *sink.diagnostics))
    parts = [__version__, options_key(options)]
    for name, text in analysis.texts.items():
        parts += (name, text)
    files = {
        name: (
            with_shared_header(body, __version__)
            if name in fresh.SHARED
            else with_header(body, path, __version__, parts)
        )
        for name, body in bodies.items()
    }
    notes = _not_scanned(analysis, options) if options.stack == "scan" else ()
    return Output(MappingProxyType(files), (*analysis.diagnostics, *notes))


def _not_scanned(analysis: Analysis, options: Options) -> tuple[Diagnostic, ...]:
    """Notes of the layers that stay in a loop, though a scan is asked for."""
    from .emit.scanned import looped

    assert analysis.program is not None and analysis.source is not None
    found = looped(analysis.program, options)
    if found is None:
        found = [(Span(analysis.source, 0, 0), "this spec has no stack of layers")]
    help = "a scan runs `Block(...) * n`, and a loop of which each iteration is such a block"
    notes = (
        Diagnostic(
            "N908", "no scan runs this", Label(span, why), help=help, severity="note"
        )
        for span, why in found
    )
    return tuple(sorted(notes, key=lambda note: note.sort_key))


def _module(program: Program, name: str, options: Options) -> Mapping[str, str]:
    from .emit import files

    return files(program, name, options)


def _card(program: Program, name: str, options: Options) -> Mapping[str, str]:
    from .emit import card

    return card(program, name, options) if options.card else {}


PRODUCTS: tuple[Product, ...] = (_module, _card)


def _option_problems(analysis: Analysis, options: Options) -> tuple[Diagnostic, ...]:
    """What keeps a sound spec from the interface or the release that is asked for."""
    sink = Sink()
    if options.interface == "tunix":
        from .check.definitions.decodable import tunix_problems

        assert analysis.program is not None and analysis.source is not None
        tunix_problems(analysis.program, Span(analysis.source, 0, 0), sink)
    if options.target is not None:
        from .check.train.newer import too_new

        assert analysis.file is not None
        too_new(analysis.file, options.target, sink)
    return sink.diagnostics


def options_key(options: Options) -> str:
    """Options as text, the same for the same choices."""
    names = type(options).__match_args__
    return fresh.options_key({name: getattr(options, name) for name in names})


def analyse(
    source: str | bytes, *, path: str = "<spec>", read: Read | None = None
) -> Analysis:
    """Parse and check one spec; `program` is None exactly where there are errors."""
    first = _analyse(source, path, read)
    if first.source is None or first.program is not None:
        return first

    def again(text: str) -> tuple[Diagnostic, ...]:
        return _analyse(text, path, read).diagnostics

    from .mending import tried

    return replace(first, diagnostics=tried(first.source, first.diagnostics, again))


def _analyse(source: str | bytes, path: str, read: Read | None) -> Analysis:
    from .check import check
    from .syntax.decode import source_from_bytes
    from .syntax.parse import parse

    sink = Sink()
    loader = _Loader(path, read, sink)
    text = source_from_bytes(path, _as_bytes(source), sink)
    if text is None:
        return Analysis(None, None, None, sink.diagnostics, {})
    file = program = None
    try:
        file = loader.files[os.path.basename(path)] = parse(text, sink)
        program = check(file, sink, loader)
    except Enough:
        pass
    except RecursionError:
        sink.error("N251", "this spec is nested too deeply", Span(text, 0, 0))
    failed = any(d.severity == "error" for d in sink.diagnostics)
    texts = {os.path.basename(path): text.text, **dict(sorted(loader.texts.items()))}
    return Analysis(text, file, None if failed else program, sink.diagnostics, texts)


def reformat(
    source: str | bytes, *, path: str = "<spec>"
) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """The spec in its one form, and what is wrong with its syntax; None where it is."""
    from .syntax.decode import source_from_bytes
    from .syntax.formatting.format import format_source

    sink = Sink()
    text = source_from_bytes(path, _as_bytes(source), sink)
    formatted = None
    with suppress(Enough):
        formatted = None if text is None else format_source(text, sink)
    failed = any(d.severity == "error" for d in sink.diagnostics)
    return None if failed else formatted, sink.diagnostics


def _as_bytes(source: str | bytes) -> bytes:
    return (
        source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    )


class _Loader:
    """Gives the checker the files that a spec uses, each read and parsed once.

    A file's name is its path relative to the folder of the spec; that of a spec that ships
    is `zoo.NAME`, and so are those of the files that it uses.
    """

    def __init__(self, path: str, read: Read | None, sink: Sink) -> None:
        self.path, self.read, self.sink = path, read, sink
        self.texts: dict[str, str] = {}
        self.files: dict[str, tree.File | None] = {}
        self.names: dict[str, str] = {}  # of sources, by their paths

    def __call__(self, path: tree.String | tree.Zoo) -> tree.File | None:
        """The file that a `use` names, or None where it cannot be had, which is reported."""
        name = self._name(path)
        if name is not None and name not in self.files:
            self.files[name] = self._load(name, path)
        return None if name is None else self.files[name]

    def _name(self, path: tree.String | tree.Zoo) -> str | None:
        """What a file is called, relative to the one that names it."""
        from .syntax import tree

        if isinstance(path, tree.Zoo):
            return path.value
        if os.path.isabs(path.value) or not path.value.isprintable():
            self._refuse(path, "a path is relative to this file")
            return None
        if not path.value.endswith(fresh.SUFFIX):
            help = "specs that ship are named without quotes: `zoo.bert`"
            help = help if path.value.startswith(ZOO) else ""
            self._refuse(path, f"a spec's name ends in `{fresh.SUFFIX}`", help)
            return None
        user = self.names.get(path.span.source.path, "")
        if _ships(user):
            return f"{ZOO}{path.value.removesuffix(fresh.SUFFIX)}"
        return os.path.normpath(os.path.join(os.path.dirname(user), path.value))

    def _load(self, name: str, path: tree.String | tree.Zoo) -> tree.File | None:
        from .syntax.decode import source_from_bytes
        from .syntax.parse import parse

        data = self._data(name, path)
        if data is None:
            return None
        beside = os.path.join(os.path.dirname(self.path), name)
        target = name if _ships(name) else os.path.normpath(beside)
        self.names[target] = name
        source = source_from_bytes(target, data, self.sink)
        if source is None:
            return None
        self.texts[name] = source.text
        return parse(source, self.sink)

    def _data(self, name: str, path: tree.String | tree.Zoo) -> bytes | None:
        if _ships(name):
            return self._shipped(name, path.span)
        if self.read is None:
            self._refuse(path, "this spec is compiled alone")
            return None
        try:
            return self.read(name)
        except (OSError, KeyError) as error:
            why = getattr(error, "strerror", None) or "no such file"
            self._refuse(path, why.lower())
        return None

    def _shipped(self, name: str, span: Span) -> bytes | None:
        from .shipped import zoo_names, zoo_spec

        data = zoo_spec(name.removeprefix(ZOO))
        if data is None:
            names = (f"{ZOO}{known}" for known in zoo_names())
            advice = did_you_mean(span, name, names, "`nnxc new --list` shows all")
            self.sink.error("N901", f"there is no `{name}`", span, **advice)
        return data

    def _refuse(self, path: tree.String | tree.Zoo, why: str, help: str = "") -> None:
        self.sink.error(
            "N901",
            f"`{path.value}` cannot be read",
            path.span,
            why,
            help=help or "name a spec by its path relative to the file that uses it",
        )


def _ships(name: str) -> bool:
    """Whether a file is one of the zoo."""
    return name.startswith(ZOO) and not name.endswith(fresh.SUFFIX)
