"""Stages that score texts: log-probabilities of tokens, values of a critic."""

from __future__ import annotations

import inspect
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from tunix.rl import common, utils

from .installed import Missing, part
from .specs import Make

PROMPTS = jnp.array([[0, 4, 5], [6, 7, 8]])
ANSWERS = jnp.array([[5, 6, 0], [7, 8, 9]])
SPECIAL = {"pad_id": 0, "eos_id": 2}


def _scores(model: Any, prompts: Any, answers: Any, **options: Any) -> np.ndarray:
    graph, state = nnx.split(model)
    found = common.compute_per_token_logps(
        graph, state, prompts, answers, **SPECIAL, **options
    )
    return np.array(found)


def logps(make: Make) -> None:
    """Log-probabilities of answers: padding on either side changes nothing."""
    model = make()
    found = _scores(model, PROMPTS, ANSWERS)
    alone = _scores(model, PROMPTS[:1, 1:], ANSWERS[:1, :2])
    np.testing.assert_allclose(found[:1, :2], alone, atol=1e-4)


def chunked_logps(make: Make) -> None:
    """The same, with a head that is applied to a few tokens at a time."""
    if "chunk_size" not in inspect.signature(common.compute_per_token_logps).parameters:
        raise Missing("compute_per_token_logps(chunk_size=)")
    model = make()
    whole = _scores(model, PROMPTS, ANSWERS)
    pieces = _scores(model, PROMPTS, ANSWERS, chunk_size=2)
    np.testing.assert_allclose(pieces, whole, atol=1e-4)


def packed_logps(make: Make) -> None:
    """Two texts in one row are scored as if each stood alone."""
    model, row = make(), jnp.arange(4, 12)[None]
    segments, places = jnp.array([[1] * 4 + [2] * 4]), jnp.array([[0, 1, 2, 3] * 2])
    packed = _scores(
        model, row[:, :0], row, segment_ids=segments, segment_positions=places
    )
    alone = _scores(model, row[:, 4:5], row[:, 5:])
    np.testing.assert_allclose(packed[:, 5:], alone, atol=1e-4)


def _values(critic: Any) -> None:
    answer = jnp.array([[4, 5]])
    found = common.compute_score(critic, answer, answer, **SPECIAL)
    assert found.shape == (1, 4) and np.isfinite(found).all(), found


def critic_in_place(make: Make) -> None:
    """A critic whose head takes the place of the model's own."""
    _values(utils.create_critic_model(make()))


def critic_on_top(make: Make) -> None:
    """A critic whose head reads the hidden states that a call sows."""
    _values(part(utils, "TransformerWithScoreHead")(make(), nnx.Rngs(0)))
