"""What may be asked: the limits of a question."""

from __future__ import annotations

from rag.errors import SettingsError
from rag.terms import is_whole

MAX_QUESTION = 2_000  # characters


def check_question(question: str) -> None:
    """Refuse what is no question.

    Raises:
        SettingsError: it is empty, too long, or no text.
    """
    if not question.strip():
        raise SettingsError("the question is empty; expected a few words")
    if len(question) > MAX_QUESTION:
        raise SettingsError(
            f"the question has {len(question):,} characters, expected at most {MAX_QUESTION:,}; shorten it"
        )
    if not is_whole(question):
        raise SettingsError("the question holds half a character (a lone surrogate), expected text; take it out")
