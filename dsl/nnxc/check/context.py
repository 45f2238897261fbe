"""The state of checking one definition: scope, layers, what it draws and requires."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar

from .. import ir
from ..diagnostics import Advice, Fix, Label, Sink, closest, did_you_mean, meant
from ..dims import Dim, symbol
from ..dims_compare import Comparison, compare
from ..dims_equation import reduced, without_cofactors
from ..ir.fold_static import asks_given, givens, static_dims
from ..ops.base import Kind, Op
from ..ops.base import Param as OpParam
from ..shapes import OPEN, TensorType
from ..source import NOWHERE, Span
from ..syntax import tree
from .control.kept import Atoms, Kept, forget
from .foreign import tables
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

    def unused_name(self, base: str) -> str:
        """A name that nothing here has."""
        taken = {
            *self.scope,
            *self.later,
            *self.layers,
            *self.carried,
            *self.temporaries,
            *self.written,
            *(axis.lower() for axis in self.axes),
        }
        name, n = base, 2
        while name in taken:
            name, n = f"{base}{n}", n + 1
        self.temporaries.add(name)
        return name

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
        other = tables.argument(name, known) or tables.weight(name, known)
        return (
            meant(place, other)
            if other
            else did_you_mean(place, name, known, otherwise)
        )

    # ------------------------------------------------------ sizes and facts

    def assume(self, dim: Dim) -> Dim:
        """The size under what the surrounding conditions say."""
        return dim.substitute(self.assumptions) if self.assumptions else dim

    def compare(self, left: Dim, right: Dim) -> Comparison:
        """Equal, different or unknown here."""
        return self._compare(self.assume(left), self.assume(right))

    def _compare(self, left: Dim, right: Dim) -> Comparison:
        open_ = {p.name for p in self.params.values() if p.kind is not Kind.SIZE}
        zero, any_sign = frozenset(self.maybe_zero), frozenset(open_ | self.numbers)
        answer = compare(left, right, zero, any_sign)
        if answer is Comparison.UNKNOWN:
            for name in open_ & (left.symbols | right.symbols):
                self.params[name].doubtful = True
        return answer

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

    def build_from(
        self, dims: Iterable[Dim], span: Span, what: str, advice: Advice | None = None
    ) -> None:
        """Sizes are needed to construct: axes among them become inferred sizes of a block."""
        roots = self.roots(s for d in dims for s in d.symbols)
        for name in sorted(roots & self.at_call.keys()):
            self._not_at_call(name, span, what)
        for name in sorted(roots & self.axes.keys()):
            if self.kind == "block":
                self.inferred.setdefault(name, span)
            else:
                self.fail(
                    "N310",
                    f"`{name}` is known only when the {self.kind} is called",
                    span,
                    f"{what} would depend on it",
                    related=(
                        Label(self.axes[name], f"`{name}` is an axis of this input"),
                    ),
                    **(advice or self.parameter_for(name)),
                )

    def _not_at_call(self, name: str, span: Span, what: str) -> NoReturn:
        own = name in self.temporaries
        subject = "a size of this" if own else f"`{name}`"
        help: str | None = None
        if own:
            help = "say the shape before, in parameters and numbers: `x -> [B, n]`"
        elif what == "the choice":
            head, _, asked = self.at_call[name].text.partition("=")
            if head.strip() == name and "\n" not in asked:
                help = f"write what it stands for in its place: `{asked.strip()}`"
        self.fail(
            "N310",
            f"{subject} is known only when the {self.kind} is called",
            span,
            f"{what} would depend on it",
            related=(Label(self.at_call[name], "it hangs on what is passed"),),
            help=help,
        )

    def parameter_for(self, axis: str) -> Advice:
        """Advice to make an axis a parameter, so that it is known at construction."""
        span, name = self.axes[axis], axis.lower()
        help = f"make `{axis}` a parameter, or give the axis a fixed size"
        head = re.match(r"\w+[ \t]+\w+[ \t]*(\([^()#\n]*\))?[ \t]*:", self.head.text)
        if head is None or name in self.scope or name in self.written:
            return {"help": help}
        inside = (head[1] or "()")[1:-1].strip()
        params = f"{name}, {inside}" if inside else name
        start = self.head.start
        text, stop = span.source.text, self.head.end
        begin = head.start(1) if head[1] else head.end() - 1
        after = head.end(1) if head[1] else head.end() - 1
        rest = re.sub(rf"\b{axis}\b", name, text[start + after : stop])
        new = f"{head[0][:begin]}({params}){rest}"
        shown = f"{help}: `{head[0][:begin]}({params})`"
        return {"help": shown, "fix": Fix(Span(span.source, start, stop), new)}

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

    def build_from_static(
        self, node: ir.Static, span: Span, what: str, advice: Advice | None = None
    ) -> None:
        """A static value is needed to construct."""
        self.not_asked(node, span, what)
        self.build_from(static_dims(node), span, what, advice)

    def not_asked(self, node: ir.Static, span: Span, what: str) -> None:
        """What is needed to construct does not ask which inputs are there."""
        for name in sorted(givens(node)):
            self.fail(
                "N310",
                f"whether `{name}` is there is known only when the {self.kind} is called",
                span,
                f"{what} would depend on it",
                help="make it a parameter, or choose between values: "
                f"`(x -> f) if {name} != none else (x -> g)`",
            )

    def fact(
        self,
        left: Dim,
        right: Dim,
        span: Span,
        message: str,
        *,
        code: str = "N301",
        relation: str = "==",
        label: str = "",
        related: Iterable[Label] = (),
        help: str | None = None,
        advise: Callable[[], Advice] | None = None,
    ) -> None:
        """Two sizes must stand in a relation: proven, refuted here, or left to be checked.
        `advise` is asked where they do not.

        Raises `Fault` where refuted, or where nobody could ever decide it.
        """
        if relation == "==":
            left, right = reduced(left, right)
        verdict = self.verdict(left, right, relation)
        if verdict is None and relation == "==":
            left, right = self._without_cofactors(left, right)
            verdict = self.verdict(left, right, relation)
        if verdict is True:
            return
        if verdict is False:
            advice: Advice = advise() if advise else {"help": help} if help else {}
            self.fail(code, message, span, label, related=related, **advice)
        axes = self.call_time(left) | self.call_time(right)
        lone = left.name in self.axes and right.name in self.axes
        decided = all(p.default is not None for p in self.params.values())
        looped = self.looped(left.symbols | right.symbols)
        looped = looped and (decided or self.kind == "block")
        if axes and not looped and (self.kind != "block" or lone):
            self.fail(
                "N311",
                f"{message}: cannot tell whether {left} {relation} {right}",
                span,
                label,
                related=related,
                **(advise() if advise else {})
                or self._alike(left, right)
                or {"help": help or self._unknown_help(axes, left, right)},
            )
        fact = f"{message} ({label})" if label and message[-1] != ")" else message
        obligation = Obligation(left, right, relation, fact, span, code, looped)
        if not any(same_fact(obligation, other) for other in self.body):
            self.body.append(obligation)
            self._pass_on(obligation)

    def _alike(self, left: Dim, right: Dim) -> Advice:
        """Advice where an axis has the name of a parameter, all but a letter."""
        for axis, name in ((left.name, right.name), (right.name, left.name)):
            known = axis in self.axes and name in self.params
            if known and closest(str(axis), [str(name)], 0.75):
                place = self.axes[str(axis)].place_of(str(axis))
                return meant(place, str(name))
        return {}

    def _without_cofactors(self, left: Dim, right: Dim) -> tuple[Dim, Dim]:
        axes = self.call_time(left) | self.call_time(right)
        return without_cofactors(left, right, sorted(axes - self.inferred.keys()))

    def _pass_on(self, obligation: Obligation) -> None:
        """Let callers prove it too, where they can understand it; else an instance decides."""
        symbols = obligation.left.symbols | obligation.right.symbols
        if not self.holding and symbols <= self.params.keys() | self.axes.keys():
            self.obligations.append(obligation)

    def _unknown_help(self, axes: frozenset[str], left: Dim, right: Dim) -> str:
        if left.name in self.axes and right.name in self.axes:
            return "use one name for both axes if they are always equal"
        names = ", ".join(f"`{a}`" for a in sorted(axes))
        return f"write the input's shape so that it follows, such as `[B, 8 * n]`, or make {names} a parameter"

    def verdict(self, left: Dim, right: Dim, relation: str) -> bool | None:
        """Whether the relation holds here; None where unknown."""
        left, right = self.assume(left), self.assume(right)
        if relation in (">=", ">"):
            difference, enough = left - right, 0 if relation == ">=" else 1
            if difference.value is not None:
                return difference.value >= enough
            least = self._least(difference)
            return True if least is not None and least >= enough else None
        answer = self._compare(left, right)
        if answer is Comparison.UNKNOWN:
            return None
        return (answer is Comparison.EQUAL) == (relation == "==")

    def _least(self, size: Dim) -> int | None:
        """What a sum of axes, each of one entry or more, is at least; None for other sizes."""
        for monomial, coefficient in size.terms:
            if any(atom not in self.axes for atom, _ in monomial):
                return None
            if monomial and coefficient < 0:
                return None
        return sum(coefficient for _, coefficient in size.terms)

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


def same_fact(one: Obligation, other: object) -> bool:
    """What is required once is not told twice."""
    if not isinstance(other, Obligation) or one.relation != other.relation:
        return False
    sides = (one.left, one.right), (other.left, other.right)
    return sides[0] == sides[1] or (one.relation == "==" and sides[0] == sides[1][::-1])
