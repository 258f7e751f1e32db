"""A reader's browser window on the chat, which may reach nothing but the server."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from loopback import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, Route

FIELD = "#or-question"
ANSWER = ":is(.or-card, .or-not-found, .or-error)"
# What the browser says of a request that the test itself lets fail, and Gradio of a call that a page leaves behind.
HARMLESS = re.compile(
    "the server responded with a status of (?:4[0-9]{2}|502)|AbortError: signal is aborted|Connection errored out"
)


@dataclasses.dataclass
class Room:
    """A browser window on the chat, and what it asked for and complained about."""

    page: Page
    requested: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    def ask(self, question: str) -> Locator:
        """Ask and wait for the whole answer; returns its turn."""
        self.page.fill(FIELD, question)
        self.page.press(FIELD, "Enter")
        turn = self.page.locator(".or-turn").last
        turn.locator(".or-question").get_by_text(question, exact=True).wait_for()
        turn.locator(ANSWER).first.wait_for()
        return turn

    def open_first(self) -> Locator:
        """Open the article of the latest answer's first quotation; returns the sheet."""
        self.page.locator(".or-turn").last.locator(".or-open").first.click()
        sheet = self.page.locator("#or-sheet")
        sheet.locator("article, .or-error").first.wait_for()
        return sheet


@contextlib.contextmanager
def room(browser: Browser, at: Served, path: str = "/", **options: Any) -> Iterator[Room]:
    """The chat of `at` in a window of its own. A request to anywhere else fails, and fails the test at the end."""
    context: BrowserContext = browser.new_context(**{"locale": "en-GB", **options})
    entered = Room(context.new_page())

    def record(route: Route) -> None:
        address = route.request.url
        entered.requested.append(address)
        if address.startswith(at.url + "/"):
            route.continue_()
        else:
            route.abort()

    def refuse(dialog: Dialog) -> None:
        entered.complaints.append(f"error: dialog {dialog.message}")
        dialog.dismiss()

    def watch(page: Page) -> None:
        page.on("console", lambda message: entered.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: entered.complaints.append(f"error: {error}"))
        page.on("dialog", refuse)

    context.route("**/*", record)
    context.on("page", watch)
    watch(entered.page)
    try:
        entered.page.goto(at.url + path)
        entered.page.locator("body.or-ready").wait_for()
        yield entered
        outside = [url for url in entered.requested if not url.startswith((at.url + "/", "data:", "blob:"))]
        assert not outside, outside
        errors = [line for line in entered.complaints if line.startswith("error") and not HARMLESS.search(line)]
        assert not errors, errors
    finally:
        context.close()
