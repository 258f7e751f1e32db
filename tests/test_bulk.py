"""The other process that embeds a lot: its vectors are the engine's, and no accident of it loses any."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rag import corpus
from rag.bulk import BulkEmbedder, worth_it
from rag.embed import BundledE5, Embedder, Vectors
from rag.errors import SettingsError
from rag.split import passages

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def engine() -> BundledE5:
    return BundledE5()


@pytest.fixture(scope="module")
def bulk(engine: BundledE5) -> Iterator[BulkEmbedder]:
    with BulkEmbedder(engine) as embedder:
        yield embedder


def texts(language: str, count: int) -> list[str]:
    """Passages in their context and sentences of the starter corpus, in turn."""
    found = []
    for path in sorted((ROOT / "corpus").glob(f"{language}-*")):
        article = corpus.read(path, ROOT / "corpus")
        for passage in passages(article)[1:3]:
            found.append(f"{passage.context}\n{passage.text}")
            found += [article.text[sentence.start : sentence.end] for sentence in passage.sentences[:3]]
    return found[:count]


def children(of: int) -> list[int]:
    """The processes that embed for this one."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines() if line.endswith("-m rag.bulk")]
    return [int(pid) for pid, parent, _ in rows if int(parent) == of]


@pytest.mark.parametrize("language", ["nl", "de", "en"])
def test_its_vectors_are_the_engine_s(bulk: BulkEmbedder, engine: BundledE5, language: str) -> None:
    given = texts(language, 16)
    assert len(given) == 16
    found = bulk.embed(given)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert (found * engine.embed_passages(given)).sum(1).min() >= 0.999
    assert "tokens/s" in bulk.told  # so it was the other process


def test_a_text_beyond_what_the_model_reads_at_once_is_read_as_the_engine_does(
    bulk: BulkEmbedder, engine: BundledE5
) -> None:
    long = " ".join(texts("en", 40))
    given = [
        "你好世界" * 300,
        "with a NUL\0in it",
        "",
        "a space at its end ",
        (long * 3)[:10_000] + "no longer read",
        "short",
    ]
    assert (bulk.embed(given) * engine.embed_passages(given)).sum(1).min() >= 0.999


def test_nothing_in_gives_nothing_out(bulk: BulkEmbedder) -> None:
    assert bulk.embed([]).shape == (0, 384)


def test_a_process_that_was_killed_costs_time_and_one_line_only(
    engine: BundledE5, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(children(os.getpid()))
    with BulkEmbedder(engine) as embedder:
        (child,) = set(children(os.getpid())) - before
        os.kill(child, signal.SIGKILL)
        with caplog.at_level(logging.WARNING, "rag.bulk"):
            found = [embedder.embed(["a first text", "a second"]), embedder.embed(["a third"])]
    assert np.array_equal(np.concatenate(found)[2], engine.embed_passages(["a third"])[0])
    assert len(found[0]) == 2
    (line,) = caplog.messages
    assert "-9" in line


# A script as people write them, without a guard around what it does. It begins on more than can be done in a minute.
SCRIPT = """
import sys
from rag.bulk import BulkEmbedder
from rag.embed import BundledE5
embedder = BulkEmbedder(BundledE5())
embedder.embed(["a text"])
print(embedder.told, "torch" in sys.modules, flush=True)
embedder.embed([f"text {at}, " * 300 for at in range(5000)])
"""


def test_a_script_needs_no_guard_and_takes_the_other_process_along_when_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    process = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    with process:
        try:
            assert process.stdout
            said = process.stdout.readline().decode()
            assert "tokens/s" in said
            assert said.endswith("False\n")  # what answers questions does not carry torch
            (child,) = children(process.pid)
            time.sleep(1)  # it computes
        finally:
            process.kill()
    until = time.monotonic() + 5
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < until, "it goes on for nobody"
        time.sleep(0.05)


class Other:
    """An embedder that is not the bundled model."""

    name, dim = "other", 2

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.array([[1, 0]] * len(texts), np.float32)


def test_another_model_embeds_by_itself_and_is_not_shared_among_machines() -> None:
    other: Embedder = Other()
    with BulkEmbedder(other) as embedder:
        assert embedder.embed(["a", "b"]).shape == (2, 2)
        assert not embedder.told
    with pytest.raises(SettingsError, match="ON_RECORD_EMBED_MODEL"):
        BulkEmbedder(other, ray="auto")


def test_a_few_articles_are_no_reason_to_start_a_process() -> None:
    assert not worth_it(3 * 3000)
    assert worth_it(1000 * 3000)
