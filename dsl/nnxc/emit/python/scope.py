"""What the names of a spec are called in the Python text at one place of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from ...dims import Dim
from ...ops.base import Call, Op, Origin
from ...record import EMPTY, Record
from ...shapes import DTYPES
from ...source import Span
from .line_uses import OwnDtype, Use


class Copies(Record):
    """How a layer is called that has a copy for every entry of an axis."""

    count: str
    draws: int  # signature.Draws
    stateful: bool


class Callee(Record):
    """A layer as Python calls it: `self.dropout`, and how."""

    text: str
    draws: bool = False  # takes rngs=
    optional: frozenset[str] = frozenset()  # inputs to pass by keyword
    names: Mapping[str, str] = EMPTY  # where Python's differ
    copies: Copies | None = None
    extern: Op | None = None  # Python code, whose results are checked
    in_full: Mapping[str, Call] = EMPTY  # of methods: in float32
    rematted: str = ""  # what is called where the backward pass computes it again


MODEL = Callee("model")


def of_entry(text: str, op: Op, draws: bool, copies: Copies | None) -> Callee:
    """A layer that is an entry, or Python code."""
    optional = frozenset(i.name for i in op.inputs if i.optional)
    extern = op if op.origin else None
    methods = {n: m.in_full for n, m in op.methods.items() if m.in_full}
    return Callee(text, draws, optional, copies=copies, extern=extern, in_full=methods)


def no_symbol(name: str) -> str:
    """A scope without static names."""
    raise KeyError(name)


def no_layer(name: str) -> Callee:
    """A scope without layers."""
    raise KeyError(name)


class Scope:
    """Resolves names. `symbol` gives the text of a parameter, size, axis or static local; `values`
    that of tensors, `callee` a layer. `dtype` is the text of the model's own dtype where it is a
    choice. `models` are what a `ModelCall` calls. `externs` are names of Python code. `sizes` are
    sizes that have a name. `presence` tests a choice by the layers that one side has.
    """

    def __init__(
        self,
        symbol: Callable[[str], str] = no_symbol,
        values: Mapping[str, str] | None = None,
        callee: Callable[[str], Callee] = no_layer,
        *,
        dtype: str | None = None,
        models: Mapping[str, Callee] = MappingProxyType({"model": MODEL}),
        externs: Mapping[Origin, str] = MappingProxyType({}),
    ):
        self.symbol, self.callee, self.dtype, self.models = (
            symbol,
            callee,
            dtype,
            models,
        )
        self.externs = externs
        self.values: Mapping[str, str] = {} if values is None else values
        self.rngs = "rngs"
        self.presence: Callable[[Span], str | None] = lambda span: None
        self.initializers: Mapping[str, str] = {}  # the names of those that have one
        self.param_dtype: str | None = None  # the text of the dtype of weights
        self.sizes: dict[Dim, str] = {}
        self.positive: frozenset[str] = frozenset()  # sizes that are at least 1
        self.uses: list[Use] = []
        self.stored: dict[str, str] = (
            {}
        )  # weights read in the model's dtype, as they are kept

    @contextmanager
    def recording(self) -> Iterator[list[Use]]:
        """Within, what is rendered notes what it uses in the list that is yielded."""
        before, self.uses = self.uses, []
        try:
            yield self.uses
        finally:
            self.uses = before

    @contextmanager
    def region(self) -> Iterator[None]:
        """What gets a name within has none after it."""
        before, self.sizes = self.sizes, dict(self.sizes)
        try:
            yield
        finally:
            self.sizes = before

    def value(self, name: str) -> str:
        """The Python text of a tensor."""
        if name in self.stored:
            self.uses.append(OwnDtype())
        return self.values[name]

    def given(self, name: str) -> str:
        """The Python name of an optional input."""
        return self.value(name)

    def dtype_text(self, name: str) -> str:
        """The Python text of a dtype of the language."""
        if name == "float" and self.dtype is not None:
            self.uses.append(OwnDtype())
        return self._dtype(name)

    def same_dtype(self, one: str, other: str) -> bool:
        """Whether two dtypes of the language are one in Python."""
        return self._dtype(one) == self._dtype(other)

    def _dtype(self, name: str) -> str:
        if name == "float" and self.dtype is not None:
            return self.dtype
        return f"jnp.{DTYPES[name]}"
