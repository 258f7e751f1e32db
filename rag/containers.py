"""A zip file -> its members, within limits: nothing is written to disk, and nothing that a header says is believed.

Members are read one at a time. Hidden files and those that can be no articles are left out, as they are in a folder.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rag import folder, groups
from rag.errors import UnreadableFile

MAX_FILE = 1_000_000_000  # bytes of a file that holds several articles, and of all that is read out of one
MAX_MEMBERS = 10_000
_RATIO = 100  # times the size of the file: text packs to a fifth, and never so well
_DIRECTORY = 5_000_000  # bytes of the list of members: 10,000 of them with long names need 3 million
_CHUNK = 65_536
# Others unpack a few bytes to hundreds of millions in one go.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of a member
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST_NAME = 1_000  # characters

# What zipfile lets through of files that are damaged, or made to do damage.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
_ERRORS = (*_DAMAGED, IndexError, KeyError, OverflowError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip file: its path there, its bytes (None where they cannot be read, with the reason)."""

    name: str
    data: bytes = b""
    reason: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)  # what an archive.yaml beside it says of it


class _Sparing(io.BufferedReader):
    """A file that is read in small pieces only: zipfile asks for a list of members of any size at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY:
            raise UnreadableFile(
                f"its list of members has {size / 1e6:.0f} MB; at most {_DIRECTORY / 1e6:.0f} are read"
            )
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file at `path`, closed afterwards.

    Raises:
        UnreadableFile: if it is damaged or too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise UnreadableFile(f"the file has {size / 1e6:.0f} MB; at most {MAX_FILE / 1e6:.0f} MB are read")
        file = _Sparing(io.FileIO(path))
    except OSError as error:
        raise UnreadableFile(f"the file cannot be read: {error.strerror or error}") from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except _ERRORS as error:
            raise UnreadableFile(f"the zip file is damaged and cannot be read ({error})") from error
        with archive:
            yield archive


def named(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files in a zip file by their paths, with "/" between folders; of two with one path the last, as tools unpack.

    Raises:
        UnreadableFile: if there are too many.
    """
    found = [info for info in archive.infolist() if info.filename and not info.is_dir()]
    if len(found) > MAX_MEMBERS:
        raise UnreadableFile(f"it holds {len(found):,} files; at most {MAX_MEMBERS:,} are read: split it")
    return {_name(info): info for info in found}


def _name(info: zipfile.ZipInfo) -> str:
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):  # many tools write UTF-8 and do not say so
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")  # as some tools on Windows write
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    """The bytes of a member.

    Raises:
        UnreadableFile: if it is encrypted, damaged, a link, packed in a strange way or too large.
    """
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnreadableFile("it is a link, which is not followed out of a zip file")
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableFile("it is protected by a password; pack it without one")
    if info.compress_type not in _METHODS:
        raise UnreadableFile("it is packed by a rare method; pack it again as an ordinary zip file (deflate)")
    data = bytearray()
    try:
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK):
                data += chunk
                if len(data) > max_bytes:
                    raise UnreadableFile(f"it unpacks to more than {max_bytes / 1e6:.1f} MB, the most that is read")
    except _ERRORS as error:
        raise UnreadableFile("it is damaged in the zip file and cannot be read") from error
    return bytes(data)


def check_size(infos: Iterable[zipfile.ZipInfo], path: Path, max_bytes: int) -> None:
    """Refuse a zip file whose members say that they unpack to too much; no more of one is read than it says.

    Raises:
        UnreadableFile: if they do.
    """
    size = sum(info.file_size for info in infos)
    most = min(MAX_FILE, max(max_bytes, _RATIO * path.stat().st_size))
    if size > most:
        raise UnreadableFile(
            f"its articles unpack to {size / 1e6:,.0f} MB, which is too much for a file of its size; at most "
            f"{most / 1e6:,.0f} MB are read: split it"
        )


def zipped(path: Path, suffixes: Collection[str], several: Collection[str], max_bytes: int) -> Iterator[Member]:
    """The files in a zip file with these suffixes, one at a time, sorted; those of `several` are not unpacked again.

    An `archive.yaml` in it holds for all of them, if it stands beside or above them all.

    Raises:
        UnreadableFile: if the file as a whole cannot be read, or it is not clear for which articles archive.yaml holds.
    """
    with opened(path) as archive:
        found = named(archive)
        wanted = {name: info for name, info in found.items() if _suffix(name) in suffixes and not _left_out(name)}
        if not wanted:
            raise UnreadableFile(f"the zip file holds no articles; known are {', '.join(sorted(suffixes))}")
        fit = {name: info for name, info in wanted.items() if _suffix(name) not in several and not unfit(name)}
        check_size(fit.values(), path, max_bytes)
        said = _said(archive, found, fit, max_bytes)
        for number, (name, info) in enumerate(sorted(wanted.items()), 1):
            if why := unfit(name):
                yield Member(f"member {number}", reason=f"its name in the zip file is {name[:100]!r}, {why}")
            elif name not in fit:
                yield Member(name, reason="it is not unpacked inside a zip file; put it beside that")
            else:
                try:
                    yield Member(name, content(archive, info, max_bytes), None, said)
                except UnreadableFile as error:
                    yield Member(name, reason=str(error))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _left_out(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" in parts or any(part.startswith((".", "~$")) and part != ".." for part in parts)


def unfit(name: str) -> str | None:
    """What is wrong with the path of a member, if anything is."""
    if name.startswith("/") or ".." in name.split("/") or re.match("[A-Za-z]:", name):
        return "which leads out of it; pack it again with plain names"
    if _UNFIT.search(name) or len(name) > _LONGEST_NAME:
        return "which no article can have; pack it again with plain names"
    return None


def _said(
    archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], fit: Collection[str], max_bytes: int
) -> dict[str, Any]:
    """What archive.yaml in a zip file says of its articles. It may say who may read them, so none is passed over."""
    alike = (folder.NAME, folder.NAME.replace(".yaml", ".yml"))
    names = [name for name in found if name.rsplit("/", 1)[-1].casefold() in alike and not _left_out(name)]
    if not names:
        return {}
    where = names[0].removesuffix(folder.NAME)
    twice = len(names) > 1 or sum(_name(info) == names[0] for info in archive.infolist()) > 1
    if twice or where == names[0] or not all(name.startswith(where) for name in fit):
        raise UnreadableFile(
            f"{groups.UNCLEAR}: it holds {' and '.join(map(repr, names[:3]))}; expected one {folder.NAME!r}, in the "
            "folder that holds all its articles"
        )
    try:
        data = content(archive, found[names[0]], max_bytes)
    except UnreadableFile as error:
        raise UnreadableFile(f"{groups.UNCLEAR}: {names[0]!r} cannot be read: {error}") from error
    return folder.inner(data)
