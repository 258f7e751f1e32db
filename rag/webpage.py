"""A web page as fetched -> its visible text in blocks, and what the page declares about itself.

The page's structure is only known here, so the parts that structure alone gives away (navigation, footers, forms,
sidebars) are left out here; whatever takes a look at the words is left to `clean`. Offsets point into the text
built here, which is why no library's flattened text is used.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml import html as lxml_html
from lxml.etree import ParserError

from rag.records import Block, Extract

Element: TypeAlias = Any  # lxml comes without types

_SKIP = frozenset(
    "script style noscript template svg math iframe object embed canvas video audio map select option datalist"
    " textarea"
    " button input head link meta dialog".split()
)
_BLOCK = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1"
    " h2 h3"
    " h4 h5 h6 header hgroup hr legend li main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_HEADING = frozenset("h1 h2 h3 h4 h5 h6".split())
_FURNITURE_TAGS = frozenset("nav footer aside figcaption".split())
_FURNITURE_ROLES = frozenset("navigation banner contentinfo complementary search dialog alert menu toolbar".split())
_FURNITURE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:nav|navi|navigation|navbar|menu|menue|breadcrumbs?|footer|aside|sidebar|widgets?|comments?"
    r"|commentlist|disqus|respond|kommentare?|reacties"
    r"|share|sharing|sharedaddy|social|social-?media|related|relatedposts|recommend(?:ed|ations?)?|promo"
    r"|newsletter|subscri\w+|abo|paywall"
    r"|cookies?|consent|gdpr|banner|ads?|advert\w*|anzeige|sponsor\w*|outbrain|taboola|modal|popup|login|search"
    r"|tags|tagcloud|taglist"
    r"|byline|author-?(?:bio|box|info)|about-?author|caption|wp-caption-text|credits?|copyright|pagination|pager"
    r"|prevnext|toolbar|skip-?link|trending"
    r"|most-?(?:read|popular|viewed)|meistgelesen|popular|read-?more|more-?stories|disclaimer|screen-reader-text"
    r"|visually-?hidden|sr-only|noprint"
    r"|postmeta|post-?meta|entry-?meta|metadata|article-?meta|dateline|timestamp|print-?only|jp-relatedposts)(?=$"
    r"|[\s_-])",
    re.IGNORECASE,
)
_ARTICLE_NAMES = re.compile(r"(?:article|story|post|entry)-?(?:body|content|text)", re.IGNORECASE)
_TOPIC_NAMES = re.compile(
    r"(?:^|\s)(?:category|tag|cat|topic)-\S+"
)  # WordPress names an article's topics among its classes
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def extract_html(html: str, url: str | None = None, *, second_opinion: bool = True) -> Extract:
    """Cut a page into blocks in document order: white space folded inside a block, a line break between blocks.

    `url` is what the page was fetched from; where none is given, it is what the page was saved from, as browsers note
    it at its top, or its own canonical address.
    `second_opinion` leaves out short blocks without an end mark that trafilatura does not take for the article either.
    A page without any text gives an Extract without blocks.
    """
    saved = _SAVED.match(html)
    saved_from = _address(saved[1].replace("%2D%2D", "--")) if saved else ""
    try:
        root = lxml_html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", html).replace("\x00", ""))
    except (ParserError, ValueError):
        return Extract("", (), {"url": url or saved_from} if url or saved_from else {})
    metadata = _metadata(root, url, saved_from)
    parts: list[str] = []
    blocks: list[Block] = []
    offset = 0
    library: _LibraryText | None = None
    found = list(_blocks(root))
    for at, (text, kind, density) in enumerate(found):
        doubtful = kind != "item" and not _PROSE.search(text) and (len(text) < _SHORT or density > 0.5)
        if kind == "heading" and 0 < at < len(found) - 1 and all(map(_is_prose, (found[at - 1], found[at + 1]))):
            doubtful = False  # trafilatura loses some subheadings, but between two paragraphs it is one
        if doubtful and second_opinion:
            library = library or _library_text(html)
            if library.leaves_out(text):
                continue
        blocks.append(Block(offset, offset + len(text), kind, density))
        parts.append(text)
        offset += len(text) + 1
    return Extract("\n".join(parts), tuple(blocks), metadata)


Kind = Literal["paragraph", "heading", "item"]


def _is_prose(block: tuple[str, Kind, float]) -> bool:
    text, kind, density = block
    return kind == "paragraph" and len(text) >= _PARAGRAPH and density < 0.5 and _PROSE.search(text) is not None


_PROSE = re.compile(r"[.!?…:;][\"'“”„»«’)\]]*$")  # how running text ends
_SHORT = 150
_PARAGRAPH = 80  # characters of a block of running text, at least


@dataclass(frozen=True, slots=True)
class _LibraryText:
    """What trafilatura takes for the article: a second opinion on blocks that do not read like prose."""

    lines: frozenset[str]
    whole: str

    def leaves_out(self, text: str) -> bool:
        if not self.whole or text in self.lines or (len(text) >= 30 and text in self.whole):
            return False
        return not any(len(line) > 0.6 * len(text) and line in text for line in self.lines if len(line) >= 20)


def _library_text(html: str) -> _LibraryText:
    import trafilatura  # takes a quarter of a second, which a question against a ready index need not pay

    found = trafilatura.extract(html, include_comments=False) or ""
    return _LibraryText(frozenset(_fold(line.lstrip("- ")) for line in found.splitlines()), _fold(found))


def _blocks(root: Element) -> Iterator[tuple[str, Kind, float]]:
    body = root.find("body")
    if body is None:
        return
    buffer: list[tuple[str, bool]] = []
    out: list[tuple[str, Kind, float]] = []
    prose = _prose(body)
    most = _MOST_PROSE * prose.get(body, 0)

    def flush(kind: Kind) -> None:
        text = " ".join("".join(piece for piece, _ in buffer).split())
        linked = sum(len("".join(piece.split())) for piece, link in buffer if link)
        density = round(linked / max(1, len("".join(text.split()))), 3)
        buffer.clear()
        if text:
            out.append((text, kind, density))

    def walk(element: Element, kind: Kind, link: bool) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIP or _hidden(element):
            return
        small = prose.get(element, 0) <= most
        if small and _furniture(element):
            if tag in _BLOCK:
                flush(kind)
            return
        if tag == "br":
            following = element.getnext()
            if following is not None and following.tag == "br" and not (element.tail or "").strip():
                flush(kind)
            else:
                buffer.append((" ", link))
            return
        breaks = tag in _BLOCK
        inner: Kind = "heading" if tag in _HEADING else "item" if tag == "li" else "paragraph" if breaks else kind
        if tag == "p" and kind == "item":
            inner = "item"
        if breaks:
            flush(kind)
        link = link or (tag == "a" and element.get("href") is not None)
        if element.text:
            buffer.append((element.text, link))
        for child in element:
            walk(child, inner, link)
            if child.tail:
                buffer.append((child.tail, link))
        if breaks:
            flush(inner)

    walk(body, "paragraph", False)
    yield from out


_MOST_PROSE = 0.3  # a part that holds more of the page's prose is not furniture, whatever it is called


def _prose(body: Element) -> dict[Element, int]:
    """For every element, how many characters of running text stand in it: text that ends sentences, outside links."""
    amount: dict[Element, int] = {}
    for element in body.iter(etree.Element):
        if element.tag in _SKIP or element.tag == "a":
            continue
        pieces = [element.text or "", *(child.tail or "" for child in element)]
        size = sum(len(piece) for piece in pieces if len(piece) > 60)
        if not size:
            continue
        node: Element | None = element
        while node is not None:
            amount[node] = amount.get(node, 0) + size
            node = node.getparent() if node is not body else None
    return amount


def _furniture(element: Element) -> bool:
    """Whether an element is called a part of the site: by its tag, its role, or its class and id."""
    tag = element.tag
    if tag in ("body", "article", "main", "html"):
        return False
    if tag in _FURNITURE_TAGS or element.get("role") in _FURNITURE_ROLES:
        return True
    names = _names_of(element)
    return len(names) > 1 and bool(_FURNITURE_NAMES.search(names)) and not _ARTICLE_NAMES.search(names)


def _names_of(element: Element) -> str:
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    return _CAMEL.sub("-", _TOPIC_NAMES.sub("", names))


def _hidden(element: Element) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


# --- metadata ---------------------------------------------------------------------------------------------------------

_ARTICLE_TYPE = re.compile(r"article|posting|report|review|webpage", re.IGNORECASE)


# How browsers note where a page was saved from: before or after the doctype, with the address's length.
_SAVED = re.compile(r"\ufeff?\s*(?:<!doctype[^>]*>\s*)?<!--\s*saved from url=\(\d{1,4}\)(\S+)\s*-->", re.IGNORECASE)


def noted(html: str, url: str) -> str:
    """A page with the note, at its top, that it was saved from `url`."""
    return f"<!-- saved from url=({len(url):04}){url.replace('--', '%2D%2D')} -->\n{html}"


def _own_address(canonical: str, saved_from: str) -> str:
    """The address that a saved page gives itself, where it is of the same host, or else that it was saved from.

    Some sites name their front page on all of their pages.
    """
    try:
        own, saved = urlsplit(urljoin(saved_from, canonical)), urlsplit(saved_from)
    except ValueError:
        return saved_from
    same = own.scheme in ("http", "https") and own.netloc == saved.netloc and own.path.strip("/") != ""
    return own.geturl() if same else saved_from


def _metadata(root: Element, url: str | None, saved_from: str = "") -> dict[str, Any]:
    """What the page says about itself; a name is absent where the page says nothing."""
    meta: dict[str, str] = {}
    for tag in root.iter("meta"):
        name = (tag.get("property") or tag.get("name") or tag.get("itemprop") or "").strip().lower()
        content = _fold(tag.get("content"))
        if name and content:
            meta.setdefault(name, content)
    data = _article_data(root)
    canonical = next(
        (link.get("href") for link in root.iter("link") if (link.get("rel") or "").lower() == "canonical"), ""
    )
    found = {
        "title": _text(data.get("headline")) or meta.get("og:title") or meta.get("twitter:title") or _page_title(root),
        "date": _date(_text(data.get("datePublished")))
        or _first_date(
            meta,
            "article:published_time",
            "datepublished",
            "date",
            "dc.date",
            "dcterms.date",
            "pubdate",
            "publish-date",
            "og:published_time",
            "article.published",
        )
        or _date(_published(root)),
        "author": _names(data.get("author")) or _author(meta),
        "source": _names(data.get("publisher")) or meta.get("og:site_name"),
        "language": _language(root.get("lang") or root.get("xml:lang") or meta.get("og:locale") or ""),
        "url": url
        or (saved_from and _own_address(canonical or "", saved_from))
        or _address(canonical)
        or _address(meta.get("og:url"))
        or _address(_text(data.get("url"))),
    }
    return {name: value for name, value in found.items() if value}


def _article_data(root: Element) -> Mapping[str, Any]:
    """The page's JSON-LD record of its article: the first whose type says so."""
    best: Mapping[str, Any] = {}
    for script in root.iter("script"):
        if "ld+json" not in (script.get("type") or "").lower():
            continue
        try:
            stack = [json.loads(script.text_content())]
        except (ValueError, RecursionError):
            continue
        while stack:
            item = stack.pop(0)
            if isinstance(item, list):
                stack.extend(item)
            elif isinstance(item, dict):
                kind = str(item.get("@type"))
                if _ARTICLE_TYPE.search(kind) and (item.get("headline") or item.get("datePublished")):
                    if "WebPage" not in kind:
                        return item
                    best = best or item
                stack.extend(value for value in (item.get("@graph"), item.get("mainEntity")) if value)
    return best


def _fold(text: str | None) -> str:
    return " ".join((text or "").split())


def _text(value: object) -> str:
    return _fold(value) if isinstance(value, str) else ""


def _names(value: object) -> str:
    """The name or names in a JSON-LD value: a string, a record with a name, or a list of either."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(name for name in map(_names, value) if name))
    if isinstance(value, dict):
        return _names(value.get("name"))
    text = _text(value)
    return "" if text.startswith("http") else text


def _author(meta: Mapping[str, str]) -> str:
    return next(
        (
            meta[name]
            for name in ("author", "article:author", "dc.creator", "parsely-author")
            if name in meta and not meta[name].startswith("http")
        ),
        "",
    )


def _page_title(root: Element) -> str:
    """The headline of a page that declares none: its only h1, the h1 with which its <title> begins, or the <title>."""
    headings = [text for h1 in root.iter("h1") if (text := _fold(h1.text_content()))]
    title = next((_fold(title.text_content()) for title in root.iter("title")), "")
    if len(headings) == 1:
        return headings[0]
    return max((heading for heading in headings if title.startswith(heading)), key=len, default=title)


def _date(text: str) -> str:
    """The ISO date at the beginning of `text`, or ''."""
    match = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)", text)
    try:
        return dt.date(*map(int, match.groups())).isoformat() if match else ""
    except ValueError:
        return ""


def _first_date(meta: Mapping[str, str], *names: str) -> str:
    return next((date for name in names if (date := _date(meta.get(name, "")))), "")


def _published(root: Element) -> str:
    """The moment in the page's <time> elements, if they all name the same day or one is marked as publication."""
    times = [(tag, tag.get("datetime") or "") for tag in root.iter("time")]
    marked = [when for tag, when in times if "publish" in f"{tag.get('itemprop')} {tag.get('class')}".lower()]
    if marked:
        return marked[0]
    days = {day for _, when in times if (day := _date(when))}
    return days.pop() if len(days) == 1 else ""


def _language(tag: str) -> str:
    match = re.match(r"([A-Za-z]{2})(?:[-_].*)?$", tag.strip())
    return match.group(1).lower() if match else ""


def _address(text: str | None) -> str:
    return text.strip() if text and re.match(r"https?://", text.strip()) else ""
