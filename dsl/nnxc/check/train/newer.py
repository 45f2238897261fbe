"""Settings of a train that came with a later release of Flax than the one asked for."""

from __future__ import annotations

from ...diagnostics import Sink
from ...syntax import tree
from ...targets.flax import lacking


def too_new(file: tree.File, release: str, sink: Sink) -> None:
    """Report the settings that a release is too early for."""
    lacks = {setting.name: setting for setting in lacking(release)}
    for item in file.items:
        if not isinstance(item, tree.Train):
            continue
        for stmt in item.body:
            match stmt:
                case tree.Assign((tree.Name(name, place),)) if name in lacks:
                    since, what = lacks[name].since, lacks[name].what
                    sink.error(
                        "N521",
                        f"Flax {release} has no `{what}`",
                        place,
                        f"it came with {since}",
                        help=f"leave it out, or build for Flax {since} or later",
                    )
