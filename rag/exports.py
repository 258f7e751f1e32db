"""An export in JSON Lines -> its articles: one JSON object a line, as archives and feeds write them.

Nothing in an article's key depends on its line, so that an export may grow at its front and no link breaks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rag import groups
from rag.containers import MAX_FILE
from rag.dateline import byline_in
from rag.errors import UnreadableFile
from rag.formats import extract_page, extract_text, usable
from rag.records import Extract
from rag.webpage import extract_html

MAX_LINES = 1_000_000
_BAD_AT_ONCE = 100  # lines that are no objects, before the first that is one: such a file is something else

# By their names in small letters without marks; the first that says something counts.
_NAMES = {
    "title": ("title", "headline"),
    "text": ("text", "body", "content", "article", "articlebody", "fulltext", "maintext"),
    "date": "date published publishedat datepublished pubdate publishdate publicationdate publishedon".split(),
    "source": ("source", "outlet", "publisher"),
    "url": ("url", "link"),
    "author": ("author", "authors", "byline"),
    "language": ("language", "lang"),
    "id": ("id", "uuid", "guid"),
}
_PLAIN_KEY = re.compile(r"\w[\w.-]{0,79}", re.ASCII)
_TAG = re.compile(
    r"</(?:p|div|span|h[1-6]|ul|ol|li|a|em|strong|b|i|article|section|blockquote)>|<(?:p|br)\b[^>]*>", re.I
)
_PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_SECONDS = (1e8, 1e11)  # of the Unix time of what is dated in seconds: 1973 to 5138; milliseconds are above
_LONGEST_EXTRA = 2_000  # characters


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an export, counted from 1: its object, or why there is none."""

    number: int
    record: Mapping[str, Any]
    reason: str | None = None


def exported(path: Path, max_bytes: int) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    """The articles of an export, one at a time: the key of each with its extract, or the reason why there is none.

    The key is the article's id or its address, where no other line has that, and else a hash of its title and text.

    Raises:
        UnreadableFile: if the file as a whole cannot be read.
    """
    times = _counted(path, max_bytes)
    seen: set[str] = set()
    for line in _lines(path, max_bytes):
        here = f"line {line.number}"
        if line.reason is not None:
            yield here, UnreadableFile(line.reason)
            continue
        key = _key(line.record, times)
        if key in seen:
            yield here, UnreadableFile("it is the same as an earlier line of the export")
            continue
        seen.add(key)
        try:
            yield key, usable(partial(_extract, line.record))
        except UnreadableFile as error:
            yield key, UnreadableFile(f"{error} ({here})")


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(path: Path, max_bytes: int) -> Iterator[_Line]:
    """The lines of an export that are not blank."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise UnreadableFile(
                f"the file has {size / 1e6:.0f} MB; at most {MAX_FILE / 1e6:.0f} MB are read: split it"
            )
        with path.open("rb") as file:
            head = file.read(4)
            if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in head:
                raise UnreadableFile("the export is not in UTF-8 but in UTF-16 or UTF-32, or binary; save it as UTF-8")
            file.seek(3 if head.startswith(b"\xef\xbb\xbf") else 0)
            number = 0
            while data := file.readline(max_bytes + 1):
                number += 1
                if number > MAX_LINES:
                    raise UnreadableFile(f"the export has more than {MAX_LINES:,} lines; split it")
                if len(data) > max_bytes:
                    while data and not data.endswith(b"\n"):
                        data = file.readline(max_bytes)
                    yield _Line(number, {}, f"the line is longer than {max_bytes / 1e6:.1f} MB, the most that is read")
                elif data.strip():
                    yield _parsed(number, data)
    except OSError as error:
        raise UnreadableFile(f"the file cannot be read: {error.strerror or error}") from error


def _parsed(number: int, data: bytes) -> _Line:
    try:
        record = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=lambda _: None)
    except UnicodeDecodeError:
        return _Line(number, {}, "the line is not in UTF-8; save the export as UTF-8")
    except UnreadableFile as error:
        return _Line(number, {}, str(error))
    except json.JSONDecodeError as error:
        return _Line(number, {}, f"the line is not valid JSON: character {error.colno}: {error.msg}")
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets of thousands of levels
        return _Line(number, {}, "the line is not JSON that an export would hold")
    if not isinstance(record, dict):
        return _Line(number, {}, 'the line is no JSON object; expected one a line, such as {"title": "…", "text": "…"}')
    return _Line(number, record)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise UnreadableFile(f"the line has {twice[:80]!r} twice; expected each name once")
    return found


# --- keys -------------------------------------------------------------------------------------------------------------


def _counted(path: Path, max_bytes: int) -> Counter[str]:
    """How many lines have each id and each address."""
    times: Counter[str] = Counter()
    good = 0
    wrong: list[_Line] = []
    for line in _lines(path, max_bytes):
        if line.reason is None:
            good += 1
            times.update(_names_of(line.record))
        elif not good:
            wrong.append(line)
            if len(wrong) == _BAD_AT_ONCE:
                break
    if not good and wrong:
        raise UnreadableFile(f"the file is no export in JSON Lines: line {wrong[0].number}: {wrong[0].reason}")
    if not good:
        raise UnreadableFile("the file is empty")
    return times


def _names_of(record: Mapping[str, Any]) -> list[str]:
    """What may tell the article in a record from others, the best first, as keys."""
    found = []
    for name in ("id", "url"):
        value = _first(record, name, str | int)
        if value is not None:
            said = str(value).strip()
            found.append(said if name == "id" and _PLAIN_KEY.fullmatch(said) else _hash(name, said))
    return found


def _key(record: Mapping[str, Any], times: Mapping[str, int]) -> str:
    unique = (key for key in _names_of(record) if times[key] == 1)
    return next(unique, None) or _hash("text", str(_first(record, "title", str)), str(_first(record, "text", str)))


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


# --- records ----------------------------------------------------------------------------------------------------------


def _extract(record: Mapping[str, Any]) -> Extract:
    said = _metadata(record)
    text = _first(record, "text", str)
    if text is None:
        has = ", ".join(map(repr, list(record)[:8]))
        raise UnreadableFile(
            f"the article has no text: it has {has or 'nothing'}; expected 'text', 'body' or 'content'"
        )
    text = str(text).replace("\r\n", "\n").replace("\r", "\n")
    if _PAGE.match(text):
        found = extract_page(text)
        groups.refuse_page(found.metadata)
    elif _TAG.search(text):  # the article alone, without a site around it
        found = extract_html(f"<html><body>{text}</body></html>", second_opinion=False)
    else:
        groups.refuse_unread(text)
        found = extract_text(text)
    return replace(found, metadata={**found.metadata, **said})


def _metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": _first(record, "title", str),
        "date": _date(_first(record, "date", str | int | float)),
        "source": _person(_first(record, "source", str | dict | list)),
        "url": _first(record, "url", str),
        "author": _author(_person(_first(record, "author", str | dict | list))),
        "language": _first(record, "language", str),
    }
    known = {name for names in _NAMES.values() for name in names}
    rest = {name: value for name, value in record.items() if _folded(name) not in known and _is_plain(name, value)}
    for name, value in record.items():
        if _speaks_of_groups(value):
            raise UnreadableFile(
                f"{groups.UNCLEAR}: its {name[:80]!r} has groups inside; expected 'groups' beside title and text"
            )
    return groups.settled({**rest, **{name: value for name, value in found.items() if value is not None}})


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _first(record: Mapping[str, Any], what: str, kind: Any) -> Any:
    """The first value of the right kind that a record has under one of a thing's names; None where there is none."""
    named = {_folded(name): value for name, value in record.items()}
    for name in _NAMES[what]:
        value = named.get(name)
        if isinstance(value, kind) and not isinstance(value, bool) and (not isinstance(value, str) or value.strip()):
            return value
    return None


def _person(value: object) -> str | None:
    """The name or names in a text, in a record with a name, or in a list of either."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(name for name in map(_person, value) if name)) or None
    if isinstance(value, dict):
        value = next((value[key] for key in value if _folded(key) == "name"), None)
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _author(said: str | None) -> str | None:
    return byline_in(said) or said if said else None


def _date(value: str | float | None) -> str | None:
    """A date as `dates` reads it: a text as it is, a number as the Unix time or as 20251013."""
    if value is None:
        return None
    said = str(value).strip()
    if match := re.fullmatch(r"(\d{4})(\d\d)(\d\d)", said):
        return "-".join(match.groups())
    if isinstance(value, str):
        return said
    seconds = value if value < _SECONDS[1] else value / 1000
    if not _SECONDS[0] <= seconds < _SECONDS[1]:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()


def _is_plain(name: str, value: object) -> bool:
    """Whether a value that has no place of its own is kept: no vectors, no comments, no second text."""
    if name.strip().casefold() in (groups.KEY, "group"):
        return True
    if isinstance(value, list):
        return len(value) <= 100 and all(isinstance(item, str) and len(item) <= 200 for item in value)
    return isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_EXTRA


def _speaks_of_groups(value: object) -> bool:
    """Whether something inside a value has groups, where nobody would look for who may read the article."""
    if isinstance(value, list):
        return any(map(_speaks_of_groups, value))
    if not isinstance(value, dict):
        return False
    return any(
        key.strip().casefold() in (groups.KEY, "group") or _speaks_of_groups(item) for key, item in value.items()
    )
