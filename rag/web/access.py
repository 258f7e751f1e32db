"""Who asks, and whether he may: tokens of programs and of a wiki's readers, a password, a proxy that has checked.

Where nothing of this is configured the archive is open to whoever reaches the server, which on its own listens on
loopback only. A reader's groups come from a token or the proxy, never from what the client says of itself; whoever is
let in without either may read what carries no groups.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import math
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt

from rag.errors import SettingsError
from rag.settings import Settings, variable
from rag.web import logs
from rag.web.guards import LOOPBACK, SAFE_METHODS, ASGIApp, Receive, Scope, Send, header, refuse
from rag.web.rate import Rate

AUDIENCE = "on-record"  # of the tokens that a wiki signs
SESSION = "on_record_session"  # the cookie
SESSION_SECONDS = 12 * 3600
LONGEST_LIFE = 24 * 3600  # seconds for which the token of a wiki's reader may be good; it is meant for minutes

_KEY = "on_record.reader"  # where the guard leaves the reader in the scope of a request
_ALGORITHM = "HS256"
_LONGEST_NAME = 200  # characters of a reader's name, and of a group's
_MOST_GROUPS = 200
# What holds nothing of the archive: health checks, scripts and styles, the panel before it has a token, signing in.
_PUBLIC = re.compile(r"/(healthz|readyz|widget\.js|embed|login|logout|favicon\.ico|ui/.*)")
# A session, as we have set it. Python's own parser takes minutes for some cookies, up to 3.12.5.
_COOKIE = re.compile(rf"(?:^|[;,]) *{SESSION}=([\w.-]+)(?=$|[;,])", re.ASCII)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks. `name` tells clients apart, for limits and logs; `groups` are those whose articles may be read."""

    name: str
    groups: frozenset[str] = frozenset()

    @property
    def signed_in(self) -> bool:
        """Whether by the password, which one can also sign out of."""
        return self.name.startswith("password:")


def reader_of(scope: Scope) -> Reader:
    """The reader whom the guard found behind a request (`request.scope`)."""
    reader = scope[_KEY]
    assert isinstance(reader, Reader)
    return reader


class NoEntry(Exception):
    """The credentials cannot be used; the text says why, and never what they were."""


def decided(settings: Settings) -> bool:
    """Whether anything says who may ask."""
    return bool(
        settings.auth
        or settings.auth_tokens
        or settings.auth_password
        or settings.auth_secret
        or settings.auth_proxy_header
    )


def check(settings: Settings, host: str) -> None:
    """See that somebody has decided who may ask, before a server listens on `host`.

    Raises:
        SettingsError: nobody has, or what is set cannot work.
    """
    if settings.auth_proxy_header and not settings.auth_proxy_addresses:
        raise SettingsError(
            f"{variable('auth_proxy_header')} names a header that anybody could send; name the proxy's addresses in "
            f"{variable('auth_proxy_addresses')}, such as 127.0.0.1"
        )
    if decided(settings):
        return
    if not _is_loopback(host):
        choices = ("auth_tokens", "auth_password", "auth_secret", "auth_proxy_header")
        names = ", ".join(variable(name) for name in choices)
        raise SettingsError(
            f"the server would listen on {host}, where others reach it, and nothing says who may ask; expected one of "
            f"{names}, or {variable('auth')}=none to let everybody in"
        )
    if foreign := [name for name in settings.allowed_hosts if name.strip("[]") not in LOOPBACK]:
        _log.warning(
            "Whoever reaches this server as %s may ask; to change that, set %s or another of the settings for access",
            ", ".join(foreign),
            variable("auth_password"),
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Gate:
    """Tells who a request is from, by what it brings along."""

    def __init__(self, settings: Settings) -> None:
        self.open = settings.auth == "none" or not decided(settings)
        self.password = settings.auth_password
        self._secret = settings.auth_secret
        self._tokens = {_digest(token.secret): token.groups for token in settings.auth_tokens}
        self._headers = [name.encode() for name in settings.auth_proxy_header]
        # Sessions end when the server does, or with a new password where a secret outlives it.
        known = f"{settings.auth_secret}\n{settings.auth_password}".encode()
        self._session_key = hashlib.sha256(known).hexdigest() if settings.auth_secret else secrets.token_hex(32)

    def reader(self, scope: Scope) -> Reader | None:
        """Who asks; None for a stranger where strangers may not.

        Raises:
            NoEntry: what was brought along is wrong or no longer good.
        """
        scheme, _, sent = (header(scope, b"authorization") or "").partition(" ")
        # Programs made for another service send the key of that one, also where none is needed.
        if scheme.lower() == "bearer" and (self._tokens or self._secret):
            return self._bearer(sent.strip())
        if self._headers and (name := _named(scope, self._headers[0])):
            return Reader(f"proxy:{name[:_LONGEST_NAME]}", self._proxied_groups(scope))
        if self.password and self._in_session(scope):
            return Reader(f"password:{_address(scope)}")
        return Reader(f"address:{_address(scope)}") if self.open else None

    def session(self) -> str:
        """A new session for who knew the password."""
        return jwt.encode(_expiring(SESSION_SECONDS, aud=SESSION), self._session_key, _ALGORITHM)

    def knows(self, password: str) -> bool:
        """Whether this is the password."""
        return bool(self.password) and hmac.compare_digest(_digest(password), _digest(self.password))

    def _bearer(self, sent: str) -> Reader:
        digest = _digest(sent)
        if digest in self._tokens:  # of digests: how long it takes tells nothing about a token
            return Reader(f"token:{digest[:8]}", self._tokens[digest])
        if not self._secret:
            raise NoEntry("The token is not one of this server's.")
        try:
            claims = jwt.decode(
                sent, self._secret, [_ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "aud", "sub"]}
            )
        except jwt.ExpiredSignatureError:
            raise NoEntry("The token has expired; get a new one.") from None
        except jwt.InvalidTokenError:
            raise NoEntry("The token cannot be used: its signature, its audience or its form is wrong.") from None
        if int(claims["exp"]) - _now() > LONGEST_LIFE:
            raise NoEntry(f"The token is good for more than {LONGEST_LIFE // 3600} hours; sign one for minutes.")
        return Reader(f"wiki:{claims['sub'][:_LONGEST_NAME]}", _groups(claims.get("groups", [])))

    def _proxied_groups(self, scope: Scope) -> frozenset[str]:
        if len(self._headers) < 2:
            return frozenset()
        return _groups(_named(scope, self._headers[1]).split(","))

    def _in_session(self, scope: Scope) -> bool:
        cookie = _COOKIE.search(header(scope, b"cookie") or "")
        try:
            if cookie is not None:
                jwt.decode(cookie[1], self._session_key, [_ALGORITHM], audience=SESSION)
        except jwt.InvalidTokenError:
            return False
        return cookie is not None


class Access:
    """Puts the reader into the scope of every request, or refuses it (401): people get a page, programs a problem."""

    def __init__(self, app: ASGIApp, gate: Gate, *, stranger: ASGIApp) -> None:
        self.app = app
        self.gate = gate
        self.stranger = stranger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        why = "This archive asks for a token, or for signing in; send `Authorization: Bearer …`."
        try:
            reader = self.gate.reader(scope)
        except NoEntry as error:
            reader, why = None, str(error)
        if reader is None and _PUBLIC.fullmatch(scope["path"]):
            reader = Reader(f"address:{_address(scope)}")
        if reader is not None:
            logs.note(reader=reader.name)
            # Nothing behind this needs a cookie, and frameworks read them with Python's parser.
            headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            await self.app({**scope, "headers": headers, _KEY: reader}, receive, send)
        elif scope["method"] == "GET" and "text/html" in (header(scope, b"accept") or ""):
            await self.stranger(scope, receive, send)
        else:
            await refuse(scope, send, 401, why, [(b"www-authenticate", b'Bearer realm="On Record"')])


class Pace:
    """Refuses what changes something, or asks, where one reader sends too much of it (429); questions count again."""

    def __init__(self, app: ASGIApp, *, a_minute: int) -> None:
        self.app = app
        self.rate = Rate(a_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            wait = self.rate.wait(reader_of(scope).name)
            if wait:
                why = f"More than {self.rate.a_minute} requests in a minute came from here; wait a little."
                await refuse(scope, send, 429, why, [(b"retry-after", str(math.ceil(wait)).encode())])
                return
        await self.app(scope, receive, send)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _named(scope: Scope, name: bytes) -> str:
    """What a proxy says in a header: in UTF-8 as a rule, although headers are read as Latin-1."""
    said = (header(scope, name) or "").encode("latin-1")
    try:
        return said.decode()
    except UnicodeDecodeError:
        return said.decode("latin-1")


def _address(scope: Scope) -> str:
    """Where a request comes from. Of IPv6 the network: whoever has one has all of its addresses."""
    client = str((scope.get("client") or ("unknown",))[0])
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))


def _groups(given: object) -> frozenset[str]:
    """The groups of a list of names; a claim of another form names none."""
    names = given if isinstance(given, list) else []
    usable = (name.strip().casefold() for name in names[:_MOST_GROUPS] if isinstance(name, str))
    return frozenset(name for name in usable if 0 < len(name) <= _LONGEST_NAME)


def _now() -> int:
    return int(time.time())


def _expiring(seconds: int, **claims: Any) -> dict[str, Any]:
    return {"exp": _now() + seconds, **claims}
