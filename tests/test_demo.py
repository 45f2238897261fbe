"""The demo, cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo import __main__ as demo
from demo import characters, console, digits

ROOT = Path(__file__).parents[1]


def test_the_text_is_prose_in_the_alphabet() -> None:
    text = characters.prose()
    assert len(text) == characters.LENGTH
    assert set(text) <= set(characters.ALPHABET)
    decoded = "".join(characters.ALPHABET[i] for i in characters.encode(text[:200]))
    assert decoded == text[:200]


def test_windows_are_of_the_text() -> None:
    tokens = characters.encode(characters.prose()[:5000])
    window = next(iter(characters.batches(tokens)))
    assert window.shape == (characters.BATCH, characters.CONTEXT + 1)
    rows = np.lib.stride_tricks.sliding_window_view(tokens, characters.CONTEXT + 1)
    assert all((rows == row).all(axis=1).any() for row in window)


def test_no_digit_is_both_trained_on_and_tested() -> None:
    (train, labels), (test, _) = digits.load()
    assert len(train) == len(labels) == 1438
    assert len(test) == 359
    assert train.min() >= 0 and train.max() == 1
    whole = np.concatenate([train, test]).sum()
    from sklearn.datasets import load_digits

    assert whole == pytest.approx(load_digits().data.sum() / 16, rel=1e-5)


def test_smoothing_is_unbiased() -> None:
    assert console.smooth([3.0] * 5) == pytest.approx([3.0] * 5)


@pytest.mark.parametrize(("accuracy", "enough"), [(0.98, True), (0.979, False)])
def test_a_model_that_falls_short_is_told(
    accuracy: float, enough: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert digits.check("CNN", accuracy, 0.98) is enough
    assert ("below" in capsys.readouterr().out) is not enough


@pytest.mark.heavy
def test_demo_runs_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "dsl"))
    monkeypatch.setattr(demo, "OUT", tmp_path)
    monkeypatch.setattr(digits, "EPOCHS", 1)
    monkeypatch.setattr(characters, "STEPS", 3)
    assert demo.main() == 1  # one epoch is not enough
    assert (tmp_path / "losses.png").stat().st_size > 10_000
