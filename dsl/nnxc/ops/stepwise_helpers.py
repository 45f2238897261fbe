"""The Python text of layers that go on where their last call ended: see `stepwise`."""

from __future__ import annotations

from .base import Helper
from .functions.attend import ATTEND
from .layers.attention import PROJECTIONS
from .layers.recurrent import GRU, LSTM

CACHE = Helper("Cache")
KNOWN = Helper("Limits")
STEPWISE = Helper("Stepwise", needs=(CACHE,))
POSITIONS = Helper("Positions", needs=(CACHE, STEPWISE))
CAUSAL = Helper("CausalAttention", needs=(*ATTEND.needs, CACHE, STEPWISE))
SCORED = Helper("ScoredAttention", needs=(*CAUSAL.needs, ATTEND, CAUSAL))
SELF = Helper("SelfAttention", needs=(PROJECTIONS, *CAUSAL.needs, CAUSAL))
CONTEXT = Helper("LeftContext", needs=(CACHE, STEPWISE))
CONV = Helper("CausalConv", needs=(CACHE, STEPWISE, CONTEXT))
SHIFTED = Helper("Shift", needs=(CACHE, STEPWISE, CONTEXT))
STATE_SPACE = Helper("StateSpace", needs=(CACHE, STEPWISE))
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
        (*base.needs, base, CACHE, STEPWISE),
    )


STEPWISE_LSTM = _recurrent(LSTM, "h, c")
STEPWISE_GRU = _recurrent(GRU, "h")
