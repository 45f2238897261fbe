"""The constructor of a class: layers, weights, checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.fold_static import givens
from ...record import replace
from ..calls.carried import together
from ..calls.reads import not_grown, only_declares, possible
from ..options import Options
from ..python.kept_at_once import kept_at_once
from ..python.line_uses import Field, Use
from ..python.loops import beside, source
from ..python.prune import prune
from ..python.static_text import as_size, static
from ..python.suites import If, Line, Loop, Node, all_uses, comprehend
from ..signature import DTYPES, Names, Signature
from .begun import Begun
from .class_choice import ClassChoices, chosen
from .columns import Columns
from .ctor_names import ConstructorNames
from .dtype_arguments import DtypeArguments
from .guards import guarded
from .layer_calls import LayerCalls
from .layer_classes import Kinds
from .requires import Checks
from .variables import variable

_LOCAL = 2  # a field of the Config read so often gets a local name; a dtype, once more
_ROOM = 80
OWN_DTYPE = (
    "the model's own"  # what a class keeps of its dtype, among the names of a spec
)


def constructor(
    signature: Signature, names: Names, stores: Mapping[str, str], options: Options
) -> list[Node]:
    """The body of `__init__`. `stores` are the static values that calls need: name -> attribute."""
    known = ConstructorNames(signature, names)
    body = guarded(signature, names.signatures)
    written = _Constructor(known, stores, options).body(body)
    counts = Counter(u.name for u in all_uses(written) if isinstance(u, Field))
    local = "dtype" if signature.precision else ""
    common = sorted(counts, key=lambda field: (field in DTYPES, -counts[field]))
    often = [f for f in common if counts[f] >= _LOCAL + (f in DTYPES) and f != local]
    order = [*signature.arguments.values(), *DTYPES]
    while len(line := _unpacked([f for f in order if f in often])) > _ROOM:
        often.pop()
    if not often:
        return written
    known = ConstructorNames(signature, names, frozenset(often))
    return [Line(line), *_Constructor(known, stores, options).body(body)]


def _unpacked(fields: Sequence[str]) -> str:
    values = ", ".join(f"cfg.{field}" for field in fields)
    return f"{', '.join(fields)} = {values}"


class _Constructor:
    """Writes the statements of one constructor."""

    def __init__(
        self, names: ConstructorNames, stores: Mapping[str, str], options: Options
    ):
        self.names, self.scope, self.signature = names, names.scope, names.signature
        self.stores = stores
        self.holders: dict[str, str] = {}
        self.begun = Begun(self.scope, names.namespace)
        self.checks = Checks(names)
        self.depth = 1  # of regions: the class, the constructor, and what stands in it
        self.annotated: set[str] = set()
        self.kinds = Kinds(names.module, options)
        self.columns = Columns(
            self.signature.definition, self.scope, names.local, names.knows
        )
        self.dtypes = DtypeArguments(names)
        self.layers = LayerCalls(names, self.dtypes, options)
        self.classes = ClassChoices(names)

    def body(self, body: Sequence[ir.Stmt]) -> list[Node]:
        """The statements, pruned."""
        first, rest = self.checks.own(body)
        if self.signature.config:
            first = []  # it has checked itself
        made = [*first, *self._stores(), *self._all(rest), *self._sizes()]
        nodes = [*self.dtypes.lines(), *made]
        return comprehend(kept_at_once(prune(nodes, set())))

    # ---------------------------------------------------------- statements

    def _stores(self) -> Iterator[Node]:
        arguments = self.signature.arguments
        for name, attribute in self.stores.items():
            if name in arguments:
                yield self._line(f"self.{attribute} = ", ir.Ref(name))
        if OWN_DTYPE in self.stores:
            with self.scope.recording() as uses:
                text = self.dtypes.given("dtype")
            yield Line(f"self.dtype = {text}", tuple(uses))

    def _sizes(self) -> Iterator[Node]:
        """What others read."""
        for dim, attribute in self.signature.sizes.items():
            line = self._line(f"self.{attribute} = ", ir.Size(dim))
            name = self.names.env.get(dim.name or "")
            yield line if name is None else self._kept(f"self.{attribute}", name)

    def _line(self, start: str, value: ir.Static) -> Line:
        with self.scope.recording() as uses:
            text = static(value, self.scope).text
        return Line(start + text, tuple(uses))

    def _all(self, body: Iterable[ir.Stmt]) -> list[Node]:
        self.depth += 1
        with self.begun.inside():
            nodes = [node for stmt in body for node in self._statement(stmt)]
        self.depth -= 1
        return nodes

    def _statement(self, stmt: ir.Stmt) -> list[Node]:
        match stmt:
            case ir.Declare(layer):
                return [self._make(layer)]
            case ir.Variable():
                lines, variable = self.begun.lines(stmt)
                return [*lines, self._make(variable)]
            case ir.StaticLet():
                return self._let(stmt)
            case ir.Require():
                return self.checks.lines(stmt, self.depth, once=not self.holders)
            case ir.For():
                return self._for(stmt)
            case ir.Scan():
                return self._all(stmt.body)
            case ir.If():
                return self._if(stmt)
            case ir.NewList() | ir.Append() | ir.Pop() | ir.Total():
                return self.columns.lines(stmt)
            case ir.Computes():
                return []
            case _:
                assert_never(stmt)

    def _let(self, stmt: ir.StaticLet) -> list[Node]:
        if not self.names.constructible(stmt.value):
            return []
        with self.scope.recording() as uses:
            text = static(stmt.value, self.scope).text
        name = self.names.local(stmt.name)
        dim = as_size(stmt.value)
        if dim is not None and dim.value is None and dim.name is None:
            self.scope.sizes.setdefault(dim, stmt.name)
        bound = frozenset((name,))
        nodes: list[Node] = [
            Line(f"{name} = {text}", tuple(uses), bound, gives=(name, text))
        ]
        if stmt.name in self.stores and not self.holders:
            nodes.append(self._kept(f"self.{self.stores[stmt.name]}", name))
        return nodes

    def _kept(self, attribute: str, name: str) -> Line:
        return Line(f"{attribute} = {name}", (name,), keeps=(attribute, name))

    # -------------------------------------------------------------- layers

    def _make(self, item: ir.Layer | ir.Variable) -> Line:
        with self.scope.recording() as uses:
            text = self._text(item)
        begun = self.begun.uses(item.init) if isinstance(item, ir.Variable) else ()
        return self._keep(item.name, text, (*uses, *begun))

    def _keep(
        self, name: str, text: str, uses: tuple[Use, ...], annotation: str = ""
    ) -> Line:
        if name in self.holders:
            holder = self.holders[name]
            line = f"{holder}.append({text})"
            return Line(line, (*uses, holder), append=(holder, text))
        return Line(
            f"self.{self.signature.attributes[name]}{annotation} = {text}", uses
        )

    def _text(self, item: ir.Layer | ir.Variable) -> str:
        if isinstance(item, ir.Variable):
            if item.type.dtype == "float" and not item.state:
                self.dtypes.given("param_dtype")
            return variable(item, self.kinds.of(item), self.scope)
        if isinstance(item.callee, str):
            self._learn(item)
        return self.layers.text(item)

    def _learn(self, layer: ir.Layer) -> None:
        """Where to read the sizes that a block has found."""
        sizes = self.names.module.signatures[str(layer.callee)].sizes
        place = f"self.{self.signature.attributes[layer.name]}"
        if layer.name in self.holders:
            place = f"{self.holders[layer.name]}[-1]"
        for dim, name in layer.gives:
            if dim in sizes:
                self.names.env[name] = f"{place}.{sizes[dim]}"

    # --------------------------------------------------- loops, conditions

    def _for(self, stmt: ir.For) -> list[Node]:
        entries = self.names.entries(stmt)
        with self.scope.recording():
            over = source(stmt.iterable, len(stmt.targets), self.scope)
            over = beside(over, entries.values(), self.scope)
        carried = [c for c in stmt.carried if self.names.constructible(c.entry)]
        start = self._carry([(c.symbol, c.entry) for c in carried])
        targets = tuple(self.names.local(name) for name in stmt.targets)
        with (
            self.classes.loop() as chosen,
            self._lists(stmt) as (makes, keeps),
            self.scope.region(),
        ):
            self.scope.sizes |= {entry: own for entry, (_, own) in entries.items()}
            body = self._all(stmt.body)
            followed = self._followed(carried)
            body += self._carry([(c.symbol, c.next) for c in followed])
        if len(followed) < len(carried):
            start = self._carry([(c.symbol, c.entry) for c in followed])
        loop = Loop(targets, over, (), tuple(body))
        return [*start, *chosen, *makes, loop, *keeps]

    def _followed(self, carried: list[ir.Carried]) -> list[ir.Carried]:
        """The values whose next ones are known here too."""
        while lost := [c for c in carried if not self.names.constructible(c.next)]:
            for size_ in lost:
                self.names.env.pop(size_.symbol, None)
            carried = [c for c in carried if c not in lost]
        return carried

    def _carry(self, values: Sequence[tuple[str, ir.Static]]) -> list[Line]:
        return together(values, self.scope, self.names.local)

    @contextmanager
    def _lists(self, stmt: ir.For) -> Iterator[tuple[list[Line], list[Line]]]:
        """Within, what is declared goes to lists: lines that make them, and that keep inner ones."""
        outer = self.holders
        names = list({item.name: None for item in declared(stmt.body)})
        inner: dict[str, str] = {}
        makes, keeps = [], []
        for name in names:
            attribute = self.signature.attributes[name]
            holder = (
                self.names.namespace.give(attribute)
                if name in outer
                else f"self.{attribute}"
            )
            inner[name] = holder
            kind = self.kinds.in_list(name, stmt.body)
            makes.append(
                Line(
                    f"{holder} = nnx.List[{kind}]()",
                    (),
                    frozenset((holder,)),
                    makes=holder,
                )
            )
            if name in outer:
                text = f"{outer[name]}.append({holder})"
                keeps.append(
                    Line(text, (holder, outer[name]), append=(outer[name], holder))
                )
        self.holders = {**outer, **inner}
        yield makes, keeps
        self.holders = outer

    def _if(self, stmt: ir.If) -> list[Node]:
        if givens(stmt.condition):
            return self._at_call(stmt)
        if not self.names.constructible(stmt.condition):
            return self._all((*stmt.then, *stmt.orelse))
        arms = only_declares(stmt.then), only_declares(stmt.orelse)
        if arms[0] is not None and arms[1] is not None:
            return self._ternaries(stmt, arms[0], arms[1])
        return self._branches(stmt)

    def _at_call(self, stmt: ir.If) -> list[Node]:
        """Both sides of what the call decides, each where it can be taken at all. Lists grow alike
        on both, hence once."""
        grown = {s.name for s in statements(stmt.then) if isinstance(s, ir.Append)}
        nodes: list[Node] = []
        for holds, body in (True, stmt.then), (False, not_grown(stmt.orelse, grown)):
            when = possible(stmt.condition, holds)
            if when is None or not self.names.constructible(when):
                nodes += self._all(body)
            else:
                nodes += self._if(replace(stmt, condition=when, then=body, orelse=()))
        return nodes

    def _ternaries(
        self,
        stmt: ir.If,
        then: Mapping[str, ir.Layer | ir.Variable],
        orelse: Mapping[str, ir.Layer | ir.Variable],
    ) -> list[Node]:
        nodes: list[Node] = []
        for name in dict.fromkeys([*then, *orelse]):
            with self.scope.recording() as uses:
                condition, positive = stmt.condition, name in then
                if not positive:
                    condition = ir.StaticUnary("not", condition)
                sides = [then[name] if positive else orelse[name]]
                sides += [orelse[name]] if positive and name in orelse else []
                texts = [*map(self._text, sides), "None"][:2]
                one = self.classes.of(condition, sides, texts)
                text = one.text if one else chosen(condition, texts, self.scope)
            if one:
                nodes += one.lines
                uses.append(one.name)
            kinds = self.kinds.possible(name, (stmt,))
            new = len(kinds) > 1 and "None" not in kinds and name not in self.annotated
            annotation = f": {' | '.join(kinds)}" if new else ""
            nodes.append(self._keep(name, text, tuple(uses), annotation))
        return nodes

    def _branches(self, stmt: ir.If) -> list[Node]:
        with self.scope.recording() as uses:
            condition = static(stmt.condition, self.scope).text
        names = list({item.name: None for item in declared((stmt,))})
        free = [n for n in names if n not in self.holders and n not in self.annotated]
        annotations = [self._annotate(name, stmt) for name in free]
        then, orelse = self._branch(stmt.then, names), self._branch(stmt.orelse, names)
        return [
            *annotations,
            If(condition, tuple(then), tuple(orelse), tuple(uses)),
        ]

    def _annotate(self, name: str, stmt: ir.If) -> Line:
        kinds = " | ".join(self.kinds.possible(name, (stmt,)))
        self.annotated.add(name)
        return Line(f"self.{self.signature.attributes[name]}: {kinds}")

    def _branch(self, body: Sequence[ir.Stmt], names: Sequence[str]) -> list[Node]:
        here = {item.name for item in declared(body)}
        missing = [self._keep(n, "None", ()) for n in names if n not in here]
        with self.scope.region(), self.checks.region():
            return [*self._all(body), *missing]
