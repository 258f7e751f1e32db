"""The same story in several articles: copies of one report, and versions that a later one supersedes; the tables of it.

Articles that may be alike are found by MinHash (Broder 1997) over runs of words, whose bands stand in the catalog's
file: of the whole text, and of its opening, which is all that a brief item keeps. `alike.py` then says what they are to
each other. Pairs are kept, not groups: what two articles are to each other depends on no third, nor on which came
first, and a reader is told of those alone that he may read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING
from zlib import crc32

from rag.alike import Line, Telling, folded, is_copy, lines_of, related, supersedes
from rag.listing import Condition, Rows
from rag.records import Article, Span

if TYPE_CHECKING:
    from datasketch import MinHash

_TABLES = (
    # The sentences of each article, as [[key, words, start, end], ...], and the bands of its sketches.
    """
    CREATE TABLE article_sketches (
        revision INTEGER PRIMARY KEY REFERENCES articles (revision) ON DELETE CASCADE,
        lines TEXT NOT NULL, bands TEXT NOT NULL
    )
    """,
    "CREATE TABLE sketch_bands (band INTEGER, revision INTEGER, PRIMARY KEY (band, revision)) WITHOUT ROWID",
    """
    CREATE TRIGGER sketch_removed AFTER DELETE ON article_sketches BEGIN
        DELETE FROM sketch_bands
        WHERE band IN (SELECT value FROM json_each(old.bands)) AND revision = old.revision;
    END
    """,
    # What `other` is to `one`: a copy of it, a later version of it, or both. A copy stands here both ways.
    """
    CREATE TABLE article_kin (
        one INTEGER NOT NULL REFERENCES articles (revision) ON DELETE CASCADE,
        other INTEGER NOT NULL REFERENCES articles (revision) ON DELETE CASCADE,
        copy INTEGER NOT NULL, later INTEGER NOT NULL, PRIMARY KEY (one, other)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX article_kin_other ON article_kin (other)",
    "CREATE INDEX article_kin_later ON article_kin (one, other) WHERE later",
    # The articles that were written before these tables, as long as nobody has looked at them.
    "CREATE TABLE unsketched (revision INTEGER PRIMARY KEY REFERENCES articles (revision) ON DELETE CASCADE)",
    "INSERT INTO unsketched SELECT revision FROM articles",
)

_RUN = 4  # words of a shingle
_OPENING = 80  # words
# (rows of a band, bands). Articles of which a share s is common meet in one of them with 1 - (1 - s^rows)^bands: half a
# report in .999, three tenths in .90, of openings six tenths in .86. Two articles of one language have next to none.
_WHOLE, _BEGUN = (2, 24), (3, 8)
_HELD_BY = 200  # articles with one band that are looked at, the latest: what more of them share is a template
_COMPARED = 100  # articles with which one is compared, those with most bands in common
_AT_ONCE = 200  # articles of an older catalog that are looked at in one transaction


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables where there are none, and look at the articles that were written before there were.

    That takes 3 ms an article, once; other processes get their turn in between. Not within a transaction.
    """
    while True:
        if _exists(db) and not _waiting(db):
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            if not _exists(db):  # another process may have been faster
                for statement in _TABLES:
                    db.execute(statement)
            for revision in _waiting(db):
                _add(db, revision, _telling(db, revision))
                db.execute("DELETE FROM unsketched WHERE revision = ?", (revision,))
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def add(db: sqlite3.Connection, revision: int, article: Article) -> None:
    """Note of which articles this one, just written with this revision, is a copy or another version."""
    lines = lines_of(article.text, article.language, article.headings)
    known = (article.title, article.text, article.source, article.date, article.language, article.url)
    _add(db, revision, Telling(*known, lines))


# Pairs of articles that are both in sight; the condition stands where `revision` and the like are an article's.
_PAIRS = """
SELECT asked.id, kin.id FROM article_kin JOIN articles asked ON asked.revision = one JOIN articles kin
ON kin.revision = other WHERE {what}
AND EXISTS (SELECT 1 FROM articles WHERE revision = one AND {sight})
AND EXISTS (SELECT 1 FROM articles WHERE revision = other AND {sight})
"""
_AMONG = "asked.id IN (SELECT value FROM json_each(?))"
_CURRENT = """
NOT EXISTS (SELECT 1 FROM article_kin newer WHERE newer.one = article_kin.other AND newer.later
AND EXISTS (SELECT 1 FROM articles WHERE revision = newer.other AND {sight}))
"""


def copies(rows: Rows, ids: Collection[str], sight: Condition) -> dict[str, tuple[str, ...]]:
    """For each of these articles that has any in sight: the ids of the other copies of its report, oldest first.

    A copy that a later version in sight supersedes is left out.
    """
    where, values = sight
    sql = _PAIRS.format(what=f"copy AND {_AMONG} AND {_CURRENT.format(sight=where)}", sight=where)
    found: dict[str, list[str]] = {}
    for one, other in rows(
        f"{sql} ORDER BY kin.date IS NULL, kin.date, kin.path", (json.dumps(list(ids)), *values, *values, *values)
    ):
        found.setdefault(one, []).append(other)
    return {one: tuple(others) for one, others in found.items()}


def superseded(rows: Rows, ids: Collection[str] | None, sight: Condition) -> dict[str, str]:
    """For each of these articles, or of all where `ids` is None, that a later version in sight supersedes: its id.

    Of several later versions the latest.
    """
    where, values = sight
    sql = _PAIRS.format(what="later" if ids is None else f"later AND {_AMONG}", sight=where)
    asked = [] if ids is None else [json.dumps(list(ids))]
    return dict(rows(f"{sql} ORDER BY kin.date, other", (*asked, *values, *values)))


# --- finding them -----------------------------------------------------------------------------------------------------


def _add(db: sqlite3.Connection, revision: int, told: Telling) -> None:
    bands = _bands(told)
    lines = json.dumps([(line.key, line.words, line.start, line.end) for line in told.lines])
    for other, theirs in _near(db, bands):
        if not related(told.lines, theirs):
            continue
        their = _telling(db, other, theirs)
        copy, newer, older = is_copy(told, their), supersedes(told, their), supersedes(their, told)
        pairs = [(revision, other, copy, older), (other, revision, copy, newer)]
        db.executemany("INSERT INTO article_kin VALUES (?, ?, ?, ?)", [pair for pair in pairs if pair[2] or pair[3]])
    db.execute("INSERT INTO article_sketches VALUES (?, ?, ?)", (revision, lines, json.dumps(bands)))
    db.executemany("INSERT OR IGNORE INTO sketch_bands VALUES (?, ?)", ((band, revision) for band in bands))


def _near(db: sqlite3.Connection, bands: Sequence[int]) -> list[tuple[int, tuple[Line, ...]]]:
    """The revisions of articles with such a band, those with most of them first, with their sentences."""
    shared: Counter[int] = Counter()
    for band in bands:
        held = db.execute(
            "SELECT revision FROM sketch_bands WHERE band = ? ORDER BY revision DESC LIMIT ?", (band, _HELD_BY)
        )
        shared.update(row[0] for row in held)
    found = []
    for revision, _ in sorted(shared.items(), key=lambda pair: (-pair[1], -pair[0]))[:_COMPARED]:
        (lines,) = db.execute("SELECT lines FROM article_sketches WHERE revision = ?", (revision,)).fetchone()
        found.append((revision, tuple(Line(*line) for line in json.loads(lines))))
    return found


def _bands(told: Telling) -> list[int]:
    """The bands of an article's sketches, 63 bits each."""
    said = [word for line in told.lines for word in folded(told.said(line)).split()]
    return [*_banded(said, *_WHOLE), *_banded(said[:_OPENING], *_BEGUN)]


def _banded(said: Sequence[str], rows: int, count: int) -> list[int]:
    runs = {" ".join(said[at : at + _RUN]).encode() for at in range(len(said) - _RUN + 1)}
    if not runs:
        return []
    sketch = _empty(rows * count).copy()
    sketch.update_batch(runs)
    values = sketch.digest().reshape(count, rows)
    digests = (
        hashlib.blake2b(row.tobytes(), digest_size=8, salt=bytes([rows, at])).digest() for at, row in enumerate(values)
    )
    return [int.from_bytes(digest, "big") >> 1 for digest in digests]


@cache
def _empty(size: int) -> MinHash:
    from datasketch import MinHash

    return MinHash(num_perm=size, hashfunc=crc32, scheme="affine32")


def _exists(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'article_kin'").fetchone())


def _waiting(db: sqlite3.Connection) -> list[int]:
    """Some of the articles that were not looked at, the first ones."""
    sql = "SELECT revision FROM unsketched ORDER BY revision LIMIT ?"
    return [row[0] for row in db.execute(sql, (_AT_ONCE,))]


def _telling(db: sqlite3.Connection, revision: int, lines: tuple[Line, ...] | None = None) -> Telling:
    """What is compared of the article with this revision."""
    sql = "SELECT title, text, source, date, language, url, headings FROM articles WHERE revision = ?"
    title, text, source, date, language, url, headings = db.execute(sql, (revision,)).fetchone()
    if lines is None:
        lines = lines_of(text, language, [Span(*item) for item in json.loads(headings)])
    return Telling(title, text, source, dt.date.fromisoformat(date) if date else None, language, url, lines)
