"""Talking to a Chroma server: where it is, what it or a proxy before it wants to see, what its errors mean."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import ArchiveIndexError, VectorsUnavailable

_CONNECT = 2.0  # seconds
_AT_ONCE = 1000  # collections in one reply


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """Where a Chroma server is, what it or a proxy before it wants to see, and the name of our archive on it."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    name: str = "archive"


def name_of(path: Path) -> str:
    """The name under which the index in the folder `path` is known on a server: the folder's own, where that is fit."""
    folder = path.absolute().name
    name = re.sub(r"[^a-zA-Z0-9._-]+", "-", folder).strip("._-")[:200]
    # Chroma takes no other letters; two names must not become one.
    return name if name == folder else f"{name or 'index'}-{hashlib.sha256(folder.encode()).hexdigest()[:8]}"


def connect(server: ChromaServer, seconds: float) -> Any:
    """A client of a server, which waits so long for a reply.

    Raises:
        VectorsUnavailable: nobody answers there. ArchiveIndexError: who answers refuses us, or is no Chroma server.
    """
    import chromadb
    import httpx
    from chromadb.config import Settings

    try:
        reply = httpx.get(f"{server.url}/api/v2/heartbeat", headers=dict(server.headers), timeout=_CONNECT)
    except httpx.HTTPError as error:
        raise VectorsUnavailable(
            f"the Chroma server at {server.url} cannot be reached ({why(error)}); start it (`chroma run`), or correct "
            "ON_RECORD_CHROMA_URL"
        ) from error
    if reply.status_code in (401, 403):
        raise ArchiveIndexError(
            f"the Chroma server at {server.url} refuses us ({reply.status_code} {reply.reason_phrase}); correct "
            "ON_RECORD_CHROMA_HEADERS, which holds what it or the proxy before it wants to see, such as "
            "Authorization: Bearer …"
        )
    if reply.status_code >= 500:
        raise VectorsUnavailable(
            f"the Chroma server at {server.url} does not answer (its proxy says {reply.status_code} "
            f"{reply.reason_phrase}); start it"
        )
    if reply.status_code != 200 or "nanosecond heartbeat" not in reply.text[:1000]:
        raise ArchiveIndexError(
            f"what answers at {server.url} is no Chroma server ({reply.status_code} {reply.reason_phrase}), expected "
            "one of version 1 or later (`chroma run`); correct ON_RECORD_CHROMA_URL"
        )
    try:
        client = chromadb.HttpClient(
            server.url, headers=dict(server.headers), settings=Settings(anonymized_telemetry=False)
        )
    except Exception as error:  # the library raises ValueError for whatever goes wrong
        raise VectorsUnavailable(f"the Chroma server at {server.url} does not answer ({why(error)})") from error
    # The library waits for ever, and has no option for it.
    client._server._session.timeout = httpx.Timeout(seconds, connect=_CONNECT)  # type: ignore[attr-defined]
    return client


def disconnect(client: Any) -> None:
    """Close what `connect` gave: the library leaves its connections open, of which it has two kinds."""
    sessions = [part._server._session for part in (client, client._admin_client)]
    client.close()
    for session in sessions:
        session.close()


@contextmanager
def talking(server: ChromaServer) -> Iterator[None]:
    """What the library raises inside, of whatever kind, comes as an error of ours.

    Raises:
        VectorsUnavailable: the server does not answer. ArchiveIndexError: it refuses what it is asked for.
    """
    from chromadb.errors import ChromaError
    from httpx import HTTPError

    try:
        yield
    except Exception as error:
        # It raises a bare Exception for what a proxy says.
        if not isinstance(error, ChromaError | HTTPError) and type(error) is not Exception:
            raise
        if passes(error):
            raise VectorsUnavailable(f"the Chroma server at {server.url} does not answer ({why(error)})") from error
        raise ArchiveIndexError(f"the Chroma server at {server.url} refuses ({why(error)})") from error


def collections(client: Any, prefix: str) -> Iterator[Any]:
    """The collections whose names begin so."""
    offset = 0
    while page := client.list_collections(limit=_AT_ONCE, offset=offset):
        yield from (item for item in page if item.name.startswith(prefix))
        offset += len(page)


def collection(client: Any, name: str) -> Any | None:
    """The collection of this name, or None."""
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def why(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}" if str(error) else type(error).__name__


def passes(error: Exception) -> bool:
    """Whether an error may pass by itself: not one that Chroma gives for what it was asked."""
    from chromadb.errors import ChromaError, InternalError

    if isinstance(error, ChromaError):
        return isinstance(error, InternalError)
    return not isinstance(error, ArchiveIndexError) or isinstance(error, VectorsUnavailable)
