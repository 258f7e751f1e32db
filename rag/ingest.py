"""Files to articles, passages and vectors: what a sync does.

A file is read again only when it changed, or when lines of it turn out to be repeated all over the archive, which is
how furniture gives itself away. The outcome does not depend on the order in which the files came. A file counts as done
once all its articles are in the catalog, so that a sync goes on where another was cut off.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag import corpus, folder
from rag.catalog import Catalog
from rag.embed import Embedder
from rag.errors import UnreadableFile
from rag.index import BATCH, Index, settle
from rag.records import Extract, SyncReport
from rag.syncstate import FileRecord, PartRecord, SyncState, digest, hashed
from rag.vectors import Draft, TextVectors, draft

_HELD = 50_000_000  # characters of extracts kept in memory between reading and cleaning; what is beyond is read twice
# A file read so shortly after it changed may change again within the tick of its clock, at the same size.
_FRESH = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class _Part:
    """An article in a file, or the reason why it is none. `extract` is None also where it was not kept in memory."""

    place: str
    sha256: str = ""
    characters: int = 0
    extract: Extract | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    """What becomes of a part: an article to be stored (None where it reads as before), or the reason why it is none."""

    part: _Part
    file: str
    repeated: str
    draft: Draft | None = None
    reason: str | None = None


def ingest(
    root: Path, *, catalog: Catalog, index: Index, embedder: Embedder, progress: bool = False, ray: str = ""
) -> SyncReport:
    """Bring the catalog and the indexes in line with the files below `root`."""
    return _Sync(root, catalog, index, embedder, progress).run(ray)


class _Sync:
    """One sync under way."""

    def __init__(self, root: Path, catalog: Catalog, index: Index, embedder: Embedder, progress: bool) -> None:
        self.root, self.catalog, self.index, self.embedder, self.progress = root, catalog, index, embedder, progress
        self.state = SyncState(catalog.database, catalog.dim)
        self.said = folder.defaults(root)
        self.unread: dict[str, str] = {}  # folders that cannot be listed, whose articles stay as they are
        self.files = {path.relative_to(root).as_posix(): path for path in corpus.files(root, self._failed)}
        self.added = self.updated = self.removed = 0

    def run(self, ray: str) -> SyncReport:
        known = self.state.files()
        changed = self._changed(known)
        gone = (known.keys() | self.state.files_of_parts()) - self.files.keys()
        for path in sorted(path for path in gone if not path.startswith(tuple(self.unread))):
            self._remove(path, self.state.parts(path), spare=bool(changed))
        if self.removed:  # or what is gone would take the places of what could answer, until the sync is over
            settle(self.catalog, self.index)
        parts = self._read(changed)
        for path in sorted(self.state.stale() & self.files.keys() - parts.keys()):
            parts[path] = [_Part(place, old.sha256) for place, old in self.state.parts(path).items()]
        self._make(parts, changed, ray)
        settle(self.catalog, self.index, whole=True)
        self.state.forget_spared()
        unchanged = self.catalog.count() - self.added - self.updated
        skipped = (*self.catalog.skipped(), *sorted(self.unread.items()))
        return SyncReport(self.added, self.updated, self.removed, unchanged, skipped)

    # Which files

    def _failed(self, error: OSError) -> None:
        path = Path(error.filename).relative_to(self.root).as_posix()
        self.unread[f"{path}/"] = f"the folder cannot be read: {error.strerror or error}"

    def _changed(self, known: Mapping[str, FileRecord]) -> dict[str, FileRecord]:
        """The files that are new or whose bytes have changed: what is to be noted of each when it is done."""
        changed: dict[str, FileRecord] = {}
        touched: dict[str, FileRecord] = {}
        for path, place in self.files.items():
            own = folder.holds_for(path, self.said)
            said = hashlib.sha256(repr(sorted(own.items())).encode()).hexdigest()[:16] if own else ""
            before = known.get(path)
            try:
                status = place.stat()
                if before and (before.size, before.mtime_ns, before.said) == (status.st_size, status.st_mtime_ns, said):
                    continue
                fresh = abs(time.time() - status.st_mtime) < _FRESH
                with place.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                continue  # taken away since it was listed: the next sync removes its article
            except OSError:
                changed[path] = FileRecord("", 0, 0, said)
                continue
            record = FileRecord(sha256, status.st_size, 0 if fresh else status.st_mtime_ns, said)
            same = before and (before.sha256, before.said) == (sha256, said)
            (touched if same else changed)[path] = record
        with self.catalog.transaction():
            for path, record in touched.items():
                self.state.put_file(path, record)
        return changed

    def _remove(self, path: str, places: Iterable[str], *, spare: bool) -> None:
        """Take a file for one that is not done, and forget these parts of it, whose vectors may be wanted yet."""
        with self.catalog.transaction():
            self.state.remove_file(path)
            for place in places:
                if spare:
                    self.state.spare(place)
                self.removed += self.catalog.remove_article(place)
                self.state.remove_part(place)

    # Reading

    def _read(self, changed: Mapping[str, FileRecord]) -> dict[str, list[_Part]]:
        """The parts of the changed files. From here on it is known which lines are repeated all over the archive."""
        parts: dict[str, list[_Part]] = {}
        lines: dict[str, frozenset[int]] = {}
        held = 0
        with _bar(len(changed), "reading", "file", self.progress) as bar:
            for path in changed:
                before, parts[path] = self.state.parts(path), []
                for part in self._parts(path):
                    keys = corpus.line_keys(part.extract) if part.extract else ()
                    lines[part.place] = frozenset(map(hashed, keys))
                    old = before.pop(part.place, None)
                    if (old and old.sha256 == part.sha256) or held + part.characters > _HELD:
                        part = replace(part, extract=None)
                    else:
                        held += part.characters
                    parts[path].append(part)
                self._remove(path, before, spare=True)
                bar.update()
        self.state.note_lines(lines)
        return parts

    def _parts(self, path: str) -> Iterator[_Part]:
        """What a file holds now, part for part."""
        own = folder.holds_for(path, self.said)
        try:
            for place, found in corpus.documents(self.files[path], self.root):
                if isinstance(found, UnreadableFile):
                    yield _Part(place, reason=str(found))
                    continue
                # What the folder says of all its files holds where a file says nothing else.
                extract = replace(found, metadata={**own, **found.metadata})
                sha256 = hashlib.sha256(repr(extract).encode("utf-8", "backslashreplace")).hexdigest()
                yield _Part(place, sha256, len(extract.text), extract)
        except UnreadableFile as error:
            yield _Part(path, reason=str(error))

    # Making

    def _make(self, parts: Mapping[str, list[_Part]], changed: Mapping[str, FileRecord], ray: str) -> None:
        """Make what is due, file for file, and some together where there is much."""
        due = {path: self._due(path, found) for path, found in parts.items()}
        wanted = [part for path, found in parts.items() for part in found if part.place in due[path]]
        # Each text is embedded twice: in its passage, and as a sentence.
        characters = 2 * sum(part.characters for part in wanted)
        waiting: list[_Made] = []
        done: list[str] = []
        with (
            TextVectors(self.state, self.embedder, characters, ray) as vectors,
            _bar(len(wanted), "embedding", "article", self.progress) as bar,
        ):
            begun, passages, length = time.monotonic(), 0, 0
            for path, found in parts.items():
                for part in self._held(path, found, due[path]):
                    waiting.append(self._made(path, part))
                    made = waiting[-1].draft
                    length += made.characters if made else 0
                    passages += len(made.passages) if made else 0
                    if length >= vectors.at_once:
                        self._store(waiting, vectors)
                        bar.update(len(waiting))
                        bar.set_postfix_str(f"{passages / (time.monotonic() - begun):.0f} passages/s {vectors.told}")
                        waiting, length = [], 0
                done.append(path)
                if not waiting:
                    done = self._done(done, changed)
            self._store(waiting, vectors)
            bar.update(len(waiting))
        self._done(done, changed)

    def _due(self, path: str, parts: Iterable[_Part]) -> frozenset[str]:
        """The places of the parts of which something is to be made anew."""
        before = self.state.parts(path)

        def is_due(part: _Part) -> bool:
            old = before.get(part.place)
            if old is None or old.stale or old.reason != part.reason:
                return True
            return part.reason is None and old.sha256 != part.sha256

        return frozenset(part.place for part in parts if is_due(part))

    def _held(self, path: str, parts: Iterable[_Part], due: frozenset[str]) -> Iterator[_Part]:
        """The parts that are due, with their extracts: the file is read again where those were not kept."""
        wanted = [part for part in parts if part.place in due]
        if all(part.extract or part.reason for part in wanted):
            return iter(wanted)
        return (part for part in self._parts(path) if part.place in due)

    def _made(self, path: str, part: _Part) -> _Made:
        lines = self.state.repeated_in(part.place)
        repeated = digest(lines)
        if part.extract is None:
            return _Made(part, path, repeated, reason=part.reason)
        try:
            article = corpus.article(part.place, part.extract, _Repeated(lines))
        except UnreadableFile as error:
            return _Made(part, path, repeated, reason=str(error))
        same = article == self.catalog.article(article.id)
        return _Made(part, path, repeated, draft=None if same else draft(article))

    def _store(self, waiting: list[_Made], vectors: TextVectors) -> None:
        """Write what was made: each article as a whole or not at all."""
        drafts = [made.draft for made in waiting if made.draft]
        stored = dict(zip((draft.article.id for draft in drafts), vectors.stored(drafts), strict=True))
        # What replaces an article is found as soon as that no longer is; others can wait.
        replaced = {key for key in stored if self.catalog.article(key)}
        if replaced:
            self.index.add(self.catalog.announce(item for key in sorted(replaced) for item in stored[key]))
        for made in waiting:
            place = made.part.place
            with self.catalog.transaction():
                self.state.put_part(place, PartRecord(made.file, made.part.sha256, made.reason, made.repeated))
                if made.reason is not None:
                    self.removed += self.catalog.remove_article(place)
                elif made.draft:
                    article = made.draft.article
                    self.catalog.put_article(article, stored[article.id], indexed=article.id in replaced)
                    self.added += article.id not in replaced
                    self.updated += article.id in replaced
        if replaced or len(self.catalog.pending()[0]) >= BATCH:
            settle(self.catalog, self.index)

    def _done(self, paths: list[str], changed: Mapping[str, FileRecord]) -> list[str]:
        """Note that all articles of these files are in the catalog; gives an empty list, for the next ones."""
        with self.catalog.transaction():
            for path in paths:
                if path in changed:
                    self.state.put_file(path, changed[path])
        return []


class _Repeated:
    """The repeated lines as `clean` asks for them: by their key."""

    def __init__(self, lines: frozenset[int]) -> None:
        self._lines = lines

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and hashed(key) in self._lines


@contextmanager
def _bar(count: int, what: str, unit: str, progress: bool) -> Iterator[Any]:
    from tqdm import tqdm

    with tqdm(total=count, desc=what, unit=unit, disable=not progress or not count, leave=False) as bar:
        yield bar
