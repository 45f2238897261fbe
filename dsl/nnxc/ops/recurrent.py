"""Recurrent layers: the last axis but one is time."""

from __future__ import annotations

from .base import Call, Example, Helper, Input, Kind, Op, Param

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
        dtype: jax.typing.DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        self.input = nnx.Linear(d, 4 * hidden, dtype=dtype, rngs=rngs)
        self.recurrent = nnx.Linear(
            hidden,
            4 * hidden,
            use_bias=False,
            kernel_init=nnx.initializers.orthogonal(),
            dtype=dtype,
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 4 * hidden)

        def step(carry, u):
            h, c = carry
            i, f, g, o = jnp.split(u + self.recurrent(h), 4, axis=-1)
            c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * nnx.tanh(g)
            h = nnx.sigmoid(o) * nnx.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)
        _, ys = jax.lax.scan(step, (zeros, zeros), inputs, reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2)
''',
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
        dtype: jax.typing.DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        self.hidden, self.reverse = hidden, reverse
        self.input = nnx.Linear(d, 3 * hidden, dtype=dtype, rngs=rngs)
        self.recurrent = nnx.Linear(
            hidden,
            3 * hidden,
            kernel_init=nnx.initializers.orthogonal(),
            dtype=dtype,
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        inputs = jnp.moveaxis(self.input(x), -2, 0)  # (t, ..., 3 * hidden)

        def step(h, u):
            ur, uz, un = jnp.split(u, 3, axis=-1)
            vr, vz, vn = jnp.split(self.recurrent(h), 3, axis=-1)
            z = nnx.sigmoid(uz + vz)
            n = nnx.tanh(un + nnx.sigmoid(ur + vr) * vn)
            h = (1 - z) * n + z * h
            return h, h

        zeros = jnp.zeros((*inputs.shape[1:-1], self.hidden), inputs.dtype)
        _, ys = jax.lax.scan(step, zeros, inputs, reverse=self.reverse)
        return jnp.moveaxis(ys, 0, -2)
''',
)
PARAMS = (
    Param("hidden", Kind.SIZE, doc="the size of the state"),
    Param("reverse", Kind.BOOL, False, "whether to go from the end", positional=False),
)
EXAMPLES = (
    Example({"hidden": 4}, ("B T d",)),
    Example({"hidden": "h", "reverse": True}, ("B N T 3",)),
)


def _recurrent(helper: Helper, doc: str, gates: int, source: str) -> Op:
    return Op(
        helper.name,
        "layer",
        doc,
        Call(helper.name, ("d", "hidden"), {"reverse": "reverse"}),
        params=PARAMS,
        inputs=(Input("x", "float", scalar=False),),
        shape="... T d -> ... T hidden",
        dtype="float",
        weights={
            "input.kernel": f"d {gates}*hidden",
            "input.bias": f"{gates}*hidden",
            "recurrent.kernel": f"hidden {gates}*hidden",
        }
        | ({"recurrent.bias": f"{gates}*hidden"} if helper is GRU else {}),
        flops=lambda n: 2
        * gates
        * n["..."]
        * n["T"]
        * n["hidden"]
        * (n["d"] + n["hidden"]),
        tensors={
            "input.kernel": ("weight_ih",),
            "recurrent.kernel": ("weight_hh",),
        }
        | (
            {"input.bias": ("bias_ih",), "recurrent.bias": ("bias_hh",)}
            if helper is GRU
            else {"input.bias": ("bias_ih", "bias_hh")}
        ),
        dtype_aware=True,
        helper=helper,
        examples=EXAMPLES,
        source=source,
    )


ENTRIES: tuple[Op, ...] = (
    _recurrent(
        LSTM,
        "Long short-term memory: the state at each step of a sequence.",
        4,
        "https://doi.org/10.1162/neco.1997.9.8.1735",
    ),
    _recurrent(
        GRU,
        "Gated recurrent unit: the state at each step of a sequence.",
        3,
        "https://arxiv.org/abs/1406.1078",
    ),
)
