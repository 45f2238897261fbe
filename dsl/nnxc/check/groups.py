"""Parameters of a model that its blocks read by name: `block Attention(*Llama, bias):`.

Works on trees, before anything is checked. A block gets as parameters those of the model that it, or a
block with the same group that it applies, mentions; each call hands them on by name. From there on the
block is like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ..diagnostics import Label, did_you_mean
from ..record import Record, replace
from ..source import Span
from ..syntax import tree
from ..syntax.walk import mentioned, names_in, nodes_in, targets
from .definitions.patterns import axes_of, bound, is_block, with_calls
from .uses import Files

_STARRED = re.compile(r"(?m)^block \w+\([^)\n]*\*")


class Group(Record):
    """What a block reads: the key and the name of its model, and that model's parameters."""

    key: str
    model: str
    params: Mapping[str, tree.Parameter]
    place: Span


Groups = dict[str, Group]  # by the keys of the blocks


def hand_on(files: Files, configs: Iterable[tree.Config]) -> None:
    """Give each block with a group the parameters that it needs, and each call of it their values."""
    for key, known in files.known.items():
        if known.lossy and _STARRED.search(known.node.span.source.text):
            files.unsure.add(key)  # a block that is lost may read its parameters
    groups = {k: g for k in [*files.known] if (g := _group(files, k))}
    if not groups:
        return
    _as_arguments(files, groups, configs)
    needs = _needed(files, groups)
    nodes = {k: _Calls(files, k, groups, needs).done() for k in files.known}
    for key, group in groups.items():
        if nodes[key].broken:
            files.unsure.add(group.key)
        elif not needs[key]:
            files.unread[key] = group.place, group.model
        own = {p.name for p in nodes[key].params}
        handed = (
            replace(p, default=None, handed=True, like=p.default)
            for name, p in group.params.items()
            if name in needs[key] and name not in own
        )
        params = (*handed, *nodes[key].params)
        plain = (n for n, p in group.params.items() if not is_block(p.default))
        seen = frozenset(plain)
        nodes[key] = replace(nodes[key], params=params, seen=seen)
    for key, node in nodes.items():
        files.known[key].node = node


def tell_unread(files: Files) -> None:
    """Tell of groups that nothing is read of; a block with a mistake may mean to."""
    told = [d.primary.span for d in files.sink.diagnostics]
    for key, (place, model) in files.unread.items():
        body = files.known[key].node.body if key in files.known else ()
        end = max((stmt.span.end for stmt in body), default=place.end)
        inside = (s.source is place.source and place.end <= s.start < end for s in told)
        if not any(inside):
            text = f"no parameter of `{model}` is read"
            files.sink.error("N260", text, place, help="leave it out")


def _refuse(files: Files, message: str, span: Span, label: str, help: str) -> None:
    files.sink.error("N276", message, span, label, help=help)


def _lose(files: Files, key: str) -> None:
    """Leave a definition out of the spec, without a further word."""
    known = files.known.pop(key)
    files.missing.add(known.node.name.id)
    files.unsure.update(known.visible.values())


# ---------------------------------------------------------------- what is read


def _group(files: Files, key: str) -> Group | None:
    """The group of a definition. One that has a mistake in it is left out of the spec."""
    node = files.known[key].node
    if not node.groups:
        return None
    first, *others = node.groups
    model = files.known[key].visible.get(first.model.id)
    if node.kind == "model":
        text = "a model has parameters of its own"
        help = "leave it out: a block reads those of the model that it is part of"
        _refuse(files, text, first.span, "", help)
    elif others:
        text = "a block reads the parameters of one model"
        _refuse(files, text, others[0].span, "", "leave one out")
    elif model not in files.known:
        _unknown(files, key, first.model)
    elif files.known[model].node.kind != "model":
        text = f"`{first.model.id}` is a block"
        help = "name the model that the block is part of"
        files.sink.error("N274", text, first.model.span, help=help)
    else:
        lent = files.known[key].lent
        own = files.known[model].node.params
        params = {p.name: p for p in own if lent is None or p.name in lent.names}
        if _hidden(files, node, first.model.id, params):
            files.unsure.add(model)
        return Group(model, files.known[model].node.name.id, params, first.span)
    _lose(files, key)
    return None


def _unknown(files: Files, key: str, name: tree.Name) -> None:
    known = files.known[key]
    if known.lossy or name.id in files.missing:
        return
    nodes = {
        n: files.known[k].node for n, k in known.visible.items() if k in files.known
    }
    models = [n for n, node in nodes.items() if node.kind == "model"]
    define = f"define it: `model {name.id}(...):`"
    advice = did_you_mean(name.span, name.id, models, define)
    files.sink.error("N200", f"there is no model `{name.id}`", name.span, **advice)


def _hidden(
    files: Files,
    node: tree.Definition,
    model: str,
    params: Mapping[str, tree.Parameter],
) -> bool:
    """Whether a name of the block's own is that of one of the model's parameters: a mistake."""
    own = {name.id: name.span for name in reversed([*_own_names(node)])}
    both = own.keys() & params.keys()
    for name in both:
        text = f"`{name}` is a parameter of `{model}`"
        label = Label(params[name].name_span, "which the block reads")
        help = "give it another name"
        files.sink.error("N202", text, own[name], related=(label,), help=help)
    return bool(both)


def _own_names(node: tree.Definition) -> Iterator[tree.Name]:
    """What a definition gives a meaning itself: its parameters, inputs, values, counters."""
    yield from (tree.Name(p.name, p.name_span) for p in node.params)
    yield from (t for s in node.body for t in targets(s))
    yield from (t for loop in nodes_in(node.body, tree.For) for t in loop.targets)


def reads(node: tree.Definition) -> set[str]:
    """The names that a block reads, not those of streams and of outputs; and its own, so that one
    that hides another is told as such."""
    body = node.body
    streams = [n for r in nodes_in(body, tree.Rngs) for n in r.names]
    drawn = [a.value for a in nodes_in(body, tree.Arg) if a.name == "rng"]
    outputs = [n for r in nodes_in(body, tree.Return) for n in r.names]
    other = {name.span for name in names_in((*streams, *drawn, *outputs))}
    read = {name.id for name in names_in(body) if name.span not in other}
    return read | {name.id for name in _own_names(node)}


def _needed(files: Files, groups: Groups) -> dict[str, set[str]]:
    """What each block reads, itself and through others of its group."""
    needs = {k: reads(files.known[k].node) & {*g.params} for k, g in groups.items()}
    inner = {k: _inside(files, k, groups) for k in groups}
    while True:
        more = {k: needs[k].union(*(needs[i] for i in inner[k])) for k in groups}
        if more == needs:
            return needs
        needs = more


def _inside(files: Files, key: str, groups: Groups) -> list[str]:
    """The blocks of its group that a block applies."""
    visible = files.known[key].visible
    keys = {visible.get(n) for n in mentioned(files.known[key].node.body)}
    return [k for k, g in groups.items() if k in keys and g.key == groups[key].key]


# -------------------------------------------------------------- what is handed


def _as_arguments(files: Files, groups: Groups, configs: Iterable[tree.Config]) -> None:
    """A block with a group is applied by its name, where the model's parameters are known."""
    places = [(k.node, k.visible, axes_of(k.node)) for k in files.known.values()]
    main = next(iter(files.visible.values()))
    for node, visible, axes in (*places, *((c, main, frozenset()) for c in configs)):
        values: list[tree.Expr | None] = [a.value for a in nodes_in(node, tree.Arg)]
        values += [p.default for p in nodes_in(node, tree.Parameter)]
        for value in values:
            if isinstance(value, tree.Name) and value.id not in axes:
                key = visible.get(value.id, "")
                if key in groups:
                    _as_argument(files, value, groups.pop(key))
                    _lose(files, key)


def _as_argument(files: Files, name: tree.Name, group: Group) -> None:
    text = f"`{name.id}` reads the parameters of `{group.model}`"
    help = "give it parameters of its own: a block that is handed on has no others"
    _refuse(files, text, name.span, "it cannot be handed on", help)


class _Calls:
    """What a definition applies, with what is handed on to it."""

    def __init__(
        self, files: Files, key: str, groups: Groups, needs: Mapping[str, set[str]]
    ) -> None:
        self.files, self.key = files, key
        self.groups, self.needs = groups, needs
        visible = files.known[key].visible
        self.node = files.known[key].node
        self.called = {n: k for n, k in visible.items() if k in groups}
        self.model = groups[key].key if key in groups else key

    def done(self) -> tree.Definition:
        """The definition with all its calls complete."""
        if not self.called:
            return self.node
        return with_calls(self.node, self._call)

    def _call(self, call: tree.Call) -> tree.Call:
        func = call.func
        key = self.called.get(func.id) if isinstance(func, tree.Name) else None
        if key is None:
            return call
        assert isinstance(func, tree.Name)
        group = self.groups[key]
        if group.key != self.model:
            return self._elsewhere(call, func, group)
        callee = self.files.known[key].node
        given = {param.name for param, _ in bound(callee, call)}
        args = [a for a in call.args if not self._by_hand(a, func, group, given)]
        names = [n for n in group.params if n in self.needs[key] and n not in given]
        at = func.span
        args += [tree.Arg(name, tree.Name(name, at), at) for name in names]
        return replace(call, args=tuple(args))

    def _by_hand(
        self, arg: tree.Arg, func: tree.Name, group: Group, own: set[str]
    ) -> bool:
        if arg.name not in group.params or arg.name in own:
            return False
        text = f"`{func.id}` reads `{arg.name}` of `{group.model}` itself"
        _refuse(self.files, text, arg.span, "", "leave it out")
        return True

    def _elsewhere(self, call: tree.Call, name: tree.Name, group: Group) -> tree.Call:
        home = self.node.name.id
        text = f"`{name.id}` reads the parameters of `{group.model}`"
        help = f"apply it in `{group.model}` alone, or in a block with `*{group.model}`"
        visible = self.files.known[self.key].visible.values()
        if self.node.kind == "block" and not self.node.groups:
            whole = group.model if group.key in visible else "Model"
            help = f"make `{home}` a part of its model: `block {home}(*{whole})`"
        _refuse(self.files, text, name.span, f"`{home}` is no part of it", help)
        self.files.missing.add("?")
        self.files.unsure |= {group.key, self.key, self.model, *visible}
        return replace(call, func=replace(name, id="?"))
