"""Write specs in their one form. A spec with syntax errors is left as it is."""

from __future__ import annotations

import argparse
import os
import sys

from .. import files
from ..diagnostics import Diagnostic
from ..driver import reformat
from ..make import difference, unwritable
from ..specs import display, file_problem, find_specs, read_spec
from .arguments import add_specs
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_specs(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a spec is not in that form",
    )
    parser.add_argument(
        "--diff", action="store_true", help="write nothing; show what would change"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Format every spec; of those that are right, all are written or none."""
    specs, found = find_specs(args.specs)
    changed: dict[str, bytes] = {}
    for spec in specs:
        before = read_spec(spec)
        if isinstance(before, Diagnostic):
            found.append(before)
            continue
        text, problems = reformat(before, path=display(spec))
        found += problems
        if text is None:
            continue
        if spec == files.STDIN and not (args.check or args.diff):
            _put(text)
        elif text.encode() != before:
            changed[spec] = text.encode()
            found += _unformatted(spec) if args.check else ()
            if args.diff:
                _put(difference(before.decode("utf-8-sig"), text, display(spec)))
    if not (args.check or args.diff):
        found += _write(changed, console)
    return console.report(found)


def _put(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())


def _unformatted(spec: str) -> list[Diagnostic]:
    path = display(spec)
    help = "`nnxc fmt` writes it so; `--diff` shows how"
    return [file_problem("N907", path, f"`{path}` is not formatted", help)]


def _write(changed: dict[str, bytes], console: Console) -> list[Diagnostic]:
    # What a symbolic link leads to is formatted, the link stays.
    contents = {os.path.realpath(spec): data for spec, data in changed.items()}
    try:
        files.write_all(contents)
    except OSError as error:
        return [unwritable(error.filename or "", error)]
    for spec in changed:
        console.note(f"formatted {spec}")
    return []
