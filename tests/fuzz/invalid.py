"""What must hold of any bytes."""

from __future__ import annotations

import nnxc
from nnxc.codes import CODES

from .laws import SECONDS, holds, time_limit
from .safe import check_safe


def check_any(data: bytes) -> bool:
    """Holds any bytes to what no spec may do; returns whether they were refused."""
    with time_limit(SECONDS):
        output = nnxc.compile(data, path="spec.nnx", options=nnxc.Options(black=False))
    for diagnostic in output.diagnostics:
        check_diagnostic(diagnostic)
    holds(bool(output.files) == output.ok, "files exactly where there are no errors")
    for text in output.files.values():
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
