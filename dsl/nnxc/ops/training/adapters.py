"""Adapters: what `adapt` may give to layers. They have a form of their own, and no layer's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..base import Call, Kind, Op, Param

LORA = Op(
    "lora",
    "adapter",
    "A product of two narrow matrices (Hu et al., 2021), as PEFT has it: W + alpha / rank A B.",
    Call("LoRA", ("rank", "alpha")),
    params=(
        Param("rank", Kind.INT, 8, "the width between the two"),
        Param("alpha", Kind.NUMBER, 16, "the scale, times the rank"),
    ),
    inputs=(),
)
ADAPTERS: Mapping[str, Op] = MappingProxyType({LORA.name: LORA})
ADAPTABLE = ("Linear",)
