"""What goes over the wire: the shapes of what programs send, checked field by field, and of what they are told.

What is told is the records' own `to_dict`; the classes for it only describe it in the OpenAPI document.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rag import feedback, records
from rag.terms import is_whole

MOST_HITS = 50
MOST_ARTICLES = 200


def _day(value: object) -> dt.date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return dt.date.fromisoformat(value)
    raise ValueError("expected a date such as 2025-10-01")


def _whole(value: str) -> str:
    if not is_whole(value):
        raise ValueError("it holds half a character, which JSON can say and no text can")
    return value


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(max_length=200)]
Names = Annotated[list[Name], Field(max_length=200)]
Day = Annotated[dt.date, BeforeValidator(_day)]
Pair = Annotated[list[Text], Field(min_length=2, max_length=2)]
_Offset = Annotated[int, Field(ge=0, lt=2**31)]


# What is sent


class Sent(BaseModel):
    """Types as JSON has them and no fields but these: what is misspelt is said and not ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SentQuestion(Sent):
    """A question to the archive."""

    question: Annotated[Text, Field(description="At most 2,000 characters.")]
    history: Annotated[
        list[Pair],
        Field(description="Earlier [question, answer text] pairs, oldest first, which a follow-up may refer to."),
    ] = []
    languages: Annotated[
        Names | None, Field(description="Only articles in these languages may answer (ISO 639-1).")
    ] = None
    sources: Annotated[Names | None, Field(description="Only articles of these outlets may answer.")] = None
    since: Annotated[
        Day | None, Field(description="No earlier article; one without a date is outside any date filter.")
    ] = None
    until: Annotated[Day | None, Field(description="No later article.")] = None
    language: Annotated[
        Name | None, Field(description="Of what is said around the quotations: nl, de or en; else the question's own.")
    ] = None
    written: Annotated[
        bool, Field(description="Whether the language model writes the answer; without one it is quotations anyway.")
    ] = True

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"question": "What did Kyncl say about licensing?"},
                {
                    "question": "And Netflix?",
                    "history": [["What did Kyncl say about licensing?", "…"]],
                    "languages": ["nl", "en"],
                    "since": "2025-01-01",
                },
            ]
        }
    )


class SentAddress(Sent):
    """The address of an article, or of a feed."""

    url: Annotated[Text, Field(max_length=2_000, examples=["https://news.example/story"])]


class SentTranslation(Sent):
    """A quotation to translate: code points `[start, end)` of the text of the article with the id `article`."""

    article: Name
    start: _Offset
    end: _Offset
    language: Annotated[Literal["nl", "de", "en"], Field(description="Into which language.")]
    version: Annotated[
        Text,
        Field(max_length=64, description="The beginning of the `text_sha256` that the article had; else not checked."),
    ] = ""


class SentFilter(BaseModel):
    """Which articles are meant; `language` and `source` may come several times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Annotated[Names, Field(description="ISO 639-1; may repeat.")] = []
    source: Annotated[Names, Field(description="The outlet; may repeat.")] = []
    since: Annotated[Day | None, Field(description="The first day, such as 2025-10-01.")] = None
    until: Annotated[Day | None, Field(description="The last day.")] = None

    def filters(self) -> dict[str, Any]:
        """As `Assistant.search` and `Assistant.find_articles` take them."""
        return {
            "languages": self.language or None,
            "sources": self.source or None,
            "since": self.since,
            "until": self.until,
        }


class SentSearch(SentFilter):
    """A search for passages."""

    q: Annotated[str, Field(description="What to look for; at most 2,000 characters.")]
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10


class SentListing(SentFilter):
    """A page of the list of articles."""

    q: Annotated[Name, Field(description="Words that occur in headline, outlet, author or path.")] = ""
    limit: Annotated[int, Field(ge=1, le=MOST_ARTICLES)] = 50
    offset: _Offset = 0


class SentCitation(Sent):
    """A quotation of the answer: code points `[start, end)` of the text of the article with the id `article`."""

    article: Name  # its form is checked, in better words, where `Feedback` is made
    start: _Offset
    end: _Offset


class SentFeedback(Sent):
    """A reader's verdict on an answer. With the id of an earlier one it takes that one's place."""

    verdict: feedback.Verdict
    question: Annotated[str, Field(max_length=feedback.MAX_QUESTION)]
    language: Name
    found: bool
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    method: Name = "quotes"
    citations: Annotated[list[SentCitation], Field(max_length=feedback.MAX_CITATIONS)] = []
    note: Annotated[str, Field(max_length=feedback.MAX_NOTE)] | None = None
    id: Name | None = None


# What is told


class Article(BaseModel):
    """What is known about an article; null where nothing is."""

    id: str
    title: str
    source: str | None
    date: dt.date | None
    language: str | None
    url: str | None
    author: str | None
    path: str
    text_sha256: str
    sample: bool


class Span(BaseModel):
    """A half-open range of the article's text, in code points and in UTF-16 units, as JavaScript counts."""

    start: int
    end: int
    start_utf16: int
    end_utf16: int


class Page(BaseModel):
    """Where a page of a paged document begins."""

    number: int
    start: int
    start_utf16: int


class WholeArticle(Article):
    """An article with its text: paragraphs parted by a blank line, headings among them."""

    text: str
    headings: list[Span]
    pages: list[Page]


class Hit(Span):
    """A passage that was found; the higher the score, the nearer."""

    article: Article
    text: str
    score: float


class Citation(Span):
    """An exact quotation: the article's text from `start` to `end`."""

    number: int
    article: Article
    quote: str
    context: str
    page: int | None
    also_in: list[Article]


class Statement(BaseModel):
    """One statement of an answer, and the numbers of the citations it rests on."""

    text: str
    citations: list[int]
    supported: bool
    score: Annotated[float, Field(description="How probable it is that they support it, 0 to 1; 1 for a quotation.")]


class Answer(BaseModel):
    """What the archive answers. `nearest` is what came closest where nothing was found, and no answer."""

    question: str
    found: bool
    text: str
    language: str
    confidence: Annotated[float, Field(description="How probable it is that the first quotation answers, 0 to 1.")]
    statements: list[Statement]
    citations: list[Citation]
    sources: Annotated[
        int, Field(description="Independent sources: an outlet, and a report that several print, count once.")
    ]
    nearest: list[Hit]
    method: Annotated[str, Field(description="`quotes`, or `llm:` and the model that wrote the statements.")]
    struck: Annotated[int, Field(description="Statements of the model left out, since no quotation supports them.")]
    timings: Annotated[dict[str, float], Field(description="Milliseconds per stage.")]


class Translation(BaseModel):
    """What the language model makes of a quotation; no part of the article, and never cited."""

    translation: str
    model: str
    language: str


class Found(BaseModel):
    """The passages nearest to a query, best first."""

    query: str
    hits: list[Hit]


class Listing(BaseModel):
    """A page of the articles that match, newest first, and how many do."""

    articles: list[Article]
    total: int
    limit: int
    offset: int


class Uploaded(BaseModel):
    """The article that became of a file."""

    article: Article


class Fetched(BaseModel):
    """The articles that stand at an address."""

    articles: list[Article]


class Upload(BaseModel):
    """A file that was added, and its article; null where there is none yet."""

    name: str
    article: Article | None


class Uploads(BaseModel):
    """The files that were added."""

    uploads: list[Upload]


class Kept(BaseModel):
    """The id under which a verdict can be changed or taken back."""

    id: str


def event(given: records.Event) -> tuple[str, Any]:
    """The kind of a step of an answer, and the step as plain data; a statement with the citations that it cites."""
    if isinstance(given.data, tuple):
        return given.kind, [hit.to_dict() for hit in given.data]
    if isinstance(given.data, records.Statement):
        cited = [one.to_dict() for one in given.citations if one.number in given.data.citations]
        return given.kind, given.data.to_dict() | {"cited": cited}
    return given.kind, given.data.to_dict()


def _units(text: str, offset: int) -> int:
    """UTF-16 units before an offset in code points."""
    return len(text[:offset].encode("utf-16-le")) // 2


def whole(article: records.Article) -> dict[str, Any]:
    """An article with its text as plain data."""
    text = article.text
    headings = [
        {
            "start": heading.start,
            "end": heading.end,
            "start_utf16": _units(text, heading.start),
            "end_utf16": _units(text, heading.end),
        }
        for heading in article.headings
    ]
    pages = [
        {"number": number, "start": start, "start_utf16": _units(text, start)}
        for number, start in enumerate(article.pages, 1)
    ]
    return article.to_dict() | {"text": text, "headings": headings, "pages": pages}
