"""What the names of a definition stand for in the text of its call: tensors, sizes, layers."""

from __future__ import annotations

from ... import ir
from ...ir.fold_statements import declared, statements
from ...ir.liveness import assigned_names
from ...ops.base import Kind, Op
from ...record import replace
from ..options import Options
from ..python.line_uses import Axis, Found, Stored
from ..python.names import ATTRIBUTES, Namespace, axis_names
from ..python.scope import Callee, Copies, Scope, of_entry
from ..python.static_text import size
from ..signature import (
    DTYPES,
    Draws,
    Names,
    Signature,
    class_name,
    has_state,
    layer_draws,
)
from .call_axes import AxisSource, axis_sources
from .found_sizes import found_here, unread
from .locals import Locals
from .stacks import remat
from .versions import aliases, local_name


class CallNames:
    """The names of one call; `bound` are the axes and static values that have a local name."""

    def __init__(
        self,
        signature: Signature,
        module: Names,
        bound: frozenset[str],
        options: Options,
    ):
        self.signature, self.module, self.options = signature, module, options
        self.definition = signature.definition
        items = declared(self.definition.body)
        self.layers = {i.name: i for i in items if isinstance(i, ir.Layer)}
        self.env: dict[str, str] = {}
        self.aliases = aliases(self.definition)
        self.attributes: dict[str, str] = {}
        taken = [*signature.attributes.values(), *signature.sizes.values()]
        self.attribute_names = Namespace([*ATTRIBUTES, *DTYPES, *taken])
        self.access = {n: f"self.{a}" for n, a in signature.attributes.items()}
        assigned = assigned_names(self.definition.body)
        self.locals = Locals(signature.inputs, assigned, module.reserved)
        self.sources: dict[str, AxisSource] = axis_sources(self.definition)
        give = self.locals.namespace.give
        self.bound = {
            n: give(*(axis_names(n) if n in self.sources else (n.lower(), n)))
            for n in sorted(bound)
        }
        self.found = found_here(self.definition)
        self.given = self._given()
        self.env |= {n: self.bound[n] for n in sorted(self.found & bound)}
        self.rematted = self._rematted_layers() if options.remat else frozenset()
        self.loops = 0  # around what is written at present
        values, externs = self.locals.text, module.externs
        self.scope = Scope(self.symbol, values, self.callee, externs=externs)
        self.scope.dtype = "self.dtype"
        self.scope.positive = _positive(self.definition)
        self.variables = {i.name: i for i in items if isinstance(i, ir.Variable)}
        for item in self.variables.values():
            self.access_variable(item)

    # --------------------------------------------------------- static values

    def symbol(self, name: str) -> str:
        """The text of a parameter, size, axis or static local."""
        if name in self.env:
            self.scope.uses.append(self.env[name])
            return self.env[name]
        if name in self.sources:
            return self._axis(name)
        if name in self.given:
            layer, attribute = self.given[name]
            return f"{self.access[layer]}.{attribute}"
        if name in self.found:
            self.scope.uses.append(Found(name))
            return name.lower()
        self.scope.uses.append(Stored(name))
        return self.bound.get(name) or f"self.{self.attribute(name)}"

    def _axis(self, name: str) -> str:
        found = self.sources[name]
        late = self.loops > 0 or found.input in self.locals.written
        self.scope.uses.append(Axis(name, late))
        if name in self.bound:
            return self.bound[name]
        text = found.text(self.signature.inputs[found.input], self.symbol)
        return f"({text})" if " " in text else text

    def attribute(self, name: str) -> str:
        """The attribute in which a static value is kept."""
        if name not in self.attributes:
            plain = self.signature.arguments.get(name, name.lower())
            kinds = {p.name: p.kind for p in self.definition.params}
            counts = kinds.get(name) in (Kind.SIZE, Kind.INT) and plain.endswith("s")
            others = (f"num_{plain}",) if counts else ()  # `layers` are layers, too
            self.attributes[name] = self.attribute_names.give(plain, *others)
        return self.attributes[name]

    def local(self, name: str) -> str:
        """The Python name of a static local or loop variable."""
        return local_name(name, self.env, self.aliases, self.locals.namespace)

    def _given(self) -> dict[str, tuple[str, str]]:
        """The sizes that are asked of a layer: which, and its attribute."""
        names = unread(self.definition)
        return {
            name: (layer.name, self.module.signatures[layer.callee].sizes[dim])
            for layer in self.layers.values()
            if isinstance(layer.callee, str)
            for dim, name in layer.gives
            if name in names
        }

    # ---------------------------------------------------- layers and weights

    def access_variable(self, item: ir.Variable) -> None:
        """The text of a weight, now that it is known where it is."""
        text = f"{self.access[item.name]}[...]"
        if item.type.dtype == "float" and not item.state:
            self.scope.stored[item.name] = text
            text += ".astype(self.dtype)"
        self.locals.text[item.name] = text

    def callee(self, name: str) -> Callee:
        """How a layer is called here."""
        layer = self.layers[name]
        drawing = layer_draws(layer, self.module.signatures) > Draws.NEVER
        copies = self._copies(layer)
        if isinstance(layer.callee, Op):
            return of_entry(self.access[name], layer.callee, drawing, copies)
        block = self.module.signatures[layer.callee]
        made = Callee(
            self.access[name], drawing, block.optional_inputs, block.inputs, copies
        )
        if name in self.rematted:
            owner = self.class_of(layer, self.access[name])
            return replace(made, rematted=remat(owner, self.options.policy))
        return made

    def class_of(self, layer: ir.Layer, element: str) -> str:
        """The class of a layer; the constructor decides it where several have its name."""
        items = (i for i in declared(self.definition.body) if i.name == layer.name)
        callees = (i.callee for i in items if isinstance(i, ir.Layer))
        kinds = {c if isinstance(c, str) else (c.group, c.name) for c in callees}
        known = class_name(layer, self.module.signatures) if len(kinds) == 1 else None
        return known or f"type({element})"

    def _rematted_layers(self) -> frozenset[str]:
        """The blocks in loops; those of stacks have a way of their own."""
        loops = (s for s in statements(self.definition.body) if isinstance(s, ir.For))
        inside = (i for loop in loops for i in declared(loop.body))
        layers = (i for i in inside if isinstance(i, ir.Layer))
        return frozenset(i.name for i in layers if i.count is None and i.copies is None)

    def _copies(self, layer: ir.Layer) -> Copies | None:
        if layer.copies is None:
            return None
        known = self.module.signatures
        count = size(layer.copies, self.scope).text if layer_draws(layer, known) else ""
        return Copies(count, layer_draws(layer, known), has_state(layer, known))


def _positive(definition: ir.Definition) -> frozenset[str]:
    """The sizes that the constructor takes, and none of which may be 0."""
    params = definition.params
    sizes = (p.name for p in params if p.kind is Kind.SIZE and not p.asked)
    return frozenset([*definition.inferred, *sizes])
