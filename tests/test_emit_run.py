"""Generated models run, and their outputs have the shapes that the compiler predicted."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import array, class_of, concrete, maker, run, text_of
from flax import nnx

RESIDUAL = """
block Residual(features, stride = 1):
    input x: [B, H, W, C]
    y = x -> Conv(features, 3x3, stride=stride) -> BatchNorm -> relu
    if stride != 1 or C != features:
        x = x -> Conv(features, 1x1, stride=stride) as shortcut
    return x + y
"""
SHRINKING = """
block Shrinking(widths = [8, 6, 4]):
    input x: [B, d]
    for i, width in enumerate(widths):
        if i > 0:
            x = x -> LayerNorm as norm
        x = x -> Linear(width) as dense -> relu
    return x -> Linear(2) as head
"""
CUT = """
block Cut(widths = [8, 6, 4, 2], depths = [2, 1, 1], window = 3x5):
    input x: [B, d]
    last = widths[-2:]
    x = x -> Linear(widths[0]) as enter
    for i, depth in enumerate(depths):
        for before, after in zip(widths[:-1], widths[1:]):
            x = x -> Linear(before + sum(depths[:i]) + depth) as mix -> Linear(after) as narrow
    for size in window[::-1]:
        x = x -> Linear(size * last[0] + len(depths[1:])) as wide
    return x -> Linear(2) as head
"""
BRANCHES = """
block Branches(kind = "a", act = gelu):
    input x: [B, T, d], mask: bool[B, T] = none
    head = d // 2
    y = x -> (Linear(head) -> act | Linear(head)) -> concat(axis=-1)
    if kind == "a":
        y = y -> Linear(3) as first -> Linear(d) as second
    else:
        y = y -> LayerNorm as other
    if mask != none:
        y = where(mask[..., none], y, 0.0)
    scale = T * 2
    return y * scale, x -> [B, T * head, 2] -> [B, T, d]
"""
NESTED = """
block Cell(width):
    input x: [B, d]
    return x -> Linear(width) -> tanh

block Nested(depths = [2, 1], width = 4):
    input x: [B, d]
    x = x -> Linear(width) as enter
    for i, depth in enumerate(depths):
        for j in range(depth):
            x += x -> Cell(width) as inner
        x = x -> Cell(width) * depth as cells
    return x
"""
NOISE = """
block Noise(size):
    rngs noise
    input x: [B, d]
    param gain: [d] = ones
    param shift: [d] = normal(0.1)
    state calls: int[] = 0
    calls += 1
    return x * gain + shift + normal([B, d], rng=noise) * size

model Noisy(size = 0.5):
    input x: [B, 3]
    return x -> Noise(size) -> Dropout(0.5) -> Linear(1)
"""
ABSENT = """
block Masked(weight = 0.5):
    input x: [B, T, d], mask: bool[B, T] = true
    return x * mask[..., none] * weight

model Absent(start = 2):
    input ids: int[B, T], mask: bool[B, T] = none, at: int[T] = arange(T), kinds: int[B, T] = start
    table = Embed(8, 4)
    return table(ids) + table(at) + table(kinds) -> Masked(mask=mask)
"""
MANY = """
block Pair():
    input x: [B, d], y: [B, d]
    return x + y, x - y

model Many(d = 4):
    input x: [B, d], y: [B, d]
    a, b = Pair()(x, y)
    p, q = a + b -> (abs | tanh)
    z = (p + q) * (p - q) -> Linear(3) -> relu -> Linear(5) -> tanh -> Linear(7) -> gelu -> Linear(d)
    return z -> split(2), a -> stop_gradient
"""

STACKS = """
block Step(rate):
    input x: [B, d]
    return x + (x -> Linear(d) -> Dropout(rate))

model Stacks(d = 4, n = 3):
    input x: [B, d]
    y = x -> Step(0.5) * n as first -> Dropout(0.1) * n as drops
    return (x -> Step(0.5) * (n + 1) -> (abs | tanh) -> concat(axis=-1) -> Linear(d)) + y
"""

PARTS = """
model Parts(n = 2, k = 3):
    input x: [B, 2**n * k * h + 1, d], y: [B, h * w]
    return x[:, 1:] -> [B, h, n**2 * k * d], zeros([w]), mean(y)
"""

LATENT = """
model Latent(n = 2):
    input x: [B, n * h, 4], eps: [B, h, 4] = 0
    return (x -> [B, h, n, 4] -> mean(axis=2)) + eps, zeros([h])
"""

AGAIN = """
model Again(a = true, deep = true):
    input x: [B, T, d], mask: bool[B, T] = none
    if a and deep:
        z = mean(x, axis=T)
        k = 3 * T
    if mask != none:
        m = mask[..., none]
    scan xt in x over T with h = zeros([B, d]):
        if not (not deep or not a):
            h = h + z
        else:
            h = h + xt
        collect hs = h
    for i in range(3):
        if i > 0:
            w = hs * i
        if mask != none:
            hs = hs * m
        if i > 0:
            hs = hs + w
    if a:
        if deep:
            hs = concat(hs, zeros([B, k, d]), axis=1) -> mean(axis=1) -> [B, d]
        else:
            hs = hs[:, 0]
    else:
        hs = hs[:, 0]
    return hs
"""

GROWING = """
model Growing(layers = 2, head_dim = none):
    input x: [B, H, W, 4]
    heads = 1 if head_dim == none else 4 // head_dim
    x = x -> Linear(heads)
    for i in range(layers):
        if i > 0:
            x = x -> upsample(2, method="bilinear")
    return x
"""


@pytest.mark.parametrize(
    ("spec", "case"),
    [
        (
            RESIDUAL,
            {"params": {"features": 6}, "axes": {"B": 2, "H": 5, "W": 4, "C": 3}},
        ),
        (
            RESIDUAL,
            {
                "params": {"features": 3, "stride": 1},
                "axes": {"B": 2, "H": 5, "W": 4, "C": 3},
            },
        ),
        (
            RESIDUAL,
            {
                "params": {"features": 3, "stride": 2},
                "axes": {"B": 2, "H": 5, "W": 4, "C": 3},
            },
        ),
        (SHRINKING, {"axes": {"B": 2, "d": 5}}),
        (CUT, {"axes": {"B": 2, "d": 5}}),
        (CUT, {"axes": {"B": 2, "d": 5}, "params": {"depths": (1, 2)}}),
        (BRANCHES, {"axes": {"B": 2, "T": 3, "d": 4, "out_features": 4}}),
        (
            BRANCHES,
            {
                "axes": {"B": 2, "T": 3, "d": 4, "out_features": 4},
                "params": {"kind": "b"},
            },
        ),
        (
            BRANCHES,
            {"axes": {"B": 2, "T": 3, "d": 4, "out_features": 4}, "given": ("mask",)},
        ),
        (
            BRANCHES,
            {
                "axes": {"B": 2, "T": 3, "d": 4, "out_features": 4},
                "params": {"act": jnp.sin},
            },
        ),
        (NESTED, {"axes": {"B": 2, "d": 3}}),
        (NESTED, {"axes": {"B": 2, "d": 3}, "stack": "scan"}),
        (NESTED, {"axes": {"B": 2, "d": 3}, "stack": "scan", "remat": True}),
        (NESTED, {"axes": {"B": 2, "d": 3}, "remat": True}),
        (NOISE, {"axes": {"B": 2}}),
        (MANY, {"axes": {"B": 2}}),
        (AGAIN, {"axes": {"B": 2, "T": 3, "d": 4}}),
        (AGAIN, {"axes": {"B": 2, "T": 3, "d": 4}, "given": ("mask",)}),
        (AGAIN, {"axes": {"B": 2, "T": 3, "d": 4}, "params": {"deep": False}}),
        (LATENT, {"axes": {"B": 2, "h": 3}}),
        (PARTS, {"axes": {"B": 2, "h": 2, "w": 3, "d": 4}}),
        (STACKS, {"axes": {"B": 2}}),
        (STACKS, {"axes": {"B": 2}, "stack": "scan"}),
        (STACKS, {"axes": {"B": 2}, "stack": "scan", "remat": True}),
        (
            STACKS.replace("Linear(d) -> D", "Linear(d) -> BatchNorm -> D"),
            {"axes": {"B": 2}, "stack": "scan"},
        ),
    ],
)
def test_shapes_are_as_predicted(spec, case):
    run(spec, **case)


def test_an_absent_input_is_its_default():
    _, make = maker(ABSENT)
    absent = make()
    ids = jnp.array([[5, 1, 0]])
    given = ids, jnp.ones((1, 3), bool), jnp.arange(3), jnp.full((1, 3), 2)
    for count in (1, 2, 3, 4):
        np.testing.assert_array_equal(absent(*given[:count]), absent(*given))
    assert not np.array_equal(absent(*given), absent(ids, kinds=ids))
    run(ABSENT, axes={"B": 2, "T": 3})


def test_sizes_that_only_a_loop_needs_are_kept_up_to_date():
    x = jnp.ones((1, 2, 3, 4))
    for params, shape in (
        ({}, (1, 4, 6, 1)),
        ({"layers": 4, "head_dim": 2}, (1, 16, 24, 2)),
    ):
        _, make = maker(GROWING, params=params)
        assert make()(x).shape == shape


def test_requirements_are_checked_by_the_constructor():
    _, make = maker(BRANCHES, axes={"d": 5})
    with pytest.raises(ValueError, match="d=5"):
        make()


def test_state_and_streams_move():
    _, make = maker(NOISE)
    model, x = make(), jnp.ones((2, 3))
    rngs = nnx.Rngs(noise=0, dropout=1)
    first, second = model(x, rngs=rngs), model(x, rngs=rngs)
    assert not np.allclose(first, second)
    assert int(model.noise.calls[...]) == 2
    assert set(nnx.to_flat_state(nnx.state(model, nnx.Param)).paths) == {
        ("linear", "bias"),
        ("linear", "kernel"),
        ("noise", "gain"),
        ("noise", "shift"),
    }
    quiet = nnx.view(model, deterministic=True)
    same = [quiet(x, rngs=nnx.Rngs(noise=0)) for _ in range(2)]
    assert np.array_equal(*same)


def test_a_pipeline_computes_what_it_says():
    spec = """
model Chain(d = 3):
    input x: [B, d]
    k = x -> Linear(d, bias=false) as k -> tanh
    return x - (k - 2 * x) ** 2 / (1 + k) -> abs -> sum(axis=-1)
"""
    _, make = maker(
        spec.replace(
            "k = x -> Linear(d, bias=false) as k",
            "k = x -> Linear(d, bias=false) as lin",
        )
    )
    model, x = make(), jnp.linspace(-1, 1, 6).reshape(2, 3)
    k = np.tanh(x @ model.lin.kernel[...])
    wanted = np.abs(x - (k - 2 * x) ** 2 / (1 + k)).sum(-1)
    assert np.allclose(model(x), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        ("[0, :, i]", lambda x, i, j: x[0][:, i]),
        ("[:, i, j]", lambda x, i, j: x[:, i, j]),
        ("[..., i, 0]", lambda x, i, j: x[..., 0][..., i]),
        ("[0, ..., j, :]", lambda x, i, j: x[0][:, j]),
        ("[i, ..., 2]", lambda x, i, j: x[..., 2][i]),
        ("[i, 1, i]", lambda x, i, j: np.stack([x[k, 1, k] for k in i])),
        ("[1, :, none, i]", lambda x, i, j: x[1][:, None][:, :, i]),
        ("[-1, 1:, i, :2]", lambda x, i, j: x[-1][1:][:, i][..., :2]),
    ],
)
def test_what_is_indexed_stays_where_it_stands(index, wanted):
    spec = f"""
model Indexed(w = 4):
    input x: [B, T, S, w], i: int[N], j: int[M, 1]
    return x{index}, sum(i), sum(j)
"""
    definition, make = maker(spec)
    x, i, j = np.random.rand(2, 3, 5, 4), np.array([1, 0, 1]), np.array([[1], [0]])
    found = make()(jnp.asarray(x), i, j)[0]
    assert np.allclose(found, wanted(x, i, j))
    predicted = concrete(
        definition.outputs[0], {"B": 2, "T": 3, "S": 5, "N": 3, "M": 2, "w": 4}
    )
    assert found.shape == predicted.shape


STACKED = """
block Step(rate):
    input x: [B, d]
    return x + (x -> Linear(d) -> BatchNorm -> tanh -> Dropout(rate))

model Tower(d = 3, layers = 4, rate = 0.0):
    input x: [B, d]
    return x -> Linear(d) -> Step(rate) * layers as steps -> Linear(1)
"""


def stacked(model, scanned):
    """The loop's weights in the scanned model."""
    for name in ("linear_1", "linear_2"):
        nnx.update(getattr(scanned, name), nnx.state(getattr(model, name)))
    states = [nnx.state(step) for step in model.steps]
    nnx.update(scanned.steps, jax.tree.map(lambda *xs: jnp.stack(xs), *states))
    return scanned


@pytest.mark.parametrize("norm", ["BatchNorm", "BatchNorm(unbiased=true)", "LayerNorm"])
@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("graph", [True, False])
def test_a_scanned_stack_equals_the_loop(norm, remat, graph):
    spec = STACKED.replace("BatchNorm", norm)
    model, scanned = (
        maker(spec, stack=stack, remat=remat)[1]() for stack in ("loop", "scan")
    )
    scanned, x = stacked(model, scanned), jnp.linspace(-1, 1, 6).reshape(2, 3)

    @nnx.jit
    def step(model, x):
        def loss(model, x):
            return (model(x, rngs=nnx.Rngs(0)) ** 2).sum()

        return nnx.value_and_grad(loss)(model, x)[0]

    with (
        nnx.use_graph_mode(graph)
        if hasattr(nnx, "use_graph_mode")
        else nnx.set_graph_mode(graph)
    ):
        assert np.allclose(step(model, x), step(scanned, x), rtol=1e-4)
    stats = [jax.tree.leaves(nnx.state(m, nnx.BatchStat)) for m in (model, scanned)]
    assert bool(stats[0]) == norm.startswith("BatchNorm")
    mean = sum(float(jnp.sum(v)) for v in stats[0])
    assert np.isclose(mean, sum(float(jnp.sum(v)) for v in stats[1]), rtol=1e-4)


def test_a_scanned_stack_of_blocks_that_draw_nothing():
    """Neither the blocks nor what holds them take streams."""
    spec = """
block Scale:
    input x: [B, d]
    param gain: [d] = ones
    return x * gain

block Host:
    input x: [B, d]
    return x -> Scale() * 2 as inner

model Net(d = 3):
    input x: [B, d]
    return x -> Host() * 4 as hosts
"""
    model = maker(spec, stack="scan")[1]()
    assert model.hosts.inner.gain.shape == (4, 2, 3)
    x = jnp.ones((2, 3))
    assert np.array_equal(model(x), x)


def test_scanned_layers_draw_differently():
    spec = STACKED.replace("BatchNorm", "LayerNorm").replace("rate = 0.0", "rate = 0.5")
    _, make = maker(spec, stack="scan")
    model, x = make(), jnp.ones((2, 3))
    rngs = nnx.Rngs(dropout=0)
    assert not np.allclose(model(x, rngs=rngs), model(x, rngs=rngs))
    assert np.allclose(
        model(x, rngs=nnx.Rngs(dropout=0)), model(x, rngs=nnx.Rngs(dropout=0))
    )


def test_half_precision_reaches_the_activations():
    spec = STACKED.replace("BatchNorm", "LayerNorm") + """
train Tower:
    batch x: [B, d], y: [B, 1]
    loss = mse(model(x), y)
    optimizer = adam(1e-3)
    precision = bf16
"""
    for stack in ("loop", "scan"):
        definition, make = maker(spec, params={"dtype": jnp.bfloat16}, stack=stack)
        model = make()
        x = array(definition.inputs[0].type, {"B": 2, "d": 3})
        assert model(x, rngs=nnx.Rngs(0)).dtype == jnp.bfloat16
        assert {v.dtype for v in jax.tree.leaves(nnx.state(model, nnx.Param))} == {
            jnp.dtype("float32")
        }


@pytest.mark.parametrize("seed", ["0", "7"])
def test_the_text_does_not_depend_on_hashes(seed):
    code = (
        "import hashlib, sys; sys.path[:0] = ['dsl', 'tests'];"
        "from emitting import text_of; import test_emit_run as t;"
        "text = ''.join(text_of(s) for s in (t.NESTED, t.BRANCHES, t.NOISE, t.STACKED));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    env = os.environ | {"PYTHONHASHSEED": seed}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    text = "".join(text_of(s) for s in (NESTED, BRANCHES, NOISE, STACKED))
    assert out.stdout.strip() == hashlib.sha256(text.encode()).hexdigest(), out.stderr


@pytest.mark.parametrize(
    "end",
    [
        "-> concat(axis=-1)",
        "-> concat(axis=-1) -> tanh",
        "",
        "-> concat(axis=-1)" + " -> tanh" * 40,
    ],
)
@pytest.mark.parametrize(
    "branches", ["(relu | tanh)", "(relu | Linear(3) | tanh)", "split(3)"]
)
def test_what_branches_share_is_computed_once(branches, end):
    spec = f"""
block Shared():
    input x: [B, d]
    return x{" -> abs" * 40} -> Linear(3) -> Dropout(0.1) as drop -> {branches} {end}
"""
    assert class_of(spec, "Shared").count("self.drop(") == 1
    run(spec, axes={"B": 2, "d": 4})


def test_a_choice_computes_what_its_side_shares_once():
    spec = """
block Chosen(wide = true):
    input x: [B, d]
    y = x -> Linear(4) as first -> (relu | tanh) -> concat(axis=-1)
    z = x -> Linear(8) as second
    return y if wide else z
"""
    run(spec, axes={"B": 2, "d": 4})
    run(spec, axes={"B": 2, "d": 4}, params={"wide": False})


def test_a_model_inside_a_model_gets_its_config():
    spec = """
model Inner(a = 2, b = 3, c = 4, d = 5):
    input x: [B, d]
    return x -> Linear(a) -> Linear(b) -> Linear(c)

model Outer(d = 5):
    input x: [B, d]
    return x -> Inner(b=7, d=d) -> Linear(1)
"""
    assert "Inner(Config(b=7, d=d, **dtypes), rngs=rngs)" in class_of(spec, "Outer")
    run(spec, axes={"B": 2})


MAYBE_EMPTY = """
block Idle(deep = false):
    input x: [B, d]
    if deep:
        x = x -> Linear(d)
    return relu(x)

block Dec(heads):
    input x: [B, T, d], memory: [B, S, d]
    x += x -> LayerNorm -> Attention(heads, context=memory) as attn
    return x

model M(d = 8, heads = 2, n = 2):
    input x: [B, T, d], memory: [B, S, d]
    layers = Dec(heads) * n
    return layers(x, memory) -> mean(axis=T) -> Idle * 3
"""


def test_a_stack_that_may_have_no_weights_stays_a_loop():
    text = text_of(MAYBE_EMPTY, stack="scan")
    assert "for idle in self.idle" in text and "jax.lax.scan" in text
    _, make = maker(MAYBE_EMPTY, stack="scan")
    assert make()(jnp.ones((2, 3, 8)), jnp.ones((2, 4, 8))).shape == (2, 8)
