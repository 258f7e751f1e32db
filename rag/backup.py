"""One file that holds a whole archive, taken while readers ask and a sync writes.

It is a tar file behind gzip that any tool unpacks; `sha256sum -c SHA256SUMS` checks it by hand. In this order:

    backup.json                 what wrote it, when, and about how much there is
    index/manifest.json         what the index was built with
    index/catalog.sqlite3       the catalog as it was at one moment: articles, vectors, feedback
    corpus/…                    the files of the articles, with the time of their last change
    SHA256SUMS                  of all of these; that it is there says that the file is whole

Chroma's and Tantivy's files are left out: they are made again from the catalog. The catalog comes first, so that a file
which changes meanwhile is newer than what the catalog says of it, and the next sync reads it; the other way round that
sync would take articles for removed. `restore.py` is the way back.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rag import feedback, manifest
from rag.errors import BackupError, CorpusError

FORMAT = 1
HEAD, SUMS = "backup.json", "SHA256SUMS"
MANIFEST, CATALOG = f"index/{manifest.NAME}", f"index/{feedback.CATALOG}"
FILES = "corpus/"  # before the places of the corpus

_IN_MEMORY = 16_000_000  # bytes of a file; of a larger one a copy stands on the disk meanwhile
_REST = 1.0  # seconds since its last change, after which a file counts as written
_TRIES = 5  # for a file that changes while it is read
_STORED, _FAST = 0, 1  # levels of gzip


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What went into a backup. `doubtful` are the files of the corpus that it lacks or has half written, and why."""

    file: Path
    size: int  # bytes
    articles: int
    feedback: int
    files: int
    doubtful: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "size": self.size,
            "articles": self.articles,
            "feedback": self.feedback,
            "files": self.files,
            "doubtful": [{"path": path, "reason": reason} for path, reason in self.doubtful],
        }


def back_up(file: Path, *, corpus: Path, index: Path, force: bool = False) -> BackupReport:
    """Write the archive of the folders `corpus` and `index` to a new file; with `force` in place of an old one.

    Needs neither the model nor the lock, and memory for one small file. The file is there as a whole or not at all;
    what a backup that was killed leaves beside it has ".part-" in its name and can be deleted.

    Raises:
        BackupError: it cannot be written, there is no index, or the catalog is damaged. CorpusError: no such folder.
    """
    corpus, index, file = corpus.expanduser().resolve(), index.expanduser().resolve(), file.expanduser().absolute()
    _check(file, corpus, index, force)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{file.name}.part-", dir=file.parent) as scratch:
            part = Path(scratch, file.name)
            with part.open("xb") as raw:
                writer = _Writer(raw, Path(scratch))
                writer.write(corpus, index)
                raw.flush()
                os.fsync(raw.fileno())
            if file.exists() and not force:
                raise _exists(file)
            part.replace(file)
            sync_folder(file.parent)
    except OSError as error:
        raise BackupError(
            f"the backup {file} cannot be written ({error.strerror or error}); nothing is left of it; make room or "
            "name another file"
        ) from error
    articles, verdicts = writer.held
    return BackupReport(file, file.stat().st_size, articles, verdicts, writer.files, tuple(writer.doubtful))


def _check(file: Path, corpus: Path, index: Path, force: bool) -> None:
    if not manifest.exists(index):
        raise BackupError(f"there is no index in {index}, expected one to back up; build it with: python -m rag sync")
    if not corpus.is_dir():
        raise CorpusError(f"the corpus {corpus} is not a folder; name the folder of the articles with --corpus")
    if file.exists() and not force:
        raise _exists(file)
    if not file.parent.is_dir() or file.is_dir():
        raise BackupError(f"{file} cannot be a file in a folder that is there; name another")
    if file.resolve().is_relative_to(corpus) or file.resolve().is_relative_to(index):
        raise BackupError(f"{file} would stand inside of what it backs up; name a file elsewhere, best on another disk")
    catalog = index / feedback.CATALOG
    sizes = [path.stat().st_size for path in index.glob(f"{catalog.name}*")]
    # The catalog's copy and the same in the archive. How far the corpus shrinks, nobody knows before.
    wanted = 2 * sum(sizes) + sum(path.stat().st_size for _, path in _files(corpus, index))
    free = shutil.disk_usage(file.parent).free
    if free < wanted:
        raise BackupError(
            f"{file.parent} has {free / 1e6:,.0f} MB left, and this backup may take {wanted / 1e6:,.0f} MB while it is "
            "written; make room or name a file on another disk"
        )


def _exists(file: Path) -> BackupError:
    return BackupError(f"{file} exists; add --force to write over it, or name another file")


class _Writer:
    """A backup being written; `scratch` is a folder for it alone."""

    def __init__(self, raw: IO[bytes], scratch: Path) -> None:
        self._raw = raw
        self._scratch = scratch
        self.held = (0, 0)  # articles and verdicts
        self.files = 0
        self.doubtful: list[tuple[str, str]] = []

    def write(self, corpus: Path, index: Path) -> None:
        made = (index / manifest.NAME).read_bytes()
        copy = self._scratch / feedback.CATALOG
        self.held = _snapshot(index / feedback.CATALOG, copy)
        if not manifest.exists(index) or (index / manifest.NAME).read_bytes() != made:
            raise BackupError(f"the index {index} was built anew meanwhile; take the backup again")
        with tempfile.TemporaryFile(dir=self._scratch) as self._sums:
            # Vectors shrink to .93 of their size, at 28 MB/s: the catalog is stored as it is, the corpus packed.
            with gzip.GzipFile("", "wb", _STORED, self._raw) as stored, copy.open("rb") as file:
                self._tar = tarfile.TarFile(fileobj=stored, mode="w", format=tarfile.PAX_FORMAT)
                for name, data in ((HEAD, _head(copy, corpus, index)), (MANIFEST, made)):
                    self._add(name, io.BytesIO(data), len(data), time.time_ns())
                self._add(CATALOG, file, copy.stat().st_size, time.time_ns())
            copy.unlink()
            with gzip.GzipFile("", "wb", _FAST, self._raw) as self._tar.fileobj:
                for place, path in _files(corpus, index):
                    self._take(place, path)
                member = _member(SUMS, self._sums.tell(), time.time_ns())
                self._sums.seek(0)
                self._tar.addfile(member, self._sums)
                self._tar.close()

    def _take(self, place: str, path: Path) -> None:
        """A file of the corpus, as a whole; one that went meanwhile is passed over."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self._scratch)) as spool:
            try:
                status, settled = _read(path, spool)
            except FileNotFoundError:
                return
            except OSError as error:
                self.doubtful.append((place, f"it cannot be read: {error.strerror or error}"))
                return
            if not settled:
                self.doubtful.append((place, "it kept changing while it was read"))
            size = spool.tell()
            spool.seek(0)
            self._add(FILES + place, spool, size, status.st_mtime_ns)
            self.files += 1

    def _add(self, name: str, file: Any, size: int, mtime_ns: int) -> None:
        hashed = _Hashed(file)
        self._tar.addfile(_member(name, size, mtime_ns), hashed)
        self._tar.members = []  # type: ignore[attr-defined]  # or it would remember all of them
        self._sums.write(sum_line(name, hashed.sha256.hexdigest()))


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


def _member(name: str, size: int, mtime_ns: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, mtime_ns // 1_000_000_000, 0o644
    # To the nanosecond, as a text: a sync compares times exactly, and tarfile's own are floats.
    member.pax_headers = {"mtime": f"{mtime_ns // 1_000_000_000}.{mtime_ns % 1_000_000_000:09}"}
    return member


def sum_line(name: str, digest: str) -> bytes:
    """A line as `sha256sum` writes and reads it."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n".encode("utf-8", "surrogateescape")


def _head(copy: Path, corpus: Path, index: Path) -> bytes:
    told = {
        "format": FORMAT,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "bytes": copy.stat().st_size + sum(path.stat().st_size for _, path in _files(corpus, index)),
    }
    return (json.dumps(told, indent=1) + "\n").encode()


def _snapshot(catalog: Path, copy: Path) -> tuple[int, int]:
    """Copy the catalog as it is at this moment, and check the copy; how many articles and verdicts it holds.

    Raises:
        BackupError: the catalog is not there or is damaged.
    """
    try:
        with (
            closing(sqlite3.connect(f"{catalog.as_uri()}?mode=rw", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            target.execute("PRAGMA synchronous=OFF")
            # In one step, that is in one transaction, beside which others write (the file has a write-ahead log). In
            # several, SQLite would begin again whenever another process has written between two.
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode=DELETE")
            (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            return counts(target)
    except sqlite3.DatabaseError as error:
        raise BackupError(
            f"the catalog {catalog} cannot be copied ({error}); no backup was taken, and an older one is left as it "
            "was; see what is wrong with: python -m rag doctor"
        ) from error


def counts(db: sqlite3.Connection) -> tuple[int, int]:
    """How many articles and how many verdicts of readers a catalog holds."""
    (articles,) = db.execute("SELECT count(*) FROM articles").fetchone()
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (feedback.TABLE,)).fetchone():
        return int(articles), 0
    return int(articles), int(db.execute(f"SELECT count(*) FROM {feedback.TABLE}").fetchone()[0])


def _files(corpus: Path, index: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the corpus by its place, also such as a sync does not read. Links that lead out of it are not."""
    for folder, folders, names in os.walk(corpus):
        folders[:] = sorted(name for name in folders if Path(folder, name) != index)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(corpus)):
                yield path.relative_to(corpus).as_posix(), path


def _read(path: Path, spool: IO[bytes]) -> tuple[os.stat_result, bool]:
    """Copy a file as it stands when nobody writes to it; its state then, and False where it never comes to rest."""
    for _ in range(_TRIES):
        spool.seek(0)
        spool.truncate()
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            shutil.copyfileobj(file, spool)
            after = os.fstat(file.fileno())
        whole = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        age = time.time() - after.st_mtime
        if whole and spool.tell() == after.st_size and not 0 <= age < _REST:
            return after, True
        time.sleep(_REST)
    return after, False


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk. Windows cannot, and does so by itself."""
    if os.name != "nt":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
