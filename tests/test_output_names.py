"""The names in generated code: the field's own, wherever the spec does not choose them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from test_zoo import ALL

import nnxc

# Words that say what happened to a value, in place of what it is.
FORBIDDEN = frozenset(
    [
        "turned",
        "narrowed",
        "seen",
        "kept",
        "drawn",
        "likeliest",
        "heat",
        "chances",
        "upto",
        "begun",
        "going",
        "Waves",
        "Past",
        "Asked",
        "asked",
    ]
)


def names(text: str) -> Iterator[str]:
    """All names of a module: of variables, attributes, arguments, functions and classes."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(name) | ast.Attribute(attr=name) | ast.arg(name):
                yield name
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.keyword(str(name)):
                yield name


@pytest.mark.heavy
@pytest.mark.parametrize("interface", [None, "tunix"])
def test_no_output_has_words_of_our_own(interface: str | None) -> None:
    checked = 0
    for path in ALL.values():
        used = path.read_text()

        def read(name: str, folder=path.parent) -> bytes:
            nonlocal used
            used += (folder / name).read_text()
            return (folder / name).read_bytes()

        options = nnxc.Options(black=False, interface=interface)  # type: ignore[arg-type]
        for text in nnxc.compile(
            path.read_text(), read=read, options=options
        ).files.values():
            checked += 1
            own = FORBIDDEN & {*names(text)} - {*re.findall(r"\w+", used)}
            assert not own, (path.name, own)
    assert checked > (20 if interface else 100)
