"""Frozen models in a train: how they are taken, put into evaluation, and called."""

from __future__ import annotations

from ... import ir
from ...record import Record
from ..python.scope import Callee
from ..signature import Draws, Names, Signature
from .train_modes import evaluation
from .train_select import keeps_all


class FrozenView(Record):
    """A frozen model, as the functions of a train take it."""

    name: str
    signature: Signature
    view: str  # the statement that puts it into evaluation, if any
    callee: Callee

    @property
    def parameter(self) -> str:
        """It as a parameter."""
        return f"{self.name}: {self.signature.name}"


def frozen_view(
    program: ir.Program, frozen: ir.Frozen, name: str, names: Names
) -> FrozenView:
    """Decide how a frozen model is taken and called."""
    signature = names.signatures[frozen.model]
    keeps, modes = keeps_all(program, frozen.model), evaluation(program, frozen.model)
    held = name if keeps else f"nnx.clone({name})"  # so that its own state stays
    used = f"nnx.view({held}, {modes})" if modes else held
    view = "" if used == name else f"{name} = {used}"
    callee = Callee(
        name,
        signature.draws == Draws.ALWAYS,
        signature.optional_inputs,
        signature.inputs,
    )
    return FrozenView(name, signature, view, callee)
