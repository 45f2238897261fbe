"""The Python text of layers that go on where their last call ended: see `stepwise`."""

from __future__ import annotations

from .base import Helper
from .functions.attend import ATTEND
from .layers.recurrent import GRU, LSTM, ORTHOGONAL

CACHE = Helper("Cache")
KNOWN = Helper("Limits")
STEPWISE = Helper("Stepwise", needs=(CACHE,))
POSITIONS = Helper("Positions", needs=(CACHE, STEPWISE))
CAUSAL = Helper("CausalAttention", needs=(CACHE, STEPWISE))
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
''',
    (CACHE, STEPWISE, CAUSAL),
)
CONTEXT = Helper("LeftContext", needs=(CACHE, STEPWISE))
CONV = Helper("CausalConv", needs=(CACHE, STEPWISE, CONTEXT))
SHIFTED = Helper("Shift", needs=(CACHE, STEPWISE, CONTEXT))
RECURRENCE = Helper("Recurrence", needs=(CACHE, STEPWISE))


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
