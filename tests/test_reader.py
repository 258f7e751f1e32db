"""What the reader looks at in a sentence, and what it makes of it."""

from __future__ import annotations

import pytest

from rag import Assistant
from rag.index import Index
from rag.kinds import asks
from rag.reader import EVIDENCE, FEATURES, WITH, WITHOUT, judge, mode, read, weights
from rag.rerank import Relevance
from rag.retrieve import Candidate, Filter, Question, retrieve, understand


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("When did the strike begin?", {"date"}),
        ("Wanneer begon de staking?", {"date"}),
        ("Wann begann der Streik?", {"date"}),
        ("In welchem Jahr war das?", {"date"}),
        ("How many people signed?", {"number"}),
        ("Hoeveel mensen tekenden?", {"number"}),
        ("Wie viele Menschen unterschrieben?", {"number"}),
        ("Who said that?", {"person"}),
        ("Wer hat das gesagt?", {"person"}),
        ("Wie zei dat?", {"person"}),
        ("Why did they decline?", {"reason"}),
        ("Warum lehnten sie ab?", {"reason"}),
        ("Wie heißt der Film?", set()),
        ("kyncl licensing", set()),
    ],
)
def test_a_question_shows_what_it_asks_for(question: str, kinds: set[str]) -> None:
    assert asks(question) == kinds


@pytest.mark.parametrize("told", [WITH, WITHOUT])
def test_the_fitted_weights_name_what_the_reader_looks_at_and_their_origin(told: str) -> None:
    fitted = weights()
    for pair in ("same", "cross"):
        assert set(fitted[told]["ranking"][pair]) <= set(FEATURES)
        assert ("relevance" in fitted[told]["ranking"][pair]) == (told == WITH)
        for model in ("answerable", "right"):
            assert set(fitted[told][model][pair]) <= {*EVIDENCE, "constant"}
    assert 0 < fitted[told]["threshold"] < 1
    assert "CC BY-SA" in fitted["licence"]
    assert "fit_reader.py" in fitted["made_by"]


@pytest.fixture(scope="module")
def found(starter: Assistant) -> tuple[Question, list[Candidate], Index]:
    with starter._reading() as (catalog, index, embedder):
        question = understand("What did Kyncl say about licensing?", index)
        vector = embedder.embed_queries([question.text])[0]
        return question, retrieve(question, vector, catalog=catalog, index=index, filter=Filter(), limit=6), index


Found = tuple[Question, list[Candidate], Index]


def test_every_sentence_is_read_once_and_the_shares_sum_to_one(found: Found) -> None:
    question, candidates, index = found
    readings = read(question, candidates, None, index=index)
    assert len(readings) == sum(len(candidate.stored.passage.sentences) for candidate in candidates)
    assert sum(item.share for item in readings) == pytest.approx(1)
    assert [item.score for item in readings] == sorted((item.score for item in readings), reverse=True)


def relevance(candidates: list[Candidate], at: tuple[int, int], none: float | None) -> list[Relevance]:
    """A cross-encoder's word for one sentence, against all others."""
    return [
        Relevance(
            tuple(9.0 if (number, place) == at else -9.0 for place in range(len(candidate.sentence_cosines))), none
        )
        for number, candidate in enumerate(candidates)
    ]


@pytest.mark.parametrize("none", [0.0, None], ids=["the bundled one", "another one"])
def test_what_the_cross_encoder_says_counts(found: Found, none: float | None) -> None:
    question, candidates, index = found
    plain = read(question, candidates, None, index=index)
    second = plain[1]
    at = (candidates.index(second.candidate), second.position)
    readings = read(question, candidates, relevance(candidates, at, none), index=index)
    assert (readings[0].candidate, readings[0].position) == (second.candidate, second.position)


def test_the_more_it_prefers_none_the_less_probable_an_answer_is(found: Found) -> None:
    question, candidates, index = found
    sure, unsure = (
        judge(question, read(question, candidates, told, index=index), mode(told), index=index).answerable
        for told in (relevance(candidates, (0, 0), none) for none in (-5.0, 15.0))
    )
    assert sure > unsure


def test_without_passages_nothing_is_read_or_believed(found: Found) -> None:
    question, _, index = found
    assert read(question, [], None, index=index) == []
    assert not judge(question, [], WITHOUT, index=index).found
