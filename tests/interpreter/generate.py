"""Greedy decoding as it is meant: the whole sequence again for every token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from .program import Program


def generate(
    program: Program,
    model: str,
    weights: Mapping[Any, Any],
    prompts: list[list[int]],
    max_new_tokens: int,
    args: Mapping[str, Any],
) -> list[list[int]]:
    """The tokens that follow each prompt, by itself."""

    @jax.jit  # once for each length
    def likeliest(tokens: jax.Array) -> jax.Array:
        value = program.call(model, weights, (tokens,), args).value
        return scores(value)[0, -1].argmax()

    return [_follow(likeliest, list(prompt), max_new_tokens) for prompt in prompts]


def _follow(likeliest: Any, tokens: list[int], count: int) -> list[int]:
    start = len(tokens)
    for _ in range(count):
        tokens.append(int(likeliest(jnp.array([tokens]))))
    return tokens[start:]


def scores(value: Any) -> Any:
    """The output that scores tokens: the one named `logits`, else the first of three axes."""
    if isinstance(value, dict) and "logits" in value:
        return value["logits"]
    parts = value.values() if isinstance(value, dict) else value
    parts = parts if isinstance(value, dict | tuple) else (value,)
    return next(p for p in parts if getattr(p, "ndim", 0) == 3)
