"""The real web application on a free loopback port, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from rag.assistant import Assistant

Result = TypeVar("Result")
ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Served:
    """A running application."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str


def fetch(
    server: Served, path: str, *, method: str = "GET", body: bytes | Iterator[bytes] | None = None, **headers: str
) -> Reply:
    """One request, its path and headers exactly as given (`_` in a header's name is a hyphen)."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
    for name, value in sent.items():
        if value:
            connection.putheader(name, value)
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Content-Type", "application/json")
    elif body is not None:
        connection.putheader("Transfer-Encoding", "chunked")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before all is sent
        connection.endheaders(body, encode_chunked=not isinstance(body, bytes | None))
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    connection.close()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, text)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine gives. In a thread of its own: Playwright leaves its event loop running in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class _Stripping:
    """What a reverse proxy does that serves the application below a path: it knows no other, and takes it off."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not scope["path"].startswith(self.prefix + "/"):
                await PlainTextResponse("Not behind this proxy.", 404)(scope, receive, send)
                return
            scope = {**scope, "path": scope["path"].removeprefix(self.prefix)}
            scope["raw_path"] = scope["raw_path"].removeprefix(self.prefix.encode())
        await self.app(scope, receive, send)


class Server:
    """The real application on a free loopback port, for the length of a `with`.

    `proxied`: below the root path of the settings, as by a reverse proxy that strips it.
    """

    def __init__(self, assistant: Assistant, settings: Settings | None = None, *, proxied: bool = False) -> None:
        self._assistant = assistant
        self._settings = settings or Settings(rate=0)
        self._proxied = proxied
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> Served:
        from rag.web.server import listen

        self._socket = listen("127.0.0.1", 0)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        until = time.monotonic() + 30
        while not (self._server and self._server.started):
            assert self._thread.is_alive(), "the server stopped while starting"
            assert time.monotonic() < until, "the server did not start within 30 s"
            time.sleep(0.02)
        host, port = self._socket.getsockname()[:2]
        return Served(host, port)

    async def _serve(self) -> None:
        from rag.web import server

        # Built inside the loop that runs it: outside of one Gradio makes loops of its own and never closes them.
        app = server.create_app(self._assistant, self._settings)
        if self._proxied:
            app.add_middleware(_Stripping, prefix=self._settings.root_path)
        self._server = server.Server(app)
        await self._server.serve(sockets=[self._socket])

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
