"""A static value is the same to Python, to the checker's instances and to a generated constructor,
as a number and as a size."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nnxc import driver, ir
from nnxc.emit.python.scope import Scope
from nnxc.emit.python.static_text import size, static
from nnxc.instance.evaluate import evaluate, resolve
from nnxc.ir.fold_tensors import walk
from nnxc.ir.static_values import EvaluationError
from tests.importing import shared

SPEC = """
model Net(a = 3, b = 0, c = 5, r = 0.25, s = 2.0, flag = true, ws = [4, 2, 7]):
    input x: [B, 4]
    return (x -> Linear(1_000_000 + {whole})) * ({number}) * (a + b + c + r + s + sum(ws)) * (1 if flag else 2)
"""
REFUSED = {"N304", "N309", "N322"}  # too large, or not positive, at the defaults
VALUES = st.fixed_dictionaries(
    {
        "a": st.integers(-3, 12),
        "b": st.integers(-2, 2),
        "c": st.integers(1, 40),
        "r": st.sampled_from([0.25, 0.5, -1.5, 0.0, 0.1]),
        "s": st.sampled_from([0.5, 1.0, 3.0, 4.25]),
        "flag": st.booleans(),
        "ws": st.lists(st.integers(-2, 9), min_size=3, max_size=4).map(tuple),
    }
)
CONDITIONS = st.sampled_from(
    ["flag", "not flag", "a > b", "r < s", "a == 3 and flag", "b in [0, 1]", "2 in ws"]
)
LEAVES = st.sampled_from(
    ["a", "b", "c", "2", "7", "(-3)", "len(ws)", "ws[0]", "ws[-1]", "sum(ws)", "max(ws)",
     "len(ws[1:] + [1] * 2)", "prod(ws[1:3])", "int(sqrt(c))", "len(range(c))"]
)  # fmt: skip
FRACTIONS = st.sampled_from(["r", "s", "0.5", "2e-1", "pi", "c / 3", "1 / 4", "-r"])


def _further(wholes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over whole numbers that give a whole number."""
    one, by = wholes, st.integers(1, 5)
    return st.one_of(
        st.builds("({} {} {})".format, one, st.sampled_from("+-*"), one),
        st.builds("({} {} {})".format, one, st.sampled_from(["//", "%"]), by),
        st.builds("({} ** {})".format, one, st.integers(0, 3)),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), one, one),
        st.builds("{}({})".format, st.sampled_from(["abs", "-", "int"]), one),
        st.builds("({} if {} else {})".format, one, CONDITIONS, one),
        st.builds("{}({} * r)".format, st.sampled_from(["int", "round", "ceil", "floor"]), one),
        st.builds("divisible(abs({}) + 1, {})".format, one, by),
        st.builds("{}([{}] + [{}, 2] * 2)".format, st.sampled_from(["sum", "prod", "max"]), one, one),
    )  # fmt: skip


WHOLE = st.recursive(LEAVES, _further, max_leaves=5)
NUMBER = st.recursive(
    st.one_of(FRACTIONS, WHOLE),
    lambda some: st.one_of(
        st.builds("({} {} {})".format, some, st.sampled_from("+-*"), some),
        st.builds("({} / {})".format, some, st.sampled_from(["c", "s", "3"])),
        st.builds("({} ** {})".format, FRACTIONS.map(lambda f: f"abs({f})"), st.integers(-1, 3)),
        st.builds("{}(abs({}) + 1)".format, st.sampled_from(["sqrt", "log", "log2"]), some),
        st.builds("({} if {} else {})".format, some, CONDITIONS, some),
        st.builds("float({})".format, some),
    ),
    max_leaves=4,
)  # fmt: skip


def _python(text: str, env: dict[str, Any]) -> Any:
    names = {
        n: getattr(math, n) for n in ("sqrt", "ceil", "floor", "prod", "log", "log2")
    }
    held: dict[str, Any] = {**names, "math": math, "pi": math.pi}
    held["divisible"] = shared("divisible")
    return eval(text, held, env)


def _same(one: Any, other: Any) -> bool:
    return one == other or math.isclose(one, other, rel_tol=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(WHOLE, NUMBER, st.lists(VALUES, min_size=2, max_size=2))
def test_three_evaluators_agree(
    whole: str, number: str, cases: list[dict[str, Any]]
) -> None:
    analysis = driver.analyse(SPEC.format(whole=whole, number=number).lstrip())
    if analysis.program is None:
        assert {d.code for d in analysis.diagnostics} <= REFUSED, (whole, number)
        return
    (net,) = analysis.program.definitions
    (layer,) = (s.layer for s in net.body if isinstance(s, ir.Declare))
    (returned,) = (s for s in net.body if isinstance(s, ir.Return))
    scalars = [e for e in walk(returned.values[0]) if isinstance(e, ir.Scalar)]
    lets = [s for s in net.body if isinstance(s, ir.StaticLet)]
    scope = Scope(lambda name: name)
    for env in cases:
        here, there = dict(env), dict(env)
        as_lists = {**env, "ws": list(env["ws"])}
        try:
            due = _python(whole, dict(as_lists))
            due_number = _python(number, dict(as_lists))
        except (ZeroDivisionError, OverflowError):
            continue
        try:
            for let in lets:
                here[let.name] = evaluate(let.value, here)
                there[let.name] = _python(static(let.value, scope).text, there)
        except EvaluationError as error:
            assert "too large" in str(error)
            continue
        out = dict(layer.args)["out"]
        width = layer.weights["kernel"].sizes[1]
        assert evaluate(out, here) == 1_000_000 + due, (whole, env)
        assert resolve(width, here).value == 1_000_000 + due, (whole, env, str(width))
        assert _python(static(out, scope).text, there) == 1_000_000 + due, (whole, env)
        assert _python(size(width, scope).text, there) == 1_000_000 + due, (whole, env)
        (found,) = {id(s): s for s in scalars[:1]}.values()
        assert _same(evaluate(found.value, here), due_number), (number, env)
        text = static(found.value, scope).text
        assert _same(_python(text, there), due_number), (number, text, env)
