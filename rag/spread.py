"""Embedding shared among the machines of a Ray cluster: one worker for some cores each, or for a GPU.

Every machine has On Record installed and unpacks the model itself; texts go out in shards and come back as vectors. A
worker that dies is started again, by Ray and where there is room, and its shard is done once more.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from rag.embed import Vectors
from rag.errors import EmbedderError

_SHARD = 200  # texts: a second or two of a worker, so that little is lost with one
_CORES = 4  # of a worker at most: so small a model gains little from more in one process
_TRIES = 4  # of a shard, and starts of a worker
_PATIENCE = 300  # seconds until the first worker is there
_ANSWER = 10  # seconds that a cluster has to answer
_STORE = 256 << 20  # bytes that a cluster of our own keeps for texts and vectors on their way

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reads these two when it is imported
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # or it warns about what it will do with GPUs one day


class Spread:
    """Embeds on the machines of the cluster at `address`; "auto": the one that this machine is part of, else one of its
    own, on this machine alone.

    `probe` and `reference` are as for `Unpacked`: every worker proves its vectors on them.

    Raises:
        EmbedderError: no cluster answers there, or no worker starts in it.
    """

    def __init__(self, address: str, probe: Sequence[str], reference: Vectors) -> None:
        self._ray = _joined(address)
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
        share = min([_CORES, *cores])
        count = gpus or sum(each // share for each in cores)
        actor = self._ray.remote(_Worker).options(
            num_cpus=1 if gpus else share,
            num_gpus=1 if gpus else 0,
            max_restarts=_TRIES - 1,
            scheduling_strategy="SPREAD",
        )
        workers = [actor.remote(share, list(probe), reference) for _ in range(count)]
        # What is being waited for: a worker's proof (None), or the vectors of the shard at a place.
        self._waited: dict[Any, tuple[Any, int | None]] = {worker.told.remote(): (worker, None) for worker in workers}
        self._idle: list[Any] = []
        while not self._idle:
            self._come(_PATIENCE)
        self.told = f"Ray, {count} workers on {len(nodes)} machines"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32, rows of unit length, in the order of the texts.

        Raises:
            EmbedderError: no worker is left, or a shard ended several of them.
        """
        shards = [list(texts[start : start + _SHARD]) for start in range(0, len(texts), _SHARD)]
        tries = [0] * len(shards)
        waiting = deque(range(len(shards)))
        done: dict[int, Vectors] = {}
        while len(done) < len(shards):
            while self._idle and waiting:
                worker, shard = self._idle.pop(), waiting.popleft()
                tries[shard] += 1
                if tries[shard] > _TRIES:
                    raise EmbedderError(f"{_TRIES} workers of the Ray cluster ended over the same texts")
                self._waited[worker.embed.remote(shards[shard])] = worker, shard
            at, found = self._come()
            if at is not None and found is None:
                waiting.appendleft(at)
            elif at is not None:
                done[at] = found
        return np.concatenate([done[at] for at in range(len(shards))])

    def _come(self, seconds: float | None = None) -> tuple[int | None, Any]:
        """The next of what is waited for: the place of a shard and its vectors, None for them if its worker died."""
        ready, _ = self._ray.wait(list(self._waited), num_returns=1, timeout=seconds)
        if not ready:
            raise EmbedderError(f"the Ray cluster has had no room for a worker for {seconds:.0f} seconds")
        worker, shard = self._waited.pop(ready[0])
        try:
            found = self._ray.get(ready[0])
        except self._ray.exceptions.RayError as error:
            if shard is not None:
                self._waited[worker.told.remote()] = worker, None  # comes once Ray has started it again
            elif not self._waited and not self._idle:
                raise EmbedderError(f"no worker of the Ray cluster is left: {_last_line(error)}") from error
            return shard, None
        self._idle.append(worker)
        return shard, found


class _Worker:
    """What runs on a machine of the cluster."""

    def __init__(self, cores: int, probe: Sequence[str], reference: Vectors) -> None:
        from rag import unpacked

        self._model = unpacked.Unpacked(probe, reference, cores=cores)

    def told(self) -> str:
        return self._model.told

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._model.embed(texts)


def _joined(address: str) -> Any:
    """Ray, as part of a cluster."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address != "auto":  # Ray itself would try for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=_ANSWER).close()
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        if address != "auto":
            raise EmbedderError(f"nothing answers there: {_last_line(error)}") from error
        # Ray's switch for systems whose firewall would ask: a cluster of our own listens on loopback only.
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
        ray.init(address="local", include_dashboard=False, object_store_memory=_STORE, **quiet)
    return ray


def _last_line(error: Exception) -> str:
    return str(error).strip().rsplit("\n", 1)[-1][:200]
