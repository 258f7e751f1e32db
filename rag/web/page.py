"""The page of one article, rendered here and complete without JavaScript: what a link to a quotation opens."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse

from rag.records import Article, Span
from rag.web.guards import PAGE_POLICY
from rag.web.markup import article_facts, article_href, direction, escape
from rag.web.texts import Texts

# Which text of an article is shown: the one that was quoted, which is its present one or one from before it was edited;
# or the one that it has been given since, where the other is not kept.
Edition = Literal["as quoted", "before", "since"]

_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")  # paragraphs are parted by a blank line


def web_address(url: str | None) -> str | None:
    """`url` if it is one that may be linked: absolute, http or https, without credentials."""
    try:
        parts = urlsplit(url or "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return url if usable else None


def quotation(article: Article, start: int | None, end: int | None) -> Span | None:
    """The span that a link names, or None where the article has no such place."""
    if start is None or end is None or not 0 <= start < end <= len(article.text):
        return None
    return Span(start, end) if article.text[start:end].strip() else None


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in an article: the quotation that was chosen, and lightly the others of the same answer."""

    chosen: Span | None = None
    others: tuple[Span, ...] = ()


def _run(text: str) -> str:
    """A part of a paragraph, escaped, with a blank at its ends where the text has one (`escape` alone strips them)."""
    return " " * text[:1].isspace() + escape(text) + " " * (text[-1:].isspace() and not text.isspace())


def _inner(text: str, start: int, end: int, marks: Marks, *, first: bool) -> tuple[str, bool]:
    """The markup of `text[start:end]`; and whether any of it belongs to the chosen quotation.

    `first` says that no part of that stood before: this one then is the link's target.
    """
    edges = {start, end}
    for span in (*marks.others, *([marks.chosen] if marks.chosen else [])):
        edges |= {edge for edge in (span.start, span.end) if start < edge < end}
    cuts = sorted(edges)
    parts, placed = [], False
    for left, right in itertools.pairwise(cuts):
        run = text[left:right]
        if marks.chosen and marks.chosen.start <= left < marks.chosen.end and run.strip():
            target = ' id="quote"' if first and not placed else ""
            parts.append(f"<mark{target}>{_run(run)}</mark>")
            placed = True
        elif any(span.start <= left < span.end for span in marks.others) and run.strip():
            parts.append(f'<mark class="or-light">{_run(run)}</mark>')
        else:
            parts.append(_run(run))
    return "".join(parts), placed


def body_html(article: Article, marks: Marks) -> str:
    """The article's paragraphs and subheadings; the first marked run of the quotation is the link target `#quote`."""
    headings = {(heading.start, heading.end) for heading in article.headings}
    side = direction(article)
    parts = []
    placed = False
    for found in _PARAGRAPH.finditer(article.text):
        start, end = found.start(), found.start() + len(found[0].rstrip())
        if start == end:
            continue
        inner, marked = _inner(article.text, start, end, marks, first=not placed)
        placed = placed or marked
        tag = "h2" if (start, end) in headings else "p"
        parts.append(f'<{tag} dir="{side}">{inner}</{tag}>')
    return "\n".join(parts)


def response(content: str, status: int = 200, *, policy: str = PAGE_POLICY) -> HTMLResponse:
    """The answer that carries a page of ours: its language follows the reader, and it is asked for anew each time."""
    headers = {"Content-Security-Policy": policy, "Cache-Control": "private, no-cache", "Vary": "Accept-Language"}
    return HTMLResponse(content, status, headers)


def document(
    title: str, body: str, texts: Texts, root: str, styles: Sequence[str] = ("room.css",), *, to_chat: bool = True
) -> str:
    """A whole page around `body`, which is markup, with the style sheets of these names and the way to the chat."""
    nav = f'<nav><a href="{root}/">{escape(texts.to_chat)}</a></nav>\n' if to_chat else ""
    links = "".join(f'<link rel="stylesheet" href="{root}/ui/{name}">\n' for name in styles)
    return (
        f'<!doctype html>\n<html lang="{texts.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} · On Record</title>\n"
        f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml">\n'
        f"{links}</head>\n"
        f'<body class="or-page">\n{nav}{body}\n</body>\n</html>\n'
    )


def article_page(
    article: Article,
    texts: Texts,
    *,
    start: int | None = None,
    end: int | None = None,
    also: Sequence[tuple[int, int]] = (),
    stale: bool = False,
    edition: Edition = "as quoted",
    root: str = "",
) -> str:
    """The article with the quotation `[start:end]` marked, and those in `also` lightly.

    `stale` says that the link named a place which could not be read at all; a place outside the article counts the
    same: nothing is marked, and the page says so. So it does where the article is another `edition` than was quoted.
    """
    mark = quotation(article, start, end)
    others = tuple(span for pair in also if (span := quotation(article, *pair)))
    said = ""
    if edition == "since":  # offsets of another text mean nothing in this one
        mark, others = None, ()
        said = escape(texts.edited_lost)
    elif stale or (mark is None and not (start is None and end is None)):
        said = escape(texts.stale)
    if edition == "before":
        now = f'<a class="or-now" href="{escape(article_href(article.id, root=root))}">{escape(texts.edited_now)}</a>'
        said = " ".join(filter(None, [escape(texts.edited_page), now, said]))
    notice = f'<p class="or-notice" role="status" lang="{texts.language}">{said}</p>\n' if said else ""
    by = escape(texts.by).replace("{name}", f"<bdi>{escape(article.author or '')}</bdi>")
    author = f' <span class="or-author">{by}</span>' if article.author else ""
    address = web_address(article.url)
    original = (
        f' <a class="or-original" href="{escape(address)}" rel="noopener noreferrer">{escape(texts.original)}</a>'
        if address
        else ""
    )
    language = f' lang="{escape(article.language)}"' if article.language else ""
    untitled = article.metadata.get("title_from") == "text"  # then it is the article's beginning, which follows anyway
    hidden = ' class="or-hidden"' if untitled else ""
    heading = f'<h1{hidden} dir="{direction(article)}">{escape(article.title)}</h1>'
    body = (
        f"<main>\n{notice}<article{language}>\n<header>\n"
        f'<p class="or-frame" lang="{texts.language}">{article_facts(article, texts)}{author}{original}</p>\n'
        f"{heading}\n</header>\n{body_html(article, Marks(mark, others))}\n</article>\n</main>"
    )
    return document(article.title, body, texts, root)


def missing_page(texts: Texts, *, quoted: bool = False, root: str = "") -> str:
    """What stands where no article is; `quoted`: the link comes from a quotation of it."""
    why = texts.quoted_gone if quoted else texts.not_found
    body = f"<main>\n<h1>{escape(texts.not_found_title)}</h1>\n<p>{escape(why)}</p>\n</main>"
    return document(texts.not_found_title, body, texts, root)
