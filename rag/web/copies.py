"""What a reader copies: a quotation, or a whole answer with its sources, as plain text and as Markdown.

Like the framing of an answer, a copy says only what is known of an article. White space is folded as on the screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from rag.answer import date_text, framing_language, in_marks
from rag.records import Answer, Article, Citation
from rag.web.markup import article_href
from rag.web.page import web_address
from rag.web.texts import Texts
from rag.web.wordings import texts_for

# What means something to Markdown anywhere in a line, also as an address that some readers of it make a link of.
_MEANS = re.compile(r"[\\`*_\[\]<>{}#|~&$^@]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
# What means something at the beginning of one: a list and its number, the line below a heading, a table.
_BEGINS = re.compile(r"^(\d*)([-+=:.)])")
_NO_ADDRESS = re.compile(r"[\s\x00-\x20\x7f\"<>\\^`{|}]")


def plain(answer: Answer, base: str) -> str:
    """The answer with its sources, as text to paste: parts with a blank line between them, nothing after the last.

    `base` is the address of the application ("https://wiki.example/archive"), for links to articles that have no web
    address of their own; with "" these have none.
    """
    texts = texts_for(answer.language)
    parts = [_line(answer.question)]
    if not answer.found:
        parts += [_line(answer.text), f"{texts.nearest}:" if answer.nearest else ""]
        for hit in answer.nearest:
            near = hit.passage
            link = _link(near.article, near.start, near.end, base)
            parts.append(_joined("\n", [_place(near.article, texts), link]))
        return _joined("\n\n", parts)
    written = _written(answer, texts)
    parts += [_line(statement) for statement in written]
    for citation in answer.citations:
        number = f"[{citation.number}] " if written else ""
        parts.append(number + quotation(citation, texts.language, base))
    return _joined("\n\n", parts)


def markdown(answer: Answer, base: str) -> str:
    """The same as Markdown: quotations as block quotes, everything from elsewhere escaped. `base` as for `plain`."""
    texts = texts_for(answer.language)
    question = _escaped(answer.question)
    parts = [f"**{question}**" if question else ""]
    if not answer.found:
        parts += [_escaped(answer.text), f"{_escaped(texts.nearest)}:" if answer.nearest else ""]
        near = []
        for hit in answer.nearest:
            article = hit.passage.article
            link = _link(article, hit.passage.start, hit.passage.end, base)
            near.append("- " + _joined(", ", [_place(article, texts, rich=True), f"<{link}>" if link else ""]))
        return _joined("\n\n", [*parts, "\n".join(near)])
    written = _written(answer, texts)
    parts += [_escaped(statement) for statement in written]
    for citation in answer.citations:
        number = f"\\[{citation.number}\\] " if written else ""
        link = _link(citation.article, citation.start, citation.end, base)
        place = _joined(", ", [_place(citation.article, texts, citation, rich=True), f"<{link}>" if link else ""])
        parts.append(f"> {number}{_escaped(_in_own_marks(citation, texts))}\n>\n> {place}")
    return _joined("\n\n", parts)


def quotation(citation: Citation, language: str, base: str) -> str:
    """One quotation with its source in `language`, as plain text on two or three lines. `base` as for `plain`."""
    texts = texts_for(language)
    link = _link(citation.article, citation.start, citation.end, base)
    return _joined("\n", [_in_own_marks(citation, texts), _place(citation.article, texts, citation), link])


def _joined(between: str, parts: Iterable[str]) -> str:
    return between.join(part for part in parts if part)


def _written(answer: Answer, texts: Texts) -> list[str]:
    """The statements of a written answer; none where they are the quotations themselves."""
    if answer.method == "quotes":
        return []
    return [
        statement.text if statement.supported else f"{statement.text} ({texts.unsupported})"
        for statement in answer.statements
    ]


def _in_own_marks(citation: Citation, texts: Texts) -> str:
    """The quotation in the marks of its language, or of the reader's where we do not know those."""
    language = citation.article.language or ""
    return in_marks(_line(citation.quote), language if framing_language(language) == language else texts.language)


def _place(article: Article, texts: Texts, citation: Citation | None = None, *, rich: bool = False) -> str:
    """Where it stands, as far as known: outlet, headline, date, page, that it is a sample, where it stands as well."""
    shown = _escaped if rich else _line
    title = shown(article.title)
    page = citation.page if citation else None
    also = ", ".join(shown(other.source or other.title) for other in citation.also_in) if citation else ""
    known = [
        shown(article.source or ""),
        f"*{title}*" if rich and title else in_marks(title, texts.language),
        date_text(article.date, texts.language) if article.date else "",
        texts.page.format(page=page) if page else "",
        texts.sample if article.sample else "",
    ]
    return _joined(", ", known) + (f" ({texts.also_in.lower()} {also})" if also else "")


def _link(article: Article, start: int, end: int, base: str) -> str:
    """The article's own address on the web, else the permanent link to this place of it."""
    url = web_address(article.url) or (base.rstrip("/") + article_href(article.id, start, end) if base else "")
    # White space and angle brackets would end the link early.
    return _NO_ADDRESS.sub(lambda found: quote(found[0]), url)


def _line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """A line of text that Markdown shows as it is written."""
    return _BEGINS.sub(r"\1\\\2", _MEANS.sub(r"\\\g<0>", _line(text)))
