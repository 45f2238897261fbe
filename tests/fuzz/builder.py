"""A definition of a random valid spec, under construction: shapes are tracked independently.

A `Builder` writes one definition, statement by statement, knowing the size of every value both as
arithmetic over names and as a number. Everything that it declares it uses, as the language asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nnxc.dims import Dim, const, symbol
from nnxc.syntax import tree
from nnxc.syntax.formatting.format import format_file

from .trees import (
    assign,
    call,
    declare,
    definition,
    literal,
    name,
    type_of,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
B = symbol("B")
# Legal names that mean something in Python, in Flax, or in what is generated.
ODD = (
    "list",
    "cfg",
    "model",
    "dtype",
    "math",
    "key",
    "b",
    "t",
    "x1",
    "loss",
    "step",
    "params",
    "mode",
    "partial",
    "print",
    "e",
    "data",
    "self_",
    "train_step",
)
AXES = {"B": 2, "T": 5, "H": 8, "W": 9, "S": 3}
ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "elu", "mish")
UNARY = ("exp", "sin", "cos", "abs", "square", "tanh", "sigmoid")


@dataclass(frozen=True)
class Value:
    """A tensor that has a name."""

    name: str
    sizes: tuple[Dim, ...]

    @property
    def tree(self) -> tree.Name:
        """The name as an expression."""
        return name(self.name)


@dataclass(frozen=True)
class Block:
    """A block that was written: what its callers must know."""

    name: str
    rank: int
    params: Mapping[str, str]  # each parameter's kind
    required: tuple[str, ...]  # those without default, in order
    out: Dim | None  # last size of the output; None where the type is the input's
    choices: tuple[str, ...] = ()  # blocks or layers that it may be given


@dataclass(frozen=True)
class Index:
    """The variable of a loop: what it is, and what it may be."""

    name: str
    kind: str
    values: tuple[object, ...]


@dataclass(frozen=True)
class ModelCase:
    """A model at its defaults but for `args`: how to call it, and what must come out."""

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    optional: frozenset[str]
    outputs: tuple[tuple[int, ...], ...] | None  # None: any
    axes: Mapping[str, int]
    args: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """A whole file, what it uses, and the models to call."""

    file: tree.File
    models: tuple[ModelCase, ...]
    used: tree.File | None = None
    generates: bool = False

    @property
    def text(self) -> str:
        """The spec."""
        return format_file(self.file)

    def read(self, path: str) -> bytes:
        """What it uses, by its path."""
        if path == "brought.py":
            return Path(__file__).with_name(path).read_bytes()
        assert path == "blocks.nnx" and self.used is not None
        return format_file(self.used).encode()


@dataclass
class Builder:
    """One definition under construction."""

    draw: Draw
    blocks: list[Block]
    is_block: bool
    env: dict[str, int] = field(default_factory=lambda: dict(AXES))
    static: set[str] = field(default_factory=set)
    params: dict[str, object] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    unused: dict[str, None] = field(default_factory=dict)
    body: list[tree.Statement] = field(default_factory=list)
    optional: set[str] = field(default_factory=set)
    inputs: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    counter: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)  # of parameters
    sides: dict[str, tuple[object, ...]] = field(default_factory=dict)
    indices: list[Index] = field(default_factory=list)  # of the loops around
    numbers: list[str] = field(default_factory=list)  # in scope, floating
    widths: list[str] = field(default_factory=list)  # in scope, whole
    taken: set[str] = field(default_factory=set)  # names of layers on this way
    pairs: list[tuple[str, bool]] = field(default_factory=list)  # blocks of two values
    depth: int = 0

    # ----------------------------------------------------------------- draws

    @property
    def requires(self) -> bool:
        """Whether the definition asks something of its parameters."""
        return any(isinstance(s, tree.Require) for s in self.body)

    def one(self, *choices: Any) -> Any:
        """One of these."""
        return self.draw(st.sampled_from(choices))

    def flip(self) -> bool:
        """True or false."""
        return bool(self.draw(st.booleans()))

    def fresh(self, stem: str) -> str:
        """A name that was not used here."""
        if self.one(*[False] * 11, True):
            stem = self.one(*ODD)
        number = self.counter[stem] = self.counter.get(stem, -1) + 1
        return f"{stem}{number or ''}"

    def new_param(
        self, stem: str, default: object, kind: str = "", *sides: object
    ) -> str:
        """A further parameter, and what else it may be; a size of a block has no default."""
        text = self.fresh(stem)
        self.params[text] = default
        if kind:
            self.kinds[text] = kind
        if sides:
            self.sides[text] = sides
        return text

    def param_of(self, kind: str) -> list[str]:
        """The parameters of a kind."""
        return [p for p, k in self.kinds.items() if k == kind]

    def size_param(self, *values: int) -> Dim:
        """A parameter that is a size."""
        stem = self.one("hidden", "width", "dim", "features")
        number = self.one(*(values or (2, 4, 6, 8)))
        text = self.new_param(stem, ... if self.is_block else number, "size")
        self.env[text] = number
        self.static.add(text)
        return symbol(text)

    def static_size(self) -> Dim:
        """A size to build weights from: a number, a parameter, or arithmetic over one."""
        params = [p for p in self.params if p in self.static]
        match self.one("number", "number", "param", "old", "times", "plus"):
            case "param" if len(params) < 4:
                return self.size_param()
            case "old" if params:
                return symbol(self.one(*params))
            case "times" if params:
                return symbol(self.one(*params)) * self.one(2, 3)
            case "plus" if params:
                return symbol(self.one(*params)) + self.one(1, 4)
        return const(self.one(1, 2, 3, 4, 8, 12))

    def number(self, dim: Dim) -> int:
        """A size in the example."""
        found = dim.substitute(self.env).value
        assert found is not None
        return found

    def is_static(self, dim: Dim) -> bool:
        """Whether weights may be built from a size."""
        return dim.symbols <= self.static

    # ---------------------------------------------------------------- values

    def read(self, value: Value) -> tree.Name:
        """Use a value."""
        self.unused.pop(value.name, None)
        return value.tree

    def pick(self, where: Callable[[Value], bool] = lambda v: True) -> Value | None:
        """Some value in scope."""
        found = [v for v in self.values if where(v)]
        return self.one(*found) if found else None

    def give(self, source: Value, expr: tree.Expr, *sizes: Dim) -> Value:
        """Name what was computed from `source`: its own name again, or a new one."""
        old = source.name if source.name not in self.optional and self.flip() else None
        target = old or self.fresh(self.one("y", "z", "u"))
        self.body.append(assign(target, expr))
        return self.put(Value(target, sizes))

    def put(self, value: Value) -> Value:
        """A value comes into scope, replacing one of its name."""
        self.values = [v for v in self.values if v.name != value.name] + [value]
        self.unused[value.name] = None
        return value

    def add_input(
        self, text: str, sizes: tuple[Dim, ...], dtype: str = "float"
    ) -> None:
        """A tensor that the caller passes."""
        self.inputs[text] = sizes
        self.dtypes[text] = dtype
        self.unused[text] = None
        if dtype == "float":
            self.values.append(Value(text, sizes))

    # ---------------------------------------------------------------- nesting

    @contextmanager
    def nested(self) -> Iterator[list[tree.Statement]]:
        """What is written goes into a body of its own; names that it gives stay there."""
        outer = self.body, self.numbers, self.widths, self.depth
        self.body, self.depth = [], self.depth + 1
        self.numbers, self.widths = [*self.numbers], [*self.widths]
        try:
            yield self.body
        finally:
            self.body, self.numbers, self.widths, self.depth = outer

    def add(self, *statements: tree.Statement) -> None:
        """Further statements."""
        self.body.extend(statements)

    # ---------------------------------------------------------------- finish

    def case(self, text: str, outputs: tuple[Value, ...], **args: Any) -> ModelCase:
        """What the model must compute where these parameters are set."""
        before = dict(self.env)
        self.env |= {n: v for n, v in args.items() if n in self.static}
        try:
            return self._case(text, outputs, args)
        finally:
            self.env = before

    def _case(
        self, text: str, outputs: tuple[Value, ...], args: dict[str, Any]
    ) -> ModelCase:
        return ModelCase(
            text,
            {n: tuple(map(self.number, s)) for n, s in self.inputs.items()},
            dict(self.dtypes),
            frozenset(self.optional),
            tuple(tuple(map(self.number, v.sizes)) for v in outputs),
            AXES,
            args,
        )

    def finish(self, several: bool) -> tuple[Value, ...]:
        """Return what is in scope, so that nothing was computed in vain."""
        main, *others = sorted(
            (v for v in self.values if v.name in self.unused),
            key=lambda v: -len(v.sizes),
        ) or [self.values[-1]]
        returned = [main]
        values = [main.tree]
        for other in others:
            if several and self.flip():
                returned.append(other)
                values.append(other.tree)
            else:
                values[0] = tree.Binary("+", values[0], call("mean", other.tree))
        self.body.append(tree.Return(tuple(values)))
        return tuple(returned)

    def definition(self, kind: str, text: str) -> tree.Definition:
        """The whole, as a tree."""
        fields = [
            (
                n,
                type_of(s, None if self.dtypes[n] == "float" else self.dtypes[n]),
                literal(None) if n in self.optional else None,
            )
            for n, s in sorted(self.inputs.items(), key=lambda i: i[0] in self.optional)
        ]
        # Parameters without default stand first.
        params = dict(sorted(self.params.items(), key=lambda p: p[1] is not ...))
        body = [declare("input", *fields), *self.body]
        return definition(kind, text, params, body)
