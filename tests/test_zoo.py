"""The zoo: every spec compiles to the checked-in module, which does what the spec says.

Each module runs at the small sizes of `SMALL`: shapes as predicted, finite gradients, a loss
that falls, one compilation, dropout in training only, the same result for the same seed.
Those of published models run beside their references: see `test_parity`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nnxc import driver, instance, ir
from nnxc.fresh import SHARED
from nnxc.instance.nodes import bind
from nnxc.shapes import DTYPES, TensorType, is_int
from tests.importing import from_file

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "dsl/nnxc/zoo"
ALL = {
    path.relative_to(FOLDER).with_suffix("").as_posix(): path
    for path in sorted(FOLDER.rglob("*.nnx"))
}
ZOO = {name: path for name, path in ALL.items() if "/" not in name}


@dataclass(frozen=True)
class Small:
    """Parameters and axes that make a model quick to run."""

    params: Mapping[str, Any]
    axes: Mapping[str, int]


IMAGES = {"B": 2, "H": 32, "W": 32}
SMALL = {
    "actor_critic": Small({"hidden": 16}, {"B": 8}),
    "autoencoder": Small({"width": 2, "latent": 8}, {"B": 4}),
    "char_gpt": Small(
        {"vocab": 17, "context": 9, "d": 16, "heads": 2, "layers": 2}, {"B": 4, "T": 7}
    ),
    "cifar_cnn": Small({"classes": 5}, {"B": 2}),
    "convnext": Small({"classes": 5, "widths": (4, 6), "depths": (1, 2)}, IMAGES),
    "digits_cnn": Small({"width": 4}, {"B": 8}),
    "digits_mlp": Small({"hidden": 16}, {"B": 8}),
    "dqn": Small({"actions": 3, "hidden": 8}, {"B": 2}),
    "gpt2": Small(
        {"vocab": 17, "context": 9, "d": 16, "heads": 2, "layers": 2}, {"B": 4, "T": 7}
    ),
    "lenet": Small({"classes": 5}, {"B": 4}),
    "lstm_classifier": Small({"vocab": 17, "d": 8, "hidden": 6}, {"B": 4, "T": 7}),
    "mlp_mixer": Small(
        {"classes": 5, "size": 12, "patch": 4, "d": 8, "layers": 2}, {"B": 3}
    ),
    "multi_task": Small({"width": 4, "classes": 5}, {"B": 3, "H": 9, "W": 11}),
    "resnet18": Small({"classes": 5, "widths": (4, 6), "depths": (1, 2)}, IMAGES),
    "resnet50": Small({"classes": 5, "width": 4, "depths": (1, 2)}, IMAGES),
    "siamese": Small({"width": 2, "out": 8}, {"B": 4}),
    "simple_mlp": Small({"hidden": 16}, {"B": 8}),
    "transformer": Small(
        {"vocab": 17, "d": 16, "hidden": 32, "heads": 2, "layers": 2},
        {"B": 3, "S": 5, "T": 7},
    ),
    "unet": Small({"width": 2}, {"B": 2, "h": 1, "w": 2}),
    "vae": Small({"hidden": 16, "latent": 4}, {"B": 4}),
    "vit": Small(
        {"classes": 5, "size": 8, "patch": 4, "d": 16, "heads": 2, "layers": 2},
        {"B": 3},
    ),
}
# Whose steps take long to compile.
SLOW = {
    "autoencoder",
    "char_gpt",
    "cifar_cnn",
    "convnext",
    "digits_cnn",
    "dqn",
    "lenet",
    "lstm_classifier",
    "mlp_mixer",
    "resnet18",
    "resnet50",
    "transformer",
    "unet",
    "vit",
}
# How many values an integer of a batch may have: a parameter of the model.
CHOICES = ("vocab", "classes", "actions")


@dataclass(frozen=True)
class Case:
    """One spec of the zoo, compiled, with its checked-in module."""

    name: str
    text: str
    program: ir.Program
    module: ModuleType

    @property
    def small(self) -> Small:
        return SMALL[self.name]

    @property
    def train(self) -> ir.Train:
        return self.program.trains[0]

    @property
    def definition(self) -> ir.Definition:
        return self.program.definition(self.train.model)

    @property
    def instance(self) -> instance.Instance:
        """What the compiler predicts at the small sizes."""
        small = self.small
        return instance.instantiate(
            self.program, self.train.model, small.params, small.axes
        )

    def create(self, seed: int = 0, **changes: Any) -> nnx.Module:
        """The model at the small sizes."""
        params = {**self.small.params, **changes}
        config = getattr(self.module, "Config", None)
        if config is None:
            return self.module.create_model(**params, seed=seed)
        return self.module.create_model(config(**params), seed=seed)

    def arrays(self, fields: tuple[ir.ModelInput, ...]) -> list[jax.Array]:
        """Random values for inputs or for a batch."""
        values = self.instance.values
        high = min((values[name] for name in CHOICES if name in values), default=0)
        rng = np.random.default_rng(0)
        env = {**values, **self.small.axes}
        return [random_array(rng, bind(field.type, env), high) for field in fields]

    @property
    def frozen(self) -> list[nnx.Module]:
        """The further models that a step takes: here, all of the class that trains."""
        return [self.create(seed=1) for _ in self.train.frozen]

    def trainer(self, model: nnx.Module, *objects: Any) -> Any:
        """A trainer of a model, with its optimizer and what else the train asks for."""
        frozen = {"frozen": self.frozen} if self.train.frozen else {}
        return self.module.Trainer(self.module.train_step, model, *objects, **frozen)

    def draws(self, seed: int = 1) -> list[nnx.Rngs]:
        """The random streams of a step, where it has any."""
        return [self.module.create_rngs(seed)] if self.train.streams else []


def random_array(rng: np.random.Generator, type: Any, high: int) -> jax.Array:
    shape = tuple(size.value for size in type.sizes)
    if is_int(type.dtype):
        return jnp.asarray(rng.integers(0, high, shape), DTYPES[type.dtype])
    return jnp.asarray(rng.uniform(size=shape), DTYPES[type.dtype])


def compiled(name: str) -> driver.Output:
    folder = ALL[name].parent

    def read(used: str) -> bytes:
        return (folder / used).read_bytes()

    return driver.compile(ALL[name].read_text(), path=ALL[name].name, read=read)


def generated(name: str) -> Path:
    return ROOT / "generated" / f"{name}.py"


@cache
def case(name: str) -> Case:
    text = ZOO[name].read_text()
    program = driver.analyse(text, path=f"{name}.nnx").program
    assert program is not None
    return Case(name, text, program, from_file(generated(name)))


@pytest.fixture(scope="module", params=sorted(ZOO))
def zoo(request: pytest.FixtureRequest) -> Case:
    return case(request.param)


@pytest.fixture(params=[True, False], ids=["graph mode", "tree mode"])
def mode(request: pytest.FixtureRequest) -> Any:
    with nnx.set_graph_mode(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def quick_compilation() -> Any:
    """XLA's optimisations cost more here than they save."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def test_every_spec_has_small_sizes_and_a_train() -> None:
    assert set(SMALL) == set(ZOO)
    assert all("\ntrain " in path.read_text() for path in ZOO.values())


@pytest.mark.parametrize("name", ALL)
def test_compiles(name: str) -> None:
    output = compiled(name)
    assert output.diagnostics == ()
    own, *shared = output.files
    assert own == f"{ALL[name].stem}.py" and SHARED.issuperset(shared)
    for file, text in output.files.items() if name in ZOO else ():
        assert text == (ROOT / "generated" / file).read_text()


def test_nothing_else_is_checked_in() -> None:
    files = {p.name for p in (ROOT / "generated").rglob("*") if p.is_file()}
    assert files == {file for name in ZOO for file in compiled(name).files}


@pytest.mark.parametrize("name", ALL)
def test_spec_is_in_its_one_form(name: str) -> None:
    text = ALL[name].read_text()
    assert driver.reformat(text) == (text, ())


@pytest.mark.heavy
@pytest.mark.parametrize(
    "tool",
    [
        "black --check --quiet",
        "ruff check --isolated --select E4,E7,E9,F,I",
        "mypy --cache-dir cache --disable-error-code import-untyped",  # optax has no types
    ],
)
def test_generated_code_is_clean(tool: str, tmp_path: Path) -> None:
    for name in ALL:
        own, *shared = compiled(name).files.items()
        (tmp_path / (name.replace("/", "_") + ".py")).write_text(own[1])
        for file, text in shared:
            (tmp_path / file).write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", *tool.split(), "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_outputs_have_the_predicted_types(zoo: Case, mode: bool) -> None:
    inputs = zoo.arrays(zoo.definition.inputs)

    def forward(*inputs: jax.Array) -> Any:
        rngs = {"rngs": nnx.Rngs(0)} if zoo.definition.streams else {}
        return zoo.create()(*inputs, **rngs)

    found = jax.eval_shape(forward, *inputs)
    assert jax.tree.map(lambda a: tuple(a.shape), found) == shapes(zoo.instance.outputs)


def shapes(type: Any) -> Any:
    if isinstance(type, TensorType):
        return tuple(size.value for size in type.sizes)
    parts = tuple(shapes(part) for part in type)
    return parts[0] if len(parts) == 1 else parts


def test_variables_are_the_predicted_ones(zoo: Case) -> None:
    model = nnx.eval_shape(zoo.create)
    state = nnx.to_flat_state(nnx.state(model, nnx.Not(nnx.RngState)))
    found = {".".join(map(str, path)): tuple(v.shape) for path, v in state}
    predicted = {
        path: tuple(size.value for size in weight.sizes)
        for path, weight in zoo.instance.weights().items()
    }
    assert found == predicted


@cache
def created(name: str) -> nnx.Module:
    return case(name).create()


def objects(zoo: Case) -> list[Any]:
    """What a trainer takes: a model, its optimizer, and what else the train asks for."""
    model = nnx.clone(created(zoo.name), arrays=True)
    averages = [zoo.module.create_ema(model)] if zoo.train.ema is not None else []
    return [model, zoo.module.create_optimizer(model), *averages, *zoo.draws()]


QUICK = [
    pytest.param(n, marks=[pytest.mark.heavy] if n in SLOW else []) for n in sorted(ZOO)
]


@pytest.mark.parametrize("zoo", QUICK, indirect=True)
def test_learns(zoo: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one batch, with one compilation, every weight taking part, and the same each time."""
    quick = partial(nnx.Optimizer, tx=optax.adam(1e-2), wrt=nnx.Param)
    monkeypatch.setattr(zoo.module, "create_optimizer", quick)
    taking_part = objects(zoo)
    trainer = zoo.trainer(*taking_part)
    batch = zoo.arrays(zoo.train.batch)
    losses = [float(trainer.step(*batch)[0]) for _ in range(20)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < losses[0]
    assert_every_weight_learnt(created(zoo.name), taking_part[0])
    for one, other in zip(taking_part, objects(zoo), strict=True):
        nnx.update(one, nnx.state(other))
    assert [float(trainer.step(*batch)[0]) for _ in range(3)] == losses[:3]
    assert trainer.run._cache_size() == 1


def assert_every_weight_learnt(before: nnx.Module, after: nnx.Module) -> None:
    learnt = dict(nnx.to_flat_state(nnx.state(after, nnx.Param)))
    for path, weight in nnx.to_flat_state(nnx.state(before, nnx.Param)):
        assert jnp.isfinite(learnt[path][...]).all(), path
        assert (learnt[path][...] != weight[...]).any(), f"{path} does not learn"


@pytest.mark.heavy
def test_steps_with_its_own_optimizer(zoo: Case) -> None:
    """By the plain step and by the trainer, with equal losses."""
    batch = zoo.arrays(zoo.train.batch)
    model, *others = objects(zoo)
    plain = [model, *zoo.frozen, *others]
    losses = [zoo.module.train_step(*plain, *batch)[0] for _ in range(3)]
    trainer = zoo.trainer(*objects(zoo))
    again = [trainer.step(*batch)[0] for _ in range(3)]
    np.testing.assert_allclose(again, losses, rtol=1e-4)
    assert trainer.run._cache_size() == 1
    for value in jax.tree.leaves(nnx.state(plain[0], nnx.Param)):
        assert jnp.isfinite(value).all()


@pytest.mark.parametrize("zoo", QUICK, indirect=True)
def test_evaluation_is_the_same_each_time(zoo: Case) -> None:
    batch = zoo.arrays(zoo.train.batch)
    model = created(zoo.name)
    losses = [
        zoo.module.eval_step(model, *zoo.frozen, *eval_draws(zoo), *batch)[0]
        for _ in range(2)
    ]
    assert jnp.isfinite(losses[0])
    assert losses[0] == losses[1]


def eval_draws(zoo: Case) -> list[nnx.Rngs]:
    return zoo.draws() if zoo.train.eval_streams else []


def stirred(model: nnx.Module) -> nnx.Module:
    """The model with weights that all count: branches and heads may begin as zeros."""
    draw = np.random.default_rng(0).standard_normal
    state = nnx.state(model, nnx.Param)
    nnx.update(model, jax.tree.map(lambda w: w + 0.1 * draw(w.shape), state))
    return model


DROPOUT = [
    pytest.param(name, marks=[pytest.mark.heavy] if name in SLOW else [])
    for name, path in ZOO.items()
    if "Drop" in path.read_text()
]


@pytest.mark.parametrize("name", DROPOUT)
def test_dropout_differs_from_step_to_step(name: str) -> None:
    zoo = case(name)
    batch = zoo.arrays(zoo.train.batch)
    graphdef, state = nnx.split(stirred(zoo.create(rate=0.5)))

    @jax.jit
    def loss(state: nnx.State, rngs: nnx.Rngs) -> jax.Array:
        return zoo.module.loss_fn(nnx.merge(graphdef, state), rngs, *batch)[0]

    assert len({float(loss(state, zoo.module.create_rngs(s))) for s in range(8)}) > 1


@pytest.mark.parametrize("name", DROPOUT)
def test_dropout_is_absent_in_evaluation(name: str) -> None:
    zoo = case(name)
    assert "rate" in {p.name for p in zoo.definition.params}
    model, without = zoo.create(rate=0.5), zoo.create(rate=0.0)
    batch = zoo.arrays(zoo.train.batch)
    with_dropout, _ = zoo.module.eval_step(model, *batch)
    assert with_dropout == zoo.module.eval_step(without, *batch)[0]
