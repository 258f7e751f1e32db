"""Large archives for measuring: texts and vectors resampled from real ones, through the real sync.

An article is made of sentences of the articles in corpus/ and training/articles, with other names and numbers in them,
so that no two say the same. What is embedded gets the vector of a real sentence with some noise: embedding 100,000
passages takes hours, and neither the indexes nor a question see the difference.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag import Assistant, corpus
from rag.embed import Embedder, Vectors, load
from rag.records import Extract
from rag.sentences import sentences

ROOT = Path(__file__).resolve().parent.parent
PASSAGES = 8  # in an article, about
_PARAGRAPHS = 30
_NOISE = 0.25  # of a vector's length
_SOURCES = 40
_NAME = re.compile(r"(?<=[a-zé,] )[A-Z][a-zé]{3,}|\d+")


def pool() -> dict[str, list[str]]:
    """Real sentences of some length, by language."""
    found: dict[str, list[str]] = {"nl": [], "de": [], "en": []}
    for folder in (ROOT / "corpus", ROOT / "training" / "articles"):
        for path in corpus.files(folder):
            for place, extract in corpus.documents(path, folder):
                assert isinstance(extract, Extract), f"{place}: {extract}"
                article = corpus.article(place, extract)
                if article.language in found:
                    told = (article.text[item.start : item.end] for item in sentences(article.text, article.language))
                    found[article.language] += told
    return {language: [text for text in texts if len(text) > 60] for language, texts in found.items()}


class Resampled:
    """An embedder that gives every passage the vector of some real sentence, with noise; questions get their own."""

    def __init__(self, texts: Sequence[str]) -> None:
        real: Embedder = load()
        self.name, self.dim = real.name, real.dim
        self._real = real
        self._vectors = real.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._real.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        keys = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in texts]
        noise = np.random.default_rng(keys).normal(size=(len(texts), self.dim)) * _NOISE / np.sqrt(self.dim)
        rows = self._vectors[[key % len(self._vectors) for key in keys]] + noise
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def write_articles(folder: Path, count: int, texts: dict[str, list[str]]) -> None:
    """So many articles of about eight passages, as Markdown files, a thousand in a folder."""
    choice = random.Random(7)
    syllables = "ba do li mer ka ston vel ru".split()
    names = ["".join(choice.choice(syllables) for _ in range(3)) for _ in range(9999)]
    for number in range(count):
        language = choice.choice(sorted(texts))
        paragraphs = []
        for _ in range(_PARAGRAPHS):
            told = " ".join(choice.sample(texts[language], 2))
            paragraphs.append(
                _NAME.sub(
                    lambda found: (
                        str(choice.randrange(2, 5000)) if found[0].isdigit() else choice.choice(names).title()
                    ),
                    told,
                )
            )
        day = dt.date(2015, 1, 1) + dt.timedelta(days=choice.randrange(4000))
        place = folder / f"{number // 1000:03}" / f"{number:06}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(
            f"---\ntitle: {choice.choice(names).title()} {number}\ndate: {day}\nlanguage: {language}\n"
            f"source: Outlet {choice.randrange(_SOURCES)}\n---\n" + "\n\n".join(paragraphs) + "\n",
            encoding="utf-8",
        )


def build(folder: Path, passages: int, embedder: Resampled, texts: dict[str, list[str]]) -> Assistant:
    """An archive of about so many passages in `folder` (corpus/, index/), synced; built where it is not there yet."""
    if len(list((folder / "corpus").rglob("*.md"))) < passages // PASSAGES:
        write_articles(folder / "corpus", passages // PASSAGES, texts)
    assistant = Assistant(corpus=folder / "corpus", index=folder / "index")
    assistant._stores._embedder = embedder
    assistant.sync(progress=True)
    return assistant
