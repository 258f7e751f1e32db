"""A real Ray cluster of two nodes on loopback embeds, and loses nothing when one of its workers is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from rag.bulk import BulkEmbedder
from rag.embed import BundledE5, Vectors
from rag.errors import SettingsError

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None and not os.environ.get("CI"), reason="pip install 'on-record[ray]' brings Ray"
)

# Ray's switch for systems whose firewall would ask: all of it, and who joins it, stays on loopback.
ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# In a process of its own: what Ray leaves open and warns about stays there.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 100 << 20}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False, "temp_dir": sys.argv[1]})
cluster.add_node(**node)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # a short path, for sockets lie in it
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, **ON_LOOPBACK, "RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip
        with process:
            assert process.stdout
            yield process.stdout.readline().decode().strip()
            process.communicate()
        until = time.monotonic() + 10
        while left := [line for line in processes() if folder in line or "ray::" in line]:
            assert time.monotonic() < until, left
            time.sleep(0.2)


def processes() -> list[str]:
    return subprocess.run(
        ["ps", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def workers() -> list[int]:
    return [int(line.split()[0]) for line in processes() if "ray::_Worker" in line and line.split()[1][0] != "Z"]


@needs_ray
def test_a_worker_that_is_killed_costs_no_vector(
    cluster: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(*ON_LOOPBACK.copy().popitem())
    engine = BundledE5()
    texts = [f"In year {at} the ferry to island {at % 97} carried {at * 7} people." for at in range(2400)]
    done: list[Vectors] = []
    with BulkEmbedder(engine, ray=cluster) as embedder:
        assert len(embedder.embed(texts[:10])) == 10
        assert embedder.told == "Ray, 2 workers on 2 machines"
        until = time.monotonic() + 30
        while len(workers()) < 2:
            assert time.monotonic() < until, "Ray started one worker only"
            time.sleep(0.1)
        work = threading.Thread(target=lambda: done.append(embedder.embed(texts)))
        work.start()
        time.sleep(1)
        victim = max(workers())
        os.kill(victim, signal.SIGKILL)
        assert not done, "too late: nothing was under way"
        work.join()
    assert not caplog.messages  # or the engine would have done it here, and said so
    (found,) = done
    sample = slice(None, None, 48)
    assert found.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert (found[sample] * engine.embed_passages(texts[sample])).sum(1).min() >= 0.999


@needs_ray
def test_an_address_at_which_nothing_answers_is_said() -> None:
    with (
        BulkEmbedder(BundledE5(), ray="127.0.0.1:9") as embedder,
        pytest.raises(SettingsError, match=r"127\.0\.0\.1:9"),
    ):
        embedder.embed(["a text"])
