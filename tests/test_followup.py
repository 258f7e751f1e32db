"""Follow-up questions, and those that only look like it."""

from __future__ import annotations

import pytest

from rag.followup import standalone

KYNCL = [("What did Kyncl say about licensing?", "…")]
DUTCH = [("Wat zei Kyncl over licenties?", "…")]
GERMAN = [("Was sagte Kyncl zu Lizenzen?", "…")]


@pytest.mark.parametrize(
    ("question", "history", "expected"),
    [
        ("And what about Netflix?", KYNCL, "What did Netflix say about licensing?"),
        ("Netflix?", KYNCL, "What did Netflix say about licensing?"),
        ("En Sarandos?", DUTCH, "Wat zei Sarandos over licenties?"),
        ("Hoe zit het met Netflix?", DUTCH, "Wat zei Netflix over licenties?"),
        ("Und Ellison?", GERMAN, "Was sagte Ellison zu Lizenzen?"),
        ("Was ist mit Netflix?", GERMAN, "Was sagte Netflix zu Lizenzen?"),
    ],
)
def test_a_new_name_takes_the_place_of_the_old_one(
    question: str, history: list[tuple[str, str]], expected: str
) -> None:
    assert standalone(question, history) == expected


@pytest.mark.parametrize(
    ("question", "history"),
    [
        ("Wanneer was dat?", DUTCH),
        ("When did he say that?", KYNCL),
        ("Why?", KYNCL),
        ("Und warum?", GERMAN),
        ("Wer hat das gesagt?", GERMAN),
        ("Waarom zei hij dat?", DUTCH),
    ],
)
def test_a_question_that_points_back_is_asked_with_the_earlier_one(
    question: str, history: list[tuple[str, str]]
) -> None:
    assert standalone(question, history) == f"{question} {history[0][0]}"


@pytest.mark.parametrize(
    "question",
    [
        "What did Ellison say about AI?",
        "Who is Ada Lovelace?",
        "Welche Rolle spielen die Studios?",
        "And what did Altman say about fan fiction?",
        "How many people signed the letter?",
        "Welke acteurs steunen de campagne tegen diefstal?",
    ],
)
def test_a_whole_question_stands_alone(question: str) -> None:
    assert standalone(question, KYNCL) == question


def test_without_history_nothing_is_added() -> None:
    assert standalone("Why?", ()) == "Why?"


def test_a_chain_of_follow_ups_keeps_the_subject() -> None:
    history = [*DUTCH, ("En wat met Netflix?", "…")]
    assert standalone("Wanneer was dat?", history) == "Wanneer was dat? Wat zei Netflix over licenties?"
