"""Layers of one's own in models that were generated: they work in full, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

CHAT = """
block Mixer:
    input x: [B, T, d]
    q = x -> Linear(1, d) as query
    return x + (attend(q, q, q, causal=true) -> Linear(d, over=[2, 3]) as out)

model Net(vocab = 23, d = 8, layers = 2):
    input tokens: int[B, T]
    x = (tokens -> Embed(vocab, d) as wte) + (positions(tokens) -> Embed(32, d) as wpe)
    x = x -> Mixer * layers as h
    return x -> Linear(vocab) as head

generate Net
"""
PROMPT = [3, 5, 7]


class Own(nnx.Module):
    """Attention of one's own: (b, t, d) -> (b, t, d)."""

    def __init__(self, attend: Any):
        self.attention = attend

    def __call__(self, x: jax.Array) -> jax.Array:
        q = x[:, :, None]
        return x + self.attention(q, q, 2 * q)[:, :, 0]


def by_hand(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    return jax.nn.dot_product_attention(q, k, v, is_causal=True)


def chat(**options: Any) -> tuple[ModuleType, Any]:
    module = load(text_of(CHAT, black=False, **options))
    return module, module.Net(module.Config(), rngs=nnx.Rngs(3))


def greedy(model: Any, count: int) -> list[int]:
    """One token after the other, each from all before it."""
    tokens = list(PROMPT)
    for _ in range(count):
        tokens.append(int(np.argmax(model(np.array([tokens]))[0, -1])))
    return tokens[len(PROMPT) :]


def agrees(module: ModuleType, model: Any) -> bool:
    (tokens,) = module.generate(model, [PROMPT], max_new_tokens=6)
    return bool(tokens == greedy(model, 6))


def refused(module: ModuleType, model: Any) -> str:
    with pytest.raises(ValueError) as found:
        module.generate(model, [PROMPT], max_new_tokens=6)
    return str(found.value)


def test_a_layer_of_ones_own_decodes_with_a_cache() -> None:
    module, model = chat()
    model.h[1] = Own(module.CausalAttention(1, 8))
    assert agrees(module, model)


def test_a_layer_of_ones_own_without_a_cache_is_refused() -> None:
    module, model = chat()
    model.h[1] = Own(by_hand)
    assert refused(module, model) == (
        "h.1 is Own, which has no cache as what it replaced: use CausalAttention, or"
        " another Stepwise layer, in it"
    )
    with pytest.raises(ValueError, match=r"^h\.1 is Own"):
        module.init_cache(model, np.array([0]), 9)


def test_a_function_in_place_of_a_layer_with_a_cache_is_refused() -> None:
    module, model = chat()
    model.h[0].attend = by_hand
    with pytest.raises(ValueError, match=r"^h\.0\.attend is function, which has no"):
        module.init_cache(model, np.array([0]), 9)


def test_so_is_a_layer_in_place_of_a_stack() -> None:
    module, model = chat(stack="scan")
    assert agrees(module, model)
    model.h.attend = Own(by_hand)
    assert refused(module, model).startswith("h.attend is Own, which has no cache")


def test_a_layer_around_one_with_a_cache_keeps_it() -> None:
    class Scaled(nnx.Module):
        def __init__(self, inner: nnx.Module):
            self.inner = inner

        def __call__(self, *args: jax.Array) -> jax.Array:
            return 2 * self.inner(*args)

    module, model = chat()
    model.h[0] = Scaled(model.h[0])
    model.h[1].attend = Scaled(model.h[1].attend)
    assert agrees(module, model)
    around = Scaled(model)
    around.dtype = model.dtype
    assert agrees(module, around)
    model.h[1] = Own(by_hand)
    assert refused(module, around).startswith("inner.h.1 is Own, which has no cache")


def test_layers_may_be_removed() -> None:
    module, model = chat()
    model.h = nnx.List(model.h[:1])
    assert agrees(module, model)


def test_a_cache_that_is_not_called_is_refused() -> None:
    module, model = chat()

    class Late(module.Mixer):  # type: ignore[misc, name-defined]
        """Inherits a cache and does without."""

        def __call__(self, x: jax.Array) -> jax.Array:
            return Own(by_hand)(x)

    model.h[0] = Late(8, rngs=nnx.Rngs(0))
    message = "h.0.attend has a cache, but the model does not call it"
    assert refused(module, model) == message


STORED = """
block Mlp:
    input x: [B, d]
    return x + (x -> Linear(2 * d) as up -> relu -> Linear(d) as down)

model Net(d = 4, layers = 2):
    input x: [B, d]
    return x -> Mlp * layers as h -> Linear(3) as head

weights Net from "{path}"
"""


class Pass(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x


def replace_block(model: Any) -> None:
    model.h[0] = nnx.Linear(4, 4, rngs=nnx.Rngs(0))


def add_layer(model: Any) -> None:
    model.value = nnx.Linear(4, 1, rngs=nnx.Rngs(0))


def wrap_layer(model: Any) -> None:
    model.head = nnx.LoRA(4, 2, 3, base_module=model.head, rngs=nnx.Rngs(0))


def leave_out_block(model: Any) -> None:
    model.h[1] = Pass()


def leave_out_layer(model: Any) -> None:
    model.head = Pass()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            replace_block,
            "no tensor holds h.0.bias\n  no tensor holds h.0.kernel\n"
            "  h.0 has none of the weights that tensors hold",
        ),
        (add_layer, "no tensor holds value.bias\n  no tensor holds value.kernel"),
        (wrap_layer, "no tensor holds head.base_module.bias"),
        (leave_out_block, "h.1 has none of the weights that tensors hold"),
        (leave_out_layer, "head has none of the weights that tensors hold"),
    ],
)
def test_a_checkpoint_has_all_weights_or_is_not_written(
    change: Callable[[Any], None], told: str, tmp_path: Path
) -> None:
    pytest.importorskip("safetensors")
    module = load(text_of(STORED, black=False))
    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    module.save_pretrained(model, tmp_path / "whole")
    change(model)
    with pytest.raises(ValueError) as found:
        module.save_pretrained(model, tmp_path / "half")
    assert str(found.value).startswith(f"this Net cannot be saved:\n  {told}")
    assert not (tmp_path / "half").exists()


def test_layers_of_ones_own_are_saved_under_the_names_of_others(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    module = load(text_of(STORED, black=False))

    class Mine(module.Mlp):  # type: ignore[misc, name-defined]
        def __call__(self, x: jax.Array) -> jax.Array:
            return 2 * super().__call__(x)

    model = module.Net(module.Config(), rngs=nnx.Rngs(0))
    model.h[0] = Mine(4, rngs=nnx.Rngs(1))
    module.save_pretrained(model, tmp_path)
    again = module.load_pretrained(tmp_path)
    np.testing.assert_array_equal(again.h[0].up.kernel[...], model.h[0].up.kernel[...])
