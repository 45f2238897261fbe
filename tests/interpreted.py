"""What the interpreter and generated models are compared on: the zoo, published models, pages.

A case is a model of a spec with arguments and inputs that are quick. `flipped` gives the other
sides of conditions: each argument that one may read, otherwise, alone and in pairs.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from interpreting import Subject, inputs_for, is_float, parameters
from spec_blocks import blocks
from test_zoo import FOLDER, SMALL, ZOO

from nnxc.dims import symbol
from nnxc.instance import instantiate
from nnxc.nodes import InstanceError
from nnxc.ops.base import Kind
from nnxc.syntax import tree
from nnxc.syntax.walk import nodes_in
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


def rates(subject: Subject, model: str) -> dict[str, Any]:
    """Rates of dropping, 0."""
    names = {p.name for p in subject.definition(model).params}
    return dict.fromkeys(names & {"rate", "drop_path", "head_rate", "drop"}, 0.0)


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
    return {n: v for n, v in frame.env.items() if n not in before}


# ------------------------------------------------------------------------------- pages


def pages() -> Iterator[Callable[[], Case]]:
    """The models of every example that compiles; blocks alone are put into a model."""
    for page in PAGES:
        for block in blocks(page):
            if block.errors or block.is_file or block.said.get("encoding"):
                continue
            text = block.data.decode()
            text = text if models_in(text) else in_models(text)
            subject = Subject(text, lambda n, b=block: b.files[n].encode())
            for model in models_in(text):
                name = f"{block.id}/{model}"
                yield named(name, partial(of_page, name, subject, model))


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
    """A size for every axis of a model's inputs, each another one."""
    definition = subject.definition(model)
    params = {p.name for p in definition.params}
    others = iter(OTHERS)
    found: dict[str, int] = {}
    for one in definition.inputs:
        for size in one.type.sizes:
            for name in sorted(str(s) for s in size.symbols):
                if name not in params and name not in found:
                    found[name] = AXES.get(name) or next(others)
    return found


# ------------------------------------------------------------------------------- flips


def flipped(case: Case, pairs: bool) -> Iterator[tuple[str, Case]]:
    """The case with what conditions may read changed, alone and in pairs: arguments, and whether
    inputs that may be absent are there."""
    singles = list(changes(case))
    for one in singles:
        yield changed(case, one)
    yield from presences(case)
    if pairs:
        asked = asked_in(case.subject)
        singles = [one for one in singles if one.keys() <= asked]
        for one, other in itertools.combinations(singles, 2):
            if one.keys() != other.keys():
                yield changed(case, {**one, **other})


def changed(case: Case, change: Mapping[str, Any]) -> tuple[str, Case]:
    """The case with other arguments; its inputs stay what they are where they fit."""
    args = {**case.args, **change}
    label = ", ".join(f"{k}={v!r}" for k, v in change.items())
    try:
        inputs = inputs_for(case.subject, case.model, args, case.axes, True)
    except (InstanceError, LookupError, ValueError, TypeError):
        inputs = dict(case.inputs)
    given = {
        n: case.inputs[n] if case.inputs[n].shape == x.shape else x
        for n, x in inputs.items()
        if n in case.inputs
    }
    return label, replace(case, args=args, inputs=given)


def presences(case: Case) -> Iterator[tuple[str, Case]]:
    """The case without each input that may be absent, and without all of them."""
    fields = case.subject.definition(case.model).inputs
    absent = [f.name for f in fields if f.optional and f.name in case.inputs]
    sets = [{name} for name in absent] + ([set(absent)] if len(absent) > 1 else [])
    for names in sets:
        given = {n: x for n, x in case.inputs.items() if n not in names}
        yield f"no {', '.join(sorted(names))}", replace(case, inputs=given)


def changes(case: Case) -> Iterator[dict[str, Any]]:
    """One argument otherwise: a switch thrown, another text or kind, none or a value, a number on
    the other side of what it is compared with."""
    texts, numbers = compared(case.subject)
    asked = asked_in(case.subject)
    values = dict(case.args)
    for param in case.subject.definition(case.model).params:
        name = param.name
        base = values[name] if name in values else default(case, name)
        for other in others(base, texts, numbers.get(name, set()), name in asked):
            yield {name: other}
        if param.optional and base is None:
            yield {name: 0.5 if param.kind is Kind.NUMBER else 2}
        elif param.optional and not callable(base):
            yield {name: None}


def others(base: Any, texts: list[str], numbers: set[Any], asked: bool) -> list[Any]:
    """What else an argument may be, for conditions that it decides."""
    match base:
        case bool():
            return [not base]
        case str():
            return [text for text in texts if text != base]
        case int() if numbers or asked:
            around = {int(n) + d for n in numbers for d in (-1, 0, 1)} or {
                base - 1,
                base + 1,
            }
            return [n for n in sorted(around) if n != base and (n > 0 or n in numbers)]
        case float() if numbers or asked:
            return [n for n in sorted({0.0, *map(float, numbers)}) if n != base]
        case list() | tuple() if base:
            return lists(list(base), texts, asked)
    return []


def lists(base: list[Any], texts: list[str], asked: bool) -> list[Any]:
    """Other lists: of one kind alone, of switches thrown, shorter, in another order."""
    if isinstance(base[0], str):
        return [[text] * len(base) for text in sorted({*texts, *base})]
    if isinstance(base[0], bool):
        return [[not one for one in base]]
    if not asked:
        return []
    found = [base[:-1], base[::-1], [1 - one if one in (0, 1) else one for one in base]]
    return [one for i, one in enumerate(found) if one != base and one not in found[:i]]


def default(case: Case, name: str) -> Any:
    plain = {k: v for k, v in case.args.items() if not callable(v)}
    return parameters(case.subject, case.model, plain).get(name)


def asked_in(subject: Subject) -> set[str]:
    """Names that conditions read, and those that loops over give to what conditions read."""
    bodies = [definitions(file) for file in subject.meaning.files_read()]
    asked = {
        name.id
        for body in bodies
        for kind in (tree.If, tree.IfElse)
        for node in nodes_in(body, kind)
        for name in nodes_in(node.condition, tree.Name)
    }
    loops = [loop for body in bodies for loop in nodes_in(body, tree.For)]
    return asked | {
        name.id
        for loop in loops
        if asked & {target.id for target in loop.targets}
        for name in nodes_in(loop.iterable, tree.Name)
    }


def definitions(file: Any) -> tuple[tree.Definition, ...]:
    return tuple(i for i in file.items if isinstance(i, tree.Definition))


def compared(subject: Subject) -> tuple[list[str], dict[str, set[Any]]]:
    """Texts that a spec compares with, and numbers that names are compared with."""
    texts: set[str] = set()
    numbers: dict[str, set[Any]] = {}
    for file in subject.meaning.files_read():
        for node in nodes_in(definitions(file), tree.Binary):
            if node.op in ("==", "!=", "in"):
                texts |= {s.value for s in nodes_in(node, tree.String)}
            if node.op in ("==", "!=", "<", "<=", ">", ">="):
                for a, b in ((node.left, node.right), (node.right, node.left)):
                    if isinstance(a, tree.Name) and isinstance(b, tree.Number):
                        numbers.setdefault(a.id, set()).add(b.value)
    return sorted(texts), numbers


__all__ = ["Case", "flipped", "is_float", "pages", "published", "symbol", "zoo"]
