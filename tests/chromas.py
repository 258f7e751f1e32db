"""A real Chroma server (`chroma run`) on loopback, which can be killed and started again at the same address."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from processes import free_port


class Chroma:
    """A Chroma server that keeps its data in the folder `path`, for the length of a `with`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--path", str(self.path)]
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f"{self.path.name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "the Chroma server stopped while starting"
            assert time.monotonic() < until, "the Chroma server did not answer in 20 s"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Let it take connections and say nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=2).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def __enter__(self) -> Chroma:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
