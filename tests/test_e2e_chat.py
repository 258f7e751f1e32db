"""The chat as a reader meets it: a real browser on the real application, which may reach nothing but that."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from loopback import Served, Server

from rag.assistant import MAX_QUESTION
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, Page, Route

    from rag.assistant import Assistant

FIELD = "#or-question textarea"
ANSWER = "#or-now .or-card, #or-now .or-not-found, #or-now .or-error"
# Gradio says this about its own autofocus; it is no fault.
HARMLESS = re.compile("Autofocus processing was blocked")


@dataclasses.dataclass
class Room:
    """A browser window on the chat, and what it asked for and complained about."""

    page: Page
    requested: list[str]
    complaints: list[str]

    def ask(self, question: str) -> Locator:
        """Ask and wait for the answer, which is returned."""
        self.page.fill(FIELD, question)
        self.page.press(FIELD, "Enter")
        self.page.locator("#or-now .or-question", has_text=question).wait_for()
        self.page.locator(ANSWER).first.wait_for()
        return self.page.locator("#or-now .or-turn")


Enter = Callable[..., Room]


@pytest.fixture
def enter(browser: Browser, server: Served) -> Iterator[Enter]:
    """Open the chat in a window of its own; every request to anywhere but the server fails and fails the test."""
    with contextlib.ExitStack() as stack:

        def open_room(at: Served = server, **options: Any) -> Room:
            context = browser.new_context(**{"locale": "en-GB", **options})
            stack.callback(context.close)
            requested: list[str] = []
            complaints: list[str] = []

            def record(route: Route) -> None:
                address = route.request.url
                requested.append(address)
                if address.startswith(at.url + "/"):
                    route.continue_()
                else:
                    route.abort()

            def refuse(dialog: Dialog) -> None:
                complaints.append(f"error: dialog {dialog.message}")
                dialog.dismiss()

            def watch(page: Page) -> None:
                page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
                page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
                page.on("dialog", refuse)

            context.route("**/*", record)
            context.on("page", watch)
            room = Room(context.new_page(), requested, complaints)
            room.page.goto(at.url + "/")
            room.page.locator(".or-masthead").wait_for()

            def check() -> None:
                assert not [url for url in requested if not url.startswith((at.url + "/", "data:", "blob:"))]
                assert not [line for line in complaints if line.startswith("error") and not HARMLESS.search(line)]

            stack.callback(check)
            return room

        yield open_room


def fold(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("locale", ["nl-NL", "de-DE", "en-GB", "fr-FR"])
def test_the_first_screen_speaks_the_readers_language_and_waits_for_a_question(
    enter: Enter, starter: Assistant, locale: str
) -> None:
    page = enter(locale=locale).page
    texts = texts_for(locale)
    assert page.locator(".or-example").all_inner_texts() == list(texts.examples)
    assert page.locator(".or-archive").inner_text().startswith(f"{len(starter.articles())} {texts.articles[1]}, 3 ")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    assert page.get_by_label(texts.question).count() == 1
    assert page.evaluate("document.documentElement.lang") == texts.language


@pytest.mark.parametrize(
    "question",
    ["What did Kyncl say about licensing?", "Wat zei Kyncl over licenties?", "Was sagte Kyncl über Lizenzen?"],
)
def test_every_quotation_of_an_answer_stands_marked_in_its_article(
    enter: Enter, starter: Assistant, question: str
) -> None:
    room = enter()
    answer = room.ask(question)
    cards = answer.locator(".or-card")
    assert cards.count() >= 1
    assert "Kyncl" in " ".join(cards.all_inner_texts())
    for card in cards.all():
        quoted = card.locator("blockquote").inner_text()
        link = card.locator("a.or-open")
        address = urlsplit(link.get_attribute("href") or "")
        article = starter.article(unquote(address.path).removeprefix("/article/"))
        assert article is not None
        start, end = (int(parse_qs(address.query)[name][0]) for name in ("start", "end"))
        assert fold(article.text[start:end]) == quoted
        assert fold(article.title) in fold(card.inner_text())
        assert (article.source or "") in fold(card.inner_text())
        assert article.sample == (card.locator(".or-sample").count() == 1)
        with room.page.context.expect_page() as opened:
            link.click()
        sheet = opened.value
        mark = sheet.locator("mark#quote")
        assert fold(mark.inner_text()) == quoted
        assert sheet.evaluate(
            "(y => y >= 0 && y < innerHeight)(document.querySelector('#quote').getBoundingClientRect().y)"
        )
        sheet.close()


def test_the_quotation_is_shown_once(enter: Enter) -> None:
    answer = enter().ask("What did Kyncl say about licensing?")
    quoted = answer.locator("blockquote").first.inner_text()
    assert answer.inner_text().count(quoted) == 1


def test_what_is_not_there_is_said_calmly_and_the_nearest_stands_apart(enter: Enter) -> None:
    answer = enter().ask("When was Ada Lovelace born?")
    assert "Ada Lovelace" in answer.locator(".or-not-found").inner_text()
    assert answer.locator("blockquote").count() == 0
    assert answer.locator(".or-confidence").count() == 0
    assert answer.locator(".or-nearest li a").count() >= 1


def test_a_conversation_stays_on_the_screen_and_the_field_is_free_again(enter: Enter) -> None:
    room = enter()
    room.ask("What did Kyncl say about licensing?")
    room.ask("And what about Netflix?")
    room.ask("When was Ada Lovelace born?")
    page = room.page
    page.wait_for_function("document.querySelectorAll('.or-turn').length === 3")
    assert page.locator(".or-question").all_inner_texts() == [
        "What did Kyncl say about licensing?",
        "And what about Netflix?",
        "When was Ada Lovelace born?",
    ]
    assert page.locator(FIELD).input_value() == ""
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    ids = page.evaluate("[...document.querySelectorAll('.or-card')].map(card => card.id)")
    assert len(ids) == len(set(ids))
    assert not page.locator(".or-example").first.is_visible()


def test_an_example_asks_itself(enter: Enter) -> None:
    page = enter().page
    page.locator(".or-example").first.click()
    page.locator(ANSWER).first.wait_for()
    assert page.locator("#or-now .or-question").inner_text() == texts_for("en").examples[0]


@pytest.mark.parametrize("question", ["   ", "x" * (MAX_QUESTION + 1)])
def test_a_question_that_cannot_be_asked_is_refused_in_one_line_and_nothing_is_lost(
    enter: Enter, question: str
) -> None:
    page = enter().page
    page.fill(FIELD, question)
    page.press(FIELD, "Enter")
    texts = texts_for("en")
    expected = texts.too_long.format(length=len(question), limit=MAX_QUESTION) if question.strip() else texts.empty
    page.locator(".or-error").wait_for()
    assert page.locator(".or-error").inner_text() == expected
    assert page.locator(FIELD).input_value() == question


def test_slash_goes_to_the_question_and_a_number_opens_its_quotation(enter: Enter) -> None:
    room = enter()
    room.ask("What did Kyncl say about licensing?")
    page = room.page
    page.evaluate("document.activeElement.blur()")
    with page.context.expect_page() as opened:
        page.keyboard.press("1")
    assert opened.value.locator("mark#quote").count() == 1
    opened.value.close()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    assert page.locator(FIELD).input_value() == ""


@pytest.mark.parametrize("question", ["", "What did Kyncl say about licensing?", "When was Ada Lovelace born?"])
def test_a_phone_shows_everything_without_scrolling_sideways(enter: Enter, question: str) -> None:
    room = enter(viewport={"width": 390, "height": 844})
    if question:
        room.ask(question)
    assert room.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = room.page.locator(FIELD).bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 844


@pytest.mark.parametrize(("scheme", "paper", "ink"), [("light", "#fbfaf7", "#1b1b1a"), ("dark", "#171716", "#ecebe6")])
def test_ink_on_paper_by_day_and_by_night(enter: Enter, scheme: str, paper: str, ink: str) -> None:
    room = enter(color_scheme=scheme)
    answer = room.ask("What did Kyncl say about licensing?")

    def rgb(colour: str) -> str:
        return "rgb({}, {}, {})".format(*(int(colour[at : at + 2], 16) for at in (1, 3, 5)))

    style = "(element, name) => getComputedStyle(element)[name]"
    assert room.page.locator("body").evaluate(style, "backgroundColor") == rgb(paper)
    assert answer.locator("blockquote").first.evaluate(style, "color") == rgb(ink)
    assert "Georgia" in answer.locator("blockquote").first.evaluate(style, "fontFamily")
    room.page.goto(room.page.url + (answer.locator(".or-open").first.get_attribute("href") or "").lstrip("/"))
    assert room.page.locator("body").evaluate(style, "backgroundColor") == rgb(paper)
    assert room.page.locator("article > p").first.evaluate(style, "color") == rgb(ink)


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


def test_nothing_in_an_article_runs_or_reaches_out(browser: Browser, enter: Enter, tmp_path: Path) -> None:
    from rag.assistant import Assistant

    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a'b<c>&d.md").write_text(HOSTILE, "utf-8")
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        assistant.sync()
        with Server(assistant) as hostile:
            room = enter(hostile)
            for question in (
                "Who opened the harbour bridge in Oldtown?",
                "What did the bridge cost <img src=https://evil.example/q.png onerror=alert(5)>?",
                "When was Ada Lovelace born?",
            ):
                answer = room.ask(question)
                assert answer.locator("img, script, iframe, form").count() == 0
            links = room.page.locator(".or-turn a")
            assert links.count() >= 1
            for href in {link.get_attribute("href") or "" for link in links.all()}:
                assert room.page.goto(hostile.url + href) is not None
                assert room.page.locator("article").count() == 1
                assert room.page.locator("img, script, iframe, form").count() == 0


def test_an_index_that_cannot_be_opened_is_said_in_one_line_and_the_question_is_kept(
    enter: Enter, tmp_path: Path
) -> None:
    from rag.assistant import Assistant

    (tmp_path / "corpus").mkdir()
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").write_text("{", "utf-8")
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant, Server(assistant) as broken:
        room = enter(broken)
        answer = room.ask("What did Kyncl say?")
        assert "sync --rebuild" in answer.locator(".or-error").inner_text()
        assert "Traceback" not in room.page.content()
        assert room.page.locator(FIELD).input_value() == "What did Kyncl say?"


def test_gradio_client_can_ask(server: Served, starter: Assistant) -> None:
    from gradio_client import Client  # type: ignore[import-untyped]

    client = Client(server.url, verbose=False, download_files=False)
    try:
        answer = client.predict("What did Kyncl say about licensing?", api_name="/ask")
    finally:
        client.close()
    assert answer["found"] is True
    for citation in answer["citations"]:
        article = starter.article(citation["article"]["id"])
        assert article is not None
        assert article.text[citation["start"] : citation["end"]] == citation["quote"]
