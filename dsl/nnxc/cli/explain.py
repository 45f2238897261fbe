"""Tell what a diagnostic's code means, with a wrong spec and its repair."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from ..codes import CODES
from ..shipped import shipped
from .arguments import suggestion
from .console import OK, USAGE, Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "code",
        nargs="?",
        metavar="CODE",
        help="such as N301; without it, all are listed",
    )
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the page of a code, or the list of codes."""
    if args.code is None:
        for code, title in sorted(CODES.items()):
            print(f"{code}  {title}")
        return OK
    code = args.code.upper()
    if code not in CODES:
        hint = suggestion(code, list(CODES)) or "; `nnxc explain` lists all codes"
        args.parser.error(f"unknown code `{args.code}`{hint}")
        return USAGE
    print(page(code) or f"## {code}: {CODES[code]}\n", end="")
    return OK


def page(code: str) -> str | None:
    """The section of the language reference on a code, or None."""
    for file in sorted(shipped("spec"), key=lambda file: file.name):
        if file.name.endswith(".md"):
            for section in _sections(file.read_text("utf-8")):
                if re.match(rf"## {code}\b", section):
                    return section.rstrip() + "\n"
    return None


def _sections(text: str) -> Iterator[str]:
    """The text cut before each heading, fenced blocks being no place for headings."""
    section: list[str] = []
    fenced = False
    for line in text.splitlines(keepends=True):
        if line.startswith("```"):
            fenced = not fenced
        if not fenced and re.match(r"##? ", line):
            yield "".join(section)
            section = []
        section.append(line)
    yield "".join(section)
