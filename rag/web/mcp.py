"""The archive for agents over HTTP: the MCP server at `/mcp`, behind the same guards and limits as everything else.

It keeps no sessions: each request is answered by itself, for the reader whom the guard found behind that very request.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rag import mcp
from rag.errors import RagError
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.problems import Refused, problem

ADDRESS = "/mcp"


def routes(questions: Questions) -> APIRouter:
    """The routes `/mcp` and `/mcp/`. Including the router runs their server as long as the application."""

    async def reach(request: Any) -> mcp.Reached:
        reader = reader_of(request.scope)
        return mcp.Reached(
            questions.archive(reader),
            ask=functools.partial(questions.ask, reader, "mcp"),
            search=functools.partial(questions.search, reader),
        )

    # The library's own check of Host and Origin stays off, as it is where no settings are given: our guards stand in
    # front, and know the hosts and origins that are allowed here.
    manager = StreamableHTTPSessionManager(
        mcp.server(reach, told=(RagError, Refused)), json_response=True, stateless=True
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with manager.run():
            yield

    router = APIRouter(lifespan=lifespan)
    # Both, since a redirect from one to the other may lose the body.
    router.routes += [Route(path, _PostOnly(manager.handle_request)) for path in (ADDRESS, ADDRESS + "/")]
    return router


class _PostOnly:
    """Lets nothing through but POST: a GET would hold a stream open on which nothing ever comes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await self.app(scope, receive, send)
        else:
            refused = problem(405, "Agents send their requests here as POST.", {"Allow": "POST"})
            await refused(scope, receive, send)
