"""An archive that changes while people read: what was quoted stays as it was quoted, and says that it has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from loopback import Served, Server, fetch
from playwright.sync_api import expect
from rooms import Room, room
from stories import CONTRACT, DEMOLITION, HARBOUR
from test_e2e_accessibility import faults
from windows import ask, window

from rag import Assistant
from rag.settings import Settings
from rag.values import Token
from rag.web.markup import quote_href
from rag.web.texts import LANGUAGES
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHIPS = "How many ships waited outside the breakwater?"
CRANE = "Who said that the crane no longer carries its own weight?"
CORRECTED = HARBOUR.replace(
    "The harbour of Lindmouth", "Correction: sixty ships waited.\n\nThe harbour of Lindmouth"
).replace("forty", "sixty")
EN = texts_for("en")
TOKEN = "a-token-of-a-program-without-groups"


@dataclass(frozen=True)
class Living:
    """A served archive whose files are changed."""

    served: Served
    assistant: Assistant

    def write(self, name: str, content: str) -> None:
        (self.assistant.corpus / name).write_text(content, "utf-8")
        self.assistant.sync()

    def remove(self, name: str) -> None:
        (self.assistant.corpus / name).unlink()
        self.assistant.sync()

    def link(self, question: str = SHIPS) -> str:
        """The link to the first quotation of an answer, as far as a server is told of it."""
        cited = self.assistant.ask(question).citations[0]
        return quote_href(cited.article, cited.start, cited.end).removesuffix("#quote")


def opened(path: Path) -> Iterator[Living]:
    corpus = path / "corpus"
    corpus.mkdir()
    with Assistant(corpus=corpus, index=path / "index") as assistant, Server(assistant) as served:
        yield Living(served, assistant)


@pytest.fixture(scope="module")
def _living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    yield from opened(tmp_path_factory.mktemp("living"))


@pytest.fixture
def living(_living: Living) -> Living:
    """An archive of two articles, one about a harbour, one about a crane."""
    for path in _living.assistant.corpus.iterdir():
        path.unlink()
    _living.assistant.sync()  # so that nothing of what they read before is kept
    (_living.assistant.corpus / "crane.md").write_text(DEMOLITION, "utf-8")
    _living.write("harbour.md", HARBOUR)
    return _living


# Links


def test_a_link_shows_the_article_as_it_was_quoted_and_leads_to_how_it_stands(living: Living) -> None:
    link = living.link()
    before = fetch(living.served, link).text
    assert EN.edited_page not in before
    living.write("harbour.md", CORRECTED)
    after = fetch(living.served, link).text
    assert "forty ships" in after
    assert "sixty" not in after
    assert (
        after[after.index("<mark") : after.index("</mark>")] == before[before.index("<mark") : before.index("</mark>")]
    )
    assert EN.edited_page in after
    now = f'href="{link.partition("?")[0]}">{EN.edited_now}</a>'
    assert now in after
    present = fetch(living.served, link.partition("?")[0]).text
    assert "sixty ships" in present
    assert EN.edited_page not in present


@pytest.mark.parametrize(
    "version", ["0" * 12, "0" * 11, "f" * 64, "F" * 12, "f" * 65, "", "²" * 12, "%' OR 1 --", "\x00"]
)
def test_where_the_text_of_then_is_not_kept_nothing_is_marked_and_the_page_says_so(
    living: Living, version: str
) -> None:
    address, _, _ = living.link().partition("&v=")
    page = fetch(living.served, f"{address}&v={quote(version)}&also=0-9").text
    assert EN.edited_lost in page
    assert "<mark" not in page
    assert "forty ships" in page


def test_a_link_from_before_versions_works_as_it_did(living: Living) -> None:
    link = living.link().partition("&v=")[0]
    assert "<mark" in fetch(living.served, link).text
    living.write("harbour.md", "\n".join(HARBOUR.split("\n")[:7]))
    page = fetch(living.served, link).text
    assert EN.stale in page
    assert EN.edited_lost not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_article_that_was_removed_is_said_to_be(living: Living, language: str) -> None:
    link = living.link()
    living.remove("harbour.md")
    reply = fetch(living.served, link, Accept_Language=language)
    assert reply.status == 404
    assert texts_for(language).quoted_gone in reply.text


# Many at once


def states(served: Served, *asked: tuple[str, str], **headers: str) -> Any:
    body = {"articles": [{"id": article, "version": version} for article, version in asked]}
    reply = fetch(served, "/api/editions", method="POST", body=json.dumps(body).encode(), **headers)
    assert reply.status == 200, reply.text
    return json.loads(reply.text)["editions"]


def test_what_became_of_quotations_is_told_at_once_for_all(living: Living) -> None:
    articles = {article.title: article for article in living.assistant.find_articles()[0]}
    harbour, crane = articles["Harbour reopens"], articles["Harbour crane comes down"]
    known = [(harbour.id, harbour.text_sha256[:12]), (crane.id, crane.text_sha256), (crane.id, ""), ("none", "")]
    assert states(living.served, *known) == ["same", "same", "same", "gone"]
    living.write("harbour.md", CORRECTED)
    living.remove("crane.md")
    assert states(living.served, *known) == ["edited", "gone", "gone", "gone"]
    assert states(living.served) == []


def test_an_article_that_a_reader_may_not_see_is_gone_for_him(living: Living) -> None:
    living.write("contract.md", CONTRACT)
    (secret,) = living.assistant.find_articles("contract")[0]
    settings = Settings(rate=0, auth_tokens=(Token(TOKEN, frozenset()), Token(TOKEN + "-2", frozenset({"legal"}))))
    version = secret.text_sha256[:12]
    with Server(living.assistant, settings) as closed:
        nobody, lawyer = (f"Bearer {token}" for token in (TOKEN, TOKEN + "-2"))
        living.write("contract.md", CONTRACT.replace("forty", "fifty"))
        assert states(closed, (secret.id, version), Authorization=nobody) == ["gone"]
        assert states(closed, (secret.id, version), Authorization=lawyer) == ["edited"]
        link = f"/article/{secret.id}?start=0&end=9&v={version}"
        assert fetch(closed, link, Authorization=nobody).status == 404
        assert "forty thousand" in fetch(closed, link, Authorization=lawyer).text
        assert fetch(closed, "/api/editions", method="POST", body=b'{"articles": []}').status == 401


# The room


def back(page: Page) -> None:
    """The reader comes back to the window."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.fixture
def entered(browser: Browser, living: Living) -> Iterator[Room]:
    with room(browser, living.served) as found:
        yield found


def test_cards_say_that_their_article_was_edited_or_is_gone_when_the_reader_comes_back(
    entered: Room, living: Living
) -> None:
    page = entered.page
    entered.ask(SHIPS)
    entered.ask(CRANE)
    assert page.locator(".or-since").count() == 0
    living.write("harbour.md", CORRECTED)
    living.remove("crane.md")
    back(page)
    marks = page.locator(".or-card .or-since")
    harbour = page.locator(".or-turn").first.locator(".or-card").first
    crane = page.locator(".or-turn").last.locator(".or-card").first
    expect(harbour.locator(".or-since")).to_have_text(EN.edited)
    expect(crane.locator(".or-since")).to_have_text(EN.gone)
    assert "forty ships" in harbour.inner_text()  # as it was quoted
    described = harbour.locator(".or-open").get_attribute("aria-describedby")
    assert page.locator(f"[id='{described}']").inner_text() == EN.edited
    for _ in range(5):
        back(page)
    assert sum(url.endswith("/api/editions") for url in entered.requested) == 1

    page.reload()
    page.locator("body.or-ready").wait_for()
    expect(marks).to_have_count(2)  # as soon as the conversation is restored
    crane.locator(".or-open").click()
    expect(page.locator("#or-sheet")).to_contain_text(EN.quoted_gone)
    living.write("harbour.md", HARBOUR)  # the correction is taken back
    page.reload()
    page.locator("body.or-ready").wait_for()
    expect(marks).to_have_count(1)


def test_the_sheet_shows_what_was_quoted_and_turns_to_how_it_stands(entered: Room, living: Living) -> None:
    page = entered.page
    entered.ask(SHIPS)
    living.write("harbour.md", CORRECTED)
    sheet = entered.open_first()
    expect(sheet.locator("mark#quote")).to_contain_text("forty ships")
    expect(sheet.locator(".or-notice")).to_contain_text(EN.edited_page)
    assert "v=" in (sheet.locator(".or-as-page").get_attribute("href") or "")
    sheet.get_by_role("link", name=EN.edited_now).press("Enter")
    expect(sheet).to_contain_text("sixty ships")
    expect(sheet.locator("mark")).to_have_count(0)
    assert "v=" not in (sheet.locator(".or-as-page").get_attribute("href") or "")
    page.locator(".or-card .or-open").first.click()
    expect(sheet.locator("mark#quote")).to_contain_text("forty ships")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_copies_carry_the_version_and_the_archives_list_does_not(entered: Room, living: Living) -> None:
    turn = entered.ask(SHIPS)
    link = living.link()
    entered.page.evaluate(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    turn.get_by_role("button", name=EN.copy_markdown).click()
    assert f"<{living.served.url}{link}#quote>" in entered.page.evaluate("window.copied")
    assert "v=" not in fetch(living.served, "/archive").text.split("<table")[1]
    answer = fetch(
        living.served,
        "/v1/chat/completions",
        method="POST",
        body=json.dumps({"model": "on-record", "messages": [{"role": "user", "content": SHIPS}]}).encode(),
    ).text
    assert json.loads(answer)["citations"][0]["url"] == f"{living.served.url}{link}#quote"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}], ids=["wide", "phone"])
def test_axe_finds_no_serious_fault_in_what_was_edited(
    browser: Browser, living: Living, size: dict[str, int], scheme: Any
) -> None:
    with room(browser, living.served, viewport=size, color_scheme=scheme, reduced_motion="reduce") as found:
        found.ask(SHIPS)
        living.write("harbour.md", CORRECTED)
        back(found.page)
        found.page.locator(".or-since").first.wait_for()
        assert not faults(found.page)
        found.open_first()
        assert not faults(found.page)
        assert found.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# The panel


def test_the_panel_marks_its_cards_and_unfolds_what_was_quoted(browser: Browser, living: Living) -> None:
    with window(browser, living.served.url) as opened:
        page = opened.page
        page.goto(f"{living.served.url}/embed")
        turn = ask(page, SHIPS)
        living.write("harbour.md", CORRECTED)
        back(page)
        expect(turn.locator(".or-since").first).to_have_text(EN.edited)
        turn.locator(".or-open").first.click()
        unfolded = turn.locator(".or-unfolded")
        expect(unfolded).to_contain_text("forty ships")
        unfolded.get_by_role("link", name=EN.edited_now).click()
        expect(unfolded).to_contain_text("sixty ships")
        assert not opened.errors()
