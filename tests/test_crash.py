"""A process that syncs is killed at any moment: what was acknowledged answers, what was removed does not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chromas import Chroma

from rag import Assistant
from rag.errors import IndexMismatch

ROOT = Path(__file__).resolve().parent.parent
KILLS, ON_A_SERVER = 50, 12
PLACES = "Lindmouth Oudemeer Portwick Neuhafen Zandvoorde Kirchtal Brackwell Veenhuizen".split()


def story(place: str, ships: int) -> str:
    return (
        f"---\ntitle: {place} reopens\ndate: 2025-03-01\nlanguage: en\nsource: Test Gazette\n---\n"
        f"The harbour of {place} reopened on Saturday after a storm had closed it for nine days.\n\n"
        f"Harbour master Greta Olvers said in {place} that {ships} ships had waited outside the breakwater.\n"
    )


class Victims:
    """Starts syncs and kills them."""

    def __init__(self, corpus: Path, index: Path) -> None:
        self.corpus, self.index = corpus, index
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "victims.py")],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def sync(self, *, rebuild: bool = False, kill_after: float | None = None) -> int | None:
        """Run one sync, killed after so many seconds; its exit code, None where it was killed before its end."""
        assert self._process.stdin is not None
        wanted = {"corpus": str(self.corpus), "index": str(self.index), "rebuild": rebuild}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        pid = int(self._line())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = int(self._line())
        return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def close(self) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Victims]:
    (tmp_path / "corpus").mkdir()
    found = Victims(tmp_path / "corpus", tmp_path / "index")
    yield found
    found.close()


@pytest.fixture(params=[KILLS, ON_A_SERVER], ids=["in a folder", "on a Chroma server"])
def kills(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many; the vectors are in the index's folder, or on a server."""
    if request.param == KILLS:
        yield KILLS
        return
    with Chroma(tmp_path / "chroma") as server:
        monkeypatch.setenv("ON_RECORD_CHROMA_URL", server.url)
        yield ON_A_SERVER


def told(assistant: Assistant) -> dict[str, str]:
    """The texts of all articles, by file; each is found by a search for its words, and no other one is."""
    texts = {article.path: article.text for article in assistant.articles()}
    for path, text in texts.items():
        hits = assistant.search(f"What did the harbour master say in {path.removesuffix('.md')}?", limit=40)
        assert any(hit.passage.article.path == path for hit in hits), f"{path} is not found"
        assert all(hit.passage.article.text == texts[hit.passage.article.path] for hit in hits)
        assert text
    catalog, index, _ = assistant._open()
    assert index.vectors_held() == index.words_held() == catalog.indexed()
    return texts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_nothing_is_lost_when_a_sync_is_killed_at_any_moment(kills: int, victims: Victims) -> None:
    choice = random.Random()
    taken = {"first": 1.0, "update": 1.0, "removal": 1.0, "another model": 1.0}  # seconds
    killed = dict.fromkeys(taken, 0)
    serial = 0
    while sum(killed.values()) < kills:
        kind = min(killed, key=lambda name: (killed[name], choice.random()))
        files = {path.name: path for path in victims.corpus.iterdir()}
        with Assistant(corpus=victims.corpus, index=victims.index) as assistant:
            before = told(assistant) if victims.index.exists() else {}
        if kind == "first":
            for path in files.values():
                path.unlink()
            if kills == KILLS:
                shutil.rmtree(victims.index, ignore_errors=True)
            before, files = {}, {}
        serial += 1
        wanted = {f"{place}.md" for place in choice.sample(PLACES, 5)}
        if kind == "removal":
            gone = choice.sample(sorted(files), min(len(files), 3))
            for name in gone:
                files.pop(name).unlink()
        else:
            for name in wanted if kind != "another model" else ():
                (victims.corpus / name).write_text(story(name.removesuffix(".md"), 100 + serial), encoding="utf-8")
        if kind == "another model":
            manifest = victims.index / "manifest.json"
            if manifest.exists():
                manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "model": "another"}))
        began = time.monotonic()
        anew = kind == "another model" or (kind == "first" and victims.index.exists())
        ended = victims.sync(rebuild=anew, kill_after=choice.uniform(0, 1.1 * taken[kind]))
        if ended is None:
            killed[kind] += 1
        else:
            assert ended == 0
            taken[kind] = (taken[kind] + time.monotonic() - began) / 2
        now = {path.name: path.read_text(encoding="utf-8") for path in victims.corpus.iterdir()}
        with Assistant(corpus=victims.corpus, index=victims.index) as assistant:
            try:
                after = told(assistant)
            except IndexMismatch:  # killed before anything of the old index was given up
                assert anew
                assistant.sync(rebuild=True)
                after = told(assistant)
            # What an earlier sync acknowledged and this one was not to touch is there, word for word.
            if kind in ("update", "removal"):
                assert {name: text for name, text in before.items() if name in now and name not in wanted}.items() <= (
                    after.items()
                )
            # What is there is what it was, or what it is to be.
            for name, text in after.items():
                assert text == before.get(name) or text in now.get(name, "")
            assistant.sync()
            assert told(assistant).keys() == now.keys()
            assert all(text in now[name] for name, text in told(assistant).items())
            report = assistant.sync()
            assert (report.added, report.updated, report.removed, report.unchanged) == (0, 0, 0, len(now))
