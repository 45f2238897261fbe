"""Compile specs into Python files, all of them or, where anything is wrong, none."""

from __future__ import annotations

import argparse
import os

from ..driver import Options
from ..fresh import DEFAULTS, is_package
from ..make import build
from ..neighbours import no_package
from ..targets.flax import NEWEST, RELEASES
from .arguments import add_specs, folder
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_specs(parser)
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        type=folder,
        metavar="DIR",
        help="where the Python files go",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; show what a build would change, and fail if anything",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that were edited by hand"
    )
    _add_options(parser)
    _add_layout(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what changes the Python files."""
    parser.add_argument(
        "--stack",
        choices=("loop", "scan"),
        default=DEFAULTS["stack"],
        help="emit `Block(...) * n` as a loop or as one scanned block (default: loop)",
    )
    parser.add_argument(
        "--remat", action="store_true", help="recompute a stack's activations"
    )
    parser.add_argument(
        "--remat-policy",
        choices=("dots", "dots-no-batch"),
        help="recompute all but matrix products, or but those without batch axes",
    )
    parser.add_argument(
        "--attention",
        choices=("xla", "cudnn"),
        help="what computes JAX's attention (default: JAX chooses)",
    )
    parser.add_argument(
        "--interface",
        choices=("tunix",),
        help="add what a library for training calls of a language model",
    )
    parser.add_argument(
        "--target",
        choices=RELEASES,
        metavar="RELEASE",
        help=f"the release of Flax: {RELEASES[0]} to {NEWEST} (default: {NEWEST})",
    )
    parser.add_argument(
        "--no-black",
        dest="black",
        action="store_false",
        help="leave out the last formatting of the output, as modules of over 2,000 lines do",
    )


def _add_layout(parser: argparse.ArgumentParser) -> None:
    """Declare how the Python files lie beside each other."""
    parser.add_argument(
        "--package",
        metavar="NAME",
        help="the package that DIR is: modules import each other relatively "
        "(so they do where DIR has an `__init__.py`, which this writes)",
    )
    parser.add_argument(
        "--single-file",
        action="store_true",
        help="make one file for each spec that stands alone, for a notebook or a paste",
    )
    parser.add_argument(
        "--card",
        action="store_true",
        help="write a card beside the module of each published model (a spec with `weights`), "
        "NAME.md: what it is, its sizes, how it is used",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Build, and tell what was written."""
    options = Options(
        stack=args.stack,
        remat=args.remat_policy or args.remat,
        black=args.black,
        attention=args.attention,
        interface=args.interface,
        target=args.target,
        package=args.package is not None,
        single_file=args.single_file,
        card=args.card,
    )
    if args.package is not None and not is_package(args.package, args.out):
        return console.report([no_package(args.out, args.package)])
    result = build(
        args.specs,
        args.out,
        options=options,
        force=args.force,
        check=args.check,
        jobs=os.cpu_count() or 1,
        progress=console.progress,
        compiler=console.compiler,
    )
    for path in result.written:
        console.note(f"wrote {path}")
    if console.is_text:
        print(result.diff, end="")
    lists = {
        "written": result.written,
        "unchanged": result.unchanged,
        "stale": result.stale,
    }
    return console.report(result.diagnostics, lists)
