"""The page of one article, rendered here and complete without JavaScript: what a link to a quotation opens."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from rag.records import Article, Span
from rag.web.markup import article_facts, escape
from rag.web.texts import Texts

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


def _marked(article: Article, start: int, end: int, mark: Span | None, first: bool) -> tuple[str, bool]:
    """The text `[start:end]` with its part of the quotation marked; whether any of it was."""
    text = article.text
    if mark is None or mark.end <= start or mark.start >= end:
        return escape(text[start:end]), False
    before, marked, after = (
        text[start : max(start, mark.start)],
        text[max(start, mark.start) : min(end, mark.end)],
        text[min(end, mark.end) : end],
    )
    if not marked.strip():
        return escape(text[start:end]), False
    # `escape` folds white space at the seams; the blanks that stand there are put back.
    head = escape(before) + (" " if before and (before[-1:].isspace() or marked[:1].isspace()) else "")
    tail = (" " if after and (after[:1].isspace() or marked[-1:].isspace()) else "") + escape(after)
    target = ' id="quote"' if first else ""
    return f"{head}<mark{target}>{escape(marked)}</mark>{tail}", True


def body_html(article: Article, mark: Span | None) -> str:
    """The article's paragraphs and subheadings; the first marked run is the link target `#quote`."""
    headings = {(heading.start, heading.end) for heading in article.headings}
    parts = []
    placed = False
    for found in _PARAGRAPH.finditer(article.text):
        start, end = found.start(), found.start() + len(found[0].rstrip())
        inner, marked = _marked(article, start, end, mark, not placed)
        placed = placed or marked
        tag = "h2" if (start, end) in headings else "p"
        parts.append(f"<{tag}>{inner}</{tag}>")
    return "\n".join(parts)


def _document(title: str, body: str, texts: Texts, root: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{texts.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} · On Record</title>\n"
        f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml">\n'
        f'<link rel="stylesheet" href="{root}/ui/room.css">\n</head>\n'
        f'<body class="or-page">\n<nav><a href="{root}/">{escape(texts.to_chat)}</a></nav>\n{body}\n</body>\n</html>\n'
    )


def article_page(
    article: Article,
    texts: Texts,
    *,
    start: int | None = None,
    end: int | None = None,
    stale: bool = False,
    root: str = "",
) -> str:
    """The article with the quotation `[start:end]` marked.

    `stale` says that the link named a place which could not be read at all; a place outside the article counts the
    same: nothing is marked, and the page says so.
    """
    mark = quotation(article, start, end)
    notice = ""
    if stale or (mark is None and not (start is None and end is None)):
        notice = f'<p class="or-notice" role="status">{escape(texts.stale)}</p>\n'
    author = f' <span class="or-author">{escape(article.author)}</span>' if article.author else ""
    address = web_address(article.url)
    original = (
        f' <a class="or-original" href="{escape(address)}" rel="noopener noreferrer">{escape(texts.original)}</a>'
        if address
        else ""
    )
    language = f' lang="{escape(article.language)}"' if article.language else ""
    # Where no headline is known the title is the article's own beginning, which follows anyway.
    opening = " ".join(article.text[: len(article.title) + 40].split())
    untitled = opening.startswith(article.title.rstrip("… "))
    heading = f'<h1 class="or-hidden">{escape(article.title)}</h1>' if untitled else f"<h1>{escape(article.title)}</h1>"
    body = (
        f"<main>\n{notice}<article{language}>\n<header>\n"
        f'<p class="or-frame" lang="{texts.language}">{article_facts(article, texts)}{author}{original}</p>\n'
        f"{heading}\n</header>\n{body_html(article, mark)}\n</article>\n</main>"
    )
    return _document(article.title, body, texts, root)


def missing_page(texts: Texts, *, root: str = "") -> str:
    """What stands where no article is."""
    body = f"<main>\n<h1>{escape(texts.not_found_title)}</h1>\n<p>{escape(texts.not_found)}</p>\n</main>"
    return _document(texts.not_found_title, body, texts, root)
