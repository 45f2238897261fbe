"""Generated models as Tunix calls them: the contract of a call, without Tunix.

What Tunix itself does with them is run by `make tunix`, in an environment of its own.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.tunix.__main__ import judged, main
from tests.tunix.installed import Missing, part
from tests.tunix.specs import TINY, Make, maker

pytestmark = pytest.mark.heavy

IDS = jnp.array([[5, 6, 7, 8, 9, 10, 11], [20, 22, 24, 26, 28, 30, 32]])
PADS = 2  # before the second sequence
VALID = jnp.arange(7)[None] >= jnp.array([[0], [PADS]])


@pytest.fixture(scope="module", params=TINY)
def make(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Make:
    return maker(request.param, tmp_path_factory.mktemp("tunix"))


@pytest.fixture(scope="module")
def model(make: Make) -> Any:
    return make()


def places(valid: jax.Array) -> jax.Array:
    """Positions that skip padding."""
    return jnp.maximum(jnp.cumsum(valid, axis=1) - 1, 0)


def seen(valid: jax.Array, size: int | None = None) -> jax.Array:
    """Which of `size` slots each token attends to: those before it that are no padding."""
    length = valid.shape[1]
    mask = jnp.tril(jnp.ones((length, length), bool)) & valid[:, None]
    return jnp.pad(mask, [(0, 0), (0, 0), (0, (size or length) - length)])


def close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one, other, atol=2e-5)


def test_arguments_go_by_position_and_by_name(model: Any) -> None:
    at, mask = places(VALID), seen(VALID)
    first, none = model(IDS, at, None, mask)
    second, _ = model(IDS, positions=at, cache=None, attention_mask=mask)
    assert none is None and first.dtype == jnp.float32
    assert first.shape == (*IDS.shape, model.num_embed)
    np.testing.assert_array_equal(first, second)
    assert model(**model.get_model_input())[0].shape == (2, 4, model.num_embed)


def test_tokens_alone_are_whole_sequences(model: Any) -> None:
    every = jnp.ones(IDS.shape, bool)
    close(model(IDS)[0], model(IDS, places(every), None, seen(every))[0])
    scores = super(type(model), model).__call__(IDS).logits
    close(model(IDS)[0], scores)


def test_padding_on_the_left_changes_nothing(model: Any) -> None:
    padded, _ = model(IDS, places(VALID), None, seen(VALID))
    close(padded[1:, PADS:], model(IDS[1:, PADS:])[0])


def test_what_the_mask_hides_is_not_seen(model: Any) -> None:
    mask = seen(VALID).at[:, :, 3].set(False)
    before, _ = model(IDS, places(VALID), None, mask)
    after, _ = model(IDS.at[:, 3].set(40), places(VALID), None, mask)
    close(before[:, 4:], after[:, 4:])
    assert np.abs(before[:, 3] - after[:, 3]).max() > 1e-3


@pytest.mark.parametrize("start", [1, 4, 7])
def test_a_cache_gives_what_a_whole_call_gives(model: Any, start: int) -> None:
    whole, _ = model(IDS, places(VALID), None, seen(VALID))
    at, size = places(VALID), 12
    cache = model.init_cache(2, size, jnp.float32)
    mask = seen(VALID, size)
    found, cache = model(IDS[:, :start], at[:, :start], cache, mask[:, :start])
    parts = [found]
    for t in range(start, IDS.shape[1]):
        step = slice(t, t + 1)
        found, cache = model(
            IDS[:, step],
            positions=at[:, step],
            cache=cache,
            attention_mask=mask[:, step],
        )
        parts.append(found)
    close(jnp.concatenate(parts, axis=1)[VALID], whole[VALID])
    ends = [layer["end_index"] for layer in cache.values()]
    assert all((end == IDS.shape[1]).all() for end in ends)


def test_caches_keep_their_form_and_share_no_buffer(model: Any) -> None:
    empty = model.init_cache(2, 12, jnp.bfloat16)
    config = model.config
    assert list(empty) == [f"layer_{n}" for n in range(config.num_layers)]
    shape = (2, 12, config.num_kv_heads, config.head_dim)
    for layer in empty.values():
        assert layer["k"].shape == layer["v"].shape == shape
        assert layer["end_index"].shape == (2,)
    given = jax.tree.map(np.array, empty)
    _, full = model(IDS, places(VALID), empty, seen(VALID, 12))
    form = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (empty, full))
    assert form[0] == form[1]
    assert jax.tree.all(jax.tree.map(np.array_equal, given, empty))
    for cache in (empty, full):
        leaves = jax.tree.leaves(cache)
        assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)


def test_a_jitted_step_may_take_the_caches_buffers(model: Any) -> None:
    graph, state = nnx.split(model)

    @jax.jit
    def plain(state: Any, cache: Any) -> Any:
        merged = nnx.merge(graph, state)
        return merged(IDS, places(VALID), cache, seen(VALID, 12))

    donating = jax.jit(plain, donate_argnums=1)
    scores, _ = donating(state, model.init_cache(2, 12, jnp.float32))
    whole, _ = model(IDS, places(VALID), None, seen(VALID))
    close(scores[VALID], whole[VALID])


def test_packed_sequences_do_not_see_each_other(model: Any) -> None:
    row = IDS.reshape(1, -1)
    segments = jnp.repeat(jnp.array([[1, 2]]), 7, axis=1)
    at = jnp.tile(jnp.arange(7), 2)[None]
    packed, _ = model(row, at, None, None, segment_ids=segments)
    close(packed.reshape(2, 7, -1), model(IDS)[0])


def test_scores_are_made_of_the_features(model: Any) -> None:
    features, _ = model(IDS, skip_lm_head=True)
    assert features.shape == (*IDS.shape, model.embed_dim)
    assert model.config.embed_dim == model.embed_dim
    close(model.compute_final_logits(features), model(IDS)[0])


def test_a_critic_puts_its_head_in_place(make: Make) -> None:
    model = make()
    width = model.lm_head.in_features
    model.lm_head = nnx.Linear(width, 1, use_bias=False, rngs=nnx.Rngs(0))
    features, _ = model(IDS, skip_lm_head=True)
    assert width == model.embed_dim
    close(model(IDS)[0], model.lm_head(features))


# Tunix takes what is sown in this way still.
@pytest.mark.filterwarnings("ignore:Using 'Module.sow:DeprecationWarning")
def test_hidden_states_are_sown_when_asked_for(model: Any) -> None:
    features, _ = model(IDS, skip_lm_head=True)
    assert not jax.tree.leaves(nnx.state(model, nnx.Intermediate))
    model(IDS, output_hidden_states=True)
    (sown,) = nnx.pop(model, nnx.Intermediate)["all_hidden_states"].get_value()
    close(sown, features)


def test_a_call_leaves_nothing_behind(make: Make) -> None:
    model = make()
    before = nnx.graphdef(model)
    model(IDS, places(VALID), model.init_cache(2, 12, jnp.float32), seen(VALID, 12))
    assert nnx.graphdef(model) == before
    with pytest.raises(Exception, match=r"\w"):
        model(IDS, places(VALID), None, jnp.ones((3, 1, 1), bool))
    assert nnx.graphdef(model) == before


def test_every_weight_has_a_gradient(model: Any) -> None:
    def loss(model: Any) -> jax.Array:
        return (model(IDS, places(VALID), None, seen(VALID))[0][VALID] ** 2).sum()

    gradients = nnx.to_flat_state(nnx.grad(loss)(model))
    assert [path for path, g in gradients if not jnp.abs(g[...]).max() > 0] == []


def passes(make: Make) -> None:
    assert make().num_embed == TINY["llama31"]["vocab"]


def lacks(make: Make) -> None:
    part(os, "no_such_name")


def falls_short(make: Make) -> None:
    raise ValueError("the loss rose")


def test_stages_that_tunix_lacks_are_told_and_not_counted(capsys: Any) -> None:
    assert judged("llama31", [passes, lacks]) == ("tunix: 1 of 2 (llama31)", True)
    assert capsys.readouterr().out.splitlines() == [
        "llama31  passes           passes",
        "llama31  lacks            needs a newer Tunix, with os.no_such_name",
    ]
    with pytest.raises(Missing):
        lacks(lambda: None)


def test_stages_that_fail_are_told_with_the_reason(capsys: Any) -> None:
    found = judged("llama31", [passes], [falls_short])
    assert found == ("tunix: 1 of 1 (llama31)", False)
    assert capsys.readouterr().out.splitlines() == [
        "llama31  passes           passes",
        "llama31  falls_short      ValueError: the loss rose",
        "beside them: 0 of 1 (llama31)",
    ]


def test_unknown_families_are_named(capsys: Any) -> None:
    assert main(["llama13"]) == 2
    assert "llama13" in capsys.readouterr().out


def test_without_tunix_it_is_said_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "qwix", None)
    monkeypatch.delitem(sys.modules, "tests.tunix.work", raising=False)
    assert main(["llama31"]) == 1
    said = capsys.readouterr().out
    assert "Tunix is not installed here" in said and "qwix" in said
    assert "make tunix" in said and "nnxc[tunix]" in said


def test_the_weights_are_those_of_the_model(
    model: Any, request: pytest.FixtureRequest
) -> None:
    family = request.node.callspec.params["make"]
    module = sys.modules[type(model).__module__]
    plain = type(model).__mro__[1](module.Config(**TINY[family]), rngs=nnx.Rngs(0))
    of_plain, of_model = (dict(nnx.to_flat_state(nnx.state(m))) for m in (plain, model))
    assert of_plain.keys() == of_model.keys()
    for path, weight in of_plain.items():
        np.testing.assert_array_equal(weight[...], of_model[path][...])
