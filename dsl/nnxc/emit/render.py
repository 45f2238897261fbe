"""Views to text through templates, text through Black."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ..record import Record
from .nodes import WIDTH

BETWEEN = "\n\n\n"  # top-level definitions
_STRINGS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*', re.S
)
# Names to look for, as isort orders them: the standard library, then the rest.
_GROUPS = (
    (
        ("math", "import math"),
        ("Callable", "collections.abc"),
        ("Sequence", "collections.abc"),
        ("dataclass", "dataclasses"),
        ("replace", "dataclasses"),
        ("partial", "functools"),
        ("Any", "typing"),
        ("NamedTuple", "typing"),
    ),
    (
        ("jax", "import jax"),
        ("jnp", "import jax.numpy as jnp"),
        ("optax", "import optax"),
        ("nnx", "flax"),
    ),
)


# The same for modules that read checkpoints or generate.
_MORE_GROUPS = (
    (
        ("json", "import json"),
        ("math", "import math"),
        ("re", "import re"),
        ("Callable", "collections.abc"),
        ("Iterator", "collections.abc"),
        ("Sequence", "collections.abc"),
        ("dataclass", "dataclasses"),
        ("replace", "dataclasses"),
        ("fnmatchcase", "fnmatch"),
        ("partial", "functools"),
        ("Path", "pathlib"),
        ("Any", "typing"),
        ("NamedTuple", "typing"),
    ),
    (
        ("jax", "import jax"),
        ("jnp", "import jax.numpy as jnp"),
        ("np", "import numpy as np"),
        ("optax", "import optax"),
        ("nnx", "flax"),
    ),
)


def imports(code: str, more: bool = False) -> tuple[tuple[str, ...], ...]:
    """The imports that a text needs, by the names in it outside of strings and comments."""
    names = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", _without_strings(code)))
    choice = _MORE_GROUPS if more else _GROUPS
    groups = (tuple(_lines(group, names)) for group in choice)
    return tuple(g for g in groups if g)


def _lines(group: tuple[tuple[str, str], ...], names: set[str]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for name, origin in group:
        if name in names and origin.startswith("import "):
            yield origin
        elif name in names:
            found.setdefault(origin, []).append(name)
    for origin, imported in found.items():
        yield f"from {origin} import {', '.join(imported)}"


def _without_strings(code: str) -> str:
    """The text without comments and strings; what f-strings interpolate stays."""

    def keep(match: re.Match[str]) -> str:
        start = match.start()
        if start and code[start - 1] == "f":
            return " ".join(re.findall(r"\{([^{}]*)\}", match[0]))
        return " "

    return _STRINGS.sub(keep, code)


class Part(Record):
    """A top-level piece of a module. It is `done` where it is stable under Black as it stands,
    `simple` where it is as soon as its lines fit."""

    text: str
    simple: bool = False
    done: bool = False


def stable(part: Part) -> str:
    """The text as Black has it. Black is imported for what needs it only."""
    text = part.text.strip("\n")
    fits = part.simple and all(len(line) <= WIDTH for line in text.split("\n"))
    return text if part.done or fits else _blackened(text)


@lru_cache(maxsize=4096)
def _blackened(code: str) -> str:
    import black
    from black.mode import TargetVersion

    # Naming the version lets the last parameter after `*` have its comma.
    mode = black.Mode(target_versions={TargetVersion.PY311})
    return black.format_str(code, mode=mode).rstrip("\n")
