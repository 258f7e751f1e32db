"""The log: one JSON object a line on stderr, about who asked when and how it ended, and never about what.

No question, no article's text, no token and no query string gets in, unless the setting `log` is "questions", which
adds the questions. Messages of exceptions and of other libraries may quote what was sent, so an exception is told by
its type and the lines of code it passed, and a library by the line that spoke.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
import time
import traceback
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, TextIO

from rag.errors import ArchiveIndexError, CorpusError, EmbedderError, RerankerError
from rag.web.guards import ASGIApp, Message, Receive, Scope, Send, refuse

Log = Literal["on", "off", "questions"]

_LONGEST = 2_000  # characters of a value; a question has as many
_FRAMES = 15  # lines of code of a traceback, the last ones
_OURS = "rag.web"
# Their messages are about files and settings and never quote who asks.
_TELLING = (ArchiveIndexError, CorpusError, EmbedderError, RerankerError)
_REFUSED = frozenset({401, 403, 413, 421, 429, 503})
_USABLE_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
_PROBES = re.compile(r"/(healthz|readyz)")
# Told only where it is refused or fails: a page of the chat asks for dozens of these.
_PLUMBING = re.compile(r"/((ui|assets|static|gradio_api)/.*|config/?|theme\.css|favicon\.ico|widget\.js|metrics)")

_log = logging.getLogger(_OURS)


@dataclass(frozen=True, slots=True)
class _Request:
    """The request under way: its id, and what its line of the log will say besides."""

    id: str
    noted: dict[str, Any] = field(default_factory=dict)


_request: ContextVar[_Request | None] = ContextVar("on_record_request", default=None)


def setup(log: Log, stream: TextIO | None = None) -> None:
    """Make all logging of this process JSON lines on `stream`, by default stderr; "off" leaves failures only."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR if log == "off" else logging.WARNING)
    logging.getLogger(_OURS).setLevel(logging.ERROR if log == "off" else logging.INFO)


def write(event: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Write a line about `event`; what is None is left out. The request under way adds its id."""
    if (request := _request.get()) is not None:
        fields = {"request": request.id, **fields}
    _log.log(level, event, exc_info=error, extra={"fields": fields})


def note(**fields: Any) -> None:
    """Have the line about the request under way say this too; outside of a request it is forgotten."""
    if (request := _request.get()) is not None:
        request.noted.update(fields)


class _Lines(logging.Formatter):
    """A record as one line of JSON. All that is not ASCII is escaped, so that no value can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {"time": moment.replace("+00:00", "Z"), "level": record.levelname.lower()}
        if hasattr(record, "fields"):
            entry |= {"event": record.msg} | {name: value for name, value in record.fields.items() if value is not None}
        else:
            entry |= {"event": "message", "logger": record.name} | _said(record)
        if record.exc_info and record.exc_info[1]:
            entry |= _told(record.exc_info[1])
        return json.dumps({name: _short(value) for name, value in entry.items()}, default=str)


def _said(record: logging.LogRecord) -> dict[str, str]:
    if record.name.startswith("rag."):
        return {"message": record.getMessage()}
    place = {"place": f"{record.filename}:{record.lineno}"}
    # Those of the server itself have nothing in them until they are filled in.
    return {"message": str(record.msg).strip()} | place if record.name.startswith("uvicorn") else place


def _told(error: BaseException) -> dict[str, Any]:
    """An exception, and what it came from, without a word of their messages."""
    told: dict[str, Any] = {"error": type(error).__qualname__}
    if isinstance(error, _TELLING):
        told["reason"] = str(error)
    if error.__traceback__:
        told["trace"] = _trace(error.__traceback__)
    if isinstance(error, BaseExceptionGroup):
        told["of"] = [_told(one) for one in error.exceptions]
    if because := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        told["because"] = _told(because)
    return told


def _trace(trace: TracebackType) -> list[str]:
    steps = [(frame.f_globals.get("__name__"), line, frame.f_code.co_name) for frame, line in traceback.walk_tb(trace)]
    return [f"{module}:{line} {function}" for module, line, function in steps[-_FRAMES:]]


def _short(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value


class RequestLog:
    """Gives every request an id, which its answer brings back as X-Request-Id, and writes a line about it.

    No exception leaves it: who runs the server would write down its message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(_id_of(scope))
        began = time.monotonic()
        status = 0
        failure: Exception | None = None

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request.id.encode())]
            await send(message)

        token = _request.set(request)
        try:
            await self.app(scope, receive, marked)
        except Exception as error:
            failure = error
            if not status:
                detail = f"Something went wrong; the server's log says where, under the request {request.id}."
                await refuse(scope, marked, 500, detail)
        finally:
            path = scope["path"]
            if status and not _PROBES.fullmatch(path) and not (_PLUMBING.fullmatch(path) and status < 400):
                event, level = _named(path, status, failure)
                about = {"method": scope["method"], "path": path, "status": status, "ms": _ms(began)}
                write(event, level, failure, **about, **request.noted)
            _request.reset(token)


def _id_of(scope: Scope) -> str:
    """The request's id: the client's own where it has a usable one."""
    sent = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return sent[0].decode() if len(sent) == 1 and _USABLE_ID.fullmatch(sent[0]) else uuid.uuid4().hex


def _named(path: str, status: int, failure: Exception | None) -> tuple[str, int]:
    """What a request is called in the log, and how much it matters."""
    if status in _REFUSED and not failure:
        return "refused", logging.WARNING
    if status >= 500 or failure:
        return "failed", logging.ERROR
    if path.startswith(("/article/", "/api/articles/")):
        return "article", logging.INFO
    return ("login" if path == "/login" else "request"), logging.INFO


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
