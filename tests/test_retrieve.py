"""Understanding a question against the archive, and the passages that come up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rag.retrieve import Filter, question_stems, retrieve, understand

if TYPE_CHECKING:
    from rag import Assistant


@pytest.mark.parametrize(
    ("question", "known", "unknown"),
    [
        ("What did Kyncl say about licensing?", ["Kyncl"], []),
        ("kyncl licensing", ["kyncl"], []),
        ("What did Kincl say?", ["Kincl"], []),
        ("Who is Ada Lovelace?", [], ["Ada Lovelace"]),
        ("Did StabilityAI hire James Cameron?", ["StabilityAI", "James Cameron"], []),
    ],
)
def test_names_are_told_apart_by_whether_the_archive_knows_them(
    starter: Assistant, question: str, known: list[str], unknown: list[str]
) -> None:
    understood = understand(question, starter._open()[1])
    assert [name.text for name in understood.names] == known
    assert [name.text for name in understood.unknown] == unknown


def test_a_misspelled_name_is_embedded_as_the_archive_spells_it(starter: Assistant) -> None:
    assert understand("What did Kincl say?", starter._open()[1]).text == "What did Kyncl say?"


def test_function_words_are_not_what_a_question_is_about(starter: Assistant) -> None:
    understood = understand("What did they say about the licences?", starter._open()[1])
    assert question_stems(understood) == {"licenc"}


def test_candidates_come_from_every_language_and_best_first(starter: Assistant) -> None:
    catalog, index, embedder = starter._open()
    understood = understand("What did Kyncl say about licensing?", index)
    vector = embedder.embed_queries([understood.text])[0]
    found = retrieve(understood, vector, catalog=catalog, index=index, filter=Filter(), limit=30)
    assert {candidate.stored.passage.article.language for candidate in found} == {"nl", "de", "en"}
    scores = [candidate.score for candidate in found]
    assert scores == sorted(scores, reverse=True)
    assert "Kyncl" in found[0].stored.passage.text


def test_a_filter_by_date_gives_what_an_unfiltered_search_would_give_of_the_same_articles(starter: Assistant) -> None:
    dated = [article for article in starter.articles() if article.date]
    since = sorted(article.date for article in dated if article.date)[0]
    everything = starter.search("Kyncl licences", limit=50)
    filtered = starter.search("Kyncl licences", limit=50, since=since)
    kept = [hit.passage.start for hit in everything if hit.passage.article.date]
    assert [hit.passage.start for hit in filtered][:3] == kept[:3]
