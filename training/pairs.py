"""Pairs of statement and quotation, out of files such as those in `statements/` and `benchmarks/statements/`.

A line is a passage: language, outlet, date, title, context (some sentences of an article), quote (an exact part of it)
and statements, each with language, kind and text. All of it is invented.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rag.facts import Evidence
from rag.records import Article

KINDS = (
    "supported", "contradicted", "unrelated", "half_true", "wrong_speaker", "wrong_number", "wrong_date", "wrong_name",
)  # fmt: skip
EXACT = ("wrong_name", "wrong_number", "wrong_date", "wrong_speaker")
OTHER = ("contradicted", "half_true", "unrelated")


@dataclass(frozen=True, slots=True)
class Pair:
    """A statement beside a quotation; `passage` tells which pairs share one."""

    text: str
    language: str
    kind: str
    evidence: Evidence
    passage: str


def load(paths: Iterable[Path]) -> list[Pair]:
    """All pairs of some files, in order."""
    found = []
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            given = json.loads(line)
            article = Article(
                id=given["id"], title=given["title"], text=given["context"], path=given["id"], text_sha256="",
                source=given["outlet"] or None, date=dt.date.fromisoformat(given["date"]), language=given["language"],
            )  # fmt: skip
            evidence = Evidence(given["quote"], given["context"], article)
            for each in given["statements"]:
                found.append(Pair(each["text"], each["language"], each["kind"], evidence, given["id"]))
    return found
