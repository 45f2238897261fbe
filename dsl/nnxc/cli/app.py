"""The command `nnxc`: finds the subcommand, runs it, and ends quietly when told to."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn, TextIO

from .. import __version__, files
from .arguments import EXIT_CODES, Parser, add_format, prepare_streams
from .console import USAGE, Console

COMMANDS = {
    "build": "compile specs into Python files",
    "check": "report what is wrong with specs, write nothing",
    "fmt": "write specs in their one form",
    "explain": "tell what a diagnostic's code means",
    "summary": "count a model's weights and operations",
    "new": "start a spec from one that ships with nnxc",
}


def run(words: Sequence[str], compiler: str | None = None) -> int:
    """Run the command and return its exit code.

    `compiler` is the compiler's fingerprint; with it, builds are remembered.
    """
    _end_on_terminate()
    try:
        prepare_streams()
        code = _dispatch(words, compiler)
        sys.stdout.flush()
        return code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else USAGE
    except KeyboardInterrupt:
        _tell_interrupted()
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _discard(sys.stdout)
        return 128 + 13
    except OSError as error:
        _discard(sys.stdout)
        try:
            print(f"nnxc: output: {error.strerror or error}", file=sys.stderr)
        except OSError:
            _discard(sys.stderr)
        return USAGE
    except Exception:
        import traceback

        traceback.print_exc()
        print("nnxc: this is a bug in nnxc; please report it", file=sys.stderr)
        return USAGE


def _tell_interrupted() -> None:
    """Say what an interrupted command has left."""
    line = "\r\033[K" if sys.stderr.isatty() else ""  # over the progress
    left = "all was written before" if files.written else "nothing was written"
    with suppress(OSError):
        print(f"{line}nnxc: interrupted; {left}", file=sys.stderr)


def _discard(stream: TextIO) -> None:
    """The interpreter flushes once more at its end; give it where to."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _dispatch(words: Sequence[str], compiler: str | None) -> int:
    top = _top_parser().parse_args(list(words))
    command = import_module(f".{top.command}", __package__)
    parser = Parser(f"nnxc {top.command}", command.__doc__ or "")
    add_format(parser)
    command.add_arguments(parser)
    args = parser.read(top.arguments)
    format = getattr(args, "format", getattr(top, "format", "text"))
    code: int = command.run(args, Console(format, compiler))
    return code


def _top_parser() -> Parser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    parser = Parser(
        "nnxc",
        "Compile model specs (.nnx) to Flax NNX modules and train steps.",
        f"commands:\n{listed}\n\n{EXIT_CODES}",
    )
    parser.add_argument("--version", action="version", version=f"nnxc {__version__}")
    add_format(parser)
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    rest = parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS
    )
    rest.required = False  # Python 3.11 would ask for it beside COMMAND
    return parser


def _end_on_terminate() -> None:
    """Make a request to end unwind the stack, so that nothing half-written stays."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    with suppress(ValueError):  # signals are the business of the main thread
        signal.signal(signal.SIGTERM, end)
