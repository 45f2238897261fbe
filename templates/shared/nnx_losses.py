"""Losses and metrics that optax lacks."""

import jax
import jax.numpy as jnp
import optax


def chunked_cross_entropy(
    hidden: jax.Array,
    kernel: jax.Array,
    labels: jax.Array,
    *,
    where: jax.Array | None = None,
    chunk: int = 1024,
    softcap: float | None = None,
) -> jax.Array:
    """The mean cross-entropy of the logits `hidden @ kernel`, by chunks of positions.

    No more than one chunk's logits exist at a time, in the backward pass too.
    """
    count, chunk = labels.size, min(chunk, labels.size)
    counted = jnp.ones(count, bool) if where is None else where.reshape(-1)

    def chunks(x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, -count % chunk), *((0, 0),) * (x.ndim - 1)))
        return x.reshape(-1, chunk, *x.shape[1:])

    @jax.checkpoint
    def add(
        total: jax.Array, xs: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, None]:
        x, label, counted = xs
        logits = jnp.matmul(x, kernel, preferred_element_type=jnp.float32)
        if softcap is not None:
            logits = softcap * jnp.tanh(logits / softcap)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
        return total + losses.sum(where=counted), None

    parts = hidden.reshape(count, -1), labels.reshape(-1), counted
    total, _ = jax.lax.scan(add, jnp.float32(0), tuple(map(chunks, parts)))
    return total / counted.sum()


def pinball(predictions: jax.Array, targets: jax.Array, quantile: float) -> jax.Array:
    """Quantile loss of each element."""
    error = targets - predictions
    return jnp.maximum(quantile * error, (quantile - 1) * error)


def poisson_nll(log_rates: jax.Array, targets: jax.Array) -> jax.Array:
    """Poisson negative log-likelihood of each element, less a constant."""
    return jnp.exp(log_rates) - targets * log_rates


def gaussian_nll(
    means: jax.Array, log_variances: jax.Array, targets: jax.Array
) -> jax.Array:
    """Gaussian negative log-likelihood of each element, less a constant."""
    error = jnp.square(targets - means)
    return (log_variances + error * jnp.exp(-log_variances)) / 2


def gaussian_kl(means: jax.Array, log_variances: jax.Array) -> jax.Array:
    """KL(N(mean, variance) || N(0, 1)), summed over the last axis."""
    variances = jnp.exp(log_variances)
    return (variances + means**2 - 1 - log_variances).sum(-1) / 2


def r2(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """Coefficient of determination over the first axis."""
    residual = jnp.square(targets - predictions).sum()
    return 1 - residual / jnp.square(targets - targets.mean(axis=0)).sum()


def precision(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Share of true positives among all that the logits call positive."""
    chosen, true = logits > 0, labels > 0.5
    hits = (chosen & true).sum()
    return hits / jnp.maximum(chosen.sum(), 1)


def recall(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Share of true positives among all positives."""
    chosen, true = logits > 0, labels > 0.5
    hits = (chosen & true).sum()
    return hits / jnp.maximum(true.sum(), 1)


def f1(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Harmonic mean of precision and recall."""
    chosen, true = logits > 0, labels > 0.5
    hits = (chosen & true).sum()
    return 2 * hits / jnp.maximum(chosen.sum() + true.sum(), 1)


def log_prob(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Log-probability of each label."""
    scores = jax.nn.log_softmax(logits.astype(jnp.float32))
    return jnp.take_along_axis(scores, labels[..., None], -1)[..., 0]


def dpo(
    chosen: jax.Array,
    rejected: jax.Array,
    reference_chosen: jax.Array,
    reference_rejected: jax.Array,
    beta: float,
) -> jax.Array:
    """Loss of each pair of answers, given the log-probabilities of both."""
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -jax.nn.log_sigmoid(beta * margin)


def distillation(
    logits: jax.Array, teacher_logits: jax.Array, temperature: float
) -> jax.Array:
    """Divergence of each row from the teacher's, times the squared temperature."""
    student = jax.nn.log_softmax(logits.astype(jnp.float32) / temperature)
    teacher = jax.nn.log_softmax(teacher_logits.astype(jnp.float32) / temperature)
    return temperature**2 * (jnp.exp(teacher) * (teacher - student)).sum(-1)
