"""Layers that take a sequence in pieces: what stands in place of an entry that looks back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..record import replace
from .base import Call, Helper, Op
from .functions.attend import ENTRIES as _ATTEND
from .functions.sequence import ENTRIES as _SEQUENCE
from .layers.attention import ENTRIES as _ATTENTION
from .layers.convolution import ENTRIES as _CONVOLUTIONS
from .layers.convolution import GROUPED
from .layers.recurrent import ENTRIES as _RECURRENT
from .layers.recurrent import OPTIONS as _RECURRENT_OPTIONS
from .stepwise_helpers import (
    CAUSAL,
    CONV,
    KNOWN,
    POSITIONS,
    RECURRENCE,
    SCORED,
    SELF,
    SHIFTED,
    STATE_SPACE,
    STEPWISE_GRU,
    STEPWISE_LSTM,
)

_BY_NAME = {
    op.name: op
    for op in (*_ATTEND, *_ATTENTION, *_CONVOLUTIONS, *_RECURRENT, *_SEQUENCE)
}


def _layer(name: str, helper: Helper, build: Call, **changes: object) -> Op:
    """The entry of that name as a layer that keeps what it has seen."""
    changes = {"takes_rngs": False, "dtype_aware": False, "variants": {}} | changes
    return replace(_BY_NAME[name], group="layer", build=build, helper=helper, **changes)


_SIZES = {"value_dim": "value_dim"}
_ATTENDED = {"window": "window", "scale": "scale"}
ATTEND = _layer(
    "attend",
    CAUSAL,
    Call(CAUSAL.name, ("kv_heads", "head_dim"), _SIZES | _ATTENDED, ("value_dim",)),
)
ATTEND_SCORED = _layer(
    "attend",
    SCORED,
    Call(
        SCORED.name,
        ("kv_heads", "head_dim"),
        _SIZES | _ATTENDED | {"chunk": "chunk", "softcap": "softcap"},
        ("value_dim",),
    ),
)
_HEADS = {
    name: name
    for name in (
        *("kv_heads", "head_dim", "bias"),
        *("kernel_init", "out_kernel_init", "bias_init"),
    )
}
ATTENTION = _layer(
    "Attention",
    SELF,
    Call(SELF.name, ("d", "heads"), _HEADS),
    takes_rngs=True,
    dtype_aware=True,
)
PLACES = _layer("positions", POSITIONS, Call(POSITIONS.name))
SHIFT = _layer("shift", SHIFTED, Call(SHIFTED.name, ("n",)))
STATE = _layer("state_space", STATE_SPACE, Call(STATE_SPACE.name, ("heads", "d", "n")))
CAUSAL_CONV = _layer(
    "Conv",
    CONV,
    Call(
        CONV.name,
        ("d", "features", "=({window_0},)"),
        {k: v for k, v in GROUPED.items() if k not in ("strides", "padding")},
    ),
    takes_rngs=True,
    dtype_aware=True,
)
_OVER_TIME = Call("", ("d", "hidden"), _RECURRENT_OPTIONS)
RECURRENT: Mapping[str, Op] = MappingProxyType(
    {
        name: _layer(
            name,
            helper,
            replace(_OVER_TIME, target=helper.name),
            takes_rngs=True,
            dtype_aware=True,
        )
        for name, helper in (("LSTM", STEPWISE_LSTM), ("GRU", STEPWISE_GRU))
    }
)
SCAN = Op(
    "Recurrence",
    "layer",
    "A scan over time.",
    Call(RECURRENCE.name),
    inputs=(),
    helper=RECURRENCE,
    takes_rngs=False,
)
LIMITS = Op(
    "Limits",
    "layer",
    "How many rows tables have.",
    Call(KNOWN.name),
    inputs=(),
    helper=KNOWN,
    takes_rngs=False,
)
