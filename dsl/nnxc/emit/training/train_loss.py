"""The body of `loss_fn`: calls of the model, what the spec computes from them, the loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ... import ir
from ...dims import Dim
from ...ir.fold_statements import expressions
from ...ir.fold_tensors import operands as children
from ...ir.fold_tensors import placeless, rebuilt, walk
from ...ir.liveness import live_through, reads
from ...record import Record, replace
from ...shapes import ListType, TensorType
from ..calls.call_axes import axis_texts, source_in
from ..calls.expr import render
from ..python import text as t
from ..python.names import Namespace
from ..python.scope import Callee, Scope
from ..python.static_text import static
from ..signature import Names, Signature
from .train_frozen import FrozenView
from .train_select import attribute_path

_WIDTH = 84  # of a statement inside a function
UNREAD = "_"


class Loss(Record):
    """`lines` compute; `result` is the text of the loss, `metrics` that of a dict."""

    lines: tuple[str, ...]
    result: str
    metrics: str
    stored: tuple[tuple[str, str], ...]  # parameters that are read from models


class UnknownSize(KeyError):
    """No tensor at hand has the size as an axis."""


def loss_body(
    train: ir.Train,
    goal: ir.Objective,
    names: Names,
    batch: Mapping[str, str],
    frozen: Mapping[str, FrozenView],
    taken: Namespace,
) -> Loss:
    """Lay out an objective's expressions. `batch` names the fields; `taken` gives local names."""
    return _Body(train, goal, names, batch, frozen, taken).loss()


def weight_text(
    train: ir.Train,
    goal: ir.Objective,
    names: Names,
    batch: Mapping[str, str],
    taken: Namespace,
) -> str | None:
    """What a batch weighs where several make a step, over its fields; None where all weigh alike."""
    if goal.weight is None:
        return None
    body = _Body(train, goal, names, batch, {}, taken)
    return render(goal.weight, body.scope)


class _Body:
    def __init__(
        self,
        train: ir.Train,
        goal: ir.Objective,
        names: Names,
        batch: Mapping[str, str],
        frozen: Mapping[str, FrozenView],
        taken: Namespace,
    ):
        self.train, self.goal, self.taken = train, goal, taken
        self.names = names
        signature = self.signature = names.signatures[train.model]
        self.values = dict(batch)
        self.types: dict[str, ir.Type] = {}
        self.lines: list[str] = []
        self.statics: dict[str, str] = {}
        self.stored: list[tuple[str, str]] = []
        self.frozen = frozen
        self.calls: list[tuple[ir.Expr, str]] = []
        self.told: dict[str, list[Dim]] = {}  # tensor -> sizes that are read from it
        self.whole: set[str] = set()  # names of what the model gave, kept as one value
        models = {n: f.callee for n, f in frozen.items()}
        models["model"] = _callee(signature)
        self.scope = Scope(
            self._symbol, self.values, models=models, externs=names.externs
        )
        for field in train.batch:
            self._name(field.name, field.type)

    def loss(self) -> Loss:
        """Write the statements in order; metrics reuse the model's outputs of the loss."""
        self.lines += [f.view for f in self.frozen.values() if f.view]
        body = (*self.train.body, *self.goal.body)
        self._weights(body)
        lives = live_through(body, _read(self.goal))[1:]
        for stmt, live in zip(body, lives, strict=True):
            match stmt:
                case ir.Assign(targets) if live.isdisjoint(targets):
                    pass  # for other objectives
                case ir.Assign(targets, value):
                    kept = (n if n in live else UNREAD for n in targets)
                    self._assign(tuple(kept), value)
                case ir.StaticLet(name, value):
                    self.statics[name] = static(value, self.scope).at(t.ATOM)
                case ir.Require():
                    pass  # of the model's parameters: its constructor checks them
                case _:
                    raise TypeError(f"no statement of a train: {stmt}")
        loss, metrics = self.goal.loss, dict(self.goal.metrics)
        shared = [c for c in _model_calls(loss) if _occurs(c, metrics.values())]
        for call in shared:
            self._bind_call(call, _role(loss, call))
        result = self._result(self._statement(loss, len("loss = ")))
        entries = [
            f"{t.quoted(name)}: {self._statement(value, len(name) + 12)}"
            for name, value in metrics.items()
        ]
        stored = tuple(dict.fromkeys(self.stored))
        return Loss(tuple(self.lines), result, f"{{{', '.join(entries)}}}", stored)

    def _result(self, text: str) -> str:
        if text.isidentifier():
            return text
        self.lines.append(f"loss = {text}")
        return "loss"

    # ---------------------------------------------------------- statements

    def _assign(self, targets: tuple[str, ...], value: ir.Expr) -> None:
        value = self._without_lets(value)
        if isinstance(value, ir.ModelCall) or self._is_half(value, ListType, tuple):
            self._call_model(targets, value)
            return
        text = self._statement(value, 4 + len(", ".join(targets)))
        names = [self._name(n, ty) for n, ty in _apart(targets, value.type)]
        self.lines.append(f"{', '.join(names)} = {text}")

    def _call_model(self, targets: tuple[str, ...], value: ir.Expr) -> None:
        """`logits, value = model(x)`; half precision ends here, or where an output is read."""
        text = render(self._with_calls(value), self.scope)
        pairs = _apart(targets, value.type)
        if self._may_be_half(value):
            self.whole |= {n for n, ty in pairs if isinstance(ty, tuple)}
        names, types = [self._name(n, ty) for n, ty in pairs], [ty for _, ty in pairs]
        left = ", ".join(names)
        half = [
            n
            for n, ty in zip(names, types, strict=True)
            if _is_model_float(ty) and n != UNREAD
        ]
        if not (self._may_be_half(value) and half):
            self.lines.append(f"{left} = {text}")
        elif len(names) == 1 and isinstance(types[0], TensorType):
            self.lines.append(f"{left} = {text}.astype(jnp.float32)")
        else:
            self.lines.append(f"{left} = {text}")
            lists = {
                n
                for n, ty in zip(names, types, strict=True)
                if isinstance(ty, ListType)
            }
            self.lines.extend(_in_full(n, n in lists) for n in half)

    def _statement(self, value: ir.Expr, before: int) -> str:
        """The text of a value. Calls of the model get lines of their own where the text would be
        long, where outputs must be converted, or where sizes are read from them."""
        value = self._without_lets(value)
        calls = list(_model_calls(value))
        try:
            text = self._rendered(value)
        except UnknownSize:
            if not calls:
                raise
        else:
            half = any(map(self._may_be_half, calls))
            if not calls or (before + len(text) <= _WIDTH and not half):
                return text
        for call in calls:
            self._bind_call(call, _role(value, call))
        return self._rendered(value)

    def _without_lets(self, value: ir.Expr) -> ir.Expr:
        """The value with what it uses in several places bound ahead of it."""
        if isinstance(value, ir.Let):
            self._assign((value.name,), value.value)
            return self._without_lets(value.body)
        return rebuilt(value, [self._without_lets(c) for c in children(value)])

    def _bind_call(self, call: ir.ModelCall, role: str) -> None:
        if self._bound(call) is None:
            name = f"<{len(self.calls)}>"
            self.values[name] = self.taken.give(*_names(call, role))
            self._call_model((name,), call)
            self.calls.append((placeless(call), name))

    def _rendered(self, value: ir.Expr) -> str:
        return render(self._with_bound(value), self.scope)

    def _with_bound(self, value: ir.Expr) -> ir.Expr:
        """The value with calls of the model by name, and what they gave in full precision."""
        if self._is_half(value, TensorType):
            whole = self._with_calls(value)
            assert isinstance(whole, ir.Item) and isinstance(whole.type, TensorType)
            half = replace(whole, type=whole.type.with_dtype("bf16"))
            return ir.Cast(half, whole.type.with_dtype("f32"), value.span)
        if self._is_half(value, ListType):
            name = self.taken.give("values")
            self._call_model((name,), value)
            return ir.Var(name, value.type, value.span)
        name_ = self._bound(value)
        if name_ is not None:
            return ir.Var(name_, value.type, value.span)
        return rebuilt(value, [self._with_bound(c) for c in children(value)])

    def _with_calls(self, value: ir.Expr) -> ir.Expr:
        """The value with calls of the model by name."""
        name = self._bound(value)
        if name is not None:
            return ir.Var(name, value.type, value.span)
        return rebuilt(value, [self._with_calls(c) for c in children(value)])

    def _is_half(self, value: ir.Expr, *kinds: type) -> bool:
        """Whether a value is part of what the model gave, in half precision, and of a kind."""
        if not isinstance(value.type, kinds):
            return False
        inner = value
        while isinstance(inner, ir.Item):
            inner = inner.value
        given = (isinstance(inner, ir.ModelCall) and self._may_be_half(inner)) or (
            isinstance(inner, ir.Var) and inner.name in self.whole
        )
        floats = isinstance(value.type, tuple) or _is_model_float(value.type)
        return given and floats and not isinstance(value, ir.ModelCall)

    def _may_be_half(self, value: ir.Expr) -> bool:
        """Whether a model that takes a dtype gives floats of it."""
        while isinstance(value, ir.Item):
            value = value.value
        if isinstance(value, ir.Var):
            return value.name in self.whole
        if not isinstance(value, ir.ModelCall):
            return False
        frozen = self.frozen.get(value.model)
        signature = frozen.signature if frozen else self.signature
        return signature.takes_dtype and _has_model_float(value.type)

    def _bound(self, value: ir.Expr) -> str | None:
        if not isinstance(value, ir.ModelCall):
            return None
        key = placeless(value)
        return next((name for call, name in self.calls if call == key), None)

    # --------------------------------------------------------------- names

    def _weights(self, body: Iterable[ir.Stmt]) -> None:
        """Weights are read where they stand in the model."""
        read = {n for stmt in body for e in expressions(stmt) for n in reads(e)}
        for name in read | _read(self.goal):
            model, _, path = name.partition(".")
            if path:
                attributes = attribute_path(path, self.signature, self.names)
                self.values[name] = f"{'.'.join((model, *attributes))}[...]"

    def _name(self, name: str, type_: ir.Type) -> str:
        if name == UNREAD:
            return name
        self.types[name] = type_
        if name not in self.values:
            self.values[name] = self.taken.give(name)
        known, python = self.scope.sizes, self.values[name]
        for size in self.told.pop(python, ()):
            del known[size]
        new = {s: text for s, text in axis_texts(python, type_) if s not in known}
        known |= new
        self.told[python] = [*new]
        return python

    def _symbol(self, name: str) -> str:
        """A static local, or a size: read from a tensor that has it as an axis, else from the
        model."""
        owner, _, own = name.partition(".")
        if owner in self.frozen:
            held = self.frozen[owner]
            self.stored.append((held.signature.definition.name, own))
            return f"{held.name}.{held.signature.arguments[own]}"
        if name in self.statics or not name.isidentifier():
            return self.statics.get(name, name)
        params = {p.name for p in self.signature.definition.params}
        source = source_in(self.types, name, params - {name})
        if source and (source.plain or name not in params):
            text = source.text(self.values[source.input], self._symbol)
            return f"({text})" if " " in text else text
        if name in params:
            return self._stored(name)
        raise UnknownSize(name)

    def _stored(self, name: str) -> str:
        self.stored.append((self.train.model, name))
        return f"model.{self.signature.arguments[name]}"


def _apart(targets: tuple[str, ...], type_: ir.Type) -> list[tuple[str, ir.Type]]:
    """What the targets of an assignment get: one of them a whole value."""
    apart = len(targets) > 1 and isinstance(type_, tuple)
    types = type_ if apart else (type_,)
    assert isinstance(types, tuple)
    return list(zip(targets, types, strict=True))


def _read(goal: ir.Objective) -> frozenset[str]:
    """The tensors that a loss and its metrics read."""
    values = (goal.loss, *(value for _, value in goal.metrics))
    return frozenset().union(*map(reads, values))


def _callee(signature: Signature) -> Callee:
    return Callee(
        "model",
        bool(signature.draws),
        signature.optional_inputs,
        signature.inputs,
    )


def _in_full(name: str, is_list: bool) -> str:
    if is_list:
        return f"{name} = [value.astype(jnp.float32) for value in {name}]"
    return f"{name} = {name}.astype(jnp.float32)"


def _is_model_float(type_: ir.Type) -> bool:
    if isinstance(type_, ListType):
        return _is_model_float(type_.element)
    return isinstance(type_, TensorType) and type_.dtype == "float"


def _has_model_float(type_: ir.Type) -> bool:
    if isinstance(type_, tuple):
        return any(map(_has_model_float, type_))
    return _is_model_float(type_)


def _model_calls(expr: ir.Expr) -> Iterator[ir.ModelCall]:
    return (e for e in walk(expr) if isinstance(e, ir.ModelCall))


def _occurs(call: ir.ModelCall, values: Iterable[ir.Expr]) -> bool:
    key = placeless(call)
    return any(placeless(c) == key for value in values for c in _model_calls(value))


_ROLE = "outputs"  # of what has no other


def _names(call: ir.ModelCall, role: str) -> Iterator[str]:
    """What a call of a model may be called: `logits`, `target_outputs`, `next_frames_outputs`."""
    frozen = call.model != "model"
    if not frozen or role != _ROLE:
        yield role
    if frozen:
        yield f"{call.model}_{role}"
    for _, given in call.args:
        if isinstance(given, ir.Var):
            yield f"{given.name}_{role}"


def _role(value: ir.Expr, call: ir.ModelCall) -> str:
    """What the library calls the input that a call of the model is passed to: `logits`."""
    for node in walk(value):
        if isinstance(node, ir.OpCall) and node.op.group in ("loss", "metric"):
            for name, given in node.inputs:
                if given == call:
                    return name
    return _ROLE
