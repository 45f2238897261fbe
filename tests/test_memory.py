"""What saves memory in training: losses by chunks of positions."""

from __future__ import annotations

import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc
from tests.fuzz.evaluate import evaluated

VOCAB, BATCH, LENGTH = 4096, 2, 256
TIED = """
model Net(vocab = 4096, d = 16):
    input tokens: int[B, T]
    param table: [vocab, d] = normal(0.5)
    hidden = table[tokens] -> Linear(d) -> gelu
    logits = einsum("b t d, v d -> b t v", hidden, table)
    return logits=LOGITS, hidden=hidden, kernel=transpose(table, axes=[1, 0])

train Net:
    batch tokens: int[B, T], targets: int[B, T], seen: bool[B, T]
    out = model(tokens)
    loss = LOSS
    optimizer = sgd(0.1)
"""
CHUNKED = "chunked_cross_entropy(out.hidden, out.kernel, targets"


def module_of(loss: str, logits: str = "logits") -> types.ModuleType:
    """The tied model with a loss."""
    return load(text_of(TIED.replace("LOSS", loss).replace("LOGITS", logits)))


def batch() -> tuple[jax.Array, ...]:
    """Tokens, targets, and a mask."""
    rng = np.random.default_rng(0)
    shape = (BATCH, LENGTH)
    tokens, targets = rng.integers(0, VOCAB, (2, *shape))
    return jnp.array(tokens), jnp.array(targets), jnp.array(rng.random(shape) < 0.7)


def gradients(module: types.ModuleType) -> Any:
    """A function of flat weights: the loss and its gradients, with the weights."""
    graph, params = nnx.split(module.create_model())

    def loss(params: Any, *args: jax.Array) -> jax.Array:
        return module.loss_fn(nnx.merge(graph, params), *args)[0]

    return jax.jit(jax.value_and_grad(loss)), params


@pytest.mark.parametrize("chunk", [64, 100, 1000])
@pytest.mark.parametrize("where", ["", ", where=seen"])
def test_chunks_give_the_loss_and_gradients_of_the_whole(chunk: int, where: str):
    extra = "" if where else " + 0.0 * mean(where(seen, 1.0, 0.0))"
    plain = module_of(f"cross_entropy(out.logits, targets{where}){extra}")
    parts = module_of(f"{CHUNKED}{where}, chunk={chunk}){extra}")
    found = [f(p, *batch()) for f, p in map(gradients, (plain, parts))]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_soft_caps_hold_logits_in_chunks_too():
    capped = "5.0 * tanh(logits / 5.0)"
    plain = module_of("cross_entropy(out.logits, targets, where=seen)", capped)
    parts = module_of(f"{CHUNKED}, where=seen, chunk=100, softcap=5.0)", capped)
    found = [f(p, *batch()) for f, p in map(gradients, (plain, parts))]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


HEADS = {
    "model.lm_head.kernel": "hidden -> Linear(vocab, bias=false) as lm_head",
    "model.out.proj.kernel": "hidden -> Head(vocab) as out",
    "transpose(model.embed.embedding, axes=[1, 0])": "hidden -> embed.attend",
}
LLAMA = """
block Head(classes):
    input x: [B, T, e]
    return x -> Linear(classes, bias=false) as proj

model Net(vocab = 4096, d = 16):
    input tokens: int[B, T]
    embed = Embed(vocab, d)
    hidden = tokens -> embed -> Linear(d) -> gelu
    return logits=HEAD, hidden=hidden

train Net:
    batch tokens: int[B, T], targets: int[B, T], seen: bool[B, T]
    out = model(tokens)
    loss = LOSS
    optimizer = sgd(0.1)
MORE"""


def headed(kernel: str, loss: str, more: str = "") -> str:
    """The spec of a model whose head is where `kernel` says."""
    text = LLAMA.replace("HEAD", HEADS[kernel]).replace("MORE", more)
    if ".proj" not in kernel:
        text = text[text.index("model Net") :]
    return text.replace("LOSS", loss)


@pytest.mark.parametrize("kernel", HEADS)
def test_a_train_reads_the_kernel_of_its_models_head(kernel: str):
    chunked = f"chunked_cross_entropy(out.hidden, {kernel}, targets, where=seen, chunk="
    plain = load(
        text_of(headed(kernel, "cross_entropy(out.logits, targets, where=seen)"))
    )
    parts = load(text_of(headed(kernel, f"{chunked}100)")))
    found = [f(p, *batch()) for f, p in map(gradients, (plain, parts))]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    small = temporaries(load(text_of(headed(kernel, f"{chunked}32)"))))
    assert small < 4 * BATCH * LENGTH * VOCAB / 2 < temporaries(plain)


UNREADABLE = {
    "model.lm_hed.kernel": ("N511", "did you mean `lm_head`?"),
    "model.lm_head.kernl": ("N511", "did you mean `kernel`?"),
    "model.lm_head": ("N511", "name what is inside: `kernel`"),
    "model.lm_head[0].kernel": ("N510", None),
}


@pytest.mark.parametrize("path", UNREADABLE)
def test_what_is_no_weight_is_told(path: str):
    source = headed("model.lm_head.kernel", f"mean({path}) + mean(out.hidden)")
    (found,) = nnxc.compile(source).diagnostics
    assert (found.code, found.help) == UNREADABLE[path]


MANY = """
block Up(e):
    input x: [B, T, d]
    return x -> Linear(e) as up -> Linear(d)

model Net(vocab = 7, d = 4, tied = false, biased = true):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d) as embed
    for i in range(2):
        x = x -> Linear(d) as mix
    x = x -> Up(d if tied else 2 * d) as more
    if tied:
        x = x -> Linear(d) as last
    return x -> Linear(vocab, bias=biased) as head

train Net:
    batch tokens: int[B, T]
    loss = mean(model(tokens)) + mean(PATH)
    optimizer = sgd(0.1)
    MORE
"""


@pytest.mark.parametrize(
    ("path", "code", "message", "more"),
    [
        ("model.mix.kernel", "N510", "`mix` is several layers", ""),
        ("model.last.kernel", "N510", "`last` stands under an `if`", ""),
        ("model.more.up.kernel", "N311", "cannot be told here", ""),
        ("model.head.bias", "N511", "not every `head` has `bias`", ""),
        (
            "model.head.kernel",
            "N517",
            "`adapt` changes `head`",
            "adapt lora(rank=2) on head",
        ),
    ],
)
def test_what_not_every_model_has_once_is_not_read(
    path: str, code: str, message: str, more: str
):
    source = MANY.replace("PATH", path).replace("MORE", more)
    (found,) = nnxc.compile(source).diagnostics
    assert found.code == code and message in found.message


def temporaries(module: types.ModuleType) -> int:
    """Bytes of temporaries of a loss with its gradients."""
    function, params = gradients(module)
    compiled = function.lower(params, *batch()).compile()
    return int(compiled.memory_analysis().temp_size_in_bytes)


def test_the_logits_of_all_positions_never_exist():
    logits = 4 * BATCH * LENGTH * VOCAB
    plain = temporaries(module_of("cross_entropy(out.logits, targets, where=seen)"))
    parts = temporaries(module_of(f"{CHUNKED}, where=seen, chunk=32)"))
    print(f"temporaries: plain {plain}, chunked {parts}, logits {logits}")
    assert parts < logits / 2 < plain


DEEP = """
block Mix(hidden):
    input x: [B, T, d]
    q = x -> Linear(2, 4) as query
    y = attend(q, q, q, causal=true) -> Linear(d, over=[-2, -1])
    return x + y -> Linear(hidden) -> gelu -> Linear(d)

model Stacked(layers = 3):
    input x: [B, T, 8]
    return x -> Mix(32) * layers as blocks

model Looped(layers = 3):
    input x: [B, T, 8]
    for i in range(layers):
        x = x -> Mix(32) as mix
    return x
"""


def saved(name: str, **options: Any) -> tuple[int, Any]:
    """How many matrix products a gradient takes, and the gradients."""
    module = load(text_of(DEEP, **options))
    graph, params = nnx.split(getattr(module, name)(rngs=nnx.Rngs(0)))
    x = jnp.array(np.random.default_rng(0).normal(size=(2, 5, 8)), jnp.float32)

    def loss(params: Any) -> jax.Array:
        return jnp.sum(nnx.merge(graph, params)(x) ** 2)

    text = str(jax.make_jaxpr(jax.grad(loss))(params))
    return text.count("dot_general["), evaluated(jax.grad(loss), params)


@pytest.mark.parametrize("stack", ["loop", "scan"])
@pytest.mark.parametrize("name", ["Stacked", "Looped"])
def test_a_policy_says_what_is_computed_again(name: str, stack: str):
    choices = (False, True, "dots-no-batch", "dots")
    found = [saved(name, stack=stack, remat=remat) for remat in choices]
    plain, nothing, some, dots = (count for count, _ in found)
    assert plain == dots < some < nothing
    for _, other in found[1:]:
        pairs = zip(*map(jax.tree.leaves, (found[0][1], other)), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
