"""Metrics: numbers to watch, never differentiated. Every loss may be a metric too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dims_compare import Comparison, compare
from ..base import (
    Call,
    Example,
    Helper,
    Input,
    Inputs,
    Kind,
    Op,
    Param,
    Requirement,
    Shaped,
    ShapeError,
)
from ..rules.agree import (
    SCALAR,
    WHERE,
    averaged,
    over_classes,
    over_equal,
    tensor_input,
    whole,
)

_LOGITS = (tensor_input("logits"), tensor_input("labels", "int"), WHERE)
_BINARY = (tensor_input("logits"), tensor_input("labels", "any"))
_PAIR = (tensor_input("predictions"), tensor_input("targets", "number"))
_LABELLED = (
    Example({}, ("B 5", "int: B")),
    Example({}, ("B T V", "int: B T"), {"where": "bool: B T"}),
)
_EQUAL = (Example({}, ("B 5", "B 5")),)
_MASK = {"where": "where"}


def _top_k(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    shaped = averaged(over_classes())(inputs, args)
    k, classes = args["k"], shaped.sizes["classes"]
    match compare(classes, k):
        case Comparison.DIFFERENT if (
            k.value and classes.value and k.value > classes.value
        ):
            raise ShapeError(
                f"k is {k}, but there are {classes} classes",
                at="k",
                help=f"k must be at most {classes}",
            )
        case Comparison.UNKNOWN:
            message = f"k is at most the number of classes: {classes} >= {k}"
            enough = Requirement(classes, k, message, ">=", "k")
            return Shaped(SCALAR, shaped.sizes, requires=(*shaped.requires, enough))
    return shaped


def _binary(name: str, doc: str) -> Op:
    return Op(
        name,
        "metric",
        doc,
        Call(name, ("logits", "labels")),
        inputs=_BINARY,
        shape=whole(over_equal(("logits", "labels"))),
        helper=Helper(name),
        examples=(*_EQUAL, Example({}, ("B", "bool: B"))),
    )


def _regression(name: str, doc: str, build: Call | str, **more: Any) -> Op:
    inputs: tuple[Input, ...] = _PAIR
    rule = whole(over_equal(("predictions", "targets")))
    return Op(
        name, "metric", doc, build, inputs=inputs, shape=rule, examples=_EQUAL, **more
    )


ENTRIES: tuple[Op, ...] = (
    Op(
        "accuracy",
        "metric",
        "Share of rows whose largest logit is the label.",
        Call("(jnp.argmax({logits}, axis=-1) == {labels}).mean", kwargs=_MASK),
        inputs=_LOGITS,
        shape=averaged(over_classes()),
        examples=_LABELLED,
    ),
    Op(
        "top_k_accuracy",
        "metric",
        "Share of rows whose label is among the `k` largest logits.",
        Call(
            "(jax.lax.top_k({logits}, {k})[1] == {labels}[..., None]).any(axis=-1).mean",
            kwargs=_MASK,
        ),
        params=(Param("k", Kind.SIZE, 5),),
        inputs=_LOGITS,
        shape=_top_k,
        examples=tuple(Example({"k": 2}, e.inputs, e.named) for e in _LABELLED),
    ),
    Op(
        "binary_accuracy",
        "metric",
        "Share of elements whose logit has the sign of the label (0 or 1).",
        Call("(({logits} > 0) == ({labels} > 0.5)).mean", kwargs=_MASK),
        inputs=(*_BINARY, WHERE),
        shape=averaged(over_equal(("logits", "labels"))),
        examples=(*_EQUAL, Example({}, ("B", "bool: B"), {"where": "bool: B"})),
    ),
    Op(
        "perplexity",
        "metric",
        "exp of the mean cross-entropy.",
        "jnp.exp(optax.softmax_cross_entropy_with_integer_labels({logits}, {labels}).mean())",
        inputs=_LOGITS,
        shape=averaged(over_classes()),
        variants={
            "where": "jnp.exp(optax.softmax_cross_entropy_with_integer_labels("
            "{logits}, {labels}).mean(where={where}))"
        },
        examples=_LABELLED,
    ),
    _regression(
        "rmse",
        "Root of the mean squared error.",
        "jnp.sqrt(optax.squared_error({predictions}, {targets}).mean())",
    ),
    _regression(
        "r2",
        "Coefficient of determination: 1 is exact, 0 no better than the mean over the first axis.",
        Call("r2", ("predictions", "targets")),
        helper=Helper("r2"),
    ),
    _binary("precision", "Share of true among those predicted positive."),
    _binary("recall", "Share of the positives that are found."),
    _binary("f1", "Harmonic mean of precision and recall."),
)
