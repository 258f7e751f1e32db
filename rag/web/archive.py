"""The archive as a list: a table of its articles with search and filters, and what the last sync skipped.

Complete without JavaScript as a page of its own; the tab of the room loads the same markup piece by piece.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from rag.answer import date_text, language_name
from rag.errors import RagError
from rag.listing import folded
from rag.records import Article, Overview
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.chart import period, period_name, periods
from rag.web.guards import FORM_POLICY
from rag.web.markup import article_href, direction, error_html, escape, language_chip
from rag.web.page import document, response
from rag.web.texts import Texts, archive_line, count_of
from rag.web.wanted import MAX_QUERY, PAGE, Wanted, find, read

_FEW = 40  # outlets up to which they stand in a plain choice; beyond that one types and is offered what fits
_SKIPPED = 200  # skipped files that are listed


def _option(value: str, label: str, chosen: str) -> str:
    selected = " selected" if value == chosen else ""
    return f'<option value="{escape(value)}"{selected}>{escape(label)}</option>'


def _select(name: str, label: str, options: str, chosen: str, texts: Texts) -> str:
    return (
        f'<label class="or-a-field"><span>{escape(label)}</span><select name="{name}">'
        f"{_option('', texts.archive_any, chosen)}{options}</select></label>"
    )


def _languages(overview: Overview, wanted: Wanted, texts: Texts) -> str:
    names = sorted((language_name(code, texts.language), code) for code in overview.languages)
    options = "".join(_option(code, f"{name} ({overview.languages[code]})", wanted.language) for name, code in names)
    return _select("language", texts.archive_language, options, wanted.language, texts) if options else ""


def _sources(overview: Overview, wanted: Wanted, texts: Texts) -> str:
    names = sorted(overview.sources, key=lambda source: (folded(source), source))
    if len(names) <= _FEW:
        options = "".join(_option(name, f"{name} ({overview.sources[name]})", wanted.source) for name in names)
        return _select("source", texts.archive_source, options, wanted.source, texts) if options else ""
    offered = "".join(f'<option value="{escape(name)}"></option>' for name in names)
    return (
        f'<label class="or-a-field"><span>{escape(texts.archive_source)}</span><input name="source" type="text" '
        f'list="or-a-sources" dir="auto" autocomplete="off" value="{escape(wanted.source)}" '
        f'placeholder="{escape(texts.archive_any)}"></label><datalist id="or-a-sources">{offered}</datalist>'
    )


def _month_choice(overview: Overview, wanted: Wanted, texts: Texts) -> str:
    """The months that have articles, newest first, by year; every bar of the chart is among them."""
    counts: dict[str, int] = {}
    for (month, _), count in overview.months.items():
        for key in (month, month[:4]):
            counts[key] = counts.get(key, 0) + count
    bars = [key for key in periods(overview) if "-Q" in key]
    for (month, _), count in overview.months.items() if bars else ():
        key = f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}"
        counts[key] = counts.get(key, 0) + count
    years = sorted({key[:4] for key in counts}, reverse=True)
    groups = []
    for year in years:
        keys = sorted((key for key in counts if key[:4] == year and key != year), key=lambda key: period(key)[::-1])
        whole = [_option(year, f"{texts.archive_year.format(year=year)} ({counts[year]})", wanted.month)]
        each = [
            _option(key, f"{period_name(key, texts.language)} ({counts[key]})", wanted.month) for key in reversed(keys)
        ]
        groups.append(f'<optgroup label="{year}">{"".join(whole + each)}</optgroup>')
    if wanted.month and wanted.month not in counts:
        groups.append(_option(wanted.month, f"{period_name(wanted.month, texts.language)} (0)", wanted.month))
    return _select("month", texts.archive_month, "".join(groups), wanted.month, texts) if groups else ""


def form_html(overview: Overview, wanted: Wanted, texts: Texts, *, root: str = "") -> str:
    """The search field and the filters; sent by GET, so that the list they choose has an address."""
    days = "".join(
        f'<label class="or-a-field"><span>{escape(label)}</span><input type="date" name="{name}" '
        f'value="{day.isoformat() if day else ""}"></label>'
        for name, label, day in (
            ("since", texts.filter_since, wanted.since),
            ("until", texts.filter_until, wanted.until),
        )
    )
    lang = f'<input type="hidden" name="lang" value="{wanted.lang}">' if wanted.lang else ""
    return (
        f'<form class="or-a-form" action="{escape(root)}/archive" method="get" role="search" '
        f'aria-label="{escape(texts.tab_archive)}">'
        f'<label class="or-a-field or-a-search"><span>{escape(texts.archive_search)}</span>'
        f'<input type="search" name="q" dir="auto" maxlength="{MAX_QUERY}" autocomplete="off" '
        f'value="{escape(wanted.query)}"></label>'
        f"{_languages(overview, wanted, texts)}{_sources(overview, wanted, texts)}"
        f"{_month_choice(overview, wanted, texts)}{days}{lang}"
        f'<button type="submit">{escape(texts.archive_go)}</button></form>'
    )


def _address(article: Article, root: str, lang: str) -> str:
    return escape(article_href(article.id, root=root) + (f"?lang={lang}" if lang else ""))


def _superseded(later: Article | None, texts: Texts, root: str, lang: str) -> str:
    """That there is a later version of an article, and the way to it."""
    if later is None:
        return ""
    dated = later.date and date_text(later.date, texts.language)
    link = f'<a href="{_address(later, root, lang)}">{escape(dated or later.title)}</a>'
    said = escape(texts.superseded).replace("{version}", link)
    return f' <span class="or-a-later" lang="{texts.language}">{said}</span>'


def _row(article: Article, later: Article | None, texts: Texts, root: str, lang: str) -> str:
    day = article.date
    date = f'<time datetime="{day.isoformat()}">{escape(date_text(day, texts.language))}</time>' if day else ""
    language = f' lang="{escape(article.language)}"' if article.language else ""
    sample = f' <span class="or-sample" lang="{texts.language}">{escape(texts.sample)}</span>' if article.sample else ""
    cells = (
        ("date", date),
        ("source", f"<bdi>{escape(article.source)}</bdi>" if article.source else ""),
        ("language", language_chip(article.language, texts)),
        ("author", f"<bdi>{escape(article.author)}</bdi>" if article.author else ""),
    )
    date_cell, *others = (f'<td role="cell" class="or-a-{name}">{content}</td>' for name, content in cells)
    side = direction(article)
    return (
        f'<tr role="row">{date_cell}'
        f'<th role="rowheader" scope="row" class="or-a-headline" dir="{side}"{language}>'
        f'<a href="{_address(article, root, lang)}">{escape(article.title)}</a>{sample}'
        f"{_superseded(later, texts, root, lang)}</th>{''.join(others)}</tr>"
    )


def _table(
    articles: Iterable[Article], later: Mapping[str, Article], counted: str, texts: Texts, root: str, lang: str
) -> str:
    # On a narrow screen the rows become cards, for which some browsers forget that it is a table; the roles say it.
    columns = (
        texts.archive_date,
        texts.archive_headline,
        texts.archive_source,
        texts.archive_language,
        texts.archive_author,
    )
    head = "".join(f'<th role="columnheader" scope="col">{escape(column)}</th>' for column in columns)
    rows = "".join(_row(article, later.get(article.id), texts, root, lang) for article in articles)
    return (
        f'<table class="or-a-table" role="table"><caption class="or-a-count">{html.escape(counted)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{rows}</tbody></table>'
    )


def _chosen(wanted: Wanted, texts: Texts, root: str) -> str:
    """What was chosen by a bar of the chart (or the month's field), and the way to take it back."""
    if not wanted.month:
        return ""
    what = period_name(wanted.month, texts.language)
    if wanted.language:
        what += f", {language_name(wanted.language, texts.language)}"
    href = escape(replace(wanted, month="", language="", page=1).href(root))
    return (
        f'<p class="or-a-chosen"><span>{escape(texts.archive_chosen.format(what=what))}</span>'
        f'<a class="or-a-clear" href="{href}" aria-label="{escape(texts.archive_unchoose.format(what=what))}">'
        '<span aria-hidden="true">\N{MULTIPLICATION SIGN}</span></a></p>'
    )


def _pages(wanted: Wanted, pages: int, texts: Texts, root: str) -> str:
    if pages < 2:
        return ""
    here = escape(texts.archive_page.format(page=wanted.page, pages=pages))
    links = {
        "prev": (wanted.page - 1, texts.archive_newer) if wanted.page > 1 else None,
        "next": (wanted.page + 1, texts.archive_older) if wanted.page < pages else None,
    }
    newer, older = (
        f'<a rel="{rel}" href="{escape(replace(wanted, page=link[0]).href(root))}">{escape(link[1])}</a>'
        if link
        else "<span></span>"
        for rel, link in links.items()
    )
    return f'<nav class="or-a-pages" aria-label="{escape(texts.archive_pages)}">{newer}<span>{here}</span>{older}</nav>'


def list_html(
    articles: Sequence[Article],
    total: int,
    overview: Overview,
    wanted: Wanted,
    texts: Texts,
    *,
    later: Mapping[str, Article] | None = None,
    notices: Sequence[str] = (),
    root: str = "",
) -> str:
    """What changes with the filters: notices, the choice, how many there are, the table, the way to other pages.

    `later`: the latest versions of articles that they supersede, by the ids of these.
    """
    counted = count_of(overview.articles, texts)  # with no-break spaces, which `escape` would fold
    if wanted.filtered:
        counted = texts.archive_some.format(shown=f"{total:,}".replace(",", "\N{NO-BREAK SPACE}"), articles=counted)
    said = "".join(f'<p class="or-notice">{escape(notice)}</p>' for notice in notices)
    reset = ""
    if wanted.filtered:
        reset = (
            f'<p class="or-a-reset"><a href="{escape(Wanted(lang=wanted.lang).href(root))}">'
            f"{escape(texts.filter_clear)}</a></p>"
        )
    if articles:
        body = _table(articles, later or {}, counted, texts, root, wanted.lang)
    else:
        why = texts.archive_none if overview.articles else texts.archive_empty
        body = f'<p class="or-a-count">{html.escape(counted)}</p><p class="or-a-none">{escape(why)}</p>'
    pages = _pages(wanted, -(-total // PAGE), texts, root)
    return f'<div class="or-a-list">{said}{_chosen(wanted, texts, root)}{reset}{body}{pages}</div>'


def skipped_html(skipped: Sequence[tuple[str, str]], texts: Texts) -> str:
    """What the last sync could not read, and why; one quiet line where it read everything."""
    if not skipped:
        return f'<p class="or-a-skipped">{escape(texts.archive_skipped_none)}</p>'
    summary = escape(texts.archive_skipped[len(skipped) != 1].format(count=len(skipped)))
    rows = "".join(
        f'<li><code dir="auto">{escape(path)}</code> <span lang="en">{escape(reason)}</span></li>'
        for path, reason in skipped[:_SKIPPED]
    )
    more = len(skipped) - _SKIPPED
    rest = f"<li>{escape(texts.archive_more.format(count=more))}</li>" if more > 0 else ""
    return f'<details class="or-a-skipped"><summary>{summary}</summary><ul>{rows}{rest}</ul></details>'


def archive_html(
    articles: Sequence[Article],
    total: int,
    overview: Overview,
    skipped: Sequence[tuple[str, str]],
    wanted: Wanted,
    texts: Texts,
    *,
    later: Mapping[str, Article] | None = None,
    notices: Sequence[str] = (),
    root: str = "",
) -> str:
    """The whole list: form, table, what was skipped."""
    return (
        f'<div class="or-a" lang="{texts.language}" data-chart="{escape(texts.archive_chart)}" '
        f'data-failed="{escape(texts.archive_failed)}" data-archive="{escape(archive_line(overview, texts))}">'
        f"{form_html(overview, wanted, texts, root=root)}"
        f"{list_html(articles, total, overview, wanted, texts, later=later, notices=notices, root=root)}"
        f"{skipped_html(skipped, texts)}</div>"
    )


def routes(questions: Questions, root: str, texts_of: Callable[[Request], Texts]) -> APIRouter:
    """`GET /archive`: a page; with `part=1` what the tab shows of it, with `part=list` what the filters change."""
    router = APIRouter(include_in_schema=False)

    @router.get("/archive", response_class=HTMLResponse)
    def archive(request: Request) -> HTMLResponse:
        texts = texts_of(request)
        assistant = questions.archive(reader_of(request.scope))
        part = request.query_params.get("part")
        status = 200
        try:
            overview = assistant.overview()
            wanted, notices = read(request.query_params, overview, texts)
            articles, total = find(assistant, wanted)
            last = max(1, -(-total // PAGE))
            if wanted.page > last:
                notices.append(texts.archive_bad_page.format(value=wanted.page, page=last))
                wanted = replace(wanted, page=last)
                articles, total = find(assistant, wanted)
            newer = assistant.superseded([article.id for article in articles])
            later = {old: found for old, new in newer.items() if (found := assistant.article(new))}
            if part == "list":
                content = list_html(articles, total, overview, wanted, texts, notices=notices, root=root, later=later)
            else:
                skipped = assistant.skipped()
                content = archive_html(
                    articles, total, overview, skipped, wanted, texts, notices=notices, root=root, later=later
                )
        except RagError as error:
            content, status = error_html(str(error)), 503
        if not part:
            body = f'<main class="or-wide">\n<h1>{escape(texts.tab_archive)}</h1>\n{content}\n</main>'
            content = document(texts.tab_archive, body, texts, root, styles=("room.css", "archive.css"))
        return response(content, status, policy=FORM_POLICY)

    return router
