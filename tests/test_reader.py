"""What the reader looks at in a sentence, and what it makes of it."""

from __future__ import annotations

import pytest

from rag.reader import EVIDENCE, FEATURES, asks, weights


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


def test_the_fitted_weights_name_every_feature_and_their_origin() -> None:
    fitted = weights()
    for pair in ("same", "cross"):
        assert set(fitted["ranking"][pair]) == set(FEATURES)
        for model in ("answerable", "right"):
            assert set(fitted[model][pair]) == {*EVIDENCE, "constant"}
        assert 0 < fitted["threshold"][pair] < 1
    assert 0 < fitted["threshold"]["confidence"] < min(fitted["threshold"]["same"], fitted["threshold"]["cross"])
    assert "CC BY-SA" in fitted["licence"]
    assert "fit_reader.py" in fitted["made_by"]
