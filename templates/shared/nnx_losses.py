"""Losses and metrics that Optax lacks."""

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
    """The mean cross-entropy of the logits `hidden @ kernel`, computed in chunks.

    Only the logits of one chunk exist at a time, in the backward pass too.

    Args:
      hidden: the last hidden states (..., d).
      kernel: the output projection (d, classes).
      labels: the classes (...).
      where: the positions that count, by default all.
      chunk: the number of positions in a chunk.
      softcap: logits are capped to `softcap * tanh(logits / softcap)`.
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
    """Quantile loss of each element: `quantile` of the targets are to be below the
    predictions."""
    error = targets - predictions
    return jnp.maximum(quantile * error, (quantile - 1) * error)


def poisson_nll(log_rates: jax.Array, targets: jax.Array) -> jax.Array:
    """Poisson negative log-likelihood of each element, without the constant term."""
    return jnp.exp(log_rates) - targets * log_rates


def gaussian_nll(
    means: jax.Array, log_variances: jax.Array, targets: jax.Array
) -> jax.Array:
    """Gaussian negative log-likelihood of each element, without the constant term."""
    error = jnp.square(targets - means)
    return (log_variances + error * jnp.exp(-log_variances)) / 2


def gaussian_kl(means: jax.Array, log_variances: jax.Array) -> jax.Array:
    """KL(N(mean, variance) || N(0, 1)), summed over the last axis."""
    variances = jnp.exp(log_variances)
    return (variances + means**2 - 1 - log_variances).sum(-1) / 2


def r2(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """Coefficient of determination; the mean of the targets is over the first axis."""
    residual = jnp.square(targets - predictions).sum()
    return 1 - residual / jnp.square(targets - targets.mean(axis=0)).sum()


def precision(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The share of true positives among predicted ones: logits above 0."""
    chosen, true = logits > 0, labels > 0.5
    hits = (chosen & true).sum()
    return hits / jnp.maximum(chosen.sum(), 1)


def recall(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The share of predicted positives, logits above 0, among true ones."""
    chosen, true = logits > 0, labels > 0.5
    hits = (chosen & true).sum()
    return hits / jnp.maximum(true.sum(), 1)


def f1(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The harmonic mean of precision and recall."""
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
    """Direct preference optimization (Rafailov et al., 2023): the loss of each pair.

    Args:
      chosen: the log-probability of each preferred answer.
      rejected: that of the other answer.
      reference_chosen: that of the preferred answer under the reference model.
      reference_rejected: that of the other answer under the reference model.
      beta: how much a departure from the reference costs.
    """
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -jax.nn.log_sigmoid(beta * margin)


def distillation(
    logits: jax.Array, teacher_logits: jax.Array, temperature: float
) -> jax.Array:
    """Knowledge distillation (Hinton et al., 2015): KL(teacher || student) of each row.

    The temperature divides the logits; its square times the divergence leaves gradients
    of one size.
    """
    student = jax.nn.log_softmax(logits.astype(jnp.float32) / temperature)
    teacher = jax.nn.log_softmax(teacher_logits.astype(jnp.float32) / temperature)
    return temperature**2 * (jnp.exp(teacher) * (teacher - student)).sum(-1)
