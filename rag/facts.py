"""What can be compared exactly between a statement and the quotation it rests on: numbers, dates, names, who said it.

Each comparison counts what the statement has and the quotation has not. Numbers and dates are compared as values, names
by their forms across spellings and languages. Small rules for Dutch, German and English; `check.py` weighs them.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from itertools import combinations

from rapidfuzz import fuzz

from rag.days import Day, day_spans, days, near, seasons, weekdays
from rag.mentions import MARKED, has, known_forms, named, speakers
from rag.quantities import Number, durations, numbers, ordinals, periods
from rag.records import Article
from rag.sentences import sentences
from rag.terms import capitalised, content_words, fold, words


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a statement may rest on: the quotation, and what is known of its article.

    `context` is the passage around it, which tells who "he" is and supports nothing by itself.
    """

    quote: str
    context: str
    article: Article

    @property
    def beside(self) -> str:
        """What stands around the quotation: the passage and the headline."""
        return f"{self.context} {self.article.title}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a statement has that its quotation has not, in counts."""

    numbers: int = 0  # nowhere
    numbers_beside: int = 0  # only in the passage or the headline
    dates: int = 0  # months, full dates, weekdays, years
    names: int = 0  # nowhere
    names_beside: int = 0  # only in the passage or the headline
    speaker: int = 0  # 1: the quotation has another one
    negated: int = 0  # one of them is negated, the other is not
    strange: int = 0  # 1: in one language, and no word in common, or those of a sentence beside the quotation

    @property
    def wrong(self) -> bool:
        """Whether a number, a date or a speaker is another one, or nothing the same. Names may be translations."""
        return bool(self.numbers or self.numbers_beside or self.dates or self.speaker or self.strange)


def compare(text: str, language: str, evidence: Evidence) -> Facts:
    """What `text`, a statement in `language` (ISO 639-1), has that the evidence has not."""
    lost, beside = _numbers(text, language, evidence)
    names, names_beside = _names(text, language, evidence)
    return Facts(
        numbers=lost,
        numbers_beside=beside,
        dates=_dates(text, evidence),
        names=names,
        names_beside=names_beside,
        speaker=int(_other_speaker(text, language, evidence)),
        strange=int(
            language == evidence.article.language and (not _shared(text, evidence) or _stands_beside(text, evidence))
        ),
        negated=int(negations(text, language) % 2 != negations(evidence.quote, evidence.article.language) % 2),
    )


_BEGINNING = 5  # letters, by which inflected and compound words are known again


def _shared(text: str, evidence: Evidence) -> bool:
    """Whether a word of the statement, or its beginning, stands in the passage."""
    said, told = (
        {fold(word.text)[:_BEGINNING] for word in content_words(each)}
        for each in (text, f"{evidence.quote} {evidence.context}")
    )
    return not said.isdisjoint(told)


_SAME, _OTHER = 85, 60  # rapidfuzz's ratio of sets of words: of one sentence, and of two


def _stands_beside(text: str, evidence: Evidence) -> bool:
    """Whether a statement repeats a sentence of the passage that the quotation does not hold."""
    if fuzz.token_set_ratio(text, evidence.quote) >= _OTHER:
        return False
    before, _, after = evidence.context.partition(evidence.quote)
    cut = (part[one.start : one.end] for part in (before, after) for one in sentences(part, evidence.article.language))
    return any(fuzz.token_set_ratio(text, sentence) >= _SAME for sentence in cut)


# Numbers and dates


def _numbers(text: str, language: str, evidence: Evidence) -> tuple[int, int]:
    article = evidence.article
    quoted = _values(numbers(evidence.quote, article.language))
    dated = {float(n) for n in (article.date.day, article.date.year)} if article.date else set()
    dated |= (
        {float(day.day) for day in near(article.date, weekdays(evidence.quote)) if day.day} if article.date else set()
    )
    around = _values(numbers(evidence.beside, article.language))
    lost = beside = 0
    shares = [value for value in quoted if 0 < value < 1]
    parts = [
        span
        for match in _ONE_IN.finditer(text)
        if (share := _share(match, language))
        and any(abs(share - other) < 0.02 for other in shares + [v / 100 for v in quoted])
        for span in (match.span(1), match.span(2))
    ]
    for number in numbers(text, language):
        if _is_year_text(number) or _known(number, quoted | dated) or _worked_out(number, quoted):
            continue  # years are dates
        if any(start <= number.start < end for start, end in (*parts, *day_spans(text))) or _about(
            text, number, quoted
        ):
            continue
        if _lasts(text, number, language, evidence):
            continue
        if _known(number, around):
            beside += 1
        else:
            lost += 1
    return lost, beside


_AND_ARTICLE = r")\W+(?:(?:an?|de|the|der|die|€|£|\$)\W*)*$"
_MORE = re.compile(
    r"\b(more than|over|above|at least|some|mehr als|über|mindestens|gut|rund|meer dan|ruim|boven de|minstens|zeker"
    + _AND_ARTICLE,
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(less than|almost|nearly|not quite|up to|weniger als|fast|knapp|beinahe|minder dan|bijna|"
    r"nog geen|tot" + _AND_ARTICLE,
    re.IGNORECASE,
)
_ROUGHLY = re.compile(
    r"\b(about|around|roughly|some|approximately|rund|etwa|ungefähr|circa|ca|gegen|ongeveer|zo['’]n|rond|grofweg|omstreeks"
    + _AND_ARTICLE,
    re.IGNORECASE,
)
_VAGUE = {
    "dozens": 20,
    "tientallen": 20,
    "dutzende": 20,
    "dutzenden": 20,
    "hundreds": 200,
    "honderden": 200,
    "hunderte": 200,
    "hunderten": 200,
    "thousands": 2000,
    "duizenden": 2000,
    "tausende": 2000,
    "tausenden": 2000,
}


def _about(text: str, number: Number, quoted: set[float]) -> bool:
    """Whether a number is given as about one that is quoted, and is: "more than 400" for 434, "dozens" for 47."""
    before = text[: number.start]
    least = _VAGUE.get(number.text.casefold())
    if least is not None:
        return any(least * 0.9 <= other < least * 50 for other in quoted)
    for pattern, low, high in ((_MORE, 1.0, 1.25), (_LESS, 0.8, 1.0), (_ROUGHLY, 0.93, 1.07)):
        if pattern.search(before) and any(
            low * value <= other <= high * value for value in number.values for other in quoted
        ):
            return True
    return False


def _lasts(text: str, number: Number, language: str, evidence: Evidence) -> bool:
    """Whether a number counts a span of time that the quotation gives in another unit: 72 hours, three days."""
    spans = durations(text[number.start : number.end + 12], language)
    return any(
        abs(one - other) <= 0.03 * other
        for one in spans
        for other in durations(evidence.quote, evidence.article.language)
    )


# "one in three", "drei von zehn", "vier op de tien"
_ONE_IN = re.compile(r"\b([\w-]+) (?:out of(?: every)?|in(?: every)?|op (?:de|elke)|von|of the|van de) ([\w-]+)")


def _share(match: re.Match[str], language: str) -> float:
    """What "one in three" and the like come to; 0 where they are no numbers."""
    one = {"one": 1.0, "een": 1.0, "één": 1.0, "ein": 1.0, "eine": 1.0, "einer": 1.0}.get(match[1].casefold())
    top = {one} if one else _values(numbers(match[1], language))
    bottom = _values(numbers(match[2], language))
    return min(top) / max(bottom) if top and bottom and max(bottom) > 1 else 0.0


def _values(found: tuple[Number, ...]) -> set[float]:
    return {value for number in found for value in number.values}


def _known(number: Number, values: set[float]) -> bool:
    return any(abs(value - other) <= 1e-6 * max(1.0, abs(other)) for value in number.values for other in values)


def _worked_out(number: Number, values: set[float]) -> bool:
    """Whether a number is the sum, the difference or the share of two that are quoted."""
    for one, other in combinations(sorted(values), 2):
        if one >= other / 10 and max(number.values) >= 20 and _known(number, {one + other, other - one}):
            return True
        if one and any(
            abs(value - ratio) < 0.02 * ratio for value in number.values for ratio in (one / other, 100 * one / other)
        ):
            return True
        if one and number.values & {2.0, 3.0} and min(number.values) <= other / one < min(number.values) + 1:
            return True  # "more than twice"
        if number.values & {one * share for share in (0.5, 0.25)} & values or _known(
            number, {other * one} if one < 1 else set()
        ):
            return True
    return False


def _dates(text: str, evidence: Evidence) -> int:
    article = evidence.article
    own = [Day(article.date.day, article.date.month, article.date.year)] if article.date else []
    passage = evidence.beside
    quoted, named = days(evidence.quote), weekdays(evidence.quote)
    told_days = [*(quoted or days(passage))]
    meant = [*near(article.date, named or weekdays(passage))] if article.date else []
    wrong = 0
    for day in days(text):
        known = told_days + own * (day.day is not None or not quoted) + meant * (day.year is None or bool(named))
        wrong += not any(day.fits(other) for other in known)
    ordered = ordinals(evidence.quote) | {
        int(value) for value in _values(numbers(evidence.quote, article.language)) if value < 100
    }
    if article.date:
        ordered |= {article.date.day} | {day.day for day in meant if day.day}
    if ordinals(evidence.quote):
        wrong += len(ordinals(text) - ordered - ordinals(passage))
    years = _years(evidence.quote)
    if article.date:
        framed = any(own[0].fits(day) and day.year for day in days(text))
        if not years or framed or _RELATIVE.search(evidence.quote):
            steps = (0,) if framed else (-1, 0, 1)
            years |= {article.date.year + step for step in steps}
    if not _years(evidence.quote):
        years |= _years(passage)
    counted = _values(numbers(evidence.quote, article.language))
    wrong += sum(year not in years and float(year) not in counted for year in _years(text))
    told = named or weekdays(passage) | ({article.date.weekday()} if article.date else set())
    if _NIGHT.search(evidence.quote):  # "in der Nacht zum Freitag" begins on Thursday
        told |= {(day - 1) % 7 for day in told}
    if article.date:
        told |= {
            dt.date(day.year, day.month, day.day).weekday()
            for day in quoted
            if day.day and day.month and day.year and _exists(day)
        }
    wrong += len(weekdays(text) - told)
    wrong += _other_period(periods(text), periods(evidence.quote))
    wrong += len(seasons(text) - (seasons(evidence.quote) or seasons(passage)))
    return wrong


def _other_period(said: frozenset[tuple[str, str]], quoted: frozenset[tuple[str, str]]) -> int:
    """How often a statement has "last year" or "a month" where the quotation has "next year" or "a year"."""
    wrong = 0
    for place, period in said - quoted:
        if place in ("last", "next"):
            wrong += ("next" if place == "last" else "last", period) in quoted
        else:
            wrong += any(other == place for other, _ in quoted)
    return wrong


_NIGHT = re.compile(r"nacht|night|overnight", re.IGNORECASE)


def _exists(day: Day) -> bool:
    try:
        dt.date(day.year or 1, day.month or 1, day.day or 1)
    except ValueError:
        return False
    return True


_YEAR = re.compile(r"(?<![\d.,€$£])\b(1[5-9]\d\d|20\d\d)(?:[/–-](\d\d))?\b(?![.,]?\d|\s?(?:%|Euro|euro|per cent))")
_RELATIVE = re.compile(
    r"\b(last|next|previous|following|later|earlier|ago|after|vorig\w*|volgend\w*|later|eerder|geleden|na|letzt\w*|vergangen\w*|"
    r"nächst\w*|kommend\w*|später|früher|vor|nach|vorjahr\w*)\b",
    re.IGNORECASE,
)


def _years(text: str) -> set[int]:
    """The years of a text; a pair such as 2025/26 as two."""
    found = set()
    for match in _YEAR.finditer(text):
        found |= {int(match[1])} | ({int(match[1][:2] + match[2])} if match[2] else set())
    return found


def _is_year_text(number: Number) -> bool:
    return _YEAR.fullmatch(number.text) is not None


# Names

# What an article in a language need not say: that it is about its own country.
_HOME = {
    "nl": frozenset({"dutch", "nederlands", "niederlandisch"}),
    "de": frozenset({"german", "deutsch", "duits"}),
    "en": frozenset({"british", "american"}),
}


def _names(text: str, language: str, evidence: Evidence) -> tuple[int, int]:
    """How many names of a statement stand nowhere, and how many only beside the quotation."""
    article = evidence.article
    quoted = known_forms(evidence.quote)
    told = _outlet(article) | _HOME.get(article.language or "", frozenset())
    around = known_forms(evidence.beside)
    lost = beside = 0
    if language == article.language:  # titles and brands in quotation marks
        for mark in MARKED.finditer(text):
            lost += any(
                not has(fold(word.text), quoted | told | around) for word in words(mark[1]) if capitalised(word.text)
            )
    for name in named(text, language):
        forms = [fold(word.text) for word in name]
        if len(forms) > 1 and name[0].start == 0 and all(has(form, quoted | told | around) for form in forms[1:]):
            # "Topman Callum Reyes": the capital may be the sentence's.
            beside += len(forms) == 2 and not has(forms[0], quoted | told)
            continue
        missing = [form for form in forms if not has(form, quoted | told)]
        nowhere = [form for form in missing if not has(form, around)]
        if language == "de" and not (nowhere[-2:] == forms[-2:] or len(forms) == 1):
            nowhere = []  # nouns have capitals too
        if nowhere:
            lost += 1
        elif missing:
            beside += 1
    return lost, beside


def _outlet(article: Article) -> frozenset[str]:
    """The forms of the names that stand over an article: who wrote it, and for whom."""
    return known_forms(" ".join(filter(None, (article.source, article.author))))


def _other_speaker(text: str, language: str, evidence: Evidence) -> bool:
    """Whether a statement names a speaker who is not in the quotation, though that names one, or stands nowhere."""
    article = evidence.article
    outlet = _outlet(article)
    said = frozenset(name for name in speakers(text, language) if not has(name, outlet))
    quoted = speakers(evidence.quote, article.language)
    if quoted and said:
        return not any(has(name, quoted) for name in said)
    known = known_forms(f"{evidence.quote} {evidence.beside}")
    return any(not has(name, known) for name in said)


# Negation

_NEGATIONS = {
    "en": re.compile(
        r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|lacks?|lacked|refus\w+|"
        r"den(?:y|ies|ied)|fail(?:s|ed)?|reject\w*)\b|n['’]t\b",
        re.IGNORECASE,
    ),
    "nl": re.compile(
        r"\b(?:niet|geen|nooit|niemand|niets|noch|zonder|nauwelijks|evenmin|weiger\w*|ontken\w*|verwerp\w*|verwierp\w*|"
        r"afgewezen|wijst\b.*\baf)\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"\b(?:nicht|kein\w*|nie|niemals|niemand|nichts|weder|noch nie|ohne|kaum|weiger\w*|verweiger\w*|bestreit\w*|"
        r"bestritt\w*|lehn\w*\b.*\bab|abgelehnt)\b",
        re.IGNORECASE,
    ),
}


def negations(text: str, language: str | None) -> int:
    """How many words of a text deny something."""
    pattern = _NEGATIONS.get(language or "en", _NEGATIONS["en"])
    return len(pattern.findall(text))
