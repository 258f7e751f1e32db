"""What the screen has words for. The words stand in `wordings`; answers are worded where they are made."""

from __future__ import annotations

from dataclasses import dataclass

from babel.dates import format_date

from rag.records import Overview

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
    example_about: str
    example_said: str
    example_known: str
    example_happened: str
    articles: tuple[str, str]  # one, several
    languages: tuple[str, str]
    period: str
    archive_empty: str
    searching: str
    looking_at: str
    quotation_of: str
    sample: str
    also_in: str
    sources: str
    page: str
    nearest: str
    sure: str
    likely: str
    thin: str
    confidence_tip: str
    unsupported: str
    answer_as: str
    as_quotations: str
    as_written: str
    writing: str
    written_by: str
    translate: str
    translating: str
    translation_by: str
    translation_failed: str
    translation_remove: str
    too_long: str
    empty: str
    failed: str
    to_chat: str
    original: str
    stale: str
    edited: str
    gone: str
    edited_page: str
    edited_now: str
    edited_lost: str
    quoted_gone: str
    not_found_title: str
    not_found: str
    archive_search: str
    archive_go: str
    archive_date: str
    archive_headline: str
    archive_source: str
    archive_language: str
    archive_author: str
    archive_month: str
    archive_any: str
    superseded: str
    archive_year: str
    archive_some: str
    archive_none: str
    archive_chosen: str
    archive_unchoose: str
    archive_pages: str
    archive_page: str
    archive_newer: str
    archive_older: str
    archive_failed: str
    archive_skipped_none: str
    archive_skipped: tuple[str, str]
    archive_more: str
    archive_bad_query: str
    archive_bad_language: str
    archive_bad_source: str
    archive_bad_date: str
    archive_bad_range: str
    archive_bad_month: str
    archive_bad_page: str
    archive_chart: str
    archive_other: str
    archive_unknown: str
    tab_ask: str
    tab_archive: str
    language_choice: str
    conversation: str
    filters: str
    filter_languages: str
    filter_sources: str
    filter_since: str
    filter_until: str
    filter_clear: str
    filter_remove: str
    new_conversation: str
    kept_here: str
    keys: str
    copy_quotation: str
    copy_answer: str
    copy_markdown: str
    copy_wiki: str
    copy_footnotes: str
    copied: str
    copy_failed: str
    helpful: str
    not_helpful: str
    note: str
    send: str
    noted: str
    not_noted: str
    taken_back: str
    article: str
    by: str
    close: str
    open_page: str
    copy_link: str
    article_failed: str
    unreachable: str
    busy: str
    again: str
    upload_title: str
    upload_choose: str
    upload_drop: str
    upload_hint: str
    upload_address: str
    upload_add: str
    upload_fetching: str
    upload_list: str
    upload_working: str
    upload_added: str
    upload_remove: str
    upload_sure: str
    upload_removing: str
    upload_removed: str
    upload_refused: str
    upload_not_removed: str
    upload_too_large: str
    upload_unreachable: str
    upload_unlisted: str
    sign_in: str
    password: str
    password_wrong: str
    password_too_often: str
    denied_title: str
    denied: str
    sign_out: str
    too_often: str
    access_wanted: str


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


def count_of(articles: int, texts: Texts) -> str:
    """How many articles, in words: 1 article, 1 200 articles."""
    return f"{articles:,} ".replace(",", "\N{NO-BREAK SPACE}") + texts.articles[articles != 1]


def archive_line(archive: Overview, texts: Texts) -> str:
    """The archive in one line (15 articles, 3 languages, Mar 2024 to Jan 2026); what is not known is left out."""
    if not archive.articles:
        return texts.archive_empty
    parts = [count_of(archive.articles, texts)]
    if archive.languages:
        parts.append(f"{len(archive.languages)} {texts.languages[len(archive.languages) != 1]}")
    if archive.first and archive.last:
        first, last = (format_date(day, "MMM y", locale=texts.language) for day in (archive.first, archive.last))
        parts.append(first if first == last else texts.period.format(first=first, last=last))
    return ", ".join(parts)


def confidence_word(confidence: float, texts: Texts) -> str:
    """A word for a calibrated probability (0 to 1): sure from 0.8, likely from 0.5, thin below."""
    if confidence >= 0.8:
        return texts.sure
    return texts.likely if confidence >= 0.5 else texts.thin
