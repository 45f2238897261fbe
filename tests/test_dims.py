"""Laws of sizes: a ring, floor division, substitution, rendering, comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnxc.dims import (
    LIMIT,
    Dim,
    DimError,
    const,
    floordiv,
    func,
    power,
    product,
    symbol,
)
from nnxc.dims_compare import Comparison, compare
from nnxc.emit.python.scope import Scope
from nnxc.emit.python.static_text import size

NAMES = ("a", "b", "c")
A, B, C, H = (symbol(n) for n in "abcH")


def grow(inner: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] - p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        st.tuples(inner, st.integers(1, 6)).map(lambda p: p[0] // p[1]),
        st.tuples(inner, st.sampled_from([A, B + 1])).map(lambda p: p[0] // p[1]),
    )


DIMS = st.recursive(
    st.one_of(st.integers(-9, 9).map(const), st.sampled_from(NAMES).map(symbol)),
    grow,
    max_leaves=6,
)
NUMBERS = st.fixed_dictionaries({n: st.integers(1, 20) for n in NAMES})


def at(dim: Dim, env: Mapping[str, int]) -> int:
    value = dim.substitute(env).value
    assert value is not None
    return value


@given(DIMS, DIMS, DIMS)
def test_ring(x: Dim, y: Dim, z: Dim) -> None:
    assert x + y == y + x
    assert x * y == y * x
    assert (x + y) + z == x + (y + z)
    assert (x * y) * z == x * (y * z)
    assert x * (y + z) == x * y + x * z
    assert x + 0 == x * 1 == x
    assert x - x == x * 0 == const(0)


@given(DIMS, DIMS, NUMBERS)
def test_arithmetic_is_that_of_integers(x: Dim, y: Dim, env: dict[str, int]) -> None:
    assert at(x + y, env) == at(x, env) + at(y, env)
    assert at(x * y, env) == at(x, env) * at(y, env)
    assert at(-x, env) == -at(x, env)


@given(DIMS, st.integers(-7, 7).filter(bool), NUMBERS)
def test_floordiv_by_numbers(x: Dim, n: int, env: dict[str, int]) -> None:
    assert at(x // n, env) == at(x, env) // n
    assert at(x % n, env) == at(x, env) % n


@given(DIMS, DIMS, NUMBERS)
def test_floordiv_by_sizes(x: Dim, y: Dim, env: dict[str, int]) -> None:
    assume(y.value != 0 and at(y, env) > 0)
    assert at(x // y, env) == at(x, env) // at(y, env)


@given(DIMS, DIMS)
def test_exact_division(x: Dim, y: Dim) -> None:
    assume(y.terms)
    assert (x * y) // y == x


@given(st.integers(1, 5), st.integers(1, 5), st.integers(-9, 9))
def test_nested_floor_divisions_fold(n: int, m: int, r: int) -> None:
    assert (A * B // n + r) // m == (A * B + r * n) // (n * m)


@given(DIMS, NUMBERS, DIMS)
def test_substitution_commutes(x: Dim, env: dict[str, int], y: Dim) -> None:
    assume(at(y, env) > 0)
    through = x.substitute({"a": y}).substitute(env)
    assert through == x.substitute({**env, "a": at(y, env)})


@given(DIMS, NUMBERS)
def test_rendering_evaluates_to_the_same(x: Dim, env: dict[str, int]) -> None:
    assert eval(str(x), {}, env) == at(x, env)


@given(DIMS, st.lists(DIMS, max_size=3), NUMBERS)
def test_names_for_parts_of_a_size_stand_for_them(
    x: Dim, parts: list[Dim], env: dict[str, int]
) -> None:
    """Static locals in place of what they were made of change no size."""
    scope = Scope(lambda name: name)
    scope.sizes = {
        part: f"part{i}"
        for i, part in enumerate(parts)
        if part.value is None and part.name is None
    }
    known = env | {name: at(part, env) for part, name in scope.sizes.items()}
    assert eval(size(x, scope).text, {}, known) == at(x, env)


def test_a_sum_is_told_by_its_parts() -> None:
    """As Mamba 2 has it: names, not products, where the definition has names."""
    heads, head_dim, state = map(symbol, ("heads", "head_dim", "state"))
    scope = Scope(lambda name: name)
    scope.sizes = {
        heads * head_dim: "inner",
        symbol("inner") + 2 * state: "wide",
    }
    whole = 2 * heads * head_dim + 2 * state + heads
    assert size(whole, scope).text == "heads + inner + wide"


@given(DIMS)
def test_equal_forms_render_alike(x: Dim) -> None:
    text = re.sub(r"\d+", r"const(\g<0>)", str(x))
    assert eval(text, {n: symbol(n) for n in NAMES} | {"const": const}) == x


@given(DIMS, DIMS, NUMBERS)
def test_comparison_is_sound(x: Dim, y: Dim, env: dict[str, int]) -> None:
    match compare(x, y):
        case Comparison.EQUAL:
            assert at(x, env) == at(y, env)
        case Comparison.DIFFERENT:
            assert at(x, env) != at(y, env)


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (((H + 1) // 2 + 1) // 2, "(H + 3) // 4"),
        ((((H + 1) // 2 + 1) // 2 + 1) // 2, "(H + 7) // 8"),
        ((2 * H + 1) // 4, "H // 2"),
        ((2 * H + 6) // 4, "(H + 1) // 2 + 1"),
        (6 * A * B // (3 * A), "2 * b"),
        ((A + 5) // 2, "(a + 1) // 2 + 2"),
        (A * (H // 2), "a * (H // 2)"),
        ((A // B) * B, "b * (a // b)"),
        (-(A // B), "-(a // b)"),
        (-A * (A // 2), "-a * (a // 2)"),
        (A - 1, "a - 1"),
        (1 - A, "1 - a"),
        (power(A, const(3)), "a**3"),
        (power(const(2), A), "2**a"),
        (A % 2, "a - 2 * (a // 2)"),
        (product((A, B, const(2))), "2 * a * b"),
        (func("max", A, B), "max(a, b)"),
        (func("max", const(3), const(5)), "5"),
    ],
)
def test_canonical_forms(dim: Dim, text: str) -> None:
    assert str(dim) == text


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        (A * B, B * A, Comparison.EQUAL),
        (A, A + 1, Comparison.DIFFERENT),
        (A, 2 * A, Comparison.DIFFERENT),
        (A, B, Comparison.UNKNOWN),
        (A, const(3), Comparison.UNKNOWN),
        (A + B // 2, const(0), Comparison.DIFFERENT),
        (A + (B - 9) // 2, const(0), Comparison.UNKNOWN),
    ],
)
def test_three_answers(left: Dim, right: Dim, answer: Comparison) -> None:
    assert compare(left, right) is answer


def test_a_size_that_may_be_zero_proves_nothing() -> None:
    assert compare(A, 2 * A, frozenset("a")) is Comparison.UNKNOWN
    assert compare(A + 1, const(0), frozenset("a")) is Comparison.DIFFERENT


def test_lists_are_indexed() -> None:
    widths = func("index", symbol("widths"), symbol("i"))
    assert (2 * widths).substitute({"widths": (3, 4 * A), "i": 1}) == 8 * A
    assert func("len", symbol("widths")).substitute({"widths": (3, 4)}) == const(2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: floordiv(A, const(0)),
        lambda: power(A, const(-1)),
        lambda: power(const(10), const(19)),
        lambda: const(LIMIT) * 2,
        lambda: (A + B + C + H + 1) ** const(5) * (A + 2 * B),
    ],
    ids=["zero", "negative", "power", "product", "terms"],
)
def test_what_cannot_be_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(DimError):
        make()
