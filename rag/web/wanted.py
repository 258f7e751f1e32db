"""What an address asks of the archive's list, read with what to say of the values that cannot be used."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlencode

from rag.answer import date_text
from rag.assistant import Assistant
from rag.listing import folded
from rag.records import Article, Overview
from rag.web.chart import period
from rag.web.texts import LANGUAGES, Texts

PAGE = 50  # articles on a page of the list
MAX_QUERY = 200  # characters

_Value = TypeVar("_Value", str, dt.date)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address asks of the archive; empty where it asks nothing.

    `month` is a month, a quarter or a year (see `chart.period`). `lang` is the language of the page where the address
    chose one, which its links keep.
    """

    query: str = ""
    language: str = ""
    source: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    month: str = ""
    page: int = 1
    lang: str = ""

    @property
    def filtered(self) -> bool:
        return replace(self, page=1, lang="") != Wanted()

    def days(self) -> tuple[dt.date | None, dt.date | None]:
        """The first and last day that both the dates and the month allow; they may cross."""
        first, last = period(self.month) if self.month else (None, None)
        since = max((day for day in (self.since, first) if day), default=None)
        return since, min((day for day in (self.until, last) if day), default=None)

    def href(self, root: str) -> str:
        """The address of this list."""
        values = {
            "q": self.query,
            "language": self.language,
            "source": self.source,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            "month": self.month,
            "page": str(self.page) if self.page > 1 else "",
            "lang": self.lang,
        }
        said = urlencode({name: value for name, value in values.items() if value})
        return f"{root}/archive?{said}" if said else f"{root}/archive"


def _language(value: str, overview: Overview) -> str | None:
    return value.lower() if value.lower() in overview.languages else None


def _source(value: str, overview: Overview) -> str | None:
    """The outlet of that name, also where case or accents differ."""
    if value in overview.sources:
        return value
    wanted = folded(value.strip()[:MAX_QUERY])
    return next((source for source in overview.sources if folded(source) == wanted), None)


def _date(value: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None
    except ValueError:
        return None


def _month(value: str) -> str | None:
    try:
        period(value)
    except ValueError:
        return None
    return value


def read(said: Mapping[str, str], overview: Overview, texts: Texts) -> tuple[Wanted, list[str]]:
    """What an address asks, and what to say of those values that cannot be used and are left out."""
    notices: list[str] = []

    def usable(name: str, reader: Callable[[str], _Value | None], complaint: str) -> _Value | None:
        value = said.get(name, "")
        found = reader(value) if value else None
        if value and found is None:
            notices.append(complaint.format(value=value if len(value) <= 80 else value[:80] + "…"))
        return found

    query = " ".join(said.get("q", "").split())
    if len(query) > MAX_QUERY:
        query = query[:MAX_QUERY]
        notices.append(texts.archive_bad_query.format(limit=MAX_QUERY))
    language = usable("language", lambda value: _language(value, overview), texts.archive_bad_language)
    source = usable("source", lambda value: _source(value, overview), texts.archive_bad_source)
    since = usable("since", _date, texts.archive_bad_date)
    until = usable("until", _date, texts.archive_bad_date)
    if since and until and since > until:
        days = {"since": date_text(since, texts.language), "until": date_text(until, texts.language)}
        notices.append(texts.archive_bad_range.format(**days))
        since = until = None
    month = usable("month", _month, texts.archive_bad_month)
    number = said.get("page", "") or "1"
    page = int(number) if re.fullmatch(r"[0-9]{1,6}", number) else 0
    if not page:
        notices.append(texts.archive_bad_page.format(value=number[:20], page=1))
    lang = said.get("lang", "") if said.get("lang", "") in LANGUAGES else ""
    wanted = Wanted(query, language or "", source or "", since, until, month or "", max(page, 1), lang)
    return wanted, notices


def find(assistant: Assistant, wanted: Wanted) -> tuple[list[Article], int]:
    """The page of articles that is wanted, and how many there are in all."""
    since, until = wanted.days()
    if since and until and since > until:
        return [], 0
    return assistant.find_articles(
        wanted.query,
        languages=[wanted.language] if wanted.language else None,
        sources=[wanted.source] if wanted.source else None,
        since=since,
        until=until,
        limit=PAGE,
        offset=(wanted.page - 1) * PAGE,
    )
