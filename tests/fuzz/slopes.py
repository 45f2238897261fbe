"""What a function gives, and how that changes with weights and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .evaluate import evaluated

Slopes = Literal["none", "along", "all"]
Function = Callable[[Any, Any], tuple[list[Any], Mapping[Any, Any]]]
Found = tuple[list[Any], list[Any], dict[Any, Any]]  # outputs, slopes, what is kept


def with_slopes(kind: Slopes, function: Function, weights: Any, floats: Any) -> Found:
    """Outputs; perhaps slopes along one direction, or all gradients; and what is kept.

    Along a direction, in which all weights and inputs change, a pass forward is enough: it costs a
    third of one backward.
    """
    trained = [path for path in weights if path[-1] not in ("mean", "var")]
    names: list[Any] = []

    def at(arrays: list[Any], floats: Any) -> tuple[list[Any], Mapping[Any, Any]]:
        new = dict(zip(trained, arrays, strict=True))
        return function({**weights, **new}, floats)

    def whole(*point: Any) -> Any:
        outputs, slope, kept = WAYS[kind](at, point)
        names.extend(kept)
        return outputs, slope, list(kept.values())

    arrays = [weights[path] for path in trained]
    outputs, slope, kept = evaluated(whole, arrays, floats)
    return outputs, slope, dict(zip(names, kept, strict=True))


def none(at: Function, point: Any) -> Any:
    """Without slopes."""
    outputs, kept = at(*point)
    return outputs, [], kept


def along(at: Function, point: Any) -> Any:
    """How outputs change along one direction."""

    def changing(*point: Any) -> Any:
        outputs, kept = at(*point)
        order.extend(kept)
        return [o for o in outputs if is_float(o)], (outputs, list(kept.values()))

    order: list[Any] = []
    ways = jax.tree.map(direction, point)
    _, slope, (outputs, values) = jax.jvp(changing, point, ways, has_aux=True)
    return outputs, slope, dict(zip(order, values, strict=True))


def gradients(at: Function, point: Any) -> Any:
    """The gradients of a sum over the outputs."""

    def score(*point: Any) -> Any:
        outputs, kept = at(*point)
        order.extend(kept)
        seen = [jnp.sum(o * direction(o)) for o in outputs if is_float(o)]
        return jnp.asarray(sum(seen), jnp.float32), (outputs, list(kept.values()))

    order: list[Any] = []
    both = jax.value_and_grad(score, argnums=(0, 1), has_aux=True)
    (_, (outputs, values)), slope = both(*point)
    return outputs, jax.tree.leaves(slope), dict(zip(order, values, strict=True))


def direction(array: Any) -> Any:
    """A number for each of an array's, no two alike."""
    return np.cos(np.arange(array.size)).reshape(array.shape).astype(array.dtype)


def is_float(array: Any) -> bool:
    """Whether an array has slopes."""
    return jnp.issubdtype(array.dtype, jnp.floating)


WAYS: dict[Slopes, Callable[[Function, Any], Any]] = {
    "none": none, "along": along, "all": gradients,
}  # fmt: skip
