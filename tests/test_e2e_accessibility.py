"""What axe-core finds on the main views, by day and by night: no serious fault."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rooms import Room

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
KYNCL = "What did Kyncl say about licensing?"
Enter = Callable[..., Room]


@cache
def axe() -> str:
    if not AXE.exists():
        message = f"there is no {AXE}; `make test` fetches it with npm"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return AXE.read_text("utf-8")


def faults(page: Page | Frame) -> list[str]:
    """The serious and critical faults of the page as it is now: rule, help, where."""
    page.evaluate(f"{axe()}; null")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {json.dumps([node['target'] for node in fault['nodes']])}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def first_screen(room: Room) -> None:
    room.page.locator(".or-filters summary").click()


def answer(room: Room) -> None:
    room.ask("When was Ada Lovelace born?")
    room.ask(KYNCL)
    room.page.locator(".or-thumb").last.click()
    room.page.locator("form.or-noting").wait_for()


def article(room: Room) -> None:
    room.ask(KYNCL)
    room.open_first()


def archive(room: Room) -> None:
    room.page.get_by_role("tab").nth(1).click()
    room.page.locator("#or-archive table").wait_for()
    room.page.locator("#or-chart .js-plotly-plot .bars").first.wait_for()


def article_page(room: Room) -> None:
    href = room.ask(KYNCL).locator(".or-open").first.get_attribute("href") or ""
    room.page.goto(room.page.url.split("?")[0].rstrip("/") + href)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}], ids=["wide", "phone"])
@pytest.mark.parametrize("view", [first_screen, answer, article, archive, article_page])
def test_axe_finds_no_serious_fault(
    enter: Enter, view: Callable[[Room], None], size: dict[str, int], scheme: str
) -> None:
    room = enter(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    view(room)
    assert not faults(room.page)


def test_axe_would_find_one(enter: Enter) -> None:
    room = enter()
    room.page.evaluate("document.querySelector('label[for=or-question]').remove()")
    room.page.evaluate("document.querySelector('#or-question').placeholder = ''")
    assert [line for line in faults(room.page) if line.startswith("label ")]
