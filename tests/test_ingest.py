"""Syncing: the index follows the folder, and nothing old answers."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from embedded import what_is_embedded
from stories import HARBOUR

from rag import Assistant, corpus
from rag.embed import Vectors
from rag.errors import CorpusError, IndexLocked, IndexMismatch

ROOT = Path(__file__).resolve().parent.parent

LIBRARY = """---
title: Bibliotheek krijgt nieuwe vleugel
date: 2025-04-02
language: nl
source: Testkrant
---
De bibliotheek van Oudemeer krijgt een nieuwe vleugel met ruimte voor twintigduizend boeken.

Wethouder Pim Zandstra zei dat de bouw in het voorjaar begint en vier miljoen euro kost.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    (corpus / "library.md").write_text(LIBRARY, encoding="utf-8")
    return corpus


def counts(assistant: Assistant) -> tuple[int, int, int, int]:
    report = assistant.sync()
    return report.added, report.updated, report.removed, report.unchanged


def test_the_index_follows_the_folder(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assert counts(assistant) == (2, 0, 0, 0)
        assert counts(assistant) == (0, 0, 0, 2)
        answer = assistant.ask("How many ships waited outside the breakwater?")
        assert "forty ships" in answer.citations[0].quote

        (folder / "harbour.md").write_text(HARBOUR.replace("forty", "sixty"), encoding="utf-8")
        assert counts(assistant) == (0, 1, 0, 1)
        answer = assistant.ask("How many ships waited outside the breakwater?")
        assert "sixty ships" in answer.citations[0].quote
        assert all("forty" not in hit.passage.text for hit in assistant.search("forty ships", limit=50))

        (folder / "harbour.md").unlink()
        assert counts(assistant) == (0, 0, 1, 1)
        assert all("ships" not in hit.passage.text for hit in assistant.search("ships breakwater", limit=50))


def test_a_changed_headline_alone_is_an_update(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        (folder / "harbour.md").write_text(HARBOUR.replace("Harbour reopens", "Port opens"), encoding="utf-8")
        assert counts(assistant) == (0, 1, 0, 1)
        assert {article.title for article in assistant.articles()} >= {"Port opens"}


def test_a_bad_file_is_skipped_with_its_reason_and_the_others_go_on(folder: Path, tmp_path: Path) -> None:
    (folder / "empty.txt").write_text("", encoding="utf-8")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing of the kind")
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        report = assistant.sync()
        assert report.added == 2
        assert [path for path, _ in report.skipped] == ["broken.pdf", "empty.txt"]
        assert all(reason for _, reason in report.skipped)
        assert assistant.sync().skipped == report.skipped


def test_an_article_that_becomes_unreadable_no_longer_answers(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        (folder / "harbour.md").write_text("", encoding="utf-8")
        report = assistant.sync()
        assert (report.removed, len(report.skipped)) == (1, 1)
        assert len(assistant.articles()) == 1


def test_an_unchanged_archive_is_not_embedded_again(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        embedded = what_is_embedded(assistant)
        assert counts(assistant) == (0, 0, 0, 2)
        assert embedded == []


def test_what_the_folder_says_holds_for_files_that_say_nothing_else(folder: Path, tmp_path: Path) -> None:
    (folder / "plain.txt").write_text(HARBOUR.split("---")[2], encoding="utf-8")
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        (folder / "archive.yaml").write_text("source: The Folder\nsample: true\n", encoding="utf-8")
        assert counts(assistant) == (0, 3, 0, 0)
        sources = {article.path: (article.source, article.sample) for article in assistant.articles()}
        assert sources == {
            "harbour.md": ("Test Gazette", True),
            "library.md": ("Testkrant", True),
            "plain.txt": ("The Folder", True),
        }
        (folder / "archive.yaml").write_text("source: [", encoding="utf-8")
        with pytest.raises(CorpusError, match=r"archive\.yaml"):
            assistant.sync()


def test_an_empty_archive_answers_that_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        answer = assistant.ask("What did Kyncl say about licensing?")
        assert not answer.found
        assert "empty" in answer.text
        assert answer.nearest == ()


def test_a_corpus_that_is_no_folder_is_said(tmp_path: Path) -> None:
    with (
        Assistant(corpus=tmp_path / "nowhere", index=tmp_path / "index") as assistant,
        pytest.raises(CorpusError, match="not a folder"),
    ):
        assistant.sync()


def test_one_process_writes(folder: Path, tmp_path: Path) -> None:
    writer = "\n".join(
        [
            "import sys, time; from rag import Assistant",
            f"with Assistant(corpus={str(folder)!r}, index={str(tmp_path / 'index')!r}) as assistant:",
            "    assistant.sync(); print('ready', flush=True); sys.stdin.read()",
        ]
    )
    with subprocess.Popen(
        [sys.executable, "-c", writer], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "ready\n"
        with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
            assert assistant.ask("How many ships waited outside the breakwater?").found
            with pytest.raises(IndexLocked, match="another process"):
                assistant.sync()
        other.stdin.close()
        other.wait(30)
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assert counts(assistant) == (0, 0, 0, 2)


def test_another_model_is_refused_with_the_command_that_rebuilds(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
    manifest = tmp_path / "index" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "model": "another"}))
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        with pytest.raises(IndexMismatch, match="sync --rebuild"):
            assistant.ask("How many ships waited?")
        assert assistant.sync(rebuild=True).added == 2
        assert assistant.ask("How many ships waited outside the breakwater?").found


def test_lost_indexes_are_made_again_from_the_catalog(folder: Path, tmp_path: Path) -> None:
    import shutil

    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
    shutil.rmtree(tmp_path / "index" / "chroma")
    shutil.rmtree(tmp_path / "index" / "tantivy")
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        started = time.perf_counter()
        assert counts(assistant) == (0, 0, 0, 2)
        assert time.perf_counter() - started < 60
        assert assistant.ask("How many ships waited outside the breakwater?").found


def test_what_the_folder_says_of_its_files_is_not_said_of_uploads(folder: Path, tmp_path: Path) -> None:
    (folder / "archive.yaml").write_text("source: The Folder\nsample: true\n", encoding="utf-8")
    for place in ("uploads/plain.txt", "uploads-of-old/plain.txt"):
        (folder / place).parent.mkdir()
        (folder / place).write_text(f"{place}. {HARBOUR.split('---')[2]}", encoding="utf-8")
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        told = {article.path: (article.source, article.sample) for article in assistant.articles()}
        assert told["uploads/plain.txt"] == (None, False)
        assert told["uploads-of-old/plain.txt"] == ("The Folder", True)
        assert corpus.read(folder / "uploads/plain.txt", folder) == assistant.article(
            corpus.identifier("uploads/plain.txt")
        )


def test_a_file_that_goes_while_a_sync_runs_does_not_end_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = corpus.files
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        monkeypatch.setattr(corpus, "files", lambda root, failed: [*listed(root, failed), root / "gone.md"])
        assert counts(assistant) == (2, 0, 0, 0)
        assert assistant.skipped() == []
        (folder / "gone.md").mkdir()  # what is there and cannot be opened
        assert [path for path, _ in assistant.sync().skipped] == ["gone.md"]


def test_a_folder_that_cannot_be_listed_loses_no_article(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sub").mkdir()
    (folder / "harbour.md").rename(folder / "sub" / "harbour.md")
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        real = os.scandir

        def scandir(path: str) -> object:
            if Path(path).name == "sub":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        report = assistant.sync()
        assert (report.removed, report.unchanged) == (0, 2)
        assert report.skipped == (("sub/", "the folder cannot be read: Permission denied"),)
        assert assistant.ask("How many ships waited outside the breakwater?").found
        monkeypatch.undo()
        assert assistant.sync().skipped == ()


def test_an_article_answers_at_every_moment_while_it_is_replaced(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        done, missed, asked = threading.Event(), list[str](), 0

        def search() -> None:
            nonlocal asked
            while not done.is_set():
                hits = assistant.search("ships waited outside the breakwater", limit=5)
                if not any("ships had waited" in hit.passage.text for hit in hits):
                    missed.append(str(asked))
                asked += 1

        thread = threading.Thread(target=search)
        thread.start()
        for number in range(8):
            (folder / "harbour.md").write_text(HARBOUR.replace("forty", str(100 + number)), encoding="utf-8")
            assert counts(assistant) == (0, 1, 0, 1)
            assert "ships had waited" in assistant.search(f"{100 + number} ships waited")[0].passage.text
        done.set()
        thread.join()
        assert asked > 8
        assert missed == []
        catalog, index, _ = assistant._open()
        assert index.vectors_held() == index.words_held() == catalog.indexed()


def test_a_text_is_embedded_once_also_when_its_file_moves_or_grows(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        embedded = what_is_embedded(assistant)
        (folder / "moved").mkdir()
        for path in folder.glob("*.md"):
            path.rename(folder / "moved" / path.name)
        assert counts(assistant) == (2, 0, 2, 0)
        assert embedded == []
        with zipfile.ZipFile(folder / "all.zip", "w") as archive:
            for path in (folder / "moved").glob("*.md"):
                archive.write(path, path.name)
        assert counts(assistant) == (2, 0, 0, 2)
        assert embedded == []
        text = HARBOUR.rstrip() + "\n\nThe first ferry left at noon with eleven passengers on board.\n"
        (folder / "moved" / "harbour.md").write_text(text, encoding="utf-8")
        assert counts(assistant) == (0, 1, 0, 3)
        assert sum("ferry" in text for text in embedded) == len(embedded) == 2  # the passage that grew, the sentence
        (folder / "all.zip").unlink()
        assert counts(assistant) == (0, 0, 2, 2)


def test_a_changed_article_is_found_before_the_sync_is_over(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        embedder = assistant._open()[2]
        real, seen = embedder.embed_passages, list[bool]()

        def watched(texts: Sequence[str]) -> Vectors:
            seen.append(any("sixty" in hit.passage.text for hit in assistant.search("sixty ships waited")))
            return real(texts)

        embedder.embed_passages = watched  # type: ignore[method-assign]
        (folder / "harbour.md").write_text(HARBOUR.replace("forty", "sixty"), encoding="utf-8")
        (folder / "library.md").write_text(LIBRARY.replace("vier miljoen", "vijf miljoen"), encoding="utf-8")
        assert counts(assistant) == (0, 2, 0, 0)
        assert seen == [False, True]
