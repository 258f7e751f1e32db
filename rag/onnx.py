"""Opens a model for onnxruntime, which reports to its maker unless it is told not to before it is imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def session(model: Path, *, threads: int) -> Any:
    """An inference session on the processor. Nothing leaves the machine."""
    # Its builds look up an address of their maker when a session opens; the call that turns this off comes too late.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
