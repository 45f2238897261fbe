"""What one writes out of habit is answered by how it is written here."""

from __future__ import annotations

import pytest

from nnxc import driver


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("x -> softmax(dim=-1)", "did you mean `axis`?"),
        ("x -> Conv(4, kernel_size=3)", "did you mean `window`?"),
        ("torch.relu(x)", "write `relu(x)`"),
        (
            "x.reshape([B, 4])",
            "write `x -> [B, 4]`",
        ),
        ("x -> masked_fill(x > 0, 0)", "`where(mask, x, y)` chooses"),
        ("x.shape", "sizes have names, in the shape of an input: `B`"),
        ("x / x.shape[1]", "write `T`"),
        ("x.mean(-1)", "write `mean(x, -1)`"),
        ("x -> [B, -1]", "write `T * d`"),
        (
            "[x for i in range(3)]",
            "a `for` of its own fills a list: `xs = []`, and in the loop `xs.append(...)`",
        ),
    ],
)
def test_the_help_says_how_it_is_written_here(written: str, help: str) -> None:
    spec = f"model M(d = 4):\n    input x: [B, T, d]\n    return {written}\n"
    (found,) = driver.analyse(spec, path="spec.nnx").diagnostics
    assert found.help == help


def test_pi_is_known_at_construction_unless_something_has_that_name() -> None:
    spec = (
        "model M(d = 4):\n    input x: [B, d]\n    c = log(2 * pi)\n    return c * x\n"
    )
    output = driver.compile(spec, path="spec.nnx")
    assert "c = math.log(2 * math.pi)" in output.files["spec.py"]
    hidden = spec.replace("c = log(2 * pi)", "pi = x -> Linear(d)\n    c = pi * 2")
    assert "math" not in driver.compile(hidden, path="spec.nnx").files["spec.py"]


@pytest.mark.parametrize(
    "choice",
    [
        "match mode:",
        "x = match mode:",
        "return match mode:",
        "x = switch (mode) {",
        "x = match mode {",
    ],
)
def test_a_choice_of_another_language_is_one_mistake(choice: str) -> None:
    arms = '        "a" => relu(x),\n        _ => x,\n    }\n'
    if choice.endswith(":"):
        arms = '        case "a": relu(x)\n        case _: x\n'
    spec = f'model M(mode = "a"):\n    input x: [B, 4]\n    {choice}\n{arms}'
    (found,) = driver.analyse(f"{spec}    return x\n", path="spec.nnx").diagnostics
    assert (found.code, found.help) == ("N122", "choose with `if`, `elif` and `else`")
