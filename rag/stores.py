"""The stores of one index: opened when they are needed, written by one process, never closed under a reader's feet.

Whoever reads borrows them for as long as one step takes; whoever writes does so beside the readers. Only what changes
the stores themselves (opening them for writing, building them from nothing, closing them) waits until the last reader
has given them back, and lets nobody in meanwhile. What a crash left behind is found when they are opened, and mended
from the catalog.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag import feedback, manifest
from rag.catalog import Catalog
from rag.embed import Embedder, load
from rag.errors import ArchiveIndexError, IndexLocked, SettingsError, VectorsUnavailable
from rag.follow import Follower
from rag.index import STORES, Index, settle
from rag.remote import ChromaServer, name_of
from rag.shared import Shared

Opened = tuple[Catalog, Index, Embedder]

_LOCK, _WRITER = "lock", "writer.json"
_PATIENCE = 5.0  # seconds to wait for another process that writes
_LOOK = 1.0  # seconds between two looks whether another process has written
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_log = logging.getLogger(__name__)


class Stores:
    """Catalog, indexes and embedding model of the index in the folder `path`. Safe to use from several threads.

    `chroma_url` names a Chroma server that holds the vectors for several processes, `chroma_headers` what it wants.
    """

    def __init__(
        self, path: Path, model: str, chroma_url: str = "", chroma_headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.path = path
        server = ChromaServer(chroma_url, chroma_headers, name_of(path)) if chroma_url else None
        self._shared = Shared(path, server, self._mend) if server else None
        self._follower: Follower | None = None
        self._model = model
        self._gate = threading.Condition()
        self._shut = False  # whether somebody needs the stores for himself
        self._readers = 0
        self._writing = threading.RLock()  # always taken before the gate
        self._embedder: Embedder | None = None
        self._opened: Opened | None = None
        self._writable = False  # whether they were opened while the lock was held, and nothing went wrong since
        self._lock: FileLock | None = None
        self._seen = 0  # what the catalog said of others' writing when the indexes were opened
        self._looked = 0.0

    def exist(self) -> bool:
        """Whether the index was ever begun."""
        return manifest.exists(self.path)

    @contextmanager
    def reading(self) -> Iterator[Opened]:
        """The stores, which stay open inside. Not to be nested, and not for longer than a step takes.

        Raises:
            IndexMismatch, ArchiveIndexError, EmbedderError: the stores cannot be opened.
        """
        self._follow()
        with self._gate:
            self._gate.wait_for(lambda: not self._shut)
            opened = self._open()
            self._readers += 1
        try:
            yield opened
        finally:
            with self._gate:
                self._readers -= 1
                self._gate.notify_all()

    @contextmanager
    def writing(self, *, rebuild: bool = False) -> Iterator[Opened]:
        """The stores for the only writer, beside its readers; those wait where the index is built from nothing.

        `rebuild` throws away what is there.

        Raises:
            IndexLocked: another process is writing. ArchiveIndexError: also where the disk is full; nothing that was
            written before is lost. Otherwise as `reading`.
        """
        with self._writing, ExitStack() as stack:
            building = rebuild or not self.exist()
            self._acquire(_PATIENCE, anew=rebuild)
            if building or not self._writable:
                stack.enter_context(self._alone())
                # Embedded Chroma does not see what another process wrote since it was opened.
                self._close()
                if rebuild:
                    self._discard()
                self._open()
                self._writable = True
                if not building:
                    stack.close()
            try:
                yield self._open()
            except VectorsUnavailable:  # nothing is wrong here
                raise
            except BaseException as error:
                self._writable = False  # before anything else is written, it is looked at again
                if _is_full(error):
                    raise ArchiveIndexError(
                        f"the disk that holds {self.path} is full ({error}); what was written before is safe; free "
                        "some space and run: python -m rag sync"
                    ) from error
                raise

    def follow(self, name: str = "") -> int:
        """Bring this index, a copy of the archive `name` on the Chroma server, in line; how many articles have changed.

        Raises:
            SettingsError: there is no server, or no such archive. Otherwise as `Shared.follow` and `Follower.follow`.
        """
        if self._shared is None:
            raise SettingsError("only what is on a Chroma server can be followed; name one with ON_RECORD_CHROMA_URL")
        if self._follower is None:
            self._shared.follow(name)
            self._follower = Follower(self._shared, self.writing)
        return self._follower.follow()

    def refuse_copy(self) -> None:
        """Raises SettingsError where this index is a copy of what another process writes."""
        if self._shared is not None and self._shared.follows:
            raise SettingsError(
                f"the index {self.path} follows what another process writes and is never synced; sync there, or name "
                "another index with --index"
            )

    def _mend(self) -> None:
        """Write anew what the Chroma server has lost. Called in a thread of its own."""
        with self._writing:
            if self._lock is not None:
                with self.writing() as (catalog, index, _):
                    settle(catalog, index)

    def close(self) -> None:
        """Close the stores once they are given back, and let others write. They open again when they are used again."""
        with self._writing, self._alone():
            self._close()
            self._release()
            if self._shared is not None:
                self._shared.close()

    def remake(self) -> int:
        """Make both indexes again from the catalog, without embedding anything; how many passages they hold then.

        Raises:
            IndexLocked: another process is writing. Otherwise as `reading`.
        """
        with self._writing:
            self._acquire(_PATIENCE)
            with self._alone():
                catalog, index, embedder = self._open()
                index = self._remade(catalog, index, dict.fromkeys(STORES, "by request"))
                self._opened, self._writable = (catalog, index, embedder), True
                settle(catalog, index)
                return index.vectors_held()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no reader in until this ends, and begin when the last one has left. Only for who holds `_writing`."""
        try:
            with self._gate:
                self._shut = True
                self._gate.wait_for(lambda: not self._readers)
            yield
        finally:
            with self._gate:
                self._shut = False
                self._gate.notify_all()

    # Opening

    def _open(self) -> Opened:
        if self._opened is None:
            self.path.mkdir(parents=True, exist_ok=True)
            if manifest.unfinished(self.path):
                raise ArchiveIndexError(
                    f"a restore into {self.path} was cut off; finish it with: python -m rag restore FILE"
                )
            self._embedder = self._embedder or load(self._model)
            manifest.check(self.path, self._embedder)
            catalog = Catalog(self.path / feedback.CATALOG, dim=self._embedder.dim)
            try:
                self._seen = catalog.database.changed()
                self._opened = catalog, self._indexes(catalog), self._embedder
            except BaseException:
                catalog.close()
                raise
        return self._opened

    def _close(self) -> None:
        self._writable = False
        if self._opened is not None:
            catalog, index, _ = self._opened
            self._opened = None
            index.close()
            catalog.close()

    def _follow(self) -> None:
        """Open the stores anew where another process has written: embedded Chroma does not see that by itself."""
        now = time.monotonic()
        if self._writable or self._opened is None or now - self._looked < _LOOK:
            return
        self._looked = now
        if not self._writing.acquire(blocking=False):
            return
        try:
            if self._lock is None and self._opened and self._opened[0].database.changed() != self._seen:
                with self._alone():
                    self._close()
        finally:
            self._writing.release()

    def _indexes(self, catalog: Catalog) -> Index:
        """The indexes, holding what the catalog says: what was left undone is done, what is damaged made again."""
        index: Index | None = None
        try:
            index = Index(self.path, self._shared)
            wrong = index.damaged(catalog.indexed(), catalog.samples())
            if not wrong and not any(catalog.pending()):
                return index
        except ArchiveIndexError as error:
            wrong = dict.fromkeys(STORES, str(error))
        with ExitStack() as stack:
            if self._lock is None:
                try:
                    self._acquire(0)
                except ArchiveIndexError as locked:
                    if index:  # who writes is about to do it, or will when the server is back
                        return index
                    raise ArchiveIndexError(f"{next(iter(wrong.values()))}; and {locked}") from None
                stack.callback(self._release)
            if index:
                with suppress(Exception):  # what is damaged takes nothing
                    settle(catalog, index)
                wrong = index.damaged(catalog.indexed(), catalog.samples())
            if wrong or index is None:
                index = self._remade(catalog, index, wrong)
                settle(catalog, index)
            return index

    def _remade(self, catalog: Catalog, index: Index | None, wrong: Mapping[str, str]) -> Index:
        """The indexes, with those that are wrong made again from the catalog, without embedding anything."""
        begun = time.monotonic()
        if index:
            index.close()
        index = Index.remade(self.path, catalog, wrong, self._shared)
        told = "; ".join(f"{name}: {why}" for name, why in wrong.items())
        _log.warning(
            "the index %s was incomplete or damaged (%s); made again from the catalog: %d passages in %.1f s",
            *(self.path, told, catalog.indexed(), time.monotonic() - begun),
        )
        return index

    def _discard(self) -> None:
        if self._shared is not None:
            self._shared.forget()
        # In this order: a manifest that is missing is written anew, and must not find another model's vectors.
        feedback.discard_all_else(self.path / feedback.CATALOG)
        (self.path / manifest.NAME).unlink(missing_ok=True)
        Index.destroy(self.path, STORES, self._shared)

    # The lock

    def _acquire(self, patience: float, *, anew: bool = False) -> None:
        """Take the lock, unless it is held already; wait so many seconds for it."""
        if self._lock is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        # By default a lock belongs to the thread that took it, and another could not release it.
        lock = FileLock(self.path / _LOCK, thread_local=False)
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            raise IndexLocked(
                f"another process is writing to the index {self.path}: {self._writer()}; wait for it or stop it "
                "(a server that runs with --watch brings the index up to date by itself), or use another index with "
                "--index"
            ) from None
        if self._shared is not None:
            try:
                self._shared.take(anew=anew)
            except BaseException:
                lock.release()
                raise
        self._lock = lock
        # argv[0] alone would be the path of a script.
        who = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": " ".join(["python", *sys.orig_argv[1:]])[:200],
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        (self.path / _WRITER).write_text(json.dumps(who), encoding="utf-8")

    def _release(self) -> None:
        if self._lock is not None:
            if self._shared is not None:
                self._shared.release()
            (self.path / _WRITER).unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def _writer(self) -> str:
        """Who holds the lock, as far as it can be told."""
        try:
            who = json.loads((self.path / _WRITER).read_text(encoding="utf-8"))
            return f"process {who['pid']} on {who['host']} since {who['since']} ({who['command']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "it does not say which"


def _is_full(error: BaseException) -> bool:
    """Whether an error, of whichever store, comes from a disk that takes nothing more."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(
        sign in str(error).lower()
        for sign in ("disk is full", "disk i/o error", "no space left", "file too large", "os error 28")
    )
