"""The imports of a module, as isort has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from ...ops.base import Origin
from .suites import WIDTH

# Where names come from that a text may use; `import ...` binds the name itself.
_STANDARD = {
    "math": "import math",
    "Callable": "collections.abc",
    "Iterable": "collections.abc",
    "Mapping": "collections.abc",
    "Sequence": "collections.abc",
    "dataclass": "dataclasses",
    "replace": "dataclasses",
    "partial": "functools",
    "Any": "typing",
    "Generic": "typing",
    "NamedTuple": "typing",
    "TypeVar": "typing",
    "TypedDict": "typing",
    "Unpack": "typing",
}
_OTHERS = {
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "optax": "import optax",
    "nnx": "flax",
}
# More of them, in modules that read checkpoints or generate.
_MORE = {
    "json": "import json",
    "os": "import os",
    "re": "import re",
    "Iterator": "collections.abc",
    "suppress": "contextlib",
    "fnmatchcase": "fnmatch",
    "chain": "itertools",
    "pairwise": "itertools",
    "Path": "pathlib",
    "token_hex": "secrets",
    "UnionType": "types",
    "Literal": "typing",
    "get_args": "typing",
    "get_origin": "typing",
    "get_type_hints": "typing",
}
_MORE_OTHERS = {"np": "import numpy as np"}
# The same in modules that bring Python code along.
_EXTERN = {
    "sys": "import sys",
    "cache": "functools",
    "module_from_spec": "importlib.util",
    "spec_from_file_location": "importlib.util",
    "Path": "pathlib",
}

Pairs = Iterable[tuple[str, str]]  # where from, and what


def imports(
    names: Set[str],
    more: bool,
    externs: Mapping[Origin, str],
    shared: Iterable[tuple[str, tuple[str, ...]]] = (),
) -> tuple[tuple[str, ...], ...]:
    """The imports of a module whose parts take these names from around them; `shared` are modules
    beside it, and what it takes from them."""
    standard, others = dict(_STANDARD), dict(_OTHERS)
    if more:
        standard, others = standard | _MORE, others | _MORE_OTHERS
    if externs:
        standard |= _EXTERN
    used = [
        [(o, n) for n, o in group.items() if n in names] for group in (standard, others)
    ]
    used[1] += [
        (o.module, _as(o.name, name)) for o, name in externs.items() if o.module
    ]
    used.append([(module, name) for module, several in shared for name in several])
    return tuple(tuple(_lines(group)) for group in used if group)


def _as(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"


def _lines(pairs: Pairs) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for origin, name in pairs:
        found.setdefault(origin, []).append(name)
    yield from sorted(o for o in found if o.startswith("import "))
    for origin in sorted(found, key=str.lower):
        if not origin.startswith("import "):
            yield _from(origin, sorted(found[origin], key=_by_type))


def _by_type(name: str) -> tuple[bool, bool, str]:
    """Constants, classes, then all else."""
    plain = name.split()[0]
    return not (plain.isupper() and len(plain) > 1), not plain[:1].isupper(), name


def _from(origin: str, names: list[str]) -> str:
    line = f"from {origin} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {origin} import (", *(f"    {n}," for n in names), ")"])
