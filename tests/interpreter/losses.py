"""Losses, metrics and what stands beside them, by their definitions on the library's page."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax


def _mean(values: Any, where: Any = None) -> Any:
    if where is None:
        return values.mean()
    where = jnp.broadcast_to(where, values.shape)
    return jnp.where(where, values, 0).sum() / jnp.maximum(where.sum(), 1)


def _f32(x: Any) -> Any:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _each(f: Any, *more: str) -> Any:
    """A loss that is the mean of what a function gives for each element."""

    def loss(x, y, where=None, **params):
        return _mean(f(x, y, **params), where)

    return loss


def integer_entropy(logits, labels):
    logits = _f32(logits)
    chosen = jnp.take_along_axis(logits, labels[..., None], -1)[..., 0]
    return jax.nn.logsumexp(logits, -1) - chosen


def cross_entropy(logits, labels, where=None, smoothing=0.0):
    each = integer_entropy(logits, labels)
    if smoothing:
        uniform = -jax.nn.log_softmax(_f32(logits)).mean(-1)
        each = (1 - smoothing) * each + smoothing * uniform
    return _mean(each, where)


def chunked_cross_entropy(
    hidden, kernel, labels, where=None, *, chunk=1024, softcap=None
):
    logits = _f32(hidden @ kernel)
    if softcap is not None:
        logits = softcap * jnp.tanh(logits / softcap)
    return cross_entropy(logits, labels, where)


def sigmoid_binary_cross_entropy(logits, labels):
    logits = _f32(logits)
    log_p, log_not = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    return -labels * log_p - (1 - labels) * log_not


def distillation(logits, teacher_logits, where=None, temperature=1.0):
    teacher = jax.nn.log_softmax(_f32(teacher_logits) / temperature)
    student = jax.nn.log_softmax(_f32(logits) / temperature)
    each = (jnp.exp(teacher) * (teacher - student)).sum(-1)
    return temperature**2 * _mean(each, where)


def dpo(chosen, rejected, reference_chosen, reference_rejected, where=None, beta=0.1):
    margin = chosen - reference_chosen - rejected + reference_rejected
    return _mean(-jax.nn.log_sigmoid(beta * margin), where)


def log_prob(logits, labels):
    return -integer_entropy(logits, labels)


def softmax_cross_entropy(logits, labels):
    return -(labels * jax.nn.log_softmax(_f32(logits))).sum(-1)


def huber(predictions, targets, where=None, delta=1.0):
    error = abs(predictions - targets)
    inner = jnp.minimum(error, delta)
    return _mean(0.5 * inner**2 + delta * (error - inner), where)


def gaussian_kl(means, log_variances, where=None):
    each = jnp.exp(log_variances) + means**2 - 1 - log_variances
    return _mean(0.5 * each.sum(-1), where)


def gaussian_nll(means, log_variances, targets, where=None):
    error = (targets - means) ** 2 * jnp.exp(-log_variances)
    return _mean(0.5 * (log_variances + error), where)


def pinball(predictions, targets, where=None, quantile=None):
    error = targets - predictions
    return _mean(jnp.maximum(quantile * error, (quantile - 1) * error), where)


def triplet(anchors, positives, negatives, where=None, margin=1.0):
    return _mean(
        optax.triplet_margin_loss(anchors, positives, negatives, margin=margin), where
    )


def ctc_loss(logits, logit_paddings, labels, label_paddings, blank=0):
    each = optax.ctc_loss(
        logits, logit_paddings, labels, label_paddings, blank_id=blank
    )
    return each.mean()


def ntxent(embeddings, labels, temperature=0.07):
    return optax.ntxent(embeddings, labels, temperature)


def smooth_labels(labels, alpha):
    return (1 - alpha) * labels + alpha / labels.shape[-1]


def focal(logits, labels, where=None, alpha=None, gamma=2.0):
    return _mean(optax.sigmoid_focal_loss(logits, labels, alpha, gamma), where)


def poly_cross_entropy(logits, labels, where=None, epsilon=2.0):
    each = softmax_cross_entropy(logits, labels)
    right = (labels * jax.nn.softmax(logits)).sum(-1)
    return _mean(each + epsilon * (1 - right), where)


def cosine_similarity(predictions, targets):
    return optax.cosine_similarity(predictions, targets, epsilon=1e-8)


def accuracy(logits, labels, where=None):
    return _mean((logits.argmax(-1) == labels).astype(jnp.float32), where)


def binary_accuracy(logits, labels, where=None):
    right = (logits > 0) == (labels > 0.5)
    return _mean(right.astype(jnp.float32), where)


def perplexity(logits, labels, where=None):
    return jnp.exp(cross_entropy(logits, labels, where))


def rmse(predictions, targets):
    return jnp.sqrt(jnp.square(predictions - targets).mean())


def r2(predictions, targets):
    left = jnp.square(targets - predictions).sum()
    return 1 - left / jnp.square(targets - targets.mean(axis=0)).sum()


def _counts(logits, labels):
    found, true = logits > 0, labels > 0.5
    return (found & true).sum(), found.sum(), true.sum()


def precision(logits, labels):
    right, found, _ = _counts(logits, labels)
    return right / jnp.maximum(found, 1)


def recall(logits, labels):
    right, _, true = _counts(logits, labels)
    return right / jnp.maximum(true, 1)


def f1(logits, labels):
    right, found, true = _counts(logits, labels)
    return 2 * right / jnp.maximum(found + true, 1)


def top_k_accuracy(logits, labels, where=None, k=5):
    best = jax.lax.top_k(logits, k)[1] == labels[..., None]
    return _mean(best.any(-1).astype(jnp.float32), where)


LOSSES = {
    "mse": _each(lambda x, y: jnp.square(x - y)),
    "squared_error": lambda predictions, targets: jnp.square(predictions - targets),
    "mae": _each(lambda x, y: abs(x - y)),
    "l2": _each(lambda x, y: 0.5 * jnp.square(x - y)),
    "log_cosh": _each(lambda x, y: jnp.logaddexp(x - y, y - x) - jnp.log(2.0)),
    "hinge": _each(lambda x, y: jnp.maximum(0, 1 - x * y)),
    "kl_divergence": _each(optax.kl_divergence),
    "multiclass_hinge": _each(optax.losses.multiclass_hinge_loss),
    "poisson_nll": _each(lambda x, y: jnp.exp(x) - y * x),
    "soft_cross_entropy": _each(softmax_cross_entropy),
    "binary_cross_entropy": _each(sigmoid_binary_cross_entropy),
    "cosine_distance": _each(lambda x, y: 1 - cosine_similarity(x, y)),
    "softmax_cross_entropy_with_integer_labels": integer_entropy,
    **{f.__name__: f for f in (
        cross_entropy, chunked_cross_entropy, sigmoid_binary_cross_entropy, distillation, dpo,
        log_prob, softmax_cross_entropy, huber, gaussian_kl, gaussian_nll, pinball, triplet,
        ctc_loss, ntxent, smooth_labels, focal, poly_cross_entropy, cosine_similarity, accuracy,
        binary_accuracy, perplexity, rmse, r2, precision, recall, f1, top_k_accuracy,
    )},
}  # fmt: skip
