"""An archive on a real Chroma server: several processes beside it, and one of them killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from chromas import Chroma
from loopback import ROOT, Served, fetch
from proxies import nginx

from rag import Assistant
from rag.catalog import Catalog
from rag.errors import ArchiveIndexError, IndexLocked, SettingsError, VectorsUnavailable
from rag.follow import following
from rag.remote import ChromaServer, collections, connect, disconnect, name_of
from rag.shared import Shared

PLACES = ("Lindmouth", "Oudemeer", "Havnsund", "Portegrise", "Calderwick", "Brinkhaven")


def story(place: str, ships: str = "forty") -> str:
    return (
        f"---\ntitle: {place} reopens\ndate: 2025-03-01\nlanguage: en\nsource: {place} Gazette\n---\n"
        f"The harbour of {place} reopened on Saturday after a storm had closed it for nine days.\n\n"
        f"Harbour master Greta Olvers of {place} said that {ships} ships had waited outside for a pilot.\n"
    )


def asked(assistant: Assistant, place: str = "Lindmouth") -> tuple[str, ...]:
    answer = assistant.ask(f"How many ships waited outside {place}?")
    return tuple(citation.quote for citation in answer.citations if citation.article.source == f"{place} Gazette")


def told(assistant: Assistant, place: str, ships: str) -> bool:
    return any(ships in quote for quote in asked(assistant, place))


def soon(what: Callable[[], object], seconds: float = 8.0) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def held(chroma: Chroma, name: str) -> int:
    """How many vectors of an archive the server holds."""
    client = connect(ChromaServer(chroma.url), 5)
    try:
        return sum(item.count() for item in collections(client, f"{name}-passages-"))
    finally:
        disconnect(client)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for place in PLACES:
        (corpus / f"{place}.md").write_text(story(place), encoding="utf-8")
    return corpus


@pytest.fixture
def chroma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chroma]:
    with Chroma(tmp_path / "chroma") as server:
        monkeypatch.setenv("ON_RECORD_CHROMA_URL", server.url)
        monkeypatch.setenv("ON_RECORD_RERANK_MODEL", "off")
        yield server


@contextmanager
def asking(*assistants: Assistant) -> Iterator[list[float]]:
    """Each is asked again and again until the end, and answers every time; the seconds of each answer."""
    seconds: list[float] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def ask(assistant: Assistant) -> None:
        try:
            while not done.is_set():
                begun = time.monotonic()
                assert told(assistant, "Calderwick", "forty")
                seconds.append(time.monotonic() - begun)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(item,), daemon=True) for item in assistants]
    for thread in threads:
        thread.start()
    try:
        yield seconds
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed, failed[0]


@contextmanager
def copies(tmp_path: Path, count: int) -> Iterator[list[Assistant]]:
    """Assistants that follow the archive, each with an index of its own."""
    with ExitStack() as stack:
        made = []
        for number in range(count):
            copy = stack.enter_context(Assistant(corpus=tmp_path / "none", index=tmp_path / f"copy-{number}"))
            copy.follow()
            stack.enter_context(following(copy.follow))
            made.append(copy)
        yield made


def test_a_server_gives_the_answers_that_a_folder_gives(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Assistant(corpus=corpus, index=tmp_path / "there") as there:
        there.sync()
        monkeypatch.delenv("ON_RECORD_CHROMA_URL")
        with Assistant(corpus=corpus, index=tmp_path / "here") as here:
            here.sync()
            assert not (tmp_path / "there" / "chroma").exists()
            for question in ("How many ships waited outside Oudemeer?", "Who is the harbour master?", "Who won?"):
                mine, theirs = here.ask(question).to_dict(), there.ask(question).to_dict()
                assert {**mine, "timings": 0} == {**theirs, "timings": 0}


def test_copies_answer_what_the_writer_publishes(chroma: Chroma, corpus: Path, tmp_path: Path) -> None:
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        with copies(tmp_path, 2) as followers:
            for copy in followers:
                assert copy.articles() == writer.articles()
                assert asked(copy) == asked(writer)
            (corpus / "Newport.md").write_text(story("Newport", "sixty"), encoding="utf-8")
            (corpus / "Oudemeer.md").write_text(story("Oudemeer", "ninety"), encoding="utf-8")
            (corpus / "Lindmouth.md").unlink()
            writer.sync()
            for copy in followers:

                def is_in_line(copy: Assistant = copy) -> bool:
                    return told(copy, "Newport", "sixty") and told(copy, "Oudemeer", "ninety") and not asked(copy)

                assert soon(is_in_line)
                assert copy.articles() == writer.articles()
            # A copy that comes later shows the earlier text as well.
            with Assistant(corpus=tmp_path / "none", index=tmp_path / "late") as late:
                late.follow()
                assert late.articles() == writer.articles()
                (changed,) = (item for item in late.articles() if item.path == "Oudemeer.md")
                earlier = late._open()[0].database.rows("SELECT text_sha256 FROM versions WHERE id = ?", (changed.id,))
                for assistant in (writer, late, *followers):
                    with assistant._stores.reading() as (catalog, _, _):
                        kept = catalog.article(changed.id, earlier[0][0][:12])
                        assert kept is not None
                        assert "forty" in kept.text
            with pytest.raises(SettingsError, match="never synced"):
                followers[0].sync()


def test_nobody_is_without_an_answer_while_the_archive_is_built_anew(
    chroma: Chroma, corpus: Path, tmp_path: Path
) -> None:
    with (
        Assistant(corpus=corpus, index=tmp_path / "index") as writer,
        ExitStack() as stack,
    ):
        writer.sync()
        (copy,) = stack.enter_context(copies(tmp_path, 1))
        with asking(copy) as seconds:
            (corpus / "Lindmouth.md").unlink()
            writer.sync(rebuild=True)
            assert soon(lambda: not asked(copy))
        assert len(seconds) > 5
        assert copy.articles() == writer.articles()


def test_every_question_is_answered_while_the_server_is_killed_and_started_again(
    chroma: Chroma,
    corpus: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rag.lease.BEAT", 1.0)
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        with copies(tmp_path, 1) as (copy,):
            with asking(writer, copy) as seconds:
                time.sleep(1)
                chroma.kill()
                time.sleep(1)
                shutil.rmtree(chroma.path)  # it comes back with an empty disk
                chroma.start()
                assert soon(lambda: held(chroma, "index") == len(PLACES), 20)
                (corpus / "Newport.md").write_text(story("Newport", "sixty"), encoding="utf-8")
                writer.sync()
                assert soon(lambda: told(copy, "Newport", "sixty"))
            assert len(seconds) > 20
            assert max(seconds) < 5
            nearest = copy._open()[1].nearest([1.0] + [0.0] * 383, "en", 3)
            assert len(nearest) == 3  # from the server, not from the catalog
    outages = [record for record in caplog.records if "the catalog is searched instead" in record.message]
    assert len(outages) == 2  # for each index one, however many questions


def test_a_server_that_hangs_holds_up_one_question_and_no_more(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.chroma._ASKING", 2.0)
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        with asking(writer) as seconds:
            time.sleep(0.5)
            chroma.pause()
            time.sleep(3.5)
            chroma.resume()
        assert sum(waited > 2.0 for waited in seconds) == 1
        assert len(seconds) > 10


def test_the_second_writer_is_told_who_writes(chroma: Chroma, corpus: Path, tmp_path: Path) -> None:
    with (
        Assistant(corpus=corpus, index=tmp_path / "one" / "archive") as first,
        Assistant(corpus=corpus, index=tmp_path / "two" / "archive") as second,
    ):
        first.sync()
        with pytest.raises(IndexLocked, match=r"process \d+ on .* since .*serve --follow"):
            second.sync()
        first.close()
        with pytest.raises(ArchiveIndexError, match="not of the index"):
            second.sync()
        second.sync(rebuild=True)  # takes its place
        assert told(second, "Lindmouth", "forty")
        with pytest.raises(IndexLocked):
            first.sync()


def test_who_writes_no_more_gives_way_and_learns_it(
    chroma: Chroma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ChromaServer(chroma.url, name="archive")
    first, second = (Shared(tmp_path / name, server, lambda: None) for name in ("one", "two"))
    first.take()
    with pytest.raises(IndexLocked):
        second.take()
    monkeypatch.setattr("rag.lease.STALE", 0.0)
    second.take()
    with pytest.raises(IndexLocked, match="has taken over"):
        first.check()
    first.release()  # which does not take it from the other
    second.check()
    second.release()


def test_a_process_started_again_need_not_wait_for_its_own_lease(chroma: Chroma, tmp_path: Path) -> None:
    server = ChromaServer(chroma.url, name="archive")
    killed = Shared(tmp_path / "one", server, lambda: None)
    killed.take()
    again = Shared(tmp_path / "one", server, lambda: None)
    again.take()
    again.release()
    killed.release()


def test_of_several_who_want_to_write_one_does(chroma: Chroma, tmp_path: Path) -> None:
    server = ChromaServer(chroma.url, name="archive")
    all_of_them = [Shared(tmp_path / str(number), server, lambda: None) for number in range(6)]
    took: list[Shared] = []

    def take(shared: Shared) -> None:
        try:
            shared.take()
            took.append(shared)
        except IndexLocked:
            pass

    threads = [threading.Thread(target=take, args=(shared,)) for shared in all_of_them]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 1
    took[0].release()


def test_a_proxy_before_the_server_sees_the_headers(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "nginx"
    state.mkdir()
    locations = (
        f"location / {{ if ($http_authorization != 'Bearer of-good-news') {{ return 401; }} "
        f"client_max_body_size 64m; proxy_pass {chroma.url}; }}"
    )
    with nginx(state, locations, "") as proxy:
        monkeypatch.setenv("SSL_CERT_FILE", str(state / "certificate.pem"))
        monkeypatch.setenv("ON_RECORD_CHROMA_URL", f"https://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ON_RECORD_CHROMA_HEADERS", "Authorization: Bearer of-good-news")
        with Assistant(corpus=corpus, index=tmp_path / "index") as right:
            right.sync()
            assert told(right, "Lindmouth", "forty")
        monkeypatch.setenv("ON_RECORD_CHROMA_HEADERS", "Authorization: Bearer wrong-tidings")
        with (
            Assistant(corpus=corpus, index=tmp_path / "other") as wrong,
            pytest.raises(ArchiveIndexError, match=r"refuses us \(401 .*ON_RECORD_CHROMA_HEADERS") as raised,
        ):
            wrong.sync()
        assert "wrong-tidings" not in str(raised.value)


def test_what_is_no_chroma_server_is_said_at_once(chroma: Chroma, corpus: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ArchiveIndexError, match="no Chroma server"):
        connect(ChromaServer(f"{chroma.url}/elsewhere"), 1)
    chroma.kill()
    with pytest.raises(VectorsUnavailable, match=r"cannot be reached .* ON_RECORD_CHROMA_URL"):
        connect(ChromaServer(chroma.url), 1)
    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant, pytest.raises(VectorsUnavailable):
        assistant.sync()
    assert time.monotonic() - begun < 10


def test_a_copy_is_made_only_of_what_is_there_and_in_a_folder_of_its_own(
    chroma: Chroma, corpus: Path, tmp_path: Path
) -> None:
    with Assistant(corpus=corpus, index=tmp_path / "copy") as copy:
        with pytest.raises(SettingsError, match="no archive"):
            copy.follow()
        with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
            writer.sync()
            with pytest.raises(SettingsError, match="holds index, expected other"):
                copy.follow("other")
            with pytest.raises(ArchiveIndexError, match="follows nobody"):
                writer.follow()


def test_a_folder_whose_name_chroma_would_refuse_has_another_there() -> None:
    assert name_of(Path("/x/corpus-1a2b3c4d")) == "corpus-1a2b3c4d"
    assert name_of(Path("/x/Mein Archiv")) != name_of(Path("/x/Mein.Archiv"))
    assert all(letter.isalnum() or letter in "._-" for letter in name_of(Path("/x/日本 !")))


def test_a_crash_between_noting_and_writing_publishes_all_the_same(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        (corpus / "Newport.md").write_text(story("Newport", "sixty"), encoding="utf-8")
        with monkeypatch.context() as crash:

            def fail(*_: object) -> None:
                raise KeyboardInterrupt

            crash.setattr(Shared, "_push", fail)
            with pytest.raises(KeyboardInterrupt):
                writer.sync()
        writer.sync()
        with copies(tmp_path, 1) as (copy,):
            assert told(copy, "Newport", "sixty")
            assert copy.articles() == writer.articles()
            catalog: Catalog = copy._open()[0]
            assert catalog.database.rows("SELECT max(number) FROM following") == [(len(PLACES) + 1,)]


def test_a_server_that_follows_answers_from_what_is_published(
    chroma: Chroma, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # away from any .env
    monkeypatch.setenv("ON_RECORD_HOME", str(tmp_path / "home"))
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        command = [sys.executable, "-m", "rag", "serve", "--follow", "index", "--port", "0", "--corpus", "none"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = next(line.split()[-1] for line in process.stdout if "http://" in line)
                server = Served("127.0.0.1", int(address.rstrip("/").rsplit(":", 1)[1]))
                assert fetch(server, "/readyz").status == 200
                (corpus / "Newport.md").write_text(story("Newport", "sixty"), encoding="utf-8")
                writer.sync()
                body = json.dumps({"question": "How many ships waited outside Newport?"}).encode()
                assert soon(lambda: "sixty" in fetch(server, "/api/ask", method="POST", body=body).text)
                assert (tmp_path / "home" / "copy-index" / "catalog.sqlite3").exists()
            finally:
                process.terminate()
