"""What a reader copies: a quotation, or a whole answer with its sources, as plain text and as Markdown.

Like the framing of an answer, a copy says only what is known of an article. White space is folded as on the screen.
What a wiki takes, with footnotes, is made in `footnotes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote as percent

from rag.answer import date_text, framing_language, in_marks
from rag.records import Answer, Article, Citation
from rag.web.markup import quote_href, written_by
from rag.web.page import web_address
from rag.web.texts import Texts
from rag.web.wordings import texts_for

# What means something to Markdown anywhere in a line, also as an address that some readers of it make a link of.
_MEANS = re.compile(r"[\\`*_\[\]<>{}#|~&$^@]|:(?=//)|(?<=(?<![^\W_])www)\.", re.IGNORECASE)
# What means something at the beginning of one: a list and its number, the line below a heading, a table.
_BEGINS = re.compile(r"^(\d*)([-+=:.)])")
# What cannot stand in an address wherever it is pasted: what ends it early, and what a wiki takes for its own.
_NO_ADDRESS = re.compile(r"[^A-Za-z0-9\-._/?#:@!$&()*+,;=%~]|[_~](?=[_~])")
_LIKE_ENTITY = re.compile(r"(&#?\w+);")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # all but white space
_EXACT = 12  # a link names so many words of a quotation one by one
_ENDS = 5  # and of a longer one so many at each end, which also keeps where the page sets something between them


def plain(answer: Answer, base: str) -> str:
    """The answer with its sources, as text to paste: parts with a blank line between them, nothing after the last.

    `base` is the address of the application ("https://wiki.example/archive"), for links to articles that have no web
    address of their own; with "" these have none.
    """
    texts = texts_for(answer.language)
    parts = [line(answer.question)]
    if not answer.found:
        parts += [line(answer.text), f"{texts.nearest}:" if answer.nearest else ""]
        for hit in answer.nearest:
            near = hit.passage
            parts.append(
                joined("\n", [_plain_place(near.article, texts), link(near.article, near.start, near.end, base)])
            )
        return joined("\n\n", parts)
    statements = written(answer, texts)
    parts += [*(line(statement) for statement in statements), line(writer(answer, texts))]
    for citation in cited(answer):
        number = f"[{citation.number}] " if statements else ""
        parts.append(number + quotation(citation, texts.language, base))
    return joined("\n\n", parts)


def markdown(answer: Answer, base: str) -> str:
    """The same as Markdown: quotations as block quotes, everything from elsewhere escaped. `base` as for `plain`."""
    texts = texts_for(answer.language)
    question = escaped(answer.question)
    parts = [f"**{question}**" if question else ""]
    if not answer.found:
        parts += [escaped(answer.text), f"{escaped(texts.nearest)}:" if answer.nearest else ""]
        near = []
        for hit in answer.nearest:
            article = hit.passage.article
            address = link(article, hit.passage.start, hit.passage.end, base)
            near.append("- " + joined(", ", [_rich_place(article, texts), f"<{address}>" if address else ""]))
        return joined("\n\n", [*parts, "\n".join(near)])
    statements = written(answer, texts)
    parts += [*(escaped(statement) for statement in statements), escaped(writer(answer, texts))]
    for citation in cited(answer):
        number = f"\\[{citation.number}\\] " if statements else ""
        address = link_to(citation, base)
        where = joined(", ", [_rich_place(citation.article, texts, citation), f"<{address}>" if address else ""])
        parts.append(f"> {number}{escaped(in_own_marks(citation, texts))}\n>\n> {where}")
    return joined("\n\n", parts)


def quotation(citation: Citation, language: str, base: str) -> str:
    """One quotation with its source in `language`, as plain text on two or three lines. `base` as for `plain`."""
    texts = texts_for(language)
    place = _plain_place(citation.article, texts, citation)
    return joined("\n", [in_own_marks(citation, texts), place, link_to(citation, base)])


def joined(between: str, parts: Iterable[str]) -> str:
    """The parts that are not empty, with `between` between them."""
    return between.join(part for part in parts if part)


def written(answer: Answer, texts: Texts) -> list[str]:
    """The statements of a written answer; none where they are the quotations themselves."""
    if not written_by(answer):
        return []
    return [
        statement.text if statement.supported else f"{statement.text} ({texts.unsupported})"
        for statement in answer.statements
    ]


def writer(answer: Answer, texts: Texts) -> str:
    """Which language model wrote the answer, in a sentence; "" where none did."""
    model = written_by(answer)
    return texts.written_by.format(model=model) if model else ""


def cited(answer: Answer) -> list[Citation]:
    """The quotations that the answer rests on: of a written one, those that its statements name."""
    if not written_by(answer):
        return list(answer.citations)
    named = {number for statement in answer.statements for number in statement.citations}
    return [citation for citation in answer.citations if citation.number in named]


def in_own_marks(citation: Citation, texts: Texts) -> str:
    """The quotation in the marks of its language, or of the reader's where we do not know those."""
    language = citation.article.language or ""
    return in_marks(line(citation.quote), language if framing_language(language) == language else texts.language)


def place(
    article: Article, headline: str, texts: Texts, shown: Callable[[str], str], citation: Citation | None = None
) -> str:
    """Where it stands, as far as known: outlet, headline, date, page, that it is a sample, where it stands as well.

    `headline` is markup already; `shown` makes text from elsewhere safe to stand in it.
    """
    page = citation.page if citation else None
    also = ", ".join(shown(other.source or other.title) for other in citation.also_in) if citation else ""
    known = [
        shown(article.source or ""),
        headline,
        date_text(article.date, texts.language) if article.date else "",
        texts.page.format(page=page) if page else "",
        texts.sample if article.sample else "",
    ]
    return joined(", ", known) + (f" ({texts.also_in.lower()} {also})" if also else "")


def _plain_place(article: Article, texts: Texts, citation: Citation | None = None) -> str:
    return place(article, in_marks(line(article.title), texts.language), texts, line, citation)


def _rich_place(article: Article, texts: Texts, citation: Citation | None = None) -> str:
    title = escaped(article.title)
    return place(article, f"*{title}*" if title else "", texts, escaped, citation)


def link_to(citation: Citation, base: str) -> str:
    """The article's own address at the very words quoted, else the permanent link to them. `base` as for `plain`."""
    return link(citation.article, citation.start, citation.end, base, citation.quote)


def link(article: Article, start: int, end: int, base: str, words: str = "") -> str:
    """The article's own address on the web, at `words` of it if given, else the permanent link to this place of it.

    Printable ASCII that ends no link early and is no markup, in plain text, Markdown and wikis alike.
    """
    url = web_address(article.url)
    if url:
        url = re.sub(r"[\t\r\n]", "", url.strip())  # as browsers read it
        address = _at(url, words) if words else url
    else:
        address = base.rstrip("/") + quote_href(article, start, end) if base else ""
    return _LIKE_ENTITY.sub(r"\1%3B", _NO_ADDRESS.sub(lambda found: _percent(found[0]), address))


def _at(url: str, words: str) -> str:
    """`url` with a text fragment, which makes a browser scroll to `words` and mark them.

    Its dashes, commas and ampersands have to be encoded (WICG, Scroll to Text Fragment, section 3.3).
    """
    found = words.split()
    ends = [found] if len(found) <= _EXACT else [found[:_ENDS], found[-_ENDS:]]
    text = ",".join(percent(" ".join(end), safe="").replace("-", "%2D") for end in ends)
    page, _, fragment = url.partition("#")
    return f"{page}#{fragment.partition(':~:')[0]}:~:text={text}"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())  # `urllib` leaves "_" and "~" as they are


def line(text: str) -> str:
    """`text` on one line: its white space folded, without what a terminal or a wiki may take for an order."""
    return " ".join(_CONTROLS.sub("", text).split())


def escaped(text: str) -> str:
    """A line of text that Markdown shows as it is written."""
    return _BEGINS.sub(r"\1\\\2", _MEANS.sub(r"\\\g<0>", line(text)))
