"""What is said around a quotation, and how far it reaches."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rag.answer import MAX_CITATIONS, Circumstances, choose, date_text, from_quotes, language_name, not_found
from rag.catalog import StoredPassage
from rag.reader import Reading
from rag.records import Article, Passage
from rag.retrieve import Candidate, Question
from rag.split import sentences

TEXT = (
    "Greta Olvers runs the harbour. She said that forty ships had waited. The storm lasted nine days.\n\nIt was over."
)


def article(path: str = "a.md", **known: Any) -> Article:
    values: dict[str, Any] = {"id": path, "title": "Harbour reopens", "text": TEXT, "path": path, "language": "en"}
    values["text_sha256"] = hashlib.sha256(TEXT.encode()).hexdigest()
    return Article(**{**values, **known})


def readings(*scored: tuple[Article, int, float]) -> list[Reading]:
    """Readings of all sentences of these articles, best first: at the given positions with a score, else far below."""
    found: list[tuple[float, Candidate, int]] = []
    for source in {item.id: item for item, _, _ in scored}.values():
        parts = sentences(source.text, "en")
        passage = Passage(source, parts[0].start, parts[-1].end, parts)
        stored = StoredPassage(source.id, passage, np.zeros((1 + len(parts), 2), dtype=np.float32))
        candidate = Candidate(stored, 0.8, (0.8,) * len(parts), 0.0, 0.0, True, 1.6)
        given = {position: score for item, position, score in scored if item.id == source.id}
        found += [(given.get(position, -9.0), candidate, position) for position in range(len(parts))]
    found.sort(key=lambda item: -item[0])
    total = sum(np.exp(score) for score, _, _ in found)
    return [Reading(candidate, position, score, float(np.exp(score) / total)) for score, candidate, position in found]


def test_a_sentence_that_leans_takes_the_one_before_along() -> None:
    (citation,) = choose(readings((article(), 1, 9.0), (article(), 0, 1.0), (article(), 2, 1.0)))
    assert citation.quote == "Greta Olvers runs the harbour. She said that forty ships had waited."


def test_a_sentence_that_stands_alone_is_quoted_alone() -> None:
    (citation,) = choose(readings((article(), 2, 9.0), (article(), 1, 1.0)))
    assert citation.quote == "The storm lasted nine days."


def test_a_quotation_never_spans_two_paragraphs() -> None:
    (citation,) = choose(readings((article(), 3, 9.0), (article(), 2, 1.0)))
    assert citation.quote == "It was over."


def test_copies_of_a_quotation_are_folded_into_one() -> None:
    (citation,) = choose(readings((article("a.md"), 2, 5.0), (article("b.md"), 2, 5.0)))
    assert [other.path for other in citation.also_in] == ["b.md"]


def test_there_are_at_most_five_citations() -> None:
    texts = [
        f"Harbour number {number} in the region of {name} closed for good." for number, name in enumerate("ABCDEFG")
    ]
    several = [article(f"{at}.md", text=text) for at, text in enumerate(texts)]
    several = [replace(item, text=f"{'xyzuvwq'[at] * 40} {item.text}") for at, item in enumerate(several)]
    assert len(choose(readings(*((item, 0, 5.0) for item in several)))) == MAX_CITATIONS


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
        "Q?", readings((article(**known), 2, 9.0)), 0.9, language=language, circumstances=Circumstances()
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
