"""What `from rag import …` offers, and nothing more."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rag

ROOT = Path(__file__).resolve().parent.parent


def test_the_public_names_are_these() -> None:
    assert rag.__all__ == [
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


def test_every_public_name_can_be_imported_and_is_listed() -> None:
    for name in rag.__all__:
        assert getattr(rag, name) is not None
        assert name in dir(rag)


def test_the_assistant_is_the_one_of_its_module() -> None:
    assert rag.Assistant is importlib.import_module("rag.assistant").Assistant
    assert rag.ask is importlib.import_module("rag.default").ask


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="oracle"):
        _ = rag.oracle  # type: ignore[attr-defined]


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "rag" / "py.typed").is_file()


def test_the_version_is_the_one_the_terminal_tells() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rag", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == rag.__version__
