"""What an index was built with, noted beside it, so that one built with something else is refused and not misread."""

from __future__ import annotations

import json
from pathlib import Path

from rag.clean import CLEANING_VERSION
from rag.embed import Embedder
from rag.errors import ArchiveIndexError, IndexMismatch
from rag.split import SPLITTING_VERSION

NAME = "manifest.json"
RESTORING = "restore.json"  # the note of a restore under way, in the folder that becomes the index


def exists(path: Path) -> bool:
    """Whether an index was ever begun in the folder `path`."""
    return (path / NAME).exists()


def staging(path: Path) -> Path:
    """Where a restore puts what becomes the folder `path`, until all of it is there."""
    return path.with_name(f"{path.name}.restoring")


def unfinished(path: Path) -> bool:
    """Whether a restore into this index was cut off half-way, so that nobody should use it before it is finished."""
    return (staging(path) / RESTORING).exists()


def check(path: Path, embedder: Embedder) -> None:
    """Compare the manifest of the index in `path` with what this process would build; write it where there is none.

    Raises:
        IndexMismatch: the index was built with another model or another version; the message holds the command.
        ArchiveIndexError: the manifest is damaged.
    """
    ours = {
        "model": embedder.name,
        "dimension": embedder.dim,
        "cleaning": CLEANING_VERSION,
        "splitting": SPLITTING_VERSION,
    }
    file = path / NAME
    if not file.exists():
        file.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")
        return
    try:
        theirs = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise ArchiveIndexError(
            f"{file} is damaged; build the index again with: python -m rag sync --rebuild"
        ) from None
    differing = [name for name in ours if theirs.get(name) != ours[name]]
    if differing:
        found = ", ".join(f"{name} {theirs.get(name)}" for name in differing)
        expected = ", ".join(f"{name} {ours[name]}" for name in differing)
        raise IndexMismatch(
            f"the index {path} was built with {found}, and this is {expected}; build it again with: "
            "python -m rag sync --rebuild"
        )
