"""Tables tell the weights of a layer by one row, where a checkpoint has all of them as PyTorch does."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load
from flax import nnx
from safetensors.numpy import load_file, save_file

import nnxc
from nnxc.ops.torch_layouts import LEAVES

NET = """
model Net(d = 4, odd = true):
    input x: [B, 6, 6, d]
    x = x -> Conv(d, 3x3) as conv -> BatchNorm as norm
    y = mean(x, axis=[1, 2]) -> [B, 1, d] -> Attention(2) as mix
    return y[:, 0, :] -> Linear(3, bias=odd) as head

"""
PLAIN = 'weights Net from "net.{path}"\n'
SHAPES = {
    "net.conv.weight": (4, 4, 3, 3),
    **{f"net.norm.{n}": (4,) for n in ("weight", "bias")},
    **{f"net.norm.running_{n}": (4,) for n in ("mean", "var")},
    **{f"net.mix.{n}.weight": (4, 4) for n in ("query", "key", "value", "out")},
    **{f"net.mix.{n}.bias": (4,) for n in ("query", "key", "value", "out")},
    "net.conv.bias": (4,),
    "net.head.weight": (3, 4),
    "net.head.bias": (3,),
}


def compiled(weights: str, net: str = NET) -> tuple[str, ModuleType]:
    output = nnxc.compile(net + weights, path="net.nnx")
    assert output.ok, output.diagnostics
    text = output.files["net.py"]
    return text, load(text)


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.random(shape, np.float32) for name, shape in SHAPES.items()}


def table(text: str) -> str:
    return " ".join(text.partition("STORED = ")[2].partition("\n)\n")[0].split())


def test_the_compiler_and_its_modules_agree_on_what_weights_are_called() -> None:
    _, module = compiled(PLAIN)
    checkpoints = __import__(module.Stored.__module__)
    assert dict(LEAVES) == checkpoints.LEAVES


def test_a_layer_is_a_row_and_loads_as_pytorch_has_it(tmp_path: Path) -> None:
    text, module = compiled(PLAIN)
    for row in (
        'Stored("conv", "net.conv")',
        'Stored("norm", "net.norm")',
        'Stored("mix.query", "net.mix.query", outs=2)',
        'Stored("mix.out", "net.mix.out", ins=2)',
        'Stored("head", "net.head")',
    ):
        assert row in table(text)
    given = tensors()
    save_file(given, tmp_path / "model.safetensors")
    model = module.load_pretrained(tmp_path)
    kernel = given["net.conv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.conv.kernel[...], kernel)
    query = given["net.mix.query.weight"].T.reshape(4, 2, 2)
    np.testing.assert_array_equal(model.mix.query.kernel[...], query)
    out = given["net.mix.out.weight"].T.reshape(2, 2, 4)
    np.testing.assert_array_equal(model.mix.out.kernel[...], out)
    bias = given["net.mix.key.bias"].reshape(2, 2)
    np.testing.assert_array_equal(model.mix.key.bias[...], bias)
    np.testing.assert_array_equal(model.norm.var[...], given["net.norm.running_var"])
    module.save_pretrained(model, tmp_path / "again")
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert {name: again[name].tolist() for name in again} == {
        name: given[name].tolist() for name in given
    }


@pytest.mark.parametrize("name", ["net.head.bias", "net.norm.running_mean"])
def test_each_weight_of_a_layer_has_to_be_there(tmp_path: Path, name: str) -> None:
    _, module = compiled(PLAIN)
    given = tensors()
    del given[name]
    save_file(given, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=f"{name} is missing$"):
        module.load_pretrained(tmp_path)


def test_a_weight_that_a_layer_has_not_is_one_too_many(tmp_path: Path) -> None:
    _, module = compiled(PLAIN)
    save_file(tensors(), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"net\.head\.bias is used by nothing$"):
        module.load_pretrained(tmp_path, module.Config(odd=False))


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (  # a kernel laid out otherwise
            '    head.kernel = "net.head.weight" -> transpose\n',
            'Stored("head.kernel", "net.head.weight"), Stored("head.bias", "net.head.bias")',
        ),
        ('    head.bias = "net.out"\n', 'Stored("head.bias", "net.out")'),
        (  # of another layer's name
            '    head.bias = "net.other.bias"\n',
            'Stored("head.bias", "net.other.bias")',
        ),
        (  # of another name as well as the layer's
            '    norm.mean = "net.norm.mean"\n',
            'Stored("norm.mean", "net.norm.mean")',
        ),
    ],
)
def test_what_is_otherwise_keeps_its_rows(lines: str, kept: str) -> None:
    text, _ = compiled(f"{PLAIN.strip()}:\n{lines}")
    assert kept in table(text)


def test_one_position_of_a_list_that_is_otherwise() -> None:
    net = """
model Net(d = 4):
    input x: [B, d]
    return x -> Linear(d) * 3 as h

"""
    text, module = compiled(
        'weights Net from "{path}":\n    h[0].bias = "first.bias"\n', net
    )
    assert 'Stored("h.0.bias", "first.bias"), Stored("h.{}", "h.{0}")' in table(text)
    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    checkpoints = __import__(module.Stored.__module__)
    state = checkpoints.flat_state(model)
    held = checkpoints.resolve_rows(model, state, module.STORED)
    names = {name for row in held for group in row.names for name in group}
    assert "first.bias" in names
    assert "h.0.bias" not in names
    assert "h.0.weight" in names


def test_weights_beside_those_of_pytorch_are_not_taken() -> None:
    """An adapter's weights lie beside the layer's, and no file has them."""
    _, module = compiled(PLAIN)
    model = nnx.eval_shape(lambda: module.Net(module.Config(), rngs=nnx.Rngs(0)))
    model.head.lora_a = nnx.Param(jnp.zeros((4, 2)))
    checkpoints = __import__(module.Stored.__module__)
    state = checkpoints.flat_state(model)
    held = checkpoints.resolve_rows(model, state, module.STORED)
    assert not any("lora_a" in key for row in held for key in row.paths)
