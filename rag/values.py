"""What the text of a setting may be, and what becomes of it.

Each function takes the text and gives the value, or raises ValueError with what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

# Below these stand paths of ours: of `/api/ask`, nobody could tell whether a proxy has taken `/api` off already.
_OWN_PATHS = frozenset("api article docs ui v1 embed mcp gradio_api assets static".split())
SHORTEST_TOKEN = 16  # characters


@dataclass(frozen=True, slots=True)
class Token:
    """A program's token and the groups whose articles it may read."""

    secret: str = field(repr=False)
    groups: frozenset[str] = frozenset()


def path(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # "~nobody/…": there is no such user
        raise ValueError("a path whose ~ names a known user") from None


def host(value: str) -> str:
    if re.search(r"[\s/,]", value):
        raise ValueError("one address or host name, such as 127.0.0.1")
    return value


def port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise ValueError("a whole number from 0 to 65535 (0: any free port)")
    return int(value)


def hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
    if not hosts or any(re.search(r"[\s/]", host) for host in hosts):
        raise ValueError("host names parted by commas, without http:// and without a path")
    return hosts


def root_path(value: str) -> str:
    path = value.rstrip("/")
    if path and not re.fullmatch(r"(/[\w.~-]+)+", path, re.ASCII):
        raise ValueError("a path that begins with a slash, such as /archive")
    if path.split("/")[1:2] and path.split("/")[1] in _OWN_PATHS:
        raise ValueError(f"a path that is none of ours, such as /archive; ours are {', '.join(sorted(_OWN_PATHS))}")
    return path


def switch(value: str) -> bool:
    if value.lower() not in ("on", "off"):
        raise ValueError("on or off")
    return value.lower() == "on"


def text(value: str) -> str:
    return value


def listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def origins(value: str) -> tuple[str, ...]:
    expected = "origins such as https://wiki.example:8443, parted by commas, without a path and without *"
    origins = []
    for item in listed(value):
        try:
            parts = urlsplit(item.lower())
        except ValueError:
            raise ValueError(expected) from None
        if (
            parts.scheme not in ("http", "https")
            or not re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", parts.netloc)
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError(expected)
        default = ":443" if parts.scheme == "https" else ":80"
        origins.append(f"{parts.scheme}://{parts.netloc.removesuffix(default)}")  # as browsers write them
    return tuple(dict.fromkeys(origins))


def auth(value: str) -> str:
    if value.lower() != "none":
        raise ValueError('"none", which opens the archive to whoever reaches it')
    return "none"


def tokens(value: str) -> tuple[Token, ...]:
    parts = [[part.strip() for part in item.split("|")] for item in listed(value)]
    tokens = [Token(secret, frozenset(name.casefold() for name in groups if name)) for secret, *groups in parts]
    if not all(re.fullmatch(r"[!-~]+", token.secret) for token in tokens):
        raise ValueError("tokens without blanks and of plain letters; groups follow one as in TOKEN|legal|board")
    if any(len(token.secret) < SHORTEST_TOKEN for token in tokens):
        raise ValueError(f"tokens of at least {SHORTEST_TOKEN} characters, parted by commas")
    return tuple(tokens)


def password(value: str) -> str:
    if len(value) < 8:
        raise ValueError("at least 8 characters")
    return value


def secret(value: str) -> str:
    if len(value.encode()) < 32:  # RFC 7518, section 3.2
        raise ValueError("at least 32 characters, such as what `openssl rand -hex 32` prints")
    return value


def headers(value: str) -> tuple[str, ...]:
    names = tuple(name.lower() for name in listed(value))
    if len(names) not in (1, 2) or not all(re.fullmatch(r"[a-z0-9-]+", name) for name in names):
        raise ValueError("the header with the reader's name, and after a comma that with the groups")
    return names


def addresses(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(item)) for item in listed(value))
    except ValueError:
        raise ValueError("addresses or networks parted by commas, such as 127.0.0.1, 10.0.0.0/8") from None


def sent_headers(value: str) -> tuple[tuple[str, str], ...]:
    """Headers of requests that we make: `Name: value`, parted by semicolons."""
    pairs = [tuple(part.strip() for part in item.split(":", 1)) for item in value.split(";") if item.strip()]
    if not pairs or not all(
        len(pair) == 2 and re.fullmatch(r"[A-Za-z0-9-]+", pair[0]) and re.fullmatch(r"[\x20-\x7e]+", pair[1])
        for pair in pairs
    ):
        raise ValueError("headers such as Authorization: Bearer abc, parted by semicolons")
    return tuple((name, content) for name, content in pairs)


def number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise ValueError("a whole number; 0 for no limit")
    return int(value)


def logged(value: str) -> str:
    if value.lower() not in ("on", "off", "questions"):
        raise ValueError("on, off or questions")
    return value.lower()


def seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9])?", value) or float(value) <= 0:
        raise ValueError("seconds, such as 60")
    return float(value)


def web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.username is not None:
        raise ValueError("an address such as http://127.0.0.1:11434/v1, without a user name")
    return value.rstrip("/")


def language_model(value: str) -> str:
    if value.lower() == "openai-like":
        return "openai-like"
    if not value.lower().startswith("gguf:") or not value[5:].strip():
        raise ValueError("openai-like, or gguf: and the path of a model's file, such as gguf:/models/small.gguf")
    return f"gguf:{value[5:].strip()}"
