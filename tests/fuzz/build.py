"""Generated text as a module, and its models."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import jax.numpy as jnp
from flax import nnx

from ..importing import from_text
from .builder import ModelCase


def loaded(text: str) -> types.ModuleType:
    """Generated text as a module, beside the Python files of this folder."""
    return from_text(text, Path(__file__).parent)


@contextmanager
def unfilled() -> Iterator[None]:
    """Weights are zeros: tracing how they are drawn takes longer than all else of a model."""

    def zeros(key: Any, shape: Any = (), dtype: Any = float, *_: Any, **__: Any) -> Any:
        return jnp.zeros(shape, dtype)

    def between(key: Any, low: Any, high: Any, *args: Any, **named: Any) -> Any:
        return zeros(key, *args, **named)

    draws = {"normal": zeros, "uniform": zeros, "truncated_normal": between}
    key = mock.patch.object(nnx.RngStream, "__call__", lambda self: self.key[...])
    with mock.patch.multiple("jax._src.random", **draws), key:
        yield


def construct(module: types.ModuleType, case: ModelCase) -> Any:
    """The model, as its constructor wants its parameters."""
    model = getattr(module, case.name)
    rngs = "rngs" in inspect.signature(model.__init__).parameters
    streams = {"rngs": nnx.Rngs(0)} if rngs else {}
    hints = typing.get_type_hints(model.__init__)
    if "cfg" in hints:
        return model(hints["cfg"](**renamed(hints["cfg"], case.args)), **streams)
    return model(**renamed(model.__init__, case.args), **streams)


def renamed(callee: Any, args: Mapping[str, object]) -> dict[str, object]:
    """Arguments by the names that Python lets them have."""
    names = inspect.signature(callee).parameters
    return {f"{n}_" if f"{n}_" in names else n: value for n, value in args.items()}
