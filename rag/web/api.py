"""The HTTP interface for programs and for pages of ours: ask, search, list and read articles, feedback.

What is refused is told as a problem (RFC 9457) whose `detail` a person understands.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.sse import format_sse_event

from rag import feedback
from rag.errors import CitationError, LLMError
from rag.records import Event
from rag.web import editions, shapes
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.problems import Refused, told
from rag.web.told import BEARER, STREAM_HEADERS, Told, errors, kept_alive, refused, while_here

_log = logging.getLogger(__name__)
_NO_STORE = {"Cache-Control": "no-store"}
_NO_QUOTATION = "There is no such quotation; the article may have been changed or removed."


def routes(questions: Questions) -> APIRouter:
    """The routes below `/api`."""
    router = APIRouter(prefix="/api", route_class=Told, dependencies=[BEARER])
    _add_asking(router, questions)
    _add_articles(router, questions)
    _add_feedback(router, questions)
    return router


def _add_asking(router: APIRouter, questions: Questions) -> None:
    steps = {"schema": {"type": "string"}, "example": "event: hits\ndata: […]\n\nevent: answer\ndata: {…}\n\n"}

    @router.post(
        "/ask",
        tags=["archive"],
        summary="Ask the archive a question",
        responses={
            200: {"model": shapes.Answer, "content": {"text/event-stream": steps}},
            **errors(400, 401, 413, 422, 429, 500, 503),
        },
    )
    async def ask(request: Request, sent: shapes.SentQuestion) -> Response:
        """The answer in exact quotations, or that the archive does not hold one.

        Where a language model is connected it writes the answer, unless `written` is false; statements that the
        quotations do not support are left out. With `Accept: text/event-stream` it comes step by step: the event `hits`
        (a list: what came nearest), then `statement` for each statement, with the citations it rests on in `cited`,
        then `answer` with the whole; or `error` with a problem, which ends it.
        """
        reader = reader_of(request.scope)
        options: dict[str, Any] = sent.model_dump(exclude={"question", "history"})
        history = [(earlier, answer) for earlier, answer in sent.history]
        if "text/event-stream" not in request.headers.get("accept", "").lower():
            asked = questions.ask(reader, "api", sent.question, history, **options)
            return JSONResponse((await while_here(request, asked)).to_dict(), headers=_NO_STORE)
        events = questions.stream(reader, "api", sent.question, history, **options)
        # Until the first step is there, what is wrong can still be told by the status.
        first = await while_here(request, anext(events))
        return StreamingResponse(
            kept_alive(_told(first, events)), headers=STREAM_HEADERS, media_type="text/event-stream"
        )

    @router.post(
        "/translate",
        tags=["archive"],
        summary="Translate a quotation",
        responses={200: {"model": shapes.Translation}, **errors(400, 401, 404, 409, 413, 422, 429, 500, 502, 503)},
    )
    async def translate(request: Request, sent: shapes.SentTranslation) -> JSONResponse:
        """The language model's translation of a quotation, to be read beside it. 409 where no model is connected."""
        reader = reader_of(request.scope)
        archive = questions.archive(reader)
        model = archive.model
        if model is None:
            raise Refused(409, "No language model is connected here, so nothing can be translated.")
        if sent.version and editions.state(archive, sent.article, sent.version) != "same":
            raise Refused(404, _NO_QUOTATION)
        work = questions.translate(reader, sent.article, sent.start, sent.end, sent.language)
        try:
            translation = await while_here(request, work)
        except CitationError:
            raise Refused(404, _NO_QUOTATION) from None
        except LLMError:
            _log.warning("A quotation could not be translated", exc_info=True)  # without what it says of the prompt
            raise Refused(502, "The language model gave no translation; try again.") from None
        told = {"translation": translation, "model": model, "language": sent.language}
        return JSONResponse(told, headers=_NO_STORE)

    @router.get(
        "/search",
        tags=["archive"],
        summary="Search for passages",
        responses={200: {"model": shapes.Found}, **errors(401, 422, 429, 500, 503)},
    )
    async def search(request: Request, sent: Annotated[shapes.SentSearch, Query()]) -> JSONResponse:
        """The passages nearest to a query, best first, without asking whether any of them answers it."""
        found = questions.search(reader_of(request.scope), sent.q, sent.limit, **sent.filters())
        hits = [hit.to_dict() for hit in await while_here(request, found)]
        return JSONResponse({"query": sent.q, "hits": hits}, headers=_NO_STORE)


def _add_articles(router: APIRouter, questions: Questions) -> None:
    @router.get(
        "/articles",
        tags=["archive"],
        summary="List articles",
        responses={200: {"model": shapes.Listing}, **errors(401, 422, 500, 503)},
    )
    def articles(request: Request, sent: Annotated[shapes.SentListing, Query()]) -> JSONResponse:
        """A page of the articles, newest first, the undated last; without their texts."""
        archive = questions.archive(reader_of(request.scope))
        found, total = archive.find_articles(sent.q, **sent.filters(), limit=sent.limit, offset=sent.offset)
        listing = {
            "articles": [article.to_dict() for article in found],
            "total": total,
            "limit": sent.limit,
            "offset": sent.offset,
        }
        return JSONResponse(listing, headers=_NO_STORE)

    @router.get(
        "/articles/{article_id:path}",
        tags=["archive"],
        summary="Read an article",
        responses={200: {"model": shapes.WholeArticle}, **errors(401, 404, 500, 503)},
    )
    def article(request: Request, article_id: str) -> JSONResponse:
        """An article with its text, into which the offsets of hits and citations point."""
        found = questions.archive(reader_of(request.scope)).article(article_id)
        if found is None:
            raise Refused(404, "There is no article with this id; it may have been removed.")
        return JSONResponse(shapes.whole(found), headers=_NO_STORE)


def _add_feedback(router: APIRouter, questions: Questions) -> None:
    @router.post(
        "/feedback",
        tags=["feedback"],
        summary="Say whether an answer helped",
        status_code=HTTPStatus.CREATED,
        responses={201: {"model": shapes.Kept}, **errors(400, 401, 413, 422, 500, 503)},
    )
    def add_feedback(request: Request, sent: shapes.SentFeedback) -> JSONResponse:
        """Keep a verdict on an answer: 201 with its id, under which it can be sent again, changed."""
        given = feedback.Feedback(
            verdict=sent.verdict,
            question=sent.question,
            language=sent.language,
            found=sent.found,
            confidence=sent.confidence,
            method=sent.method,
            citations=tuple(feedback.Cited(item.article, item.start, item.end) for item in sent.citations),
            note=(sent.note or "").strip() or None,
            id=feedback.new_id() if sent.id is None else sent.id,
        )
        questions.archive(reader_of(request.scope)).add_feedback(given)
        return JSONResponse({"id": given.id}, HTTPStatus.CREATED)

    @router.delete(
        "/feedback/{feedback_id}",
        tags=["feedback"],
        summary="Take a verdict back",
        status_code=HTTPStatus.NO_CONTENT,
        responses=errors(401, 404, 500, 503),
    )
    def take_back(request: Request, feedback_id: str) -> Response:
        """Delete a verdict: 204. Only the page that sent it knows its id, which is random."""
        if not questions.archive(reader_of(request.scope)).delete_feedback([feedback_id]):
            raise Refused(404, "There is no feedback with this id; it may have been deleted already.")
        return Response(status_code=HTTPStatus.NO_CONTENT)


async def _told(first: Event, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """The steps of an answer as server-sent events."""
    try:
        yield _sse(*shapes.event(first))
        async for event in events:
            yield _sse(*shapes.event(event))
    except Exception as error:
        why = refused(error)
        yield _sse("error", told(why.status, str(why)))


def _sse(kind: str, data: object) -> bytes:
    return format_sse_event(event=kind, data_str=json.dumps(data, ensure_ascii=False))
