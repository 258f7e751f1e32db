"""Syncing while people ask, in one process: nobody is cut off, nothing that is gone answers."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from rag import Answer, Assistant
from rag.embed import BundledE5, load

SHIPS = "How many ships waited outside the breakwater?"


def story(place: str, ships: str = "forty") -> str:
    return (
        f"---\ntitle: {place} reopens\ndate: 2025-03-01\nlanguage: en\nsource: Test Gazette\n---\n"
        f"The harbour of {place} reopened on Saturday after a storm had closed it for nine days.\n\n"
        f"Harbour master Greta Olvers said that {ships} ships had waited outside the breakwater for a pilot.\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for place in ("Lindmouth", "Oudemeer"):
        (corpus / f"{place}.md").write_text(story(place), encoding="utf-8")
    return corpus


@pytest.fixture
def assistant(folder: Path, tmp_path: Path) -> Iterator[Assistant]:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        assistant.sync()
        yield assistant


@contextmanager
def meanwhile(*works: Callable[[], object]) -> Iterator[list[int]]:
    """Each in a thread of its own, again and again, until the end; what they raise is raised there. Counts them."""
    done, failed, counts = threading.Event(), list[BaseException](), [0] * len(works)

    def repeat(which: int, work: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                work()
                counts[which] += 1
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=repeat, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        done.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


def test_articles_come_change_and_go_while_people_ask(assistant: Assistant, folder: Path) -> None:
    gone: set[str] = set()  # texts that a finished sync has removed
    serial = itertools.count()
    stale: list[str] = []

    def check(ask: Callable[[], list[str]]) -> Callable[[], None]:
        def work() -> None:
            before = set(gone)
            stale.extend(text for text in ask() if text in before)

        return work

    with meanwhile(
        check(lambda: [citation.article.text for citation in assistant.ask(SHIPS).citations]),
        check(lambda: [hit.passage.article.text for hit in assistant.search("ships breakwater", limit=50)]),
        check(lambda: [hit.passage.article.text for hit in assistant.search("ships", sources=["Test Gazette"])]),
        check(lambda: [article.text for article in assistant.articles()]),
    ) as counts:
        choice = random.Random(1)
        for _ in range(8):
            held = {article.text for article in assistant.articles()}
            for path in choice.sample(sorted(folder.glob("*.md")), choice.randrange(2)):
                path.unlink()
            for place in choice.sample(["Lindmouth", "Oudemeer", "Portwick", "Neuhafen"], 2):
                (folder / f"{place}.md").write_text(story(place, f"ship number {next(serial)} of the"), "utf-8")
            assistant.sync()
            gone |= held - {article.text for article in assistant.articles()}
    assert min(counts) >= 3
    assert len(gone) > 6
    assert stale == []
    assert len(assistant.articles()) == len(list(folder.glob("*.md")))
    catalog, index, _ = assistant._open()
    assert index.vectors_held() == index.words_held() == catalog.indexed()


def test_two_syncs_at_once_take_turns(assistant: Assistant, folder: Path) -> None:
    for number in range(4):
        (folder / f"{number}.md").write_text(story(f"Port{number}"), encoding="utf-8")
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(assistant.sync())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.added for report in reports) == [0, 0, 4]
    assert len(assistant.articles()) == 6


def test_what_is_removed_between_the_hits_and_the_answer_does_not_answer(assistant: Assistant, folder: Path) -> None:
    steps = assistant.stream(SHIPS)
    assert next(steps).kind == "hits"
    (folder / "Lindmouth.md").unlink()
    assistant.sync()
    answer = list(steps)[-1].data
    assert isinstance(answer, Answer)
    assert {citation.article.path for citation in answer.citations} == {"Oudemeer.md"}
    assert all("Lindmouth" not in article.title for citation in answer.citations for article in citation.also_in)


def test_opening_for_writing_building_anew_and_closing_wait_for_who_reads(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as builder:
        builder.sync()
    assistant = Assistant(corpus=folder, index=tmp_path / "index")

    def ask() -> None:
        assert "forty ships" in assistant.ask(SHIPS).citations[0].quote

    with meanwhile(ask, ask):  # an archive that is built anew is not asked before it stands
        for change in (assistant.sync, assistant.close, assistant.sync, lambda: assistant.sync(rebuild=True)):
            change()
            time.sleep(0.1)
    assistant.close()


def test_a_lock_that_one_thread_took_another_gives_back(folder: Path, tmp_path: Path) -> None:
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        thread = threading.Thread(target=assistant.sync)
        thread.start()
        thread.join()
        with pytest.raises(Timeout):
            FileLock(tmp_path / "index" / "lock", timeout=0).acquire()
    with FileLock(tmp_path / "index" / "lock", timeout=0):
        pass


def test_a_question_comes_between_the_passages_of_a_long_article() -> None:
    embedder = load()
    if not isinstance(embedder, BundledE5):
        pytest.skip("the bundled model is not available here")
    texts = ["The harbour reopened after a storm had closed it for nine days. " * 3] * 40
    started = time.perf_counter()
    embedder.embed_passages(texts[:8])
    some = time.perf_counter() - started
    ended: list[float] = []

    def embed() -> None:
        embedder.embed_passages(texts)
        ended.append(time.perf_counter())

    thread = threading.Thread(target=embed)
    thread.start()
    time.sleep(some / 4)
    waits = []
    for _ in range(3):
        started = time.perf_counter()
        embedder.embed_queries([SHIPS])
        waits.append(time.perf_counter() - started)
    assert not ended
    thread.join()
    assert max(waits) < 2 * some
