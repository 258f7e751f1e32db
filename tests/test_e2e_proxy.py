"""Behind a real reverse proxy: below a path and with TLS, as docs/embedding.md tells; and nobody forges its word."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import guide
import pytest
from loopback import Served, Server
from processes import unchecked
from proxies import NAME, Proxy, nginx
from stories import CONTRACT, HARBOUR
from windows import Window, ask, window

from rag.settings import Settings
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from rag.assistant import Assistant

KYNCL = "What did Kyncl say about licensing?"
LICENCE = "What does the contract with the ferry company cost?"
ELSEWHERE = "192.0.2.1"  # an address that nobody has
QUESTION = json.dumps({"question": KYNCL}).encode()


def request(
    address: str, body: bytes = b"", **headers: str
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A request as programs make it, with a body: POST; `X_Name` is the header X-Name."""
    parts = urlsplit(address)
    context: ssl.SSLContext = unchecked()
    connection = (
        http.client.HTTPSConnection(parts.netloc, timeout=30, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.netloc, timeout=30)
    )
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request("POST" if body else "GET", parts.path, body or None, sent)
    return connection, connection.getresponse()


def fetch(address: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Status and text."""
    connection, answer = request(address, body, **headers)
    with contextlib.closing(connection):
        return answer.status, answer.read().decode()


def location(served: Served, *, strips: bool = True) -> str:
    """What the guide says for nginx, in front of `served`."""
    block = guide.lines("nginx", "location /archive/")
    return block.replace("http://127.0.0.1:7860/", served.url + ("/" if strips else ""))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A web server of somebody else: `pages(html)` puts a page there and returns its address."""
    folder = tmp_path_factory.mktemp("pages")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as elsewhere:
        thread = threading.Thread(target=elsewhere.serve_forever, daemon=True)
        thread.start()

        def put(html: str) -> str:
            (folder / "page.html").write_text(f"<!doctype html><title>A page</title>{html}", "utf-8")
            return f"http://127.0.0.1:{elsewhere.server_address[1]}/page.html"

        yield put
        elsewhere.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def behind(starter: Assistant, pages: Callable[[str], str]) -> Iterator[Served]:
    """The application, set up as the guide says for a proxy on the same machine."""
    settings = Settings(
        root_path="/archive",
        allowed_hosts=(NAME,),
        auth_proxy_addresses=("127.0.0.1",),
        embed_origins=(pages("").removesuffix("/page.html"),),
    )
    with Server(starter, settings) as served:
        yield served


@pytest.fixture(scope="module")
def proxy(behind: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with nginx(tmp_path_factory.mktemp("nginx"), location(behind), "/archive") as running:
        yield running


@contextlib.contextmanager
def visit(browser: Browser, proxy: Proxy, *origins: str, **options: Any) -> Iterator[Window]:
    """A window on the proxy's site. At the end everything came from below its path, by TLS."""
    site = proxy.url.removesuffix(proxy.path)
    with window(browser, site, *origins, ignore_https_errors=True, **options) as opened:
        yield opened
        ours = [asked.url for asked in opened.requested if asked.url.startswith((site, f"http://{NAME}"))]
        assert not [url for url in ours if not url.startswith(proxy.url + "/")]
        assert not [line for line in opened.complaints if "Mixed Content" in line]
        assert not opened.errors(), opened.errors()


@pytest.mark.parametrize("strips", [True, False], ids=["the path taken off", "the path left on"])
def test_the_chat_answers_below_a_path_and_with_tls(
    browser: Browser, behind: Served, tmp_path: Path, strips: bool
) -> None:
    with (
        nginx(tmp_path, location(behind, strips=strips), "/archive") as proxy,
        visit(browser, proxy, permissions=["clipboard-read", "clipboard-write"]) as opened,
    ):
        page = opened.page
        page.goto(proxy.url + "/")
        page.locator("body.or-ready").wait_for()
        answer = ask(page, KYNCL)
        assert "licen" in answer.locator(".or-card blockquote").first.inner_text().lower()

        answer.get_by_role("button", name=texts_for("en").copy_quotation).first.click()
        answer.get_by_role("button", name=texts_for("en").copied).wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert f"\n{proxy.url}/article/" in copied

        answer.locator(".or-open").first.click()
        page.locator("#or-sheet mark#quote").first.wait_for()
        permanent = str(page.locator("#or-sheet .or-as-page").evaluate("link => link.href"))
        assert permanent.startswith(proxy.url + "/article/")
        page.goto(permanent)
        page.locator("mark#quote").first.wait_for()
        page.goto(proxy.url + "/archive")
        page.locator("table a").first.wait_for()


def test_the_panel_works_in_a_page_of_another_site(browser: Browser, proxy: Proxy, pages: Callable[[str], str]) -> None:
    address = pages(guide.lines("html", "<on-record-chat>").replace(guide.ARCHIVE, proxy.url))
    with visit(browser, proxy, address.removesuffix("/page.html")) as opened:
        opened.page.goto(address)
        answer = ask(opened.panel, KYNCL)
        answer.locator(".or-card").first.wait_for()


def test_a_plain_frame_works_in_a_page_of_another_site(
    browser: Browser, proxy: Proxy, pages: Callable[[str], str]
) -> None:
    address = pages(guide.lines("html", "<iframe").replace(guide.ARCHIVE, proxy.url))
    with visit(browser, proxy, address.removesuffix("/page.html")) as opened:
        opened.page.goto(address)
        answer = ask(opened.page.frame_locator("iframe"), "Wat zei Kyncl over licenties?")
        answer.locator(".or-card").first.wait_for()


def test_programs_ask_below_the_path(proxy: Proxy) -> None:
    status, text = fetch(proxy.address + "/api/ask", QUESTION)
    assert (status, json.loads(text)["found"]) == (200, True)
    status, text = fetch(proxy.address + "/v1/models")
    assert (status, json.loads(text)["object"]) == (200, "list")


def test_an_answers_first_step_arrives_before_its_last(proxy: Proxy) -> None:
    connection, answer = request(proxy.address + "/api/ask", QUESTION, Accept="text/event-stream")
    arrived: dict[str, float] = {}
    with contextlib.closing(connection):
        for line in answer:
            if line.startswith(b"event: "):
                arrived.setdefault(line.decode().split()[1], time.monotonic())
    # What is buffered arrives at once, within a millisecond.
    assert arrived["answer"] - arrived["hits"] > 0.02


def test_agents_connect_below_the_path(proxy: Proxy) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    accept = "application/json, text/event-stream"
    status, text = fetch(proxy.address + "/mcp", json.dumps(hello).encode(), Accept=accept)
    assert status == 200
    assert '"serverInfo"' in text


# --- what a proxy says of the reader, and who may say it --------------------------------------------------------------


def test_a_strangers_forwarded_headers_count_for_nothing(starter: Assistant) -> None:
    with Server(starter, Settings(auth_proxy_addresses=(ELSEWHERE,), rate=1)) as served:
        forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https", "X_Forwarded_For": "203.0.113.7"}
        status, text = fetch(served.url + "/", b"", **forged)
        assert status == 200
        assert "evil.example" not in text
        assert f"https://{served.host}" not in text
        # One reader, whatever address he says is his.
        assert fetch(served.url + "/api/ask", QUESTION, X_Forwarded_For="203.0.113.7")[0] == 200
        assert fetch(served.url + "/api/ask", QUESTION, X_Forwarded_For="203.0.113.8")[0] == 429


def test_what_a_client_says_of_itself_does_not_pass_the_proxy(proxy: Proxy) -> None:
    forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "http", "X_Forwarded_For": "203.0.113.7"}
    status, text = fetch(proxy.address + "/", b"", **forged)
    assert status == 200
    assert "evil.example" not in text
    assert "http://127.0.0.1" not in text


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An archive with an article for everybody and one for the group "legal"."""
    from rag.assistant import Assistant

    folder = tmp_path_factory.mktemp("grouped")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "harbour.md").write_text(HARBOUR, "utf-8")
    (folder / "corpus" / "contract.md").write_text(CONTRACT, "utf-8")
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        assistant.sync()
        yield assistant


SIGNED_IN = ("remote-user", "remote-groups")


@pytest.fixture(scope="module")
def guarded(grouped: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx with a login, as the guide says, in front of that archive; anna is in the group, bert is not."""
    state = tmp_path_factory.mktemp("guarded")
    (state / "readers").write_text("anna:{PLAIN}one\nbert:{PLAIN}two\n", "utf-8")
    settings = Settings(
        root_path="/archive",
        allowed_hosts=(NAME,),
        auth_proxy_addresses=("127.0.0.1",),
        auth_proxy_header=SIGNED_IN,
    )
    with Server(grouped, settings) as served:
        empty = '    proxy_set_header Remote-User "";\n    proxy_set_header Remote-Groups "";\n'
        login = guide.lines("nginx", "auth_basic").replace("/etc/nginx/readers", str(state / "readers"))
        assert empty in location(served)
        locations = location(served).replace(empty, login)
        with nginx(state, locations, "/archive", maps=guide.lines("nginx", "map $remote_user")) as running:
            yield running


def quotes(proxy: Proxy, login: str, **headers: str) -> str:
    """The text of the answer that a reader gets who is signed in as "name:password"."""
    basic = "Basic " + base64.b64encode(login.encode()).decode()
    body = json.dumps({"question": LICENCE}).encode()
    status, text = fetch(proxy.address + "/api/ask", body, Authorization=basic, **headers)
    assert status == 200
    return text


def test_a_login_at_the_proxy_opens_what_its_groups_may_read(guarded: Proxy) -> None:
    assert "forty thousand" in quotes(guarded, "anna:one")
    assert "forty thousand" not in quotes(guarded, "bert:two")
    assert "forty thousand" not in quotes(guarded, "bert:two", Remote_User="anna", Remote_Groups="legal")
    assert fetch(guarded.address + "/api/ask", QUESTION, Remote_User="anna", Remote_Groups="legal")[0] == 401


def test_the_chat_shows_a_reader_what_the_proxy_says_he_may_read(browser: Browser, guarded: Proxy) -> None:
    for name, password, sees in (("anna", "one", True), ("bert", "two", False)):
        login = {"username": name, "password": password}
        with visit(browser, guarded, http_credentials=login) as opened:
            opened.page.goto(guarded.url + "/")
            opened.page.locator("body.or-ready").wait_for()
            answer = ask(opened.page, LICENCE)
            assert ("forty thousand" in answer.inner_text()) == sees


def test_nobody_signs_in_by_a_header_past_the_proxy(grouped: Assistant) -> None:
    settings = Settings(auth_proxy_addresses=(ELSEWHERE,), auth_proxy_header=SIGNED_IN)
    with Server(grouped, settings) as served:
        assert fetch(served.url + "/api/ask", QUESTION, Remote_User="anna", Remote_Groups="legal")[0] == 401
        assert fetch(served.url + "/", Remote_User="anna", X_Forwarded_For=ELSEWHERE)[0] == 401
