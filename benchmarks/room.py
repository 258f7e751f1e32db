"""How long a reader waits in the chat: `python benchmarks/room.py [--rounds N]`. Needs Chromium and `playwright`.

On the starter corpus with an index of its own, over loopback, in headless Chromium: from Enter to the first headline
and to the quotations (medians), from the first request to a page that can be asked (the first visit of a browser), and
the weight of what the pages load beside Gradio's own files.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from loopback import Server  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from rag import Assistant  # noqa: E402

_PAUSE = 300  # ms between an answer and the next question: people read, and Gradio tidies up after a call

# Types the question, presses Enter, and notes when the first headline and the first quotation are painted.
ASK = """async (question) => {
  const field = document.querySelector('#or-question');
  field.value = question;
  const begun = performance.now();
  field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}));
  const seen = {};
  return await new Promise((resolve) => {
    const look = () => {
      const turn = document.querySelector('.or-turn:last-child');
      if (turn?.querySelector('.or-question')?.textContent === question) {
        const now = performance.now() - begun;
        if (turn.querySelector('.or-working li, .or-card, .or-nearest')) seen.headline ??= now;
        if (turn.querySelector('.or-card, .or-not-found, .or-error')) { seen.answer = now; resolve(seen); return; }
      }
      requestAnimationFrame(look);
    };
    look();
  });
}"""


def questions() -> list[str]:
    lines = (Path(__file__).parent / "starter.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


def waits(browser: Browser, url: str, asked: list[str]) -> dict[str, list[float]]:
    page = browser.new_page()
    page.goto(url)
    page.locator("body.or-ready").wait_for()
    found: dict[str, list[float]] = {"headline": [], "answer": []}
    for number, question in enumerate(asked):
        if number % 10 == 0:
            page.locator("#or-new").evaluate("button => button.click()")  # a conversation has no hundred turns
        page.wait_for_timeout(_PAUSE)
        seen: dict[str, Any] = page.evaluate(ASK, question)
        if "headline" in seen:  # else it was no question: the set holds "???" too
            for name, times in found.items():
                times.append(seen[name])
    page.close()
    return found


def load(browser: Browser, url: str) -> float:
    """Milliseconds from the first request of a new browser to a page that can be asked."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.locator("body.or-ready").wait_for()
    took = float(page.evaluate("performance.now()"))
    context.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1, help="how often every question is asked (default: 1)")
    rounds = parser.parse_args().rounds
    static = ROOT / "rag" / "web" / "static"
    files = [file.read_bytes() for file in static.iterdir() if not file.name.startswith("uploads")]  # off by default
    weight, packed = sum(map(len, files)), sum(len(gzip.compress(file)) for file in files)
    with tempfile.TemporaryDirectory() as folder, Assistant(ROOT / "corpus", index=folder) as assistant:
        assistant.sync()
        with Server(assistant) as served, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            load(browser, served.url)  # the server is warm after this
            loads = [load(browser, served.url) for _ in range(5)]
            asked = [question for _ in range(rounds) for question in questions()]
            times = waits(browser, served.url, asked)
            browser.close()
    for name, found in times.items():
        ninety = statistics.quantiles(found, n=10)[-1]
        print(f"Enter to {name}: median {statistics.median(found):.0f} ms, 90 % within {ninety:.0f} ms ({len(found)})")
    print(f"page usable after: median {statistics.median(loads):.0f} ms of {len(loads)} first visits")
    print(f"what we add to Gradio's page: {weight / 1000:.1f} kB, {packed / 1000:.1f} kB as it is sent")


if __name__ == "__main__":
    main()
