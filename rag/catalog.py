"""The store of truth: every article, passage and vector in one SQLite file.

The two search indexes hold nothing that does not stand here; both can be thrown away and made again from it without
embedding anything. A passage that is not here is not part of the archive, whatever an index may still say; and what a
reader may not read is not here for him, whatever he asks.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rag import groups, listing, stories, versions
from rag.database import Database
from rag.embed import Vectors
from rag.records import Article, Overview, Passage, Segment, Sentence, Span

UNKNOWN_LANGUAGE = "und"  # ISO 639-2 for "undetermined"; names a collection where ISO 639-1 has no code


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its vectors: `vectors[0]` is its own, `vectors[1 + i]` that of sentence `i`; (1 + n, dim).

    `keys` are the hashes of the texts that were embedded, a key for each vector; empty where nobody will look for them.
    """

    id: str
    passage: Passage
    vectors: Vectors
    keys: tuple[bytes, ...] = ()


class Catalog:
    """The catalog in the SQLite file `path`. Safe to use from several threads; one process at a time may write."""

    def __init__(self, path: Path, *, dim: int) -> None:
        self.dim = dim
        self.database = Database(path)
        self._rows, self.transaction = self.database.rows, self.database.transaction
        self._article: Callable[[int], Article] = lru_cache(maxsize=2048)(self._load_article)
        # Which articles may be seen, as SQL. It is part of every query, so that this is decided when that runs.
        self._sight: listing.Condition = ("1", [])
        self._limited, self._readers = False, frozenset[str]()
        self._overviews: dict[str, tuple[tuple[int, int], Overview]] = {}  # by sight; shared by all views

    def for_groups(self, names: Collection[str]) -> Catalog:
        """This catalog as a reader in these groups (folded) sees it. Cheap; shares the connection; only for reading."""
        view = copy(self)
        view._sight = (f"revision NOT IN ({groups.HIDDEN})", [json.dumps(sorted(names))])
        view._limited, view._readers = True, frozenset(names)
        return view

    def hidden(self) -> frozenset[str]:
        """The ids of the articles that are kept from this reader; of none, where everything may be seen."""
        if not self._limited:
            return frozenset()
        rows = self._rows(f"SELECT id FROM articles WHERE revision IN ({groups.HIDDEN})", self._sight[1])
        return frozenset(row[0] for row in rows)

    def close(self) -> None:
        self.database.close()

    def skipped(self) -> list[tuple[str, str]]:
        """The files that could not become articles, with the reason.

        Nobody knows who may read them: a reader from whom any article is kept is told of none.
        """
        if not self._limited:
            return self._rows("SELECT place, reason FROM parts WHERE reason NOT NULL ORDER BY place")
        rows = self._rows(
            f"SELECT place, reason FROM parts WHERE reason NOT NULL AND NOT EXISTS ({groups.HIDDEN}) ORDER BY place",
            self._sight[1],
        )
        return [(path, reason) for path, reason in rows if not groups.is_about(reason)]

    # Articles and passages

    def announce(self, stored: Iterable[StoredPassage]) -> list[StoredPassage]:
        """Those of these passages that the indexes do not hold yet: to be added now, before they are written here.

        Should they never be written, they count as such that are to be taken out of the indexes.
        """
        with self.transaction() as db:
            held = "SELECT 1 FROM passages WHERE id = ? AND indexed"
            fresh = [item for item in stored if not db.execute(held, (item.id,)).fetchone()]
            rows = ((item.id, item.passage.article.language or UNKNOWN_LANGUAGE) for item in fresh)
            db.executemany("INSERT OR REPLACE INTO removed VALUES (?, ?)", rows)
        return fresh

    def put_article(self, article: Article, stored: Iterable[StoredPassage], *, indexed: bool = False) -> None:
        """Write an article and its passages, which the indexes hold already or not, in place of what was there for its
        path."""
        with self.database.held() as db:
            old = db.execute("SELECT revision FROM articles WHERE path = ?", (article.path,)).fetchone()
            if old:
                versions.keep(db, self._article(old[0]), article)
                db.execute("DELETE FROM articles WHERE revision = ?", old)
            written = db.execute(
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
            groups.add(db, written.lastrowid, article.groups)
            stories.add(db, written.lastrowid, article)
            for item in stored:
                written = db.execute(
                    "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        item.id,
                        article.id,
                        article.language or UNKNOWN_LANGUAGE,
                        item.passage.start,
                        item.passage.end,
                        item.passage.context,
                        json.dumps([(s.start, s.end, s.paragraph) for s in item.passage.sentences]),
                        item.vectors.astype(np.float16).tobytes(),
                        indexed,
                    ),
                )
                if indexed:
                    db.execute("DELETE FROM removed WHERE passage_id = ?", (item.id,))
                places = ((key, written.lastrowid, row) for row, key in enumerate(item.keys))
                db.executemany("INSERT OR IGNORE INTO embedded VALUES (?, ?, ?)", places)

    def remove_article(self, path: str) -> bool:
        """Forget an article, given by its path, and what it read before; whether there was one."""
        with self.database.held() as db:
            db.execute("DELETE FROM versions WHERE id = (SELECT id FROM articles WHERE path = ?)", (path,))
            return db.execute("DELETE FROM articles WHERE path = ?", (path,)).rowcount > 0

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """The article with this id, or None; with `version`, as it read when its `text_sha256` began so, or None."""
        with self.database.held():
            sql = f"SELECT revision FROM articles WHERE id = ? AND {self._sight[0]}"
            rows = self._rows(sql, (article_id, *self._sight[1]))
            article = self._article(rows[0][0]) if rows else None
            if article is None or not version or article.text_sha256.startswith(version):
                return article
            found = versions.find(self._rows, article_id, version)
            # Whoever may read what it says now may not have been allowed to read what it said then.
            return found if found and (not self._limited or not found.groups or found.groups & self._readers) else None

    def articles(self) -> list[Article]:
        """All articles, newest first, the undated last."""
        with self.database.held():  # between the two a sync might replace an article
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

    def copies(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """For each of these articles that has any: the ids of the other copies of its story, oldest first."""
        return stories.copies(self._rows, ids, self._sight)

    def superseded(
        self, ids: Sequence[str], *, since: dt.date | None = None, until: dt.date | None = None
    ) -> dict[str, str]:
        """For each of these articles of which there is a later version within these dates: the id of the latest."""
        return stories.superseded(self._rows, ids, listing.condition(None, since, until, None, self._sight))

    def count(self) -> int:
        """How many articles there are."""
        return int(self._rows(f"SELECT count(*) FROM articles WHERE {self._sight[0]}", self._sight[1])[0][0])

    def passages(self, ids: Sequence[str]) -> list[StoredPassage]:
        """The passages with these ids, in their order; ids that are not in the archive are left out."""
        marks = ", ".join("?" * len(ids))
        with self.database.held():
            rows = {row[0]: row for row in self._passage_rows(f"p.id IN ({marks})", ids)}
            return [self._stored(rows[passage_id]) for passage_id in ids if passage_id in rows]

    def passages_of(self, article_ids: Sequence[str]) -> list[StoredPassage]:
        """All passages of these articles, in the order of the text."""
        marks = ", ".join("?" * len(article_ids))
        with self.database.held():
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
        matrix = np.frombuffer(vectors, dtype=np.float16).reshape(-1, self.dim).astype(np.float32)
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
            f"SELECT p.id, substr(p.vectors, 1, {2 * self.dim}) FROM passages p "
            f"JOIN articles a ON a.id = p.article_id WHERE {self._sight[0]} AND p.language = ?",
            (*self._sight[1], language),
        )
        if not rows:
            return []
        held = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float16).reshape(-1, self.dim)
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
        with self.database.held():  # or what was found might be gone before it is read
            found = listing.find(self._rows, query, where, values)
            return [self._article(revision) for revision in found[offset : offset + limit]], len(found)

    def overview(self) -> Overview:
        """What the archive holds, counted. Reads no article, and counts anew only where something was written."""
        with self.database.held() as db:
            state, sight = (self.database.changed(), db.total_changes), repr(self._sight)
            if self._overviews.get(sight, (None,))[0] != state:
                self._overviews[sight] = state, listing.overview(self._rows, self._sight)
            return self._overviews[sight][1]

    def undated(self, *, sources: Collection[str] | None = None, languages: Collection[str] | None = None) -> int:
        """How many articles, of these outlets and languages, have no date."""
        where, values = listing.condition(sources, None, None, languages, self._sight)
        return int(self._rows(f"SELECT count(*) FROM articles WHERE {where} AND date IS NULL", values)[0][0])

    # What the indexes still have to do

    def pending(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Ids of the passages to index, and (id, language) of those to take out of the indexes."""
        added = [row[0] for row in self._rows("SELECT id FROM passages WHERE indexed = 0 ORDER BY rowid")]
        removed = [(row[0], row[1]) for row in self._rows("SELECT passage_id, language FROM removed")]
        return added, removed

    def indexed(self) -> int:
        """How many passages the indexes should hold."""
        # Three counts of indexes: one over the rows themselves would read all vectors.
        held = "SELECT (SELECT count(*) FROM passages) - (SELECT count(*) FROM passages WHERE indexed = 0)"
        return int(self._rows(f"{held} + (SELECT count(*) FROM removed)")[0][0])

    def samples(self) -> dict[str, Vectors]:
        """The vectors (n, dim) of a few passages that the indexes should hold, the oldest, for each language."""
        width = 2 * self.dim
        sql = f"SELECT substr(vectors, 1, {width}) FROM passages WHERE language = ? AND indexed ORDER BY rowid LIMIT 3"
        found = {language: b"".join(row[0] for row in self._rows(sql, (language,))) for language in self.languages()}
        return {
            language: np.frombuffer(held, np.float16).astype(np.float32).reshape(-1, self.dim)
            for language, held in found.items()
            if held
        }

    def indexed_ids(self) -> list[str]:
        """The ids of the passages that the indexes should hold."""
        return [row[0] for row in self._rows("SELECT id FROM passages WHERE indexed ORDER BY rowid")]

    def settle(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """Note that the indexes have done this."""
        with self.database.transaction() as db:
            db.executemany("UPDATE passages SET indexed = 1 WHERE id = ?", ((item,) for item in added))
            db.executemany("DELETE FROM removed WHERE passage_id = ?", ((item,) for item in removed))
