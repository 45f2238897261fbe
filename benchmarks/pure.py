"""The measured models by hand: dicts of arrays, `jax.jit`, donation; no Flax in a step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

Params = dict[str, Any]
Step = Callable[..., Any]


def stepper(loss_fn: Callable[..., Any], tx: Any, params: Params, key: Any) -> Step:
    """A step that keeps its state between calls, as a training loop does."""

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(params: Params, state: Any, key: Any, *batch: jax.Array) -> Any:
        key, now = jax.random.split(key)
        grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
        result, grads = grad_fn(params, now, *batch)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state, key, result

    held = [params, tx.init(params), key]

    def step(*batch: Any) -> Any:
        *held[:], result = update(*held, *batch)
        return result

    return step


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(losses)


# ------------------------------------------------------------------------- MLP


def dense(layer: Any) -> Params:
    """The arrays of a Linear, copied: the hand-written step donates its own."""
    copied = {"w": jnp.array(layer.kernel[...], copy=True)}
    if layer.bias is not None:
        copied["b"] = jnp.array(layer.bias[...], copy=True)
    return copied


def dropout(x: jax.Array, key: jax.Array, rate: float = 0.3) -> jax.Array:
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def mlp_loss(params: Params, key: Any, image: jax.Array, label: jax.Array) -> Any:
    x = image.reshape(image.shape[0], 64)
    for layer, now in zip(params["hidden"], jax.random.split(key), strict=True):
        x = dropout(jax.nn.relu(x @ layer["w"] + layer["b"]), now)
    logits = x @ params["head"]["w"] + params["head"]["b"]
    accuracy = (jnp.argmax(logits, axis=-1) == label).mean()
    return cross_entropy(logits, label), {"accuracy": accuracy}


def mlp(model: Any) -> Step:
    """The step of `digits_mlp`."""
    params = {
        "hidden": [dense(model.hidden1), dense(model.hidden2)],
        "head": dense(model.head),
    }
    return stepper(mlp_loss, optax.adam(1e-3), params, jax.random.key(0))


# ------------------------------------------------------------------------- GPT


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6) * scale


def attention(p: Params, x: jax.Array) -> jax.Array:
    q, k, v = (jnp.einsum("btd,dhk->bthk", x, p[n]) for n in ("query", "key", "value"))
    y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
    return jnp.einsum("bthk,hkd->btd", y, p["out"])


def gpt_loss(params: Params, key: Any, tokens: jax.Array) -> Any:
    inputs, labels = tokens[:, :-1], tokens[:, 1:]
    x = params["embed"][inputs] + params["positions"][: inputs.shape[1]]
    for p in params["blocks"]:
        x = x + attention(p, norm(x, p["norm1"]))
        x = x + jax.nn.gelu(norm(x, p["norm2"]) @ p["up"]) @ p["down"]
    logits = norm(x, params["norm"]) @ params["head"]
    return cross_entropy(logits, labels), {}


def gpt(model: Any) -> Step:
    """The step of `char_gpt`."""

    def array(variable: Any) -> jax.Array:
        return jnp.array(variable[...], copy=True)

    params = {
        "embed": array(model.embed.embedding),
        "positions": array(model.positions.embedding),
        "blocks": [
            {
                "norm1": array(b.norm1.scale),
                **{
                    n: array(getattr(b.attention, n).kernel)
                    for n in ("query", "key", "value", "out")
                },
                "norm2": array(b.norm2.scale),
                "up": array(b.up.kernel),
                "down": array(b.down.kernel),
            }
            for b in model.blocks
        ],
        "norm": array(model.norm.scale),
        "head": array(model.head.kernel),
    }
    schedule = optax.warmup_cosine_decay_schedule(0.0, 3e-3, 50, 1000)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.1)
    )
    return stepper(gpt_loss, tx, params, jax.random.key(0))
