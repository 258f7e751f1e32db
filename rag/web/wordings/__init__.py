"""What the screen says, whole, in each language. A new language is one more module here."""

from __future__ import annotations

from rag.web.texts import Texts
from rag.web.wordings.de import DE
from rag.web.wordings.en import EN
from rag.web.wordings.nl import NL

LANGUAGE_NAMES = {"nl": "Nederlands", "de": "Deutsch", "en": "English"}
_ALL = {texts.language: texts for texts in (EN, NL, DE)}


def texts_for(language: str | None) -> Texts:
    """The interface in `language` (ISO 639-1), in English where it does not speak it."""
    return _ALL.get((language or "")[:2].lower(), EN)
