"""Losses, metrics, optimizers, schedules and initialisers against NumPy, Optax and jax.nn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from oracle import Case, cases, concrete, namespace, predict, python
from scipy import special
from sklearn import metrics as sk

from nnxc.dims import symbol
from nnxc.emit.python.text import literal
from nnxc.ops import INITIALIZERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES
from nnxc.ops.base import Example, Kind, Op, Shaped, ShapeError
from nnxc.ops.rules.pattern import shape_of
from nnxc.shapes import TensorType, tensor

ENV = {"B": 6, "T": 4, "V": 5, "K": 5}
NOTHING = Shaped(())  # what an entry without inputs makes of them
Array = Any


def evaluate(case: Case, values: Mapping[str, Array]) -> Any:
    """What the emitted Python text gives for the example."""
    names = namespace(case.op) | {"optax": optax} | dict(values)
    shaped = predict(case) if case.op.inputs else NOTHING
    return eval(python(case, shaped, ENV), names)


def name(case: Case) -> str:
    return f"{case.op.name}-{case.op.examples.index(case.example)}"


def test_there_are_enough_of_each() -> None:
    assert len(LOSSES) >= 12 and len(METRICS) >= 6
    assert len(OPTIMIZERS) >= 14 and len(SCHEDULES) >= 8


@pytest.mark.parametrize(
    "op",
    [*LOSSES.values(), *METRICS.values(), *OPTIMIZERS.values(), *SCHEDULES.values()],
    ids=lambda op: op.name,
)
def test_every_entry_has_an_example(op: Op) -> None:
    assert op.examples and op.doc.endswith(".")


# ----------------------------------------------------------- losses and metrics


def arrays(case: Case) -> dict[str, np.ndarray]:
    """Values for the inputs of an example, as the entry means them."""
    rng = np.random.default_rng(0)
    made = {}
    for key, type_ in case.types.items():
        shape = tuple(s.value for s in concrete(type_, ENV).sizes)
        match type_.dtype:
            case "int":
                low = 1 if case.op.name == "ctc_loss" else 0
                made[key] = rng.integers(low, 5, shape)
            case "bool":
                made[key] = rng.random(shape) < 0.7
            case _:
                made[key] = rng.normal(size=shape).astype("float32")
    return made | special_values(case.op.name, made)


def special_values(op: str, made: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    match op:
        case "soft_cross_entropy" | "softmax_cross_entropy" | "smooth_labels":
            return {"labels": special.softmax(made["labels"], -1)}
        case "poly_cross_entropy":
            return {"labels": np.eye(5, dtype="float32")[made["labels"].argmax(-1)]}
        case "kl_divergence":
            return {
                "log_predictions": special.log_softmax(made["log_predictions"], -1),
                "targets": special.softmax(made["targets"], -1),
            }
        case "poisson_nll":
            return {"targets": np.abs(made["targets"]).round()}
        case "hinge":
            return {"targets": np.sign(made["targets"])}
        case "focal" | "binary_cross_entropy" | "sigmoid_binary_cross_entropy":
            return {"labels": (made["labels"] > 0).astype("float32")}
        case "binary_accuracy" | "precision" | "recall" | "f1":
            return {"labels": (made["labels"] > 0).astype("float32")}
        case "ntxent":
            return {"labels": np.array([0, 1, 2, 3, 0, 1, 2, 3])}
        case "ctc_loss":
            return {"logit_paddings": np.zeros((6, 4), "float32"),
                    "label_paddings": np.tile([0.0, 0.0, 1.0], (6, 1)),
                    "labels": np.tile([1, 2, 0], (6, 1))}  # fmt: skip
    return {}


def sigmoid_cross_entropy(x: Array, y: Array) -> Array:
    return -(y * special.log_expit(x) + (1 - y) * special.log_expit(-x))


def pick(x: Array, y: Array) -> Array:
    return np.take_along_axis(x, y[..., None], -1)[..., 0]


def cross_entropy(x: Array, y: Array) -> Array:
    return -pick(special.log_softmax(x, -1), y)


def smoothed(x: Array, y: Array) -> Array:
    mixed = 0.9 * np.eye(x.shape[-1])[y] + 0.1 / x.shape[-1]
    return -(mixed * special.log_softmax(x, -1)).sum(-1)


def cosine(x: Array, y: Array) -> Array:
    return (x * y).sum(-1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)


def focal(x: Array, y: Array) -> Array:
    p = special.expit(x)
    return sigmoid_cross_entropy(x, y) * (1 - (p * y + (1 - p) * (1 - y))) ** 2


def multiclass_hinge(x: Array, y: Array) -> Array:
    rest = np.where(np.eye(x.shape[-1])[y] > 0, -np.inf, x).max(-1)
    return np.maximum(0, 1 + rest - pick(x, y))


def triplet(a: Array, p: Array, n: Array) -> Array:
    near, far = np.linalg.norm(a - p, axis=-1), np.linalg.norm(a - n, axis=-1)
    return np.maximum(near - far + 1, 0)


def ntxent(x: Array, y: Array) -> Array:
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    logits = x @ x.T / 0.07
    np.fill_diagonal(logits, -np.inf)
    own = (y[:, None] == y) & ~np.eye(len(y), dtype=bool)
    return -(special.log_softmax(logits, -1)[own]).mean()


def ctc(x: Array, paddings: Array, y: Array, label_paddings: Array) -> Array:
    """By enumerating every path of frames that reads 1, 2."""
    log_p = special.log_softmax(x, -1)
    total = np.full(len(x), -np.inf)
    for path in np.ndindex(*[5] * 4):
        read = [k for i, k in enumerate(path) if k and (i == 0 or path[i - 1] != k)]
        if read == [1, 2]:
            total = np.logaddexp(total, sum(log_p[:, t, k] for t, k in enumerate(path)))
    return -total


# The value of each element, to be averaged; `SCALARS` are whole.
ELEMENTS: dict[str, Callable[..., Array]] = {
    "mse": lambda x, y: (x - y) ** 2,
    "mae": lambda x, y: np.abs(x - y),
    "l2": lambda x, y: (x - y) ** 2 / 2,
    "huber": lambda x, y: special.huber(1.0, x - y),
    "log_cosh": lambda x, y: np.log(np.cosh(x - y)),
    "pinball": lambda x, y: np.where(y > x, 0.3 * (y - x), 0.7 * (x - y)),
    "poisson_nll": lambda x, y: np.exp(x) - y * x,
    "gaussian_nll": lambda m, v, y: (v + (y - m) ** 2 / np.exp(v)) / 2,
    "gaussian_kl": lambda m, v: (np.exp(v) + m**2 - 1 - v).sum(-1) / 2,
    "cross_entropy": cross_entropy,
    "chunked_cross_entropy": lambda x, kernel, y: cross_entropy(x @ kernel, y),
    "soft_cross_entropy": lambda x, y: -(y * special.log_softmax(x, -1)).sum(-1),
    "poly_cross_entropy": lambda x, y: (
        -(y * special.log_softmax(x, -1)).sum(-1)
        + 2 * (1 - (y * special.softmax(x, -1)).sum(-1))
    ),
    "binary_cross_entropy": sigmoid_cross_entropy,
    "focal": focal,
    "hinge": lambda x, y: np.maximum(0, 1 - x * y),
    "multiclass_hinge": multiclass_hinge,
    "kl_divergence": lambda x, y: (y * (np.log(y) - x)).sum(-1),
    "cosine_distance": lambda x, y: 1 - cosine(x, y),
    "triplet": triplet,
    "accuracy": lambda x, y: x.argmax(-1) == y,
    "top_k_accuracy": lambda x, y: (np.argsort(x)[..., -2:] == y[..., None]).any(-1),
    "binary_accuracy": lambda x, y: (x > 0) == (y > 0.5),
    "ctc_loss": ctc,
    "dpo": lambda c, r, rc, rr: np.log1p(np.exp(-0.1 * (c - r - rc + rr))),
    "distillation": lambda x, y: (
        special.softmax(y, -1)
        * (special.log_softmax(y, -1) - special.log_softmax(x, -1))
    ).sum(-1),
}
WHOLE: dict[str, Callable[..., Array]] = {
    "ntxent": ntxent,
    "log_prob": lambda x, y: -cross_entropy(x, y),
    "squared_error": lambda x, y: (x - y) ** 2,
    "sigmoid_binary_cross_entropy": sigmoid_cross_entropy,
    "softmax_cross_entropy": ELEMENTS["soft_cross_entropy"],
    "softmax_cross_entropy_with_integer_labels": cross_entropy,
    "cosine_similarity": cosine,
    "smooth_labels": lambda y: 0.9 * y + 0.1 / y.shape[-1],
    "rmse": lambda x, y: np.sqrt(((x - y) ** 2).mean()),
    "r2": lambda x, y: sk.r2_score(y, x, multioutput="variance_weighted"),
    "precision": lambda x, y: sk.precision_score(y.ravel() > 0.5, x.ravel() > 0),
    "recall": lambda x, y: sk.recall_score(y.ravel() > 0.5, x.ravel() > 0),
    "f1": lambda x, y: sk.f1_score(y.ravel() > 0.5, x.ravel() > 0),
}


def expected(case: Case, values: Mapping[str, Array]) -> Array:
    op, given = case.op.name, dict(values)
    where = given.pop("where", None)
    if op in WHOLE:
        return WHOLE[op](*given.values())
    if op == "perplexity":
        return np.exp(cross_entropy(*given.values()).mean(where=select(where)))
    formula = smoothed if "smoothing" in case.example.args else ELEMENTS[op]
    return formula(*given.values()).mean(where=select(where))


def select(where: Array) -> Array:
    return True if where is None else where


COMPARED = cases({**LOSSES, **METRICS})


def example_with_required(case: Case) -> Case:
    """Required numbers that the examples leave to their shapes."""
    missing = {"pinball": {"quantile": 0.3}}.get(case.op.name, {})
    example = Example(
        {**case.example.args, **missing}, case.example.inputs, case.example.named
    )
    return Case(case.op, example)


@pytest.mark.parametrize("case", COMPARED, ids=name)
def test_losses_and_metrics_agree_with_numpy_and_their_rules(case: Case) -> None:
    case = example_with_required(case)
    values = arrays(case)
    got = evaluate(case, {n: jnp.asarray(v) for n, v in values.items()})
    np.testing.assert_allclose(got, expected(case, values), rtol=2e-5, atol=1e-6)
    out = predict(case).out
    assert isinstance(out, TensorType)
    assert got.shape == tuple(s.substitute(ENV).value for s in out.sizes)
    assert got.dtype == jnp.float32
    assert out.dtype in ("f32", "float")


def test_the_distance_of_a_vector_of_zeros_has_a_gradient() -> None:
    (case,) = (
        c for c in COMPARED if c.op.name == "cosine_distance" and not c.example.named
    )
    values = {n: jnp.asarray(v) for n, v in arrays(case).items()}
    zeros = jnp.zeros_like(values["predictions"])

    def distance(x: Any) -> Any:
        return evaluate(case, {**values, "predictions": x})

    value, slope = jax.value_and_grad(distance)(zeros)
    assert value == 1 and jnp.isfinite(slope).all()


@pytest.mark.parametrize(
    ("op", "inputs", "at", "code", "help"),
    [
        ("mse", ("B 1", "B"), "targets", "N301", "drop the last axis of predictions"),
        ("mse", ("B", "B 1"), "targets", "N301", "drop the last axis of targets"),
        ("mse", ("B 5", "B 6"), "targets", "N301", "axis 1 must be 5"),
        ("mse", ("B 5", "T B 5"), "targets", "N301", "targets would be [B, 5]"),
        ("cross_entropy", ("B 5", "int: B 5"), "labels", "N301", "soft_cross_entropy"),
        ("cross_entropy", ("B 5", "int: B T"), "labels", "N301", "soft_cross_entropy"),
        ("cross_entropy", ("B 5", "int: B 1"), "labels", "N301", "drop the last axis of labels"),
        ("cross_entropy", ("B T 5", "int: B"), "labels", "N301", "would be int[B, T]"),
        ("cross_entropy", ("B 5", "B"), "labels", "N302", "int"),
        ("cross_entropy", ("", "int: B"), "logits", "N301", "[..., classes]"),
        ("cross_entropy", ("bf16: B 5", "int: B"), "logits", "N302", "astype(logits, f32)"),
        ("soft_cross_entropy", ("", ""), "logits", "N301", "[..., classes]"),
        ("ctc_loss", ("B 5", "B 5", "int: B 3", "B 3"), "logits", "N303", "[B, T, K]"),
        ("ntxent", ("B T 5", "int: B"), "embeddings", "N303", "[B, d]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    op: str, inputs: tuple[str, ...], at: str, code: str, help: str
) -> None:
    entry = LOSSES[op]
    case = Case(entry, Example({}, inputs))
    with pytest.raises(ShapeError) as caught:
        predict(case)
    assert (caught.value.at, caught.value.code) == (at, code)
    assert help in (caught.value.help or "")


def test_a_mask_has_the_shape_of_the_losses() -> None:
    inputs = tensor("float", "B", 5), tensor("int", "B"), tensor("bool", "B", 5)
    with pytest.raises(ShapeError) as caught:
        shape_of(LOSSES["cross_entropy"], inputs, {})
    assert caught.value.at == "where"


def test_unknown_sizes_are_required_to_be_equal() -> None:
    inputs = tensor("float", "B", "out"), tensor("float", "B", "width")
    (requirement,) = shape_of(LOSSES["mse"], (*inputs, None), {}).requires
    assert (requirement.left, requirement.right) == (symbol("out"), symbol("width"))


def test_k_is_at_most_the_number_of_classes() -> None:
    entry = METRICS["top_k_accuracy"]
    inputs = tensor("float", "B", 3), tensor("int", "B"), None
    with pytest.raises(ShapeError, match="k is 5, but there are 3 classes"):
        shape_of(entry, inputs, {})
    inputs = tensor("float", "B", "V"), tensor("int", "B"), None
    (requirement,) = shape_of(entry, inputs, {}).requires
    assert requirement.relation == ">="


# ------------------------------------- optimizers, schedules and initialisers


def built(op: Op, example: Example) -> Any:
    return evaluate(Case(op, example), {"nnx": nnx})


@partial(jax.jit, static_argnums=0)
def descend(tx: optax.GradientTransformation) -> Any:
    """Weights after a few steps down a bowl."""
    params = {"w": jnp.arange(12.0).reshape(3, 4) / 7, "b": jnp.ones(4)}
    state = tx.init(params)
    for _ in range(2):
        grads = jax.tree.map(lambda p: 2 * (p - 0.3), params)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize("op", OPTIMIZERS.values(), ids=lambda op: op.name)
def test_optimizers_are_those_of_optax(op: Op) -> None:
    factory = getattr(optax, op.name, None) or getattr(optax.contrib, op.name)
    got = descend(built(op, op.examples[0]))
    jax.tree.map(np.testing.assert_array_equal, got, descend(factory(1e-2)))


@pytest.mark.parametrize("op", OPTIMIZERS.values(), ids=lambda op: op.name)
def test_arguments_and_defaults_are_those_of_optax(op: Op) -> None:
    factory = getattr(optax, op.name, None) or getattr(optax.contrib, op.name)
    theirs = inspect.signature(factory).parameters
    assert op.params[0].kind is Kind.SCHEDULE
    for param in op.params[1:]:
        if param.name not in op.variants:  # what stands before it in a chain
            assert theirs[param.name].default == param.default, param.name


@pytest.mark.parametrize("op", OPTIMIZERS.values(), ids=lambda op: op.name)
def test_every_argument_of_an_optimizer_is_passed_on(op: Op) -> None:
    args = {
        p.name: not p.default if p.kind is Kind.BOOL else _other(p.default)
        for p in op.params[1:]
    }
    case = Case(op, Example({"learning_rate": 1e-2, **args}, ()))
    text = python(case, NOTHING, {})
    for key, value in args.items():
        added = f"optax.add_decayed_weights({literal(value)}), "
        due = added if key in op.variants else f"{key}={literal(value)}"
        assert due in text
    text = f"optax.chain({text})" if op.variants else text
    eval(text, {"optax": optax}).init({"w": jnp.ones((2, 3))})


def _other(default: Any) -> Any:
    return 0.5 if default is None else default


def ramp(step: float, steps: float, first: float, last: float) -> float:
    return first + (last - first) * min(step / steps, 1)


def half_cosine(step: float, steps: float) -> float:
    return 0.5 * (1 + np.cos(np.pi * min(step / steps, 1)))


def cycle(step: int) -> float:
    if step < 10:
        return ramp(step, 10, 0, 0.1)
    return 0.1 * half_cosine(step - 10, 90)


CURVES: dict[str, Callable[[int], float]] = {
    "constant": lambda s: 0.1,
    "linear": lambda s: ramp(s, 100, 0.1, 0.01),
    "polynomial": lambda s: 0.09 * (1 - min(s / 100, 1)) ** 2 + 0.01,
    "exponential": lambda s: 0.1 * 0.5 ** (s / 100),
    "cosine": lambda s: 0.1 * half_cosine(s, 100),
    "piecewise": lambda s: 0.1 * 0.1 ** ((s >= 30) + (s >= 60)),
    "warmup_constant": lambda s: ramp(s, 10, 0, 0.1),
    "warmup_linear": lambda s: (
        ramp(s, 10, 0, 0.1) if s < 10 else ramp(s - 10, 90, 0.1, 0)
    ),
    "warmup_cosine": cycle,
    "warmup_exponential": lambda s: (
        ramp(s, 10, 0, 0.1) if s < 10 else 0.1 * 0.5 ** ((s - 10) / 100)
    ),
    "warmup_rsqrt": lambda s: 0.1 * min((s + 1) / 10, ((s + 1) / 10) ** -0.5),
    "warmup_stable_decay": lambda s: (
        ramp(s, 10, 0, 0.1) if s < 80 else ramp(s - 80, 20, 0.1, 0)
    ),
    "onecycle": lambda s: (
        0.004 + 0.096 * (1 - half_cosine(s, 30))
        if s < 30
        else 4e-7 + (0.1 - 4e-7) * half_cosine(s - 30, 70)
    ),
    "sgdr": lambda s: cycle(s % 100) if s < 300 else 0.0,
}


@pytest.mark.parametrize("op", SCHEDULES.values(), ids=lambda op: op.name)
def test_schedules_have_their_curves(op: Op) -> None:
    schedule = built(op, op.examples[0])
    for step in (0, 1, 5, 9, 10, 11, 29, 50, 70, 79, 81, 99, 150):
        np.testing.assert_allclose(schedule(step), CURVES[op.name](step), atol=2e-7)


DEFAULTLESS = ("zeros", "ones")


@pytest.mark.parametrize("op", INITIALIZERS.values(), ids=lambda op: op.name)
def test_initialisers_are_those_of_jax(op: Op) -> None:
    theirs = getattr(jax.nn.initializers, op.name)
    shape = (3, 3, 8, 12) if op.name == "delta_orthogonal" else (64, 96)
    if op.name not in DEFAULTLESS:
        theirs = theirs(**op.examples[0].args)
    got = built(op, op.examples[0])(jax.random.key(0), shape)
    np.testing.assert_array_equal(got, theirs(jax.random.key(0), shape))


@pytest.mark.parametrize("op", INITIALIZERS.values(), ids=lambda op: op.name)
def test_defaults_of_initialisers_are_those_of_jax(op: Op) -> None:
    theirs = inspect.signature(getattr(jax.nn.initializers, op.name)).parameters
    for param in op.params:
        if param.name not in op.examples[0].args:
            assert theirs[param.name].default == param.default
