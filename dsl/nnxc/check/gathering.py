"""What flows through a stack or a loop, in a list: `*states, x = x -> Layer(mask=mask) * n`.

Works on trees, before anything is checked. Such a line is written out as the loop that it stands for:

    states = []
    for i in range(n):
        states.append(x)
        x = x -> Layer(mask=mask)

All layers are handed the same: what must not be computed again for each, or hangs on `x`, is named
ahead of the loop. In a `for` of its own, `*states, x = ...` is the last two of these lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from ..ops import MODEL_OPS
from ..record import Record, replace
from ..source import Span
from ..syntax import tree
from ..syntax.walk import Body, bodies, mentioned, nodes_in
from .uses import Files, Known


def write_out(files: Files) -> None:
    """Write out such lines in all definitions."""
    for known in files.known.values():
        if any(a.gathers for a in nodes_in(known.node.body, tree.Assign)):
            body = _Writer(files, known).body(known.node.body)
            known.node = replace(known.node, body=body)


class Stack(Record):
    """`layer * count`, with the name of its layers, and what flows into it."""

    source: tree.Expr
    layer: tree.Name | tree.Call
    count: tree.Expr
    named: tree.Named | None
    span: Span


def stack_of(node: tree.Assign) -> Stack | None:
    """The stack at the end of the arrows, where one value goes into it and one list is asked for."""
    match node:
        case tree.Assign((tree.Name(),), "=", tree.Pipe(source, (*before, last))):
            pass
        case _:
            return None
    named = last.value if isinstance(last.value, tree.Named) else None
    match named.value if named else last.value:
        case tree.Binary("*", tree.Name(kind) as layer, count) if kind[:1].isupper():
            made: tree.Name | tree.Call = layer
        case tree.Binary("*", tree.Call(tree.Name(kind)) as call, count) if kind[
            :1
        ].isupper():
            made = call
        case _:
            return None
    if before:
        start = source.span.to(before[-1].span)
        source = replace(node.value, stages=tuple(before), span=start)
    return Stack(source, made, count, named, last.span)


class _Writer:
    """Writes out the lines of one definition."""

    def __init__(self, files: Files, known: Known) -> None:
        self.files, self.known = files, known
        params = {p.name for p in known.node.params}
        self.taken = {*mentioned(known.node), *params, *self._of_model()}

    def body(self, body: Body) -> Body:
        """Statements, those inside of others too."""
        return tuple(one for stmt in body for one in self._statement(stmt))

    def _of_model(self) -> Iterator[str]:
        """The parameters of the model that the definition reads."""
        for group in self.known.node.groups:
            key = self.known.visible.get(group.model.id)
            if key in self.files.known:
                yield from (p.name for p in self.files.known[key].node.params)

    def _statement(self, stmt: tree.Statement) -> Iterator[tree.Statement]:
        match stmt:
            case tree.Assign(gathers=tree.Name() as name) if stack := stack_of(stmt):
                yield from self._loop(stmt, name, stack)
            case tree.For():
                for name in dict.fromkeys(_kept(stmt.body)):
                    yield _begun(name)
                yield replace(stmt, body=self.body(tuple(_appending(stmt.body))))
            case tree.Scan():
                yield replace(stmt, body=self.body(stmt.body))
            case tree.If():
                then, orelse = self.body(stmt.then), self.body(stmt.orelse)
                yield replace(stmt, then=then, orelse=orelse)
            case _:
                yield stmt

    def _loop(
        self, stmt: tree.Assign, name: tree.Name, stack: Stack
    ) -> Iterator[tree.Statement]:
        (x,), span = stmt.targets, stmt.span
        layer: tree.Expr = stack.layer
        if isinstance(layer, tree.Call):
            ahead, args = self._handed(layer, x.id)
            yield from ahead
            layer = replace(layer, args=args)
        if stack.named:
            layer = replace(stack.named, value=layer)
        if stack.source != x:
            yield tree.Assign((x,), "=", stack.source, span)
        yield _begun(name)
        step = tree.Pipe(x, (tree.Stage(layer, span=stack.span),), span=stmt.value.span)
        body: Body = (_append(name, x, span), tree.Assign((x,), "=", step, span))
        place = stack.count.span
        times = tree.Call(
            tree.Name("range", place), (tree.Arg(None, stack.count, place),), place
        )
        yield tree.For((tree.Name(self._free("i"), place),), times, body, span)

    def _handed(
        self, call: tree.Call, flowing: str
    ) -> tuple[list[tree.Assign], tuple[tree.Arg, ...]]:
        """What the layers get besides what flows: names for it, and the arguments."""
        ahead: list[tree.Assign] = []
        args: list[tree.Arg] = []
        params = self._params(call)
        for arg in call.args:
            changes = _computes(arg.value) or flowing in mentioned(arg.value)
            if arg.name and arg.name not in params and changes:
                at = arg.value.span
                own = self._calls_alone(arg.name, arg.value)
                name = tree.Name(arg.name if own else self._free(arg.name), at)
                ahead.append(tree.Assign((name,), "=", arg.value, at))
                arg = replace(arg, value=name)
            args.append(arg)
        return ahead, tuple(args)

    def _params(self, call: tree.Call) -> Set[str]:
        """The parameters of what is stacked: all other arguments are tensors."""
        assert isinstance(call.func, tree.Name)
        known = self.files.known.get(self.known.visible.get(call.func.id, ""))
        if known is not None:
            return {p.name for p in known.node.params}
        op = MODEL_OPS.get(call.func.id)
        return {p.name for p in op.params} if op else {a.name or "" for a in call.args}

    def _calls_alone(self, name: str, value: tree.Expr) -> bool:
        """Whether a name is that of a function which a value calls, and nothing else does."""
        named = [n for n in nodes_in(self.known.node.body, tree.Name) if n.id == name]
        calls = nodes_in(value, tree.Call)
        return len(named) == 1 and any(c.func == named[0] for c in calls)

    def _free(self, name: str) -> str:
        """A name that means nothing in the definition."""
        number, free = 1, name
        while free in self.taken:
            number += 1
            free = f"{name}_{number}"
        self.taken.add(free)
        return free


def _kept(body: Body) -> Iterator[tree.Name]:
    """The lists in which lines of a loop, however deep inside, keep what they change."""
    for stmt in body:
        match stmt:
            case tree.Assign(gathers=tree.Name() as name) if not stack_of(stmt):
                yield name
            case tree.For() | tree.If():
                yield from (name for body in bodies(stmt) for name in _kept(body))


def _appending(body: Body) -> Iterator[tree.Statement]:
    """The lines of a loop, those that keep what they change written out."""
    for stmt in body:
        match stmt:
            case tree.Assign((first, *_), gathers=tree.Name() as name) if not stack_of(
                stmt
            ):
                yield _append(name, first, stmt.span)
                yield replace(stmt, gathers=None)
            case tree.For():
                yield replace(stmt, body=tuple(_appending(stmt.body)))
            case tree.If():
                then, orelse = (tuple(_appending(body)) for body in bodies(stmt))
                yield replace(stmt, then=then, orelse=orelse)
            case _:
                yield stmt


def _begun(name: tree.Name) -> tree.Assign:
    """`name = []`."""
    return tree.Assign((name,), "=", tree.ListOf((), name.span), name.span)


def _append(name: tree.Name, value: tree.Name, span: Span) -> tree.Evaluate:
    """`name.append(value)`."""
    append = tree.Attribute(name, "append", name.span, name.span)
    arg = tree.Arg(None, value, value.span)
    return tree.Evaluate(tree.Call(append, (arg,), name.span), span)


def _computes(value: tree.Expr) -> bool:
    """Whether a value may be another each time that it is computed."""
    kinds = tree.Call, tree.Pipe, tree.Branch
    return any(True for kind in kinds for _ in nodes_in(value, kind))
