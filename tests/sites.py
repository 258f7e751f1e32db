"""A web site on loopback that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ALLOWED = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Page:
    body: bytes = b""
    status: int = 200
    type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    """An ETag: whoever has it already is answered 304."""


Answer = Page | Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Site:
    host: str
    port: int
    scheme: str
    pages: dict[str, Answer]
    asked: list[tuple[str, dict[str, str]]]
    """The path, and the headers in small letters, of each request."""

    def at(self, path: str, host: str = "") -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextlib.contextmanager
def site(pages: dict[str, Answer], host: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[Site]:
    """Serve `pages` by their path, 404 for others; behind TLS with the `certificate.pem` and `key.pem` of a folder."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            answer = pages.get(self.path, Page(b"<p>not here</p>", 404))
            if isinstance(answer, Page):
                _send(self, answer)
            else:
                with contextlib.suppress(OSError):  # whoever is made to wait may leave
                    answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that refuses the certificate leaves
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Site(host, server.server_address[1], "https" if certificate else "http", pages, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _send(handler: BaseHTTPRequestHandler, page: Page) -> None:
    known = page.tag and handler.headers.get("If-None-Match") == page.tag
    handler.send_response(304 if known else page.status)
    handler.send_header("Content-Type", page.type)
    if page.tag:
        handler.send_header("ETag", page.tag)
    for name, value in page.headers.items():
        handler.send_header(name, value)
    if "Content-Length" not in page.headers and not known:
        handler.send_header("Content-Length", str(len(page.body)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(b"" if known else page.body)
