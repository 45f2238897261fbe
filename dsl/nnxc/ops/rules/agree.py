"""Shape rules for what is compared: predictions with targets, logits with labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims_compare import Comparison, compare
from ...record import replace
from ...shapes import TensorType
from ..base import Input, Inputs, Requirement, Rule, Shaped, ShapeError

SCALAR = TensorType("f32", ())
WHERE = Input("where", "bool", optional=True, scalar=False)


def tensor_input(name: str, dtype: str = "float") -> Input:
    """An input that no number can stand for: a loss of constants is a mistake."""
    return Input(name, dtype, scalar=False)


def over_equal(names: tuple[str, ...], reduced: int = 0) -> Rule:
    """A value per element of inputs of one shape, whose last `reduced` axes are summed away."""

    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        first = inputs[0]
        for name, other in zip(names[1:], inputs[1:], strict=False):
            _same_rank(names[0], first, name, other, reduced)
        requires = tuple(
            requirement
            for name, other in zip(names[1:], inputs[1:], strict=False)
            for requirement in equal(names[0], first, name, other)
        )
        return Shaped(_float32(names[0], _leading(first, reduced)), requires=requires)

    return rule


def over_classes(scores: str = "logits", labels: str = "labels") -> Rule:
    """A value per label: `scores` have one more axis than integer `labels`, the classes."""

    def rule(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        score, label = inputs[0], inputs[1]
        _needs_axis(scores, score)
        per_label = _leading(score, 1)
        if per_label.rank != label.rank or per_label.lead != label.lead:
            raise ShapeError(
                f"{labels} must be {per_label.with_dtype('int')}: one class for each row "
                f"of {scores} {score}, not {label}",
                at=labels,
                help=_labels_help(labels, score, label),
            )
        return Shaped(
            _float32(scores, per_label),
            sizes={"classes": score.sizes[-1]},
            requires=equal(scores, per_label, labels, label),
        )

    return rule


def averaged(rule: Rule) -> Rule:
    """The mean of what `rule` gives; the last input may be a mask of its shape."""

    def mean(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        *compared, where = inputs
        shaped = rule(tuple(compared), args)
        assert isinstance(shaped.out, TensorType)
        requires = shaped.requires
        if where is not None:
            _same_rank("the loss of each element", shaped.out, "where", where)
            requires += equal("the loss", shaped.out, "where", where)
        return replace(shaped, out=SCALAR, requires=requires)

    return mean


def whole(rule: Rule) -> Rule:
    """One number from inputs that `rule` accepts."""

    def scalar(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
        return Shaped(SCALAR, requires=rule(inputs, args).requires)

    return scalar


def over_frames(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """CTC: logits of frames against shorter sequences of labels, each with its paddings."""
    names = ("logits", "logit_paddings", "labels", "label_paddings")
    logits, logit_paddings, labels, label_paddings = inputs
    for name, given, rank in zip(names, inputs, (3, 2, 2, 2), strict=True):
        if given.rank != rank or given.lead:
            raise ShapeError(
                f"{name} is {given}",
                at=name,
                help="ctc_loss takes logits [B, T, K], logit_paddings [B, T], "
                "labels int[B, N], label_paddings [B, N]",
                code="N303",
            )
    frames = logits.with_axes(logits.axes[:2])
    requires: tuple[Requirement, ...] = (
        *equal("logits", frames, "logit_paddings", logit_paddings),
        *equal("labels", labels, "label_paddings", label_paddings),
        *equal(
            "logits",
            logits.with_axes(logits.axes[:1]),
            "labels",
            labels.with_axes(labels.axes[:1]),
        ),
    )
    return Shaped(SCALAR, requires=requires)


def over_pairs(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    """Embeddings of a batch against each other, told apart by a label each."""
    embeddings, labels = inputs
    if embeddings.rank != 2 or embeddings.lead:
        raise ShapeError(
            f"embeddings is {embeddings}",
            at="embeddings",
            help="ntxent takes embeddings [B, d] and labels int[B]",
            code="N303",
        )
    return over_classes("embeddings", "labels")((embeddings, labels), args)


def equal(
    left_name: str, left: TensorType, right_name: str, right: TensorType
) -> tuple[Requirement, ...]:
    """What must hold for two types of one rank to have one shape.

    Raises ShapeError where a pair of sizes is provably different.
    """
    unknown = []
    for position, (a, b) in enumerate(zip(left.sizes, right.sizes, strict=True)):
        match compare(a, b):
            case Comparison.DIFFERENT:
                raise ShapeError(
                    f"{right_name} is {right}, but {left_name} is {left}",
                    at=right_name,
                    help=f"axis {position} must be {a} in both, not {b}",
                )
            case Comparison.UNKNOWN:
                message = f"{left_name} and {right_name} have one shape: {a} == {b}"
                unknown.append(Requirement(a, b, message, at=right_name))
    return tuple(unknown)


def _same_rank(
    left_name: str, left: TensorType, right_name: str, right: TensorType, least: int = 0
) -> None:
    if left.rank < least and not left.lead:
        _needs_axis(left_name, left)
    if left.rank == right.rank and left.lead == right.lead:
        return
    raise ShapeError(
        f"{right_name} is {right}, but {left_name} is {left}",
        at=right_name,
        help=_rank_help(left_name, left, right_name, right),
    )


def _rank_help(
    left_name: str, left: TensorType, right_name: str, right: TensorType
) -> str:
    for longer, name, shorter in (
        (left, left_name, right),
        (right, right_name, left),
    ):
        lone = longer.rank == shorter.rank + 1 and longer.sizes[-1].value == 1
        if lone and longer.sizes[:-1] == shorter.sizes:
            return f"drop the last axis of {name} with `[..., 0]`"
    return f"both must have one shape; {right_name} would be {left}"


def _labels_help(labels: str, score: TensorType, label: TensorType) -> str:
    if label.rank == score.rank and label.sizes[-1].value == 1:
        return f"drop the last axis of {labels} with `[..., 0]`"
    if label.rank == score.rank:
        return "for a distribution over the classes use `soft_cross_entropy`"
    wanted = f"{labels} would be {_leading(score, 1).with_dtype('int')}"
    if label.rank and label.rank < score.rank - 1 and not score.lead:
        return f"{wanted}; or take the other axes away in the model, by `mean` or `flatten`"
    return wanted


def _needs_axis(name: str, given: TensorType) -> None:
    if given.rank == 0:
        raise ShapeError(
            f"{name} is {given}, without an axis of classes",
            at=name,
            help=f"{name} must be [..., classes]",
        )


def _leading(given: TensorType, dropped: int) -> TensorType:
    return given.with_axes(given.axes[: given.rank - dropped])


def _float32(name: str, given: TensorType) -> TensorType:
    """The type of a loss: half precision loses the small differences that training lives on."""
    if given.dtype in ("bf16", "f16"):
        raise ShapeError(
            f"a loss over {given.dtype} {name}",
            at=name,
            help=f"convert first: `astype({name}, f32)`",
            code="N302",
        )
    return given.with_dtype("f64" if given.dtype == "f64" else "f32")
