"""`value in list`, known when a model is built."""

from __future__ import annotations

import pytest
from emitting import class_of, maker

from nnxc import driver

SPEC = """
block Layer(n, kind, wide = [1, 3]):
    input x: [B, d]
    if not n in wide and kind in ["a", "b"]:
        x = x -> LayerNorm as norm
    return x -> Linear(2 * d if n in wide else d) as up -> Linear(d)

model Net(width = 8, layers = 4, skipped = []):
    input x: [B, width]
    require width in [8, 16], "width is 8 or 16"
    for n in range(layers):
        if not n in skipped:
            x = x -> Layer(n, "b") as layer
    return x

config two = Net(width=16, skipped=[1])
"""


def test_a_model_has_what_the_lists_say() -> None:
    model = maker(SPEC, params={"skipped": (0, 3)})[1]()
    assert [item is None for item in model.layer] == [True, False, False, True]
    assert model.layer[1].up.kernel.shape == (8, 16)
    assert model.layer[2].up.kernel.shape == (8, 8)
    assert model.layer[1].norm is None and model.layer[2].norm is not None


def test_python_says_the_same() -> None:
    text = class_of(SPEC, "Layer")
    assert 'if n not in wide and kind in ("a", "b")' in text
    assert "kind: str" in text


def test_requirements_are_checked_in_constructors() -> None:
    with pytest.raises(ValueError, match="width is 8 or 16"):
        maker(SPEC, params={"width": 12})[1]()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("width in [8, 16]", "width in [4]", "N304"),
        ("n in skipped", "n in layers", "N220"),
        ("n in skipped", "x in skipped", "N230"),
    ],
)
def test_mistakes(old: str, new: str, code: str) -> None:
    found = driver.analyse(SPEC.replace(old, new)).diagnostics
    assert code in [d.code for d in found]
