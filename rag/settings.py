"""What can be set from outside, each setting declared once: its name, its default, its help.

A setting is an environment variable `ON_RECORD_<NAME>`; a `.env` file in the working directory may hold it too, and
the environment wins. This is the only module that reads `os.environ`. Stages never see `Settings`: they take plain
arguments.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs
from dotenv import dotenv_values

from rag import values
from rag.errors import SettingsError

PREFIX = "ON_RECORD_"
BUNDLED_MODEL = "bundled"

_PACKAGE = Path(__file__).resolve().parent
_log = logging.getLogger(__name__)


def _default_home() -> Path:
    return platformdirs.user_data_path("on-record", appauthor=False)


def _default_corpus() -> Path:
    """The starter corpus: inside an installed package, or beside the package in a checkout."""
    installed = _PACKAGE / "_corpus"
    return installed if installed.is_dir() else _PACKAGE.parent / "corpus"


def _meta(help: str, parse: Callable[[str], Any], shown: str, *, secret: bool = False) -> dict[str, Any]:
    return {"help": help, "parse": parse, "shown": shown, "secret": secret}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of On Record. `load()` makes one from the environment; tests and programs may make their own."""

    home: Path = field(
        default_factory=_default_home,
        metadata=_meta("Folder that holds the indexes.", values.path, "the user's data folder"),
    )
    corpus: Path = field(
        default_factory=_default_corpus,
        metadata=_meta("Folder of the articles.", values.path, "the starter corpus"),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=_meta("Address on which the chat listens.", values.host, "`127.0.0.1`"),
    )
    port: int = field(
        default=7860,
        metadata=_meta("Port on which the chat listens; 0 takes any free one.", values.port, "`7860`"),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=("localhost", "127.0.0.1", "[::1]"),
        metadata=_meta(
            "Host names under which browsers may reach the chat, parted by commas. Requests to any other are refused.",
            values.hosts,
            "`localhost,127.0.0.1,[::1]`",
        ),
    )
    root_path: str = field(
        default="",
        metadata=_meta(
            "Path under which a reverse proxy serves the chat, such as `/archive`.", values.root_path, "none"
        ),
    )
    embed_model: str = field(
        default=BUNDLED_MODEL,
        metadata=_meta(
            "Embedding model: `bundled` (multilingual-e5-small), or a sentence-transformers model by name or folder.",
            values.text,
            f"`{BUNDLED_MODEL}`",
        ),
    )
    rerank_model: str = field(
        default=BUNDLED_MODEL,
        metadata=_meta(
            "Cross-encoder that reads passages: `bundled`, a sentence-transformers cross-encoder by name or folder, "
            "or `off`: faster, and less sharp.",
            values.text,
            f"`{BUNDLED_MODEL}`",
        ),
    )
    chroma_url: str = field(
        default="",
        metadata=_meta(
            "Address of a Chroma server that holds the vectors, such as `http://127.0.0.1:8000`, for several machines.",
            values.web_address,
            "none; a folder of the index",
        ),
    )
    chroma_headers: tuple[tuple[str, str], ...] = field(
        default=(),
        repr=False,
        metadata=_meta(
            "Headers for that server, or for a proxy before it, parted by semicolons: `Authorization: Bearer …`.",
            values.sent_headers,
            "none",
            secret=True,
        ),
    )
    llm: str = field(
        default="",
        metadata=_meta(
            "Language model that may write answers: `openai-like` (a server with OpenAI's interface), or `gguf:` and "
            "the path of a model's file.",
            values.language_model,
            "none",
        ),
    )
    llm_url: str = field(
        default="",
        metadata=_meta("Address of that server, such as `http://127.0.0.1:11434/v1`.", values.web_address, "none"),
    )
    llm_model: str = field(default="", metadata=_meta("Name of the model there.", values.text, "none"))
    llm_key: str = field(
        default="", repr=False, metadata=_meta("The key that the server asks for.", values.text, "none", secret=True)
    )
    llm_timeout: float = field(
        default=60.0,
        metadata=_meta("Seconds that the model has for an answer; then the quotations stand.", values.seconds, "`60`"),
    )
    uploads: bool = field(
        default=False,
        metadata=_meta(
            "Whether readers may add articles in the browser, and remove what was added: `on` or `off`. They are files "
            "in `uploads/` below the corpus.",
            values.switch,
            "`off`",
        ),
    )
    add_urls: bool = field(
        default=False,
        metadata=_meta(
            "Whether readers may add articles in the browser by their address, where uploads are on: `on` or `off`.",
            values.switch,
            "`off`",
        ),
    )
    fetch_addresses: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Addresses and networks that are not public and from which articles may be fetched all the same, parted by "
            "commas.",
            values.addresses,
            "none",
        ),
    )
    embed_origins: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Origins whose pages may show the panel and ask the API from a browser, parted by commas, exact with their "
            "ports: `https://wiki.example`.",
            values.origins,
            "none",
        ),
    )
    auth: str = field(
        default="",
        metadata=_meta(
            "`none` lets whoever reaches the server read all articles that carry no groups.",
            values.auth,
            "nobody from outside; on loopback as `none`",
        ),
    )
    auth_tokens: tuple[values.Token, ...] = field(
        default=(),
        repr=False,
        metadata=_meta(
            "Tokens of programs, parted by commas; each may be followed by its groups: `TOKEN|legal|board, TOKEN`.",
            values.tokens,
            "none",
            secret=True,
        ),
    )
    auth_password: str = field(
        default="",
        repr=False,
        metadata=_meta("A password with which people sign in.", values.password, "none", secret=True),
    )
    auth_secret: str = field(
        default="",
        repr=False,
        metadata=_meta(
            "The secret that signs the tokens of a wiki's readers; the wiki's backend knows it too.",
            values.secret,
            "none",
            secret=True,
        ),
    )
    auth_proxy_header: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Header in which a proxy names the reader who signed in there, and after a comma the one with his groups: "
            "`Remote-User, Remote-Groups`.",
            values.headers,
            "none",
        ),
    )
    auth_proxy_addresses: tuple[str, ...] = field(
        default=(),
        metadata=_meta(
            "Addresses and networks of proxies, parted by commas: from these alone the header above and "
            "`X-Forwarded-…` are believed.",
            values.addresses,
            "none",
        ),
    )
    rate: int = field(
        default=60,
        metadata=_meta("Questions that one reader may ask in a minute; 0 sets no limit.", values.number, "`60`"),
    )
    log: str = field(
        default="on",
        metadata=_meta(
            "The log on stderr, a JSON object a line: `on`, `off`, or `questions`, which adds what is asked.",
            values.logged,
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
    found: dict[str, Any] = {}
    for name in sorted(name for name in given if name.startswith(PREFIX)):
        value = given[name].strip()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            _log.warning("%s is not a setting and is ignored%s", name, f"; did you mean {near[0]}?" if near else "")
        elif value:
            try:
                found[known[name].name] = known[name].metadata["parse"](value)
            except ValueError as error:
                shown = "not usable" if known[name].metadata["secret"] else repr(value)
                raise SettingsError(
                    f"{name} is {shown}, expected {error}; correct it in the environment or in .env"
                ) from None
    return Settings(**found)


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
