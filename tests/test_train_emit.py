"""The generated training: the same in every mode of Flax, and as its settings say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnxc import driver
from nnxc.ops import OPTIMIZERS
from tests.importing import from_text

MODES = ("graph", "no graph updates", "tree")

NET = """
model Net(hidden = 8, classes = 3, rate = 0.5):
    input x: [B, 4]
    return x -> Linear(hidden) as trunk -> BatchNorm as norm -> relu -> Dropout(rate) -> Linear(classes) as head

train Net:
    batch x: [B, 4], y: int[B]
    loss = cross_entropy(model(x), y)
    metric accuracy = accuracy(model(x), y)
    optimizer = adam(1e-2)
"""
LINE = """
model Line(out = 2):
    input x: [B, 3]
    return x -> Linear(out) as linear

train Line:
    batch x: [B, 3], y: [B, out]
    loss = mse(model(x), y)
    optimizer = sgd(0.1)
"""
DEEP = """
block Block(rate):
    input x: [B, d]
    x += x -> Linear(d) as inner -> gelu -> Dropout(rate)
    return x

model Deep(layers = 2, rate = 0.2):
    input x: [B, 4]
    return x -> Linear(8) as first -> Block(rate) * layers as blocks -> Linear(3) as head

train Deep:
    batch x: [B, 4], y: int[B]
    logits = model(x)
    loss = cross_entropy(logits, y, smoothing=0.1)
    optimizer = adamw(warmup_cosine(1e-1, warmup=1, steps=20), weight_decay=0.1)
"""
COUNTING = """
model Counting(d = 4):
    input x: [B, d]
    state calls: int[] = 0
    state still: [5] = 1
    calls = calls + 1
    return x * mean(still) -> Linear(3) as head

train Counting:
    batch x: [B, d], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = adam(1e-2)
"""
GATED = """
model Gated(rate = 0.5, wide = true):
    input x: [B, 4]
    if wide:
        x = x -> Linear(8) as up -> Dropout(rate)
    else:
        x = x -> Linear(8) as plain
    return x -> Linear(3) as head

train Gated:
    batch x: [B, 4], y: int[B]
    loss = cross_entropy(model(x), y)
    optimizer = adam(1e-2)
"""


@contextmanager
def mode(name: str) -> Iterator[None]:
    """One of the modes of Flax."""
    match name:
        case "tree":
            with nnx.set_graph_mode(False):
                yield
        case "no graph updates":
            with nnx.set_graph_updates(False):
                yield
        case _:
            yield


def generate(spec: str) -> str:
    output = driver.compile(spec, path="spec.nnx")
    assert output.ok, [f"{d.code} {d.message}" for d in output.diagnostics]
    return next(iter(output.files.values()))


def load(spec: str) -> Any:
    return from_text(generate(spec))


def body(text: str, function: str) -> str:
    """The source of one generated function."""
    found = re.search(
        rf"^(?:@.*\n)?def {function}\(.*?(?=^\S(?!.*->)|\Z)", text, re.M | re.S
    )
    assert found, function
    return found[0]


def batch(features: int = 4, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(size, features)).astype("float32"),
        rng.integers(0, 3, size).astype("int32"),
    )


def created(module: Any, **model: Any) -> tuple[Any, ...]:
    """Model, optimizer, moving average and streams, as far as the module has them."""
    made = module.create_model(**model)
    objects = [made, module.create_optimizer(made)]
    for name in ("create_ema", "create_rngs"):
        if hasattr(module, name):
            objects.append(
                getattr(module, name)(*([made] if name == "create_ema" else []))
            )
    return tuple(objects)


def losses_by_step(module: Any, steps: int, *data: Any) -> list[float]:
    objects = created(module)
    return [float(module.train_step(*objects, *data)[0]) for _ in range(steps)]


def losses_by_trainer(module: Any, steps: int, *data: Any) -> list[float]:
    trainer = module.Trainer(module.train_step, *created(module))
    return [float(trainer.step(*data)[0]) for _ in range(steps)]


# --------------------------------------------------------------- every mode


SPECS = {
    "dropout and statistics": NET,
    "state": COUNTING,
    "everything": DEEP
    + "    clip = 1.0\n    accumulate = 2\n    ema = 0.9\n    precision = bf16\n    freeze first, blocks.inner.bias\n",
    "conditional modes": GATED,
}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=name, marks=() if spec is NET else pytest.mark.heavy)
        for name, spec in SPECS.items()
    ],
)
def test_losses_are_the_same_in_every_mode_and_both_forms(spec: str) -> None:
    found = []
    for name in MODES:
        with mode(name):
            module = load(spec)
            found.append(losses_by_step(module, 5, *batch()))
            found.append(losses_by_trainer(module, 5, *batch()))
    for losses in found[1:]:
        np.testing.assert_allclose(losses, found[0], rtol=1e-6)
    assert found[0][-1] < found[0][0]


@pytest.mark.parametrize("name", MODES)
def test_a_step_compiles_once(name: str) -> None:
    with mode(name):
        module = load(NET)
        traced = []
        loss_fn = module.loss_fn
        module.loss_fn = lambda *args: traced.append(1) or loss_fn(*args)
        trainer = module.Trainer(module.train_step, *created(module))
        for _ in range(4):
            trainer.step(*batch())
        once = len(traced)
        objects = created(module)
        for _ in range(4):
            module.train_step(*objects, *batch())
    assert once == 1
    assert len(traced) <= 2


@pytest.mark.parametrize("name", MODES)
def test_a_step_of_the_trainer_leaves_everything_up_to_date(name: str) -> None:
    with mode(name):
        module = load(NET)
        stepped, trained = created(module), created(module)
        trainer = module.Trainer(module.train_step, *trained)
        for _ in range(3):
            module.train_step(*stepped, *batch())
            trainer.step(*batch())
        for one, other in zip(stepped, trained, strict=True):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(
                    _data(a), _data(b), rtol=1e-5, atol=1e-7
                ),
                nnx.state(one),
                nnx.state(other),
            )
        model, optimizer, rngs = trained
        assert int(optimizer.step[...]) == int(rngs.dropout.count[...]) == 3
        assert float(jnp.abs(model.norm.mean[...]).sum()) > 0


def _data(array: Any) -> np.ndarray:
    is_key = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(array) if is_key else array)


@pytest.mark.parametrize("name", MODES)
def test_evaluation_neither_draws_nor_changes(name: str) -> None:
    with mode(name):
        module = load(NET)
        model, *_ = created(module)
        before = jax.tree.map(np.asarray, nnx.state(model))
        first, second = (module.eval_step(model, *batch()) for _ in range(2))
        assert float(first[0]) == float(second[0])
        assert set(first[1]) == {"accuracy"}
        jax.tree.map(np.testing.assert_array_equal, before, nnx.state(model))
        assert model.dropout.deterministic is False


def test_a_model_without_its_optional_dropout_evaluates() -> None:
    module = load(GATED)
    model = module.create_model(wide=False)
    loss, metrics = module.eval_step(model, *batch())
    assert jnp.isfinite(loss) and metrics == {}


@pytest.mark.heavy
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_steps(optimizer: str) -> None:
    with mode("tree"):
        module = load(LINE.replace("sgd", optimizer))
        x, y = batch(3)[0], np.ones((16, 2), "float32")
        by_step = losses_by_step(module, 3, x, y)
        np.testing.assert_allclose(
            losses_by_trainer(module, 3, x, y), by_step, rtol=1e-5
        )
    assert len(set(by_step)) > 1


# ----------------------------------------------------------------- settings


def line_steps(
    settings: str, count: int, **replaced: str
) -> tuple[Any, list[np.ndarray]]:
    """The weights of `Line` before and after each step."""
    spec = LINE
    for old, new in replaced.items():
        spec = spec.replace(old, new)
    module = load(spec + settings)
    objects = created(module)
    kernel = objects[0].linear.kernel
    found = [np.array(kernel[...])]
    for i in range(count):
        module.train_step(*objects, *line_batch(i))
        found.append(np.array(kernel[...]))
    return objects, found


def line_batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(8, 3)).astype("float32"), np.ones((8, 2), "float32")


def gradient(kernel: np.ndarray, bias: Any, seed: int) -> np.ndarray:
    x, y = line_batch(seed)
    return 2 * x.T @ (x @ kernel + bias - y) / y.size


def test_a_step_is_what_optax_says() -> None:
    _, (before, after) = line_steps("", 1)
    np.testing.assert_allclose(after, before - 0.1 * gradient(before, 0, 0), rtol=1e-5)


def test_accumulation_averages_gradients() -> None:
    _, (start, half, full) = line_steps("    accumulate = 2\n", 2)
    np.testing.assert_array_equal(start, half)
    mean = (gradient(start, 0, 0) + gradient(start, 0, 1)) / 2
    np.testing.assert_allclose(full, start - 0.1 * mean, rtol=1e-4, atol=1e-6)


def test_clipping_bounds_the_gradient() -> None:
    _, (before, after) = line_steps("    clip = 0.01\n", 1)
    assert 0 < np.linalg.norm(after - before) <= 0.1 * 0.01 * 1.0001


def test_a_moving_average_follows_slowly() -> None:
    (_, _, ema), (first, *_, last) = line_steps("    ema = 0.5\n", 2)
    average = np.asarray(ema.params["linear"]["kernel"][...])
    _, (_, second, third) = line_steps("", 2)
    np.testing.assert_allclose(average, first / 4 + second / 4 + third / 2, rtol=1e-5)
    np.testing.assert_allclose(last, third, rtol=1e-6)


def test_precision_is_of_activations_only() -> None:
    module = load(DEEP + "    precision = bf16\n")
    model, optimizer, rngs = created(module)
    assert model(jnp.ones((2, 4)), rngs=rngs).dtype == jnp.bfloat16
    assert all(
        p.dtype == jnp.float32 for p in jax.tree.leaves(nnx.state(model, nnx.Param))
    )
    loss, _ = module.train_step(model, optimizer, rngs, *batch())
    assert loss.dtype == jnp.float32


@pytest.mark.parametrize(
    ("setting", "trained"),
    [
        ("freeze first", {"blocks.inner.kernel", "blocks.inner.bias", "head.kernel", "head.bias"}),
        ("freeze first, blocks", {"head.kernel", "head.bias"}),
        ("only head", {"head.kernel", "head.bias"}),
        ("only head.bias, first", {"head.bias", "first.kernel", "first.bias"}),
        ("only blocks.inner.kernel", {"blocks.inner.kernel"}),
        ("freeze blocks.inner.bias, first, head", {"blocks.inner.kernel"}),
    ],
)  # fmt: skip
def test_only_what_is_chosen_trains(setting: str, trained: set[str]) -> None:
    module = load(f"{DEEP}    {setting}\n")
    objects = created(module)
    before = weights(objects[0])
    for _ in range(3):
        module.train_step(*objects, *batch())
    after = weights(objects[0])
    changed = {_dotted(p) for p in before if not np.array_equal(before[p], after[p])}
    assert changed == trained
    state = nnx.state(objects[1])["opt_state"]
    sizes = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim)
    assert sizes == 2 * sum(a.size for p, a in before.items() if _dotted(p) in trained)


def weights(model: Any) -> dict[tuple[Any, ...], np.ndarray]:
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {path: np.array(value[...]) for path, value in flat}


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(p for p in path if isinstance(p, str))


# --------------------------------------------------------------------- text


def test_metrics_reuse_the_outputs_of_the_loss() -> None:
    text = body(generate(NET), "loss_fn")
    assert text.count("model(") == 1
    assert "logits = model(x, rngs=rngs)" in text


def test_short_losses_stay_on_one_line() -> None:
    text = body(generate(LINE), "loss_fn")
    assert (
        "    predictions = model(x).astype(jnp.float32)\n"
        "    loss = optax.squared_error(predictions, y).mean()\n    return loss, {}"
        in text
    )


def test_several_trains_have_names_of_their_own() -> None:
    text = generate(NET + LINE)
    for name in (
        "create_optimizer_net",
        "train_step_net",
        "create_rngs_net",
        "loss_fn_line",
    ):
        assert re.search(rf"\b{name}\b", text), name
    module = load(NET + LINE)
    model = module.create_model_line()
    trainer = module.Trainer(
        module.train_step_line, model, module.create_optimizer_line(model)
    )
    assert jnp.isfinite(trainer.step(*line_batch(0))[0])


def test_names_of_the_spec_do_not_collide_with_the_step() -> None:
    spec = """
model Net(loss_fn = 4):
    input x: [B, 3]
    return x -> Linear(loss_fn) as grads -> Linear(1) as tx -> [B]

train Net:
    batch params: [B, 3], metrics: bool[B]
    grad_fn = model(params)
    recall = recall(grad_fn, metrics)
    train_step = binary_cross_entropy(grad_fn, metrics)
    tx = train_step * 1.0
    loss = tx
    metric recall = recall
    optimizer = sgd(0.1)
    freeze grads
"""
    module = load(spec)
    x = batch(3)[0]
    loss, metrics = module.train_step(*created(module), x, x[:, 0] > 0)
    assert jnp.isfinite(loss) and set(metrics) == {"recall"}


def test_sizes_come_from_tensors_or_from_the_model() -> None:
    spec = """
model Policy(actions = 4, spare = 3):
    input x: [B, 3]
    require spare > 0
    return x -> Linear(actions) as head

train Policy:
    batch x: [B, 3], action: int[B]
    logits = model(x)
    chosen = sum(log_softmax(logits) * one_hot(action, actions), axis=-1)
    loss = -mean(chosen) * spare
    optimizer = adam(1e-2)
"""
    text = generate(spec)
    assert "logits.shape[1]" in body(text, "loss_fn")
    assert "model.spare" in body(text, "loss_fn")
    losses = losses_by_step(load(spec), 4, *batch(3))
    assert losses[-1] < losses[0]


def test_sizes_that_are_sums_or_products_come_from_tensors_too() -> None:
    spec = """
model Denoiser(k = 2):
    input x: [B, k * n + 1, 3]
    return x -> Linear(3)

train Denoiser:
    batch x: [B, k * n + 1, 3]
    noise = normal([B, k * n + 1, 3], rng=noise)
    half = uniform([n, 3], rng=noise)
    error = model(x + noise) - noise
    x = x[:, 1:]
    again = normal([B, k * n + 1, 3], rng=noise)
    loss = mean(error**2) + mean(half) + mean(x) + 0 * mean(again)
    optimizer = adam(1e-2)
"""
    text = body(generate(spec), "loss_fn")
    assert "noise(), (x.shape[0], x.shape[1], 3))" in text
    assert "((x.shape[1] - 1) // model.k)" in text
    assert len(losses_by_step(load(spec), 2, jnp.ones((2, 5, 3)))) == 2


def test_the_transformation_is_made_once() -> None:
    text = generate(DEEP + "    clip = 1.0\n    accumulate = 4\n")
    assert text.count("optax.MultiSteps(") == 1
    assert text.index("optax.MultiSteps(") < text.index("def loss_fn(")


def test_a_run_chooses_rates_and_steps() -> None:
    """By arguments of the optimizer's function; the spec's numbers are their defaults."""
    adamw = "adamw(warmup_cosine(1e-2, warmup=5, steps=20), b2=0.9, weight_decay=0.3)"
    spec = LINE.replace("sgd(0.1)", adamw)
    module = load(spec)
    parameters = inspect.signature(module.create_optimizer).parameters
    defaults = {n: p.default for n, p in parameters.items() if n != "model"}
    assert defaults == {"peak": 1e-2, "warmup": 5, "steps": 20, "weight_decay": 0.3}
    model = module.create_model()
    other = nnx.clone(model, arrays=True)
    for made, rates in ((model, {}), (other, {"peak": 0.0, "weight_decay": 0.0})):
        before = jax.tree.map(jnp.array, nnx.state(made, nnx.Param))
        optimizer = module.create_optimizer(made, warmup=1, **rates)
        for _ in range(2):
            module.train_step(made, optimizer, jnp.ones((4, 3)), jnp.ones((4, 2)))
        after = nnx.state(made, nnx.Param)
        same = jax.tree.map(lambda a, b: bool((a == b).all()), before, after)
        assert all(jax.tree.leaves(same)) == bool(rates)


def test_the_text_is_as_black_has_it() -> None:
    import black

    mode = black.Mode(target_versions={black.TargetVersion.PY311})
    for spec in (*SPECS.values(), NET + LINE):
        text = generate(spec)
        assert black.format_str(text, mode=mode) == text


def test_repeated_calls_of_models_are_named_by_what_they_are_given() -> None:
    spec = """
model Net(actions = 3):
    input x: [B, 4]
    return x -> Linear(actions)

train Net:
    frozen target = Net(actions=actions)
    batch x: [B, 4], later: [B, 4], action: int[B]
    best = one_hot(argmax(model(later), axis=-1), actions)
    returns = sum(target(later) * best, axis=-1)
    value = sum(model(x) * one_hot(action, actions), axis=-1)
    loss = huber(value, returns)
    optimizer = adam(1e-3)
    precision = bf16
"""
    text = driver.compile(spec, path="net.nnx").files["net.py"]
    for line in (
        "    outputs = model(later).astype(jnp.float32)\n",
        "    target_outputs = target(later).astype(jnp.float32)\n",
        "    x_outputs = model(x).astype(jnp.float32)\n",
    ):
        assert line in text
