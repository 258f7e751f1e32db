"""Who writes to an archive on a Chroma server: one process of all, by a lease kept there.

Creating a collection is atomic: it fails where one of this name exists. So the collection `<name>-writer` is the lease,
and its metadata says who holds it and when he last gave a sign of life, by the server's own clock.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from rag.errors import IndexLocked
from rag.remote import ChromaServer, collection, connect, disconnect, talking

BEAT = 5.0  # seconds between two signs of life
STALE = 60.0  # seconds without one after which another may write
_REPLY = 10.0  # seconds

_log = logging.getLogger(__name__)


class Lease:
    """The right to write to the archive on `server`, for the index folder whose lasting name is `holder`.

    Who holds that folder's own lock may take the lease over from an earlier process of the same folder at once.
    `mend` is called in a thread when the server has lost what it held.
    """

    def __init__(self, server: ChromaServer, holder: str, mend: Callable[[], object]) -> None:
        self._server, self._holder, self._mend = server, holder, mend
        self._name = f"{server.name}-writer"
        self._client: Any = None
        self._id: Any = None  # of the collection, while the lease is held
        self._since = ""
        self._lost: str | None = None
        self._stop = threading.Event()

    @property
    def held(self) -> bool:
        return self._id is not None

    def take(self) -> None:
        """Take the lease, unless it is held already.

        Raises:
            IndexLocked: another process holds it. VectorsUnavailable, ArchiveIndexError: the server is away or refuses.
        """
        if self.held:
            return
        client = connect(self._server, _REPLY)
        self._since, self._lost = datetime.now().astimezone().isoformat(timespec="seconds"), None
        try:
            with talking(self._server):
                self._id = self._claimed(client)
        except BaseException:
            disconnect(client)
            raise
        self._client = client
        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=(client, self._stop), name="lease", daemon=True).start()

    def release(self) -> None:
        """Let others write."""
        if not self.held:
            return
        self._stop.set()  # and no waiting for the thread, which may wait for whoever calls this
        with suppress(Exception):  # where the server is away, the lease goes stale
            if self._is_mine(collection(self._client, self._name)):
                self._client.delete_collection(self._name)
        disconnect(self._client)
        self._id = self._client = None

    def check(self) -> Any:
        """A client of the server, for who is about to write.

        Raises:
            IndexLocked: another process has taken the lease over. VectorsUnavailable: the server is away.
        """
        with talking(self._server):
            found = collection(self._client, self._name)
            if found is None:
                self._id = self._claimed(self._client)
            elif not self._is_mine(found):
                self._lost = _who(found.metadata)
        if self._lost is not None:
            raise IndexLocked(
                f"another process has taken over writing to the archive {self._server.name} on {self._server.url}: "
                f"{self._lost}; nothing more is written here; stop one of the two"
            )
        return self._client

    def _is_mine(self, found: Any) -> bool:
        return found is not None and found.id == self._id

    def _claimed(self, client: Any) -> Any:
        """The id of the lease's collection, now ours."""
        from chromadb.errors import ChromaError, NotFoundError

        found = None
        for _ in range(3):
            now = client.heartbeat()  # nanoseconds
            with suppress(ChromaError):
                return client.create_collection(self._name, metadata=self._told(now), embedding_function=None).id
            found = collection(client, self._name)
            if found is None:
                continue  # given back meanwhile
            told = found.metadata
            if told["holder"] != self._holder and now - told["beat"] < STALE * 1e9:
                break
            # Renamed by its id, so that of two who do this at once neither takes the other's new lease for the old one.
            with suppress(NotFoundError):
                found.modify(name=f"{self._name}-{found.id}")
                client.delete_collection(f"{self._name}-{found.id}")
        raise IndexLocked(
            f"another process is writing to the archive {self._server.name} on {self._server.url}: "
            f"{_who(found.metadata) if found is not None else 'it does not say which'}; wait for it or stop it, or "
            "answer from what it publishes with: python -m rag serve --follow"
        )

    def _told(self, now: int) -> dict[str, Any]:
        who = {"holder": self._holder, "host": socket.gethostname(), "pid": os.getpid()}
        return {**who, "since": self._since, "beat": now}

    def _beat(self, client: Any, stop: threading.Event) -> None:
        to_mend = False
        while not stop.wait(BEAT) and self._lost is None:
            try:
                found = collection(client, self._name)
                if stop.is_set():  # given back, or it would be taken again here
                    return
                if found is None:  # the server has come back without what it held
                    self._id = self._claimed(client)
                    _log.warning("the Chroma server at %s has lost the archive; it is written anew", self._server.url)
                    to_mend = True
                elif self._is_mine(found):
                    found.modify(metadata=self._told(client.heartbeat()))
                else:
                    self._lost = _who(found.metadata)
                    _log.warning("%s has taken over writing to the archive %s", self._lost, self._server.name)
                if to_mend:  # again and again: it may be away once more
                    self._mend()
                    to_mend = False
            except IndexLocked as error:
                self._lost = str(error)
            except Exception as error:  # away for a while: who asks says so
                _log.debug("no sign of life could be given: %s", type(error).__name__)


def _who(told: Any) -> str:
    return f"process {told.get('pid')} on {told.get('host')} since {told.get('since')}"
