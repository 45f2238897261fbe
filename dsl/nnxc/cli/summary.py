"""Count a model's weights, operations and memory, layer by layer. Does not need JAX."""

from __future__ import annotations

import argparse

from ..instance.nodes import InstanceError
from ..report.model_summary import DEPTH, SummaryError, summarize
from ..specs import analyse_spec
from .arguments import Parser
from .console import FINDINGS, OK, Console


def add_arguments(parser: Parser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "spec", metavar="SPEC", help="a spec, or `-` for standard input"
    )
    parser.add_argument(
        "sizes",
        nargs="*",
        default=[],
        metavar="NAME=SIZE",
        help="sizes of axes and parameters, such as B=8 T=1024",
    )
    parser.add_argument(
        "--model", metavar="NAME", help="the model or block to describe"
    )
    parser.add_argument("--config", metavar="NAME", help="the config to describe it at")
    parser.add_argument(
        "--depth", type=int, default=DEPTH, help=f"of the rows shown (default: {DEPTH})"
    )
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the summary; 1 where the model cannot be built at these sizes."""
    sizes = dict(_size(word, args.parser) for word in args.sizes)
    analysis = analyse_spec(args.spec)
    if analysis.program is None:
        return console.report(analysis.diagnostics)
    try:
        summary = summarize(
            analysis.program,
            model=args.model,
            config=args.config,
            sizes=sizes,
            depth=args.depth,
        )
    except SummaryError as error:
        hint = f"; {error.help}" if error.help else ""
        args.parser.error(f"{error.message}{hint}")
    except InstanceError as error:
        args.parser.error(f"the model cannot be built at these sizes: {error}")
    print(summary.text() if console.is_text else summary.json())
    return FINDINGS if summary.failures else OK


def _size(word: str, parser: Parser) -> tuple[str, int]:
    name, _, value = word.partition("=")
    digits = value.replace("_", "")
    if not name.isidentifier() or not digits.isdecimal() or len(digits) > 18:
        parser.error(f"`{word}` is not of the form NAME=SIZE, such as B=8")
    return name, int(digits)
