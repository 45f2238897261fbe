"""Text from language models: layers that keep what they have seen of a sequence, and
sampling with them.

A layer that looks back is `Stepwise`: given a cache by `init_cache`, a model goes on
where its last call ended. `generate_tokens` pads prompts, takes them in at once, and
samples one token a step under one `jax.jit`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnx_attention import attend


class Cache(nnx.Variable[jax.Array]):
    """What decoding keeps from one call to the next."""


class Limits(nnx.Module):
    """How many token ids and positions there are, and how many tokens get scores."""

    def __init__(
        self,
        *,
        ids: int | None = None,
        positions: int | None = None,
        scores: int | None = None,
    ):
        self.ids, self.positions, self.scores = ids, positions, scores


class Stepwise(nnx.Module):
    """A layer that, once it has a cache, goes on where its last call ended.

    Where a scan runs over layers with stacked weights, `stack` says how many there are.
    """

    index: Cache | None = None
    stack: tuple[int, ...] = ()

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        """Begin sequences of up to `size` entries, padding before `starts`."""
        self.index = Cache(jnp.zeros((), jnp.int32))
        self.starts = Cache(jnp.array(starts))

    def advance(self, length: int) -> jax.Array:
        """Where the next entries stand: (b, length), below 0 for padding."""
        assert self.index is not None
        slots = self.index[...] + jnp.arange(length)
        self.index[...] += length
        return slots - self.starts[...][:, None]

    def repeat_cache(self) -> None:
        """Give each layer of a stack a cache like this one."""

        def repeated(cache: jax.Array) -> jax.Array:
            return jnp.broadcast_to(cache, (*self.stack, *cache.shape))

        nnx.update(self, jax.tree.map(repeated, nnx.state(self, Cache)))

    @staticmethod
    def stacked(layers: Any, count: int) -> Any:
        """The layers, of which the caches will be stacked as the weights are."""
        for _, layer in nnx.iter_modules(layers):
            if isinstance(layer, Stepwise):
                layer.stack = count, *layer.stack
        return layers


class Positions(Stepwise):
    """Where entries stand in their sequence: (b, t, ...) -> (b, t)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.index is None:
            return jnp.broadcast_to(jnp.arange(x.shape[1]), x.shape[:2])
        return jnp.maximum(self.advance(x.shape[1]), 0)


class CausalAttention(Stepwise):
    """Attention to what came before: (b, t, heads, d) over (b, t, kv_heads, d)."""

    def __init__(
        self,
        kv_heads: int,
        head_dim: int,
        *,
        value_dim: int | None = None,
        window: int | None = None,
        scale: float | None = None,
    ):
        self.widths = head_dim, value_dim or head_dim
        self.kv_heads, self.window, self.scale = kv_heads, window, scale

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        b, heads, (d, e) = len(starts), self.kv_heads, self.widths
        self.k = Cache(jnp.zeros((b, heads, size, d), dtype))  # as products read it
        self.v = Cache(jnp.zeros((b, heads, size, e), dtype))

    def __call__(self, q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        if self.index is None:
            window = None if self.window is None else (self.window - 1, 0)
            return jax.nn.dot_product_attention(
                q, k, v, scale=self.scale, is_causal=True, local_window_size=window
            )
        k, v, queries, keys = self.update_cache(k, v)
        distance = queries[:, :, None] - keys[:, None]  # (b, t, s)
        mask = (distance >= 0) & (keys >= 0)[:, None]
        if self.window is not None:
            mask &= distance < self.window
        return jax.nn.dot_product_attention(
            q, k, v, mask=mask[:, None], scale=self.scale
        )

    def update_cache(
        self, k: jax.Array, v: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """All keys and values, and where the new queries and all keys stand."""
        assert self.index is not None
        at = (0, 0, self.index[...], 0)
        for cache, new in ((self.k, k), (self.v, v)):
            new = new.swapaxes(1, 2).astype(cache[...].dtype)
            cache[...] = jax.lax.dynamic_update_slice(cache[...], new, at)
        queries = self.advance(k.shape[1])
        keys = jnp.arange(self.k.shape[2]) - self.starts[...][:, None]
        k, v = (c[...].swapaxes(1, 2).astype(k.dtype) for c in (self.k, self.v))
        return k, v, queries, keys


class ScoredAttention(CausalAttention):
    """Attention to what came before, by scores of its own kind: see `attend`."""

    def __init__(
        self,
        kv_heads: int,
        head_dim: int,
        *,
        chunk: int | None = None,
        softcap: float | None = None,
        **options: Any,
    ):
        super().__init__(kv_heads, head_dim, **options)
        self.chunk, self.softcap = chunk, softcap

    def __call__(
        self,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        *,
        slopes: jax.Array | None = None,
        sinks: jax.Array | None = None,
        segments: jax.Array | None = None,
    ) -> jax.Array:
        positions = None
        if self.index is not None:
            k, v, queries, keys = self.update_cache(k, v)
            positions = queries, keys
        return attend(
            q,
            k,
            v,
            slopes=slopes,
            sinks=sinks,
            segments=segments,
            positions=positions,
            causal=True,
            window=self.window,
            chunk=self.chunk,
            scale=self.scale,
            softcap=self.softcap,
        )


class SelfAttention(nnx.Module):
    """Multi-head attention to what came before: (b, t, d) -> (b, t, d)."""

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        kernel_init: nnx.Initializer | None = None,
        out_kernel_init: nnx.Initializer | None = None,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kv_heads = kv_heads or heads
        head_dim = head_dim or d // heads
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        project = partial(
            nnx.LinearGeneral,
            use_bias=bias,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        inner, groups = (heads, head_dim), (kv_heads, head_dim)
        self.query = project(d, inner, kernel_init=kernel_init)
        self.key = project(d, groups, kernel_init=kernel_init)
        self.value = project(d, groups, kernel_init=kernel_init)
        out_init = out_kernel_init or kernel_init
        self.out = project(inner, d, axis=(-2, -1), kernel_init=out_init)
        self.attend = CausalAttention(kv_heads, head_dim)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.attend(self.query(x), self.key(x), self.value(x)))


class LeftContext(Stepwise):
    """Keeps the last `size` entries of a sequence (b, t, *shape), zeros at first."""

    def __init__(self, size: int, *shape: int):
        self.size, self.shape = size, shape

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        self.context = Cache(jnp.zeros((len(starts), self.size, *self.shape), dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        """The sequence with what came before it in front."""
        if self.index is None:
            return jnp.pad(x, [(0, 0), (self.size, 0), *[(0, 0)] * (x.ndim - 2)])
        valid = self.advance(x.shape[1]) >= 0
        x = jnp.where(valid.reshape(*valid.shape, *[1] * (x.ndim - 2)), x, 0)
        x = jnp.concatenate([self.context[...].astype(x.dtype), x], axis=1)
        last = x[:, x.shape[1] - self.size :]
        self.context[...] = last.astype(self.context[...].dtype)
        return x


class CausalConv(nnx.Conv):
    """A convolution over time without later entries: (b, t, d) -> (b, t, features)."""

    def __init__(
        self,
        d: int,
        features: int,
        window: int | tuple[int, ...],
        *,
        kernel_dilation: int | tuple[int, ...] = 1,
        **options: Any,
    ):
        super().__init__(
            d,
            features,
            window,
            padding="VALID",
            kernel_dilation=kernel_dilation,
            **options,
        )
        (steps,) = (window,) if isinstance(window, int) else window
        (reach,) = (
            (kernel_dilation,) if isinstance(kernel_dilation, int) else kernel_dilation
        )
        self.context = LeftContext((steps - 1) * reach, d)

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        return super().__call__(self.context(inputs), out_sharding)


class Shift(LeftContext):
    """What stood n places before, zeros at the start: (b, t, ...) -> (b, t, ...)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x)[:, : x.shape[1]]


class Recurrence(Stepwise):
    """`jax.lax.scan` over time, with carries of (b, *shape)."""

    def __init__(self, *shapes: tuple[int, ...]):
        self.shapes = shapes

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        b = len(starts)
        self.carries = nnx.List([Cache(jnp.zeros((b, *s), dtype)) for s in self.shapes])

    def __call__(
        self, step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any
    ) -> tuple[Any, Any]:
        if self.index is None:
            return jax.lax.scan(step, carry, xs)
        leaves, structure = jax.tree.flatten(carry)
        started = self.index[...] > 0
        held = [
            jnp.where(started, cache[...].astype(c.dtype), c)
            for cache, c in zip(self.carries, leaves, strict=True)
        ]
        carry = jax.tree.unflatten(structure, held)
        length = jax.tree.leaves(xs)[0].shape[0]
        valid = self.advance(length).T >= 0  # (t, b)

        def masked_step(carry: Any, entry: tuple[jax.Array, Any]) -> tuple[Any, Any]:
            valid, x = entry
            new, y = step(carry, x)

            def select(new: jax.Array, old: jax.Array) -> jax.Array:
                return jnp.where(valid.reshape(-1, *[1] * (new.ndim - 1)), new, old)

            return jax.tree.map(select, new, carry), y

        carry, ys = jax.lax.scan(masked_step, carry, (valid, xs))
        for cache, c in zip(self.carries, jax.tree.leaves(carry), strict=True):
            cache[...] = c  # some are float32 whatever the model's dtype
        return carry, ys


def init_cache(model: Any, starts: jax.Array, size: int) -> Any:
    """The model at the start of sequences of up to `size` tokens, its weights shared.

    Sequences begin at `starts` (b,): what stands before is padding, on the left. Raises
    ValueError where the model has not so many positions.
    """
    most = limits(model).positions
    if size < 1 or (most is not None and size > most):
        raise ValueError(f"size is 1 to {most or 'any number'}, not {size}")
    if np.ndim(starts) != 1 or not np.issubdtype(starts.dtype, np.integer):
        raise ValueError(
            f"starts are whole numbers (b,), not {starts.dtype}{list(starts.shape)}"
        )
    decoder = nnx.view(
        model, deterministic=True, use_running_average=True, raise_if_not_found=False
    )
    for _, layer in nnx.iter_modules(decoder):
        if isinstance(layer, Stepwise):
            layer.init_cache(starts, size, model.dtype)
            layer.repeat_cache()
    return decoder


@partial(jax.jit, static_argnames="size")
def prefill(
    model: Any, starts: jax.Array, tokens: jax.Array, *, size: int
) -> nnx.State[Any, Any]:
    """The cache of `init_cache` with the tokens (b, t) in it, without scores."""
    decoder = init_cache(model, starts, size)
    decoder(tokens)
    return nnx.state(decoder, Cache)


def sample(
    logits: jax.Array,
    key: jax.Array,
    temperature: jax.Array,
    top_p: jax.Array | None,
    top_k: int | None,
) -> jax.Array:
    """A token for each row of scores; the likeliest where the temperature is 0."""

    def greedy() -> jax.Array:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)

    def categorical() -> jax.Array:
        filtered = filter_logits(logits / jnp.maximum(temperature, 1e-6), top_p, top_k)
        return jax.random.categorical(key, filtered).astype(jnp.int32)

    token: jax.Array = jax.lax.cond(temperature > 0, categorical, greedy)
    return token


def filter_logits(
    logits: jax.Array, top_p: jax.Array | None, top_k: int | None
) -> jax.Array:
    """The logits of the likeliest tokens, the others minus infinity."""
    if top_k is not None:
        threshold = jax.lax.top_k(logits, top_k)[0][:, -1:]
        logits = jnp.where(logits < threshold, -jnp.inf, logits)
    if top_p is not None:
        ordered = jnp.sort(logits, axis=-1, descending=True)
        probabilities = jax.nn.softmax(ordered)
        preceding = jnp.cumsum(probabilities, axis=-1) - probabilities
        nucleus = jnp.where(preceding < top_p, ordered, jnp.inf)
        threshold = nucleus.min(axis=-1, keepdims=True)
        logits = jnp.where(logits < threshold, -jnp.inf, logits)
    return logits


class Decoding(NamedTuple):
    """Where decoding stands: `length` of `tokens` (b, n) are there, `last` is next
    to read."""

    cache: nnx.State[Any, Any]
    last: jax.Array
    key: jax.Array
    tokens: jax.Array
    done: jax.Array
    length: jax.Array


@partial(jax.jit, static_argnames=("top_k", "logits"), donate_argnums=1)
def decode(
    model: Any,
    state: Decoding,
    until: int,
    stop: jax.Array,
    temperature: jax.Array,
    top_p: jax.Array | None,
    *,
    top_k: int | None,
    logits: int | None = None,
) -> Decoding:
    """Sample until there are so many tokens, or all sequences have stopped.

    `logits` is the place of the scores among several outputs of the model.
    """
    # The state's cache takes the place of this one.
    graphdef, _, *weights = nnx.split(
        init_cache(model, jnp.zeros(1, jnp.int32), 1), Cache, ...
    )

    def unfinished(state: Decoding) -> jax.Array:
        return (state.length < until) & ~state.done.all()

    def step(state: Decoding) -> Decoding:
        decoder = nnx.merge(graphdef, state.cache, *weights)
        outputs = decoder(state.last[:, None])
        scores = (outputs if logits is None else outputs[logits])[:, -1]
        key, subkey = jax.random.split(state.key)
        token = sample(scores.astype(jnp.float32), subkey, temperature, top_p, top_k)
        tokens = state.tokens.at[:, state.length].set(token)
        done = state.done | jnp.isin(token, stop)
        cache = nnx.state(decoder, Cache)
        return Decoding(cache, token, key, tokens, done, state.length + 1)

    return jax.lax.while_loop(unfinished, step, state)


class Sampling(TypedDict, total=False):
    """Options of sampling, as `generate_tokens` has them."""

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    stop: Sequence[int]
    seed: int
    on_tokens: Callable[[np.ndarray], None] | None


def generate_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    logits: int | None = None,
    max_new_tokens: int = 64,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: Sequence[int] = (),
    seed: int = 0,
    on_tokens: Callable[[np.ndarray], None] | None = None,
) -> list[list[int]]:
    """What follows each prompt, a token of `stop` included.

    Temperature 0 takes the likeliest token; `top_k` and `top_p` leave the likeliest to
    draw from. `on_tokens` gets the tokens (b,) of each step. Prompts are padded, for
    few compilations. `logits` is the place of the scores among several outputs of the
    model. Raises ValueError for tokens that the model does not know, more of them than
    it has positions for, and options out of range.
    """
    known = limits(model)
    check_options(known, max_new_tokens, temperature, top_k, top_p, stop)
    check_prompts(prompts, max_new_tokens, known)
    if not len(prompts) or max_new_tokens == 0:
        return [[] for _ in prompts]
    most = None if known.positions is None else known.positions - max_new_tokens
    starts, tokens = padded(prompts, most)
    size = tokens.shape[1] - 1 + max_new_tokens
    cache = prefill(model, starts, tokens[:, :-1], size=size)
    last = jnp.array(tokens[:, -1])
    empty = jnp.zeros((len(prompts), max_new_tokens), jnp.int32)
    done = jnp.zeros(len(prompts), bool)
    state = Decoding(cache, last, jax.random.key(seed), empty, done, jnp.int32(0))
    nucleus = None if top_p is None else jnp.float32(top_p)
    options = jnp.array(stop, jnp.int32), jnp.float32(temperature), nucleus
    for until in range(1, max_new_tokens + 1) if on_tokens else (max_new_tokens,):
        state = decode(model, state, until, *options, top_k=top_k, logits=logits)
        if on_tokens and state.length == until:
            on_tokens(np.asarray(state.tokens[:, until - 1]))
    rows = np.asarray(state.tokens[:, : int(state.length)]).tolist()
    return [up_to_stop(row, stop) for row in rows]


def padded(
    prompts: Sequence[Sequence[int]], most: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where prompts start (b,), and up to `most` tokens (b, t), padded on the left."""
    lengths = np.array([len(prompt) for prompt in prompts])
    width = 1 + (1 << int(max(lengths.max() - 2, 0)).bit_length())
    width = width if most is None else min(width, most)
    tokens = np.zeros((len(prompts), width), np.int32)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[width - len(prompt) :] = prompt
    return (width - lengths).astype(np.int32), tokens


def up_to_stop(row: list[int], stop: Sequence[int]) -> list[int]:
    """The tokens up to the first of `stop`."""
    ends = [at for at, token in enumerate(row) if token in stop]
    return row[: ends[0] + 1] if ends else row


def limits(model: Any) -> Limits:
    """What all tables of the model know."""
    parts = [m for _, m in nnx.iter_modules(model) if isinstance(m, Limits)]

    def least(name: str) -> int | None:
        sizes = [getattr(part, name) for part in parts]
        return min((size for size in sizes if size is not None), default=None)

    return Limits(
        ids=least("ids"), positions=least("positions"), scores=least("scores")
    )


def check_prompts(prompts: Sequence[Sequence[int]], new: int, known: Limits) -> None:
    """A ValueError for no token, one that is not known, or no place for `new` ones."""
    ids, most = known.ids, known.positions
    for prompt in prompts:
        tokens = np.asarray(prompt)
        if tokens.shape == (0,):
            raise ValueError("a prompt has no tokens")
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(f"a prompt is a list of token ids, not {prompt!r:.40}")
        if tokens.min() < 0 or (ids is not None and tokens.max() >= ids):
            last = "" if ids is None else f" to {ids - 1}"
            wrong = tokens.min() if tokens.min() < 0 else tokens.max()
            raise ValueError(f"token ids are 0{last}, a prompt has {wrong}")
        if most is not None and len(tokens) + new > most:
            raise ValueError(
                f"a prompt and what follows have up to {most} tokens,"
                f" not {len(tokens)} and {new} new ones"
            )


def check_options(
    known: Limits,
    max_new_tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    stop: Sequence[int],
) -> None:
    """A ValueError that says what is allowed, where an option is not."""
    end = known.scores or 1 << 31

    def whole(value: Any, end: int) -> bool:
        return isinstance(value, int | np.integer) and 0 <= int(value) < end

    if not whole(max_new_tokens, 1 << 31):
        raise ValueError(
            f"max_new_tokens is a whole number, 0 or more, not {max_new_tokens}"
        )
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature is 0 or more, not {temperature}")
    if top_k is not None and not whole(top_k - 1, end):
        raise ValueError(f"top_k is 1 to {end}, or None, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is above 0 and at most 1, or None, not {top_p}")
    for token in stop:
        if not whole(token, end):
            raise ValueError(f"tokens of stop are 0 to {end - 1}, not {token}")
