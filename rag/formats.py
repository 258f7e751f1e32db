"""The bytes of a file -> its text in blocks and what it declares about itself, one function a format.

Markup goes, words stay: nothing is rewritten here, and nothing judged; what is furniture is for `clean` to say.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import UnreadableFile
from rag.pdf import declared, extract_pdf
from rag.records import Block, Extract
from rag.webpage import extract_html

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = [
    "extract_docx",
    "extract_markdown",
    "extract_page",
    "extract_pdf",
    "extract_text",
    "front_matter",
    "made",
    "text_of",
    "usable",
]

Piece = tuple[str, Literal["paragraph", "heading", "item", "line"], float]

# Half characters and controls, which neither a database nor a page can hold; replaced one for one, so offsets hold.
UNFIT = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")


def made(make: Callable[[], Extract]) -> Extract:
    """What `make` extracts, without characters that nothing can hold.

    Raises:
        UnreadableFile: if `make` raises it, or its markup is nested too deeply.
    """
    try:
        found = make()
    except RecursionError as error:
        raise UnreadableFile("the file is nested too deeply to be an article") from error
    return replace(found, text=UNFIT.sub("\ufffd", found.text)) if UNFIT.search(found.text) else found


def usable(make: Callable[[], Extract]) -> Extract:
    """As `made`, of what has any text.

    Raises:
        UnreadableFile: also if there is none.
    """
    found = made(make)
    if not any(found.text[block.start : block.end].strip() for block in found.blocks):
        raise UnreadableFile("the file holds no text")
    return found


def built(pieces: Sequence[Piece], metadata: dict[str, Any]) -> Extract:
    """An extract of these blocks (text, kind, link density), parted by line breaks."""
    parts, blocks, offset = [], [], 0
    for text, kind, density in pieces:
        text = text.strip()
        if text:
            blocks.append(Block(offset, offset + len(text), kind, round(density, 3)))
            parts.append(text)
            offset += len(text) + 1
    return Extract("\n".join(parts), tuple(blocks), metadata)


# --- encodings --------------------------------------------------------------------------------------------------------

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_WESTERN = frozenset("äöüßÄÖÜéèêëïîíóòôúùûáàâãñçåøæœÉÈÀÁÇÑÓØÅÆ“”„‘’‚«»‹›–—…€£§°·•©®™¡¿²³½¼¾´¨ºª\u00a0\u00ad")


def text_of(data: bytes, *, html: bool = False) -> str:
    """The text in these bytes, line breaks as "\\n".

    UTF-8 and UTF-16 are recognised by what they are, an HTML page may name its encoding, and the rest is detected.

    Raises:
        UnreadableFile: if this is no text.
    """
    text = _decoded(data, html).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    odd = sum(
        1
        for char in text[:100_000]
        if (char < " " and char not in "\n\t") or "\x7f" <= char <= "\x9f" or char == "\ufffd"
    )
    if odd > 0.01 * len(text[:100_000]) + 1:
        raise UnreadableFile("the file is binary, not text")
    return text.replace("\x00", "")


def _decoded(data: bytes, html: bool) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace").lstrip("\ufeff")
    zeros = (data[0:2000:2].count(0), data[1:2000:2].count(0))
    if max(zeros) > 0.6 * len(data[1:2000:2]) and min(zeros) < 0.1 * max(zeros):
        return data.decode("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", "replace")
    if b"\x00" in data:
        raise UnreadableFile("the file is binary, not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lenient = data.decode("utf-8", "replace")
    wrong = lenient.count("\ufffd")
    if wrong * 10 < sum(1 for char in lenient if char > "\x7f"):
        return lenient  # UTF-8 with a scar, such as a file cut in the middle of a character
    named = _META_CHARSET.search(data[:4096]) if html else None
    if named:
        try:
            return data.decode(named[1].decode("ascii").lower().replace("iso-8859-1", "cp1252"))
        except (LookupError, UnicodeDecodeError):
            pass
    return _detected(data)


def _detected(data: bytes) -> str:
    """Decode one of the single-byte encodings. Windows-1252 is tried first: detectors mistake short western texts."""
    western = data.decode("cp1252", "replace")
    special = [char for char in western if char > "\x7f"]
    if special and sum(char in _WESTERN for char in special) >= 0.9 * len(special):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise UnreadableFile("the file's encoding is unknown; save it as UTF-8")
    return str(best)


# --- plain text -------------------------------------------------------------------------------------------------------


def extract_text(text: str) -> Extract:
    """Plain text: a block for each line, as pages are dumped, or for each paragraph where lines are wrapped by hand.

    The text is left as it is, so a wrapped paragraph keeps its line breaks and every offset holds.
    """
    lines = [(match.start(), match.end()) for match in re.finditer(r"[^\n]+", text) if match[0].strip()]
    width = _wrap_width([text[start:end].rstrip() for start, end in lines])
    blocks: list[list[int]] = []
    for start, end in lines:
        if blocks and width and _wrapped(text[blocks[-1][1] : start], text[slice(*blocks[-1])], text[start:end], width):
            blocks[-1][1] = end
        else:
            blocks.append([start, end])
    return Extract(text, tuple(Block(*_stripped(text, start, end)) for start, end in blocks))


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _wrap_width(lines: Sequence[str]) -> int:
    """The width at which a text was wrapped by hand, or 0: most lines are about as long, and none is much longer."""
    lengths = sorted(map(len, lines))
    if len(lengths) < 4:
        return 0
    width = lengths[int(0.95 * (len(lengths) - 1))]
    full = sum(0.75 * width <= length <= width + 8 for length in lengths)
    return width if 45 <= width <= 110 and full >= 0.45 * len(lengths) and lengths[-1] <= 1.3 * width else 0


def _wrapped(gap: str, before: str, line: str, width: int) -> bool:
    """Whether a line goes on with the paragraph before it: the line above had no room for its first word."""
    if gap.count("\n") > 1 or re.match(r"\s*(?:[-*•–—]\s|\d{1,2}[.)]\s)", line):
        return False
    last = before.rsplit("\n", 1)[-1].rstrip()
    return len(last) + 1 + len(line.split()[0]) > width - 6


# --- web pages --------------------------------------------------------------------------------------------------------

_OWN_MARK = re.compile(r"<meta\s+name=[\"']on-record:([\w-]+)[\"']\s+content=[\"']([^\"']*)[\"']", re.IGNORECASE)


def extract_page(html: str) -> Extract:
    """A web page. What it says in `<meta name="on-record:…">` counts as front matter does, such as `sample`."""
    found = extract_html(html)
    marks: dict[str, Any] = {name.lower().replace("-", "_"): value for name, value in _OWN_MARK.findall(html)}
    if "sample" in marks:
        marks["sample"] = marks["sample"].lower() == "true"
    if "facts_from" in marks:
        marks["facts_from"] = [name.strip() for name in marks["facts_from"].split(",")]
    return replace(found, metadata={**found.metadata, **marks}) if marks else found


# --- Markdown ---------------------------------------------------------------------------------------------------------


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML at the head of a Markdown file, and the rest.

    Raises:
        UnreadableFile: if the YAML cannot be read, with its line.
    """
    match = re.match(r"---[ \t]*\n(.*?)(?:\n|^)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if not match:
        return {}, text
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(match[1])):
            raise UnreadableFile("the front matter uses an alias (*name); write its value out")
        values = yaml.safe_load(match[1])
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise UnreadableFile(
            f"the front matter is not valid YAML: line {line}: {error.problem or error.context}"
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableFile(f"the front matter is not valid YAML: {str(error).splitlines()[0]}") from error
    if values is None:
        return {}, text[match.end() :]
    if not isinstance(values, dict):
        return {}, text  # a paragraph between two rules
    return {str(name): value for name, value in values.items()}, text[match.end() :]


def extract_markdown(text: str) -> Extract:
    """Markdown: the words of headings, paragraphs, list items and table rows; link texts stay, images and HTML go."""
    from markdown_it import MarkdownIt

    metadata, body = front_matter(text)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    return built(list(_markdown(tokens)), metadata)


def _markdown(tokens: Sequence[Token]) -> Iterator[Piece]:
    kind: Literal["paragraph", "heading", "item", "line"] = "paragraph"
    depth = 0
    row: list[str] = []
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            yield " | ".join(cell for cell in row if cell), "line", 0.0
        elif token.type in ("heading_open", "paragraph_open"):
            kind = "heading" if token.type == "heading_open" else "item" if depth else "paragraph"
        elif token.type in ("th_open", "td_open"):
            kind = "line"
        elif token.type == "inline":
            words, linked = _inline(token.children or [])
            if kind == "line":
                row.append(words.strip())
            else:
                yield words, kind, linked / max(1, len("".join(words.split())))
        elif token.type in ("fence", "code_block"):
            yield "\n".join(line.rstrip() for line in token.content.splitlines() if line.strip()), "paragraph", 0.0
        elif token.type == "html_block":
            page = extract_html(f"<html><body>{token.content}</body></html>")
            for block in page.blocks:
                yield page.text[block.start : block.end], block.kind, block.link_density


def _inline(children: Sequence[Token]) -> tuple[str, int]:
    """The words of a line of Markdown, and how many of their characters stand in links."""
    words, linked, link = "", 0, 0
    for child in children:
        link += (child.type == "link_open") - (child.type == "link_close")
        piece = {"softbreak": " ", "hardbreak": "\n"}.get(child.type, "")
        if child.type in ("text", "code_inline"):
            piece = child.content
        words += piece
        linked += len("".join(piece.split())) * (link > 0)
    return words, linked


# --- Word -------------------------------------------------------------------------------------------------------------

_TEMPLATE_YEAR = 2013  # python-docx copies its template's date of 2013-12-23 into every document
_UNPACKED = 20  # times the size of the file: what unpacks to more is a bomb, not an article


def extract_docx(data: bytes, *, max_bytes: int) -> Extract:
    """A Word document: paragraphs, headings, items and table rows, and the properties its author set.

    Raises:
        UnreadableFile: if it is damaged, protected by a password, or unpacks to too much.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile("the document is protected by a password or is an old .doc; save it as .docx without one")
    import docx
    from docx.table import Table

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > max(max_bytes, 1_000_000) * _UNPACKED:
                raise UnreadableFile("the document unpacks to far more than an article")
        document = docx.Document(io.BytesIO(data))
        pieces: list[Piece] = []
        titles: list[str] = []
        for item in document.iter_inner_content():
            if isinstance(item, Table):
                for row in item.rows:
                    cells = dict.fromkeys(" ".join(cell.text.split()) for cell in row.cells)
                    pieces.append((" | ".join(cell for cell in cells if cell), "line", 0.0))
                continue
            name = (item.style.name or "").lower() if item.style else ""
            numbered = item._p.pPr is not None and item._p.pPr.numPr is not None
            linked = sum(len("".join(link.text.split())) for link in item.hyperlinks)
            kind: Literal["paragraph", "heading", "item"] = "paragraph"
            if re.match(r"(?:heading|title|subtitle|kop|überschrift|titel)\b", name):
                kind = "heading"
            elif numbered or name.startswith("list"):
                kind = "item"
            if name in ("title", "titel"):
                titles.append(item.text)
            pieces.append((item.text, kind, linked / max(1, len("".join(item.text.split())))))
        core = document.core_properties
        metadata = declared(core.title or (titles[0] if titles else ""), core.author)
        if core.created and core.created.year != _TEMPLATE_YEAR and "python-docx" not in core.author:
            metadata["date"] = core.created.date().isoformat()
        if core.language:
            metadata["language"] = core.language
        if core.keywords:
            metadata["keywords"] = [word.strip() for word in re.split(r"[,;]", core.keywords) if word.strip()]
    except UnreadableFile:
        raise
    except Exception as error:  # python-docx lets errors of zipfile, lxml and its own through
        raise UnreadableFile(f"the document is damaged and cannot be read ({type(error).__name__})") from error
    return built(pieces, metadata)
