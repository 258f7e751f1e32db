"""One turn of the conversation: what the browser sends is checked, what goes back to it is markup.

The conversation itself lives in the browser only; each question brings along what it may refer to.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rag.assistant import MAX_HISTORY
from rag.errors import RagError, SettingsError
from rag.question import MAX_QUESTION
from rag.records import Answer, Event, Statement
from rag.web.access import Reader
from rag.web.asking import Questions
from rag.web.copies import markdown, plain, quotation
from rag.web.footnotes import dokuwiki, markdown_footnotes, mediawiki
from rag.web.markup import answer_html, error_html, heard, prose_html, working_html, writing_html
from rag.web.page import web_address
from rag.web.problems import Refused
from rag.web.texts import Texts
from rag.web.wordings import texts_for

_MAX_REMEMBERED = 4_000  # characters of an earlier answer that matter for that
_MAX_NAMES = 200  # languages, or outlets, in one filter
_MAX_BASE = 300
_FLICKER = 0.1  # seconds: a statement that would stand for less than that is not shown by itself

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How a question is asked: the screen's texts, the filters as `Assistant.ask` takes them, the address of the
    application as the reader's browser knows it ("" where it is not known), and whether the answer is to be written."""

    texts: Texts
    filters: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    written: bool = False


def _names(given: object, what: str) -> list[str] | None:
    if not given:
        return None
    if not isinstance(given, list) or len(given) > _MAX_NAMES or not all(isinstance(name, str) for name in given):
        raise SettingsError(f"the filter {what} is not a list of at most {_MAX_NAMES} names; clear the filters")
    return given


def _day(given: object, what: str) -> dt.date | None:
    if not given:
        return None
    try:
        return dt.date.fromisoformat(str(given))
    except ValueError:
        raise SettingsError(
            f"the filter {what} is {str(given)[:40]!r}, expected a date such as 2025-10-01; correct or clear it"
        ) from None


def read_options(given: object) -> Options:
    """The options of a question as the browser sends them: lang, languages, sources, since, until, base, written.

    Raises:
        SettingsError: a filter cannot be used.
    """
    said = given if isinstance(given, dict) else {}
    base = str(said.get("base") or "")[:_MAX_BASE].rstrip("/")
    return Options(
        texts=texts_for(str(said.get("lang") or "")),
        filters={
            "languages": _names(said.get("languages"), "languages"),
            "sources": _names(said.get("sources"), "sources"),
            "since": _day(said.get("since"), "since"),
            "until": _day(said.get("until"), "until"),
        },
        base=base if web_address(base) else "",
        written=said.get("written") is True,
    )


def read_history(given: object) -> tuple[tuple[str, str], ...]:
    """The last (question, answer text) pairs, oldest first; what is no such pair is left out."""
    pairs = given if isinstance(given, list) else []
    usable = [
        (pair[0][:MAX_QUESTION], pair[1][:_MAX_REMEMBERED])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
    ]
    return tuple(usable[-MAX_HISTORY:])


def refused(question: str, texts: Texts) -> str | None:
    """Why a question is not even asked. Gradio itself enforces no length on the server."""
    if not any(character.isalnum() for character in question):
        return texts.empty
    return texts.too_long.format(length=len(question), limit=MAX_QUESTION) if len(question) > MAX_QUESTION else None


async def steps(
    questions: Questions,
    reader: Reader,
    question: object,
    history: object,
    options: object,
    number: int,
    *,
    root: str = "",
) -> AsyncIterator[dict[str, Any]]:
    """What stands under a question, step by step: {"kind", "html"}, the last of kind "answer" or "error".

    A step of a written answer brings along its `prose`, in case all else stands there already. An answer brings along
    its `text` (for the history), what is `heard` of it, its `copies` and what `feedback` on it is about. Nothing is
    raised: an error is a step like the others.
    """
    texts = texts_for(str(options.get("lang") or "")) if isinstance(options, dict) else texts_for(None)
    question = question.strip() if isinstance(question, str) else ""
    try:
        if why := refused(question, texts):
            yield {"kind": "error", "html": error_html(why)}
            return
        asked = read_options(options)
        events = questions.stream(
            reader, "chat", question, read_history(history), written=asked.written, **asked.filters
        )
        model = questions.archive(reader).model if asked.written else None
        statements: list[Statement] = []
        async for event, stands in _paced(events):
            if isinstance(event.data, Answer):
                yield _answered(event.data, asked, number, root)
                return
            if not isinstance(event.data, Statement):
                yield {"kind": "hits", "html": working_html(event.data, texts, model=model)}
                continue
            statements.append(event.data)
            if model and stands:
                prose = prose_html(statements, event.citations, texts, turn=number)
                html = writing_html(prose, event.citations, model, texts, root=root, turn=number)
                yield {"kind": "statement", "html": html, "prose": prose}
    except Refused as error:
        said = {503: texts.busy, 429: texts.too_often}.get(error.status, texts.failed)
        yield {"kind": "error", "html": error_html(said)}
    except RagError as error:
        yield {"kind": "error", "html": error_html(str(error))}
    except Exception:
        _log.exception("The question could not be answered")
        yield {"kind": "error", "html": error_html(texts.failed)}


async def _paced(events: AsyncIterator[Event]) -> AsyncIterator[tuple[Event, bool]]:
    """Each step, and whether it stands long enough to be read: a statement may not, since others follow at once."""
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while (event := await coming) is not None:
            coming = asyncio.ensure_future(anext(events, None))
            if event.kind == "statement":
                await asyncio.wait([coming], timeout=_FLICKER)
            yield event, not coming.done()
    finally:
        coming.cancel()


def _answered(answer: Answer, options: Options, number: int, root: str) -> dict[str, Any]:
    language = options.texts.language
    return {
        "kind": "answer",
        "html": answer_html(answer, options.texts, root=root, turn=number),
        "heard": heard(answer, options.texts),
        "text": answer.text,
        "copies": {
            "plain": plain(answer, options.base),
            "markdown": markdown(answer, options.base),
            "mediawiki": mediawiki(answer, options.base),
            "dokuwiki": dokuwiki(answer, options.base),
            "footnotes": markdown_footnotes(answer, options.base),
            "quotations": [quotation(citation, language, options.base) for citation in answer.citations],
        },
        "feedback": {
            "question": answer.question,
            "language": answer.language,
            "found": answer.found,
            "confidence": round(answer.confidence, 4),
            "method": answer.method,
            "citations": [
                {"article": citation.article.id, "start": citation.start, "end": citation.end}
                for citation in answer.citations
            ],
        },
    }
