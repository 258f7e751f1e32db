"""The chat as a reader meets it: a real browser on the real application, which may reach nothing but that."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from loopback import Served, Server
from playwright.sync_api import expect
from rooms import ANSWER, FIELD, Room

from rag.question import MAX_QUESTION
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from rag.assistant import Assistant

Enter = Callable[..., Room]
KYNCL = "What did Kyncl say about licensing?"
LOVELACE = "When was Ada Lovelace born?"
PHONE = {"width": 390, "height": 844}
# A window of 1,280 pixels at 200 % zoom has room for 640.
ZOOMED = {"width": 640, "height": 430}


def fold(text: str) -> str:
    return " ".join(text.split())


def cited(room: Room, starter: Assistant) -> list[tuple[str, int, int]]:
    """(article id, start, end) of the quotations of the latest answer, as their links name them."""
    found = []
    for link in room.page.locator(".or-turn").last.locator(".or-card a.or-open").all():
        address = urlsplit(link.get_attribute("href") or "")
        article = starter.article(unquote(address.path).removeprefix("/article/"))
        assert article is not None
        start, end = (int(parse_qs(address.query)[name][0]) for name in ("start", "end"))
        found.append((article.id, start, end))
    return found


# --- the first screen -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["nl-NL", "de-DE", "en-GB", "fr-FR"])
def test_the_first_screen_speaks_the_readers_language_and_waits_for_a_question(
    enter: Enter, starter: Assistant, locale: str
) -> None:
    page = enter(locale=locale).page
    texts = texts_for(locale)
    assert page.locator("p.or-archive").inner_text().startswith(f"{len(starter.articles())} {texts.articles[1]}, 3 ")
    assert page.evaluate("document.activeElement.id") == "or-question"
    assert page.get_by_label(texts.question).count() == 1
    assert page.evaluate("document.documentElement.lang") == texts.language
    assert page.locator("#or-examples button").count() == 3
    assert page.get_by_role("tab").all_inner_texts() == [texts.tab_ask, texts.tab_archive]


@pytest.mark.parametrize("locale", ["nl-NL", "de-DE", "en-GB"])
def test_every_example_asks_itself_and_is_answered(enter: Enter, locale: str) -> None:
    for number in range(3):
        page = enter(locale=locale).page
        example = page.locator("#or-examples button").nth(number)
        question = example.inner_text()
        example.click()
        page.locator(".or-turn .or-card").first.wait_for()
        assert page.locator(".or-question").inner_text() == question


def test_the_language_can_be_switched_is_remembered_and_stands_in_the_address(enter: Enter) -> None:
    room = enter()
    page = room.page
    room.ask(KYNCL)
    page.get_by_role("link", name="Deutsch").click()
    page.wait_for_url("**/?lang=de")
    page.locator("body.or-ready").wait_for()
    texts = texts_for("de")
    assert page.get_by_label(texts.question).count() == 1
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.locator(".or-turn").count() == 1  # the conversation has come along
    room.ask("Warum lehnten die Studios OpenAI ab?")
    assert page.locator(".or-turn").last.get_by_role("button", name=texts.copy_answer).count() == 1
    page.goto(page.url.split("?")[0])
    page.wait_for_url("**/?lang=de")
    page.locator("body.or-ready").wait_for()
    assert page.get_by_label(texts.question).count() == 1


# --- an answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [KYNCL, "Wat zei Kyncl over licenties?", "Was sagte Kyncl über Lizenzen?"])
def test_every_quotation_of_an_answer_stands_marked_in_its_article(
    enter: Enter, starter: Assistant, question: str
) -> None:
    room = enter()
    cards = room.ask(question).locator(".or-card")
    assert "Kyncl" in " ".join(cards.all_inner_texts())
    spans = cited(room, starter)
    assert len(spans) == cards.count() >= 1
    for number, (card, (article_id, start, end)) in enumerate(zip(cards.all(), spans, strict=True), 1):
        article = starter.article(article_id)
        assert article is not None
        quoted = card.locator("blockquote").inner_text()
        assert fold(article.text[start:end]) == quoted
        assert fold(article.title) in fold(card.inner_text())
        assert (article.source or "") in fold(card.inner_text())
        assert article.sample == (card.locator(".or-sample").count() == 1)
        heard = card.get_attribute("aria-label") or ""
        assert heard.startswith(f"quotation {number} of {len(spans)}, {article.source}")
        card.locator("a.or-open").click()
        sheet = room.page.locator("#or-sheet")
        mark = sheet.locator("mark#quote")
        mark.get_by_text(quoted[:40]).first.wait_for()
        assert fold(" ".join(mark.all_inner_texts())) == quoted
        assert sheet.locator("h1").text_content() == fold(article.title)
        light = {fold(text) for text in sheet.locator("mark.or-light").all_inner_texts()}
        others = {fold(article.text[one:two]) for at, one, two in spans if at == article_id and one != start}
        assert light == others
        box = mark.first.evaluate("mark => mark.getBoundingClientRect().toJSON()")
        assert 0 <= box["top"] < box["bottom"] <= room.page.evaluate("innerHeight")


def test_the_article_lies_beside_the_conversation_on_a_wide_screen_and_over_it_on_a_phone(enter: Enter) -> None:
    wide = enter(viewport={"width": 1280, "height": 860})
    wide.ask(KYNCL)
    sheet = wide.open_first().bounding_box()
    talk = wide.page.locator(".or-turn").first.bounding_box()
    assert sheet is not None
    assert talk is not None
    assert talk["x"] + talk["width"] <= sheet["x"]
    assert 0.4 * 1280 <= sheet["x"] <= 0.5 * 1280
    phone = enter(viewport=PHONE, reduced_motion="reduce")
    phone.ask(KYNCL)
    assert phone.open_first().bounding_box() == {"x": 0, "y": 0, **PHONE}
    assert phone.page.locator("#or-main").evaluate("main => main.inert")
    phone.page.go_back()
    phone.page.locator("#or-sheet").wait_for(state="hidden")
    assert not phone.page.locator("#or-main").evaluate("main => main.inert")
    assert phone.page.locator(".or-turn").count() == 1


def test_a_permanent_link_shows_the_quotation_without_javascript(enter: Enter) -> None:
    room = enter()
    card = room.ask(KYNCL).locator(".or-card").first
    room.open_first()
    link = room.page.locator(".or-as-page").get_attribute("href") or ""
    assert link == card.locator(".or-open").get_attribute("href")
    assert room.page.context.browser is not None
    bare = room.page.context.browser.new_context(java_script_enabled=False)
    page = bare.new_page()
    page.goto(room.page.url.split("?")[0].rstrip("/") + link)
    assert fold(page.locator("mark#quote").inner_text()) == card.locator("blockquote").inner_text()
    assert page.get_by_text(texts_for("en").sample).count() == 1
    bare.close()


def test_the_nearest_headlines_come_before_the_quotations(enter: Enter) -> None:
    room = enter()
    room.page.evaluate(
        """() => { window.seen = [];
        new MutationObserver(() => {
          const body = document.querySelector('.or-turn .or-body');
          const has = (selector) => body?.querySelector(selector);
          const now = has('.or-working li') ? 'headlines' : has('.or-card') ? 'cards' : '';
          if (now && window.seen.at(-1) !== now) window.seen.push(now);
        }).observe(document.querySelector('#or-log'), {childList: true, subtree: true}); }"""
    )
    room.ask(KYNCL)
    assert room.page.evaluate("window.seen") == ["headlines", "cards"]


def test_the_quotation_is_shown_once(enter: Enter) -> None:
    answer = enter().ask(KYNCL)
    quoted = answer.locator("blockquote").first.inner_text()
    assert answer.inner_text().count(quoted) == 1


def test_what_is_not_there_is_said_calmly_and_the_nearest_stands_apart(enter: Enter) -> None:
    room = enter()
    answer = room.ask(LOVELACE)
    assert "Ada Lovelace" in answer.locator(".or-not-found").inner_text()
    assert answer.locator("blockquote, .or-confidence, .or-card").count() == 0
    nearest = answer.locator(".or-nearest li a")
    assert nearest.count() >= 1
    headline = nearest.first.inner_text()
    assert room.open_first().locator("h1").inner_text() == headline


def test_confidence_is_a_word_with_its_number_in_the_tooltip(enter: Enter) -> None:
    confidence = enter().ask(KYNCL).locator(".or-confidence")
    texts = texts_for("en")
    assert confidence.count() == 1
    assert confidence.inner_text().split(":")[0].strip() in (texts.sure, texts.likely, texts.thin)
    assert "%" in (confidence.get_attribute("title") or "")


# --- the conversation -------------------------------------------------------------------------------------------------


def test_a_conversation_goes_on_stays_in_this_browser_and_can_be_begun_anew(enter: Enter) -> None:
    questions = [KYNCL, "And what about Netflix?", LOVELACE]
    room = enter()
    page = room.page
    for question in questions:
        room.ask(question)
    assert page.locator(".or-question").all_inner_texts() == questions
    assert "Netflix" in page.locator(".or-turn").nth(1).inner_text()
    assert page.locator(FIELD).input_value() == ""
    assert page.evaluate("document.activeElement.id") == "or-question"
    assert not page.locator("#or-examples").is_visible()
    shown = page.locator("#or-log").inner_text()

    page.reload()
    page.locator("body.or-ready").wait_for()
    assert page.locator("#or-log").inner_text() == shown
    room.ask("Which scene did Netflix make with AI?")
    ids = page.evaluate("[...document.querySelectorAll('.or-card')].map(card => card.id)")
    assert len(ids) == len(set(ids))
    assert enter().page.locator(".or-turn").count() == 0  # another reader sees none of it

    page.get_by_role("button", name=texts_for("en").new_conversation).click()
    assert page.locator(".or-turn").count() == 0
    assert page.locator("#or-examples").is_visible()
    page.reload()
    page.locator("body.or-ready").wait_for()
    assert page.locator(".or-turn").count() == 0


def test_questions_asked_in_quick_succession_are_all_answered_in_their_order(enter: Enter) -> None:
    page = enter().page
    questions = [KYNCL, "Why did the studios turn OpenAI down?", LOVELACE]
    for question in questions:
        page.fill(FIELD, question)
        page.press(FIELD, "Enter")
    expect(page.locator(".or-turn:not([aria-busy])")).to_have_count(3)
    assert page.locator(".or-question").all_inner_texts() == questions
    for turn in page.locator(".or-turn").all():
        assert turn.locator(ANSWER).count() >= 1
    page.reload()
    page.locator("body.or-ready").wait_for()
    assert page.locator(".or-question").all_inner_texts() == questions


def test_a_long_question_takes_several_lines_with_shift_and_enter(enter: Enter) -> None:
    page = enter().page
    before = page.locator(FIELD).bounding_box()
    page.locator(FIELD).press_sequentially("one")
    page.keyboard.press("Shift+Enter")
    page.locator(FIELD).press_sequentially("two")
    after = page.locator(FIELD).bounding_box()
    assert page.locator(FIELD).input_value() == "one\ntwo"
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"]


def test_nothing_is_asked_with_an_empty_field(enter: Enter) -> None:
    room = enter()
    room.page.fill(FIELD, "   ")
    room.page.press(FIELD, "Enter")
    room.page.locator(".or-primary").click()
    assert room.page.locator(".or-turn").count() == 0
    assert not [address for address in room.requested if "/call/turn" in address]


@pytest.mark.parametrize("question", ["???", "x" * (MAX_QUESTION + 1)])
def test_a_question_that_cannot_be_asked_is_refused_in_one_line_and_nothing_is_lost(
    enter: Enter, question: str
) -> None:
    page = enter().page
    page.fill(FIELD, question)
    page.press(FIELD, "Enter")
    texts = texts_for("en")
    expected = texts.empty if question == "???" else texts.too_long.format(length=len(question), limit=MAX_QUESTION)
    page.locator(".or-error").wait_for()
    assert page.locator(".or-error").inner_text() == expected
    assert page.locator(FIELD).input_value() == question
    heading = page.locator(".or-question").bounding_box()
    assert heading is not None
    assert heading["height"] < 100


def test_a_server_that_does_not_answer_is_said_and_the_question_is_kept(enter: Enter) -> None:
    room = enter()
    room.page.context.set_offline(True)
    room.page.fill(FIELD, KYNCL)
    room.page.press(FIELD, "Enter")
    room.page.locator(".or-error").wait_for()
    assert room.page.locator(".or-error").inner_text() == texts_for("en").unreachable
    assert room.page.locator(FIELD).input_value() == KYNCL
    room.page.context.set_offline(False)
    room.complaints.clear()  # the browser's own about being offline
    room.page.get_by_role("button", name=texts_for("en").again).click()
    room.page.locator(".or-card").first.wait_for()
    assert room.page.locator(".or-turn").count() == 1
    assert room.page.locator(".or-error").count() == 0


def other_window(room: Room) -> Page:
    """A second window of the same browser on the same page."""
    page = room.page.context.new_page()
    page.goto(room.page.url)
    page.locator("body.or-ready").wait_for()
    return page


def test_two_windows_keep_each_others_turns_and_end_the_conversation_together(enter: Enter) -> None:
    first = enter()
    second = Room(other_window(first))
    first.ask(KYNCL)
    second.ask(LOVELACE)
    first.page.reload()
    first.page.locator("body.or-ready").wait_for()
    assert first.page.locator(".or-question").all_inner_texts() == [KYNCL, LOVELACE]
    first.page.get_by_role("button", name=texts_for("en").new_conversation).click()
    expect(second.page.locator(".or-turn")).to_have_count(0)
    second.ask("Which scene did Netflix make with AI?")
    second.page.reload()
    second.page.locator("body.or-ready").wait_for()
    assert second.page.locator(".or-turn").count() == 1


def test_an_answer_that_comes_after_the_conversation_was_ended_is_not_kept(enter: Enter) -> None:
    page = enter().page
    page.fill(FIELD, KYNCL)
    # Both in one go, before the answer can come.
    page.evaluate(
        """() => { document.querySelector('#or-form').requestSubmit(); document.querySelector('#or-new').click(); }"""
    )
    page.wait_for_timeout(1000)
    assert page.locator(".or-turn").count() == 0
    page.reload()
    page.locator("body.or-ready").wait_for()
    assert page.locator(".or-turn").count() == 0


@pytest.mark.parametrize("kept", ["[null]", '[{"number": 1}]', "{", '"x"', '[{"number": 1, "html": "<b>x</b>"}]'])
def test_damaged_storage_does_not_stop_the_room(enter: Enter, kept: str) -> None:
    room = enter()
    room.ask(KYNCL)
    room.page.evaluate("kept => Object.keys(localStorage).forEach(key => localStorage.setItem(key, kept))", kept)
    room.page.goto(room.page.url.split("?")[0] + "?lang=en")
    room.page.locator("body.or-ready").wait_for()
    assert room.page.locator(".or-turn").count() == 0
    assert room.ask(LOVELACE).locator(".or-not-found").count() == 1


def test_the_room_works_where_the_browser_keeps_nothing(enter: Enter) -> None:
    room = enter()
    room.page.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('closed', 'SecurityError'); }})"
    )
    room.page.goto(room.page.url)
    room.page.locator("body.or-ready").wait_for()
    assert room.ask(KYNCL).locator(".or-card").count() >= 1
    room.page.get_by_role("link", name="Deutsch").click()
    room.page.wait_for_url("**/?lang=de")
    room.page.locator("body.or-ready").wait_for()


def test_a_half_written_question_survives_a_change_of_language(enter: Enter) -> None:
    page = enter().page
    page.fill(FIELD, "What did Kyn")
    page.get_by_role("link", name="Nederlands").click()
    page.wait_for_url("**/?lang=nl")
    page.locator("body.or-ready").wait_for()
    assert page.locator(FIELD).input_value() == "What did Kyn"


# --- the way back ---


def test_closing_twice_stays_in_the_room(enter: Enter) -> None:
    room = enter()
    room.ask(KYNCL)
    for close in ("dblclick", "escape"):
        sheet = room.open_first()
        if close == "dblclick":
            room.page.locator(".or-close").dblclick()
        else:
            room.page.keyboard.press("Escape")
            room.page.keyboard.press("Escape")
        sheet.wait_for(state="hidden")
        room.page.wait_for_timeout(300)
        assert room.page.locator(".or-turn").count() == 1


def test_what_is_chosen_while_an_article_is_open_stays_in_the_address(enter: Enter) -> None:
    room = enter()
    room.ask(KYNCL)
    room.open_first()
    room.page.locator(".or-filters summary").click()
    room.page.get_by_label("Dutch", exact=True).check()
    room.page.locator(".or-close").click()
    room.page.locator("#or-sheet").wait_for(state="hidden")
    expect(room.page).to_have_url(re.compile(r"[?&]language=nl"))
    room.page.reload()
    room.page.locator("body.or-ready").wait_for()
    assert room.page.locator("#or-chosen button").all_inner_texts() == ["Dutch"]


def test_back_leads_from_the_archive_to_the_conversation(enter: Enter) -> None:
    page = enter().page
    page.get_by_role("tab").nth(1).click()
    page.locator("#or-archive table").wait_for()
    page.go_back()
    expect(page.get_by_role("tab").nth(0)).to_have_attribute("aria-selected", "true")
    page.go_forward()
    expect(page.get_by_role("tab").nth(1)).to_have_attribute("aria-selected", "true")


def test_the_chosen_card_stays_where_it_is_when_its_article_opens_beside_it(enter: Enter) -> None:
    room = enter(viewport={"width": 1280, "height": 860})
    for question in (KYNCL, LOVELACE, "Which scene did Netflix make with AI?", KYNCL):
        answer = room.ask(question)
    link = answer.locator(".or-open").nth(1)
    link.scroll_into_view_if_needed()
    room.page.wait_for_timeout(300)
    before = link.bounding_box()
    link.click()
    room.page.locator("#or-sheet mark#quote").wait_for()
    after = link.bounding_box()
    room.page.keyboard.press("Escape")
    room.page.locator("#or-sheet").wait_for(state="hidden")
    closed = link.bounding_box()
    assert before is not None
    assert after is not None
    assert closed is not None
    assert abs(after["y"] - before["y"]) < 3
    assert abs(closed["y"] - before["y"]) < 3


# --- filters ----------------------------------------------------------------------------------------------------------


def test_a_filter_restricts_the_answer_and_stands_in_the_address(enter: Enter, starter: Assistant) -> None:
    room = enter()
    page = room.page
    page.locator(".or-filters summary").click()
    page.get_by_label("Dutch", exact=True).check()
    page.get_by_label(texts_for("en").filter_since).fill("2025-10-01")
    page.keyboard.press("Escape")
    assert not page.locator("#or-filter").is_visible()
    assert parse_qs(urlsplit(page.url).query) == {"language": ["nl"], "since": ["2025-10-01"]}
    room.ask(KYNCL)
    found = [starter.article(article_id) for article_id, _, _ in cited(room, starter)]
    assert {article.language for article in found if article} == {"nl"}
    assert page.locator(".or-within").inner_text() == "Dutch · From 1 October 2025"

    shared = enter(path=page.url.removeprefix("http://").partition("/")[2].join(["/", ""])).page
    assert shared.locator("#or-chosen button").all_inner_texts() == ["Dutch", "From 1 October 2025"]
    shared.get_by_role("button", name="Remove the filter: Dutch").click()
    shared.get_by_role("button", name="Remove the filter: From 1 October 2025").click()
    assert urlsplit(shared.url).query == ""
    assert not shared.locator("#or-chosen").is_visible()


def test_a_filter_on_what_the_archive_does_not_have_is_shown_and_can_be_removed(enter: Enter) -> None:
    room = enter(path="/?source=The+%3Cb%3EGazette%3C%2Fb%3E&since=2025-99-99")
    page = room.page
    assert page.locator("#or-chosen button").all_inner_texts() == ["The <b>Gazette</b>"]
    assert "since" not in page.url
    assert room.ask(KYNCL).locator(".or-not-found").inner_text() == "No article passes these filters."


# --- copying and feedback ---------------------------------------------------------------------------------------------


def test_an_answer_and_a_quotation_can_be_copied_with_their_sources(enter: Enter) -> None:
    room = enter(permissions=["clipboard-read", "clipboard-write"])
    answer = room.ask(KYNCL)
    card = answer.locator(".or-card").first
    quoted = card.locator("blockquote").inner_text()
    headline = card.locator(".or-headline a > span").last.inner_text()
    texts = texts_for("en")
    link = room.page.url.split("?")[0].rstrip("/") + "/article/"

    def copied(name: str) -> str:
        button = answer.get_by_role("button", name=name).first
        button.click()
        thanks = answer.get_by_role("button", name=texts.copied)
        thanks.wait_for()
        expect(thanks).to_have_count(0)  # the label comes back; until then the next click would find two of them
        return str(room.page.evaluate("navigator.clipboard.readText()"))

    for name in (texts.copy_quotation, texts.copy_answer):
        text = copied(name)
        assert quoted in fold(text)
        assert headline in text
        assert "2025" in text
        assert link in text
        assert "sample article" in text
    assert "\n> " in copied(texts.copy_markdown)


@pytest.mark.parametrize(("lang", "size"), [("en", None), ("nl", {"width": 320, "height": 640}), ("de", PHONE)])
def test_an_answer_can_be_copied_for_a_wiki_with_the_keyboard_alone(
    enter: Enter, lang: str, size: dict[str, int] | None
) -> None:
    options = {"viewport": size} if size else {}
    room = enter(path=f"/?lang={lang}", permissions=["clipboard-read", "clipboard-write"], **options)
    page = room.page
    texts = texts_for(lang)
    answer = room.ask(KYNCL)
    quoted = answer.locator("blockquote").first.inner_text()
    kinds = {"MediaWiki": "<ref name=", "DokuWiki": "((", texts.copy_footnotes: "[^or-"}
    for name in kinds:
        expect(answer.get_by_role("button", name=name)).to_be_hidden()
    answer.get_by_role("button", name=texts.copy_markdown).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for name, mark in kinds.items():
        page.keyboard.press("Tab")
        button = answer.get_by_role("button", name=name)
        expect(button).to_be_focused()
        box = button.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= page.evaluate("innerWidth")
        page.keyboard.press("Enter")
        answer.get_by_role("button", name=texts.copied).wait_for()
        text = str(page.evaluate("navigator.clipboard.readText()"))
        assert mark in text
        assert quoted in fold(text)
        assert room.page.url.split("?")[0].rstrip("/") + "/article/" in text
        expect(answer.get_by_role("button", name=texts.copied)).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_copying_works_where_the_browser_has_no_clipboard_for_pages(enter: Enter) -> None:
    room = enter(permissions=["clipboard-read", "clipboard-write"])
    room.page.evaluate("window.real = navigator.clipboard")
    room.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    answer = room.ask(KYNCL)
    answer.get_by_role("button", name=texts_for("en").copy_quotation).first.click()
    answer.get_by_role("button", name=texts_for("en").copied).wait_for()
    assert answer.locator("blockquote").first.inner_text() in fold(room.page.evaluate("real.readText()"))


def test_a_thumb_and_a_note_are_kept_in_the_catalog(enter: Enter, starter: Assistant) -> None:
    room = enter()
    page = room.page
    answer = room.ask(KYNCL)
    before = {item.id for item in starter.feedback()}
    answer.get_by_role("button", name=texts_for("en").not_helpful).click()
    page.get_by_label(texts_for("en").note).fill("He said more <b>than</b> that.")
    answer.get_by_role("button", name=texts_for("en").send).click()
    answer.get_by_text(texts_for("en").noted).wait_for()
    (kept,) = [item for item in starter.feedback() if item.id not in before]
    assert (kept.verdict, kept.note, kept.question) == ("down", "He said more <b>than</b> that.", KYNCL)
    assert len(kept.citations) == answer.locator(".or-card").count()
    page.reload()
    page.locator("body.or-ready").wait_for()
    pressed = page.locator(".or-thumb[aria-pressed=true]")
    assert pressed.count() == 1
    assert pressed.get_attribute("data-verdict") == "down"
    page.get_by_role("button", name=texts_for("en").helpful, exact=True).click()
    page.locator("form.or-noting").wait_for()
    assert [(item.id, item.verdict) for item in starter.feedback() if item.id not in before] == [(kept.id, "up")]
    page.get_by_role("button", name=texts_for("en").helpful, exact=True).click()  # a second press takes it back
    page.get_by_text(texts_for("en").taken_back).first.wait_for()
    assert not [item for item in starter.feedback() if item.id not in before]
    assert page.locator(".or-thumb[aria-pressed=true]").count() == 0


# --- keyboard ---------------------------------------------------------------------------------------------------------


def test_the_keyboard_reaches_everything(enter: Enter) -> None:
    room = enter()
    page = room.page
    room.ask(KYNCL)
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    page.locator("#or-sheet mark#quote").wait_for()
    second = page.locator(".or-card blockquote").nth(1).inner_text()
    assert fold(" ".join(page.locator("mark#quote").all_inner_texts())) == second
    assert page.evaluate("document.activeElement.className") == "or-sheet"
    page.keyboard.press("Escape")
    page.locator("#or-sheet").wait_for(state="hidden")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.or-card .or-open')[1]")
    page.keyboard.press("Enter")
    page.locator("#or-sheet mark#quote").wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "or-question"
    assert page.locator(FIELD).input_value() == ""
    page.keyboard.press("ArrowUp")
    assert page.locator(FIELD).input_value() == KYNCL
    page.keyboard.press("2")  # while one types, numbers are numbers
    assert page.locator(FIELD).input_value() == KYNCL + "2"
    page.keyboard.press("Escape")  # closes the article
    page.locator("#or-sheet").wait_for(state="hidden")
    page.keyboard.press("Escape")  # leaves the question
    assert page.evaluate("document.activeElement === document.body")
    page.get_by_role("tab").nth(1).click()
    page.locator("#or-archive table").wait_for()
    page.keyboard.press("1")  # quotations are for the conversation
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    assert not page.locator("#or-sheet").is_visible()


def test_words_of_a_quotation_can_be_selected_and_the_rest_of_a_card_opens_it(enter: Enter) -> None:
    room = enter()
    quote = room.ask(KYNCL).locator("blockquote").first
    quote.dblclick(position={"x": 60, "y": 12})
    room.page.wait_for_timeout(500)
    assert room.page.evaluate("String(getSelection())").strip()
    assert not room.page.locator("#or-sheet").is_visible()
    room.page.locator(".or-card .or-open").first.click()  # also while words are selected
    room.page.locator("#or-sheet mark#quote").wait_for()
    room.page.keyboard.press("Escape")
    room.page.evaluate("getSelection().removeAllRanges()")
    quote.click(position={"x": 300, "y": 12})
    room.page.locator("#or-sheet mark#quote").wait_for()


def test_tab_goes_from_card_to_card(enter: Enter) -> None:
    room = enter()
    cards = room.ask(KYNCL).locator(".or-card").count()
    room.page.locator(".or-card .or-open").first.focus()
    for number in range(1, cards):
        room.page.keyboard.press("Tab")  # the quotation's copy button
        room.page.keyboard.press("Tab")
        focused = f"document.activeElement === document.querySelectorAll('.or-card .or-open')[{number}]"
        assert room.page.evaluate(focused)


# --- how it looks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [PHONE, ZOOMED, {"width": 320, "height": 640}], ids=["phone", "zoomed", "narrow"])
def test_nothing_needs_scrolling_sideways(enter: Enter, size: dict[str, int]) -> None:
    room = enter(viewport=size)
    page = room.page
    for question in ("", KYNCL, LOVELACE, "W" * 300 + "?"):
        if question:
            room.ask(question)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        box = page.locator(FIELD).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size["height"]
    page.locator(".or-filters summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize(("scheme", "paper", "ink"), [("light", "#fbfaf7", "#1b1b1a"), ("dark", "#171716", "#ecebe6")])
def test_ink_on_paper_by_day_and_by_night(enter: Enter, scheme: str, paper: str, ink: str) -> None:
    room = enter(color_scheme=scheme)
    answer = room.ask(KYNCL)

    def rgb(colour: str) -> str:
        return "rgb({}, {}, {})".format(*(int(colour[at : at + 2], 16) for at in (1, 3, 5)))

    style = "(element, name) => getComputedStyle(element)[name]"
    assert room.page.locator("body").evaluate(style, "backgroundColor") == rgb(paper)
    assert answer.locator("blockquote").first.evaluate(style, "color") == rgb(ink)
    assert "Georgia" in answer.locator("blockquote").first.evaluate(style, "fontFamily")
    assert room.open_first().locator("article > p").first.evaluate(style, "color") == rgb(ink)
    room.page.goto(room.page.url + (answer.locator(".or-open").first.get_attribute("href") or "").lstrip("/"))
    assert room.page.locator("body").evaluate(style, "backgroundColor") == rgb(paper)
    assert room.page.locator("article > p").first.evaluate(style, "color") == rgb(ink)


def test_nothing_moves_for_a_reader_who_wants_no_motion(enter: Enter) -> None:
    room = enter(viewport=PHONE, reduced_motion="reduce")
    room.ask(KYNCL)
    room.open_first()
    assert room.page.evaluate("document.getAnimations().length") == 0


# --- whatever stands in an article ------------------------------------------------------------------------------------

HOSTILE = """---
title: 'Bridge <img src="https://evil.example/title.png" onerror="alert(1)"> opens {{value}}'
source: 'Out<script>alert(2)</script>let'
author: '<iframe src="https://evil.example/"></iframe>'
url: 'javascript:alert(3)'
date: 2025-10-13
language: en
---
The mayor of Oldtown opened the harbour bridge on Monday, she said <script>alert(4)</script> to the crowd.
It cost ${1+1} million {{constructor}} and ![it](https://evil.example/pixel.png) took two years to build.

<form action="https://evil.example/"><input name=q></form> Ferries had crossed the harbour of Oldtown for ninety years.
"""
BARE = """Nobody knows who wrote this text about the lighthouse keeper of Farpoint, who counted gulls for forty years.

The lighthouse keeper of Farpoint counted nine hundred gulls on the last day of his service, which was a record.
"""
LONG = f"""---
title: '{"Windmühlenflügelreparaturwerkstättenbesitzer" * 5} and the miller of Underhill'
date: 2025-11-01
language: en
---
The miller of Underhill sold his windmill for three sacks of flour, said his neighbour on the market square.
"""
HEBREW = """---
title: 'הגשר החדש נפתח'
language: he
date: 2025-12-01
---
ראש העיר Tamar Levin פתחה את הגשר החדש ביום שני.

Tamar Levin אמרה שהגשר עלה שלושה מיליון שקלים ונבנה בשנתיים.
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The application on articles that nobody would wish for."""
    from rag.assistant import Assistant

    folder = tmp_path_factory.mktemp("odd")
    (folder / "corpus").mkdir()
    for name, text in (("a'b<c>&d.md", HOSTILE), ("bare.txt", BARE), ("long.md", LONG), ("he.md", HEBREW)):
        (folder / "corpus" / name).write_text(text, "utf-8")
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        assistant.sync()
        with Server(assistant) as served:
            yield served


def test_nothing_in_an_article_runs_or_reaches_out(enter: Enter, odd: Served) -> None:
    room = enter(odd)
    foreign = "img, script, iframe, form:not(.or-noting)"
    for question in (
        "Who opened the harbour bridge in Oldtown?",
        "What did the bridge cost <img src=https://evil.example/q.png onerror=alert(5)>?",
        LOVELACE,
    ):
        answer = room.ask(question)
        assert answer.locator(foreign).count() == 0
        assert room.open_first().locator(foreign).count() == 0
    room.page.reload()
    room.page.locator("body.or-ready").wait_for()
    assert room.page.locator(".or-turn").locator(foreign).count() == 0
    links = room.page.locator(".or-turn a")
    for href in {link.get_attribute("href") or "" for link in links.all()}:
        assert room.page.goto(odd.url + href) is not None
        assert room.page.locator("article").count() == 1
        assert room.page.locator(foreign).count() == 0


def test_of_an_article_without_metadata_nothing_is_made_up(enter: Enter, odd: Served) -> None:
    room = enter(odd)
    card = room.ask("How many gulls did the lighthouse keeper of Farpoint count?").locator(".or-card").first
    assert "nine hundred gulls" in card.inner_text()
    assert card.locator(".or-source, time, .or-sample").count() == 0
    assert "None" not in card.inner_text()
    sheet = room.open_first()
    assert "None" not in sheet.inner_text()
    assert sheet.locator(".or-source, time, .or-author, .or-original").count() == 0


def test_a_long_headline_wraps(enter: Enter, odd: Served) -> None:
    room = enter(odd, viewport=PHONE)
    room.ask("What did the miller of Underhill sell his windmill for?")
    assert room.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sheet = room.open_first()
    assert sheet.locator(".or-sheet").evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth")


def test_a_quotation_from_right_to_left_reads_from_right_to_left(enter: Enter, odd: Served) -> None:
    room = enter(odd)
    quote = room.ask("What did Tamar Levin say?").locator("blockquote", has_text="Tamar Levin").first
    style = "(element, name) => getComputedStyle(element)[name]"
    assert quote.evaluate(style, "direction") == "rtl"
    assert quote.evaluate(style, "borderRightWidth") == "2px"
    room.page.locator(".or-card", has=room.page.locator("blockquote[lang=he]")).first.locator(".or-open").click()
    marked = room.page.locator("#or-sheet p:has(mark)").first
    marked.wait_for()
    assert marked.evaluate(style, "direction") == "rtl"


def test_an_index_that_cannot_be_opened_is_said_in_one_line_and_the_question_is_kept(
    enter: Enter, tmp_path: Path
) -> None:
    from rag.assistant import Assistant

    (tmp_path / "corpus").mkdir()
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").write_text("{", "utf-8")
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant, Server(assistant) as broken:
        room = enter(broken)
        assert "sync --rebuild" in room.page.locator("p.or-archive").inner_text()
        answer = room.ask("What did Kyncl say?")
        assert "sync --rebuild" in answer.locator(".or-error").inner_text()
        assert "Traceback" not in room.page.content()
        assert room.page.locator(FIELD).input_value() == "What did Kyncl say?"


def test_below_a_path_of_a_proxy_everything_works_and_nothing_is_asked_outside_it(
    enter: Enter, starter: Assistant
) -> None:
    from rag.settings import Settings

    with Server(starter, Settings(root_path="/press"), proxied=True) as behind:
        room = enter(behind, "/press/")
        answer = room.ask(KYNCL)
        room.open_first().locator("mark#quote").first.wait_for()
        room.page.keyboard.press("Escape")
        answer.get_by_role("button", name=texts_for("en").helpful, exact=True).click()
        room.page.locator("form.or-noting").wait_for()
        room.page.get_by_role("tab").nth(1).click()
        room.page.locator("#or-archive table").wait_for()
        room.page.locator("#or-chart .bars").first.wait_for()
        room.page.goto(f"{behind.url}/press/archive?q=sora")
        assert room.page.locator("table a").first.get_attribute("href", timeout=1000) is not None
        paths = {urlsplit(address).path for address in room.requested if address.startswith("http")}
        assert not [path for path in paths if not path.startswith("/press/")]


# --- the function behind it -------------------------------------------------------------------------------------------


def test_gradio_client_can_ask(server: Served, starter: Assistant) -> None:
    from gradio_client import Client  # type: ignore[import-untyped]

    client = Client(server.url, verbose=False, download_files=False)
    try:
        answer = client.predict(KYNCL, api_name="/ask")
    finally:
        client.close()
    assert answer["found"] is True
    for citation in answer["citations"]:
        article = starter.article(citation["article"]["id"])
        assert article is not None
        assert article.text[citation["start"] : citation["end"]] == citation["quote"]
