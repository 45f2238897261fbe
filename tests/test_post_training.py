"""Post-training: each step against its formula in plain JAX; the frozen model stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

import nnxc

LM = """
model Lm(vocab = 11, d = 8):
    input tokens: int[B, T]
    return tokens -> Embed(vocab, d) -> Dropout(0.5) -> Linear(vocab) as head

train Lm:
    frozen reference = Lm
    batch good: int[B, T + 1], bad: int[B, T + 1]
    g = sum(log_prob(model(good[:, :-1]), good[:, 1:]), axis=T)
    b = sum(log_prob(model(bad[:, :-1]), bad[:, 1:]), axis=T)
    rg = sum(log_prob(reference(good[:, :-1]), good[:, 1:]), axis=T)
    rb = sum(log_prob(reference(bad[:, :-1]), bad[:, 1:]), axis=T)
    loss = dpo(g, b, rg, rb, beta=0.5)
    metric margin = mean(g - b - rg + rb)
    optimizer = sgd(0.3)
""".replace(" -> Dropout(0.5)", "")
DISTILL = """
model Teacher(width = 6, classes = 5):
    input x: [B, 4]
    return x -> Linear(width) -> BatchNorm -> Dropout(0.5) -> Linear(classes)

model Student(classes = 5):
    input x: [B, 4]
    return x -> Linear(classes) as head

train Student:
    frozen teacher = Teacher(classes=classes)
    batch x: [B, 4], y: int[B]
    logits = model(x)
    loss = cross_entropy(logits, y) + distillation(logits, teacher(x), temperature=2.0)
    metric right = accuracy(logits, y)
    optimizer = sgd(0.3)
"""
SFT = """
model Lm(vocab = 11, d = 8):
    input tokens: int[B, T]
    return tokens -> Embed(vocab, d) -> Linear(vocab) as head

train Lm:
    batch tokens: int[B, T + 1], answer: bool[B, T + 1]
    loss = cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], where=answer[:, 1:])
    optimizer = sgd(0.3)
"""
RNG = np.random.default_rng(0)
TOKENS = jnp.asarray(RNG.integers(0, 11, (2, 4, 7)))
X = jnp.asarray(RNG.normal(size=(6, 4)), jnp.float32)
Y = jnp.arange(6) % 5


@pytest.fixture(params=[True, False], ids=["graph mode", "tree mode"], autouse=True)
def mode(request: pytest.FixtureRequest) -> Iterator[None]:
    with nnx.set_graph_mode(request.param):
        yield


def picked(model: Callable, tokens: jax.Array) -> jax.Array:
    """The log-probability of each next token, from the definition of a softmax."""
    logits, labels = model(tokens[:, :-1]), tokens[:, 1:]
    scores = logits - jnp.log(jnp.exp(logits).sum(-1, keepdims=True))
    return (scores * jax.nn.one_hot(labels, scores.shape[-1])).sum(-1)


def answer_mask() -> jax.Array:
    return jnp.arange(7) >= jnp.asarray([2, 3, 5, 1])[:, None]


def dpo(model, reference, good, bad):
    sums = [picked(m, t).sum(-1) for m in (model, reference) for t in (good, bad)]
    margin = sums[0] - sums[1] - sums[2] + sums[3]
    return -jnp.log(1 / (1 + jnp.exp(-0.5 * margin))).mean()


def distillation(model, teacher, x, y):
    teacher = nnx.view(teacher, deterministic=True, use_running_average=True)
    logits, p = model(x), jax.nn.softmax(teacher(x) / 2)
    q = jax.nn.softmax(logits / 2)
    hard = -jnp.log(jax.nn.softmax(logits)[jnp.arange(6), y]).mean()
    return hard + 4 * (p * jnp.log(p / q)).sum(-1).mean()


def sft(model, tokens, answer):
    kept = answer[:, 1:]
    return -(picked(model, tokens) * kept).sum() / kept.sum()


def held(model: nnx.Module) -> list[np.ndarray]:
    return [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(model))]


CASES = {
    "dpo": (LM, dpo, (TOKENS[0], TOKENS[1])),
    "distillation": (DISTILL, distillation, (X, Y)),
    "sft": (SFT, sft, (TOKENS[0], answer_mask())),
}


def made(name: str) -> tuple:
    spec, formula, batch = CASES[name]
    module = load(text_of(spec))
    others: list[nnx.Module] = []
    if name == "dpo":
        others = [module.create_model(seed=5)]
    if name == "distillation":
        others = [module.Teacher(rngs=nnx.Rngs(5))]
    return module, module.create_model(), others, formula, batch


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_that_of_the_formula(name: str) -> None:
    module, model, others, formula, batch = made(name)
    frozen = [held(other) for other in others]
    graphdef, params = nnx.split(nnx.clone(model, arrays=True))

    def loss_of(params):
        return formula(nnx.merge(graphdef, params), *others, *batch)

    loss, grads = jax.value_and_grad(loss_of)(params)
    wanted = jax.tree.map(lambda p, g: p - 0.3 * g, params, grads)
    optimizer = module.create_optimizer(model)
    evaluated = [module.eval_step(model, *others, *batch)[0] for _ in range(2)]
    got, _ = module.train_step(model, *others, optimizer, *batch)
    np.testing.assert_allclose(got, loss, rtol=1e-5)
    np.testing.assert_allclose(evaluated, [loss, loss], rtol=1e-5)
    for a, b in zip(held(model), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for other, before in zip(others, frozen, strict=True):
        for a, b in zip(held(other), before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["dpo", "distillation"])
def test_the_trainer_takes_the_same_steps(name: str) -> None:
    module, model, others, _, batch = made(name)
    optimizer = module.create_optimizer(model)
    twin = module.create_model()
    trainer = module.Trainer(
        module.train_step, twin, module.create_optimizer(twin), frozen=others
    )
    plain = [module.train_step(model, *others, optimizer, *batch)[0] for _ in range(5)]
    again = [trainer.step(*batch)[0] for _ in range(5)]
    np.testing.assert_allclose(plain, again, rtol=1e-5)
    assert trainer.run._cache_size() == 1
    assert plain[-1] < plain[0]


def test_a_reference_beside_adapters_of_a_published_model() -> None:
    train = LM[LM.index("train Lm") :].replace("Lm", "Llama")
    for call in ("model(good[:, :-1])", "model(bad[:, :-1])"):
        train = train.replace(call, f"{call}.logits")
    for call in ("reference(good[:, :-1])", "reference(bad[:, :-1])"):
        train = train.replace(call, f"{call}.logits")
    spec = f'use Llama from "llama.nnx"\n\n{train}    adapt lora(rank=2) on q_proj, v_proj\n'
    module = load(text_of(spec))
    cfg = module.Config(
        vocab=11, d=8, layers=2, heads=2, kv_heads=1, head_dim=4, hidden=12
    )
    model = module.create_model(cfg)
    reference = module.Llama(cfg, rngs=nnx.Rngs(0))
    optimizer = module.create_optimizer(model)
    good, bad = TOKENS
    losses = [
        module.train_step(model, reference, optimizer, good, bad)[0] for _ in range(4)
    ]
    np.testing.assert_allclose(losses[0], np.log(2), rtol=1e-4)
    assert losses[-1] < losses[0]


MISTAKES = {
    "frozen teacher = Tutor": ("N200", "Tutor"),
    "frozen model = Teacher(classes=classes)": ("N202", "model"),
    "frozen teacher = Teacher(wide=2)": ("N204", "wide"),
    "frozen teacher = Teacher(classes=classes, x=3)": ("N204", "x"),
    "frozen teacher = Teacher": ("N311", "teacher"),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_found(line: str) -> None:
    code, place = MISTAKES[line]
    spec = DISTILL.replace("frozen teacher = Teacher(classes=classes)", line)
    if line.startswith("frozen model"):
        spec = spec.replace("teacher(x)", "model(x)")
    found = nnxc.compile(spec, path="spec.nnx").diagnostics
    assert [d.code for d in found] == [code]
    assert place in found[0].message + found[0].primary.span.text


def test_a_frozen_model_is_used() -> None:
    spec = DISTILL.replace(" + distillation(logits, teacher(x), temperature=2.0)", "")
    assert [d.code for d in nnxc.compile(spec, path="spec.nnx").diagnostics] == ["N260"]
    alone = DISTILL.replace("model(x)", "teacher(x)")
    assert "N505" in [d.code for d in nnxc.compile(alone, path="spec.nnx").diagnostics]


def test_state_of_a_frozen_model_stays_as_it_is() -> None:
    """Objectives of several share it; a clone counts in its place."""
    spec = """
model Counting(d = 3):
    input x: [B, d]
    state calls: int[] = 0
    calls = calls + 1
    return x -> Linear(2)

model Net(d = 3):
    input x: [B, d]
    return x -> Linear(2) as a -> Linear(2) as b

train Net:
    frozen other = Counting(d)
    batch x: [B, d]
    optimize a:
        loss = mse(model(x), other(x))
        optimizer = sgd(0.1)
    optimize b:
        loss = mae(model(x), other(x))
        optimizer = sgd(0.1)
"""
    module = load(text_of(spec))
    model, other = module.create_model(3), module.Counting(rngs=nnx.Rngs(0))
    a = module.create_a_optimizer(model)
    b = module.create_b_optimizer(model)
    losses, _ = module.train_step(model, other, a, b, X[:, :3])
    assert set(losses) == {"a", "b"} and int(other.calls[...]) == 0


def test_a_frozen_model_of_a_file_that_is_not_there_is_one_mistake(
    tmp_path: Path,
) -> None:
    spec = tmp_path / "student.nnx"
    spec.write_text(
        'use Teacher from "nowhere.nnx"\n\n'
        "model Student(classes = 3):\n"
        "    input x: [B, 4]\n"
        "    return x -> Linear(classes) as head\n\n"
        "train Student:\n"
        "    batch x: [B, 4]\n"
        "    frozen teacher = Teacher(classes=classes)\n"
        "    loss = distillation(model(x), teacher(x))\n"
        "    optimizer = sgd(0.1)\n"
    )
    result = nnxc.build([spec], tmp_path / "out")
    assert [d.code for d in result.diagnostics] == ["N901"]
