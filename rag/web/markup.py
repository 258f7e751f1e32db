"""The HTML of a turn of the conversation: pure functions from records to markup.

Everything that comes from an article, a question or a model passes through `escape`; nothing behind it cleans up. The
markup holds no line breaks: Gradio's Markdown component passes a block of HTML through untouched up to the first blank
line, so text must not be able to bring one in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote

from rag.answer import date_text, language_name
from rag.records import Answer, Article, Citation, Hit, Statement
from rag.web.texts import Texts, confidence_word

_RIGHT_TO_LEFT = frozenset("ar dv fa he ps sd ug ur yi".split())  # ISO 639-1
_MARKER = re.compile(r"\[(\d{1,3})\]")
VERSION = 12  # digits of a text's hash that tell it from the article's other versions
_EXCERPT = 240  # characters of a passage that is only shown, not quoted


def escape(text: str) -> str:
    """`text` for use in HTML, in elements and in quoted attributes, its white space folded to single spaces."""
    return html.escape(" ".join(text.split()))


def article_href(article_id: str, *, root: str = "") -> str:
    """The address of an article's page, as the article stands."""
    return f"{root}/article/{quote(article_id, safe='')}"


def quote_href(article: Article, start: int, end: int, *, root: str = "") -> str:
    """The address of an article's page at the quotation `[start:end]` (code points), as it reads now for good.

    `v` tells which text was quoted, should the article be edited.
    """
    at = f"start={start}&end={end}&v={article.text_sha256[:VERSION]}"
    return f"{article_href(article.id, root=root)}?{at}#quote"


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
        parts.append(f'<bdi class="or-source">{escape(article.source)}</bdi>')
    if article.date:
        parts.append(
            f'<time datetime="{article.date.isoformat()}">{escape(date_text(article.date, texts.language))}</time>'
        )
    parts.append(language_chip(article.language, texts))
    if article.sample:
        parts.append(f'<span class="or-sample">{escape(texts.sample)}</span>')
    return " ".join(part for part in parts if part)


def direction(article: Article) -> str:
    """For `dir`: the language says more than the first letter of a line, which may belong to a foreign name."""
    return "rtl" if (article.language or "")[:2] in _RIGHT_TO_LEFT else "auto"


def spoken_in(article: Article) -> str:
    """The attributes for text of the article: its language where known, and its direction."""
    language = f' lang="{escape(article.language)}"' if article.language else ""
    return f'{language} dir="{direction(article)}"'


def _confidence(confidence: float, texts: Texts) -> str:
    """The word for the confidence, which is that of the first quotation; the number waits in its tooltip."""
    tip = escape(texts.confidence_tip.format(percent=round(100 * confidence)))
    word = escape(confidence_word(confidence, texts))
    return f'<span class="or-confidence" title="{tip}">{word}<span class="or-hidden">: {tip}</span></span>'


def spoken(citation: Citation, total: int, texts: Texts) -> str:
    """A quotation as a screen reader announces it: quotation 1 of 3, Bright, Dutch, 13 October 2025."""
    article = citation.article
    parts = [
        texts.quotation_of.format(number=citation.number, total=total),
        article.source or "",
        language_name(article.language, texts.language) if article.language else "",
        date_text(article.date, texts.language) if article.date else "",
        texts.sample if article.sample else "",
    ]
    return ", ".join(part for part in parts if part)


def _card(citation: Citation, total: int, texts: Texts, root: str, turn: int, sure: str) -> str:
    article = citation.article
    number = citation.number
    href = escape(quote_href(article, citation.start, citation.end, root=root))
    also = ""
    if citation.also_in:
        links = ", ".join(
            f'<a href="{escape(article_href(other.id, root=root))}" target="_blank">'
            f"{escape(other.source or other.title)}</a>"
            for other in citation.also_in
        )
        also = f'<p class="or-also">{escape(texts.also_in)} {links}</p>'
    page = f'<span class="or-where">{escape(texts.page.format(page=citation.page))}</span>' if citation.page else ""
    heard = escape(spoken(citation, total, texts))
    return (
        f'<article class="or-card" id="quote-{turn}-{number}" aria-label="{heard}">'
        f'<div class="or-frame"><span class="or-number" aria-hidden="true">{number}</span> '
        f"{article_facts(article, texts)}{page}{sure}</div>"
        f'<h3 class="or-headline"><a class="or-open" href="{href}" target="_blank"><span class="or-hidden">{heard}: '
        f"</span><span{spoken_in(article)}>{escape(article.title)}</span></a></h3>"
        f"<blockquote{spoken_in(article)}>{escape(citation.quote)}</blockquote>"
        f'<p class="or-acts"><button type="button" data-copy="quotation" data-number="{number}">'
        f"{escape(texts.copy_quotation)}</button></p>"
        f"{also}</article>"
    )


def _near(hit: Hit, texts: Texts, root: str) -> str:
    passage = hit.passage
    article = passage.article
    text = passage.text
    if len(text) > _EXCERPT:
        text = text[:_EXCERPT].rsplit(" ", 1)[0] + " …"
    href = escape(quote_href(article, passage.start, passage.end, root=root))
    return (
        f'<li><div class="or-frame">{article_facts(article, texts)}</div>'
        f'<a class="or-open or-headline" href="{href}" target="_blank"><span{spoken_in(article)}>'
        f'{escape(article.title)}</span></a><p class="or-excerpt"{spoken_in(article)}>{escape(text)}</p></li>'
    )


def _prose(statement: Statement, numbers: frozenset[int], texts: Texts, turn: int) -> str:
    """A statement with its markers as links to the cards; a marker without a card stays plain text."""

    def link(found: re.Match[str]) -> str:
        number = int(found[1])
        return f'<a class="or-marker" href="#quote-{turn}-{number}">[{number}]</a>' if number in numbers else found[0]

    # No line begins with a marker.
    text = _MARKER.sub(link, escape(statement.text).replace(" [", "\N{NO-BREAK SPACE}["))
    if statement.supported:
        return f"<p>{text}</p>"
    return f'<p class="or-unsupported">{text} <span class="or-note">{escape(texts.unsupported)}</span></p>'


def prose_html(statements: Sequence[Statement], citations: Sequence[Citation], texts: Texts, *, turn: int = 0) -> str:
    """What a language model wrote, a paragraph a statement; its markers lead to the cards of these citations."""
    numbers = frozenset(citation.number for citation in citations)
    return "".join(_prose(statement, numbers, texts, turn) for statement in statements)


def working_html(hits: Sequence[Hit], texts: Texts, *, model: str | None = None) -> str:
    """What is known before there is a statement: the closest headlines, and that the language model `model` writes."""
    writing = _written(texts.writing, model) if model else ""
    titles: dict[str, str] = {}
    for hit in hits:
        article = hit.passage.article
        titles.setdefault(
            article.id,
            f"<li>{language_chip(article.language, texts)} <span{spoken_in(article)}>"
            f"{escape(article.title)}</span></li>",
        )
    if not titles:
        return f'<p class="or-working">{escape(texts.searching)} …</p>{writing}'
    heads = "".join(list(titles.values())[:3])
    return f'<div class="or-working"><p>{escape(texts.looking_at)}</p><ul>{heads}</ul></div>{writing}'


def writing_html(
    prose: str, citations: Sequence[Citation], model: str, texts: Texts, *, root: str = "", turn: int = 0
) -> str:
    """An answer that the language model `model` is still writing: the `prose` so far, and the cards it refers to."""
    cards = "".join(_card(citation, len(citations), texts, root, turn, "") for citation in citations)
    line = _written(texts.writing, model)
    return f'<div class="or-prose">{prose}</div>{line}<section class="or-cards">{cards}</section>'


def _written(text: str, model: str) -> str:
    return f'<p class="or-written">{escape(text.format(model=model))}</p>'


def answer_html(answer: Answer, texts: Texts, *, root: str = "", turn: int = 0) -> str:
    """A whole answer: prose where a model wrote it, the cards of its quotations, or calmly that there is none.

    `texts` are those of the screen, whatever the language of the answer. `turn` numbers the conversation's turns, so
    that the cards of different answers keep different ids.
    """
    if not answer.found:
        near = "".join(_near(hit, texts, root) for hit in answer.nearest)
        nearest = f'<section class="or-nearest"><h3>{escape(texts.nearest)}</h3><ul>{near}</ul></section>'
        sentence = f'<p class="or-not-found" lang="{escape(answer.language)}">{escape(answer.text)}</p>'
        return f"{sentence}{nearest if near else ''}{_acts(texts)}"
    prose = ""
    if model := written_by(answer):  # otherwise the statements are the quotations, which the cards show
        said = prose_html(answer.statements, answer.citations, texts, turn=turn)
        prose = f'<div class="or-prose" lang="{escape(answer.language)}">{said}</div>'
        prose += _written(texts.written_by, model)
    first = _confidence(answer.confidence, texts)
    cards = "".join(
        _card(citation, len(answer.citations), texts, root, turn, "" if position else first)
        for position, citation in enumerate(answer.citations)
    )
    # What the answer says beside its statements: that a date filter left articles out.
    rest = answer.text.removeprefix("\n\n".join(statement.text for statement in answer.statements)).strip()
    head = ""
    if answer.sources > 1:
        head = f'<p class="or-sources">{escape(texts.sources.format(count=answer.sources))}</p>'
        # Where copies make them look like more, the answer says it too; no other number stands within its sentence.
        rest = "\n\n".join(part for part in rest.split("\n\n") if f" {answer.sources} " not in part)
    beside = f'<p class="or-aside" lang="{escape(answer.language)}">{escape(rest)}</p>' if rest else ""
    return f'{prose}{head}<section class="or-cards">{cards}</section>{beside}{_acts(texts)}'


def heard(answer: Answer, texts: Texts) -> str:
    """What a screen reader says when an answer has come, without reading all of it. Text, not markup."""
    if written_by(answer):
        return " ".join(_MARKER.sub("", statement.text).strip() for statement in answer.statements)
    total = len(answer.citations)
    return "; ".join(spoken(citation, total, texts) for citation in answer.citations) or answer.text


def written_by(answer: Answer) -> str:
    """The language model that wrote an answer; "" where it consists of quotations."""
    return answer.method.removeprefix("llm:") if answer.method != "quotes" else ""


def _acts(texts: Texts) -> str:
    """What can be done with an answer: copy it, for a wiki too, say whether it helped."""
    wikis = (("mediawiki", "MediaWiki"), ("dokuwiki", "DokuWiki"), ("footnotes", texts.copy_footnotes))
    copies = _copy_buttons(("plain", texts.copy_answer), ("markdown", texts.copy_markdown))
    for_wiki = f"<summary>{escape(texts.copy_wiki)}</summary><div>{_copy_buttons(*wikis)}</div>"
    thumbs = "".join(
        f'<button type="button" class="or-thumb" data-verdict="{verdict}" aria-pressed="false" title="{escape(label)}">'
        f'<span class="or-hidden">{escape(label)}</span></button>'
        for verdict, label in (("up", texts.helpful), ("down", texts.not_helpful))
    )
    return (
        f'<div class="or-acts or-turn-acts">{copies}<details class="or-wikis">{for_wiki}</details>'
        f'<span class="or-thumbs">{thumbs}</span></div>'
    )


def _copy_buttons(*kinds: tuple[str, str]) -> str:
    return "".join(f'<button type="button" data-copy="{kind}">{escape(label)}</button>' for kind, label in kinds)


def error_html(message: str) -> str:
    """One calm line."""
    return f'<p class="or-error" role="alert">{escape(message)}</p>'
