"""What an assistant embeds, for tests of what is not embedded again."""

from __future__ import annotations

from collections.abc import Sequence

from rag import Assistant
from rag.embed import Vectors


def what_is_embedded(assistant: Assistant) -> list[str]:
    """A list into which comes whatever this assistant embeds from here on."""
    embedder = assistant._open()[2]
    embedded: list[str] = []
    real = embedder.embed_passages

    def watched(texts: Sequence[str]) -> Vectors:
        embedded.extend(texts)
        return real(texts)

    embedder.embed_passages = watched  # type: ignore[method-assign]
    return embedded
