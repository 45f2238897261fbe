"""Bytes to text."""

from __future__ import annotations

from ..diagnostics import Sink
from ..source import Source, Span


def source_from_bytes(path: str, data: bytes, sink: Sink) -> Source | None:
    """The text of a file: UTF-8, a byte order mark skipped, line ends made `\\n`.

    None, and N101 reported, where the bytes are no UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = len(data[: error.start].decode("utf-8", "replace"))
        source = Source(path, _unify(data.decode("utf-8", "replace")))
        skipped = data[: error.start].count(b"\r\n")
        at = Span(source, before - skipped, before - skipped + 1)
        byte = data[error.start]
        help = "save the file as UTF-8"
        sink.error("N101", f"byte 0x{byte:02X} is not UTF-8", at, help=help)
        return None
    return Source(path, _unify(text))


def _unify(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
