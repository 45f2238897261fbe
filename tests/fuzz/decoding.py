"""Decoding with a cache, held to the whole sequence at once."""

from __future__ import annotations

import types
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.interpreter import Program

from .builder import ModelCase
from .evaluate import evaluated
from .values import Built, check_equal, leaves, quiet

PIECES = (0, 3, 4, 6)  # a prompt, then a token, then two
STARTS = np.array([0, 2], np.int32)  # the second sequence is padded on the left


def check_decoding(
    module: types.ModuleType, made: Built, program: Program, case: ModelCase
) -> None:
    """Scores of a sequence in pieces are those of the sequence as a whole."""
    draw = np.random.default_rng(len(case.args))
    tokens = draw.integers(0, 7, (2, PIECES[-1])).astype(np.int32)

    def pieces(arrays: Any) -> Any:
        model = nnx.merge(made.graph, made.filled(arrays))
        model = nnx.view(model, deterministic=True, raise_if_not_found=False)
        decoder = module.init_cache(model, jnp.asarray(STARTS), PIECES[-1])
        parts = [
            leaves(decoder(jnp.asarray(tokens[:, a:b])))[0] for a, b in pairwise(PIECES)
        ]
        return jnp.concatenate(parts, axis=1)

    with quiet():
        got = evaluated(pieces, made.weights)
        for row, start in enumerate(STARTS):
            inputs = (tokens[row : row + 1, start:],)
            want = evaluated(whole(program, case, inputs), made.weights)
            found = got[row : row + 1, start:]
            check_equal([found], [want], "decoding, piece by piece", case)


def whole(program: Program, case: ModelCase, inputs: Any) -> Any:
    """The interpreter's scores, as a function of weights."""

    def scores(arrays: Any) -> Any:
        value = program.call(case.name, arrays, inputs, dict(case.args)).value
        return leaves(value)[0]

    return scores
