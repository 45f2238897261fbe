"""The demo, cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo import __main__ as demo
from demo import characters, console, digits, language
from demo.pairs import Pairs

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


def test_pairs_are_learnt_from_the_left() -> None:
    pairs = Pairs("aaab " * 9, len(characters.ALPHABET) + 1)
    assert pairs.texts[-1] == "aa"
    assert [pairs.texts[t] for t in pairs.encode("aaaaab\n")] == [
        "aa",
        "aa",
        "a",
        "b",
        "\n",
    ]
    assert pairs.decode(pairs.encode("aaaaab\n")) == "aaaaab\n"


def test_a_language_model_is_trained_and_adapted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"vocab": 100, "d": 8, "layers": 1, "heads": 1, "kv_heads": 1}
    small = {"OUT": tmp_path, "SIZES": {**sizes, "head_dim": 8, "hidden": 8}}
    small |= {"CONTEXT": 16, "BATCH": 2, "SAMPLE": 4, "SECONDS": (0, 0)}
    for name, value in {**small, "LENGTH": 9000}.items():
        monkeypatch.setattr(language, name, value)
    assert language.main() == 0
    assert "merged into the weights: the same text" in capsys.readouterr().out
    assert (tmp_path / "language.png").stat().st_size > 10_000
    assert (tmp_path / "adapters/adapter_model.safetensors").is_file()


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(language, "run", interrupted)
    assert language.main() == 130
    assert capsys.readouterr().out.strip() == "interrupted"
