"""Errors as RFC 9457 has them: what every refusal of the web application looks like to a program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refused(Exception):
    """What was asked for is not done: the status to answer with, and as its text why, in plain words.

    `retry_after`: seconds after which it may be tried again, where that helps.
    """

    def __init__(self, status: int, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


def told(status: int, detail: str) -> dict[str, object]:
    """An error as plain data."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}


def told_to_openai(status: int, detail: str, code: str | None = None) -> dict[str, object]:
    """An error as plain data, with the member by which OpenAI's clients know it besides."""
    kind = "server_error" if status >= 500 else _KINDS.get(status, "invalid_request_error")
    return told(status, detail) | {"error": {"message": detail, "type": kind, "param": None, "code": code}}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error as an answer."""
    return JSONResponse(told(status, detail), status, headers, media_type="application/problem+json")


def refusal(error: Refused) -> JSONResponse:
    """A refusal as an answer, with `Retry-After` where it says when to come again."""
    return problem(error.status, str(error), retry_after(error.retry_after))


def retry_after(seconds: float | None) -> dict[str, str]:
    """The header that says after how many seconds to come again; none where that would not help."""
    return {} if seconds is None else {"Retry-After": str(math.ceil(seconds))}
