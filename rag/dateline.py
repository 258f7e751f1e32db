"""What a text says about itself in its own lines: headline, byline and date line, in Dutch, German and English.

Nothing is guessed. A date in the story is not the article's date, and 03/04/2025 is no date at all: it is one day in
Amsterdam and another in Boston.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

MONTHS = {
    "nl": "januari februari maart april mei juni juli augustus september oktober november december".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "en": "January February March April May June July August September October November December".split(),
}
_SHORT = {"jän": 1, "mrt": 3, "mär": 3, "maa": 3, "mai": 5, "mei": 5, "okt": 10, "oct": 10, "dez": 12, "dec": 12}
_NUMBER = {name.lower(): i for names in MONTHS.values() for i, name in enumerate(names, 1)}
_NUMBER |= {name[:3]: i for name, i in _NUMBER.items()} | {"sept": 9, "febr": 2, "jänner": 1} | _SHORT
_MONTH = "(?P<month>" + "|".join(sorted(map(re.escape, _NUMBER), key=len, reverse=True)) + r")\b\.?"
_WORDS = (
    re.compile(
        rf"(?<![\d.])(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th|e)?\s+(?:of\s+)?{_MONTH},?\s+(?P<year>\d{{4}})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(r"(?<![\d-])(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})(?!\d)"),
    re.compile(r"(?<![\d/])(?P<year>\d{4})/(?P<number>\d{1,2})/(?P<day>\d{1,2})(?![\d/])"),
    re.compile(r"(?<![\d.])(?P<day>\d{1,2})\.\s?(?P<number>\d{1,2})\.\s?(?P<year>\d{4})\b"),
    re.compile(r"(?<![\d.])(?P<day>\d{1,2})\.(?P<number>\d{1,2})\.(?P<year>\d{2})(?![\d.])"),
)
_DIVIDED = re.compile(r"(?<![\d/-])(?P<a>\d{1,2})(?P<mark>[-/])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4})(?![\d/-])")

_LABEL = re.compile(
    r"\b(?:gepubliceerd|geplaatst|publicatiedatum|laatste? update|laatst|bijgewerkt|gewijzigd|aangepast|updated?|last"
    r"|modified|published|posted|first|date|datum|bearbeitet|zuletzt|stand|veröffentlicht|erschienen|erstellt|aktualisiert"
    r"|letzte aktualisierung|publikation|online seit|op|om|on|at|am|um|vom|von|seit|the|uhr|uur|[ap]\.?m\.?|cest|cet"
    r"|mesz|mez|gmt|utc|est|edt|pst|pdt|et|pt|h|min(?:uten|utes|uut)?\.?|lesezeit|leestijd|read(?:ing)?|time|lesedauer"
    r"|lezen|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:maan|dins|woens|donder|vrij|zater|zon)dag"
    r"|(?:mon|diens|donners|frei|sams|sonn)tag"
    r"|mittwoch|sonnabend|mon|tue|wed|thu|fri|sat|sun|ma|di|wo|do|vr|za|zo|mo|mi|fr|sa|so)\b\.?",
    re.IGNORECASE,
)
_UPDATED = re.compile(
    r"\b(?:laatste? update|bijgewerkt|gewijzigd|aangepast|update[dt]?|modified|aktualisier(?:t|ung)|bearbeitet)\b",
    re.IGNORECASE,
)
_NAMES = (
    r"[A-ZÀ-Þ][\w.’'-]*(?:\s+(?:(?:van|von|de|der|den|ten|ter|di|da|del|el|al|bin|la|le|zu)\s+)*[A-ZÀ-Þ][\w.’'-]*){1,3}"
)
_NEWSROOM = (
    r"(?:(?:onze|van onze|unsere[rm]?|der|the|our)\s+)?(?:redactie|redaktion|staff|newsroom|editorial)\b[\w .-]{0,30}"
)
_BYLINE = re.compile(
    r"^\W{0,3}(?:(?:geschreven|tekst|text|story|bericht|artikel|interview|analyse|geschrieben|written|reported|posted"
    r"|published|veröffentlicht|gepubliceerd)\s+)?"
    r"(?P<label>door|von|by|tekst|text|auteurs?|autor(?:in|en)?|authors?)(?:\s*:\s*|\s+)"
    rf"(?P<names>(?:{_NAMES}|{_NEWSROOM})(?:\s*(?:,|&|\ben\b|\bund\b|\band\b)\s*{_NAMES})*)(?P<rest>.*)$"
)
_BESIDE = re.compile(
    r"\s+(?=\d|(?:last\s+|first\s+)?(?:updated|published|posted|erstellt|aktualisiert|veröffentlicht|gepubliceerd)\b"
    r"|(?:on|op|am|om|um)\b|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?\s\d)",
    re.IGNORECASE,
)
_LONGEST_HEADLINE = 160  # code points
_SURE_HEADLINE = 0.35  # of real dumps; below it come as many wrong headlines as right ones
_LONGEST_REST = 40  # what may stand beside a date or a name in its line


def written(date: dt.date, language: str | None) -> str:
    """The date as a reader would write it in `language`; in English where it is another than Dutch or German."""
    month = MONTHS.get(language or "en", MONTHS["en"])[date.month - 1]
    return f"{date.day}{'.' if language == 'de' else ''} {month} {date.year}"


# --- dates ------------------------------------------------------------------------------------------------------------


def dates(line: str, language: str | None = None) -> list[tuple[int, int, dt.date]]:
    """The dates in a line with where they stand. With strokes, the day comes first only where that is certain."""
    found: list[tuple[int, int, dt.date]] = []
    for pattern in _WORDS:
        for match in pattern.finditer(line):
            groups = match.groupdict()
            month = int(groups["number"]) if "number" in groups else _NUMBER[groups["month"].lower()]
            year = int(groups["year"]) + (2000 if len(groups["year"]) == 2 else 0)
            _add(found, match, year, month, int(groups["day"]))
    for match in _DIVIDED.finditer(line):
        a, b = int(match["a"]), int(match["b"])
        day_first = a > 12 or a == b or (match["mark"] == "-" and language in ("nl", "de"))
        if day_first or b > 12:
            _add(found, match, int(match["year"]), *((b, a) if day_first else (a, b)))
    return sorted(found)


def _add(found: list[tuple[int, int, dt.date]], match: re.Match[str], year: int, month: int, day: int) -> None:
    if any(match.start() < end and match.end() > start for start, end, _ in found):
        return
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return
    if 1450 <= year <= 2200:
        found.append((match.start(), match.end(), date))


def date_in(line: str, language: str | None = None) -> tuple[dt.date, bool] | None:
    """The date of a date line, and whether it is only that of an update; None if the line says more than that."""
    found = dates(line, language)
    if not found or len(line) > 160:
        return None
    rest = line
    for start, end, _ in reversed(found):
        rest = f"{rest[:start]} | {rest[end:]}"
    byline = byline_in(rest)
    if byline:
        rest = rest[rest.find("|") :]
    # A word of its own kind before the date ("Release:", "Verkündet am") makes it the date of something else.
    if re.search(
        r"[^\W\d_]{3,}\s*(?::|\b(?:am|on|op)\b)[\s:]*(?:[^\W\d_]+,\s*)?\|", _LABEL.sub(_kept_preposition, rest)
    ):
        return None
    left = " ".join(re.sub(r"[\W_]+", " ", _LABEL.sub(" ", re.sub(r"\d+", " ", rest))).split())
    if len(left) > _LONGEST_REST or len(left.split()) > 4:
        return None
    published = [date for start, _, date in found if not _UPDATED.search(line[max(0, start - 30) : start])]
    if len(set(published)) > 1:
        return None
    return (published[0], False) if published else (found[0][2], True)


def _kept_preposition(match: re.Match[str]) -> str:
    return match[0] if match[0].lower() in ("am", "on", "op") else " "


_DATELINE = re.compile(r"(?:[A-ZÄÖÜ][\w./ -]{1,40}[,(]?\s*)?\(?(?P<date>[^()–—]{6,30}?)\)?\s*(?:[–—:]|-\s)")


def dateline_of(paragraph: str, language: str | None = None) -> dt.date | None:
    """The date with which a report opens: "BERLIN, 13. Oktober 2025 – …"."""
    match = _DATELINE.match(paragraph[:100])
    found = dates(match[0], language) if match else []
    return found[0][2] if len(found) == 1 else None


# --- names ------------------------------------------------------------------------------------------------------------


def byline_in(line: str) -> str | None:
    """The author or authors that a byline names, parted by commas; None if the line is no byline."""
    if len(line) > 160:
        return None
    line = _BESIDE.split(line, maxsplit=1)[0]
    folded = re.sub(r"^(\W{0,3})([A-ZÄ]+)\b", lambda m: m[1] + m[2].capitalize(), " ".join(line.split()))
    folded = re.sub(r"^(\W{0,3})([A-Z])", lambda m: m[1] + m[2].lower(), folded)
    match = _BYLINE.match(re.sub(r"^(\w+\s+)(Door|Von|By)\b", lambda m: m[1] + m[2].lower(), folded))
    if not match:
        return None
    rest = match["rest"].strip()
    if rest and (rest[0].isalnum() or len(rest) > 80 or (rest[-1:] in ".!?" and len(rest) > 1)):
        return None
    names = [name.strip(" .,") for name in re.split(r"\s*(?:,|&|\ben\b|\bund\b|\band\b)\s*", match["names"])]
    return ", ".join(dict.fromkeys(name for name in names if name)) or None


# --- headlines --------------------------------------------------------------------------------------------------------


_SKIP = re.compile(r"(?:skip to|jump to|zum inhalt|direkt zu|ga naar|direct naar|spring naar)\b", re.IGNORECASE)
_NO_HEADLINE = re.compile(
    r"[.:;,…|>»]$|^[…<>-]|[|›→•©@]|\s[>»/]\s|https?:|www\.|\w{3}\.(?:de|com|nl|org|net)\b|^\w+:\w"
    r"|(?i:\b(?:foto|photo|bild|beeld|image|picture|getty|afp|dpa|reuters|anp)\b\s*[:/)]|[(/]\s?(?:foto|photo|ap\b|afp|dpa|getty|reuters|anp))"
)


def is_headline(line: str) -> bool:
    """Whether a line has the shape of a headline: short, a few words, no full stop, no byline, date or address."""
    words = re.findall(r"[^\W\d_]{2,}", line)
    if not 2 <= len(words) <= 25 or not 12 <= len(line) <= _LONGEST_HEADLINE or "\n" in line:
        return False
    if _NO_HEADLINE.search(line) or line[0].islower() or _SKIP.match(line):
        return False
    return not (byline_in(line) or any(start < 3 for start, _, _ in dates(line)) or date_in(line))


def headline(lines: Sequence[str], kept: Sequence[bool]) -> int | None:
    """Which line is the headline of a text without marked headings; None if there is none.

    It stands before the first paragraph, was not taken for furniture, and shares words with the text; of several, the
    one that shares most.
    """
    first = next((i for i, line in enumerate(lines) if kept[i] and is_paragraph(line)), None)
    if first is None:
        return None
    between = [line for line in lines[1:first] if not (byline_in(line) or date_in(line))]
    body = {word[:6] for line in lines[first:] if is_paragraph(line) for word in _content(line)}
    opens = bool(first) and is_headline(lines[0]) and len(between) <= 1
    if opens and (kept[0] or any(word[:6] in body for word in _content(lines[0]))):
        return 0
    folded = [" ".join(line.casefold().split()) for line in lines]
    best, best_score = None, _SURE_HEADLINE
    for i in range(max(0, first - 40), first):
        if not is_headline(lines[i]):
            continue
        words = _content(lines[i])
        known = sum(word[:6] in body for word in words)
        if known < 2 and (not known or len(lines[i].split()) < 5):
            continue
        signed = any(byline_in(line) or date_in(line) for line in lines[i + 1 : i + 4])
        again = sum(line.startswith(folded[i]) for line in folded) > 1
        score = known / (len(words) + 1) + 0.2 * signed + 0.2 * again + 0.1 * kept[i] - 0.015 * (first - i)
        score += 0.1 * (len(lines[i].split()) > 5) - 0.3 * (len(lines[i].split()) < 4)
        if score > best_score + (
            0.15 if best is not None and i - best <= 3 else 0.0
        ):  # not the line under the headline
            best, best_score = i, score
    # Straight above the line found may stand the headline to which it is the second line.
    for i in range(best - 1, max(-1, best - 3), -1) if best is not None else ():
        if is_headline(lines[i]) and len(lines[i].split()) > 3 and any(word[:6] in body for word in _content(lines[i])):
            return i
    return best


def is_paragraph(line: str) -> bool:
    """Whether a line reads like running text: long enough, and ended as a sentence is."""
    return len(line) >= 100 and bool(re.search(r"[.!?…][\"'”“’‘»«)\]]*(?:\s|$)", line))


def _content(line: str) -> list[str]:
    """The words that carry a line's topic: long ones and names."""
    words = re.findall(r"[^\W\d_]{3,}", line)
    return [word.casefold() for i, word in enumerate(words) if len(word) > 4 or (i and word[0].isupper())]
