"""The questions of the first screen: declared or made from names, answered by the archive, asked once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import folder
from rag.assistant import Assistant
from rag.errors import CorpusError
from rag.records import Answer, Article
from rag.web.examples import examples
from rag.web.names import Names, names

COUNCIL = {
    "bath.md": (
        "de",
        "Stadtrat streitet über das Hallenbad",
        "Der Stadtrat hat am Dienstag vier Stunden lang über das Hallenbad gestritten.\n\n"
        "„Wir können das Hallenbad nicht schließen“, sagte Bürgermeisterin Katrin Hollmann. Ende Oktober fällt die "
        "Entscheidung. Experten sagten, das Geld reiche nicht.",
    ),
    "path.md": (
        "de",
        "Hollmann will Radweg an der Mühlstraße",
        "Die Bürgermeisterin will einen Radweg bauen. „Der Radweg kommt in diesem Jahr“, sagte Hollmann am Montag.\n\n"
        "„Ohne Parkplätze können wir schließen“, sagte Buchhändler Oskar Brandt. Der Radweg ist umstritten.",
    ),
    "roof.md": (
        "nl",
        "Nieuw dak voor het stadion",
        "Het stadion krijgt een nieuw dak, meldt de club. Over het dak was ruzie.\n\n“Het dak lekt al tien jaar”, zegt "
        "stadiondirecteur Hanneke Prins maandag. Volgens Prins betaalt de gemeente twee miljoen.",
    ),
    "ban.md": (
        "en",
        "Hosepipe Ban From Friday",
        "Water is short around Portwick, officials said on Monday. Officials said the ban would last.\n\n“We ask "
        "people to be careful,” said Priya Nair, who leads the water company. Nair spoke about the ban on Tuesday.",
    ),
}


class Counting(Assistant):
    """An assistant that counts what it is asked."""

    asked = 0

    def ask(self, *given: Any, **options: Any) -> Answer:
        self.asked += 1
        return super().ask(*given, **options)


def write(root: Path, articles: dict[str, tuple[str, str, str]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, (language, title, text) in articles.items():
        (root / name).write_text(f'---\ntitle: "{title}"\nlanguage: {language}\n---\n\n{text}\n', encoding="utf-8")


@pytest.fixture
def council(tmp_path: Path) -> Iterator[Counting]:
    write(tmp_path / "corpus", COUNCIL)
    assistant = Counting(corpus=tmp_path / "corpus", index=tmp_path / "index")
    with assistant:
        assistant.sync()
        yield assistant


def listed(*texts: tuple[str, str], title: str = "Title") -> Names:
    """The names in articles given as (language, text)."""
    return names(
        [
            Article(id=str(i), title=title, text=text, path=f"{i}.md", text_sha256="", language=language)
            for i, (language, text) in enumerate(texts)
        ]
    )


def speakers(*texts: tuple[str, str]) -> list[str]:
    return [speaker.name for speaker in listed(*texts).speakers]


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("en", "“We ask people to be careful,” said farmer Tom Ashby.", "Tom Ashby"),
        ("en", "Nair spoke. Priya Nair, who leads the board, was late. Nair said nothing.", "Priya Nair"),
        ("en", "According to Rao the sea is warm. Professor Amit Rao knows.", "Amit Rao"),
        ("en", "Last year the ferry company Seaway said the ferries would sail.", "Seaway"),
        ("nl", "Voorzitter Joke van Dalen zegt dat het klopt. ‘Nee’, zei Van Dalen later.", "Joke van Dalen"),
        ("nl", "‘Het regent’, aldus weerman J. de Boer. De Boer vertelt dat vaker.", "J. de Boer"),
        ("de", "Bürgermeisterin Anna Vogt schwieg. Anna Vogt sagte nichts. Die Bürgermeisterin ging.", "Anna Vogt"),
        ("de", "„Nein“, sagte Hans-Peter Müller-Lüdenscheidt.", "Hans-Peter Müller-Lüdenscheidt"),
    ],
)
def test_who_speaks_is_named_in_full(language: str, text: str, name: str) -> None:
    assert speakers((language, text)) == [name]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "On Monday said the mayor. Officials said nobody was hurt. The mayor on Monday said so."),
        ("en", "The mayor of Portwick said the wall held. The Board said no. He said. I said."),
        ("en", "She said Netflix would pay. May said it all."),
        ("nl", "In Rotterdam zei de burgemeester niets. Maandag zei hij meer. De Raad zegt ja. Critici zeggen nee."),
        ("nl", "Hij zei in Rotterdam dat het regende. Volgens Nederlanders valt het mee."),
        (
            "de",
            "Am Montag sagte der Trainer nichts. Experten sagten viel. Der Trainer sagte es. Laut Polizei regnet es.",
        ),
        ("de", "In Leipzig sagte der Rat ja. Sie sagte Ende Oktober ab. Kritiker sagt man nach."),
        ("fr", "Le maire Jean Dupont said non."),
    ],
)
def test_days_offices_places_and_nouns_do_not_speak(language: str, text: str) -> None:
    assert speakers((language, text)) == []


def test_a_surname_of_two_people_names_neither() -> None:
    text = "Anna Vogt kwam. Piet Vogt ook. Vogt zei niets."
    assert speakers(("nl", text)) == []


def test_what_somebody_is_in_german_is_left_out_for_others() -> None:
    (speaker,) = listed(("de", "„Nein“, sagte Buchhändler Oskar Brandt.")).speakers
    assert (speaker.name, speaker.bare) == ("Buchhändler Oskar Brandt", "Oskar Brandt")


def test_a_topic_has_the_article_and_the_case_that_its_question_needs() -> None:
    told = "„Der Radweg kommt“, sagte Eva Sommer. Viele wollen den Radweg. Den Radwegen fehlt Geld."
    (speaker,) = listed(("de", told), title="Streit um Radweg").speakers
    assert [topic.text for topic in speaker.topics] == ["den Radweg"]
    told = "‘Het dak lekt’, zegt Eva Prins. Er was ruzie over het dak."
    (speaker,) = listed(("nl", told), title="Nieuw dak").speakers
    assert [topic.text for topic in speaker.topics] == ["het dak"]


def test_who_somebody_works_for_is_not_what_they_speak_about() -> None:
    text = (
        "“It is short,” said Priya Nair, who leads Seaway. In May Seaway, too, was late. “Portwick waits,” Nair said."
    )
    (speaker,) = listed(("en", text + " It rained in Portwick.")).speakers
    assert [topic.text for topic in speaker.topics] == ["Portwick"]


def test_headlines_name_places_and_things_that_do_not_speak() -> None:
    text = "Strom fehlt in Husum. In Husum fiel er aus. Am Abend war Husum dunkel. Ende Februar und Liter Regen fehlen."
    found = listed(("de", text), title="Sturm trifft Husum, Liter Regen im Februar")
    assert (found.speakers, found.places, found.others) == ((), ("Husum",), ())


@given(st.lists(st.tuples(st.sampled_from(["nl", "de", "en", "fr"]), st.text(max_size=300)), max_size=4))
@settings(deadline=None)
def test_any_text_has_names_or_none(texts: list[tuple[str, str]]) -> None:
    found = listed(*texts)
    for speaker in found.speakers:
        assert any(speaker.name in text for _, text in texts)


# --- examples ---------------------------------------------------------------------------------------------------------


def test_the_starter_shows_what_its_folder_declares(starter: Assistant) -> None:
    for language, said in folder.examples(starter.corpus).items():
        assert sorted(examples(starter, starter.corpus, language)) == sorted(said)


def test_any_archive_has_examples_in_every_language_and_answers_them(council: Counting) -> None:
    beginnings = {"nl": "Wat ", "de": "Was ", "en": "Wh"}
    for language, beginning in beginnings.items():
        made = examples(council, council.corpus, language)
        assert 2 <= len(made) <= 3
        answers = [council.ask(question) for question in made]
        assert all(
            answer.found and question.startswith(beginning) for answer, question in zip(answers, made, strict=True)
        )
        assert len({answer.citations[0].article.id for answer in answers}) == len(made)
        for nonsense in ("Montag", "Experten", "Officials", "Oktober", "Monday"):
            assert not any(nonsense in question for question in made)


def test_an_archive_is_asked_once_also_by_many_at_once(council: Counting) -> None:
    found: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: found.append(examples(council, council.corpus, "de"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert 0 < council.asked <= 12
    before = council.asked
    assert examples(council, council.corpus, "de") == found[0]
    assert council.asked == before
    council.sync()
    assert examples(council, council.corpus, "de") == found[0]
    assert council.asked == before


def test_a_change_of_the_archive_makes_them_anew(council: Counting) -> None:
    assert examples(council, council.corpus, "nl")
    for path in council.corpus.glob("*.md"):
        path.unlink()
    council.sync()
    assert examples(council, council.corpus, "nl") == ()
    write(council.corpus, {"roof.md": COUNCIL["roof.md"]})
    council.sync()
    assert examples(council, council.corpus, "nl") == ("Wat zei Hanneke Prins over het dak?",)


def test_declared_questions_come_first_and_only_if_the_archive_answers_them(council: Counting) -> None:
    declared = council.corpus / "archive.yaml"
    declared.write_text('examples: {nl: ["Waarom lekt het dak al tien jaar?", "Wie won de Tour de France?"]}')
    assert examples(council, council.corpus, "nl") == ("Waarom lekt het dak al tien jaar?",)
    declared.write_text('examples: {nl: ["Wie won de Tour de France?"]}')
    assert examples(council, council.corpus, "nl")[0].startswith("Wat zei")


def test_nothing_that_is_wrong_fails_the_page(council: Counting, tmp_path: Path) -> None:
    (council.corpus / "archive.yaml").write_text("examples: 3")
    assert examples(council, council.corpus, "nl")
    with Assistant(corpus=tmp_path / "missing", index=tmp_path / "other") as assistant:
        assert examples(assistant, assistant.corpus, "nl") == ()
    (tmp_path / "empty").mkdir()
    with Assistant(corpus=tmp_path / "empty", index=tmp_path / "third") as assistant:
        assert examples(assistant, assistant.corpus, "nl") == ()


# --- archive.yaml -----------------------------------------------------------------------------------------------------


def test_examples_are_no_metadata_and_no_reason_to_read_articles_again(council: Counting) -> None:
    (council.corpus / "archive.yaml").write_text("examples: ['Waarom lekt het dak?', 'Why is water short?']")
    report = council.sync()
    assert (report.updated, report.unchanged) == (0, 4)
    (council.corpus / "archive.yaml").write_text("source: The Gazette\nexamples: ['Waarom lekt het dak?']")
    assert council.sync().updated == 4
    assert all("examples" not in article.metadata for article in council.articles())
    (council.corpus / "archive.yaml").write_text("source: The Gazette\nexamples: {en: ['Why?']}")
    assert council.sync().unchanged == 4


def test_a_plain_list_is_sorted_by_language(tmp_path: Path) -> None:
    (tmp_path / "archive.yaml").write_text("---\nexamples:\n - Waarom lekt het dak?\n - Why  is water\n   short?\n")
    assert folder.examples(tmp_path) == {"nl": ("Waarom lekt het dak?",), "en": ("Why is water short?",)}
    assert folder.examples(tmp_path / "missing") == {}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("examples: Who pays?", "expected a list"),
        ("examples: {en: Who pays}", "examples in en is 'Who pays"),
        ("examples: {no: [Hvem]}", "has the language False"),
        ("examples: {en: [Who?]}", "quotation marks around questions"),
        ("examples: {fr: [Qui]}", "expected any of nl, de, en"),
        ("examples: [2025]", "has 2025; expected a question"),
        ("examples: ['']", "expected a question"),
        (f"examples: [{'a' * 201}]", "201 characters"),
        ("- a list", "not a mapping"),
        ("source: [", "cannot be used"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_was_expected(tmp_path: Path, said: str, expected: str) -> None:
    (tmp_path / "archive.yaml").write_text(said)
    for read in (folder.examples, folder.defaults):
        with pytest.raises(CorpusError, match=expected) as error:
            read(tmp_path)
        assert "archive.yaml" in str(error.value)
