"""What the screen says, whole, in each language. A new language is one more module here."""

from __future__ import annotations

from collections.abc import Mapping

from rag.web.texts import Texts, reader_language
from rag.web.wordings.de import DE
from rag.web.wordings.en import EN
from rag.web.wordings.nl import NL

LANGUAGE_NAMES = {"nl": "Nederlands", "de": "Deutsch", "en": "English"}
_ALL = {texts.language: texts for texts in (EN, NL, DE)}


def texts_for(language: str | None) -> Texts:
    """The interface in `language` (ISO 639-1), in English where it does not speak it."""
    return _ALL.get((language or "")[:2].lower(), EN)


def reader_texts(query: Mapping[str, str], headers: Mapping[str, str]) -> Texts:
    """The interface in the language that the page's address chooses (`lang`), else in that of the browser."""
    chosen = _ALL.get((query.get("lang") or "")[:2].lower())
    return chosen or texts_for(reader_language(headers.get("accept-language")))
