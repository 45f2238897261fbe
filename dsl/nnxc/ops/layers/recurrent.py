"""Recurrent layers: the last axis but one is time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...dims import Dim
from ...record import replace
from ..base import Along, Call, Example, Helper, Input, Kind, Op, Param
from .linear import BIAS_INIT, KERNEL_INIT

ORTHOGONAL = Helper(
    "orthogonal",
    '''def orthogonal(
    key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike, *_: Any
) -> jax.Array:
    """Orthogonal weights, drawn in float32: half precision cannot be decomposed."""
    return nnx.initializers.orthogonal()(key, shape).astype(dtype)
''',
)

LSTM = Helper(
    "LSTM",
    '''class LSTM(nnx.Module):
    """Long short-term memory over time: (..., t, d) -> (..., t, hidden)."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        reverse: bool = False,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 4 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 4 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        c: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The h of all steps, and the last h and c; masked steps change neither."""
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 4 * hidden)
        keep = None if mask is None else jnp.moveaxis(mask, -1, 0)[..., None]
        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)

        def step(
            carry: tuple[jax.Array, jax.Array], xs: tuple[jax.Array, jax.Array | None]
        ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            (h, c), (u, keep) = carry, xs
            i, f, g, o = jnp.split(u + self.recurrent(h), 4, axis=-1)
            c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
            h = nnx.sigmoid(o) * nnx.tanh(c)
            if keep is None:
                return (h, c), h
            carry = jnp.where(keep, h, carry[0]), jnp.where(keep, c, carry[1])
            return carry, jnp.where(keep, h, 0)

        start = (zeros if h is None else h, zeros if c is None else c)
        last, ys = jax.lax.scan(step, start, (inputs, keep), reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2), *last
''',
    (ORTHOGONAL,),
)

GRU = Helper(
    "GRU",
    '''class GRU(nnx.Module):
    """Gated recurrent unit over time: (..., t, d) -> (..., t, hidden)."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        reverse: bool = False,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 3 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 3 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, **more: jax.Array) -> jax.Array:
        return self.run(x, **more)[0]

    def run(
        self,
        x: jax.Array,
        h: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """The h of all steps, and the last h; masked steps do not change it."""
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 3 * hidden)
        keep = None if mask is None else jnp.moveaxis(mask, -1, 0)[..., None]
        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)

        def step(
            h: jax.Array, xs: tuple[jax.Array, jax.Array | None]
        ) -> tuple[jax.Array, jax.Array]:
            u, keep = xs
            ur, uz, un = jnp.split(u, 3, axis=-1)
            vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
            z = nnx.sigmoid(uz + vz)
            n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
            new = (1 - z) * n + z * h
            if keep is None:
                return new, new
            return jnp.where(keep, new, h), jnp.where(keep, new, 0)

        start = zeros if h is None else h
        last, ys = jax.lax.scan(step, start, (inputs, keep), reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2), last
''',
    (ORTHOGONAL,),
)

LSTM_CELL = Helper(
    "LSTMCell",
    '''class LSTMCell(nnx.Module):
    """One step of long short-term memory: (..., d) and the last h and c to the next."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 4 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 4 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(
        self, x: jax.Array, h: jax.Array, c: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        i, f, g, o = jnp.split(self.input(x) + self.recurrent(h), 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
        return nnx.sigmoid(o) * nnx.tanh(c), c
''',
    (ORTHOGONAL,),
)

GRU_CELL = Helper(
    "GRUCell",
    '''class GRUCell(nnx.Module):
    """One step of a gated recurrent unit: (..., d) and the last h to the next."""

    def __init__(
        self,
        d: int,
        hidden: int,
        *,
        kernel_init: nnx.Initializer | None = None,
        recurrent_kernel_init: nnx.Initializer = orthogonal,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        linear = partial(
            nnx.Linear,
            bias_init=bias_init,
            dtype=dtype,
            param_dtype=param_dtype,
            rngs=rngs,
        )
        self.input = linear(d, 3 * hidden, kernel_init=kernel_init)
        self.recurrent = linear(hidden, 3 * hidden, kernel_init=recurrent_kernel_init)

    def __call__(self, x: jax.Array, h: jax.Array) -> jax.Array:
        ur, uz, un = jnp.split(self.input(x), 3, axis=-1)
        vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
        z = nnx.sigmoid(uz + vz)
        n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
        return (1 - z) * n + z * h
''',
    (ORTHOGONAL,),
)

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
