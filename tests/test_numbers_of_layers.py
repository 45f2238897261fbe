"""Numbers of layers that a constructor is given: none, but no fewer."""

from __future__ import annotations

import pytest
from emitting import load, text_of
from flax import nnx

COUNTED = """
block Part(depth):
    input x: [B, d]
    return x -> Linear(d) * depth as inner

model Net(d = 4, layers = 2, depth = 1, depths = [1, 2]):
    input x: [B, d]
    for i in range(layers):
        x += x -> Linear(d) as h
    for count in depths:
        x = x -> Linear(d) * count as g
    return x -> Part(depth) as part
"""


def test_a_number_of_layers_is_at_least_0() -> None:
    module = load(text_of(COUNTED, black=False))
    for wrong in ({"layers": -1}, {"depth": -1}, {"depths": (1, -1)}):
        with pytest.raises(ValueError, match=r"^numbers of layers must be at least 0"):
            module.Config(**wrong)
    cfg = module.Config(layers=0, depth=0, depths=(0,))
    module.Net(cfg, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("params", "body", "kept"),
    [
        ("layers = 2", "return x -> Linear(d) * layers as h", "layers < 0"),
        ("depths = [2]", "for n in depths:\n        x = x -> Linear(d) * n as h\n    return x",
         "min(0, *depths) < 0"),
        ("layers = 2", "return x -> Linear(layers) as h", "min(d, layers) < 1"),
        ("layers = 2", "if layers > 0:\n        x = x -> Linear(d) * layers as h\n    return x", ""),
    ],
)  # fmt: skip
def test_numbers_of_layers_alone_are_checked(params: str, body: str, kept: str) -> None:
    spec = f"model Net(d = 4, {params}):\n    input x: [B, d]\n    {body}\n"
    text = text_of(spec, black=False)
    assert ("< 0" in text) == kept.endswith("< 0")
    assert kept in text
