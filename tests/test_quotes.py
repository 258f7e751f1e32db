"""Which sentences are quoted, in which order, and how far a quotation reaches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import article, readings

from rag.assistant import Assistant
from rag.cite import verify
from rag.quotes import MAX_CITATIONS, choose
from rag.records import Answer, Article

ASKED = "How did the harbour fare?"


def first(question: str, *given: tuple[Article, int, float]) -> str:
    return choose(readings(*given), question)[0].quote


# --- how far a quotation reaches --------------------------------------------------------------------------------------


def test_a_sentence_that_leans_takes_the_one_before_along() -> None:
    (citation,) = choose(readings((article(), 1, 0.98), (article(), 0, 0.001)), ASKED)
    assert citation.quote == "Greta Olvers runs the harbour. She said that forty ships had waited."


def test_a_sentence_that_stands_alone_is_quoted_alone() -> None:
    (citation,) = choose(readings((article(), 2, 0.98), (article(), 1, 0.001)), ASKED)
    assert citation.quote == "The storm lasted nine days."


def test_a_neighbour_that_scores_nearly_as_well_is_quoted_with_it() -> None:
    assert first(ASKED, (article(), 2, 0.5), (article(), 0, 0.01), (article(), 1, 0.4)).endswith(
        "She said that forty ships had waited. The storm lasted nine days."
    )


def test_a_quotation_never_spans_two_paragraphs() -> None:
    (citation,) = choose(readings((article(), 3, 0.96), (article(), 2, 0.03)), ASKED)
    assert citation.quote == "It was over."


SPEECH = {
    "en": (
        "What did Olvers say about pilots?",
        "Olvers was angry. Ships need a pilot at night, she warned. Insurers pay for nothing else.",
    ),
    "nl": (
        "Wat zei Olvers over loodsen?",
        "Olvers was boos. Schepen hebben 's nachts een loods nodig, waarschuwde zij. Verzekeraars betalen niets.",
    ),
    "de": (
        "Was sagte Olvers über Lotsen?",
        "Olvers wurde deutlich. Schiffe brauchen nachts einen Lotsen, forderte sie. Versicherer zahlen nichts.",
    ),
}


@pytest.mark.parametrize("language", SPEECH)
def test_a_statement_is_quoted_with_who_made_it(language: str) -> None:
    question, text = SPEECH[language]
    told = article(text, language=language)
    quote = first(question, (told, 1, 0.98))
    assert quote.startswith("Olvers")
    assert quote == text[: len(quote)]
    assert quote.count(".") == 2


def test_direct_speech_takes_along_who_is_named_after_it() -> None:
    told = article("The pier is closed. “We let nobody onto a pier that moves.” Mayor Ada Brook said so on Monday.")
    for question in ("Who said that nobody may go on?", "What did Brook say about the pier?"):
        quote = first(question, (told, 1, 0.98))
        assert quote == "“We let nobody onto a pier that moves.” Mayor Ada Brook said so on Monday."


def test_a_speaker_too_far_away_is_not_taken_along() -> None:
    text = f"Olvers {'slowly ' * 40}sat down. A pilot is needed at night, she warned."
    assert (
        first("What did Olvers say about pilots?", (article(text), 1, 0.98))
        == "A pilot is needed at night, she warned."
    )


REASONS = {
    "en": (
        "Why did the crews refuse?",
        "The crews refused. They feared for their ropes because of the ice. Nobody slept.",
    ),
    "nl": ("Waarom weigerden de bemanningen?", "De bemanningen weigerden. Er was ijs, want het vroor. Niemand sliep."),
    "de": ("Warum weigerten sich die Matrosen?", "Die Matrosen weigerten sich. Grund war das Eis. Niemand schlief."),
}


@pytest.mark.parametrize("language", REASONS)
def test_a_reason_that_stands_beside_the_sentence_is_taken_along(language: str) -> None:
    question, text = REASONS[language]
    quote = first(question, (article(text, language=language), 0, 0.98))
    assert quote.count(".") == 2
    assert text.startswith(quote)


def test_what_takes_a_yes_back_is_quoted_with_it() -> None:
    told = article("The council agreed to pay. But it wants half of the money back. The vote was close.")
    assert first("Did the council agree to pay?", (told, 0, 0.98)).endswith("But it wants half of the money back.")
    assert first("What did the council agree on?", (told, 0, 0.98)) == "The council agreed to pay."


# --- what comes first -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["When did it close?", "Wanneer sloot het?", "Wann schloss er?"])
def test_a_date_asked_for_comes_before_a_sentence_that_is_only_a_little_better(question: str) -> None:
    told = article("The harbour closed in a hurry.\n\nThe harbour closed in March 2025 for nine days.")
    assert "2025" in first(question, (told, 0, 0.5), (told, 1, 0.3))
    assert "2025" not in first(question, (told, 0, 0.8), (told, 1, 0.1))
    assert "2025" not in first("How did it close?", (told, 0, 0.5), (told, 1, 0.3))


@pytest.mark.parametrize("question", ["How many ships waited?", "Hoeveel schepen wachtten?", "Wie viele Schiffe?"])
def test_a_number_asked_for_comes_before_a_sentence_that_is_only_a_little_better(question: str) -> None:
    told = article("Many a ship waited outside.\n\nOutside lay forty-two ships, or 42 too many.")
    assert "42" in first(question, (told, 0, 0.5), (told, 1, 0.3))


@pytest.mark.parametrize(
    "question", ["Greta Olvers", "Who is Greta Olvers?", "Wie is Greta Olvers?", "Wer ist Olvers?"]
)
def test_a_name_alone_is_answered_by_who_that_is_and_from_several_articles(question: str) -> None:
    speech = article("Olvers raised her voice. Nobody answered. Olvers left the room.", "speech.md")
    portrait = article("Greta Olvers, the harbour master of Lindmouth, was born on a ship.", "portrait.md")
    later = article("On Friday Olvers resigned.", "later.md")
    given = ((speech, 0, 0.5), (speech, 2, 0.2), (portrait, 0, 0.1), (later, 0, 0.08))
    citations = choose(readings(*given), question)
    assert [citation.article.path for citation in citations[:3]] == ["portrait.md", "speech.md", "later.md"]


def test_words_alone_are_answered_from_several_articles_before_one_is_quoted_twice() -> None:
    one = article("Pilots are dear.\n\nPilots are few.", "one.md")
    other = article("The pilots of the north coast want shorter nights.", "other.md")
    citations = choose(readings((one, 0, 0.5), (one, 1, 0.3), (other, 0, 0.15)), "pilots harbour")
    assert [citation.article.path for citation in citations] == ["one.md", "other.md", "one.md"]


@pytest.mark.parametrize(
    "question", ["Which towns send ships?", "Welke steden sturen schepen?", "Welche Städte senden?"]
)
def test_a_sentence_that_names_several_comes_first_where_several_are_asked_for(question: str) -> None:
    told = article("Many towns send ships.\n\nShips come from Dorum, Harlingen and Lindmouth.")
    assert "Harlingen" in first(question, (told, 0, 0.5), (told, 1, 0.2))


# --- how many there are -----------------------------------------------------------------------------------------------

SITES = [f"Berth {name} lies {way} of the old mill." for name, way in zip("ABCDEFG", "NSEWXYZ", strict=True)]


def test_there_are_at_most_five_citations_of_a_list_and_three_of_anything_else() -> None:
    several = [article(f"{'xyzuvwq'[at] * 40} {text}", f"{at}.md") for at, text in enumerate(SITES)]
    given = [(item, 0, 0.14) for item in several]
    assert len(choose(readings(*given), "Which berths are there near the mill?")) == MAX_CITATIONS
    assert len(choose(readings(*given), "Where is the berth?")) == 3


def test_a_list_goes_on_however_small_the_shares_of_its_members_are() -> None:
    text = "The council named two ways. One is a toll. The other is a tax on berths. Nobody cheered."
    citations = choose(readings((article(text), 0, 0.998)), "Which ways did the council name?")
    assert [citation.quote for citation in citations] == [
        "The council named two ways.",
        "One is a toll.",
        "The other is a tax on berths.",
    ]


def test_the_items_after_a_colon_are_quoted_one_by_one() -> None:
    text = (
        "These towns send ships:\n\nDorum on the coast\n\nHarlingen in Friesland\n\nThe rest stays. Nobody knows why."
    )
    citations = choose(readings((article(text), 0, 0.998)), "Which towns send ships?")
    assert [citation.quote for citation in citations][1:] == ["Dorum on the coast", "Harlingen in Friesland"]
    alone = choose(readings((article(text), 0, 0.998)), "Where do ships come from?")
    assert [citation.quote for citation in alone] == ["These towns send ships:"]


def test_copies_of_a_quotation_are_folded_into_one() -> None:
    (citation,) = choose(readings((article(), 2, 0.49), (article(path="b.md"), 2, 0.49)), ASKED)
    assert [other.path for other in citation.also_in] == ["b.md"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Lindmouth beat Harwell 3-1 at Quayside Park on Saturday.",
            "Lindmouth beat Dorum 3-1 at Quayside Park on Saturday.",
        ),
        ("Harwell beat Lindmouth 3-1 at Quayside Park.", "Harwell beat Lindmouth 3-2 at Quayside Park."),
        ("Revenue rose to twelve million crowns in March.", "Revenue rose to twenty million crowns in March."),
    ],
)
def test_quotations_from_one_template_are_not_folded(one: str, other: str) -> None:
    citations = choose(readings((article(one), 0, 0.49), (article(other, "b.md"), 0, 0.49)), ASKED)
    assert [citation.also_in for citation in citations] == [(), ()]


def test_copies_that_hold_the_quotation_are_named_though_they_were_not_read() -> None:
    printed = article("THE HARBOUR (NWA) - “The storm” lasted nine days. Nobody left.", "printed.md")
    cut = article("Greta Olvers runs the harbour.", "cut.md")
    told = article("The storm lasted nine days.")
    (citation,) = choose(readings((told, 0, 0.98)), ASKED, {told.id: (printed, cut)})
    assert [other.path for other in citation.also_in] == ["printed.md"]


# --- several articles -------------------------------------------------------------------------------------------------

OLD = article("The toll is four euros a night.", "old.md", date=dt.date(2024, 5, 1))
NEW = article("Since summer skippers pay seven euros and get a shower.", "new.md", date=dt.date(2025, 9, 1))
UNDATED = article("Once a night in the harbour cost two shillings.", "undated.md")


def paths(*given: tuple[Article, int, float]) -> list[str]:
    citations = choose(readings(*given), "How much is the toll?")
    assert [citation.number for citation in citations] == list(range(1, len(citations) + 1))
    return [citation.article.path for citation in citations]


def test_articles_that_answer_about_equally_well_are_quoted_newest_first() -> None:
    assert paths((OLD, 0, 0.34), (UNDATED, 0, 0.32), (NEW, 0, 0.3)) == ["new.md", "old.md", "undated.md"]


def test_a_newer_article_that_answers_less_well_does_not_come_first() -> None:
    assert paths((OLD, 0, 0.5), (NEW, 0, 0.3)) == ["old.md", "new.md"]


# --- any readings, and real ones --------------------------------------------------------------------------------------

QUESTIONS = (
    "What did Olvers say?",
    "When?",
    "Hoeveel schepen?",
    "Warum?",
    "Which ships were there?",
    "Greta Olvers",
    "harbour toll",
    "Did it close?",
    ASKED,
)


@settings(max_examples=60, deadline=None)
@given(
    question=st.sampled_from(QUESTIONS),
    paragraphs=st.lists(
        st.lists(
            st.sampled_from(
                [
                    "She left.",
                    "Olvers said no.",
                    "But it rained.",
                    "In 2024 nine ships sank.",
                    "Also a tug sank.",
                    "These sank:",
                    "“Stay,” he said, because it was late.",
                    "A long calm followed upon the storm that had kept everybody awake and every ship at its rope.",
                ]
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=4,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_every_quotation_is_exact_short_and_within_a_paragraph(question, paragraphs, seed) -> None:  # type: ignore[no-untyped-def]
    told = article("\n\n".join(" ".join(paragraph) for paragraph in paragraphs))
    count = len(readings((told, 0, 1e-6)))
    weights = [0.001 + seed.random() for _ in range(count)]
    given = [(told, at, weight / sum(weights)) for at, weight in enumerate(weights)]
    citations = choose(readings(*given), question)
    assert 1 <= len(citations) <= MAX_CITATIONS
    spans = sorted((citation.start, citation.end) for citation in citations)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for citation in citations:
        assert verify(citation)
        assert len(citation.quote) <= 280


PORT = {
    "closed.md": (
        "en",
        "2025-03-01",
        "The harbour of Lindmouth was closed on Saturday, because a storm had torn off its gate.",
    ),
    "toll-old.md": ("en", "2024-05-01", "The mooring toll in the harbour of Lindmouth is four euros a night."),
    "toll-new.md": ("en", "2025-09-01", "The mooring toll in Lindmouth harbour rose: a night costs seven euros now."),
    "loods.md": ("nl", "2025-02-01", "Havenmeester Greta Olvers was boos. Schepen hebben een loods nodig, zei ze."),
    "lotse.md": (
        "de",
        "2025-04-01",
        "Hafenmeisterin Greta Olvers wurde deutlich. Jedes Schiff braucht Licht, sagte sie.",
    ),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    root = tmp_path_factory.mktemp("port")
    (root / "corpus").mkdir()
    for name, (language, date, text) in PORT.items():
        head = f"---\ntitle: {name.removesuffix('.md')}\nlanguage: {language}\ndate: {date}\n---\n\n"
        (root / "corpus" / name).write_text(head + text + "\n", encoding="utf-8")
    with Assistant(corpus=root / "corpus", index=root / "index") as assistant:
        assistant.sync()
        yield assistant


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Wat zei Olvers over een loods?", ("Greta Olvers", "loods nodig")),
        ("Was sagte Olvers über Licht?", ("Greta Olvers", "braucht Licht")),
        ("Why was the harbour of Lindmouth closed?", ("storm",)),
        ("How much is the mooring toll in Lindmouth?", ("euros",)),
    ],
)
def test_a_small_archive_is_quoted_with_what_the_question_needs(
    port: Assistant, question: str, parts: tuple[str, ...]
) -> None:
    told = quotes(port.ask(question))[0]
    assert all(part in told for part in parts)


def test_answers_that_differ_are_each_quoted_with_their_date(port: Assistant) -> None:
    answer = port.ask("How much is the mooring toll in Lindmouth?")
    assert {"toll-old.md", "toll-new.md"} <= {citation.article.path for citation in answer.citations}
    assert "1 May 2024" in answer.text
    assert "1 September 2025" in answer.text


def quotes(answer: Answer) -> list[str]:
    return [citation.quote for citation in answer.citations]


@pytest.mark.parametrize("question", ["Robert Kyncl", "Kyncl", "Wie is Robert Kyncl?", "Wer ist Robert Kyncl?"])
def test_the_starter_corpus_says_who_a_name_is_from_several_articles(starter: Assistant, question: str) -> None:
    answer = starter.ask(question)
    assert "Robert Kyncl, " in quotes(answer)[0]
    assert "Warner Music" in quotes(answer)[0]
    assert len({citation.article.id for citation in answer.citations}) >= 2


@pytest.mark.parametrize(
    ("question", "speaker", "said"),
    [
        ("What did Kyncl say about licensing?", "Kyncl", "licen"),
        ("Wat zei Kyncl over licenties?", "Kyncl", "licenties"),
        ("Was sagte Kyncl über Lizenzen?", "Kyncl", "Lizenz"),
        ("Who called AI a new pen?", "Ellison", "pen"),
    ],
)
def test_the_starter_corpus_names_the_speaker_of_a_statement(
    starter: Assistant, question: str, speaker: str, said: str
) -> None:
    told = quotes(starter.ask(question))
    assert any(speaker in quote and said in quote for quote in told)
    assert speaker in told[0]


@pytest.mark.parametrize(
    "question", ["Why did the studios decline?", "Waarom weigerden de studio's?", "Warum lehnten die Studios ab?"]
)
def test_the_starter_corpus_gives_the_reason(starter: Assistant, question: str) -> None:
    told = quotes(starter.ask(question))[0]
    assert any(word in told for word in ("worried", "feared", "vroegen zich af", "Bedenken", "fürchteten"))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did Disney make its deal with OpenAI?", "2025"),
        ("Wann einigten sich Disney und OpenAI?", "2025"),
        ("Hoeveel creatieven schreven het Witte Huis?", "400"),
    ],
)
def test_the_starter_corpus_gives_the_date_or_number_asked_for(
    starter: Assistant, question: str, expected: str
) -> None:
    assert expected in quotes(starter.ask(question))[0]
