"""Whether two articles tell one story in the same words, and which of two versions of an article is the later.

Outlets print an agency's report under a headline of their own, with or without its dateline, and cut it at the end; so
articles are compared sentence by sentence, and the shorter must stand in the longer. Reports from one template
(results, figures, verdicts, the weather) have most words in common as well: what tells them apart are names, numbers
and days, so that none of them may be in the shorter only. In doubt two stay two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

from rag.dateline import MONTHS
from rag.quantities import numbers
from rag.records import Span, host
from rag.sentences import STARTERS, sentences
from rag.terms import FUNCTION_WORDS, fold, text_forms, words

Fact = str | frozenset[float]  # a name or a day, folded; or what a number may say

_RELATED = 0.4  # of the shorter's words stand in sentences of the longer: below, nothing more is compared
_COPIED = 0.8  # ... as they are, or nearly, for the shorter to be a copy
_CORRECTED = 0.8  # of the older's words stand in sentences that the newer has, or has with something else in them
_CONTAINED = 0.9  # ... as they are, or nearly, where nothing but the date says which is the later
_REMADE, _EDITED = 60, 85  # rapidfuzz ratios of a sentence made from another one, and of one edited lightly
_SHORTEST = 15  # words of a copy
_FEWEST = 2  # names and numbers that it shares
_COPIED_WITHIN = dt.timedelta(days=7)  # an agency's report is printed at once, the same forecast comes again

_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday maandag dinsdag woensdag donderdag vrijdag zaterdag"
    " zondag montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"
)
_CALENDAR = frozenset(map(fold, [*_DAYS.split(), *(month for months in MONTHS.values() for month in months)]))
_GRAMMAR = frozenset(map(fold, STARTERS.union(*FUNCTION_WORDS.values())))

# "BERLIN (dpa) – Die", "LONDON, March 3 (Reuters) - The", "Den Haag (ANP) - De", "(AP) The"; not "Meier (SPD) sagte".
_DATELINE = re.compile(
    r"(?:(?P<place>[A-ZÄÖÜ][\w./’' -]{1,40}?)(?:,[^().–—]{1,30})?\s*\([A-Za-z][\w/, .-]{1,30}\)\s*[-–—:]+"
    r"|(?P<capitals>[A-ZÄÖÜ][A-ZÄÖÜ./’' -]{2,40})(?:(?:,[^().–—]{1,30})?\s*\([A-Za-z][\w/, .-]{1,30}\)|\s[-–—]+)"
    r"|\([A-Za-z][\w/, .-]{1,30}\)\s*[-–—:]*)\s+(?=[“„«\"‘]?[A-ZÄÖÜ0-9])"
)
_MARK = re.compile(r"(?<=[.!?…”“\"»])\s*\([A-Za-z]{2,9}(?:\s?[/,-]\s?[A-Za-z]{2,9})*\)$")  # "(dpa/npd)"
_NOTICE = re.compile(
    r"^[\W_]{0,4}(?:corrections?|corrected|clarification|rectificatie|correctie|gecorrigeerd|korrektur|korrigiert"
    r"|korrigierte (?:fassung|version)|berichtigung|berichtigt|richtigstellung|gecorrigeerde versie)\b"
    r"(?=[ \t]*(?:[:.)\]–—-]|$))"
    r"|\b(?:an?|the) (?:earlier|previous|original) version of this\b|\been (?:eerdere|vorige) versie van dit\b"
    r"|\beiner (?:früheren|vorherigen|ersten|älteren) (?:version|fassung) diese[sr]\b",
    re.IGNORECASE | re.MULTILINE,
)
_UPDATE = re.compile(
    r"^[\W_]{0,4}(?:updated?|bijgewerkt|aktualisiert|aktualisierte (?:fassung|version))\b(?=[ \t]*(?:[:.)\]–—-]|$|\d))",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence of an article: a key (63 bits) that sentences of the same words have, how many words it has, and where
    it stands (half-open, code points)."""

    key: int
    words: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Telling:
    """What is compared of an article."""

    title: str
    text: str
    source: str | None
    date: dt.date | None
    language: str | None
    url: str | None
    lines: tuple[Line, ...]

    def said(self, line: Line) -> str:
        return self.text[line.start : line.end]


def lines_of(text: str, language: str | None, headings: Sequence[Span]) -> tuple[Line, ...]:
    """The sentences of an article's text, without headings."""
    found: list[Line] = []
    for sentence in sentences(text, language, headings):
        start, end = _own(text, sentence.start, sentence.end)
        if plain := folded(text[start:end]):
            digest = hashlib.blake2b(plain.encode(), digest_size=8).digest()
            found.append(Line(int.from_bytes(digest, "big") >> 1, plain.count(" ") + 1, start, end))
    return tuple(found)


def _own(text: str, start: int, end: int) -> tuple[int, int]:
    """Where a sentence begins and ends without a dateline and an agency's mark."""
    dateline, mark = _DATELINE.match(text, start, end), _MARK.search(text, start, end)
    return dateline.end() if dateline else start, mark.start() if mark else end


def bare(text: str) -> str:
    """A sentence, or several, as they are compared: folded, without a dateline and an agency's mark."""
    start, end = _own(text, 0, len(text))
    return folded(text[start:end])


def folded(text: str) -> str:
    """The words of a text as they are compared, parted by blanks: without case, accents, signs and quotation marks."""
    return " ".join(fold(word.text) for word in words(text))


def overlap(one: Sequence[Line], other: Sequence[Line]) -> float:
    """How many of the shorter's words (0 to 1) stand in sentences that the longer has too."""
    short, long = sorted((one, other), key=_size)
    held = {line.key for line in long}
    return sum(line.words for line in short if line.key in held) / (_size(short) or 1)


def related(one: Sequence[Line], other: Sequence[Line]) -> bool:
    """Whether two articles, given by their sentences, have so much in common that they are worth comparing."""
    return overlap(one, other) >= _RELATED


def facts(text: str, language: str | None) -> tuple[Fact, ...]:
    """The names, days and numbers of a sentence in order, numbers as values; a first word where it may be a name."""
    counted = [(number.start, number.end, number.values) for number in numbers(text, language)]
    found: list[tuple[int, Fact]] = [(start, values) for start, _, values in counted]
    for at, word in enumerate(words(text)):
        form = fold(word.text)
        if any(start <= word.start < end for start, end, _ in counted) or not form:
            continue
        named = word.text != word.text.lower() and form not in _GRAMMAR and (len(word.text) > 1 or at > 0)
        if named or form in _CALENDAR:
            found.append((word.start, form))
    return tuple(fact for _, fact in sorted(found, key=lambda pair: pair[0]))


def agree(one: str, other: str, language: str | None) -> bool:
    """Whether two sentences name the same names, days and numbers in the same order, but for what one leaves out."""
    first, second = sorted((facts(one, language), facts(other, language)), key=len)
    rest = iter(second)
    return all(fact in rest for fact in first)  # goes on where the last one was found


def same_outlet(one: Telling, other: Telling) -> bool:
    """Whether both come from one outlet: of one name, or where only addresses are known, from one host."""
    if one.source and other.source:
        return folded(one.source) == folded(other.source)
    site = host(one.url)
    return site is not None and site == host(other.url)


def is_copy(one: Telling, other: Telling) -> bool:
    """Whether two articles are one report: all of the shorter stands in the longer, and no fact of it is another."""
    if one.language and other.language and one.language != other.language:
        return False
    if one.date and other.date and abs(one.date - other.date) > _COPIED_WITHIN and not same_outlet(one, other):
        return False
    short, long = sorted((one, other), key=lambda telling: _size(telling.lines))
    compared = _compared(short, long)
    shared = {fact for line in compared.kept for fact in facts(short.said(line), short.language)}
    return (
        _size(short.lines) >= _SHORTEST
        and compared.copied >= _COPIED
        and not compared.contradicted
        and len(shared) >= _FEWEST
        and not _places_differ(one, other)
        and not _titles_differ(one, other)
    )


def supersedes(new: Telling, old: Telling) -> bool:
    """Whether `new` is a later version of `old`: of the same outlet, dated later or with a notice of a correction.

    Where both have one address or there is such a notice, names and numbers may differ, since that is what a correction
    changes; else all of the older must stand in the newer. "Updated" says which is the later, and no more: every
    forecast may.
    """
    if not same_outlet(new, old):
        return False
    noticed, updated = _says(_NOTICE, new, old), _says(_UPDATE, new, old)
    if new.date and old.date and new.date != old.date:
        if new.date < old.date:
            return False
    elif not (noticed or updated):
        return False
    compared = _compared(old, new)
    one_address = _address(new.url) is not None and _address(new.url) == _address(old.url)
    if (noticed or one_address) and compared.remade >= _CORRECTED:
        return True
    return compared.copied >= _CONTAINED and is_copy(new, old)


@dataclass(frozen=True, slots=True)
class _Compared:
    """How many of an article's words (0 to 1) stand in sentences that the other has, if lightly edited (`copied`), or
    with something else in them (`remade`). `kept` are those copied; `contradicted` is whether a name or a number stands
    in the place of another, or is not in the other at all."""

    copied: float
    remade: float
    kept: tuple[Line, ...]
    contradicted: bool


def _compared(short: Telling, long: Telling) -> _Compared:
    lines = [line for line in short.lines if not _signs_off(short.said(line))]
    held, own = {line.key for line in long.lines}, {line.key for line in lines}
    others = [long.said(line) for line in long.lines if line.key not in own]
    bare_others = [folded(other) for other in others]
    kept = [line for line in lines if line.key in held]
    remade = _size(kept)
    told: list[Fact] = []
    exchanged = False
    for line in lines:
        if line.key in held:
            continue
        said = short.said(line)
        plain = folded(said)
        told += facts(said, short.language)
        found = process.extractOne(plain, bare_others, scorer=fuzz.ratio, score_cutoff=_REMADE)
        if found is None:
            continue
        near, ratio, at = found
        remade += line.words
        exchanged = exchanged or not agree(said, others[at], short.language)
        if ratio >= _EDITED and not _swaps(plain, near):
            kept.append(line)
    total = _size(lines) or 1
    contradicted = exchanged or not _stands_in(told, long)
    return _Compared(_size(kept) / total, remade / total, tuple(kept), contradicted)


def _stands_in(told: Sequence[Fact], telling: Telling) -> bool:
    """Whether every one of these names and numbers occurs in an article."""
    if not told:
        return True
    parts = [telling.title, *map(telling.said, telling.lines)]
    forms = frozenset[str]().union(*map(text_forms, parts))
    counted = [number.values for part in parts for number in numbers(part, telling.language)]
    return all(
        fact in forms if isinstance(fact, str) else any(not fact.isdisjoint(values) for values in counted)
        for fact in told
    )


def _swaps(one: str, other: str) -> bool:
    """Whether a word that carries meaning stands in the place of another: "rose" and "fell"."""
    first, second = one.split(), other.split()
    for step in Levenshtein.opcodes(first, second):
        if step.tag == "replace":
            pairs = zip(first[step.src_start : step.src_end], second[step.dest_start : step.dest_end], strict=False)
            if any(a[:4] != b[:4] and not {a, b} <= _GRAMMAR for a, b in pairs):
                return True
    return False


def _signs_off(text: str) -> bool:
    """Whether a line is a byline or an agency's mark rather than a sentence."""
    marked = text.startswith("(") and text.rstrip(".").endswith(")")
    unended = text[-1] not in '.!?…”“"»'
    return (marked or unended) and len(text.split()) <= 6 and not any(char.isdigit() for char in text)


def _places_differ(one: Telling, other: Telling) -> bool:
    """Whether both have a dateline, from different places."""
    first, second = (set(_place(told).split()) for told in (one, other))
    return bool(first and second) and not (first <= second or second <= first)


def _place(told: Telling) -> str:
    """The place in the dateline before the first sentence, folded; "" where there is none."""
    start = told.text.rfind("\n", 0, told.lines[0].start) + 1 if told.lines else 0
    match = _DATELINE.match(told.text, start)
    return folded(match["place"] or match["capitals"] or "") if match else ""


def _titles_differ(one: Telling, other: Telling) -> bool:
    """Whether each headline has a day or a number of which the other article knows nothing."""
    return all(
        not _stands_in(
            [fact for fact in facts(mine.title, mine.language) if not isinstance(fact, str) or fact in _CALENDAR],
            yours,
        )
        for mine, yours in ((one, other), (other, one))
    )


def _says(notice: re.Pattern[str], new: Telling, old: Telling) -> bool:
    """Whether the newer has such a notice and the older has none."""

    def has(told: Telling) -> bool:
        return notice.search(told.title) is not None or notice.search(told.text) is not None

    return has(new) and not has(old)


def _address(url: str | None) -> str | None:
    """An address as it is compared; None where it is that of a site and not of an article."""
    site = host(url)
    if url is None or site is None:
        return None
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return f"{site}{path}?{parts.query}" if path or parts.query else None


def _size(lines: Sequence[Line]) -> int:
    return sum(line.words for line in lines)
