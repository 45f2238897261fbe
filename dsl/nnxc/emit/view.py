"""What templates lay out: strings only, every choice made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldView:
    """`name: annotation = default`; the default may be empty."""

    name: str
    annotation: str
    default: str = ""

    @property
    def text(self) -> str:
        """The field as Python writes it."""
        default = f" = {self.default}" if self.default else ""
        return f"{self.name}: {self.annotation}{default}"


@dataclass(frozen=True, slots=True)
class ConfigView:
    """The dataclass of a model's parameters."""

    name: str
    doc: str
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class MethodView:
    """A method: its `def` line, and its body as indented lines."""

    head: str
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassView:
    """One generated module class; `doc` is indented from its second line on."""

    name: str
    doc: str
    methods: tuple[MethodView, ...]


@dataclass(frozen=True, slots=True)
class PresetsView:
    """Constants of a Config."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModuleView:
    """A whole module: `imports` in groups, `parts` as text."""

    doc: str
    imports: tuple[tuple[str, ...], ...]
    parts: tuple[str, ...]
