"""What the processes of a cluster share of one archive besides the vectors: a journal of its articles.

The journal is the collection `<name>-articles` on the Chroma server. An entry stands under its number; it says which
article was written or removed, and the records beside it hold the article, its passages and their vectors. The number
of the last entry stands in the collection's metadata and is raised when the entry is complete, so that nobody reads
half of one; an entry that a later one has made void is taken out. Chroma knows no transactions: vectors are written
before the entry that speaks of them, and removed after the one that withdraws them.

One process writes (`lease.py`); the others follow (`follow.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag import manifest
from rag.catalog import Catalog
from rag.errors import ArchiveIndexError, SettingsError
from rag.journal import FORMAT, Content, Entry, Told, keys_of, metadata_of, packed, told_of, unpacked
from rag.lease import Lease
from rag.remote import ChromaServer, collection, collections, connect, disconnect, talking

NOTE = "shared.json"  # in the index's folder: its lasting name, what it follows, what it has published
_ARTICLES = "-articles"
_PART = 1_500_000  # characters of a record; servers refuse requests beyond some 40 MB
_AT_ONCE = 6_000_000  # characters of records in a request
_REPLY = 60.0  # seconds

# `published` holds a row for each entry of the journal, `withdrawn` the articles deleted since the last one.
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS published (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, gone INTEGER NOT NULL,
        parts INTEGER NOT NULL DEFAULT 0, void INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS published_id ON published (id)",
    "CREATE INDEX IF NOT EXISTS published_void ON published (void) WHERE void",
    "CREATE TABLE IF NOT EXISTS withdrawn (id TEXT PRIMARY KEY)",
    """CREATE TRIGGER IF NOT EXISTS articles_withdrawn AFTER DELETE ON articles BEGIN
        INSERT OR IGNORE INTO withdrawn VALUES (old.id);
    END""",
    """CREATE TABLE IF NOT EXISTS publishing (
        epoch TEXT NOT NULL, head INTEGER NOT NULL, revision INTEGER NOT NULL, ready INTEGER NOT NULL
    )""",
)


class Shared:
    """What the index folder `path` shares with other processes through a Chroma server. Nothing is contacted yet.

    `mend` is called, in a thread, when the server has lost what it held and all is to be written again.
    """

    def __init__(self, path: Path, server: ChromaServer, mend: Callable[[], object]) -> None:
        self.path = path
        self._noted = _read(path)
        self.server = replace(server, name=self._noted.get("follows", server.name))
        self._lease = Lease(self.server, self._noted["holder"], mend)
        self._client: Any = None

    @property
    def follows(self) -> bool:
        """Whether this folder holds a copy of what another process writes."""
        return "follows" in self._noted

    def follow(self, name: str = "") -> None:
        """Make this folder, which must be new, a copy of the archive `name` on the server, or of the only one there.

        Raises:
            SettingsError: there is no such archive, or there are several. ArchiveIndexError: the folder holds an index
            of its own; or there is no talking to the server.
        """
        if self.follows:
            if name and name != self.server.name:
                raise SettingsError(
                    f"the index {self.path} follows the archive {self.server.name}, not {name}; name another folder "
                    "with --index"
                )
            return
        if manifest.exists(self.path):
            raise ArchiveIndexError(
                f"the index {self.path} is synced from a folder of articles and follows nobody; name another folder "
                "for what it shall follow with --index"
            )
        with talking(self.server):
            names = [item.name for item in collections(self._reader(), "")]
        found = sorted(name.removesuffix(_ARTICLES) for name in names if name.endswith(_ARTICLES))
        if name not in found and (name or len(found) != 1):
            raise SettingsError(
                f"the Chroma server at {self.server.url} holds {', '.join(found) or 'no archive'}, expected "
                f"{name or 'one archive'}; name one with --follow NAME, or let one be published there with: "
                "python -m rag sync"
            )
        self.server = replace(self.server, name=name or found[0])
        self._note(follows=self.server.name)

    def close(self) -> None:
        if self._client is not None:
            disconnect(self._client)
            self._client = None

    # The one who writes

    def take(self, *, anew: bool = False) -> None:
        """Make this process the only one that writes. Nothing where this folder follows.

        `anew`: all will be built from nothing, also in the place of another archive.

        Raises:
            IndexLocked: another process writes. VectorsUnavailable: the server cannot be reached.
            ArchiveIndexError: the server refuses us, or holds another archive under this name.
        """
        if self.follows or self._lease.held:
            return
        self._note()  # or who is killed now could not take it again
        self._lease.take()
        try:
            with talking(self.server):
                found = self._journal(self._lease.check())
            if found is not None and found.metadata["epoch"] != self._noted.get("epoch") and not anew:
                raise ArchiveIndexError(
                    f"the Chroma server at {self.server.url} holds an archive {self.server.name} that is not of the "
                    f"index {self.path}; name another index with --index (its folder's name is that on the server), or "
                    "let this one take its place with: python -m rag sync --rebuild"
                )
        except BaseException:
            self._lease.release()
            raise

    def release(self) -> None:
        """Let others write."""
        self._lease.release()

    def forget(self) -> None:
        """Take the journal off the server, for building anew; those who follow keep what they have until then.

        Raises:
            IndexLocked, VectorsUnavailable, ArchiveIndexError: as `take`.
        """
        if self.follows:
            return
        self._lease.take()
        with talking(self.server):
            if (found := self._journal(self._lease.check())) is not None:
                self._lease.check().delete_collection(found.name)

    def check(self) -> None:
        """Raises IndexLocked where another process has taken over writing."""
        if self._lease.held:
            self._lease.check()

    def publish(self, catalog: Catalog, *, whole: bool) -> None:
        """Write what has changed in the catalog since the last time into the journal.

        `whole`: the catalog holds all that it shall hold; those who follow a new journal begin then.

        Raises:
            IndexLocked: another process has taken over. VectorsUnavailable, ArchiveIndexError: there is no talking to
            the server.
        """
        if self.follows or not self._lease.held:
            return
        with talking(self.server):
            self._publish(self._lease.check(), catalog, whole)

    def _publish(self, client: Any, catalog: Catalog, whole: bool) -> None:
        with catalog.database.transaction() as db:
            for statement in _SCHEMA:
                db.execute(statement)
        epoch, head, _, ready = _state(catalog)
        found = self._journal(client)
        told = told_of(found.metadata) if found is not None else None
        if told is None or told.epoch != epoch or told.head > head:  # lost, or written by another since
            told = self._begin(client, catalog)
            found = self._journal(client)
        _number(catalog)
        head = _state(catalog)[1]
        for number in self._push(found, catalog, told.head):
            told = replace(told, head=number)
            found.modify(metadata=metadata_of(told))
        ready = ready or whole
        if (told.head, told.ready) != (head, ready):
            found.modify(metadata=metadata_of(replace(told, head=head, ready=ready)))
        with catalog.database.held() as db:
            db.execute("UPDATE publishing SET ready = ?", (ready,))
        self._sweep(found, catalog, head)

    def _begin(self, client: Any, catalog: Catalog) -> Told:
        """Begin the journal anew."""
        built = json.loads((self.path / manifest.NAME).read_text(encoding="utf-8"))
        told = Told(uuid.uuid4().hex, 0, False, built["model"], catalog.dim, FORMAT)
        if (old := self._journal(client)) is not None:
            client.delete_collection(old.name)
        self._note(epoch=told.epoch)
        with catalog.database.transaction() as db:
            ready = _state(catalog)[3]  # what was whole once is so again as soon as all of it is written
            for table in ("published", "withdrawn", "publishing"):
                db.execute(f"DELETE FROM {table}")
            db.execute("INSERT INTO publishing VALUES (?, 0, 0, ?)", (told.epoch, ready))
        client.create_collection(self.server.name + _ARTICLES, metadata=metadata_of(told), embedding_function=None)
        return told

    def _push(self, journal: Any, catalog: Catalog, head: int) -> Iterator[int]:
        """Write the entries after `head`; gives the number up to which all is written, again and again."""
        sql = "SELECT number, id, gone FROM published WHERE number > ? AND NOT void ORDER BY number"
        ids: list[str] = []
        metadatas: list[dict[str, Any]] = []
        size = 0
        last = head
        for number, article_id, gone in catalog.database.rows(sql, (head,)):
            data = "" if gone else base64.b64encode(packed(catalog, article_id)).decode()
            parts = [data[start : start + _PART] for start in range(0, len(data), _PART)]
            with catalog.database.held() as db:
                db.execute("UPDATE published SET parts = ? WHERE number = ?", (len(parts), number))
            digest = hashlib.sha256(data.encode()).hexdigest()
            entry = {"id": article_id, "gone": bool(gone), "digest": digest, "parts": len(parts), "size": len(data)}
            ids += keys_of(number, len(parts))
            # Not as documents: of those Chroma makes a full-text index, eight times as large.
            metadatas += [*({"data": part} for part in parts), entry]
            size, last = size + len(data), number
            if size >= _AT_ONCE or len(ids) >= 1000:
                journal.upsert(ids=ids, metadatas=metadatas, embeddings=[[float(number)] for _ in ids])
                ids, metadatas, size = [], [], 0
                yield last
        if ids:
            journal.upsert(ids=ids, metadatas=metadatas, embeddings=[[float(last)] for _ in ids])
            yield last

    def _sweep(self, journal: Any, catalog: Catalog, head: int) -> None:
        """Take out the entries that later ones have made void."""
        rows = catalog.database.rows("SELECT number, parts FROM published WHERE void AND number <= ?", (head,))
        for start in range(0, len(rows), 200):
            some = rows[start : start + 200]
            journal.delete(ids=[key for number, parts in some for key in keys_of(number, parts)])
        with catalog.database.held() as db:
            db.executemany("DELETE FROM published WHERE number = ?", ((row[0],) for row in rows))

    # Those who follow

    def told(self) -> Told | None:
        """What the journal says of itself; None where there is none."""
        with talking(self.server):
            found = self._journal(self._reader())
            return told_of(found.metadata) if found is not None else None

    def entries(self, numbers: Sequence[int]) -> list[Entry]:
        """The entries with these numbers, as far as they are there, in order."""
        rows = self._records([keys_of(number, 0)[0] for number in numbers])
        return sorted((Entry(int(key), **row) for key, row in rows.items()), key=lambda entry: entry.number)

    def contents(self, entries: Sequence[Entry], dim: int) -> Iterator[tuple[Entry, Content]]:
        """What these entries hold; one that was taken out meanwhile, as a later one takes its place, is left out."""
        waiting: list[Entry] = []
        for at, entry in enumerate(entries, 1):
            waiting.append(entry)
            if at == len(entries) or sum(item.size for item in waiting) >= _AT_ONCE or len(waiting) >= 100:
                found = self._records([key for item in waiting for key in keys_of(item.number, item.parts)[:-1]])
                for item in waiting:
                    parts = [found.get(key, {}).get("data") for key in keys_of(item.number, item.parts)[:-1]]
                    if all(parts):
                        yield item, unpacked(base64.b64decode("".join(parts)), dim)
                waiting = []

    def _records(self, keys: list[str]) -> dict[str, Any]:
        with talking(self.server):
            journal = self._journal(self._reader()) if keys else None
            if journal is None:
                return {}
            found = journal.get(ids=keys, include=["metadatas"])
        return dict(zip(found["ids"], found["metadatas"], strict=True))

    def _journal(self, client: Any) -> Any:
        """The journal's collection, or None."""
        return collection(client, self.server.name + _ARTICLES)

    def _reader(self) -> Any:
        if self._client is None:
            self._client = connect(self.server, _REPLY)
        return self._client

    def _note(self, **noted: str) -> None:
        self._noted |= noted
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / NOTE).write_text(json.dumps(self._noted), encoding="utf-8")


def _read(path: Path) -> dict[str, str]:
    try:
        noted = json.loads((path / NOTE).read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in noted.items()}
    except (OSError, ValueError, AttributeError):
        return {"holder": uuid.uuid4().hex}


def _state(catalog: Catalog) -> tuple[str, int, int, bool]:
    """The journal's epoch, its last number, the last revision of an article that stands in it, whether it was whole."""
    rows = catalog.database.rows("SELECT epoch, head, revision, ready FROM publishing")
    return (*rows[0][:3], bool(rows[0][3])) if rows else ("", 0, 0, False)


def _number(catalog: Catalog) -> None:
    """Give what has changed the next numbers, here, before anything is written there: so that a crash loses nothing."""
    with catalog.database.transaction() as db:
        _, head, revision, _ = _state(catalog)
        written = db.execute("SELECT revision, id FROM articles WHERE revision > ? ORDER BY revision", (revision,))
        rows = written.fetchall()
        changed = [(item, False) for _, item in rows]
        gone = db.execute(
            "SELECT id FROM withdrawn WHERE id NOT IN (SELECT id FROM articles) AND id IN (SELECT id FROM published)"
        )
        for number, (article_id, is_gone) in enumerate([*changed, *((row[0], True) for row in gone)], head + 1):
            db.execute("UPDATE published SET void = 1 WHERE id = ?", (article_id,))
            db.execute("INSERT INTO published (number, id, gone) VALUES (?, ?, ?)", (number, article_id, is_gone))
            head = number
        db.execute("DELETE FROM withdrawn")
        db.execute("UPDATE publishing SET head = ?, revision = ?", (head, rows[-1][0] if rows else revision))
