"""Articles added by their address: pages, documents and the entries of feeds become files of the corpus, in `added/`.

From then on they are files as any other: a sync makes articles of them, and who removes the file removes the article. A
page notes at its top where it is from, as browsers do; a PDF and a plain text have no place for that, and tell nothing
of their address. What servers said of their pages, to be asked only for what has changed, is kept in a hidden file.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from rag import corpus, feeds
from rag.errors import CorpusError, FetchError, IndexLocked, UnreadableFile
from rag.fetch import FEEDS, PAGES, PDF, TEXTS, Fetched, Fetcher, Known
from rag.folder import ADDED as FOLDER
from rag.formats import text_of
from rag.records import Article
from rag.webpage import extract_html, noted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.assistant import Assistant

_RECORDS = ".fetched.json"
# What we say of files of our own, no site may say of its pages; whoever speaks of groups is refused when it is read.
_MARK = re.compile(r"(<meta\s+name=[\"'])on-record:(?!groups?[\"'])", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^<>]*)?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of each address: (url, place of its file in the corpus), or (url, reason) where it failed.

    Of a feed there is one pair for each of its entries. `assistant.article(corpus.identifier(place))` is the article.
    `unsynced` says why the files are there and not yet in the index, where another process is writing to it.
    """

    added: tuple[tuple[str, str], ...]
    updated: tuple[tuple[str, str], ...]
    unchanged: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    unsynced: str | None = None

    def to_dict(self) -> dict[str, Any]:
        pairs = {
            outcome: [{"url": url, "path": place} for url, place in getattr(self, outcome)]
            for outcome in ("added", "updated", "unchanged")
        }
        return {
            **pairs,
            "failed": [{"url": url, "reason": reason} for url, reason in self.failed],
            "unsynced": self.unsynced,
        }


def add(
    assistant: Assistant,
    urls: Sequence[str],
    *,
    allowed: Sequence[str] = (),
    limit: int = 50,
    pause: float = 1.0,
    progress: bool = False,
) -> AddReport:
    """Fetch pages, documents and the newest `limit` entries of feeds, write them into the corpus, and sync.

    `allowed` are addresses and networks that are not public and may be fetched from all the same; `pause` is in
    seconds, between two requests to one host. What fails is told in the report; nothing is kept of it, and the others
    go on.

    Raises:
        CorpusError: the folder cannot be written to. RagError: the index cannot be brought up to date.
    """
    fetcher = Fetcher(allowed, max_bytes=corpus.MAX_BYTES, pause=pause)
    with _folder(assistant.corpus) as folder, _bar(len(set(urls)), progress) as bar:
        adding = _Adding(assistant.corpus, fetcher, _records(folder), limit, bar)
        try:
            for url in dict.fromkeys(urls):
                adding.address(url)
        finally:
            _write(folder / _RECORDS, json.dumps({url: asdict(record) for url, record in adding.records.items()}))
    unsynced = None
    if adding.added or adding.updated or adding.unchanged:
        try:
            assistant.whole.sync()
        except IndexLocked as error:
            unsynced = str(error)
    return AddReport(
        tuple(adding.added), tuple(adding.updated), tuple(adding.unchanged), tuple(adding.failed), unsynced
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """What an address gave the last time: what its server said, the files made of it, the limit if it was a feed."""

    known: Known
    places: tuple[str, ...]
    limit: int = 0


@dataclass(frozen=True, slots=True)
class _Adding:
    """One call of `add`, and what has become of the addresses so far."""

    root: Path
    fetcher: Fetcher
    records: dict[str, _Record]
    limit: int
    bar: Any
    added: list[tuple[str, str]] = field(default_factory=list)
    updated: list[tuple[str, str]] = field(default_factory=list)
    unchanged: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def address(self, url: str, entry: feeds.Entry | None = None) -> None:
        """Add what stands at an address; of an `entry` of a feed, what the feed says where the page says nothing."""
        try:
            fetched = self._fetched(url)
            if fetched.unchanged:
                self.unchanged.extend((url, place) for place in self.records[url].places)
            elif not feeds.is_feed(fetched.data):
                place = self._kept(url, fetched.url, *_file(fetched, entry))
                self.records[url] = _Record(fetched.known, (place,))
            elif entry:
                raise FetchError("it is a feed, named in a feed; add it by itself")
            else:
                self._feed(url, fetched)
        except (FetchError, UnreadableFile) as error:
            self.failed.append((url, str(error)))
        self.bar.update()

    def _fetched(self, url: str) -> Fetched:
        """Asked only for what has changed, where all that was made of the address is still there."""
        record = self.records.get(url)
        whole = record and record.places and all((self.root / place).is_file() for place in record.places)
        wanted = record and (not record.limit or self.limit <= record.limit)
        return self.fetcher.get(url, record.known if record and whole and wanted else None)

    def _feed(self, url: str, fetched: Fetched) -> None:
        entries = feeds.entries(fetched.data, fetched.url, fetched.charset, limit=self.limit)
        if not entries:
            raise FetchError("the feed has no entries")
        self.bar.total += len(entries)
        before, failures = set(self._places()), len(self.failed)
        for entry in entries:
            if entry.url:
                self.address(entry.url, entry)
            else:
                self._content(url, fetched.url, entry)
        if len(self.failed) == failures:  # or what failed would not be tried again until the feed changes
            places = tuple(place for place in self._places() if place not in before)
            self.records[url] = _Record(fetched.known, places, self.limit)

    def _places(self) -> list[str]:
        return [place for _, place in self.added + self.updated + self.unchanged]

    def _content(self, url: str, found: str, entry: feeds.Entry) -> None:
        """Add an entry without a link, which is its own article."""
        own = f"{found}#{hashlib.sha256(entry.name.encode()).hexdigest()[:16]}"
        try:
            if not entry.content:
                raise FetchError(f"the feed's entry {entry.title!r} has neither a link nor a text")
            self._kept(url, own, noted(_page(entry), found).encode(), ".html", entry.title or "")
        except (FetchError, UnreadableFile) as error:
            self.failed.append((url, str(error)))
        self.bar.update()

    def _kept(self, url: str, found: str, data: bytes, suffix: str, title: str = "") -> str:
        """Write a file that can be read as an article, where it is new or says something else; its place.

        Raises:
            UnreadableFile: it holds no article. What was there before stays.
        """
        place = _place(found, suffix, title)
        path = self.root / place
        aside = self.root / FOLDER / f".{uuid.uuid4().hex}.part{suffix}"  # hidden: no sync reads it
        try:
            aside.write_bytes(data)
            new = corpus.read(aside, self.root)
            outcome = self.updated if path.is_file() else self.added
            if outcome is self.updated and _said(new) == self._said_before(path):
                outcome = self.unchanged
            else:
                path.parent.mkdir(exist_ok=True)
                _no_link(path.parent)
                aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        outcome.append((url, place))
        return place

    def _said_before(self, path: Path) -> tuple[object, ...]:
        try:
            return _said(corpus.read(path, self.root))
        except UnreadableFile:  # somebody has edited it
            return ()


def _said(article: Article) -> tuple[object, ...]:
    return (article.text, article.title, article.source, article.date, article.language, article.url, article.author)


# --- pages ------------------------------------------------------------------------------------------------------------


def _file(fetched: Fetched, entry: feeds.Entry | None) -> tuple[bytes, str]:
    """The bytes of a file and its suffix. Raises FetchError for what is no article."""
    if fetched.data[:1024].lstrip().startswith(b"%PDF-") or fetched.content_type == PDF:
        return fetched.data, ".pdf"
    if fetched.content_type in TEXTS:
        return _text(fetched).encode(), ".txt"
    if fetched.content_type not in PAGES and feeds.root(fetched.data) != "html":
        kind = "XML" if fetched.content_type in FEEDS else "of no type"
        raise FetchError(f"it is {kind}, and neither a page nor a feed")
    page = re.sub(r"^\s*<\?xml[^>]*\?>", "", _text(fetched))
    page = _MARK.sub(r"\1x-on-record:", page)
    return noted(_with_facts(page, entry) if entry else page, fetched.url).encode(), ".html"


def _text(fetched: Fetched) -> str:
    """The words of a page: by the encoding that the server names, unless they are UTF-8 all the same."""
    try:
        fetched.data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return fetched.data.decode(fetched.charset or "ascii").replace("\x00", "")
        except (LookupError, UnicodeDecodeError):
            pass
    return text_of(fetched.data, html=fetched.content_type not in TEXTS)


def _with_facts(page: str, entry: feeds.Entry) -> str:
    """A page with what its feed says and the page itself does not."""
    known = extract_html(page, second_opinion=False).metadata
    facts = "".join(line for name, line in _facts(entry) if name not in known)
    head = _HEAD.search(page)
    return page[: head.end()] + facts + page[head.end() :] if head else facts + page


def _facts(entry: feeds.Entry) -> Iterable[tuple[str, str]]:
    for name, key, value in (
        ("title", "og:title", entry.title),
        ("author", "author", entry.author),
        ("date", "article:published_time", entry.date and entry.date.isoformat()),
    ):
        if value:
            yield name, f'<meta name="{key}" content="{escape(value)}">'


def _page(entry: feeds.Entry) -> str:
    """An entry of a feed as a page of its own."""
    facts = "".join(line for _, line in _facts(entry))
    source = f'<meta name="og:site_name" content="{escape(entry.source)}">' if entry.source else ""
    language = f' lang="{escape(entry.language)}"' if entry.language else ""
    headline = f"<h1>{escape(entry.title)}</h1>" if entry.title else ""
    return (
        f'<!DOCTYPE html><html{language}><head><meta charset="utf-8">{facts}{source}</head>'
        f"<body><article>{headline}{entry.content}</article></body></html>"
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _place(url: str, suffix: str, title: str = "") -> str:
    """Where the article of an address belongs: the same for the same address, and told from all others by it."""
    parts = urlsplit(url)
    host = re.sub(r"[^a-z0-9.-]+", "-", (parts.hostname or "").lower()).strip(".-")
    last = unquote(parts.path).rstrip("/").rsplit("/", 1)[-1]
    words = unicodedata.normalize("NFKD", title or re.sub(r"\.[A-Za-z]{2,5}$", "", last))
    plain = words.encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:60].strip("-") or "page"
    return f"{FOLDER}/{host}/{slug}-{hashlib.sha256(url.encode()).hexdigest()[:8]}{suffix}"


@contextmanager
def _folder(root: Path) -> Iterator[Path]:
    """The folder of what was added. Raises CorpusError for what goes wrong while writing there."""
    if not root.is_dir():
        raise CorpusError(f"{root} is not a folder; give the folder that holds the articles")
    folder = root / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        _no_link(folder)
        yield folder
    except OSError as error:
        raise CorpusError(f"{folder} cannot be written to: {error.strerror or error}") from error


def _no_link(folder: Path) -> None:
    if folder.is_symlink():
        raise OSError(None, "it is a link, which a sync does not follow", str(folder))


def _records(folder: Path) -> dict[str, _Record]:
    """What is remembered of addresses; nothing where the file cannot be used, since it only saves requests."""
    try:
        said = json.loads((folder / _RECORDS).read_text(encoding="utf-8"))
        return {
            url: _Record(Known(**record["known"]), tuple(record["places"]), record["limit"])
            for url, record in said.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _bar(total: int, progress: bool) -> Iterator[Any]:
    from tqdm import tqdm

    with tqdm(total=total, desc="fetching", unit="article", disable=not progress, leave=False) as bar:
        yield bar
