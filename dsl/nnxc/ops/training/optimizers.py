"""Optimizers, by Optax's names and argument names."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...record import replace
from ..base import Call, Example, Kind, Op, Param

MATRICES = "matrices"  # of a call: what tells the model's matrices apart
DECAYING = "decaying"  # likewise, the weights that decay
_RATE = Param("learning_rate", Kind.SCHEDULE, doc="a number or a schedule")
_DECAY_DOC = "decay of the weights, times the learning rate"


# Shares of what was before; all other numbers are only not negative.
_SHARES = {
    "b1",
    "b2",
    "b3",
    "beta",
    "decay",
    "decay_rate",
    "eta_minus",
    "momentum",
    "rho",
}


def _numbers(**defaults: float | None) -> tuple[Param, ...]:
    return tuple(
        Param(
            name,
            Kind.NUMBER,
            default,
            optional=default is None,
            bounds=(0, 1 if name in _SHARES else math.inf),
        )
        for name, default in defaults.items()
    )


def wants_matrices(op: Op) -> bool:
    """Whether an optimizer steps matrices in a way of their own."""
    return isinstance(op.build, Call) and MATRICES in op.build.kwargs.values()


def decay_of(op: Op) -> Param | None:
    """How much weights decay, of an optimizer that can be told which do."""
    masked = isinstance(op.build, Call) and DECAYING in op.build.kwargs.values()
    amounts = (op.param(name) for name in ("weight_decay", "weight_decay_rate"))
    found = next((amount for amount in amounts if amount), None)
    return found if masked or DECAYING in op.variants else None


def _betas(b1: float, b2: float, eps: float) -> tuple[Param, ...]:
    return _numbers(b1=b1, b2=b2, eps=eps, eps_root=0.0)


def _decay(default: float) -> Param:
    return Param("weight_decay", Kind.NUMBER, default, _DECAY_DOC, bounds=(0, math.inf))


def _flag(name: str, default: bool = False) -> Param:
    return Param(name, Kind.BOOL, default)


def _optimizer(
    name: str,
    doc: str,
    *params: Param,
    module: str = "optax",
    constants: Mapping[str, str] | None = None,
    matrices: str | None = None,
    mask: str | None = None,
) -> Op:
    """`constants` are what its state holds and no step replaces: name -> sizes. `matrices` is the
    keyword that takes what tells the model's matrices from its other weights, `mask` the one that
    takes what tells the weights that decay."""
    return Op(
        name,
        "optimizer",
        doc,
        Call(
            f"{module}.{name}",
            ("learning_rate",),
            {p.name: p.name for p in params}
            | ({matrices: MATRICES} if matrices else {})
            | ({mask: DECAYING} if mask else {}),
            always=(MATRICES, DECAYING),
        ),
        params=(_RATE, *params),
        state=constants or {},
        inputs=(),
        examples=(Example({"learning_rate": 1e-2}, ()),),
    )


_ADAM = _betas(0.9, 0.999, 1e-8)
_NESTEROV = _flag("nesterov")
_NO_MOMENTUM = _numbers(momentum=None)


def _decayed_before(op: Op) -> Op:
    """An optimizer of Optax that has no decay, with one before it: of the loss, that is, by L2."""
    assert isinstance(op.build, Call)
    added = "optax.add_decayed_weights({weight_decay}%s), {}"  # links of a chain
    doc = "decay of the weights, added to their gradients (L2)"
    amount = Param("weight_decay", Kind.NUMBER, 0.0, doc, bounds=(0, math.inf))
    variants = {
        DECAYING: replace(op.build, around=added % f", {{{DECAYING}}}"),
        amount.name: replace(op.build, around=added % ""),
    }
    return replace(op, params=(*op.params, amount), variants=variants)


_SGD = _decayed_before(
    _optimizer(
        "sgd",
        "Stochastic gradient descent, with momentum where given.",
        *_NO_MOMENTUM,
        _NESTEROV,
    )
)
ENTRIES: tuple[Op, ...] = (
    _optimizer("adam", "Adam.", *_ADAM, _NESTEROV),
    _optimizer(
        "adamw",
        "Adam with decoupled weight decay.",
        *_ADAM,
        _decay(1e-4),
        _NESTEROV,
        mask="mask",
    ),
    _optimizer("nadam", "Adam with Nesterov momentum.", *_ADAM),
    _optimizer(
        "nadamw",
        "Adam with Nesterov momentum and weight decay.",
        *_ADAM,
        _decay(1e-4),
        mask="mask",
    ),
    _optimizer("amsgrad", "Adam whose second moment never shrinks.", *_ADAM),
    _optimizer(
        "adamax",
        "Adam with the infinity norm.",
        *_numbers(b1=0.9, b2=0.999, eps=1e-8),
    ),
    _optimizer(
        "adamaxw",
        "Adam with the infinity norm and weight decay.",
        *_numbers(b1=0.9, b2=0.999, eps=1e-8),
        _decay(1e-4),
        mask="mask",
    ),
    _optimizer(
        "radam",
        "Adam with the variance of its step rectified.",
        *_ADAM,
        *_numbers(threshold=5.0),
        _NESTEROV,
    ),
    _optimizer(
        "adabelief",
        "Adam scaled by how far gradients are from their mean.",
        *_numbers(b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16),
        _NESTEROV,
    ),
    _optimizer(
        "adan",
        "Adaptive Nesterov momentum.",
        *_numbers(b1=0.98, b2=0.92, b3=0.99, eps=1e-8, eps_root=1e-8),
        _decay(0.0),
        mask="mask",
    ),
    _optimizer(
        "yogi",
        "Adam whose second moment changes additively.",
        *_numbers(b1=0.9, b2=0.999, eps=1e-3),
    ),
    _optimizer(
        "novograd",
        "Adam with one second moment per layer.",
        *_betas(0.9, 0.25, 1e-6),
        _decay(0.0),
    ),
    _SGD,
    _optimizer(
        "rmsprop",
        "Steps divided by a running root mean square of the gradients.",
        *_numbers(decay=0.9, eps=1e-8, initial_scale=0.0),
        _flag("eps_in_sqrt", True),
        _flag("centered"),
        *_NO_MOMENTUM,
        _NESTEROV,
        _flag("bias_correction"),
    ),
    _optimizer(
        "adagrad",
        "Steps divided by the root of all squared gradients so far.",
        *_numbers(initial_accumulator_value=0.1, eps=1e-7),
    ),
    _optimizer(
        "adadelta",
        "Steps scaled by running averages of gradients and of updates.",
        *_numbers(rho=0.9, eps=1e-6),
        _decay(0.0),
        mask="weight_decay_mask",
    ),
    _optimizer(
        "adafactor",
        "Adam with a factored second moment: little memory.",
        Param("min_dim_size_to_factor", Kind.SIZE, 128),
        *_numbers(decay_rate=0.8),
        Param("decay_offset", Kind.INT, 0),
        _flag("multiply_by_parameter_scale", True),
        Param("clipping_threshold", Kind.NUMBER, 1.0, optional=True),
        *_NO_MOMENTUM,
        Param("weight_decay_rate", Kind.NUMBER, None, optional=True),
        *_numbers(eps=1e-30),
        _flag("factored", True),
        mask="weight_decay_mask",
    ),
    _optimizer(
        "lion",
        "Sign of a momentum.",
        *_numbers(b1=0.9, b2=0.99),
        _decay(1e-3),
        mask="mask",
    ),
    _optimizer(
        "lamb",
        "Adam with a trust ratio per layer, for large batches.",
        *_betas(0.9, 0.999, 1e-6),
        _decay(0.0),
        mask="mask",
    ),
    _optimizer(
        "lars",
        "SGD with a trust ratio per layer, for large batches.",
        _decay(0.0),
        *_numbers(trust_coefficient=0.001, eps=0.0, momentum=0.9),
        _NESTEROV,
        mask="weight_decay_mask",
    ),
    _optimizer(
        "muon",
        "Momentum orthogonalised by Newton-Schulz for the kernels of layers that are matrices, those over several axes too; "
        "Adam for embeddings, biases, `param`s, convolutions and the layer that gives the outputs, other than a branch that is added to its input.",
        Param("ns_steps", Kind.SIZE, 5),
        *_numbers(beta=0.95, eps=1e-8),
        _decay(0.0),
        module="optax.contrib",
        constants={"ns_coeffs": "3"},
        matrices="muon_weight_dimension_numbers",
        mask="weight_decay_mask",
    ),
    _optimizer("signum", "Sign of a momentum (Signum).", *_numbers(beta=0.9)),
    _optimizer("sign_sgd", "Sign of the gradient."),
    _optimizer(
        "rprop",
        "Steps that grow while a gradient keeps its sign.",
        *_numbers(eta_minus=0.5, eta_plus=1.2, min_step_size=1e-6, max_step_size=50.0),
    ),
    _optimizer(
        "fromage", "Steps relative to each layer's norm.", *_numbers(min_norm=1e-6)
    ),
)

DECAYS = tuple(op.name for op in ENTRIES if decay_of(op))
"""The optimizers that can be told which weights decay."""
