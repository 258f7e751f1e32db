"""What stands in the journal of a shared archive: its entries, and an article packed into one and taken out again."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from rag import versions
from rag.catalog import Catalog, StoredPassage
from rag.records import Article, Passage, Sentence

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal says of itself.

    `epoch` changes when it is begun anew, `head` is the number of the last entry; `ready`: the archive was whole once.
    """

    epoch: str
    head: int
    ready: bool
    model: str
    dimension: int
    format: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the journal: an article was written, or is `gone`.

    `digest` and `size` (characters) are of its content, which is cut into so many `parts`.
    """

    number: int
    id: str
    gone: bool
    digest: str
    parts: int
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """All of an article: its passages with their vectors, and its earlier texts."""

    article: Article
    stored: tuple[StoredPassage, ...]
    earlier: tuple[tuple[str, str], ...]  # text_sha256 and the article as `versions` keeps it, oldest first


def keys_of(number: int, parts: int) -> list[str]:
    """The ids of an entry's records: its parts, then the entry itself."""
    return [*(f"{number:015d}.{part}" for part in range(parts)), f"{number:015d}"]


def told_of(metadata: Any) -> Told:
    return Told(**{name: metadata[name] for name in Told.__slots__})


def metadata_of(told: Told) -> dict[str, Any]:
    return {name: getattr(told, name) for name in Told.__slots__}


def packed(catalog: Catalog, article_id: str) -> bytes:
    """All of an article: the length of its text (4 bytes), the text (JSON, deflated), the vectors (float16)."""
    article = catalog.article(article_id)
    assert article is not None
    stored = catalog.passages_of([article_id])
    earlier = catalog.database.rows(
        "SELECT text_sha256, article FROM versions WHERE id = ? ORDER BY number", (article_id,)
    )
    passages = [
        (
            *(item.id, item.passage.start, item.passage.end, item.passage.context, len(item.vectors)),
            [(sentence.start, sentence.end, sentence.paragraph) for sentence in item.passage.sentences],
        )
        for item in stored
    ]
    plain = {"article": versions.article_json(article), "passages": passages, "earlier": [list(row) for row in earlier]}
    text = zlib.compress(json.dumps(plain, ensure_ascii=False).encode())
    vectors = b"".join(item.vectors.astype("<f2").tobytes() for item in stored)
    return len(text).to_bytes(4, "big") + text + vectors


def unpacked(data: bytes, dim: int) -> Content:
    length = 4 + int.from_bytes(data[:4], "big")
    plain = json.loads(zlib.decompress(data[4:length]))
    article = versions.article_of(plain["article"])
    vectors = np.frombuffer(data[length:], "<f2").reshape(-1, dim).astype(np.float32)
    stored, row = [], 0
    for passage_id, start, end, context, rows, sentences in plain["passages"]:
        passage = Passage(article, start, end, tuple(Sentence(*item) for item in sentences), context)
        stored.append(StoredPassage(passage_id, passage, vectors[row : row + rows]))
        row += rows
    return Content(article, tuple(stored), tuple((digest, text) for digest, text in plain["earlier"]))
