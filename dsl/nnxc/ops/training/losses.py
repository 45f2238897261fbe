"""Losses: means in float32, and the values per element under Optax's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...shapes import TensorType
from ..base import Call, Example, Helper, Input, Inputs, Kind, Op, Param, Rule, Shaped
from ..rules.agree import (
    WHERE,
    averaged,
    over_classes,
    over_equal,
    over_frames,
    over_pairs,
    tensor_input,
    whole,
)

_PAIR = ("predictions", "targets")
_EXAMPLES = (
    Example({}, ("B 5", "B 5")),
    Example({}, ("B T 5", "B T 5"), {"where": "bool: B T 5"}),
)
_LABELLED = (
    Example({}, ("B 5", "int: B")),
    Example({}, ("B T V", "int: B T"), {"where": "bool: B T"}),
)
ROWS = (
    Example({}, ("B 5", "B 5")),
    Example({}, ("B T 5", "B T 5"), {"where": "bool: B T"}),
)


def mean_of(
    name: str,
    doc: str,
    values: str,
    rule: Rule,
    inputs: tuple[Input, ...],
    examples: tuple[Example, ...],
    keywords: tuple[str, ...] = (),
    **more: Any,
) -> Op:
    """The mean of `values`, a template, over what the optional mask selects. `keywords` are
    parameters that the call in `values` takes by name; it has none where none is written.
    """
    if keywords:
        more["variants"] = dict.fromkeys(keywords, _averaged(_with(values, keywords)))
    return Op(
        name,
        "loss",
        doc,
        _averaged(values),
        inputs=(*inputs, WHERE),
        shape=averaged(rule),
        examples=examples,
        **more,
    )


def _averaged(values: str) -> Call:
    return Call(f"{values}.mean", kwargs={"where": "where"})


def _with(call: str, keywords: tuple[str, ...]) -> str:
    return f"{call[:-1]}, {', '.join(f'{k}={{{k}}}' for k in keywords)})"


def floats(*names: str, second: str = "float") -> tuple[Input, ...]:
    first, *others = names
    return (tensor_input(first), *(tensor_input(n, second) for n in others))


def _regression(name: str, doc: str, values: str, **more: Any) -> Op:
    return mean_of(
        name, doc, values, over_equal(_PAIR), floats(*_PAIR, second="number"), _EXAMPLES,
        **more,
    )  # fmt: skip


def _values(
    name: str, doc: str, inputs: tuple[Input, ...], rule: Rule, example: Example
) -> Op:
    """An Optax function under its own name: a value per element, to be reduced by the spec."""
    call = Call(f"optax.{name}", tuple(i.name for i in inputs))
    return Op(name, "loss", doc, call, inputs=inputs, shape=rule, examples=(example,))


def _smoothed(inputs: Inputs, args: Mapping[str, Any]) -> Shaped:
    labels: TensorType = inputs[0]
    return Shaped(labels)


_REGRESSION = (
    _regression(
        "mse",
        "Mean squared error.",
        "optax.squared_error({predictions}, {targets})",
    ),
    _regression(
        "mae",
        "Mean absolute error.",
        "jnp.abs({predictions} - {targets})",
    ),
    _regression(
        "l2",
        "Half the mean squared error.",
        "optax.l2_loss({predictions}, {targets})",
    ),
    _regression(
        "huber",
        "Quadratic within `delta` of the target, linear beyond.",
        "optax.huber_loss({predictions}, {targets})",
        params=(Param("delta", Kind.NUMBER, 1.0),),
        keywords=("delta",),
    ),
    _regression(
        "log_cosh",
        "Mean of log(cosh(error)): like a smooth absolute error.",
        "optax.log_cosh({predictions}, {targets})",
    ),
    _regression(
        "pinball",
        "Quantile loss; its minimum is the `quantile` of the targets.",
        "pinball({predictions}, {targets}, {quantile})",
        params=(Param("quantile", Kind.NUMBER),),
        helper=Helper("pinball"),
        source="Koenker, Bassett: Regression quantiles, 1978",
    ),
    mean_of(
        "poisson_nll",
        "Negative log-likelihood of counts under Poisson rates given as logarithms, "
        "up to a constant.",
        "poisson_nll({log_rates}, {targets})",
        over_equal(("log_rates", "targets")),
        floats("log_rates", "targets", second="number"),
        _EXAMPLES,
        helper=Helper("poisson_nll"),
    ),
    mean_of(
        "gaussian_nll",
        "Negative log-likelihood under Gaussians of given mean and log-variance, "
        "up to a constant.",
        "gaussian_nll({means}, {log_variances}, {targets})",
        over_equal(("means", "log_variances", "targets")),
        floats("means", "log_variances", "targets"),
        (Example({}, ("B 5", "B 5", "B 5")),),
        helper=Helper("gaussian_nll"),
    ),
    mean_of(
        "gaussian_kl",
        "KL divergence from the standard normal, summed over the last axis: a VAE's prior term.",
        "gaussian_kl({means}, {log_variances})",
        over_equal(("means", "log_variances"), reduced=1),
        floats("means", "log_variances"),
        ROWS,
        helper=Helper("gaussian_kl"),
        source="Kingma, Welling: Auto-encoding variational Bayes, 2013, appendix B",
    ),
)

_CLASSIFICATION = (
    mean_of(
        "cross_entropy",
        "Softmax cross-entropy of logits with integer labels.",
        "optax.softmax_cross_entropy_with_integer_labels({logits}, {labels})",
        over_classes(),
        floats("logits", "labels", second="int"),
        (*_LABELLED, Example({"smoothing": 0.1}, ("B T V", "int: B T"))),
        params=(
            Param(
                "smoothing",
                Kind.NUMBER,
                0.0,
                "share of the labels' weight spread over all classes",
                bounds=(0, 1),
            ),
        ),
        variants={
            "smoothing": _averaged(
                "optax.softmax_cross_entropy({logits}, optax.smooth_labels("
                "jax.nn.one_hot({labels}, {classes}), {smoothing}))"
            )
        },
    ),
    mean_of(
        "soft_cross_entropy",
        "Softmax cross-entropy of logits with distributions over the classes.",
        "optax.softmax_cross_entropy({logits}, {labels})",
        over_equal(("logits", "labels"), reduced=1),
        floats("logits", "labels"),
        ROWS,
    ),
    mean_of(
        "poly_cross_entropy",
        "Cross-entropy plus `epsilon` times its first polynomial term (PolyLoss).",
        "optax.losses.poly_loss_cross_entropy({logits}, {labels})",
        over_equal(("logits", "labels"), reduced=1),
        floats("logits", "labels"),
        ROWS,
        params=(Param("epsilon", Kind.NUMBER, 2.0),),
        keywords=("epsilon",),
    ),
    mean_of(
        "binary_cross_entropy",
        "Sigmoid cross-entropy of logits with labels from 0 to 1.",
        "optax.sigmoid_binary_cross_entropy({logits}, {labels})",
        over_equal(("logits", "labels")),
        floats("logits", "labels", second="any"),
        (*_EXAMPLES, Example({}, ("B 5", "bool: B 5"))),
    ),
    mean_of(
        "focal",
        "Sigmoid cross-entropy that weighs down what is already right.",
        "optax.sigmoid_focal_loss({logits}, {labels})",
        over_equal(("logits", "labels")),
        floats("logits", "labels", second="any"),
        _EXAMPLES,
        params=(
            Param("alpha", Kind.NUMBER, None, "weight of the positives", optional=True),
            Param("gamma", Kind.NUMBER, 2.0),
        ),
        keywords=("alpha", "gamma"),
    ),
    mean_of(
        "hinge",
        "Hinge loss of scores with targets -1 and 1.",
        "optax.hinge_loss({predictions}, {targets})",
        over_equal(_PAIR),
        floats(*_PAIR, second="number"),
        _EXAMPLES,
    ),
    mean_of(
        "multiclass_hinge",
        "Multiclass hinge loss of scores with integer labels.",
        "optax.losses.multiclass_hinge_loss({scores}, {labels})",
        over_classes("scores"),
        floats("scores", "labels", second="int"),
        _LABELLED,
    ),
    mean_of(
        "kl_divergence",
        "KL divergence of targets (probabilities) from predictions (log-probabilities).",
        "optax.kl_divergence({log_predictions}, {targets})",
        over_equal(("log_predictions", "targets"), reduced=1),
        floats("log_predictions", "targets"),
        ROWS,
    ),
)

_CTC = "optax.ctc_loss({logits}, {logit_paddings}, {labels}, {label_paddings})"
_SIMILARITY = (
    mean_of(
        "cosine_distance",
        "1 - the cosine of the angle between predictions and targets along the last axis.",
        "optax.cosine_distance({predictions}, {targets}, epsilon=1e-8)",
        over_equal(_PAIR, reduced=1),
        floats(*_PAIR),
        ROWS,
    ),
    mean_of(
        "triplet",
        "How much nearer an anchor must come to its positive than to its negative.",
        "optax.losses.triplet_margin_loss({anchors}, {positives}, {negatives})",
        over_equal(("anchors", "positives", "negatives"), reduced=1),
        floats("anchors", "positives", "negatives"),
        (
            Example({}, ("B 5", "B 5", "B 5")),
            Example({"margin": 1.0}, ("B 5", "B 5", "B 5")),
        ),
        params=(Param("margin", Kind.NUMBER, 1.0),),
        keywords=("margin",),
    ),
    Op(
        "ntxent",
        "loss",
        "Contrastive loss: embeddings of one label attract each other (SimCLR).",
        Call("optax.ntxent", ("embeddings", "labels"), {"temperature": "temperature"}),
        params=(Param("temperature", Kind.NUMBER, 0.07),),
        inputs=floats("embeddings", "labels", second="int"),
        shape=whole(over_pairs),
        examples=(Example({}, ("8 5", "int: 8")),),
    ),
    Op(
        "ctc_loss",
        "loss",
        "Connectionist temporal classification; paddings are 1 where a frame is padding.",
        _averaged(_CTC),
        params=(Param("blank", Kind.INT, 0, "the class that means nothing"),),
        variants={"blank": _averaged(f"{_CTC[:-1]}, blank_id={{blank}})")},
        inputs=(
            tensor_input("logits"),
            tensor_input("logit_paddings"),
            tensor_input("labels", "int"),
            tensor_input("label_paddings"),
        ),
        shape=over_frames,
        examples=tuple(
            Example(args, ("B T K", "B T", "int: B 3", "B 3"))
            for args in ({}, {"blank": 0})
        ),
    ),
)

_PER_ELEMENT = (
    _values(
        "squared_error",
        "Squared error of each element.",
        floats(*_PAIR, second="number"),
        over_equal(_PAIR),
        Example({}, ("B 5", "B 5")),
    ),
    _values(
        "sigmoid_binary_cross_entropy",
        "Binary cross-entropy of each logit.",
        floats("logits", "labels", second="any"),
        over_equal(("logits", "labels")),
        Example({}, ("B 5", "B 5")),
    ),
    _values(
        "softmax_cross_entropy",
        "Cross-entropy of each row of logits with a distribution.",
        floats("logits", "labels"),
        over_equal(("logits", "labels"), reduced=1),
        Example({}, ("B T 5", "B T 5")),
    ),
    _values(
        "softmax_cross_entropy_with_integer_labels",
        "Cross-entropy of each row of logits with an integer label.",
        floats("logits", "labels", second="int"),
        over_classes(),
        Example({}, ("B T V", "int: B T")),
    ),
    _values(
        "cosine_similarity",
        "The cosine of the angle between two tensors along the last axis.",
        floats(*_PAIR),
        over_equal(_PAIR, reduced=1),
        Example({}, ("B T 5", "B T 5")),
    ),
    Op(
        "smooth_labels",
        "loss",
        "Mixes distributions over classes with the uniform one, whose share is `alpha`.",
        Call("optax.smooth_labels", ("labels", "alpha")),
        params=(Param("alpha", Kind.NUMBER),),
        inputs=(tensor_input("labels"),),
        shape=_smoothed,
        examples=(Example({"alpha": 0.1}, ("B T V",)),),
    ),
)

ENTRIES: tuple[Op, ...] = (*_REGRESSION, *_CLASSIFICATION, *_SIMILARITY, *_PER_ELEMENT)
