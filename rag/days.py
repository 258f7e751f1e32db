"""The dates of a text: days, months, years, weekdays, seasons and feasts, in Dutch, German and English."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_MONTHS = (
    "january januari januar jänner jan", "february februari februar feb", "march maart märz mrt mar",
    "april apr", "may mei mai", "june juni jun", "july juli jul", "august augustus aug",
    "september sept sep", "october oktober oct okt", "november nov", "december dezember dec dez",
)  # fmt: skip
_WEEKDAYS = (
    "monday maandag montag", "tuesday dinsdag dienstag", "wednesday woensdag mittwoch", "thursday donderdag donnerstag",
    "friday vrijdag freitag", "saturday zaterdag samstag sonnabend", "sunday zondag sonntag",
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_WEEKDAY = {name: number for number, names in enumerate(_WEEKDAYS) for name in names.split()}
MONTHS = "|".join(sorted(_MONTH, key=len, reverse=True))
_SURE_MONTH = {name for name in _MONTH if len(name) > 3} - {"march"} | {"mei", "mai"}

_DATE = re.compile(
    r"\b(?P<day>\d{1,2})(?:st|nd|rd|th|\.|e)?\s+(?:of\s+)?(?P<month>" + MONTHS + r")\b\.?,?\s*(?P<year>\d{4})?"
    r"|\b(?P<month2>" + MONTHS + r")\.?\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?\b(?!\s*(?:per cent|percent|%|:))"
    r"(?:,?\s+(?P<year2>\d{4}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as a text gives it."""

    day: int | None
    month: int | None
    year: int | None

    def fits(self, other: Day) -> bool:
        """Whether both may be one date: nothing that both give differs."""
        pairs = ((self.day, other.day), (self.month, other.month), (self.year, other.year))
        return all(one is None or two is None or one == two for one, two in pairs)


_FEASTS = (
    (re.compile(r"\b(New Year['’]s Day|Neujahr\w*|nieuwjaar\w*)\b", re.IGNORECASE), Day(1, 1, None)),
    (re.compile(r"\b(Christmas Eve|Heiligabend|Heiligen Abend|kerstavond)\b", re.IGNORECASE), Day(24, 12, None)),
    (re.compile(r"\b(New Year['’]s Eve|Silvester|oudjaar\w*)\b", re.IGNORECASE), Day(31, 12, None)),
)


@lru_cache(maxsize=4096)
def days(text: str) -> tuple[Day, ...]:
    """The dates of a text that have a month: with day and year as far as they are given."""
    found = [day for pattern, day in _FEASTS if pattern.search(text)]
    taken: list[tuple[int, int]] = []
    for match, month in _dated(text):
        day = int(match["day"] or match["day2"])
        year = match["year"] or match["year2"]
        if 1 <= day <= 31:
            found.append(Day(day, month, int(year) if year else None))
            taken.append(match.span())
    for match in re.finditer(r"\b([A-Za-zäöüÄÖÜ]{3,9})\b(?:\s+(\d{4})\b)?", text):
        name = match[1].casefold()
        sure = name in _SURE_MONTH or (
            name in ("may", "march") and match[1][0].isupper() and _after_in(text, match.start())
        )
        if sure and not any(start <= match.start() < end for start, end in taken):
            found.append(Day(None, _MONTH[name], int(match[2]) if match[2] else None))
    return tuple(found)


def _after_in(text: str, at: int) -> bool:
    return (
        re.search(
            r"\b(in|since|until|till|by|of|from|to|for|on|during|through|before|after|last|next|this|early|late|mid)[\s-]$",
            text[:at],
            re.IGNORECASE,
        )
        is not None
    )


@lru_cache(maxsize=4096)
def day_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Where the dates of a text stand that have a day and a month (half-open)."""
    return tuple(match.span() for match, _ in _dated(text))


def _dated(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Where a text has a day with a month, and which month. A Turkish "aprıl" or "APRİL" matches, and is none."""
    for match in _DATE.finditer(text):
        if month := _MONTH.get((match["month"] or match["month2"]).casefold()):
            yield match, month


@lru_cache(maxsize=4096)
def weekdays(text: str) -> frozenset[int]:
    """The weekdays that a text names, 0 for Monday."""
    found = set()
    for word in re.findall(r"[^\W\d_]+", text.casefold()):
        stem = re.sub(r"(s|en|abend|nacht|morgen|nachmittag|ochtend|avond|middag|vormittag)$", "", word)
        for form in (word, stem, word.removesuffix("s")):
            if form in _WEEKDAY:
                found.add(_WEEKDAY[form])
                break
    return frozenset(found)


_HOLIDAYS = (
    "easter pasen ostern paas",
    "christmas kerst kerstmis weihnachten weihnacht",
    "pentecost whitsun pinksteren pfingsten",
    "ramadan",
    "carnival carnaval karneval fasching",
)
_SEASON = {
    name: number
    for number, names in enumerate(
        (
            "spring lente voorjaar frühling frühjahr",
            "summer zomer sommer",
            "autumn fall herfst najaar herbst",
            "winter",
            *_HOLIDAYS,
        )
    )
    for name in names.split()
}


@lru_cache(maxsize=4096)
def seasons(text: str) -> frozenset[int]:
    """The seasons (0 for spring) and feasts that a text names."""
    found = set()
    for word in re.findall(r"[^\W\d_]+", text.casefold()):
        if word != "fall":
            found |= {number for name, number in _SEASON.items() if word in (name, name + "s", name + "saison")}
    return frozenset(found)


def near(day: dt.date, weekdays_named: frozenset[int]) -> Iterator[Day]:
    """The dates that the weekdays named in an article of `day` may mean: the last and the next of each."""
    for offset in range(-7, 8):
        other = day + dt.timedelta(offset)
        if other.weekday() in weekdays_named:
            yield Day(other.day, other.month, other.year)
