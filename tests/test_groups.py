"""Articles for some readers only: told by their files, and without a trace for everybody else."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import BAKERY, HARBOUR

from rag import Answer, Assistant, corpus, folder
from rag import index as indexes
from rag.catalog import Catalog
from rag.errors import CorpusError, SettingsError, UnreadableFile
from rag.groups import declared, folded
from rag.records import Article
from rag.retrieve import understand
from rag.web import uploads
from rag.web.examples import examples
from rag.web.problems import Refused

CANARY = "Quillandra"  # stands in every hidden article, in its text and in all that is known about it

FIREHOUSE = """---
title: Feuerwehr bezieht neues Haus
date: 2025-06-20
language: de
source: Der Hafenbote
---
Die Feuerwehr von Sundheim bezieht im August ihr neues Haus am Deich. „Das alte Tor war für die Leiterwagen zu schmal“,
sagte Brandmeisterin Elke Radtke.

Der Neubau kostete sechs Millionen Euro und hat acht Stellplätze.
"""


def hidden(language: str, groups: str, text: str, date: str = "") -> str:
    known = f"title: {CANARY} {language}\nsource: {CANARY} Letter\nauthor: Ann {CANARY}\nlanguage: {language}\n"
    return f"---\n{known}groups: {groups}\n{date}---\n{text}\n"


FILES = {
    "harbour.md": HARBOUR,
    "bakery.md": BAKERY,
    "firehouse.md": FIREHOUSE,
    "quillandra-en.md": hidden(
        "en",
        "[Legal]",
        f"{CANARY} settled the dispute about the Lindmouth breakwater for nine million pounds.\n\nIts lawyer Bertram "
        f"Yewdale said that {CANARY} would never have won the case in court.",
        "date: 2025-03-08\n",
    ),
    "quillandra-nl.md": hidden(
        "nl",
        "legal, BOARD",
        f"{CANARY} koopt bakkerij Terhurst in Lindmouth. Directeur Wessel Terhurst zei dat {CANARY} de prijs van "
        "Terhurst niet wil noemen.\n\nTerhurst blijft tot het voorjaar directeur van Terhurst.",
    ),
    "quillandra-fr.md": hidden(
        "fr",
        '["board"]',
        f"La société {CANARY} ferme son usine de Lindmouth, selon un document interne du conseil.\n\nLa directrice "
        "Odile Marchepied a dit que les ouvriers ne le savent pas encore.",
        "date: 2024-11-02\n",
    ),
}
OPEN = {"harbour.md", "bakery.md", "firehouse.md"}
QUESTIONS = (
    "What was settled about the breakwater of Lindmouth?",
    "Who would never have won the case in court?",
    "Wie koopt de bakkerij in Lindmouth?",
    "Quelle usine ferme à Lindmouth?",
    "Was kostete der Neubau?",
    "lawyer said",
)


def written(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    home = tmp_path_factory.mktemp("groups")
    with Assistant(corpus=written(home / "corpus", FILES), index=home / "index") as assistant:
        assert assistant.sync().skipped == ()
        yield assistant


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Assistant]]:
    """Make and sync an archive of these files, or change the one that was made."""
    with Assistant(corpus=written(tmp_path / "corpus", {}), index=tmp_path / "index") as assistant:

        def sync(files: dict[str, str]) -> Assistant:
            written(assistant.corpus, files)
            assistant.sync()
            return assistant

        yield sync


def grouped(groups: str, text: str = HARBOUR) -> str:
    return text.replace("---\n", f"---\ngroups: {groups}\n", 1)


# --- what a file says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        ("[legal, board]", {"legal", "board"}),
        ("legal, Board ", {"legal", "board"}),
        ("[' Straße  und Recht ']", {"strasse und recht"}),
        ("\n  - Legal\n  - LEGAL", {"legal"}),
        ('["CN=legal,OU=x"]', {"cn=legal,ou=x"}),
        ("legal,", {"legal"}),
    ],
)
def test_groups_are_names_without_case(tmp_path: Path, said: str, groups: set[str]) -> None:
    written(tmp_path, {"a.md": grouped(said), "b.md": HARBOUR})
    article = corpus.read(tmp_path / "a.md", tmp_path)
    assert article.groups == groups
    assert "groups" not in article.metadata
    assert "groups" not in article.to_dict()
    assert corpus.read(tmp_path / "b.md", tmp_path).groups == frozenset()


@pytest.mark.parametrize(
    "said",
    ["", "[]", "''", "','", "['', ' ']", "no", "7", "[7]", "[legal, no]", "{legal: true}", "[[legal]]", '"a\\0"'],
)
def test_groups_that_are_empty_or_of_another_form_do_not_open_an_article(tmp_path: Path, said: str) -> None:
    written(tmp_path, {"a.md": grouped(said)})
    with pytest.raises(UnreadableFile, match="who may read"):
        corpus.read(tmp_path / "a.md", tmp_path)
    written(tmp_path, {"a.md": HARBOUR, "archive.yaml": f"source: The Gazette\ngroups: {said}\n"})
    with pytest.raises(CorpusError, match=r"archive\.yaml.*who may read"):
        folder.defaults(tmp_path)


@pytest.mark.parametrize("key", ["Groups", "GROUPS", "' groups '"])
def test_another_spelling_of_groups_counts_as_groups(tmp_path: Path, key: str) -> None:
    written(tmp_path, {"a.md": grouped("[legal]").replace("groups:", f"{key}:")})
    assert corpus.read(tmp_path / "a.md", tmp_path).groups == {"legal"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("slip.md", grouped("[legal]").replace("groups:", "group:")),
        ("twice.md", grouped("[legal]").replace("groups:", "Groups: [all]\ngroups:")),
        ("late.md", "\n" + grouped("[legal]")),
        ("open.md", grouped("[legal]").replace("\n---\n", "\n", 1)),
        ("text.txt", grouped("[legal]")),
        ("page.html", grouped("[legal]")),
        (
            "said.html",
            '<html><meta name="on-record:groups" content="everybody"><p>A page says who reads it.</p></html>',
        ),
    ],
)
def test_groups_that_could_not_be_read_do_not_open_an_article(tmp_path: Path, name: str, content: str) -> None:
    written(tmp_path, {name: content, "archive.yaml": "groups: [legal]"})
    with pytest.raises(UnreadableFile, match="who may read"):
        corpus.read(tmp_path / name, tmp_path)


def test_a_story_may_speak_of_groups(tmp_path: Path) -> None:
    written(tmp_path, {"a.md": HARBOUR + "\nGroups: A, B and C.\n", "b.txt": "The draw is made.\n\nGroups: A, B, C.\n"})
    assert corpus.read(tmp_path / "a.md", tmp_path).groups == frozenset()
    assert corpus.read(tmp_path / "b.txt", tmp_path).groups == frozenset()


def test_the_folder_says_it_for_all_and_front_matter_otherwise(tmp_path: Path) -> None:
    page = "<html><head><title>News</title></head><body><p>The harbour reopened on Saturday.</p></body></html>"
    files = {"a.md": HARBOUR, "b.md": grouped("board"), "c.html": page, "uploads/d.md": HARBOUR}
    written(tmp_path, {"archive.yaml": "groups: Legal\nsample: true", **files})
    found = {name: corpus.read(tmp_path / name, tmp_path) for name in files}
    assert {name: set(article.groups) for name, article in found.items()} == {
        "a.md": {"legal"},
        "b.md": {"board"},
        "c.html": {"legal"},
        "uploads/d.md": {"legal"},  # though nothing else that the folder says holds for what readers add
    }
    assert not found["uploads/d.md"].sample


@given(st.one_of(st.text(), st.lists(st.text()), st.none(), st.integers(), st.booleans()))
def test_whatever_stands_under_groups_never_means_everybody(value: object) -> None:
    try:
        names = declared({"groups": value})
    except UnreadableFile:
        return
    assert names
    assert folded(names) == names
    assert all(names)


# --- keeping it -------------------------------------------------------------------------------------------------------


def test_a_change_of_groups_alone_is_synced(small: Callable[[dict[str, str]], Assistant]) -> None:
    assistant = small({"a.md": HARBOUR})
    nobody = assistant.for_groups(())
    assert len(nobody.articles()) == 1
    small({"a.md": grouped("[legal]")})
    assert nobody.articles() == []
    assert len(assistant.for_groups(["legal"]).articles()) == 1
    small({"a.md": grouped("[board]")})
    assert assistant.for_groups(["legal"]).articles() == []
    small({"a.md": HARBOUR})
    assert len(nobody.articles()) == 1
    small({"archive.yaml": "groups: [legal]"})
    assert nobody.articles() == []
    report = assistant.sync()
    assert (report.updated, report.unchanged) == (0, 1)
    small({"a.md": grouped("")})
    assert assistant.articles() == []
    assert [path for path, _ in assistant.skipped()] == ["a.md"]
    assert nobody.skipped() == []  # its name is nothing for who might not have been meant


def test_a_catalog_from_before_groups_keeps_them_from_the_first_moment(
    small: Callable[[dict[str, str]], Assistant],
) -> None:
    told = {"list.md": ["Legal"], "text.md": "board, Legal", "wrong.md": None, "open.md": ...}
    assistant = small(dict.fromkeys(told, HARBOUR))
    assistant.close()
    with sqlite3.connect(assistant.path / "catalog.sqlite3") as db:
        db.execute("DROP TABLE article_groups")
        for path, groups in told.items():
            if groups is not ...:
                db.execute("UPDATE articles SET metadata = ? WHERE path = ?", (json.dumps({"groups": groups}), path))
    db.close()

    def seen(*groups: str) -> set[str]:
        return {article.path for article in assistant.for_groups(groups).articles()}

    assert seen() == {"open.md"}
    assert seen("legal") == {"open.md", "list.md", "text.md"}
    assert seen("board") == {"open.md", "text.md"}
    assert seen("") == {"open.md"}
    assert {article.path for article in assistant.articles()} == set(told)
    assistant.sync()  # reads the files of the three again, which name no groups
    assert seen() == set(told)


def test_groups_come_back_and_go_with_their_article(tmp_path: Path) -> None:
    article = Article("a", "T", "Text.", "a.md", "0" * 64, groups=frozenset({"legal", "board"}))
    catalog = Catalog(tmp_path / "catalog.sqlite3", dim=4)
    catalog.put_article(article, [])
    assert catalog.article("a") == article
    assert catalog.for_groups(["board"]).article("a") == article
    assert catalog.for_groups(["press"]).article("a") is None
    catalog.remove_article("a.md")
    assert catalog._rows("SELECT * FROM article_groups") == []
    catalog.close()


# --- what readers see -------------------------------------------------------------------------------------------------


def everything(view: Assistant) -> dict[str, Any]:
    """What every method of an assistant says, as text."""
    engine, retriever = view.as_query_engine(), view.as_retriever(limit=50)
    answers = [view.ask(question) for question in QUESTIONS]
    filtered = [
        view.ask(QUESTIONS[0], since=dt.date(2025, 1, 1)),
        view.ask(QUESTIONS[0], sources=["Test Gazette", f"{CANARY} Letter"]),
        view.ask(QUESTIONS[3], languages=["fr"]),
        view.ask("And who said so?", history=[(QUESTIONS[0], "Nobody.")]),
    ]
    return {
        "answers": [answer.to_dict() for answer in answers],
        "filtered": [answer.to_dict() for answer in filtered],
        "streamed": [repr(event) for question in QUESTIONS for event in view.stream(question)],
        "hits": [hit.to_dict() for question in QUESTIONS for hit in view.search(question, limit=50)],
        "articles": [article.to_dict() | {"text": article.text} for article in view.articles()],
        "found": [article.to_dict() for article in view.find_articles()[0]],
        "overview": repr(view.overview()),
        "skipped": view.skipped(),
        "nodes": [node.text + repr(node.metadata) for question in QUESTIONS for node in retriever.retrieve(question)],
        "engine": [str(engine.query(question).metadata) for question in QUESTIONS],
        "examples": [examples(view, view.corpus, language) for language in ("nl", "de", "en")],
        "uploads": [path.name for path, _ in uploads.listed(view)],
    }


@pytest.mark.parametrize("groups", [(), ("press", "legalese"), ("",)], ids=str)
def test_nothing_that_a_reader_is_told_comes_from_a_hidden_article(archive: Assistant, groups: tuple[str, ...]) -> None:
    for what, told in everything(archive.for_groups(groups)).items():
        assert CANARY.lower() not in repr(told).lower(), what
        assert "Yewdale" not in repr(told), what


def test_who_is_in_a_group_is_told_of_its_articles(archive: Assistant) -> None:
    told = everything(archive.for_groups(["LEGAL "]))
    for what in ("answers", "filtered", "streamed", "hits", "articles", "found", "overview", "nodes", "engine"):
        assert CANARY in repr(told[what]), what
    assert "Marchepied" not in repr(told)
    assert "Marchepied" in repr(everything(archive.for_groups(["board"]))["hits"])


@pytest.mark.parametrize(
    ("groups", "paths"),
    [
        ((), OPEN),
        (("legal",), OPEN | {"quillandra-en.md", "quillandra-nl.md"}),
        (("Board",), OPEN | {"quillandra-nl.md", "quillandra-fr.md"}),
        (("legal", "board"), set(FILES)),
    ],
)
def test_lists_pages_and_counts_hold_what_may_be_read(
    archive: Assistant, groups: tuple[str, ...], paths: set[str]
) -> None:
    view = archive.for_groups(groups)
    assert {article.path for article in view.articles()} == paths
    found, total = view.find_articles(limit=2, offset=0)
    assert (len(found), total) == (2, len(paths))
    pages = [article.path for at in range(0, total, 2) for article in view.find_articles(limit=2, offset=at)[0]]
    assert sorted(pages) == sorted(paths)
    assert view.find_articles(CANARY.lower())[1] == len(paths - OPEN)
    assert view.find_articles(sources=[f"{CANARY} Letter"])[1] == len(paths - OPEN)
    overview = view.overview()
    assert overview.articles == len(paths)
    assert sum(overview.months.values()) + overview.undated == len(paths)
    assert set(overview.languages) == {"nl", "de", "en"} | ({"fr"} if "quillandra-fr.md" in paths else set())
    assert (f"{CANARY} Letter" in overview.sources) == (paths != OPEN)
    assert overview.undated == ("quillandra-nl.md" in paths)
    assert overview.first == (dt.date(2024, 11, 2) if "quillandra-fr.md" in paths else dt.date(2025, 3, 1))
    for article in archive.articles():
        assert (view.article(article.id) is not None) == (article.path in paths)


def test_the_assistant_itself_sees_everything(archive: Assistant) -> None:
    assert {article.path for article in archive.articles()} == set(FILES)
    assert archive.hidden() == frozenset()
    assert CANARY in archive.ask("Whose lawyer is Bertram Yewdale?").text


def test_a_hidden_name_is_unknown(archive: Assistant) -> None:
    nobody, lawyer = archive.for_groups(()), archive.for_groups(["legal"])
    question = "What did Bertram Yewdale say?"
    assert "No article mentions Bertram Yewdale." in nobody.ask(question).text
    assert "No article mentions Bertrand Oxenholm." in nobody.ask("What did Bertrand Oxenholm say?").text
    assert "Yewdale" in repr(lawyer.ask(question).citations[0])
    for typed in (question, "yewdale court"):
        with nobody._reading() as (_, index, _):
            assert "Yewdale" not in {name.text for name in understand(typed, index).names}
            assert not index.knows("yewdale")
        with lawyer._reading() as (_, index, _):
            assert understand(typed, index).names


def test_a_spelling_is_mended_after_names_that_may_be_read(archive: Assistant) -> None:
    def understood(groups: tuple[str, ...], question: str) -> str:
        with archive.for_groups(groups)._reading() as (_, index, _):
            return understand(question, index).text

    assert understood(("legal",), "Who is Yewdele?") == "Who is Yewdale?"
    assert understood((), "Who is Yewdele?") == "Who is Yewdele?"
    assert understood((), "Who is Terharst?") == "Who is Terhorst?"
    assert "No article mentions Yewdele." in archive.for_groups(()).ask("Who is Yewdele?").text


def test_the_commonest_of_the_spellings_that_may_be_read_mends(small: Callable[[dict[str, str]], Assistant]) -> None:
    often = {f"often-{i}.md": grouped("[legal]").replace("Olvers", "Olvern") for i in range(3)}
    assistant = small({"a.md": HARBOUR, **often})
    for groups, mended in (((), "Olvers"), (("legal",), "Olvern")):
        with assistant.for_groups(groups)._reading() as (_, index, _):
            assert understand("Who is Olverm?", index).text == f"Who is {mended}?"


def test_what_an_answer_says_of_the_archive_is_of_what_may_be_read(archive: Assistant) -> None:
    nobody, board = archive.for_groups(()), archive.for_groups(["board"])
    since = dt.date(2025, 1, 1)
    assert "without a date" not in nobody.ask(QUESTIONS[0], since=since).text
    assert "One article without a date" in board.ask(QUESTIONS[0], since=since).text
    assert "No article passes these filters" in nobody.ask(QUESTIONS[3], languages=["fr"], language="en").text
    assert "No article passes these filters" not in board.ask(QUESTIONS[3], languages=["fr"], language="en").text


def test_an_archive_of_hidden_articles_is_empty(small: Callable[[dict[str, str]], Assistant]) -> None:
    assistant = small({"a.md": grouped("[legal]"), "b.md": "---\ndate: [\n---\nNot read."})
    nobody = assistant.for_groups(["press"])
    answer = nobody.ask("How many ships waited?")
    assert "archive is empty" in answer.text
    assert answer.nearest == ()
    assert nobody.search("ships") == []
    assert nobody.overview() == Assistant.overview(nobody)
    assert nobody.overview().articles == nobody.overview().revision == 0
    assert examples(nobody, nobody.corpus, "en") == ()
    assert nobody.skipped() == []
    lawyer = assistant.for_groups(["legal"])
    assert lawyer.ask("How many ships waited outside the breakwater?").found
    assert [path for path, _ in lawyer.skipped()] == ["b.md"]


def test_copies_that_are_hidden_are_not_named(small: Callable[[dict[str, str]], Assistant]) -> None:
    copy = grouped("[legal]").replace("Test Gazette", f"{CANARY} Letter")
    assistant = small({"a.md": HARBOUR, "b.md": copy})
    question = "How many ships waited outside the breakwater?"

    def sources(answer: Answer) -> set[str | None]:
        return {
            article.source for citation in answer.citations for article in (citation.article, *citation.also_in)
        } | {hit.passage.article.source for hit in answer.nearest}

    assert sources(assistant.for_groups(()).ask(question)) == {"Test Gazette"}
    assert sources(assistant.for_groups(["legal"]).ask(question)) == {"Test Gazette", f"{CANARY} Letter"}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An archive whose one open article on ships stands behind thirty hidden ones that match better."""
    home = tmp_path_factory.mktemp("crowd")
    known = "---\ntitle: Ships wait\nlanguage: en\ngroups: [legal]\n---\n"
    text = f"{known}Forty ships waited outside the breakwater, said {{}}."
    names = [
        f"Pilot {first}{last}" for first in ("Ar", "Be", "Co", "Du", "El") for last in "mno ndo rro sso tto lla".split()
    ]
    files = {f"hidden-{i}.md": text.format(name) for i, name in enumerate(names)}
    files |= {"open.md": HARBOUR, "other.md": FIREHOUSE}
    with Assistant(corpus=written(home / "corpus", files), index=home / "index") as assistant:
        assistant.sync()
        yield assistant


def test_words_are_looked_for_below_what_is_hidden(crowd: Assistant) -> None:
    catalog, index, _ = crowd._open()
    words: dict[str, Any] = {"stemmed": ["ship", "wait"], "forms": [], "language": "en", "limit": 12}
    hidden = catalog.for_groups(frozenset()).hidden()
    assert len(hidden) == 30
    assert not {found.split(":")[0] for found, _ in index.matching(**words)} - hidden
    assert [found.split(":")[0] for found, _ in index.without(hidden).matching(**words)] == [
        article.id for article in crowd.articles() if article.path == "open.md"
    ]


def test_no_passage_is_given_out_that_may_not_be_read_whatever_an_index_says(crowd: Assistant) -> None:
    catalog, index, _ = crowd._open()
    found = [found for found, _ in index.matching(stemmed=["ship"], forms=[], language="en", limit=50)]
    articles = [article.id for article in crowd.articles()]
    nobody, lawyer = catalog.for_groups(frozenset()), catalog.for_groups(frozenset({"legal"}))
    for read, ids in (("passages", found), ("passages_of", articles)):
        given = [item.passage.article.path for item in getattr(nobody, read)(ids)]
        assert given
        assert set(given) <= {"open.md", "other.md"}
        assert len(getattr(lawyer, read)(ids)) == len(getattr(catalog, read)(ids)) >= 30


@pytest.mark.parametrize("deepest", [12, 48, 768])
def test_hidden_articles_do_not_take_the_places_of_others(
    crowd: Assistant, deepest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "_DEEPEST", deepest)  # at 12, Chroma's ranking holds nothing that may be seen
    question = "How many ships waited outside the breakwater?"
    assert {hit.passage.article.path for hit in crowd.search(question, limit=12)} <= {
        f"hidden-{i}.md" for i in range(30)
    }
    nobody = crowd.for_groups(())
    assert nobody.search(question, limit=1)[0].passage.article.path == "open.md"
    across = nobody.search("Wie viele Schiffe warteten draußen?", languages=["en"])  # shares no word: meaning alone
    assert {hit.passage.article.path for hit in across} == {"open.md"}
    assert {hit.passage.article.path for hit in nobody.search(question, limit=50)} == {"open.md", "other.md"}
    answer = nobody.ask(question)
    assert answer.found
    assert {citation.article.path for citation in answer.citations} == {"open.md"}
    assert len(crowd.for_groups(["legal"]).search(question, limit=50)) > 12


def test_a_reader_finds_what_an_archive_without_the_hidden_articles_would_find(
    archive: Assistant, small: Callable[[dict[str, str]], Assistant]
) -> None:
    alone = small({name: content for name, content in FILES.items() if name in OPEN})
    nobody = archive.for_groups(())
    for question in QUESTIONS:
        places = [(hit.passage.article.path, hit.passage.start) for hit in nobody.search(question, limit=50)]
        assert sorted(places) == sorted(
            (hit.passage.article.path, hit.passage.start) for hit in alone.search(question, limit=50)
        )
        here, there = nobody.ask(question), alone.ask(question)
        assert (here.found, here.text) == (there.found, there.text)


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_view_reads_only_and_leaves_the_archive_open(archive: Assistant) -> None:
    with archive.for_groups(["legal"]) as view:
        for refused in (view.sync, view.feedback, view.delete_feedback):
            with pytest.raises(SettingsError, match="whole"):
                refused()
    assert archive._stores._opened is not None
    assert view.whole is archive
    assert archive.whole is archive
    assert view.for_groups(["legal", "board"]).groups == frozenset({"legal"})  # not wider than what it is a view of
    with pytest.raises(SettingsError, match="legal"):
        archive.for_groups("legal")


def test_a_view_costs_next_to_nothing_and_shares_the_models(archive: Assistant) -> None:
    view = archive.for_groups(["legal"])
    view.ask(QUESTIONS[0])
    assert view._cross_encoder is archive._cross_encoder
    assert view._stores is archive._stores


def test_the_first_question_to_a_view_builds_the_index(tmp_path: Path) -> None:
    written(tmp_path / "corpus", {"a.md": HARBOUR, "b.md": grouped("[legal]", BAKERY)})
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        assert assistant.for_groups(()).overview().articles == 1


def test_examples_are_those_of_what_may_be_read(archive: Assistant) -> None:
    declared = archive.corpus / "archive.yaml"
    declared.write_text(json.dumps({"examples": {"en": ["Who never would have won the case in court, said Yewdale?"]}}))
    try:
        assert examples(archive.for_groups(["legal"]), archive.corpus, "en") == (
            "Who never would have won the case in court, said Yewdale?",
        )
        for groups in ((), ("press",)):
            shown = examples(archive.for_groups(groups), archive.corpus, "en")
            assert shown
            assert "Yewdale" not in repr(shown)
    finally:
        declared.unlink()


class Counting(Assistant):
    """An assistant whose views count together what they are asked."""

    asked: list[str]

    def ask(self, question: str, *given: Any, **options: Any) -> Answer:
        self.asked.append(question)
        return super().ask(question, *given, **options)


def test_examples_are_made_once_for_all_who_may_read_the_same(archive: Assistant) -> None:
    assistant = Counting(corpus=archive.corpus, index=archive.path)
    assistant.asked = []
    with assistant:
        first = examples(assistant.for_groups(()), assistant.corpus, "de")
        made = len(assistant.asked)
        assert made
        assert examples(assistant.for_groups(["press", "staff"]), assistant.corpus, "de") == first
        assert len(assistant.asked) == made
        assert examples(assistant, assistant.corpus, "de")
        asked = len(assistant.asked)
        assert asked > made
        examples(assistant.for_groups(["legal", "board"]), assistant.corpus, "de")  # from whom nothing is kept
        assert len(assistant.asked) == asked


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_uploads_leave_no_trace_of_what_is_hidden(small: Callable[[dict[str, str]], Assistant]) -> None:
    secret = grouped("[legal]", BAKERY)
    assistant = small({"a.md": HARBOUR, "secret.md": secret})
    nobody, lawyer = assistant.for_groups(()), assistant.for_groups(["legal"])
    with pytest.raises(Refused, match="Bakkerij"):
        uploads.add(lawyer, "copy.md", secret.encode())
    with pytest.raises(Refused, match="Harbour"):
        uploads.add(nobody, "copy.md", HARBOUR.encode())
    article = uploads.add(nobody, "copy.md", secret.encode())
    assert article.groups == {"legal"}
    assert uploads.listed(nobody) == []
    with pytest.raises(Refused, match="No file of this name"):
        uploads.remove(nobody, "copy.md")
    assert [path.name for path, _ in uploads.listed(lawyer)] == ["copy.md"]
    uploads.remove(lawyer, "copy.md")
    assert uploads.listed(assistant) == []
    with pytest.raises(Refused, match="who may read"):
        uploads.add(nobody, "wrong.md", grouped("[]").encode())
    assert uploads.uploaded(assistant.corpus) == []
