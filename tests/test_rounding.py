"""Channels rounded to multiples, by the compiler and by what it generates."""

from __future__ import annotations

import pytest
from emitting import load, program, text_of

from nnxc.instance import instantiate

SPEC = """
block Unit(width, scale, least):
    input x: [B, d]
    return x -> Linear(divisible(width * scale, 8, least)) -> Linear(divisible(width, 8))

model Net(width = 32, scale = 0.5, least = 16):
    input x: [B, 3]
    return x -> Unit(width, scale, least)
"""


@pytest.mark.parametrize(
    ("width", "scale", "least", "found"),
    [
        (32, 0.5, 16, (16, 32)),
        (20, 1.0, 8, (24, 24)),
        (19, 0.3, 8, (8, 24)),
        (96, 0.35, 8, (32, 96)),
        (12, 1.4, 8, (16, 16)),
        (3, 2.0, 32, (32, 8)),
    ],
)
def test_both_round_alike(
    width: int, scale: float, least: int, found: tuple[int, int]
) -> None:
    values = {"width": width, "scale": scale, "least": least}
    instance = instantiate(program(SPEC), "Net", values)
    weights = instance.weights()
    assert weights["unit.linear_1.kernel"].sizes[1].value == found[0]
    divisible = load(text_of(SPEC)).divisible
    assert (divisible(width * scale, 8, least), divisible(width, 8)) == found


def test_only_who_rounds_gets_the_function() -> None:
    assert "divisible" not in text_of(
        SPEC.replace("divisible(width, 8)", "width").replace(
            "divisible(width * scale, 8, least)", "round(width * scale) + least"
        )
    )
