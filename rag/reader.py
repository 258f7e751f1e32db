"""Which sentences of the retrieved passages answer the question, and whether any does.

Three small linear models over named features, one of which is what the cross-encoder says (`rerank.py`), fitted on
question-answering data by `training/fit_reader.py` and stored readably in `reader_weights.json`: one ranks sentences
(a conditional logit); one says from the evidence for the first of them whether the archive answers at all, and one
whether, if it does, this is the sentence (logistic regressions). Each has one set of weights for a question in the
sentence's own language and one for crossing over, where shared words mean something else; and all of that once more for
reading without the cross-encoder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rag.index import Index, stems
from rag.kinds import GIVES, asks
from rag.records import Passage, Sentence
from rag.retrieve import Candidate, Question, cached_forms, question_stems, share_of_names, share_of_stems
from rag.terms import content_words, leans

if TYPE_CHECKING:
    from rag.rerank import Relevance

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
    "relevance",  # what the cross-encoder gives the sentence; 0 without one
    "relevance_over_none",  # ... less what it gives to no sentence of the passage
)
EVIDENCE = (
    "score",  # of the ranking, without its constant parts
    "share",  # of the first sentence in the softmax over all
    "share_in_article",  # ... over the sentences of its article: another may say the same
    "cosine",
    "passage_cosine",
    "best_cosine",
    "stem_share_passage",
    "name_share_passage",
    "names_unknown",  # rarity-weighted share of the question's names that the archive does not hold
    "asked_not_given",  # a date or a number is asked for, and the sentence has none
    "words_unknown",  # share of the question's stems that no passage in its language holds; 0 where there are few
    "relevance",  # the cross-encoder's features of the first sentence; 0 without one
    "relevance_over_none",
    "best_relevance_over_none",  # of all sentences read
    "relevance_share",  # of the first sentence in the softmax over the relevance of all
)

# e5's cosines live in a narrow band and lengths around this one; centred, their weights are on one scale with the rest.
_COSINE, _LOG_LENGTH = 0.83, 4.8
# What the probability is multiplied by where a full name is unknown: of such questions on XQuAD, asked in the archive's
# language, 21 in 1,264 can be answered, against two in three of all.
_STRANGER = 0.05

# Which of the fitted weights: those beside the bundled cross-encoder, or those of the features alone.
WITH, WITHOUT = "with_cross_encoder", "without_cross_encoder"
_WEIGHTS = Path(__file__).with_name("reader_weights.json")
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence of a candidate with its score; `share` (0 to 1) is its part in the softmax over all sentences read."""

    candidate: Candidate
    position: int  # in passage.sentences
    score: float
    share: float
    relevance: float = 0.0  # what the cross-encoder says of the sentence
    over_none: float = 0.0  # ... less what it says of none of the passage's answering

    @property
    def passage(self) -> Passage:
        return self.candidate.stored.passage

    @property
    def sentence(self) -> Sentence:
        return self.passage.sentences[self.position]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`answerable` is the probability that any sentence answers, `confidence` that the first reading does; `found` is
    whether `answerable` is so high that refusing would cost more: see `training/fit_reader.py`."""

    answerable: float
    confidence: float
    found: bool


@cache
def weights() -> Mapping[str, Any]:
    """The fitted weights, as they stand in the package."""
    loaded: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    return loaded


def sentence_features(question: Question, candidate: Candidate, relevance: Relevance | None, *, index: Index) -> Matrix:
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
            *(kind in wanted and pattern.search(text) is not None for kind, pattern in GIVES.items()),
            math.log(len(text)) - _LOG_LENGTH,
            text.rstrip("\"”“»«’'").endswith("?"),
            leans(text),
            candidate.same_language,
            relevance.sentences[at] if relevance else 0.0,
            relevance.sentences[at] - (relevance.none or 0.0) if relevance else 0.0,
        )
    return rows


def mode(relevance: Sequence[Relevance] | None) -> str:
    """Which weights go with what a cross-encoder said. One that does not say how well nothing answers is not ours."""
    return WITH if relevance and relevance[0].none is not None else WITHOUT


def read(
    question: Question, candidates: Sequence[Candidate], relevance: Sequence[Relevance] | None, *, index: Index
) -> list[Reading]:
    """Every sentence of the candidates, the best first. `relevance` is the cross-encoder's, in the candidates' order.

    Another cross-encoder than the bundled one, for which no weights were fitted, has as much say as all the features.
    """
    ours = mode(relevance)
    told = list(relevance) if relevance and ours == WITH else [None] * len(candidates)
    readings = []
    for candidate, its in zip(candidates, told, strict=True):
        rows = sentence_features(question, candidate, its, index=index)
        for position, value in enumerate(rows @ _vector(ours, "ranking", FEATURES, candidate.same_language)):
            readings.append(Reading(candidate, position, float(value), 0.0, *rows[position, -2:].tolist()))
    if relevance and ours == WITHOUT:
        scores = np.array([item.score for item in readings])
        others = np.array([score for its in relevance for score in its.sentences])
        scale = scores.std() / (others.std() or 1.0)
        readings = [
            replace(item, score=item.score + float(other))
            for item, other in zip(readings, (others - others.mean()) * scale, strict=True)
        ]
    return shared(readings)


def shared(readings: list[Reading]) -> list[Reading]:
    """The readings in the order of their scores, each with its share."""
    readings.sort(key=lambda item: (-item.score, item.candidate.stored.id, item.position))
    odds = [math.exp(item.score - readings[0].score) for item in readings]
    total = sum(odds)
    return [replace(item, share=part / total) for item, part in zip(readings, odds, strict=True)]


def evidence(question: Question, readings: Sequence[Reading], *, index: Index) -> npt.NDArray[np.float64]:
    """(len(EVIDENCE),) float64: the evidence that the first reading answers the question."""
    first = readings[0]
    candidate, article = first.candidate, first.passage.article.id
    text = first.passage.article.text[first.sentence.start : first.sentence.end]
    wanted = asks(question.text)
    every = question.names + question.unknown
    rarity = {name: sum(index.rarity(part[0]) for part in name.parts) for name in every}
    total = sum(rarity.values())
    return np.array(
        (
            first.score,
            first.share,
            first.share / sum(item.share for item in readings if item.passage.article.id == article),
            candidate.sentence_cosines[first.position],
            candidate.cosine,
            max(candidate.sentence_cosines),
            candidate.stem_share,
            candidate.name_share if every else 0.5,
            sum(rarity[name] for name in question.unknown) / total if total else 0.0,
            any(kind in wanted and not GIVES[kind].search(text) for kind in ("date", "number")),
            index.unknown_share(question_stems(question), question.language),
            first.relevance,
            first.over_none,
            max(item.over_none for item in readings),
            1 / sum(math.exp(item.relevance - first.relevance) for item in readings),
        )
    )


def judge(question: Question, readings: Sequence[Reading], mode: str, *, index: Index) -> Judgement:
    """Whether the archive answers the question, and how probably the first reading does."""
    if not readings or not content_words(question.text):
        return Judgement(0.0, 0.0, found=False)
    same = readings[0].candidate.same_language
    pair = "same" if same else "cross"
    told = evidence(question, readings, index=index)
    answerable, right = (
        _probability(float(told @ _vector(mode, model, EVIDENCE, same)) + weights()[mode][model][pair]["constant"])
        for model in ("answerable", "right")
    )
    if _asks_of_a_stranger(question, index):
        answerable *= _STRANGER
    return Judgement(answerable, answerable * right, found=answerable >= weights()[mode]["threshold"])


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
def _vector(mode: str, model: str, names: tuple[str, ...], same: bool) -> npt.NDArray[np.float64]:
    fitted = weights()[mode][model]["same" if same else "cross"]
    return np.array([fitted.get(name, 0.0) for name in names])
