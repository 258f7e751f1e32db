"""What the last sync saw: files, the articles in them, lines that are repeated all over the archive, vectors of texts.

It stands in the catalog's file, so that a sync costs what has changed and not what there is, and goes on where one was
cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rag.database import Database
from rag.embed import Vectors

_REPEATED_IN = 3  # stories that share a line before it counts as repeated
_LONG = 100  # characters: a line that long is a paragraph and tells a story from another
_AT_ONCE = 500  # values in one query


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What the last sync saw of a file. `mtime_ns` is 0 where it may have changed since unseen."""

    sha256: str
    size: int
    mtime_ns: int
    said: str


@dataclass(frozen=True, slots=True)
class PartRecord:
    """An article in a file, or the reason why it is none; `repeated` tells which repeated lines it was cleaned with."""

    file: str
    sha256: str
    reason: str | None = None
    repeated: str = ""
    stale: bool = False


def hashed(key: str) -> int:
    """A line key as it is kept: 63 bits, the lowest telling whether the line is long."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2 << 1 | (len(key) >= _LONG)


def text_key(text: str) -> bytes:
    """The hash by which the vector of a text is found again; 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class SyncState:
    """The state of syncing in a catalog's file. Only for who holds the index's lock."""

    def __init__(self, database: Database, dim: int) -> None:
        self._db = database
        self._dim = dim

    # Files and the articles in them

    def files(self) -> dict[str, FileRecord]:
        """All files whose articles are up to date, by path."""
        rows = self._db.rows("SELECT path, sha256, size, mtime_ns, said FROM files")
        return {row[0]: FileRecord(*row[1:]) for row in rows}

    def put_file(self, path: str, record: FileRecord) -> None:
        """Note that all articles of a file are up to date."""
        with self._db.held() as db:
            values = (path, record.sha256, record.size, record.mtime_ns, record.said)
            db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)

    def remove_file(self, path: str) -> None:
        """Forget a file; its parts are removed one by one."""
        with self._db.held() as db:
            db.execute("DELETE FROM files WHERE path = ?", (path,))

    def parts(self, file: str) -> dict[str, PartRecord]:
        """The parts of a file, by their place."""
        sql = "SELECT place, file, sha256, reason, repeated, stale FROM parts WHERE file = ?"
        rows = self._db.rows(sql, (file,))
        return {
            place: PartRecord(held, sha256, reason, repeated, bool(stale))
            for place, held, sha256, reason, repeated, stale in rows
        }

    def files_of_parts(self) -> set[str]:
        """Every file of which there is a part, also of those that no sync has finished."""
        return {row[0] for row in self._db.rows("SELECT DISTINCT file FROM parts")}

    def stale(self) -> set[str]:
        """The files with parts that are to be cleaned again, since other lines are repeated by now."""
        return {row[0] for row in self._db.rows("SELECT DISTINCT file FROM parts WHERE stale")}

    def put_part(self, place: str, record: PartRecord) -> None:
        """Note what became of a part."""
        with self._db.held() as db:
            values = (place, record.file, record.sha256, record.reason, record.repeated, record.stale)
            db.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)", values)

    def remove_part(self, place: str) -> None:
        """Forget a part and its lines; which lines are repeated then is told by the next `note_lines`."""
        with self._db.held() as db:
            db.execute("INSERT OR IGNORE INTO recount SELECT line FROM lines WHERE path = ?", (place,))
            db.execute("DELETE FROM lines WHERE path = ?", (place,))
            db.execute("DELETE FROM parts WHERE place = ?", (place,))

    # Repeated lines

    def note_lines(self, lines: Mapping[str, frozenset[int]]) -> None:
        """Take the lines of these places (hashed; none where a part is gone) for what they hold now.

        Where lines become repeated by that, or no longer are, the parts that hold them become stale.
        """
        with self._db.transaction() as db:
            for place, new in lines.items():
                old = {row[0] for row in db.execute("SELECT line FROM lines WHERE path = ?", (place,))}
                db.executemany("DELETE FROM lines WHERE path = ? AND line = ?", ((place, line) for line in old - new))
                db.executemany("INSERT INTO lines VALUES (?, ?)", ((place, line) for line in new - old))
                db.executemany("INSERT OR IGNORE INTO recount VALUES (?)", ((line,) for line in old ^ new))
            self._recount()

    def repeated(self) -> frozenset[int]:
        """The lines that stand in several stories. Copies of one story, which share its paragraphs, count once."""
        return frozenset(row[0] for row in self._db.rows("SELECT line FROM repeated"))

    def repeated_in(self, place: str) -> frozenset[int]:
        """Those of the repeated lines that stand in a part."""
        sql = "SELECT line FROM lines JOIN repeated USING (line) WHERE path = ?"
        return frozenset(row[0] for row in self._db.rows(sql, (place,)))

    def _recount(self) -> None:
        with self._db.held() as db:
            held = "(SELECT count(*) FROM (SELECT 1 FROM lines l WHERE l.line = r.line LIMIT ?))"
            many = db.execute(f"SELECT line FROM recount r WHERE {held} >= ?", (_REPEATED_IN, _REPEATED_IN)).fetchall()
            paragraphs = lru_cache(maxsize=4096)(self._paragraphs)
            now = {line for (line,) in many if self._is_repeated(line, paragraphs)}
            before = {row[0] for row in db.execute("SELECT line FROM recount JOIN repeated USING (line)")}
            db.executemany("INSERT INTO repeated VALUES (?)", ((line,) for line in now - before))
            db.executemany("DELETE FROM repeated WHERE line = ?", ((line,) for line in before - now))
            db.execute("DELETE FROM recount")
            places: set[str] = set()
            for line in now ^ before:
                places.update(row[0] for row in db.execute("SELECT path FROM lines WHERE line = ?", (line,)))
            for place in places:
                stale = "UPDATE parts SET stale = 1 WHERE place = ? AND repeated != ? AND reason IS NULL"
                db.execute(stale, (place, digest(self.repeated_in(place))))

    def _paragraphs(self, place: str) -> frozenset[int]:
        rows = self._db.rows("SELECT line FROM lines WHERE path = ? AND line & 1", (place,))
        return frozenset(row[0] for row in rows)

    def _is_repeated(self, line: int, paragraphs: Any) -> bool:
        """Whether so many different stories hold a line: most lines are told by the first few of their holders."""
        told: list[frozenset[int]] = []
        with self._db.held() as db:
            for (place,) in db.execute("SELECT path FROM lines WHERE line = ? ORDER BY path", (line,)):
                found = paragraphs(place) - {line}
                if not any(found and other and 2 * len(found & other) > min(len(found), len(other)) for other in told):
                    told.append(found)
                    if len(told) == _REPEATED_IN:
                        return True
        return False

    # Vectors of texts

    def vectors(self, keys: Collection[bytes]) -> dict[bytes, Vectors]:
        """The vectors (dim,) that are at hand for texts, by `text_key`."""
        width = 2 * self._dim
        found: dict[bytes, Vectors] = {}
        for some in _batches(keys):
            marks = ", ".join("?" * len(some))
            held = (
                f"SELECT e.key, substr(p.vectors, e.row * {width} + 1, {width}) FROM embedded e "
                f"JOIN passages p ON p.rowid = e.passage WHERE e.key IN ({marks})"
            )
            rows = self._db.rows(held, some) + self._db.rows(f"SELECT * FROM spared WHERE key IN ({marks})", some)
            found |= {key: np.frombuffer(vector, np.float16).astype(np.float32) for key, vector in rows}
        return found

    def spare(self, place: str) -> None:
        """Keep the vectors of an article that is about to be removed: its file may only have been moved."""
        width = 2 * self._dim
        with self._db.held() as db:
            db.execute(
                f"INSERT OR IGNORE INTO spared SELECT e.key, substr(p.vectors, e.row * {width} + 1, {width}) "
                "FROM articles a JOIN passages p ON p.article_id = a.id JOIN embedded e ON e.passage = p.rowid "
                "WHERE a.path = ?",
                (place,),
            )

    def forget_spared(self) -> None:
        with self._db.held() as db:
            db.execute("DELETE FROM spared")


def digest(lines: Iterable[int]) -> str:
    """What tells one set of repeated lines from another; empty for none."""
    found = sorted(lines)
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16] if found else ""


def _batches(keys: Collection[bytes]) -> Iterator[list[bytes]]:
    listed = list(keys)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]
