"""The store of truth: every article, passage and vector in one SQLite file.

The two search indexes hold nothing that does not stand here; both can be thrown away and made again from it without
embedding anything. A passage that is not here is not part of the archive, whatever an index may still say; and what a
reader may not read is not here for him, whatever he asks.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rag import groups, listing
from rag.embed import Vectors
from rag.errors import ArchiveIndexError
from rag.records import Article, Overview, Passage, Segment, Sentence, Span

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    reason TEXT,                      -- why the file was skipped; NULL when it became an article
    repeated TEXT NOT NULL DEFAULT '' -- digest of the repeated lines it was cleaned with
);
CREATE TABLE IF NOT EXISTS lines (path TEXT NOT NULL, line INTEGER NOT NULL, PRIMARY KEY (path, line)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lines_line ON lines (line);
CREATE TABLE IF NOT EXISTS articles (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so that what is kept in memory cannot be stale
    id TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    text_sha256 TEXT NOT NULL, source TEXT, date TEXT, language TEXT, url TEXT, author TEXT,
    metadata TEXT NOT NULL, headings TEXT NOT NULL, pages TEXT NOT NULL, source_map TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS passages (
    id TEXT PRIMARY KEY, article_id TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    language TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, context TEXT NOT NULL,
    sentences TEXT NOT NULL,          -- [[start, end, paragraph], ...]
    vectors BLOB NOT NULL,            -- float16 (1 + sentences, dim): the passage, then each sentence
    indexed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS passages_article ON passages (article_id);
CREATE INDEX IF NOT EXISTS passages_indexed ON passages (indexed) WHERE indexed = 0;
CREATE TABLE IF NOT EXISTS removed (passage_id TEXT PRIMARY KEY, language TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS passages_removed AFTER DELETE ON passages WHEN old.indexed BEGIN
    INSERT OR REPLACE INTO removed VALUES (old.id, old.language);
END;
"""

UNKNOWN_LANGUAGE = "und"  # ISO 639-2 for "undetermined"; names a collection where ISO 639-1 has no code


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the last sync saw of a file."""

    sha256: str
    size: int
    mtime_ns: int
    reason: str | None
    repeated: str


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its vectors: `vectors[0]` is its own, `vectors[1 + i]` that of sentence `i`; (1 + n, dim)."""

    id: str
    passage: Passage
    vectors: Vectors


class Catalog:
    """The catalog in the SQLite file `path`. Safe to use from several threads; one process at a time may write."""

    def __init__(self, path: Path, *, dim: int) -> None:
        self._dim = dim
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._db.executescript(_SCHEMA + listing.INDEX)
            groups.prepare(self._db)
            listing.register(self._db)
        except sqlite3.DatabaseError as error:
            raise ArchiveIndexError(
                f"{path} is not a usable catalog ({error}); build the index again, which keeps the old file aside, "
                "with: python -m rag sync --rebuild"
            ) from error
        self._article: Callable[[int], Article] = lru_cache(maxsize=2048)(self._load_article)
        # Which articles may be seen, as SQL. It is part of every query, so that this is decided when that runs.
        self._sight: listing.Condition = ("1", [])
        self._limited = False

    def for_groups(self, names: Collection[str]) -> Catalog:
        """This catalog as a reader in these groups (folded) sees it. Cheap; shares the connection; only for reading."""
        view = copy(self)
        view._sight = (f"revision NOT IN ({groups.HIDDEN})", [json.dumps(sorted(names))])
        view._limited = True
        return view

    def hidden(self) -> frozenset[str]:
        """The ids of the articles that are kept from this reader; of none, where everything may be seen."""
        if not self._limited:
            return frozenset()
        rows = self._rows(f"SELECT id FROM articles WHERE revision IN ({groups.HIDDEN})", self._sight[1])
        return frozenset(row[0] for row in rows)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written as a whole or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # Files

    def files(self) -> dict[str, FileRecord]:
        """All files that the last sync saw, by path."""
        rows = self._rows("SELECT path, sha256, size, mtime_ns, reason, repeated FROM files")
        return {row[0]: FileRecord(*row[1:]) for row in rows}

    def put_file(self, path: str, record: FileRecord, lines: Collection[int]) -> None:
        """Note a file and the lines by which repetition over the archive is counted."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                (path, record.sha256, record.size, record.mtime_ns, record.reason, record.repeated),
            )
            self._db.execute("DELETE FROM lines WHERE path = ?", (path,))
            self._db.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?)", ((path, line) for line in lines))

    def lines(self) -> dict[str, frozenset[int]]:
        """The line keys (hashed) of every file, by path."""
        found: dict[str, set[int]] = {}
        for path, line in self._rows("SELECT path, line FROM lines"):
            found.setdefault(path, set()).add(line)
        return {path: frozenset(lines) for path, lines in found.items()}

    def remove_file(self, path: str) -> bool:
        """Forget a file and its article; whether there was an article."""
        with self._lock:
            self._db.execute("DELETE FROM files WHERE path = ?", (path,))
            self._db.execute("DELETE FROM lines WHERE path = ?", (path,))
            return self.remove_article(path)

    def remove_article(self, path: str) -> bool:
        """Forget the article of a file; whether there was one."""
        with self._lock:
            return self._db.execute("DELETE FROM articles WHERE path = ?", (path,)).rowcount > 0

    def skipped(self) -> list[tuple[str, str]]:
        """The files that could not become articles, with the reason.

        Nobody knows who may read them: a reader from whom any article is kept is told of none.
        """
        if not self._limited:
            return self._rows("SELECT path, reason FROM files WHERE reason NOT NULL ORDER BY path")
        rows = self._rows(
            f"SELECT path, reason FROM files WHERE reason NOT NULL AND NOT EXISTS ({groups.HIDDEN}) ORDER BY path",
            self._sight[1],
        )
        return [(path, reason) for path, reason in rows if not groups.is_about(reason)]

    # Articles and passages

    def put_article(self, article: Article, stored: Iterable[StoredPassage]) -> None:
        """Write an article and its passages, in place of what was there for its path."""
        with self._lock:
            self._db.execute("DELETE FROM articles WHERE path = ?", (article.path,))
            written = self._db.execute(
                f"INSERT INTO articles VALUES (NULL, {', '.join('?' * 14)})",
                (
                    article.id,
                    article.path,
                    article.title,
                    article.text,
                    article.text_sha256,
                    article.source,
                    article.date.isoformat() if article.date else None,
                    article.language,
                    article.url,
                    article.author,
                    json.dumps(dict(article.metadata), ensure_ascii=False),
                    json.dumps([(span.start, span.end) for span in article.headings]),
                    json.dumps(article.pages),
                    json.dumps([(item.start, item.source_start, item.length) for item in article.source_map]),
                ),
            )
            assert written.lastrowid is not None
            groups.add(self._db, written.lastrowid, article.groups)
            self._db.executemany(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (
                    (
                        item.id,
                        article.id,
                        article.language or UNKNOWN_LANGUAGE,
                        item.passage.start,
                        item.passage.end,
                        item.passage.context,
                        json.dumps([(s.start, s.end, s.paragraph) for s in item.passage.sentences]),
                        item.vectors.astype(np.float16).tobytes(),
                    )
                    for item in stored
                ),
            )

    def article(self, article_id: str) -> Article | None:
        """The article with this id, or None."""
        with self._lock:
            sql = f"SELECT revision FROM articles WHERE id = ? AND {self._sight[0]}"
            rows = self._rows(sql, (article_id, *self._sight[1]))
            return self._article(rows[0][0]) if rows else None

    def articles(self) -> list[Article]:
        """All articles, newest first, the undated last."""
        with self._lock:  # between the two a sync might replace an article
            sql = f"SELECT revision FROM articles WHERE {self._sight[0]} ORDER BY date IS NULL, date DESC, path"
            rows = self._rows(sql, self._sight[1])
            return [self._article(row[0]) for row in rows]

    def _load_article(self, revision: int) -> Article:
        (row,) = self._rows(
            "SELECT id, title, text, path, text_sha256, source, date, language, url, author, metadata, headings, "
            "pages, source_map, (SELECT json_group_array(name) FROM article_groups g WHERE g.revision = a.revision) "
            "FROM articles a WHERE revision = ?",
            (revision,),
        )
        key, title, text, path, digest, source, date, language, url, author = row[:10]
        metadata, headings, pages, source_map, readers = map(json.loads, row[10:])
        day = dt.date.fromisoformat(date) if date else None
        return Article(
            *(key, title, text, path, digest, source, day, language, url, author),
            metadata=metadata,
            headings=tuple(Span(*item) for item in headings),
            pages=tuple(pages),
            source_map=tuple(Segment(*item) for item in source_map),
            groups=frozenset(readers),
        )

    def count(self) -> int:
        """How many articles there are."""
        return int(self._rows(f"SELECT count(*) FROM articles WHERE {self._sight[0]}", self._sight[1])[0][0])

    def passages(self, ids: Sequence[str]) -> list[StoredPassage]:
        """The passages with these ids, in their order; ids that are not in the archive are left out."""
        marks = ", ".join("?" * len(ids))
        with self._lock:
            rows = {row[0]: row for row in self._passage_rows(f"p.id IN ({marks})", ids)}
            return [self._stored(rows[passage_id]) for passage_id in ids if passage_id in rows]

    def passages_of(self, article_ids: Sequence[str]) -> list[StoredPassage]:
        """All passages of these articles, in the order of the text."""
        marks = ", ".join("?" * len(article_ids))
        with self._lock:
            rows = self._passage_rows(f"p.article_id IN ({marks}) ORDER BY p.article_id, p.start", article_ids)
            return [self._stored(row) for row in rows]

    def _passage_rows(self, where: str, values: Sequence[Any]) -> list[Any]:
        return self._rows(
            'SELECT p.id, a.revision, p.start, p."end", p.context, p.sentences, p.vectors '
            f"FROM passages p JOIN articles a ON a.id = p.article_id WHERE {self._sight[0]} AND {where}",
            (*self._sight[1], *values),
        )

    def _stored(self, row: Any) -> StoredPassage:
        passage_id, revision, start, end, context, sentences, vectors = row
        passage = Passage(
            article=self._article(revision),
            start=start,
            end=end,
            sentences=tuple(Sentence(*item) for item in json.loads(sentences)),
            context=context,
        )
        matrix = np.frombuffer(vectors, dtype=np.float16).reshape(-1, self._dim).astype(np.float32)
        return StoredPassage(passage_id, passage, matrix)

    def languages(self) -> dict[str, int]:
        """How many passages there are in each language ("und" where it is unknown)."""
        joined = "JOIN articles a ON a.id = p.article_id " if self._limited else ""
        sql = f"SELECT p.language, count(*) FROM passages p {joined}WHERE {self._sight[0]} GROUP BY p.language"
        return dict(self._rows(sql, self._sight[1]))

    def nearest(self, vector: Vectors, language: str, limit: int) -> list[str]:
        """The ids of the passages in `language` whose vectors are nearest to this one (dim,), best first.

        Scores all of them: for where an index cannot say which of the nearest a reader may see.
        """
        rows = self._rows(
            f"SELECT p.id, substr(p.vectors, 1, {2 * self._dim}) FROM passages p "
            f"JOIN articles a ON a.id = p.article_id WHERE {self._sight[0]} AND p.language = ?",
            (*self._sight[1], language),
        )
        if not rows:
            return []
        held = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float16).reshape(-1, self._dim)
        best = np.argsort(-(held.astype(np.float32) @ vector), kind="stable")[:limit]
        return [rows[at][0] for at in best]

    def allowed(
        self,
        *,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        languages: Collection[str] | None = None,
    ) -> list[str]:
        """The ids of the articles that a filter lets answer. An undated article is outside any date filter."""
        where, values = listing.condition(sources, since, until, languages, self._sight)
        return [row[0] for row in self._rows(f"SELECT id FROM articles WHERE {where} ORDER BY id", values)]

    def find_articles(
        self,
        query: str = "",
        *,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        languages: Collection[str] | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Article], int]:
        """A page of the articles that match, newest first, the undated last; and how many match in all.

        Every word of the query occurs in the title, source, author or path, case and accents folded. The filters are
        those of `allowed`.
        """
        where, values = listing.condition(sources, since, until, languages, self._sight)
        with self._lock:  # or what was found might be gone before it is read
            found = listing.find(self._rows, query, where, values)
            return [self._article(revision) for revision in found[offset : offset + limit]], len(found)

    def overview(self) -> Overview:
        """What the archive holds, counted. Reads no article."""
        with self._lock:
            return listing.overview(self._rows, self._sight)

    def undated(self, *, sources: Collection[str] | None = None, languages: Collection[str] | None = None) -> int:
        """How many articles, of these outlets and languages, have no date."""
        where, values = listing.condition(sources, None, None, languages, self._sight)
        return int(self._rows(f"SELECT count(*) FROM articles WHERE {where} AND date IS NULL", values)[0][0])

    # What the indexes still have to do

    def pending(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Ids of the passages to index, and (id, language) of those to take out of the indexes."""
        added = [row[0] for row in self._rows("SELECT id FROM passages WHERE NOT indexed ORDER BY rowid")]
        removed = [(row[0], row[1]) for row in self._rows("SELECT passage_id, language FROM removed")]
        return added, removed

    def indexed(self) -> int:
        """How many passages the indexes should hold."""
        held = "SELECT (SELECT count(*) FROM passages WHERE indexed) + (SELECT count(*) FROM removed)"
        return int(self._rows(held)[0][0])

    def settle(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """Note that the indexes have done this."""
        with self.transaction():
            self._db.executemany("UPDATE passages SET indexed = 1 WHERE id = ?", ((item,) for item in added))
            self._db.executemany("DELETE FROM removed WHERE passage_id = ?", ((item,) for item in removed))

    def unsettle(self) -> None:
        """Note that the indexes hold nothing: every passage is to be indexed again."""
        with self.transaction():
            self._db.execute("UPDATE passages SET indexed = 0")
            self._db.execute("DELETE FROM removed")
