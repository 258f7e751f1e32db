"""The vectors that articles need: which texts are embedded for them, and no text twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from rag.bulk import BulkEmbedder, worth_it
from rag.catalog import StoredPassage
from rag.embed import BundledE5, Embedder, Vectors
from rag.records import Article, Passage
from rag.split import passages
from rag.syncstate import SyncState, text_key
from rag.terms import leans

# Characters to embed together where there is much to do: batches of like length need a choice, machines each a share.
_AT_ONCE, _AT_ONCE_AMONG_MACHINES = 150_000, 1_500_000


@dataclass(frozen=True, slots=True)
class Draft:
    """An article to be stored: its passages, and for each the texts to embed, the passage's own first."""

    article: Article
    passages: tuple[Passage, ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def characters(self) -> int:
        return sum(len(text) for texts in self.texts for text in texts)


def draft(article: Article) -> Draft:
    """The passages of an article in their context, and each sentence: what is embedded of it."""
    found = tuple(passages(article))
    texts = (
        (f"{passage.context}\n{passage.text}" if passage.context else passage.text, *_sentence_texts(passage))
        for passage in found
    )
    return Draft(article, found, tuple(texts))


def _sentence_texts(passage: Passage) -> Iterator[str]:
    """What is embedded of each sentence: one that leans on the sentence before is read together with it."""
    article = passage.article
    for at, sentence in enumerate(passage.sentences):
        before = passage.sentences[at - 1] if at else None
        joined = (
            before is not None
            and before.paragraph == sentence.paragraph
            and leans(article.text[sentence.start : sentence.end])
        )
        yield article.text[before.start if joined and before else sentence.start : sentence.end]


class TextVectors:
    """Finds the vectors of texts in the catalog, and makes those that are missing; a context manager.

    `characters` is about how much there will be to embed in all: much of it is handed to processes of its own
    (`bulk.py`), on this machine or, with `ray`, on the cluster at that address.
    """

    def __init__(self, state: SyncState, embedder: Embedder, characters: int, ray: str = "") -> None:
        self._state, self._embedder, self._ray = state, embedder, ray
        self._left = characters
        self._bulk: BulkEmbedder | None = None
        self._stack = ExitStack()
        self._much = bool(ray) or (isinstance(embedder, BundledE5) and worth_it(characters))
        # Characters for which to wait before asking.
        self.at_once = (_AT_ONCE_AMONG_MACHINES if ray else _AT_ONCE) if self._much else 1

    def __enter__(self) -> TextVectors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def told(self) -> str:
        """How the vectors are made, for a progress bar; empty where that is nothing special."""
        return self._bulk.told if self._bulk else ""

    def stored(self, drafts: Sequence[Draft]) -> list[list[StoredPassage]]:
        """The passages of each draft with their vectors."""
        keys = {text: text_key(text) for one in drafts for texts in one.texts for text in texts}
        found = self._state.vectors(frozenset(keys.values()))
        missing = [text for text, key in keys.items() if key not in found]
        self._left -= sum(one.characters for one in drafts)
        if missing:
            for text, vector in zip(missing, self._embed(missing), strict=True):
                found[keys[text]] = vector
        return [[_stored(one, at, keys, found) for at in range(len(one.passages))] for one in drafts]

    def _embed(self, texts: Sequence[str]) -> Vectors:
        coming = sum(map(len, texts)) + max(self._left, 0)
        if self._much and self._bulk is None and (self._ray or worth_it(coming)):
            self._bulk = self._stack.enter_context(BulkEmbedder(self._embedder, ray=self._ray))
        return (self._bulk.embed if self._bulk else self._embedder.embed_passages)(texts)


def _stored(one: Draft, at: int, keys: dict[str, bytes], found: dict[bytes, Vectors]) -> StoredPassage:
    article, passage, texts = one.article, one.passages[at], one.texts[at]
    # The id changes with whatever is indexed, so that an index can never hold an old text under it.
    told = "\0".join((article.title, str(article.date), str(article.language), texts[0]))
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    own = tuple(keys[text] for text in texts)
    return StoredPassage(f"{article.id}:{passage.start}:{digest}", passage, np.stack([found[key] for key in own]), own)
