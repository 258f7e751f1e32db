"""The vectors in Chroma, through llama-index: in a folder of the index, or on a server that many processes share.

There is one collection a language, since a metadata filter costs Chroma a hundred times more than a collection of its
own. A server may be away for a while: who asks is told so at once and searches the catalog instead, who writes waits a
little, and one thread looks when it is back.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rag.catalog import UNKNOWN_LANGUAGE, StoredPassage
from rag.embed import Vectors
from rag.errors import ArchiveIndexError, VectorsUnavailable
from rag.records import Article
from rag.remote import ChromaServer, collection, collections, connect, disconnect, passes, why

FOLDER = "chroma"  # below that of the index
_PASSAGES, _FILLING = "passages-", "filling-"  # before the language in the names of collections
_ASKING, _WRITING = 5.0, 60.0  # seconds for a reply
_PATIENCE = 30.0  # seconds for which who writes waits for a server that is away
_AGAIN = 2.0  # seconds between two looks whether it is back
_AT_ONCE = 1000  # ids in one request
_ITSELF = 0.001  # cosine distance up to which a vector is the same

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class VectorIndex:
    """The vectors of an index: below the folder `path`, or on a server.

    It opens also where the server cannot be reached or refuses us: then only asking and writing fail.
    """

    def __init__(self, path: Path, server: ChromaServer | None) -> None:
        self._server = server
        self._before = f"{server.name}-" if server else ""
        self._stores: dict[str, Any] = {}
        self._guard, self._connecting = threading.Lock(), threading.Lock()
        self._away = False
        self._closed = threading.Event()
        self._asking: Any = None
        self._writing: Any = None
        if server is None:
            import chromadb
            from chromadb.config import Settings

            settings = Settings(anonymized_telemetry=False, allow_reset=True)
            try:
                self._asking = self._writing = chromadb.PersistentClient(str(path / FOLDER), settings=settings)
                self.held()  # a damaged folder is told now
            except BaseException:
                if self._asking is not None:
                    self.close()
                _forget(path / FOLDER)
                raise
            return
        try:
            self._asker()
        except ArchiveIndexError as error:
            self._lost(error, self._asker)

    def close(self) -> None:
        """Close it; Chroma's files stay open otherwise."""
        self._closed.set()
        if self._server is None:
            self._asking.close()
        else:
            for client in filter(None, (self._asking, self._writing)):
                disconnect(client)
        self._stores.clear()

    @staticmethod
    def destroy(path: Path, server: ChromaServer | None) -> None:
        """Remove all vectors of the index in the folder `path`. Not while it is open there.

        Raises:
            ArchiveIndexError: the server cannot be reached, or refuses us.
        """
        shutil.rmtree(path / FOLDER, ignore_errors=True)
        if server is not None:
            client = connect(server, _WRITING)
            try:
                _drop(client, f"{server.name}-{_PASSAGES}", f"{server.name}-{_FILLING}")
            finally:
                disconnect(client)

    @property
    def away(self) -> bool:
        """Whether the vectors are on a server that does not answer."""
        return self._away

    def held(self) -> int:
        """How many vectors there are, in all languages."""
        return sum(item.count() for item in list(collections(self._asker(), self._before + _PASSAGES)))

    def present(self, ids: Sequence[str], language: str) -> set[str]:
        """Those of these ids, of passages in `language`, of which there is a vector."""
        found = collection(self._asker(), self._before + _PASSAGES + language)
        return set(found.get(ids=list(ids), include=[])["ids"]) if found is not None and ids else set()

    # Writing

    def add(self, items: Sequence[StoredPassage], before: str = _PASSAGES) -> None:
        """Add these passages; none of them may be there already."""
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

        by_language: dict[str, list[TextNode]] = {}
        for item in items:
            article = item.passage.article
            node = TextNode(
                id_=item.id,
                text=item.passage.text,
                metadata=node_metadata(article, item.passage.start, item.passage.end),
                embedding=item.vectors[0].tolist(),
            )
            node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=article.id)
            by_language.setdefault(language_of(item), []).append(node)
        for language, nodes in by_language.items():
            self._written(partial(_add, name=f"{self._before}{before}{language}", nodes=nodes))

    def remove(self, by_language: Mapping[str, Sequence[str]]) -> None:
        """Remove the passages with these ids, given by language; unknown ones are passed over."""
        for language, ids in by_language.items():
            for start in range(0, len(ids), _AT_ONCE):
                some = list(ids[start : start + _AT_ONCE])
                self._written(partial(_remove, name=self._before + _PASSAGES + language, ids=some))

    def refill(self, batches: Iterable[Sequence[StoredPassage]]) -> None:
        """Put these passages in place of all that is there.

        They come in at once, when all are written: nobody takes the nearest of a half for the nearest of all.
        """
        self._written(lambda client: _drop(client, self._before + _FILLING))
        for batch in batches:
            self.add(batch, _FILLING)
        self._written(partial(_exchange, old=self._before + _PASSAGES, new=self._before + _FILLING))
        self._stores.clear()

    def _written(self, work: Callable[[Any], _Result]) -> _Result:
        """Do something with the client for writing; again and again while a server is away for a short time."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                if self._writing is None:
                    assert self._server is not None
                    self._writing = connect(self._server, _WRITING)
                return work(self._writing)
            except Exception as error:
                if self._server is None:
                    raise
                if not passes(error) or time.monotonic() > until:
                    raise ArchiveIndexError(
                        f"the Chroma server at {self._server.url} does not take the vectors ({why(error)}); what was "
                        "written before is safe; when it is in order, run: python -m rag sync"
                    ) from error
                time.sleep(1)

    # Asking

    def nearest(self, vector: Sequence[float], language: str, depth: int) -> list[tuple[str, float]]:
        """The ids of the `depth` passages in `language` that are nearest, with their cosine, best first.

        Raises:
            VectorsUnavailable: they are on a server that does not answer; at once, where that is known.
        """
        if self._away:
            raise VectorsUnavailable(self._told())
        try:
            return self._nearest(vector, language, depth)
        except Exception as error:
            if self._server is None:
                raise
            self._lost(error, partial(self._nearest, vector, language, depth))
            raise VectorsUnavailable(self._told()) from error

    def finds(self, language: str, vectors: Vectors) -> bool:
        """Whether most of these vectors (n, dim) find themselves. All need not: the search is approximate."""
        found = collection(self._asker(), self._before + _PASSAGES + language)
        if found is None:
            return False
        distances = found.query(vectors.tolist(), n_results=1, include=["distances"])["distances"]
        return bool(2 * sum(bool(row) and row[0] < _ITSELF for row in distances) > len(vectors))

    def _nearest(self, vector: Sequence[float], language: str, depth: int) -> list[tuple[str, float]]:
        from chromadb.errors import NotFoundError
        from llama_index.core.vector_stores.types import VectorStoreQuery
        from llama_index.vector_stores.chroma import ChromaVectorStore

        query = VectorStoreQuery(query_embedding=list(vector), similarity_top_k=depth)
        for _ in range(2):  # a collection made anew has the same name and another id
            store = self._stores.get(language)
            if store is None:
                opened = collection(self._asker(), self._before + _PASSAGES + language)
                if opened is None:
                    return []
                store = self._stores[language] = ChromaVectorStore(chroma_collection=opened)
            try:
                found: Any = store.query(query)
            except NotFoundError:
                self._stores.pop(language, None)
                continue
            # llama-index reports exp(-distance), and Chroma's cosine distance is 1 - cosine.
            return [(item, 1 + math.log(score)) for item, score in zip(found.ids, found.similarities, strict=True)]
        return []

    def _asker(self) -> Any:
        with self._connecting:
            if self._asking is None:
                assert self._server is not None
                self._asking = connect(self._server, _ASKING)
        return self._asking

    def _told(self) -> str:
        assert self._server is not None
        return f"the Chroma server at {self._server.url} does not answer"

    def _lost(self, error: Exception, probe: Callable[[], object]) -> None:
        """Ask the server no more until `probe` succeeds."""
        with self._guard:
            if self._away:
                return
            self._away = True
        told = str(error) if isinstance(error, ArchiveIndexError) else f"{self._told()} ({why(error)})"
        _log.warning("%s; until it answers, the catalog is searched instead", told)
        threading.Thread(target=self._await, args=(probe,), name="chroma", daemon=True).start()

    def _await(self, probe: Callable[[], object]) -> None:
        while not self._closed.wait(_AGAIN):
            try:
                probe()
            except Exception:
                continue
            self._away = False
            assert self._server is not None
            _log.warning("the Chroma server at %s answers again", self._server.url)
            return


def _forget(folder: Path) -> None:
    """Let the library forget a folder that it could not open: it would not try to open it again."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient._identifier_to_system.pop(str(folder), None)
    SharedSystemClient._identifier_to_refcount.pop(str(folder), None)


def language_of(item: StoredPassage) -> str:
    return item.passage.article.language or UNKNOWN_LANGUAGE


def node_metadata(article: Article, start: int, end: int) -> dict[str, Any]:
    """What a llama-index node says of its span, as far as known; offsets are code points of `article.text`."""
    known = {name: value for name, value in article.to_dict().items() if value is not None}
    return {"article_id": known.pop("id"), **known, "start": start, "end": end}


def _add(client: Any, name: str, nodes: Any) -> None:
    from llama_index.vector_stores.chroma import ChromaVectorStore

    # Cosine is not the default; and without a function of its own Chroma would fetch a model.
    found = client.get_or_create_collection(name, metadata={"hnsw:space": "cosine"}, embedding_function=None)
    ChromaVectorStore(chroma_collection=found).add(nodes)


def _remove(client: Any, name: str, ids: list[str]) -> None:
    if (found := collection(client, name)) is not None:
        found.delete(ids=ids)


def _drop(client: Any, *prefixes: str) -> None:
    for prefix in prefixes:
        for item in list(collections(client, prefix)):
            client.delete_collection(item.name)


def _exchange(client: Any, old: str, new: str) -> None:
    _drop(client, old)
    for item in list(collections(client, new)):
        item.modify(name=old + item.name.removeprefix(new))
