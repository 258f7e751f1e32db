"""What can be set from outside, each setting declared once: its name, its default, its help.

A setting is an environment variable `ON_RECORD_<NAME>`; a `.env` file in the working directory may hold it too, and
the environment wins. This is the only module that reads `os.environ`. Stages never see `Settings`: they take plain
arguments.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values

from rag.errors import SettingsError

PREFIX = "ON_RECORD_"
BUNDLED_MODEL = "bundled"
# Below these stand paths of ours: of `/api/ask`, nobody could tell whether a proxy has taken `/api` off already.
_OWN_PATHS = frozenset("api article docs ui v1 embed mcp gradio_api assets static".split())
SHORTEST_TOKEN = 16  # characters

_PACKAGE = Path(__file__).resolve().parent
_log = logging.getLogger(__name__)


def _default_home() -> Path:
    return platformdirs.user_data_path("on-record", appauthor=False)


def _default_corpus() -> Path:
    """The starter corpus: inside an installed package, or beside the package in a checkout."""
    installed = _PACKAGE / "_corpus"
    return installed if installed.is_dir() else _PACKAGE.parent / "corpus"


def _path(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # "~nobody/…": there is no such user
        raise ValueError("a path whose ~ names a known user") from None


def _host(value: str) -> str:
    if re.search(r"[\s/,]", value):
        raise ValueError("one address or host name, such as 127.0.0.1")
    return value


def _port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise ValueError("a whole number from 0 to 65535 (0: any free port)")
    return int(value)


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
    if not hosts or any(re.search(r"[\s/]", host) for host in hosts):
        raise ValueError("host names parted by commas, without http:// and without a path")
    return hosts


def _root_path(value: str) -> str:
    path = value.rstrip("/")
    if path and not re.fullmatch(r"(/[\w.~-]+)+", path, re.ASCII):
        raise ValueError("a path that begins with a slash, such as /archive")
    if path.split("/")[1:2] and path.split("/")[1] in _OWN_PATHS:
        raise ValueError(f"a path that is none of ours, such as /archive; ours are {', '.join(sorted(_OWN_PATHS))}")
    return path


def _switch(value: str) -> bool:
    if value.lower() not in ("on", "off"):
        raise ValueError("on or off")
    return value.lower() == "on"


def _text(value: str) -> str:
    return value


def _listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _origins(value: str) -> tuple[str, ...]:
    expected = "origins such as https://wiki.example:8443, parted by commas, without a path and without *"
    origins = []
    for item in _listed(value):
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


def _auth(value: str) -> str:
    if value.lower() != "none":
        raise ValueError('"none", which opens the archive to whoever reaches it')
    return "none"


def _tokens(value: str) -> tuple[Token, ...]:
    parts = [[part.strip() for part in item.split("|")] for item in _listed(value)]
    tokens = [Token(secret, frozenset(name.casefold() for name in groups if name)) for secret, *groups in parts]
    if not all(re.fullmatch(r"[!-~]+", token.secret) for token in tokens):
        raise ValueError("tokens without blanks and of plain letters; groups follow one as in TOKEN|legal|board")
    if any(len(token.secret) < SHORTEST_TOKEN for token in tokens):
        raise ValueError(f"tokens of at least {SHORTEST_TOKEN} characters, parted by commas")
    return tuple(tokens)


def _password(value: str) -> str:
    if len(value) < 8:
        raise ValueError("at least 8 characters")
    return value


def _secret(value: str) -> str:
    if len(value.encode()) < 32:  # RFC 7518, section 3.2
        raise ValueError("at least 32 characters, such as what `openssl rand -hex 32` prints")
    return value


def _headers(value: str) -> tuple[str, ...]:
    names = tuple(name.lower() for name in _listed(value))
    if len(names) not in (1, 2) or not all(re.fullmatch(r"[a-z0-9-]+", name) for name in names):
        raise ValueError("the header with the reader's name, and after a comma that with the groups")
    return names


def _addresses(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(item)) for item in _listed(value))
    except ValueError:
        raise ValueError("addresses or networks parted by commas, such as 127.0.0.1, 10.0.0.0/8") from None


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise ValueError("a whole number; 0 for no limit")
    return int(value)


def _logged(value: str) -> str:
    if value.lower() not in ("on", "off", "questions"):
        raise ValueError("on, off or questions")
    return value.lower()


def _meta(help: str, parse: Callable[[str], Any], shown: str, *, secret: bool = False) -> dict[str, Any]:
    return {"help": help, "parse": parse, "shown": shown, "secret": secret}


@dataclass(frozen=True, slots=True)
class Token:
    """A program's token and the groups whose articles it may read."""

    secret: str = field(repr=False)
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of On Record. `load()` makes one from the environment; tests and programs may make their own."""

    home: Path = field(
        default_factory=_default_home,
        metadata=_meta("Folder that holds the indexes.", _path, "the user's data folder"),
    )
    corpus: Path = field(
        default_factory=_default_corpus,
        metadata=_meta("Folder of the articles.", _path, "the starter corpus"),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_meta("Address on which the chat listens.", _host, "`127.0.0.1`"),
    )
    port: int = field(
        default=7860,
        metadata=_meta("Port on which the chat listens; 0 takes any free one.", _port, "`7860`"),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=("localhost", "127.0.0.1", "[::1]"),
        metadata=_meta(
            "Host names under which browsers may reach the chat, parted by commas. Requests to any other are refused.",
            _hosts,
            "`localhost,127.0.0.1,[::1]`",
        ),
    )
    root_path: str = field(
        default="",
        metadata=_meta("Path under which a reverse proxy serves the chat, such as `/archive`.", _root_path, "none"),
    )
    embed_model: str = field(
        default=BUNDLED_MODEL,
        metadata=_meta(
            "Embedding model: `bundled` (multilingual-e5-small), or a sentence-transformers model by name or folder.",
            _text,
            f"`{BUNDLED_MODEL}`",
        ),
    )
    rerank_model: str = field(
        default=BUNDLED_MODEL,
        metadata=_meta(
            "Cross-encoder that reads passages: `bundled`, a sentence-transformers cross-encoder by name or folder, "
            "or `off`: faster, and less sharp.",
            _text,
            f"`{BUNDLED_MODEL}`",
        ),
    )
    uploads: bool = field(
        default=False,
        metadata=_meta(
            "Whether readers may add articles in the browser, and remove what was added: `on` or `off`. They are files "
            "in `uploads/` below the corpus.",
            _switch,
            "`off`",
        ),
    )
    embed_origins: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Origins whose pages may show the panel and ask the API from a browser, parted by commas, exact with their "
            "ports: `https://wiki.example`.",
            _origins,
            "none",
        ),
    )
    auth: str = field(
        default="",
        metadata=_meta(
            "`none` lets whoever reaches the server read all articles that carry no groups.",
            _auth,
            "nobody from outside; on loopback as `none`",
        ),
    )
    auth_tokens: tuple[Token, ...] = field(
        default=(),
        repr=False,
        metadata=_meta(
            "Tokens of programs, parted by commas; each may be followed by its groups: `TOKEN|legal|board, TOKEN`.",
            _tokens,
            "none",
            secret=True,
        ),
    )
    auth_password: str = field(
        default="",
        repr=False,
        metadata=_meta("A password with which people sign in.", _password, "none", secret=True),
    )
    auth_secret: str = field(
        default="",
        repr=False,
        metadata=_meta(
            "The secret that signs the tokens of a wiki's readers; the wiki's backend knows it too.",
            _secret,
            "none",
            secret=True,
        ),
    )
    auth_proxy_header: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Header in which a proxy names the reader who signed in there, and after a comma the one with his groups: "
            "`Remote-User, Remote-Groups`.",
            _headers,
            "none",
        ),
    )
    auth_proxy_addresses: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Addresses and networks of proxies, parted by commas: from these alone the header above and "
            "`X-Forwarded-…` are believed.",
            _addresses,
            "none",
        ),
    )
    rate: int = field(
        default=60,
        metadata=_meta("Questions that one reader may ask in a minute; 0 sets no limit.", _number, "`60`"),
    )
    log: str = field(
        default="on",
        metadata=_meta(
            "The log on stderr, a JSON object a line: `on`, `off`, or `questions`, which adds what is asked.",
            _logged,
            "`on`",
        ),
    )

    @property
    def index_path(self) -> Path:
        """The folder of the index of this corpus: each corpus has its own below `home`."""
        corpus = self.corpus.expanduser().resolve()
        name = re.sub(r"[^a-z0-9]+", "-", corpus.name.lower()).strip("-")[:40] or "corpus"
        digest = hashlib.sha256(os.fsencode(corpus)).hexdigest()[:8]
        return self.home.expanduser().absolute() / f"{name}-{digest}"


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def load(environ: Mapping[str, str] | None = None, *, env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings from `environ` (by default the process environment) and, below it, from `env_file`.

    An empty value counts as not set. Neither the environment nor the file is changed.

    Raises:
        SettingsError: a value cannot be used, or `env_file` cannot be read.
    """
    given = {**_read_env_file(env_file), **(os.environ if environ is None else environ)}
    known = {variable(item.name): item for item in fields(Settings)}
    values: dict[str, Any] = {}
    for name in sorted(name for name in given if name.startswith(PREFIX)):
        value = given[name].strip()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            _log.warning("%s is not a setting and is ignored%s", name, f"; did you mean {near[0]}?" if near else "")
        elif value:
            try:
                values[known[name].name] = known[name].metadata["parse"](value)
            except ValueError as error:
                shown = "not usable" if known[name].metadata["secret"] else repr(value)
                raise SettingsError(
                    f"{name} is {shown}, expected {error}; correct it in the environment or in .env"
                ) from None
    return Settings(**values)


def _read_env_file(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        # No interpolation: a "$" in a path stays a "$".
        found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}), expected lines such as {variable('port')}=7860 in UTF-8; "
            "correct it or remove it"
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def describe() -> str:
    """The table of all settings as Markdown, as it stands in the README."""
    rows = [
        f"| `{variable(item.name)}` | {item.metadata['shown']} | {item.metadata['help']} |" for item in fields(Settings)
    ]
    return "\n".join(["| Setting | Default | What it does |", "| --- | --- | --- |", *rows])


def colour_wanted() -> bool:
    """Whether the terminal may be coloured: not with NO_COLOR set (to anything), nor on a dumb terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
