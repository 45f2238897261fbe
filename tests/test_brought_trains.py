"""`train Model from "other.nnx"`: a model that is trained as that of another file, but for its own lines."""

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
    ("line", "code"),
    [
        ('train Net from "other.nnx"', "N105"),
        ("train Net from other", "N120"),
        ("train Net from other:", "N120"),
    ],
)
def test_how_it_is_not_written(line: str, code: str) -> None:
    assert [d.code for d in compiled(f"{HEAD}{line}\n{LINES}").diagnostics] == [code]


BATCH, LOGITS, LOSS, *HOW = (line.strip() for line in LINES.splitlines())
OWN = {
    "settings, which are all its own": (
        ["optimizer = adamw(0.1)", "decays kernel"],
        [BATCH, LOGITS, LOSS, "optimizer = adamw(0.1)", "decays kernel"],
    ),
    "a loss in the place of that one": (
        ["loss = cross_entropy(logits, label, smoothing=0.1)"],
        [BATCH, LOGITS, "loss = cross_entropy(logits, label, smoothing=0.1)", *HOW],
    ),
    "a value ahead of what reads it, and settings": (
        ["accumulate = 2", "logits = 2 * model(x)", "optimizer = sgd(0.1)"],
        [
            BATCH,
            "logits = 2 * model(x)",
            LOSS,
            "accumulate = 2",
            "optimizer = sgd(0.1)",
        ],
    ),
    "what its lines read stands with them": (
        ["scale = 2.0", "logits = scale * model(x)", "metric top = max(logits)"],
        [
            *(BATCH, "scale = 2.0", "logits = scale * model(x)", LOSS, *HOW),
            "metric top = max(logits)",
        ],
    ),
    "a batch, and what nothing reads any more is gone": (
        ["batch x, goal: [B, classes]", "loss = mse(model(x), goal)"],
        ["batch x, goal: [B, classes]", "loss = mse(model(x), goal)", *HOW],
    ),
}


@pytest.mark.parametrize("case", OWN)
def test_lines_of_its_own(case: str) -> None:
    own, whole = ("".join(f"    {line}\n" for line in lines) for lines in OWN[case])
    found = compiled(f'{HEAD}train Net from "other.nnx":\n{own}')
    assert body(found) == body(compiled(f"{HEAD}train Net:\n{whole}"))


@pytest.mark.parametrize(
    ("own", "code", "text"),
    [
        ("clip = 1.0", "N513", None),
        ("logits = modell(x)", "N200", "modell"),
        ("batch x: [B, d]", "N200", "label"),
        ("loss = mean(model(x))", "N260", "label"),
        ("for i in range(2):\n        loss = 1.0", "N501", None),
        ("clip = 1.0 +", "N120", None),
    ],
)
def test_what_is_wrong_with_its_own_lines(
    own: str, code: str, text: str | None
) -> None:
    made = compiled(f'{HEAD}train Net from "other.nnx":\n    {own}\n')
    found = [(d.code, d.primary.span.text) for d in made.diagnostics]
    assert [c for c, _ in found] == [code]
    assert text in (None, found[0][1])
