"""The data that flows through the stages, frozen and without I/O.

All offsets are half-open and count Unicode code points of `Article.text`; plain data carries them in UTF-16 code units
as well, for JavaScript.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from rag.errors import CitationError


def host(url: str | None) -> str | None:
    """The host of an address, without "www."; None where it has none."""
    try:
        found = urlsplit(url or "").hostname
    except ValueError:
        return None
    return found.removeprefix("www.") if found else None


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of cleaned text that stands unchanged in the extracted source.

    `text[start : start + length] == extracted[source_start : source_start + length]`.
    """

    start: int
    source_start: int
    length: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block of an extracted file: `extracted[start:end]`, without line breaks around it.

    `kind` is "heading", "item" (of a list) or "paragraph" where the format says so, and "line" where nothing is known
    (a line of a plain-text dump). `link_density` is the share of its characters that stand in links, 0 to 1.
    """

    start: int
    end: int
    kind: Literal["paragraph", "heading", "item", "line"] = "line"
    link_density: float = 0.0


@dataclass(frozen=True, slots=True)
class Extract:
    """What a file says before cleaning: its text with the markup gone, cut into blocks, and its own metadata.

    `metadata` holds only what the file declares (front matter, page metadata), by the names title, date, author,
    source, language, url and whatever else front matter says.
    """

    text: str
    blocks: tuple[Block, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()  # where each page of a paged document begins in `text`


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Cleaned text: the kept blocks parted by a blank line, which of them are headings, and the way back."""

    text: str
    headings: tuple[Span, ...]
    source_map: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """One article of the archive.

    `text` is the cleaned, canonical text: paragraphs parted by a blank line, headings among them. `id` is stable: it
    comes from the path in the corpus. `title` is the article's first words where no title is known; every other
    unknown is None. `groups` are those whose readers may read it, in small letters; everybody may where there are none.
    """

    id: str
    title: str
    text: str
    path: str
    text_sha256: str
    source: str | None = None
    date: dt.date | None = None
    language: str | None = None
    url: str | None = None
    author: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    headings: tuple[Span, ...] = ()
    pages: tuple[int, ...] = ()  # where each page of a paged document begins; empty for others
    source_map: tuple[Segment, ...] = ()
    groups: frozenset[str] = frozenset()

    @property
    def sample(self) -> bool:
        """Whether this is a sample article, which must not pass for journalism."""
        return bool(self.metadata.get("sample"))

    @property
    def outlet(self) -> str | None:
        """Whose article it is, as it is compared: the source in small letters, else the host of its address."""
        return " ".join(self.source.casefold().split()) if self.source else host(self.url)

    def page_at(self, offset: int) -> int | None:
        """The page (from 1) on which `offset` stands; None where the document has no pages."""
        page = None
        for number, start in enumerate(self.pages, 1):
            if start <= offset:
                page = number
        return page

    def to_dict(self) -> dict[str, Any]:
        """What is known about the article, without its text, and without its groups, which are not the reader's."""
        return {
            "id": self.id,
            "title": self.title,
            "source": self.source,
            "date": self.date.isoformat() if self.date else None,
            "language": self.language,
            "url": self.url,
            "author": self.author,
            "path": self.path,
            "text_sha256": self.text_sha256,
            "sample": self.sample,
        }


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an article: where it stands, and in which paragraph (from 0)."""

    start: int
    end: int
    paragraph: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A few consecutive sentences of one article, small enough to be about one thing.

    `context` is what an embedding needs to place the passage (headline, subheading, date, who "he" is). It is never
    part of what is quoted.
    """

    article: Article
    start: int
    end: int
    sentences: tuple[Sentence, ...]
    context: str = ""

    @property
    def text(self) -> str:
        return self.article.text[self.start : self.end]


def _utf16(text: str, start: int, end: int) -> tuple[int, int]:
    """The code points `start` and `end` of `text` as UTF-16 code units."""
    before, inside = (len(part.encode("utf-16-le")) // 2 for part in (text[:start], text[start:end]))
    return before, before + inside


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that retrieval found, with its score (higher is better)."""

    passage: Passage
    score: float

    def to_dict(self) -> dict[str, Any]:
        """The passage as plain data: `start` and `end` in code points of the article's text, `start_utf16` and
        `end_utf16` the same places in UTF-16 code units, as JavaScript counts."""
        passage = self.passage
        start_utf16, end_utf16 = _utf16(passage.article.text, passage.start, passage.end)
        return {
            "article": passage.article.to_dict(),
            "start": passage.start,
            "end": passage.end,
            "start_utf16": start_utf16,
            "end_utf16": end_utf16,
            "text": passage.text,
            "score": round(self.score, 4),
        }


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact quotation: always `article.text[start:end] == quote`.

    Raises:
        CitationError: if the span does not hold the quote. A citation cannot be made otherwise.
    """

    number: int
    article: Article
    start: int
    end: int
    quote: str
    context: str
    also_in: tuple[Article, ...] = ()

    def __post_init__(self) -> None:
        found = self.article.text[self.start : self.end] if 0 <= self.start < self.end else ""
        if not found or found != self.quote or len(found) != self.end - self.start:
            raise CitationError(
                f"{self.article.path}[{self.start}:{self.end}] holds {found[:60]!r}, not the quotation "
                f"{self.quote[:60]!r}; take the quotation from the article's text by its offsets"
            )

    @property
    def page(self) -> int | None:
        """The page (from 1) of a paged document on which the quotation begins."""
        return self.article.page_at(self.start)

    def to_dict(self) -> dict[str, Any]:
        """The citation as plain data: `start` and `end` in code points of the article's text, `start_utf16` and
        `end_utf16` the same places in UTF-16 code units, as JavaScript counts."""
        start_utf16, end_utf16 = _utf16(self.article.text, self.start, self.end)
        return {
            "number": self.number,
            "article": self.article.to_dict(),
            "start": self.start,
            "end": self.end,
            "start_utf16": start_utf16,
            "end_utf16": end_utf16,
            "quote": self.quote,
            "context": self.context,
            "page": self.page,
            "also_in": [article.to_dict() for article in self.also_in],
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an answer, the numbers of the citations it rests on, and whether they support it.

    `score` is the probability (0 to 1) that they do, as the check sees it; 1 for a quotation itself.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool
    score: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "citations": list(self.citations),
            "supported": self.supported,
            "score": round(self.score, 4),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the archive answers.

    `confidence` is the calibrated probability (0 to 1) that the first quotation answers the question, also when
    nothing was found. `nearest` holds what came closest when nothing was found; it is never called an answer.
    `method` is "quotes", or "llm:" and the name of the model that wrote the statements; `struck` holds those of its
    statements that no quotation supports, which are no part of the answer. `timings` are milliseconds per stage.
    """

    question: str
    found: bool
    text: str
    language: str
    confidence: float
    statements: tuple[Statement, ...] = ()
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Hit, ...] = ()
    method: str = "quotes"
    timings: Mapping[str, float] = field(default_factory=dict)
    struck: tuple[Statement, ...] = ()

    @property
    def sources(self) -> int:
        """How many independent sources the citations have: those of one outlet count once, and so do those of one
        report that several outlets print."""
        parts: list[set[str]] = []
        for citation in self.citations:
            told = {citation.article.id, *(other.id for other in citation.also_in)}
            told.add(f"of {citation.article.outlet or citation.article.id}")
            joined = [part for part in parts if part & told]
            parts = [part for part in parts if part not in joined] + [told.union(*joined)]
        return len(parts)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data, ready for JSON. Of what was struck, it holds the number only."""
        return {
            "question": self.question,
            "found": self.found,
            "text": self.text,
            "language": self.language,
            "confidence": round(self.confidence, 4),
            "statements": [statement.to_dict() for statement in self.statements],
            "citations": [citation.to_dict() for citation in self.citations],
            "sources": self.sources,
            "nearest": [hit.to_dict() for hit in self.nearest],
            "method": self.method,
            "struck": len(self.struck),
            "timings": {stage: round(ms, 2) for stage, ms in self.timings.items()},
        }

    def to_markdown(self) -> str:
        """The answer as Markdown: its text, then each citation as a block quote with where it stands."""
        parts = [f"**{_escaped(self.question)}**", *map(_escaped, self.text.split("\n\n"))]
        for citation in self.citations:
            quoted = "\n".join(f"> {_escaped(line)}" for line in citation.quote.split("\n"))
            parts.append(f"{quoted}\n>\n> [{citation.number}] {_place(citation)}")
        return "\n\n".join(parts) + "\n"


# An address of the web, without credentials, that ends no link early. An article may name anything as its own.
_LINKED = re.compile(r"https?://[^\s\x00-\x20<>\\@/?#]+(?:[/?#][^\s\x00-\x20<>\\]*)?", re.IGNORECASE)


def _place(citation: Citation) -> str:
    """Where a quotation stands, as far as known: outlet, headline, date, page, address."""
    article = citation.article
    known = [
        _escaped(article.source or ""),
        f"*{_escaped(article.title)}*",
        article.date.isoformat() if article.date else "",
        f"p. {citation.page}" if citation.page else "",
        "sample article" if article.sample else "",
        f"<{article.url}>" if _LINKED.fullmatch(article.url or "") else _escaped(article.path),
    ]
    return ", ".join(part for part in known if part)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is written."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)


@dataclass(frozen=True, slots=True)
class Event:
    """A step of an answer under way: "hits" (nearest first), then "statement" for each, then the whole "answer".

    `citations` are those that a statement's numbers stand for, so that no number is shown without its quotation.
    """

    kind: Literal["hits", "statement", "answer"]
    data: tuple[Hit, ...] | Statement | Answer
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """What an archive holds, in counts of articles.

    `languages` and `sources` leave out what is unknown and begin with the most. `months` counts by month ("2025-10")
    and language (None where unknown), in order. `first` and `last` are the earliest and the latest date. `revision`
    grows with every article that is written, so that with `articles` it tells whether the archive has changed.
    """

    articles: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    undated: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    revision: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync changed: counts of articles, and the files it skipped with the reason."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "added": self.added,
            "updated": self.updated,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "skipped": [{"path": path, "reason": reason} for path, reason in self.skipped],
        }
