"""Parameters of a model that its blocks read by name."""

from __future__ import annotations

from functools import partial

import pytest
from emitting import program
from interpreted import of_page
from interpreting import Subject
from judged import judge

import nnxc
from nnxc.driver import reformat

BY_NAME = """
block MLP(*Net, wide = 2):
    input x: [B, T, d]
    return x -> Linear(wide * hidden, bias=bias) -> act -> Linear(d)

block Layer(*Net, i):
    input x: [B, T, d], mask: bool[B, T] = none
    rngs params, dropout
    if mask != none:
        x *= mask[..., none]
    x += x -> norm -> MLP -> Dropout(dropout, rng=dropout)
    if i < 1:
        x += x -> norm -> MLP(3) as second
    for width in widths:
        x += x -> Linear(width) as up -> Linear(d) as down
    return x * scale

model Net(
    d = 4, hidden = 8, layers = 2, norm = LayerNorm, act = gelu, bias = true, scale = 1, widths = [2, 3],
    dropout = 0.1,
):
    input x: [B, T, d], mask: bool[B, T] = none
    for i in range(layers):
        x = x -> Layer(i, mask=mask) as layer
    return x

config rms = Net(norm=RMSNorm, scale=0.5, layers=3)
"""

BY_HAND = """
block MLP(d, hidden, act, bias, wide = 2):
    input x: [B, T, d]
    return x -> Linear(wide * hidden, bias=bias) -> act -> Linear(d)

block Layer(d, hidden, norm, act, bias, scale, widths, dropout, i):
    input x: [B, T, d], mask: bool[B, T] = none
    rngs params, dropout
    if mask != none:
        x *= mask[..., none]
    x += x -> norm -> MLP(d, hidden, act, bias) -> Dropout(dropout, rng=dropout)
    if i < 1:
        x += x -> norm -> MLP(d, hidden, act, bias, 3) as second
    for width in widths:
        x += x -> Linear(width) as up -> Linear(d) as down
    return x * scale
"""

NET = """
model Net(d = 4, hidden = 8):
    input x: [B, d]
    return x -> Up -> Linear(d)
"""
UP = """
block Up(*Net):
    input x: [B, d]
    return x -> Linear(hidden)
"""


def slots(text: str) -> dict[str, object]:
    """What the model of a spec is made of, by the names of its weights."""
    from nnxc.instance import instantiate

    made = instantiate(program(text), "Net", {}, {"B": 2, "T": 3})
    return {".".join(map(str, k)): w.sizes for k, w in made.weights().items()}


def test_what_is_read_by_name_is_as_if_handed_on_by_hand() -> None:
    model = BY_NAME[BY_NAME.index("model Net") :].replace(
        "Layer(i, mask=mask)",
        "Layer(d, hidden, norm, act, bias, scale, widths, dropout, i, mask=mask)",
    )
    assert slots(BY_NAME) == slots(BY_HAND + "\n" + model)


def test_a_block_has_the_parameters_that_it_mentions_and_no_others() -> None:
    found = program(BY_NAME)
    names = [p.name for p in found.definition("MLP").params]
    assert names == ["d", "hidden", "act", "bias", "wide"]
    assert "layers" not in {p.name for p in found.definition("LayerNormLayer").params}


def test_what_is_generated_is_what_the_interpreter_reads() -> None:
    case = partial(of_page, "groups", Subject(BY_NAME), "Net")
    assert judge(case(), gradients=True) == "same"


def test_a_stack_needs_no_call() -> None:
    text = NET.replace("x -> Up -> Linear(d)", "x -> Up * hidden")
    found = program(UP.replace("Linear(hidden)", "Linear(hidden) -> Linear(d)") + text)
    assert [p.name for p in found.definition("Up").params] == ["d", "hidden"]


FORMATTED = "block Up(*Net, bias, wide = 2):\n    input x: [B, d]\n    return x\n"


@pytest.mark.parametrize(
    "head", ["(*Net, bias, wide = 2)", "(bias, *Net, wide=2)", "( * Net,bias,wide=2,)"]
)
def test_a_group_is_written_first(head: str) -> None:
    text = FORMATTED.replace("(*Net, bias, wide = 2)", head)
    assert reformat(text) == (FORMATTED, ())


def test_a_model_of_another_file_has_its_blocks_with_it() -> None:
    spec = """
use Net from "net.nnx"

model Twice(width = 3):
    input x: [B, width]
    return x -> Net(width, 5) as one -> Net(width, 6) as two
"""
    files = {"net.nnx": (UP + NET).encode()}
    output = nnxc.compile(spec, path="twice.nnx", read=files.__getitem__)
    assert not output.diagnostics


def test_a_group_may_name_a_model_of_another_file() -> None:
    spec = """
use Net from "net.nnx"

block Down(*Net):
    input x: [B, hidden]
    return x -> Linear(d)

block Both(*Net):
    input x: [B, hidden]
    return x -> Down -> Linear(hidden)

model Whole(width = 3):
    input x: [B, width]
    return x -> Net(width, 5)
"""
    files = {"net.nnx": (UP + NET).encode()}
    output = nnxc.compile(spec, path="whole.nnx", read=files.__getitem__)
    assert not output.diagnostics


# -------------------------------------------------------------------- mistakes


def told(text: str) -> list[tuple[str, str, str]]:
    """Each mistake: its code, its message, what it is about."""
    found = nnxc.compile(text, path="net.nnx").diagnostics
    return [(d.code, d.message, d.primary.span.text) for d in found]


def refused(old: str, new: str) -> list[tuple[str, str, str]]:
    """The mistakes where one piece of a sound spec is replaced."""
    whole = UP + NET
    assert old in whole and not told(whole)
    return told(whole.replace(old, new))


def test_an_unknown_model() -> None:
    mistake = ("N200", "there is no model `Nett`", "Nett")
    assert refused("*Net", "*Nett") == [mistake]


def test_a_block_is_no_model() -> None:
    assert refused("*Net", "*Up") == [("N274", "`Up` is a block", "Up")]


def test_two_groups() -> None:
    mistake = ("N276", "a block reads the parameters of one model", "*Net")
    assert refused("*Net", "*Net, *Net") == [mistake]


def test_a_model_with_a_group() -> None:
    text = NET.replace("Net(d", "Other(*Net, d").replace("Up -> ", "")
    mistake = ("N276", "a model has parameters of its own", "*Net")
    assert told(UP + NET + text) == [mistake]


ELSEWHERE = ("N276", "`Up` reads the parameters of `Net`", "Up")


def test_applied_in_another_model() -> None:
    assert told(UP + NET + NET.replace("Net", "Other")) == [ELSEWHERE]


def test_applied_in_a_block_without_the_group() -> None:
    block = "\nblock Plain:\n    input x: [B, e]\n    return x -> Up -> Linear(e)\n"
    assert told(UP + block + NET.replace("-> Up", "-> Plain")) == [ELSEWHERE]


def test_applied_in_a_block_with_another_group() -> None:
    other = NET.replace("Net", "Other").replace("Up", "Plain")
    block = (
        "\nblock Plain(*Other):\n    input x: [B, d]\n    return x -> Up -> Linear(d)\n"
    )
    assert told(UP + NET + block + other) == [ELSEWHERE]


def test_as_an_argument() -> None:
    block = "\nblock Twice(part):\n    input x: [B, e]\n    return x -> part\n"
    text = UP + block + NET.replace("-> Up", "-> Twice(Up)")
    assert told(text) == [ELSEWHERE]
    text = UP + block.replace("part)", "part = Up)") + NET.replace("-> Up", "-> Twice")
    assert told(text) == [ELSEWHERE]
    text = UP + NET.replace("8)", "8, part = Up)").replace("Up ->", "part ->")
    assert told(text) == [ELSEWHERE]


def test_in_a_train() -> None:
    train = """
train Net:
    batch x: [B, d], y: [B, hidden]
    loss = mse(x -> Up, y)
    optimizer = adam(1e-3)
"""
    assert [m[0] for m in told(UP + NET + train)] == ["N200"]


def test_a_config_of_such_a_block() -> None:
    text = UP + NET + "\nconfig up = Up(hidden=3)\n"
    assert told(text) == [("N274", "`Up` is a block", "Up")]


HIDDEN = ("N202", "`hidden` is a parameter of `Net`", "hidden")


@pytest.mark.parametrize("call", ["Up", "Up(3)", "Up(hidden=3)"])
def test_an_own_parameter_that_hides_one(call: str) -> None:
    text = (UP + NET).replace("*Net", "*Net, hidden").replace("Up ->", f"{call} ->")
    assert told(text) == [HIDDEN]


@pytest.mark.parametrize(
    "line",
    [
        "hidden = x -> relu",
        "input hidden: [B, d]",
        "for hidden in range(d):\n        x = x + hidden",
        "param hidden: [d] = ones",
        "for i, hidden in enumerate([1, 2]):\n        x = x + hidden",
        "scan r in x over B with hidden = zeros([d]):\n        hidden = hidden + r",
        "scan hidden in x over B with c = zeros([d]):\n        c = c + hidden",
        "scan r in x over B with c = zeros([d]):\n        c = c + r\n        collect hidden = c",
    ],
)
def test_an_own_name_that_hides_one(line: str) -> None:
    found = refused(
        "\n    return x -> Linear(hidden)", f"\n    {line}\n    return x + d"
    )
    assert found[0][0] == "N202" and found[0][2].startswith("hidden"), found
    assert len(found) == 1, found


def test_a_layer_may_have_the_name_of_a_parameter() -> None:
    assert refused("Linear(hidden)", "Linear(hidden) as hidden") == []


def test_given_by_hand() -> None:
    mistake = ("N276", "`Up` reads `hidden` of `Net` itself", "hidden=3")
    assert refused("Up ->", "Up(hidden=3) ->") == [mistake]
    assert refused("Up ->", "Up(3) ->") == [
        ("N205", "`Up` takes 0 positional arguments", "3")
    ]


def test_in_circles() -> None:
    mistake = ("N273", "`Up` contains itself", "Up")
    assert refused("Linear(hidden)\n", "Linear(hidden) -> Up\n") == [mistake]
    mistake = ("N273", "`Up` contains itself", "Up")
    assert refused("Linear(hidden)\n", "Linear(hidden) -> Net\n") == [mistake]


def test_nothing_read() -> None:
    found = refused(
        "[B, d]\n    return x -> Linear(hidden)", "[B, e]\n    return x -> relu"
    )
    assert found[0] == ("N260", "no parameter of `Net` is read", "*Net")


def test_what_is_misspelt_was_meant_to_be_read() -> None:
    block = "\nblock Half(*Net):\n    input x: [B, e]\n    return x * zz9\n"
    text = UP + block + NET.replace("-> Up", "-> Half -> Up")
    assert told(text) == [("N200", "there is no name `zz9`", "zz9")]


def test_a_default_of_a_kind_that_does_not_fit_is_told_there() -> None:
    found = refused("hidden = 8", "hidden = 0.5")
    text = "`hidden` cannot be both a number and a size"
    assert found == [("N206", text, "0.5")]


def test_a_name_in_another_spelling() -> None:
    mistake = ("N140", "`net` should be CamelCase", "net")
    assert refused("*Net", "*net") == [mistake]


@pytest.mark.parametrize("group", ["*", "**Net", "*Net = 3", "*Net.d"])
def test_a_malformed_group(group: str) -> None:
    found = refused("*Net", group)
    assert len(found) == 1 and found[0][0] in ("N120", "N122"), found


def test_python_stays_python() -> None:
    assert refused("*Net", "*args")[0] == ("N122", "`*args` is Python", "*args")


@pytest.mark.parametrize("line", ["x -> Linear(zz9)", "x -> Linear(3, 4, -)", "x ->"])
def test_after_a_mistake_the_model_may_use_more(line: str) -> None:
    found = refused("x -> Linear(hidden)", line)
    assert len(found) == 1 and found[0][0] != "N260", found


def test_a_mistake_in_such_a_block_is_one() -> None:
    mistake = ("N200", "there is no name `hiden`", "hiden")
    assert refused("Linear(hidden)\n", "Linear(hidden) -> Linear(hiden)\n") == [mistake]
