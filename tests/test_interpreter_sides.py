"""Every side of conditions, losses and decoding: generated models beside the interpreter."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import pytest
from flips import flipped
from interpreted import of_page
from interpreting import Differs, Subject, compare, weights_of
from judged import judge
from test_zoo import ZOO

from tests.interpreter import load

SIDES = """
block Layer(kind, hidden, rate = none, gated = true):
    input x: [B, T, d]
    if kind == "wide" and gated:
        y = x -> Linear(2 * hidden) as up -> relu -> Linear(d) as down
    elif kind == "wide":
        y = x -> Linear(hidden, bias=false) as up -> tanh -> Linear(d) as down
    else:
        y = (x -> LayerNorm as norm) if gated else x
    if rate != none:
        y *= rate
    return x + y

model Net(kinds = ["wide", "thin"], rate = none, gated = true, width = 4, shared = false):
    input x: [B, T, 6]
    both = Linear(6)
    step = 1
    for i, kind in enumerate(kinds):
        x = x -> Layer(kind, width if i == 0 else 2 * width, rate, gated) as layers
        if shared or kind == "thin":
            x = step * x -> both
            step += 1
    if width > 4:
        x = x -> both
    return x -> both -> Linear(2 if shared else 3) as head
"""


def test_every_side_of_a_condition() -> None:
    """Each parameter that one reads, alone: switches, texts, `none`, numbers across bounds."""
    subject = Subject(SIDES)
    case = of_page("sides", subject, "Net")
    sides = dict([("as it is", case), *flipped(case, pairs=True)])
    found = {label: judge(other, gradients=False) for label, other in sides.items()}
    assert set(found.values()) == {"same"} and len(found) > 20, len(found)


def test_a_value_that_is_there_where_an_input_is() -> None:
    """Whether the input is passed or not: its sides are told twice."""
    subject = Subject("""
model Net(vocab = 7, d = 4, layers = 2):
    input ids: int[B, T], prefix: int[B] = none
    x = ids -> Embed(vocab, d) as embed
    if prefix != none:
        seen = positions(ids) < prefix[:, none]
        x += astype(seen, int) -> Embed(2, d) as kinds
    for i in range(layers):
        if prefix != none:
            x += x -> Attention(2, mask=seen[:, none, none]) as masked
        else:
            x += x -> Attention(2, causal=true) as plain
    return x
""")
    case = of_page("presence", subject, "Net")
    assert len(case.inputs) == 2
    absent = replace(case, inputs={"ids": case.inputs["ids"]})
    assert [judge(one, gradients=False) for one in (case, absent)] == ["same"] * 2


def test_what_differs_is_told() -> None:
    """The comparison itself can fail: another meaning of the same weights."""
    text = SIDES.replace("x = step * x", "x = 2 * x")
    subject = Subject(SIDES)
    subject.__dict__["meaning"] = load(text)
    case = of_page("sides", subject, "Net")
    with pytest.raises(Differs, match="outputs"):
        compare(subject, "Net", case.args, case.inputs, gradients=False)


def test_weights_of_other_sizes_are_told() -> None:
    """The interpreter does not take a size from the weights."""
    subject = Subject(SIDES)
    subject.__dict__["meaning"] = load(SIDES.replace("2 * hidden", "3 * hidden"))
    case = of_page("sides", subject, "Net")
    with pytest.raises(Differs, match=r"not .*12"):
        judge(case, gradients=False)


def test_what_both_refuse_is_refused() -> None:
    """A constructor's refusal is held to the interpreter, too."""
    text = SIDES.replace("    both =", '    require width < 9, "too wide"\n    both =')
    subject = Subject(text)
    case = replace(of_page("sides", subject, "Net"), args={"width": 9})
    assert judge(case, gradients=False) == "refused"
    subject.__dict__["meaning"] = load(SIDES)
    with pytest.raises(Differs, match="the constructor alone refuses"):
        judge(case, gradients=False)


def test_greedy_decoding_is_the_full_pass_again_for_every_token() -> None:
    subject = Subject(SPEAKER)
    model = subject.create("Speaker", {})
    weights = weights_of(model)
    prompts = [[1, 2, 3], [4, 5]]
    meant = subject.meaning.generate("Speaker", weights, prompts, 3)
    assert subject.module.generate(model, prompts, max_new_tokens=3) == meant


SPEAKER = """
block Layer(heads, size, window = none):
    input x: [B, T, d]
    at = positions(x)
    q = x -> Linear(heads, size) as query -> rope(at)
    k = x -> Linear(heads, size) as key -> rope(at)
    v = x -> Linear(heads, size) as value
    return x + (attend(q, k, v, causal=true, window=window) -> Linear(d, over=[heads, size]) as out)

model Speaker(vocab = 11, d = 8):
    input tokens: int[B, T]
    x = tokens -> Embed(vocab, d) as embed -> Layer(2, 4) as first -> Layer(2, 4, 3) as second
    x += x -> GRU(d) as gru -> Conv(d, [3], padding="causal") as conv
    return x -> Linear(vocab) as head

generate Speaker
"""


def test_a_loss_and_its_metrics() -> None:
    subject = Subject(ZOO["digits_mlp"].read_text())
    model = subject.program.trains[0].model
    args = {"hidden": 4}
    made = subject.create(model, args)
    batch = {"image": jnp.ones((3, 8, 8)), "label": jnp.array([0, 3, 9])}
    loss, metrics = subject.meaning.loss(
        model, weights_of(made), tuple(batch.values()), args, train=False
    )
    theirs, their_metrics = subject.module.eval_step(made, *batch.values())
    assert float(loss) == pytest.approx(float(theirs), rel=1e-5)
    assert {n: float(v) for n, v in metrics.items()} == pytest.approx(
        {n: float(v) for n, v in their_metrics.items()}, rel=1e-5
    )
