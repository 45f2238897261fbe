"""`train Model from "other.nnx"`: a model that is trained as that of another file."""

from __future__ import annotations

import pytest

from nnxc import driver

HEAD = "model Net(d = 4, classes = 3):\n    input x: [B, d]\n    return x -> Linear(classes)\n\n"
LINES = (
    "    batch x: [B, d], label: int[B]\n    logits = model(x)\n"
    "    loss = cross_entropy(logits, label)\n    optimizer = adam(1e-3)\n    clip = 1.0\n"
)
OTHER = HEAD.replace("Net", "Other") + f"train Other:\n{LINES}"
BROUGHT = HEAD + 'train Net from "other.nnx"\n'


def compiled(text: str, other: str = OTHER) -> driver.Output:
    return driver.compile(text, path="net.nnx", read=lambda _: other.encode())


def body(output: driver.Output) -> str:
    assert not output.diagnostics
    return output.files["net.py"].split("\n", 3)[3]  # without the hashes


def test_it_is_the_train_that_stands_there() -> None:
    assert body(compiled(BROUGHT)) == body(compiled(f"{HEAD}train Net:\n{LINES}"))


def test_of_a_spec_that_ships() -> None:
    text = (
        "model Net(vocab = 9, d = 4):\n    input input_ids: int[B, T]\n"
        "    return logits=input_ids -> Embed(vocab, d) -> Linear(vocab)\n\n"
        "train Net from zoo.llama\n"
    )
    assert "def train_step(" in body(driver.compile(text, path="net.nnx"))


def test_its_functions_of_python() -> None:
    """What the lines call comes from the file that they stand in."""
    other = 'extern "my_pkg" scaled(x: [...]) -> [...]\n\n' + OTHER
    other = other.replace("= model(x)", "= scaled(model(x))")
    assert "scaled(" in body(compiled(BROUGHT, other))


@pytest.mark.parametrize(
    ("other", "place"),
    [
        (HEAD, ("N270", '"other.nnx"')),
        (
            OTHER.replace("Other", "A") + OTHER.replace("Other", "B"),
            ("N270", '"other.nnx"'),
        ),
        (HEAD + "train Net from zoo.llama\n", ("N270", '"other.nnx"')),
        (OTHER.replace("clip = 1.0", "clip = klasses"), ("N200", "klasses")),
        (OTHER.replace("[B, d], label", "[B, e], label"), ("N311", None)),
    ],
)
def test_what_is_wrong_is_told_once(other: str, place: tuple[str, str | None]) -> None:
    found = [
        (d.code, d.primary.span.text) for d in compiled(BROUGHT, other).diagnostics
    ]
    assert len(found) == 1
    assert found[0][0] == place[0] and place[1] in (None, found[0][1])


def test_a_train_is_given_once() -> None:
    text = BROUGHT + f"\ntrain Net:\n{LINES}"
    assert [d.code for d in compiled(text).diagnostics] == ["N500"]


@pytest.mark.parametrize(
    "line", ['train Net from "other.nnx":', "train Net from other"]
)
def test_how_it_is_not_written(line: str) -> None:
    found = compiled(f"{HEAD}{line}\n{LINES}").diagnostics
    assert found and all(d.code < "N200" for d in found)
