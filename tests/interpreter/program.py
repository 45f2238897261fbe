"""A spec that was read: its files, and its models at given weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import jax.numpy as jnp

from nnxc.diagnostics import Sink
from nnxc.source import Source
from nnxc.syntax import tree
from nnxc.syntax.parse import parse

from .frame import Frame
from .functions import FUNCTIONS, STATIC
from .layers import LAYERS
from .losses import LOSSES
from .naming import layer_names
from .shaping import SHAPING
from .values import Function, Kind, Layer, Tensor, raw, renamed

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Result:
    """What a call gave: its value, the weights it has, and the state that it changed."""

    value: Any
    read: set[Path]
    state: dict[Path, Any]


class File:
    """One file: its definitions, and what names mean in it."""

    def __init__(self, program: Program, text: str, path: str):
        sink = Sink()
        self.program, self.path = program, path
        self.items = parse(Source(path, text), sink).items
        if sink.found:
            raise SyntaxError("; ".join(d.message for d in sink.found.values()))
        self.names: dict[Any, dict[int, str]] = {}
        self.defaults: dict[str, dict[str, Any]] = {}
        self.frame = Frame(Run(program, {}, False), self, (), {})
        for item in self.items:
            if isinstance(item, tree.Defaults):
                for call in item.calls:
                    self.defaults[call.func.id] = self.arguments(call)

    def arguments(self, call: tree.Call) -> dict[str, Any]:
        from .apply import argument

        return {
            a.name: argument(self.frame, call.func.id, a.name, a.value)
            for a in call.args
        }

    def of(self, kind: type) -> list[Any]:
        return [i for i in self.items if isinstance(i, kind)]

    @cached_property
    def used(self) -> dict[str, File]:
        """The files that names are used from."""
        return {
            name.id: self.program.file(use.path.value, self.path)
            for use in self.of(tree.Use)
            for name in use.names
        }

    def lookup(self, name: str) -> Any:
        """What a name means that no definition has given one."""
        for definition in self.of(tree.Definition):
            if definition.name.id == name:
                return Kind(name, definition, self)
        if name in self.used:
            return self.used[name].lookup(name)
        for extern in self.of(tree.Extern):
            if extern.name.id == name:
                if name[0].isupper():
                    return Kind(name, extern, self)
                return Function(name, extern=extern)
        defaults = self.defaults.get(name, {})
        if name in LAYERS:
            return Kind(name, LAYERS[name], self, defaults)
        if name in FUNCTIONS or name in SHAPING or name in LOSSES or name in STATIC:
            return Function(name, defaults)
        raise NameError(name)

    def names_of(self, definition: Any, env: Mapping[str, Any]) -> dict[int, str]:
        """The names of the layers of a definition, some of whose parameters may be blocks."""
        blocks = frozenset(n for n, value in env.items() if isinstance(value, Kind))
        if (id(definition), blocks) not in self.names:
            self.names[id(definition), blocks] = layer_names(
                definition.body,
                lambda name: name in blocks or (name not in env and self.is_kind(name)),
                {*env} - blocks,  # which name their layers
            )
        return self.names[id(definition), blocks]

    def is_kind(self, name: str) -> bool:
        try:
            return isinstance(self.lookup(name), Kind)
        except NameError:
            return False


class Program:
    """A spec, executable."""

    def __init__(self, text: str, read: Callable[[str], bytes] | None = None):
        self.read: Any = read
        self.files: dict[str, File] = {}
        self.python: dict[str, Any] = {}
        self.main = File(self, text, "spec.nnx")

    def file(self, path: str, user: str = "") -> File:
        if user.startswith("zoo.") or not path.endswith(".nnx"):
            path = "zoo." + path.removeprefix("zoo.").removesuffix(".nnx")
        if path not in self.files:
            text = self.data(path).decode("utf-8")
            self.files[path] = File(self, text, path)
        return self.files[path]

    def data(self, path: str) -> bytes:
        """The file of that name; published models come first in the zoo."""
        if not path.startswith("zoo.") or path.endswith(".nnx"):
            return self.read(path)
        places = (files("nnxc") / f for f in ("zoo/pretrained", "zoo"))
        named = (place / f"{path.removeprefix('zoo.')}.nnx" for place in places)
        return next(place for place in named if place.is_file()).read_bytes()

    def files_read(self) -> list[File]:
        """The spec, and the files that it uses."""
        return [self.main, *(self.file(u.path.value) for u in self.main.of(tree.Use))]

    @property
    def models(self) -> list[str]:
        """The models of the main file."""
        return [d.name.id for d in self.main.of(tree.Definition) if d.kind == "model"]

    def definition(self, name: str) -> tree.Definition:
        return self.main.lookup(name).what

    def config(self, name: str) -> tuple[str, dict[str, Any]]:
        """The model and the arguments of a config."""
        for config in self.main.of(tree.Config):
            if config.name.id == name:
                call = config.value
                return call.func.id, self.main.arguments(call)
        raise KeyError(name)

    # ------------------------------------------------------------------------- calls

    def call(
        self,
        model: str,
        weights: Mapping[Path, Any],
        inputs: Any,
        args: Mapping[str, Any] | None = None,
        train: bool = False,
    ) -> Result:
        """What a model gives. `inputs` by name, or a tuple in order."""
        run = Run(self, weights, train)
        layer = self.layer(model, args or {})
        value = run.definition(layer, self.given(layer, inputs))
        return Result(raw(value), run.given_paths(), run.state)

    def layer(self, model: str, args: Mapping[str, Any]) -> Layer:
        kind = self.main.lookup(model)
        return Layer(
            kind, {k: self.argument(kind, k, v) for k, v in args.items()}, {}, ()
        )

    def argument(self, kind: Kind, name: str, value: Any) -> Any:
        """An argument from Python: functions and blocks by name, lists as lists."""
        default = next(p.default for p in kind.what.params if p.name == name)
        if callable(value) and not isinstance(value, Function | Kind):
            return Function(name, python=value)
        if isinstance(value, str) and isinstance(default, tree.Name):
            return kind.file.lookup(value)
        if isinstance(value, tuple) and not isinstance(default, tree.Window):
            return list(value)
        return value

    def given(self, layer: Layer, inputs: Any) -> dict[str, Any]:
        from .apply import input_names

        if not isinstance(inputs, Mapping):
            inputs = dict(zip(input_names(layer.kind), inputs, strict=False))
        return {n: Tensor(jnp.asarray(v)) for n, v in inputs.items() if v is not None}

    def loss(
        self,
        model: str,
        weights: Mapping[Path, Any],
        batch: Any,
        args: Mapping[str, Any] | None = None,
        train: bool = True,
        objective: str | None = None,
        frozen: Mapping[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """The loss of a train and its metrics; of one `objective` where it has several."""
        from .train import loss

        return loss(
            self, model, weights, batch, args or {}, train, objective, frozen or {}
        )

    def beside(
        self, model: str, args: Mapping[str, Any] | None = None
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """What the train of a model has frozen: the models and their arguments by name."""
        from .train import others

        return others(self, model, args or {})

    def generate(
        self,
        model: str,
        weights: Mapping[Path, Any],
        prompts: list[list[int]],
        max_new_tokens: int,
        args: Mapping[str, Any] | None = None,
    ) -> list[list[int]]:
        """What follows each prompt: the likeliest token, each from a pass over all before."""
        from .generate import generate

        return generate(self, model, weights, prompts, max_new_tokens, args or {})


class Run:
    """One call of a model: its weights, and what it changes."""

    def __init__(self, program: Program, weights: Mapping[Path, Any], train: bool):
        self.program, self.train = program, train
        self.weights = {plain(path): array for path, array in weights.items()}
        self.spelled = {plain(path): path for path in weights}
        self.state: dict[Path, Any] = {}
        self.seen: set[Path] = set()
        self.copies: list[tuple[Path, int]] = []

    def read(self, path: Path) -> Any:
        path = plain(path)
        self.seen.add(path)
        if path not in self.weights:
            raise LookupError(f"no weight {'.'.join(map(str, path))}")
        spelled = self.spelled[path]
        array = jnp.asarray(self.state.get(spelled, self.weights[path]))
        for prefix, index in self.copies:
            if path[: len(prefix)] == prefix:
                array = array[index]
        return array

    def write(self, path: Path, value: Any) -> None:
        path = plain(path)
        spelled = self.spelled[path]
        index = tuple(i for prefix, i in self.copies if path[: len(prefix)] == prefix)
        if index:
            whole = jnp.asarray(self.state.get(spelled, self.weights[path]))
            value = whole.at[index].set(value)
        self.state[spelled] = value

    @contextmanager
    def copy_of(self, path: Path, index: int) -> Iterator[None]:
        """Weights below a path are those of one copy."""
        self.copies.append((plain(path), index))
        yield
        self.copies.pop()

    def given_paths(self) -> set[Path]:
        return {self.spelled.get(path, path) for path in self.seen}

    def definition(self, layer: Layer, given: Mapping[str, Any]) -> Any:
        """What a block or model gives for its inputs."""
        from .inputs import entered

        kind = layer.kind
        frame = Frame(self, kind.file, layer.path, {})
        frame.env = layer.around | self.parameters(layer)
        frame.around = frame.env if kind.what.kind == "model" else layer.around
        frame.env = dict(frame.env)
        frame.names = kind.file.names_of(kind.what, frame.env)
        outer = entered(frame, kind.what, layer, given)
        frame.statements(kind.what.body)
        return renamed(frame.result, outer)

    def parameters(self, layer: Layer) -> dict[str, Any]:
        """All parameters of a definition, with its defaults."""
        found: dict[str, Any] = {}
        for param in layer.kind.what.params:
            if param.name in layer.args:
                found[param.name] = layer.args[param.name]
            elif param.default is not None:
                found[param.name] = layer.kind.file.frame.value(param.default)
            else:
                raise TypeError(f"{layer.kind.name} lacks {param.name}")
        return found


def plain(path: Path) -> Path:
    """A path without the `_` that Python makes some names have."""
    return tuple(p.rstrip("_") if isinstance(p, str) else p for p in path)
