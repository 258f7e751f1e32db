"""Files to articles, passages and vectors: what a sync does.

A file is read again only when its bytes change, or when lines of it turn out to be repeated all over the archive, which
is how furniture gives itself away. The outcome does not depend on the order in which the files came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag import corpus, folder
from rag.catalog import Catalog, FileRecord, StoredPassage
from rag.embed import Embedder
from rag.errors import UnreadableFile
from rag.index import Index
from rag.records import Article, Extract, Passage, SyncReport
from rag.split import passages
from rag.terms import leans

_REPEATED_IN = 3  # articles that share a line before it counts as repeated
_LONG = 100  # characters: a line that long is a paragraph and tells a story from another
_BATCH = 256  # passages handed to the indexes at once


def ingest(root: Path, *, catalog: Catalog, index: Index, embedder: Embedder, progress: bool = False) -> SyncReport:
    """Bring the catalog and the indexes in line with the files below `root`."""
    added = updated = unchanged = 0
    known = catalog.files()
    files = {path.relative_to(root).as_posix(): path for path in corpus.files(root)}
    gone = [path for path in known if path not in files]
    with catalog.transaction():
        removed = sum([catalog.remove_file(path) for path in gone])
    if removed:  # or what is gone would take the places of what could answer, until the sync is over
        settle(catalog, index)

    said = folder.defaults(root)
    records: dict[str, FileRecord] = {}
    extracts: dict[str, Extract] = {}
    lines = {path: found for path, found in catalog.lines().items() if path not in gone}
    with _bar(files, "reading", progress) as reading:
        for path in reading:
            own = folder.holds_for(path, said)
            try:
                records[path] = record = _record(files[path], own)
            except FileNotFoundError:
                continue  # taken away since it was listed: the next sync removes its article
            except OSError as error:
                record = FileRecord("", 0, 0, f"the file cannot be read: {error.strerror or error}", "")
                records[path] = record
                lines.pop(path, None)
                continue
            if path in known and known[path].sha256 == record.sha256:
                continue
            try:
                extracts[path] = _extract(files[path], own)
                lines[path] = frozenset(_hashed(key) for key in corpus.line_keys(extracts[path]))
            except UnreadableFile as error:
                records[path] = FileRecord(record.sha256, record.size, record.mtime_ns, str(error), "")
                lines.pop(path, None)

    repeated = _repeated(lines)
    waiting: list[str] = []
    for path, record in records.items():
        digest = _digest(lines.get(path, frozenset()) & repeated)
        before = known.get(path)
        if before and before.sha256 == record.sha256 and (before.reason or before.repeated == digest):
            unchanged += before.reason is None
        else:
            records[path] = FileRecord(record.sha256, record.size, record.mtime_ns, record.reason, digest)
            waiting.append(path)

    with _bar(waiting, "embedding", progress) as embedding:
        for path in embedding:
            record = records[path]
            article, reason = None, record.reason
            if reason is None:
                try:
                    extract = extracts.pop(path, None) or _extract(files[path], folder.holds_for(path, said))
                    article = corpus.article(files[path], root, extract, _Repeated(lines[path] & repeated))
                except UnreadableFile as error:
                    reason = str(error)
            old = catalog.article(corpus.identifier(path))
            stored = _embedded(article, embedder) if article and article != old else []
            with catalog.transaction():
                catalog.put_file(
                    path,
                    FileRecord(record.sha256, record.size, record.mtime_ns, reason, record.repeated),
                    lines.get(path, frozenset()),
                )
                if article is None:
                    removed += catalog.remove_article(path)
                elif article == old:
                    unchanged += 1
                else:
                    catalog.put_article(article, stored)
                    added, updated = added + (old is None), updated + (old is not None)
            # What replaces an article should be found at once, since the old one no longer is; others can wait.
            replaces = old is not None and article != old
            if replaces or len(catalog.pending()[0]) >= _BATCH:
                settle(catalog, index)
    settle(catalog, index)
    return SyncReport(added, updated, removed, unchanged, tuple(catalog.skipped()))


def settle(catalog: Catalog, index: Index) -> None:
    """Bring the indexes in line with the catalog."""
    added, removed = catalog.pending()
    index.remove(removed)
    catalog.settle((), (passage_id for passage_id, _ in removed))
    for start in range(0, len(added), _BATCH):
        ids = added[start : start + _BATCH]
        index.add(catalog.passages(ids))
        catalog.settle(ids, ())


def _extract(path: Path, said: Mapping[str, Any]) -> Extract:
    """What a file says, on top of what the folder says of all its files."""
    found = corpus.extract(path)
    return replace(found, metadata={**said, **found.metadata})


def _record(path: Path, said: Mapping[str, Any]) -> FileRecord:
    status = path.stat()
    with path.open("rb") as file:
        hashed = hashlib.file_digest(file, "sha256")
    if said:
        hashed.update(repr(sorted(said.items())).encode())
    digest = hashed.hexdigest()
    return FileRecord(digest, status.st_size, status.st_mtime_ns, None, "")


def _embedded(article: Article, embedder: Embedder) -> list[StoredPassage]:
    """The passages of an article with their vectors: of the passage in its context, then of each sentence."""
    found = passages(article)
    texts: list[str] = []
    for passage in found:
        texts.append(f"{passage.context}\n{passage.text}" if passage.context else passage.text)
        texts += _sentence_texts(passage)
    vectors = embedder.embed_passages(texts)
    stored, at = [], 0
    for passage in found:
        end = at + 1 + len(passage.sentences)
        # The id changes with whatever is indexed, so that an index can never hold an old text under it.
        told = "\0".join((article.title, str(article.date), str(article.language), texts[at]))
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        stored.append(StoredPassage(f"{article.id}:{passage.start}:{digest}", passage, vectors[at:end]))
        at = end
    return stored


def _sentence_texts(passage: Passage) -> Iterator[str]:
    """What is embedded of each sentence: one that leans on the sentence before is read together with it."""
    article = passage.article
    for at, sentence in enumerate(passage.sentences):
        before = passage.sentences[at - 1] if at else None
        joined = (
            before is not None
            and before.paragraph == sentence.paragraph
            and leans(article.text[sentence.start : sentence.end])
        )
        yield article.text[before.start if joined and before else sentence.start : sentence.end]


def _hashed(key: str) -> int:
    """A line key as SQLite keeps it: 63 bits, the lowest telling whether the line is long."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2 << 1 | (len(key) >= _LONG)


def _repeated(lines: dict[str, frozenset[int]]) -> frozenset[int]:
    """The lines that stand in several stories. Copies of one story, which share its paragraphs, count once."""
    holders: dict[int, list[str]] = {}
    for path in sorted(lines):
        for line in lines[path]:
            holders.setdefault(line, []).append(path)
    paragraphs = {path: frozenset(line for line in found if line & 1) for path, found in lines.items()}
    return frozenset(
        line
        for line, paths in holders.items()
        if len(paths) >= _REPEATED_IN and _stories([paragraphs[path] - {line} for path in paths]) >= _REPEATED_IN
    )


def _stories(articles: Collection[frozenset[int]]) -> int:
    """How many different stories there are among articles given as their paragraphs, counted up to the threshold."""
    told: list[frozenset[int]] = []
    for found in articles:
        if not any(found and other and 2 * len(found & other) > min(len(found), len(other)) for other in told):
            told.append(found)
            if len(told) == _REPEATED_IN:
                break
    return len(told)


def _digest(lines: frozenset[int]) -> str:
    return hashlib.sha256(repr(sorted(lines)).encode()).hexdigest()[:16] if lines else ""


class _Repeated:
    """The repeated lines as `clean` asks for them: by their key."""

    def __init__(self, lines: frozenset[int]) -> None:
        self._lines = lines

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _hashed(key) in self._lines


@contextmanager
def _bar(items: Collection[str], what: str, progress: bool) -> Iterator[Any]:
    from tqdm import tqdm

    with tqdm(items, desc=what, unit="file", disable=not progress or not items, leave=False) as bar:
        yield bar
