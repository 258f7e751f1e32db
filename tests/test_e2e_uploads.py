"""Adding and removing articles as a reader does it: a real browser on the real application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from loopback import Served, Server
from rooms import Room, room
from sites import ALLOWED, Page, site
from stories import HARBOUR

from rag import Assistant
from rag.settings import Settings
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Locator

SHIPS = "How many ships waited outside the breakwater?"
EN = texts_for("en")


def story(name: str, content: str = HARBOUR) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": content.encode()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Served]:
    """A nearly empty archive to which articles may be added."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "old.md").write_text(
        HARBOUR.replace("Harbour reopens", "Library opens").replace("ships", "books"), "utf-8"
    )
    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant:
        assistant.sync()
        with Server(assistant, Settings(uploads=True)) as served:
            yield served


@pytest.fixture
def tab(browser: Browser, desk: Served) -> Iterator[Room]:
    """The archive's tab, in which every question of the browser is answered with yes and kept."""
    with room(browser, desk, "/?view=archive") as entered:
        entered.page.evaluate("() => { window.asked = []; window.confirm = (text) => window.asked.push(text) > 0; }")
        entered.page.locator(".or-a-table").wait_for()
        yield entered


def choose(tab: Room, *files: FilePayload) -> None:
    tab.page.locator(".or-upload input[type=file]").set_input_files(list(files))


def added(tab: Room) -> Locator:
    return tab.page.locator(".or-upload-added li")


def says(tab: Room, text: str, role: str = "status") -> None:
    tab.page.locator(f".or-upload [role={role}]").get_by_text(text).wait_for()


def drop(tab: Room, target: str, name: str, content: str) -> None:
    tab.page.evaluate(
        """([target, name, content]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], name));
            const where = document.querySelector(target);
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
                if (!where.dispatchEvent(event)) (window.taken ??= []).push(kind);
            }
        }""",
        [target, name, content],
    )


def test_an_article_is_added_asked_about_and_removed_without_reloading(tab: Room) -> None:
    choose(tab, story("harbour.md"))
    says(tab, EN.upload_added.format(title="Harbour reopens"))
    tab.page.locator(".or-a-table").get_by_role("link", name="Harbour reopens").wait_for()
    assert added(tab).inner_text().split("\n") == ["Harbour reopens", "harbour.md", "Remove"]

    tab.page.get_by_role("tab", name=EN.tab_ask).click()
    assert "forty ships" in tab.ask(SHIPS).inner_text()

    tab.page.get_by_role("tab", name=EN.tab_archive).click()
    tab.page.get_by_role("button", name="Remove: Harbour reopens").click()
    says(tab, EN.upload_removed.format(title="Harbour reopens"))
    tab.page.locator(".or-a-table").get_by_role("link", name="Harbour reopens").wait_for(state="detached")
    assert tab.page.evaluate("window.asked") == [EN.upload_sure.format(title="Harbour reopens")]
    assert added(tab).count() == 0
    assert tab.page.locator("input:focus").get_attribute("type") == "file"


def test_several_files_are_told_one_by_one_and_a_bad_one_does_not_stop_the_rest(tab: Room) -> None:
    more = HARBOUR.replace("Lindmouth", "Portwick").replace("Harbour reopens", "Portwick reopens")
    choose(tab, story("harbour.md"), story("empty.md", " "), story("tune.mp3"), story("more.md", more))
    says(tab, EN.upload_added.format(title="Harbour reopens, Portwick reopens"))
    problems = tab.page.locator(".or-upload [role=alert] p").all_inner_texts()
    assert [problem.split(" was not added. ")[0] for problem in problems] == ["empty.md", "tune.mp3"]
    assert "empty" in problems[0]
    assert ".mp3" in problems[1]
    assert added(tab).count() == 2
    choose(tab, story("again.md"))
    says(tab, "The archive holds this file already: “Harbour reopens” (harbour.md).", "alert")
    assert tab.page.locator(".or-upload [role=alert] p").count() == 1


def test_files_may_be_dropped_anywhere_over_the_archive_but_not_over_the_conversation(tab: Room) -> None:
    drop(tab, "#or-archive", "harbour.md", HARBOUR)
    says(tab, EN.upload_added.format(title="Harbour reopens"))
    assert tab.page.evaluate("window.taken") == ["dragover", "drop"]
    assert tab.page.locator(".or-upload-over").count() == 0
    drop(tab, "#or-head", "other.md", HARBOUR + "More.")
    assert tab.page.evaluate("window.taken.length") == 2


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(tab: Room) -> None:
    choose(tab, story("large.md", "x" * 20_100_000))
    says(tab, "large.md was not added. The file is 20.1 MB; the limit is 20 MB.", "alert")
    assert not [url for url in tab.requested if "name=large" in url]


def test_a_server_that_is_gone_is_said(tab: Room) -> None:
    tab.page.route("**/api/uploads*", lambda route: route.abort())
    choose(tab, story("harbour.md"))
    says(tab, f"harbour.md was not added. {EN.upload_unreachable}", "alert")
    tab.complaints.clear()


def test_names_and_headlines_are_text_and_nothing_else(tab: Room) -> None:
    wild = "<img src=x onerror=alert(1)>"
    choose(tab, story(f"{wild}.md", HARBOUR.replace("Harbour reopens", f"'{wild}'")))
    says(tab, EN.upload_added.format(title=wild))
    assert added(tab).locator("img").count() == 0
    assert added(tab).locator("bdi").inner_text() == "-img src=x onerror=alert(1)-.md"


def test_it_works_by_keyboard_alone(tab: Room) -> None:
    page = tab.page
    field = page.locator(".or-upload input[type=file]")
    field.focus()
    outline = "getComputedStyle(document.querySelector('.or-upload-drop')).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_file_chooser() as chosen:
        field.press("Enter")
    chosen.value.set_files([story("harbour.md"), story("more.md", HARBOUR.replace("forty", "sixty"))])
    added(tab).first.wait_for()
    first = page.get_by_role("button", name="Remove: Harbour reopens").first
    first.focus()
    added(tab).nth(1).wait_for()
    page.locator(".or-upload:not([aria-busy])").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    first.press("Enter")
    added(tab).nth(1).wait_for(state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove: Harbour reopens"


@pytest.mark.parametrize("options", [{}, {"viewport": {"width": 320, "height": 640}}], ids=["wide", "narrow"])
def test_the_page_does_not_grow_wider_than_the_screen(browser: Browser, desk: Served, options: dict[str, Any]) -> None:
    with room(browser, desk, "/?view=archive&lang=de", **options) as entered:
        entered.page.locator(".or-upload h2").get_by_text(texts_for("de").upload_title).wait_for()
        choose(entered, story("a" * 120 + ".md", HARBOUR.replace("Harbour reopens", "Donaudampfschiff" * 12)))
        added(entered).wait_for()
        assert entered.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_article_is_added_by_its_address(browser: Browser, desk: Served, tmp_path: Path) -> None:
    with (
        site({"/harbour.txt": Page(HARBOUR.split("---")[2].encode(), type="text/plain")}) as news,
        Assistant(corpus=tmp_path / "corpus", index=tmp_path / "second") as assistant,
        Server(assistant, Settings(uploads=True, add_urls=True, fetch_addresses=ALLOWED)) as served,
        room(browser, served, "/?view=archive", viewport={"width": 320, "height": 640}) as entered,
    ):
        field = entered.page.get_by_label(EN.upload_address)
        field.fill("http://10.0.0.1/")
        field.press("Enter")
        says(entered, "http://10.0.0.1/ was not added. The host 10.0.0.1 has no public address", "alert")
        field.fill(news.at("/harbour.txt"))
        entered.page.get_by_role("button", name=EN.upload_add, exact=True).click()
        says(entered, "You can ask about it now.")
        assert "forty ships" in assistant.ask(SHIPS).citations[0].quote
        assert field.input_value() == ""
        added(entered).wait_for()
        assert entered.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        entered.complaints.clear()  # of the address that was refused


def test_where_uploads_are_off_there_is_no_place_for_them(browser: Browser, server: Served) -> None:
    with room(browser, server, "/?view=archive") as entered:
        entered.page.locator(".or-a-table").wait_for()
        assert entered.page.locator(".or-upload").count() == 0
        assert not [url for url in entered.requested if "/api/uploads" in url]
