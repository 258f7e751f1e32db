"""How long readers wait when many ask at once: questions answered, told to come again, their latency, and the memory.

    python benchmarks/load.py [--readers 32 8] [--seconds 60] [--index READY_INDEX]

A server of its own on the starter corpus and two cores, which the readers share with it. Every reader has a token of
his own and asks his next question over `POST /api/ask` as soon as the last one is answered; who is told that the server
is busy comes again when it says. The latency is that of the answers, the wait for a turn included; the memory is what
Linux counts for the server (VmRSS, VmHWM). Any other error, and a 429, ends in exit code 1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt

ROOT = Path(__file__).resolve().parent.parent
CORES = 2
PATIENCE = 60  # seconds until a reader takes silence for an error


@dataclass(frozen=True, slots=True)
class Told:
    """What the readers got: the seconds of each answer, and how often each status or error came instead."""

    seconds: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


@contextmanager
def serving(index: Path, secret: str) -> Iterator[tuple[int, int]]:
    """A running server: its port and its process id. It inherits the cores of this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ON_RECORD_")}
    # Failures only, on our own stderr.
    environment |= {"ON_RECORD_AUTH_SECRET": secret, "ON_RECORD_LOG": "off"}
    command = [sys.executable, "-m", "rag", "serve", "--port", "0", "--index", str(index)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in server.stdout)
            port = next((found[1] for found in said if found), None)
            if port is None:
                sys.exit("the server did not start")
            yield int(port), server.pid
        finally:
            server.terminate()


def reader(port: int, token: str, questions: list[str], until: float, told: Told) -> None:
    """Ask one question after the other until then."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    asked = 0
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            connection.request("POST", "/api/ask", json.dumps({"question": questions[asked % len(questions)]}), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            told.others[type(error).__name__] += 1
            connection.close()
            continue
        if response.status == 200:
            told.seconds.append(time.monotonic() - began)
            told.found.append(json.loads(body)["found"])
            asked += 1
        else:
            told.others[str(response.status)] += 1
            connection.close()  # which the server would do too while the reader waits
            pause = float(response.headers.get("Retry-After", 1))
            time.sleep(max(0.0, min(pause, until - time.monotonic())))
    connection.close()


def load(port: int, secret: str, readers: int, seconds: float, questions: list[str]) -> tuple[Told, float]:
    """So many readers at once for so long; what they got, and the seconds until the last of them had his answer."""
    told = Told()
    claims = {"aud": "on-record", "exp": int(time.time() + seconds) + 600}
    began = time.monotonic()
    threads = []
    for number in range(readers):
        token = jwt.encode(claims | {"sub": f"reader-{readers}-{number}"}, secret, "HS256")
        first = number * len(questions) // readers
        own = questions[first:] + questions[:first]
        threads.append(threading.Thread(target=reader, args=(port, token, own, began + seconds, told), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told, time.monotonic() - began


def memory(pid: int) -> tuple[int, int]:
    """The megabytes of a process now and at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(status.split(f"{name}:")[1].split()[0]) // 1000 for name in ("VmRSS", "VmHWM"))
    return now, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, nargs="+", default=[32, 8])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--index", type=Path, help="a ready index of the starter corpus, instead of a new one")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    lines = (ROOT / "benchmarks" / "starter.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    secret = secrets.token_hex(32)
    errors = 0
    with tempfile.TemporaryDirectory() as fresh, serving(options.index or Path(fresh) / "index", secret) as (port, pid):
        load(port, secret, 2, 3, questions)  # what is loaded at the first questions is not measured
        for readers in options.readers:
            told, spent = load(port, secret, readers, options.seconds, questions)
            busy = told.others.pop("503", 0)
            errors += told.others.total()
            answered = len(told.seconds)
            middle = statistics.median(told.seconds)
            late = statistics.quantiles(told.seconds, n=20)[-1]
            now, most = memory(pid)
            print(
                f"{readers} readers, {options.seconds:.0f} s, {len(cores)} cores: {answered} questions answered "
                f"({answered / spent:.1f} a second, {sum(told.found)} found), "
                f"{busy} told to come again, {told.others.total()} errors {dict(told.others) or ''}\n"
                f"  median {middle:.1f} s, 95th percentile {late:.1f} s, longest {max(told.seconds):.1f} s; "
                f"memory of the server {now} MB, at most {most} MB",
                flush=True,
            )
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
