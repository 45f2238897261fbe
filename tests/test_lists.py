"""Lists of tensors: generated models run as they were checked; what cannot be is refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from emitting import class_of, load, program, run, text_of
from flax import nnx

import nnxc
from nnxc.instance import instantiate

UNET = """
block DoubleConv(features):
    input x: [B, H, W, C]
    return x -> Conv(features, 3x3) -> relu

model UNet(widths = [8, 16, 32], classes = 2):
    input x: [B, 8 * n, 8 * m, 3]
    skips = []
    for width in widths:
        x = x -> DoubleConv(width) as down
        skips.append(x)
        x = x -> max_pool(2x2)
    x = x -> DoubleConv(64) as middle
    for width in reversed(widths):
        x = x -> ConvTranspose(width, 2x2, stride=2) as up
        x = concat(x, skips.pop(), axis=-1) -> DoubleConv(width) as conv
    return x -> Conv(classes, 1x1) as head : [B, 8 * n, 8 * m, classes]

train UNet:
    batch x: [B, 8 * n, 8 * m, 3], mask: [B, 8 * n, 8 * m, classes]
    loss = binary_cross_entropy(model(x), mask)
    optimizer = adam(1e-3)
"""
HIDDEN = """
block Enc(layers):
    input x: [B, T, d]
    hidden = []
    for i in range(layers):
        x += x -> Linear(d)
        hidden.append(x)
    return x, hidden

model M(layers = 3):
    input x: [B, T, 8]
    x, hidden = x -> Enc(layers)
    y = stack(hidden, axis=1) -> mean(axis=1)
    z = hidden -> concat(axis=-1) -> Linear(8)
    return x + hidden[-1] + y + z, hidden
"""
TABLE = """
model Table(counts = [5, 7, 3], widths = [3, 2, 4], d = 4):
    input x: int[B, 3]
    vectors = []
    for i, count in enumerate(counts):
        vectors.append(x[:, i] -> Embed(count, widths[i]) as embed)
    y = concat(vectors)
    z = y -> rearrange("b (k n) -> b n k", k=3)
    return y -> Linear(d), z : [B, 3, 3]
"""
PICKED = """
model Picked(picks = [2, 0], layers = 3):
    input x: [B, 8]
    states = [x]
    for i in range(layers):
        x = tanh(x)
        states.append(x)
    total = zeros([B, 8])
    for i, pick in enumerate(picks):
        total += (states[pick] -> Linear(8) as mix) * states[i + 1]
    return total
"""
CHOSEN = """
model M(n = 3, width = 4):
    input x: [B, 8]
    held = []
    if n > 2:
        held.append(x)
    else:
        held.append(x -> Linear(width))
    if n > 5:
        held.append(x -> Linear(2 * width))
    y = held.pop()
    return concat(x -> Linear(2), y, axis=-1) -> Linear(2)
"""
STRAIGHT = """
model M(width = 4):
    input x: [B, 8], y: [B, 3]
    held = []
    held.append(x)
    held.append(y)
    held.append(x -> Linear(width))
    z = concat(held, axis=-1)
    first = held.pop()
    return (z -> Linear(width)) + first, held.pop(), held[0]
"""


@pytest.mark.heavy
def test_a_unet_of_lists_trains() -> None:
    module = load(text_of(UNET))
    model = module.create_model()
    assert model(jnp.ones((2, 16, 24, 3))).shape == (2, 16, 24, 2)
    optimizer = module.create_optimizer(model)
    batch = jnp.ones((2, 8, 8, 3)), jnp.zeros((2, 8, 8, 2))
    first, _ = module.train_step(model, optimizer, *batch)
    later, _ = module.train_step(model, optimizer, *batch)
    assert float(later) < float(first)


def test_tensors_that_differ_are_joined_end_to_end():
    run(TABLE, axes={"B": 2})
    text = class_of(TABLE, "Table")
    assert "vectors_features = sum(vectors_size_1)" in text


def test_an_index_may_come_from_a_loop():
    run(PICKED, axes={"B": 2})
    assert "mix(states[pick])" in class_of(PICKED, "Picked")


def test_an_index_outside_of_a_list_is_found_at_the_defaults():
    (found,) = instantiate(program(PICKED), "Picked", {"picks": (4,)}).failures
    assert found.message == "index 4 is outside a list of 4"


def test_weights_of_an_instance_are_those_of_the_model() -> None:
    meaning = program(UNET)
    predicted = instantiate(meaning, "UNet").root.parameters
    model = load(text_of(UNET)).create_model()
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert predicted == sum(leaf.size for leaf in leaves)


def test_the_constructor_keeps_the_sizes_that_it_builds_from() -> None:
    text = class_of(UNET, "UNet")
    assert "skips_c.append(width)" in text and "skip_c = skips_c.pop()" in text
    assert "skips_h" not in text


@pytest.mark.parametrize("n", [2, 3, 6])
def test_a_list_that_a_choice_changes(n: int) -> None:
    run(CHOSEN, params={"n": n}, axes={"B": 2})


def test_a_list_in_a_straight_line() -> None:
    run(STRAIGHT, axes={"B": 2})


PYRAMID = """
block Level(d):
    input x: [B, H, W, C], like: [B, h, w, D]
    return x -> Linear(d) as proj -> resize([h, w], "bilinear")

model M(widths = [4, 8, 6], at = -1):
    input x: [B, H, W, 3]
    maps = []
    for width in widths:
        x = x -> Conv(width, 3x3, stride=2) as down
        maps.append(x)
    first = maps[0]
    levels = []
    for i in range(len(widths)):
        levels.append(maps[i] -> Level(5, like=first) as level)
    chosen = mean(maps[at], axis=[1, 2]) -> Linear(2) as head
    return levels[at], concat(levels[::-1]) -> Linear(2), chosen, maps[1:]
"""


@pytest.mark.parametrize("at", [0, 1, -1])
def test_tensors_of_several_shapes_are_picked(at: int) -> None:
    module = load(text_of(PYRAMID))
    model = module.M(at=at, rngs=nnx.Rngs(0))
    picked, joined, chosen, rest = model(jnp.ones((2, 16, 9, 3)))
    assert (picked.shape, joined.shape) == ((2, 8, 5, 5), (2, 8, 5, 2))
    assert chosen.shape == (2, 2)
    assert model.head.kernel.shape[0] == (4, 8, 6)[at]
    assert [m.shape for m in rest] == [(2, 4, 3, 8), (2, 2, 2, 6)]
    meaning = instantiate(program(PYRAMID), "M", {"at": at})
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert meaning.root.parameters == sum(leaf.size for leaf in leaves)


def test_an_index_beyond_a_list() -> None:
    text = PYRAMID.replace("at = -1", "at = 3")
    (found,) = nnxc.compile(text).diagnostics
    assert found.code == "N322" and "index 3 is outside a list of 3" in found.message


def test_a_list_is_returned_joined_and_indexed() -> None:
    module = load(text_of(HIDDEN))
    model = module.M(rngs=nnx.Rngs(0))
    out, hidden = model(jnp.ones((2, 5, 8)))
    assert out.shape == (2, 5, 8)
    assert [h.shape for h in hidden] == [(2, 5, 8)] * 3


PROBE = """
model Probe(width = 8, layers = 3):
    input x: [B, width]
    hidden = []
    for i in range(layers):
        x = x -> Linear(width) -> relu
        hidden.append(x)
    return x, hidden

train Probe:
    batch x: [B, width], y: [B, width]
    out, hidden = model(x)
    loss = mse(out, y) + mse(hidden[0], y) + mse(mean(stack(hidden, axis=0), axis=0), y)
    optimizer = adam(1e-2)
    precision = bf16
"""


def test_a_loss_over_a_list_is_computed_in_full() -> None:
    text = text_of(PROBE)
    assert "hidden = [value.astype(jnp.float32) for value in hidden]" in text
    module = load(text)
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    losses = [
        float(
            module.train_step(model, optimizer, jnp.ones((2, 8)), jnp.ones((2, 8)))[0]
        )
        for _ in range(3)
    ]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("[B, H, W, 3]", "2 * (H // 8) and H // 4"),
        ("[B, 4 * n, 4 * n, 3]", "2 * (n // 2) and n"),
        ("[B, 60, 64, 3]", "14 and 15"),
    ],
)
def test_sizes_that_differ_are_told_once(shape: str, message: str) -> None:
    spec = UNET.split("train")[0].replace(" : [B, 8 * n, 8 * m, classes]", "")
    spec = spec.replace("[B, 8 * n, 8 * m, 3]", shape)
    (found,) = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    assert found.code == "N304" and message in found.message


PARTNERS = """
block Stage(widths, depths):
    input x: [B, T, d]
    for i, width in enumerate(widths):
        for j in range(depths[i]):
            x = x -> Linear(width) as up
    return x

model M(widths = [8, 16], depths = [1, 2], kinds = [1, 2], n = 2):
    input x: [B, T, 4]
    for i in range(len(widths)):
        x = x -> Linear(depths[i] * widths[i]) as up
        if i < len(kinds):
            x = x -> Linear(kinds[i]) as more
    for i in range(n):
        x = x -> Linear(kinds[i] if i > 0 and kinds[i] > 1 else 3) as again
        x = x -> Linear(depths[i]) as last
    return x -> Stage(widths, depths) as stage -> Linear(2) as out
"""


def test_a_list_shorter_than_its_partner_is_told_before_anything_is_built() -> None:
    module = load(text_of(PARTNERS))

    def built(**given: object) -> None:
        module.M(module.Config(**given), rngs=nnx.Rngs(0))

    built(widths=(8, 16), depths=(1, 2, 3), kinds=(1, 2, 3))
    with pytest.raises(
        ValueError,
        match=r"depths must not be shorter than widths, got depths=\(1, 2\), w",
    ):
        built(widths=(8, 16, 32))
    with pytest.raises(ValueError, match=r"depths must have n values, .*n=3"):
        built(widths=(8, 16), n=3)
    built(widths=(8,), kinds=(1, 2))  # what an `if` asks first needs no check


def test_a_list_is_checked_once_and_not_against_itself() -> None:
    config, text = class_of(PARTNERS, "Config"), class_of(PARTNERS, "M")
    assert config.count("if len(self.depths) < len(self.widths):") == 1
    assert config.count("if len(self.depths) <") + text.count("if len(depths) <") == 2
    assert "    if len(kinds) <" not in text and "if len(self.kinds) <" not in config


def test_lists_that_a_require_says_are_equally_long_are_not_checked_again() -> None:
    """Which it says in its own words; a `require` under an `if` says it for that side alone."""
    said = '    require len(depths) == len(widths), "a depth for each width"\n'
    body = (
        "    for i in range(len(widths)):\n        x = x -> Linear(depths[i]) as up\n"
    )
    other = (
        "    for w, d in zip(widths, depths):\n        x = x -> Linear(w + d) as up\n"
    )
    head = "model M(widths = [8, 16], depths = [1, 2]):\n    input x: [B, 4]\n"
    for loop in (body, other):
        plain = load(text_of(f"{head}{said}{loop}    return x\n"))
        with pytest.raises(ValueError, match=r"^a depth for each width, got depths="):
            plain.M(widths=(8, 16, 32), rngs=nnx.Rngs(0))
        text = class_of(f"{head}{said}{loop}    return x\n", "M")
        assert text.count("len(depths)") == 1
        under = f"    if max(widths) > 8:\n    {said}"
        text = class_of(f"{head}{under}{loop}    return x\n", "M")
        assert text.count("len(depths)") == 2


def test_what_a_block_checks_of_other_lists_the_model_still_checks() -> None:
    spec = PARTNERS.replace("Stage(widths, depths) as", "Stage([2], [1]) as")
    assert "if len(self.depths) < len(self.widths):" in class_of(spec, "Config")


def test_a_short_list_is_told_at_the_defaults() -> None:
    spec = PARTNERS.replace("depths = [1, 2]", "depths = [1]")
    (found,) = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    assert found.code == "N322"


WRONG = """
model M(n = 3):
    input x: [B, T, 8]
    held = []
    {}
    return x -> Linear(n)
"""


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("held.append(x)", "N260"),
        ("x = held.pop()", "N256"),
        ("held.push(x)", "N214"),
        ("held.append(x)\n    y = held\n    x += y", "N255"),
        (
            "held.append(x)\n    held.append(mean(x, axis=1))\n    x = held.pop()",
            "N257",
        ),
        ("held.append(x)\n    x = x if n == 3 else held.pop()", "N255"),
        ("held.append(x)\n    x = held + x", "N233"),
        ("held.append(x)\n    held.pop()", "N241"),
        ("held.append(x)\n    x = held[1]", "N222"),
        ("for i in range(2):\n        x += held.pop()", "N256"),
        ("held.append(x)\n    for i in range(2):\n        x += held.pop()", "N322"),
        ("held.append(x, x)\n    x = held.pop()", "N205"),
        ("held.append(x)\n    x = held.pop(0)", "N205"),
    ],
)
def test_one_mistake_one_message(lines: str, code: str) -> None:
    output = nnxc.compile(WRONG.format(lines).encode(), path="spec.nnx")
    assert [d.code for d in output.diagnostics] == [code]


def test_lists_side_by_side_are_of_one_length() -> None:
    """Of parameters, so that the constructor tells it: no list is cut to the shortest."""
    module = load(text_of("""
block Tower(widths, flags):
    input x: [B, d]
    for width, flag in zip(widths, flags):
        x = x -> Linear(width) as layer
        if flag:
            x = x -> relu
    return x

model Net(d = 4, widths = [4, 8], flags = [true, false], scales = [2, 3]):
    input x: [B, d]
    for scale, by in zip(scales, [1.0, 2.0]):
        x = by * x -> Linear(scale * d) as up -> Linear(d) as down
    return x -> Tower(widths, flags) as tower
"""))

    def net(**args: object) -> nnx.Module:
        return module.Net(module.Config(**args), rngs=nnx.Rngs(0))

    assert len(net(widths=(4,), flags=(True,)).tower.layer) == 1
    with pytest.raises(ValueError, match="flags must be as long as widths, got"):
        net(flags=(True,))
    with pytest.raises(ValueError, match="scales must have 2 values, got"):
        net(scales=(1, 2, 3))
