"""A real MediaWiki and a real DokuWiki from Debian's packages on loopback, each served by PHP's own web server.

Everything that they write is below a folder of the test; nothing below /etc or /usr is touched.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from processes import free_port, need, running

PACKAGES = "mediawiki dokuwiki php-cli php-sqlite3 php-mbstring php-xml php-intl"
_MEDIAWIKI = Path("/usr/share/mediawiki")
_DOKUWIKI = Path("/usr/share/dokuwiki")

_PASSWORD = "a long passphrase"

# Raw HTML is for wikis that only trusted people edit; nobody else may edit this one. Nothing is cached, so that a page
# that is written anew is seen anew.
_MEDIAWIKI_SETTINGS = """
$wgCacheDirectory = "{state}/cache";
$wgMainCacheType = $wgParserCacheType = CACHE_NONE;
$wgRawHtml = true;
$wgGroupPermissions['*']['edit'] = false;
$wgServer = WebRequest::detectServer();
wfLoadExtension( 'Cite' );
"""
_DOKUWIKI_SETTINGS = """<?php
$conf['title'] = 'A wiki'; $conf['useacl'] = 0; $conf['htmlok'] = 1; $conf['updatecheck'] = 0;
$conf['savedir'] = '{state}/data'; $conf['disableactions'] = 'edit,register'; $conf['cachetime'] = -1;
"""
# Debian's DokuWiki is older than its PHP, which would print what it deprecates into the pages.
_DOKUWIKI_FIRST = """<?php
error_reporting( E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING );
ini_set( 'display_errors', '0' );
define( 'DOKU_CONF', '{state}/conf/' );
"""


@dataclass(frozen=True, slots=True)
class Wiki:
    """A running wiki."""

    port: int
    write: Callable[[str, str], str]
    """Writes a page (name, text in the wiki's own markup) and returns its path."""
    everywhere: Callable[[str], None]
    """Puts a script onto every page, as an administrator does."""
    raw: tuple[str, str]
    """What stands around raw HTML in the wiki's markup."""
    settings: Path
    """A file of PHP, read anew for every page."""
    administrator: tuple[str, str] = ("Admin", _PASSWORD)
    """Name and password, where the wiki has readers who sign in."""

    @property
    def origin(self) -> str:
        return self.at("127.0.0.1")

    def at(self, host: str) -> str:
        """The wiki's origin under another name of this machine."""
        return f"http://{host}:{self.port}"

    @contextlib.contextmanager
    def configured(self, php: str) -> Iterator[None]:
        """With these lines in the wiki's settings, as its administrator adds them."""
        before = self.settings.read_text("utf-8")
        self.settings.write_text(f"{before}\n{php}", "utf-8")
        try:
            yield
        finally:
            self.settings.write_text(before, "utf-8")

    def embed(self, name: str, html: str) -> str:
        """Writes a page that holds raw HTML and returns its path."""
        return self.write(name, html.join(self.raw))


@contextlib.contextmanager
def _served(
    root: Path, state: Path, port: int, *options: str, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    # A page asks for its styles while it is being made; one worker would wait for itself.
    workers = {"PHP_CLI_SERVER_WORKERS": "4", **(environ or {})}
    # Compiled files are looked at again after two seconds only, and a test may change the settings sooner.
    command = ["php", "-d", "opcache.enable=0", *options, "-S", f"127.0.0.1:{port}", "-t", str(root)]
    with running(command, state / "server.log", f"http://127.0.0.1:{port}/", workers):
        yield


@contextlib.contextmanager
def mediawiki(state: Path) -> Iterator[Wiki]:
    """A MediaWiki with SQLite, the extension Cite and raw HTML; `state` is an empty folder."""
    need(PACKAGES, "php", str(_MEDIAWIKI))
    port = free_port()
    settings = state / "LocalSettings.php"
    environ = {"MW_CONFIG_FILE": str(settings)}

    def maintain(script: str, *arguments: str, text: str = "") -> None:
        done = subprocess.run(
            ["php", str(_MEDIAWIKI / "maintenance" / script), *arguments],
            input=text,
            capture_output=True,
            text=True,
            env={**os.environ, **environ},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def write(name: str, text: str) -> str:
        maintain("edit.php", "--user", "Admin", name, text=text)
        return f"/index.php/{name.capitalize()}"  # as it writes the address of a page itself

    def everywhere(script: str) -> None:
        write("MediaWiki:Common.js", script)

    for folder in ("data", "cache"):
        (state / folder).mkdir()
    where = ["--dbtype", "sqlite", "--dbpath", str(state / "data"), "--dbname", "wiki", "--confpath", str(state)]
    site = ["--server", f"http://127.0.0.1:{port}", "--scriptpath", "", "--lang", "en", "--pass", _PASSWORD]
    maintain("install.php", *where, *site, "A wiki", "Admin")
    with settings.open("a", encoding="utf-8") as file:
        file.write(_MEDIAWIKI_SETTINGS.replace("{state}", str(state)))
    with _served(_MEDIAWIKI, state, port, environ=environ):
        yield Wiki(port, write, everywhere, ("<html>", "</html>"), settings)


@contextlib.contextmanager
def dokuwiki(state: Path) -> Iterator[Wiki]:
    """A DokuWiki with raw HTML; `state` is an empty folder."""
    need(PACKAGES, "php", str(_DOKUWIKI))
    port = free_port()
    pages = state / "data" / "pages"
    first = state / "first.php"

    def write(name: str, text: str) -> str:
        (pages / f"{name}.txt").write_text(text, "utf-8")
        return f"/doku.php?id={name}"

    def everywhere(script: str) -> None:
        (state / "conf" / "userscript.js").write_text(script, "utf-8")

    (state / "conf").mkdir()
    for folder in "pages attic media media_attic media_meta meta cache index locks tmp log".split():
        (state / "data" / folder).mkdir(parents=True)
    local = state / "conf" / "local.php"
    local.write_text(_DOKUWIKI_SETTINGS.replace("{state}", str(state)), "utf-8")
    first.write_text(_DOKUWIKI_FIRST.replace("{state}", str(state)), "utf-8")
    with _served(_DOKUWIKI, state, port, "-d", f"auto_prepend_file={first}"):
        yield Wiki(port, write, everywhere, ("<HTML>\n", "\n</HTML>"), local)
