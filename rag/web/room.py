"""The markup of the room around the conversation: masthead, question, filters, examples, and the sheet for an article.

Pure functions; the markup holds no blank line (see `markup`). What moves in it is moved by the scripts in `static`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rag.answer import language_name
from rag.records import Overview
from rag.web.markup import escape
from rag.web.texts import Texts, archive_line
from rag.web.wordings import LANGUAGE_NAMES

# What the scripts say by themselves.
_SCRIPTED = (
    "searching unreachable busy again copied copy_failed note send noted not_noted taken_back article_failed "
    "filters filter_sources filter_remove filter_since filter_until access_wanted article close open_page "
    "edited gone translate translating translation_by translation_failed translation_remove"
).split()


def masthead_html(overview: Overview | None, texts: Texts, notice: str = "", *, sign_out: str = "") -> str:
    """Name, archive in one line (or `notice` where there is none to speak of), and the languages of the page.

    `sign_out` is the address for leaving, for who has signed in.
    """
    line = notice or (archive_line(overview, texts) if overview else "")
    links = "".join(
        f'<a href="?lang={code}" hreflang="{code}" lang="{code}"{_current(code == texts.language)}>{escape(name)}</a>'
        for code, name in LANGUAGE_NAMES.items()
    )
    leave = (
        f'<form method="post" action="{escape(sign_out)}"><button type="submit">{escape(texts.sign_out)}</button>'
        "</form>"
        if sign_out
        else ""
    )
    return (
        f'<header class="or-masthead" lang="{texts.language}"><div><h1>On Record</h1>'
        f'<p class="or-tagline">{escape(texts.tagline)}</p><p class="or-archive">{escape(line)}</p></div>'
        f'<nav class="or-languages" aria-label="{escape(texts.language_choice)}">{links}{leave}</nav></header>'
    )


def _current(here: bool) -> str:
    return ' aria-current="true"' if here else ""


def room_html(
    overview: Overview | None,
    examples: Sequence[str],
    texts: Texts,
    *,
    root: str = "",
    compact: bool = False,
    writes: bool = False,
) -> str:
    """The conversation (empty), the question with its filters, the examples; without filters where it is `compact`.

    `writes`: whether a language model is there, so that the reader may choose how he is answered.
    """
    words = escape(json.dumps({name: getattr(texts, name) for name in _SCRIPTED}, ensure_ascii=False))
    return (
        f'<section class="or-conversation" lang="{texts.language}" data-root="{escape(root)}" data-texts="{words}">'
        f'<div id="or-log" role="region" aria-label="{escape(texts.conversation)}"></div>'
        '<p id="or-heard" class="or-hidden" role="status"></p>'
        f"{_asking(overview, texts, compact, writes)}{examples_html(examples, texts)}</section>"
    )


def _asking(overview: Overview | None, texts: Texts, compact: bool, writes: bool) -> str:
    filters = "" if compact else _filters(overview, texts)
    switch = _switch(texts) if writes else ""
    kept = "" if compact else f' title="{escape(texts.kept_here)}"'
    keys = "" if compact else f'<span class="or-keys" aria-hidden="true">{escape(texts.keys)}</span>'
    return (
        '<div id="or-asking"><form id="or-form" role="search">'
        f'<label class="or-hidden" for="or-question">{escape(texts.question)}</label>'
        f'<textarea id="or-question" rows="1" autocomplete="off" enterkeyhint="search" '
        f'placeholder="{escape(texts.placeholder)}"></textarea>'
        f'<button type="submit" class="or-primary">{escape(texts.ask)}</button></form>'
        '<ul id="or-chosen" class="or-chosen" hidden></ul>'
        f'<div class="or-tools">{filters}{switch}<button type="button" id="or-new"{kept} hidden>'
        f"{escape(texts.new_conversation)}</button>{keys}</div></div>"
    )


def _switch(texts: Texts) -> str:
    """Between quotations, which stand first, and an answer that the language model writes."""
    return (
        f'<fieldset class="or-switch"><legend class="or-hidden">{escape(texts.answer_as)}</legend>'
        f'<label><input type="radio" name="as" value="quotes" checked>{escape(texts.as_quotations)}</label>'
        f'<label><input type="radio" name="as" value="written" id="or-write">{escape(texts.as_written)}</label>'
        "</fieldset>"
    )


def _filters(overview: Overview | None, texts: Texts) -> str:
    languages = [(code, language_name(code, texts.language)) for code in (overview.languages if overview else ())]
    sources = [(name, name) for name in sorted(overview.sources, key=str.casefold)] if overview else []
    days = "".join(
        f'<label>{escape(label)}<input type="date" name="{name}"></label>'
        for name, label in (("since", texts.filter_since), ("until", texts.filter_until))
    )
    return (
        f'<details class="or-filters"><summary>{escape(texts.filters)}</summary><form id="or-filter">'
        f"{_boxes('language', texts.filter_languages, languages)}{_boxes('source', texts.filter_sources, sources)}"
        f'<div class="or-days">{days}</div>'
        f'<button type="reset">{escape(texts.filter_clear)}</button></form></details>'
    )


def _boxes(name: str, legend: str, choices: Iterable[tuple[str, str]]) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{escape(value)}"><bdi>{escape(label)}</bdi></label>'
        for value, label in choices
    )
    return f'<fieldset class="or-boxes"><legend>{escape(legend)}</legend><div>{boxes}</div></fieldset>' if boxes else ""


def examples_html(examples: Sequence[str], texts: Texts) -> str:
    """Questions to begin with, as buttons; nothing where there are none."""
    if not examples:
        return ""
    buttons = "".join(f'<li><button type="button">{escape(example)}</button></li>' for example in examples)
    return f'<div id="or-examples"><p>{escape(texts.examples_title)}</p><ul>{buttons}</ul></div>'


def sheet_html(texts: Texts) -> str:
    """The sheet beside the conversation on which an article is opened; empty and hidden at first."""
    return (
        f'<div id="or-sheet" lang="{texts.language}" hidden>'
        f'<div class="or-bar"><button type="button" class="or-close">{escape(texts.close)}</button>'
        f'<button type="button" class="or-copy-link">{escape(texts.copy_link)}</button>'
        f'<a class="or-as-page" target="_blank">{escape(texts.open_page)}</a></div>'
        f'<section class="or-sheet" tabindex="0" aria-label="{escape(texts.article)}"></section></div>'
    )
