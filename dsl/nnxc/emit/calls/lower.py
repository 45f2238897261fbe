"""From one deep expression to statements that a person would write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager

from ... import ir
from ...ir.fold_tensors import operands as children
from ...ir.fold_tensors import rebuilt, walk
from ...ir.liveness import reads
from ...record import replace
from ..python.library_calls import holes
from ..python.scope import Scope
from ..python.suites import INDENT, WIDTH, If, Line, Node
from . import depth as d
from .expr import asked, render
from .gather import Iteration
from .locals import Locals
from .reads import shared, substitute, with_items

Names = Set[str]


class Lowering:
    """Writes statements to `nodes`. `stack` writes the loop over a stack of layers, `comment`
    gives the shape comment of a value (empty: none), `measured` the sizes to be read from one.
    """

    def __init__(
        self,
        scope: Scope,
        locals: Locals,
        is_stack: Callable[[str], bool],
        stack: Callable[[ir.Apply, str, Iteration | None], list[Node]],
        comment: Callable[[ir.Expr], str],
        measured: Callable[[ir.Apply], list[tuple[str, str]]],
    ):
        self.scope, self.locals = scope, locals
        self.is_stack, self.stack, self.comment = is_stack, stack, comment
        self.measured = measured
        self.shape = ""  # of the value assigned last
        self.depth = d.Depth()
        self.indent = 2
        self.nodes: list[Node] = []

    @contextmanager
    def block(self) -> Iterator[list[Node]]:
        """Within, statements go to the list that is yielded, one level deeper."""
        before, self.nodes = self.nodes, []
        self.indent += 1
        try:
            yield self.nodes
        finally:
            self.nodes = before
            self.indent -= 1

    # ---------------------------------------------------------- statements

    def assign(self, name: str, value: ir.Expr, avoid: Names) -> None:
        """`name = value`; `avoid` are the tensors needed afterwards."""
        value = self._hoist(value, avoid - {name}, name)
        if isinstance(value, ir.Choose) and self._width(value, name) > WIDTH:
            self._choose(name, value, avoid)
            return
        if isinstance(value, ir.Var) and value.name == name:
            return
        value = self._cut(value, avoid - {name}, name, len(self.locals.text[name]) + 3)
        # Values of one shape in a row need it said once.
        before, self.shape = self.shape, self.comment(value)
        comment = "" if self.shape == before else self.shape
        self.write(f"{self.locals.text[name]} = ", value, comment)
        self.locals.written.add(name)

    def unpack(self, names: tuple[str, ...], value: ir.Expr, avoid: Names) -> None:
        """`a, b = value`."""
        value = self._hoist(value, avoid - set(names), None)
        targets = ", ".join(self.locals.text[n] for n in names)
        value = self._cut(value, avoid - set(names), None, len(targets) + 3)
        if isinstance(value, ir.TupleOf):
            self._write_many(f"{targets} = ", value.items)
        else:
            self.write(f"{targets} = ", value)
        self.locals.written.update(names)

    def returned(
        self, values: tuple[ir.Expr, ...], kind: str | None, names: Sequence[str]
    ) -> None:
        """`return a, b`, or a NamedTuple of `kind` where the values have names."""
        if names:
            start = len(INDENT) + max(map(len, names)) + len("=,")
            done = self.ready(values, frozenset(), start)
            with self.scope.recording() as uses:
                given = zip(names, done, strict=True)
                text = ", ".join(f"{n}={render(v, self.scope)}" for n, v in given)
            self.nodes.append(Line(f"return {kind}({text})", tuple(uses)))
            return
        done = self.ready(values, frozenset(), len("return "))
        if len(done) == 1 and isinstance(done[0], ir.TupleOf):
            self.returned(done[0].items, None, ())
        else:
            self._write_many("return ", done)

    def ready(
        self, values: tuple[ir.Expr, ...], after: Names, start: int
    ) -> tuple[ir.Expr, ...]:
        """Values that may stand on one line, beginning at `start`; what is in the way of that
        has been written. `after` are the tensors needed afterwards."""
        done: list[ir.Expr] = []
        for i, value in enumerate(values):
            rest = (reads(v) for v in (*done, *values[i + 1 :]))
            avoid = set(after).union(*rest)
            value = self._hoist(value, avoid, None)
            if len(values) > 1 or not isinstance(value, ir.TupleOf):
                value = self._cut(value, avoid, None, start)
            done.append(value)
        return tuple(done)

    def update(self, target: str, value: ir.Expr, avoid: Names) -> None:
        """`target = value` for a variable of the module."""
        value = self._cut(self._hoist(value, avoid, None), avoid, None, len(target) + 3)
        self.write(f"{target} = ", value)

    def new_list(self, name: str, items: tuple[ir.Expr, ...], after: Names) -> None:
        """`name = [a, b]`."""
        target = self.locals.text[name]
        if not items:
            self.nodes.append(Line(f"{target}: list[jax.Array] = []"))
            return
        done = self.ready(items, after - {name}, len(target) + len(" = [],"))
        with self.scope.recording() as uses:
            text = ", ".join(render(value, self.scope) for value in done)
        self.nodes.append(Line(f"{target} = [{text}]", tuple(uses)))

    def append(self, name: str, value: ir.Expr, avoid: Names) -> None:
        """`name.append(value)`."""
        target = self.locals.text[name]
        value = self._hoist(value, avoid | {name}, None)
        value = self._cut(value, avoid | {name}, None, len(f"{target}.append()"))
        with self.scope.recording() as uses:
            text = render(value, self.scope)
        self.nodes.append(Line(f"{target}.append({text})", tuple(uses)))

    def write(self, start: str, value: ir.Expr, comment: str = "") -> None:
        """One line that needs no further taking apart."""
        self._write_many(start, (value,), comment)

    def _write_many(
        self, start: str, values: tuple[ir.Expr, ...], comment: str = ""
    ) -> None:
        with self.scope.recording() as uses:
            text = ", ".join(render(v, self.scope) for v in values)
        self.nodes.append(Line(start + text, tuple(uses), comment=comment))

    def _choose(self, name: str, value: ir.Choose, avoid: Names) -> None:
        with self.scope.recording() as uses:
            condition = asked(value, self.scope).text
        then, orelse = (
            self._arm(name, arm, avoid) for arm in (value.then, value.orelse)
        )
        self.nodes.append(If(condition, then, orelse, tuple(uses)))

    def _arm(self, name: str, value: ir.Expr, avoid: Names) -> tuple[Node, ...]:
        with self.block() as body:
            self.assign(name, value, avoid)
        return tuple(body)

    # -------------------------------------- values that need statements

    def _hoist(self, expr: ir.Expr, avoid: Names, hint: str | None) -> ir.Expr:
        """The expression without what cannot stand inside one."""
        expr = self._shorten(expr, avoid, hint, through_items=False)
        expr = self._unshare(expr, avoid, hint)
        expr = self._shorten(expr, avoid, hint)
        if not any(self._is_statement(e) for e in walk(expr)) and not _hides(expr):
            return expr
        match expr:
            case ir.Let(name, value, body):
                rest = avoid | (reads(body) - {name})
                bound = self._bind(value, rest, hint)
                return self._hoist(substitute(body, name, bound), avoid, hint)
            case ir.Choose():
                name = self.locals.lend(expr, avoid | reads(expr), None)
                self._choose(name, expr, avoid | reads(expr))
                return ir.Var(name, expr.type, expr.span)
        expr = self._hoist_children(expr, avoid, hint)
        if isinstance(expr, ir.Apply) and self.is_stack(expr.layer):
            return self._through(expr, avoid, hint)
        if isinstance(expr, ir.Apply) and self.measured(expr):
            return self._measure(expr, avoid, hint)
        return expr

    def _unshare(self, expr: ir.Expr, avoid: Names, hint: str | None) -> ir.Expr:
        """The expression with what several of its parts are items of computed once."""
        while (value := shared(expr)) is not None:
            match value:
                case ir.TupleOf(parts):
                    pass
                case ir.Let(name, inner, body):
                    rest = with_items(expr, value, body)
                    bound = self._bind(inner, avoid | (reads(rest) - {name}), hint)
                    expr = with_items(expr, value, substitute(body, name, bound))
                    continue
                case _:
                    parts = self._parts(
                        value, avoid | reads(with_items(expr, value, ()))
                    )
            expr = with_items(expr, value, parts)
        return expr

    def _parts(self, value: ir.Expr, avoid: Names) -> tuple[ir.Var, ...]:
        """Names for all of several values."""
        assert isinstance(value.type, tuple)
        parts: list[ir.Var] = []
        for type_ in value.type:
            taken = avoid | {p.name for p in parts}
            name = self.locals.lend(value, taken, None)
            parts.append(ir.Var(name, type_, value.span))
        self.unpack(tuple(p.name for p in parts), value, avoid)
        return tuple(parts)

    def _shorten(
        self,
        expr: ir.Expr,
        avoid: Names,
        hint: str | None,
        *,
        through_items: bool = True,
    ) -> ir.Expr:
        """The expression with the beginning of a long pipeline bound to a name."""
        while len(path := d.chain(expr, through_items)) > d.LONG:
            start = len(path) - d.LONG // 2
            others = [children(p)[1:] for p in path[:start]]
            taken = avoid | set().union(*(reads(e) for part in others for e in part))
            expr = self._bind(path[start], taken, hint)
            for parent, rest in zip(path[start - 1 :: -1], others[::-1], strict=True):
                expr = rebuilt(parent, [expr, *rest])
        return expr

    def _is_statement(self, expr: ir.Expr) -> bool:
        match expr:
            case ir.Let():
                return True
            case ir.Apply(layer=layer):
                return self.is_stack(layer) or bool(self.measured(expr))
        return any(_repeated(expr, i) for i, _ in enumerate(children(expr)))

    def _hoist_children(self, expr: ir.Expr, avoid: Names, hint: str | None) -> ir.Expr:
        parts = list(children(expr))
        for i, part in enumerate(parts):
            others = parts[:i] + parts[i + 1 :]
            taken = avoid | set().union(*(reads(p) for p in others))
            parts[i] = self._hoist(part, taken, hint)
            if _repeated(expr, i) and not isinstance(parts[i], ir.Var):
                parts[i] = self._bind(parts[i], taken, hint)
        return rebuilt(expr, parts)

    def _bind(self, value: ir.Expr, avoid: Names, hint: str | None) -> ir.Var:
        """A name for a value."""
        value = self._hoist(value, avoid, hint)
        if isinstance(value, ir.Var):
            return value
        name = self.locals.lend(value, avoid, hint)
        self.assign(name, value, avoid)
        return ir.Var(name, value.type, value.span)

    def _through(self, expr: ir.Apply, avoid: Names, hint: str | None) -> ir.Var:
        """The loop over a stack, which passes its first input on."""
        (first, value), *others = expr.args
        extra = self._further(others, avoid | reads(value))
        taken = avoid | set().union(*(reads(other) for _, other in extra))
        name = value.name if isinstance(value, ir.Var) else ""
        if not name or name in taken:
            name = self.locals.lend(value, taken, hint)
            self.assign(name, value, taken)
        carried = ir.Var(name, value.type, value.span)
        args = ((first, carried), *extra)
        step = ir.Apply(expr.layer, args, expr.method, expr.type, expr.span)
        self.nodes.extend(self.stack(step, name, None))
        self.locals.written.add(name)
        return carried

    def _further(
        self, args: Sequence[tuple[str, ir.Expr]], avoid: Names
    ) -> list[tuple[str, ir.Var]]:
        """The further inputs of a stack, which all its layers get: each computed once."""
        found: list[tuple[str, ir.Var]] = []
        for i, (name, value) in enumerate(args):
            rest = (reads(other) for _, other in args[i + 1 :])
            taken = set(avoid).union(*rest, (var.name for _, var in found))
            found.append((name, self._bind(value, taken, None)))
        return found

    def over(self, made: Iteration, after: Names) -> None:
        """A loop over a stack whose iterations are all alike."""
        first, *others = made.call.args
        extra = self._further(others, after | {made.target})
        step = replace(made.call, args=(first, *extra))
        self.nodes.extend(self.stack(step, made.target, made))
        self.locals.written.add(made.target)

    def _measure(self, expr: ir.Apply, avoid: Names, hint: str | None) -> ir.Var:
        """A name for what a block gives, and for sizes of it."""
        name = self.locals.lend(expr, avoid, hint)
        text = self.locals.text[name]
        value = self._cut(expr, avoid, hint, len(text) + 3)
        self.write(f"{text} = ", value, self.comment(value))
        self.locals.written.add(name)
        for size, place in self.measured(expr):
            self.nodes.append(Line(f"{size} = {text}{place}", (), frozenset((size,))))
        return ir.Var(name, expr.type, expr.span)

    # ------------------------------------------------------ long expressions

    def _width(self, value: ir.Expr, name: str | None) -> int:
        start = 0 if name is None else len(name) + 3
        with self.scope.recording():
            return self.indent * len(INDENT) + start + len(render(value, self.scope))

    def _cut(
        self, value: ir.Expr, avoid: Names, hint: str | None, start: int
    ) -> ir.Expr:
        """The value with inner parts bound to names until it reads well."""
        while not self.depth.fits(value, self._width(value, None) + start):
            part = self._part(value, start)
            if part is None:
                return value
            marker = ir.Scalar(ir.Literal(None), part.type, part.span)  # type: ignore[arg-type]
            taken = avoid | reads(d.swapped(value, part, marker))
            name = self.locals.lend(part, taken, hint)
            self.write(f"{self.locals.text[name]} = ", part, self.comment(part))
            self.locals.written.add(name)
            value = d.swapped(value, part, ir.Var(name, part.type, part.span))
        return value

    def _part(self, value: ir.Expr, start: int) -> ir.Expr | None:
        """The largest part on the deepest path that makes a good line."""
        path = [p for p in self.depth.spine(value) if self.depth(p) >= 1]
        shallow = [p for p in path if self.depth(p) <= d.DEEP]
        least = 1 if self.depth(value) > d.DEEP + 1 else 2
        for part in shallow:
            if self.depth(part) >= least and self._width(part, "x") <= d.WIDE:
                return part
        if self._width(value, None) + start <= d.LIMIT:
            return None
        short = (p for p in shallow if self._width(p, "x") <= d.LIMIT)
        return next(short, path[-1] if path else None)


def _repeated(expr: ir.Expr, index: int) -> bool:
    """Whether the text of a child occurs several times in the text of its parent."""
    child = children(expr)[index]
    if isinstance(child, ir.Var | ir.Scalar):
        return False
    match expr:
        case ir.OpCall(op=op, inputs=inputs, args=args):
            written = {*(n for n, _ in args), *(n for n, _ in inputs)}
            names = holes(op.build_for(written))
            flat = [n for n, v in inputs for _ in (v if isinstance(v, tuple) else (v,))]
            return names.count(flat[index]) > 1
        case ir.Reshape(type=type_):
            return type_.lead
    return False


def _hides(expr: ir.Expr) -> bool:
    """Whether a branch of a choice computes something once for several of its parts."""
    arms = (
        a for e in walk(expr) if isinstance(e, ir.Choose) for a in (e.then, e.orelse)
    )
    return any(shared(arm) is not None for arm in arms)
