"""The archive that the settings name, for who only wants to ask: one assistant a process, opened on first use."""

from __future__ import annotations

import atexit
import threading
from typing import Any

from rag.assistant import Assistant
from rag.records import Answer

_default: Assistant | None = None
_default_guard = threading.Lock()


def ask(question: str, **options: Any) -> Answer:
    """Ask the archive that the settings name: the starter corpus where they name none. Built on first use.

    Takes the options of `Assistant.ask`.
    """
    global _default
    with _default_guard:
        if _default is None:
            _default = Assistant()
            atexit.register(_default.close)
    return _default.ask(question, **options)
