"""The panel in a page of another site, as a wiki's reader meets it: real pages, a real browser, and no other host."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from loopback import Served, Server
from playwright.sync_api import Frame, expect
from rooms import ANSWER, FIELD
from test_e2e_accessibility import faults

from rag.settings import Settings
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

    from rag.assistant import Assistant

KYNCL = "What did Kyncl say about licensing?"
SECRET = "a secret that the wiki's backend knows too"
PHONE = {"width": 360, "height": 740}
TEXTS = texts_for("en")


class Wiki:
    """A site that serves pages made by the tests, under two names: to a browser two sites."""

    def __init__(self) -> None:
        pages = self.pages = dict[str, str]()
        self.headers = headers = dict[str, str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.get(self.path.split("?")[0], "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self.server.server_port}"  # another site than the application
        self.stranger = f"http://127.0.0.1:{self.server.server_port}"  # and an origin that is not listed


@pytest.fixture(scope="module")
def wiki() -> Iterator[Wiki]:
    made = Wiki()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def app(starter: Assistant, wiki: Wiki) -> Iterator[Served]:
    """The application, open, for the wiki's pages."""
    with Server(starter, Settings(embed_origins=(wiki.origin,), rate=0)) as served:
        yield served


@pytest.fixture(scope="module")
def locked(starter: Assistant, wiki: Wiki) -> Iterator[Served]:
    """The application for readers with a token of the wiki."""
    with Server(starter, Settings(embed_origins=(wiki.origin,), auth_secret=SECRET, rate=0)) as served:
        yield served


def token(seconds: int = 60, name: str = "ada") -> str:
    return jwt.encode({"sub": name, "exp": int(time.time()) + seconds, "aud": "on-record"}, SECRET, "HS256")


@dataclasses.dataclass
class Visit:
    """A wiki's page in a browser window, and what it loaded and complained about."""

    page: Page
    requests: list[Request] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    @property
    def panel(self) -> Frame:
        """The frame of the panel, once it is ready."""
        frame = self.page.locator("on-record-chat iframe").element_handle().content_frame()
        assert frame
        frame.locator("body.or-ready").wait_for()
        return frame

    def ask(self, question: str = KYNCL) -> Frame:
        """Ask and wait for the answer."""
        panel = self.panel
        panel.fill(FIELD, question)
        panel.press(FIELD, "Enter")
        panel.locator(".or-turn").last.locator(ANSWER).first.wait_for()
        return panel

    def height(self) -> float:
        box = self.page.locator("on-record-chat iframe").bounding_box()
        assert box
        return box["height"]


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, wiki: Wiki, app: Served) -> Iterator[Open]:
    """Open a wiki page: `visit(tag, at=application, around=more of the page, **options of the browser context)`."""
    with contextlib.ExitStack() as stack:

        def open_page(
            tag: str = "<on-record-chat></on-record-chat>",
            at: Served = app,
            around: str = "",
            script: str = '<script src="{url}/widget.js" async></script>',
            origin: str = wiki.origin,
            headers: dict[str, str] | None = None,
            **options: Any,
        ) -> Visit:
            wiki.pages["/page"] = (
                f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Wiki</title>'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                '<link rel="icon" href="data:,">'
                f"<h1>A page</h1><p><a href='#x'>first</a></p>{tag}{around}{script.format(url=at.url)}"
            )
            wiki.headers.clear()
            wiki.headers.update(headers or {})
            context = stack.enter_context(
                contextlib.closing(browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **options}))
            )
            visited = Visit(context.new_page())
            visited.page.on("console", lambda message: visited.complaints.append(f"{message.type}: {message.text}"))
            visited.page.on("pageerror", lambda error: visited.complaints.append(f"error: {error}"))
            context.on("request", lambda request: visited.requests.append(request))
            visited.page.goto(f"{origin}/page")
            return visited

        yield open_page


def settled(page: Visit, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until, "it did not come to hold within 10 s"
        page.page.wait_for_timeout(50)


def errors(page: Visit) -> list[str]:
    return [line for line in page.complaints if line.startswith("error") and "status of 401" not in line]


# --- in the place of the element --------------------------------------------------------------------------------------


def test_a_page_of_a_listed_origin_asks_and_gets_citations_in_a_frame_that_grows(visit: Open) -> None:
    page = visit()
    page.panel.locator("#or-examples button").nth(2).wait_for()
    assert page.panel.locator(".or-archive").inner_text().startswith("15 articles, 3 languages")
    before = page.height()
    panel = page.ask()
    card = panel.locator(".or-card").first
    assert "Kyncl" in card.locator("blockquote").inner_text()
    assert (card.get_attribute("aria-label") or "").startswith("quotation 1 of")
    settled(page, lambda: page.height() > before + 50)
    assert page.height() <= 0.8 * 720 + 1
    panel.get_by_role("button", name=TEXTS.new_conversation).click()
    settled(page, lambda: page.height() == before)
    assert page.page.locator("on-record-chat iframe").get_attribute("title")
    assert not errors(page)


def test_an_example_asks_itself(visit: Open) -> None:
    panel = visit().panel
    example = panel.locator("#or-examples button").first
    question = example.inner_text()
    example.click()
    panel.locator(".or-card").first.wait_for()
    assert panel.locator(".or-question").first.inner_text() == question


def test_a_card_opens_in_place_with_its_quotation_marked_and_closes_again(visit: Open, starter: Assistant) -> None:
    panel = visit().ask()
    card = panel.locator(".or-card").first
    link = card.locator(".or-open")
    quoted = card.locator("blockquote").inner_text()
    link.focus()
    link.press("Enter")
    article = card.get_by_role("region", name=TEXTS.article)
    article.locator("mark").first.wait_for()
    marked = article.locator("mark:not(.or-light)").all_inner_texts()
    assert " ".join(" ".join(marked).split()) == quoted
    assert link.get_attribute("aria-expanded") == "true"
    box, mark = article.bounding_box(), article.locator("mark").first.bounding_box()
    assert box
    assert mark
    assert box["y"] <= mark["y"] <= box["y"] + box["height"]
    assert box["height"] < 400
    assert article.evaluate("region => region.scrollHeight > region.clientHeight")
    assert panel.locator("[id=quote]").count() == 0
    assert link.evaluate("link => link === document.activeElement")
    link.press("Enter")  # the same control
    expect(article).to_have_count(0)
    assert link.get_attribute("aria-expanded") == "false"
    card.locator("blockquote").click()  # and anywhere on the card
    article.focus()
    article.press("Escape")
    expect(article).to_have_count(0)
    assert link.evaluate("link => link === document.activeElement")
    link.press("Enter")
    page = card.get_by_role("link", name=TEXTS.open_page)
    assert page.get_attribute("target") == "_blank"
    assert page.get_attribute("rel") == "noopener"
    card.get_by_role("button", name=TEXTS.close).click()
    expect(article).to_have_count(0)


def test_what_came_near_opens_in_place_too(visit: Open) -> None:
    panel = visit().ask("When was Ada Lovelace born?")
    near = panel.locator(".or-nearest li").first
    near.locator(".or-open").click()
    near.get_by_role("region", name=TEXTS.article).locator("mark").first.wait_for()


def test_copying_and_feedback_work_in_the_frame(visit: Open, starter: Assistant) -> None:
    page = visit()
    panel = page.ask()
    copy = panel.locator("[data-copy=quotation]").first
    copy.click()
    expect(copy).to_have_text(TEXTS.copied)
    before = len(starter.feedback())
    panel.get_by_role("button", name=TEXTS.helpful, exact=True).click()
    panel.locator("form.or-noting").wait_for()
    assert len(starter.feedback()) == before + 1
    assert not errors(page)


def test_the_address_brings_a_first_question_and_the_outlets_that_may_answer(visit: Open, app: Served) -> None:
    outlet = "On Record Sample, Dutch desk"
    query = f"q=What+did+Kyncl+say%3F&source={outlet.replace(' ', '+')}&source={outlet.replace(' ', '+')}"
    panel = visit(f'<on-record-chat src="{app.url}/embed?{query}"></on-record-chat>').panel
    panel.locator(".or-turn .or-card").first.wait_for()
    assert panel.locator(".or-question").first.inner_text() == "What did Kyncl say?"
    assert panel.locator("#or-chosen li").all_inner_texts() == [outlet]
    assert set(panel.locator(".or-card .or-source").all_inner_texts()) == {outlet}


def test_language_and_theme_are_those_of_the_element(visit: Open) -> None:
    page = visit('<on-record-chat lang="nl" theme="dark"></on-record-chat>', color_scheme="light")
    texts = texts_for("nl")
    assert page.panel.get_by_placeholder(texts.placeholder).count() == 1
    assert len([request.url for request in page.requests if "/embed?" in request.url]) == 1
    assert page.panel.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 23, 22)"
    page.page.evaluate("document.querySelector('on-record-chat').setAttribute('theme', 'light')")
    settled(page, lambda: "theme=light" in page.panel.url)
    assert page.panel.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 247)"
    assert texts.placeholder in (page.page.locator("on-record-chat iframe").get_attribute("title") or "")


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_cut_off_in_a_narrow_frame(visit: Open, width: int) -> None:
    page = visit(viewport={"width": width, "height": 740})
    panel = page.ask()
    panel.locator(".or-open").first.click()
    panel.locator(".or-unfolded mark").first.wait_for()
    assert panel.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "script",
    [
        '<script src="{url}/widget.js"></script><script src="{url}/widget.js"></script>',
        '<script src="{url}/widget.js" defer></script>',
        '<script src="{url}/widget.js" type="module"></script>',
    ],
    ids=["twice", "deferred", "module"],
)
def test_the_script_finds_its_application_however_it_is_loaded(visit: Open, app: Served, script: str) -> None:
    page = visit(script=script)
    assert page.panel.url == f"{app.url}/embed"
    assert not errors(page)


def test_below_the_path_of_a_proxy_the_panel_asks_below_it(visit: Open, starter: Assistant, wiki: Wiki) -> None:
    with Server(starter, Settings(root_path="/press", embed_origins=(wiki.origin,), rate=0), proxied=True) as behind:
        page = visit(at=behind, script='<script src="{url}/press/widget.js" async></script>')
        panel = page.ask()
        panel.locator(".or-open").first.click()
        panel.locator(".or-unfolded mark").first.wait_for()
        paths = [
            request.url.removeprefix(behind.url) for request in page.requests if request.url.startswith(behind.url)
        ]
        assert paths
        assert not [path for path in paths if not path.startswith("/press/")]


def test_a_page_that_forbids_inline_styles_shows_it_all_the_same(visit: Open, app: Served) -> None:
    policy = f"default-src 'none'; script-src {app.url}; frame-src {app.url}; img-src data:"
    page = visit(headers={"Content-Security-Policy": policy})
    page.ask()
    assert (
        page.page.locator("on-record-chat iframe").evaluate("frame => getComputedStyle(frame).borderTopWidth") == "0px"
    )
    settled(page, lambda: page.height() > 300)
    assert not errors(page)


@pytest.mark.parametrize("source", ["javascript:parent.stolen=1", "data:text/html,x", "https://["])
def test_an_address_that_is_none_of_a_server_is_not_opened(visit: Open, source: str) -> None:
    page = visit(f'<on-record-chat src="{source}"></on-record-chat>')
    settled(page, lambda: any("src is no address" in line for line in page.complaints))
    assert page.page.locator("on-record-chat iframe").count() == 0
    assert page.page.evaluate("window.stolen") is None


# --- who is heard -----------------------------------------------------------------------------------------------------


def test_an_origin_that_is_not_listed_gets_a_frame_that_stays_shut(visit: Open, wiki: Wiki) -> None:
    page = visit(origin=wiki.stranger)
    settled(page, lambda: any("frame-ancestors" in line for line in page.complaints))
    frame = page.page.locator("on-record-chat iframe").element_handle().content_frame()
    assert frame
    assert frame.locator(FIELD).count() == 0


def test_the_panel_hears_nobody_but_the_page_around_it(visit: Open, locked: Served, wiki: Wiki) -> None:
    good = token()
    wiki.pages["/forger"] = "<!doctype html><title>forger</title>"
    page = visit(at=locked, around=f'<iframe id="forger" src="{wiki.origin}/forger"></iframe>')
    expect(page.panel.locator(".or-archive")).to_have_text(TEXTS.access_wanted)
    forger = page.page.locator("#forger").element_handle().content_frame()
    assert forger
    page.panel.evaluate(
        "(() => { window.calls = window.seen = 0; const real = fetch;"
        " window.fetch = (...all) => (calls++, real(...all)); addEventListener('message', () => seen++); })()"
    )
    # A frame of a listed origin, but not the page around; and that one with another message.
    forger.evaluate(
        "token => parent.document.querySelector('on-record-chat').shadowRoot.querySelector('iframe').contentWindow"
        ".postMessage({type: 'on-record:hello', token}, '*')",
        good,
    )
    page.page.evaluate(
        "token => document.querySelector('on-record-chat').shadowRoot.querySelector('iframe').contentWindow"
        ".postMessage({type: 'hello', token}, '*')",
        good,
    )
    page.panel.wait_for_function("seen === 2")
    assert page.panel.evaluate("calls") == 0
    page.page.evaluate("token => document.querySelector('on-record-chat').setAttribute('token', token)", good)
    page.panel.locator("#or-examples button").first.wait_for()  # so it was the sender


def test_two_panels_on_a_page_keep_to_themselves(visit: Open) -> None:
    page = visit("<on-record-chat></on-record-chat><on-record-chat></on-record-chat>")
    first, second = page.page.locator("on-record-chat iframe").all()
    for frame in (first, second):
        frame.content_frame.locator("#or-examples button").first.wait_for()
    heights = "frames => frames.map(frame => frame.shadowRoot.querySelector('iframe').offsetHeight)"
    before = page.page.locator("on-record-chat").evaluate_all(heights)
    second.content_frame.locator("#or-examples button").first.click()
    second.content_frame.locator(".or-card").first.wait_for()
    settled(page, lambda: page.page.locator("on-record-chat").evaluate_all(heights)[1] > before[1])
    assert page.page.locator("on-record-chat").evaluate_all(heights)[0] == before[0]


FORGED = """(() => {
    window.got = [];
    onmessage = ({data}) => got.push(data);
    parent.postMessage({type: 'on-record:height', height: 3000}, '*');
    parent.postMessage({type: 'on-record:token-wanted'}, '*');
})()"""


def test_the_element_hears_nobody_but_its_frame_and_hands_its_token_to_nobody_else(
    visit: Open, locked: Served, wiki: Wiki
) -> None:
    wiki.pages["/forger"] = "<!doctype html><title>forger</title>"
    page = visit(
        f'<on-record-chat token="{token()}"></on-record-chat>',
        at=locked,
        around=f'<iframe id="forger" src="{wiki.origin}/forger"></iframe>'
        "<script>seen = wanted = 0; addEventListener('on-record-token-wanted', () => wanted++);"
        "addEventListener('message', ({data}) => { if (data.height === 3000) seen++; })</script>",
    )
    page.panel.locator("#or-examples button").first.wait_for()
    forger = page.page.locator("#forger").element_handle().content_frame()
    assert forger
    forger.evaluate(FORGED)
    # Its own frame, in which something else has been loaded.
    frame = page.page.locator("on-record-chat iframe")
    frame.evaluate("(frame, address) => { frame.src = address; }", f"{wiki.stranger}/forger")
    inside = frame.element_handle().content_frame()
    assert inside
    inside.wait_for_function("document.title === 'forger'")
    inside.evaluate(FORGED)
    page.page.wait_for_function("seen === 2")
    assert frame.evaluate("frame => frame.style.height") != "3000px"
    assert page.page.evaluate("wanted") == 0
    page.page.evaluate("token => document.querySelector('on-record-chat').setAttribute('token', token)", token(90))
    frame.evaluate("frame => frame.contentWindow.postMessage('the end', '*')")
    inside.wait_for_function("got.includes('the end')")
    assert inside.evaluate("got") == ["the end"]


# --- with a token -----------------------------------------------------------------------------------------------------


def test_a_token_opens_the_archive_and_stands_in_no_address(visit: Open, locked: Served) -> None:
    good = token()
    page = visit(f'<on-record-chat token="{good}"></on-record-chat>', at=locked)
    panel = page.ask()
    card = panel.locator(".or-card").first
    card.locator(".or-open").click()
    card.locator(".or-unfolded mark").first.wait_for()
    assert card.get_by_role("link", name=TEXTS.open_page).count() == 0  # a page of its own would not have the token
    assert not [request.url for request in page.requests if good in request.url]
    with_token = [request.url for request in page.requests if request.headers.get("authorization") == f"Bearer {good}"]
    for part in ("/embed/room", "/gradio_api/call/turn", "/article/"):
        assert [url for url in with_token if part in url], part
    assert page.page.context.storage_state() == {"cookies": [], "origins": []}
    assert not errors(page)


def test_without_a_token_the_panel_says_so_calmly_and_the_wiki_is_told(visit: Open, locked: Served) -> None:
    told = "<script>wanted = 0; addEventListener('on-record-token-wanted', () => wanted++)</script>"
    page = visit(at=locked, around=told)
    expect(page.panel.locator(".or-archive")).to_have_text(TEXTS.access_wanted)
    settled(page, lambda: page.page.evaluate("wanted") == 1)
    assert not errors(page)


def test_a_question_asked_with_a_token_that_has_run_out_is_answered_with_a_fresh_one(
    visit: Open, locked: Served
) -> None:
    renew = (
        "<script>addEventListener('on-record-token-wanted', ({target}) => "
        "setTimeout(() => target.token = window.fresh, 100))</script>"
    )
    page = visit(f'<on-record-chat token="{token()}"></on-record-chat>', at=locked, around=renew)
    page.panel.locator("#or-examples button").first.wait_for()
    page.page.evaluate("fresh => { window.fresh = fresh }", token(90, "grace"))
    page.page.evaluate("old => document.querySelector('on-record-chat').token = old", token(-60))
    panel = page.ask()
    assert panel.locator(".or-card").count() >= 1
    # And where no fresh one comes, it says so and keeps the question.
    page.page.evaluate(
        "old => { window.fresh = old; document.querySelector('on-record-chat').token = old }", token(-90)
    )
    panel = page.ask("What did Sam Altman say?")
    assert panel.locator(".or-error").last.inner_text() == TEXTS.access_wanted
    assert panel.input_value(FIELD) == "What did Sam Altman say?"


# --- behind a button --------------------------------------------------------------------------------------------------

LAUNCHER = '<on-record-chat mode="launcher" lang="de"></on-record-chat>'
FOCUSED = "document.activeElement.shadowRoot?.activeElement?.className"


def test_the_launcher_loads_next_to_nothing_before_it_is_opened(visit: Open, app: Served) -> None:
    page = visit(LAUNCHER)
    page.page.get_by_role("button", name=texts_for("de").placeholder).wait_for()
    page.page.wait_for_load_state("networkidle")
    loaded = [request for request in page.requests if request.url.startswith(app.url)]
    assert [request.url for request in loaded] == [f"{app.url}/widget.js"]
    sizes = [request.sizes() for request in page.requests if request.url.startswith("http")]
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= 30_000


def test_the_launcher_works_from_the_keyboard(visit: Open) -> None:
    page = visit(LAUNCHER)
    keyboard = page.page.keyboard
    button = page.page.get_by_role("button", name=texts_for("de").placeholder)
    button.wait_for()
    keyboard.press("Tab")
    keyboard.press("Tab")
    assert page.page.evaluate(FOCUSED) == "launch"
    assert button.get_attribute("aria-expanded") == "false"
    keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    expect(page.panel.locator(FIELD)).to_be_focused()
    keyboard.type("Was sagte Kyncl?")
    keyboard.press("Enter")
    page.panel.locator(".or-card").first.wait_for()
    page.panel.locator(".or-open").first.press("Enter")
    page.panel.locator(".or-unfolded mark").first.wait_for()
    keyboard.press("Escape")  # the article
    expect(page.panel.locator(".or-unfolded")).to_have_count(0)
    assert button.get_attribute("aria-expanded") == "true"
    keyboard.press("Escape")  # the panel
    expect(button).to_have_attribute("aria-expanded", "false")
    assert page.page.evaluate(FOCUSED) == "launch"
    keyboard.press("Enter")
    expect(page.panel.locator(FIELD)).to_be_focused()
    assert page.panel.locator(".or-card").count() >= 1  # the conversation is still there
    page.page.get_by_role("button", name="Schließen").focus()
    keyboard.press("Escape")  # from outside the frame
    assert page.page.evaluate(FOCUSED) == "launch"
    assert not errors(page)


def test_the_launcher_fills_a_phone_and_can_be_closed_there(visit: Open) -> None:
    page = visit(LAUNCHER, viewport=PHONE)
    page.page.locator("on-record-chat .launch").click()
    page.panel.locator("#or-examples button").first.wait_for()
    dialog = page.page.get_by_role("dialog", name=texts_for("de").placeholder)
    assert dialog.bounding_box() == {"x": 0, "y": 0, **PHONE}
    page.page.get_by_role("button", name="Schließen").click()
    expect(dialog).to_be_hidden()
    assert page.page.evaluate(FOCUSED) == "launch"


# --- what it keeps, and for whom --------------------------------------------------------------------------------------

CLOSED = """
for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, {get() { throw new DOMException("closed", "SecurityError"); }});
Object.defineProperty(document, "cookie", {get() { throw new DOMException("closed", "SecurityError"); }});
"""


def test_it_works_with_storage_and_cookies_closed_and_keeps_nothing_where_they_are_open(
    visit: Open, app: Served
) -> None:
    closed = visit()
    closed.page.context.add_init_script(CLOSED)
    closed.page.reload()
    closed.ask().locator(".or-card").first.wait_for()
    assert not errors(closed)
    page = visit().page  # on its own, since a browser may close storage in another site's frame
    page.goto(f"{app.url}/embed")
    page.fill(FIELD, KYNCL)
    page.press(FIELD, "Enter")
    page.locator(".or-card").first.wait_for()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert page.context.storage_state() == {"cookies": [], "origins": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 800])
def test_axe_finds_no_serious_fault_in_the_panel_and_around_it(visit: Open, scheme: str, width: int) -> None:
    for tag in ("<on-record-chat></on-record-chat>", LAUNCHER):
        page = visit(tag, color_scheme=scheme, viewport={"width": width, "height": 800})
        if tag is LAUNCHER:
            page.page.locator("on-record-chat .launch").click()
        page.ask()
        page.panel.locator(".or-open").first.click()
        page.panel.locator(".or-unfolded mark").first.wait_for()
        assert not faults(page.panel)
        assert not faults(page.page)


def test_the_panel_is_there_at_once_and_weighs_little(visit: Open, app: Served) -> None:
    page = visit()
    page.panel.locator("#or-examples button").first.wait_for()
    loaded = [request for request in page.requests if request.url.startswith(app.url)]
    assert sum(request.sizes()["responseBodySize"] for request in loaded) < 60_000
    assert not [request.url for request in loaded if re.search(r"/assets/|theme\.css|/config", request.url)]
