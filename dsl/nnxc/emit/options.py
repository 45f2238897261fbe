"""What a build may choose about the code that it gets."""

from __future__ import annotations

from typing import Literal

from ..record import Record


class Options(Record):
    """`stack`: layers of a stack in a Python loop, or scanned over stacked weights. `remat`:
    recompute each layer of a stack in the backward pass. `black`: run the text through Black.
    `interface`: what calls the models that generate, where it asks for more than they have.
    """

    stack: Literal["loop", "scan"] = "loop"
    remat: bool = False
    black: bool = True
    interface: Literal["tunix"] | None = None
