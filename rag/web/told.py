"""How the routes for programs tell what went wrong, whatever it was, and how they notice that a client has left.

Every error becomes a `Refused`, and that an answer: problem details (RFC 9457) unless a route has a form of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException  # what FastAPI itself raises is not always its own
from starlette.requests import ClientDisconnect

from rag.errors import RagError, SettingsError
from rag.web.guards import ASGIApp, Receive, Scope, Send
from rag.web.problems import Refused, refusal

# Says in the OpenAPI document what the guard in front of all routes asks for; checks nothing itself.
BEARER = Security(
    HTTPBearer(
        auto_error=False,
        scheme_name="token",
        description="A token of a program, or one that a wiki has signed for its reader. Not needed where the "
        "archive is open to everybody who reaches it.",
    )
)
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold the steps back
SILENCE = 12.0  # seconds: proxies take a connection on which nothing comes for dead, some after 30

Tell = Callable[[Refused], JSONResponse]
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """An error, as RFC 9457 has it; `detail` is a sentence for people."""

    type: str
    title: str
    status: int
    detail: str


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses for the `responses` of a route, each with a problem as its body."""
    body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": body} for status in statuses}


def refused(error: Exception) -> Refused:
    """An error as a refusal. One that is no refusal is told to the log only."""
    match error:
        case Refused():
            return error
        case RequestValidationError():
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                return Refused(400, "The body is not valid JSON; send one JSON object.")
            return Refused(422, _said(first))
        case HTTPException():  # a body that cannot even be parsed
            return Refused(error.status_code, f"{error.detail}; send one JSON object in UTF-8.")
        case ClientDisconnect():  # nobody reads this
            return Refused(408, "The client has left.")
        case SettingsError():
            return Refused(422, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        case RagError():
            return Refused(503, f"The archive cannot be used now: {error}.")
    _log.error("A request failed", exc_info=error)
    return Refused(500, "The request failed; the server's log says why.")


def _said(error: dict[str, Any]) -> str:
    """One error of pydantic in words: which field, what is wrong, what is expected."""
    where, *path = error["loc"]
    place = ".".join(str(part) for part in path)[:100].encode(errors="replace").decode()
    if not place:
        return "The body is not a JSON object; send the fields as one, with the type application/json."
    what = "field" if where == "body" else "parameter"
    if error["type"] == "missing":
        return f"The {what} {place} is missing; add it."
    if error["type"] == "extra_forbidden":
        return f"The {what} {place} is not known; leave it out."
    why = error["msg"].removeprefix("Value error, ")
    return f"The {what} {place} cannot be used: {why[:1].lower()}{why[1:]}."


class Told(APIRoute):
    """A route that tells all of its errors as `tell` does: as problems."""

    tell: Tell = staticmethod(refusal)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                return self.tell(refused(error))

        return told


def unknown(app: FastAPI, tell: Tell = refusal) -> ASGIApp:
    """What to mount behind the routes of `app`: 405 where a path knows other methods, else 404."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        allowed = {
            method
            for route in iter_route_contexts(app.routes)
            if route.methods and route.path_regex.match(path)
            for method in route.methods
        }
        if allowed:
            methods = ", ".join(sorted(allowed))
            response = tell(Refused(405, f"This address does not know {scope['method'][:20]}; it knows {methods}."))
            response.headers["Allow"] = methods
        else:
            response = tell(Refused(404, "There is nothing at this address; /docs lists those that there are."))
        await response(scope, receive, send)

    return answer


async def kept_alive(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks of a stream of server-sent events, and a comment wherever none has come for a while."""
    coming = asyncio.ensure_future(anext(chunks, b""))
    try:
        while True:
            await asyncio.wait([coming], timeout=SILENCE)
            if not coming.done():
                yield b": keep-alive\n\n"
                continue
            if not (chunk := coming.result()):
                return
            yield chunk
            coming = asyncio.ensure_future(anext(chunks, b""))
    finally:
        coming.cancel()  # the client has left


async def while_here(request: Request, work: Awaitable[_Result]) -> _Result:
    """What the work gives, which ends when the client leaves. The request's body has been read already.

    Raises:
        ClientDisconnect: it has left.
    """
    task, gone = asyncio.ensure_future(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
