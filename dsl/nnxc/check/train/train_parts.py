"""What a train is made of, as it is gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import ir
from ...source import Span
from ..values import Signature

OWN = ("loss", "optimizer", "clip", "accumulate")  # of each objective


SHARED = ("precision", "ema")


SETTINGS = OWN + SHARED


@dataclass(slots=True)
class Goal:
    """What a train or one of its objectives says, as found so far."""

    name: str
    span: Span
    doc: str = ""
    loss: ir.Expr | None = None
    metrics: dict[str, ir.Expr] = field(default_factory=dict)
    optimizer: ir.TrainOp | None = None
    clip: ir.Static | None = None
    accumulate: ir.Static | None = None
    only: list[str] = field(default_factory=list)
    freeze: list[str] = field(default_factory=list)
    decay: dict[str, Span] = field(default_factory=dict)
    seen: dict[str, Span] = field(default_factory=dict)
    body: tuple[ir.Stmt, ...] = ()


@dataclass(slots=True)
class Parts:
    """What a train says, as found so far: `goal` is the objective at hand."""

    goal: Goal
    several: bool
    shared: list[Any] = field(default_factory=list)  # statements before the objectives
    batch: list[ir.ModelInput] = field(default_factory=list)
    precision: str | None = None
    ema: ir.Static | None = None
    goals: list[Goal] = field(default_factory=list)
    adapters: ir.Adapters | None = None
    frozen: list[ir.Frozen] = field(default_factory=list)
    models: Mapping[str, Signature] = field(default_factory=dict)
    broken: bool = False

    @property
    def inside(self) -> bool:
        """Whether the statement at hand is one of several objectives'."""
        return bool(self.goal.name)
