"""Takes the pictures of the README: `python scripts/screenshots.py [FOLDER]`. Needs Chromium and `playwright`.

The default folder is docs. The starter corpus in an index of its own, the real server on a free loopback port, a real
browser, and for two of them a real MediaWiki and a real DokuWiki from Debian's packages.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from loopback import Server  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from wikis import Wiki, dokuwiki, mediawiki  # noqa: E402

from rag import Assistant  # noqa: E402
from rag.settings import Settings  # noqa: E402

WIDE = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB"}
PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "nl-NL", "device_scale_factor": 2}


def ask(page: Page, question: str) -> None:
    page.fill("#or-question", question)
    page.press("#or-question", "Enter")
    page.locator(".or-turn").last.locator(".or-card, .or-not-found").first.wait_for()


def across(page: Page) -> None:
    """An English question, and the Dutch article that one of the quotations comes from."""
    ask(page, "How many creatives signed up to the Human Artistry Campaign?")
    page.locator(".or-card", has=page.locator("blockquote[lang=nl]")).first.locator(".or-open").click()
    page.locator("#or-sheet mark").first.wait_for()


def dark(page: Page) -> None:
    ask(page, "Was darf Sora von Disney verwenden?")
    page.locator(".or-card .or-open").first.click()
    page.locator("#or-sheet mark").first.wait_for()


def phone(page: Page) -> None:
    ask(page, "Wat zei Kyncl over licenties?")


def not_found(page: Page) -> None:
    ask(page, "When was Ada Lovelace born?")


def archive(page: Page) -> None:
    page.get_by_role("tab").nth(1).click()
    page.locator("#or-archive table").wait_for()
    page.locator("#or-chart .bars").first.wait_for()


SHOTS: tuple[tuple[str, Callable[[Page], None], dict[str, Any]], ...] = (
    ("room", across, WIDE),
    ("dark", dark, {**WIDE, "locale": "de-DE", "color_scheme": "dark"}),
    ("phone", phone, PHONE),
    ("not-found", not_found, WIDE),
    ("archive", archive, WIDE),
)


def in_a_wiki(browser: Browser, wiki: Wiki, script: str, mode: str, question: str) -> Page:
    """A page of the wiki with the panel, asked."""
    element = f'<script src="{script}" async></script>\n<on-record-chat mode="{mode}"></on-record-chat>'
    text = "Background for the working group on licensing. Ask the press archive, and cite what it quotes.\n\n"
    path = wiki.write("licensing", text + element.join(wiki.raw))
    page = browser.new_context(**{**WIDE, "viewport": {"width": 1100, "height": 860}}).new_page()
    page.goto(wiki.origin + path)
    if mode == "launcher":
        page.locator("on-record-chat button").first.click()
    frame = page.frame_locator("on-record-chat iframe")
    frame.locator("body.or-ready").wait_for()
    frame.locator("#or-question").fill(question)
    frame.locator("#or-question").press("Enter")
    frame.locator(".or-card").first.wait_for()
    return page


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(600)  # for the last movement of the page
        page.screenshot(path=folder / f"{name}.png")
        print(folder / f"{name}.png")
        page.context.close()

    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("mediawiki", "dokuwiki"):
            (scratch / name).mkdir()
        media = stack.enter_context(mediawiki(scratch / "mediawiki"))
        doku = stack.enter_context(dokuwiki(scratch / "dokuwiki"))
        assistant = stack.enter_context(Assistant(ROOT / "corpus", index=scratch / "index"))
        assistant.sync()
        served = stack.enter_context(Server(assistant, Settings(embed_origins=(media.origin, doku.origin))))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        stack.callback(browser.close)
        for name, act, options in SHOTS:
            page = browser.new_context(**options).new_page()
            page.goto(served.url)
            page.locator("body.or-ready").wait_for()
            act(page)
            take(page, name)
        script = f"{served.url}/widget.js"
        take(in_a_wiki(browser, media, script, "inline", "What did Kyncl say about licensing?"), "mediawiki")
        take(in_a_wiki(browser, doku, script, "launcher", "What may Sora use from Disney?"), "dokuwiki")


if __name__ == "__main__":
    main()
