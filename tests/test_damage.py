"""What a crash, a full disk or an older version left behind: found at opening, told in a line, and mended."""

from __future__ import annotations

import hashlib
import logging
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from stories import HARBOUR

from rag import Assistant
from rag.catalog import StoredPassage
from rag.embed import BundledE5, Vectors
from rag.errors import ArchiveIndexError, IndexLocked
from rag.index import settle
from rag.records import Article, Passage, Sentence
from rag.stores import Stores

ROOT = Path(__file__).resolve().parent.parent
MANY = 1_100  # more passages than Chroma keeps unwritten
SHIPS = "How many ships waited outside the breakwater?"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one file, and an index that holds its article and very many made ones."""
    folder = tmp_path_factory.mktemp("damage")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        assistant.sync()
    stores = Stores(folder / "index", "bundled")
    noise = np.random.default_rng(3)
    with stores.writing() as (catalog, index, _):
        for language in ("nl", "en"):
            with catalog.transaction():
                for number in range(MANY):
                    text = f"Report {number} tells of quay {number} in {language}."
                    digest = hashlib.sha256(text.encode()).hexdigest()
                    name = f"{language}{number}"
                    article = Article(name, f"Quay {number}", text, f"{name}.md", digest, language=language)
                    vectors = noise.normal(size=(2, 384)).astype(np.float32)
                    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                    passage = Passage(article, 0, len(text), (Sentence(0, len(text), 0),))
                    catalog.put_article(article, [StoredPassage(f"{name}:0:x", passage, vectors)])
        settle(catalog, index)
    stores.close()
    return folder


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    """A copy of that index."""
    return Path(shutil.copytree(made / "index", tmp_path / "index"))


def without_pickle(index: Path) -> None:
    found = sorted(index.glob("chroma/*/index_metadata.pickle"))
    assert found
    for path in found:
        path.write_bytes(path.read_bytes()[:1000])


def without_segment(index: Path) -> None:
    segments = [path.parent for path in index.glob("chroma/*/index_metadata.pickle")]
    assert segments
    shutil.rmtree(segments[0])


def without_chroma(index: Path) -> None:
    shutil.rmtree(index / "chroma")


def chroma_of_garbage(index: Path) -> None:
    (index / "chroma" / "chroma.sqlite3").write_bytes(b"no database" * 1000)


def half_a_commit(index: Path) -> None:
    """Tantivy's segments lost their ends, as where a machine stopped before they were on the disk."""
    for path in (index / "tantivy").glob("*.store"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def half_a_meta(index: Path) -> None:
    path = index / "tantivy" / "meta.json"
    path.write_bytes(path.read_bytes()[:50])


def lost_texts(index: Path) -> None:
    shutil.rmtree(index / "tantivy")


@pytest.mark.parametrize(
    "damage",
    [without_pickle, without_segment, without_chroma, chroma_of_garbage, half_a_commit, half_a_meta, lost_texts],
)
def test_damage_is_found_at_opening_and_mended_without_embedding(
    made: Path,
    index: Path,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(index)

    def refuse(self: BundledE5, texts: Sequence[str]) -> Vectors:
        raise AssertionError(f"embedded again: {texts[0]}")

    monkeypatch.setattr(BundledE5, "embed_passages", refuse)
    with caplog.at_level(logging.WARNING), Assistant(corpus=made / "corpus", index=index) as assistant:
        assert "forty ships" in assistant.ask(SHIPS).citations[0].quote
        catalog, held, _ = assistant._open()
        assert held.vectors_held() == held.words_held() == catalog.indexed() == 2 * MANY + 1
        assert held.damaged(catalog.indexed(), catalog.samples()) == {}
    (told,) = [record.getMessage() for record in caplog.records if record.name.startswith("rag")]
    assert "damaged" in told
    assert "made again from the catalog" in told
    assert "\n" not in told


def test_a_catalog_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    corpus.mkdir()
    (corpus / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    (corpus / "empty.txt").write_text("", encoding="utf-8")
    with Assistant(corpus=corpus, index=index) as assistant:
        assistant.sync()
    old = sqlite3.connect(index / "catalog.sqlite3")
    old.executescript("""
        CREATE TABLE files_0 (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL, reason TEXT, repeated TEXT NOT NULL DEFAULT '');
        INSERT INTO files_0 SELECT f.path, f.sha256, size, mtime_ns, reason, repeated
            FROM files f JOIN parts p ON p.place = f.path;
        DROP TABLE files; ALTER TABLE files_0 RENAME TO files;
        DROP TABLE parts; DROP TABLE repeated; DROP TABLE recount; DROP TABLE versions; DROP TABLE spared;
        DROP TRIGGER passages_embedded; DROP TABLE embedded; DROP INDEX passages_language;
        PRAGMA user_version = 0;
    """)
    old.close()
    monkeypatch.setattr(BundledE5, "embed_passages", None)
    with Assistant(corpus=corpus, index=index) as assistant:
        assert "forty ships" in assistant.ask(SHIPS).citations[0].quote
        assert [path for path, _ in assistant.skipped()] == ["empty.txt"]
        report = assistant.sync()
        assert (report.added, report.updated, report.removed, report.unchanged) == (0, 0, 0, 1)


def test_a_catalog_of_a_newer_version_is_refused_and_left_alone(made: Path, index: Path) -> None:
    with sqlite3.connect(index / "catalog.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = hashlib.sha256((index / "catalog.sqlite3").read_bytes()).digest()
    with (
        Assistant(corpus=made / "corpus", index=index) as assistant,
        pytest.raises(ArchiveIndexError, match="newer On Record"),
    ):
        assistant.ask(SHIPS)
    assert hashlib.sha256((index / "catalog.sqlite3").read_bytes()).digest() == before


def test_a_full_disk_is_told_and_loses_nothing(made: Path, index: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(3):
        (corpus / f"{number}.md").write_text(HARBOUR.replace("Lindmouth", f"Port{number}"), encoding="utf-8")
    with Assistant(corpus=corpus, index=tmp_path / "new") as assistant:
        assistant.sync()
    for number in range(3, 15):
        (corpus / f"{number}.md").write_text(HARBOUR.replace("forty", str(number)), encoding="utf-8")
    script = (
        "import sys; from rag.cli import main\n"
        f"sys.exit(main(['sync', '--corpus', {str(corpus)!r}, '--index', {str(tmp_path / 'new')!r}]))"
    )

    def full() -> None:  # no file may grow beyond what the catalog has now, which is how a full disk looks to a writer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = (tmp_path / "new" / "catalog.sqlite3").stat().st_size + 40_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, preexec_fn=full, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "is full" in done.stderr
    assert "python -m rag sync" in done.stderr
    assert "Traceback" not in done.stderr
    with Assistant(corpus=corpus, index=tmp_path / "new") as assistant:
        assert {f"{number}.md" for number in range(3)} <= {article.path for article in assistant.articles()}
        assert assistant.ask(SHIPS).found
        assistant.sync()
        assert len(assistant.articles()) == 15


def process(corpus: Path, index: Path, then: str) -> subprocess.Popen[str]:
    script = (
        "import sys, time, random; from rag import Assistant; from rag.errors import IndexLocked\n"
        f"with Assistant(corpus={str(corpus)!r}, index={str(index)!r}) as assistant:\n{then}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_who_holds_the_lock_is_told_after_a_short_wait(made: Path, index: Path) -> None:
    hold = "    assistant.sync(); print('ready', flush=True); sys.stdin.read()"
    with process(made / "corpus", index, hold) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        began = time.monotonic()
        with (
            Assistant(corpus=made / "corpus", index=index) as assistant,
            pytest.raises(IndexLocked, match=rf"process {other.pid} on .* since .*\(python -c"),
        ):
            assistant.sync()
        assert 2 < time.monotonic() - began < 10
        other.communicate()


def test_a_writer_that_comes_while_another_ends_gets_its_turn(made: Path, index: Path) -> None:
    hold = "    assistant.sync(); print('ready', flush=True); time.sleep(1.5)"
    with process(made / "corpus", index, hold) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        with Assistant(corpus=made / "corpus", index=index) as assistant:
            assistant.sync()
        other.communicate()


def test_readers_of_other_processes_keep_answering_during_a_sync_and_see_what_it_brings(tmp_path: Path) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    corpus.mkdir()
    (corpus / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    with Assistant(corpus=corpus, index=index) as assistant:
        assistant.sync()
    work = """
    print('ready', flush=True)
    for number in range(4):
        sys.stdin.readline()
        print(assistant.sync().added, flush=True)
"""
    asked, failed, done = 0, list[str](), threading.Event()

    with process(corpus, index, work) as other, Assistant(corpus=corpus, index=index) as reader:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == "ready\n"

        def ask() -> None:
            nonlocal asked
            while not done.is_set():
                try:
                    if not any("forty ships" in item.quote for item in reader.ask(SHIPS).citations):
                        failed.append("not found")
                except Exception as error:
                    failed.append(repr(error))
                asked += 1

        thread = threading.Thread(target=ask)
        thread.start()
        for number in range(4):
            for which in range(3):
                name = f"Kirchtal{number}{which}"
                (corpus / f"{name}.md").write_text(HARBOUR.replace("Lindmouth", name), encoding="utf-8")
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "3\n"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            hits = reader.search("Did the harbour of Kirchtal32 reopen?")
            if any("Kirchtal32" in hit.passage.text for hit in hits):
                break
        done.set()
        thread.join()
        assert any("Kirchtal32" in hit.passage.text for hit in hits)
        assert failed == []
        assert asked > 10
        other.communicate()


def test_three_writers_at_once_do_no_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    corpus.mkdir()
    (corpus / "harbour.md").write_text(HARBOUR, encoding="utf-8")
    work = """
    sys.stdin.readline()
    for number in range(6):
        name = f"{random.randrange(10**9)}x{number}"
        text = (assistant.corpus / "harbour.md").read_text().replace("Lindmouth", f"Port{name}")
        (assistant.corpus / f"{name}.md").write_text(text)
        try:
            assistant.sync()
            assistant.close()
        except IndexLocked:
            print("locked", flush=True)
"""
    writers = [process(corpus, index, work) for _ in range(3)]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            writer.communicate(timeout=120)
        assert writer.returncode == 0
    with caplog.at_level(logging.WARNING), Assistant(corpus=corpus, index=index) as assistant:
        assistant.sync()
        assert len(assistant.articles()) == 19
        catalog, held, _ = assistant._open()
        assert held.vectors_held() == held.words_held() == catalog.indexed()
        assert assistant.ask(SHIPS).found
    assert not [record for record in caplog.records if "damaged" in record.getMessage()]
