"""Takes the pictures of the chat: `python scripts/screenshots.py [FOLDER]`. Needs Chromium and `playwright`.

The index is the one that the settings name; the server is the real one on a free loopback port.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from loopback import Server  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from rag import Assistant  # noqa: E402

FOUND = "What did Kyncl say about licensing?"
NOT_FOUND = "When was Ada Lovelace born?"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
# name, questions, whether the first quotation's article is opened, window
SHOTS: tuple[tuple[str, tuple[str, ...], bool, dict[str, Any]], ...] = (
    ("first", (), False, {"viewport": WIDE, "locale": "en-GB"}),
    ("answer", (FOUND,), False, {"viewport": WIDE, "locale": "en-GB"}),
    ("dark", (FOUND,), False, {"viewport": WIDE, "locale": "en-GB", "color_scheme": "dark"}),
    ("not-found", (NOT_FOUND,), False, {"viewport": WIDE, "locale": "en-GB"}),
    ("follow-up", (FOUND, "And what about Netflix?"), False, {"viewport": WIDE, "locale": "en-GB"}),
    ("phone-first", (), False, {"viewport": PHONE, "locale": "nl-NL", "device_scale_factor": 2}),
    ("phone", ("Wat zei Kyncl over licenties?",), False, {"viewport": PHONE, "locale": "nl", "device_scale_factor": 2}),
    ("article", (FOUND,), True, {"viewport": WIDE, "locale": "en-GB"}),
    ("article-dark", (FOUND,), True, {"viewport": WIDE, "locale": "en-GB", "color_scheme": "dark"}),
    ("article-phone", (FOUND,), True, {"viewport": PHONE, "locale": "de-DE", "device_scale_factor": 2}),
)


def shoot(browser: Browser, url: str, folder: Path) -> None:
    for name, questions, article, options in SHOTS:
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(url)
        page.locator(".or-masthead").wait_for()
        for question in questions:
            page.fill("#or-question textarea", question)
            page.press("#or-question textarea", "Enter")
            page.locator("#or-now .or-question", has_text=question).wait_for()
            page.locator("#or-now .or-card, #or-now .or-not-found").first.wait_for()
            page.wait_for_timeout(600)  # a question that is asked before the last one is answered is not taken
        if article:
            page.goto(url + (page.locator(".or-open").first.get_attribute("href") or ""))
        page.wait_for_timeout(400)  # for the last movement of the page
        page.screenshot(path=folder / f"{name}.png")
        print(folder / f"{name}.png")
        context.close()


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with Assistant() as assistant:
        assistant.sync(progress=True)
        with Server(assistant) as served, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            shoot(browser, served.url, folder)
            browser.close()


if __name__ == "__main__":
    main()
