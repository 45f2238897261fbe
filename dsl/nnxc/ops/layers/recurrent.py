"""Recurrent layers: the last axis but one is time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...dims import Dim
from ...record import replace
from ..base import Along, Call, Example, Helper, Input, Kind, Op, Param
from .linear import BIAS_INIT, KERNEL_INIT

ORTHOGONAL = Helper("orthogonal")

_GATES = (ORTHOGONAL, Helper("RecurrentGates"))
_LSTM_GATES = (*_GATES, Helper("LSTMGates"))
_GRU_GATES = (*_GATES, Helper("GRUGates"))

LSTM = Helper("LSTM", needs=_LSTM_GATES)

GRU = Helper("GRU", needs=_GRU_GATES)

LSTM_CELL = Helper("LSTMCell", needs=_LSTM_GATES)

GRU_CELL = Helper("GRUCell", needs=_GRU_GATES)

HIDDEN = Param("hidden", Kind.SIZE, doc="the size of the state")
REVERSE = Param(
    "reverse", Kind.BOOL, False, "whether to go from the end", positional=False
)
INITS = (
    KERNEL_INIT,
    Param(
        "recurrent_kernel_init",
        Kind.INIT,
        "orthogonal",
        "initializer of the kernel that takes the state",
        positional=False,
    ),
    replace(BIAS_INIT, doc="initializer of both biases"),
)
OPTIONS = {param.name: param.name for param in INITS}
TENSORS = {
    "input.kernel": "weight_ih",
    "input.bias": "bias_ih",
    "recurrent.kernel": "weight_hh",
    "recurrent.bias": "bias_hh",
}
LSTM_SOURCE = "https://doi.org/10.1162/neco.1997.9.8.1735"
GRU_SOURCE = "https://arxiv.org/abs/1406.1078"


def _weights(gates: int) -> dict[str, str]:
    return {
        "input.kernel": f"d {gates}*hidden",
        "input.bias": f"{gates}*hidden",
        "recurrent.kernel": f"hidden {gates}*hidden",
        "recurrent.bias": f"{gates}*hidden",
    }


def _tensor(name: str, dtype: str = "float", optional: bool = False) -> Input:
    return Input(name, dtype, optional=optional, scalar=False)


def _flops_over_time(gates: int) -> Callable[[Mapping[str, Dim]], Dim]:
    def flops(n: Mapping[str, Dim]) -> Dim:
        steps = n["..."] * n["T"]
        return 2 * gates * steps * n["hidden"] * (n["d"] + n["hidden"])

    return flops


def _over_time(
    helper: Helper, doc: str, run_doc: str, states: tuple[str, ...], source: str
) -> Op:
    gates = 4 if len(states) == 2 else 3
    inputs = (
        _tensor("x"),
        *(_tensor(name, optional=True) for name in states),
        _tensor("mask", "bool", optional=True),
    )
    carried = ", ... hidden" * len(states)
    taken = f"... T d{carried}, ... T -> ... T hidden"
    more = dict.fromkeys(states, "B 4") | {"mask": "bool: B T"}
    alone = Op(
        helper.name,
        "layer",
        doc,
        Call(helper.name, ("d", "hidden"), {"reverse": "reverse"} | OPTIONS),
        params=(HIDDEN, REVERSE, *INITS),
        inputs=inputs,
        shape=taken,
        dtype="float",
        weights=_weights(gates),
        flops=_flops_over_time(gates),
        tensors=TENSORS,
        dtype_aware=True,
        helper=helper,
        along=Along.LOOKS_BACK,
        examples=(
            Example({"hidden": 4}, ("B T d",)),
            Example({"hidden": "h", "reverse": True}, ("B N T 3",)),
            Example({"hidden": 4}, ("B T d",), more),
        ),
        source=source,
    )
    return replace(alone, methods={"run": _run(alone, run_doc, taken + carried)})


def _run(alone: Op, doc: str, shape: str) -> Op:
    """The method that gives the last states too."""
    return Op(
        "run",
        "layer",
        doc,
        Call("run", ("x",)),
        along=alone.along,
        inputs=alone.inputs,
        shape=shape,
        dtype="float",
        weights=alone.weights,
        flops=alone.flops,
    )


def _cell(helper: Helper, doc: str, states: tuple[str, ...], source: str) -> Op:
    gates = 4 if len(states) == 2 else 3
    return Op(
        helper.name,
        "layer",
        doc,
        Call(helper.name, ("d", "hidden"), OPTIONS),
        params=(HIDDEN, *INITS),
        inputs=(_tensor("x"), *(_tensor(name) for name in states)),
        shape="... d"
        + ", ... hidden" * len(states)
        + " -> "
        + ", ".join(["... hidden"] * len(states)),
        dtype="float",
        weights=_weights(gates),
        flops=lambda n: 2 * gates * n["..."] * n["hidden"] * (n["d"] + n["hidden"]),
        tensors=TENSORS,
        dtype_aware=True,
        helper=helper,
        along=Along.LAST,
        examples=(Example({"hidden": 4}, ("B d", *("B 4" for _ in states))),),
        source=source,
    )


ENTRIES: tuple[Op, ...] = (
    _over_time(
        LSTM,
        "Long short-term memory: h at each step of a sequence. Where the mask is false, the state "
        "stays and 0 comes out.",
        "h at each step, and the last h and c.",
        ("h", "c"),
        LSTM_SOURCE,
    ),
    _over_time(
        GRU,
        "Gated recurrent unit: h at each step of a sequence. Where the mask is false, the state "
        "stays and 0 comes out.",
        "h at each step, and the last h.",
        ("h",),
        GRU_SOURCE,
    ),
    _cell(
        LSTM_CELL,
        "One step of long short-term memory: the next h and c.",
        ("h", "c"),
        LSTM_SOURCE,
    ),
    _cell(
        GRU_CELL,
        "One step of a gated recurrent unit: the next h.",
        ("h",),
        GRU_SOURCE,
    ),
)
