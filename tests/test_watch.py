"""The folder is followed while people ask: what is saved is there, what is being saved is left alone."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import ROOT, Served, Server, fetch
from stories import BAKERY, DEMOLITION, HARBOUR

from rag import Assistant
from rag.errors import IndexLocked
from rag.watch import REST, matters, watching

SHIPS = "How many ships waited outside the breakwater?"
PAUSE = 0.3  # seconds in the middle of saving a file
HALVES = HARBOUR[: HARBOUR.index("Harbour master")], HARBOUR[HARBOUR.index("Harbour master") :]


def soon(holds: Callable[[], bool], seconds: float = 15.0) -> float:
    """Waits until it holds; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began


class Counted:
    """A sync that counts how often it was called, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails: Exception | None = None

    def __call__(self) -> None:
        self.calls += 1
        if self.fails:
            raise self.fails

    def quiet(self) -> None:
        """Waits for the sync at the beginning."""
        soon(lambda: self.calls > 0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ever, only faster."""
    monkeypatch.setattr("rag.watch.REST", PAUSE * 2)
    monkeypatch.setattr("rag.watch.AGAIN", 0.2)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Assistant]:
    """An archive of one article whose folder is followed."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "crane.md").write_text(DEMOLITION, "utf-8")
    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant:
        assistant.sync()
        with watching(assistant.corpus, assistant.sync):
            yield assistant


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "folder"
    found.mkdir()
    return found


def titles(assistant: Assistant) -> set[str]:
    return {article.title for article in assistant.find_articles()[0]}


def test_a_file_is_added_edited_renamed_and_removed_while_the_server_answers(archive: Assistant) -> None:
    corpus = archive.corpus
    with Server(archive) as served:
        (corpus / "harbour.md").write_text(HARBOUR, "utf-8")
        soon(lambda: "forty ships" in asked(served))
        (corpus / "harbour.md").write_text(HARBOUR.replace("forty", "sixty"), "utf-8")
        soon(lambda: "sixty ships" in asked(served))
        (corpus / "harbour.md").rename(corpus / "port.md")
        soon(lambda: {item.path for item in archive.find_articles()[0]} == {"crane.md", "port.md"})
        (corpus / "port.md").unlink()
        soon(lambda: '"found":false' in asked(served))


def asked(served: Served) -> str:
    return fetch(served, "/api/ask", method="POST", body=f'{{"question": "{SHIPS}"}}'.encode()).text


def in_place(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:  # which also empties what was there
        for half in HALVES:
            file.write(half)
            file.flush()
            time.sleep(PAUSE)


def closed_between(path: Path) -> None:
    path.write_text(HALVES[0], "utf-8")
    time.sleep(PAUSE)
    with path.open("a", encoding="utf-8") as file:
        file.write(HALVES[1])


def put_in_place(path: Path) -> None:
    aside = path.with_suffix(".tmp")
    in_place(aside)
    aside.replace(path)


@pytest.mark.parametrize(("save", "there"), [(in_place, True), (closed_between, False), (put_in_place, True)])
def test_a_file_that_is_saved_in_two_steps_is_never_read_half(
    archive: Assistant, save: Callable[[Path], None], there: bool
) -> None:
    path = archive.corpus / "harbour.md"
    if there:
        path.write_text(HARBOUR.replace("forty", "sixty"), "utf-8")
        soon(lambda: len(titles(archive)) == 2)
    seen: set[str] = set()

    def texts() -> set[str]:
        return {item.text for item in archive.find_articles("Harbour reopens")[0]}

    before = texts()
    with ticking(lambda: seen.update(texts())):
        save(path)
        soon(lambda: any("forty ships" in text for text in texts()))
        time.sleep(0.3)
    assert all("ships had waited" in text for text in seen)
    assert len(seen) == len(before) + 1


@contextlib.contextmanager
def ticking(look: Callable[[], object]) -> Iterator[None]:
    """Looks again and again in a thread of its own until the `with` ends."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(0.02):
            look()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_many_files_at_once_and_a_folder_that_is_moved_are_one_change(archive: Assistant, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    for number in range(20):
        story = HARBOUR.replace("Lindmouth", f"Port {number}").replace("Harbour reopens", f"Port {number} reopens")
        (aside / f"{number}.md").write_text(story, "utf-8")
    aside.rename(archive.corpus / "2025.03")
    with ticking(lambda: archive.search("ships")):
        soon(lambda: len(titles(archive)) == 21)
    (archive.corpus / "2025.03").rename(aside)
    soon(lambda: len(titles(archive)) == 1)


def test_a_pause_of_a_second_is_none_and_what_is_written_is_there_within_two(
    archive: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REST > 1
    monkeypatch.setattr("rag.watch.REST", REST)
    archive.search("bakkerij")
    time.sleep(REST)  # the sync at the beginning is over
    (archive.corpus / "bakery.md").write_text(BAKERY, "utf-8")
    assert soon(lambda: "Bakkerij sluit na een eeuw" in titles(archive)) < 2.0


def test_files_that_never_rest_are_synced_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.watch.LONGEST", 1.5)
    sync = Counted()
    with watching(folder, sync):
        sync.quiet()
        until = time.monotonic() + 2.2
        while time.monotonic() < until:
            with (folder / "log.txt").open("a", encoding="utf-8") as file:
                file.write("One more line.\n")
            time.sleep(0.2)
        assert sync.calls == 2
        soon(lambda: sync.calls == 3)  # and once more when they do


def test_what_editors_leave_behind_wakes_nobody(folder: Path) -> None:
    (folder / ".git").mkdir()
    sync = Counted()
    with watching(folder, sync):
        sync.quiet()
        for name in (".a.md.swp", "a.md~", "~$a.docx", "#a.md#", ".#a.md", ".git/b.md", "a.tmp", "a.jpg"):
            (folder / name).write_text("x", "utf-8")
        time.sleep(PAUSE * 3)
        assert sync.calls == 1
        (folder / "a.md").write_text("x", "utf-8")
        soon(lambda: sync.calls == 2)


def test_a_change_matters_where_an_article_may_change() -> None:
    root = Path("/corpus")
    assert all(matters(root, root / name) for name in ("a.md", "b/c.PDF", "archive.yaml", "gone", "gone.folder"))
    assert not any(matters(root, root / name) for name in (".a.md", ".git/a.md", "a.md~", "~$a.docx", "#a.md#"))


def test_a_sync_that_fails_is_told_once_and_tried_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sync = Counted()
    sync.fails = IndexLocked("another process is writing")
    with watching(folder, sync), caplog.at_level(logging.WARNING):
        soon(lambda: sync.calls == 3)
        assert [record.getMessage().count("another process is writing") for record in caplog.records] == [1]
        sync.fails = None
        soon(lambda: sync.calls == 4)
        time.sleep(PAUSE * 3)
        assert sync.calls == 4


def test_a_folder_that_goes_and_comes_back_is_followed_again(
    archive: Assistant, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        archive.corpus.rename(tmp_path / "elsewhere")
        soon(lambda: len(caplog.records) == 1)
        assert len(titles(archive)) == 1  # what was there still answers
        (tmp_path / "elsewhere" / "bakery.md").write_text(BAKERY, "utf-8")
        shutil.copytree(tmp_path / "elsewhere", archive.corpus)
        soon(lambda: len(titles(archive)) == 2)
    (archive.corpus / "harbour.md").write_text(HARBOUR, "utf-8")
    soon(lambda: len(titles(archive)) == 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_no_empty_one(archive: Assistant, caplog: pytest.LogCaptureFixture) -> None:
    archive.corpus.chmod(0)
    try:
        with caplog.at_level(logging.WARNING):
            soon(lambda: "Permission denied" in caplog.text)
        assert len(titles(archive)) == 1
    finally:
        archive.corpus.chmod(0o700)


def test_the_server_follows_its_folder_from_the_command_line_and_ends_with_it(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "crane.md").write_text(DEMOLITION, "utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ON_RECORD_", "COV"))},
        "ON_RECORD_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, "-m", "rag", "serve", "--corpus", str(corpus), "--port", "0", "--watch"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found is not None, line
            served = Served("127.0.0.1", int(found[1]))
            (corpus / "harbour.md").write_text(HARBOUR, "utf-8")
            soon(lambda: "Harbour reopens" in fetch(served, "/api/articles").text)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
    assert process.returncode == 0
