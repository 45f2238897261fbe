"""Handwritten digits: a perceptron and a convolutional net, trained from generated files."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import numpy as np
from sklearn.datasets import load_digits

from .console import console, progress

EPOCHS, BATCH, SEED = 40, 64, 0
Split = tuple[np.ndarray, np.ndarray]


def load() -> tuple[Split, Split]:
    """Images in [0, 1] with their labels, for training and for testing (a fifth)."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 8, 8)
    order = np.random.default_rng(SEED).permutation(len(images))
    test, train = np.split(order, [len(order) // 5])
    labels = labels.astype(np.int32)
    return (images[train], labels[train]), (images[test], labels[test])


def batches(data: Split) -> Iterator[Split]:
    """Whole batches, shuffled anew each epoch."""
    images, labels = data
    rng = np.random.default_rng(SEED)
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            yield images[rows], labels[rows]


def train(net: ModuleType, label: str) -> tuple[list[float], float]:
    """The losses of the steps, and the accuracy on digits never seen."""
    data, (images, labels) = load()
    model = net.create_model()
    optimizer = net.create_optimizer(model)
    trainer = import_module("nnx_training").Trainer(
        net.train_step, model, optimizer, net.create_rngs()
    )
    losses: list[float] = []
    for batch in progress(list(batches(data)), label, losses):
        loss, _ = trainer.step(*batch)
        losses.append(float(loss))
    _, metrics = net.eval_step(model, images, labels)
    return losses, float(metrics["accuracy"])


def check(label: str, accuracy: float, least: float) -> bool:
    """Say how a model did, and whether that is enough."""
    enough = accuracy >= least
    colour = "green" if enough else "red"
    verdict = "" if enough else f", below {least:.0%}"
    console.print(f"{label}: test accuracy [{colour}]{accuracy:.2%}[/]{verdict}")
    return enough
