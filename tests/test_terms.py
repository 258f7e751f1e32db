"""Words, names and the language of a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.terms import content_words, fold, forms, leans, name_forms, names, question_language, text_forms, words


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("Stability AI", "They hired StabilityAI last year."),
        ("StabilityAI", "They hired Stability AI last year."),
        ("StabilityAI", "They hired Stability-AI last year."),
        ("Beyonce", "A song by Beyoncé."),
        ("Müller", "Laut Mueller war es so."),
        ("Gordon Levitt", "Joseph Gordon-Levitt signed."),
        ("O’Neill", "Mr. O'Neill declined."),
        ("Bobs Burgers", "Scenes from Bob’s Burgers."),
        ("KYNCL", "Robert Kyncl spoke."),
        ("Kyncl", "Kyncl’s warning was clear."),
    ],
)
def test_a_name_matches_across_spellings(question: str, written: str) -> None:
    held = text_forms(written)
    wanted = names(f"What about {question}?", "en")
    assert wanted
    assert all(any(form in held for form in part) for name in wanted for part in name.parts)


@pytest.mark.parametrize(("one", "other"), [("1.000", "1000"), ("1,000", "1000"), ("3,5", "3.5"), ("10", "10")])
def test_a_number_matches_across_notations(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("What did Kyncl say about licensing?", "en", ["Kyncl"]),
        ("Who is Ada Lovelace?", "en", ["Ada Lovelace"]),
        ("Wie is Ada Lovelace?", "nl", ["Ada Lovelace"]),
        ("Was sagte Kyncl zu Lizenzen?", "de", ["Kyncl"]),
        ("Wer ist Ada Lovelace?", "de", ["Ada Lovelace"]),
        ("Welche Studios haben Lizenzen?", "de", []),
        ("Studios and their unions", "en", []),
        ("What did Kyncl's lawyers do in 2025?", "en", ["Kyncl", "2025"]),
        ("WHAT DID KYNCL SAY ABOUT IT", "en", []),
    ],
)
def test_names_of_a_question_are_told_by_their_capitals(question: str, language: str, expected: list[str]) -> None:
    assert [name.text for name in names(question, language)] == expected


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("What did Kyncl say about licensing?", "en"),
        ("Wat zei Kyncl over licenties?", "nl"),
        ("Was sagte Kyncl zu Lizenzen?", "de"),
        ("Wie is de baas van Warner?", "nl"),
        ("Wie heißt der Chef von Warner?", "de"),
        ("Wanneer was dat?", "nl"),
        ("Qu'est-ce que Kyncl a dit sur les licences ?", "fr"),
    ],
)
def test_the_language_of_a_short_question_is_known(question: str, language: str) -> None:
    assert question_language(question) == language


def test_only_words_with_a_capital_inside_a_sentence_are_written_like_names() -> None:
    assert name_forms("Makers say that Netflix pays. Studios do not.") == {"netflix"}


@pytest.mark.parametrize("sentence", ["He said no.", "„Er sagte nein.", "Dat is niet zo.", "However, it fell."])
def test_a_sentence_that_takes_something_up_leans(sentence: str) -> None:
    assert leans(sentence)


@pytest.mark.parametrize("sentence", ["Kyncl said no.", "Sieben Studios lehnten ab.", "Hertz sank."])
def test_a_sentence_that_names_its_subject_does_not_lean(sentence: str) -> None:
    assert not leans(sentence)


@given(st.text())
def test_words_are_slices_in_order(text: str) -> None:
    end = 0
    for word in words(text):
        assert end <= word.start < word.end
        assert text[word.start : word.end] == word.text
        end = word.end


@given(st.text(alphabet=st.characters(categories=("Lu", "Ll", "Nd")), min_size=1, max_size=20))
def test_folding_a_form_again_changes_nothing(text: str) -> None:
    for form in forms(text):
        assert all(fold(again) == fold(fold(again)) for again in (form,) if again)


def test_function_words_are_no_content() -> None:
    assert [word.text for word in content_words("And what did he say about the licences?")] == ["licences"]
