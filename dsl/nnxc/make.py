"""Builds: specs from disk, compiled, their outputs written all together or not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from difflib import unified_diff
from functools import partial
from typing import TypeVar

from . import files, fresh
from .diagnostics import Diagnostic, Label, closest
from .driver import Analysis, Options, analyse, compile
from .header import Owner, owner
from .source import Source, Span

Progress = Callable[[int, int], None]
T = TypeVar("T")

MANY = 16  # specs from which on a pool of processes pays


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build did. Paths of outputs, in the order of the specs.

    `stale` and `diff` are those of a check, which writes nothing.
    """

    diagnostics: tuple[Diagnostic, ...]
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    diff: str = ""

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not any(d.severity == "error" for d in self.diagnostics)


@dataclass(frozen=True, slots=True)
class _Made:
    """One generated file before it is written, and the digests of what it comes from."""

    spec: str
    path: str
    text: str
    inputs: tuple[tuple[str, str], ...]

    @property
    def data(self) -> bytes:
        return self.text.encode()


def build(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    options: Options | None = None,
    force: bool = False,
    check: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
    compiler: str | None = None,
) -> BuildResult:
    """Compile specs, and the specs below folders, into the folder `out`.

    Nothing is written where anything is wrong. Files that were edited by hand are
    replaced only with `force`; with `check` nothing is written and differences are
    reported. With `compiler`, its fingerprint, the result is remembered for `is_fresh`.
    """
    options, folder = options or Options(), os.fspath(out)
    specs, problems = find_specs(_paths(paths))
    work = partial(_compile, out=folder, options=options)
    made: list[_Made] = []
    for outputs, found in in_order(work, specs, jobs, progress):
        made += outputs
        problems += found
    problems = [*unique(problems), *_clashes(made)]
    if _failed(problems):
        return BuildResult(tuple(problems))
    result = _compare(made, problems, force) if not check else _check(made, problems)
    if result.ok and not check:
        result = _write(made, result)
    if result.ok and compiler is not None:
        _remember(made, folder, options, compiler)
    return result


def find_specs(paths: Sequence[str]) -> tuple[list[str], list[Diagnostic]]:
    """The specs that the paths name, folders searched; and what is wrong with the paths."""
    specs: dict[str, None] = {}
    problems = []
    for path in paths:
        below = fresh.specs_below(path) if os.path.isdir(path) else [path]
        specs.update(dict.fromkeys(below))
        if not below:
            problems.append(
                file_problem(
                    "N905",
                    path,
                    f"there are no specs in `{path}`",
                    "a spec is a file whose name ends in `.nnx`",
                )
            )
    return list(specs), problems


def read_spec(path: str) -> bytes | Diagnostic:
    """The bytes of a spec, or why there are none."""
    try:
        return files.read(path)
    except OSError as error:
        why = files.reason(error)
        return file_problem(
            "N901", path, f"`{path}` cannot be read: {why}", _near(path)
        )


def analyse_spec(path: str) -> Analysis:
    """Read and check one spec and the files that it uses."""
    source = read_spec(path)
    if isinstance(source, Diagnostic):
        return Analysis(None, None, None, (source,), {})
    with _named(path):
        return analyse(source, path=display(path), read=partial(_read_used, path))


def check_spec(path: str) -> tuple[Diagnostic, ...]:
    """What is wrong with one spec."""
    return analyse_spec(path).diagnostics


def display(path: str) -> str:
    """How diagnostics call a spec."""
    return "<stdin>" if path == files.STDIN else path


def file_problem(code: str, path: str, message: str, help: str | None) -> Diagnostic:
    """An error about a file as a whole."""
    span = Span(Source(display(path), ""), 0, 0)
    return Diagnostic(code, message, Label(span), help=help)


def unique(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each finding once: several specs may use the file that it is in."""
    return list({d.sort_key: d for d in diagnostics}.values())


def in_order(
    work: Callable[[str], T],
    specs: Sequence[str],
    jobs: int,
    progress: Progress | None = None,
) -> Iterator[T]:
    """The result of `work` for each spec, in order.

    Many specs are shared out to several processes, and progress is told.
    """
    for done, result in enumerate(_results(work, specs, jobs), start=1):
        if progress is not None and len(specs) >= MANY:
            progress(done, len(specs))
        yield result


def _results(work: Callable[[str], T], specs: Sequence[str], jobs: int) -> Iterator[T]:
    if jobs < 2 or len(specs) < MANY or files.STDIN in specs:
        yield from map(work, specs)
        return
    from concurrent.futures import ProcessPoolExecutor

    chunk = max(1, min(16, len(specs) // (4 * jobs)))
    pool = ProcessPoolExecutor(jobs, initializer=_leave_signals_to_parent)
    try:
        yield from pool.map(work, specs, chunksize=chunk)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_signals_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def _compile(
    spec: str, out: str, options: Options
) -> tuple[list[_Made], list[Diagnostic]]:
    source = read_spec(spec)
    if isinstance(source, Diagnostic):
        return [], [source]
    path = display(spec)
    inputs = [(os.path.basename(path), fresh.digest(source))]

    def read(name: str) -> bytes:
        data = _read_used(spec, name)
        inputs.append((name, fresh.digest(data)))
        return data

    with _named(spec):
        output = compile(source, path=path, read=read, options=options)
    made = [
        _Made(path, os.path.join(out, name), text, tuple(inputs))
        for name, text in output.files.items()
    ]
    return made, list(output.diagnostics)


@contextmanager
def _named(spec: str) -> Iterator[None]:
    """Let an unexpected failure tell which spec it came with."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in compiling `{spec}`")
        raise


def _read_used(spec: str, name: str) -> bytes:
    return files.read(os.path.normpath(os.path.join(os.path.dirname(spec), name)))


def _clashes(made: Sequence[_Made]) -> list[Diagnostic]:
    first: dict[str, str] = {}
    problems = []
    for output in made:
        # Some file systems do not tell case apart.
        other = first.setdefault(output.path.casefold(), output.spec)
        if other != output.spec:
            message = f"`{output.spec}` and `{other}` both make `{output.path}`"
            help = "rename one of them, or build them into different folders"
            problems.append(file_problem("N904", output.spec, message, help))
    return problems


def _compare(
    made: Sequence[_Made], problems: Sequence[Diagnostic], force: bool
) -> BuildResult:
    written, unchanged, found = [], [], list(problems)
    for output in made:
        old = _existing(output.path)
        if isinstance(old, Diagnostic):
            found.append(old)
        elif old == output.text:
            unchanged.append(output.path)
        elif old is None or force or owner(old) is Owner.COMPILER:
            written.append(output.path)
        else:
            found.append(_not_ours(output.path, old))
    return BuildResult(tuple(found), tuple(written), tuple(unchanged))


def _check(made: Sequence[_Made], problems: Sequence[Diagnostic]) -> BuildResult:
    unchanged, stale, found, diff = [], [], list(problems), ""
    for output in made:
        old = _existing(output.path)
        if isinstance(old, Diagnostic):
            found.append(old)
        elif old == output.text:
            unchanged.append(output.path)
        else:
            stale.append(output.path)
            found.append(_stale(output, old))
            diff += difference(old, output.text, output.path)
    return BuildResult(tuple(found), (), tuple(unchanged), tuple(stale), diff)


def _existing(path: str) -> str | Diagnostic | None:
    try:
        data = files.existing(path)
    except OSError as error:
        return unwritable(path, error)
    if data is None:
        return None
    # A checkout may have changed the line ends; what is no text was not generated.
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _write(made: Sequence[_Made], result: BuildResult) -> BuildResult:
    changed = set(result.written)
    try:
        files.write_all({m.path: m.data for m in made if m.path in changed})
    except OSError as error:
        problem = unwritable(error.filename or "", error)
        return replace(result, diagnostics=(*result.diagnostics, problem), written=())
    return result


def unwritable(path: str, error: OSError) -> Diagnostic:
    """The error of a file that cannot be written; nothing was changed."""
    message = f"`{path}` cannot be written: {files.reason(error)}"
    return file_problem("N903", path, message, "nothing was changed")


def difference(old: str | None, new: str, path: str) -> str:
    """What would change in a file, as a unified diff."""
    before = [] if old is None else old.splitlines(keepends=True)
    lines = unified_diff(
        before,
        new.splitlines(keepends=True),
        "/dev/null" if old is None else path,
        path,
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )


def _stale(output: _Made, old: str | None) -> Diagnostic:
    if old is not None and owner(old) is not Owner.COMPILER:
        return _not_ours(output.path, old)
    what = "is missing" if old is None else "is not what the spec gives"
    message = f"`{output.path}` {what}"
    return file_problem("N906", output.path, message, f"build `{output.spec}` again")


def _not_ours(path: str, text: str) -> Diagnostic:
    edited = owner(text) is Owner.EDITED
    what = "was edited by hand" if edited else "was not generated by nnxc"
    help = "move it away, or pass `--force` to replace it"
    if edited:
        help += "; to keep the edits, delete the file's three header lines"
    return file_problem("N902", path, f"`{path}` {what}", help)


def _failed(problems: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in problems)


def _near(path: str) -> str | None:
    folder, name = os.path.split(path)
    try:
        names = [n for n in os.listdir(folder or ".") if n.endswith(fresh.SUFFIX)]
    except (OSError, ValueError):
        return None
    near = closest(name, names)
    return f"did you mean `{os.path.join(folder, near)}`?" if near else None


def _remember(made: Sequence[_Made], out: str, options: Options, compiler: str) -> None:
    record, key = fresh.Record(out), fresh.options_key(asdict(options))
    for output in made:
        name, *uses = (name for name, _ in output.inputs)
        same = fresh.made(compiler, key, output.inputs, output.data)
        fields = [os.path.basename(output.path), same, *uses]
        record.entries[name] = fields
    record.write()
