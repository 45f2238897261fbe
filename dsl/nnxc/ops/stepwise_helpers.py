"""The Python text of layers that go on where their last call ended: see `stepwise`."""

from __future__ import annotations

from .base import Helper
from .functions.attend import ATTEND
from .layers.recurrent import GRU, LSTM, ORTHOGONAL

CACHE = Helper(
    "Cache",
    '''class Cache(nnx.Variable):
    """What decoding keeps from one call to the next."""
''',
)
KNOWN = Helper(
    "Limits",
    '''class Limits(nnx.Module):
    """What tables around know: so many token ids and positions; and how many tokens get scores."""

    def __init__(
        self,
        *,
        ids: int | None = None,
        positions: int | None = None,
        scores: int | None = None,
    ):
        self.ids, self.positions, self.scores = ids, positions, scores
''',
)
STEPWISE = Helper(
    "Stepwise",
    '''class Stepwise(nnx.Module):
    """A layer that, once it has a cache, goes on where its last call ended."""

    index: Cache | None = None

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        """Begin sequences of up to `size` entries; those before `starts` are padding."""
        self.index = Cache(jnp.zeros((), jnp.int32))
        self.starts = Cache(jnp.array(starts))

    def advance(self, length: int) -> jax.Array:
        """Where the next entries stand: (b, length), below 0 for padding."""
        assert self.index is not None
        slots = self.index[...] + jnp.arange(length)
        self.index[...] += length
        return slots - self.starts[...][:, None]
''',
    (CACHE,),
)
POSITIONS = Helper(
    "Positions",
    '''class Positions(Stepwise):
    """Where entries stand in their sequence: (b, t, ...) -> (b, t)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.index is None:
            return jnp.broadcast_to(jnp.arange(x.shape[1]), x.shape[:2])
        return jnp.maximum(self.advance(x.shape[1]), 0)
''',
    (CACHE, STEPWISE),
)
CAUSAL = Helper(
    "CausalAttention",
    '''class CausalAttention(Stepwise):
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
''',
    (CACHE, STEPWISE),
)
SCORED = Helper(
    "ScoredAttention",
    '''class ScoredAttention(CausalAttention):
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
''',
    (CACHE, STEPWISE, ATTEND, CAUSAL),
)
SELF = Helper(
    "SelfAttention",
    '''class SelfAttention(nnx.Module):
    """Multi-head attention to what came before: (b, t, d) -> (b, t, d)."""

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = True,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kv_heads = kv_heads or heads
        head_dim = head_dim or d // heads

        def project(ins, outs, axis=-1):
            return nnx.LinearGeneral(
                ins,
                outs,
                axis=axis,
                use_bias=bias,
                dtype=dtype,
                param_dtype=param_dtype,
                rngs=rngs,
            )

        self.query = project(d, (heads, head_dim))
        self.key = project(d, (kv_heads, head_dim))
        self.value = project(d, (kv_heads, head_dim))
        self.out = project((heads, head_dim), d, axis=(-2, -1))
        self.attend = CausalAttention(kv_heads, head_dim)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.attend(self.query(x), self.key(x), self.value(x)))
''',
    (CACHE, STEPWISE, CAUSAL),
)
CONTEXT = Helper(
    "LeftContext",
    '''class LeftContext(Stepwise):
    """Keeps the last entries of a sequence (b, t, *shape): `size` of them, zeros at first."""

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
''',
    (CACHE, STEPWISE),
)
CONV = Helper(
    "CausalConv",
    '''class CausalConv(nnx.Conv):
    """A convolution over time that sees no later entries: (b, t, d) -> (b, t, features)."""

    def __init__(self, d: int, features: int, window, *, kernel_dilation=1, **options):
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
''',
    (CACHE, STEPWISE, CONTEXT),
)
SHIFTED = Helper(
    "Shift",
    '''class Shift(LeftContext):
    """What stood n places before, zeros at the start: (b, t, ...) -> (b, t, ...)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x)[:, : x.shape[1]]
''',
    (CACHE, STEPWISE, CONTEXT),
)
RECURRENCE = Helper(
    "Recurrence",
    '''class Recurrence(Stepwise):
    """`jax.lax.scan` over time, with carries of (b, *shape)."""

    def __init__(self, *shapes: tuple[int, ...]):
        self.shapes = shapes

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        b = len(starts)
        self.carries = nnx.List([Cache(jnp.zeros((b, *s), dtype)) for s in self.shapes])

    def __call__(self, step, carry, xs):
        if self.index is None:
            return jax.lax.scan(step, carry, xs)
        leaves, structure = jax.tree.flatten(carry)
        started = self.index[...] > 0
        carry = structure.unflatten(
            jnp.where(started, cache[...].astype(c.dtype), c)
            for cache, c in zip(self.carries, leaves, strict=True)
        )
        length = jax.tree.leaves(xs)[0].shape[0]
        valid = self.advance(length).T >= 0  # (t, b)

        def masked_step(carry, entry):
            valid, entry = entry
            new, y = step(carry, entry)

            def select(new, old):
                return jnp.where(valid.reshape(-1, *[1] * (new.ndim - 1)), new, old)

            return jax.tree.map(select, new, carry), y

        carry, ys = jax.lax.scan(masked_step, carry, (valid, xs))
        for cache, c in zip(self.carries, jax.tree.leaves(carry), strict=True):
            cache[...] = c  # some are float32 whatever the model's dtype
        return carry, ys
''',
    (CACHE, STEPWISE),
)


def _recurrent(base: Helper, states: str) -> Helper:
    """A recurrent layer that keeps its states."""
    return Helper(
        f"Stepwise{base.name}",
        f'''class Stepwise{base.name}({base.name}, Stepwise):
    """{base.name} that, with a cache, begins with the state of the last call."""

    def init_cache(
        self, starts: jax.Array, size: int, dtype: jax.typing.DTypeLike
    ) -> None:
        super().init_cache(starts, size, dtype)
        shape = (len(starts), self.hidden)
        self.states = nnx.List([Cache(jnp.zeros(shape, dtype)) for _ in range({states.count(",") + 1})])

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.index is None:
            return super().__call__(x)
        valid = self.advance(x.shape[1]) >= 0
        before = [state[...].astype(x.dtype) for state in self.states]
        y, *after = self.run(x, *before, mask=valid)
        for state, new in zip(self.states, after, strict=True):
            state[...] = new.astype(state[...].dtype)
        return y
''',
        (ORTHOGONAL, base, CACHE, STEPWISE),
    )


STEPWISE_LSTM = _recurrent(LSTM, "h, c")
STEPWISE_GRU = _recurrent(GRU, "h")
