"""The HTML of a turn of the conversation: pure functions from records to markup.

Everything that comes from an article, a question or a model passes through `escape`. Gradio's sanitiser behind it is
only a second wall; it takes roles and aria-labels away, so what a screen reader needs stands in hidden text. The
markup holds no line breaks: the chat's Markdown component passes a block of HTML through untouched up to the first
blank line, so text must not be able to bring one in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote

from rag.answer import date_text, language_name
from rag.records import Answer, Article, Citation, Hit, Statement
from rag.web.texts import Texts, confidence_word

_EXCERPT = 240  # characters of a passage that is only shown, not quoted


def escape(text: str) -> str:
    """`text` for use in HTML, in elements and in quoted attributes, its white space folded to single spaces."""
    return html.escape(" ".join(text.split()))


def article_href(article_id: str, start: int | None = None, end: int | None = None, *, root: str = "") -> str:
    """The address of an article's page, at the quotation `[start:end]` (code points) where one is given."""
    path = f"{root}/article/{quote(article_id, safe='')}"
    return path if start is None or end is None else f"{path}?start={start}&end={end}#quote"


def language_chip(language: str | None, texts: Texts) -> str:
    """NL, DE, EN: the article's language at a glance, in full for screen readers; nothing where it is not known."""
    if not language:
        return ""
    name = escape(language_name(language, texts.language))
    code = escape(language[:2].upper())
    return f'<span class="or-chip" title="{name}">{code}<span class="or-hidden"> ({name})</span></span>'


def article_facts(article: Article, texts: Texts) -> str:
    """Outlet, date, language and, for a sample, that it is one: each only as far as it is known."""
    parts = []
    if article.source:
        parts.append(f'<span class="or-source">{escape(article.source)}</span>')
    if article.date:
        parts.append(
            f'<time datetime="{article.date.isoformat()}">{escape(date_text(article.date, texts.language))}</time>'
        )
    parts.append(language_chip(article.language, texts))
    if article.sample:
        parts.append(f'<span class="or-sample">{escape(texts.sample)}</span>')
    return " ".join(part for part in parts if part)


def _lang(article: Article) -> str:
    return f' lang="{escape(article.language)}"' if article.language else ""


def _confidence(confidence: float, texts: Texts) -> str:
    """The word for the confidence, which is that of the first quotation; the number waits in its tooltip."""
    tip = escape(texts.confidence_tip.format(percent=round(100 * confidence)))
    return f' <span class="or-confidence" title="{tip}">{escape(confidence_word(confidence, texts))}</span>'


def _card(citation: Citation, total: int, texts: Texts, root: str, turn: int, sure: str) -> str:
    article = citation.article
    number = citation.number
    href = escape(article_href(article.id, citation.start, citation.end, root=root))
    before, after = (escape(part) for part in texts.quotation_of.format(number="#", total=total).split("#"))
    spoken = f'<span class="or-hidden">{before} </span>{number}<span class="or-hidden"> {after}</span>'
    where = f" · {escape(texts.page.format(page=citation.page))}" if citation.page else ""
    also = ""
    if citation.also_in:
        links = ", ".join(
            f'<a href="{escape(article_href(other.id, root=root))}" target="_blank">'
            f"{escape(other.source or other.title)}</a>"
            for other in citation.also_in
        )
        also = f'<p class="or-also">{escape(texts.also_in)} {links}</p>'
    return (
        f'<article class="or-card" id="quote-{turn}-{number}">'
        f'<div class="or-frame"><span class="or-number">{spoken}</span> {article_facts(article, texts)}{sure}</div>'
        f'<h3 class="or-headline"{_lang(article)}>{escape(article.title)}</h3>'
        f"<blockquote{_lang(article)}>{escape(citation.quote)}</blockquote>"
        f'<p class="or-link"><a class="or-open" href="{href}" target="_blank">{escape(texts.open_article)}</a>'
        f"{where}</p>"
        f"{also}</article>"
    )


def _near(hit: Hit, texts: Texts, root: str) -> str:
    passage = hit.passage
    article = passage.article
    text = passage.text
    if len(text) > _EXCERPT:
        text = text[:_EXCERPT].rsplit(" ", 1)[0] + " …"
    href = escape(article_href(article.id, passage.start, passage.end, root=root))
    return (
        f'<li><div class="or-frame">{article_facts(article, texts)}</div>'
        f'<a class="or-headline" href="{href}" target="_blank"{_lang(article)}>{escape(article.title)}</a>'
        f'<p class="or-excerpt"{_lang(article)}>{escape(text)}</p></li>'
    )


def _prose(statement: Statement, numbers: frozenset[int], texts: Texts, turn: int) -> str:
    """A statement with its markers as links to the cards; a marker without a card stays plain text."""

    def link(found: re.Match[str]) -> str:
        number = int(found[1])
        return f'<a class="or-marker" href="#quote-{turn}-{number}">[{number}]</a>' if number in numbers else found[0]

    text = re.sub(r"\[(\d{1,3})\]", link, escape(statement.text))
    if statement.supported:
        return f"<p>{text}</p>"
    return f'<p class="or-unsupported">{text} <span class="or-note">{escape(texts.unsupported)}</span></p>'


def question_html(question: str) -> str:
    """The question as the heading of its turn."""
    return f'<h2 class="or-question">{escape(question)}</h2>'


def working_html(hits: Sequence[Hit], statements: Sequence[Statement], texts: Texts) -> str:
    """What is known while the answer is under way: the closest headlines, then the statements as they come."""
    if statements:
        return "".join(_prose(statement, frozenset(), texts, 0) for statement in statements)
    titles: dict[str, str] = {}
    for hit in hits:
        article = hit.passage.article
        titles.setdefault(
            article.id, f"<li>{language_chip(article.language, texts)} <span>{escape(article.title)}</span></li>"
        )
    if not titles:
        return f'<p class="or-working">{escape(texts.searching)} …</p>'
    heads = "".join(list(titles.values())[:3])
    return f'<div class="or-working"><p>{escape(texts.looking_at)}</p><ul>{heads}</ul></div>'


def answer_html(answer: Answer, texts: Texts, *, root: str = "", turn: int = 0) -> str:
    """A whole answer: prose where a model wrote it, the cards of its quotations, or calmly that there is none.

    `turn` numbers the conversation's turns, so that the cards of different answers keep different ids.
    """
    if not answer.found:
        near = "".join(_near(hit, texts, root) for hit in answer.nearest)
        nearest = f'<section class="or-nearest"><h3>{escape(texts.nearest)}</h3><ul>{near}</ul></section>'
        return f'<p class="or-not-found">{escape(answer.text)}</p>{nearest if near else ""}'
    prose = ""
    if answer.method != "quotes":  # otherwise the statements are the quotations, which the cards show
        numbers = frozenset(citation.number for citation in answer.citations)
        prose = "".join(_prose(statement, numbers, texts, turn) for statement in answer.statements)
    first = _confidence(answer.confidence, texts)
    cards = "".join(
        _card(citation, len(answer.citations), texts, root, turn, "" if position else first)
        for position, citation in enumerate(answer.citations)
    )
    return f'{prose}<section class="or-cards">{cards}</section>'


def error_html(message: str) -> str:
    """One calm line."""
    return f'<p class="or-error">{escape(message)}</p>'


def turn_html(question: str, body: str, texts: Texts) -> str:
    """A turn: the question and what there is under it. `body` is markup, not text."""
    return f'<section class="or-turn" lang="{texts.language}">{question_html(question)}{body}</section>'
