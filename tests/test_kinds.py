"""What kind of answer a question wants, and what a sentence has to offer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.kinds import (
    KINDS,
    asks,
    enumerates,
    gives_reason,
    goes_on,
    introduces,
    kinds,
    name_asked,
    names_somebody,
    refers_back,
    turns,
)


@pytest.mark.parametrize(
    ("kind", "questions"),
    [
        ("date", ["When did it open?", "Wanneer ging het open?", "Wann wurde er eröffnet?", "Welk jaar was dat?"]),
        ("number", ["How many signed?", "Hoeveel mensen tekenden?", "Wie viele unterschrieben?", "Hoe oud is hij?"]),
        ("person", ["Who won?", "Wie won?", "Wer gewann?", "Wessen Stimme war das?"]),
        ("reason", ["Why did they go?", "Waarom gingen ze?", "Warum gingen sie?", "Weshalb?"]),
        (
            "statement",
            [
                "What did Kyncl say about licensing?",
                "Who said that?",
                "Is it true, according to Sarandos?",
                "Wat vindt Sarandos van AI?",
                "Wie zei dat?",
                "Wat is volgens Kyncl nodig?",
                "Was sagte Kyncl über Lizenzen?",
                "Was hält Altman von Sora?",
                "Was braucht es laut Sarandos?",
            ],
        ),
        (
            "list",
            [
                "Which bands support the campaign?",
                "Who are the testers?",
                "Name the artists who tested Sora",
                "What are the demands of the campaign?",
                "Welke popgroepen steunen de campagne?",
                "Welke studio's gebruiken AI?",
                "Wie doen er allemaal mee?",
                "Noem de testers",
                "Welche Musikgruppen sind dabei?",
                "Welche Verbände stehen dahinter?",
                "Wer ist alles dabei?",
                "Nenne die Tester",
            ],
        ),
        (
            "yes_no",
            [
                "Does Netflix use AI?",
                "Is OpenAI being sued?",
                "Was there a ban?",
                "Gebruikt Netflix AI?",
                "Kon het publiek Sora al gebruiken?",
                "Wird OpenAI verklagt?",
                "Macht KI jemanden zum Erzähler?",
            ],
        ),
        ("keywords", ["kyncl licensing", "licenties muziek", "Urheberrecht OpenAI", "Warner Music Chef", "Kyncl"]),
        ("name", ["Robert Kyncl", "kyncl", "Who is Robert Kyncl?", "Wie is Ed Newton-Rex?", "Wer ist David Ellison?"]),
    ],
)
def test_a_question_shows_its_kind(kind: str, questions: list[str]) -> None:
    assert [question for question in questions if kind not in kinds(question)] == []


@pytest.mark.parametrize(
    ("kind", "questions"),
    [
        ("date", ["What did they open?", "How many signed?"]),
        ("number", ["When was that?", "Wie heißt der Film?"]),
        ("person", ["Wie viele kamen?", "Wie heißt der Film?", "What was it?"]),
        ("statement", ["Which city is it in?", "Hoe heet de film?", "Wo liegt der Hafen?"]),
        (
            "list",
            [
                "Which newspaper carried the ad?",
                "Which policy did OpenAI start with?",
                "Welke krant was dat?",
                "Welke sector is het verst?",
                "Welche Rolle spielten die Gewerkschaften?",
                "Welche Position hat Lightcap?",
                "Who leads Warner Music?",
            ],
        ),
        ("yes_no", ["What did it use?", "Was sagte Kyncl?", "Was heißt Artistwashing?", "Wat is dat?", "Kyncl"]),
        ("keywords", ["What did Kyncl say", "Wovor hat Kyncl gewarnt", "Gebruikt Netflix AI?", "Noem de testers"]),
        (
            "name",
            ["What did Kyncl say?", "kyncl licensing", "Who is the head of Warner Music?", "Gebruikt Netflix AI?"],
        ),
    ],
)
def test_a_question_is_not_taken_for_a_kind_that_it_only_resembles(kind: str, questions: list[str]) -> None:
    assert [question for question in questions if kind in kinds(question)] == []


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Robert Kyncl", "Robert Kyncl"),
        (" kyncl ", "kyncl"),
        ("Who is Robert Kyncl?", "Robert Kyncl"),
        ("Wer ist Don Allen Stevenson?", "Don Allen Stevenson"),
        ("Wie was Joke van Dalen?", "Joke van Dalen"),
        ("what", None),
        ("Who is it?", None),
        ("the", None),
        ("", None),
    ],
)
def test_the_name_that_a_question_consists_of(question: str, name: str | None) -> None:
    assert name_asked(question) == name


@given(st.text(max_size=200))
def test_every_text_has_kinds_and_what_the_reader_asks_is_among_them(text: str) -> None:
    assert asks(text) <= kinds(text) <= frozenset(KINDS)


@pytest.mark.parametrize(
    ("sentence", "name", "told"),
    [
        ("Robert Kyncl, the chief executive of Warner Music, said no.", "Robert Kyncl", True),
        ("Robert Kyncl, de topman van Warner Music, sprak.", "kyncl", True),
        ("Robert Kyncl, der Chef von Warner Music, sprach.", "Kyncl", True),
        ("Ted Sarandos, Co-Chef von Netflix, gab es an.", "Ted Sarandos", True),
        ("Topman Sam Altman stelt Sora voor.", "Sam Altman", True),
        ("Greg Peters of Netflix got a question.", "Greg Peters", True),
        ("Altman ist Chef von OpenAI.", "Sam Altman", True),
        ("Kyncl dagegen wurde konkret.", "Robert Kyncl", False),
        ("Sarandos deed er meteen een relativering bij.", "Ted Sarandos", False),
        ("The people whom Altman is courting have reason to think.", "Altman", False),
        ("He (the boss) left (", "a (b", False),
    ],
)
def test_a_sentence_introduces_a_name(sentence: str, name: str, told: bool) -> None:
    assert introduces(sentence, name) is told


def test_a_pronoun_is_read_in_the_language_of_its_sentence() -> None:
    assert refers_back("Zahlen muss man, forderte er.", "de")
    assert not refers_back("Er is geld nodig.", "nl")
    assert refers_back("Dat kost geld, zei hij.", "nl")
    assert not refers_back("Kyncl said that he would pay.", "en")
    assert not refers_back("Il a payé, he said.", "fr")


def test_what_a_sentence_has_to_offer() -> None:
    assert names_somebody("„Nein“, sagte Hollmann.")
    assert names_somebody("It was Ada Brook.")
    assert not names_somebody("They must also pay, in his view.")
    assert gives_reason("They were worried about data.", "en")
    assert not gives_reason("They want it all.", "en")
    assert gives_reason("Dat kan, want er is geld.", "nl")
    assert gives_reason("Grund war das Eis.", "de")
    assert enumerates("R.E.M., MGMT und OK Go")
    assert not enumerates("The harbour and the pier are closed.")
    assert not enumerates("Openness is slow, audits are tedious, and money once shared is gone.")
    assert goes_on("Second, output ought to carry a mark.")
    assert goes_on("Daarnaast kwam een boot.")
    assert not goes_on("The studios wait.")
    assert turns("But it rained.")
    assert turns("„Doch es regnete“")
    assert not turns("Butter is dear.")
