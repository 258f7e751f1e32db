"""Backups: taken while readers ask and a sync writes, restored as a whole or not at all, refused where not sound."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from embedded import what_is_embedded
from stories import BAKERY, CONTRACT, DEMOLITION, HARBOUR

from rag import Assistant, backup, cli
from rag.backup import BackupReport, back_up
from rag.embed import Vectors
from rag.errors import BackupError, IndexLocked
from rag.feedback import Feedback
from rag.manifest import unfinished
from rag.restore import RestoreReport, restore

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ("How many ships waited outside the breakwater?", "Wat zei bakker Joris Terhorst?", "Who is the mayor?")
Member = tuple[tarfile.TarInfo, bytes]


@dataclasses.dataclass(frozen=True)
class Place:
    """An archive's two folders."""

    corpus: Path
    index: Path

    def opened(self) -> Assistant:
        return Assistant(corpus=self.corpus, index=self.index)

    def back_up(self, file: Path, *, force: bool = False) -> BackupReport:
        return back_up(file, corpus=self.corpus, index=self.index, force=force)

    def restore(self, file: Path, *, force: bool = False) -> RestoreReport:
        return restore(file, corpus=self.corpus, index=self.index, model="bundled", force=force)


def place(folder: Path) -> Place:
    return Place(folder / "articles", folder / "home" / "index")


def aged(path: Path, text: str) -> Path:
    """A file written so long ago that nobody can still be writing to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    then = time.time_ns() - 3_600_000_000_123
    os.utime(path, ns=(then, then))
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An archive of three articles and a verdict, which no test changes."""
    made = place(tmp_path_factory.mktemp("original"))
    aged(made.corpus / "harbour.md", HARBOUR)
    aged(made.corpus / "sub" / "bakkerij.md", BAKERY)
    aged(made.corpus / "contract.md", CONTRACT)
    aged(made.corpus / "kept though no article.dat", "\0\1\2")
    with made.opened() as assistant:
        assistant.sync()
        assistant.add_feedback(Feedback.about(assistant.ask(QUESTIONS[0]), "up", note="Precisely."))
    return made


@pytest.fixture(scope="module")
def taken(original: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    file = tmp_path_factory.mktemp("taken") / "archive.tar.gz"
    original.back_up(file)
    return file


@pytest.fixture
def there(tmp_path: Path) -> Place:
    """Where to restore to: nothing is there yet."""
    return place(tmp_path / "there")


def answers(assistant: Assistant) -> list[dict[str, Any]]:
    return [{**assistant.ask(question).to_dict(), "timings": None} for question in QUESTIONS]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What comes back


def test_an_archive_comes_back_with_its_answers_and_verdicts_and_nothing_is_embedded_again(
    original: Place, taken: Path, there: Place
) -> None:
    report = there.restore(taken)
    assert (report.articles, report.feedback, report.note, report.finished, report.aside) == (3, 1, "", False, ())
    assert everything(there.corpus) == everything(original.corpus)
    for path in original.corpus.rglob("*.md"):
        assert (there.corpus / path.relative_to(original.corpus)).stat().st_mtime_ns == path.stat().st_mtime_ns
    with original.opened() as before, there.opened() as after:
        assert answers(after) == answers(before)
        assert answers(after)[0]["found"]
        assert after.feedback() == before.feedback()
        assert after.for_groups(()).size()[0] == 2
        embedded = what_is_embedded(after)
        report_of_sync = after.sync()
        assert (report_of_sync.unchanged, report_of_sync.added, report_of_sync.updated) == (3, 0, 0)
        assert embedded == []


def test_a_backup_taken_while_a_sync_writes_and_readers_ask_is_finished_by_the_next_sync(
    original: Place, there: Place, tmp_path: Path
) -> None:
    busy = place(tmp_path / "busy")
    shutil.copytree(original.corpus, busy.corpus)
    file, reports, asked = tmp_path / "archive.tar.gz", list[BackupReport](), list[bool]()
    with busy.opened() as assistant:
        assistant.sync()
        aged(busy.corpus / "crane.md", DEMOLITION)
        aged(busy.corpus / "harbour.md", HARBOUR.replace("forty", "sixty"))
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                asked.append(assistant.ask(QUESTIONS[1]).found)

        reader = threading.Thread(target=ask)
        reader.start()
        embedder = assistant._open()[2]
        real = embedder.embed_passages

        def embed(texts: Sequence[str]) -> Vectors:
            if not reports:  # the sync is in the middle of it
                reports.append(busy.back_up(file))
            return real(texts)

        embedder.embed_passages = embed  # type: ignore[method-assign]
        assistant.sync()
        over.set()
        reader.join()
        assert asked
        assert all(asked)
        assert (reports[0].articles, reports[0].files, reports[0].doubtful) == (3, 5, ())
        there.restore(file)
        with there.opened() as restored:
            assert "forty ships" in restored.ask(QUESTIONS[0]).citations[0].quote
            embedded = what_is_embedded(restored)
            report = restored.sync()
            assert (report.added, report.updated, report.unchanged) == (1, 1, 2)
            assert not any("Bakkerij" in text for text in embedded)
            assert answers(restored) == answers(assistant)


def test_common_tools_unpack_and_check_it(taken: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xzf", str(taken), "-C", str(tmp_path)], check=True)
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len([path for path in tmp_path.rglob("*") if path.is_file()]) - 1
    with sqlite3.connect(tmp_path / "index" / "catalog.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM articles").fetchone() == (3,)
    db.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_any_name_of_a_file_comes_back(original: Place, there: Place, tmp_path: Path) -> None:
    odd = place(tmp_path / "odd")
    names = [b"two\nlines.md", b"back\\slash.md", b" blank .md", b"\xff\xfe.md", b"x" * 240 + b".md", b".hidden/a"]
    for name in names:
        aged(odd.corpus / os.fsdecode(name), HARBOUR)
    shutil.copytree(original.index, odd.index)
    odd.back_up(tmp_path / "odd.tar.gz")
    there.restore(tmp_path / "odd.tar.gz")
    assert {os.fsencode(path.relative_to(there.corpus)) for path in there.corpus.rglob("*") if path.is_file()} == {
        *names
    }


def test_a_file_that_is_being_written_is_taken_when_it_is_whole(original: Place, tmp_path: Path) -> None:
    slow = place(tmp_path / "slow")
    slow.corpus.mkdir(parents=True)
    shutil.copytree(original.index, slow.index)
    (slow.corpus / "slow.md").write_text(HARBOUR[:100], "utf-8")

    def finish() -> None:
        time.sleep(0.4)
        (slow.corpus / "slow.md").write_text(HARBOUR, "utf-8")

    writer = threading.Thread(target=finish)
    writer.start()
    report = slow.back_up(tmp_path / "slow.tar.gz")
    writer.join()
    assert report.doubtful == ()
    assert dict(members(tmp_path / "slow.tar.gz"))["corpus/slow.md"] == HARBOUR.encode()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_told(original: Place, tmp_path: Path) -> None:
    other = place(tmp_path / "other")
    shutil.copytree(original.corpus, other.corpus)
    shutil.copytree(original.index, other.index)
    (other.corpus / "harbour.md").chmod(0)
    assert [path for path, _ in other.back_up(tmp_path / "a.tar.gz").doubtful] == ["harbour.md"]


def test_links_that_lead_out_of_the_corpus_are_not_followed(original: Place, tmp_path: Path) -> None:
    other = place(tmp_path / "other")
    shutil.copytree(original.corpus, other.corpus)
    shutil.copytree(original.index, other.index)
    (tmp_path / "secret.md").write_text("secret", "utf-8")
    (other.corpus / "out.md").symlink_to(tmp_path / "secret.md")
    (other.corpus / "in.md").symlink_to(other.corpus / "harbour.md")
    other.back_up(tmp_path / "a.tar.gz")
    held = dict(members(tmp_path / "a.tar.gz"))
    assert "corpus/out.md" not in held
    assert held["corpus/in.md"] == HARBOUR.encode()


# The file


def test_a_backup_that_is_there_is_kept_unless_forced(original: Place, tmp_path: Path) -> None:
    file = tmp_path / "archive.tar.gz"
    file.write_bytes(b"the one of yesterday")
    with pytest.raises(BackupError, match="add --force"):
        original.back_up(file)
    assert file.read_bytes() == b"the one of yesterday"
    assert original.back_up(file, force=True).size == file.stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["archive.tar.gz"]


def test_a_damaged_catalog_is_not_backed_up_over_a_sound_one(original: Place, taken: Path, tmp_path: Path) -> None:
    damaged = place(tmp_path / "damaged")
    shutil.copytree(original.corpus, damaged.corpus)
    shutil.copytree(original.index, damaged.index)
    catalog = damaged.index / "catalog.sqlite3"
    data = bytearray(catalog.read_bytes())
    data[4096 * 6 : 4096 * 9] = b"\xff" * 4096 * 3
    catalog.write_bytes(data)
    file = Path(shutil.copy(taken, tmp_path / "archive.tar.gz"))
    with pytest.raises(BackupError, match="no backup was taken"):
        damaged.back_up(file, force=True)
    assert file.read_bytes() == taken.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["archive.tar.gz"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no files")
def test_where_the_disk_takes_no_more_nothing_is_left(original: Place, taken: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(taken, tmp_path / "archive.tar.gz"))
    command = [sys.executable, "-m", "rag", "backup", str(file), "--force"]
    done = subprocess.run(
        [*command, "--corpus", str(original.corpus), "--index", str(original.index)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 2
    assert "an older one is left as it was" in done.stderr or "nothing is left of it" in done.stderr
    assert file.read_bytes() == taken.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["archive.tar.gz"]


def test_room_is_looked_for_before(
    original: Place, taken: Path, there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(BackupError, match="make room"):
        original.back_up(tmp_path / "archive.tar.gz")
    with pytest.raises(BackupError, match="MB left"):
        there.restore(taken)
    assert everything(tmp_path) == {}


def test_a_backup_inside_of_what_it_backs_up_is_refused(original: Place) -> None:
    for folder in (original.corpus, original.index):
        with pytest.raises(BackupError, match="inside of what it backs up"):
            original.back_up(folder / "archive.tar.gz")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_memory_does_not_grow_with_the_archive(original: Place, tmp_path: Path) -> None:
    large = place(tmp_path / "large")
    shutil.copytree(original.index, large.index)
    aged(large.corpus / "large.dat", "")
    with (large.corpus / "large.dat").open("wb") as file:
        file.truncate(150_000_000)
    os.utime(large.corpus / "large.dat", (1, 1))
    there = place(tmp_path / "there")
    code = f"""
import resource
from pathlib import Path
from rag.backup import back_up
from rag.restore import restore
from rag.embed import load
load("bundled")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
back_up(Path({str(tmp_path / "large.tar.gz")!r}), corpus=Path({str(large.corpus)!r}), index=Path({str(large.index)!r}))
restore(Path({str(tmp_path / "large.tar.gz")!r}), corpus=Path({str(there.corpus)!r}), index=Path({str(there.index)!r}),
        model="bundled")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (there.corpus / "large.dat").stat().st_size == 150_000_000
    assert int(done.stdout) * (1 if sys.platform == "darwin" else 1024) < 70_000_000


# What is refused


def members(file: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(file) as archive:
        for member in archive:
            held = archive.extractfile(member)
            assert held is not None
            yield member.name, held.read()


def rewritten(file: Path, new: Path, change: Callable[[list[Member]], object], *, resum: bool = True) -> Path:
    """A backup with other members, and with the checksums that these have."""
    with tarfile.open(file) as archive:
        held = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    sums = held.pop()
    change(held)
    if resum:
        listed = [backup.sum_line(member.name, hashlib.sha256(data).hexdigest()) for member, data in held]
        sums = (sums[0], b"".join(listed))
    with tarfile.open(new, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        for member, data in (*held, sums):
            if member.isreg():
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return new


def of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[list[Member]], object]:
    """Adds a member."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return lambda held: held.append((member, b""))


def head(**told: object) -> Callable[[list[Member]], object]:
    def change(held: list[Member]) -> None:
        member, data = held[0]
        held[0] = (member, json.dumps({**json.loads(data), **told}).encode())

    return change


def other_text(held: list[Member]) -> None:
    held[-1] = (held[-1][0], b"something else")


def other_catalog(held: list[Member]) -> None:
    held[2] = (held[2][0], b"this is no database, and never was one")


def newer_catalog(held: list[Member]) -> None:
    data = bytearray(held[2][1])
    data[60:64] = (999).to_bytes(4, "big")  # user_version, https://sqlite.org/fileformat.html#the_database_header
    held[2] = (held[2][0], bytes(data))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (of("/etc/passwd"), "lead elsewhere"),
        (of("corpus/../../outside.md"), "lead elsewhere"),
        (of("corpus//outside.md"), "lead elsewhere"),
        (of("elsewhere/outside.md"), "lead elsewhere"),
        (of("index/lock"), "lead elsewhere"),
        (of("corpus/link.md", tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (of("corpus/link.md", tarfile.LNKTYPE, "corpus/harbour.md"), "no plain file"),
        (of("corpus/device", tarfile.CHRTYPE), "no plain file"),
        (of("corpus/pipe", tarfile.FIFOTYPE), "no plain file"),
        (of("corpus/folder", tarfile.DIRTYPE), "no plain file"),
        (of("corpus/harbour.md"), "File exists"),
        (of("corpus/harbour.md/below.md"), "File exists"),
        (of("index/catalog.sqlite3"), "lead elsewhere"),
        (lambda held: held.pop(2), "ends too soon"),
        (lambda held: held.reverse(), "does not begin as a backup"),
        (head(format=2), "another version"),
        (head(bytes=10**18), "MB left"),
        (head(made=None), "does not begin as a backup"),
        (other_catalog, "its catalog cannot be used: file is not a database"),
        (newer_catalog, "newer On Record"),
    ],
)
def test_a_backup_that_could_do_harm_is_refused_with_nothing_touched(
    change: Callable[[list[Member]], object], says: str, taken: Path, there: Place, tmp_path: Path
) -> None:
    file = rewritten(taken, tmp_path / "hostile.tar.gz", change)
    aged(there.corpus / "mine.md", BAKERY)
    with pytest.raises(BackupError, match="nothing has been changed") as refused:
        there.restore(file, force=True)
    assert says in str(refused.value)
    assert set(everything(tmp_path)) == {"hostile.tar.gz", "there/articles/mine.md"}


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def without_end(data: bytes) -> bytes:
    whole = gzip.decompress(data)
    return gzip.compress(whole[: whole.rindex(b"././@PaxHeader")] + b"\0" * 1024, 1)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def of_old(_: bytes) -> bytes:
    """A header that asks to be read into memory in one piece: of 60 MB, in 60 kB."""
    large = tarfile.TarInfo("x")
    large.type, large.size = tarfile.XHDTYPE, 60_000_000
    return gzip.compress(large.tobuf() + b"\0" * large.size)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncated, "end"),
        (without_end, "ends too soon"),
        (flipped, ""),
        (lambda data: data + b"more", "Not a gzipped file"),
        (lambda data: data + gzip.compress(b"more"), "after its end"),
        (lambda data: b"", "empty file"),
        (lambda data: b"PK\3\4 something else entirely", "Not a gzipped file"),
        (of_old, "a header in it has 60,000,256 bytes"),
    ],
)
def test_a_damaged_backup_is_refused_with_nothing_touched(
    damage: Callable[[bytes], bytes], says: str, taken: Path, there: Place, tmp_path: Path
) -> None:
    file = tmp_path / "damaged.tar.gz"
    file.write_bytes(damage(taken.read_bytes()))
    with pytest.raises(BackupError, match="nothing has been changed") as refused:
        there.restore(file)
    assert says in str(refused.value)
    assert set(everything(tmp_path)) == {"damaged.tar.gz"}


def test_a_file_with_another_content_than_its_checksum_says_is_refused(
    taken: Path, there: Place, tmp_path: Path
) -> None:
    file = rewritten(taken, tmp_path / "changed.tar.gz", other_text, resum=False)
    with pytest.raises(BackupError, match="does not hold what its checksums say"):
        there.restore(file)
    assert not there.corpus.exists()


# Where it goes


def test_what_is_there_is_kept_under_another_name(original: Place, taken: Path, there: Place) -> None:
    aged(there.corpus / "mine.md", BAKERY)
    with there.opened() as assistant:
        assistant.sync()
    before = everything(there.corpus), (there.index / "catalog.sqlite3").read_bytes()
    with pytest.raises(BackupError, match=r"not empty.*--force"):
        there.restore(taken)
    assert (everything(there.corpus), (there.index / "catalog.sqlite3").read_bytes()) == before
    report = there.restore(taken, force=True)
    corpus, index = report.aside
    assert (everything(corpus), (index / "catalog.sqlite3").read_bytes()) == before
    with there.opened() as assistant:
        assert assistant.size()[0] == 3


def test_an_index_that_somebody_writes_to_is_left_alone(taken: Path, there: Place) -> None:
    aged(there.corpus / "mine.md", BAKERY)
    with there.opened() as assistant:
        assistant.sync()
        with pytest.raises(IndexLocked, match="stop it, then restore"):
            there.restore(taken, force=True)
        assert assistant.size()[0] == 1


def test_a_backup_of_another_model_says_so(taken: Path, there: Place, tmp_path: Path) -> None:
    def change(held: list[Member]) -> None:
        held[1] = (held[1][0], json.dumps({**json.loads(held[1][1]), "model": "another"}).encode())

    report = there.restore(rewritten(taken, tmp_path / "other.tar.gz", change))
    assert "built with model another" in report.note
    assert "sync --rebuild" in report.note
    with there.opened() as assistant:
        assert assistant.sync(rebuild=True).added == 3
        assert len(assistant.feedback()) == 1


def test_the_journal_on_a_chroma_server_stays_that_of_the_archive(
    original: Place, there: Place, tmp_path: Path
) -> None:
    other = place(tmp_path / "other")
    shutil.copytree(original.corpus, other.corpus)
    shutil.copytree(original.index, other.index)
    with contextlib.closing(sqlite3.connect(other.index / "catalog.sqlite3")) as db, db:
        db.execute("CREATE TABLE publishing (epoch TEXT NOT NULL, head INTEGER NOT NULL)")
        db.execute("INSERT INTO publishing VALUES ('the epoch', 7)")
    (other.index / "shared.json").write_text('{"holder": "the old folder", "epoch": "the epoch"}', "utf-8")
    other.back_up(tmp_path / "archive.tar.gz")
    there.restore(tmp_path / "archive.tar.gz")
    noted = json.loads((there.index / "shared.json").read_text("utf-8"))
    assert noted["epoch"] == "the epoch"
    assert noted["holder"] != "the old folder"


def test_a_place_where_a_disk_is_mounted_is_told(taken: Path, there: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    there.corpus.mkdir(parents=True)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == there.corpus)
    with pytest.raises(BackupError, match="disk is mounted"):
        there.restore(taken)


# Killed in the middle

KILLED = """
import os, signal, sys
from pathlib import Path
from rag import backup, restore

left = int(sys.argv[1])
def deadly(real):
    def done(*args, **options):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*args, **options)
    return done

Path.rename, Path.unlink, Path.replace = deadly(Path.rename), deadly(Path.unlink), deadly(Path.replace)
restore._put = deadly(restore._put)
restore.restore(Path(sys.argv[2]), corpus=Path(sys.argv[3]), index=Path(sys.argv[4]), model="bundled", force=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_restore_that_is_killed_leaves_the_old_archive_or_is_finished(taken: Path, tmp_path: Path) -> None:
    seen = set[str]()
    for step in (0, 4, *range(8, 40)):  # while it unpacks, then at each step after
        there = place(tmp_path / str(step))
        aged(there.corpus / "mine.md", BAKERY)
        there.index.mkdir(parents=True)
        (there.index / "manifest.json").write_text("{}", "utf-8")
        command = [sys.executable, "-c", KILLED, str(step), str(taken), str(there.corpus), str(there.index)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        cut_off = unfinished(there.index)
        if not cut_off and not (there.index / "catalog.sqlite3").exists():
            seen.add("old")
            assert set(everything(there.corpus)) == {"mine.md"}
            assert (there.index / "manifest.json").read_text("utf-8") == "{}"
            report = there.restore(taken, force=True)
        elif cut_off:
            seen.add("between")
            report = there.restore(taken)
            assert report.finished
        else:
            seen.add("new")
            continue
        assert report.articles == 3
        assert set(everything(report.aside[0])) == {"mine.md"}
        assert "harbour.md" in everything(there.corpus)
        assert {path.name for path in there.index.parent.iterdir()} == {"index", report.aside[1].name}
        assert {path.name for path in there.index.iterdir()} == {"catalog.sqlite3", "manifest.json"}
    assert done.returncode == 0
    assert seen == {"old", "between", "new"}


# The commands


def test_the_commands_say_what_they_did(
    original: Place, there: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "archive.tar.gz")
    assert cli.main(["backup", file, "--corpus", str(original.corpus), "--index", str(original.index)]) == 0
    assert "3 articles in 4 files, 1 verdicts of readers: backed up to" in capsys.readouterr().out
    where = ["--corpus", str(there.corpus), "--index", str(there.index)]
    assert cli.main(["restore", file, *where]) == 0
    assert f"restored to {there.corpus} and {there.index}" in capsys.readouterr().out
    assert cli.main(["restore", file, *where]) == 2
    assert "add --force" in capsys.readouterr().err
    assert cli.main(["restore", file, *where, "--force", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["aside"]) == 2
    assert cli.main(["backup", file, *where]) == 2
    assert cli.main(["backup", file, *where, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["articles"] == 3
    assert cli.main(["backup", file, "--force", "--corpus", str(tmp_path), "--index", str(tmp_path / "none")]) == 2
    assert "there is no index" in capsys.readouterr().err
