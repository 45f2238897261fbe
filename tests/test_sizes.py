"""Sizes that may be 0, that have no form, that inputs tell in any order; kinds of parameters."""

from __future__ import annotations

import re
import textwrap

import jax.numpy as jnp
import pytest
from emitting import load, text_of
from flax import nnx

from nnxc import driver
from nnxc.dims import func, symbol
from nnxc.ops.base import Kind

A, B = symbol("a"), symbol("b")

CALLER = """
model Net(d = 4):
    input x: [B, d]
    return x -> Inner({})
"""


def found(spec: str) -> list[tuple[str, int]]:
    """Code and line of each mistake."""
    diagnostics = driver.analyse(textwrap.dedent(spec).lstrip()).diagnostics
    lines = (
        d.primary.span.source.position(d.primary.span.start)[0] for d in diagnostics
    )
    return [(d.code, line) for d, line in zip(diagnostics, lines, strict=True)]


def kind(spec: str, name: str = "k") -> Kind:
    """What a parameter of the first definition turns out to be."""
    program = driver.analyse(textwrap.dedent(spec).lstrip()).program
    assert program is not None, found(spec)
    return next(p.kind for p in program.definitions[0].params if p.name == name)


# ----------------------------------------------------------------------- zero


@pytest.mark.parametrize("k", ["k = 0", "k = -1, e = 1", "flag = true", "k"], ids=str)
def test_a_summand_may_be_zero(k: str) -> None:
    local = "\n    k = 0 if flag else 1" if "flag" in k else ""
    more = " + e" if "e =" in k else ""
    default = ", d = 4" if "=" in k else ", d"
    config = "\nconfig c = Net(k=0, d=4)\n" if "=" not in k else ""
    spec = f"""
model Net({k}{default}):
    input x: [B, d]{local}
    y = x -> Linear(d + k{more})
    return x + y
{config}"""
    assert found(spec) == []
    module = load(text_of(spec))
    given = {"k": 0, "d": 4} if config else {}
    model = module.Net(*([module.Config(**given)] if config else []), rngs=nnx.Rngs(0))
    assert model(jnp.ones((2, 4))).shape == (2, 4)


@pytest.mark.parametrize(
    ("k", "config"), [("k = 1", ""), ("k = 0", "k=1"), ("k", "k=1"), ("k = 0", "k=-1")]
)
def test_another_summand_is_refused_where_it_is_given(k: str, config: str) -> None:
    spec = f"""
model Net({k}, d = 4):
    input x: [B, d]
    return x + (x -> Linear(d + k))
"""
    spec += f"\nconfig c = Net({config})\n" if config else ""
    assert found(spec) == [("N304", 3)]


def test_a_constructor_refuses_it_too() -> None:
    spec = """
model Net(k = 0, d = 4):
    input x: [B, d]
    return x + (x -> Linear(d + k))
"""
    module = load(text_of(spec))
    with pytest.raises(ValueError, match="k=1"):
        module.Net(k=1, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("width", ["k", "2 * k", "k // 2"])
def test_a_size_of_nothing_is_refused(width: str) -> None:
    model = f"""
    model Net(k = 0):
        input x: [B, 4]
        return x -> Linear({width})
    """
    assert found(model) == [("N304", 3)]


def test_loops_and_stacks_of_none() -> None:
    spec = """
block Layer:
    input x: [B, d]
    return x -> Linear(d)

model Net(n = 2, m = 0, d = 4):
    input x: [B, d]
    for i in range(m):
        x = x -> Linear(d)
    return x -> Layer * n

config c = Net(n=0)
"""
    assert found(spec) == []
    module = load(text_of(spec))
    model = module.Net(module.Config(n=0), rngs=nnx.Rngs(0))
    assert (model(jnp.ones((2, 4))) == 1).all()


# -------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "number", ["0.99 ** 100", "2.0 ** -3", "1.5 ** 200", "10 ** -2", "0.5 ** 0.5"]
)
def test_a_power_of_fractions_is_no_size(number: str) -> None:
    spec = f"""
model Net:
    input x: [B, 4]
    return x * ({number})
"""
    module = load(text_of(spec))
    out = module.Net(rngs=nnx.Rngs(0))(jnp.ones((1, 4)))
    assert float(out[0, 0]) == pytest.approx(eval(number), rel=1e-6)


@pytest.mark.parametrize("number", ["2.0 ** 10000", "1e308 * 10", "2 ** 65", "0 ** -1"])
def test_numbers_that_are_too_large(number: str) -> None:
    assert found(f"model Net:\n    input x: [B, 4]\n    return x * ({number})\n") == [
        ("N309", 3)
    ]


@pytest.mark.parametrize("size", ["T + true", "1 + true", "-true", "true * 2"])
def test_true_is_no_number(size: str) -> None:
    assert found(f"model Net:\n    input x: [B, {size}]\n    return relu(x)\n") == [
        ("N220", 2)
    ]
    assert [c for c, _ in found("model Net:\n    input x: [B, 1e308]\n    return x\n")]


# ---------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("uses", "argument", "due"),
    [
        (("x = x * k", "x = x -> Linear(k)"), "3", Kind.SIZE),
        (("x = x -> Dropout(k)", "x = x -> Linear(d * k)"), "1", Kind.SIZE),
        (("h = 2 * k\n    x = x * h", "x = x -> Linear(k)"), "3", Kind.SIZE),
        (("x = x * k", "for i in range(k):\n        x = relu(x)"), "3", Kind.INT),
        (("x = x * k", "x = x -> Dropout(k)"), "0.5", Kind.NUMBER),
        (("require k > 0", "x = x * k"), "0.5", Kind.NUMBER),
        (("require k in [1, 2.5]", "x = x + 1"), "2.5", Kind.NUMBER),
        (('require k in ["a", "b"]', "x = x + 1"), '"a"', Kind.TEXT),
        (("require not k", "x = x + 1"), "false", Kind.BOOL),
        (("x = x -> Linear(3) -> k", "x = x + 1"), "gelu", Kind.FUNCTION),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_kind_depends_on_no_order(
    uses: tuple[str, str], argument: str, due: Kind, order: int
) -> None:
    body = "\n    ".join(uses[::order])
    spec = f"""
block Inner(k):
    input x: [B, d]
    {body}
    return x
{CALLER.format(argument)}"""
    assert kind(spec) is due
    if due in (Kind.SIZE, Kind.INT):
        wrong = spec.replace(f"Inner({argument})", "Inner(0.5)")
        assert [code for code, _ in found(wrong)] == ["N207"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('require k == "a"', "x = x -> Linear(k)"),
        ("x = x -> Linear(k)", "require k"),
        ("x = x * k", "require k"),
        ("require k", "x = x -> Dropout(k)"),
    ],
)
def test_a_contradiction_is_told_once_with_both_places(first: str, second: str) -> None:
    spec = f"""
block Inner(k):
    input x: [B, d]
    {first}
    {second}
    return x
{CALLER.format("k=1")}"""
    (diagnostic,) = [
        d for d in driver.analyse(spec).diagnostics if d.code != "N207" or d.related
    ]
    place = diagnostic.primary.span
    assert place.source.position(place.start)[0] == 5
    (label,) = diagnostic.related
    assert label.span.source.position(label.span.start)[0] == 4


def test_a_whole_default_may_be_a_number_elsewhere() -> None:
    spec = """
block Scale(by = 1):
    input x: [B, d]
    return x * by

block Deep(by):
    input x: [B, d]
    return x -> Scale(by)

model Net(scale = 1, rates = [1, 2]):
    input x: [B, 4]
    for rate in rates:
        x = x * rate
    return (x -> Scale -> Deep(0.5)) * scale

config c = Net(scale=0.5, rates=[0.5, 2])
"""
    text = text_of(spec)
    assert "by: float = 1" in text and "scale: float = 1" in text
    module = load(text)
    out = module.Net(module.C, rngs=nnx.Rngs(0))(jnp.ones((1, 4)))
    assert float(out[0, 0]) == 0.25
    assert kind(spec.replace("x * by", "x -> Linear(by)").replace("0.5", "2"), "by")


def test_whole_stays_whole_where_a_use_needs_it() -> None:
    spec = """
    block Wide(by = 1):
        input x: [B, d]
        return x -> Linear(by)

    model Net:
        input x: [B, 4]
        return x -> Wide(0.5)
    """
    assert found(spec) == [("N207", 7)]


# ----------------------------------------------------------- equal expressions


@pytest.mark.parametrize(
    "size",
    [
        "prod(ws)",
        "sum(ws)",
        "len(ws)",
        "max(ws)",
        "max(a, 3)",
        "divisible(a, 8)",
        "int(sqrt(a))",
        "ceil(a / 3)",
        "(2 if flag else 3)",
        "ws[0]",
        "2 ** a",
    ],
)
def test_an_expression_equals_itself(size: str) -> None:
    names = [
        n
        for n in ("ws = [2, 3]", "a = 4", "flag = true")
        if re.search(rf"\b{n.split()[0]}\b", size)
    ]
    spec = f"""
model Net({", ".join(names)}):
    input x: [B, {size} * T, 4]
    n = {size}
    return (x -> Linear(1) -> [B, T * {size}]) + (x -> Linear(1) -> [B, n * T])
"""
    assert found(spec) == []


def test_extremes_have_one_form() -> None:
    assert func("max", A, B) == func("max", B, A) == func("max", A, func("max", B, A))
    assert func("min", A, A) == A
    assert str(func("max", func("max", A, 2 * A**0), 3 * A**0)) == "max(a, 3)"


def test_a_name_that_changes_is_not_itself() -> None:
    spec = """
    model Net(ws = [2, 3]):
        input x: [B, T, 4]
        for w in ws:
            y = x -> Linear(max([w, 2]))
            x = x -> Linear(max([w, 3])) -> Linear(4)
        return x : [B, T, 4]
    """
    assert found(spec) == [("N260", 4)]


# -------------------------------------------------------------- obligations


@pytest.mark.parametrize(
    "line",
    [
        "return stack(x[:, 1:, :d // 2], x[:, 1:, d // 2:], axis=-1) -> [B, T - 1, d]",
        "return concat(x[..., :d // 2], x[..., :d // 2]) : [B, T, d]",
        "return x[:, 1:] -> [B, T - 1, d // 2, 2] -> [B, T - 1, d]",
        "return x[:, 2:] + concat(x[:, 2:, :d // 2], x[:, 2:, :d // 2])",
        'return einsum("b t d, d e -> b t e", concat(x[..., :d // 2], x[..., d - d // 2:]), w)',
    ],
)
def test_even_sizes_are_an_obligation(line: str) -> None:
    param = "    param w: [d, 3] = lecun_normal\n" * ("einsum" in line)
    spec = f"model Net(d = 8):\n    input x: [B, T, d]\n{param}    {line}\n"
    assert found(spec) == []
    assert [c for c, _ in found(spec.replace("d = 8", "d = 7"))] == ["N304"]
    module = load(text_of(spec))
    with pytest.raises(ValueError, match="d=7"):
        module.Net(d=7, rngs=nnx.Rngs(0))


# ------------------------------------------------------------- axes of inputs

UNFLATTEN = """
block Unflatten:
    input {}
    return x[:, 1:] -> [B, h, w, d]

model Net:
    input x: [B, 17, 8], grid: [B, 2, 8, 3]
    return x -> Unflatten(grid=grid)
"""


@pytest.mark.parametrize(
    "inputs",
    [
        "x: [B, h * w + 1, d], grid: [B, h, w, c]",
        "grid: [B, h, w, c], x: [B, h * w + 1, d]",
    ],
)
def test_an_input_is_read_for_its_axes(inputs: str) -> None:
    spec = UNFLATTEN.format(inputs)
    if inputs.startswith("grid"):
        spec = spec.replace("x -> Unflatten(grid=grid)", "grid -> Unflatten(x=x)")
    assert found(spec) == []
    module = load(text_of(spec))
    out = module.Net(rngs=nnx.Rngs(0))(
        x=jnp.ones((1, 17, 8)), grid=jnp.ones((1, 2, 8, 3))
    )
    assert out.shape == (1, 2, 8, 8)


def test_axes_that_do_not_fit_are_told_at_the_call() -> None:
    spec = UNFLATTEN.format("x: [B, h * w + 1, d], grid: [B, h, w, c]")
    assert found(spec.replace("17", "18")) == [("N301", 7)]


def test_an_input_that_tells_nothing_new_is_not_used() -> None:
    spec = """
    model Net:
        input x: [B, T, d], y: [B, T, e], z: [B, e]
        return mean(x, axis=T) * e
    """
    assert found(spec.replace("d]", "8]")) == [("N260", 2)]


def test_one_unknown_at_a_time() -> None:
    spec = """
    block Parts:
        input x: [B, n * m], y: [B, n + k], z: [B, k]
        return x -> [B, n, m]

    model Net:
        input x: [B, 12], y: [B, 5], z: [B, 2]
        return x -> Parts(y=y, z=z) : [B, 3, 4]
    """
    assert found(spec) == []


def test_classes_say_what_parameters_are() -> None:
    spec = """
model Net(mode, width, rate, wide = false):
    input x: [B, 4]
    if mode in ["a", "b"] and wide:
        x = x -> Dropout(rate)
    return (x -> Linear(width)) * rate

config c = Net(mode="a", width=3, rate=0.5)
"""
    text = text_of(spec)
    for line in ("mode: str", "width: int", "rate: float", "wide: bool = False"):
        assert f"    {line}\n" in text
