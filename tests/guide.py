"""The lines that docs/embedding.md tells people to paste, for the tests that paste them."""

from __future__ import annotations

import re

from loopback import ROOT

ARCHIVE = "https://archive.example"  # which stands in the guide for the address of On Record


def lines(language: str, holding: str) -> str:
    """The one block of the guide in this language that holds these words."""
    text = (ROOT / "docs" / "embedding.md").read_text("utf-8")
    found = [block for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S) if holding in block]
    assert len(found) == 1, f"{len(found)} blocks of {language} in the guide hold {holding!r}"
    return str(found[0])
