"""`scan`: generated code against loops written out in plain JAX."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, maker, program, run, text_of
from flax import nnx

from nnxc.instance import instantiate

RNN = """
block Recurrent(hidden):
    input x: [B, T, d]
    inp = Linear(hidden)
    rec = Linear(hidden, bias=false)
    scan xt in x over T with h = zeros([B, hidden]):
        h = tanh(inp(xt) + rec(h))
        collect ys = h
    return ys : [B, T, hidden]
"""
BACKWARD = RNN.replace("over T with", "over T reversed with")
GRU = """
block Gru(hidden):
    input x: [B, T, d]
    inp = Linear(3 * hidden)
    rec = Linear(2 * hidden, bias=false)
    new = Linear(hidden)
    scan xt in x over T with h = zeros([B, hidden]):
        r, z, n = inp(xt) -> split(3, axis=-1)
        a, b = rec(h) -> split(2, axis=-1)
        r = sigmoid(r + a)
        z = sigmoid(z + b)
        h = (1 - z) * tanh(n + r * new(h)) + z * h
        collect ys = h
    return ys, h
"""
STATE_SPACE = """
model Ssm(d = 3, n = 4):
    input u: [B, L, d], delta: [B, L, d]
    param rate: [d, n] = normal(0.5)
    write = Linear(n)
    read = Linear(n)
    scan ut, dt in u, delta over L with h = zeros([B, d, n]):
        decay = exp(-abs(rate) * dt[..., none])
        h = decay * h + (dt * ut)[..., none] * write(ut)[:, none, :]
        collect ys = einsum("b d n, b n -> b d", h, read(ut))
    return ys, h
"""
DELTA = """
model Delta(heads = 2, k = 3):
    input q: [B, T, heads, k], key: [B, T, heads, k], v: [B, T, heads, k], beta: [B, T, heads]
    scan qt, kt, vt, bt in q, key, v, beta over T with s = zeros([B, heads, k, k]):
        old = einsum("b h k v, b h k -> b h v", s, kt)
        s = s + einsum("b h k, b h v -> b h k v", kt, bt[..., none] * (vt - old))
        collect out = einsum("b h k v, b h k -> b h v", s, qt)
    return out
"""
DECODER = """
model Decoder(d = 4):
    input y: [B, S, d], memory: [B, T, d], mask: bool[B, T] = none
    cell = Linear(d)
    keys = memory -> Linear(d) as to_key
    scan yt in y over S with h = mean(memory, axis=T), total = 0.0:
        scores = einsum("b d, b t d -> b t", h, keys)
        if mask != none:
            scores = where(mask, scores, -1e9)
        context = einsum("b t, b t d -> b d", softmax(scores, axis=-1), memory)
        h = tanh([yt, context] -> concat(axis=-1) -> cell)
        total += mean(h)
        collect states = h
        collect weights = scores
    return states, weights, total
"""


def sample(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def weight(layer):
    return layer.kernel[...]


def affine(layer, x):
    bias = 0 if layer.bias is None else layer.bias[...]
    return x @ weight(layer) + bias


def loop(step, carry, *inputs, backward=False):
    """The carry at the end, and what the steps gave, along axis 1."""
    order = range(inputs[0].shape[1])
    found = {}
    for t in reversed(order) if backward else order:
        carry, found[t] = step(carry, *(x[:, t] for x in inputs))
    ys = [found[t] for t in order]
    return carry, jax.tree.map(lambda *parts: jnp.stack(parts, 1), *ys)


def rnn(model, x, backward=False):
    def step(h, xt):
        h = jnp.tanh(affine(model.inp, xt) + affine(model.rec, h))
        return h, h

    return loop(step, jnp.zeros((x.shape[0], 5)), x, backward=backward)[1]


def gru(model, x):
    cell = nnx.GRUCell(3, 5, rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = weight(model.inp)
    cell.dense_i.bias[...] = model.inp.bias[...]
    cell.dense_h.kernel[...] = jnp.concatenate(
        [weight(model.rec), weight(model.new)], axis=1
    )
    zeros = jnp.zeros(10)
    if cell.dense_h.bias is not None:
        cell.dense_h.bias[...] = jnp.concatenate([zeros, model.new.bias[...]])
    else:
        model.new.bias[...] = jnp.zeros(5)
    h, ys = loop(lambda h, xt: cell(h, xt), jnp.zeros((x.shape[0], 5)), x)
    return ys, h


def ssm(model, u, delta):
    def step(h, ut, dt):
        decay = jnp.exp(-jnp.abs(model.rate[...]) * dt[..., None])
        h = decay * h + (dt * ut)[..., None] * affine(model.write, ut)[:, None]
        return h, (h * affine(model.read, ut)[:, None]).sum(-1)

    h, ys = loop(step, jnp.zeros((u.shape[0], 3, 4)), u, delta)
    return ys, h


def delta_rule(_, q, k, v, beta):
    def step(s, q, k, v, b):
        old = jnp.einsum("bhkv,bhk->bhv", s, k)
        s = s + jnp.einsum("bhk,bhv->bhkv", k, b[..., None] * (v - old))
        return s, jnp.einsum("bhkv,bhk->bhv", s, q)

    return loop(step, jnp.zeros((2, 2, 3, 3)), q, k, v, beta)[1]


def decoder(model, y, memory, mask=None):
    keys = affine(model.to_key, memory)

    def step(carry, yt):
        h, total = carry
        scores = jnp.einsum("bd,btd->bt", h, keys)
        if mask is not None:
            scores = jnp.where(mask, scores, -1e9)
        context = jnp.einsum("bt,btd->bd", nnx.softmax(scores), memory)
        h = jnp.tanh(affine(model.cell, jnp.concatenate([yt, context], -1)))
        return (h, total + h.mean()), (h, scores)

    (_, total), (states, scores) = loop(step, (memory.mean(1), 0.0), y)
    return states, scores, total


X, Y, Z = sample(2, 4, 3), sample(2, 6, 4, seed=1), sample(2, 3, 4, seed=2)
HEADS = [sample(2, 4, 2, 3, seed=s) for s in range(3)]
CASES = {
    "rnn": (RNN, {"hidden": 5}, {"d": 3}, rnn, (X,)),
    "backward": (
        BACKWARD,
        {"hidden": 5},
        {"d": 3},
        lambda m, x: rnn(m, x, backward=True),
        (X,),
    ),
    "gru": (GRU, {"hidden": 5}, {"d": 3}, gru, (X,)),
    "state space": (STATE_SPACE, {}, {}, ssm, (X, jnp.abs(X))),
    "delta rule": (DELTA, {}, {}, delta_rule, (*HEADS, sample(2, 4, 2))),
    "decoder": (DECODER, {}, {}, decoder, (Z, Y)),
    "masked decoder": (DECODER, {}, {}, decoder, (Z, Y, Y[..., 0] > 0)),
}
EVERY = pytest.mark.parametrize("name", CASES)


def made(name):
    spec, params, axes, expected, inputs = CASES[name]
    _, make = maker(spec, params=params, axes=axes)
    keywords = {"mask": inputs[2]} if len(inputs) == 3 and "mask" in spec else {}
    return make(), expected, inputs[: len(inputs) - len(keywords)], keywords


@EVERY
@pytest.mark.parametrize("graph", [True, False])
def test_a_scan_is_a_loop(name, graph):
    model, expected, inputs, more = made(name)
    due = expected(model, *inputs, *more.values())
    got = nnx.jit(lambda m, *xs: m(*xs, **more), graph=graph)(model, *inputs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, due)


@EVERY
def test_gradients_are_those_of_the_loop(name):
    model, expected, inputs, more = made(name)
    expected(model, *inputs, *more.values())  # a reference may settle a bias
    definition, state = nnx.split(model)

    def loss(call):
        def of(state, inputs):
            out = call(nnx.merge(definition, state), *inputs)
            return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(out))

        return jax.jit(jax.grad(of, argnums=(0, 1)))(state, inputs)

    got = loss(lambda m, *xs: m(*xs, **more))
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(got))
    if name == "gru":  # the cell of the reference holds copies of the weights
        got, due = got[1], loss(lambda m, *xs: expected(m, *xs))[1]
    else:
        due = loss(lambda m, *xs: expected(m, *xs, *more.values()))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), got, due)


@EVERY
def test_types_are_those_predicted(name):
    spec, params, axes, _, _inputs = CASES[name]
    open_axes = {"B": 2, "T": 4, "S": 3, "L": 4}
    given = ("mask",) if name == "masked decoder" else ()
    run(spec, params=params, axes={**axes, **open_axes}, given=given)


FORMS = """
model Forms(d = 3, steps = 4, depth = 2):
    input x: [B, d], wide: [B, 2, T, d], any: [..., T, d]
    scan over steps with x = x:
        x = x + 1
        collect path = x
    scan wt in wide over T with total = zeros([B]):
        z = wt -> Linear(d) as project
        for i in range(depth):
            z = z + (z -> Linear(d) as mix)
        total = total + sum(z, axis=[-2, -1])
        collect sums = z
        collect totals = total
    scan at in any over T reversed with last = zeros([d]):
        last = last + 1.0
        collect back = at * last
    return x, path, sums, totals, project(x), back
"""


def test_positions_of_axes():
    _, make = maker(FORMS)
    model = make()
    x, wide, rest = sample(2, 3), sample(2, 2, 5, 3), sample(2, 2, 5, 3)
    out, path, sums, totals, _, back = model(x, wide, rest)
    np.testing.assert_allclose(out, x + 4, rtol=1e-5)
    np.testing.assert_allclose(path[2], x + 3, rtol=1e-5)
    assert path.shape == (4, 2, 3) and totals.shape == (2, 5)
    assert sums.shape == (2, 2, 5, 3)
    z = affine(model.project, wide[:, :, 3])
    for layer in model.mix:
        z = z + affine(layer, z)
    np.testing.assert_allclose(sums[:, :, 3], z, rtol=1e-4)
    np.testing.assert_allclose(totals[:, -1], sums.sum((1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(back[:, :, 1], rest[:, :, 1] * 4, rtol=1e-5)


NESTED = """
block Inner(n):
    input x: [B, S, d]
    scan xs in x over S with h = zeros([B, n]):
        h = tanh(h + (xs -> Linear(n) -> Dropout(0.5)))
    return h

model Nested(n = 4):
    input x: [B, T, S, 3]
    inner = Inner(n)
    scan xt in x over T with h = zeros([B, n]), noise = 0.0:
        scan xs in xt over S with c = h:
            c = c * 0.5 + mean(xs)
            collect cs = c
        h = c + inner(xt) + mean(cs, axis=S)
        noise = noise + normal([], rng=sampling)
        collect hs = h
        collect draws = normal([B], rng=sampling)
    return hs, draws, noise
"""


@pytest.mark.parametrize("graph", [True, False])
def test_streams_are_split_for_each_step(graph):
    _, make = maker(NESTED)
    model, x, traces = make(), jnp.ones((2, 4, 3, 3)), []

    @nnx.jit(graph=graph)
    def call(model, x, rngs):
        traces.append(0)
        return model(x, rngs=rngs)

    first, again = (call(model, x, nnx.Rngs(5)) for _ in range(2))
    rngs = nnx.Rngs(5)
    call(model, x, rngs)
    later = call(model, x, rngs)
    assert len(traces) == 1
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert np.unique(first[1]).size == 8
    assert not np.isin(later[1], first[1]).any()


def test_work_is_that_of_all_steps():
    meaning = program(RNN)
    instance = instantiate(
        meaning, "Recurrent", {"hidden": 5}, {"d": 3, "B": 2, "T": 7}
    )
    once = instantiate(meaning, "Recurrent", {"hidden": 5}, {"d": 3, "B": 2, "T": 1})
    assert instance.root.total_flops == 7 * once.root.total_flops > 0
    nested = instantiate(program(NESTED), "Nested", {}, {"B": 1, "T": 6, "S": 5})
    one = instantiate(program(NESTED), "Nested", {}, {"B": 1, "T": 1, "S": 1})
    assert nested.root.total_flops == 30 * one.root.total_flops > 0
    assert nested.root.parameters == one.root.parameters


TRAINED = """
# A model of the next value, one layer of it written by hand.
model Forecast(hidden = 8):
    input x: [B, T, 1]
    gate = Linear(hidden)
    scan xt in x over T with h = zeros([B, hidden]):
        f = sigmoid([xt, h] -> concat(axis=-1) -> gate)
        h = f * h + (1 - f) * (xt -> Linear(hidden) as new -> Dropout(0.1))
        collect hs = h
    return hs -> Linear(1) as out

train Forecast:
    batch x: [B, T, 1], y: [B, T, 1]
    loss = mse(model(x), y)
    optimizer = adam(3e-2)
    precision = bf16
"""


def test_a_scan_trains_in_mixed_precision():
    module = load(text_of(TRAINED))
    model = module.create_model()
    objects = model, module.create_optimizer(model), module.create_rngs()
    trainer = module.Trainer(module.train_step, *objects)
    t = jnp.linspace(0, 12, 41)[None, :, None] + jnp.arange(4.0)[:, None, None]
    wave = jnp.sin(t)
    batch = wave[:, :-1], wave[:, 1:]
    losses = [float(trainer.step(*batch)[0]) for _ in range(60)]
    assert losses[-1] < losses[0] / 4


DEEP = """
model Deep(widths = [5, 6], out = 2):
    input x: [B, T, 4], lengths: int[B]
    for i, width in enumerate(widths):
        inp = Linear(width)
        rec = Linear(width, bias=false)
        mean_now = mean(x)
        scan xt in x over T with h = zeros([B, width]), t = 0:
            new = tanh(inp(xt) + rec(h) + mean_now)
            h = where((t < lengths)[:, none], new, h)
            t += 1
            collect x2 = h
        x = x2
    return x[:, -1] -> Linear(out) as head
"""


def test_scans_in_a_loop():
    _, make = maker(DEEP)
    model, x = make(), sample(3, 4, 4)
    lengths = jnp.array([1, 4, 2])
    got = jax.jit(lambda x, n: model(x, n))(x, lengths)
    for inp, rec in zip(model.inp, model.rec, strict=True):
        h, mean, ys = jnp.zeros((3, inp.out_features)), x.mean(), []
        for t in range(4):
            new = jnp.tanh(affine(inp, x[:, t]) + affine(rec, h) + mean)
            h = jnp.where((t < lengths)[:, None], new, h)
            ys.append(h)
        x = jnp.stack(ys, 1)
    np.testing.assert_allclose(got, affine(model.head, x[:, -1]), atol=1e-5)
    text = text_of(DEEP)
    # A function that is made in a loop takes what the iteration gives as arguments.
    head = re.search(r"def step\((.*?)\) -> tuple\[(.*?)\]:", text, re.DOTALL)
    assert head and "inp=inp, rec=rec, mean_now=mean_now" in " ".join(head[1].split())


NAMES = """
model Names(n = 3):
    input x: [B, T, n], y: [B, T, n]
    scan xt in x over T with h = zeros([B, n]):
        collect y = mean(y, axis=T) + xt
        z = h -> Linear(n) -> relu -> Linear(n) as second -> gelu -> Linear(n) as third
        h = tanh(h + z + mean(x, axis=T))
    return y, h
"""


def test_names_of_a_step_hide_none_that_it_reads():
    _, make = maker(NAMES)
    model, x, y = make(), sample(2, 4, 3), sample(2, 4, 3, seed=1)
    out, h = model(x, y)
    np.testing.assert_allclose(out, y.mean(1)[:, None] + x, rtol=1e-5, atol=1e-6)
    due = jnp.zeros((2, 3))
    for _ in range(4):
        z = jax.nn.relu(affine(model.linear, due))
        z = affine(model.third, jax.nn.gelu(affine(model.second, z)))
        due = jnp.tanh(due + z + x.mean(1))
    np.testing.assert_allclose(h, due, atol=1e-5)
