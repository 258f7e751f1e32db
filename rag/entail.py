"""Reads a statement and a quotation together and says how far the one follows from the other.

The bundled model (`training/README.md` is its model card) has the layers of the reader's cross-encoder, fine-tuned on
statements that do and do not follow, and runs in onnxruntime as that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.facts import Evidence
from rag.onnx import session
from rag.wordpieces import BOS, EOS, WordPieces

_MODEL = Path(__file__).with_name("check-int8.onnx")
_HEAD = Path(__file__).with_name("check-head.npz")
# Tokens: of the statement, of what is known of the article, of the passage before and after the quotation, of that.
_STATEMENT, _ARTICLE, _BEFORE, _AFTER, _QUOTE = 96, 48, 80, 40, 160

Spans = list[tuple[int, int]]


class Entailment:
    """The bundled model. Safe to use from several threads."""

    def __init__(self, pieces: WordPieces, model: Path = _MODEL, head: Path = _HEAD) -> None:
        self._session = session(model, threads=2)  # a statement is checked while the model writes the next one
        with np.load(head) as held:
            self._weight, self._bias = held["weight"], float(held["bias"][0])
        self._pieces = pieces

    def logit(self, text: str, evidence: Evidence) -> float:
        """How far `text` follows from the evidence: a logit, above 0 where it rather does."""
        ids, spans = sequence(text, evidence, self._pieces)
        x = self._pieces.embedded(np.array([ids], np.int64))
        ((state,),) = self._session.run(None, {"x": x, "mask": np.ones((1, len(ids)), np.int32)})
        vectors = np.stack([state[0], *(state[start:end].mean(0) for start, end in spans)])
        vectors = (vectors - vectors.mean(1, keepdims=True)) / np.sqrt(vectors.var(1, keepdims=True) + 1e-5)
        whole, said, quoted = vectors
        told = np.concatenate([whole, said, quoted, said * quoted, np.abs(said - quoted)])
        return float(told @ self._weight + self._bias)


def sequence(text: str, evidence: Evidence, pieces: WordPieces) -> tuple[list[int], Spans]:
    """Token ids of a statement and its evidence, and where the statement and the quotation stand in them."""
    article = evidence.article
    before, _, after = evidence.context.partition(evidence.quote)
    known = ", ".join(part for part in (article.source, article.date.isoformat() if article.date else None) if part)
    ids = [BOS, *pieces.ids(f"query: {text}")[:_STATEMENT]]
    spans = [(1, len(ids))]
    ids += [EOS, EOS, *pieces.ids(f"passage: {known}. {article.title}.")[:_ARTICLE]]
    ids += _ids(before, pieces)[-_BEFORE:]
    ids += _ids(after, pieces)[:_AFTER]
    ids.append(EOS)
    quote = pieces.ids(evidence.quote)[:_QUOTE]
    spans.append((len(ids), len(ids) + len(quote)))
    return [*ids, *quote, EOS], spans


def _ids(text: str, pieces: WordPieces) -> Sequence[int]:
    return pieces.ids(text.strip()) if text.strip() else []
