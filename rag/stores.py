"""The stores of one index: opened when they are needed, written by one process, never closed under a reader's feet.

Whoever reads borrows them for as long as one step takes; whoever writes does so beside the readers. Only what changes
the stores themselves (opening them for writing, building them from nothing, closing them) waits until the last reader
has given them back, and lets nobody in meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag import feedback, manifest
from rag.catalog import Catalog
from rag.embed import Embedder, load
from rag.errors import IndexLocked
from rag.index import Index

Opened = tuple[Catalog, Index, Embedder]


class Stores:
    """Catalog, indexes and embedding model of the index in the folder `path`. Safe to use from several threads."""

    def __init__(self, path: Path, model: str) -> None:
        self.path = path
        self._model = model
        self._gate = threading.Condition()
        self._shut = False  # whether somebody needs the stores for himself
        self._readers = 0
        self._writing = threading.RLock()  # always taken before the gate
        self._embedder: Embedder | None = None
        self._opened: Opened | None = None
        self._writable = False  # whether they were opened while the lock was held
        self._lock: FileLock | None = None

    def exist(self) -> bool:
        """Whether the index was ever begun."""
        return manifest.exists(self.path)

    @contextmanager
    def reading(self) -> Iterator[Opened]:
        """The stores, which stay open inside. Not to be nested, and not for longer than a step takes.

        Raises:
            IndexMismatch, ArchiveIndexError, EmbedderError: the stores cannot be opened.
        """
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
            IndexLocked: another process is writing. Otherwise as `reading`.
        """
        with self._writing, ExitStack() as stack:
            building = rebuild or not self.exist()
            self._acquire()
            if building or not self._writable:
                stack.enter_context(self._alone())
                # Embedded Chroma does not see what another process wrote since it was opened.
                self._close()
                if rebuild:
                    self._discard()
                self._opened = self._repaired(self._open())
                self._writable = True
                if not building:
                    stack.close()
            yield self._open()

    def close(self) -> None:
        """Close the stores once they are given back, and let others write. They open again when they are used again."""
        with self._writing, self._alone():
            self._close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

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

    def _open(self) -> Opened:
        if self._opened is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self._embedder = self._embedder or load(self._model)
            manifest.check(self.path, self._embedder)
            catalog = Catalog(self.path / feedback.CATALOG, dim=self._embedder.dim)
            try:
                self._opened = catalog, Index(self.path), self._embedder
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

    def _repaired(self, opened: Opened) -> Opened:
        """Where the indexes do not hold what the catalog says they hold, they are made again from it."""
        catalog, index, embedder = opened
        indexed = catalog.indexed()
        if (index.vectors_held(), index.words_held()) == (indexed, indexed):
            return opened
        index.close()
        Index.destroy(self.path)
        catalog.unsettle()
        return catalog, Index(self.path), embedder

    def _discard(self) -> None:
        Index.destroy(self.path)
        (self.path / manifest.NAME).unlink(missing_ok=True)
        feedback.discard_all_else(self.path / feedback.CATALOG)

    def _acquire(self) -> None:
        if self._lock is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        # By default a lock belongs to the thread that took it, and another could not release it.
        lock = FileLock(self.path / "lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise IndexLocked(
                f"another process is writing to the index {self.path}; wait for it or stop it, or use another index "
                "with --index"
            ) from None
        self._lock = lock
