"""What templates lay out: strings only, every choice made."""

from __future__ import annotations

from ..record import Record


class FieldView(Record):
    """`name: annotation = default`; the default may be empty."""

    name: str
    annotation: str
    default: str = ""

    @property
    def text(self) -> str:
        """The field as Python writes it."""
        default = f" = {self.default}" if self.default else ""
        return f"{self.name}: {self.annotation}{default}"


class ConfigView(Record):
    """The dataclass of a model's parameters; `checks` are lines of what it checks of itself."""

    name: str
    doc: str
    fields: tuple[FieldView, ...]
    checks: tuple[str, ...] = ()


class MethodView(Record):
    """A method: its `def` line, and its body as indented lines."""

    head: str
    body: tuple[str, ...]


class OutputView(Record):
    """The NamedTuple of a definition's outputs; `fields` are its lines."""

    name: str
    doc: str
    fields: tuple[str, ...]


class ClassView(Record):
    """One generated module class; `doc` is indented from its second line on."""

    name: str
    doc: str
    methods: tuple[MethodView, ...]


class PresetsView(Record):
    """Constants of a Config."""

    lines: tuple[str, ...]


class ModuleView(Record):
    """A whole module: `imports` in groups, `constants` and `parts` as text."""

    doc: str
    imports: tuple[tuple[str, ...], ...]
    constants: str
    parts: tuple[str, ...]
