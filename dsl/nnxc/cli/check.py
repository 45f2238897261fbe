"""Report what is wrong with specs. Writes nothing."""

from __future__ import annotations

import argparse
import os

from ..specs import check_spec, find_specs, in_order, unique
from .arguments import add_specs
from .console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_specs(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Check every spec."""
    specs, found = find_specs(args.specs)
    jobs = os.cpu_count() or 1
    for diagnostics in in_order(check_spec, specs, jobs, console.progress):
        found += diagnostics
    return console.report(unique(found))
