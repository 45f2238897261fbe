"""The Python text of layers as Tunix calls them: positions, mask and cache come from outside."""

from __future__ import annotations

from .base import Helper
from .functions.attend import ATTEND
from .stepwise_helpers import CACHE, CAUSAL, POSITIONS, SCORED, SELF, STEPWISE

CALL = Helper(
    "TunixCall",
    '''@dataclass(eq=False)
class TunixCall:
    """What one call brings: positions (b, t), a mask (b, t, s) and segments (b, t), a cache."""

    positions: jax.Array
    mask: jax.Array | None
    segments: jax.Array | None
    cache: dict[str, jax.Array] | None = None

    def update_cache(
        self, k: jax.Array, v: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array | int]:
        """All keys and values, and the slot at which the new ones begin."""
        if self.cache is None:
            return k, v, 0
        ends = self.cache["end_index"]
        for name, new in (("k", k), ("v", v)):
            cache = self.cache[name]
            at = (0, ends[0], 0, 0)
            new = jax.lax.dynamic_update_slice(cache, new.astype(cache.dtype), at)
            self.cache = self.cache | {name: new}
        self.cache = self.cache | {"end_index": ends + k.shape[1]}
        return self.cache["k"].astype(k.dtype), self.cache["v"].astype(v.dtype), ends[0]
''',
)
PLACES = Helper(
    "TunixPositions",
    '''class TunixPositions(Positions):
    """Positions that a call brings."""

    call: TunixCall | None = None

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) if self.call is None else self.call.positions
''',
    (CACHE, STEPWISE, POSITIONS, CALL),
)
ATTENTION = Helper(
    "TunixAttention",
    '''class TunixAttention(ScoredAttention):
    """Attention with the mask and the cache that a call brings."""

    call: TunixCall | None = None

    def __call__(
        self, q: jax.Array, k: jax.Array, v: jax.Array, **options: Any
    ) -> jax.Array:
        if self.call is None:
            return super().__call__(q, k, v, **options)
        t = q.shape[1]
        k, v, first = self.call.update_cache(k, v)
        slots = (first + jnp.arange(t))[None], jnp.arange(k.shape[1])[None]
        mask, at = self.call.mask, self.call.positions
        if self.chunk is not None and self.call.segments is not None:
            slots = at, at
        elif self.chunk is not None:
            # Chunks begin with the sequence, not with the cache.
            begin = first + t - 1 - at[:, -1:]
            slots = slots[0] - begin, slots[1] - begin
        options["segments"] = self.call.segments if mask is None else None
        options["mask"] = None if mask is None else mask[:, None]
        return self.scored(q, k, v, **options, positions=slots)
''',
    (CACHE, STEPWISE, ATTEND, CAUSAL, SCORED, CALL),
)
SELF_ATTENTION = Helper(
    "TunixSelfAttention",
    '''class TunixSelfAttention(SelfAttention):
    """Multi-head attention with the mask and the cache that a call brings."""

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
        self.attend = TunixAttention(kv_heads or heads, head_dim or d // heads)
''',
    (*ATTENTION.needs, SELF, ATTENTION),
)
IN_PLACE_OF = {
    POSITIONS.name: PLACES,
    CAUSAL.name: ATTENTION,
    SCORED.name: ATTENTION,
    SELF.name: SELF_ATTENTION,
}
