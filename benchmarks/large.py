"""What a large archive costs: opening it, a question, a sync, the memory of the server; and how that grows.

    python benchmarks/large.py FOLDER [--passages 1000,10000,100000]

Builds an archive of each size below FOLDER where it is not there yet (see resampled.py: real sentences recombined, real
vectors with noise; 100,000 passages take some twenty minutes and 2 GB) and measures each in a process of its own. Times
are medians with the largest; memory is what Linux counts for the process (VmRSS).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from resampled import Resampled, build, pool  # noqa: E402
from speed import memory, running, seconds  # noqa: E402

from rag import Assistant  # noqa: E402

NEW = (
    "---\ntitle: Harbour reopens\ndate: 2025-03-01\nlanguage: en\nsource: Test Gazette\n---\n"
    + "The harbour of Lindmouth reopened on Saturday after a storm had closed it for nine days.\n\n"
    "Harbour master Greta Olvers said that {} ships had waited outside the breakwater for a pilot.\n\n"
    "The town council put the damage at four million crowns and wants the quay to be raised by a metre before the "
    "autumn. A line of old breakwater stones will be taken to the beach of Oudemeer, where they hold the dunes.\n"
)


def questions() -> list[str]:
    lines = (ROOT / "benchmarks" / "starter.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines][:60]


def measured(folder: Path) -> dict[str, Any]:
    """One archive, in this process."""
    found: dict[str, Any] = {}

    def timed(name: str, begun: float) -> None:
        found[name] = time.perf_counter() - begun

    with Assistant() as starter:  # so that loading libraries and models is not counted as opening the archive
        starter.ask("What did Kyncl say about licensing?")
    asked = questions()
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        begun = time.perf_counter()
        found["articles"], found["passages"] = assistant.size()
        timed("opening", begun)
        for question in asked[:5]:
            assistant.ask(question)
        spent = seconds(assistant.ask, asked)
        found["question"], found["slowest question"] = statistics.median(spent), max(spent)
        spent = seconds(assistant.search, asked)
        found["search"], found["slowest search"] = statistics.median(spent), max(spent)
        begun = time.perf_counter()
        assistant.sync()
        timed("sync, first in this process", begun)
        begun = time.perf_counter()
        assistant.sync()
        timed("sync, nothing changed", begun)
        changed = folder / "corpus" / "harbour.md"
        for ships in ("forty", "sixty"):
            changed.write_text(NEW.format(ships), encoding="utf-8")
            begun = time.perf_counter()
            assistant.sync()
            answer = assistant.ask("How many ships waited outside the breakwater of Lindmouth?")
            timed("one file changed, until it answers", begun)
            assert ships in answer.citations[0].quote
        changed.unlink()
        begun = time.perf_counter()
        assistant.sync()
        timed("one file removed", begun)
    return found


def served(folder: Path) -> dict[str, Any]:
    """The server: seconds until the page answers (with a sync that finds nothing to do), and its megabytes then."""
    where = ["--corpus", str(folder / "corpus"), "--index", str(folder / "index"), "--port", "0"]
    with running(["-m", "rag", "serve", *where], os.environ) as (address, reached, pid):
        for question in questions()[:20]:
            body = json.dumps({"question": question}).encode()
            asked = urllib.request.Request(f"{address}api/ask", body, headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(asked) as answer:
                assert answer.status == 200
        taken = memory(pid)
    size = sum(path.stat().st_size for path in (folder / "index").rglob("*") if path.is_file())
    return {"server reachable": reached, "server, MB": taken, "index on disk, MB": size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", default="1000,10000,100000")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["ON_RECORD_RATE"] = "0"
    if options.one:
        print(json.dumps(measured(options.folder)))
        return
    texts, embedder, rows = None, None, []
    for passages in map(int, options.passages.split(",")):
        folder = options.folder / str(passages)
        if not (folder / "done").exists():
            texts = texts or pool()
            embedder = embedder or Resampled([text for found in texts.values() for text in found][::5])
            begun = time.perf_counter()
            build(folder, passages, embedder, texts).close()
            print(f"{passages} passages built in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            (folder / "done").touch()
        done = subprocess.run(
            [sys.executable, __file__, str(folder), "--one"], check=True, stdout=subprocess.PIPE, text=True
        )
        rows.append({**json.loads(done.stdout), **served(folder)})
    for name in rows[0]:
        values = [row[name] for row in rows]
        shown = [f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:.3f}" for value in values]
        growth = f"  x {values[-1] / values[0]:.2f}" if len(values) > 1 and values[0] else ""
        print(f"{name:38}" + "".join(f"{value:>12}" for value in shown) + growth)


if __name__ == "__main__":
    main()
