"""Llama's greedy decoding in pure JAX, as one would write it by hand for speed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

Params = dict[str, Any]
Cache = list[tuple[jax.Array, jax.Array]]
EPS, THETA = 1e-5, 10_000.0


def load(folder: Path, layers: int) -> Params:
    """The weights of a published Llama, matrices as (in, out)."""
    tensors = load_file(folder / "model.safetensors")

    def layer(i: int) -> Params:
        stem = f"model.layers.{i}."
        own = {k.removeprefix(stem): v for k, v in tensors.items() if stem in k}
        named = {k.split(".")[-2]: v for k, v in own.items()}
        return {k: jnp.asarray(v.T if v.ndim > 1 else v) for k, v in named.items()}

    return {
        "embed": jnp.asarray(tensors["model.embed_tokens.weight"]),
        "layers": [layer(i) for i in range(layers)],
        "norm": jnp.asarray(tensors["model.norm.weight"]),
        "head": jnp.asarray(tensors["lm_head.weight"].T),
    }


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + EPS) * scale


def rotate(x: jax.Array, sin: jax.Array, cos: jax.Array) -> jax.Array:
    left, right = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([left * cos - right * sin, right * cos + left * sin], -1)


def forward(
    params: Params, cache: Cache, tokens: jax.Array, start: jax.Array | int, heads: int
) -> tuple[jax.Array, Cache]:
    """Scores of the token after these (b, t), which begin at `start`; keys are (b, h, s, d)."""
    x = params["embed"][tokens]
    b, t, d = x.shape
    dim, size = d // heads, cache[0][0].shape[2]
    at = start + jnp.arange(t)
    angles = at[:, None] * THETA ** (-jnp.arange(dim // 2) / (dim // 2))
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    seen = jnp.arange(size) <= at[:, None]

    def split(y: jax.Array) -> jax.Array:
        return y.reshape(b, t, heads, dim).swapaxes(1, 2)

    new = []
    for p, (keys, values) in zip(params["layers"], cache, strict=True):
        y = norm(x, p["input_layernorm"])
        q, k, v = (split(y @ p[name]) for name in ("q_proj", "k_proj", "v_proj"))
        q, k = rotate(q, sin, cos), rotate(k, sin, cos)
        keys = jax.lax.dynamic_update_slice_in_dim(keys, k, start, 2)
        values = jax.lax.dynamic_update_slice_in_dim(values, v, start, 2)
        new.append((keys, values))
        scores = jnp.einsum("bhtd,bhsd->bhts", q, keys) / dim**0.5
        chances = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
        y = jnp.einsum("bhts,bhsd->bhtd", chances, values).swapaxes(1, 2)
        x = x + y.reshape(b, t, d) @ p["o_proj"]
        y = norm(x, p["post_attention_layernorm"])
        y = jax.nn.silu(y @ p["gate_proj"]) * (y @ p["up_proj"])
        x = x + y @ p["down_proj"]
    return norm(x[:, -1], params["norm"]) @ params["head"], new


@partial(jax.jit, static_argnames=("heads", "size"))
def prefill(
    params: Params, prompts: jax.Array, *, heads: int, size: int
) -> tuple[jax.Array, Cache]:
    """The first token of each (b,), and a cache of prompts (b, t)."""
    b, d = len(prompts), params["embed"].shape[1]
    empty = jnp.zeros((b, heads, size, d // heads))
    cache = [(empty, empty) for _ in params["layers"]]
    logits, cache = forward(params, cache, prompts, 0, heads)
    return jnp.argmax(logits, -1), cache


@partial(jax.jit, static_argnames=("heads", "start", "more"))
def decode(
    params: Params, cache: Cache, first: jax.Array, *, heads: int, start: int, more: int
) -> jax.Array:
    """So many tokens (b, more), of which the first is there."""

    def step(i: jax.Array, state: tuple[jax.Array, Cache]) -> tuple[jax.Array, Cache]:
        tokens, cache = state
        last = jax.lax.dynamic_slice_in_dim(tokens, i - 1, 1, axis=1)
        logits, cache = forward(params, cache, last, start + i - 1, heads)
        return tokens.at[:, i].set(jnp.argmax(logits, -1)), cache

    tokens = jnp.zeros((len(first), more), jnp.int32).at[:, 0].set(first)
    made: jax.Array = jax.lax.fori_loop(1, more, step, (tokens, cache))[0]
    return made


def generator(folder: Path, layers: int, heads: int) -> Callable[..., np.ndarray]:
    """Prompts (b, t) and a number of tokens to what follows the prompts."""
    params = load(folder, layers)

    def generate(prompts: np.ndarray, more: int) -> np.ndarray:
        width = prompts.shape[1]
        first, cache = prefill(params, prompts, heads=heads, size=width + more)
        made = decode(params, cache, first, heads=heads, start=width, more=more)
        return np.asarray(made)

    return generate
