"""Every way of building and running a model is held to the interpreter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from interpreted import of_page
from interpreting import Differs, Subject
from ways import ways

from tests.interpreter import load

LISTENER = """
block Layer(heads, size, rate = 0.0):
    input x: [B, T, d]
    at = positions(x)
    h = x -> RMSNorm as norm
    q = h -> Linear(heads, size) as query -> rope(at)
    k = h -> Linear(heads, size) as key -> rope(at)
    v = h -> Linear(heads, size) as value
    x += attend(q, k, v, causal=true) -> Linear(d, over=[heads, size]) as out -> Dropout(rate)
    return x + (x -> Linear(2 * d) as up -> gelu -> Linear(d) as down)

model Listener(vocab = 11, d = 8, depth = 2):
    input tokens: int[B, T]
    return tokens -> Embed(vocab, d) as embed -> Layer(2, 4) * depth as layers -> Linear(vocab) as head

weights Listener from "{path}":
    head = "lm_head"

train Listener:
    batch tokens: int[B, T], labels: int[B, T]
    logits = model(tokens)
    loss = cross_entropy(logits, labels)
    metric accuracy = mean(argmax(logits, axis=-1) == labels)
    optimizer = adam(1e-3)

generate Listener
"""
WAYS = {
    "scan", "remat", "dots", "scan, dots without batch", "tree mode", "stored", "decoded", "by Tunix", "loss",
    "adapters",
}  # fmt: skip


def test_every_way_of_a_model() -> None:
    case = of_page("ways", Subject(LISTENER), "Listener")
    found = dict(ways(case))
    assert set(found) == WAYS
    for run in found.values():
        run()


@pytest.mark.parametrize("way", ["scan", "decoded", "by Tunix", "loss", "adapters"])
def test_each_way_can_fail(way: str) -> None:
    """Another meaning of the same weights is told."""
    subject = Subject(LISTENER)
    subject.__dict__["meaning"] = load(LISTENER.replace("-> gelu", "-> relu"))
    with pytest.raises(Differs):
        dict(ways(of_page("ways", subject, "Listener")))[way]()


CHUNKED = """
model Net(vocab = 12, d = 8):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d) as embed
    q = x -> [B, T, 2, 4]
    x = x + (attend(q, q, q, causal=true, chunk=3) -> [B, T, d])
    return x -> Linear(vocab) as head

generate Net
"""


@pytest.mark.parametrize("way", ["decoded", "by Tunix"])
def test_chunks_are_counted_from_the_beginning_of_a_sequence(way: str) -> None:
    dict(ways(of_page("ways", Subject(CHUNKED), "Net")))[way]()


TRAINS = """
model Teacher(width = 4):
    input x: [B, 3]
    return x -> Linear(width) as inner -> tanh -> Linear(2) as outer

model Student(width = 4, wide = false):
    input x: [B, 3]
    y = x -> Linear(2 * width if wide else width) as body -> relu
    return y -> Linear(2) as head, y -> Linear(1) as score

train Student:
    frozen teacher = Teacher(width=2 * width)
    frozen old = Student
    batch x: [B, 3], y: [B, 1]
    out, score = model(x)
    optimize head:
        loss = mse(out, teacher(x)) + mean(abs(out - old(x)[0]))
        metric size = mean(out**2)
        optimizer = adam(1e-3)
    optimize score:
        loss = mse(score, y)
        optimizer = adam(1e-3)
    precision = bf16
"""


def test_losses_of_several_objectives_beside_frozen_models() -> None:
    """Each by itself, at the arguments that the train gives the frozen ones."""
    case = of_page("trains", Subject(TRAINS), "Student")
    for wide in (False, True):
        other = replace(case, args={**case.args, "wide": wide})
        found = {text: run for text, run in ways(other) if text.startswith("loss")}
        assert len(found) == 4  # in bfloat16, too
        for run in found.values():
            run()


@pytest.mark.parametrize("change", [("tanh", "relu"), ("teacher(x)", "old(x)[0]")])
def test_another_frozen_model_is_told(change: tuple[str, str]) -> None:
    subject = Subject(TRAINS)
    subject.__dict__["meaning"] = load(TRAINS.replace(*change))
    case = of_page("trains", subject, "Student")
    with pytest.raises(Differs):
        dict(ways(case))["loss of head"]()
    dict(ways(case))["loss of score"]()
