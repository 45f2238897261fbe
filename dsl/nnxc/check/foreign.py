"""What other libraries call things, and what is written here instead."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from ..syntax import tree

_MODULES: Final = frozenset(
    [
        "torch",
        "nn",
        "F",
        "np",
        "numpy",
        "jnp",
        "jax",
        "nnx",
        "flax",
        "tf",
        "keras",
        "math",
        "optax",
    ]
)
_ARGUMENTS: Final = {
    "alpha": "negative_slope",
    "dim": "axis",
    "dims": "axis",
    "embedding_dim": "d",
    "epsilon": "eps",
    "features": "out",
    "kernel_size": "window",
    "keepdim": "keepdims",
    "n_heads": "heads",
    "num_embeddings": "vocab",
    "num_groups": "groups",
    "num_heads": "heads",
    "out_channels": "features",
    "out_features": "out",
    "p": "rate",
    "strides": "stride",
}
_RESHAPE: Final = "a shape after an arrow re-lays out: `x -> [B, 4 * d]`"
_FILLED: Final = "write the shape: `{name}([B, d])`"
_NAMES: Final = {
    "Lambda": "a function stands after an arrow by its name",
    "Sequential": "arrows chain layers: `x -> f -> g`",
    "cross_attention": "give an `Attention` its `context`",
    "full_like": _FILLED.format(name="full"),
    "gather": "`take_along_axis`, `take`, or an index: `x[ids]`",
    "index_add": "`segment_sum` adds rows by ids",
    "index_select": "an index selects: `x[ids]`",
    "l2_normalize": "divide by `norm(x, axis=-1, keepdims=true)`",
    "masked_fill": "`where(mask, x, y)` chooses",
    "normalize": "divide by `norm(x, axis=-1, keepdims=true)`",
    "ones_like": _FILLED.format(name="ones"),
    "outputs": "values are returned: `return x`",
    "reshape": _RESHAPE,
    "scatter": "`segment_sum` adds rows by ids",
    "scatter_add": "`segment_sum` adds rows by ids",
    "view": _RESHAPE,
    "vmap": "`each=E` in a construction makes a copy for every entry of an axis",
    "zeros_like": _FILLED.format(name="zeros"),
}
_PARTS: Final = {
    "T": "write `x -> swapaxes(-1, -2)`",
    "dtype": "`astype(x, float)` converts",
    "ndim": "the axes are in the shape of the input",
    "permute": "`rearrange` moves axes by name",
    "reshape": _RESHAPE,
    "shape": "sizes have names, in the shape of an input: `B`",
    "size": "sizes have names, in the shape of an input: `B`",
    "unsqueeze": "`none` in an index adds an axis: `x[:, none]`",
    "view": _RESHAPE,
}


def argument(name: str, known: Iterable[str]) -> str | None:
    """What an argument of another library is called here."""
    return next((n for n in known if n == _ARGUMENTS.get(name)), None)


def named(node: tree.Name, parent: tree.Expr | None) -> str | None:
    """Help for a name that others have: a module, or a function that is written otherwise."""
    if node.id in _MODULES and isinstance(parent, tree.Attribute):
        return f"functions and layers stand by themselves: `{parent.name}`"
    return _NAMES.get(node.id)


def part(name: str, functions: Container[str]) -> str | None:
    """Help for what tensors have as attributes elsewhere."""
    if name in _PARTS:
        return _PARTS[name]
    return f"write `x -> {name}`" if name in functions else None
