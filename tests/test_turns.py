"""A turn of the conversation, without a browser: what is taken from it and what goes back."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import run

from rag.assistant import MAX_HISTORY
from rag.errors import SettingsError
from rag.question import MAX_QUESTION
from rag.web.access import Reader
from rag.web.asking import Questions
from rag.web.meters import Meters
from rag.web.turns import read_history, read_options, steps
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from rag.assistant import Assistant

KYNCL = "What did Kyncl say about licensing?"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def asked(assistant: Assistant, question: object, history: object = (), options: object = None) -> list[dict[str, Any]]:
    questions = Questions(assistant, meters=Meters())

    async def taken() -> list[dict[str, Any]]:
        turn = steps(questions, Reader("somebody"), question, history, options or {"lang": "en"}, 3)
        return [step async for step in turn]

    return run(taken())


def test_the_headlines_come_first_and_the_answer_last_with_all_that_the_room_needs(starter: Assistant) -> None:
    found = asked(starter, KYNCL, options={"lang": "de", "base": "https://wiki.example/press/"})
    assert found[0]["kind"] == "hits"
    answer = found[-1]
    assert answer["kind"] == "answer"
    assert 'id="quote-3-1"' in answer["html"]
    assert texts_for("de").copy_answer in answer["html"]
    assert answer["heard"].startswith("Zitat 1 von ")
    assert len(answer["copies"]["quotations"]) == len(answer["feedback"]["citations"])
    assert "https://wiki.example/press/article/" in answer["copies"]["plain"]
    assert answer["feedback"]["question"] == KYNCL
    assert json.loads(json.dumps(found)) == found


def test_filters_say_which_articles_may_answer(starter: Assistant) -> None:
    (*_, answer) = asked(starter, KYNCL, options={"languages": ["nl"], "since": "2025-10-01"})
    languages = {starter.article(cited["article"]).language for cited in answer["feedback"]["citations"]}  # type: ignore[union-attr]
    assert languages == {"nl"}


def test_a_follow_up_is_understood_by_what_came_before(starter: Assistant) -> None:
    (*_, alone) = asked(starter, "And what about Netflix?")
    (*_, following) = asked(starter, "And what about Netflix?", [["Which scene did studios make with AI?", "…"]])
    assert "Netflix" in following["text"]
    assert alone["text"] != following["text"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"since": "last year"}, "last year"),
        ({"until": "2025-02-30"}, "2025-02-30"),
        ({"languages": "nl"}, "languages"),
        ({"sources": [1]}, "sources"),
        ({"languages": ["x"] * 201}, "languages"),
        ({"since": "2026-01-01", "until": "2025-01-01"}, "later"),
    ],
)
def test_a_filter_that_cannot_be_used_is_one_calm_line(starter: Assistant, options: dict[str, Any], said: str) -> None:
    (step,) = asked(starter, KYNCL, options=options)
    assert step["kind"] == "error"
    assert said in step["html"]


@pytest.mark.parametrize("question", ["", "  ", None, 7, ["x"], {"a": 1}])
def test_what_is_no_question_is_not_asked(starter: Assistant, question: object) -> None:
    (step,) = asked(starter, question, options={"lang": "nl"})
    assert (step["kind"], texts_for("nl").empty in step["html"]) == ("error", True)


def test_a_question_that_is_too_long_says_by_how_much(starter: Assistant) -> None:
    (step,) = asked(starter, "x" * (MAX_QUESTION + 1))
    assert str(MAX_QUESTION + 1) in step["html"]


@given(JSON, JSON)
def test_whatever_a_browser_sends_is_read_or_refused(history: Any, options: Any) -> None:
    assert all(len(pair) == 2 for pair in read_history(history))
    try:
        found = read_options(options)
    except SettingsError:
        return
    assert found.texts.language in ("nl", "de", "en")
    assert found.base == ""


def test_only_the_last_turns_are_remembered() -> None:
    pairs = [[f"question {number}", "answer " * 2000] for number in range(20)]
    found = read_history(pairs)
    assert [question for question, _ in found] == [f"question {number}" for number in range(20 - MAX_HISTORY, 20)]
    assert max(len(answer) for _, answer in found) == 4000


def test_the_options_of_a_question() -> None:
    found = read_options(
        {
            "lang": "nl",
            "languages": ["de"],
            "sources": [],
            "since": "2025-10-01",
            "until": None,
            "base": "http://x:1/a/",
        }
    )
    assert found.texts.language == "nl"
    assert found.filters == {"languages": ["de"], "sources": None, "since": dt.date(2025, 10, 1), "until": None}
    assert found.base == "http://x:1/a"
    assert read_options({"base": "javascript:alert(1)"}).base == ""
