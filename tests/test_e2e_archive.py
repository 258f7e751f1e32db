"""The archive's tab as a reader meets it: the list follows, a bar chooses, the address remembers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback import Served, Server
from playwright.sync_api import expect
from rooms import Room

from rag.assistant import Assistant
from rag.web.wanted import PAGE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Enter = Callable[..., Room]
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung" * 4
HEBREW = "הארכיון עונה במילים שלו"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An archive of more than a page, with a long headline, one from right to left, and a file that is skipped."""
    folder = tmp_path_factory.mktemp("many")
    corpus = folder / "corpus"
    corpus.mkdir()
    people, ports = (
        "Anna Bram Clara Daan Emma Finn Greta Hugo".split(),
        "Bergen Cork Delft Emden Faro Genoa Hull".split(),
    )
    stories = [f"{who} sailed to {port} before noon." for who in people for port in ports]  # alike, they were furniture
    for number, story in enumerate(stories[: PAGE + 3]):
        day = dt.date(2023, 1, 1) + dt.timedelta(days=7 * number)
        front = f"title: Report {number} on the harbour\nsource: Outlet {number}\ndate: {day}\nlanguage: en\n"
        (corpus / f"{number:03}.md").write_text(f"---\n{front}---\n\n{story}\n", "utf-8")
    (corpus / "long.md").write_text(f"---\ntitle: {LONG}\nlanguage: de\n---\n\nDer Kapitän trug eine Mütze.\n", "utf-8")
    (corpus / "hebrew.md").write_text(f"---\ntitle: {HEBREW}\n---\n\nהארכיון נפתח היום בעיר.\n", "utf-8")
    (corpus / "broken.pdf").write_bytes(b"no pdf at all")
    with Assistant(corpus=corpus, index=folder / "index") as assistant:
        assistant.sync()
        with Server(assistant) as served:
            yield served


def listed(page: Page) -> Locator:
    return page.locator("#or-archive .or-a-headline a")


def count(page: Page) -> Locator:
    return page.locator("#or-archive .or-a-count")


def open_tab(room: Room) -> Page:
    room.page.get_by_role("tab").nth(1).click()
    expect(count(room.page)).to_be_visible()
    return room.page


def bars(page: Page) -> Locator:
    return page.locator("#or-chart .js-plotly-plot .bars .point path")


def asked(page: Page) -> dict[str, str]:
    """What the address says of the archive."""
    said = parse_qs(urlsplit(page.url).query)
    return {name.removeprefix("a."): values[0] for name, values in said.items() if name.startswith("a.")}


def test_the_list_follows_as_one_types_and_reload_keeps_it(enter: Enter, starter: Assistant) -> None:
    page = open_tab(enter())
    total = len(starter.articles())
    expect(count(page)).to_have_text(f"{total} articles")
    expect(listed(page)).to_have_count(total)
    page.get_by_role("searchbox").fill("HÖLLYWOOD")
    found = starter.find_articles("hollywood")[0]
    assert 0 < len(found) < total
    expect(count(page)).to_have_text(f"{len(found)} of {total} articles")
    expect(page.locator("#or-archive > [role=status], #or-archive [role=status]").last).to_contain_text(
        f"{len(found)} of {total} articles"
    )
    assert listed(page).all_inner_texts() == [article.title for article in found]
    assert asked(page) == {"q": "HÖLLYWOOD"}
    page.reload()
    expect(count(page)).to_have_text(f"{len(found)} of {total} articles")
    expect(page.get_by_role("searchbox")).to_have_value("HÖLLYWOOD")


def test_typing_asks_once_and_the_last_word_wins(enter: Enter, starter: Assistant) -> None:
    room = enter()
    page = open_tab(room)
    before = len(room.requested)
    page.get_by_role("searchbox").press_sequentially("sora", delay=15)
    expect(count(page)).to_contain_text(f"{starter.find_articles('sora')[1]} of")
    assert len([url for url in room.requested[before:] if "/archive?" in url]) <= 2


def test_a_bar_of_the_chart_chooses_a_month_and_a_language(enter: Enter, starter: Assistant) -> None:
    page = open_tab(enter(path="/?lang=nl"))
    bars(page).last.wait_for()
    expect(page.locator("#or-chart .js-plotly-plot")).to_have_attribute("role", "img")
    box = page.locator("#or-chart .js-plotly-plot .bars").last.locator(".point path").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#or-chart .hovertext")).to_contain_text("oktober 2025Nederlands: 3 artikelen")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chosen = page.locator("#or-archive .or-a-chosen")
    expect(chosen).to_contain_text("Gekozen: oktober 2025, Nederlands")
    found = starter.find_articles(languages=["nl"], since=dt.date(2025, 10, 1), until=dt.date(2025, 10, 31))[0]
    assert listed(page).all_inner_texts() == [article.title for article in found]
    assert asked(page) == {"month": "2025-10", "language": "nl"}
    expect(page.locator("#or-archive select[name=month]")).to_have_value("2025-10")
    expect(page.locator("#or-archive select[name=language]")).to_have_value("nl")
    chosen.get_by_role("link").click()
    expect(chosen).to_have_count(0)
    assert asked(page) == {}
    expect(page.locator("#or-archive select[name=month]")).to_have_value("")
    assert page.evaluate("document.activeElement.className") == "or-a-list"


def test_the_chart_shows_what_is_chosen(enter: Enter) -> None:
    page = open_tab(enter(path="/?a.month=2025-10&a.language=nl"))
    bars(page).last.wait_for()
    # What is not chosen is drawn faintly.
    bright = "paths => paths.filter(path => getComputedStyle(path).opacity == 1).length"
    for _ in range(50):
        if bars(page).evaluate_all(bright) == 1:
            break
        page.wait_for_timeout(100)
    assert bars(page).evaluate_all(bright) == 1


def test_the_chart_keeps_to_the_column_when_an_article_opens_beside_it(enter: Enter) -> None:
    page = open_tab(enter(viewport={"width": 1280, "height": 860}))
    bars(page).last.wait_for()

    def fits() -> None:
        for _ in range(50):
            widths = page.evaluate(
                "['#or-chart .main-svg', '#or-chart'].map(name => document.querySelector(name).clientWidth)"
            )
            if 0 <= widths[1] - widths[0] < 60:
                return
            page.wait_for_timeout(100)
        raise AssertionError(widths)

    fits()
    page.locator("#or-archive table a").first.click()
    page.locator("#or-sheet article").wait_for()
    fits()
    page.keyboard.press("Escape")
    page.locator("#or-sheet").wait_for(state="hidden")
    fits()


def test_the_same_choice_is_made_by_keyboard(enter: Enter) -> None:
    page = open_tab(enter())
    month = page.get_by_label("Period")
    month.focus()
    page.keyboard.type("October 2025")
    page.keyboard.press("Enter")
    expect(page.locator("#or-archive .or-a-chosen")).to_contain_text("Chosen: October 2025")
    clear = page.get_by_role("link", name="Remove the choice: October 2025")
    clear.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#or-archive .or-a-chosen")).to_have_count(0)


def test_a_headline_opens_beside_the_list(enter: Enter) -> None:
    page = open_tab(enter())
    title = listed(page).first.inner_text()
    listed(page).first.click()
    expect(page.locator("#or-sheet h1")).to_have_text(title)
    assert urlsplit(page.url).path == "/"


def test_pages_turn_without_a_reload_and_the_address_knows_the_page(enter: Enter, many: Served) -> None:
    page = open_tab(enter(at=many))
    page.evaluate("window.stays = true")
    expect(listed(page)).to_have_count(PAGE)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".or-a-pages")).to_contain_text("Page 2 of 2")
    expect(listed(page)).to_have_count(5)
    assert page.evaluate("window.stays")
    assert asked(page) == {"page": "2"}
    page.reload()
    expect(page.locator(".or-a-pages")).to_contain_text("Page 2 of 2")
    page.get_by_role("searchbox").fill("report 7")
    expect(count(page)).to_contain_text("of 55 articles")
    assert "page" not in asked(page)


def test_the_rooms_own_filters_and_those_of_the_list_stay_apart(enter: Enter) -> None:
    page = open_tab(enter(path="/?language=de"))
    page.locator("#or-archive select[name=language]").select_option("nl")
    expect(count(page)).to_contain_text("5 of")
    said = parse_qs(urlsplit(page.url).query)
    assert (said["language"], said["a.language"]) == (["de"], ["nl"])


def test_a_bad_address_is_said_in_the_tab_and_breaks_nothing(enter: Enter) -> None:
    page = open_tab(enter(path="/?a.month=never&a.page=99"))
    expect(page.locator("#or-archive .or-notice").first).to_contain_text("“never” is no month")
    expect(count(page)).to_have_text("15 articles")


def test_a_list_that_cannot_be_loaded_says_so_and_tries_again(enter: Enter) -> None:
    page = open_tab(enter())
    page.route("**/archive?*", lambda route: route.fulfill(status=404))
    page.get_by_role("searchbox").fill("sora")
    expect(page.locator("#or-archive .or-a-failed")).to_be_visible()
    page.unroute("**/archive?*")
    page.get_by_role("searchbox").press("Enter")
    expect(count(page)).to_contain_text("of 15 articles")
    expect(page.locator("#or-archive .or-a-failed")).to_have_count(0)


def test_many_outlets_are_offered_as_one_types(enter: Enter, many: Served) -> None:
    page = open_tab(enter(at=many))
    page.locator("#or-archive input[name=source]").fill("outlet 12")
    expect(count(page)).to_have_text("1 of 55 articles")
    page.locator("#or-archive input[name=source]").fill("Outlet of nobody")
    expect(page.locator("#or-archive .or-notice")).to_contain_text("no outlet “Outlet of nobody”")


def test_what_was_skipped_is_told_with_its_reason(enter: Enter, many: Served) -> None:
    page = open_tab(enter(at=many))
    page.get_by_text("1 file was skipped at the last sync").click()
    expect(page.locator("#or-archive details li")).to_contain_text("broken.pdf")


@pytest.mark.parametrize(
    ("size", "scale"),
    [({"width": 1200, "height": 800}, 1), ({"width": 360, "height": 740}, 1), ({"width": 640, "height": 400}, 2)],
    ids=["wide", "phone", "enlarged"],
)
@pytest.mark.parametrize("path", ["/archive", "/?view=archive"])
def test_nothing_is_wider_than_the_screen(
    enter: Enter, browser: Browser, many: Served, size: Any, scale: int, path: str
) -> None:
    if path == "/archive":
        context = browser.new_context(viewport=size, device_scale_factor=scale)
        page = context.new_page()
        page.goto(many.url + path + "?page=2")
    else:
        page = enter(at=many, path=path + "&a.page=2", viewport=size, device_scale_factor=scale).page
        bars(page).last.wait_for()
    expect(page.locator(".or-a-headline a", has_text=LONG)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    hebrew = page.locator(".or-a-headline", has_text=HEBREW)
    assert hebrew.evaluate("cell => getComputedStyle(cell).direction") == "rtl"
    page.close()


def test_a_narrow_list_is_cards_and_still_a_table(enter: Enter) -> None:
    page = open_tab(enter(viewport={"width": 390, "height": 800}))
    row = page.locator("#or-archive tbody tr").first
    assert row.evaluate("row => getComputedStyle(row).display") == "flex"
    expect(page.get_by_role("table")).to_have_count(1)
    expect(row.get_by_role("rowheader")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chart_reads_in_both_themes(enter: Enter, scheme: str) -> None:
    page = open_tab(enter(color_scheme=scheme))
    bars(page).last.wait_for()
    ink = page.locator("#or-chart .xtick text").first.evaluate("text => getComputedStyle(text).fill")
    assert ink == {"light": "rgb(107, 104, 98)", "dark": "rgb(160, 156, 147)"}[scheme]
    assert page.locator("#or-chart .main-svg").first.evaluate("svg => svg.style.background") == "rgba(0, 0, 0, 0)"
    assert page.locator("#or-chart .modebar-btn").count() == 0


def test_the_page_needs_no_script(browser: Browser, server: Served, starter: Assistant) -> None:
    context = browser.new_context(java_script_enabled=False, locale="de-DE")
    page = context.new_page()
    page.goto(f"{server.url}/archive")
    page.get_by_role("searchbox").fill("sora")
    page.get_by_label("Sprache").select_option("en")
    page.get_by_role("button", name="Suchen").click()
    expect(page.locator(".or-a-count")).to_contain_text(f"von {len(starter.articles())} Artikel")
    found = starter.find_articles("sora", languages=["en"])[0]
    assert page.locator(".or-a-headline a").all_inner_texts() == [article.title for article in found]
    page.locator(".or-a-headline a").first.click()
    assert "/article/" in page.url
    context.close()
