"""What is said around the quotations, and where there are none."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from readings import article, readings

from rag.answer import Circumstances, date_text, from_quotes, language_name, not_found
from rag.retrieve import Question


@pytest.mark.parametrize(
    ("language", "known", "expected"),
    [
        ("en", {"source": "Gazette", "date": dt.date(2025, 10, 13)}, "Gazette, 13 October 2025: “"),
        ("nl", {"source": "Gazette", "date": dt.date(2025, 10, 13)}, "Gazette, 13 oktober 2025 (in het Engels): “"),
        ("de", {"source": "Gazette", "date": dt.date(2025, 10, 13)}, "Gazette, 13. Oktober 2025 (auf Englisch): „"),
        ("en", {"source": "Gazette"}, "Gazette: “"),
        ("en", {}, "“Harbour reopens”: “"),
        ("nl", {"language": None}, "‘Harbour reopens’: “"),
        ("en", {"metadata": {"sample": True}}, "“Harbour reopens” (sample article): “"),
    ],
)
def test_the_framing_says_only_what_is_known(language: str, known: dict[str, Any], expected: str) -> None:
    found = from_quotes(
        "Q?",
        readings((article(**known), 2, 0.99)),
        0.9,
        standalone="Q?",
        language=language,
        circumstances=Circumstances(),
    )
    assert found.text.startswith(expected)
    assert found.text.rstrip().endswith("[1]")


def test_not_found_names_who_is_missing_but_no_numbers() -> None:
    from rag.terms import names

    question = Question("Who is Ada Lovelace?", "en", (), names("Did Ada Lovelace win in 1999?", "en"))
    answer = not_found("Q?", question, [], 0.0, language="en", circumstances=Circumstances())
    assert answer.text == "The archive holds no answer to this question. No article mentions Ada Lovelace."


def test_dates_and_languages_are_named_in_the_language_of_the_answer() -> None:
    day = dt.date(2025, 3, 1)
    assert [date_text(day, code) for code in ("en", "nl", "de")] == ["1 March 2025", "1 maart 2025", "1. März 2025"]
    assert [language_name("nl", code) for code in ("en", "nl", "de")] == ["Dutch", "Nederlands", "Niederländisch"]
