"""The files of a folder -> articles: their text, and what is known about each of them, also who may read it.

What front matter says counts first, then what the page or the document declares, then what the text says in its own
headline, byline and date line. What is unknown stays None: neither a file's name nor its time is asked.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rag import groups
from rag.clean import clean, line_key
from rag.dateline import byline_in, date_in, dateline_of, dates, headline, is_headline
from rag.errors import CorpusError, UnreadableFile
from rag.folder import defaults, holds_for
from rag.formats import (
    extract_docx,
    extract_markdown,
    extract_page,
    extract_pdf,
    extract_text,
    text_of,
)
from rag.records import Article, Block, Cleaned, Extract

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx"})
MAX_BYTES = 20_000_000

_KNOWN = ("title", "date", "author", "source", "language", "url")
# Half characters and controls, which neither a database nor a page can hold; replaced one for one, so offsets hold.
_UNFIT = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")
# So many lines around the headline may hold the byline and the date line.
_REGION = 8
_TITLE_CHARS, _TITLE_WORDS = 70, 10
_LONGEST_FACT = 2_000  # characters of a title, a source …: a title is embedded with each passage


# --- files ------------------------------------------------------------------------------------------------------------


def files(root: Path) -> list[Path]:
    """The files below `root` that can be read, sorted. Hidden ones are left out, and links that lead out of `root`.

    Raises:
        CorpusError: if `root` is not a folder.
    """
    if not root.is_dir():
        raise CorpusError(f"{root} is not a folder; give the folder that holds the articles")
    home = root.resolve()
    found = []
    for folder, folders, names in os.walk(root):  # does not follow links to folders
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if _UNFIT.search(str(path)):
                log.warning("left out, since its name is not valid UTF-8: %r", path)
                continue
            if name.startswith((".", "~$")) or path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            if path.resolve().is_relative_to(home):
                found.append(path)
    return sorted(found)


def extract(path: Path, *, max_bytes: int = MAX_BYTES) -> Extract:
    """What a file says, before cleaning.

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
    if not data.strip():
        raise UnreadableFile("the file is empty")
    try:
        found = _extracted(path.suffix.lower(), data, max_bytes)
    except RecursionError as error:
        raise UnreadableFile("the file is nested too deeply to be an article") from error
    if not any(line.strip() for line in _lines(found)):
        raise UnreadableFile("the file holds no text")
    return replace(found, text=_UNFIT.sub("\ufffd", found.text)) if _UNFIT.search(found.text) else found


def _extracted(suffix: str, data: bytes, max_bytes: int) -> Extract:
    if suffix == ".pdf":
        return extract_pdf(data)
    if suffix == ".docx":
        return extract_docx(data, max_bytes=max_bytes)
    if suffix not in SUFFIXES:
        raise UnreadableFile(f"files of type {suffix or 'none'} are not read; known are {', '.join(sorted(SUFFIXES))}")
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
    return frozenset(line_key(line) for line in _lines(extract))


def read(path: Path, root: Path) -> Article:
    """One file as an article.

    Raises:
        UnreadableFile: with the reason, if the file cannot become an article.
        CorpusError: if the folder's `archive.yaml` cannot be used.
    """
    found = extract(path)
    said = holds_for(path.relative_to(root).as_posix(), defaults(root))
    return article(path, root, replace(found, metadata={**said, **found.metadata}))


def _lines(extract: Extract) -> list[str]:
    return [extract.text[block.start : block.end] for block in extract.blocks]


# --- articles ---------------------------------------------------------------------------------------------------------


def article(path: Path, root: Path, extract: Extract, repeated: Container[str] = frozenset()) -> Article:
    """The article in an extract: cleaned, with its metadata. `repeated` holds the `line_keys` of several articles.

    Raises:
        UnreadableFile: if the metadata has values of the wrong kind, or cleaning leaves nothing.
    """
    readers = groups.declared(extract.metadata)
    place = path.relative_to(root).as_posix()
    known = _declared(extract.metadata)
    if "title" in known:
        known["title"] = _without_site(known["title"], extract, known.get("source"))
    draft = clean(extract, language=known.get("language"), repeated=repeated)
    language = known.get("language") or detected(draft.text or extract.text)
    own, spent = _own(extract, draft, known, language)
    known = own | known
    rest = replace(extract, blocks=tuple(block for i, block in enumerate(extract.blocks) if i not in spent))
    cleaned = clean(rest, language=language, title=known.get("title"), repeated=repeated)
    if not cleaned.text.strip():
        raise UnreadableFile("nothing is left of the file after cleaning: it holds no article")
    more = _extras(extract.metadata)
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
    """A short, stable, URL-safe id from the path in the corpus."""
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


# --- metadata ---------------------------------------------------------------------------------------------------------


def _declared(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the file declares of the six known things, each in its type; absent where it declares nothing."""
    found: dict[str, Any] = {}
    for name in _KNOWN:
        value = metadata.get(name)
        if value is None or value == "" or value == []:
            continue
        found[name] = _date(value, metadata) if name == "date" else _words(name, value)
    if "language" in found:
        found["language"] = _code(found["language"])
    return {name: value for name, value in found.items() if value is not None}


def _without_site(title: str, extract: Extract, source: str | None) -> str:
    """A page's title without the site's name after it, where the page itself has the headline alone."""
    lines = line_keys(extract)
    if line_key(title) in lines:
        return title
    for match in reversed([*re.finditer(r"\s[-–—|•·:»]+\s", title)]):
        head, site = title[: match.start()], title[match.end() :]
        if len(head) >= 12 and (site == source or line_key(head) in lines):
            return head
    return title


def _words(name: str, value: object) -> str | None:
    if isinstance(value, list) and name == "author" and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        # YAML reads a bare "no" as False: the language code of Norwegian, and a fair headline.
        raise UnreadableFile(f"the metadata's {name} is {value!r}; expected words, in quotation marks where in doubt")
    said = " ".join(_UNFIT.sub(" ", str(value)).split()).strip(",;")
    if len(said) > _LONGEST_FACT:
        raise UnreadableFile(f"the metadata's {name} has {len(said)} characters; at most {_LONGEST_FACT} are read")
    return said or None


def _date(value: object, metadata: Mapping[str, Any]) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        raise UnreadableFile(f"the metadata's date is {value!r}; expected a date such as 2025-10-13")
    found = dates(value, str(metadata.get("language") or "")[:2].lower())
    return found[0][2] if found else None


def _code(language: str) -> str | None:
    """ISO 639-1 in small letters: "en-GB" is "en", "Deutsch" is "de"; None where it cannot be told."""
    names = {
        "dutch": "nl",
        "nederlands": "nl",
        "german": "de",
        "deutsch": "de",
        "english": "en",
        "engels": "en",
        "englisch": "en",
    }
    names |= {"nld": "nl", "dut": "nl", "deu": "de", "ger": "de", "eng": "en", "niederländisch": "nl", "duits": "de"}
    folded = language.strip().lower()
    match = re.fullmatch(r"([a-z]{2})(?:[-_].*)?", folded)
    return match[1] if match else names.get(folded)


def _extras(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever else the file declares, as plain data that JSON can hold."""
    more = {name: value for name, value in metadata.items() if name not in (*_KNOWN, "running", groups.KEY)}
    if "sample" in (more.get("keywords") or ()):
        more["sample"] = True
    try:
        plain: dict[str, Any] = json.loads(json.dumps(more, default=str, skipkeys=True, allow_nan=False))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"the metadata cannot be kept: {error}") from error
    return plain


def _own(
    extract: Extract, draft: Cleaned, known: Mapping[str, Any], language: str | None
) -> tuple[dict[str, Any], set[int]]:
    """What the text says of itself where nothing is declared, and which blocks said it: no part of the story."""
    lines = _lines(extract)
    starts = {segment.source_start for segment in draft.source_map}
    kept = [any(block.start <= start < block.end for start in starts) for block in extract.blocks]
    found: dict[str, Any] = {}
    head = _headline(extract.blocks, lines, kept, known.get("title"))
    if head is not None and "title" not in known:
        found["title"] = " ".join(lines[head].split())
    spent: set[int] = set()
    update = None
    for i in _region(lines, kept, head):
        author, when = byline_in(lines[i]), date_in(lines[i], language)
        if when and not author and i == head:
            continue
        if author:
            found.setdefault("author", author)
        if when and not when[1]:
            found.setdefault("date", when[0])
        elif when:
            update = update or when[0]
        if author or when:
            spent.add(i)
    if "date" not in found:
        first = next((line for line, keep in zip(lines, kept, strict=True) if keep and len(line) >= 60), "")
        running = [date for line in extract.metadata.get("running") or () for _, _, date in dates(line, language)]
        opening = dateline_of(first, language) or update or (running[0] if len(set(running)) == 1 else None)
        if opening:
            found["date"] = opening
    return found, spent


def _headline(blocks: Sequence[Block], lines: Sequence[str], kept: Sequence[bool], title: str | None) -> int | None:
    if title:
        key = line_key(title)
        return next((i for i, line in enumerate(lines) if line_key(line) == key), None)
    marked = next(
        (i for i, block in enumerate(blocks) if kept[i] and block.kind == "heading" and 3 < len(lines[i]) < 200), None
    )
    if marked is not None and not any(kept[i] and len(lines[i]) > 100 for i in range(marked)):
        return marked
    if any(block.kind != "line" for block in blocks):
        first = next((i for i in range(len(blocks)) if kept[i]), None)
        later = any(len(line) > 150 for line in lines)
        return first if first is not None and later and is_headline(lines[first]) else None
    return headline(lines, kept)


def _region(lines: Sequence[str], kept: Sequence[bool], head: int | None) -> Iterator[int]:
    """The lines that may hold byline and date: from the headline to the first paragraphs, then just above it."""
    first = next((i for i, line in enumerate(lines) if kept[i] and len(line) >= 100), len(lines))
    start = max(0, first - _REGION) if head is None else head + 1
    stop = min(max(first, start) + 2, start + 2 * _REGION, len(lines))
    yield from range(start, stop)
    if head is not None:
        yield from range(head - 1, max(-1, head - 4), -1)


# --- language ---------------------------------------------------------------------------------------------------------

# An archive of news in these; fewer rivals make short texts safer. With 35 languages, right on 120 characters in 997 of
# 1,000, in .1 ms; all of those above the bound were right (lingua: 993, 5 ms).
_LANGUAGES = (
    "nl de en fr es it pt da sv no fi pl cs ro hu tr ru uk el af lb ca hr sr sk sl bg et lv lt ar he zh ja ko".split()
)
_SURE = 0.7
_LETTERS = 40


def detected(text: str) -> str | None:
    """The language of a text, ISO 639-1, or None where it is too short or uncertain."""
    sample = text[:4000]
    letters = [char for char in sample if char.isalpha()]
    if len(letters) < _LETTERS:
        return None
    if sum(char < "\u0250" for char in letters) > 0.6 * len(letters):  # a few Japanese names weigh three bytes a letter
        sample = re.sub(r"[^\x00-\u024f\u2000-\u206f]+", " ", sample)
    language, probability = _identifier().classify(sample)
    return str(language) if probability >= _SURE else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(set(_LANGUAGES) & set(identifier.labels)))
    return identifier
