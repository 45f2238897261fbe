"""Decoding with a cache, and calls by Tunix, held to the whole sequence at once."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.interpreter import Program

from .build import renamed
from .builder import ModelCase
from .evaluate import evaluated
from .laws import holds
from .values import Built, apart, check_equal, leaves, quiet

PIECES = (0, 3, 4, 6)  # a prompt, then a token, then two
LENGTH = PIECES[-1]
STARTS = np.array([0, 2], np.int32)  # the second sequence is padded on the left


def check_decoding(
    module: types.ModuleType, made: Built, program: Program, case: ModelCase
) -> None:
    """Scores of a sequence in pieces are those of the sequence as a whole."""

    def pieces(model: Any, tokens: Any) -> Any:
        decoder = module.init_cache(model, jnp.asarray(STARTS), LENGTH)
        parts = [
            leaves(decoder(jnp.asarray(tokens[:, a:b])))[0] for a, b in pairwise(PIECES)
        ]
        return jnp.concatenate(parts, axis=1)

    check_scores(pieces, made, program, case, "decoding, piece by piece")


def check_tunix(module: types.ModuleType, program: Program, case: ModelCase) -> None:
    """Scores with positions and a mask from outside are those of the sequence as a whole."""
    kind = getattr(module, f"Tunix{case.name}")
    cfg = typing.get_type_hints(kind.__init__)["cfg"]
    try:
        made = apart(lambda: kind(cfg(**renamed(cfg, case.args)), rngs=nnx.Rngs(0)))
    except ValueError as error:
        holds("attention" in str(error), "a model for Tunix", error)
        return  # where a condition leaves its attention out
    there = np.arange(LENGTH) >= STARTS[:, None]
    at = np.maximum(np.cumsum(there, axis=1) - 1, 0)
    mask = np.tril(np.ones((LENGTH, LENGTH), bool)) & there[:, None]

    def called(model: Any, tokens: Any) -> Any:
        scores, _ = model(*map(jnp.asarray, (tokens, at)), None, jnp.asarray(mask))
        return scores

    check_scores(called, made, program, case, "a call by Tunix")


def check_scores(
    scores: Callable[[Any, Any], Any],
    made: Built,
    program: Program,
    case: ModelCase,
    law: str,
) -> None:
    """Scores of sequences, one of them padded, are those of each by itself."""
    draw = np.random.default_rng(len(case.args))
    tokens = draw.integers(0, 7, (2, LENGTH)).astype(np.int32)

    def ours(arrays: Any) -> Any:
        model = nnx.merge(made.graph, made.filled(arrays))
        model = nnx.view(model, deterministic=True, raise_if_not_found=False)
        return scores(model, tokens)

    with quiet():
        got = evaluated(ours, made.weights)
        for row, start in enumerate(STARTS):
            inputs = (tokens[row : row + 1, start:],)
            want = evaluated(whole(program, case, inputs), made.weights)
            check_equal([got[row : row + 1, start:]], [want], law, case)


def whole(program: Program, case: ModelCase, inputs: Any) -> Any:
    """The interpreter's scores, as a function of weights."""

    def scores(arrays: Any) -> Any:
        value = program.call(case.name, arrays, inputs, dict(case.args)).value
        return leaves(value)[0]

    return scores
