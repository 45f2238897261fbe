"""Specs on disk: found, read, and worked through, one after the other or all at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from . import files, fresh
from .diagnostics import Diagnostic, Label, closest
from .driver import Analysis, Options, analyse, compile
from .source import Source, Span

Progress = Callable[[int, int], None]
T = TypeVar("T")

MANY = 16  # specs from which on a pool of processes pays


def find_specs(paths: Sequence[str]) -> tuple[list[str], list[Diagnostic]]:
    """The specs that the paths name, folders searched; and what is wrong with the paths."""
    specs: dict[str, str] = {}  # by the file, as they were named first
    problems = []
    for path in paths:
        below = fresh.specs_below(path) if os.path.isdir(path) else [path]
        for spec in below:
            specs.setdefault(_file(spec), spec)
        if not below:
            problems.append(
                file_problem(
                    "N905",
                    path,
                    f"there are no specs in `{path}`",
                    "a spec is a file whose name ends in `.nnx`",
                )
            )
    return list(specs.values()), problems


def _file(path: str) -> str:
    """The file that a path leads to: `link/..` is not always the folder of `link`."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


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
    with named(path):
        return analyse(source, path=display(path), read=partial(read_used, path))


def check_spec(path: str) -> tuple[Diagnostic, ...]:
    """What is wrong with one spec: all of a build but its files."""
    source = read_spec(path)
    if isinstance(source, Diagnostic):
        return (source,)
    read, options = partial(read_used, path), Options(black=False)
    with named(path):
        return compile(
            source, path=display(path), read=read, options=options
        ).diagnostics


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
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Not by fork: who embeds the compiler may have threads (JAX has), and would deadlock.
    clean = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if clean else "spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_end_quietly)
    try:
        with files.undisturbed():  # a process that has not begun yet has no quiet end
            results = pool.map(work, specs, chunksize=4)
        yield from results
    finally:
        pool.shutdown(cancel_futures=True)


def _end_quietly() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


@contextmanager
def named(spec: str) -> Iterator[None]:
    """Let an unexpected failure tell which spec it came with."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in compiling `{spec}`")
        raise


def read_used(spec: str, name: str) -> bytes:
    """The bytes of a file that a spec uses, named relative to the spec's folder."""
    return files.read(os.path.join(os.path.dirname(spec), name))


def _near(path: str) -> str | None:
    folder, name = os.path.split(path)
    try:
        names = [n for n in os.listdir(folder or ".") if n.endswith(fresh.SUFFIX)]
    except (OSError, ValueError):
        return None
    near = closest(name, names)
    return f"did you mean `{os.path.join(folder, near)}`?" if near else None
