"""Byte-pair encoding (Gage, 1994; Sennrich et al., 2016) in numpy: frequent neighbours become one token."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .characters import ALPHABET


class Pairs:
    """Tokens of characters, then of pairs of tokens, learnt from a text."""

    def __init__(self, text: str, vocab: int):
        self.texts = list(ALPHABET)
        self.merges: list[tuple[int, int]] = []
        tokens = characters(text)
        while len(self.texts) < vocab:
            pairs = tokens[:-1] * vocab + tokens[1:]
            pair = divmod(int(np.bincount(pairs).argmax()), vocab)
            tokens = merged(tokens, pair, len(self.texts))
            self.merges.append(pair)
            self.texts.append(self.decode(pair))

    def encode(self, text: str) -> np.ndarray:
        """A text as tokens (n,)."""
        tokens = characters(text)
        for i, pair in enumerate(self.merges):
            tokens = merged(tokens, pair, len(ALPHABET) + i)
        return tokens

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""
        return "".join(self.texts[token] for token in tokens)


def characters(text: str) -> np.ndarray:
    """Positions in the alphabet, which is that of ASCII but for the newline."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int32)
    return np.maximum(codes - 31, 0)


def merged(tokens: np.ndarray, pair: tuple[int, int], new: int) -> np.ndarray:
    """Tokens with each occurrence of a pair, from the left, as one."""
    found = (tokens[:-1] == pair[0]) & (tokens[1:] == pair[1])
    at = np.arange(len(found))
    begins = np.maximum.accumulate(np.where(found & ~np.r_[False, found[:-1]], at, 0))
    first = found & ((at - begins) % 2 == 0)  # of `aaa`, the first two are the pair
    tokens = np.where(np.r_[first, False], new, tokens)
    kept: np.ndarray = tokens[~np.r_[False, first]]
    return kept
