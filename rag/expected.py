"""Questions with the quotations expected: the file that `python -m rag eval` reads, a JSON object a line.

Everything is checked before anything is asked; a line that is wrong is named by its number.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import SettingsError
from rag.question import MAX_QUESTION
from rag.terms import question_language

BUILT_IN = Path(__file__).with_name("evaluation.jsonl")  # about the starter corpus

_KEYS = ("question", "quotes", "id", "language", "kind", "languages", "sources", "since", "until")


@dataclass(frozen=True, slots=True)
class Expected:
    """A question and what answers it: a quotation that holds any one of `quotes` is right; without any, none is.

    `line` is its place in the file (from 1), `language` its own (ISO 639-1), `kind` whatever the file calls it. The
    rest says which articles may answer, as in `Assistant.ask`.
    """

    line: int
    id: str
    question: str
    quotes: tuple[str, ...]
    language: str
    kind: str | None = None
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def filters(self) -> dict[str, Any]:
        """Which articles may answer, as `Assistant.ask` takes it."""
        return {"languages": self.languages, "sources": self.sources, "since": self.since, "until": self.until}

    def held_in(self, text: str) -> bool:
        """Whether `text` holds any of the quotations, white space folded."""
        flat = folded(text)
        return any(folded(quote) in flat for quote in self.quotes)


def load(path: Path) -> list[Expected]:
    """The questions of a file: JSON Lines, an object a line, empty lines left out.

    Raises:
        SettingsError: the file cannot be read, holds no question, or a line is not as it should be.
    """
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{path} cannot be read ({reason}), expected JSON Lines in UTF-8; correct it, or name another file"
        ) from None
    expected = [_expected(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not expected:
        raise SettingsError(
            f'{path} holds no question, expected lines such as {{"question": "Who?", "quotes": ["he"]}}'
        )
    return expected


def _expected(number: int, line: str) -> Expected:
    try:
        item = json.loads(line)
    except json.JSONDecodeError as error:
        raise wrong(number, f"is no JSON ({error.msg} at character {error.pos + 1})", "an object in one line") from None
    if not isinstance(item, dict):
        raise wrong(number, f"holds {line.strip()[:40]!r}", 'an object such as {"question": "Who?", "quotes": []}')
    for key in item.keys() - set(_KEYS):
        # A misspelt "quotes" would turn a question into one that the archive cannot answer.
        if near := difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.8):
            raise wrong(number, f"has a key {key!r}", repr(near[0]))
    question = _text(number, item, "question")
    if question is None or len(question) > MAX_QUESTION:
        raise wrong(
            number,
            "has no question" if question is None else "has a question too long",
            f'a question in "question" of at most {MAX_QUESTION:,} characters',
        )
    language = _text(number, item, "language")
    if language and not re.fullmatch(r"[A-Za-z]{2}", language):
        raise wrong(number, f"has the language {language!r}", "a code such as nl, de or en")
    since, until = _day(number, item, "since"), _day(number, item, "until")
    if since and until and since > until:
        raise wrong(number, f'has "since" {since} after "until" {until}', "the earlier one first")
    return Expected(
        line=number,
        id=str(item.get("id", number)),
        question=question,
        quotes=_texts(number, item, "quotes"),
        language=language.lower() if language else question_language(question),
        kind=_text(number, item, "kind"),
        languages=_texts(number, item, "languages"),
        sources=_texts(number, item, "sources"),
        since=since,
        until=until,
    )


def _text(number: int, item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise wrong(number, f"has {value!r} in {key!r}", "some text")
    return value


def _texts(number: int, item: dict[str, Any], key: str) -> tuple[str, ...]:
    value = item.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, str) and part.strip() for part in value):
        raise wrong(number, f"has {value!r} in {key!r}", "a list of texts, none of them empty")
    return tuple(value)


def _day(number: int, item: dict[str, Any], key: str) -> dt.date | None:
    value = _text(number, item, key)
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").date() if value else None
    except ValueError:
        raise wrong(number, f"has {value!r} in {key!r}", "a date such as 2025-10-01") from None


def wrong(number: int, found: str, expected: str) -> SettingsError:
    """The error about the line with this number."""
    return SettingsError(f"line {number} of the questions {found}, expected {expected}; correct the line")


def folded(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())
