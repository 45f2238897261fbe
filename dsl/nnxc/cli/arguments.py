"""Reading the command line: argparse, with suggestions for what was mistyped."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..diagnostics import closest
from ..report.formats import FORMATS

EXIT_CODES = """\
exit codes:
  0  all is well
  1  findings: errors in specs, outputs that are stale or edited, specs not formatted
  2  wrong usage, or files that cannot be read or written
"""


class Parser(argparse.ArgumentParser):
    """A parser that takes options anywhere and suggests the nearest spelling."""

    def __init__(self, prog: str, description: str, epilog: str = EXIT_CODES):
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words; exits with 2 where they are wrong."""
        found, unknown = self.parse_known_intermixed_args(list(words))
        if unknown:
            self.error(self._unknown(unknown[0]))
        return found

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected argument `{word}`"
        known = [o for action in self._actions for o in action.option_strings]
        return f"unknown option `{word}`{suggestion(word.split('=')[0], known)}"

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            what = action.metavar or action.dest
            known = [str(choice) for choice in action.choices]
            hint = f" (one of {', '.join(known)})"
            if not str(value)[:1].isdigit():  # a number is not misspelt
                hint = suggestion(str(value), known) or hint
            self.error(f"unknown {str(what).lower()} `{value}`{hint}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the usage, and exit with 2."""
        message = re.sub(r"^argument (\S+):", r"`\1`:", message)
        text = f"{self.prog}: {message}\nsee `{self.prog} --help`\n"
        self.exit(2, text)


def suggestion(word: str, known: Sequence[str]) -> str:
    """`; did you mean …?` where something known is near, else nothing."""
    near = closest(word, known)
    return f"; did you mean `{near}`?" if near else ""


def add_format(parser: argparse.ArgumentParser) -> None:
    """The option `--format`, which may stand before the command and after it."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=argparse.SUPPRESS,
        help="how to show findings; text goes to standard error, "
        "the others to standard output",
    )


def folder(text: str) -> str:
    """A folder that an option names. Raises `ArgumentTypeError` where it names none."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text names no folder")
    return text


def add_specs(parser: argparse.ArgumentParser) -> None:
    """The specs that a command is about."""
    parser.add_argument(
        "specs",
        nargs="+",
        metavar="SPEC",
        help="a spec, a folder of specs, or `-` for standard input",
    )


def prepare_streams() -> None:
    """What a terminal cannot show must not end the program."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called
            null = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, null)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
