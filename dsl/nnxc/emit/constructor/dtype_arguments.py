"""The dtypes that a constructor is given, and how it hands them on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...ir.fold_statements import declared
from ...ops.base import Call, Op
from ..python.line_uses import Field
from ..python.suites import Line
from ..signature import DTYPES, Names, Signature
from .ctor_names import ConstructorNames

# Layers that can say of which dtype their sums are.
_MULTIPLIES = ("nnx.Linear", "nnx.LinearGeneral", "nnx.Conv", "nnx.ConvTranspose")


class DtypeArguments:
    """What the dtypes of one constructor are called; several layers share a dict of them."""

    def __init__(self, names: ConstructorNames):
        self.signature, self.scope = names.signature, names.scope
        self.together = _hands_on_often(names.signature, names.module)
        in_config = bool(self.signature.cfg)
        self.texts = {n: names.field(n, in_config) for n in self.signature.dtypes}
        if "dtype" in self.texts and self.signature.precision:
            self.texts["dtype"] = "dtype"
        self.scope.dtype = self.texts.get("dtype")
        self.scope.param_dtype = self.texts.get("param_dtype")

    def lines(self) -> Iterator[Line]:
        """The dtypes where they have a name of their own: what is not used goes."""
        if self.signature.precision:
            line = "dtype = cfg.dtype or jnp.float32"
            yield Line(line, (), frozenset(("dtype",)))
        if self.together:
            with self.scope.recording() as uses:
                given = ", ".join(f'"{name}": {self.given(name)}' for name in DTYPES)
            line = f"dtypes: dict[str, Any] = {{{given}}}"
            yield Line(line, tuple(uses), frozenset(("dtypes",)))

    def given(self, name: str) -> str:
        """The text of a dtype, which is used then."""
        text = self.texts[name]
        self.scope.uses.append(Field(name) if self.signature.cfg else text)
        if name == text:
            self.scope.uses.append(text)
        return text

    def keywords(self, names: Sequence[str]) -> list[str]:
        """The keywords that hand dtypes on."""
        if self.together and names == DTYPES:
            self.scope.uses.append("dtypes")
            return ["**dtypes"]
        return [f"{name}={self.given(name)}" for name in names]

    def in_full(self, build: Call | str) -> list[str]:
        """The same for a layer that gives float32: one that multiplies does so in half."""
        if isinstance(build, Call) and build.target in _MULTIPLIES:
            return [*self.keywords(DTYPES), "preferred_element_type=jnp.float32"]
        return ["dtype=jnp.float32", *self.keywords(DTYPES[1:])]


def _hands_on_often(signature: Signature, names: Names) -> bool:
    """Whether several layers take the dtypes."""
    items = (declared(signature.definition.body)) if len(signature.dtypes) > 1 else []
    callees = [item.callee for item in items if isinstance(item, ir.Layer)]
    taking = [c for c in callees if _takes(c, names)]
    return len(taking) > 1


def _takes(callee: Op | str, names: Names) -> bool:
    if isinstance(callee, Op):
        return callee.dtype_aware
    signature = names.signatures[callee]
    return signature.dtypes == DTYPES and not signature.shares
