"""Many texts to vectors, by a process of its own: the bundled model unpacked (`unpacked.py`), or others (`spread.py`).

That process imports torch and may take gigabytes; the one that answers questions does neither, and comes first where
both want the processor. The two talk through pipes, so that the other ends with this one, however this one ends. It
is this module, run; `multiprocessing` would import a caller's script once more and stumble where it has no guard.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from rag.embed import MOST_READ, BundledE5, Embedder, Vectors
from rag.errors import RagError, SettingsError

# Characters from which the other process pays. It takes some 10 s to be ready (two cores: 6 s of imports, 3 s to unpack
# the weights, the rest to measure), in which the engine embeds 37,000. It is then twelve times as fast where the
# processor multiplies bfloat16, and less than twice as fast where it does not, which is when this much pays.
_PAYS = 100_000
_PROBES = 8  # texts on which the other process proves its vectors
_PROBE = 600  # characters of each
_NICE = 10
_log = logging.getLogger(__name__)


def worth_it(characters: int) -> bool:
    """Whether so much text is embedded sooner by another process, its start included."""
    return characters >= _PAYS


class BulkEmbedder:
    """Embeds as `embedder.embed_passages` does, much faster once it runs. A context manager.

    Only the bundled model has another form; any other embedder works by itself, as does the bundled one where the other
    process cannot start or ends early (one line in the log says so). With `ray`, "auto" or the address of a cluster,
    the work is shared among its machines.

    Raises:
        SettingsError: Ray is asked for and not installed, or the model is not the bundled one.
    """

    def __init__(self, embedder: Embedder, *, ray: str = "") -> None:
        self.told = ""
        self._embedder, self._ray = embedder, ray
        self._child: subprocess.Popen[bytes] | None = None
        self._proved = False
        if ray:
            _check_ray(embedder)
        if isinstance(embedder, BundledE5):
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32, rows of unit length, in the order of the texts. Of each the first 10,000 characters count.

        Raises:
            SettingsError: no Ray cluster answers at the address given.
        """
        if self._child and texts:
            try:
                return self._embedded(texts)
            except (OSError, EOFError, pickle.UnpicklingError, _Failed) as error:
                reason = self._stop() if isinstance(error, (OSError, EOFError)) else str(error)
                self.close()
                if self._ray and not self._proved:
                    raise SettingsError(
                        f"the work cannot be shared among machines ({reason}); expected a Ray cluster that answers at "
                        f"{self._ray!r} with On Record installed on every machine; correct --ray or leave it out"
                    ) from None
                _log.warning("embedding goes on without the faster process (%s)", reason)
        return self._embedder.embed_passages(texts)

    def close(self) -> None:
        """End the other process."""
        if self._child:
            self._stop()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process that writes into it)
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "rag.bulk", *([self._ray] if self._ray else [])],
                cwd=Path(__file__).parent.parent,  # where this very package is found, installed or not
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self._errors.close()
            _log.warning("embedding goes on without a faster process (%s)", error)

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        cleaned = [text[:MOST_READ].replace("\0", " ") for text in texts]
        if not self._proved:
            step = max(1, len(cleaned) // _PROBES)
            probe = [text[:_PROBE] for text in cleaned[::step][:_PROBES]]
            self._send((probe, self._embedder.embed_passages(probe)))
            self.told = self._received()
            self._proved = True
        self._send(cleaned)
        vectors: Vectors = self._received()
        return vectors

    def _send(self, message: object) -> None:
        assert self._child
        assert self._child.stdin
        pickle.dump(message, self._child.stdin, pickle.HIGHEST_PROTOCOL)
        self._child.stdin.flush()

    def _received(self) -> Any:
        assert self._child
        assert self._child.stdout
        done, result = pickle.load(self._child.stdout)
        if not done:
            raise _Failed(result)
        return result

    def _stop(self) -> str:
        """End the other process; what it said last, or how it ended."""
        assert self._child
        child, self._child = self._child, None
        with contextlib.suppress(OSError):  # what was not yet sent to a process that is gone
            child.__exit__(None, None, None)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        return said[-1] if said else f"it ended with {child.returncode}; {-signal.SIGKILL}: killed, as for memory"


class _Failed(Exception):
    """What the other process could not do."""


def _check_ray(embedder: Embedder) -> None:
    if not isinstance(embedder, BundledE5):
        raise SettingsError(
            f"Ray was asked for and the model is {embedder.name}, expected the bundled one; set ON_RECORD_EMBED_MODEL "
            "to 'bundled', or leave --ray out"
        )
    if find_spec("ray") is None:
        raise SettingsError(
            "Ray was asked for and is not installed; install it with: pip install 'on-record[ray]', or leave --ray out"
        )


def serve() -> None:
    """The other process: embeds what comes in, until nothing can come any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which then ends this one
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # or threads that wait take the processor from questions
    if hasattr(os, "nice"):
        os.nice(_NICE)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()

    def send(message: object) -> None:
        pickle.dump(message, out, pickle.HIGHEST_PROTOCOL)
        out.flush()

    try:
        if sys.argv[1:]:
            from rag.spread import Spread

            model: Spread | Unpacked = Spread(sys.argv[1], *inbox.get())
        else:
            from rag.unpacked import Unpacked  # takes seconds, in which the first texts are still being read

            model = Unpacked(*inbox.get())
        send((True, model.told))
        while True:
            send((True, np.ascontiguousarray(model.embed(inbox.get()))))
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        send((False, said if isinstance(error, RagError) else f"{type(error).__name__}: {said}"))


def _listen(inbox: queue.SimpleQueue[Any]) -> None:
    """Take in what comes; once the first process is gone, end at once, whatever is being computed."""
    while True:
        try:
            inbox.put(pickle.load(sys.stdin.buffer))
        except (EOFError, OSError, pickle.UnpicklingError):
            if ray := sys.modules.get("ray"):
                ray.shutdown()  # or what it started would stay for a minute
            os._exit(0)


if __name__ == "__main__":
    serve()
