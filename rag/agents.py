"""What agents send and get: the shapes of the MCP tools' arguments and results, and the same as text.

Arguments are taken as models write them: a list may come as one word or as JSON in a string. Results are trimmed, since
all of it lands in a model's context: no timings, no hashes, no paths of files. Offsets are half-open code points of an
article's text.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rag.records import Answer, Article

_MOST_HITS = 50
_MOST_TURNS = 20


def _list(value: object) -> object:
    """A list, however a model wrote it: nothing, one word, or JSON in a string."""
    if value is None:
        return []
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return [value]
    return parsed if isinstance(parsed, list) else [value]


def _day(value: object) -> object:
    """Pydantic itself would take "20251001" for seconds since 1970."""
    if value is None or type(value) is dt.date:
        return value
    if not isinstance(value, str):
        raise ValueError("no date")
    return dt.date.fromisoformat(value)


_Day = Annotated[dt.date | None, BeforeValidator(_day)]
_Names = Annotated[list[str], BeforeValidator(_list), Field(max_length=200)]
_Offset = Annotated[int, Field(ge=0, lt=2**31)]


# Arguments


class _Sent(BaseModel):
    """No fields but these: what is misspelt is said and not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Filtered(_Sent):
    languages: _Names = Field(default=[], description="Only articles in these languages, such as nl, de, en.")
    sources: _Names = Field(default=[], description="Only articles of these outlets, by their exact names.")
    since: _Day = Field(default=None, description="Only articles from this day on, such as 2025-10-01.")
    until: _Day = Field(default=None, description="Only articles up to and with this day.")

    def filters(self) -> dict[str, Any]:
        """The filters as `Assistant` takes them."""
        return {
            "languages": self.languages or None,
            "sources": self.sources or None,
            "since": self.since,
            "until": self.until,
        }


class Turn(_Sent):
    """An earlier question and the text of its answer."""

    question: str = Field(max_length=20_000)
    answer: str = Field(max_length=20_000)


class Ask(_Filtered):
    """The arguments of `ask`."""

    question: str = Field(description="The question, in any language: one that can be answered by quoting.")
    history: Annotated[list[Turn], BeforeValidator(_list)] = Field(
        default=[],
        max_length=_MOST_TURNS,
        description="Earlier questions of this conversation with their answers, oldest first.",
    )


class Search(_Filtered):
    """The arguments of `search`."""

    query: str = Field(description="A few words or a question, in any language.")
    limit: int = Field(default=10, ge=1, le=_MOST_HITS, description="How many passages.")


class Read(_Sent):
    """The arguments of `read_article`."""

    id: str = Field(description="The id of the article.")
    start: _Offset = Field(default=0, description="The first character, counted from 0.")
    end: _Offset | None = Field(default=None, description="The character before which to stop.")


def said(error: ValidationError) -> str:
    """What is wrong with arguments, in one line: the first argument that cannot be used."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"the argument {place} is missing; add it"
    if first["type"] == "extra_forbidden":
        return f"the argument {place} is not known; leave it out"
    found = repr(first["input"])[:80]
    if place in ("since", "until"):
        return f"the argument {place} is {found}, expected a date such as 2025-10-01"
    return f"the argument {place} is {found}, which cannot be used: {first['msg']}"


def unknown(article_id: str) -> str:
    """That there is no such article, or none that this reader may see."""
    return f"there is no article {article_id[:80]!r} in the archive; take ids from `ask` or `search`"


# Results


class _Given(BaseModel):
    """Made from the `to_dict()` of the record; what is not named here is left out."""

    model_config = ConfigDict(frozen=True)


class ArticleOut(_Given):
    """What is known about an article."""

    id: str
    title: str
    source: str | None = Field(description="The outlet.")
    date: str | None
    language: str | None
    url: str | None
    author: str | None
    sample: bool = Field(description="Whether it was made up as a sample and is no journalism.")


class CitationOut(_Given):
    """A quotation: exactly the characters from `start` to before `end` of the article's text."""

    number: int = Field(description="The answer's text marks it with this number in brackets.")
    article: ArticleOut
    start: int
    end: int
    quote: str
    context: str = Field(description="The passage it stands in.")
    page: int | None = Field(description="The page of a paged document.")
    also_in: list[ArticleOut] = Field(description="Other articles that say the same.")


class StatementOut(_Given):
    """A statement of the answer and the numbers of the citations it rests on."""

    text: str
    citations: list[int]
    supported: bool


class HitOut(_Given):
    """A passage: the characters from `start` to before `end` of the article's text."""

    article: ArticleOut
    start: int
    end: int
    text: str
    score: float


class AnswerOut(_Given):
    """What the archive answers."""

    question: str
    found: bool = Field(description="False: the archive does not hold the answer.")
    text: str
    language: str
    confidence: float = Field(description="How probable it is, from 0 to 1, that the first quotation answers.")
    statements: list[StatementOut]
    citations: list[CitationOut]
    sources: int = Field(description="Independent sources: an outlet, and a report that several print, count once.")
    nearest: list[HitOut] = Field(description="Where nothing was found: what came closest. No answer.")
    method: str


class HitsOut(_Given):
    """The passages found, best first."""

    hits: list[HitOut]


class PartOut(_Given):
    """The characters from `start` to before `end` of an article that has `length` of them."""

    article: ArticleOut
    start: int
    end: int
    length: int
    text: str


# The same as text


def told(answer: Answer) -> str:
    """An answer as Markdown, with the places of its quotations, or of what came closest."""
    lines = [
        f"[{citation.number}] {citation.article.id}, characters {citation.start} to {citation.end}"
        for citation in answer.citations
    ]
    lines += [
        f"nearest, no answer: {hit.passage.article.id}, characters {hit.passage.start} to {hit.passage.end}"
        for hit in answer.nearest
    ]
    return answer.to_markdown() + "".join(f"\n- {line}" for line in lines)


def header(article: Article) -> str:
    """What is known about an article, one thing a line; none of the lines is empty, whatever its file says."""
    known = {
        "Id": article.id,
        "Title": article.title,
        "Source": article.source,
        "Date": article.date.isoformat() if article.date else None,
        "Author": article.author,
        "Language": article.language,
        "Address": article.url,
        "Note": "a sample article, no journalism" if article.sample else None,
    }
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in known.items() if value)


def page(article: Article) -> str:
    """A whole article: what is known, an empty line, its text."""
    return f"{header(article)}\n\n{article.text}"
