"""The JSON interface of the room: what a page of ours sends, checked field by field before anything else sees it.

What is refused is told as a problem (RFC 9457) whose `detail` a person understands.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException  # what FastAPI itself raises is not always its own

from rag import feedback
from rag.assistant import Assistant
from rag.errors import ArchiveIndexError, SettingsError

_Offset = Annotated[int, Field(ge=0, lt=2**31)]
_Name = Annotated[str, Field(max_length=200)]  # its form is checked, in better words, where `Feedback` is made


class _Sent(BaseModel):
    """Types as JSON has them and no fields but these: what is misspelt is said and not ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SentCitation(_Sent):
    """A quotation of the answer: code points `[start, end)` of the text of the article with the id `article`."""

    article: _Name
    start: _Offset
    end: _Offset


class SentFeedback(_Sent):
    """A reader's verdict on an answer. With the id of an earlier one it takes that one's place."""

    verdict: feedback.Verdict
    question: Annotated[str, Field(max_length=feedback.MAX_QUESTION)]
    language: _Name
    found: bool
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    method: _Name = "quotes"
    citations: Annotated[list[SentCitation], Field(max_length=feedback.MAX_CITATIONS)] = Field(default_factory=list)
    note: Annotated[str, Field(max_length=feedback.MAX_NOTE)] | None = None
    id: _Name | None = None


def routes(assistant: Assistant) -> APIRouter:
    """The routes below `/api`, around an open assistant."""
    router = APIRouter(prefix="/api", route_class=_Told)

    @router.post("/feedback", status_code=HTTPStatus.CREATED)
    def add_feedback(sent: SentFeedback) -> JSONResponse:
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
        assistant.add_feedback(given)
        return JSONResponse({"id": given.id}, HTTPStatus.CREATED)

    @router.delete("/feedback/{feedback_id}")
    def take_back(feedback_id: str) -> Response:
        """Delete a verdict: 204. Only the page that sent it knows its id, which is random."""
        if not assistant.delete_feedback([feedback_id]):
            return problem(404, "There is no feedback with this id; it may have been deleted already.")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


def problem(status: int, detail: str) -> JSONResponse:
    """An error as RFC 9457 has it."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(told, status, media_type="application/problem+json")


class _Told(APIRoute):
    """Tells every error of its route as a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                if first["type"] == "json_invalid":
                    return problem(400, "The body is not valid JSON; send one JSON object.")
                return problem(422, _said(first))
            except HTTPException as error:  # a body that cannot even be parsed
                return problem(error.status_code, f"{error.detail}; send one JSON object in UTF-8.")
            except SettingsError as error:
                return problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            except ArchiveIndexError as error:
                return problem(503, f"It could not be kept: {error}.")

        return told


def _said(error: dict[str, Any]) -> str:
    """One error of pydantic in words: which field, what is wrong, what is expected."""
    place = ".".join(str(part) for part in error["loc"][1:])
    if not place:
        return "The body is not a JSON object; send the fields of the feedback as one, with the type application/json."
    if error["type"] == "missing":
        return f"The field {place} is missing; add it."
    if error["type"] == "extra_forbidden":
        return f"The field {place} is not known; leave it out."
    return f"The field {place} cannot be used: {error['msg'][:1].lower()}{error['msg'][1:]}."
