"""How long people wait (a question in process, a question from a cold start, the chat until it is reachable), and how
much memory the chat takes.

    python benchmarks/speed.py [--runs 5]

All on the starter corpus with a ready index. Prints medians with the smallest and largest value. The memory is what
Linux counts for the process (VmRSS) after twenty questions through the chat's API.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rag import Assistant  # noqa: E402
from rag.settings import load  # noqa: E402

QUESTION = "What did Kyncl say about licensing?"


def shown(name: str, seconds: list[float], unit: str = "s") -> str:
    values = [value * (1000 if unit == "ms" else 1) for value in seconds]
    return f"{name}: {statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f})"


def seconds(ask: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    """What each question takes."""
    spent = []
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        spent.append(time.perf_counter() - begun)
    return spent


def in_process(questions: list[str]) -> tuple[float, list[float]]:
    """Seconds of the sync, and of every question after the first."""
    with Assistant() as assistant:
        begun = time.perf_counter()
        assistant.sync()
        synced = time.perf_counter() - begun
        assistant.ask(QUESTION)
        return synced, seconds(assistant.ask, questions)


def without_the_cross_encoder(questions: list[str]) -> list[float]:
    """Seconds of every question on the index that is there."""
    os.environ["ON_RECORD_RERANK_MODEL"] = "off"
    try:
        return in_process(questions)[1]
    finally:
        del os.environ["ON_RECORD_RERANK_MODEL"]


def from_cold(environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rag", "ask", QUESTION], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    return time.perf_counter() - begun


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[str, float, int]]:
    """A server: its address, the seconds until its page answered, and its process."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        address = next(line.split()[-1] for line in server.stdout if "http://" in line)
        with urllib.request.urlopen(address) as page:
            assert page.status == 200
        yield address, time.perf_counter() - begun, server.pid
        server.terminate()


def memory(pid: int) -> float:
    """Megabytes of a process, as Linux counts them (VmRSS)."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1000


def until_reachable(environment: dict[str, str], questions: Sequence[str] = ()) -> tuple[float, float]:
    """Seconds until the page answers, and the process's megabytes after the questions."""
    with running(["app.py"], environment) as (address, spent, pid):
        for question in questions:
            data = json.dumps({"data": [question]}).encode()
            request = urllib.request.Request(
                f"{address}gradio_api/call/ask", data, headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as told:
                event = json.load(told)["event_id"]
            with urllib.request.urlopen(f"{address}gradio_api/call/ask/{event}") as answer:
                assert b"complete" in answer.read()
        return spent, memory(pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    lines = (ROOT / "benchmarks" / "starter.jsonl").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as home:
        os.environ["ON_RECORD_HOME"] = home
        assert str(load().home) == home
        environment = {**os.environ, "ON_RECORD_PORT": "0"}
        questions = [json.loads(line)["question"] for line in lines]
        synced, spent = in_process(questions)
        print(f"the first sync, 15 articles: {synced:.0f} s")
        print(shown(f"a question in process, {len(spent)} questions", spent, "ms"))
        print(shown("without the cross-encoder", without_the_cross_encoder(questions), "ms"))
        print(shown("python -m rag ask", [from_cold(environment) for _ in range(options.runs)]))
        reached = [until_reachable(environment)[0] for _ in range(options.runs)]
        print(shown("python app.py until the page answers", reached))
        print(f"the chat's memory: {until_reachable(environment, questions[:20])[1]:.0f} MB")


if __name__ == "__main__":
    main()
