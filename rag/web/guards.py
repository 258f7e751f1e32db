"""The guards around the web application, as plain ASGI: each wraps an app and lets through what it allows.

Gradio on its own answers any Host and reflects any Origin, takes uploads of any size, fetches addresses for anyone
and shows its statistics. What a chat needs is little, so everything else is closed here, once, for all routes.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from rag.web.problems import told, told_to_openai

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What pages of other origins may send along, and what they may ask for, where those are listed. Uploads are for the
# room alone. The panel's script is asked for with an Origin where a page loads it as a module.
_SENT_HEADERS = b"Authorization, Content-Type, Accept, Mcp-Protocol-Version, Mcp-Method, Mcp-Name"
_FOR_PROGRAMS = re.compile(r"/api/(?!uploads).*|/v1/.*|/mcp/?|/widget\.js")

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
FORM_POLICY = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'")  # of pages with a form

HEADERS = {
    b"content-security-policy": CHAT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}

_ASSETS = ("/assets/", "/static/")  # Gradio's scripts, the same for all; their names change with them


def header(scope: Scope, name: bytes) -> str | None:
    """The header's value; a header that comes twice is joined, so that no second value slips past a check."""
    values = [value for key, value in scope["headers"] if key == name]
    return b",".join(values).decode("latin-1").strip() if values else None


async def refuse(
    scope: Scope, send: Send, status: int, reason: str, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answers with a problem (RFC 9457) that carries the security headers, and leaves it at that."""
    problem = told_to_openai if scope["path"].startswith("/v1/") else told
    body = json.dumps(problem(status, reason)).encode()
    sent = [
        *HEADERS.items(),
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read already, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def host_name(authority: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, in lower case without a final dot; empty if it is malformed."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", authority.lower())
    return found[1].strip("[]").rstrip(".") if found else ""


def _origin_key(scheme: str, authority: str) -> str:
    return authority.lower().removesuffix(":443" if scheme == "https" else ":80")


class Forwarded:
    """Believes what a proxy says of a request, its reader's address, host, scheme and name, if it is one of ours.

    From every other address such headers are taken away. `names` are those in which a proxy names the reader. Takes
    `prefix` off the path where the proxy has left it on.
    """

    def __init__(
        self, app: ASGIApp, *, proxies: Iterable[str] = (), names: Iterable[str] = (), prefix: str = ""
    ) -> None:
        self.app = app
        self.proxies = [ipaddress.ip_network(network) for network in proxies]
        self.names = frozenset(name.encode() for name in names)
        self.prefix = prefix
        self.believing: Any = ProxyHeadersMiddleware(
            cast(Any, app), trusted_hosts=[str(network) for network in self.proxies]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.prefix and scope["path"].startswith(self.prefix + "/"):
            scope = {**scope, "path": scope["path"].removeprefix(self.prefix)}
            scope["raw_path"] = scope["raw_path"].removeprefix(self.prefix.encode())
        if self._is_proxy(scope):
            await self.believing(scope, receive, send)
        else:
            headers = [(name, value) for name, value in scope["headers"] if not self._is_claim(name)]
            await self.app({**scope, "headers": headers}, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address(scope["client"][0])
        except (TypeError, ValueError):
            return False
        return any(address in network for network in self.proxies)

    def _is_claim(self, name: bytes) -> bool:
        return name.startswith((b"x-forwarded-", b"forwarded", b"x-real-ip")) or name in self.names


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
    """Answers only under the host names it is meant for, so that no other site's name can be pointed at it (400).

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
        names = [header(scope, b"host") or "", *((header(scope, b"x-forwarded-host") or "").split(","))]
        if any(host_name(name.strip()) not in self.hosts for name in names if name.strip()) or not names[0]:
            reason = "This server does not answer under that host name; ON_RECORD_ALLOWED_HOSTS lists those it does."
            await refuse(scope, send, 400, reason)
            return
        await self.app(scope, receive, send)


class Origins:
    """Refuses what another site's page asks for (403): reading through CORS as well as writing.

    A browser names the asking page in Origin on every cross-origin read by script and on every POST. A missing Origin
    is no browser's script (a link, a terminal), except where Sec-Fetch-Site says otherwise. Pages of the listed
    `origins` may use what is made for programs, with a token that they send themselves: neither a cookie nor a proxy's
    word (`names` of headers) counts for them, or another site would be lent its reader's rights.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str] = (), names: Iterable[str] = ()) -> None:
        self.app = app
        self.origins = frozenset(origins)
        self.withheld = frozenset({b"cookie", *(name.encode() for name in names)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._foreign(scope):
            await self.app(scope, receive, send)
            return
        origin = header(scope, b"origin")
        if origin not in self.origins or not _FOR_PROGRAMS.fullmatch(scope["path"]):
            await refuse(scope, send, 403, "Requests from other sites are not answered.")
            return
        permission = [
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-expose-headers", b"Retry-After, X-Request-Id"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"vary", b"Origin"),
        ]
        if scope["method"] == "OPTIONS":
            permission += [
                (b"access-control-allow-methods", b"GET, POST, DELETE"),
                (b"access-control-allow-headers", _SENT_HEADERS),
                (b"access-control-max-age", b"600"),
            ]
            await send({"type": "http.response.start", "status": 204, "headers": [*HEADERS.items(), *permission]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def permitted(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in permission} - {b"vary"}
                kept = [(name, value) for name, value in message["headers"] if name not in names]
                message["headers"] = [*kept, *permission]
            await send(message)

        headers = [(name, value) for name, value in scope["headers"] if name not in self.withheld]
        await self.app({**scope, "headers": headers}, receive, permitted)

    def _foreign(self, scope: Scope) -> bool:
        origin = header(scope, b"origin")
        if origin is None:
            site = header(scope, b"sec-fetch-site") or "none"
            return scope["method"] not in SAFE_METHODS and site not in ("none", "same-origin")
        try:
            parts = urlsplit(origin)
        except ValueError:
            return True
        if parts.scheme not in ("http", "https"):
            return True  # also "null": sandboxed frames and files
        # Behind a proxy that ends TLS the scheme differs and the Host does not.
        hosts = {header(scope, b"host"), header(scope, b"x-forwarded-host")} - {None}
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
        if scope["type"] == "http" and header(scope, b"transfer-encoding") and header(scope, b"content-length"):
            # A proxy in front may have taken the other one for the body's end (RFC 9112, section 6.3).
            await refuse(scope, send, 400, "The request says twice how long it is, in two ways.")
            return
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.limit)
        declared = header(scope, b"content-length") or "0"
        if not declared.isdigit() or int(declared) > limit:
            await refuse(scope, send, 413, f"The request is larger than {limit} bytes.")
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
                await refuse(scope, send, 413, f"The request is larger than {limit} bytes.")
                return
        await self.app(scope, again(bytes(body), receive), send)


class SecurityHeaders:
    """Puts the security headers on every answer (a route's own value wins) and takes any CORS permission off it.

    What says nothing of it may not be kept for others: it may differ from reader to reader.
    """

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
                kept = {} if scope["path"].startswith(_ASSETS) else {b"cache-control": b"private, no-cache"}
                message["headers"] = headers + [item for item in (HEADERS | kept).items() if item[0] not in present]
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
    ("POST", r"/gradio_api/call/(ask|turn)"),
    ("GET", r"/gradio_api/call/(ask|turn)/\w+"),
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
            await refuse(scope, send, 404, "There is nothing at this address.")
            return
        await self.app(scope, receive, send)

    def _open(self, scope: Scope) -> bool:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = inner_path(scope)
        if ".." in path:
            return False
        return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in self.routes)
