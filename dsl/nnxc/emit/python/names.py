"""Names have an owner: a spec's name is kept unless it would collide with what Python, Flax or
the module itself already means by it."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

# What generated code refers to by bare name.
MODULES = (
    "Any", "Callable", "Iterable", "Mapping", "NamedTuple", "Sequence", "dataclass", "divisible", "jax", "jnp", "math",
    "nnx", "optax", "partial", "replace",
)  # fmt: skip
# What modules that generate define besides.
GENERATE = ("TunixCall", "TunixConfig", "TunixHead", "TunixSharding", "generate")
# What all of these import.
MORE_MODULES = (
    "Iterator", "Literal", "Path", "UnionType", "chain", "fnmatchcase", "get_args",
    "get_origin", "get_type_hints", "json", "np", "os", "pairwise", "re", "token_hex",
)  # fmt: skip
# What a train makes, and what weights make, unless there are several of them.
TRAIN = (
    "trainable", "create_model", "create_optimizer", "create_ema", "create_rngs",
    "loss_fn", "train_step", "eval_step",
)  # fmt: skip
WEIGHTS = (
    *("PRETRAINED", "SETTINGS", "STORED"),
    *("load_pretrained", "read_config", "read_sampling", "save_pretrained"),
)
# What modules that bring Python code along refer to besides.
EXTERN_BUILTINS = (
    "ImportError",
    "TypeError",
    "all",
    "getattr",
    "isinstance",
    "map",
    "type",
)
EXTERN = ("Path", "cache", "module_from_spec", "spec_from_file_location", "sys")
BUILTINS = (
    "ValueError", "abs", "bool", "enumerate", "float", "int", "len", "list", "max", "min",
    "range", "reversed", "round", "self", "str", "sum", "super", "tuple", "zip",
)  # fmt: skip
# What else Python defines, which no local name hides.
SHADOWED = (
    "aiter", "all", "anext", "any", "ascii", "bin", "breakpoint", "bytearray", "bytes", "callable", "chr",
    "classmethod", "compile", "complex", "delattr", "dict", "dir", "divmod", "eval", "exec", "exit", "filter",
    "format", "frozenset", "getattr", "globals", "hasattr", "hash", "help", "hex", "id", "input", "isinstance",
    "issubclass", "iter", "license", "locals", "map", "memoryview", "next", "object", "oct", "open", "ord", "pow",
    "print", "property", "quit", "repr", "set", "setattr", "slice", "sorted", "staticmethod", "type", "vars",
)  # fmt: skip
# Axes that the field knows by one letter.
MEANINGS = {
    "B": "batch", "T": "time", "S": "source time", "H": "height", "W": "width",
    "C": "channels", "N": "nodes", "L": "length",
}  # fmt: skip
AMBIGUOUS = ("I", "O", "l")  # as ruff has it
# What `nnx.Module` defines.
ATTRIBUTES = (
    "_abc_impl", "_check_valid_context", "_check_value", "_graph_node_clear",
    "_graph_node_create_empty", "_graph_node_flatten", "_graph_node_init",
    "_graph_node_pop_key", "_graph_node_set_key", "_object__nodes", "_object__state",
    "_pytree__flatten", "_pytree__flatten_with_paths", "_pytree__has_int_keys",
    "_pytree__is_pytree", "_pytree__nodes", "_pytree__state", "_pytree__unflatten", "_setattr", "eval",
    "iter_children", "iter_modules", "perturb", "set_attributes", "sow", "train",
)  # fmt: skip


class Namespace:
    """Hands out each name once."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {*MODULES, *BUILTINS, *AMBIGUOUS, *taken}

    def give(self, *candidates: str) -> str:
        """The first free candidate, else the last with `_`, else that numbered."""
        names = [identifier(c) for c in candidates]
        for name in (*names, f"{names[-1]}_"):
            if name not in self._taken:
                self._taken.add(name)
                return name
        number = 2
        while f"{names[-1]}_{number}" in self._taken:
            number += 1
        self._taken.add(f"{names[-1]}_{number}")
        return f"{names[-1]}_{number}"

    def release(self, name: str) -> None:
        """A name is free again: the loop that it belonged to has ended."""
        self._taken.discard(name)

    def __contains__(self, name: str) -> bool:
        return name in self._taken


def fields(names: Iterable[str]) -> list[str]:
    """What the fields of a NamedTuple are called, whatever else is called so outside of it."""
    taken = {"count", "index", "jax", "list"}
    found: list[str] = []
    for name in names:
        field = identifier(name.lstrip("_") or "value")
        while field in taken:
            field += "_"
        taken.add(field)
        found.append(field)
    return found


def identifier(name: str) -> str:
    """A valid, harmless Python identifier that looks like `name`."""
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name), flags=re.ASCII)
    if not name.isidentifier() or name.startswith("__"):
        name = f"v_{name.strip('_')}"
    return f"{name}_" if keyword.iskeyword(name) else name


def axis_names(axis: str) -> tuple[str, ...]:
    """What a size may be called, its own name in lower case first."""
    meaning = MEANINGS.get(axis, f"{axis} size")
    return axis.lower(), meaning.replace(" ", "_").lower()


def snake(name: str) -> str:
    """`ConvBlock` as `conv_block`, `MLP` as `mlp`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
