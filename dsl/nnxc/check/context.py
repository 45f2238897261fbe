"""The state of checking one definition: scope, layers, what it draws and requires."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, NoReturn, Protocol, TypeVar

from .. import ir
from ..diagnostics import Advice, Sink, did_you_mean, meant
from ..dims import Dim, symbol
from ..ir.fold_static import asks_given, static_dims
from ..ir.plurals import singular
from ..ops.base import Op
from ..ops.base import Param as OpParam
from ..shapes import OPEN, TensorType
from ..source import NOWHERE, Span
from ..syntax import tree
from .control.kept import Atoms, Kept, forget
from .foreign import argument_names, tables
from .values import (
    BAD,
    Applied,
    Bad,
    Binding,
    Converted,
    Fault,
    LayerInfo,
    Obligation,
    Param,
    Sides,
    Signature,
    Value,
)

T = TypeVar("T")

# Mistakes of leaving something out: what is not used then may be just that.
OMISSIONS = frozenset({"N211", "N212", "N235", "N241"})


class Dispatch(Protocol):
    """Checks what is inside of an expression or a statement, whatever it is."""

    def expr(self, ctx: Context, node: tree.Expr) -> Value:
        """The value of an expression. Raises `Fault` where a mistake makes it unknowable."""

    def statements(self, ctx: Context, body: tuple[tree.Statement, ...]) -> None:
        """Check statements in order; a mistake abandons its own statement only."""

    def argument(
        self,
        ctx: Context,
        param: OpParam,
        node: tree.Expr,
        value: Value,
        subject: TensorType | None,
    ) -> Converted:
        """The static node, and what a shape rule receives, for one argument."""


@dataclass(slots=True, eq=False)
class Context:
    """Everything that checking a definition (or a train) reads and writes."""

    dispatch: Dispatch
    sink: Sink
    kind: str  # "block", "model" or "train"
    name: str
    signatures: Mapping[str, Signature]
    functions: Mapping[str, Op]  # entries that may be named here
    defaults: Mapping[str, Mapping[str, Any]]  # of the file, by entry: name -> tree.Arg
    layer_names: Mapping[Span, tuple[str, bool]] = field(default_factory=dict)
    forbidden: frozenset[str] = (
        frozenset()
    )  # names of definitions that could not be checked
    scope: dict[str, Binding] = field(default_factory=dict)
    params: dict[str, Param] = field(default_factory=dict)
    axes: dict[str, Span] = field(default_factory=dict)
    inferred: dict[str, Span] = field(default_factory=dict)
    carried: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # symbol -> what it starts from
    at_call: dict[str, Span] = field(
        default_factory=dict
    )  # what hangs on the inputs, besides their axes -> where it does
    varying: dict[str, frozenset[str]] = field(
        default_factory=lambda: {str(OPEN): frozenset()}
    )  # size that differs within a list -> what it depends on
    maybe_zero: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)  # local ones: of any sign
    locals: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # opaque size -> its symbols
    spelled: dict[str, str] = field(
        default_factory=dict
    )  # local that the spec writes -> how it does
    constants: dict[Binding, ir.Expr] = field(
        default_factory=dict
    )  # local tensors that follow from parameters
    sized: dict[Any, Dim] = field(
        default_factory=dict
    )  # value without a form, and what its names stand for -> its local
    layers: dict[str, LayerInfo] = field(default_factory=dict)
    body: list[Any] = field(default_factory=list)
    assumptions: dict[str, Dim] = field(default_factory=dict)
    obligations: list[Obligation] = field(default_factory=list)
    lengths: list[Obligation] = field(default_factory=list)  # of lists, checked first
    equally_long: list[set[str]] = field(default_factory=list)  # lists, by a `require`
    bindings: list[Binding] = field(default_factory=list)
    streams: dict[str, Span] = field(default_factory=dict)
    hard_streams: set[str] = field(default_factory=set)
    modes: dict[str, None] = field(default_factory=dict)
    temporaries: set[str] = field(default_factory=set)
    inputs: list[ir.ModelInput] = field(default_factory=list)
    outputs: tuple[ir.Type, ...] = ()
    states: dict[str, Any] = field(default_factory=dict)
    declared_streams: dict[str, Span] = field(default_factory=dict)
    conditional: int = 0  # depth of `if`, `for` and `scan`
    written: frozenset[str] = frozenset()  # every name that the definition writes
    reassigned: frozenset[str] = frozenset()  # names that get several values
    growing: frozenset[str] = (
        frozenset()
    )  # names of lists that something is appended to
    sides: Sides = ()  # of every `if` around that the constructor decides
    at_call_sides: Sides = ()  # of every other
    scan: Any = None  # the `scans.Inside` around, if any
    has_return: bool = False
    has_weights: bool = False
    broken: bool = False  # a mistake makes what is returned unknown
    broken_inputs: bool = False
    lost_axes: set[str] = field(default_factory=set)  # named by an input with a mistake
    hints: Mapping[str, str] = field(default_factory=dict)  # help for names it lacks
    partial: dict[str, Span] = field(
        default_factory=dict
    )  # given a value on some ways only
    kept: dict[str, Kept] = field(default_factory=dict)  # given a value on one side
    holding: Atoms = frozenset()  # what the conditions around say
    later: dict[str, Span] = field(
        default_factory=dict
    )  # names that get a value further down
    lost: bool = False  # a mistake may be why something is not used
    faulty: bool = False  # there was a mistake
    making: str = ""  # the layer whose arguments are read, if any
    statement: Any = None  # the tree.Statement at hand
    head: Span = NOWHERE  # of the definition, with its body
    definition: Any = ()  # its statements
    abandoned: bool = False  # a statement was given up for one

    # ------------------------------------------------------------ what is inside

    def expr(self, node: tree.Expr) -> Value:
        """The value of an expression. Raises `Fault` where a mistake makes it unknowable."""
        return self.dispatch.expr(self, node)

    def statements(self, body: tuple[tree.Statement, ...]) -> None:
        """Check statements in order; a mistake abandons its own statement only."""
        self.dispatch.statements(self, body)

    # ------------------------------------------------------------ mistakes

    def error(
        self, code: str, message: str, span: Span, label: str = "", **more: Any
    ) -> None:
        """Report a mistake and go on."""
        self.lost |= code in OMISSIONS
        self.faulty = True
        self.sink.error(code, message, span, label, **more)

    def fail(
        self, code: str, message: str, span: Span, label: str = "", **more: Any
    ) -> NoReturn:
        """Report a mistake and give up the value at hand."""
        self.error(code, message, span, label, **more)
        raise Fault

    def attempt(self, work: Callable[[], Value]) -> Value:
        """The value of `work`, or `BAD` where it found a mistake."""
        try:
            return work()
        except Fault:
            return BAD

    # --------------------------------------------------------------- names

    def bind(self, name: str, value: Value, span: Span, what: str) -> Binding:
        """Give a name a (new) value."""
        if isinstance(value, Bad) and name in self.scope:
            self.scope[name].use()
        binding = Binding(name, value, span, what, used=isinstance(value, Bad))
        if self.kept:
            forget(self, (name,))
        self.scope[name] = binding
        self.bindings.append(binding)
        return binding

    def meant(self, name: str | None) -> None:
        """A misspelt name was probably meant as this one; or, where it is None, as any."""
        if name is None:
            self.lost = True
        elif name in self.scope:
            self.scope[name].use()

    def count_used(self, name: str) -> None:
        """Whatever had this name counts as used."""
        for binding in self.bindings:
            if binding.name == name:
                binding.use()
                if isinstance(binding.value, Applied):
                    binding.value.layer.used = True

    def names(self) -> list[str]:
        """All names that may stand in an expression here."""
        return [*self.scope, *self.functions, *self.signatures]

    def unused_name(self, *bases: str) -> str:
        """A name that nothing here has: one of these, or the last of them with a number."""
        taken = {
            *self.scope,
            *self.later,
            *self.layers,
            *self.carried,
            *self.temporaries,
            *self.written,
            *(axis.lower() for axis in self.axes),
        }
        numbered = (f"{bases[-1]}{n}" for n in count(2))
        name = next(name for name in chain(bases, numbered) if name not in taken)
        self.temporaries.add(name)
        return name

    def argument_name(self, base: str) -> str:
        """A name for the value of an argument, by the layer that takes it where its own is taken."""
        one = singular(self.making)
        return self.unused_name(base, *([f"{one}_{base}"] if one else []))

    def version(self, name: str) -> str:
        """A name of its own for one of the values that a name gets."""
        own = name
        if name in {*self.carried, *self.locals, *self.temporaries}:
            own = self.unused_name(name)
        self.temporaries.add(own)
        self.spelled[own] = name
        return own

    def suggest(
        self, name: str, candidates: Iterable[str], span: Span, otherwise: str = ""
    ) -> Advice:
        """What a misspelt or foreign name in a span was meant as; else another help."""
        known = list(candidates)
        place = span.place_of(name)
        other = argument_names.argument(name, known) or tables.weight(name, known)
        return (
            meant(place, other)
            if other
            else did_you_mean(place, name, known, otherwise)
        )

    # ------------------------------------------------------ sizes and facts

    def assume(self, dim: Dim) -> Dim:
        """The size under what the surrounding conditions say."""
        return dim.substitute(self.assumptions) if self.assumptions else dim

    def call_time(self, dim: Dim) -> frozenset[str]:
        """The axes that the size depends on."""
        return self.roots(dim.symbols) & self.axes.keys()

    def roots(self, symbols: Iterable[str]) -> frozenset[str]:
        """Symbols with loop-carried ones and named locals followed to where they start."""
        found: set[str] = set()
        todo = list(symbols)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self.carried.get(name, ()))
                todo.extend(self.locals.get(name, ()))
                todo.extend(self.varying.get(name, ()))
        return frozenset(found)

    def looped(self, symbols: Iterable[str]) -> bool:
        """Whether sizes change in a loop, or from one tensor of a list to the next."""
        return not self.roots(symbols).isdisjoint({*self.varying, *self.carried})

    def internal(self, symbols: Iterable[str]) -> bool:
        """Whether sizes follow from a loop, a list or a choice, and have names of their own."""
        own = {*self.varying, *self.carried, *self.locals}
        return not self.roots(symbols).isdisjoint(own)

    def local_size(self, name: str, value: ir.Static, span: Span) -> Dim:
        """Give a size that has no form of its own a name, as a static local."""
        self.local(name, value, span)
        return symbol(name)

    def local(
        self, name: str, value: ir.Static, span: Span, body: list[Any] | None = None
    ) -> None:
        """A static local gets its value, at the end of `body` or else here."""
        roots = {s for d in static_dims(value) for s in d.symbols} - {name}
        self.locals[name] = self.locals.get(name, frozenset()) | roots
        self.numbers.add(name)
        if asks_given(value):
            self.at_call[name] = span
        (self.body if body is None else body).append(ir.StaticLet(name, value, span))

    @contextmanager
    def assuming(self, facts: Mapping[str, Dim]) -> Any:
        """Within, these symbols have these meanings."""
        before = self.assumptions
        self.assumptions = {**before, **facts}
        try:
            yield
        finally:
            self.assumptions = before

    @contextmanager
    def arguments_of(self, layer: str) -> Any:
        """Within, what is read are the arguments of a layer."""
        before, self.making = self.making, layer
        try:
            yield
        finally:
            self.making = before

    @contextmanager
    def inside(self) -> Any:
        """Within, statements run under a condition, or several times."""
        self.conditional += 1
        try:
            yield
        finally:
            self.conditional -= 1

    @contextmanager
    def side(self, span: Span, holds: bool, at_call: bool) -> Any:
        """Within, statements stand on one side of an `if`, decided by the constructor or the
        call."""
        before = self.sides, self.at_call_sides
        if at_call:
            self.at_call_sides = (*self.at_call_sides, (span, holds))
        else:
            self.sides = (*self.sides, (span, holds))
        try:
            yield
        finally:
            self.sides, self.at_call_sides = before

    @contextmanager
    def nested(self) -> Any:
        """Within, statements go to a list of their own, which is yielded."""
        before, self.body = self.body, []
        sized, self.sized = self.sized, dict(self.sized)
        try:
            yield self.body
        finally:
            self.body, self.sized = before, sized
