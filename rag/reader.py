"""Which sentences of the retrieved passages answer the question, and whether any does.

Three small linear models over named features, fitted on question-answering data by `benchmarks/fit_reader.py` and
stored readably in `reader_weights.json`: one ranks sentences (a conditional logit); one says from the evidence for the
first of them whether the archive answers at all, and one whether, if it does, this is the sentence (logistic
regressions). Each has one set of weights for a question in the sentence's own language and one for crossing over, where
shared words mean something else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index import Index, stems
from rag.records import Passage, Sentence
from rag.retrieve import Candidate, Question, cached_forms, question_stems, share_of_names, share_of_stems
from rag.terms import content_words, leans

FEATURES = (
    "cosine",  # question · sentence
    "passage_cosine",
    "best_cosine",  # of the passage's sentences
    "stem_share",  # rarity-weighted share of the question's stems in the sentence (0 across languages)
    "stem_share_near",  # ... in the sentence and its neighbours
    "stem_share_passage",
    "name_share",  # rarity-weighted share of the question's names and numbers in the sentence
    "name_share_near",
    "name_share_passage",  # ... in the passage and its context
    "date_asked_and_given",
    "number_asked_and_given",
    "person_asked_and_given",
    "reason_asked_and_given",
    "log_length",  # of the sentence, in characters
    "is_question",  # the sentence asks itself
    "leans",  # the sentence cannot be understood without the one before
    "same_language",
)
EVIDENCE = (
    "score",  # of the ranking, without its constant parts
    "share",  # of the first sentence in the softmax over all
    "cosine",
    "passage_cosine",
    "best_cosine",
    "stem_share_passage",
    "name_share_passage",
    "names_unknown",  # rarity-weighted share of the question's names that the archive does not hold
    "asked_not_given",  # a date or a number is asked for, and the sentence has none
    "words_unknown",  # share of the question's stems that no passage in its language holds; 0 where there are few
)

# e5's cosines live in a narrow band and lengths around this one; centred, their weights are on one scale with the rest.
_COSINE, _LOG_LENGTH = 0.83, 4.8
# What the probability is multiplied by where a full name is unknown: of such questions on XQuAD, asked in the archive's
# language, 21 in 1,264 can be answered, against two in three of all.
_STRANGER = 0.05

_ASKS = {
    "date": re.compile(
        r"\b(when|(what|which) (year|date|day|month|century|decade|time)|since when|how long ago|wann|seit wann|"
        r"(welche[mnsr]?|im) (jahr|datum|tag|monat|jahrhundert)|wanneer|sinds wanneer|"
        r"wel(k|ke) (jaar|datum|dag|maand|eeuw))\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"\b(how (many|much|long|old|far|large|big|tall|high|fast|often|deep|wide)|(what|which) (percentage|number|"
        r"percent|share|amount|population|price|cost|score)|wie ?(viel\w*|lange|alt|weit|gro(ß|ss)|hoch|schnell|oft|"
        r"teuer|tief|breit)|prozent\w*|hoeveel\w*|percentage|"
        r"hoe (lang|oud|ver|groot|hoog|snel|vaak|duur|diep|breed))\b",
        re.IGNORECASE,
    ),
    "person": re.compile(
        r"\b(who|whom|whose|wer|wem|wen|wessen|wie (is|was|zei|zegt|heeft|had|noemde|leidt|won|schreef|werd|waren|zijn|"
        r"maakte|speelde|richtte|wil|wilde|kreeg|gaf|deed|vond|waarschuwde|noemt|vergeleek|werkt))\b",
        re.IGNORECASE,
    ),
    "reason": re.compile(r"\b(why|how come|warum|wieso|weshalb|waarom|wegens)\b", re.IGNORECASE),
}
_GIVES = {
    "date": re.compile(
        r"\b(1[0-9]{3}|20[0-9]{2}|(19|20)?[0-9]0s|januar[iy]?|january|februar[iy]?|february|märz|maart|march|april|mai|"
        r"mei|may|jun[ie]|jul[iy]|august(us)?|september|o[ck]tober|november|de[cz]ember|century|jahrhunderts?|eeuw|"
        r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
        r"sonntag|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|yesterday|gestern|gisteren)\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"\d|\b(twent|thirt|fort|fift|sixt|sevent|eight|ninet)(y|een|ieth)|(twin|der|veer|vijf|zes|zeven|tach|negen)tig|"
        r"(zwan|vier|fünf|sech|sieb|acht|neun)zig|dreißig|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|"
        r"twelve|dozens?|half|thirds?|quarter|hundreds?|"
        r"thousands?|millions?|billions?|twice|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|hälfte|"
        r"hundert\w*|tausend\w*|millionen|milliarden?|doppelt|dutzend\w*|twee|drie|vijf|zes|zeven|negen|tien|twaalf|"
        r"helft|honderd\w*|duizend\w*|miljoen\w*|miljard\w*|tientallen)\b",
        re.IGNORECASE,
    ),
    "person": re.compile(r"(?<=[a-zäöüß,] )[A-ZÄÖÜ][a-zäöüßé]+( (van|von|de|der|den|du|la))* [A-ZÄÖÜ]"),
    "reason": re.compile(
        r"\b(because|since|due to|so that|in order to|therefore|as a result|fear\w*|worr(y|ied)|concern\w*|"
        r"weil|da|denn|"
        r"wegen|aufgrund|deshalb|damit|um|daher|grund|sorg\w*|fürcht\w*|omdat|want|doordat|vanwege|wegens|daarom|zodat|"
        r"zorgen|bang|vrees\w*|vrez\w*)\b",
        re.IGNORECASE,
    ),
}
_WEIGHTS = Path(__file__).with_name("reader_weights.json")
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence of a candidate with its score; `share` (0 to 1) is its part in the softmax over all sentences read."""

    candidate: Candidate
    position: int  # in passage.sentences
    score: float
    share: float

    @property
    def passage(self) -> Passage:
        return self.candidate.stored.passage

    @property
    def sentence(self) -> Sentence:
        return self.passage.sentences[self.position]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`answerable` is the probability that any sentence answers, `confidence` that the first reading does; `found` is
    whether the first is high enough to answer at all."""

    answerable: float
    confidence: float
    found: bool


@cache
def weights() -> Mapping[str, Any]:
    """The fitted weights, as they stand in the package."""
    loaded: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    return loaded


def asks(question: str) -> frozenset[str]:
    """What a question asks for: "date", "number", "person", "reason"; empty where no word tells."""
    found = {kind for kind, pattern in _ASKS.items() if pattern.search(question)}
    if "date" in found:
        found.discard("number")
    return frozenset(found)


def sentence_features(question: Question, candidate: Candidate, *, index: Index) -> Matrix:
    """(sentences, len(FEATURES)) float64: the evidence for every sentence of a candidate."""
    passage = candidate.stored.passage
    article, language = passage.article, question.language
    wanted = asks(question.text)
    texts = [article.text[sentence.start : sentence.end] for sentence in passage.sentences]
    stemmed = [frozenset(stems(text, language)) if candidate.same_language else frozenset() for text in texts]
    forms = [cached_forms(text) for text in texts]
    best = max(candidate.sentence_cosines, default=candidate.cosine)
    rows = np.zeros((len(texts), len(FEATURES)))
    for at, text in enumerate(texts):
        near = slice(max(at - 1, 0), at + 2)
        rows[at] = (
            candidate.sentence_cosines[at] - _COSINE,
            candidate.cosine - _COSINE,
            best - _COSINE,
            share_of_stems(question, stemmed[at], index=index),
            share_of_stems(question, frozenset().union(*stemmed[near]), index=index),
            candidate.stem_share,
            share_of_names(question, forms[at], index=index),
            share_of_names(question, frozenset().union(*forms[near]), index=index),
            candidate.name_share,
            *(kind in wanted and pattern.search(text) is not None for kind, pattern in _GIVES.items()),
            math.log(len(text)) - _LOG_LENGTH,
            text.rstrip("\"”“»«’'").endswith("?"),
            leans(text),
            candidate.same_language,
        )
    return rows


def read(question: Question, candidates: Sequence[Candidate], *, index: Index) -> list[Reading]:
    """Every sentence of the candidates, the best first."""
    scored: list[tuple[float, Candidate, int]] = []
    for candidate in candidates:
        if not candidate.stored.passage.sentences:
            continue
        rows = sentence_features(question, candidate, index=index)
        values = rows @ _vector("ranking", FEATURES, candidate.same_language)
        scored += [(float(value), candidate, position) for position, value in enumerate(values)]
    if not scored:
        return []
    scored.sort(key=lambda item: (-item[0], item[1].stored.id, item[2]))
    top = scored[0][0]
    total = sum(math.exp(value - top) for value, _, _ in scored)
    return [Reading(candidate, position, value, math.exp(value - top) / total) for value, candidate, position in scored]


def evidence(question: Question, readings: Sequence[Reading], *, index: Index) -> npt.NDArray[np.float64]:
    """(len(EVIDENCE),) float64: the evidence that the first reading answers the question."""
    first = readings[0]
    candidate = first.candidate
    text = first.passage.article.text[first.sentence.start : first.sentence.end]
    wanted = asks(question.text)
    every = question.names + question.unknown
    rarity = {name: sum(index.rarity(part[0]) for part in name.parts) for name in every}
    total = sum(rarity.values())
    return np.array(
        (
            first.score,
            first.share,
            candidate.sentence_cosines[first.position],
            candidate.cosine,
            max(candidate.sentence_cosines),
            candidate.stem_share,
            candidate.name_share if every else 0.5,
            sum(rarity[name] for name in question.unknown) / total if total else 0.0,
            any(kind in wanted and not _GIVES[kind].search(text) for kind in ("date", "number")),
            index.unknown_share(question_stems(question), question.language),
        )
    )


def judge(question: Question, readings: Sequence[Reading], *, index: Index) -> Judgement:
    """Whether the archive answers the question, and how probably the first reading does."""
    if not readings or not content_words(question.text):
        return Judgement(0.0, 0.0, found=False)
    same = readings[0].candidate.same_language
    pair = "same" if same else "cross"
    told = evidence(question, readings, index=index)
    answerable, right = (
        _probability(float(told @ _vector(model, EVIDENCE, same)) + weights()[model][pair]["constant"])
        for model in ("answerable", "right")
    )
    if _asks_of_a_stranger(question, index):
        answerable *= _STRANGER
    threshold = weights()["threshold"]
    found = answerable >= threshold[pair] and answerable * right >= threshold["confidence"]
    return Judgement(answerable, answerable * right, found)


def _asks_of_a_stranger(question: Question, index: Index) -> bool:
    """Whether the question has a full name that an archive which holds the question's language does not know.

    Hyphenated words are left out: German makes names and nouns into one.
    """
    return index.is_telling(question.language) and any(
        len(name.parts) > 1 and "-" not in name.text for name in question.unknown
    )


def _probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@cache
def _vector(model: str, names: tuple[str, ...], same: bool) -> npt.NDArray[np.float64]:
    fitted = weights()[model]["same" if same else "cross"]
    return np.array([fitted.get(name, 0.0) for name in names])
