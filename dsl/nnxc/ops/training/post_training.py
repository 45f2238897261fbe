"""Losses of post-training: log-probabilities, preferences, distillation."""

from __future__ import annotations

from ..base import Call, Example, Helper, Kind, Op, Param
from ..rules.agree import over_classes, over_equal
from .losses import ROWS, floats, mean_of

_ANSWERS = ("chosen", "rejected", "reference_chosen", "reference_rejected")

ENTRIES: tuple[Op, ...] = (
    Op(
        "log_prob",
        "loss",
        "Log-probability of each label under logits, in float32.",
        Call("log_prob", ("logits", "labels")),
        inputs=floats("logits", "labels", second="int"),
        shape=over_classes(),
        examples=(Example({}, ("B T V", "int: B T")),),
        helper=Helper("log_prob"),
    ),
    mean_of(
        "dpo",
        "Direct preference optimization, over log-probabilities of whole answers: "
        "-log sigmoid(beta (chosen - reference_chosen - rejected + reference_rejected)).",
        "dpo({chosen}, {rejected}, {reference_chosen}, {reference_rejected}, {beta})",
        over_equal(_ANSWERS),
        floats(*_ANSWERS),
        (
            Example({}, ("B", "B", "B", "B")),
            Example({"beta": 0.1}, ("B", "B", "B", "B"), {"where": "bool: B"}),
        ),
        params=(
            Param("beta", Kind.NUMBER, 0.1, "how much leaving the reference costs"),
        ),
        helper=Helper("dpo"),
        source="Rafailov et al.: Direct preference optimization, 2023, equation 7",
    ),
    mean_of(
        "distillation",
        "KL divergence of a teacher's softened distribution from the student's, times the "
        "squared temperature: T^2 KL(softmax(teacher / T) || softmax(student / T)).",
        "distillation({logits}, {teacher_logits}, {temperature})",
        over_equal(("logits", "teacher_logits"), reduced=1),
        floats("logits", "teacher_logits"),
        (*ROWS, Example({"temperature": 1.0}, ("B T 5", "B T 5"))),
        params=(Param("temperature", Kind.NUMBER, 1.0),),
        helper=Helper("distillation"),
        source="Hinton, Vinyals, Dean: Distilling the knowledge in a neural network, 2015",
    ),
)
