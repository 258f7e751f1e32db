"""A backup put back: read and checked as a whole before anything that is there is touched.

Everything is unpacked beside its place, into folders that end in ".restoring", and compared with the checksums. Only
then a note says what is to go where (`manifest.RESTORING`), folders that are in the way are renamed to ".before-…",
and the new ones take their names. Killed before the note stands, a restore has changed nothing; after it, the next one
begins by finishing it, and `unfinished` tells others not to use the index until then.

A backup may come from anybody. Members are files below two folders, and nothing else: no links, no devices, no names
that lead elsewhere. Nothing of tarfile's own extraction is used.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from rag import backup, embed, manifest, shared
from rag.database import Database
from rag.errors import ArchiveIndexError, BackupError, IndexLocked, RagError
from rag.manifest import RESTORING, staging, unfinished

_LOCK = "lock"
_OWN = {_LOCK, "writer.json"}  # what lies in the folder of an index that was never built
_LARGEST_HEAD = 1_000_000  # bytes read at once: a header of tar beyond that is meant to fill the memory
_SPARE = 64_000_000  # bytes that stay free on a disk
_CHUNK = 1_000_000


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was put where. `aside` are the folders that what was there before is in now.

    `note` says what has to be done before the index can be used, or nothing. `finished`: no backup was read, but the
    restore before, which had been cut off, was brought to its end.
    """

    corpus: Path
    index: Path
    made: str  # when the backup was taken, ISO 8601
    articles: int
    feedback: int
    aside: tuple[Path, ...]
    note: str
    finished: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "corpus": str(self.corpus),
            "index": str(self.index),
            "made": self.made,
            "articles": self.articles,
            "feedback": self.feedback,
            "aside": [str(path) for path in self.aside],
            "note": self.note,
            "finished": self.finished,
        }


def restore(file: Path, *, corpus: Path, index: Path, model: str, force: bool = False) -> RestoreReport:
    """Put the archive in a backup into the folders `corpus` and `index`; `model` is the embedding model in use.

    Both folders have to be empty or missing; with `force`, what they hold is put aside. Chroma and Tantivy are filled
    when the index is opened, without embedding anything.

    Raises:
        BackupError: the file is no whole backup, or the folders cannot take it; nothing has been changed then.
        IndexLocked: another process is writing to the index.
    """
    corpus, index = corpus.expanduser().resolve(), index.expanduser().resolve()
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        with _locked(
            index.with_name(f"{index.name}.restoring.lock"), "another restore into it is under way; wait for it"
        ):
            finishing = unfinished(index)
            if not finishing:
                _check(file, corpus, index, force)
                _stage(file, corpus, index)
            return _report(_finish(index), model, finished=finishing)
    except OSError as error:
        raise BackupError(
            f"{file} cannot be restored to {corpus} and {index} ({error}); "
            + ("run the same command again, which goes on there" if unfinished(index) else "nothing has been changed")
        ) from error


def _now() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"


@contextmanager
def _locked(path: Path, otherwise: str) -> Iterator[None]:
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise IndexLocked(f"{path.parent}: {otherwise}") from None
    try:
        yield
    finally:
        lock.release()
        if path.name != _LOCK:
            path.unlink(missing_ok=True)


def _check(file: Path, corpus: Path, index: Path, force: bool) -> None:
    if not file.is_file():
        raise BackupError(f"{file} is not a file, expected a backup that `python -m rag backup` made")
    if corpus.is_relative_to(index) or index.is_relative_to(corpus):
        raise BackupError(f"{corpus} and {index} stand one in the other; name folders apart with --corpus and --index")
    for what, folder, own in (("corpus", corpus, set[str]()), ("index", index, _OWN)):
        if folder.exists() and not folder.is_dir():
            raise BackupError(f"the {what} {folder} is not a folder; name another with --{what}")
        if os.path.ismount(folder):
            raise BackupError(
                f"the {what} {folder} is where a disk is mounted and cannot be exchanged; name a folder below it with "
                f"--{what}"
            )
        if not force and folder.exists() and {path.name for path in folder.iterdir()} - own:
            raise BackupError(
                f"the {what} {folder} is not empty; name a new folder with --{what}, or add --force, which keeps what "
                "is there under another name"
            )


def _stage(file: Path, corpus: Path, index: Path) -> None:
    """Unpack a backup beside the two folders, check it, and write down that it is to take their place."""
    with ExitStack() as stack:
        if index.is_dir():
            why = "another process is writing to this index; stop it, then restore"
            stack.enter_context(_locked(index / _LOCK, why))
        try:
            _clear(corpus, index)  # what a restore left that was killed before it had changed anything
            for folder in (corpus, index):
                staging(folder).mkdir(parents=True)
            told = _unpack(file, staging(corpus), staging(index))
            told |= {"corpus": str(corpus), "index": str(index), "aside": f".before-{_now()}"}
            _write_down(staging(index), told)
        except BaseException:
            _clear(corpus, index)
            raise


def _clear(corpus: Path, index: Path) -> None:
    for folder in (corpus, index):
        shutil.rmtree(staging(folder), ignore_errors=True)


# Unpacking


class _Bounded:
    """A packed file that tarfile reads, and which refuses to be read into memory in one piece."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LARGEST_HEAD:
            raise BackupError(f"a header in it has {size:,} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _unpack(file: Path, corpus: Path, index: Path) -> dict[str, Any]:
    """Unpack a backup into two empty folders and check it all; what it says of itself.

    Raises:
        BackupError: with the reason, if it is no whole backup, or there is no room.
    """
    try:
        with gzip.open(file) as packed, tempfile.TemporaryFile(dir=index) as sums:
            try:
                told = _members(packed, corpus, index, sums)
            except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, RecursionError, ValueError) as error:
                raise BackupError(str(error) or type(error).__name__) from error
        told["articles"], told["feedback"] = _counted(index / Path(backup.CATALOG).name)
    except BackupError as error:
        raise BackupError(
            f"{file} cannot be restored ({error}); nothing has been changed; take another backup, or an undamaged copy"
        ) from error
    if hasattr(os, "sync"):
        os.sync()  # before the note says that all is there
    return told


def _counted(catalog: Path) -> tuple[int, int]:
    """How many articles and verdicts a catalog holds, which is brought to this version's tables."""
    try:
        database = Database(catalog)
    except ArchiveIndexError as error:
        raise BackupError(f"its catalog cannot be used: {error.__cause__ or error}") from error
    try:
        _keep_shared(catalog.parent, database)
        return backup.counts(database.connection)
    finally:
        database.close()


def _keep_shared(index: Path, database: Database) -> None:
    """Note which journal on a Chroma server is this archive's, so that it may go on writing it.

    The name by which its folder holds the right to write there is a new one: the old folder may still be at work.
    """
    if database.rows("SELECT 1 FROM sqlite_master WHERE name = 'publishing'"):
        noted = {"holder": uuid.uuid4().hex, **dict(database.rows("SELECT 'epoch', epoch FROM publishing"))}
        (index / shared.NOTE).write_text(json.dumps(noted), "utf-8")


def _members(packed: gzip.GzipFile, corpus: Path, index: Path, sums: IO[bytes]) -> dict[str, Any]:
    archive = tarfile.TarFile(fileobj=_Bounded(packed), mode="r")  # type: ignore[arg-type]
    head = _next(archive)
    if head is None or head.name != backup.HEAD or head.size > _LARGEST_HEAD:
        raise BackupError("it does not begin as a backup")
    sums.write(_put(archive, head, index / backup.HEAD))
    told = _head((index / backup.HEAD).read_bytes())
    (index / backup.HEAD).unlink()
    if (free := shutil.disk_usage(corpus).free) < told["bytes"] + _SPARE:
        raise BackupError(f"it holds {told['bytes'] / 1e6:,.0f} MB, and {corpus.parent} has {free / 1e6:,.0f} MB left")
    places = {name: index / Path(name).name for name in (backup.MANIFEST, backup.CATALOG)}
    while (member := _next(archive)) and member.name != backup.SUMS:
        place = places.pop(member.name, None) or _place(member.name, corpus)
        sums.write(_put(archive, member, place))
    if member is None or places:
        raise BackupError("it ends too soon")
    sums.seek(0)
    with archive.extractfile(member) as listed:  # type: ignore[union-attr]
        while (ours := sums.read(_CHUNK)) == (theirs := listed.read(_CHUNK)) and ours:
            pass
    if ours != theirs:
        raise BackupError("it does not hold what its checksums say")
    if _next(archive) is not None or packed.read(_CHUNK).strip(b"\0") or packed.read(1):
        raise BackupError("something follows after its end")
    return {"made": told["made"]}


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    member = archive.next()
    archive.members = []  # type: ignore[attr-defined]  # or it would remember all of them
    if member is not None and (member.type != tarfile.REGTYPE or member.issparse() or member.size < 0):
        raise BackupError(f"{member.name!r} in it is no plain file")
    return member


def _head(data: bytes) -> dict[str, Any]:
    told = json.loads(data)
    if not isinstance(told, dict) or told.get("format") != backup.FORMAT:
        raise BackupError("it was made by another version of On Record; restore it with that one")
    if not isinstance(told.get("bytes"), int) or not isinstance(told.get("made"), str):
        raise BackupError("it does not begin as a backup")
    return told


def _place(name: str, corpus: Path) -> Path:
    """Where a file of the corpus goes: nowhere but below that folder."""
    parts = name.removeprefix(backup.FILES).split("/")
    foreign = os.name == "nt" and re.search(r"[\\:]", name)
    if not name.startswith(backup.FILES) or foreign or "\0" in name or {"", ".", ".."} & set(parts):
        raise BackupError(f"{name!r} in it would lead elsewhere")
    place = corpus.joinpath(*parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> bytes:
    """Write a member to a new file, with the time of its last change; its line in the list of checksums."""
    if (free := shutil.disk_usage(place.parent).free) < member.size + _SPARE:
        raise BackupError(
            f"{place.parent} has {free / 1e6:,.0f} MB left, and {member.name!r} {member.size / 1e6:,.0f} MB"
        )
    hashed = hashlib.sha256()
    read = archive.extractfile(member)
    assert read is not None  # it is a plain file
    with read, place.open("xb") as file:
        while data := read.read(_CHUNK):
            hashed.update(data)
            file.write(data)
    if written := re.fullmatch(r"(\d{1,10})\.(\d{9})", member.pax_headers.get("mtime", "")):
        time = int(written[1]) * 1_000_000_000 + int(written[2])
        os.utime(place, ns=(time, time))
    return backup.sum_line(member.name, hashed.hexdigest())


# Putting into place


def _write_down(staged: Path, told: dict[str, Any]) -> None:
    """From here on the restore goes forward, whatever happens."""
    part = staged / f"{RESTORING}.part"
    with part.open("x", encoding="utf-8") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(staged / RESTORING)
    backup.sync_folder(staged)


def _finish(index: Path) -> dict[str, Any]:
    """Put into place what a note says. May be begun again wherever it was cut off."""
    told: dict[str, Any] = json.loads((staging(index) / RESTORING).read_text("utf-8"))
    for folder in (Path(told["corpus"]), index):  # the index last: as long as it is not in place, the note is beside it
        if staging(folder).exists():
            if folder.is_dir() and not {path.name for path in folder.iterdir()} - _OWN:
                shutil.rmtree(folder)
            if folder.exists():
                folder.rename(folder.with_name(folder.name + told["aside"]))
            staging(folder).rename(folder)
    (index / RESTORING).unlink()
    return told


def _report(told: dict[str, Any], model: str, *, finished: bool) -> RestoreReport:
    corpus, index = Path(told["corpus"]), Path(told["index"])
    note = ""
    try:
        manifest.check(index, embed.load(model))
    except RagError as error:
        note = str(error)
    aside = [folder.with_name(folder.name + told["aside"]) for folder in (corpus, index)]
    return RestoreReport(
        *(corpus, index, told["made"], told["articles"], told["feedback"]),
        aside=tuple(path for path in aside if path.exists()),
        note=note,
        finished=finished,
    )
