"""What may be handed to the functions of the chat: plain data, and not much of a tree.

Gradio takes any object that passes for a file among the arguments for one, at whatever depth, also where a function
takes no files: it fetches the address or copies the file that the object names. Nothing that the page or a program
sends here is a file, so what looks like one is refused before Gradio sees it, as is what it cannot carry: deep nesting,
half characters, infinity.
"""

from __future__ import annotations

import json
import logging
import math
from typing import Any

from gradio import queueing

from rag.terms import is_whole
from rag.web.guards import SAFE_METHODS, ASGIApp, Receive, Scope, Send, again, refuse

_DEEPEST = 12  # what the page sends has six levels

_log = logging.getLogger(__name__)


class _ToTheLog:
    """Takes the place of the module `traceback`."""

    @staticmethod
    def print_exc() -> None:
        _log.exception("A call of the chat failed")


def log_failures() -> None:
    """Have Gradio tell our log what fails; it would print the exception, whose message may quote the question."""
    vars(queueing)["traceback"] = _ToTheLog


class PlainCalls:
    """Refuses POSTs to Gradio whose body is anything but plain JSON (400, 422). The body is there in one message."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        body = (await receive()).get("body", b"")
        try:
            sent = json.loads(body)  # as FastAPI reads it behind this
        except (ValueError, RecursionError):
            await refuse(scope, send, 400, "The body is not valid JSON; send one JSON object.")
            return
        if why := _unfit(sent):
            await refuse(scope, send, 422, why)
            return
        await self.app(scope, again(body, receive), send)


def _unfit(sent: Any) -> str:
    """Why this cannot be handed on; empty where it can."""
    level = [sent]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str) and not is_whole(value):
                return "A text holds half a character, which JSON can say and no text can."
            if isinstance(value, float) and not math.isfinite(value):
                return "A number is none that JSON knows."
            if isinstance(value, dict):
                if "meta" in value and "path" in value:
                    return "Files are not taken here; send plain data."
                below += [*value, *value.values()]
            elif isinstance(value, list):
                below += value
        level = below
    return f"The body is nested deeper than {_DEEPEST} levels." if level else ""
