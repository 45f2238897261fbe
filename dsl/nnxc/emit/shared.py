"""The modules that generated ones share: what a program needs of them, and their text.

They are plain Python under `templates/shared/`, the same whatever is built with them. A module
imports what it uses of them; a single file that stands alone has those definitions in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache

from .. import ir
from ..record import Record
from .entries import helpers_of
from .options import Options
from .python.free_names import free_names, names_of
from .render import BETWEEN, Part, parsed
from .templates import source_of

LAYERS, FUNCTIONS, LOSSES = "nnx_layers", "nnx_functions", "nnx_losses"
ATTENTION, DECODING, TRAINING = "nnx_attention", "nnx_decoding", "nnx_training"
CHECKPOINTS, CONFIGS, ADAPTERS = "nnx_checkpoints", "nnx_configs", "nnx_adapters"
EXPERTS, GENERATION = "nnx_experts", "nnx_generation"
# Those of helpers: of their names, a module has those that it uses.
LIBRARY = (LAYERS, FUNCTIONS, LOSSES, ATTENTION, EXPERTS)
# Those that import no more than models do.
PLAIN = frozenset([LAYERS, FUNCTIONS, LOSSES, TRAINING])
# What users call, whatever the module itself does.
_PUBLIC = {TRAINING: {"Trainer", "evaluate"}, ADAPTERS: {"merge_adapters"}}


class Definition(Record):
    """A top-level piece of a shared module, and the names that it gives."""

    text: str
    names: frozenset[str]


def modules_of(program: ir.Program) -> tuple[str, ...]:
    """The shared modules that a program needs, each after those that it imports."""
    adapted = any(train.adapters for train in program.trains)
    helpers = {helper.name for helper in helpers_of(program)}
    decoding = {generated.model for generated in program.generates}
    read = {section.model for section in program.weights if section.reads}
    needed = {
        **{name: not helpers.isdisjoint(names_in(name)) for name in LIBRARY},
        TRAINING: bool(program.trains),
        DECODING: bool(decoding),
        CHECKPOINTS: bool(program.weights) or adapted,
        CONFIGS: bool(read),
        GENERATION: not read.isdisjoint(decoding),
        ADAPTERS: adapted,
    }
    needed[ATTENTION] |= bool(decoding)
    needed[FUNCTIONS] |= bool(read)  # which are read by their names
    return tuple(name for name, is_needed in needed.items() if is_needed)


def names_in(module: str) -> frozenset[str]:
    """The names that a shared module defines."""
    return frozenset().union(*(d.names for d in _definitions(module)))


@cache
def value_of(module: str, name: str) -> ast.expr:
    """What a shared module defines a name as."""
    (text,) = (d.text for d in _definitions(module) if name in d.names)
    for node in parsed(text).body:
        match node:
            case ast.Assign([ast.Name(found)], value) if found == name:
                return value
            case ast.AnnAssign(ast.Name(found), _, ast.expr() as value) if (
                found == name
            ):
                return value
    raise AssertionError(name)


def shared_text(module: str, package: bool) -> str:
    """A shared module as a file; in a package it imports the others as its neighbours."""
    text = source_of(f"shared/{module}.py")
    return text.replace("\nfrom nnx_", "\nfrom .nnx_") if package else text


def imported(
    modules: Sequence[str], parts: Iterable[Part], others: Set[str], options: Options
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What parts of a module import from shared ones: where from, and the names. `others` come
    from elsewhere."""
    texts = [part.text for part in parts]
    used = names_of(texts).difference(others, *map(_defined, texts))
    for module in sorted(modules):
        if names := used & names_in(module):
            yield f".{module}" if options.package else module, tuple(names)


def inlined(
    modules: Sequence[str], parts: Sequence[Part], others: Set[str]
) -> list[Part]:
    """Parts that stand alone: what they use of shared modules is put before its first use."""
    whole = list(parts)
    for module in reversed(modules):
        texts = [part.text for part in whole]
        own = frozenset(others).union(*map(_defined, texts))
        wanted = {*(names_of(texts) - own), *_PUBLIC.get(module, ())}
        chosen = _needed(_definitions(module), wanted)
        names = frozenset().union(*(d.names for d in chosen)) - own
        uses = (i for i, text in enumerate(texts) if names & free_names(text))
        first = next(uses, len(whole))
        whole[first:first] = [Part(d.text, done=True) for d in chosen]
    return whole


def _needed(definitions: Sequence[Definition], wanted: set[str]) -> list[Definition]:
    """The definitions of these names, and of all that they use."""
    chosen: list[Definition] = []
    while more := [d for d in definitions if d not in chosen and d.names & wanted]:
        chosen += more
        wanted |= names_of(d.text for d in more)
    return [d for d in definitions if d in chosen]


@cache
def _definitions(module: str) -> tuple[Definition, ...]:
    _, *texts = source_of(f"shared/{module}.py").strip("\n").split(BETWEEN)
    return tuple(Definition(text, _defined(text)) for text in texts)


def _defined(text: str) -> frozenset[str]:
    """The names that the statements of a text bind at its top level."""
    words = (line.split(" ", 2) for line in text.split("\n") if line[:1].isalpha())
    found = set[str]()
    for first, *rest in words:
        if first in ("class", "def"):
            found.add(rest[0].partition("(")[0].partition(":")[0])
        elif rest and (rest[0] == "=" or first.endswith(":")):
            found.add(first.rstrip(":"))
    return frozenset(found)
