"""What rules refuse, what they leave to be checked, and how they treat leading axes."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import Case, cases, predict, rule_args

from nnxc.codes import CODES
from nnxc.dims_compare import Comparison, compare
from nnxc.ops import MODEL_OPS
from nnxc.ops.base import Example, Kind, ShapeError
from nnxc.ops.rules.pattern import shape_of
from nnxc.record import replace

Args = dict[str, Any]


def case(name: str, args: Args, *types: str, **named: str) -> Case:
    return Case(MODEL_OPS[name], Example(args, types, named))


REFUSED: list[tuple[Case, str, str | None, str]] = [
    # dtypes
    (case("Linear", {"out": 3}, "int: B T"), "N302", "x", "x is int[B, T]"),
    (case("Embed", {"vocab": 3, "d": 4}, "B T"), "N302", "ids", "must be int"),
    (case("where", {}, "B", "B", "B"), "N302", "condition", "must be bool"),
    (case("take", {}, "V d", "B"), "N302", "indices", "must be int"),
    # ranks
    (case("Linear", {"out": 3}, ""), "N303", "x", "at least 1 axis"),
    (
        case("Conv", {"features": 4, "window": (3, 3)}, "B T d"),
        "N303",
        "x",
        "slides over [B, H, W, C]",
    ),
    (case("Attention", {"heads": 4}, "T 8"), "N303", "x", "must have 3 axes"),
    (case("concat", {}, "B T 3", "B 3"), "N303", "xs", "different numbers of axes"),
    (
        case("take", {"axis": 1}, "B T d", "int: B 3 4"),
        "N303",
        "indices",
        "one axis at most",
    ),
    (
        case("einsum", {"pattern": "b t, d e -> b e"}, "B T 3", "3 e"),
        "N303",
        "xs",
        "the pattern names 2 axes",
    ),
    # sizes
    (case("concat", {}, "B 4 3", "B 5 3"), "N301", "xs", "in their second axis"),
    (case("stack", {}, "B 4", "B 5"), "N301", "xs", "in their last axis"),
    (case("split", {"parts": (3, 4)}, "B 8"), "N301", "parts", "must be 7"),
    (case("matmul", {}, "B T 3", "4 f"), "N301", "y", "must be 3"),
    (case("maximum", {}, "B 3", "B 4"), "N301", None, "in their last axis"),
    (case("vecdot", {}, "B 3", "B 4"), "N301", "y", "its last axis must be 3"),
    (case("squeeze", {}, "B T 3"), "N301", "axis", "cannot be dropped"),
    (case("broadcast", {"shape": ("B", 3)}, "B 4"), "N301", "shape", "stretch"),
    (
        case("attend", {}, "B T 4 8", "B S 4 6", "B S 4 6"),
        "N301",
        "k",
        "its last axis must be q's, 8",
    ),
    (
        case("Attention", {"heads": 4}, "B T 8", context="B 7 9", mask="bool: B 1 1 5"),
        "N301",
        "mask",
        "must stretch to bool[B, 4, T, 7]",
    ),
    (
        case("einsum", {"pattern": "b t d, d e -> b t e"}, "B T 3", "4 e"),
        "N301",
        "xs",
        "`d` is 3 and 4",
    ),
    # divisibility
    (case("Attention", {"heads": 3}, "B T 8"), "N304", "heads", "must divide 8"),
    (
        case("Attention", {"heads": 4, "kv_heads": 3}, "B T 8"),
        "N304",
        "kv_heads",
        "must divide 4",
    ),
    (case("GroupNorm", {"groups": 5}, "B H W 8"), "N304", "groups", "must divide 8"),
    (case("split", {"parts": 3}, "B 8"), "N304", "x", "a multiple of 3"),
    (case("glu", {}, "B 5"), "N304", "x", "must be even"),
    (case("rope", {}, "B T H 5", "int: B T"), "N304", "x", "must be even"),
    (
        case("rearrange", {"pattern": "b (h k) -> b h k", "h": 3}, "B 8"),
        "N304",
        "h",
        "h is 3, it must divide 8",
    ),
    # windows, strides, counts
    (
        case("Conv", {"features": 4, "window": (7, 7), "padding": "valid"}, "B 5 5 C"),
        "N305",
        "window",
        "reaches over 7",
    ),
    (
        case("Conv", {"features": 4, "window": 3, "padding": "causal"}, "B H W C"),
        "N305",
        "padding",
        "this one over 2",
    ),
    (
        case("Conv", {"features": 4, "window": (3, 3), "stride": (1, 2, 3)}, "B H W C"),
        "N305",
        "stride",
        "stride has 3 sizes, the window 2",
    ),
    (
        case("Conv", {"features": 4, "window": 3, "weight_norm": "window"}, "B H W C"),
        "N305",
        "weight_norm",
        "has 2 axes, not one",
    ),
    (case("top_k", {"k": 9}, "B 8"), "N305", "k", "fewer than 9"),
    (case("arange", {"start": 0}), "N305", "start", "is empty"),
    (case("arange", {"start": 0, "stop": 5, "step": 0}), "N305", "step", "be 0"),
    # patterns
    (
        case("einsum", {"pattern": "b t d, d e"}, "B T d", "d e"),
        "N306",
        "pattern",
        "one `->`",
    ),
    (
        case("einsum", {"pattern": "b d, d e -> b f"}, "B 3", "3 e"),
        "N306",
        "pattern",
        "`f` of the result is in no operand",
    ),
    (
        case("einsum", {"pattern": "b d, d e -> b e"}, "B 3"),
        "N306",
        "pattern",
        "2 operands",
    ),
    (
        case("rearrange", {"pattern": "b (h k) -> b h k"}, "B 8"),
        "N306",
        "pattern",
        "sizes of `h` and `k` are not known",
    ),
    (
        case("rearrange", {"pattern": "b d -> b"}, "B 8"),
        "N306",
        "pattern",
        "`d` is missing on the right",
    ),
    (
        case("rearrange", {"pattern": "b (d -> b d"}, "B 8"),
        "N306",
        "pattern",
        "parentheses",
    ),
    (
        case("rearrange", {"pattern": "b d -> d b", "p": 2}, "B 8"),
        "N306",
        "p",
        "no `p`",
    ),
    # axes
    (case("mean", {"axis": 3}, "B T d"), "N307", "axis", "has no axis 3"),
    (case("stack", {"axis": 4}, "B 4", "B 4"), "N307", "axis", "no place 4"),
    (case("transpose", {"axes": (0, 1)}, "B T d"), "N307", "axes", "named once"),
]


def label(value: Any) -> str | None:
    return value.op.name if isinstance(value, Case) else None


@pytest.mark.parametrize(("wrong", "code", "at", "message"), REFUSED, ids=label)
def test_a_mistake_is_refused(
    wrong: Case, code: str, at: str | None, message: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        predict(wrong)
    assert (refused.value.code, refused.value.at) == (code, at)
    assert message in refused.value.message


def test_every_code_is_registered() -> None:
    assert {code for _, code, _, _ in REFUSED} <= CODES.keys()


OPEN: list[tuple[Case, str, str | None]] = [
    (case("Attention", {"heads": "heads"}, "B T d"), "heads must divide d", "heads"),
    (case("glu", {}, "B d"), "d must be even", "x"),
    (case("split", {"parts": 3}, "B d"), "d must be a multiple of 3", "x"),
    (
        case("matmul", {}, "B T d", "e f"),
        "y is [e, f], its last axis but one must be d, the last of x",
        "y",
    ),
    (case("vecdot", {}, "B d", "B e"), "y is [B, e], its last axis must be d", "y"),
]


@pytest.mark.parametrize(("unknown", "message", "at"), OPEN, ids=label)
def test_what_may_hold_is_left_to_be_checked(
    unknown: Case, message: str, at: str | None
) -> None:
    (required,) = predict(unknown).requires
    assert (required.message, required.at) == (message, at)
    assert compare(required.left, required.right) is Comparison.UNKNOWN


BY_POSITION = (Kind.AXIS, Kind.AXES)


def test_a_default_axis_is_none_that_an_open_shape_hides() -> None:
    refused = pytest.raises(ShapeError, match="has no axis 1")
    opened = replace(case("flatten", {}, "B H W C").types["x"], lead=True)
    with refused as found:
        shape_of(MODEL_OPS["flatten"], (opened,), {})
    assert found.value.code == "N307"
    assert shape_of(MODEL_OPS["flatten"], (opened,), {"axis": -2}).out.rank == 3


def leading(case: Case) -> bool:
    """Whether the first axis of the only input may be replaced by `...`."""
    inputs = case.types
    by_position = any(
        p.kind in BY_POSITION and p.name in case.example.args for p in case.op.params
    )
    return len(inputs) == 1 and not case.op.inputs[0].many and not by_position


@pytest.mark.parametrize(
    "known", [c for c in cases() if leading(c)], ids=lambda c: c.op.name
)
def test_leading_axes_are_refused_or_carried_along(known: Case) -> None:
    (x,) = known.types.values()
    if not x.rank:
        pytest.skip("no axis to replace")
    whole = predict(known)
    absent = (None,) * (len(known.op.inputs) - 1)
    opened = replace(x, axes=x.axes[1:], lead=True)
    try:
        shaped = shape_of(known.op, (opened, *absent), rule_args(known))
    except ShapeError as refused:
        assert refused.code in ("N303", "N307")
        return
    outs = shaped.out if isinstance(shaped.out, tuple) else (shaped.out,)
    wholes = whole.out if isinstance(whole.out, tuple) else (whole.out,)
    for out, expected in zip(outs, wholes, strict=True):
        assert out.sizes == expected.sizes[len(expected.sizes) - out.rank :]
        assert out.lead == (expected.rank > out.rank)
