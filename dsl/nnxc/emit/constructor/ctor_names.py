"""What the names of a definition stand for in the text of its constructor."""

from __future__ import annotations

from ... import ir
from ...dims import Dim
from ...ir.fold_static import givens, mentions
from ...ir.plurals import singular
from ..calls.lists_beside import lists_beside
from ..calls.versions import aliases, local_name
from ..python.line_uses import Field
from ..python.names import SHADOWED, Namespace
from ..python.scope import Scope
from ..signature import DTYPES, Names, Signature


class ConstructorNames:
    """The names of one constructor. `unpacked` are the fields of the Config that have a local
    name, `holder` is what the Config is called."""

    def __init__(
        self,
        signature: Signature,
        module: Names,
        unpacked: frozenset[str] = frozenset(),
        holder: str = "cfg",
    ):
        self.signature, self.module = signature, module
        self.unpacked, self.holder = unpacked, holder
        self.env: dict[str, str] = {}
        self.aliases = aliases(signature.definition)
        taken = ["rngs", *DTYPES, "dtypes", "cfg", *signature.arguments.values()]
        self.namespace = Namespace([*SHADOWED, *taken, *module.reserved])
        self.scope = Scope(self._symbol, externs=module.externs)
        self.scope.initializers = module.initializers

    def _symbol(self, name: str) -> str:
        if name in self.env:
            text = self.env[name]
        elif name in self.signature.arguments:
            in_config = name in self.signature.fields
            text = self.field(self.signature.arguments[name], in_config)
            if in_config:
                self.scope.uses.append(Field(self.signature.arguments[name]))
        else:
            raise KeyError(f"{name!r} is not known in {self.signature.name}.__init__")
        self.scope.uses.append(text)
        return text

    def field(self, name: str, in_config: bool) -> str:
        """The text of an argument, by way of the Config where it is a field of that."""
        held = in_config and name not in self.unpacked
        return f"{self.holder}.{name}" if held else name

    def local(self, name: str) -> str:
        """The Python name of a static local or loop variable."""
        return local_name(name, self.env, self.aliases, self.namespace)

    def entries(self, loop: ir.For) -> dict[Dim, tuple[str, str]]:
        """The entries that a loop goes through beside those of its own list: each with its list
        and its name, which is as if the spec had it."""
        found: dict[Dim, tuple[str, str]] = {}
        for name, entry in lists_beside(loop, self.signature.definition.body).items():
            if singular(name) not in self.namespace:
                found[entry] = name, f"entry of {name}"
                self.env[f"entry of {name}"] = self.namespace.give(singular(name))
        return found

    def knows(self, dim: Dim) -> bool:
        """Whether a size is known already here: axes are not."""
        return dim.symbols <= self.env.keys() | self.signature.arguments.keys()

    def constructible(self, value: ir.Static) -> bool:
        """Whether a static value is known already here: axes and presence are not."""
        known = self.env.keys() | self.signature.arguments.keys()
        return mentions(value) <= known and not givens(value)
