"""What the interpreter and generated models are compared on: the zoo, published models, pages.

A case is a model of a spec with arguments and inputs that are quick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from interpreting import Subject, inputs_for
from spec_blocks import blocks
from test_zoo import FOLDER, SMALL, ZOO

from nnxc.instance import instantiate
from nnxc.instance.nodes import InstanceError
from nnxc.ops.base import Kind
from nnxc.syntax import tree
from tests.interpreter import load

PAGES = sorted((Path(__file__).parent / "spec").glob("*.md"))
PUBLISHED = json.loads((Path(__file__).parent / "interpreter/sizes.json").read_text())
FUNCTIONS = {
    "gelu": partial(nnx.gelu, approximate=False),
    "relu": nnx.relu,
    "relu6": jax.nn.relu6,
    "silu": nnx.silu,
    "quick_gelu": lambda x: x * nnx.sigmoid(1.702 * x),
}
AXES = {"B": 2, "T": 6, "S": 5, "H": 16, "W": 24, "n": 1, "m": 2, "N": 7, "vocab": 12}
NEEDED = {Kind.SIZE: 6, Kind.INT: 2, Kind.NUMBER: 0.5, Kind.BOOL: True}
SIZES = {"d": 12, "C": 4, "h": 4, "w": 5}  # of axes of blocks that are no batches
OTHERS = (3, 10, 11, 13, 4, 9, 14, 17)


@dataclass(frozen=True)
class Case:
    """A model at arguments, with its inputs."""

    name: str
    subject: Subject
    model: str
    args: Mapping[str, Any]
    inputs: Mapping[str, jax.Array]
    axes: Mapping[str, int] = field(default_factory=dict)
    origin: Case | None = None  # what it is another side of


def zoo() -> Iterator[Callable[[], Case]]:
    """The zoo's own specs."""
    for name, path in ZOO.items():
        yield named(name, partial(of_zoo, name, path))


def named(name: str, make: Callable[[], Case]) -> Callable[[], Case]:
    make.name = name  # type: ignore[attr-defined]
    return make


def of_zoo(name: str, path: Path) -> Case:
    subject = Subject(path.read_text(), reader(path.parent))
    model = subject.program.trains[0].model
    args, axes = dict(SMALL[name].params), SMALL[name].axes
    args |= rates(subject, model)
    return Case(
        name, subject, model, args, inputs_for(subject, model, args, axes, True), axes
    )


RATES = {
    "rate",
    "dropout",
    "drop_path",
    "drop_path_rate",
    "drop_connect_rate",
    "head_rate",
}


def rates(subject: Subject, model: str) -> dict[str, Any]:
    """Rates of dropping, 0."""
    names = {p.name for p in subject.definition(model).params}
    return dict.fromkeys(names & RATES, 0.0)


def reader(folder: Path) -> Callable[[str], bytes]:
    return lambda name: (folder / name).read_bytes()


def published() -> Iterator[Callable[[], Case]]:
    """Published models at the sizes of `sizes.json`."""
    for name in PUBLISHED:
        path = FOLDER / f"pretrained/{name}.nnx"
        yield named(f"pretrained/{name}", partial(of_published, name, path))


def of_published(name: str, path: Path) -> Case:
    subject = Subject(path.read_text(), reader(path.parent))
    model = subject.program.weights[0].model
    said = PUBLISHED[name]
    args = {k: argument(v) for k, v in said["args"].items()} | rates(subject, model)
    rng = np.random.default_rng(1)
    inputs = {}
    for one in subject.definition(model).inputs:
        if one.name in said["inputs"]:
            shape, *high = said["inputs"][one.name]
            inputs[one.name] = drawn(rng, one.type.dtype, shape, *high)
    axes = axes_of(subject, model, args, inputs)
    return Case(f"pretrained/{name}", subject, model, args, inputs, axes)


def argument(value: Any) -> Any:
    if isinstance(value, dict):
        found = dict(value)
        name = found.pop("call")
        return FUNCTIONS[name] if found or name != "gelu" else nnx.gelu
    return [argument(v) for v in value] if isinstance(value, list) else value


def drawn(
    rng: Any, dtype: str, shape: list[int], high: int = 2, low: int = 0
) -> jax.Array:
    if dtype == "bool":
        return jnp.asarray(rng.random(shape) < 0.7)
    if dtype == "float" or dtype.startswith(("f", "b")):
        return jnp.asarray(rng.normal(0, 1, shape), jnp.float32)
    return jnp.asarray(rng.integers(low, high, shape), jnp.int32)


def axes_of(
    subject: Subject, model: str, args: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, int]:
    """Sizes of axes, as the interpreter finds them."""
    from tests.interpreter.inputs import bind, settle
    from tests.interpreter.program import Run

    meaning = subject.meaning
    layer = meaning.layer(model, args)
    run = Run(meaning, {}, False)
    from tests.interpreter.frame import Frame

    frame = Frame(run, meaning.main, (), {})
    frame.env = run.parameters(layer)
    before = {*frame.env}
    fields = [
        f
        for s in layer.kind.what.body
        if isinstance(s, tree.Declare) and s.keyword == "input"
        for f in s.fields
    ]
    settle(frame, layer.kind.what, fields)
    bind(frame, fields, meaning.given(layer, inputs), {})
    found = {n: v for n, v in frame.env.items() if n not in before}
    return axes_for(subject, model) | found


# ------------------------------------------------------------------------------- pages


def pages() -> Iterator[Callable[[], Case]]:
    """The models of every example that compiles; blocks alone are put into a model."""
    for page in PAGES:
        for block in blocks(page):
            if block.errors or block.is_file or block.said.get("encoding"):
                continue
            text = block.data.decode()
            text = text if models_in(text) else in_models(text)
            subject = Subject(text, partial(beside, block))
            for model in models_in(text):
                name = f"{block.id}/{model}"
                yield named(name, partial(of_page, name, subject, model))


def beside(block: Any, name: str) -> bytes:
    """A file of an example; Python that several bring in lies beside generated modules."""
    if name in block.files:
        return block.files[name].encode()
    return (Path(__file__).parent / "fuzz" / name).read_bytes()


def of_files(paths: list[str]) -> Iterator[Callable[[], Case]]:
    """The models of specs that are named by their paths."""
    for path in map(Path, paths):
        subject = Subject(path.read_text(), reader(path.parent))
        for model in models_in(subject.text):
            name = f"{path}/{model}"
            yield named(name, partial(of_page, name, subject, model))


def models_in(text: str) -> list[str]:
    """The models of a spec."""
    lines = [line for line in text.splitlines() if line.startswith("model ")]
    return [line.split("(")[0].split(":")[0].split()[1] for line in lines]


def in_models(text: str) -> str:
    """A spec of blocks alone, each put into a model."""
    main = load(text).main
    return text + "".join(map(in_model, main.of(tree.Definition)))


def in_model(block: tree.Definition) -> str:
    """A model that is one block; what is not an axis by custom is of a size."""
    params = {p.name: p.default for p in block.params}
    heads = [n if d is None else f"{n} = {d.span.text}" for n, d in params.items()]
    fields = [
        field
        for statement in block.body
        if isinstance(statement, tree.Declare) and statement.keyword == "input"
        for field in statement.fields
    ]
    types = ", ".join(declared(field, set(params)) for field in fields)
    given = ", ".join(f"{n}={n}" for n in params)
    names = ", ".join(field.name for field in fields)
    return (
        f"\nmodel Whole{block.name.id}({', '.join(heads)}):\n"
        f"    input {types}\n    return {block.name.id}({given})({names})\n"
    )


def declared(field: tree.Field, params: set[str]) -> str:
    """The declaration of an input, with sizes for axes that are not known by custom."""
    dims = []
    for dim in field.type.dims or ():
        text = "B, T" if isinstance(dim, tree.Dots) else dim.span.text
        dims.append(text if text in params else str(SIZES.get(text, text)))
    found = f"{field.name}: {field.type.dtype or ''}[{', '.join(dims)}]"
    return found if field.default is None else f"{found} = {field.default.span.text}"


def of_page(name: str, subject: Subject, model: str) -> Case:
    args = small_arguments(subject, model) | rates(subject, model)
    axes = axes_for(subject, model)
    inputs = inputs_for(subject, model, args, axes, True)
    return Case(name, subject, model, args, inputs, axes)


def small_arguments(subject: Subject, model: str) -> dict[str, Any]:
    """Arguments with which a model is small."""
    needed = {
        p.name: NEEDED[p.kind]
        for p in subject.definition(model).params
        if p.default is None and not p.optional
    }
    base = dict(instantiate(subject.program, model, needed, {}).values)
    for by in (1, 2, 4, 8, 16, 32, 64, None):
        args = needed | smaller(base, by)
        try:
            made = instantiate(subject.program, model, args, {})
        except InstanceError:
            continue
        sizes = [w.sizes for w in made.weights().values()]
        total = sum(np.prod([s.value or 1 for s in size]) for size in sizes)
        if not made.failures and total < 2_000_000 and len(sizes) < 200:
            return args
    raise LookupError(f"{model} is not made small")


def smaller(base: Mapping[str, Any], by: int | None) -> dict[str, Any]:
    """Sizes divided, and depths cut; without a number all of them are 1."""
    whole = {k: v for k, v in base.items() if type(v) is int}
    if by is None:
        return dict.fromkeys(whole, 1)
    if by == 1:
        return {}
    args = {k: v // by for k, v in whole.items() if v > 32 and v % by == 0}
    return args | {k: 2 for k in ("layers", "depth") if whole.get(k, 0) > 2}


def axes_for(subject: Subject, model: str) -> dict[str, int]:
    """A size for every axis of a model's inputs and batch, each another one."""
    definition = subject.definition(model)
    params = {p.name for p in definition.params}
    others = iter(OTHERS)
    found: dict[str, int] = {}
    batches = [f for t in subject.program.trains if t.model == model for f in t.batch]
    for one in (*definition.inputs, *batches):
        for size in one.type.sizes:
            for name in sorted(str(s) for s in size.symbols):
                if name not in params and name not in found:
                    found[name] = AXES.get(name) or next(others)
    return found
