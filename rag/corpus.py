"""The files of a folder -> articles: their text, and what is known about each of them, also who may read it.

A file is an article, or holds several, each with its place. What front matter says counts first, then what the page or
the document declares, then what the text says in its own headline, byline and date line.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from rag import folder, groups
from rag.clean import clean, line_key
from rag.containers import zipped
from rag.epub import chapters
from rag.errors import CorpusError, UnreadableFile
from rag.exports import exported
from rag.formats import (
    UNFIT,
    extract_docx,
    extract_markdown,
    extract_page,
    extract_pdf,
    extract_text,
    text_of,
    usable,
)
from rag.mail import extract_mail
from rag.metadata import declared, detected, extras, lines_of, own, without_site
from rag.records import Article, Cleaned, Extract

log = logging.getLogger(__name__)

CONTAINERS = frozenset({".zip", ".epub", ".jsonl", ".ndjson"})  # files that may hold several articles
SUFFIXES = frozenset({".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx", ".eml"}) | CONTAINERS
MAX_BYTES = 20_000_000  # of a file, or of an article in one that holds several

_TITLE_CHARS, _TITLE_WORDS = 70, 10


# --- files ------------------------------------------------------------------------------------------------------------


def files(root: Path, failed: Callable[[OSError], None] | None = None) -> list[Path]:
    """The files below `root` that can be read, sorted. Hidden ones are left out, and links that lead out of `root`.

    `failed` is told of each folder that cannot be listed, whose files are missing then.

    Raises:
        CorpusError: if `root` is not a folder.
    """
    if not root.is_dir():
        raise CorpusError(f"{root} is not a folder; give the folder that holds the articles")
    home = root.resolve()
    found = []
    for here, folders, names in os.walk(root, onerror=failed):  # does not follow links to folders
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(here, name)
            if UNFIT.search(str(path)):
                log.warning("left out, since its name is not valid UTF-8: %r", path)
                continue
            if name.startswith((".", "~$")) or path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            if path.resolve().is_relative_to(home):
                found.append(path)
    return sorted(found)


def documents(path: Path, root: Path, *, max_bytes: int = MAX_BYTES) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    """What a file below `root` says, before cleaning: for each article its place, and the extract or why there is none.

    The place is the path in the corpus, and goes on inside a file that holds several: "dump.zip/inner/a.md". No two
    articles have one place. One article is read at a time; each is of at most `max_bytes`.

    Raises:
        UnreadableFile: with the reason, if the file as a whole cannot be read; also after some of its articles.
    """
    place = path.relative_to(root).as_posix()
    if path.suffix.lower() not in CONTAINERS:
        yield place, extract(path, max_bytes=max_bytes)
        return
    for name, found in _parts(path, max_bytes):
        yield f"{place}/{name}", found


def _parts(path: Path, max_bytes: int) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        yield from _members(path, max_bytes)
    elif suffix == ".epub":
        yield from chapters(path, max_bytes)
    else:
        yield from exported(path, max_bytes)


def _members(path: Path, max_bytes: int) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    for member in zipped(path, SUFFIXES, CONTAINERS, max_bytes):
        try:
            if member.reason is not None:
                raise UnreadableFile(member.reason)
            found = _read(PurePosixPath(member.name).suffix.lower(), member.data, max_bytes)
            yield member.name, replace(found, metadata={**member.said, **found.metadata})
        except UnreadableFile as error:
            yield member.name, error


def extract(path: Path, *, max_bytes: int = MAX_BYTES) -> Extract:
    """What a file with one article says, before cleaning.

    Raises:
        UnreadableFile: with the reason, if the file cannot become an article.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise UnreadableFile(f"the file has {size / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are read")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"the file cannot be read: {error.strerror or error}") from error
    return _read(path.suffix.lower(), data, max_bytes)


def _read(suffix: str, data: bytes, max_bytes: int) -> Extract:
    if not data.strip():
        raise UnreadableFile("the file is empty")
    return usable(partial(_extracted, suffix, data, max_bytes))


def _extracted(suffix: str, data: bytes, max_bytes: int) -> Extract:
    if suffix == ".pdf":
        return extract_pdf(data)
    if suffix == ".docx":
        return extract_docx(data, max_bytes=max_bytes)
    if suffix == ".eml":
        return extract_mail(data)
    if suffix not in SUFFIXES - CONTAINERS:
        raise UnreadableFile(
            f"files of type {suffix or 'none'} are not read; known are {', '.join(sorted(SUFFIXES - CONTAINERS))}"
        )
    text = text_of(data, html=suffix in (".html", ".htm"))
    if suffix in (".md", ".markdown"):
        found = extract_markdown(text)
        if not found.metadata:
            groups.refuse_unread(text)
        return replace(found, metadata=groups.settled(found.metadata))
    groups.refuse_unread(text)
    if suffix == ".txt":
        return extract_text(text)
    found = extract_page(text)
    groups.refuse_page(found.metadata)
    return found


def line_keys(extract: Extract) -> frozenset[str]:
    """The keys by which the file's lines are counted over the archive: what returns everywhere is furniture."""
    return frozenset(line_key(line) for line in lines_of(extract))


def read(path: Path, root: Path) -> Article:
    """A file with one article as that article.

    Raises:
        UnreadableFile: with the reason, if the file cannot become an article.
        CorpusError: if the folder's `archive.yaml` cannot be used.
    """
    found = extract(path)
    place = path.relative_to(root).as_posix()
    said = folder.holds_for(place, folder.defaults(root))
    return article(place, replace(found, metadata={**said, **found.metadata}))


# --- articles ---------------------------------------------------------------------------------------------------------


def article(place: str, extract: Extract, repeated: Container[str] = frozenset()) -> Article:
    """The article in an extract: cleaned, with its metadata. `repeated` holds the `line_keys` of several articles.

    Raises:
        UnreadableFile: if the metadata has values of the wrong kind, or cleaning leaves nothing.
    """
    readers = groups.declared(extract.metadata)
    known = declared(extract.metadata)
    if "title" in known:
        known["title"] = without_site(known["title"], extract, known.get("source"))
    draft = clean(extract, language=known.get("language"), repeated=repeated)
    language = known.get("language") or detected(draft.text or extract.text)
    said, spent = own(extract, draft, known, language)
    known = said | known
    rest = replace(extract, blocks=tuple(block for i, block in enumerate(extract.blocks) if i not in spent))
    cleaned = clean(rest, language=language, title=known.get("title"), repeated=repeated)
    if not cleaned.text.strip():
        raise UnreadableFile("nothing is left of the file after cleaning: it holds no article")
    more = extras(extract.metadata)
    if "title" not in known:
        more["title_from"] = "text"
    return Article(
        id=identifier(place),
        title=known.get("title") or _first_words(cleaned.text),
        text=cleaned.text,
        path=place,
        text_sha256=hashlib.sha256(cleaned.text.encode()).hexdigest(),
        source=known.get("source"),
        date=known.get("date"),
        language=language,
        url=known.get("url"),
        author=known.get("author"),
        metadata=more,
        headings=cleaned.headings,
        pages=_pages(extract, cleaned),
        source_map=cleaned.source_map,
        groups=readers,
    )


def identifier(place: str) -> str:
    """A short, stable, URL-safe id from the place in the corpus."""
    slug = re.sub(r"[^a-z0-9]+", "-", place.rsplit(".", 1)[0].lower()).strip("-")[-40:].strip("-")
    return f"{slug or 'article'}-{hashlib.sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _first_words(text: str) -> str:
    """The first words of a text that has no title, with "…" where it goes on."""
    first = " ".join(text.split("\n\n", 1)[0].split())
    words = first.split(" ")[:_TITLE_WORDS]
    while len(words) > 1 and len(" ".join(words)) > _TITLE_CHARS:
        words.pop()
    title = " ".join(words)[: _TITLE_CHARS + 10]
    return title if title == first else title.rstrip(".,;:–-") + "…"


def _pages(extract: Extract, cleaned: Cleaned) -> tuple[int, ...]:
    """Where each page begins in the cleaned text: at the first text kept from it or from a later one."""
    return tuple(_place(cleaned, page) for page in extract.pages)


def _place(cleaned: Cleaned, source: int) -> int:
    for segment in cleaned.source_map:
        if segment.source_start + segment.length > source:
            return segment.start + max(0, source - segment.source_start)
    return len(cleaned.text)
