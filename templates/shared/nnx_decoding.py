"""Autoregressive decoding: layers with caches, and sampling.

Layers that look back in a sequence are `Stepwise`. Once `init_cache` has given them
caches, a call of the model continues where the last one ended. `generate_tokens` pads
the prompts, fills the caches with them in one call, and samples token by token in one
`jax.jit`.
"""

from collections.abc import Callable, Iterator, Sequence
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
    """A variable that holds what decoding needs of earlier calls."""


class Limits(nnx.Module):
    """The limits of a model: token ids, positions, and tokens with logits.

    None means that there is no limit.

    Attributes:
      stepwise: the paths of the model's layers that decode with caches.
    """

    def __init__(
        self,
        model: nnx.Module | None = None,
        *,
        ids: int | None = None,
        positions: int | None = None,
        scores: int | None = None,
    ):
        self.ids, self.positions, self.scores = ids, positions, scores
        self.stepwise = tuple(path for path, _ in stepwise_layers(model))


class Stepwise(nnx.Module):
    """A layer that can process a sequence step by step, with a cache.

    Without a cache, as in training, a call is about a whole sequence. With one, it
    continues the sequences of the last call.

    Attributes:
      index: the number of entries in the cache, padding included; None without cache.
      stack: the sizes of the stacks of layers that this one is in, where layers with
        stacked weights are scanned.
    """

    index: Cache | None = None
    stack: tuple[int, ...] = ()

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        """Create an empty cache.

        Args:
          starts: where sequences start (b,); what is before is padding.
          size: the most entries that sequences have, padding included.
          dtype: the dtype of what is cached.
        """
        self.index = Cache(jnp.zeros((), jnp.int32))
        self.starts = Cache(jnp.array(starts))

    def advance(self, length: int) -> jax.Array:
        """Advance by `length` entries, and return their positions (b, length): below 0
        for padding."""
        assert self.index is not None
        indices = self.index[...] + jnp.arange(length)
        self.index[...] += length
        return indices - self.starts[...][:, None]

    def repeat_cache(self) -> None:
        """Repeat the cache for each layer of the stack."""

        def repeated(cache: jax.Array) -> jax.Array:
            return jnp.broadcast_to(cache, (*self.stack, *cache.shape))

        nnx.update(self, jax.tree.map(repeated, nnx.state(self, Cache)))

    @staticmethod
    def stacked(layers: Any, count: int) -> Any:
        """Mark the layers of a stack, so that their caches are stacked as well."""
        for _, layer in nnx.iter_modules(layers):
            if isinstance(layer, Stepwise):
                layer.stack = count, *layer.stack
        return layers


def stepwise_layers(module: Any) -> Iterator[tuple[tuple[Any, ...], Stepwise]]:
    """The layers in a module that decode with caches, and their paths."""
    if isinstance(module, nnx.Module):
        for path, layer in nnx.iter_modules(module):
            if isinstance(layer, Stepwise):
                yield path, layer


class Positions(Stepwise):
    """The positions of entries in their sequences: (b, t, ...) -> (b, t).

    Args:
      rows: those of the table in which positions are looked up.
    """

    def __init__(self, rows: int | None = None):
        self.rows = rows

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.index is None:
            if self.rows is not None and x.shape[1] > self.rows:
                raise ValueError(
                    f"{x.shape[1]} positions are more than the {self.rows} of a table"
                )
            return jnp.broadcast_to(jnp.arange(x.shape[1]), x.shape[:2])
        return jnp.maximum(self.advance(x.shape[1]), 0)


class CausalAttention(Stepwise):
    """Causal attention with a cache of keys and values.

    Args:
      kv_heads: the heads of keys and values.
      head_dim: the features of a key.
      value_dim: the features of a value, by default `head_dim`.
      window: attends only to keys at less than this distance.
      scale: multiplies the scores, by default `head_dim**-0.5`.
    """

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
        # Heads first, the layout in which matrix products read them.
        self.k = Cache(jnp.zeros((b, heads, size, d), dtype))
        self.v = Cache(jnp.zeros((b, heads, size, e), dtype))

    def __call__(self, q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        if self.index is None:
            window = None if self.window is None else (self.window - 1, 0)
            return jax.nn.dot_product_attention(
                q, k, v, scale=self.scale, is_causal=True, local_window_size=window
            )
        k, v, positions = self.update_cache(k, v)
        options: dict[str, Any] = {"causal": True, "window": self.window}
        _, mask = visibility(q.shape[1], k.shape[1], positions=positions, **options)
        return jax.nn.dot_product_attention(q, k, v, mask=mask, scale=self.scale)

    def update_cache(
        self, k: jax.Array, v: jax.Array
    ) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
        """Add new keys and values to the cache.

        Returns:
          All keys, all values, and the positions of the new queries and of all keys.
        """
        assert self.index is not None
        start = (0, 0, self.index[...], 0)
        for cache, new in ((self.k, k), (self.v, v)):
            new = new.swapaxes(1, 2).astype(cache[...].dtype)
            cache[...] = jax.lax.dynamic_update_slice(cache[...], new, start)
        queries = self.advance(k.shape[1])
        keys = jnp.arange(self.k.shape[2]) - self.starts[...][:, None]
        k, v = (c[...].swapaxes(1, 2).astype(k.dtype) for c in (self.k, self.v))
        return k, v, (queries, keys)


class ScoredAttention(CausalAttention):
    """Causal attention with a cache, and with the options of `attend`."""

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
        """Attend as this layer does; `options` are the other ones of `attend`."""
        options |= {"window": self.window, "chunk": self.chunk}
        options |= {"scale": self.scale, "softcap": self.softcap}
        return attend(q, k, v, causal=True, **options)


class SelfAttention(HeadProjections):
    """Causal multi-head attention with a cache: (b, t, d) -> (b, t, d)."""

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
    """Puts the `size` entries that precede a sequence (b, t, *shape) in front of it; at
    the start these are zeros."""

    def __init__(self, size: int, *shape: int):
        self.size, self.shape = size, shape

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        self.context = Cache(jnp.zeros((len(starts), self.size, *self.shape), dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        """The sequence with its context (b, size + t, *shape)."""
        if self.index is None:
            return jnp.pad(x, [(0, 0), (self.size, 0), *[(0, 0)] * (x.ndim - 2)])
        valid = self.advance(x.shape[1]) >= 0
        x = jnp.where(valid.reshape(*valid.shape, *[1] * (x.ndim - 2)), x, 0)
        x = jnp.concatenate([self.context[...].astype(x.dtype), x], axis=1)
        last = x[:, x.shape[1] - self.size :]
        self.context[...] = last.astype(self.context[...].dtype)
        return x


class CausalConv(nnx.Conv):
    """A causal convolution with a cache: (b, t, d) -> (b, t, features)."""

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
        (taps,), (dilation,) = map(np.atleast_1d, (window, kernel_dilation))
        self.context = LeftContext(int((taps - 1) * dilation), d)

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        return super().__call__(self.context(inputs), out_sharding)


class Shift(LeftContext):
    """Shifts a sequence by its `size`, with a cache: (b, t, *shape) -> the same."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x)[:, : x.shape[1]]


class StateSpace(Stepwise):
    """`state_space` with a cache of the state (b, heads, d, n)."""

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
    """`jax.lax.scan` over time with a cache of the carry.

    Args:
      *shapes: those of the carry's arrays, without the batch.
      dtypes: those of the carry's arrays; None is the model's.
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
        b, pairs = len(starts), zip(self.shapes, self.dtypes, strict=True)
        self.carries = nnx.List(
            [Cache(jnp.zeros((b, *shape), own or dtype)) for shape, own in pairs]
        )

    def __call__(
        self, step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any
    ) -> tuple[Any, Any]:
        if self.index is None:
            return jax.lax.scan(step, carry, xs)
        leaves, structure = jax.tree.flatten(carry)
        started = self.index[...] > 0
        leaves = [
            jnp.where(started, cache[...].astype(leaf.dtype), leaf)
            for cache, leaf in zip(self.carries, leaves, strict=True)
        ]
        carry = jax.tree.unflatten(structure, leaves)
        length = jax.tree.leaves(xs)[0].shape[0]
        valid = self.advance(length).T >= 0  # (t, b)

        def masked_step(carry: Any, entry: tuple[jax.Array, Any]) -> tuple[Any, Any]:
            valid, x = entry
            new, y = step(carry, x)

            def select(new: jax.Array, old: jax.Array) -> jax.Array:
                return jnp.where(valid.reshape(-1, *[1] * (new.ndim - 1)), new, old)

            return jax.tree.map(select, new, carry), y

        carry, ys = jax.lax.scan(masked_step, carry, (valid, xs))
        for cache, leaf in zip(self.carries, jax.tree.leaves(carry), strict=True):
            cache[...] = leaf  # which may be float32, whatever the model's dtype
        return carry, ys


def init_cache(model: Any, starts: jax.Array, size: int) -> Any:
    """Create a view of a model for decoding, with empty caches and shared weights.

    Args:
      model: the model, which stays as it is.
      starts: where sequences start (b,); what is before is padding.
      size: the most tokens that sequences have, padding included.

    Raises:
      ValueError: if the model has fewer positions, `starts` are no integers (b,), or a
        layer with a cache was replaced by one without.
    """
    check_replaced(model)
    positions = limits(model).positions
    if size < 1 or (positions is not None and size > positions):
        raise ValueError(f"size is 1 to {positions or 'any number'}, not {size}")
    if np.ndim(starts) != 1 or not np.issubdtype(starts.dtype, np.integer):
        raise ValueError(
            f"starts are whole numbers (b,), not {starts.dtype}{list(starts.shape)}"
        )
    decoder = nnx.view(
        model, deterministic=True, use_running_average=True, raise_if_not_found=False
    )
    for _, layer in stepwise_layers(decoder):
        layer.init_cache(starts, size, model.dtype)
        layer.repeat_cache()
    return decoder


def check_replaced(model: Any) -> None:
    """Raise a ValueError if a layer with a cache was replaced by one without, which
    would see no earlier tokens."""
    for path, known in nnx.iter_modules(model):
        for layer in known.stepwise if isinstance(known, Limits) else ():
            depth, part = now_at(model, (*path[:-1], *layer))
            if part is not None and not any(stepwise_layers(part)):
                name = ".".join(map(str, (*path[:-1], *layer)[:depth]))
                raise ValueError(
                    f"{name} is {type(part).__name__}, which has no cache as what it"
                    " replaced: use CausalAttention, or another Stepwise layer, in it"
                )


def now_at(model: Any, path: tuple[Any, ...]) -> tuple[int, Any]:
    """How much of a path a model has, and what is there; None if it was removed."""
    part = model
    for depth, key in enumerate(path):
        if isinstance(part, nnx.List) and isinstance(key, int):
            part = part[key] if key < len(part) else None
        elif hasattr(part, str(key)):
            part = getattr(part, str(key))
        else:
            return depth, part
        if part is None:
            break
    return len(path), part


def cache_indices(decoder: Any) -> dict[str, Any]:
    """How far each cache is, by the path of its layer."""
    return {
        ".".join(map(str, path)): layer.index.get_value()
        for path, layer in stepwise_layers(decoder)
        if layer.index is not None
    }


def sample(
    logits: jax.Array,
    key: jax.Array,
    temperature: jax.Array,
    top_p: jax.Array | None,
    top_k: int | None,
) -> jax.Array:
    """Sample a token for each row of logits; the most likely one at temperature 0."""

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
    """Set the logits of unlikely tokens to minus infinity.

    Args:
      logits: (b, vocab).
      top_p: keeps the most likely tokens that together have this probability.
      top_k: keeps so many of the most likely tokens.
    """
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
    """The state of decoding."""

    cache: nnx.State[Any, Any]
    last: jax.Array  # the last token of each sequence (b,), which is not yet cached
    key: jax.Array
    tokens: jax.Array  # those that are sampled (b, count)
    done: jax.Array  # whether each sequence has ended (b,)
    length: jax.Array  # the number of tokens that are sampled


@partial(jax.jit, static_argnames="count")
def prefill(
    model: Any, starts: jax.Array, tokens: jax.Array, key: jax.Array, *, count: int
) -> Decoding:
    """Fill the caches with prompts (b, t), except their last tokens.

    Args:
      model: the model.
      starts: where the prompts start (b,), after padding.
      tokens: the prompts.
      key: the random key for sampling.
      count: the most tokens that will be sampled.
    """
    b, t = tokens.shape
    decoder = init_cache(model, starts, t - 1 + count)
    empty = cache_indices(decoder)
    decoder(tokens[:, :-1])
    for path, index in cache_indices(decoder).items():
        if index is empty[path]:
            raise ValueError(f"{path} has a cache, but the model does not call it")
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
    """Sample until there are `until` tokens, or all sequences have ended.

    Args:
      model: the model.
      state: the state, which is donated.
      until: the number of tokens.
      stop: tokens that end a sequence.
      temperature: divides the logits; 0 takes the most likely token.
      top_p: see `filter_logits`.
      top_k: see `filter_logits`.
      logits: which of several outputs of the model are the logits.
    """
    # For its structure alone: the caches are those of the state.
    graphdef, _, *weights = nnx.split(
        init_cache(model, jnp.zeros(1, jnp.int32), 1), Cache, ...
    )

    def unfinished(state: Decoding) -> jax.Array:
        return (state.length < until) & ~state.done.all()

    def step(state: Decoding) -> Decoding:
        decoder = nnx.merge(graphdef, state.cache, *weights)
        outputs = decoder(state.last[:, None])
        last = (outputs if logits is None else outputs[logits])[:, -1]
        key, subkey = jax.random.split(state.key)
        token = sample(last.astype(jnp.float32), subkey, temperature, top_p, top_k)
        tokens = state.tokens.at[:, state.length].set(token)
        done = state.done | jnp.isin(token, stop)
        cache = nnx.state(decoder, Cache)
        return Decoding(cache, token, key, tokens, done, state.length + 1)

    return jax.lax.while_loop(unfinished, step, state)


class Sampling(TypedDict, total=False):
    """The options of `generate`: those of `SamplingOptions`, as keywords."""

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    stop: Sequence[int]
    seed: int
    on_tokens: Callable[[np.ndarray], None] | None


class SamplingOptions(NamedTuple):
    """How tokens are sampled, and how many.

    Attributes:
      max_new_tokens: the most tokens that follow a prompt.
      temperature: divides the logits; 0 takes the most likely token.
      top_k: samples from so many of the most likely tokens.
      top_p: samples from the most likely tokens that together have this probability.
      stop: tokens that end a sequence.
      seed: of the random key.
      on_tokens: called with the tokens (b,) of each step, to stream them.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    stop: Sequence[int] = ()
    seed: int = 0
    on_tokens: Callable[[np.ndarray], None] | None = None


def sampling_options(options: Sampling) -> SamplingOptions:
    """Options of `generate`, with the defaults of those that are not given.

    Raises:
      TypeError: if `generate` does not have an option.
    """
    known = SamplingOptions._fields
    if unknown := sorted(options.keys() - set(known)):
        has = ", ".join(known)
        raise TypeError(f"`generate` has no option {unknown[0]}, it has {has}")
    return SamplingOptions(**options)


def generate_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    logits: int | None = None,
    **options: Unpack[Sampling],
) -> list[list[int]]:
    """Generate the continuations of prompts.

    Args:
      model: the model.
      prompts: token ids, of any lengths.
      logits: which of several outputs of the model are the logits.
      **options: those of `SamplingOptions`.

    Returns:
      The tokens that follow each prompt, with the one that ended it.

    Raises:
      ValueError: if prompts have unknown tokens, if they would need more positions than
        the model has, or if an option is out of range.
    """
    sampling, known = sampling_options(options), limits(model)
    count, on_tokens = sampling.max_new_tokens, sampling.on_tokens
    check_options(sampling, known.scores or 1 << 31)
    check_prompts(prompts, count, known)
    if not len(prompts) or count == 0:
        return [[] for _ in prompts]
    longest = None if known.positions is None else known.positions - count
    key = jax.random.key(sampling.seed)
    state = prefill(model, *pad_prompts(prompts, longest), key, count=count)
    stop = jnp.array(sampling.stop, jnp.int32)
    temperature = jnp.float32(sampling.temperature)
    top_p = None if sampling.top_p is None else jnp.float32(sampling.top_p)
    static: dict[str, Any] = {"top_k": sampling.top_k, "logits": logits}
    for until in range(1, count + 1) if on_tokens else (count,):
        state = decode(model, state, until, stop, temperature, top_p, **static)
        if on_tokens and state.length == until:
            on_tokens(np.asarray(state.tokens[:, until - 1]))
    rows = np.asarray(state.tokens[:, : int(state.length)]).tolist()
    return [up_to_stop(row, sampling.stop) for row in rows]


def pad_prompts(
    prompts: Sequence[Sequence[int]], longest: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Pad prompts on the left.

    All but their last tokens are padded to a power of two, so that few lengths are
    compiled, but not beyond `longest` tokens in total.

    Returns:
      Where the prompts start (b,), and their tokens (b, t).
    """
    lengths = np.array([len(prompt) for prompt in prompts])
    width = 1 + (1 << int(max(lengths.max() - 2, 0)).bit_length())
    width = width if longest is None else min(width, longest)
    tokens = np.zeros((len(prompts), width), np.int32)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[width - len(prompt) :] = prompt
    return (width - lengths).astype(np.int32), tokens


def up_to_stop(row: list[int], stop: Sequence[int]) -> list[int]:
    """The tokens up to the first of `stop`, which is included."""
    ends = [i for i, token in enumerate(row) if token in stop]
    return row[: ends[0] + 1] if ends else row


def limits(model: Any) -> Limits:
    """The limits of a model: the least of those that its layers have."""
    parts = [m for _, m in nnx.iter_modules(model) if isinstance(m, Limits)]

    def least(name: str) -> int | None:
        sizes = [getattr(part, name) for part in parts]
        return min((size for size in sizes if size is not None), default=None)

    return Limits(
        ids=least("ids"), positions=least("positions"), scores=least("scores")
    )


def check_prompts(prompts: Sequence[Sequence[int]], new: int, known: Limits) -> None:
    """Raise a ValueError if a prompt is empty, has unknown tokens, or leaves too few
    positions for `new` ones."""
    ids, positions = known.ids, known.positions
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
        if positions is not None and len(tokens) + new > positions:
            raise ValueError(
                f"a prompt and what follows have up to {positions} tokens,"
                f" not {len(tokens)} and {new} new ones"
            )


def check_options(sampling: SamplingOptions, scores: int) -> None:
    """Raise a ValueError if an option is out of range; `scores` tokens have logits."""

    def is_below(value: Any, end: int) -> bool:
        return isinstance(value, int | np.integer) and 0 <= int(value) < end

    count, top_k, top_p = sampling.max_new_tokens, sampling.top_k, sampling.top_p
    if not is_below(count, 1 << 31):
        raise ValueError(f"max_new_tokens is a whole number, 0 or more, not {count}")
    if not 0 <= sampling.temperature < float("inf"):
        raise ValueError(f"temperature is 0 or more, not {sampling.temperature}")
    if top_k is not None and not is_below(top_k - 1, scores):
        raise ValueError(f"top_k is 1 to {scores}, or None, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is above 0 and at most 1, or None, not {top_p}")
    for token in sampling.stop:
        if not is_below(token, scores):
            raise ValueError(f"tokens of stop are 0 to {scores - 1}, not {token}")
