"""Published models of images: what begins as what, what is refused, older names of tensors."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load
from flax import nnx
from test_zoo import ALL, compiled

PUBLISHED = {name: path for name, path in ALL.items() if name.startswith("pretrained/")}


def built(name: str) -> ModuleType:
    return load(compiled(f"pretrained/{name}").files[f"{name}.py"])


def weights(model: nnx.Module) -> dict[str, jax.Array]:
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): weight[...] for path, weight in flat}


def deviation(weight: jax.Array) -> float:
    return float(jnp.sqrt(jnp.mean(weight**2)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_heads_divide_the_width_that_they_split(name: str) -> None:
    """Else a model would be smaller than it says, and nothing would tell."""
    spec = PUBLISHED[name].read_text()
    if (
        re.search(r"Linear\((heads|n), \w+ // \1", spec)
        and "heads * head_dim" not in spec
    ):
        text = compiled(name).files[f"{Path(name).name}.py"]
        assert re.search(r"(heads|n) must divide (d|c)\b", text)


def test_heads_that_do_not_divide_the_width() -> None:
    vit = built("vit")
    with pytest.raises(ValueError, match="heads must divide d, got heads=4, d=10"):
        vit.create_model(vit.Config(d=10, heads=4, layers=1))


@pytest.mark.parametrize("bottleneck", [True, False])
def test_a_resnet_begins_as_identities(bottleneck: bool) -> None:
    """Convolutions as He et al. (2015), the last scale of each branch as 0."""
    resnet = built("resnet")
    sizes: dict[str, Any] = {"widths": (32, 64), "depths": (2, 2), "stem_width": 16}
    model = resnet.create_model(resnet.Config(bottleneck=bottleneck, **sizes))
    last = "conv3" if bottleneck else "conv2"
    found = weights(model)
    scales = {p: w for p, w in found.items() if p.endswith("normalization.scale")}
    for path, scale in scales.items():
        assert bool((scale == (0 if f".{last}." in path else 1)).all()), path
    for path, kernel in found.items():
        if path.endswith("convolution.kernel"):
            due = math.sqrt(2 / (math.prod(kernel.shape[:2]) * kernel.shape[3]))
            near = abs(deviation(kernel) / due - 1)
            assert near < 4 / math.sqrt(kernel.size), path
    with pytest.raises(ValueError, match="depths must be as long as widths"):
        resnet.create_model(resnet.Config(**{**sizes, "depths": (2,)}))


def test_a_convnext_without_layer_scale() -> None:
    """0 means none, as in the reference; else branches begin small."""
    convnext = built("convnext")
    sizes: dict[str, Any] = {"widths": (8, 12), "depths": (1, 2)}
    for value in (0.0, -1.0):
        model = convnext.create_model(
            convnext.Config(layer_scale_init_value=value, **sizes)
        )
        assert not any("layer_scale" in path for path in weights(model))
    found = weights(convnext.create_model(convnext.Config(**sizes)))
    scales = [w for path, w in found.items() if "layer_scale" in path]
    assert len(scales) == 3 and all(bool((s == 1e-6).all()) for s in scales)
    rates = [
        layer.drop_path.rate
        for stage in convnext.create_model(convnext.Config(**sizes)).stages
        for layer in stage.layers
    ]
    assert rates == pytest.approx([0.0, 0.05, 0.1])
    with pytest.raises(ValueError, match="depths must be as long as widths"):
        convnext.create_model(convnext.Config(widths=(8, 12), depths=(1, 2, 3)))


def test_an_efficientnet_drops_branches_of_whole_images() -> None:
    """The deeper, the more often (Huang et al., 2016); strides are 1 or 2."""
    net = built("efficientnet")
    cfg = net.Config(
        width=0.25,
        widths=(16, 24),
        depths=(1, 3),
        windows=(3, 5),
        strides=(1, 2),
        expand_ratios=(1, 6),
    )
    model = net.create_model(cfg)
    drops = [block.drop_path for blocks in model.blocks for block in blocks]
    assert [d and d.rate for d in drops] == [None, None, 0.2 * 2 / 4, 0.2 * 3 / 4]
    assert all(d is None or d.broadcast_dims == (1, 2, 3) for d in drops)
    assert model.batchnorm.momentum == 0.99
    with pytest.raises(ValueError, match="strides are 1 or 2"):
        net.create_model(net.replace(cfg, strides=(1, 3)))


@pytest.fixture(scope="module")
def vae() -> ModuleType:
    return built("autoencoder_kl")


SMALL: dict[str, Any] = {"widths": (4, 8), "layers": 1, "groups": 2, "latent": 2}


def test_latents_are_encoded_and_decoded(vae: ModuleType) -> None:
    """What the model does at once, in its two halves."""
    model = vae.create_model(vae.Config(**SMALL))
    image = jax.random.normal(jax.random.key(0), (2, 8, 12, 3))
    noise = jax.random.normal(jax.random.key(1), (2, 4, 6, 2))
    mean, logvar = model.encoder(image)
    whole = model(image, noise)
    np.testing.assert_array_equal(whole.mean, mean)
    np.testing.assert_array_equal(whole.logvar, logvar)
    decoded = model.decoder(mean + jnp.exp(logvar / 2) * noise)
    np.testing.assert_allclose(whole.sample, decoded, atol=1e-6)
    np.testing.assert_allclose(model(image).sample, model.decoder(mean), atol=1e-6)


def test_reconstruction_and_divergence_are_sums_over_a_sample(vae: ModuleType) -> None:
    model = vae.create_model(vae.Config(**SMALL))
    image = jax.random.normal(jax.random.key(0), (2, 8, 12, 3))
    loss, metrics = vae.loss_fn(model, nnx.Rngs(noise=3), image)
    noise = jax.random.normal(nnx.Rngs(noise=3).noise(), (2, 4, 6, 2))
    out = model(image, noise)
    off = jnp.abs(out.sample - image).sum() / 2
    prior = (out.mean**2 + jnp.exp(out.logvar) - 1 - out.logvar).sum() / 4
    assert metrics["reconstruction"] == pytest.approx(float(off), rel=1e-5)
    assert metrics["divergence"] == pytest.approx(float(prior), rel=1e-5)
    assert loss == pytest.approx(float(off + 1e-6 * prior), rel=1e-5)


def test_attention_by_its_older_names(vae: ModuleType, tmp_path: Path) -> None:
    """Files such as sd-vae-ft-mse have them."""
    safetensors = pytest.importorskip("safetensors.numpy")
    model = vae.create_model(vae.Config(**SMALL))
    vae.save_pretrained(model, tmp_path / "new.safetensors")
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in safetensors.load_file(tmp_path / "new.safetensors").items():
        for new, old in older.items():
            name = name.replace(f".{new}.", f".{old}.")
        tensors[name] = tensor
    assert "encoder.mid_block.attentions.0.query.weight" in tensors
    assert not any(".to_" in name for name in tensors)
    safetensors.save_file(tensors, tmp_path / "old.safetensors")
    again = vae.load_pretrained(tmp_path / "old.safetensors", vae.Config(**SMALL))
    for path, weight in weights(again).items():
        np.testing.assert_array_equal(weight, weights(model)[path], path)
