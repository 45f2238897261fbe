"""Greedy decoding as it is meant: the whole sequence again for every token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
    return [
        _follow(program, model, weights, list(prompt), max_new_tokens, args)
        for prompt in prompts
    ]


def _follow(
    program: Program, model: str, weights: Any, tokens: list[int], count: int, args: Any
) -> list[int]:
    start = len(tokens)
    for _ in range(count):
        value = program.call(model, weights, (jnp.array([tokens]),), args).value
        tokens.append(int(scores(value)[0, -1].argmax()))
    return tokens[start:]


def scores(value: Any) -> Any:
    """The output that scores tokens: the one named `logits`, else the first of three axes."""
    if isinstance(value, dict) and "logits" in value:
        return value["logits"]
    parts = value.values() if isinstance(value, dict) else value
    parts = parts if isinstance(value, dict | tuple) else (value,)
    return next(p for p in parts if getattr(p, "ndim", 0) == 3)
