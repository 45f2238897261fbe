"""The language reference runs: each block of tests/spec/*.md compiles, or is refused as marked."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from spec_blocks import Block, blocks

import nnxc
from nnxc.codes import CODES
from nnxc.driver import analyse
from nnxc.ir import Assign, Definition, For, If, Return, Scan, Stmt

PAGES = sorted((Path(__file__).parent / "spec").glob("*.md"))
BLOCKS = [block for page in PAGES for block in blocks(page)]
EVERY = pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.id)


def reader(block: Block):
    """Reads the files that a block may use."""
    return lambda name: block.files[name].encode()


@EVERY
def test_a_block_is_accepted_or_refused_as_marked(block: Block) -> None:
    options = nnxc.Options(interface=block.interface, target=block.target)
    output = nnxc.compile(
        block.data, path="spec.nnx", read=reader(block), options=options
    )
    found = [
        (d.code, d.primary.span.source.position(d.primary.span.start)[0])
        for d in output.diagnostics
    ]
    anywhere = {code for code, line in block.errors if line is None}
    found = [(c, None if c in anywhere else line) for c, line in found]
    assert sorted(found, key=str) == sorted(block.errors, key=str), "\n".join(
        f"{d.code} line {d.primary.span.source.position(d.primary.span.start)[0]}: "
        f"{d.message}"
        for d in output.diagnostics
    )
    assert bool(output.files) == (not block.errors)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.revealed], ids=lambda b: b.id)
def test_revealed_types(block: Block) -> None:
    program = analyse(block.text, path="spec.nnx", read=reader(block)).program
    assert program is not None
    types = defaultdict(set)
    for definition in program.definitions:
        for line, type in typed_lines(definition):
            types[line].add(type)
    for line, promised in block.revealed:
        assert promised in types[line], (block.page, block.line + line, types[line])


def typed_lines(definition: Definition):
    """Lines of assignments and returns, with the types of their values."""

    def walk(body: tuple[Stmt, ...]):
        for statement in body:
            match statement:
                case Assign(_, value, span):
                    yield last_line(span), shown(value.type)
                case Return(values, span):
                    yield last_line(span), ", ".join(shown(v.type) for v in values)
                case For(body=inner) | Scan(body=inner):
                    yield from walk(inner)
                case If(then=then, orelse=orelse):
                    yield from walk(then + orelse)

    yield from walk(definition.body)


def last_line(span) -> int:
    return span.source.position(span.end)[0]


def shown(type) -> str:
    return ", ".join(map(shown, type)) if isinstance(type, tuple) else str(type)


def test_there_are_pages() -> None:
    assert BLOCKS


# Of these, which are about outputs, folders and options, no spec is an example.
OF_FILES = {
    "N902",
    "N903",
    "N904",
    "N905",
    "N906",
    "N907",
    "N908",
    "N909",
    "N910",
    "N911",
}


@pytest.mark.parametrize("code", sorted(CODES.keys() - OF_FILES))
def test_every_code_is_explained(code: str) -> None:
    own = [b for b in BLOCKS if b.code == code and not b.is_file]
    wrong = [b for b in own if any(c == code for c, _ in b.errors)]
    repaired = [b for b in own if not b.errors]
    assert wrong, f"no wrong example of {code}"
    assert repaired, f"no repair of {code}"


def test_the_compiler_reports_known_codes_only() -> None:
    sources = (Path(nnxc.__file__).parent).rglob("*.py")
    used = {c for p in sources for c in re.findall(r'"(N\d{3})"', p.read_text("utf-8"))}
    assert used == set(CODES)


def test_pages_name_known_codes_only() -> None:
    used = {code for b in BLOCKS for code, _ in b.errors}
    used |= {b.code for b in BLOCKS if b.code}
    assert used <= set(CODES)


PAGE = """
# Title

Prose, and other languages:

```python
x = 1
```

## N301: shapes

```nnx file=parts.nnx
block A:
```

```nnx
use A from "parts.nnx"
x = 1  # error: N301, N302
y = 2  # revealed: [B, 3]
```

```nnx error=N112@1 encoding=latin-1 append=00
é
```

## Another

```nnx
x = 1
```
"""


def test_pages_are_read_as_described(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    file, marked, said, other = blocks(path)
    assert (file.is_file, file.code, file.id) == (True, "N301", "page.md:12")
    assert marked.files == {"parts.nnx": "block A:\n"} and not marked.is_file
    assert marked.errors == (("N301", 2), ("N302", 2))
    assert marked.revealed == [(3, "[B, 3]")]
    assert said.errors == (("N112", 1),) and said.data == b"\xe9\n\x00"
    assert (other.code, other.files, other.errors) == (None, {}, ())
