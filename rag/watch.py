"""Keeps an index in line with its folder while others ask: a thread that waits for changes and then syncs.

What is being written is left alone until it has come to rest, so that no file is read half. The system says what
changes (watchfiles, on Linux by inotify); a network folder may say nothing, and is looked through again and again where
the environment variable `WATCHFILES_FORCE_POLLING` is set.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rag import corpus, folder
from rag.errors import RagError

REST = 1.1  # seconds without a change, after which a file counts as written: a pause of one second is none
LONGEST = 10.0  # seconds after which a folder that never rests is synced all the same
AGAIN = 5.0  # seconds until a sync, or the watching, is tried again
_LOOK = 100  # ms between two looks

_State = tuple[int, int, int] | None  # of a file: which it is, size, time of change (ns); None where there is none

_log = logging.getLogger(__name__)


@contextmanager
def watching(root: Path, sync: Callable[[], object]) -> Iterator[None]:
    """Calls `sync` whenever something below `root` has changed and come to rest, until the `with` ends.

    It is called once at the beginning too, for what changed before. A sync that fails is logged and tried again. At the
    end a sync under way is waited for.
    """
    watch = _Watch(root, sync)
    thread = threading.Thread(target=watch.run, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop.set()
        thread.join()


class _Watch:
    """Follows the folder, whatever becomes of it, until it is to stop."""

    def __init__(self, root: Path, sync: Callable[[], object]) -> None:
        self.stop = threading.Event()
        self._root = root
        self._sync = sync
        self._told = ""  # why it does not go on, as the log knows it already

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self._follow()
            except Exception as error:  # the folder is gone, may not be read, or the system watches no more folders
                self._complain(error)
                self.stop.wait(AGAIN)

    def _follow(self) -> None:
        """Watches the folder as long as it is the same one.

        Raises:
            OSError: it cannot be watched.
        """
        from watchfiles import watch

        which = _which(self._root)
        pending = _Pending()
        pending.note([])  # what happened while nobody looked
        for changes in watch(
            self._root,
            watch_filter=lambda _, path: matters(self._root, Path(path)),
            debounce=_LOOK,
            step=_LOOK // 2,
            rust_timeout=_LOOK,
            yield_on_timeout=True,
            stop_event=self.stop,
            raise_interrupt=False,
        ):
            # A folder that is put in this one's place has the same name, and nobody would hear of what happens there.
            if _which(self._root) != which:
                return
            if changes:
                pending.note([path for _, path in changes])
            if pending.rests():
                try:
                    self._sync()
                    self._told = ""
                except Exception as error:
                    self._complain(error)
                    pending.wait(AGAIN)

    def _complain(self, error: Exception) -> None:
        why = str(error) if isinstance(error, RagError | OSError) else type(error).__name__
        if why != self._told:
            _log.warning("The index is not in line with the folder (%s); it is tried again every %d s", why, AGAIN)
        self._told = why


def _which(root: Path) -> tuple[int, int]:
    """Which folder this is.

    Raises:
        OSError: there is none, or it may not be read: a sync would take it for an empty one.
    """
    with os.scandir(root):
        status = root.stat()
    return status.st_dev, status.st_ino


class _Pending:
    """What has changed and is not synced yet."""

    def __init__(self) -> None:
        self._files: dict[str, _State] = {}
        self._first: float | None = None  # when the first of it changed; None where there is nothing
        self._last = 0.0  # when the last of it changed
        self._not_before = 0.0

    def note(self, paths: list[str]) -> None:
        """These have changed."""
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._files |= {path: _state(path) for path in paths}

    def wait(self, seconds: float) -> None:
        """All of it is still to be synced, but not so soon."""
        self.note([])
        self._not_before = self._last + seconds

    def rests(self) -> bool:
        """Whether it is time to sync; then it counts as synced."""
        now = time.monotonic()
        if self._first is None or now < self._not_before:
            return False
        # Not every change is told one by one, and none while a file is mapped into memory.
        states = {path: _state(path) for path in self._files}
        if states != self._files:
            self._files, self._last = states, now
        if now - self._last < REST and now - self._first < LONGEST:
            return False
        self._files, self._first = {}, None
        return True


def _state(path: str) -> _State:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def matters(root: Path, path: Path) -> bool:
    """Whether a change of `path` may change an article: not of what editors leave beside one, nor of hidden files."""
    name = path.name
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return False
    if name.startswith("~$") or name.endswith("~") or (name.startswith("#") and name.endswith("#")):
        return False
    # What is no longer there may have been a folder, whatever its name.
    return name == folder.NAME or path.suffix.lower() in corpus.SUFFIXES or not path.is_file()
