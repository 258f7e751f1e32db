"""The bytes of an RSS or Atom feed -> its entries, the newest first. Nothing is fetched here."""

from __future__ import annotations

import datetime as dt
import email.utils
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from rag.errors import FetchError

MAX_BYTES = 5_000_000  # a feed that is broken on purpose takes three seconds a megabyte to read

_ROOTS = frozenset({"rss", "feed", "rdf"})
# How RSS writes an author, "eva@news.berlin (Eva Moor)", of which the library makes "lin (Eva Moor".
_EMAIL = re.compile(r"(?:\S+@\S+\s*\((.+)\)|\S*\s*\(([^)]+))$")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a feed says of one article; None for what it does not say. `content` is HTML without scripts."""

    url: str | None
    name: str  # what tells it from the others where it has no address
    title: str | None
    author: str | None
    date: dt.date | None
    content: str | None
    language: str | None
    source: str | None


def root(data: bytes) -> str:
    """The name of the first element in XML or HTML, in small letters and without its prefix; '' where there is none."""
    head = re.sub(rb"<!--.*?(?:-->|\Z)", b"", data[:8_000].replace(b"\x00", b""), flags=re.DOTALL)
    found = re.search(rb"<(?:[A-Za-z][\w.-]*:)?([A-Za-z][\w.-]*)", head)
    return found[1].decode("latin-1").lower() if found else ""


def is_feed(data: bytes) -> bool:
    """Whether these bytes are a feed, whatever the server calls them."""
    return root(data) in _ROOTS and not data.startswith(b"%PDF-")


def entries(data: bytes, url: str, charset: str = "", *, limit: int) -> list[Entry]:
    """The newest `limit` entries of the feed from `url`; those without a date come last, in the feed's order.

    Raises:
        FetchError: it is too large, or cannot be read as a feed.
    """
    import feedparser

    if len(data) > MAX_BYTES:
        raise FetchError(f"the feed has {len(data) / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
    try:
        data.decode("utf-8")
        charset = "utf-8"  # what is valid UTF-8 is nothing else; of broken feeds the library would take it for Latin
    except UnicodeDecodeError:
        pass
    told = {
        "content-type": f"application/xml; charset={charset}" if charset else "application/xml",
        "content-location": url,
    }
    # A stream: of bytes or a text, the library would open the file or the address of that name.
    feed = feedparser.parse(io.BytesIO(data), response_headers=told)
    if not feed.get("version") and not feed.entries:
        raise FetchError("it cannot be read as a feed; expected RSS or Atom")
    every = [_entry(dict(entry), feed.feed) for entry in feed.entries]
    found = list({entry.url or entry.name: entry for entry in reversed(every)}.values())[::-1]  # each once, the first
    found.sort(key=lambda entry: entry.date or dt.date.min, reverse=True)
    return found[:limit]


def _entry(entry: Mapping[str, Any], feed: Mapping[str, Any]) -> Entry:
    link = next((text for name in ("link", "id") if re.match(r"https?://", text := str(entry.get(name, "")))), None)
    written = entry.get("content") or [entry.get("summary_detail") or {}]
    title = _words(entry.get("title_detail"))
    return Entry(
        url=link,
        name=str(entry.get("id") or title or written[0].get("value", "")),
        title=title,
        author=_author(entry),
        date=_date(entry, "published") or _date(entry, "updated"),
        content=_markup(written[0]),
        language=written[0].get("language") or feed.get("language"),
        source=_words(feed.get("title_detail")),
    )


def _words(detail: Mapping[str, Any] | None) -> str | None:
    """A text of a feed, which may be HTML, as plain words."""
    from lxml import html

    text = str((detail or {}).get("value", ""))
    if (detail or {}).get("type") != "text/plain" and text.strip():
        text = str(html.fromstring(f"<div>{text}</div>").text_content())
    return " ".join(text.split()) or None


def _markup(detail: Mapping[str, Any]) -> str | None:
    text = str(detail.get("value", "")).strip()
    if detail.get("type") != "text/plain":
        return text or None
    return "".join(f"<p>{escape(part)}</p>" for part in re.split(r"\n\s*\n", text)) if text else None


def _author(entry: Mapping[str, Any]) -> str | None:
    names = [str(author.get("name", "")).strip() for author in entry.get("authors", ())]
    plain = [named[1] or named[2] if (named := _EMAIL.match(name)) else name for name in names]
    return ", ".join(dict.fromkeys(name for name in plain if name and "@" not in name)) or None


def _date(entry: Mapping[str, Any], name: str) -> dt.date | None:
    """The day as it was where the article appeared: the library gives moments in UTC, which may be another day."""
    said = str(entry.get(name, ""))
    try:
        return email.utils.parsedate_to_datetime(said).date()
    except ValueError:
        pass
    try:
        return dt.date.fromisoformat(said[:10])
    except ValueError:
        parsed = entry.get(f"{name}_parsed")
        return dt.date(*parsed[:3]) if parsed else None
