"""What articles read before they were changed: so that what was quoted then can still be shown."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sqlite3

from rag.listing import Rows
from rag.records import Article, Segment, Span

_KEPT = 20  # versions of an article


def keep(db: sqlite3.Connection, old: Article, new: Article) -> None:
    """Keep what an article read, where it reads otherwise now; of many versions the latest."""
    if old.text == new.text:
        return
    db.execute("INSERT OR REPLACE INTO versions VALUES (NULL, ?, ?, ?)", (old.id, old.text_sha256, article_json(old)))
    db.execute(
        "DELETE FROM versions WHERE id = ? AND number NOT IN "
        "(SELECT number FROM versions WHERE id = ? ORDER BY number DESC LIMIT ?)",
        (old.id, old.id, _KEPT),
    )


def find(rows: Rows, article_id: str, version: str) -> Article | None:
    """The version of an article whose `text_sha256` begins so, or None."""
    sql = "SELECT article FROM versions WHERE id = ? AND substr(text_sha256, 1, ?) = ? ORDER BY number DESC LIMIT 1"
    found = rows(sql, (article_id, len(version), version))
    return article_of(found[0][0]) if found else None


def article_json(article: Article) -> str:
    """All of an article, as `article_of` reads it."""
    plain = {field.name: getattr(article, field.name) for field in dataclasses.fields(article)}
    plain |= {
        "date": article.date.isoformat() if article.date else None,
        "metadata": dict(article.metadata),
        "headings": [(span.start, span.end) for span in article.headings],
        "source_map": [(item.start, item.source_start, item.length) for item in article.source_map],
        "groups": sorted(article.groups),
    }
    return json.dumps(plain, ensure_ascii=False)


def article_of(text: str) -> Article:
    """The article in what `article_json` made."""
    plain = json.loads(text)
    plain |= {
        "date": dt.date.fromisoformat(plain["date"]) if plain["date"] else None,
        "headings": tuple(Span(*item) for item in plain["headings"]),
        "pages": tuple(plain["pages"]),
        "source_map": tuple(Segment(*item) for item in plain["source_map"]),
        "groups": frozenset(plain["groups"]),
    }
    return Article(**plain)
