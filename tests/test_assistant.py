"""The whole way of a question on the starter corpus, with the real model and the real stores."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest

from rag import Answer, Statement
from rag.cite import verify
from rag.errors import SettingsError
from rag.question import MAX_QUESTION

if TYPE_CHECKING:
    from rag import Assistant

KYNCL = {
    "en": "What did Kyncl say about licensing?",
    "nl": "Wat zei Kyncl over licenties?",
    "de": "Was sagte Kyncl zu Lizenzen?",
}


@pytest.mark.parametrize("language", KYNCL)
def test_kyncl_on_licensing_is_quoted_in_every_language(starter: Assistant, language: str) -> None:
    answer = starter.ask(KYNCL[language])
    assert answer.found
    assert answer.language == language
    first = answer.citations[0]
    assert "Kyncl" in first.context
    assert any(stem in first.quote.lower() for stem in ("licen", "lizen"))
    assert {citation.article.language for citation in answer.citations} <= {"nl", "de", "en"}


@pytest.mark.parametrize("language", KYNCL)
def test_every_citation_is_exact_and_within_one_paragraph(starter: Assistant, language: str) -> None:
    answer = starter.ask(KYNCL[language])
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert len(answer.citations) <= 5
    for citation in answer.citations:
        assert verify(citation)
        stored = starter.article(citation.article.id)
        assert stored is not None
        assert stored.text[citation.start : citation.end] == citation.quote
        assert f"[{citation.number}]" in answer.text


def test_a_question_crosses_over_to_the_language_that_has_the_answer(starter: Assistant) -> None:
    answer = starter.ask(KYNCL["en"], languages=["nl"])
    assert answer.found
    assert {citation.article.language for citation in answer.citations} == {"nl"}
    assert "Dutch" in answer.text


@pytest.mark.parametrize(
    "question",
    ["Who is Ada Lovelace?", "Wie is Ada Lovelace?", "Wer ist Ada Lovelace?"],
)
def test_an_unknown_person_is_named_as_missing(starter: Assistant, question: str) -> None:
    answer = starter.ask(question)
    assert not answer.found
    assert "Ada Lovelace" in answer.text
    assert answer.citations == ()
    assert answer.nearest


@pytest.mark.parametrize(
    "question",
    ["How do I bake sourdough bread?", "Hoe laat vertrekt de trein naar Utrecht?", "asdf qwer zxcv", "????"],
)
def test_what_the_archive_does_not_hold_is_not_answered(starter: Assistant, question: str) -> None:
    answer = starter.ask(question)
    assert not answer.found
    assert answer.statements == ()
    assert 0 <= answer.confidence < 0.5


def test_a_follow_up_is_understood(starter: Assistant) -> None:
    first = starter.ask(KYNCL["en"])
    answer = starter.ask("And what about David Ellison?", history=[(first.question, first.text)])
    assert any("Ellison" in hit.context for hit in answer.citations) or any(
        "Ellison" in hit.passage.text for hit in answer.nearest
    )


def test_a_typing_error_in_a_name_is_survived(starter: Assistant) -> None:
    answer = starter.ask("What did Kincl say about licensing?")
    assert answer.found
    assert "Kyncl" in answer.citations[0].context


def test_filters_hold(starter: Assistant) -> None:
    since, until = dt.date(2025, 10, 1), dt.date(2025, 12, 31)
    for hit in starter.search("Sora", limit=20, since=since, until=until):
        assert hit.passage.article.date is not None
        assert since <= hit.passage.article.date <= until
    for hit in starter.search("Sora", limit=20, languages=["de"]):
        assert hit.passage.article.language == "de"
    (source,) = {article.source for article in starter.articles() if article.language == "en" and article.source}
    hits = starter.search("Sora", limit=20, sources=[source])
    assert {hit.passage.article.source for hit in hits} == {source}


def test_a_date_filter_says_how_many_undated_articles_it_leaves_out(starter: Assistant) -> None:
    undated = sum(article.date is None for article in starter.articles())
    assert undated > 1
    assert f"{undated} articles without a date" in starter.ask(KYNCL["en"], since=dt.date(2025, 1, 1)).text


def test_a_filter_that_lets_nothing_pass_says_so(starter: Assistant) -> None:
    answer = starter.ask(KYNCL["en"], sources=["No such outlet"])
    assert not answer.found
    assert "filters" in answer.text


def test_the_framing_follows_the_wish_and_falls_back_on_english(starter: Assistant) -> None:
    assert starter.ask(KYNCL["en"], language="de").language == "de"
    assert starter.ask(KYNCL["en"], language="fr").language == "en"


def test_the_stream_gives_hits_then_statements_then_the_answer(starter: Assistant) -> None:
    events = list(starter.stream(KYNCL["en"]))
    kinds = [event.kind for event in events]
    assert kinds[0] == "hits"
    assert kinds[-1] == "answer"
    assert set(kinds[1:-1]) == {"statement"}
    answer = events[-1].data
    assert isinstance(answer, Answer)
    told = [event.data for event in events if isinstance(event.data, Statement)]
    assert tuple(told) == answer.statements


def test_no_furniture_of_the_starter_pages_is_left(starter: Assistant) -> None:
    everything = "\n".join(article.text for article in starter.articles()).lower()
    for furniture in ("cookie", "newsletter", "nieuwsbrief", "©", "unavailable", "niet beschikbaar", "voor abonnees"):
        assert furniture not in everything


def test_a_long_history_neither_takes_long_nor_makes_the_question_longer(starter: Assistant) -> None:
    before = time.monotonic()
    answer = starter.ask("And what about Netflix?", [("What did Kyncl say? " * 50_000, "…" * 1_000_000)] * 20)
    assert answer.question == "And what about Netflix?"
    assert time.monotonic() - before < 10  # seconds; without a limit the engine alone takes minutes


def test_an_answer_is_plain_data(starter: Assistant) -> None:
    import json

    told = json.loads(json.dumps(starter.ask(KYNCL["en"]).to_dict()))
    assert told["found"] is True
    assert told["citations"][0]["article"]["sample"] in (True, False)
    assert set(told["timings"]) == {"understand", "embed", "retrieve", "rerank", "read", "answer"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": "  "}, "empty"),
        ({"question": "Who said \ud800?"}, "half a character"),
        ({"question": "x" * (MAX_QUESTION + 1)}, "at most"),
        ({"question": "a b c", "languages": "nl"}, "list"),
        ({"question": "a b c", "since": "2025-01-01"}, "date"),
        ({"question": "a b c", "since": dt.date(2025, 2, 1), "until": dt.date(2025, 1, 1)}, "later"),
    ],
)
def test_bad_input_gets_a_clear_error(starter: Assistant, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        starter.ask(**arguments)  # type: ignore[arg-type]


def test_what_is_no_language_model_is_refused_rather_than_ignored() -> None:
    from rag import Assistant

    with pytest.raises(SettingsError, match="llm is a str"):
        Assistant(llm="gpt")  # type: ignore[arg-type]
