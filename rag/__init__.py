"""On Record answers questions about a press archive with the archive's own words.

from rag import ask
answer = ask("What did Kyncl say about licensing?")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.errors import RagError
from rag.records import Answer, Article, Citation, Event, Hit, Passage, Span, Statement, SyncReport

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.default import ask

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Article",
    "Assistant",
    "Citation",
    "Event",
    "Hit",
    "Passage",
    "RagError",
    "Span",
    "Statement",
    "SyncReport",
    "__version__",
    "ask",
]

if not TYPE_CHECKING:  # a type checker would take any name from it

    def __getattr__(name: str) -> Any:
        """Import the assistant when it is first asked for: `import rag` and `--help` stay quick."""
        if name == "Assistant":
            from rag.assistant import Assistant

            return Assistant
        if name == "ask":
            from rag.default import ask

            return ask
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
