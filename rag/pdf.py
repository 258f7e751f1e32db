"""A PDF -> its text in paragraphs, and where each page begins.

A PDF knows lines, not paragraphs. They are put together here from the gaps between the lines, their lengths and their
type size; what stands at the edge of page after page is left out.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, multimode
from typing import Any, Literal

from rag.errors import UnreadableFile
from rag.records import Block, Extract

_END = re.compile(r"[.!?…:][\"'”“’‘»«)\]]*$")
_PAGE_NUMBER = re.compile(
    r"(?:[-–—|\s]*(?:(?:page|seite|pagina|blz\.?|p\.|s\.)\s*)?\d{1,4}(?:\s*(?:of|von|van|/)\s*\d{1,4})?[-–—|\s]*)$",
    re.IGNORECASE,
)
_EDGE = 2  # lines at the head and the foot of a page that may be a running header or footer
_TOOL_TITLE = re.compile(
    r"untitled|unbenannt|naamloos|microsoft \w+ - |document\d*$|.*\.(?:docx?|indd|pdf|rtf|odt|qxp|pub)$", re.IGNORECASE
)
_TOOL_AUTHOR = re.compile(
    r"(?:user|admin(?:istrator)?|owner|unknown|anonymous|python-docx|microsoft.*|windows.*|root|\W*)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as printed: its text, its place in points from the left and from below, its type size in points."""

    text: str
    x: float
    y: float
    size: float
    bold: bool


def declared(title: str | None, author: str | None) -> dict[str, Any]:
    """What a document's properties say, without what a word processor writes there by itself."""
    title, author = " ".join((title or "").split()), " ".join((author or "").split())
    found = {"title": "" if _TOOL_TITLE.match(title) else title, "author": "" if _TOOL_AUTHOR.match(author) else author}
    return {name: value for name, value in found.items() if value}


def extract_pdf(data: bytes) -> Extract:
    """Cut a PDF into paragraphs and headings; hyphens at the ends of lines are undone where the word goes on.

    A line that runs along the edge of the pages is kept in `metadata["running"]`, since it may hold the date.

    Raises:
        UnreadableFile: if it is damaged, needs a password, or holds no text.
    """
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFile("the PDF is protected by a password; save it without one")
        pages = [_lines(page) for page in reader.pages]
        info = reader.metadata
        metadata = declared(info.title, info.author) if info else {}
        keywords = str(info.get("/Keywords") or "") if info else ""
    except UnreadableFile:
        raise
    except DependencyError as error:
        raise UnreadableFile(
            "the PDF is encrypted in a way that cannot be read here; save it without a password"
        ) from error
    except (
        PyPdfError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        OSError,
    ) as error:
        raise UnreadableFile(f"the PDF is damaged and cannot be read ({type(error).__name__})") from error
    if not any(pages):
        raise UnreadableFile("the PDF holds no text; if it is a scan, it needs text recognition first")
    pages, running = _without_edges(pages)
    if keywords:
        metadata["keywords"] = [word.strip() for word in re.split(r"[,;]", keywords) if word.strip()]
    if running:
        metadata["running"] = running
    return _assembled(pages, metadata)


def _lines(page: Any) -> list[Line]:
    """The lines of a page in the order in which the file prints them."""
    found: list[Line] = []
    pieces: list[str] = []
    first: tuple[float, float, float, bool] | None = None

    def flush() -> None:
        nonlocal first
        text = " ".join("".join(pieces).split())
        if text and first:
            found.append(Line(text, *first))
        pieces.clear()
        first = None

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        nonlocal first
        for number, piece in enumerate(text.split("\n")):
            if number:
                flush()
            if piece.strip() and first is None:
                scale = abs(tm[3] or tm[0] or 1.0) * abs(cm[3] or cm[0] or 1.0)
                x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
                name = str((font or {}).get("/BaseFont", "")) if hasattr(font, "get") else ""
                first = (
                    x,
                    y,
                    round(float(size or 0) * scale, 1),
                    bool(re.search(r"bold|black|heavy|demi", name, re.IGNORECASE)),
                )
            pieces.append(piece)

    page.extract_text(visitor_text=visit)
    flush()
    return found


def _without_edges(pages: list[list[Line]]) -> tuple[list[list[Line]], list[str]]:
    """The pages without page numbers and without the lines that return at their head or foot."""

    def key(line: Line) -> str:
        return re.sub(r"\d+", "0", line.text.casefold())

    def edges(lines: list[Line]) -> set[int]:
        by_height = sorted(range(len(lines)), key=lambda i: -lines[i].y)
        return {*range(_EDGE), *range(len(lines) - _EDGE, len(lines)), *by_height[:_EDGE], *by_height[-_EDGE:]} & {
            *range(len(lines))
        }

    count = Counter(k for lines in pages for k in {key(lines[i]) for i in edges(lines)})
    needed = max(2, len(pages) // 2)
    kept, running = [], dict[str, None]()
    for lines in pages:
        edge = edges(lines)
        dropped = {i for i in edge if _PAGE_NUMBER.match(lines[i].text) or count[key(lines[i])] >= needed}
        running.update(dict.fromkeys(lines[i].text for i in sorted(dropped) if not _PAGE_NUMBER.match(lines[i].text)))
        kept.append([line for i, line in enumerate(lines) if i not in dropped])
    return kept, list(running)


def _assembled(pages: list[list[Line]], metadata: dict[str, Any]) -> Extract:
    lines = [line for page in pages for line in page]
    if not lines:
        raise UnreadableFile("the PDF holds nothing but page numbers and running headers")
    body = median([line.size for line in lines for _ in range(len(line.text))])
    gaps = [
        round(a.y - b.y, 1) for page in pages for a, b in pairwise(page) if a.size == b.size and 0.5 < a.y - b.y < 60
    ]
    leading = min(multimode(gaps), default=0.0)  # points; the distance of two lines of a paragraph is the usual one
    width = sorted(len(line.text) for line in lines)[int(0.9 * (len(lines) - 1))]
    words = Counter(re.findall(r"[\w-]+", " ".join(line.text for line in lines).casefold()))
    bold = sum(line.bold for line in lines) > len(lines) / 2

    text, blocks, starts = "", list[Block](), list[int]()
    open_at, last = 0, None
    for page in pages:
        starts.append(-1)
        for line in page:
            if last is None or _breaks(last, line, starts[-1] < 0, leading, width):
                if last is not None:
                    blocks.append(_block(text, open_at, last, body, bold))
                    text += "\n"
                open_at = len(text)
                joint = ""
            else:
                text, joint = _joint(text, line.text, words)
            text += joint
            if starts[-1] < 0:
                starts[-1] = len(text)
            text += line.text
            last = line
    if last is not None:
        blocks.append(_block(text, open_at, last, body, bold))
    return Extract(text, tuple(blocks), metadata, tuple(_filled(starts, len(text))))


def _filled(starts: list[int], end: int) -> Iterator[int]:
    """Where each page begins; a page without text begins where the next one does."""
    filled = []
    for start in reversed(starts):
        end = start if start >= 0 else end
        filled.append(end)
    return reversed(filled)


def _breaks(last: Line, line: Line, new_page: bool, leading: float, width: int) -> bool:
    """Whether a new paragraph begins with `line`."""
    if abs(last.size - line.size) > 0.6 or last.bold != line.bold:
        return True
    gap = last.y - line.y
    if new_page or gap < 0:  # the next page or column
        return bool(_END.search(last.text)) and not line.text[:1].islower()
    if leading and gap > 1.3 * leading:
        return True
    if line.x - last.x > 5 and _END.search(last.text):
        return True
    return bool(_END.search(last.text)) and not last.text.endswith(":") and len(last.text) < 0.75 * width


def _joint(text: str, line: str, words: Counter[str]) -> tuple[str, str]:
    """The text so far and what goes between it and the next line: a blank, or nothing where a word goes on."""
    if text.endswith("\u00ad"):
        return text[:-1], ""
    start = re.search(r"([^\W\d_]+(?:-[^\W\d_]+)*)-$", text)
    following = re.match(r"[^\W\d_]+", line)
    if not start or not following:
        return text, "" if re.search(r"\w[-–/]$", text) and following else " "
    if following[0] in ("und", "oder", "en", "of", "and", "or", "bzw", "bis", "als"):
        return text, " "  # "Vor- und Nachteile"
    hyphened = f"{start[1]}-{following[0]}".casefold()
    joined = f"{start[1]}{following[0]}".casefold()
    if following[0][0].isupper() or (words[hyphened] and not words[joined]):
        return text, ""
    return text[:-1], ""


def _block(text: str, start: int, last: Line, body: float, bold_body: bool) -> Block:
    size = len(text) - start
    larger = last.size > 1.12 * body and size < 250
    bold = last.bold and not bold_body and size < 150 and not text.endswith(".")
    kind: Literal["heading", "paragraph"] = "heading" if larger or bold else "paragraph"
    return Block(start, len(text), kind)
