"""An EPUB -> its chapters, each an article: in the order of reading, with what the book says of itself.

What stands around them, covers, title pages and lists of contents, is left out.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from lxml import etree

from rag.clean import line_key
from rag.containers import MAX_MEMBERS, check_size, content, named, opened, unfit
from rag.dateline import byline_in, date_in
from rag.errors import UnreadableFile
from rag.formats import made, text_of
from rag.records import Extract
from rag.webpage import extract_html

Element: TypeAlias = Any  # lxml comes without types

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
# Parts that tell of the book and not of the world, as EPUB 2 (guide) and EPUB 3 (epub:type) name them.
_MATTER = frozenset(
    "cover title-page titlepage halftitlepage half-title-page toc landmarks loi lot lov loa page-list index colophon"
    " copyright-page imprint imprimatur dedication".split()
)
_TYPE = re.compile(r"<(?:body|section|nav|div)\b[^>]*?\bepub:type\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_SUBSET = re.compile(
    r"(<!DOCTYPE[^>\[]*)\[.*?\]\s*>", re.IGNORECASE | re.DOTALL
)  # declarations that HTML does not know
_ENOUGH = 200  # characters outside lists of links: less is a picture with its caption, or the name of a part
_OPENING = 8  # blocks that may hold byline and date
_TOOL = re.compile(r"calibre\b|unknown$|unbekannt$|onbekend$", re.IGNORECASE)  # what tools write where nothing is known


@dataclass(frozen=True, slots=True)
class _Book:
    """What the package document says: the chapters' files in reading order, and the book's own metadata."""

    chapters: tuple[str, ...]
    metadata: Mapping[str, Any]
    matter: frozenset[str]  # files that are no chapters
    contents: str  # the file with the table of contents; "" where there is none


def chapters(path: Path, max_bytes: int) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    """The chapters of an EPUB, one at a time: the file of each inside it with its extract, or the reason why not.

    Raises:
        UnreadableFile: if the book as a whole cannot be read.
    """
    with opened(path) as archive:
        found = named(archive)
        book = _book(archive, found, max_bytes)
        wanted = [name for name in book.chapters if name not in book.matter]
        check_size([found[name] for name in wanted if name in found], path, max_bytes)
        locked = _locked(archive, found, max_bytes)
        labels = _labels(archive, found, book.contents, max_bytes)
        told = 0
        for number, name in enumerate(wanted, 1):
            here = f"chapter {number}" if unfit(name) else name
            try:
                if name in locked:
                    raise UnreadableFile("it is encrypted (DRM); only books without it can be read")
                if name not in found:
                    raise UnreadableFile("the book names this file and does not hold it")
                chapter = _chapter(content(archive, found[name], max_bytes))
            except UnreadableFile as error:
                yield here, error
                told += 1
                continue
            if chapter:
                yield here, _with(chapter, book.metadata, labels.get(name))
                told += 1
        if not told:
            raise UnreadableFile("the book holds no chapter with text; books of pictures cannot be read")


def _chapter(data: bytes) -> Extract | None:
    """A chapter; None where it is a part that tells of the book, or hardly has any text."""
    page = _SUBSET.sub(r"\1>", text_of(data, html=True), count=1)
    kinds = _TYPE.search(page)
    if kinds and not _MATTER.isdisjoint(kinds[1].casefold().split()):
        return None
    found = made(partial(extract_html, page, second_opinion=False))  # a book has no site around its chapters
    words = sum(block.end - block.start for block in found.blocks if block.link_density < 0.5)
    return found if words >= _ENOUGH else None


def _with(extract: Extract, book: Mapping[str, Any], label: str | None) -> Extract:
    """A chapter with what is known of it: its own words first, then what the book says of all its chapters."""
    lines = [extract.text[block.start : block.end] for block in extract.blocks]
    heading = next((line for line, block in zip(lines, extract.blocks, strict=True) if block.kind == "heading"), None)
    known = {name: value for name, value in extract.metadata.items() if name != "title"}
    title = label if label and line_key(label) in map(line_key, lines) else heading or label
    if title:
        known["title"] = title
    opening = lines[:_OPENING]
    rest = dict(book)
    if any(map(byline_in, opening)):  # the chapter says by whom it is, in its own lines
        rest.pop("author", None)
    if any(date_in(line, rest.get("language")) for line in opening):
        rest.pop("date", None)
    return replace(extract, metadata={**rest, **known})


# --- the package ------------------------------------------------------------------------------------------------------


def _book(archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], max_bytes: int) -> _Book:
    if _CONTAINER not in found:
        raise UnreadableFile(f"the file is no EPUB: it has no {_CONTAINER}")
    container = _xml(archive, found[_CONTAINER], max_bytes)
    package: str = next((root.get("full-path") for root in _all(container, "rootfile") if root.get("full-path")), "")
    if package not in found:
        raise UnreadableFile(f"the EPUB is damaged: it does not hold its package document {package!r}")
    root = _xml(archive, found[package], max_bytes)
    items = {item.get("id"): item for item in _all(root, "item") if item.get("id") and item.get("href")}
    spine = [ref.get("idref") for ref in _all(root, "itemref")]
    if len(spine) > MAX_MEMBERS:
        raise UnreadableFile(f"the book has {len(spine):,} parts; at most {MAX_MEMBERS:,} are read")
    files = [_resolved(package, _href(items[name])) for name in spine if name in items and _is_page(items[name])]
    matter = {
        _resolved(package, _href(reference))
        for reference in _all(root, "reference")
        if (reference.get("type") or "").casefold().removeprefix("other.") in _MATTER and "#" not in _href(reference)
    }
    navigation = next((i for i in items.values() if "nav" in (i.get("properties") or "").split()), None)
    contents = next((i for i in items.values() if i.get("media-type") == "application/x-dtbncx+xml"), None)
    if navigation is not None:
        matter.add(_resolved(package, _href(navigation)))
        contents = navigation
    return _Book(
        chapters=tuple(dict.fromkeys(files)),
        metadata=_metadata(root),
        matter=frozenset(matter),
        contents="" if contents is None else _resolved(package, _href(contents)),
    )


def _is_page(item: Element) -> bool:
    kind = (item.get("media-type") or "").casefold()
    return kind in ("application/xhtml+xml", "text/html", "") or kind.startswith("text/x-oeb")


def _metadata(root: Element) -> dict[str, Any]:
    """What a book says of itself, without what tools write where they know nothing."""
    said: dict[str, list[Element]] = {}
    for element in root.iter(etree.Element):
        name = etree.QName(element)
        if (name.namespace or "").startswith("http://purl.org/dc/elements/") and _words(element):
            said.setdefault(name.localname, []).append(element)
    roles = {
        (meta.get("refines") or "").removeprefix("#"): _words(meta)
        for meta in _all(root, "meta")
        if meta.get("property") == "role"
    }

    def of(name: str) -> Sequence[Element]:
        return said.get(name, ())

    def attribute(element: Element, name: str) -> str:
        return next((value for key, value in element.attrib.items() if etree.QName(key).localname == name), "")

    authors = [
        _words(one)
        for one in of("creator")
        if (attribute(one, "role") or roles.get(one.get("id"), "aut")) == "aut" and not _TOOL.match(_words(one))
    ]
    days = [_words(one) for one in of("date") if "publication" in (attribute(one, "event") or "publication")]
    publishers = [_words(one) for one in of("publisher") if not _TOOL.match(_words(one))]
    languages = {_words(one) for one in of("language")}
    found = {
        "book": _words(of("title")[0]) if of("title") else None,
        "author": ", ".join(dict.fromkeys(authors)),
        "date": days[0] if days else None,
        "source": publishers[0] if publishers else None,
        "language": languages.pop() if len(languages) == 1 else None,
    }
    return {name: value for name, value in found.items() if value}


def _labels(
    archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], contents: str, max_bytes: int
) -> dict[str, str]:
    """What the table of contents calls each file: the first entry that leads there. A book can be read without it."""
    if contents not in found:
        return {}
    try:
        root = _xml(archive, found[contents], max_bytes)
    except UnreadableFile:
        return {}
    labels: dict[str, str] = {}
    for point in _all(root, "navPoint"):  # EPUB 2
        target = next((one.get("src") for one in point if etree.QName(one).localname == "content"), "")
        label = next((_words(one) for one in point if etree.QName(one).localname == "navLabel"), "")
        if target and label:
            labels.setdefault(_resolved(contents, target), label)
    for link in _all(root, "a"):
        if _href(link) and _words(link):
            labels.setdefault(_resolved(contents, _href(link)), _words(link))
    return labels


def _locked(archive: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo], max_bytes: int) -> frozenset[str]:
    """The files that are encrypted: fonts in many books, everything in those with DRM."""
    if _ENCRYPTION not in found:
        return frozenset()
    root = _xml(archive, found[_ENCRYPTION], max_bytes)
    return frozenset(_resolved("", reference.get("URI") or "") for reference in _all(root, "CipherReference"))


# --- XML --------------------------------------------------------------------------------------------------------------


def _xml(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> Element:
    """An XML file of the book. Entities stay what they are, and nothing is fetched."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(content(archive, info, max_bytes), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise UnreadableFile(f"the EPUB is damaged: its {info.filename!r} is no XML")
    return root


def _all(root: Element, name: str) -> Iterator[Element]:
    """The elements of this name, in whatever namespace."""
    yield from root.iter("{*}" + name)


def _href(element: Element) -> str:
    return element.get("href") or ""


def _words(element: Element) -> str:
    """The text in an element, without comments and without entities, which stand in it as they were written."""
    text = "".join(element.itertext(etree.Element, etree.Entity))
    return " ".join(re.sub(r"&[\w.:-]+;", " ", text).split())


def _resolved(base: str, href: str) -> str:
    """The file in the book that an address in the file `base` leads to."""
    try:
        target = unquote(urlsplit(href).path)
    except ValueError:
        target = ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), target)) if target else base
