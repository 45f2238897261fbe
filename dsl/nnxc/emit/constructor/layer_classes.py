"""The classes of layers, as annotations name them."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir.fold_statements import declared, on_every_way
from ..calls.reads import possible
from ..options import Options
from ..signature import Names, class_name, is_scanned


class Kinds:
    """Answers for one program."""

    def __init__(self, names: Names, options: Options):
        self._known, self._states = names.signatures, names.states
        self._options = options

    def of(self, item: ir.Layer | ir.Variable) -> str:
        """The class of a layer or variable; of a stack, that of the whole."""
        if isinstance(item, ir.Variable):
            kind = self._states[item.kind] if item.state else "nnx.Param"
            return f"{kind}[jax.Array]" if kind.startswith("nnx.") else kind
        name = class_name(item, self._known) or "nnx.Module"
        scanned = is_scanned(item, self._known, self._options)
        return name if item.count is None or scanned else f"nnx.List[{name}]"

    def in_list(self, name: str, body: Sequence[ir.Stmt]) -> str:
        """What the list of a layer declared in a loop holds: lists where it is in inner loops."""
        for stmt in body:
            if not any(i.name == name for i in declared((stmt,))):
                continue
            if isinstance(stmt, ir.For):
                return f"nnx.List[{self.in_list(name, stmt.body)}]"
            if isinstance(stmt, ir.If):
                inner = [s for s in (*stmt.then, *stmt.orelse) if isinstance(s, ir.For)]
                if any(i.name == name for i in declared(inner)):
                    return self.in_list(name, inner)
        return " | ".join(self.possible(name, body))

    def possible(self, name: str, body: Sequence[ir.Stmt]) -> list[str]:
        """The classes that a layer may have, None included where some branch lacks it."""
        kinds = {self.of(i): None for i in declared(body) if i.name == name}
        if name in on_every_way(body, _on_every_call):
            return [*kinds]
        return [*kinds, "None"]


def _on_every_call(stmt: ir.Stmt) -> set[str]:
    """What a statement declares by itself; of a choice, the sides that any model may come to, by
    which inputs are given."""
    match stmt:
        case ir.Declare(ir.Layer(name=name)) | ir.Variable(name=name):
            return {name}
        case ir.If(condition, then, orelse):
            arms = ((then, True), (orelse, False))
            built = (arm for arm, holds in arms if possible(condition, holds) is None)
            return set().union(*(on_every_way(arm, _on_every_call) for arm in built))
    return set()
