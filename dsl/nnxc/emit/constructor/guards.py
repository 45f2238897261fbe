"""What a constructor can compute: no size below 1, no division by 0, no index outside of a list.

The spec is right at its defaults. What other arguments may make wrong, and nothing rules out, is
checked before it is computed, so that it is one ValueError that says which argument it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ... import ir
from ...dims import Dim, const, symbol
from ...ir.asked import elements_in, may_hold_none
from ...ir.fold_statements import expressions, statements
from ...ir.fold_static import givens, mentions
from ...ops.base import Kind, Op, Param
from ...record import replace
from ...source import Span
from ..signature import Signature
from . import own_arguments, rates, windows
from .bounds import Bounds, below_of, size_of
from .needs import Guard, Needs
from .own_arguments import needed_once
from .positive import counting, factors, sizes_of
from .spec_words import AT_LEAST_1


def guarded(
    signature: Signature, known: Mapping[str, Signature]
) -> tuple[ir.Stmt, ...]:
    """The statements of a definition, with checks before what may fail in its constructor."""
    return tuple(_Guards(signature, known).all())


class _Guards(Needs):
    def __init__(self, signature: Signature, known: Mapping[str, Signature]):
        self.definition, self.known = signature.definition, known
        params = self.definition.params
        sizes = [p for p in params if p.kind is Kind.SIZE]
        self.own = [p.name for p in sizes if not (p.optional or p.asked)]
        self.locals: set[str] = set()
        self.named: dict[Dim, Dim] = {}  # sizes that locals stand for
        # Numbers, and sizes that conditions ask for: where they are sizes, their uses tell.
        self.loose = {
            p.name
            for p in params
            if p.name not in self.own and (p.asked or not p.optional)
            if self.definition.is_model or (p.kind is Kind.SIZE and p.asked)
        }
        self.own_lists = signature.sized - {p.name for p in params if p.asked}
        self.elements = elements_in(self.definition)
        self.gapped = may_hold_none(self.definition)
        least = {p.name: 0.0 if p.asked else 1.0 for p in sizes}
        least |= {n: low for n, (low, _) in rates.own(self.definition).items()} | least
        least |= dict.fromkeys(self.definition.inferred, 1.0)
        slid = frozenset(p.name for p in params if p.kind is Kind.WINDOW)
        whole = {p.name for p in params if p.window and windows.least(p) == 1}
        bounds = Bounds(least, signature.sized | whole, slid)
        super().__init__(self.definition, bounds)

    def all(self) -> Iterator[ir.Stmt]:
        """The check of a model's own sizes, and its statements with theirs."""
        for condition, text in self.own_checks() if self.definition.is_model else ():
            yield self.guard(condition, text, self.definition.span)
        yield from self.body(self.definition.body)

    def own_checks(self) -> Iterator[tuple[ir.Static, str]]:
        if self.own or self.own_lists:
            yield own_arguments.sizes(self.own, sorted(self.own_lists))
        for param in self.definition.params:
            if param.kind is Kind.SIZE and param.optional and not param.asked:
                yield own_arguments.optional_size(param.name)
            elif param.window is not None:
                yield windows.own(param)
        yield from own_arguments.numbers(self.rates)
        found = counting(self.definition, lambda name: self.known[name].definition)
        yield from own_arguments.counts(found, {*self.own, *self.own_lists})

    def body(self, body: Sequence[ir.Stmt]) -> Iterator[ir.Stmt]:
        for stmt in body:
            proven = self.proven(stmt)
            made = self.statement(stmt)
            checks, self.needed = self.needed, []
            yield from needed_once(checks)
            if not proven:
                yield made

    def proven(self, stmt: ir.Stmt) -> bool:
        """Whether a requirement follows from what is checked before it."""
        match stmt:
            case ir.Require(ir.StaticBinary(">=", ir.Size(left), ir.Size(right))):
                return self.bounds.least_size(left - right) >= 0
        return False

    def statement(self, stmt: ir.Stmt) -> ir.Stmt:
        """A statement, with checks inside it; what is needed before is noted."""
        span = getattr(stmt, "span", self.definition.span)
        match stmt:
            case ir.Declare(layer):
                self.layer(layer)
                self.bounds.least |= {name: 1.0 for _, name in layer.gives}
            case ir.Pop(sizes=sizes):
                self.bounds.least |= {name: 1.0 for _, name in sizes}
            case ir.Total(symbol=name):
                self.bounds.least[name] = 1.0
            case ir.Variable(type=type_, init=init):
                for dim in type_.sizes:
                    self.size(dim, span)
                if not isinstance(init, ir.Expr):
                    self.value(init, span)
                else:
                    self.expression(init)
            case ir.StaticLet(name, value):
                self.value(value, span)
                self.let(name, value)
            case ir.Require(condition, call_time=False):
                self.value(condition, span)
                self.bounds = self.bounds.under(condition)
            case ir.If():
                return self.choice(stmt)
            case ir.For():
                return self.loop(stmt)
            case ir.Scan():
                for expr in expressions(stmt):
                    self.expression(expr)
                checks, self.needed = self.needed, []
                inner = tuple(self.body(stmt.body))
                self.needed = checks
                return replace(stmt, body=inner)
            case _:
                for expr in expressions(stmt):
                    self.expression(expr)
        return stmt

    def let(self, name: str, value: ir.Static) -> None:
        self.bounds.let(name, value)
        if isinstance(value, ir.StaticIndex):
            self.element(name, value.value, value)
        self.locals.add(name)
        if self.is_optional(value):
            self.absent.add(name)
        size = size_of(value)
        if size is not None and size.value is None:
            self.named.setdefault(size, symbol(name))

    def choice(self, stmt: ir.If) -> ir.If:
        self.value(stmt.condition, stmt.span)
        checks, self.needed = self.needed, []
        then = self.side(stmt.condition, True, stmt.then)
        orelse = self.side(stmt.condition, False, stmt.orelse)
        self.needed = checks
        return replace(stmt, then=then, orelse=orelse)

    def side(
        self, condition: ir.Static, holds: bool, body: Sequence[ir.Stmt]
    ) -> tuple[ir.Stmt, ...]:
        before, built, absent = self.bounds, self.built, self.absent
        self.bounds = before.under(condition, holds)
        self.absent = absent - _present(condition, holds)
        self.built = built and not givens(condition)
        self.conditional += 1
        made = tuple(self.body(body))
        self.conditional -= 1
        self.bounds, self.built, self.absent = before, built, absent
        return made

    # ------------------------------------------------------------- loops

    def loop(self, stmt: ir.For) -> ir.Stmt:
        self.value(stmt.iterable, stmt.span)
        for carried in stmt.carried:
            self.value(carried.entry, stmt.span)
        outer, self.needed = self.needed, []
        before, counters, around = self.bounds, self.counters, self.conditional
        self.bounds, self.conditional = before.copy(), 0
        below = below_of(stmt.iterable)
        self.counters = dict(counters)
        if below is not None:
            self.bounds.facts.append(below - 1)
        self.targets(stmt)
        ends = self.carried(stmt)
        inner = list(self.body(stmt.body))
        for carried in stmt.carried:
            self.value(carried.next, stmt.span)
        inner += self.needed
        before.least |= ends
        self.bounds, self.counters, self.conditional = before, counters, around
        first, rest = self.hoisted(stmt, inner, below)
        self.needed = [*outer, *first]
        return replace(stmt, body=tuple(rest))

    def targets(self, stmt: ir.For) -> None:
        """What is known of the variables of a loop."""
        below = below_of(stmt.iterable)
        for name in stmt.targets:
            self.bounds.least.pop(name, None)
            self.counters.pop(name, None)
        match stmt.iterable, stmt.targets:
            case ir.StaticCall("range", args), (name,):
                begin = 0.0 if len(args) == 1 else self.bounds.least_of(args[0])
                if len(args) < 3:
                    self.bounds.least[name] = begin
                if below is not None:
                    self.counters[name] = below
            case ir.StaticCall("enumerate", (values,)), (name, item):
                self.bounds.least[name] = 0.0
                if below is not None:
                    self.counters[name] = below
                self.element(item, values)
            case ir.StaticCall("zip", lists), names if len(lists) == len(names):
                for name, values in zip(names, lists, strict=True):
                    self.element(name, values)
            case values, (name,):
                self.element(name, values)
        match stmt.iterable:
            case ir.StaticCall("range", (ir.Ref(count),)) if count in self.elements:
                whole = ir.StaticCall("sum", (ir.Ref(self.elements[count]),))
                self.bounds.other.append(whole)

    def carried(self, stmt: ir.For) -> dict[str, float]:
        """Values that change are at least 1 where they begin so and stay so: these."""
        lets = [s for s in statements(stmt.body) if isinstance(s, ir.StaticLet)]
        names = {c.symbol for c in stmt.carried}
        values = [(let.name, let.value) for let in lets]
        values += [(c.symbol, v) for c in stmt.carried for v in (c.entry, c.next)]
        self.absent |= {name for name, value in values if self.is_optional(value)}
        self.locals |= names & self.definition.spelled.keys()
        kept = {c.symbol for c in stmt.carried if self.bounds.least_of(c.entry) >= 1}
        for name in names:
            self.bounds.least.pop(name, None)
        while True:  # what stays so may hang on others that do not
            inside = self.bounds.copy()
            inside.least |= dict.fromkeys(kept, 1.0)
            for let in lets:
                inside.let(let.name, let.value)
            nexts = {c.symbol: inside.least_of(c.next) for c in stmt.carried}
            if all(nexts[name] >= 1 for name in kept):
                break
            kept = {name for name in kept if nexts[name] >= 1}
        self.bounds.least |= dict.fromkeys(kept, 1.0)
        return dict.fromkeys(kept, 1.0)

    def element(
        self, name: str, values: ir.Static, value: ir.Static | None = None
    ) -> None:
        """What is known of a name of an element of a list, `value` where it is not there yet."""
        items = windows.items_of(values, self.definition)
        if items and all(map(self.bounds.is_window, items)):
            if not isinstance(values, ir.StaticList):
                condition = windows.like(value or ir.Ref(name), name, items[0])
                self.need(*condition, self.definition.span)
            self.bounds.window(name, items)
        elif self.elements.get(name) in self.bounds.sized:
            self.bounds.least[name] = 1.0
        elif isinstance(values, ir.StaticList):
            if any(map(self.is_optional, values.items)):
                self.absent.add(name)
            self.bounds.least[name] = min(map(self.bounds.least_of, values.items))

    def hoisted(
        self, stmt: ir.For, body: list[ir.Stmt], below: Dim | None
    ) -> tuple[list[Guard], list[ir.Stmt]]:
        """The checks that are the same for every iteration stand before the loop."""
        own = {*stmt.targets, *(c.symbol for c in stmt.carried), *_locals(body)}
        first: list[Guard] = []
        rest: list[ir.Stmt] = []
        for inner in body:
            made = inner if isinstance(inner, Guard) else None
            if made and below is not None and own.isdisjoint(mentions(made.condition)):
                first.append(self.once(made, below))
            else:
                rest.append(inner)
        return first, rest

    def once(self, check: Guard, count: Dim) -> Guard:
        """A check inside of a loop, for before it."""
        if self.bounds.least_size(count) >= 1:
            return check
        none = ir.StaticBinary("<", ir.Size(count), ir.Size(const(1)))
        return replace(check, condition=ir.StaticBinary("or", none, check.condition))

    # ------------------------------------------------------------ layers

    def layer(self, layer: ir.Layer) -> None:
        """The sizes that weights are made of, and all that a layer is given."""
        params = {p.name: p for p in self.params_of(layer)}
        for name, value in layer.args:
            self.value(value, layer.span)
            param = params.get(name)
            size = size_of(value) if param and _is_size(param) else None
            asks = isinstance(param, ir.Parameter) and param.asked  # then it checks
            if size is not None and not asks:
                self.size(size, layer.span)
            if param and param.bounds:
                callee = layer.callee
                entry = callee if isinstance(callee, str) else callee.name
                what = f"the {name} of {entry}"
                self.within(value, param.bounds, what, layer.span)
        for dim in sizes_of(layer):
            self.size(dim, layer.span)
        if layer.count is not None:
            self.value(layer.count, layer.span)
        if layer.copies is not None:
            self.size(layer.copies, layer.span)

    def params_of(self, layer: ir.Layer) -> tuple[Param | ir.Parameter, ...]:
        callee = layer.callee
        if isinstance(callee, Op):
            return callee.params
        return self.known[callee].definition.params

    def size(self, dim: Dim, span: Span) -> None:
        """A size that is at least 1."""
        self.quotients(dim, span)
        for factor in factors(self.named.get(dim, dim)):
            self.factor(factor, span)

    def factor(self, dim: Dim, span: Span) -> None:
        if dim.value is None and self.bounds.least_size(dim) < 1:
            if dim.name is not None and dim.name not in self.locals | self.loose:
                return  # others have checked it, or know it alone
            if dim.symbols & self.gapped:
                return  # an element that may be none
            condition = ir.StaticBinary(">=", ir.Size(dim), ir.Size(const(1)))
            if dim.name in self.absent:
                none = ir.StaticBinary("==", ir.Ref(dim.name), ir.Literal(None))
                condition = ir.StaticBinary("or", none, condition)
            self.need(condition, f"{self.words.size(dim)}{AT_LEAST_1}", span)

    def is_optional(
        self, value: ir.Static, there: frozenset[str] = frozenset()
    ) -> bool:
        """Whether a value may be none; the names that are `there` are not."""
        match value:
            case ir.StaticIf(condition, then, orelse):
                return any(
                    self.is_optional(side, there | _present(condition, holds))
                    for side, holds in ((then, True), (orelse, False))
                )
            case ir.Ref(name):
                return name in self.absent - there
        return value == ir.Literal(None)


def _is_size(param: Param | ir.Parameter) -> bool:
    """Whether a layer may take one size for it: a block's list of sizes is a list."""
    one = param.kind is Kind.SIZES and isinstance(param, Param)
    return one or param.kind is Kind.SIZE


def _present(condition: ir.Static, holds: bool) -> set[str]:
    """The names that are not none where a condition holds, or does not."""
    match condition:
        case ir.StaticUnary("not", inner):
            return _present(inner, not holds)
        case ir.StaticBinary("and" | "or" as op, left, right) if (op == "and") is holds:
            return _present(left, holds) | _present(right, holds)
        case ir.StaticBinary("==" | "!=" as op, ir.Ref(name), ir.Literal(None)):
            return {name} if (op == "!=") is holds else set()
    return set()


def _locals(body: Sequence[ir.Stmt]) -> set[str]:
    """The static names that statements give values."""
    found: set[str] = set()
    for stmt in statements(body):
        if isinstance(stmt, ir.StaticLet):
            found.add(stmt.name)
        elif isinstance(stmt, ir.For):
            found |= {*stmt.targets, *(c.symbol for c in stmt.carried)}
        elif isinstance(stmt, ir.Declare):
            found |= {name for _, name in stmt.layer.gives}
    return found
