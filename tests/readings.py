"""Articles and readings made by hand: what a reader would say of them is given, everything else is real."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from rag.catalog import StoredPassage
from rag.reader import Reading
from rag.records import Article, Passage
from rag.retrieve import Candidate
from rag.split import sentences

HARBOUR = (
    "Greta Olvers runs the harbour. She said that forty ships had waited. The storm lasted nine days.\n\nIt was over."
)


def article(text: str = HARBOUR, path: str = "a.md", **known: Any) -> Article:
    values: dict[str, Any] = {"id": path, "title": "Harbour reopens", "text": text, "path": path, "language": "en"}
    values["text_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return Article(**{**values, **known})


def readings(*given: tuple[Article, int, float]) -> list[Reading]:
    """Readings of these articles, best first: at the given positions with a share, else next to none."""
    found: list[Reading] = []
    for source in {item.id: item for item, _, _ in given}.values():
        parts = sentences(source.text, source.language or "en")
        passage = Passage(source, parts[0].start, parts[-1].end, parts)
        stored = StoredPassage(source.id, passage, np.zeros((1 + len(parts), 2), dtype=np.float32))
        candidate = Candidate(stored, 0.8, (0.8,) * len(parts), 0.0, 0.0, True, 1.6)
        shares = {position: share for item, position, share in given if item.id == source.id}
        for position in range(len(parts)):
            share = shares.get(position, 1e-6)
            found.append(Reading(candidate, position, math.log(share), share))
    return sorted(found, key=lambda reading: -reading.share)
