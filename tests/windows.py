"""A reader's browser window on pages of several servers of a test, and on nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, Request, Route

FIELD = "#or-question"
# What the browser says of an answer that the test expects to be one of 4xx.
_EXPECTED = re.compile("the server responded with a status of 4[0-9]{2}")


@dataclasses.dataclass
class Window:
    """A browser window, what it asked for and what it complained about."""

    context: BrowserContext
    page: Page
    requested: list[Request] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    @property
    def panel(self) -> FrameLocator:
        """What stands in the frame of the page's panel."""
        return self.page.frame_locator("on-record-chat iframe")

    def loaded(self, origin: str) -> int:
        """Bytes that came from `origin` until now, headers included."""
        sizes = [request.sizes() for request in self.requested if request.url.startswith(origin + "/")]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)

    def errors(self) -> list[str]:
        """The complaints that no test expects."""
        return [line for line in self.complaints if line.startswith("error") and not _EXPECTED.search(line)]


def ask(place: FrameLocator | Page, question: str) -> Locator:
    """Ask in a panel or in the chat, once it is ready, and wait for the answer; returns the question's turn."""
    place.locator("body.or-ready").wait_for()
    place.locator(FIELD).fill(question)
    place.locator(FIELD).press("Enter")
    turn = place.locator(".or-turn").last
    turn.locator(":is(.or-card, .or-not-found, .or-error)").first.wait_for()
    return turn


@contextlib.contextmanager
def window(browser: Browser, *origins: str, **options: Any) -> Iterator[Window]:
    """A window for pages of `origins`. A request to anywhere else fails, and fails the test at the end."""
    context = browser.new_context(**{"locale": "en-GB", **options})
    opened = Window(context, context.new_page())
    outside: list[str] = []

    def check(route: Route) -> None:
        opened.requested.append(route.request)
        if route.request.url.startswith(tuple(origin + "/" for origin in origins)):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", check)
    said = opened.complaints.append
    opened.page.on("console", lambda message: said(f"{message.type}: {message.text} ({message.location['url']})"))
    opened.page.on("pageerror", lambda error: said(f"error: {error}"))
    try:
        yield opened
        assert not outside, outside
    finally:
        context.close()
