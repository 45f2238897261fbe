"""What must hold of any bytes."""

from __future__ import annotations

import zlib

import nnxc
from nnxc.codes import CODES

from .laws import SECONDS, holds, time_limit
from .safe import check_safe

BUILDS = (
    nnxc.Options(black=False),
    nnxc.Options(black=False, stack="scan"),
    nnxc.Options(black=False, remat="dots"),
    nnxc.Options(black=False, interface="tunix"),
)


def check_any(data: bytes) -> bool:
    """Holds any bytes to what no spec may do; returns whether they were refused."""
    options = BUILDS[zlib.crc32(data) % len(BUILDS)]
    with time_limit(SECONDS):
        output = nnxc.compile(data, path="spec.nnx", options=options)
    for diagnostic in output.diagnostics:
        check_diagnostic(diagnostic)
    holds(bool(output.files) == output.ok, "files exactly where there are no errors")
    # Shared modules are the same for all specs, and tested by themselves.
    for text in list(output.files.values())[:1]:
        check_safe(text, data.decode("utf-8", "replace"))
    return not output.ok


def check_diagnostic(diagnostic: nnxc.Diagnostic) -> None:
    """A diagnostic has a known code, a message, and a place within the file."""
    holds(diagnostic.code in CODES, "known code", diagnostic.code)
    holds(diagnostic.message.strip(), "a message", diagnostic.code)
    for label in (diagnostic.primary, *diagnostic.related):
        span = label.span
        inside = 0 <= span.start <= span.end <= len(span.source.text)
        holds(span.source.path == "spec.nnx", "a place in the file", diagnostic)
        holds(inside, "a place in the file", diagnostic)
