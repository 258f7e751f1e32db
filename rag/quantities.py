"""Numbers of a text as values, so that "dreieinhalb Millionen", "3,5 miljoen" and "3.5 million" are one.

Dutch, German and English; digits and words, decimal and thousand marks, scales, fractions, per cent, clock times,
ordinals and spans of time. What a form may mean is all collected: "half" is .5 and 50.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from rag.days import MONTHS

_UNITS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
    "nl": "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien "
    "zeventien achttien negentien",
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
}
_HUNDRED = {"en": "hundred", "nl": "honderd", "de": "hundert"}
_THOUSAND = {"en": "thousand", "nl": "duizend", "de": "tausend"}
_AND = {"en": "and", "nl": "en", "de": "und"}
_ORDINALS = {
    "en": "second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
    "nl": "tweede derde vierde vijfde zesde zevende achtste negende tiende elfde twaalfde",
    "de": "zweite dritte vierte fünfte sechste siebte achte neunte zehnte elfte zwölfte",
}
_FIXED = {
    word: value
    for value, listed in {
        1.5: "anderthalb eineinhalb anderhalf anderhalve",
        2: "both twice pair couple beide beiden tweemaal dubbel allebei tweetal zweimal duo",
        3: "trio driemaal drietal dreimal thrice",
        4: "viertal viermal",
        10: "tiental tientallen tens zehner",
        12: "dozen dozijn dutzend noon midday dozens dutzende dutzenden",
        20: "twintigtal",
        24: "midnight mitternacht middernacht",
        30: "dertigtal",
        100: "hundreds honderden hunderte hunderten",
        1000: "thousands duizenden tausende tausenden",
        10000: "tienduizenden zehntausende zehntausenden",
        100000: "honderdduizenden hunderttausende hunderttausenden",
        1000000: "millions miljoenen",
        1000000000: "miljarden billions",
    }.items()
    for word in listed.split()
}
# What the beginning of a word says: "verdoppelte", "doubling", "verdrievoudigen".
_STEMS = {
    "verdoppel": 2,
    "doppel": 2,
    "doubl": 2,
    "verdubbel": 2,
    "verdreifach": 3,
    "tripl": 3,
    "verdrievoudig": 3,
    "halbier": 0.5,
    "halveer": 0.5,
    "halver": 0.5,
    "halv": 0.5,
    "vervierfach": 4,
    "quadrupl": 4,
    "verviervoudig": 4,
}
_SCALES = {
    "hundred": 1e2, "honderd": 1e2, "hundert": 1e2, "thousand": 1e3, "duizend": 1e3, "tausend": 1e3,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "miljoen": 1e6, "mln": 1e6, "mio": 1e6, "m": 1e6,
    "milliard": 1e9, "milliarde": 1e9, "milliarden": 1e9, "miljard": 1e9, "mrd": 1e9, "mld": 1e9, "bn": 1e9,
    "biljoen": 1e12, "billionen": 1e12, "trillion": 1e12,
}  # fmt: skip
_FRACTIONS = {
    "half": 0.5, "halve": 0.5, "helft": 0.5, "hälfte": 0.5, "halb": 0.5, "halbe": 0.5, "halben": 0.5, "halves": 0.5,
    "third": 1 / 3, "thirds": 1 / 3, "drittel": 1 / 3, "derde": 1 / 3, "quarter": 0.25, "quarters": 0.25, "kwart": 0.25,
    "viertel": 0.25, "vierde": 0.25, "fifth": 0.2, "fifths": 0.2, "fünftel": 0.2, "vijfde": 0.2, "tenth": 0.1,
    "zehntel": 0.1, "tiende": 0.1, "sechstel": 1 / 6, "achtel": 0.125, "achtste": 0.125, "eighth": 0.125,
    "zesde": 1 / 6, "sixth": 1 / 6, "eighths": 0.125,
}  # fmt: skip
_DIGITS = r"\d{1,3}(?:[.,’' ]\d{3})+(?![\d])(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_TOKEN = re.compile(rf"{_DIGITS}|[^\W\d_]+", re.UNICODE)
_CLOCK = re.compile(r"(?:[.:]\d{2})?\s*(?:uhr|uur|h\b|o['’]clock|[ap]\.?m\b)|:\d{2}\b", re.IGNORECASE)
# What a number is written together with: "achtjährig", "viermal", "driedaags".
_COUNTED = re.compile(r"(mal|maal|fach|voudig|köpfig|koppig|jähr|jarig|tägig|daags|stünd|urig|stöckig)\w{0,4}$")


@cache
def _words(language: str) -> dict[str, float]:
    """Number words from 0 to 999, and of whole thousands, in a language. "One" counts nothing: it is an article."""
    units, tens = _UNITS[language].split(), _TENS[language].split()
    hundred, thousand, joint = _HUNDRED[language], _THOUSAND[language], _AND[language]
    below = {word: float(value) for value, word in enumerate(units)}
    for at, ten in enumerate(tens, 2):
        below[ten] = 10.0 * at
        for value, unit in enumerate(units[1:10], 1):
            forms = {"en": [f"{ten}-{unit}"], "de": [f"{unit}und{ten}"], "nl": [f"{unit}en{ten}", f"{unit}ën{ten}"]}
            below.update(dict.fromkeys(forms[language], 10.0 * at + value))
    found = dict(below)
    if language != "en":
        for times, unit in ((1, ""), *enumerate(units[2:10], 2)):
            found[unit + hundred] = 100.0 * times
            for word, rest in below.items():
                if rest:
                    found[unit + hundred + word] = found[unit + hundred + joint + word] = 100.0 * times + rest
        for word, small in below.items():
            if language == "nl" and 11 <= small <= 99 and small % 10:
                found[word + hundred] = 100 * small
        for word, small in list(found.items()):
            if 1 < small < 1000:
                found.setdefault(word + thousand, 1000 * small)
    for word in ("een", "ein", "one"):
        found.pop(word, None)
    return found


def _word(word: str, language: str | None) -> float | None:
    """What a number word says in a language; in any of ours where that is not known."""
    codes = (language,) if language in _UNITS else tuple(_UNITS)
    return next((value for code in codes if code and (value := _words(code).get(word)) is not None), None)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text: every value that its form may have, as it stands there, and where (half-open)."""

    values: frozenset[float]
    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def numbers(text: str, language: str | None) -> tuple[Number, ...]:
    """The numbers of a text, those of dates and clock times among them."""
    found: list[Number] = []
    tokens = list(_TOKEN.finditer(text))
    at = 0
    while at < len(tokens):
        values = _values(tokens[at].group(), language)
        if tokens[at].group().casefold() in _PART and not _is_part(text, tokens[at]):
            values = set()
        last = at
        if values:
            # "twenty five", "two hundred and ten": an English number goes on over several words.
            values, last = _scaled(text, tokens, at, values, language)
            found.append(
                Number(
                    frozenset(values),
                    text[tokens[at].start() : tokens[last].end()],
                    tokens[at].start(),
                    tokens[last].end(),
                )
            )
        at = last + 1
    for number in [*found]:
        if _CLOCK.match(text, number.end) and max(number.values) <= 24:
            hours = {(value + 12) % 24 for value in number.values}
            found.append(Number(number.values | hours, number.text, number.start, number.end))
    return tuple(found)


_PART = frozenset("quarter quarters half halb halbe halben halve third thirds derde fifth sixth vierde vijfde".split())


def _is_part(text: str, token: re.Match[str]) -> bool:
    """Whether a word such as "quarter" or "half" is a part of something here, and not a quarter of a year, half-time or
    the third in a row."""
    before, after = text[: token.start()].casefold(), text[token.end() :].casefold()
    if re.match(r"[\s-]*(year|jahr|jaar|time|finals?|past|of (19|20)\d\d|(19|20)\d\d)\b", after):
        return False
    word = token.group().casefold()
    if re.search(r"\b(and an?|en een|und eine?) $", before):
        return False  # "a year and a half"
    if word in ("half", "halve", "halb", "halbe", "halben"):
        return not re.search(r"\b(first|second|erste\w*|zweite\w*|eerste|tweede|om|um|tot|bis|past) $", before)
    return re.match(r"[\s-]*(of|van|der|des|von|hours?|deel|its|their|less|fewer|more)\b", after) is not None or bool(
        re.search(r"\b(a|an|one|two|three|four|five|een|twee|drie|vier|nearly|almost|about) $", before)
    )


_ORDINAL = {word: value for listed in _ORDINALS.values() for value, word in enumerate(listed.split(), 2)} | {
    "first": 1,
    "eerste": 1,
    "erste": 1,
}
_PERIOD = re.compile(
    r"\W*(quarter|kwartaal|quartal|half|helft|halbjahr|hälfte|halfjaar|round|ronde|runde)", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def ordinals(text: str) -> frozenset[int]:
    """The ordinal numbers of a text; "first" only where it says which part of a year or of a game."""
    found = {
        int(match[1])
        for match in re.finditer(
            r"\b(\d{1,3})(?:st|nd|rd|th|e|\.)(?=\s+[a-zA-ZÄÖÜ])(?!\W+(?:of )?(?:" + MONTHS + r"))",
            text,
            re.IGNORECASE,
        )
    }
    for match in re.finditer(r"[^\W\d_]+", text):
        word = match[0].casefold()
        for form in (word, word[:-1] if word[-1] in "nrsm" else word):
            if value := _ORDINAL.get(form):
                parts = form in ("first", "eerste", "erste", "second") or (form in _PART and _is_part(text, match))
                if not parts or _PERIOD.match(text[match.end() :]):
                    found.add(value)
                break
    return frozenset(found)


def _values(token: str, language: str | None) -> set[float]:
    if token[0].isdecimal():
        return _digits(token)
    word = token.casefold()
    if (told := _word(word, language)) is not None:
        return {told}
    if word in _FIXED:
        return {_FIXED[word]}
    if word in _FRACTIONS:
        return {_FRACTIONS[word], 100 * _FRACTIONS[word]}
    for ending in ("einhalb", "eneenhalf", "enhalf"):
        if word.endswith(ending) and (told := _word(word.removesuffix(ending), language)) is not None:
            return {told + 0.5}
    if (joint := _COUNTED.search(word)) and (told := _word(word[: joint.start()], language)) is not None:
        return {told}
    for beginning, value in _STEMS.items():
        if word.startswith(beginning):
            return {value, 100 * value} if value < 1 else {float(value)}
    return set()


def _digits(token: str) -> set[float]:
    compact = re.sub(r"[’' ]", "", token)
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", compact):
        values = {float(re.sub(r"[.,]", "", compact))}
        if compact.count(".") + compact.count(",") == 1 and compact[0] == "0":
            values = {float(compact.replace(",", "."))}
        return values
    whole = re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})+)[.,](\d{1,2})", compact)
    if whole:
        return {float(re.sub(r"[.,]", "", whole[1]) + "." + whole[2])}
    if compact.count(".") + compact.count(",") > 1:  # figures of a table that stand beside each other
        return {float(re.sub(r"[.,]", "", compact))}
    return {float(compact.replace(",", "."))}


def _scaled(
    text: str, tokens: list[re.Match[str]], at: int, values: set[float], language: str | None
) -> tuple[set[float], int]:
    """The values with the scale, the tens and the fraction that follow, and the last token that belongs to them."""
    last = at
    while last + 1 < len(tokens):
        following = tokens[last + 1].group().casefold()
        gap = text[tokens[last].end() : tokens[last + 1].start()]
        if gap not in ("", " ", "-", "\u00a0", "\u202f"):
            break
        scale = _SCALES.get(following)
        if following == "billion":
            scale = 1e12 if language == "de" else 1e9
        if following == "m" and gap == " ":
            scale = None
        if following == "ton" and language == "nl":
            return values | {value * 1e5 for value in values}, last + 1  # of money; or tonnes
        word = 1.0 if following in ("one", "eins") else _word(following, language)
        if scale:
            values = {value * scale for value in values}
        elif (
            following in _FRACTIONS
            and all(value < 20 for value in values)
            and _FRACTIONS[following] < 1
            and gap in (" ", "-")
        ):
            share = {value * _FRACTIONS[following] for value in values}
            values = share | {100 * value for value in share}
        elif (
            word is not None
            and not tokens[last].group()[0].isdigit()
            and all(value >= 20 and value % 10 == 0 for value in values)
            and word < 10
        ):
            values = {value + word for value in values}
        elif following == "and" and last + 2 < len(tokens) and all(value >= 100 for value in values):
            rest = _word(tokens[last + 2].group().casefold(), language)
            if rest is None or tokens[last].group()[0].isdigit():
                break
            values = {value + rest for value in values}
            last += 1
        elif (
            following == "of"
            and last + 2 < len(tokens)
            and tokens[last + 2].group().casefold() in ("thousands", "millions")
        ):
            values = {value * _FIXED[tokens[last + 2].group().casefold()] for value in values}
            last += 1
        else:
            break
        last += 1
    return values, last


_HOURS = {
    unit: hours
    for hours, listed in {
        1 / 60: "minute minuut",
        1: "hour stund uur uren",
        24: "day tag dag etma",
        168: "week woche weke",
        730.5: "month monat maand",
        2191.5: "quarter quartal kwartaal",
        8766: "year jahr jaar jaren",
        87660: "decade jahrzehnt decenni",
        876600: "centur jahrhundert eeuw",
    }.items()
    for unit in listed.split()
}
_UNITS_OF_TIME = "|".join(_HOURS)
_UNIT = re.compile(rf"[\s-]{{0,2}}(?:{_UNITS_OF_TIME})", re.IGNORECASE)
_ALONE = re.compile(
    r"\b(?P<n>an?|one|een|één|eine[mnrs]?|ein|half an?|een half|ein halbes|eine halbe|halbe|half)[\s-]"
    rf"(?P<unit>{_UNITS_OF_TIME})\w*(?P<more> and a half| en een half| und eine halbe)?"
    r"|\b(?P<joined>dreiviertel|halb|half)(?P<unit2>stunde|jahr|uur|jaar)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def durations(text: str, language: str | None) -> frozenset[float]:
    """The spans of time of a text, in hours."""
    found = {
        value * hours
        for number in numbers(text, language)
        # Without regard to case a pattern also takes "mınute", which is none of the words.
        if (unit := _UNIT.match(text, number.end)) and (hours := _HOURS.get(unit.group().strip(" -").casefold()))
        for value in number.values
    }
    for match in _ALONE.finditer(text):
        named = (match["unit"] or match["unit2"]).casefold()
        hours = next((_HOURS[name] for name in _HOURS if named.startswith(name)), 0.0)
        if not hours:
            continue
        part = 0.75 if match["joined"] and match["joined"].casefold().startswith("drei") else 0.5
        halved = match["joined"] or "hal" in match["n"].casefold()
        found.add(hours * (part if halved else 1.5 if match["more"] else 1))
    return frozenset(found)


_SAME_PERIOD = {
    word: words.split()[0]
    for words in ("day tag dag", "hour stunde uur", "week woche", "month monat maand", "year jahr jaar")
    for word in words.split()
}
_PERIOD_NAMES = "|".join(_SAME_PERIOD)
_PLACED = {
    place: re.compile(pattern.replace("PERIOD", f"(?P<period>{_PERIOD_NAMES})"), re.IGNORECASE)
    for place, pattern in {
        "per": r"\b(?:per|pro|an?|each|every|im|jede[nrs]?|elke?|iedere?) PERIOD\b",
        "end": r"\b(?:end of(?: the)?|einde? van (?:de|het)|ende (?:des|der|dieses)) PERIOD",
        "last": r"\b(?:last|previous|vorige?|afgelopen|letzte[snrm]?|vergangene[snrm]?) PERIOD",
        "next": r"\b(?:next|coming|volgende?|komende?|nächste[snrm]?|kommende[snrm]?) PERIOD",
    }.items()
}


@lru_cache(maxsize=4096)
def periods(text: str) -> frozenset[tuple[str, str]]:
    """Which periods a text counts by or points to: ("per", "month"), ("end", "year"), ("last", "week")."""
    return frozenset(
        (place, _SAME_PERIOD[match["period"].casefold()])
        for place, pattern in _PLACED.items()
        for match in pattern.finditer(text)
    )
