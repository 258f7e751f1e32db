"""Real programs for the length of a `with`: started on free loopback ports, stopped with all their children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest


def need(packages: str, *paths: str) -> None:
    """Skip the test where a program or a folder of Debian's `packages` is missing; in CI, fail."""
    missing = [path for path in paths if not (shutil.which(path) or Path(path).exists())]
    if missing:
        message = f"{', '.join(missing)} not found; `apt-get install {packages}` brings what this test needs"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def unchecked() -> ssl.SSLContext:
    """TLS that takes any certificate, for servers whose certificate the test has made itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, answers: str, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Runs `command` in a process group of its own until the `with` ends; it is up once `answers` gives any answer."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, env={**os.environ, **(environ or {})}
        )
    try:
        until = time.monotonic() + 20
        while not _answers(answers):
            assert process.poll() is None, f"{command[0]} stopped while starting: {log.read_text('utf-8', 'replace')}"
            assert time.monotonic() < until, f"{answers} did not answer in 20 s: {log.read_text('utf-8', 'replace')}"
            time.sleep(0.05)
        yield
    finally:
        # The group: workers outlive the end of their leader alone.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5, context=unchecked()).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
