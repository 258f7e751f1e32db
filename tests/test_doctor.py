"""`python -m rag doctor`: what it finds of the archive and of a language model, and that it tells no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import KEY, NAME, Asked, Failure, Said, Scripted, Silent, as_json, echo_key, perfect, without_schema
from stories import BAKERY, DEMOLITION

from rag import cli, doctor

QUOTE = "Forty ships had waited outside the harbour of Lindmouth for a pilot."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus with one unreadable file, and its index."""
    corpus, index = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("home") / "index"
    for name, text in {"harbour.md": DEMOLITION, "bakkerij.md": BAKERY, "empty.txt": ""}.items():
        (corpus / name).write_text(text, "utf-8")
    assert cli.main(["sync", "--corpus", str(corpus), "--index", str(index), "--json"]) == cli.FOUND
    return corpus, index


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, where: list[str]) -> Iterator[Scripted]:
    """A scripted model that the settings connect."""
    with Scripted() as server:
        for name, value in server.settings().items():
            monkeypatch.setenv(name, value)
        yield server


def language(server: Scripted, seconds: float = 20.0) -> dict[str, tuple[bool, str]]:
    """What is found of a language model, by name."""
    found = doctor.language_model("openai-like", url=server.url, model=NAME, key=KEY, seconds=seconds)
    return {finding.name: (finding.ok, finding.says) for finding in found}


# The archive


def test_an_archive_that_is_well_is_told_in_a_line_for_each_thing(
    where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", *where]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    archive = ["corpus", "index", "articles", "catalog", "vectors", "Chroma", "Tantivy"]
    machine = ["settings", "connections", "disk", "memory", "versions"]
    names = [*archive, "embedding model", "cross-encoder", *machine, "language model"]
    assert list(lines) == [f"ok     {name}" for name in names]
    assert f"{where[1]}, 3 files" in lines["ok     corpus"]
    assert re.search(r"2, in \d+ passages; 1 files were skipped", lines["ok     articles"])
    assert "384 numbers" in lines["ok     embedding model"]
    assert "ON_RECORD_LLM connects one" in lines["ok     language model"]


def test_json_holds_the_same(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json", *where]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {finding["name"]: finding["ok"] for finding in told["findings"]}["articles"] is True
    assert all(set(finding) == {"name", "ok", "says"} for finding in told["findings"])


def test_an_index_that_is_not_there_is_neither_wrong_nor_made(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", *where[:2], "--index", str(tmp_path / "new")]) == 0
    assert "not built yet" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("setting", "value", "name", "says"),
    [
        ("CORPUS", "nowhere", "corpus", "is not a folder; name one"),
        ("LLM", "openai-like", "language model", "ON_RECORD_LLM_URL is not set"),
        ("LLM", "gguf:none.gguf", "language model", "which is not a file"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do_and_ends_with_1(
    where: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: str,
    value: str,
    name: str,
    says: str,
) -> None:
    monkeypatch.setenv(f"ON_RECORD_{setting}", value)
    assert cli.main(["doctor", "--json", *(where[2:] if setting == "CORPUS" else where)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    (wrong,) = [finding for finding in told["findings"] if not finding["ok"]]
    assert wrong["name"] == name
    assert says in wrong["says"]


def test_an_index_of_another_version_is_told_with_the_command_that_mends_it(folders: tuple[Path, Path]) -> None:
    manifest = folders[1] / "manifest.json"
    before = manifest.read_text("utf-8")
    try:
        manifest.write_text(json.dumps({**json.loads(before), "dimension": 7}), "utf-8")
        (finding,) = doctor.index(folders[1], "bundled")
    finally:
        manifest.write_text(before, "utf-8")
    assert not finding.ok
    assert "sync --rebuild" in finding.says


# The language model


def test_a_model_that_does_well_is_told_with_its_times(
    model: Scripted, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model.script(lambda asked: Said(as_json((QUOTE, [1])), size=10, pause=0.02))
    assert cli.main(["doctor", *where]) == 0
    out = capsys.readouterr().out
    assert f"ok     language model: openai-like at {model.url}, key set, model {NAME}, time limit 60 s" in out
    assert re.search(r"reply: first piece after \d\.\d\d s, whole after \d\.\d\d s, \d+ pieces and \d+ characters", out)
    assert "ok     JSON schema: taken\n" in out
    assert "statements: 1 found, 1 supported" in out
    assert KEY not in out
    assert len(model.asked) == 1


def test_without_a_key_that_is_said(model: Scripted) -> None:
    found = list(doctor.language_model("openai-like", url=f"{model.url}?token=hidden", model=NAME, key="", seconds=5))
    assert "key not set" in found[0].says
    assert "hidden" not in " ".join(finding.says for finding in found)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (without_schema(f"{QUOTE} [1]"), "not taken"),
        (f"{QUOTE} [1]", "taken but not kept to"),
        (perfect, "taken"),
    ],
)
def test_whether_the_server_takes_a_schema_is_told(model: Scripted, script: Callable[[Asked], str], says: str) -> None:
    model.script(script)
    found = language(model)
    assert found["JSON schema"][1].startswith(says)
    assert found["statements"] == (True, "1 found, 1 supported by the quotation")


@pytest.mark.parametrize(
    ("script", "name", "says"),
    [
        (echo_key, "reply", "Incorrect API key"),
        (Failure(404, "no such model"), "reply", "no such model"),
        ("", "reply", "it is empty"),
        (Said(f"{QUOTE} [1]", cut=20), "reply", "after 20 characters"),
        ("Sure!", "statements", "none found in the reply (Sure!)"),
        ("The moon is made of green cheese since Tuesday. [1]", "statements", "none of them supported"),
    ],
    ids=["key", "404", "empty", "cut", "nothing", "untrue"],
)
def test_a_model_that_is_of_no_use_is_told_with_what_to_do(
    model: Scripted, script: str | Said | Failure, name: str, says: str
) -> None:
    model.script(script)
    found = language(model)
    ok, said = found[name]
    assert not ok
    assert says in said
    assert re.search("; (check that|take a)", said)
    assert KEY not in said
    assert list(found)[-1] == name


def test_a_model_that_is_too_slow_is_told_after_the_time_limit(model: Scripted) -> None:
    model.script(Silent())
    ok, said = language(model, 0.4)["reply"]
    assert not ok
    assert "did not finish within 0.4 s; take a smaller model, or raise ON_RECORD_LLM_TIMEOUT" in said


# Asking on the terminal

QUESTION = "Wat zei bakker Terhorst over de oven?"
TRUE, FALSE = "De oven is op en ik ben het ook", "Burgemeester Olvers kocht in 1987 negen ovens."


def told(asked: Asked) -> str:
    return as_json(*((quote, [number]) for number, quote in asked.quotations.items()), (FALSE, [1]))


def test_a_written_answer_names_who_wrote_it_and_shows_what_was_struck_on_demand(
    model: Scripted, where: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model.script(told)
    assert cli.main(["ask", QUESTION, *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert f"Written by {NAME}, checked against the quotations." in out
    assert "Eén bewering" in out
    assert FALSE not in out
    assert cli.main(["ask", QUESTION, "--debug", *where]) == cli.FOUND
    assert f"struck: {FALSE}" in capsys.readouterr().out


def test_struck_statements_are_crossed_out_where_colour_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    from rag.records import Answer, Statement
    from rag.terminal import Page

    page = Page()
    page.colour = True
    struck = (Statement("It rained.", (), supported=False, score=0.1),)
    page.answer(Answer("Q?", True, "It was dry. [1]", "en", 0.9, struck=struck), struck=True)
    assert "\x1b[9mIt rained. (0.10)\x1b[0m" in capsys.readouterr().out


def test_quotations_only_reach_no_model(model: Scripted, where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", QUESTION, "--quotes", *where]) == cli.FOUND
    out = capsys.readouterr().out
    assert TRUE in out
    assert "Written by" not in out
    assert not model.asked
