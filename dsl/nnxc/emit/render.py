"""Views to text through templates, text through Black."""

from __future__ import annotations

import re
from functools import lru_cache

_STRINGS = re.compile(r'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*', re.S)
# Groups as isort has them; each entry: the name looked for, the import.
_IMPORTS = (
    (
        ("math", "import math"),
        ("Callable", "from collections.abc import Callable"),
        ("dataclass", "from dataclasses import dataclass"),
        ("partial", "from functools import partial"),
        ("Any", "from typing import Any"),
    ),
    (
        ("jax", "import jax"),
        ("jnp", "import jax.numpy as jnp"),
        ("optax", "import optax"),
        ("nnx", "from flax import nnx"),
        ("DTypeLike", "from jax.typing import DTypeLike"),
    ),
)


def imports(code: str) -> tuple[tuple[str, ...], ...]:
    """The imports that a text needs, by the names in it outside of strings and comments."""
    names = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", _without_strings(code)))
    groups = (tuple(line for name, line in g if name in names) for g in _IMPORTS)
    return tuple(g for g in groups if g)


def _without_strings(code: str) -> str:
    """The text without comments and strings; what f-strings interpolate stays."""

    def keep(match: re.Match[str]) -> str:
        start = match.start()
        if start and code[start - 1] == "f":
            return " ".join(re.findall(r"\{([^{}]*)\}", match[0]))
        return " "

    return _STRINGS.sub(keep, code)


@lru_cache(maxsize=4096)
def blackened(code: str) -> str:
    """One top-level definition (or several), as Black has it."""
    import black

    return black.format_str(code, mode=black.Mode()).rstrip("\n")
