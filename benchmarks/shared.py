"""What an archive on a Chroma server costs: writing it there, following it, a question; and how that grows.

    python benchmarks/large.py FOLDER --passages 10000,100000
    python benchmarks/shared.py FOLDER [--passages 10000,100000]

Takes the catalogs that the first command has built (resampled real sentences and vectors, see resampled.py), writes
each to a `chroma run` process of its own on this machine, and follows it into a copy. Times of questions are medians
with the largest beside them; memory is what Linux counts for the server (VmRSS), disk what its folder takes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chromas import Chroma  # noqa: E402
from large import questions  # noqa: E402
from speed import seconds  # noqa: E402

from rag import Assistant  # noqa: E402
from rag.chroma import VectorIndex  # noqa: E402
from rag.embed import load  # noqa: E402
from rag.feedback import CATALOG  # noqa: E402
from rag.index import BATCH  # noqa: E402
from rag.remote import ChromaServer, name_of  # noqa: E402

Figures = dict[str, str]


@contextmanager
def timed(found: Figures, name: str, of: int, unit: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds = time.perf_counter() - begun
    found[name] = f"{seconds:.1f} s, {of / seconds:,.0f} {unit}/s"


def asked(ask: Callable[[str], object]) -> str:
    spent = seconds(ask, questions()[:40])[5:]
    return f"{1000 * statistics.median(spent):.0f} ms, {1000 * max(spent):.0f} ms"


def memory(pid: int) -> str:
    told = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert told
    return f"{int(told[1]) / 1000:,.0f} MB"


def disk(path: Path) -> int:
    return int(subprocess.run(["du", "-sk", path], check=True, capture_output=True, text=True).stdout.split()[0])


def measured(built: Path, scratch: Path) -> Figures:
    """One archive."""
    found: Figures = {}
    index = scratch / "archive"
    index.mkdir()
    for name in (CATALOG, "manifest.json"):
        shutil.copy(built / "index" / name, index)
    embedder = load()
    with Chroma(scratch / "chroma") as chroma:
        server = ChromaServer(chroma.url, name=name_of(index))
        os.environ["ON_RECORD_CHROMA_URL"] = chroma.url
        vectors = {question: embedder.embed_queries([question])[0].tolist() for question in questions()[:40]}

        def search(where: VectorIndex) -> Callable[[str], object]:
            return lambda question: [where.nearest(vectors[question], language, 12) for language in ("nl", "de", "en")]

        with Assistant(corpus=built / "corpus", index=index) as writer:
            begun = time.perf_counter()
            with writer._stores.writing() as (catalog, opened, _):  # makes both indexes, and publishes
                found["passages"], found["articles"] = f"{catalog.indexed():,}", f"{catalog.count():,}"
                found["opening with an empty server"] = f"{time.perf_counter() - begun:.1f} s"
                found["disk of the server"] = f"{disk(chroma.path) / 1000:,.0f} MB"
                ids = catalog.indexed_ids()
                batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
                with timed(found, "vectors written", len(ids), "passages"):
                    opened._vectors.refill(catalog.passages(batch) for batch in batches)
                assert opened.shared
                opened.shared.forget()
                with timed(found, "journal written", catalog.count(), "articles"):
                    opened.shared.publish(catalog, whole=True)
                entries = opened.shared.entries(range(1, catalog.count() + 1))
                found["of it the journal"] = f"{sum(entry.size for entry in entries) / 1e6:,.0f} MB"
            found["three languages searched, server"] = asked(search(there := VectorIndex(index, server)))
            there.close()
            found["three languages searched, folder"] = asked(search(here := VectorIndex(built / "index", None)))
            here.close()
            with Assistant(corpus=built / "none", index=scratch / "copy") as copy:
                with timed(found, "new copy", writer.size()[0], "articles"):
                    copy.follow()
                found["question to the copy"] = asked(copy.ask)
                begun = time.perf_counter()
                copy.follow()
                found["looking for news"] = f"{1000 * (time.perf_counter() - begun):.1f} ms"
                found["memory of the server"] = memory(chroma.pid)
                chroma.kill()
                found["question without the server"] = asked(copy.ask)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", default="10000,100000")
    options = parser.parse_args()
    rows = []
    for passages in options.passages.split(","):
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            rows.append(measured(options.folder / passages, Path(scratch)))
    for name in rows[0]:
        print(f"{name:36}" + "".join(f"{row[name]:>28}" for row in rows), flush=True)


if __name__ == "__main__":
    main()
