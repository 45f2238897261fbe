"""Every way of building and running a model is held to the interpreter."""

from __future__ import annotations

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
}  # fmt: skip


def test_every_way_of_a_model() -> None:
    case = of_page("ways", Subject(LISTENER), "Listener")
    found = dict(ways(case))
    assert set(found) == WAYS
    for run in found.values():
        run()


@pytest.mark.parametrize("way", ["scan", "decoded", "by Tunix", "loss"])
def test_each_way_can_fail(way: str) -> None:
    """Another meaning of the same weights is told."""
    subject = Subject(LISTENER)
    subject.__dict__["meaning"] = load(LISTENER.replace("-> gelu", "-> relu"))
    with pytest.raises(Differs):
        dict(ways(of_page("ways", subject, "Listener")))[way]()
