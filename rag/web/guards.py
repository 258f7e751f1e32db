"""The guards around the web application, as plain ASGI: each wraps an app and lets through what it allows.

Gradio on its own answers any Host and reflects any Origin, takes uploads of any size, fetches addresses for anyone
and shows its statistics. What a chat needs is little, so everything else is closed here, once, for all routes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Gradio's page needs inline scripts and styles, but no eval: `gr.HTML` and `js=` compile templates with Function()
# and stay empty under this policy.
CHAT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'self'"
)
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

HEADERS = {
    b"content-security-policy": CHAT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}


def _header(scope: Scope, name: bytes) -> str | None:
    """The header's value; a header that comes twice is joined, so that no second value slips past a check."""
    values = [value for key, value in scope["headers"] if key == name]
    return b",".join(values).decode("latin-1").strip() if values else None


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = (reason + "\n").encode()
    headers = [
        *HEADERS.items(),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def host_name(authority: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, in lower case without a final dot; empty if it is malformed."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", authority.lower())
    return found[1].strip("[]").rstrip(".") if found else ""


def _origin_key(scheme: str, authority: str) -> str:
    return authority.lower().removesuffix(":443" if scheme == "https" else ":80")


class HttpOnly:
    """Refuses WebSockets, which nothing here uses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self.app(scope, receive, send)


class AllowedHosts:
    """Answers only under the host names it is meant for, so that no other site's name can be pointed at it (421).

    The loopback names are always allowed; `hosts` adds to them.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = LOOPBACK | {host_name(host) for host in hosts} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Gradio builds the addresses in its page from X-Forwarded-Host where it is set.
        names = [_header(scope, b"host") or "", *((_header(scope, b"x-forwarded-host") or "").split(","))]
        if any(host_name(name.strip()) not in self.hosts for name in names if name.strip()) or not names[0]:
            await _refuse(send, 421, "This server does not answer under that host name.")
            return
        await self.app(scope, receive, send)


class SameOrigin:
    """Refuses what another site's page asks for (403): reading through CORS as well as writing.

    A browser names the asking page in Origin on every cross-origin read by script and on every POST. A missing Origin
    is no browser's script (a link, a terminal), except where Sec-Fetch-Site says otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._foreign(scope):
            await _refuse(send, 403, "Requests from other sites are not answered.")
            return
        await self.app(scope, receive, send)

    def _foreign(self, scope: Scope) -> bool:
        origin = _header(scope, b"origin")
        if origin is None:
            site = _header(scope, b"sec-fetch-site") or "none"
            return scope["method"] not in SAFE_METHODS and site not in ("none", "same-origin")
        try:
            parts = urlsplit(origin)
        except ValueError:
            return True
        if parts.scheme not in ("http", "https"):
            return True  # also "null": sandboxed frames and files
        # Behind a proxy that ends TLS the scheme differs and the Host does not.
        hosts = {_header(scope, b"host"), _header(scope, b"x-forwarded-host")} - {None}
        own = {_origin_key(parts.scheme, host) for host in hosts if host}
        return _origin_key(parts.scheme, parts.netloc) not in own


class BodyLimit:
    """Refuses request bodies of more than `limit` bytes (413), whatever their Content-Length claims.

    `limits` holds the limits of paths that have their own.
    """

    def __init__(self, app: ASGIApp, limit: int = 1_000_000, limits: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.limit = limit
        self.limits = dict(limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.limit)
        declared = _header(scope, b"content-length") or "0"
        if not declared.isdigit() or int(declared) > limit:
            await _refuse(send, 413, f"The request is larger than {limit} bytes.")
            return
        # The whole body is read before the app runs: at this size that is cheap, and no framework in between can turn
        # a refusal in mid-stream into something else.
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                await _refuse(send, 413, f"The request is larger than {limit} bytes.")
                return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, replay, send)


class SecurityHeaders:
    """Puts the security headers on every answer (a route's own value wins) and takes any CORS permission off it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name.lower(), value)
                    for name, value in message.get("headers", ())
                    if not name.lower().startswith(b"access-control-")
                ]
                present = {name for name, _ in headers}
                message["headers"] = headers + [item for item in HEADERS.items() if item[0] not in present]
            await send(message)

        await self.app(scope, receive, guarded)


# What the chat's page, its queue and gradio_client ask for. Uploads, files, the proxy, monitoring, run history, deep
# links, streams, calls around the queue and the code editor are not among them.
CHAT_ROUTES: tuple[tuple[str, str], ...] = (
    ("GET", r"/"),
    ("GET", r"/config/?"),
    ("GET", r"/(gradio_api/)?theme\.css"),
    ("GET", r"/(assets|static)/[\w./@+-]+"),
    ("GET", r"/favicon\.ico"),
    ("GET", r"/gradio_api/(info/?|app_id/?|startup-events)"),
    ("GET", r"/gradio_api/heartbeat/\w+"),
    ("POST", r"/gradio_api/queue/join"),
    ("GET", r"/gradio_api/queue/data"),
    ("POST", r"/gradio_api/(cancel|reset)/?"),
    ("POST", r"/gradio_api/call/\w+"),
    ("GET", r"/gradio_api/call/\w+/\w+"),
)


def inner_path(scope: Scope) -> str:
    """The path as a mounted app knows it: after the mount and after a proxy's prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


class OnlyRoutes:
    """Opens only the listed routes, `(method, pattern of the path)`; GET includes HEAD. The rest is 404."""

    def __init__(self, app: ASGIApp, routes: Iterable[tuple[str, str]] = CHAT_ROUTES) -> None:
        self.app = app
        self.routes = [(method, re.compile(pattern)) for method, pattern in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._open(scope):
            await _refuse(send, 404, "There is nothing at this address.")
            return
        await self.app(scope, receive, send)

    def _open(self, scope: Scope) -> bool:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = inner_path(scope)
        if ".." in path:
            return False
        return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in self.routes)
