"""The catalog's SQLite file: opened, brought to this version's tables, read and written as a whole or not at all."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag import groups, listing, stories
from rag.errors import ArchiveIndexError

VERSION = 1  # 0: when each file was one article

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,          -- 0 where the file was so fresh that it may have changed unseen
    said TEXT NOT NULL DEFAULT ''       -- digest of what its folder says of it
);
CREATE TABLE IF NOT EXISTS parts (
    place TEXT PRIMARY KEY,             -- the path of the article that it is, or would be
    file TEXT NOT NULL, sha256 TEXT NOT NULL,
    reason TEXT,                        -- why it was skipped; NULL when it became an article
    repeated TEXT NOT NULL DEFAULT '',  -- digest of the repeated lines it was cleaned with
    stale INTEGER NOT NULL DEFAULT 0    -- whether other lines are repeated by now
);
CREATE INDEX IF NOT EXISTS parts_file ON parts (file);
CREATE INDEX IF NOT EXISTS parts_stale ON parts (stale) WHERE stale;
CREATE TABLE IF NOT EXISTS lines (path TEXT NOT NULL, line INTEGER NOT NULL, PRIMARY KEY (path, line)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lines_line ON lines (line);
CREATE TABLE IF NOT EXISTS repeated (line INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recount (line INTEGER PRIMARY KEY) WITHOUT ROWID; -- lines whose holders have changed
CREATE TABLE IF NOT EXISTS articles (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, so that what is kept in memory cannot be stale
    id TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL,
    text_sha256 TEXT NOT NULL, source TEXT, date TEXT, language TEXT, url TEXT, author TEXT,
    metadata TEXT NOT NULL, headings TEXT NOT NULL, pages TEXT NOT NULL, source_map TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS versions (  -- earlier texts of articles, in the order in which they were superseded
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, text_sha256 TEXT NOT NULL, article TEXT NOT NULL,
    UNIQUE (id, text_sha256)
);
CREATE TABLE IF NOT EXISTS passages (
    id TEXT PRIMARY KEY, article_id TEXT NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
    language TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, context TEXT NOT NULL,
    sentences TEXT NOT NULL,          -- [[start, end, paragraph], ...]
    vectors BLOB NOT NULL,            -- float16 (1 + sentences, dim): the passage, then each sentence
    indexed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS passages_article ON passages (article_id);
CREATE INDEX IF NOT EXISTS passages_language ON passages (language);
CREATE INDEX IF NOT EXISTS passages_indexed ON passages (indexed) WHERE indexed = 0;
CREATE TABLE IF NOT EXISTS removed (passage_id TEXT PRIMARY KEY, language TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS passages_removed AFTER DELETE ON passages WHEN old.indexed BEGIN
    INSERT OR REPLACE INTO removed VALUES (old.id, old.language);
END;
-- Where the vector of a text stands: its row in a passage's vectors. `key` is the text's hash.
CREATE TABLE IF NOT EXISTS embedded (
    key BLOB PRIMARY KEY, passage INTEGER NOT NULL, row INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS embedded_passage ON embedded (passage);
CREATE TRIGGER IF NOT EXISTS passages_embedded AFTER DELETE ON passages BEGIN
    DELETE FROM embedded WHERE passage = old.rowid;
END;
-- Vectors of removed texts, kept until the sync is over that removed them: a file may only have been moved.
CREATE TABLE IF NOT EXISTS spared (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
"""

# Each takes a catalog from the version of its place to the next.
_MIGRATIONS = (
    """
    ALTER TABLE files RENAME TO files_0;
    CREATE TABLE parts (
        place TEXT PRIMARY KEY, file TEXT NOT NULL, sha256 TEXT NOT NULL, reason TEXT,
        repeated TEXT NOT NULL DEFAULT '', stale INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE files (
        path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        said TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO parts SELECT path, path, '', reason, repeated, 0 FROM files_0;
    INSERT INTO files SELECT path, sha256, size, 0, '' FROM files_0;
    DROP TABLE files_0;
    CREATE TABLE recount (line INTEGER PRIMARY KEY) WITHOUT ROWID;
    INSERT INTO recount SELECT line FROM lines GROUP BY line HAVING count(*) > 1;
    """,
)


class Database:
    """The SQLite file `path` with the catalog's tables. Safe to use from several threads; one process may write.

    Raises:
        ArchiveIndexError: the file is no usable catalog, or a newer version's.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            try:
                self._prepare(path)
            except BaseException:
                self.connection.close()
                raise
        except sqlite3.DatabaseError as error:
            raise ArchiveIndexError(
                f"{path} is not a usable catalog ({error}); restore a backup, or build the index again, which keeps "
                "the old file aside, with: python -m rag sync --rebuild"
            ) from error

    def _prepare(self, path: Path) -> None:
        db = self.connection
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA foreign_keys=ON")
        if self._version() > VERSION:
            raise ArchiveIndexError(
                f"{path} was made by a newer On Record (version {self._version()} of the catalog, this one reads up to "
                f"{VERSION}); update On Record, or name another index with --index"
            )
        if not self._is_current():
            with self.transaction():
                self._migrate()
        groups.prepare(db)
        stories.prepare(db)
        listing.register(db)

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _is_current(self) -> bool:
        made = self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'parts'").fetchone()
        return self._version() == VERSION and made is not None  # a rebuild drops tables and leaves the version

    def _migrate(self) -> None:
        """From whatever version to this one. In a transaction, since another process may do the same."""
        db = self.connection
        if self._is_current():
            return
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
            for script in _MIGRATIONS[self._version() :]:
                for statement in _statements(script):  # executescript would commit first
                    db.execute(statement)
        for statement in _statements(_SCHEMA + listing.INDEX):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        with self._lock:
            self.connection.close()

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock:
            yield self.connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written as a whole or not at all."""
        with self._lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # where the disk is full, SQLite may have rolled back already
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self._lock:
            return self.connection.execute(sql, values).fetchall()

    def changed(self) -> int:
        """A number that another one follows whenever another connection has written."""
        return int(self.rows("PRAGMA data_version")[0][0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; a trigger holds semicolons of its own."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
