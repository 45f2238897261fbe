"""Builds: specs from disk, compiled, their outputs written all together or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from difflib import unified_diff
from functools import partial

from . import files, fresh
from .diagnostics import Diagnostic
from .driver import Options, compile, options_key
from .header import Owner, owner
from .neighbours import changed_under, is_shared
from .record import Record, replace
from .specs import (
    Progress,
    display,
    file_problem,
    find_specs,
    in_order,
    named,
    read_spec,
    read_used,
    unique,
)


class BuildResult(Record):
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


class _Made(Record):
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
    if problem := _no_folder(folder):
        return BuildResult((problem,))
    if fresh.in_package(folder):
        options = replace(options, package=True)
    specs, problems = find_specs(_paths(paths))
    work = partial(_compile, out=folder, options=options)
    known = _recall(specs, folder, options, compiler) if compiler else {}
    new = [spec for spec in specs if spec not in known]
    results = in_order(work, new, jobs, progress)
    for spec, (outputs, found) in zip(new, results, strict=True):
        known[spec] = outputs
        problems += found
    made = [output for spec in specs for output in known[spec]]
    problems = [*unique(problems), *_clashes(made)]
    made = list({output.path: output for output in reversed(made)}.values())[::-1]
    made += _init(made, folder, options)
    if _failed(problems):
        return BuildResult(tuple(problems))
    if options.card and not any(output.path.endswith(".md") for output in made):
        problems += map(_no_card, specs[:1])
    if not check:
        for place in sorted({folder, *(os.path.dirname(m.path) for m in made)}):
            files.recover(place)
    result = _compare(made, problems, force) if not check else _check(made, problems)
    if result.ok and not check:
        result = _write(made, result)
    if compiler and not result.diagnostics:
        _remember([known[spec] for spec in specs], folder, options, compiler)
    return result


def _no_folder(out: str) -> Diagnostic | None:
    """The error of a file where a folder is to be: told once, not of each output."""
    there = out
    while there and not os.path.lexists(there):
        there = os.path.dirname(there)
    if not there or os.path.isdir(there):
        return None
    return unwritable(there, files.FileError(there, "is not a folder"))


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
        data = read_used(spec, name)
        inputs.append((name, fresh.digest(data)))
        return data

    with named(spec):
        output = compile(source, path=path, read=read, options=options)
    made = [
        _Made(path, os.path.join(out, name), text, tuple(inputs))
        for name, text in output.files.items()
    ]
    return made, list(output.diagnostics)


def _init(made: Sequence[_Made], out: str, options: Options) -> list[_Made]:
    """What makes a folder the package that it is to be, so that later builds know it for one."""
    path = os.path.join(out, "__init__.py")
    there = fresh.in_package(out) or path in {output.path for output in made}
    if not made or not options.package or there:
        return []
    return [_Made(made[0].spec, path, "", ())]


def _no_card(spec: str) -> Diagnostic:
    message = "no model was published, so that there is no card"
    help = "a card is about the models of `weights` sections"
    return replace(file_problem("N911", spec, message, help), severity="note")


def _clashes(made: Sequence[_Made]) -> list[Diagnostic]:
    first: dict[str, str] = {}
    problems = []
    for output in made:
        # Some file systems do not tell case apart.
        other = first.setdefault(output.path.casefold(), output.spec)
        if other != output.spec and not is_shared(output.path):
            message = f"`{output.spec}` and `{other}` both make `{output.path}`"
            help = "rename one of them, or build them into different folders"
            problems.append(file_problem("N904", output.spec, message, help))
    return problems


def _compare(
    made: Sequence[_Made], problems: Sequence[Diagnostic], force: bool
) -> BuildResult:
    written, unchanged, found = [], [], list(problems)
    paths = {output.path for output in made}
    for output in made:
        old = _existing(output.path)
        if isinstance(old, Diagnostic):
            found.append(old)
        elif old == output.text:
            unchanged.append(output.path)
        elif old is None or force:
            written.append(output.path)
        elif owner(old) is not Owner.COMPILER:
            found.append(_not_ours(output.path, old))
        elif problem := is_shared(output.path) and changed_under(output.path, paths):
            found.append(problem)
        else:
            written.append(output.path)
    if _failed(found):
        written = []
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
        help += (
            "; to keep the edits, delete its three header lines, move it, "
            "and no longer build the spec into that folder"
        )
    return file_problem("N902", path, f"`{path}` {what}", help)


def _failed(problems: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in problems)


def _recall(
    specs: Sequence[str], out: str, options: Options, compiler: str
) -> dict[str, list[_Made]]:
    """The outputs that need no compiling, by their specs."""
    entries, key = fresh.Memo(out).entries, options_key(options)
    found = {}
    held: dict[str, tuple[bytes, str]] = {}
    for spec in specs:
        known = fresh.recall(entries, spec, out, key, compiler, held)
        if known is not None:
            inputs, outputs = known
            found[spec] = [
                _Made(spec, os.path.join(out, name), data.decode(), tuple(inputs))
                for name, data in outputs.items()
            ]
    return found


def _remember(
    made: Iterable[Sequence[_Made]], out: str, options: Options, compiler: str
) -> None:
    """Keep what each spec was made into, and from what."""
    memo, key = fresh.Memo(out), options_key(options)
    for outputs in made:
        inputs = outputs[0].inputs
        digests = (fresh.digest(output.data) for output in outputs)
        same = fresh.made(compiler, key, inputs, digests)
        names = [os.path.relpath(output.path, out) for output in outputs]
        memo.remember(names, same, [name for name, _ in inputs])
    memo.write()
