"""A family at work: the model with the reference's weights, given the reference's inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

from nnxc.instance.nodes import bind
from nnxc.shapes import DTYPES, TensorType

from .families import Family
from .judge import (
    NOISES,
    Arrays,
    Deviation,
    deviation,
    gradient_deviations,
    missing,
)
from .losses import loss_of

GREEDY = 6  # tokens that follow a prompt in `out/greedy`


def deviations(family: Family) -> list[Deviation]:
    """Everything that the reference says, against what the spec's model does; raises Missing."""
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(family, Path(folder))
        return [
            *subject.outputs(),
            *subject.gradients(),
            *subject.statistics(),
            *subject.saved_again(),
            *subject.decoding(),
        ]


class Subject:
    """A family's model, loaded."""

    def __init__(self, family: Family, folder: Path):
        self.family, self.folder = family, folder
        self.module = family.module(folder)
        self.config = config_of(family, self.module)
        given = () if self.config is None else (self.config,)
        self.model = self.module.load_pretrained(family.checkpoint, *given)
        self.inputs = dict(self._inputs())

    def _inputs(self) -> Iterator[tuple[str, jax.Array]]:
        values = vars(self.config) if self.config is not None else {}
        sizes = {k: v for k, v in values.items() if isinstance(v, int | float)}
        for field in self.family.model.inputs:
            array = self.family.reference.get(f"in/{field.name}")
            assert array is not None or field.optional, f"no in/{field.name}"
            if array is not None:
                yield field.name, as_declared(array, field.type, sizes)

    def outputs(self) -> Iterator[Deviation]:
        """What the model gives in evaluation."""
        noise = self.family.noise
        got = self._named(applied(self.view(), self.inputs), "out")
        found = [*self._judged("out", got, noise)]
        if not all(one.ok for one in found):
            # Nothing is nearer to a reference than what the last bit of the inputs changes.
            near = self._named(applied(self.view(), one_bit_off(self.inputs)), "out")
            changes = {n: difference(a, near[n]) / NOISES for n, a in got.items()}
            known = {n: max(noise.get(n) or 0.0, changes[n]) for n in got}
            found = [*self._judged("out", got, noise | known)]
        yield from found

    def view(
        self, model: nnx.Module | None = None, training: bool = False
    ) -> nnx.Module:
        """A model without dropout, whose statistics stay as they are unless it is training."""
        modes = {"deterministic": True, "use_running_average": not training}
        used = {m: on for m, on in modes.items() if m in self.family.model.modes}
        # A mode that a condition leaves out belongs to no layer.
        return nnx.view(model or self.model, raise_if_not_found=False, **used)

    def _judged(
        self, kind: str, got: Arrays, noise: Mapping[str, float]
    ) -> Iterator[Deviation]:
        """What the reference has of one kind, against arrays by dotted names."""
        for name, array in self._wanted(kind).items():
            found = meant(got, name)
            if found is None:
                yield missing(f"{kind}/{name}", "is not an output of the model")
            else:
                array_found = np.asarray(found)
                yield deviation(f"{kind}/{name}", array_found, array, noise.get(name))

    def _wanted(self, kind: str) -> dict[str, np.ndarray]:
        wanted = {
            name.removeprefix(f"{kind}/"): array
            for name, array in self.family.reference.items()
            if name.startswith(f"{kind}/")
        }
        for other in ("loss", "greedy"):
            wanted.pop(other, None)
        return wanted

    def _named(self, result: Any, kind: str) -> dict[str, Any]:
        first = next(iter(self._wanted(kind)))
        return named(result, self.family.meta.get("main") or first)

    def gradients(self) -> Iterator[Deviation]:
        """Gradients of the reference's loss, by the checkpoint's names."""
        path = self.family.folder / "grad.safetensors"
        if not path.exists():
            return
        graphdef, params, rest = nnx.split(self.view(), nnx.Param, ...)
        main = self.family.meta["main"]

        def loss(params: nnx.State, rest: nnx.State) -> jax.Array:
            model = nnx.merge(graphdef, params, rest)
            outputs = named(model(**self.inputs), main)
            return loss_of(self.family.meta["loss_def"], outputs, self.inputs)

        try:
            gradients = jax.jit(jax.grad(loss))(params, rest)
        except KeyError as output:
            yield missing("gradients", f"need the output {output}")
            return
        holder = nnx.merge(graphdef, gradients, rest)
        yield from gradient_deviations(self._saved(holder), load_file(path))

    def statistics(self) -> Iterator[Deviation]:
        """What the model gives in training, and the statistics that it then has."""
        if not any(name.startswith("trainbn/") for name in self.family.reference):
            return
        got = self._trained(jnp.float32)
        noise = dict.fromkeys(self._wanted("trainbn"), 0.0)
        found = [*self._judged("trainbn", got, noise)]
        if not all(one.ok for one in found):
            # Normalizing a handful of values magnifies rounding: how much, float64 tells.
            with jax.enable_x64(True):
                exact = self._trained(jnp.float64)
            noise = {n: difference(meant(got, n), meant(exact, n)) for n in noise}
            found = [*self._judged("trainbn", got, noise)]
        yield from found

    def _trained(self, dtype: Any) -> dict[str, np.ndarray]:
        """The outputs in training, and the statistics as `buf/name`, computed in a dtype."""
        model = nnx.clone(self.model, variables=True)
        nnx.update(model, in_dtype(nnx.state(model), dtype))
        for _, module in nnx.iter_modules(model):
            if getattr(module, "dtype", None) is not None:
                module.dtype = dtype
        view = self.view(model, training=True)
        result = view(**in_dtype(self.inputs, dtype))
        got = {n: np.asarray(a) for n, a in self._named(result, "trainbn").items()}
        return got | {f"buf/{n}": array for n, array in self._saved(view).items()}

    def saved_again(self) -> Iterator[Deviation]:
        """Saved, the tensors are those that were given; loaded again, the model is the same."""
        path = self.folder / "again.safetensors"
        self.module.save_pretrained(self.model, path)
        saved = load_file(path)
        for file in self.family.checkpoint.glob("*model*.safetensors"):
            for name, tensor in load_file(file).items():
                if name in saved and not np.array_equal(saved[name], tensor):
                    yield missing(f"saved {name}", "is not what was given")
        given = () if self.config is None else (self.config,)
        again = self.module.load_pretrained(path, *given)
        mine, others = nnx.state(self.model), nnx.state(again)
        same = jax.tree.map(lambda a, b: bool((a == b).all()), mine, others)
        if not all(jax.tree.leaves(same)):
            yield missing("saved and loaded again", "differs")

    def decoding(self) -> Iterator[Deviation]:
        """Tokens that the reference finds likeliest, and scores in pieces, with a cache."""
        greedy = self.family.reference.get("out/greedy")
        if greedy is None:
            return
        if not self.family.program.generates:
            yield missing("out/greedy", "the spec does not generate")
            return
        prompts = greedy[:, :-GREEDY].tolist()
        made = self.module.generate(self.model, prompts, max_new_tokens=GREEDY)
        yield deviation("out/greedy", np.array(made), greedy[:, -GREEDY:], None)
        noise = (self.family.noise).get("logits")
        for name, got, want in self.in_pieces():
            yield deviation(name, got, want, noise)

    def in_pieces(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Scores of two sequences, one shorter by 4 and padded, given in three pieces."""
        ids = np.asarray(self.inputs["input_ids"])
        want, length = self.family.reference["out/logits"], ids.shape[1]
        graphdef, state = nnx.split(self.view())
        cut = length - 7
        pieces = [
            np.stack([np.r_[[0] * 4, ids[0, : cut - 4]], ids[1, :cut]]),
            np.stack([ids[0, cut - 4 : cut - 3], ids[1, cut : cut + 1]]),
            np.stack([ids[0, cut - 3 : cut + 3], ids[1, cut + 1 :]]),
        ]

        @jax.jit
        def run(state: nnx.State) -> Any:
            starts = jnp.array([4, 0])
            decoder = self.module.init_cache(nnx.merge(graphdef, state), starts, length)
            return [named(decoder(jnp.asarray(p)), "logits")["logits"] for p in pieces]

        got = np.concatenate(run(state), axis=1)
        yield "with a cache, padded", got[0, 4:], want[0, : length - 4]
        yield "with a cache", got[1], want[1]

    def _saved(self, model: nnx.Module) -> Arrays:
        path = self.folder / "saved.safetensors"
        self.module.save_pretrained(model, path)
        return load_file(path)


def meant(got: Mapping[str, Any], name: str) -> Any:
    """The array that the reference has by that name, if any."""
    return got.get(name, got.get(name.replace("/", "."), got.get(name.split("/")[-1])))


def difference(one: Any, other: Any) -> float:
    """The largest between two arrays, nothing where there is none."""
    if one is None:
        return 0.0
    return float(np.abs(np.asarray(one, "f8") - np.asarray(other)).max(initial=0))


def one_bit_off(inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Floating inputs, each number the next larger one."""
    return {
        n: jnp.nextafter(a, jnp.inf) if jnp.issubdtype(a.dtype, jnp.floating) else a
        for n, a in inputs.items()
    }


def in_dtype(tree: Any, dtype: Any) -> Any:
    """Floating arrays in another precision."""
    floating = jnp.floating
    return jax.tree.map(
        lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, floating) else a, tree
    )


def config_of(family: Family, module: ModuleType) -> Any:
    """What `config.json` says; the defaults where there is none; None for a model without."""
    if not hasattr(module, "Config"):
        return None
    if hasattr(module, "read_config") and (family.checkpoint / "config.json").exists():
        return module.read_config(family.checkpoint)
    return module.Config()


def as_declared(array: np.ndarray, type: Any, values: Mapping[str, Any]) -> jax.Array:
    """An input in the dtype and the order of axes that the spec declares."""
    declared = bind(type, values)
    assert isinstance(declared, TensorType)
    moved = np.moveaxis(array, 1, -1) if array.ndim > 2 else array
    fitting = next((a for a in (array, moved) if fits(declared, a.shape)), array)
    return jnp.asarray(fitting, DTYPES[declared.dtype])


def fits(type: TensorType, shape: tuple[int, ...]) -> bool:
    """Whether a shape may be of this type: its numbers, and axes of one name of one size."""
    if type.rank != len(shape):
        return False
    axes: dict[str, int] = {}
    for size, found in zip(type.sizes, shape, strict=True):
        wanted = axes.setdefault(size.name, found) if size.name else size.value
        if wanted not in (None, found):
            return False
    return True


def applied(model: nnx.Module, inputs: Mapping[str, jax.Array]) -> Any:
    """The outputs of a model, compiled as one."""
    graphdef, state = nnx.split(model)
    return jax.jit(lambda state, inputs: nnx.merge(graphdef, state)(**inputs))(
        state, inputs
    )


def named(result: Any, main: str) -> dict[str, Any]:
    """Outputs by dotted names; `main` for a single one without a name."""
    if isinstance(result, jax.Array):
        return {main: result}
    found: dict[str, Any] = {}
    for path, array in jax.tree_util.tree_flatten_with_path(result)[0]:
        parts = (str(getattr(p, "name", getattr(p, "idx", p))) for p in path)
        found[".".join(parts)] = array
    return found
