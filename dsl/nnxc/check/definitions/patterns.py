"""Blocks and layers as arguments: `Stage(Bottleneck, 64)`, `norm = RMSNorm`.

A definition that takes a block is a pattern. Each choice of blocks makes a definition of its own, in
which the block's name stands where the parameter stood; from there on it is like any other. Works
on trees, before anything is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ...diagnostics import did_you_mean, meant, write
from ...ops import MODEL_OPS
from ...record import replace
from ...source import Span
from ...syntax import tree
from ...syntax.walk import changed, names_in, nodes_in
from ..foreign import tables
from ..uses import Files, Known

_ARITHMETIC = ("+", "-", "*", "/", "**")
MOST = 256  # definitions that patterns may make

Chosen = dict[str, tree.Name]
Visible = dict[str, str]
Axes = frozenset[str]


def specialise(
    files: Files, configs: Iterable[tree.Config], visible: Visible
) -> list[tree.Config]:
    """Replace the patterns among the definitions by what is made of them; the configs, likewise."""
    configs = list(configs)
    patterns = Patterns(files)
    patterns.find([c.value for c in configs], visible)
    if not patterns.takes:
        return configs
    for key in patterns.written:
        patterns.settle(key)
    return [replace(c, value=patterns.call(c.value, visible)) for c in configs]


class Patterns:
    """`written` are the definitions as they stand; `takes` are those parameters that are blocks;
    `fractions` those that are given numbers that are not whole."""

    def __init__(self, files: Files):
        self.files, self.written = files, dict(files.known)
        self.takes: dict[str, set[str]] = {}
        self.fractions = files.fractions
        self.axes = {k: axes_of(known.node) for k, known in self.written.items()}
        self.made = 0

    # ---------------------------------------------------------------- finding

    def find(self, calls: Iterable[tree.Call], visible: Visible) -> None:
        """A parameter takes a block where its default or an argument is one."""
        for key, known in self.written.items():
            for param in known.node.params:
                if is_block(param.default):
                    self.takes.setdefault(key, set()).add(param.name)
                if param.default is not None and self._is_fraction(param.default, key):
                    self.fractions.setdefault(key, set()).add(param.name)
        sites = [(call, visible, "") for call in calls]
        for key, known in self.written.items():
            inner = nodes_in(known.node.body, tree.Call)
            sites += [(call, known.visible, key) for call in inner]
        while any(self._learn(*site) for site in sites):
            pass

    def _learn(self, call: tree.Call, visible: Visible, home: str) -> bool:
        """What a call tells about its callee; False where nothing new."""
        key, new = self._key(call, visible), False
        if key is None:
            return False
        known = self.takes.get(home, set())
        fractions = self.fractions.setdefault(key, set())
        for param, arg in bound(self.written[key].node, call):
            if self._is_fraction(arg.value, home) and param.name not in fractions:
                fractions.add(param.name)
                new = True
            passed_on = isinstance(arg.value, tree.Name) and arg.value.id in known
            if is_block(arg.value, self.axes.get(home, frozenset())) or passed_on:
                held = self.takes.setdefault(key, set())
                new |= param.name not in held
                held.add(param.name)
        return new

    def _is_fraction(self, node: tree.Expr, home: str) -> bool:
        """Whether an argument is a number that need not be whole, as far as is written."""
        match node:
            case tree.Number(float()):
                return True
            case tree.Name(name):
                return name in self.fractions.get(home, ())
            case tree.Unary("-", inner):
                return self._is_fraction(inner, home)
            case tree.Binary(op, left, right) if op in _ARITHMETIC:
                parts = (left, right)
                return op == "/" or any(self._is_fraction(p, home) for p in parts)
            case tree.ListOf(items):
                return any(self._is_fraction(item, home) for item in items)
            case tree.IfElse(_, then, orelse):
                return any(self._is_fraction(p, home) for p in (then, orelse))
        return False

    def _key(self, call: tree.Call, visible: Visible) -> str | None:
        func = call.func
        key = visible.get(func.id) if isinstance(func, tree.Name) else None
        return key if key in self.written else None

    # ----------------------------------------------------------------- making

    def settle(self, key: str) -> None:
        """The definition under its own name: with the defaults of what it takes."""
        known = self.written[key]
        chosen = self._defaults(key)
        self._each_used(known.node, key)
        if not self._exist(chosen.values(), known.visible):
            self._lose(key)
        elif self._lacks(key):
            del self.files.known[key]
        else:
            self.files.known[key] = self._made(known, known.node.name.id, chosen)

    def _defaults(self, key: str) -> Chosen:
        params = self.written[key].node.params
        return {
            p.name: p.default
            for p in params
            if p.name in self.takes.get(key, set()) and isinstance(p.default, tree.Name)
        }

    def _made(self, known: Known, name: str, chosen: Chosen) -> Known:
        node = known.node
        axes = axes_of(node)
        changes = {
            tree.Name: lambda name: _put(name, chosen),
            tree.Call: lambda call: self.call(call, known.visible, axes),
        }
        body = changed(node.body, changes)
        for left in names_in(body):
            if self._lacks(known.visible.get(left.id)):
                text = f"`{left.id}` needs a block"
                self._error("N211", text, left.span, f"write `{left.id}(...)`")
        params = tuple(p for p in node.params if p.name not in chosen)
        seen = node.seen - chosen.keys()
        given = replace(node.name, id=name)
        made = replace(node, name=given, params=params, body=body, seen=seen)
        return Known(made, known.defaults, known.visible, known.first, known.lossy)

    def _lacks(self, key: str | None) -> bool:
        """Whether a definition is no definition without an argument."""
        takes = self.takes.get(key or "", set())
        return bool(takes) and not takes <= self._defaults(key or "").keys()

    def _each_used(self, node: tree.Definition, key: str) -> None:
        names = {n.id for n in names_in(node.body)}
        for param in node.params:
            if param.name in self.takes.get(key, set()) - names and not node.broken:
                text = f"parameter `{param.name}` is not used"
                self._error("N260", text, param.name_span, "use it, or remove it")

    def call(
        self, call: tree.Call, visible: Visible, axes: Axes = frozenset()
    ) -> tree.Call:
        """A call without the blocks that it gives, of the definition that they make."""
        key = self._key(call, visible)
        if key is None or key not in self.takes:
            return call
        takes = self.takes[key]
        given = [
            (p, a) for p, a in bound(self.written[key].node, call) if p.name in takes
        ]
        chosen = self._defaults(key)
        for param, arg in given:
            if not is_block(arg.value, axes):
                text = f"`{param.name}` is a block or a layer"
                self._error("N207", text, arg.span, "name one, such as `LayerNorm`")
                return self._lost(call)
            assert isinstance(arg.value, tree.Name)
            chosen[param.name] = arg.value
        missing = next((n for n in sorted(takes) if n not in chosen), None)
        if missing is not None:
            text = f"`{self.written[key].node.name.id}` needs `{missing}`"
            self._error("N211", text, call.span, "a block or a layer, by name")
            return self._lost(call)
        if not self._exist((a.value for _, a in given), visible):
            return self._lost(call)
        args = tuple(a for a in call.args if all(a is not b for _, b in given))
        func = call.func
        if chosen != self._defaults(key):
            assert isinstance(func, tree.Name)
            func = replace(func, id=self._make(key, chosen, visible, call.span))
        return replace(call, func=func, args=args)

    def _make(self, key: str, chosen: Chosen, visible: Visible, span: Span) -> str:
        """The name of the definition that a choice of blocks makes."""
        known = self.written[key]
        usual = self._defaults(key)
        order = [
            chosen[p.name].id
            for p in known.node.params
            if p.name in chosen and chosen[p.name] != usual.get(p.name)
        ]
        name, made = ("".join([*order, n]) for n in (known.node.name.id, key))
        visible[name] = made
        if made not in self.files.known and not self._too_many(span):
            brought = {n: visible[n] for n in order if n in visible}
            inside = replace_visible(known, {**known.visible, **brought})
            self.fractions[made] = self.fractions.get(key, set())
            self.files.known[made] = inside  # a block that contains itself ends here
            self.files.known[made] = self._made(inside, name, chosen)
        return name

    # --------------------------------------------------------------- mistakes

    def _too_many(self, span: Span) -> bool:
        self.made += 1
        if self.made == MOST:
            text = f"blocks as arguments make more than {MOST} definitions"
            self._error("N251", text, span, None)
        return self.made >= MOST

    def _exist(self, names: Iterable[tree.Expr | None], visible: Visible) -> bool:
        """Whether all blocks are known; reported where one is not."""
        fine = True
        for name in names:
            assert isinstance(name, tree.Name)
            op = MODEL_OPS.get(name.id)
            if name.id in visible or (op is not None and op.group == "layer"):
                continue
            fine = False
            if name.id not in self.files.missing:
                known = [*visible, *(n for n in MODEL_OPS if n[:1].isupper())]
                text = f"there is no layer or block `{name.id}`"
                advice = did_you_mean(name.span, name.id, known)
                if constant := tables.CONSTANTS.get(name.id.casefold()):
                    advice = meant(name.span, constant)
                if name.id in ("SAME", "VALID", "CAUSAL"):
                    why = "a text stands in quotes"
                    advice = write(name.span, f'"{name.id.lower()}"', why)
                if not advice:
                    advice = {"help": f"define it: `block {name.id}(...):`"}
                self.files.sink.error("N200", text, name.span, **advice)
        return fine

    def _lost(self, call: tree.Call) -> tree.Call:
        """After a mistake nothing more is said about a call."""
        assert isinstance(call.func, tree.Name)
        self.files.missing.add("?")
        return replace(call, func=replace(call.func, id="?"))

    def _lose(self, key: str) -> None:
        self.files.missing.add(self.written[key].node.name.id)
        del self.files.known[key]

    def _error(self, code: str, message: str, span: Span, help: str | None) -> None:
        self.files.sink.error(code, message, span, help=help)


def replace_visible(known: Known, visible: Visible) -> Known:
    """The same definition where other names are known."""
    return Known(known.node, known.defaults, visible, known.first, known.lossy)


def is_block(node: tree.Expr | None, axes: Axes = frozenset()) -> bool:
    """Whether an argument is the name of a block or layer, not that of an axis."""
    return isinstance(node, tree.Name) and node.id[:1].isupper() and node.id not in axes


def axes_of(node: tree.Definition) -> Axes:
    """The names that stand in the shapes of a definition's inputs."""
    fields = (s.fields for s in node.body if isinstance(s, tree.Declare))
    return frozenset(n.id for f in fields for n in names_in(f))


def bound(
    node: tree.Definition, call: tree.Call
) -> Iterator[tuple[tree.Parameter, tree.Arg]]:
    """Which parameter each argument of a call is for; inputs left out."""
    by_name = {p.name: p for p in node.params}
    order = [p for p in node.params if not p.handed]
    for position, arg in enumerate(call.args):
        if arg.name is None and position < len(order):
            yield order[position], arg
        elif arg.name in by_name:
            yield by_name[arg.name], arg


def with_calls(
    node: tree.Definition, change: Callable[[tree.Call], tree.Call]
) -> tree.Definition:
    """The definition with each call changed, that of a name alone too: `x -> LayerNorm`."""
    funcs = {c.func.span for c in nodes_in(node.body, tree.Call)}
    axes = axes_of(node)

    def bare(name: tree.Name) -> tree.Expr:
        if name.span in funcs or name.id in axes:
            return name
        call = tree.Call(name, (), name.span)
        made = change(call)
        return name if made == call else made

    return replace(node, body=changed(node.body, {tree.Call: change, tree.Name: bare}))


def _put(name: tree.Name, chosen: Mapping[str, tree.Name]) -> tree.Name:
    return replace(name, id=chosen[name.id].id) if name.id in chosen else name
