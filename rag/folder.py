"""What `archive.yaml` in a corpus folder says: of every file that does not say otherwise itself, and of the archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rag import groups
from rag.errors import CorpusError, UnreadableFile
from rag.formats import front_matter
from rag.terms import LANGUAGES, question_language

NAME = "archive.yaml"
LONGEST_EXAMPLE = 200  # characters: longer ones do not fit where examples are shown

UPLOADS = "uploads"  # the folder below a corpus into which readers put articles, if they may
ADDED = "added"  # below the corpus, into which articles are fetched by their address

_EXAMPLES = "examples"
_EXPECTED = "expected a list of questions, or lists of them by language, such as 'examples: {en: [\"Who pays?\"]}'"
_LINES = "expected lines such as 'source: The Gazette', and quotation marks around questions that stand in brackets"


def defaults(root: Path) -> dict[str, Any]:
    """What holds for every file below `root` that does not say otherwise itself; empty without an `archive.yaml`.

    The examples are checked but not among it: they speak of the archive, and articles need not be read again for them.

    Raises:
        CorpusError: if the file is not a mapping in YAML, or what it says cannot be used.
    """
    said = _said(root)
    _checked(said.pop(_EXAMPLES, None), root / NAME)
    try:
        return groups.settled(said)
    except UnreadableFile as error:
        raise CorpusError(f"{root / NAME} cannot be used: {error}") from error


def holds_for(place: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of `said`, the defaults, holds for the file at `place` (its path in the corpus): for an upload its groups.

    The folder's owner knows nothing of what readers will add: an article does not become a sample by being uploaded.
    But what is added to an archive that is not for everybody is not for everybody either.
    """
    if not place.startswith((f"{UPLOADS}/", f"{ADDED}/")):
        return said
    return {name: value for name, value in said.items() if name == groups.KEY}


def examples(root: Path) -> dict[str, tuple[str, ...]]:
    """The questions that the folder offers its readers, by language (nl, de, en); empty where it declares none.

    Of a plain list each question goes to the readers of its own language.

    Raises:
        CorpusError: as `defaults` does.
    """
    return _checked(_said(root).get(_EXAMPLES), root / NAME)


def inner(data: bytes) -> dict[str, Any]:
    """What the `archive.yaml` of a file that holds several articles says of them; its examples are nobody's.

    Raises:
        UnreadableFile: if it cannot be used.
    """
    try:
        said = _parsed(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, UnreadableFile) as error:
        raise UnreadableFile(f"{groups.UNCLEAR}: its {NAME} cannot be used ({error}); {_LINES}") from error
    said.pop(_EXAMPLES, None)
    return groups.settled(said)


def _said(root: Path) -> dict[str, Any]:
    path = root / NAME
    if not path.is_file():
        return {}
    try:
        return _parsed(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, UnreadableFile) as error:
        raise CorpusError(f"{path} cannot be used ({error}); {_LINES}") from error


def _parsed(text: str) -> dict[str, Any]:
    # YAML may begin and end with the marks that front matter is told by.
    said, rest = front_matter(f"---\n{text.strip().removeprefix('---').removesuffix('---')}\n---\n")
    if rest.strip():
        raise UnreadableFile("it is not a mapping")
    return said


def _checked(given: object, path: Path) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    if isinstance(given, list):
        found: dict[str, tuple[str, ...]] = {}
        for question in _questions(given, path, _EXAMPLES):
            language = question_language(question)
            found[language] = (*found.get(language, ()), question)
        return found
    if not isinstance(given, dict):
        raise CorpusError(f"{path}: {_EXAMPLES} is {given!r}; {_EXPECTED}")
    for language in given:
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise CorpusError(f"{path}: {_EXAMPLES} has the language {language!r}; expected any of {known}")
    return {language: _questions(listed, path, f"{_EXAMPLES} in {language}") for language, listed in given.items()}


def _questions(given: object, path: Path, what: str) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise CorpusError(f"{path}: {what} is {given!r}; {_EXPECTED}")
    found = []
    for question in given:
        if not isinstance(question, str) or not question.strip():
            raise CorpusError(
                f"{path}: {what} has {question!r}; expected a question, in quotation marks where in doubt"
            )
        if len(question) > LONGEST_EXAMPLE:
            raise CorpusError(
                f"{path}: {what} has a question of {len(question)} characters ({question[:40]!r} …); expected at most "
                f"{LONGEST_EXAMPLE}; shorten it"
            )
        found.append(" ".join(question.split()))
    return tuple(dict.fromkeys(found))
