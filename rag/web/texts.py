"""What the screen has words for. The words themselves stand in `wordings`; answers are worded by the answering stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from babel.dates import format_date

LANGUAGES = ("nl", "de", "en")


@dataclass(frozen=True, slots=True)
class Texts:
    """The interface in one language. Fields with braces are formatted with the names shown in them."""

    language: str
    tagline: str
    question: str
    placeholder: str
    ask: str
    examples_title: str
    examples: tuple[str, str, str]
    articles: tuple[str, str]  # one, several
    languages: tuple[str, str]
    period: str
    archive_empty: str
    searching: str
    looking_at: str
    quotation_of: str
    sample: str
    open_article: str
    also_in: str
    page: str
    nearest: str
    sure: str
    likely: str
    thin: str
    confidence_tip: str
    unsupported: str
    too_long: str
    empty: str
    failed: str
    to_chat: str
    original: str
    stale: str
    not_found_title: str
    not_found: str


def reader_language(accept_language: str | None) -> str:
    """The language of nl, de and en that a browser's Accept-Language header ranks first; en where it names none."""
    best, best_weight = "en", 0.0
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower()[:2]
        try:
            weight = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def archive_line(articles: int, languages: Collection[str], dates: Collection[dt.date], texts: Texts) -> str:
    """The archive in one line (15 articles, 3 languages, Mar 2024 to Jan 2026); what is not known is left out."""
    if not articles:
        return texts.archive_empty
    parts = [f"{articles:,} ".replace(",", "\N{NO-BREAK SPACE}") + texts.articles[articles != 1]]
    if languages:
        parts.append(f"{len(languages)} {texts.languages[len(languages) != 1]}")
    if dates:
        first, last = (format_date(day, "MMM y", locale=texts.language) for day in (min(dates), max(dates)))
        parts.append(first if first == last else texts.period.format(first=first, last=last))
    return ", ".join(parts)


def confidence_word(confidence: float, texts: Texts) -> str:
    """A word for a calibrated probability (0 to 1): sure from 0.8, likely from 0.5, thin below."""
    if confidence >= 0.8:
        return texts.sure
    return texts.likely if confidence >= 0.5 else texts.thin
