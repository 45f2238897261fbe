"""The calls that construct layers."""

from __future__ import annotations

from ... import ir
from ...ops.base import Op
from ...ops.stepwise_helpers import STEPWISE
from ..calls import copies
from ..options import Options
from ..python.free_names import bound_name
from ..python.library import construct
from ..python.static_text import size, static
from ..signature import DTYPES, Signature, has_cache, is_scanned, random
from .ctor_names import ConstructorNames
from .dtype_arguments import DtypeArguments


class LayerCalls:
    """How layers are constructed in one constructor."""

    def __init__(
        self, names: ConstructorNames, dtypes: DtypeArguments, options: Options
    ):
        self.scope, self.signatures = names.scope, names.module.signatures
        self.dtypes, self.options = dtypes, options

    def text(self, layer: ir.Layer) -> str:
        """The value of what a layer is kept in: one, copies along an axis, or a stack."""
        if layer.copies is not None:
            count = size(layer.copies, self.scope).text
            return self._copies(layer, count)
        if layer.count is None:
            return self._construct(layer)
        count = static(layer.count, self.scope).text
        if is_scanned(layer, self.signatures, self.options):
            copied = self._copies(layer, count)
            if not has_cache(layer, self.signatures):
                return copied
            return f"{STEPWISE.name}.stacked({copied}, {count})"
        return f"nnx.List([{self._construct(layer)} for _ in range({count})])"

    def _copies(self, layer: ir.Layer, count: str) -> str:
        if not random(layer, self.signatures):
            return copies.made(self._construct(layer), None, count)
        with self.scope.recording():  # only to see what names it takes
            streams = bound_name("r", [self._construct(layer)])
        return copies.made(self._construct(layer, streams), streams, count)

    def _construct(self, layer: ir.Layer, rngs: str = "rngs") -> str:
        if isinstance(layer.callee, Op):
            more = self.dtypes.keywords(DTYPES) if layer.callee.dtype_aware else []
            if layer.in_full:
                more = self.dtypes.in_full(layer.callee.build_for(dict(layer.args)))
            more += [f"rngs={rngs}"] if layer.callee.takes_rngs else []
            return construct(layer, self.scope, more).text
        return self._block(self.signatures[layer.callee], layer, rngs)

    def _block(self, callee: Signature, layer: ir.Layer, rngs: str) -> str:
        params = callee.definition.params
        read = callee.fields if callee.shares else frozenset()
        texts = {n: static(v, self.scope).text for n, v in layer.args if n not in read}
        parts = [
            size(layer.sizes[n], self.scope).text for n in callee.definition.inferred
        ]
        more = [] if callee.shares else self.dtypes.keywords(callee.dtypes)
        if callee.config is None:
            own = [p.name for p in params if p.default is None and p.name not in read]
            parts += [texts.pop(name) for name in own]
        fields = [f"{callee.arguments[n]}={text}" for n, text in texts.items()]
        if callee.config is None:
            parts += fields + more
        else:
            parts.append(f"{callee.config}({', '.join(fields + more)})")
        if callee.shares:
            parts.insert(0, "cfg")
        parts += [f"rngs={rngs}"] if callee.takes_rngs else []
        return f"{callee.name}({', '.join(parts)})"
