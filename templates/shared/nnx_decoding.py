"""Text from language models: layers that keep what they have seen of a sequence, and
sampling with them.

A layer that looks back is `Stepwise`: given a cache by `init_cache`, a model goes on
where its last call ended. `generate_tokens` pads prompts, takes them in at once, and
samples one token a step under one `jax.jit`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from nnx_attention import (
    HeadProjections,
    attend,
    state_chunks,
    state_space,
    visibility,
)


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
        k, v, positions = self.update_cache(k, v)
        sizes, reach = (q.shape[1], k.shape[1]), self.window
        _, mask = visibility(*sizes, positions=positions, causal=True, window=reach)
        return jax.nn.dot_product_attention(q, k, v, mask=mask, scale=self.scale)

    def update_cache(
        self, k: jax.Array, v: jax.Array
    ) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
        """All keys and values, and where the new queries and all keys stand."""
        assert self.index is not None
        at = (0, 0, self.index[...], 0)
        for cache, new in ((self.k, k), (self.v, v)):
            new = new.swapaxes(1, 2).astype(cache[...].dtype)
            cache[...] = jax.lax.dynamic_update_slice(cache[...], new, at)
        queries = self.advance(k.shape[1])
        keys = jnp.arange(self.k.shape[2]) - self.starts[...][:, None]
        k, v = (c[...].swapaxes(1, 2).astype(k.dtype) for c in (self.k, self.v))
        return k, v, (queries, keys)


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
        self, q: jax.Array, k: jax.Array, v: jax.Array, **options: Any
    ) -> jax.Array:
        if self.index is not None:
            k, v, options["positions"] = self.update_cache(k, v)
        return self.scored(q, k, v, **options)

    def scored(
        self, q: jax.Array, k: jax.Array, v: jax.Array, **options: Any
    ) -> jax.Array:
        """Attention by this layer's scores; the options are those of `attend`."""
        options |= {"window": self.window, "chunk": self.chunk}
        options |= {"scale": self.scale, "softcap": self.softcap}
        return attend(q, k, v, causal=True, **options)


class SelfAttention(HeadProjections):
    """Multi-head attention to what came before: (b, t, d) -> (b, t, d)."""

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        **options: Any,
    ):
        super().__init__(d, heads, kv_heads=kv_heads, head_dim=head_dim, **options)
        self.attend = CausalAttention(kv_heads or heads, head_dim or d // heads)

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
        (steps,), (reach,) = map(np.atleast_1d, (window, kernel_dilation))
        self.context = LeftContext(int((steps - 1) * reach), d)

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        return super().__call__(self.context(inputs), out_sharding)


class Shift(LeftContext):
    """What stood n places before, zeros at the start: (b, t, ...) -> (b, t, ...)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x)[:, : x.shape[1]]


class StateSpace(Stepwise):
    """A state with a decay for each head: see `state_space`."""

    def __init__(self, heads: int, d: int, n: int):
        self.shape = heads, d, n

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        shape = len(starts), *self.shape
        self.state = Cache(jnp.zeros(shape, jnp.promote_types(dtype, jnp.float32)))

    def __call__(
        self, x: jax.Array, log_decay: jax.Array, b: jax.Array, c: jax.Array
    ) -> jax.Array:
        if self.index is None:
            return state_space(x, log_decay, b, c)
        valid = self.advance(x.shape[1]) >= 0
        x = jnp.where(valid[..., None, None], x, 0)
        y, self.state[...] = state_chunks(x, log_decay, b, c, self.state[...])
        return y


class Recurrence(Stepwise):
    """`jax.lax.scan` over time, with carries of (b, *shape).

    They are of the model's dtype, but for those that `dtypes` has another for.
    """

    def __init__(
        self,
        *shapes: tuple[int, ...],
        dtypes: Sequence[jax.typing.DTypeLike | None] | None = None,
    ):
        self.shapes, self.dtypes = shapes, tuple(dtypes or [None] * len(shapes))

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        b, kinds = len(starts), zip(self.shapes, self.dtypes, strict=True)
        self.carries = nnx.List(
            [Cache(jnp.zeros((b, *shape), own or dtype)) for shape, own in kinds]
        )

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


@partial(jax.jit, static_argnames="count")
def prefill(
    model: Any, starts: jax.Array, tokens: jax.Array, key: jax.Array, *, count: int
) -> Decoding:
    """Ahead of `count` tokens: the cache has the tokens (b, t) but the last, without
    scores."""
    b, t = tokens.shape
    decoder = init_cache(model, starts, t - 1 + count)
    decoder(tokens[:, :-1])
    sampled, done = jnp.zeros((b, count), jnp.int32), jnp.zeros(b, bool)
    cache = nnx.state(decoder, Cache)
    return Decoding(cache, tokens[:, -1], key, sampled, done, jnp.int32(0))


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
    """Options of `generate`, as `SamplingOptions` has them."""

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    stop: Sequence[int]
    seed: int
    on_tokens: Callable[[np.ndarray], None] | None


class SamplingOptions(NamedTuple):
    """How tokens are drawn, and how many."""

    max_new_tokens: int = 64
    temperature: float = 0.0  # 0 takes the likeliest
    top_k: int | None = None  # so many likeliest to draw from
    top_p: float | None = None  # the likeliest that have this probability together
    stop: Sequence[int] = ()  # tokens that end a sequence
    seed: int = 0
    on_tokens: Callable[[np.ndarray], None] | None = None  # gets (b,) at each step


def generate_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    logits: int | None = None,
    **options: Unpack[Sampling],
) -> list[list[int]]:
    """What follows each prompt, a token that ends it included; `SamplingOptions` has
    the options.

    Prompts are padded, for few compilations. `logits` is the place of the scores among
    several outputs of the model. Raises ValueError for tokens that the model does not
    know, more of them than it has positions for, and options out of range.
    """
    given, known = SamplingOptions(**options), limits(model)
    count, on_tokens = given.max_new_tokens, given.on_tokens
    check_options(given, known.scores or 1 << 31)
    check_prompts(prompts, count, known)
    if not len(prompts) or count == 0:
        return [[] for _ in prompts]
    most = None if known.positions is None else known.positions - count
    state = prefill(
        model, *padded(prompts, most), jax.random.key(given.seed), count=count
    )
    nucleus = None if given.top_p is None else jnp.float32(given.top_p)
    arrays = jnp.array(given.stop, jnp.int32), jnp.float32(given.temperature), nucleus
    for until in range(1, count + 1) if on_tokens else (count,):
        state = decode(model, state, until, *arrays, top_k=given.top_k, logits=logits)
        if on_tokens and state.length == until:
            on_tokens(np.asarray(state.tokens[:, until - 1]))
    rows = np.asarray(state.tokens[:, : int(state.length)]).tolist()
    return [up_to_stop(row, given.stop) for row in rows]


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


def check_options(given: SamplingOptions, scores: int) -> None:
    """A ValueError that says what is allowed, where an option is not."""

    def whole(value: Any, end: int) -> bool:
        return isinstance(value, int | np.integer) and 0 <= int(value) < end

    count, top_k, top_p = given.max_new_tokens, given.top_k, given.top_p
    if not whole(count, 1 << 31):
        raise ValueError(f"max_new_tokens is a whole number, 0 or more, not {count}")
    if not 0 <= given.temperature < float("inf"):
        raise ValueError(f"temperature is 0 or more, not {given.temperature}")
    if top_k is not None and not whole(top_k - 1, scores):
        raise ValueError(f"top_k is 1 to {scores}, or None, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is above 0 and at most 1, or None, not {top_p}")
    for token in given.stop:
        if not whole(token, scores):
            raise ValueError(f"tokens of stop are 0 to {scores - 1}, not {token}")
