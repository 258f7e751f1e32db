"""The panel inside real wikis, put there by the lines of docs/embedding.md, with every other host out of reach."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import guide
import jwt
import pytest
from loopback import Served, Server
from playwright.sync_api import expect
from processes import need
from stories import CONTRACT, HARBOUR
from wikis import PACKAGES, Wiki, dokuwiki, mediawiki
from windows import FIELD, Window, ask, window

from rag.settings import Settings
from rag.web.copies import link_to
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from rag.assistant import Assistant

KYNCL = "What did Kyncl say about licensing?"
COST = "What does the contract with the ferry company cost?"
SECRET = "only the wiki and On Record know this sentence"
MOST_BYTES = 30_000  # that a reader's page loads from us before anything is asked, where the panel is a launcher
TEXTS = texts_for("en")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    with mediawiki(tmp_path_factory.mktemp("mediawiki")) as wiki:
        yield wiki


@pytest.fixture(scope="module")
def doku(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    with dokuwiki(tmp_path_factory.mktemp("dokuwiki")) as wiki:
        yield wiki


@pytest.fixture(params=["media", "doku"])
def wiki(request: pytest.FixtureRequest) -> Wiki:
    """A MediaWiki, and then a DokuWiki."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Wiki)
    return found


@pytest.fixture(scope="module")
def served(starter: Assistant, media: Wiki, doku: Wiki) -> Iterator[Served]:
    """The application, which both wikis may show at 127.0.0.1, and DokuWiki at localhost as well."""
    origins = (media.origin, doku.origin, doku.at("localhost"))
    with Server(starter, Settings(embed_origins=origins)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(media: Wiki, doku: Wiki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The application for readers with a token of the wiki; an article of its archive is for the group "legal"."""
    from rag.assistant import Assistant

    folder = tmp_path_factory.mktemp("guarded")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "harbour.md").write_text(HARBOUR, "utf-8")
    (folder / "corpus" / "contract.md").write_text(CONTRACT, "utf-8")
    settings = Settings(embed_origins=(media.origin, doku.origin), auth_secret=SECRET)
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        assistant.sync()
        with Server(assistant, settings) as running:
            yield running


def two_lines(served: Served, attributes: str = "") -> str:
    """What the guide tells to paste into a page."""
    lines = guide.lines("html", "<on-record-chat>").replace(guide.ARCHIVE, served.url)
    return lines.replace("<on-record-chat>", f"<on-record-chat{attributes}>")


@contextlib.contextmanager
def on_all_pages(wiki: Wiki, script: str) -> Iterator[None]:
    wiki.everywhere(script)
    try:
        yield
    finally:
        wiki.everywhere("")


@contextlib.contextmanager
def read(browser: Browser, served: Served, address: str, **options: Any) -> Iterator[Window]:
    """A reader's window on a page of a wiki. At the end nothing had failed, and no address had held a token."""
    origin = address.split("/index.php")[0].split("/doku.php")[0]
    with window(browser, origin, served.url, **options) as opened:
        opened.page.goto(address)
        yield opened
        assert not opened.errors(), opened.errors()
        assert not [asked.url for asked in opened.requested if "eyJ" in asked.url]


def unfold(opened: Window) -> str:
    """Opens the article of the first quotation in its card; returns the text that is marked there."""
    opened.panel.locator(".or-card .or-open").first.click()
    marked = opened.panel.locator(".or-card .or-unfolded mark")
    marked.first.wait_for()
    return " ".join(" ".join(marked.all_inner_texts()).split())


def has_answered(opened: Window) -> None:
    answer = ask(opened.panel, KYNCL)
    quoted = " ".join(answer.locator(".or-card blockquote").first.inner_text().split())
    assert "licen" in quoted.lower()
    assert quoted.strip('“”„"') in unfold(opened)
    assert len(opened.page.context.pages) == 1, "the article opened in another window"


def test_an_inline_panel_answers_and_opens_a_citation_in_the_page(browser: Browser, served: Served, wiki: Wiki) -> None:
    address = wiki.origin + wiki.embed("inline", two_lines(served))
    with read(browser, served, address) as opened:
        has_answered(opened)
        # It has grown with the answer and needs no scroll bar of its own.
        frame = opened.page.locator("on-record-chat iframe")
        assert frame.bounding_box()["height"] > 240  # type: ignore[index]
        assert opened.page.url == address


def test_a_launcher_on_all_pages_answers_and_opens_a_citation(browser: Browser, served: Served, wiki: Wiki) -> None:
    which = "mw.loader.load" if wiki.raw[0] == "<html>" else "jQuery.getScript"
    script = guide.lines("js", which).replace(guide.ARCHIVE, served.url)
    with on_all_pages(wiki, script), read(browser, served, wiki.origin + wiki.write("plain", "A page.")) as opened:
        opened.page.get_by_role("button", name="Ask the archive").click()
        has_answered(opened)
        opened.page.keyboard.press("Escape")  # folds the article
        opened.page.keyboard.press("Escape")  # closes the panel
        expect(opened.page.locator("on-record-chat iframe")).to_be_hidden()


def test_a_launcher_loads_next_to_nothing_before_it_is_opened(browser: Browser, served: Served, wiki: Wiki) -> None:
    address = wiki.origin + wiki.embed("launcher", two_lines(served, ' mode="launcher"'))
    with read(browser, served, address) as opened:
        opened.page.get_by_role("button", name="Ask the archive").wait_for()
        opened.page.wait_for_load_state("networkidle")
        loaded = opened.loaded(served.url)
        assert 0 < loaded <= MOST_BYTES, loaded


def test_the_panel_works_in_another_site_and_leaves_no_cookie(browser: Browser, served: Served, doku: Wiki) -> None:
    page = doku.embed("inline", two_lines(served))
    with read(browser, served, doku.at("localhost") + page) as opened:
        has_answered(opened)
        assert not [cookie for cookie in opened.context.cookies() if cookie["domain"] == "127.0.0.1"]


def test_a_wiki_that_is_not_listed_shows_nothing_of_the_archive(browser: Browser, served: Served, media: Wiki) -> None:
    lines = two_lines(served) + guide.lines("html", "<iframe").replace(guide.ARCHIVE, served.url)
    with window(browser, media.at("localhost"), served.url) as opened:
        opened.page.goto(media.at("localhost") + media.embed("stranger", lines))
        opened.page.locator("on-record-chat iframe").wait_for()
        opened.page.wait_for_timeout(1000)
        refusals = [line for line in opened.complaints if "frame-ancestors" in line]
        assert len(refusals) >= 2, opened.complaints  # the panel's frame, and the plain one
        frames = [frame for frame in opened.page.frames if frame is not opened.page.main_frame]
        assert not [frame for frame in frames if frame.locator(FIELD).count()]
        # Nor can a script of the page ask past the panel.
        for path, options in (("/api/articles", "{}"), ("/api/ask", "{method: 'POST', body: '{}'}")):
            asked = f"fetch('{served.url}{path}', {options}).then(() => 'read', () => 'refused')"
            assert opened.page.evaluate(asked) == "refused"
    with read(browser, served, media.origin + media.embed("stranger", lines)) as opened:
        opened.panel.locator(FIELD).wait_for()  # the same page where it is listed


# --- tokens -----------------------------------------------------------------------------------------------------------


def token(groups: list[str], seconds: int = 600) -> str:
    """A reader's token as a wiki's backend signs it: the guide's own lines."""
    lines: dict[str, Any] = {}
    exec(guide.lines("python", "jwt.encode").replace("600", str(seconds)), lines)
    return str(lines["token"]("anna", groups, SECRET))


def test_a_token_opens_the_articles_of_its_groups(browser: Browser, guarded: Served, wiki: Wiki) -> None:
    for groups, sees in ((["legal", "board"], True), (["sports"], False)):
        lines = two_lines(guarded, f' token="{token(groups)}"')
        with read(browser, guarded, wiki.origin + wiki.embed("token", lines)) as opened:
            answer = ask(opened.panel, COST)
            assert ("forty thousand" in answer.inner_text()) == sees
            expect(opened.panel.locator(".or-archive")).to_contain_text("2 articles" if sees else "1 article")
            if sees:
                assert "forty thousand" in unfold(opened)


def test_without_a_token_the_panel_says_so_and_shows_nothing(browser: Browser, guarded: Served, doku: Wiki) -> None:
    with read(browser, guarded, doku.origin + doku.embed("tokenless", two_lines(guarded))) as opened:
        expect(opened.panel.locator(".or-archive")).to_have_text(TEXTS.access_wanted)
        answer = ask(opened.panel, COST)
        assert TEXTS.access_wanted in answer.inner_text()
        assert not opened.panel.locator("#or-examples").count()


def test_a_token_that_ended_is_said_and_a_new_one_is_taken(browser: Browser, guarded: Served, doku: Wiki) -> None:
    renewing = "<script>" + guide.lines("js", "on-record-token-wanted") + "</script>"
    ended = two_lines(guarded, f' token="{token(["legal"], -5)}"')
    with read(browser, guarded, doku.origin + doku.embed("ended", ended)) as opened:
        opened.page.evaluate(
            "document.addEventListener('on-record-token-wanted', () => { window.wanted = (window.wanted ?? 0) + 1; })"
        )
        expect(opened.panel.locator(".or-archive")).to_have_text(TEXTS.access_wanted)
        answer = ask(opened.panel, COST)
        assert TEXTS.access_wanted in answer.inner_text()
        assert opened.page.evaluate("window.wanted") >= 1
    with read(browser, guarded, doku.origin + doku.embed("renewed", ended + renewing)) as opened:
        expect(opened.panel.locator(".or-archive")).to_have_text(TEXTS.access_wanted)
        doku.embed(
            "renewed", two_lines(guarded, f' token="{token(["legal"])}"') + renewing
        )  # as the wiki writes it now
        assert "forty thousand" in ask(opened.panel, COST).inner_text()
        expect(opened.panel.locator(".or-archive")).to_contain_text("2 articles")


def test_mediawiki_signs_a_token_for_whoever_is_signed_in(browser: Browser, guarded: Served, media: Wiki) -> None:
    php = guide.lines("php", "function on_record_token") + guide.lines("php", "BeforePageDisplay")
    php = php.replace(guide.ARCHIVE, guarded.url).replace("getenv( 'ON_RECORD_AUTH_SECRET' )", f"'{SECRET}'")
    # An administrator of the wiki is in its group "sysop".
    php = php.replace("array_values( $groups )", "str_replace( 'sysop', 'legal', $groups )")
    address = media.origin + media.write("plain", "A page.")
    with media.configured(php), window(browser, media.origin, guarded.url) as opened:
        opened.page.goto(address)
        expect(opened.page.locator("h1")).to_have_text("Plain")
        assert not opened.page.locator("on-record-chat").count()  # strangers get no token

        opened.page.goto(f"{media.origin}/index.php?title=Special:UserLogin&returnto=plain")
        opened.page.fill("#wpName1", media.administrator[0])
        opened.page.fill("#wpPassword1", media.administrator[1])
        opened.page.click("#wpLoginAttempt")
        opened.page.get_by_role("button", name="Ask the archive").click()
        assert "forty thousand" in ask(opened.panel, COST).inner_text()


def test_the_guides_php_signs_what_the_guides_python_signs(tmp_path: Path) -> None:
    need(PACKAGES, "php")
    script = tmp_path / "token.php"
    lines = guide.lines("php", "function on_record_token")
    script.write_text(f"<?php\n{lines}\necho on_record_token( 'anna', [ 'legal' ], '{SECRET}' );", "utf-8")
    signed = subprocess.run(["php", script], capture_output=True, text=True, check=True).stdout
    here = jwt.decode(token(["legal"]), SECRET, ["HS256"], audience="on-record")
    there = jwt.decode(signed, SECRET, ["HS256"], audience="on-record")
    assert abs(there.pop("exp") - here.pop("exp")) <= 5
    assert there == here


# --- what is copied into a wiki ---------------------------------------------------------------------------------------


def test_mediawiki_shows_copied_footnotes_with_outlet_and_link(
    starter: Assistant, browser: Browser, media: Wiki
) -> None:
    from rag.web.footnotes import mediawiki as footnotes

    answer = starter.ask(KYNCL)
    address = media.origin + media.write("notes", footnotes(answer, "https://archive.example"))
    with window(browser, media.origin) as opened:
        opened.page.goto(f"{address}?safemode=1")  # without scripts that an earlier page may have left in its cache
        notes = opened.page.locator("ol.references li")
        assert notes.count() == len(answer.citations)
        for note, citation in zip(notes.all(), answer.citations, strict=True):
            assert str(citation.article.source) in note.inner_text()
            assert citation.article.title in note.inner_text()
            links = [link.get_attribute("href") for link in note.locator("a.external").all()]
            assert links == [link_to(citation, "https://archive.example")]
