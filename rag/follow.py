"""Follows an archive that another process writes: what it publishes on a Chroma server comes into a catalog and words
of one's own. The vectors stay on the server.

Articles come one by one, each as a whole, and those that are gone go. Where the journal was begun anew, what is the
same stays where it is, so that at no moment less can be answered than before or after.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from rag.catalog import Catalog
from rag.embed import Embedder
from rag.errors import IndexMismatch, RagError, VectorsUnavailable
from rag.index import Index, settle
from rag.journal import FORMAT, Entry, Told
from rag.shared import Shared

PAUSE = 1.0  # seconds between two looks at the journal
_WAIT = 2.0  # seconds between two looks for one that is whole
_AT_ONCE = 500  # entries

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS followed (id TEXT PRIMARY KEY, digest TEXT NOT NULL, epoch TEXT NOT NULL)",
    # `number` is the last entry that was read, `whole` whether all have been read once.
    "CREATE TABLE IF NOT EXISTS following (epoch TEXT NOT NULL, number INTEGER NOT NULL, whole INTEGER NOT NULL)",
)

_log = logging.getLogger(__name__)


class Writing(Protocol):
    """Opens the stores of a copy for writing; `rebuild` throws away what is there."""

    def __call__(self, *, rebuild: bool = False) -> AbstractContextManager[tuple[Catalog, Index, Embedder]]: ...


class Follower:
    """Keeps the copy that `writing` opens in line with what is published under `shared`."""

    def __init__(self, shared: Shared, writing: Writing) -> None:
        self._shared, self._writing = shared, writing
        self._begun = False
        self._seen: Told | None = None
        self._unfit: IndexMismatch | None = None

    def follow(self) -> int:
        """Bring the copy in line; how many articles have changed by that.

        The first time, a new copy waits until the archive is there as a whole.

        Raises:
            VectorsUnavailable: the server cannot be reached; not the first time, where the copy was whole before.
            IndexMismatch: the archive was built with another model or written by another version. IndexLocked: another
            process writes to this copy. ArchiveIndexError: the server refuses us.
        """
        first = not self._begun
        if first:
            self._begin()
        try:
            told = self._shared.told()
        except VectorsUnavailable as error:
            if not first:
                raise
            _log.warning("%s; until then this copy answers as it is", error)
            return 0
        changes = 0
        if told is not None and told != self._seen:  # which is asked without opening anything
            with self._opened() as (catalog, index, embedder):
                self._unfit = _unfit(self._shared, told, embedder)
                changes = 0 if self._unfit else follow_once(catalog, index, told)
            self._seen = told
        if self._unfit:
            raise self._unfit
        return changes

    def _begin(self) -> None:
        with self._opened() as (catalog, _, _):
            whole = _state(catalog)[2]
        while not whole and ((told := self._shared.told()) is None or not told.ready):
            _log.warning("Waiting until the archive %s is published as a whole", self._shared.server.name)
            time.sleep(_WAIT)
        self._begun = True

    @contextmanager
    def _opened(self) -> Iterator[tuple[Catalog, Index, Embedder]]:
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(self._writing())
            except IndexMismatch:  # with another model: nothing of the copy can be used
                opened = stack.enter_context(self._writing(rebuild=True))
            yield opened


def follow_once(catalog: Catalog, index: Index, told: Told) -> int:
    """Bring a copy in line with a journal that says so of itself; how many articles have changed by that."""
    shared = index.shared
    assert shared is not None
    assert shared.follows
    epoch, number, whole = _state(catalog)
    if epoch != told.epoch:
        if not told.ready:  # what is here stays until there is more
            return 0
        number = 0
        with catalog.database.transaction() as db:
            db.execute("DELETE FROM following")
            # A copy that was whole is whole on the way to the next one, too.
            db.execute("INSERT INTO following VALUES (?, 0, ?)", (told.epoch, whole))
    changes = 0
    while number < told.head:
        last = min(number + _AT_ONCE, told.head)
        changes += _apply(catalog, index, shared, told, range(number + 1, last + 1))
        with catalog.database.held() as db:
            db.execute("UPDATE following SET number = ?", (last,))
        number = last
        if number == told.head and (now := shared.told()) is not None and now.epoch == told.epoch:
            told = now  # what was taken out meanwhile stands further on
    return changes + _finish(catalog, index, told)


@contextmanager
def following(step: Callable[[], int]) -> Iterator[None]:
    """Calls `step` every second until the `with` ends. What goes wrong is logged once, and tried again."""
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(step, stop), name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(step: Callable[[], int], stop: threading.Event) -> None:
    said = ""
    while not stop.wait(PAUSE):
        try:
            step()
        except Exception as error:
            if said != (said := str(error) if isinstance(error, RagError) else type(error).__name__):
                _log.warning("The archive is not followed at the moment: %s", said)
        else:
            if said:
                _log.warning("The archive is followed again")
            said = ""


def _state(catalog: Catalog) -> tuple[str, int, bool]:
    """The journal that is followed, the last number that was read of it, and whether the copy has ever been whole."""
    with catalog.database.held() as db:
        for statement in _SCHEMA:
            db.execute(statement)
        rows = catalog.database.rows("SELECT epoch, number, whole FROM following")
    return (rows[0][0], rows[0][1], bool(rows[0][2])) if rows else ("", 0, False)


def _unfit(shared: Shared, told: Told, embedder: Embedder) -> IndexMismatch | None:
    """Why an archive cannot be followed by this process, or None."""
    where = f"the archive {shared.server.name} on {shared.server.url}"
    if told.format != FORMAT:
        return IndexMismatch(
            f"{where} is written in the format {told.format}, and this On Record reads {FORMAT}; use the same version "
            "of it everywhere"
        )
    if (told.model, told.dimension) != (embedder.name, embedder.dim):
        return IndexMismatch(
            f"{where} was built with the model {told.model} ({told.dimension} numbers), and this process has "
            f"{embedder.name} ({embedder.dim}); set ON_RECORD_EMBED_MODEL as it is there, and start it again"
        )
    return None


def _apply(catalog: Catalog, index: Index, shared: Shared, told: Told, numbers: range) -> int:
    """Bring these entries in; how many changed something."""
    # An entry that a later one has made void may be there yet.
    entries = list({entry.id: entry for entry in shared.entries(numbers)}.values())
    ids = json.dumps([entry.id for entry in entries])
    sql = "SELECT id, digest FROM followed WHERE id IN (SELECT value FROM json_each(?))"
    known = dict(catalog.database.rows(sql, (ids,)))
    changes = sum(_removed(catalog, entry.id) for entry in entries if entry.gone)
    wanted: list[Entry] = []
    with catalog.database.transaction() as db:
        for entry in (entry for entry in entries if not entry.gone):
            if known.get(entry.id) == entry.digest:
                db.execute("UPDATE followed SET epoch = ? WHERE id = ?", (told.epoch, entry.id))
            else:
                wanted.append(entry)
    for entry, content in shared.contents(wanted, told.dimension):
        with catalog.database.transaction() as db:
            catalog.put_article(content.article, content.stored)
            db.execute("DELETE FROM versions WHERE id = ?", (entry.id,))
            db.executemany(
                "INSERT INTO versions VALUES (NULL, ?, ?, ?)",
                ((entry.id, digest, article) for digest, article in content.earlier),
            )
            db.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, ?)", (entry.id, entry.digest, told.epoch))
        changes += 1
    settle(catalog, index)
    return changes


def _removed(catalog: Catalog, article_id: str) -> bool:
    with catalog.database.transaction() as db:
        db.execute("DELETE FROM followed WHERE id = ?", (article_id,))
        rows = catalog.database.rows("SELECT path FROM articles WHERE id = ?", (article_id,))
        return bool(rows) and catalog.remove_article(rows[0][0])


def _finish(catalog: Catalog, index: Index, told: Told) -> int:
    """All has been read: what an earlier journal held and this one does not is gone."""
    rows = catalog.database.rows("SELECT id FROM followed WHERE epoch != ?", (told.epoch,))
    gone = sum(_removed(catalog, row[0]) for row in rows)
    if gone:
        settle(catalog, index)
    with catalog.database.held() as db:
        db.execute("UPDATE following SET whole = 1 WHERE NOT whole")
    return gone
