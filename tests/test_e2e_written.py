"""Written answers as a reader meets them: the switch, what streams in, translations; in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from loopback import Served, Server
from playwright.sync_api import expect
from rooms import FIELD, Room
from scripted import NAME, Asked, Failure, Said, as_json, perfect
from test_e2e_accessibility import faults

from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from scripted import Scripted

    from rag.assistant import Assistant

Enter = Callable[..., Room]
KYNCL = "What did Kyncl say about licensing?"
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
INVENTED = "Zebras painted the parliament purple in 1742."

# At every change of the page: are there markers, is each one's card there, how many statements, are the cards the same?
WATCH = """() => {
  window.seen = [];
  const log = document.querySelector("#or-log");
  new MutationObserver(() => {
    const markers = [...log.querySelectorAll(".or-prose .or-marker")];
    const bare = [...log.querySelectorAll(".or-prose p")].filter((one) => /\\[\\d/.test(one.cloneNode(true).textContent)
      && !one.querySelector(".or-marker"));
    const first = log.querySelector(".or-card");
    if (first && !first.known) first.known = (window.cards = (window.cards ?? 0) + 1);
    window.seen.push({
      statements: log.querySelectorAll(".or-prose p").length,
      lost: bare.length + markers.filter((one) => !document.getElementById(one.getAttribute("href").slice(1))).length,
      busy: log.querySelector(".or-turn").getAttribute("aria-busy"),
      card: first?.known ?? 0,
      whole: log.querySelector(".or-turn-acts") !== null,
    });
  }).observe(log, { childList: true, subtree: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def at(_written: tuple[Assistant, Scripted]) -> Iterator[Served]:
    """The application with a language model."""
    with Server(_written[0]) as served:
        yield served


def choose_written(page: Page) -> None:
    page.get_by_role("radio").nth(1).check()


def ask(room: Room, question: str = KYNCL) -> Locator:
    """Ask for a written answer and wait for the whole of it."""
    choose_written(room.page)
    turn = room.ask(question)
    turn.locator(".or-turn-acts").wait_for()
    return turn


# The switch


def test_without_a_model_there_is_nothing_to_choose(enter: Enter) -> None:
    room = enter()
    assert not room.page.locator(".or-switch").count()
    assert not [address for address in room.requested if "written" in address]


@pytest.mark.parametrize("locale", ["nl-NL", "de-DE", "en-GB"])
def test_quotations_are_the_default_and_the_keyboard_changes_that(enter: Enter, at: Served, locale: str) -> None:
    page = enter(at=at, locale=locale).page
    texts = texts_for(locale)
    group = page.get_by_role("group", name=texts.answer_as)
    quotations = group.get_by_role("radio", name=texts.as_quotations)
    written = group.get_by_role("radio", name=texts.as_written)
    expect(quotations).to_be_checked()
    quotations.focus()
    page.keyboard.press("ArrowRight")
    expect(written).to_be_checked()
    expect(written).to_be_focused()


def test_the_choice_is_remembered_in_this_browser(enter: Enter, at: Served) -> None:
    page = enter(at=at).page
    choose_written(page)
    page.get_by_role("link", name="Deutsch").click()
    page.locator("body.or-ready").wait_for()
    expect(page.get_by_role("radio", name=texts_for("de").as_written)).to_be_checked()
    page.get_by_role("radio").first.check()
    page.reload()
    page.locator("body.or-ready").wait_for()
    expect(page.get_by_role("radio").first).to_be_checked()


def test_who_does_not_choose_it_gets_quotations_as_ever(enter: Enter, at: Served, model: Scripted) -> None:
    turn = enter(at=at).ask(KYNCL)
    assert turn.locator(".or-card").count()
    assert not turn.locator(".or-prose, .or-written").count()
    assert not model.asked


def test_the_panel_stays_with_quotations(enter: Enter, at: Served, model: Scripted) -> None:
    room = enter(at=at, path="/embed")
    assert not room.page.locator(".or-switch").count()
    room.ask(KYNCL).locator(".or-turn-acts").wait_for()
    assert not model.asked


# What streams in


def test_statements_appear_as_they_are_finished_and_no_marker_before_its_card(
    enter: Enter, at: Served, model: Scripted
) -> None:
    model.script(lambda asked: Said(perfect(asked), size=30, pause=0.1))
    room = enter(at=at)
    room.page.evaluate(WATCH)
    turn = ask(room)
    seen = room.page.evaluate("window.seen")
    assert not [one for one in seen if one["lost"]]
    counts = [one["statements"] for one in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 2
    writing = [one for one in seen if one["statements"] and not one["whole"]]
    assert {one["busy"] for one in writing} == {"true"}
    assert {one["card"] for one in writing} == {1}, "the cards stay while statements come"
    marker = turn.locator(".or-marker").last
    number = (marker.text_content() or "").strip("[]")
    marker.click()
    expect(turn.locator(f".or-card:nth-of-type({number}) .or-open")).to_be_focused()


def test_while_the_model_thinks_it_says_so_below_the_closest_headlines(
    enter: Enter, at: Served, model: Scripted
) -> None:
    told = threading.Event()

    def held(asked: Asked) -> str:
        assert told.wait(60)
        return perfect(asked)

    model.script(held)
    room = enter(at=at)
    choose_written(room.page)
    room.page.fill(FIELD, KYNCL)
    room.page.press(FIELD, "Enter")
    turn = room.page.locator(".or-turn")
    expect(turn.locator(".or-working li").first).to_be_visible()
    expect(turn.locator(".or-written")).to_have_text(texts_for("en").writing.format(model=NAME))
    expect(turn).to_have_attribute("aria-busy", "true")
    told.set()
    turn.locator(".or-turn-acts").wait_for()
    expect(turn).not_to_have_attribute("aria-busy", "true")
    expect(turn.locator(".or-written")).to_have_text(texts_for("en").written_by.format(model=NAME))


def test_the_focus_stays_on_a_quotation_when_the_answer_is_whole(enter: Enter, at: Served, model: Scripted) -> None:
    model.script(lambda asked: Said(perfect(asked), size=30, pause=0.15))
    room = enter(at=at)
    choose_written(room.page)
    room.page.fill(FIELD, KYNCL)
    room.page.press(FIELD, "Enter")
    room.page.locator(".or-prose").wait_for()
    assert not room.page.locator(".or-turn-acts").count()
    link = room.page.locator(".or-card .or-open").first
    link.focus()
    room.page.locator(".or-turn-acts").wait_for()
    expect(link).to_be_focused()


def test_what_is_struck_is_counted_and_never_shown(enter: Enter, at: Served, model: Scripted) -> None:
    model.script(lambda asked: as_json((INVENTED, [1]), *((quote, [n]) for n, quote in asked.quotations.items())))
    room = enter(at=at)
    turn = ask(room)
    expect(turn.locator(".or-aside")).to_have_text(
        "One statement of the language model was left out: the quotations do not support it."
    )
    assert "Zebras" not in room.page.content()
    assert turn.locator(".or-prose p").count()
    assert "Zebras" not in room.page.evaluate("JSON.stringify(localStorage)")


def test_a_model_that_fails_leaves_the_quotations_and_one_line(enter: Enter, at: Served, model: Scripted) -> None:
    model.script(Failure(400))
    turn = ask(enter(at=at))
    assert turn.locator(".or-card").count()
    assert not turn.locator(".or-prose, .or-written").count()
    expect(turn.locator(".or-aside")).to_have_text("The language model could not be used; these are the quotations.")


def test_nothing_that_a_model_writes_becomes_markup(enter: Enter, at: Served, model: Scripted) -> None:
    hostile = " <img src=x onerror=alert(1)><b>x</b>"
    model.script(lambda asked: as_json(*((quote + hostile, [n]) for n, quote in asked.quotations.items())))
    turn = ask(enter(at=at))
    assert not turn.locator("img, b, script").count()


def test_a_written_answer_is_kept_and_copied_with_who_wrote_it(enter: Enter, at: Served, model: Scripted) -> None:
    room = enter(at=at, permissions=["clipboard-read", "clipboard-write"])
    said = ask(room).locator(".or-prose p").first.inner_text()
    room.page.reload()
    room.page.locator("body.or-ready").wait_for()
    turn = room.page.locator(".or-turn").last
    assert turn.locator(".or-prose p").first.inner_text() == said
    turn.locator('[data-copy="plain"]').click()
    expect(turn.locator('[data-copy="plain"]')).to_have_text(texts_for("en").copied)
    copied = room.page.evaluate("navigator.clipboard.readText()")
    assert said.replace("\N{NO-BREAK SPACE}", " ") in copied
    assert texts_for("en").written_by.format(model=NAME) in copied


# Translations


def translated(room: Room, model: Scripted, reply: str | Failure) -> Locator:
    """Press "Translate" on the first card that offers it; gives that card."""
    turn = room.ask(KYNCL)
    turn.locator(".or-turn-acts").wait_for()
    model.script(reply)
    card = turn.locator(".or-card:has(.or-translate)").first
    card.locator(".or-translate").click()
    card.locator(".or-translation").wait_for()
    return card


def test_only_what_is_in_another_language_can_be_translated(enter: Enter, at: Served) -> None:
    turn = enter(at=at).ask(KYNCL)
    turn.locator(".or-turn-acts").wait_for()
    foreign = turn.locator('.or-card:not(:has(blockquote[lang="en"]))').count()
    assert foreign
    expect(turn.locator(".or-translate")).to_have_count(foreign)
    assert turn.locator(".or-card").count() > foreign


@pytest.mark.parametrize(("size", "beside"), [(WIDE, True), (PHONE, False)], ids=["wide", "phone"])
def test_a_translation_stands_by_the_original_as_text_and_can_be_taken_away(
    enter: Enter, at: Served, model: Scripted, size: dict[str, int], beside: bool
) -> None:
    room = enter(at=at, viewport=size, permissions=["clipboard-read", "clipboard-write"])
    page = room.page
    words = "First <i>licences</i>, then everything else that there may be to talk about."
    card = translated(room, model, words)
    shown = card.locator(".or-translation")
    expect(shown.locator("p").first).to_have_text(words)
    expect(shown.locator("p").first).to_have_attribute("lang", "en")
    expect(shown.locator(".or-note")).to_have_text(f"Translation by {NAME}; not part of the article")
    assert not shown.locator("i").count()
    quote, box = card.locator("blockquote").bounding_box(), shown.bounding_box()
    assert quote
    assert box
    assert (box["x"] >= quote["x"] + quote["width"]) == beside
    assert (box["y"] >= quote["y"] + quote["height"]) != beside
    shown.click()
    page.wait_for_timeout(400)
    assert page.locator("#or-sheet").is_hidden()
    card.locator('[data-copy="quotation"]').click()
    expect(card.locator('[data-copy="quotation"]')).to_have_text(texts_for("en").copied)
    assert "licences</i>" not in page.evaluate("navigator.clipboard.readText()")
    assert "licences</i>" not in page.evaluate("JSON.stringify(localStorage)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    card.get_by_role("button", name=texts_for("en").translation_remove).click()
    expect(shown).to_have_count(0)
    expect(card.locator(".or-translate")).to_have_text(texts_for("en").translate)


def test_a_translation_that_fails_is_one_line_and_can_be_tried_again(enter: Enter, at: Served, model: Scripted) -> None:
    card = translated(enter(at=at), model, Failure(400))
    expect(card.locator(".or-translation")).to_have_text(texts_for("en").translation_failed)
    model.script("Now it works.")
    card.locator(".or-translate").click()
    expect(card.locator(".or-translation p").first).to_have_text("Now it works.")


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_no_serious_fault_in_a_written_answer(
    enter: Enter, at: Served, model: Scripted, size: dict[str, int], scheme: str
) -> None:
    room = enter(at=at, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    model.script(perfect)
    turn = ask(room)
    assert turn.locator(".or-prose p").count()
    model.script("A translation.")
    turn.locator(".or-translate").first.click()
    turn.locator(".or-translation").wait_for()
    assert room.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not faults(room.page)


def test_a_screen_reader_hears_what_was_written_once_it_is_whole(enter: Enter, at: Served, model: Scripted) -> None:
    room = enter(at=at)
    turn = ask(room)
    first = turn.locator(".or-prose p").first.inner_text().split("\N{NO-BREAK SPACE}[")[0]
    heard = room.page.locator("#or-heard").inner_text()
    assert heard.startswith(first)
    assert "[1]" not in heard
