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


@pytest.mark.parametrize(
    ("language", "also", "sources"),
    [
        ("en", "(same report also in Courier)", "These quotations come from 2 independent sources."),
        ("nl", "(hetzelfde bericht ook in Courier)", "Deze citaten komen uit 2 onafhankelijke bronnen."),
        ("de", "(derselbe Bericht auch in Courier)", "Diese Zitate stammen aus 2 unabhängigen Quellen."),
    ],
)
def test_one_report_in_several_outlets_is_told_from_independent_ones(language: str, also: str, sources: str) -> None:
    printed = article("The storm lasted nine days.", "a.md", source="Gazette")
    copy = article("The storm lasted nine days. Nobody left.", "b.md", source="Courier")
    own = article("For nine days no ship could leave the port.", "c.md", source="Evening Post")
    found = from_quotes(
        "Q?",
        readings((printed, 0, 0.6), (own, 0, 0.3)),
        0.9,
        standalone="Q?",
        language=language,
        circumstances=Circumstances(copies={"a.md": (copy,), "b.md": (printed,)}),
    )
    assert also in found.text
    assert found.text.endswith(f"\n\n{sources}")
    assert found.sources == 2


def test_outlets_are_counted_once_and_articles_that_only_say_the_same_are_no_copies() -> None:
    printed = article("The storm lasted nine days.", "a.md", source="Gazette")
    again = article("The storm lasted nine days!", "b.md", source="Courier")
    later = article("For nine days no ship could leave the port.", "c.md", source="gazette")
    found = from_quotes(
        "Q?",
        readings((printed, 0, 0.4), (again, 0, 0.3), (later, 0, 0.2)),
        0.9,
        standalone="Q?",
        language="en",
        circumstances=Circumstances(),
    )
    assert "[1] (also in Courier)" in found.text
    assert "independent" not in found.text
    assert found.sources == 1
