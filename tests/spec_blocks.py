"""The language reference as data: the nnx blocks of Markdown pages, with what they promise.

A ```` ```nnx ```` block compiles clean but for the lines that end in `# error: N301`. What cannot
carry a comment says so in the info string: `nnx error=N112@3` (line 3), `nnx error=N130` (any line).
`nnx file=blocks.nnx` gives the following blocks of its section a file to `use`. A comment
`# revealed: [B, T, d]` is the type of the value assigned or returned on its line. What no text
can show is said too: `encoding=latin-1`, `times=50000` (the text repeated), `append=00` (bytes);
and `interface=tunix` or `target=0.12.4`, how the block is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ERROR = re.compile(r"#\s*error:\s*(N\d{3}(?:\s*,\s*N\d{3})*)\s*$")
REVEALED = re.compile(r"#\s*revealed:\s*(.+?)\s*$")
SETTING = re.compile(r"(\w+)=(\S+)")
INFO = re.compile(r"error=(N\d{3})(?:@(\d+))?")
FENCE = re.compile(r"^(`{3,})(.*)$")
HEADING = re.compile(r"^#+\s+(.*)$")
CODE = re.compile(r"^(N\d{3})\b")


@dataclass(frozen=True)
class Block:
    """One fenced spec, where it stands, and what it promises."""

    page: str
    line: int
    section: str
    text: str
    errors: tuple[tuple[str, int | None], ...]  # code and line, counted from 1
    files: dict[str, str] = field(hash=False)
    info: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it is there for others to use."""
        return "file" in self.said

    @property
    def said(self) -> dict[str, str]:
        """What the info string sets."""
        return dict(SETTING.findall(self.info))

    @property
    def data(self) -> bytes:
        """The file that the block stands for."""
        said = self.said
        text = self.text * int(said.get("times", 1))
        return text.encode(said.get("encoding", "utf-8")) + bytes.fromhex(
            said.get("append", "")
        )

    @property
    def interface(self) -> str | None:
        """The interface that the block is built for."""
        return self.said.get("interface")

    @property
    def target(self) -> str | None:
        """The release of Flax that the block is built for."""
        return self.said.get("target")

    @property
    def id(self) -> str:
        """A name for test listings."""
        return f"{self.page}:{self.line}"

    @property
    def code(self) -> str | None:
        """The diagnostic that the section is about."""
        found = CODE.match(self.section)
        return found[1] if found else None

    @property
    def revealed(self) -> list[tuple[int, str]]:
        """Lines with the types that they promise."""
        return [
            (number, found[1])
            for number, line in enumerate(self.text.splitlines(), 1)
            if (found := REVEALED.search(line))
        ]


def blocks(path: Path) -> list[Block]:
    """Every nnx block of a page, in order."""
    return list(_blocks(path.name, path.read_text(encoding="utf-8")))


def _blocks(page: str, text: str) -> Iterator[Block]:
    section, files = "", dict[str, str]()
    for line, kind, value, info in _parts(text):
        if kind == "heading":
            section, files = value, {}
            continue
        block = Block(
            page, line, section, value, _errors(value, info), dict(files), info
        )
        yield block
        if block.is_file:
            files[block.said["file"]] = value


def _errors(text: str, info: str) -> tuple[tuple[str, int | None], ...]:
    written = [
        (code.strip(), number)
        for number, line in enumerate(text.splitlines(), 1)
        if (found := ERROR.search(line))
        for code in found[1].split(",")
    ]
    said = [(code, int(at) if at else None) for code, at in INFO.findall(info)]
    return (*written, *said)


def _parts(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Headings and nnx blocks with their lines."""
    fence, info, start, body = "", "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1] == fence and not mark[2].strip():
                if info.split()[:1] == ["nnx"]:
                    yield start, "block", "\n".join([*body, ""]), info
                fence = ""
            else:
                body.append(line)
        elif mark:
            fence, info, start, body = mark[1], mark[2], number, []
        elif heading := HEADING.match(line):
            yield number, "heading", heading[1], ""
