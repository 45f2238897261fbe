"""The losses whose gradients a reference holds, as `meta.json` words them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp

Named = Mapping[str, jax.Array]

_SQUARE = re.compile(r"mean\(out/(\S+) \*\* 2\)")
_CLASSES = re.compile(r"mean CE of out/(\S+) against labels arange\(B\) % C")
_NEXT = "mean CE of logits[:, :-1] against input_ids[:, 1:]"


def loss_of(text: str, outputs: Named, inputs: Named) -> jax.Array:
    """The sum of the terms of a text; raises ValueError for one of another form."""
    terms = [_term(term, outputs, inputs) for term in text.split(" + ")]
    return jnp.sum(jnp.stack(terms))


def _term(term: str, outputs: Named, inputs: Named) -> jax.Array:
    if match := _SQUARE.fullmatch(term):
        return jnp.mean(outputs[match[1]] ** 2)
    if match := _CLASSES.fullmatch(term):
        logits = outputs[match[1]]
        return _cross_entropy(logits, jnp.arange(len(logits)) % logits.shape[-1])
    if term == _NEXT:
        return _cross_entropy(outputs["logits"][:, :-1], inputs["input_ids"][:, 1:])
    raise ValueError(f"a loss of another form: {term}")


def _cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1)
    return -jnp.mean(chosen)
