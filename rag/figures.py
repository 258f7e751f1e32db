"""What becomes of an evaluation's outcomes: shares, calibration, cost and times, over all and per pair of languages.

Pure: nothing is asked here. The measures at the end also serve the benchmarks.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag import __version__
from rag.expected import Expected

DEPTH = 10  # passages looked into for recall
OF_THREE = 3  # quotations of an answer that a reader is expected to look at
WRONG, REFUSED = 3, 1  # what a wrong answer costs, and refusing a question that the archive answers
UNKNOWN = "unknown"  # the language of an article that declares none and whose text does not tell


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question.

    `article_language` is that of the article which holds the expected quotation (None without one). `passage` is the
    rank (from 1) of the first of ten passages that holds it, `right` that of the answer's first right quotation; both
    None where there is none. `quotes` and `place` (path of the first one's article) are the answer's; `ms` is the time
    that `ask` took.
    """

    expected: Expected
    article_language: str | None
    passage: int | None
    right: int | None
    found: bool
    confidence: float
    quotes: tuple[str, ...]
    place: str | None
    ms: float

    @property
    def succeeded(self) -> bool:
        """Whether it was answered and the first quotation is right: what the confidence is the probability of."""
        return self.found and self.right == 1

    @property
    def cost(self) -> int:
        if self.found:
            return 0 if self.succeeded else WRONG
        return REFUSED if self.expected.quotes else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "line": self.expected.line,
            "id": self.expected.id,
            "question": self.expected.question,
            "language": self.expected.language,
            "kind": self.expected.kind,
            "answerable": bool(self.expected.quotes),
            "article_language": self.article_language,
            "passage": self.passage,
            "found": self.found,
            "right": self.succeeded,
            "right_of_three": _within(self.right, OF_THREE),
            "confidence": round(self.confidence, 4),
            "quote": self.quotes[0] if self.quotes else None,
            "article": self.place,
            "characters": sum(map(len, self.quotes)),
            "ms": round(self.ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Of some questions that the archive answers. Shares are from 0 to 1; None where there is nothing to measure.

    `recall_N` is the share with a passage that holds the answer among the first N, `first` that with a right first
    quotation, `three` with a right one among the first three; a refusal counts as wrong. `auroc` sets their confidence
    against that of the questions without an answer. `characters` is the mean length of an answer's first quotation,
    `characters_all` of all of them.
    """

    questions: int
    recall_1: float | None
    recall_5: float | None
    recall_10: float | None
    first: float | None
    three: float | None
    answered: float | None
    auroc: float | None
    cost: float | None
    characters: float | None
    characters_all: float | None
    ms: float | None
    ms_90: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A question's language and that of the article that answers it."""

    question: str
    article: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Group:
    """Questions in one language, with and without an answer; all of them where `language` is None.

    `refused` is the share refused of those without an answer; `auroc` sets those with an answer against them.
    """

    language: str | None
    questions: int
    answerable: int
    refused: float | None
    auroc: float | None
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Kind:
    """The questions without an answer of one kind; `kind` is None where the file gives none. `auroc` sets all questions
    with an answer against them."""

    kind: str | None
    questions: int
    refused: float
    auroc: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """The questions whose confidence lies in [`low`, `high`): its mean, and the share with a right first quotation."""

    low: float
    high: float
    questions: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured. `total` is over the questions with an answer, `everything` over all; `kinds` are those of
    the questions without one."""

    archive: str
    articles: int
    cross_encoder: str
    outcomes: tuple[Outcome, ...]
    total: Figures
    pairs: tuple[Pair, ...]
    everything: Group
    kinds: tuple[Kind, ...]
    languages: tuple[Group, ...]
    bins: tuple[Bin, ...]
    cost: float
    cost_of_silence: float  # of refusing every question
    ms: float
    ms_90: float

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        everything = asdict(self.everything)
        del everything["language"]
        plain: dict[str, Any] = _rounded(
            {
                "version": __version__,
                "archive": self.archive,
                "articles": self.articles,
                "cross_encoder": self.cross_encoder,
                "all": {
                    **everything,
                    "cost": self.cost,
                    "cost_of_refusing_all": self.cost_of_silence,
                    "ms": self.ms,
                    "ms_90": self.ms_90,
                },
                "with_answer": asdict(self.total),
                "pairs": [
                    {"question": item.question, "article": item.article, **asdict(item.figures)} for item in self.pairs
                ],
                "without_answer": [asdict(item) for item in self.kinds],
                "languages": [asdict(item) for item in self.languages],
                "bins": [asdict(item) for item in self.bins],
            }
        )
        return {**plain, "answers": [outcome.to_dict() for outcome in self.outcomes]}


# Counting


def report(outcomes: Sequence[Outcome], *, archive: str, articles: int, cross_encoder: str) -> Report:
    """All figures of what was asked, at least one question."""
    strangers = [outcome for outcome in outcomes if not outcome.expected.quotes]
    known = [outcome for outcome in outcomes if outcome.expected.quotes]
    pairs = sorted({(outcome.expected.language, outcome.article_language or UNKNOWN) for outcome in known})
    kinds = dict.fromkeys(outcome.expected.kind for outcome in strangers)
    languages = sorted({outcome.expected.language for outcome in outcomes})
    return Report(
        archive=archive,
        articles=articles,
        cross_encoder=cross_encoder,
        outcomes=tuple(outcomes),
        total=_figures(known, strangers),
        pairs=tuple(
            Pair(
                question,
                article,
                _figures(
                    [o for o in known if (o.expected.language, o.article_language) == (question, article)],
                    [o for o in strangers if o.expected.language == question],
                ),
            )
            for question, article in pairs
        ),
        everything=_group(None, outcomes),
        kinds=tuple(_kind(kind, [o for o in strangers if o.expected.kind == kind], known) for kind in kinds),
        languages=tuple(
            _group(language, [o for o in outcomes if o.expected.language == language]) for language in languages
        ),
        bins=tuple(reliability([o.confidence for o in outcomes], [o.succeeded for o in outcomes])),
        cost=statistics.fmean(o.cost for o in outcomes),
        cost_of_silence=REFUSED * len(known) / len(outcomes),
        ms=statistics.median(o.ms for o in outcomes),
        ms_90=_ninety([o.ms for o in outcomes]),
    )


def _figures(known: Sequence[Outcome], strangers: Sequence[Outcome]) -> Figures:
    answers = [o.quotes for o in known if o.found]
    return Figures(
        questions=len(known),
        recall_1=_mean(_within(o.passage, 1) for o in known),
        recall_5=_mean(_within(o.passage, 5) for o in known),
        recall_10=_mean(_within(o.passage, DEPTH) for o in known),
        first=_mean(_within(o.right, 1) for o in known),
        three=_mean(_within(o.right, OF_THREE) for o in known),
        answered=_mean(o.found for o in known),
        auroc=_parting(known, strangers),
        cost=_mean(o.cost for o in known),
        characters=_mean(len(quotes[0]) for quotes in answers),
        characters_all=_mean(sum(map(len, quotes)) for quotes in answers),
        ms=statistics.median(o.ms for o in known) if known else None,
        ms_90=_ninety([o.ms for o in known]) if known else None,
    )


def _group(language: str | None, outcomes: Sequence[Outcome]) -> Group:
    known = [o for o in outcomes if o.expected.quotes]
    strangers = [o for o in outcomes if not o.expected.quotes]
    return Group(
        language=language,
        questions=len(outcomes),
        answerable=len(known),
        refused=_mean(not o.found for o in strangers),
        auroc=_parting(known, strangers),
        calibration_error=calibration_error([o.confidence for o in outcomes], [o.succeeded for o in outcomes]),
    )


def _kind(kind: str | None, strangers: Sequence[Outcome], known: Sequence[Outcome]) -> Kind:
    return Kind(kind, len(strangers), statistics.fmean(not o.found for o in strangers), _parting(known, strangers))


def _parting(known: Sequence[Outcome], strangers: Sequence[Outcome]) -> float | None:
    if not known or not strangers:
        return None
    return auroc([o.confidence for o in known], [o.confidence for o in strangers])


def _within(rank: int | None, first: int) -> bool:
    return rank is not None and rank <= first


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return statistics.fmean(listed) if listed else None


def _ninety(values: Sequence[float]) -> float:
    """The value that nine in ten do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.9 * len(values)) - 1]


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return round(data, 4)
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    return [_rounded(item) for item in data] if isinstance(data, list) else data


# Measures


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The probability that a random positive scores above a random negative; ties count half. Neither is empty."""
    ranked = sorted([(value, 1) for value in positive] + [(value, 0) for value in negative])
    wins = below = 0.0
    at = 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        ups = sum(kind for _, kind in ranked[at:end])
        downs = end - at - ups
        wins += ups * (below + downs / 2)
        below += downs
        at = end
    return wins / (len(positive) * len(negative))


def reliability(confidences: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Confidence against what came true, in equally wide bins; the last one holds a confidence of 1 too."""
    made = []
    for number in range(bins):
        inside = [
            (value, outcome)
            for value, outcome in zip(confidences, outcomes, strict=True)
            if min(int(value * bins), bins - 1) == number
        ]
        made.append(
            Bin(
                number / bins,
                (number + 1) / bins,
                len(inside),
                _mean(value for value, _ in inside),
                _mean(outcome for _, outcome in inside),
            )
        )
    return made


def calibration_error(confidences: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017, section 2) over equally wide bins. There is at least one outcome."""
    total = 0.0
    for item in reliability(confidences, outcomes, bins):
        if item.confidence is not None and item.right is not None:
            total += item.questions * abs(item.confidence - item.right)
    return total / len(confidences)
