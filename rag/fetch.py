"""One polite, guarded GET.

Guarded: a host is resolved once, when its connection is opened, and connected to under the very address that was
checked, so that a name cannot lead to one place for the check and to another for the request; so at each redirect too.
Polite: under a name of our own, as robots.txt allows, with a pause between two requests to one host, and without asking
again for what has not changed. No cookies, no proxies from the environment. What is in the bytes is for others to read.
"""

from __future__ import annotations

import gzip
import http
import io
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import Any

import httpcore
import httpx
from protego import Protego

from rag import __version__
from rag.addresses import normalised, reachable
from rag.errors import FetchError

AGENT = "OnRecord"
PAGES = frozenset({"text/html", "application/xhtml+xml"})
FEEDS = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml", "text/xml"})
TEXTS = frozenset({"text/plain", "text/markdown"})
PDF = "application/pdf"
UNTOLD = frozenset({"", "application/octet-stream"})  # the bytes have to tell
_KINDS = PAGES | FEEDS | TEXTS | UNTOLD | {PDF}

_REDIRECTS = 5
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_CONNECT = 5.0  # seconds for each address of a host, of which so many are tried
_TRIED = 4
_ROBOTS_BYTES = 1_000_000  # RFC 9309 asks for 500 KiB at least
_LONGEST_DELAY = 10.0  # seconds; a robots.txt that asks for more gets this

Resolve = Callable[[str, int], Sequence[str]]


def system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as this machine resolves them, in the order to try; OSError where there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Known:
    """What a server said of an address the last time, so that it can be asked whether anything has changed."""

    url: str
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from `url`, to which redirects may have led; no data where it is `unchanged`."""

    url: str
    data: bytes
    content_type: str
    charset: str
    known: Known
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    data: bytes


class Fetcher:
    """Fetches one address after another, and remembers what is due to each host.

    `allowed`: networks that are not public and may be reached all the same, on any port. `pause`: seconds between two
    requests to one host. `seconds`: for one address with its redirects, pauses not counted. `max_bytes`: of what comes,
    and of what it unpacks to. For one thread.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        max_bytes: int,
        pause: float = 1.0,
        seconds: float = 20.0,
        resolve: Resolve = system_addresses,
    ) -> None:
        self._allowed = [ip_network(network) for network in allowed]
        self._max_bytes = max_bytes
        self._pause = pause
        self._seconds = seconds
        self._resolve = resolve
        self._rules: dict[str, Protego | str] = {}  # by origin; or why there are none and nothing is fetched
        self._asked: dict[str, float] = {}  # when a host was asked last

    def get(self, url: str, known: Known | None = None) -> Fetched:
        """What stands at an address. With `known` it may be said to be unchanged.

        Raises:
            FetchError: it cannot or may not be fetched, or is nothing that can become an article.
        """
        target, left = normalised(url), self._seconds
        for _ in range(_REDIRECTS + 1):
            delay = self._permitted(target)
            time.sleep(max(0.0, self._asked.get(target.host, 0.0) + delay - time.monotonic()))
            asked = {}
            if known and known.url == str(target):
                asked = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
            began = time.monotonic()
            try:
                reply = self._request(target, asked, left, self._max_bytes, _KINDS)
            finally:
                self._asked[target.host] = time.monotonic()
            left -= time.monotonic() - began
            if reply.status == 200:
                return _fetched(str(target), reply)
            if reply.status == 304 and known and asked:
                return Fetched(str(target), b"", "", "", known, unchanged=True)
            target = _led(target, reply)
        raise FetchError(f"it leads on more than {_REDIRECTS} times")

    def _permitted(self, target: httpx.URL) -> float:
        """The seconds to leave between two requests to a host whose robots.txt permits this one."""
        origin = f"{target.scheme}://{target.netloc.decode()}"
        if origin not in self._rules:
            self._rules[origin] = self._robots(f"{origin}/robots.txt")
        rules = self._rules[origin]
        if isinstance(rules, str):
            raise FetchError(rules)
        if not rules.can_fetch(str(target), AGENT):
            raise FetchError("the site's robots.txt asks programs to leave this page alone")
        return max(self._pause, min(rules.crawl_delay(AGENT) or 0.0, _LONGEST_DELAY))

    def _robots(self, url: str) -> Protego | str:
        """The rules of a site (RFC 9309): none where it has no robots.txt; where that fails, why nothing is fetched."""
        target, left, told = normalised(url), self._seconds, ""
        try:
            for _ in range(_REDIRECTS + 1):
                began = time.monotonic()
                reply = self._request(target, {}, left, _ROBOTS_BYTES)
                left -= time.monotonic() - began
                if reply.status == 200:
                    return Protego.parse(reply.data.decode("utf-8-sig", "replace"))
                if 400 <= reply.status < 500 and reply.status != 429:
                    return Protego.parse("")
                told = "the site's robots.txt could not be read, so nothing is fetched there: "
                target = _led(target, reply)
        except FetchError as error:
            return f"{told}{error}"
        return Protego.parse("")  # as for one that is not there

    def _request(
        self,
        url: httpx.URL,
        headers: Mapping[str, str],
        seconds: float,
        max_bytes: int,
        kinds: Collection[str] = (),
    ) -> _Reply:
        sent = {
            "Host": url.netloc.decode(),
            "User-Agent": f"{AGENT}/{__version__}",
            "Accept": "text/html, application/xhtml+xml, application/pdf, application/rss+xml, application/atom+xml, "
            "text/plain;q=0.9, application/xml;q=0.9",
            "Accept-Encoding": "gzip",
            "Connection": "close",
            **{name: value for name, value in headers.items() if value},
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        backend = _Guarded(self._resolve, self._allowed, seconds)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=_certificates(), network_backend=backend) as pool,
                pool.stream("GET", target, headers=list(sent.items())) as response,
            ):
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status != 200:
                    return _Reply(response.status, told, b"")
                if kinds and (kind := _content_type(told)) not in kinds:
                    raise FetchError(f"it is of the type {kind}; expected a web page, a PDF, plain text or a feed")
                return _Reply(200, told, _body(response.iter_stream(), told, max_bytes))
        except httpcore.TimeoutException:
            raise FetchError(f"{url.host} did not answer in time; try again later") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
                raise FetchError(
                    f"the certificate of {url.host} is not valid: {error.args[0].verify_message}"
                ) from error
            raise FetchError(f"{url.host} cannot be reached, or breaks off: {error or 'no reason given'}") from error


@cache
def _certificates() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").split(";")[0].strip().lower()


def _fetched(url: str, reply: _Reply) -> Fetched:
    named = re.search(r";\s*charset=[\"']?([\w.:-]+)", reply.headers.get("content-type", ""), re.IGNORECASE)
    etag, modified = reply.headers.get("etag", ""), reply.headers.get("last-modified", "")
    known = Known(url, *(text if re.fullmatch(r"[\x20-\x7e]{1,200}", text) else "" for text in (etag, modified)))
    return Fetched(url, reply.data, _content_type(reply.headers), named[1].lower() if named else "", known)


def _led(url: httpx.URL, reply: _Reply) -> httpx.URL:
    """Where a redirect leads. Raises FetchError for an answer that is none."""
    where = reply.headers.get("location")
    if reply.status not in _REDIRECTING or not where:
        try:
            phrase = http.HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "a status that nobody knows"
        raise FetchError(f"{url.host} answered {reply.status} ({phrase})")
    try:
        return normalised(str(url.join(where)))
    except httpx.InvalidURL:
        raise FetchError(f"{url.host} leads on to what is no address") from None


def _body(chunks: Iterable[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    """The bytes of an answer, unpacked; a bomb is not, since reading stops where the limit is reached."""
    large = FetchError(f"it has more than {max_bytes / 1e6:.0f} MB")
    length = headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > max_bytes:
        raise large
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise large
    packing = headers.get("content-encoding", "").strip().lower()
    if packing in ("", "identity"):
        return bytes(body)
    if packing not in ("gzip", "x-gzip"):
        raise FetchError(f"it is packed as {packing}, although nothing but gzip was asked for")
    try:
        with gzip.open(io.BytesIO(body)) as unpacked:
            data = unpacked.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FetchError("it is packed as gzip and damaged") from error
    if len(data) > max_bytes:
        raise large
    return data


# --- connections ------------------------------------------------------------------------------------------------------


class _Guarded(httpcore.NetworkBackend):
    """Connects to what was checked, and to nothing else; `seconds` are for all that is read and written in total."""

    def __init__(self, resolve: Resolve, allowed: Sequence[Any], seconds: float) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._until = time.monotonic() + seconds
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception | None = None
        for address in reachable(host, port, self._addresses(host, port), self._allowed)[:_TRIED]:
            try:
                wait = min(_CONNECT, _left(self._until))
                return _Timed(self._network.connect_tcp(address, port, timeout=wait), self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        assert last is not None
        raise last

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """In a thread that may outlive the request: nothing ends a look-up that takes its time."""
        found: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(self._resolve(host, port))
            except (OSError, UnicodeError):
                found.put(())

        threading.Thread(target=look_up, daemon=True).start()
        try:
            return found.get(timeout=_left(self._until))
        except queue.Empty:
            raise httpcore.ConnectTimeout("looking the host up") from None


class _Timed(httpcore.NetworkStream):
    """A connection with one time limit for all its life, so that a server gains nothing by dripping."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(self._until)), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("out of time")
    return left
