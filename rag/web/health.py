"""What a machine asks about the server: whether it is alive, whether it can answer, and its counters.

Anybody may see the first two, so they hold nothing of the archive, not even its size.
"""

from __future__ import annotations

import logging
import threading
import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from rag.assistant import Assistant
from rag.web import logs
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.meters import Meters
from rag.web.problems import problem

KEPT = 5.0  # seconds for which a verdict on the index holds, so that probes cost nothing

_FRESH = {"Cache-Control": "no-store"}


def routes(assistant: Assistant, questions: Questions, meters: Meters) -> APIRouter:
    """The routes `/healthz`, `/readyz` and `/metrics` around an open assistant."""
    router = APIRouter(tags=["server"])
    index = _Index(assistant)

    @router.get("/healthz", summary="Whether the process lives")
    async def healthz() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"}, headers=_FRESH)

    @router.get("/readyz", summary="Whether the index answers")
    def readyz() -> JSONResponse:
        """The index is open, holds articles and finds something."""
        if why := index.trouble():
            return problem(503, why, _FRESH)
        return JSONResponse({"status": "ready"}, headers=_FRESH)

    @router.get("/metrics", summary="The counters, for Prometheus")
    def metrics(request: Request) -> Response:
        """The counters, in the formats of Prometheus."""
        archive = questions.archive(reader_of(request.scope))
        body, content_type = meters.exposed(request.headers.get("accept", ""), archive)
        return Response(body, headers={"Content-Type": content_type, **_FRESH})

    return router


class _Index:
    """Asks the index something small, and keeps what came of it for a while. Probes that come together ask once."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._turn = threading.Lock()
        self._trouble: str | None = None
        self._until = 0.0

    def trouble(self) -> str | None:
        """Why nothing can be asked, in words fit for strangers; None where it can."""
        with self._turn:
            if time.monotonic() >= self._until:
                self._trouble = self._asked()
                self._until = time.monotonic() + KEPT
            return self._trouble

    def _asked(self) -> str | None:
        try:
            found = self._assistant.search("press archive", limit=1)
        except Exception as error:
            logs.write("failed", logging.ERROR, error)
            return "The index cannot be used; the server's log says why."
        return None if found else "The index holds no articles yet."
