"""Where a value leaves the model's dtype for float32, and where it comes back.

A `float` of a spec is of the model's dtype. Statistics, scores and what the spec calls `f32` are
computed in float32 all the way, not cast afterwards. Here each expression gets the type that its
value will have, and a `Cast` where that is not the type it is meant to have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ... import ir
from ...ir.fold_statements import (
    bodies,
    declared,
    expressions,
    with_bodies,
    with_expressions,
)
from ...ir.fold_tensors import operands, rebuilt
from ...ops.base import Op
from ...record import replace
from ...shapes import TensorType, is_float
from .exact import Exact
from .full_precision import (
    ARITHMETIC,
    FULL,
    as_any,
    as_first,
    assigned_alone,
    assigned_once,
    computed,
    computes,
    computes_as,
    conversion,
    each,
    gives_full,
    in_float32,
    is_full,
    of_weights,
    passes,
    summing,
    surely_full,
    typed,
    uses,
    widened,
)

Names: TypeAlias = frozenset[str]
_Change: TypeAlias = Callable[[ir.Expr], ir.Expr]


class Body:
    """One definition. `loose` are inputs that may come in another dtype, `full` the layers and
    tensors that are asked for in float32 wherever they are used, `again` the tensors all of whose
    values are float32, though they get several."""

    def __init__(
        self,
        definition: ir.Definition,
        strict: dict[str, Names],
        loose: Names,
        full: Names,
        again: Names,
        exact: Exact,
    ):
        self.definition, self.strict, self.full = definition, strict, full
        self.again, self.exact = again, exact
        self.mixed: set[str] = set()  # of `again` those that have another dtype too
        self.narrow: set[str] = set()  # of the exact names those that are not float32
        self.returns_exact = False
        self.given, self.unsure = loose, {*loose}  # and what is of them
        self.converted: set[str] = set()
        self.asked: Counter[str] = Counter()
        items = declared(definition.body)
        self.layers = {i.name: i for i in items if isinstance(i, ir.Layer)}
        self.variables = {i.name: i for i in items if isinstance(i, ir.Variable)}
        floats = [i for i in self.variables.values() if i.type.dtype == "float"]
        self.weights = {i.name for i in floats if not i.state}
        self.wide = {i.name for i in floats if i.state} | loose
        self.once = assigned_once(definition)
        self.wide |= (exact.names - self.once) | again | full
        self.plain = assigned_alone(definition)
        self.items: dict[int, tuple[ir.Expr, ir.Expr]] = {}  # what became of values

    def asked_alone(self) -> frozenset[str]:
        """The layers and tensors that are asked for in float32 wherever they are used."""
        used = uses(self.definition.body)
        return frozenset(n for n, times in self.asked.items() if used[n] == times)

    # ---------------------------------------------------------- statements

    def statements(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        """The statements, in order."""
        return tuple(self._statement(stmt) for stmt in body)

    def _statement(self, stmt: ir.Stmt) -> ir.Stmt:
        match stmt:
            case ir.Declare(layer) if layer.name in self.full:
                return replace(stmt, layer=replace(layer, in_full=True))
            case ir.Assign((name,), value) if name in self.full:
                return replace(stmt, value=self._in_full_of(value))
            case ir.Assign((name,), value) if name in self._open:
                return replace(stmt, value=self._assigned(name, value))
            case ir.Assign(targets, ir.OpCall() as value) if self._open.issuperset(
                targets
            ):
                return replace(stmt, value=self._unpacked(targets, value))
            case ir.Assign(targets):
                self.mixed |= self.again.intersection(targets)
            case ir.UpdateState(name, value):
                return replace(stmt, value=self._kept(name, value))
            case ir.Return((value,)) if self._returned_exact(value):
                self.returns_exact = True
                return replace(stmt, values=(self.expr(value),))
        stmt = with_expressions(stmt, map(self.meant, expressions(stmt)))
        return with_bodies(stmt, [self.statements(inner) for inner in bodies(stmt)])

    @property
    def _open(self) -> Names:
        """The tensors whose values decide their dtype."""
        return self.again.union(self.once, self.exact.names)

    def _unpacked(self, targets: Sequence[str], value: ir.OpCall) -> ir.OpCall:
        """What gives several names their values."""
        made = self._parts(value)
        assert isinstance(made.type, tuple) and isinstance(value.type, tuple)
        pairs = zip(targets, made.type, value.type, strict=True)
        wide = {name for name, has, means in pairs if has != means}
        self.wide |= wide
        self.unsure |= {*targets}
        self.mixed |= self.again.intersection(targets) - wide
        return made

    def _assigned(self, name: str, value: ir.Expr) -> ir.Expr:
        """The value of a name that is of one dtype throughout, which its value may decide."""
        made = self.expr(value)
        if name in self.again:
            self.mixed |= set() if is_full(made) else {name}
        elif name not in self.once:
            if not is_full(made):
                self.narrow.add(name)
        elif is_full(made) and not is_full(value):
            self.wide.add(name)
        self.unsure |= set() if surely_full(made, self.unsure) else {name}
        return made

    def _returned_exact(self, value: ir.Expr) -> bool:
        """Whether a block returns float32 that is computed of whole numbers alone."""
        if self.definition.is_model or is_full(value):
            return False
        return self.exact.holds(value) and is_full(self.expr(value))

    def _kept(self, name: str, value: ir.Expr) -> ir.Expr:
        """The next value of a state, in the dtype in which it is kept."""
        made, type_ = self.expr(value), self.variables[name].type
        if type_.dtype in ("float", FULL):
            return self._throughout(made)
        return self._cast(made, type_.dtype)

    # --------------------------------------------------------- expressions

    def meant(self, value: ir.Expr) -> ir.Expr:
        """The expression, its value of the dtype that the spec means."""
        made = self.expr(value)
        if isinstance(value.type, TensorType):
            return self._cast(made, value.type.dtype)
        return made

    def _cast(self, made: ir.Expr, dtype: str) -> ir.Expr:
        assert isinstance(made.type, TensorType)
        if isinstance(made, ir.Scalar) or made.type.dtype == dtype:
            return made
        if not (is_float(made.type.dtype) and is_float(dtype)):
            return made
        if dtype == FULL:
            return self.in_full(made)
        self.converted.update(self._given_in(made))
        return ir.Cast(made, made.type.with_dtype(dtype), made.span)

    def expr(self, value: ir.Expr) -> ir.Expr:
        """The expression with the type that its value has."""
        match value:
            case ir.Var(name, TensorType() as type_) if name in self.wide:
                return replace(value, type=type_.with_dtype(FULL))
            case ir.Var() | ir.Scalar() | ir.ModelCall():
                return value
            case ir.Apply():
                return self._apply(value)
            case ir.OpCall():
                return self._call(value)
            case ir.Item(ir.OpCall() as inner, index):
                if id(inner) not in self.items:  # its parts stay those of one object
                    self.items[id(inner)] = inner, self._parts(inner)
                whole = self.items[id(inner)][1]
                assert isinstance(whole.type, tuple)
                return replace(value, value=whole, type=whole.type[index])
            case ir.Item(inner):
                if id(inner) not in self.items:
                    self.items[id(inner)] = inner, self.expr(inner)
                return replace(value, value=self.items[id(inner)][1])
            case ir.Operator():
                return self._operator(value)
            case ir.Cast(inner, type_):
                made = self.expr(inner)
                if type_.dtype == FULL:  # what may come in it already is converted too
                    self.converted.update(self._given_in(made))
                return self._cast(made, type_.dtype)
            case ir.Choose() if self.exact.holds(value):
                parts = [self.expr(part) for part in operands(value)]
                if all(map(is_full, parts)):
                    return typed(rebuilt(value, parts), FULL)
                return rebuilt(value, [self.meant(part) for part in operands(value)])
            case ir.Choose() | ir.TupleOf() | ir.ListOf():
                return rebuilt(value, [self.meant(part) for part in operands(value)])
            case ir.Let(_, inner, body):
                made = self.expr(body)
                return replace(
                    value, value=self.meant(inner), body=made, type=made.type
                )
        parts = [self.expr(part) for part in operands(value)]
        return as_first(rebuilt(value, parts))

    def _given_in(self, value: ir.Expr) -> Iterator[str]:
        """The loose inputs that come through to a value."""
        rest = [value] if self.given else []
        while rest:
            part = rest.pop()
            if isinstance(part, ir.Var) and part.name in self.given:
                yield part.name
            if not (isinstance(part, ir.Apply) and self._decides(part)):
                rest.extend(operands(part))

    def _decides(self, value: ir.Apply) -> bool:
        """Whether a layer gives the model's dtype, whatever it is given."""
        callee = self.layers[value.layer].callee
        return not isinstance(callee, Op) or callee.dtype_aware

    def _apply(self, value: ir.Apply) -> ir.Expr:
        layer = self.layers[value.layer]
        if isinstance(layer.callee, str):
            strict = self.strict[layer.callee]
            if layer.count is not None:  # what each layer hands on to the next
                strict = strict | {value.args[0][0]}
            all_strict = value.method == ir.GRADIENT
            args = [
                (n, self._handed(v, all_strict or n in strict)) for n, v in value.args
            ]
            given = replace(value, args=tuple(args))
            return typed(given, FULL) if self.exact.applied(layer, value) else given
        if not value.args or layer.callee.product:
            args = [(name, self.meant(v)) for name, v in value.args]
            return replace(value, args=tuple(args))
        (first, subject), *others = value.args
        more = [(name, self.meant(v)) for name, v in others]
        stays = layer.count is not None or value.method == ir.GRADIENT
        made = self.meant(subject) if stays else self.expr(subject)
        new = replace(value, args=((first, made), *more))
        if layer.callee.origin:
            return self._foreign(new)
        if layer.callee.dtype_aware or stays:
            return new
        return as_first(new)

    def _handed(self, value: ir.Expr, strict: bool) -> ir.Expr:
        """What a block is given: of the dtype that the spec means where it must be."""
        exact = strict or not isinstance(value.type, TensorType)
        return self.meant(value) if exact else self.expr(value)

    def _foreign(self, value: ir.Expr) -> ir.Expr:
        """What Python code gives may be of any floating dtype."""
        type_ = value.type
        if not isinstance(type_, TensorType) or type_.dtype != "float":
            return value
        return ir.Cast(replace(value, type=type_.with_dtype(FULL)), type_, value.span)

    def _call(self, value: ir.OpCall) -> ir.Expr:
        op = value.op
        if op.origin:
            return self._foreign(self._over(value, self.meant))
        if (cast := conversion(value)) is not None:
            return self.expr(cast)
        if in_float32(op) and op.dtype_aware:
            said = "dtype" in dict(value.args)
            args = (*value.args, ("dtype", ir.Literal(FULL)))
            return value if said else typed(replace(value, args=args), FULL)
        if in_float32(op):
            return typed(self._over(value, self._in_full_of), FULL)
        if op.sums and computes(value):
            return typed(self._over(value, self._in_full_of), FULL)
        if op.dtype_aware or not isinstance(value.type, TensorType):
            return self._over(value, self.meant)
        if op.product:
            return self._product(value)
        new = self._over(value, self.expr)
        if op.helper:
            return as_first(new)
        return as_any(new)

    def _parts(self, value: ir.OpCall) -> ir.OpCall:
        """A function that gives several values, of the dtype that it is given."""
        if not computes_as(value.op) or not isinstance(value.type, tuple):
            made = self._call(value)
            assert isinstance(made, ir.OpCall)
            return made
        new = self._over(value, self.expr)
        if not any(map(is_full, operands(new))):
            return new
        return replace(new, type=type(value.type)(map(widened, value.type)))

    def _product(self, value: ir.OpCall) -> ir.Expr:
        optional = {i.name for i in value.op.inputs if i.optional}
        inputs = [
            (n, each(self.expr if n in optional else self.meant, v))
            for n, v in value.inputs
        ]
        return replace(value, inputs=tuple(inputs))

    def _over(self, value: ir.OpCall, change: _Change) -> ir.OpCall:
        inputs = tuple((n, each(change, v)) for n, v in value.inputs)
        return replace(value, inputs=inputs)

    def _in_full_of(self, value: ir.Expr) -> ir.Expr:
        return self.in_full(self.expr(value))

    def _operator(self, value: ir.Operator) -> ir.Expr:
        new = replace(value, operands=tuple(self.expr(v) for v in value.operands))
        if value.op not in ARITHMETIC:
            return new
        tensors = [v for v in value.operands if not isinstance(v, ir.Scalar)]
        whole = all(
            isinstance(v.type, TensorType) and not is_float(v.type.dtype)
            for v in tensors
        )
        if value.type.dtype == "float" and tensors and whole:
            return typed(new, FULL)
        if any(surely_full(v, self.unsure) for v in new.operands):
            new = replace(new, operands=tuple(map(self._as_kept, new.operands)))
        return as_any(new)

    def _as_kept(self, value: ir.Expr) -> ir.Expr:
        return self.in_full(value) if of_weights(value, self.weights) else value

    # ------------------------------------------------------------- float32

    def in_full(self, value: ir.Expr) -> ir.Expr:
        """An expression (as `expr` gives it) that is computed in float32."""
        type_ = value.type
        if isinstance(value, ir.Scalar) or not isinstance(type_, TensorType):
            return value
        if type_.dtype in (FULL, "f64") or not is_float(type_.dtype):
            self.converted.update(self._given_in(value))
            return value
        match value:
            case ir.Cast(inner, type_) if type_.dtype == "float" and is_full(inner):
                return inner
            case ir.Var(name) if name in self.plain:
                self.asked[name] += 1
            case ir.Operator(op) if op in ARITHMETIC:
                return self._first_in_full(value)
            case ir.Reshape() | ir.Subscript():
                return self._first_in_full(value)
            case ir.Choose(then=then, orelse=orelse):
                then, orelse = self.in_full(then), self.in_full(orelse)
                return typed(replace(value, then=then, orelse=orelse), FULL)
            case ir.Let(body=body):
                return typed(replace(value, body=self.in_full(body)), FULL)
            case ir.OpCall(op) if op.in_full:
                return typed(replace(value, op=summing(op, op.in_full)), FULL)
            case ir.OpCall() if computes_as(value.op):
                return self._first_in_full(value)
            case ir.Apply(layer) if passes(self.layers[layer], value.method):
                return self._first_in_full(value)
            case ir.Apply(layer) if gives_full(self.layers[layer], value.method):
                self.asked[layer] += 1
                if layer in self.full or value.method:
                    return typed(value, FULL)
        return ir.Cast(value, type_.with_dtype(FULL), value.span)

    def _throughout(self, value: ir.Expr) -> ir.Expr:
        """The same, each part of a sum or product too."""
        if isinstance(value, ir.Operator) and value.op in ARITHMETIC:
            parts = [self._throughout(part) for part in value.operands]
            return as_any(rebuilt(value, parts))
        return self.in_full(value)

    def _first_in_full(self, value: ir.Expr) -> ir.Expr:
        """JAX promotes: where one part is in float32, all of it is."""
        parts = list(operands(value))
        for at, part in enumerate(parts):
            known = isinstance(part.type, TensorType) and is_float(part.type.dtype)
            if known and not isinstance(part, ir.Scalar):
                rest = [self.in_full(p) if computed(p) else p for p in parts[at + 1 :]]
                parts[at:] = [self.in_full(part), *map(self._as_kept, rest)]
                return typed(rebuilt(value, parts), FULL)
        return ir.Cast(value, value.type.with_dtype(FULL), value.span)  # type: ignore[union-attr]
