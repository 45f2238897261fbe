"""What weights of a model begin as: `init Linear.kernel = normal(0.02), c_proj.kernel = zeros`.

Works on trees, before anything is checked, after blocks as arguments are written out. A layer gets, as if
its author had written it there, the value of the last line that names its weight; a block gets, as parameters,
those of the model that such a value reads, and each call hands them on. From there on both are like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..diagnostics import Diagnostic, Label, did_you_mean
from ..ir.static_functions import STATIC_FUNCTIONS
from ..ops import INITIALIZERS, MODEL_OPS
from ..ops.base import REQUIRED, Kind, Op
from ..record import Record, replace
from ..source import Span
from ..syntax import tree
from ..syntax.walk import names_in, nodes_in, targets
from .definitions.naming import layer_names
from .definitions.patterns import axes_of, with_calls
from .expressions.static_calls import CONSTANTS
from .uses import Files, Known

Path = tuple[str, ...]
_SUFFIX = "_init"


def write_out(files: Files) -> None:
    """Replace the lines `init` of all models by arguments of the layers that they mean."""
    for key, known in [*files.known.items()]:
        lines = [s for s in known.node.body if isinstance(s, tree.Init)]
        if lines and known.node.kind == "model":
            body = tuple(s for s in known.node.body if not isinstance(s, tree.Init))
            known.node = replace(known.node, body=body)
            _Model(files, key).write([i for line in lines for i in line.initials])


def tell_unmet(files: Files) -> None:
    """Tell of lines that no weight follows; a definition with a mistake may have such a weight."""
    wrong = [d.primary.span for d in files.sink.diagnostics]
    for told, bodies in files.unmet:
        if not any(_within(place, body) for place in wrong for body in bodies):
            files.sink.add(told)


def _within(place: Span, body: Span) -> bool:
    return place.source is body.source and body.start <= place.start < body.end


class _Site(Record):
    """A place where a layer or block is constructed: in which definition, under which names."""

    home: str
    names: frozenset[str]


@dataclass(slots=True)
class _Found:
    """What is known of a line: whether it names a weight, and whether some weight begins so."""

    named: bool = False
    applied: bool = False
    refused: bool = False


@dataclass(slots=True)
class _Model:
    """One model with its lines. `parts` are the blocks that it contains, itself first."""

    files: Files
    key: str
    parts: list[str] = field(default_factory=list)
    sites: dict[str, dict[_Site, None]] = field(default_factory=dict)
    reads: dict[str, set[str]] = field(default_factory=dict)
    known: dict[str, None] = field(default_factory=dict)  # weights, as lines name them

    def write(self, initials: Iterable[tree.Initial]) -> None:
        """Write all lines out; a line with a mistake says nothing."""
        lines = [line for line in initials if self._is_sound(line)]
        self._gather()
        found = [_Found() for _ in lines]
        for key in self.parts:
            _Layers(self, key, lines, found).write()
        for line, what in zip(lines, found, strict=True):
            self._told(line, what)
        self._hand_on()

    # -------------------------------------------------------------- the lines

    def _is_sound(self, line: tree.Initial) -> bool:
        """Whether a value reads parameters alone; reported where it does not."""
        model = self.files.known[self.key].node
        params = {p.name for p in model.params}
        for name in names_in(line.value):
            if name.id not in params and name.id not in _KNOWN:
                text = f"`{model.name.id}` has no parameter `{name.id}`"
                advice = did_you_mean(name.span, name.id, [*params, *_KNOWN])
                self.refuse("N200", text, name.span, **advice)
                return False
        return True

    def refuse(self, code: str, text: str, span: Span, **more: Any) -> None:
        """Report a line that is then left out, so that it reads no parameters."""
        self.files.sink.error(code, text, span, **more)
        self.files.unsure.add(self.key)

    def _told(self, line: tree.Initial, found: _Found) -> None:
        nodes = [self.files.known[key] for key in self.parts]
        unsure = self.files.lossy or self.files.missing or found.refused
        if found.applied or unsure or any(k.lossy or k.node.broken for k in nodes):
            return
        path = ".".join(line.path)
        self.files.unsure.add(self.key)
        bodies = tuple(s.span for k in nodes for s in k.node.body)
        if found.named:
            text = f"no weight begins as `{path}` says"
            help = "each says so itself, or a later line does: leave it out"
            told = Diagnostic("N277", text, Label(line.path_span), help=help)
            self.files.unmet.append((told, bodies))
            return
        model = self.files.known[self.key].node.name.id
        whole = len(line.path) > 1  # else a weight of every layer that has such a one
        known = self.known if whole else {n.rpartition(".")[2] for n in self.known}
        advice = did_you_mean(line.path_span, path, known)
        if not advice and self.known:
            advice = {
                "help": "it has " + ", ".join(f"`{n}`" for n in [*self.known][:6])
            }
        text = f"`{model}` has no weight `{path}` that a layer draws"
        told = Diagnostic("N277", text, Label(line.path_span), **advice)
        self.files.unmet.append((told, bodies))

    # ------------------------------------------------------- blocks of a model

    def _gather(self) -> None:
        """The blocks that the model contains, other models and what these contain left out."""
        waiting = [self.key]
        while waiting:
            key = waiting.pop(0)
            if key in self.parts:
                continue
            self.parts.append(key)
            known = self.files.known[key]
            for name, kinds in _constructed(known):
                callee = known.visible.get(kinds[0])
                inner = self.files.known.get(callee or "")
                if callee is None or inner is None or inner.node.kind == "model":
                    continue
                names = frozenset((*kinds, *((name,) if name else ())))
                self.sites.setdefault(callee, {})[_Site(key, names)] = None
                waiting.append(callee)

    def places(self, key: str, path: Path) -> tuple[bool, bool]:
        """Whether some, and whether all, of the places of a block have a path that ends so."""
        if not path:
            return True, True
        found = []
        for site in self.sites.get(key, ()):
            fits = path[-1] in site.names
            found.append(self.places(site.home, path[:-1]) if fits else (False, False))
        return any(some for some, _ in found), all(every for _, every in found)

    def outside(self, key: str) -> Span | None:
        """Where a block stands that is no part of this model."""
        for other, known in self.files.known.items():
            if other in self.parts:
                continue
            for used in names_in(known.node.body):
                if known.visible.get(used.id) == key:
                    return used.span
        return None

    # ----------------------------------------------------- what values read

    def _hand_on(self) -> None:
        """Give each block the parameters that values in it and in its blocks read."""
        todo = [*self.reads]
        while todo:
            key = todo.pop()
            for site in self.sites.get(key, ()) if key != self.key else ():
                held = self.reads.setdefault(site.home, set())
                if not self.reads[key] <= held:
                    held |= self.reads[key]
                    todo.append(site.home)
        for key in self.parts:
            _hand(self.files, key, {k: v for k, v in self.reads.items() if v})
        for key in self.parts[1:]:
            self._take(key, self.reads.get(key, set()))

    def _take(self, key: str, read: set[str]) -> None:
        """Make what values read parameters of a block."""
        known, model = self.files.known[key], self.files.known[self.key].node
        has = {p.name for p in known.node.params}
        if fractions := self.files.fractions.get(self.key, set()) & read:
            self.files.fractions.setdefault(key, set()).update(fractions)
        added = (p for p in model.params if p.name in read - has)
        new = (replace(p, default=None, handed=True, like=p.default) for p in added)
        known.node = replace(known.node, params=(*new, *known.node.params))

    def reads_of(self, line: tree.Initial) -> set[str]:
        """The parameters that a value reads."""
        params = {p.name for p in self.files.known[self.key].node.params}
        return {n.id for n in names_in(line.value)} & params

    def hidden(self, key: str, read: set[str]) -> tuple[str, tree.Name] | None:
        """What means something else in a block, or in one around it: which block, and where."""
        above = [key]
        for inner in above:
            above += [s.home for s in self.sites.get(inner, ()) if s.home not in above]
        for part in above if read else ():
            node = self.files.known[part].node
            for name in _own(node) if part != self.key else ():
                if name.id in read:
                    return node.name.id, name
        return None


def _own(node: tree.Definition) -> Iterator[tree.Name]:
    """The names that a definition gives a meaning itself, axes too."""
    handed = {p.name for p in node.params if p.handed}
    yield from (tree.Name(p.name, p.name_span) for p in node.params if not p.handed)
    yield from (t for s in node.body for t in targets(s))
    types = nodes_in(node.body, tree.TypeOf)
    yield from (n for t in types for n in names_in(t) if n.id not in handed)


_KNOWN = {*INITIALIZERS, *STATIC_FUNCTIONS, *CONSTANTS}


def _constructed(known: Known) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """What a definition constructs: its name where it has one, and how its kind is called."""
    names = _named(known)
    axes = axes_of(known.node)
    funcs = {c.func.span: c.span for c in nodes_in(known.node.body, tree.Call)}
    for name in names_in(known.node.body):
        span = funcs.get(name.span, name.span)
        if name.id not in axes and span in names:
            yield names[span], (name.id, name.span.text)


def _named(known: Known) -> dict[Span, str | None]:
    taken = {p.name for p in known.node.params}
    names = layer_names(known.node.body, taken)
    return {span: name if given else None for span, (name, given) in names.items()}


class _Layers:
    """The layers of one definition, and what lines say of them."""

    def __init__(
        self, model: _Model, key: str, lines: list[tree.Initial], found: list[_Found]
    ) -> None:
        self.model, self.key, self.lines, self.found = model, key, lines, found
        self.home = model.files.known[key]
        self.names = _named(self.home)

    def write(self) -> None:
        """Write into their calls what lines say."""
        self.home.node = with_calls(self.home.node, self._call)

    def _op(self, name: tree.Expr) -> Op | None:
        if not isinstance(name, tree.Name) or name.id in self.home.visible:
            return None
        op = MODEL_OPS.get(name.id)
        return op if op is not None and op.group == "layer" else None

    def _call(self, call: tree.Call) -> tree.Call:
        op = self._op(call.func)
        if op is None or call.span not in self.names:
            return call
        assert isinstance(call.func, tree.Name)
        name = self.names[call.span]
        called = {call.func.id, call.func.span.text, name or call.func.id}
        written = {a.name: a.value for a in call.args if a.name}
        options = self.home.defaults.get(op.name, {})
        given = {n: a.value for n, a in options.items()} | written
        lines = {
            param.name: self._line(param.name, called, name or op.name)
            for param in op.params
            if param.name.endswith(_SUFFIX) and not _is_off(op, param.name, given)
        }
        args = [*call.args]
        for argument, line in lines.items():
            param = op.param(argument)
            # What has no value of its own begins as the other kernels of the layer do.
            follows = param and param.default is None and line is lines["kernel_init"]
            if line is not None and argument not in written and not follows:
                self._reads(line)
                args.append(tree.Arg(argument, line.value, line.path_span))
        return replace(call, args=tuple(args))

    def _reads(self, line: tree.Initial) -> None:
        self.found[[*map(id, self.lines)].index(id(line))].applied = True
        read = self.model.reads_of(line)
        self.model.reads.setdefault(self.key, set()).update(read)

    def _line(self, argument: str, called: set[str], name: str) -> tree.Initial | None:
        """The last line that names the weight of an argument of a layer."""
        weight = tuple(argument.removesuffix(_SUFFIX).split("_"))
        self.model.known[".".join((name, *weight))] = None
        last = None
        for line, found in zip(self.lines, self.found, strict=True):
            path = line.path
            size = min(len(path), len(weight))
            if path[-size:] != weight[-size:]:
                continue
            around = path[:-size]
            if around and around[-1] not in called:
                continue
            some, every = self.model.places(self.key, around[:-1])
            if some and self._refused(line, around, every):
                found.refused = True
            elif some:
                found.named, last = True, line
        return last

    def _refused(self, line: tree.Initial, around: Path, every: bool) -> bool:
        """Report a weight of a block that would begin differently in places of the block."""
        block = self.home.node.name.id
        text = ""
        related: tuple[Label, ...] = ()
        if not every:
            text = f"`{block}` stands elsewhere too, and its weights begin alike"
            help = f"name the block itself: `{block}.{'.'.join(line.path[-2:])}`"
        elif self.key != self.model.key and (at := self.model.outside(self.key)):
            model = self.model.files.known[self.model.key].node.name.id
            text = f"`{block}` is not a part of `{model}` alone"
            related = (Label(at, "it stands here too"),)
            help = "say it at the layer, or by `defaults` of the file"
        elif found := self.model.hidden(self.key, self.model.reads_of(line)):
            owner, name = found
            text = f"`{name.id}` is another in `{owner}`"
            related = (Label(name.span, "this one"),)
            model = self.model.files.known[self.model.key].node.name.id
            help = f"read the model's there, `block {owner}(*{model})`, or rename this"
        if not text:
            return False
        self.model.refuse("N278", text, line.path_span, related=related, help=help)
        return True


def _is_off(op: Op, argument: str, given: Mapping[str, tree.Expr]) -> bool:
    """Whether a layer is written without the weight: `bias=false`."""
    switch = op.param(argument.removesuffix(_SUFFIX).rpartition("_")[2])
    if switch is None or switch.kind is not Kind.BOOL or switch.default is REQUIRED:
        return False
    value = given.get(switch.name)
    if value is None:
        return switch.default is False
    return isinstance(value, tree.Constant) and value.value is False


def _hand(files: Files, key: str, reads: Mapping[str, set[str]]) -> None:
    """Hand on to the blocks that a definition constructs what is read in them."""
    known = files.known[key]
    called = {n: reads[k] for n, k in known.visible.items() if k in reads}
    if not called:
        return

    def handed(call: tree.Call) -> tree.Call:
        func = call.func
        if not isinstance(func, tree.Name) or func.id not in called:
            return call
        given = {a.name for a in call.args}
        names = sorted(called[func.id] - given)
        args = (tree.Arg(n, tree.Name(n, func.span), func.span) for n in names)
        return replace(call, args=(*call.args, *args))

    known.node = with_calls(known.node, handed)
