"""The command `nnxc`. A build with nothing to do ends before anything is imported."""

from __future__ import annotations

import sys

from . import fresh


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        compiler: str | None = fresh.fingerprint()
    except OSError:
        compiler = None
    if compiler is not None and fresh.is_fresh(words, compiler):
        return 0
    try:
        from .cli.app import run

        return run(words, compiler)
    except KeyboardInterrupt:
        print("nnxc: interrupted; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
