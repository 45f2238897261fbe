"""Named outputs: what callers read, what is generated, and that it runs and trains."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import class_of, load, program, run, text_of
from flax import nnx

import nnxc
from nnxc.instance import instantiate

ENCODER = """
block Encoder(layers):
    input x: [B, T, d]
    states = [x]
    for i in range(layers):
        x += x -> Linear(d) -> gelu
        states.append(x)
    return last=x, states=states
"""
TAGGER = f"""{ENCODER}
model Tagger(layers = 2, tags = 5):
    input x: [B, T, 8]
    out = x -> Encoder(layers) as encoder
    y = out.last + out.states[0]
    return logits=y -> Linear(tags) as head, first=out.states[0], encoder=out

train Tagger:
    batch x: [B, T, 8], tag: int[B, T]
    out = model(x)
    loss = cross_entropy(out.logits, tag) + mean(out.encoder.states[1] ** 2)
    metric accuracy = accuracy(out.logits, tag)
    optimizer = adam(1e-2)
"""
BACKBONE = """
block Stage(width, depth):
    input x: [B, H, W, C]
    x = x -> Conv(width, 2x2, stride=2) as down
    states = [x]
    for i in range(depth):
        x = x + (x -> Conv(width, 3x3) -> relu)
        states.append(x)
    return x, states

model Backbone(widths = [4, 8], depths = [1, 2], more = true):
    input image: [B, 8 * n, 8 * n, 3]
    x = image
    maps = [x]
    for width, depth in zip(widths, depths):
        x, states = x -> Stage(width, depth) as stage
        maps.append(x + states[-1])
    if more:
        maps.append(x -> relu)
    return pooled=mean(x, axis=[1, 2]) : [B, widths[-1]], maps=maps
"""


def batch() -> tuple[jax.Array, jax.Array]:
    return jnp.ones((2, 3, 8)), jnp.zeros((2, 3), int)


def test_outputs_are_a_named_tuple_that_nests() -> None:
    module = load(text_of(TAGGER))
    out = module.create_model()(jnp.ones((2, 3, 8)))
    assert type(out).__name__ == "TaggerOutput" and out._fields[0] == "logits"
    assert type(out.encoder).__name__ == "EncoderOutput"
    logits, first, encoder = out
    assert logits.shape == (2, 3, 5) and first is encoder.states[0]
    assert [s.shape for s in encoder.states] == [(2, 3, 8)] * 3


def test_the_class_stands_before_its_module_with_shapes() -> None:
    text = text_of(TAGGER)
    fields = (
        "class TaggerOutput(NamedTuple):\n"
        '    """What Tagger returns."""\n\n'
        "    logits: jax.Array  # (b, t, tags)\n"
        "    first: jax.Array  # (b, t, 8)\n"
        "    encoder: EncoderOutput\n"
    )
    assert fields in text and text.index(fields) < text.index("class Tagger(")
    call = class_of(TAGGER, "Encoder")
    assert "-> EncoderOutput:" in call
    assert (
        "states = [x]" in call and "return EncoderOutput(last=x, states=states)" in call
    )


def test_a_loss_over_named_outputs_trains() -> None:
    module = load(text_of(TAGGER))
    model = module.create_model()
    optimizer = module.create_optimizer(model)
    losses = [float(module.train_step(model, optimizer, *batch())[0]) for _ in range(3)]
    assert losses[-1] < losses[0]


def test_gradients_reach_every_part() -> None:
    module = load(text_of(TAGGER))
    loss = nnx.grad(lambda m: module.loss_fn(m, *batch())[0])
    for leaf in jax.tree.leaves(loss(module.create_model())):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0


def test_half_precision_ends_where_an_output_is_read() -> None:
    text = text_of(f"{TAGGER}    precision = bf16\n")
    assert "out.logits.astype(jnp.float32)" in text
    assert "out.encoder.states[1].astype(jnp.float32)" in text
    module = load(text)
    model = module.create_model()
    step = module.train_step(model, module.create_optimizer(model), *batch())
    assert step[0].dtype == jnp.float32


READ = {
    "kept and taken apart": "kept = model(x)\n    a, b, c = kept\n    loss = mean(a) + mean(b)\n    metric m = mean(c.last)",
    "taken apart": "a, b, c = model(x)\n    loss = mean(a) + mean(b) + mean(c.states[0])",
    "a part of a call": "loss = mean(model(x).logits)\n    metric m = mean(model(x).first)",
    "a whole list": "out = model(x)\n    loss = mean(stack(out.encoder.states, axis=0))",
    "a list by name": "out = model(x)\n    held = out.encoder.states\n    loss = mean(held[0]) + mean(held[1])",
    "a part by name": "out = model(x)\n    part = out.encoder\n    loss = mean(part.last) + mean(part.states[2])",
}


@pytest.mark.parametrize("how", READ)
@pytest.mark.parametrize("precision", ["", "\n    precision = bf16"])
def test_outputs_are_read_in_every_way(how: str, precision: str) -> None:
    spec = TAGGER[: TAGGER.index("train")]
    train = f"train Tagger:\n    batch x: [B, T, 8]\n    {READ[how]}\n    optimizer = sgd(0.1)"
    spec = spec.replace("range(layers)", "range(2)").replace("(layers):", ":")
    spec = spec.replace("Encoder(layers)", "Encoder").replace("layers = 2, ", "")
    module = load(text_of(f"{spec}{train}{precision}\n"))
    model = module.create_model()
    loss, _ = module.train_step(model, module.create_optimizer(model), batch()[0])
    assert loss.dtype == jnp.float32


@pytest.mark.parametrize("stack", ["loop", "scan"])
@pytest.mark.parametrize("remat", [False, True])
def test_named_outputs_in_every_option(stack: str, remat: bool) -> None:
    spec = TAGGER.replace("x -> Linear(d) -> gelu", "x -> Layer * 2 as deep")
    layer = "block Layer:\n    input x: [B, T, d]\n    return x -> Linear(d) -> gelu\n"
    module = load(text_of(layer + spec, stack=stack, remat=remat))
    model = module.create_model()
    step = module.train_step(model, module.create_optimizer(model), *batch())
    assert np.isfinite(step[0])


def test_lists_of_several_shapes_are_returned() -> None:
    for more in (True, False):
        run(BACKBONE, params={"more": more}, axes={"B": 2, "n": 2})
    module = load(text_of(BACKBONE))
    out = module.Backbone(rngs=nnx.Rngs(0))(jnp.ones((2, 16, 16, 3)))
    shapes = [m.shape[1:] for m in out.maps]
    assert shapes == [(16, 16, 3), (8, 8, 4), (4, 4, 8), (4, 4, 8)]
    predicted = instantiate(program(BACKBONE), "Backbone", {}, {"B": 2, "n": 2})
    _, maps = predicted.outputs
    assert [tuple(s.value for s in m.sizes[1:]) for m in maps.items] == shapes


GROWS = f"""{ENCODER}
model M(n = 2):
    input x: [B, T, 4]
    out = x -> Encoder(n) as encoder
    states = out.states
    states.append(out.last -> relu)
    for i in range(n):
        states.append(out.last -> Linear(4))
    taken = states.pop()
    last, other = x -> Encoder(n) as second
    other.append(last)
    return states=states, out=out, other=other, taken=taken
"""


def test_a_list_that_a_call_gave_grows_without_changing_the_call() -> None:
    out = load(text_of(GROWS)).M(rngs=nnx.Rngs(0))(jnp.ones((1, 2, 4)))
    assert len(out.states) == 5 and len(out.out.states) == 3 and len(out.other) == 4
    run(GROWS, axes={"B": 2, "T": 3})


EACH = """
block Expert(hidden):
    input x: [B, d]
    states = [x]
    y = x -> Linear(hidden)
    states.append(x * 2)
    return y=y, states=states

model M(experts = 3):
    input x: [B, experts, 4]
    out = x -> Expert(5, each=experts)
    return out=out, sum=out.states[1] + x
"""


def test_copies_give_named_outputs() -> None:
    run(EACH, axes={"B": 2})
    out = load(text_of(EACH)).M(rngs=nnx.Rngs(0))(jnp.ones((2, 3, 4)))
    assert out.out.y.shape == (2, 3, 5) and out.sum.shape == (2, 3, 4)


ODD = """
model M:
    input x: [B, 4]
    return count=x -> Linear(2), index=x, lambda_=x, list=x

train M:
    batch x: [B, 4]
    out = model(x)
    loss = mean(out.count) + mean(out.index) + mean(out.lambda_) + mean(out.list)
    optimizer = sgd(0.1)
"""


def test_names_that_mean_something_to_python() -> None:
    module = load(text_of(ODD))
    model = module.create_model()
    module.train_step(model, module.create_optimizer(model), jnp.ones((2, 4)))
    assert model(jnp.ones((2, 4)))._fields == ("count_", "index_", "lambda_", "list_")


TAKEN = """
block NetOutput:
    input x: [B, d]
    return x -> Linear(d)

model Net(n = 4):
    input x: [B, 4]
    return y=x -> NetOutput -> Linear(n)
"""


def test_a_class_of_outputs_gets_a_name_of_its_own() -> None:
    assert "class NetOutputs(NamedTuple)" in text_of(TAKEN)
    run(TAKEN, axes={"B": 2})


WRONG: dict[str, Any] = {
    "x.nothing": ("N214", ""),
    "out.lst": ("N214", "did you mean `last`?"),
    "out.zzz": ("N214", "it has `last`, `states`"),
    "out": ("N234", ""),
    "out[0]": ("", ""),
    "out[2]": ("N222", "there are 2 values"),
    "out[:1]": ("N234", ""),
    "out.states": ("N233", ""),
    "out.states[4]": ("", ""),
    "out.states.pop()": ("N255", ""),
    "out.last.x": ("N214", ""),
}


@pytest.mark.parametrize("value", WRONG)
def test_a_mistake_is_told_once(value: str) -> None:
    spec = f"{ENCODER}\nmodel M(n = 2):\n    input x: [B, T, 4]\n    out = x -> Encoder(n)\n"
    spec += f"    y = 1 * {value}\n    return y + out.last\n"
    found = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    code, told = WRONG[value]
    assert [d.code for d in found] == ([code] if code else [])
    assert not told or told in (found[0].help, found[0].message)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("return a=x, x", "N128"),
        ("return x, a=x", "N128"),
        ("return a=x, a=x", "N131"),
        ("return A=x", "N141"),
        ("return (a=x, x)", "N120"),
        ("return a=", "N120"),
        ("return a=x b=x", "N126"),
    ],
)
def test_a_return_that_is_no_return(line: str, code: str) -> None:
    spec = f"model M(n = 2):\n    input x: [B, n]\n    {line}\n"
    found = nnxc.compile(spec.encode(), path="spec.nnx").diagnostics
    assert [d.code for d in found] == [code]


MAPS = """
block Pyramid(width):
    input a: [B, 2 * h, c], b: [B, h, d]
    p = b -> Linear(width) as below
    q = (a -> Linear(width) as above) + repeat(p, 2, axis=1)
    return maps=[q, p]

model Net(width = 4):
    input a: [B, 8, 6], b: [B, 4, 3]
    pyramid = Pyramid(width)
    p = pyramid(a, b)
    head = Linear(2)
    return logits=[head(p.maps[0]), head(p.maps[-1])], all=p
"""


def test_one_of_several_values_is_taken_by_its_number() -> None:
    text = text_of(MAPS)
    assert (
        "maps: tuple[jax.Array, jax.Array]  # (b, 2 * h, width), (b, h, width)" in text
    )
    out = load(text).Net(rngs=nnx.Rngs(0))(jnp.ones((2, 8, 6)), jnp.ones((2, 4, 3)))
    assert [x.shape for x in out.logits] == [(2, 8, 2), (2, 4, 2)]
    run(MAPS, axes={"B": 2})
