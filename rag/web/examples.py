"""Questions for the first screen that the archive answers: those that its folder declares, else made from its names.

Nothing is offered unasked: each example has been put to the assistant, and only what it answers is shown. Those that
are made keep to forms that are good Dutch, German and English whatever name stands in them. Readers who may not read
the same articles do not share examples.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from rag import folder
from rag.assistant import Assistant
from rag.errors import CorpusError, RagError
from rag.records import Answer
from rag.terms import fold, text_forms, words
from rag.web.names import Names, Speaker, names
from rag.web.texts import Texts
from rag.web.wordings import texts_for

_ARTICLES = 100  # the newest, in which names are looked for
_ASKED = 12  # candidates at most; each takes the time of a question
_OTHERS = 4  # of them about what headlines name

_KEPT = 128  # sets of examples that are remembered: by language, and by what readers may not read

_SURE, _LIKELY, _THIN = 0.8, 0.5, 0.3  # confidences

_Key = tuple[Path, str, int, str]  # the last: a digest of what the reader may not read
_State = tuple[int, int, tuple[str, ...]]  # articles, revision, declared questions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A question to try, and the name that the quotation must come with, so that it is no accident ("" where declared).

    A `telling` question says what it is about.
    """

    question: str
    name: str = ""
    telling: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was found for one assistant and its views, by language, count and what is hidden, each with the state of the
    archive it was found for. What was used last stands last."""

    lock: threading.Lock = field(default_factory=threading.Lock)  # of who asks
    found: dict[_Key, tuple[_State, tuple[str, ...]]] = field(default_factory=dict)


_kept: WeakKeyDictionary[Assistant, _Kept] = WeakKeyDictionary()
_guard = threading.Lock()


def examples(assistant: Assistant, corpus: Path, language: str, count: int = 3) -> tuple[str, ...]:
    """Up to `count` questions in `language` (nl, de, en) that the archive answers, each from another article.

    For a view (`Assistant.for_groups`) they come from what its reader may read. The first call after a change of the
    archive, or of what the folder `corpus` declares, asks them, which takes two or three seconds; the others come from
    memory. Never raises: without an archive there are no examples.
    """
    with _guard:
        kept = _kept.setdefault(assistant.whole, _Kept())
    try:
        hidden = hashlib.sha256("\n".join(sorted(assistant.hidden())).encode()).hexdigest()
        key = (corpus, language, count, hidden)
        found = _remembered(kept, key, _state(assistant, corpus, language))
        if found is not None:
            return found
        with kept.lock:  # whoever comes meanwhile waits for this answer and does not ask again
            state = _state(assistant, corpus, language)
            found = _remembered(kept, key, state)
            if found is None:
                found = _found(assistant, state, language, count)
                with _guard:
                    kept.found[key] = state, found
                    while len(kept.found) > _KEPT:
                        del kept.found[next(iter(kept.found))]
            return found
    except RagError as error:
        _log.warning("There are no examples: %s", error)
    except Exception:
        _log.exception("There are no examples")
    return ()


def _state(assistant: Assistant, corpus: Path, language: str) -> _State:
    overview = assistant.overview()
    return overview.articles, overview.revision, _declared(corpus, language)


def _remembered(kept: _Kept, key: _Key, state: _State) -> tuple[str, ...] | None:
    with _guard:
        if key not in kept.found or kept.found[key][0] != state:
            return None
        kept.found[key] = kept.found.pop(key)
        return kept.found[key][1]


def _found(assistant: Assistant, state: _State, language: str, count: int) -> tuple[str, ...]:
    articles, _, declared = state
    if not articles:
        return ()
    found = _answered(assistant, [_Candidate(question) for question in declared], count)
    return found or _answered(assistant, _made(assistant, texts_for(language)), count)


def _declared(corpus: Path, language: str) -> tuple[str, ...]:
    try:
        return folder.examples(corpus).get(language, ())
    except CorpusError as error:  # which stops a sync, and need not stop a page
        _log.warning("The examples of the folder are left out: %s", error)
        return ()


def _answered(assistant: Assistant, candidates: Sequence[_Candidate], count: int) -> tuple[str, ...]:
    """Of the questions that are answered the surest ones, each from another article and about somebody else.

    Where articles are too few for that, declared questions share them.
    """
    answers = [(assistant.ask(candidate.question, written=False), candidate) for candidate in candidates[:_ASKED]]
    usable = [(answer, candidate) for answer, candidate in answers if _is_usable(answer, candidate)]
    usable.sort(key=_worth, reverse=True)
    chosen: list[str] = []
    spent: set[str] = set()
    for answer, candidate in usable:
        own = {answer.citations[0].article.id, candidate.name} - {""}
        if not own & spent and len(chosen) < count:
            spent |= own
            chosen.append(candidate.question)
    chosen += [candidate.question for _, candidate in usable if not candidate.name and candidate.question not in chosen]
    return tuple(chosen[:count])


def _worth(pair: tuple[Answer, _Candidate]) -> tuple[int, bool, float]:
    """Sure answers first, then likely ones, then thin ones; among them first what says what it is about."""
    answer, candidate = pair
    sure = answer.confidence
    return (sure >= _SURE) + (sure >= _LIKELY), candidate.telling, sure


def _is_usable(answer: Answer, candidate: _Candidate) -> bool:
    if not answer.found or (candidate.name and answer.confidence < _THIN):
        return False
    first = answer.citations[0]
    last = words(candidate.name)[-1:]
    return not last or fold(last[0].text) in text_forms(f"{first.context} {first.quote}")


def _made(assistant: Assistant, texts: Texts) -> list[_Candidate]:
    """Candidates in the language of `texts`, the most promising first: who speaks about what in it, who speaks at all,
    what headlines name."""
    articles, _ = assistant.find_articles(limit=_ARTICLES)
    return _worded(names(articles), texts)


def _worded(found: Names, texts: Texts) -> list[_Candidate]:
    near = sorted(found.speakers, key=lambda speaker: texts.language not in speaker.languages)  # stable
    about = {speaker: _about(speaker, texts) for speaker in near}
    said = {
        speaker: _Candidate(texts.example_said.format(name=_name(speaker, texts)), speaker.name) for speaker in near
    }
    other = [_Candidate(texts.example_happened.format(name=name), name) for name in found.places]
    other += [_Candidate(texts.example_known.format(name=name), name) for name in found.others]
    first = [about[speaker] or said[speaker] for speaker in near]
    rest = [said[speaker] for speaker in near if about[speaker]]
    return [*first[: _ASKED - len(other[:_OTHERS])], *other[:_OTHERS], *rest]


def _about(speaker: Speaker, texts: Texts) -> _Candidate | None:
    """What they said about the first thing that can be named in the language of `texts`."""
    topic = next((topic.text for topic in speaker.topics if topic.language in (None, texts.language)), None)
    if topic is None:
        return None
    question = texts.example_about.format(name=_name(speaker, texts), topic=topic)
    return _Candidate(question, speaker.name, telling=True)


def _name(speaker: Speaker, texts: Texts) -> str:
    return speaker.name if texts.language == "de" else speaker.bare
