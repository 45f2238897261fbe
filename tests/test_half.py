"""Half precision: what is computed in it, and what never is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import concrete, defaults, draws, load, maker, text_of
from flax import nnx
from jaxprs import STATISTICS, equations, half, products
from test_zoo import SMALL, ZOO

MODEL = """
model Net:
    input x: [B, T, 8]
    h = x -> Linear(8)
    {body}
"""


def traced(spec: str, *more: Any, evaluate: bool = False, **sizes: Any) -> list[Any]:
    """The operations of a model in bfloat16, its weights in float32."""
    _, make = maker(spec, params={"dtype": jnp.bfloat16, **sizes})
    model = make()
    if evaluate:
        model = nnx.view(model, use_running_average=True, raise_if_not_found=False)
    x = jnp.ones((2, 6, 8), jnp.bfloat16)
    graphdef, state = nnx.split(model)
    return list(equations(lambda s, *xs: nnx.merge(graphdef, s)(*xs), state, x, *more))


BODIES = {
    "softmax": "return softmax(h)",
    "softmax of scores": 'return softmax(einsum("b t d, b s d -> b t s", h, h) * 0.5)',
    "log_softmax": "return h -> log_softmax",
    "logsumexp": "return logsumexp(h, axis=-1)",
    "standardize": "return standardize(h)",
    "norm": "return norm(h, axis=-1)",
    "std": "return std(h, axis=-1)",
    "var": "return var(h, axis=-1)",
    "mean": "return mean(h, axis=1)",
    "sum of exponentials": "return sum(exp(h), axis=-1)",
    "root mean square": "return h * rsqrt(mean((h : f32[B, T, 8]) ** 2, axis=-1, keepdims=true) + 1e-6)",
    "cumsum": "return cumsum(h, axis=1)",
    "cumprod": "return cumprod(h, axis=1)",
    "LayerNorm": "return h -> LayerNorm",
    "RMSNorm": "return h -> RMSNorm",
    "GroupNorm": "return h -> GroupNorm(2)",
    "InstanceNorm": "return h -> InstanceNorm",
    "BatchNorm": "return h -> BatchNorm",
    "assertion": "y = log(exp(h) + 1) : f32[B, T, 8]\n    return y",
}
Q = "q = h -> [B, T, 2, 4]\n    "
MASK = "mask = arange(T)[:, none] >= arange(T)\n    "
ATTENTION = {
    "layer": "return h -> Attention(2, causal=true)",
    "plain": "return attend(q, q, q)",
    "causal": "return attend(q, q, q, causal=true)",
    "mask": "return attend(q, q, q, mask=mask)",
    "window": "return attend(q, q, q, causal=true, window=3)",
    "softcap": "return attend(q, q, q, softcap=20)",
    "sinks": "return attend(q, q, q, sinks=sinks)",
    "slopes": "return attend(q, q, q, causal=true, slopes=sinks)",
    "chunk": "return attend(q, q, q, causal=true, chunk=2)",
}


@pytest.mark.parametrize("name", BODIES)
def test_statistics_are_in_float32(name: str) -> None:
    found = traced(MODEL.format(body=BODIES[name]))
    assert not [e for e in found if e.primitive.name in STATISTICS and half(e)]
    assert products(iter(found)), "the layer multiplies"
    assert {*products(iter(found))} == {("bfloat16", "bfloat16")}


@pytest.mark.parametrize("unbiased", ["false", "true"])
def test_running_statistics_are_in_float32(unbiased: str) -> None:
    body = f"return h -> BatchNorm(unbiased={unbiased})"
    found = traced(MODEL.format(body=body), evaluate=True)
    assert not [e for e in found if e.primitive.name in STATISTICS and half(e)]
    assert [e.primitive.name for e in found].count("rsqrt") == 1
    assert {*products(iter(found))} == {("bfloat16", "bfloat16")}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_weighs_in_float32(name: str) -> None:
    body = (Q if name != "layer" else "") + MASK * (name == "mask") + ATTENTION[name]
    body = "param sinks: [2] = zeros\n    " * ("sinks" in body) + body
    found = traced(MODEL.format(body=body))
    assert not [e for e in found if e.primitive.name in STATISTICS and half(e)]
    assert {*products(iter(found))} == {("bfloat16", "bfloat16")}


@pytest.mark.parametrize("precision", ["", "precision = bf16"])
def test_losses_and_metrics_are_in_float32(precision: str) -> None:
    spec = """
model Net:
    input x: [B, 8]
    return x -> Linear(8), x -> Linear(8)

train Net:
    batch x: [B, 8], y: int[B], z: [B, 8]
    left, right = model(x)
    loss = cross_entropy(left, y) + mse(right, z) + huber(right, z) + gaussian_kl(left, right) + cosine_distance(left, right) + kl_divergence(log_softmax(left), softmax(right))
    metric hits = accuracy(left, y)
    metric perplexity = perplexity(left, y)
    optimizer = sgd(0.1)
    {precision}
"""
    module = load(text_of(spec.format(precision=precision)))
    model = module.Net(dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    x, y = jnp.ones((3, 8)), jnp.zeros(3, jnp.int32)
    graphdef, state = nnx.split(model)

    def loss(state: Any, *batch: jax.Array) -> Any:
        return module.loss_fn(nnx.merge(graphdef, state), *batch)

    found = list(equations(loss, state, x, y, x))
    assert not [e for e in found if e.primitive.name in STATISTICS and half(e)]
    assert products(iter(found)).count(("bfloat16", "bfloat16")) == 2


TIED = """
model Net(vocab = 12, d = 8):
    input ids: int[B, T]
    embed = Embed(vocab, d)
    h = ids -> embed -> LayerNorm
    param table: f32[d, vocab] = zeros
    return embed.attend(h) : f32[B, T, vocab], h -> Linear(vocab) : f32[B, T, vocab], einsum("b t d, d v -> b t v", h, table), h
"""


def test_what_a_spec_calls_f32_is_never_in_half() -> None:
    _, make = maker(TIED, params={"dtype": jnp.bfloat16})
    ids = jnp.zeros((2, 3), jnp.int32)
    graphdef, state = nnx.split(make())
    call = lambda s, ids: nnx.merge(graphdef, s)(ids)  # noqa: E731
    tied, made, wide, h = jax.eval_shape(call, state, ids)
    assert [v.dtype for v in (tied, made, wide)] == [jnp.float32] * 3
    assert h.dtype == jnp.bfloat16
    dots = [e for e in equations(call, state, ids) if e.primitive.name == "dot_general"]
    assert all(not half(e) for e in dots), "sums come out as they are"
    assert sorted(products(iter(dots)))[:2] == [("bfloat16", "bfloat16")] * 2


FAULT = """
block Twice(plain = true):
    input x: [B, d]
    if plain:
        x += x -> Linear(12) -> Linear(d) as layer
    else:
        x += x -> BatchNorm -> Linear(4) -> Dropout(0.5) -> Linear(d) as other
    tied = Linear(d)
    return tied(x -> tied -> elu)

model Net(width = 8, plain = true):
    input x: [B, width]
    y = x -> Twice(plain=plain) * 3
    param gain: [width] = ones
    return y * gain + x

train Net:
    batch x: [B, width]
    loss = mean(model(x) ** 2)
    optimizer = sgd(1e-3)
    precision = bf16
"""


@pytest.mark.parametrize("plain", [True, pytest.param(False, marks=pytest.mark.heavy)])
def test_carries_have_one_dtype_from_the_start(plain: bool) -> None:
    outs = []
    for stack in ("loop", "scan"):
        module = load(text_of(FAULT, stack=stack))
        model = module.create_model(plain=plain)
        x = jnp.ones((2, 8))
        out = model(x, rngs=nnx.Rngs(0))
        assert out.dtype == jnp.bfloat16
        optimizer = module.create_optimizer(model)
        loss, _ = module.train_step(model, optimizer, module.create_rngs(), x)
        assert loss.dtype == jnp.float32
        outs.append(out.shape)
    assert outs[0] == outs[1]


def test_a_state_is_kept_in_float32() -> None:
    spec = """
model Net:
    input x: [B, 4]
    state seen: [4] = zeros
    seen = 0.9 * seen + 0.1 * mean(x, axis=0)
    return (x - seen) -> Linear(4)
"""
    _, make = maker(spec, params={"dtype": jnp.bfloat16})
    model = make()
    assert model(jnp.ones((2, 4))).dtype == jnp.bfloat16
    assert model.seen[...].dtype == jnp.float32
    np.testing.assert_allclose(model.seen[...], 0.1, rtol=1e-6)


OF_NUMBERS = {
    "value": "places = arange(T) / 2",
    "arms": "if p > 2:\n        places = arange(T) / 2\n    else:\n        places = arange(T) / 3",
    "changed": "places = arange(T) / 2\n    if p > 2:\n        places = places * 3",
    "loop": "places = arange(T) / 2\n    for i in range(p):\n        places = places / 2",
    "choice": "places = arange(T) / 2 if p > 2 else arange(T) / 3",
    "block": "own = Own\n    places = own(arange(T))",
    "blocks": "outer = Outer(p)\n    places = outer(arange(T))",
}


@pytest.mark.parametrize("said", OF_NUMBERS)
def test_whole_numbers_stay_exact_until_they_meet_the_model(said: str) -> None:
    spec = f"""
block Own:
    input t: int[T]
    return t / 2

block Outer(p):
    input t: int[T]
    own = Own
    if p > 2:
        y = own(t)
    else:
        y = t / 3
    return y * p

model Net(p = 3):
    input x: [B, T, 2, 8]
    {OF_NUMBERS[said]}
    return rope(x, places) -> Linear(8 * p)
"""
    _, make = maker(spec, params={"dtype": jnp.bfloat16})
    graphdef, state = nnx.split(make())
    found = equations(
        lambda s, x: nnx.merge(graphdef, s)(x), state, jnp.ones((1, 700, 2, 8))
    )
    names = ("sin", "cos", "div", "mul", "convert_element_type")
    exact = [
        e
        for e in found
        if e.primitive.name in names and e.invars[0].aval.shape == (700,)
    ]
    assert exact and not [e for e in exact if half(e)]
    assert not [e for e in found if e.primitive.name in ("sin", "cos") and half(e)]


@pytest.mark.parametrize("param_dtype", [jnp.float32, jnp.bfloat16])
def test_weights_are_kept_in_their_own_dtype(param_dtype: Any) -> None:
    spec = """
block Inner:
    input x: [B, T, d]
    param gain: [d] = ones
    param shift: [d] = arange(d) / 4
    param whole: f32[d] = zeros
    return (x * gain + shift -> LSTM(6) -> Linear(d) -> PReLU) + (whole + 1 : float[d])

model Net:
    input x: [B, T, 8]
    return x -> Attention(2) -> Conv(8, 3) -> Inner -> BatchNorm
"""
    _, make = maker(spec, params={"dtype": jnp.bfloat16, "param_dtype": param_dtype})
    model = make()
    state = nnx.to_flat_state(nnx.state(model, nnx.Param))
    kept = {path: leaf[...].dtype for path, leaf in state}
    own = {p: d for p, d in kept.items() if p[-1] != "whole"}
    assert {*own.values()} == {jnp.dtype(param_dtype)}
    assert kept[("inner", "whole")] == jnp.float32
    assert model(jnp.ones((2, 3, 8))).dtype == jnp.bfloat16
    assert {v.dtype for v in jax.tree.leaves(nnx.state(model, nnx.BatchStat))} == {
        jnp.dtype("float32")
    }


def test_a_parameter_may_be_called_dtype() -> None:
    spec = """
model Net(dtype = 4, param_dtype = 3, dtypes = 2, more = 1):
    input x: [B, dtype]
    return (x -> Linear(param_dtype) -> Linear(dtypes) -> Linear(more)) * dtype

config small = Net(dtype = 5)
"""
    module = load(text_of(spec))
    cfg = module.Config(dtype_=6, param_dtype_=2, dtype=jnp.bfloat16)
    model = module.Net(cfg, rngs=nnx.Rngs(0))
    assert model(jnp.ones((2, 6))).dtype == jnp.bfloat16
    assert module.SMALL.dtype_ == 5 and module.SMALL.dtype == jnp.float32


def test_a_dtype_that_is_given_is_kept() -> None:
    spec = """
model Net(width = 4):
    input x: [B, width]
    return x -> Linear(width) -> Linear(2)

config wide = Net(width = 8)

train Net:
    batch x: [B, width]
    loss = mean(model(x))
    optimizer = sgd(0.1)
    precision = bf16
"""
    module = load(text_of(spec))
    x = jnp.ones((1, 8))
    wide = {"width": 8}
    assert module.create_model(module.WIDE)(x).dtype == jnp.bfloat16
    cfg = module.Config(**wide, dtype=jnp.float16)
    assert module.create_model(cfg)(x).dtype == jnp.float16
    cfg = module.Config(**wide, dtype=jnp.float32)
    assert module.create_model(cfg)(x).dtype == jnp.float32
    assert module.Net(module.WIDE, rngs=nnx.Rngs(0))(x).dtype == jnp.float32


def tensors(given: Any) -> list[Any]:
    """The tensors of what a model returns, in its order; a part may have parts with names."""
    if hasattr(given, "dtype"):
        return [given]
    return [tensor for part in given for tensor in tensors(part)]


# Products of float32 that are meant: of what is given as float32.
MEANT: dict[str, set[tuple[str, ...]]] = {}


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(ZOO))
def test_the_zoo_computes_in_bfloat16(name: str) -> None:
    spec, small = ZOO[name].read_text(), SMALL[name]
    params = {**small.params, "dtype": jnp.bfloat16}
    definition, make = maker(spec, params=params)
    made = nnx.eval_shape(make)
    sizes = {n: v for n, v in small.params.items() if type(v) is int}
    env = {**defaults(definition), **sizes, **small.axes}
    args = [concrete(i.type, env) for i in definition.inputs if not i.optional]
    graphdef, state = nnx.split(made)
    drawing = draws(spec, definition.name)

    def call(state: Any, args: Any) -> Any:
        more = {"rngs": nnx.Rngs(0)} if drawing else {}
        return nnx.merge(graphdef, state)(*args, **more)

    outs = jax.tree.leaves(jax.eval_shape(call, state, args))
    types = tensors(definition.outputs)
    for out, type_ in zip(outs, types, strict=True):
        assert out.dtype == (jnp.bfloat16 if type_.dtype == "float" else jnp.float32)
    found = {*products(equations(call, state, args))}
    assert found - MEANT.get(name, set()) == {("bfloat16", "bfloat16")}


HEADS = """
block Layer:
    input x: [B, T, d], angles: [B, T, half]
    q = x -> Linear(2, 4) -> rotate(angles)
    return x + (q -> Linear(d, over=[2, 3]) as out)

model Net(vocab = 12, d = 8, layers = 2, tied = true, normed = true):
    input ids: int[B, T]
    embed = Embed(vocab, d)
    angles = positions(ids)[..., none] * 0.5 ** arange(2)
    x = ids -> embed -> Layer(angles=angles) * layers as h
    gates, chosen = x -> Linear(6) as router -> softmax -> top_k(2)
    if normed:
        gates = gates / sum(gates, axis=-1, keepdims=true)
    _, near = gates -> top_k(1)
    for i in range(2):
        x = x + mean(gates, axis=-1, keepdims=true)
    if tied:
        logits = x -> embed.attend
    else:
        logits = x -> Linear(vocab) as head
    return logits=logits : f32[B, T, vocab], chosen=chosen, near=near, hidden=x
"""


@pytest.mark.parametrize("tied", [True, False])
def test_what_is_read_in_float32_alone_is_computed_in_it(tied: bool) -> None:
    """Logits of both arms come out of their products; what routes is never rounded."""
    _, make = maker(HEADS, params={"dtype": jnp.bfloat16, "tied": tied})
    graphdef, state = nnx.split(make())
    call = lambda s, ids: nnx.merge(graphdef, s)(ids)  # noqa: E731
    ids = jnp.zeros((2, 3), jnp.int32)
    found = list(equations(call, state, ids))
    assert call(state, ids).logits.dtype == jnp.float32
    assert call(state, ids).hidden.dtype == jnp.bfloat16, "a loop keeps one dtype"
    vocab = [
        e
        for e in found
        if e.primitive.name == "dot_general" and e.outvars[0].aval.shape[-1] == 12
    ]
    assert vocab and not any(map(half, vocab))
    top = [e for e in found if e.primitive.name == "top_k"]
    assert len(top) == 2 and not any(map(half, top))


@pytest.mark.parametrize("stack", ["loop", "scan"])
def test_angles_are_exact_in_every_layer(stack: str) -> None:
    _, make = maker(HEADS, params={"dtype": jnp.bfloat16}, stack=stack)
    graphdef, state = nnx.split(make())
    ids = jnp.zeros((1, 3), jnp.int32)
    found = list(equations(lambda s: nnx.merge(graphdef, s)(ids), state))
    waves = [e for e in found if e.primitive.name in ("sin", "cos")]
    assert waves and not any(map(half, waves))
    widened = [
        e.invars[0].aval for e in found if e.primitive.name == "convert_element_type"
    ]
    assert all(v.shape[-1:] != (2,) or v.dtype != jnp.bfloat16 for v in widened)
