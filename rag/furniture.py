"""What a line of text says by itself about being article or web furniture: named features, most within 0 to 1.

The word lists are data (`clean_weights.json`) and hold all languages at once, so that a Dutch notice on a German page
counts too. `clean` weighs the features and looks at the company a line keeps.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Container, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.records import Block

Floats = NDArray[np.float64]

OPENING = "\"'“”„‟«»‹›‘’‚‛("
CLOSING = "\"'“”„«»‹›‘’)]"


@cache
def model() -> dict[str, Any]:
    model: dict[str, Any] = json.loads(Path(__file__).with_name("clean_weights.json").read_text(encoding="utf-8"))
    return model


@cache
def _function_words() -> frozenset[str]:
    return frozenset(word for words in model()["function_words"].values() for word in words.split())


@cache
def _address_words() -> frozenset[str]:
    return frozenset(word for words in model()["address_words"].values() for word in words.split())


@cache
def _site_words() -> re.Pattern[str]:
    """Matches the beginning of a word about the site; an entry ending in `$` is a whole word."""
    stems = [stem for words in model()["site_words"].values() for stem in words.split()]
    return re.compile("|".join(rf"\b{re.escape(stem.rstrip('$'))}" + r"\b" * stem.endswith("$") for stem in stems))


@cache
def _notice_words() -> tuple[str, ...]:
    return tuple(word for words in model()["notice_words"].values() for word in words.split())


@cache
def _bio_words() -> tuple[str, ...]:
    return tuple(word for words in model()["bio_words"].values() for word in words.split())


def line_key(line: str) -> str:
    """The form in which repeated lines are counted: case, digits and white space folded."""
    return re.sub(r"\d+", "0", " ".join(line.casefold().split()))


_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_END = re.compile(rf"[.!?…][{re.escape(CLOSING)}]*$")
_SENTENCE = re.compile(rf"[.!?…][{re.escape(CLOSING)}]*(?=\s+[{re.escape(OPENING)}]*[A-ZÄÖÜÀ-Þ0-9]|$)")
_SEPARATOR = re.compile(r"[|»·›•→▸►✓★]| - | – .* – .* – | / ")
_CONTACT = re.compile(r"https?://|www\.|\w@\w|\[at\]|\+\d{2}[\d /-]{5}|(?:^|\s)@\w+|\b(?:tel|fax)\b", re.IGNORECASE)
_CREDIT = re.compile(
    r"(?:^|[.)\s(|–-])(?:fotos?|photos?|bild(?:er|quelle|nachweis)?|images?|pictures?|beeld|illustrati(?:on|e)"
    r"|grafik|credits?|fotograf(?:ie|in)?"
    r"|titelbild|screenshot)(?: (?:by|von|door|credit))?\s?[:/©]|©|\(c\)|/\s?(?:getty|dpa|afp|anp|imago|reuters"
    r"|ap)\b|\b(?:getty images|picture alliance|shutterstock|stock\.adobe|unsplash|pixabay|flickr)\b",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"^\W*(?:abb(?:\.|ildung)|bild|fotos?|photos?|fig(?:\.|uur|ure)|afb(?:\.|eelding)|images?|grafik|grafiek"
    r"|illustrati(?:on|e)|beeld|symbolbild)"
    r"\s*\d*\s*[:.|–-](?=\s)|^.*\((?:[^()]{0,30}, )?(?:links|rechts|left|right|l\.|r\.|m\.|mitte|midden|centre"
    r"|center|archivbild|archivfoto|symbolbild|symbolfoto|file photo)\)",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    r"^\W*(?:read (?:more|also|next|on|the full)|see (?:also|more)|watch:|watch (?:now|more|also)|listen:"
    r"|listen (?:to|now)|more (?:on|from|about|stories|news|in)\b"
    r"|related(?: \w+){0,2}\s*:?|you (?:may|might) also|don['’]t miss|recommended|factbox:|in pictures"
    r"|also (?:read|see|on)\b"
    r"|lees (?:ook|verder|meer|hier)|bekijk (?:ook|hier|alle|de)|luister (?:ook|hier|naar)|zie ook|kijk ook"
    r"|ook interessant|meer (?:over|lezen|nieuws|van|uit)\b"
    r"|lesen sie|(?:auch|jetzt|hier) (?:lesen|interessant)|sehen sie|hören sie|siehe auch|mehr (?:zum|zu|dazu|über"
    r"|lesen|aus|von|artikel)\b"
    r"|weitere (?:artikel|beiträge|themen|meldungen|nachrichten|infos|informationen)|lesetipp|das könnte"
    r"|dit vind je|(?:auch|mehr) interessant)",
    re.IGNORECASE,
)
_ADVERTISING = re.compile(
    r"^\W*(?:advertisements?|advertising|advertorial|sponsored(?: content| post)?|paid (?:content|post)"
    r"|anzeige[n]?|werbung|gesponsert\w*|advertentie[s]?|reclame"
    r"|ingezonden mededeling|gesponsord\w*|(?:(?:story|article) continues|artikel (?:geht|gaat)|lees verder"
    r"|weiterlesen|lesen sie) (?:after|below|under|nach|unter|na|onder|weiter|verder)\b.{0,30})\W*$",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"^\W*(?:(?:sorry|leider|helaas|oops)\b.{0,12})?(?:th(?:is|e)|dies\w*|de[rz]e?|das|die|dit|het"
    r"|an dieser stelle|(?:externe[rn]?|embedded|ingesloten)|we|wir|wij|om|um|to)\b"
    r".{0,40}\b(?:post|tweet|video|content|inhalte?s?|beitrag|bericht|player|speler|inhoud|embed|medi\w+|element"
    r"|seite|page|pagina|foto|bild|stream)\b"
    r".{0,30}(?:unavailable|not (?:be )?(?:available|loaded|displayed|shown)|no longer available|n[io](?:et"
    r"|cht)\b.{0,20}(?:beschikbaar|verfügbar|geladen|weergegeven|getoond|angezeigt|dargestellt|abgespielt"
    r"|afgespeeld)"
    r"|.{0,20}(?:consent|toestemming|zustimm|einwillig)|failed to load|(?:was|were|been|has been|is|wurde"
    r"|werd) (?:deleted|removed|gelöscht|entfernt|verwijderd)|cookies|externe[rn]? inhalt)",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"^\W*(?:disclaimer|(?:advertis\w+ |affiliate )?disclosure|haftungsausschluss|transparenzhinweis"
    r"|affiliate-hinweis|editor['’]s note|copyright\b|nachdruck\b)",
    re.IGNORECASE,
)
_BIO_VERB = frozenset(
    "is has works writes covers lives studied joined was ist hat schreibt arbeitet lebt studierte berichtet war"
    " leitet heeft schrijft werkt woont studeerde".split()
)


_CALL = re.compile(  # to subscribe or to follow, as a sentence of its own
    r"^\W*(?:sign up|subscribe|follow us|download our|schrijf je|schrijf u|meld je|meld u"
    r"|abonneer|volg ons|download onze"
    r"|abonnieren sie|abonniere|melden sie sich|melde dich"
    r"|jetzt (?:den |unseren |unser )?(?:newsletter|abonnieren|abo|anmelden)"
    r"|folgen sie uns|folgt uns|folge uns|laden sie)\b"
    r".{0,80}\b(?:newsletters?|nieuwsbrie(?:f|ven)|app|abo|abonnement|abonnieren|facebook|twitter"
    r"|instagram|whatsapp|youtube"
    r"|inbox|mailbox|postfach|channel|kanaal|kanal|podcast)\b"
    r"|^\W*(?:share|deel|delen|teilen|teile)(?: (?:this|dit|diesen|via|on|op|auf|per)(?: [\w-]+){0,2})?\W*$",
    re.IGNORECASE,
)
_READING_TIME = re.compile(
    r"^\W*(?:(?:leestijd|lesezeit|lesedauer|reading time)\b.{0,20}|\d+[\s-]*min(?:uten?)?s?[\s-]*(?:read|lesezeit"
    r"|leestijd|lesen|lezen)?)\W*$",
    re.IGNORECASE,
)
_DATELINE_WORDS = frozenset(
    "published updated posted last modified monday tuesday wednesday thursday friday saturday sunday gepubliceerd"
    " bijgewerkt geplaatst laatst"
    " maandag dinsdag woensdag donderdag vrijdag zaterdag zondag uur veröffentlicht aktualisiert erstellt zuletzt"
    " stand uhr"
    " montag dienstag mittwoch donnerstag freitag samstag sonntag am pm gmt est et cet".split()
)


def _date_alone(line: str, words: int) -> bool:
    if words > 12 or not _DATE.search(line):
        return False
    left = _WORD.findall(_DATE.sub(" ", line).casefold())
    return all(word in _DATELINE_WORDS or word in _function_words() for word in left)


def unmistakable(line: str, words: int) -> bool:
    """Whether a line is furniture by its form alone: a photo credit, a pointer to other articles, a failed embed."""
    chars = len(line)
    if _NOTICE.match(line):
        return True
    if chars > 250:
        return False
    return bool(
        (chars < 200 and _CREDIT.search(line))
        or (_CAPTION.match(line) and words <= 30)
        or (words <= 20 and _LEAD_IN.match(line) and (":" in line or not _END.search(line)))
        or _ADVERTISING.match(line)
        or (words <= 30 and _CALL.match(line))
        or _READING_TIME.match(line)
        or _date_alone(line, words)
        or (words <= 25 and _BROKEN.match(line))
        or (words <= 14 and _COMMENTS.match(line) and not _END.search(line))
    )


_FIELD = re.compile(r"^[^\W\d_][\w .()/-]{1,28}: \S")
_NUMBERED = re.compile(r"^[(#]?(\d{1,3})[.):]?\s+\S")
_ARROW = re.compile(
    r"[←→▶►▸]\s*$|^\s*[←→▶►▸]\s|\s[←→]\s|^\W*(?:next|previous|prev|older|newer|vorherige|nächste|vorige|volgende)\w*\b"
)
_BYLINE = re.compile(
    r"^(?:von|by|door|par|text|autor(?:in)?|auteur|author|posted|published|geschrieben|written|tekst)\b:?\s",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[:.]\d{2}\s?(?:uhr|uur|h|am|pm"
    r"|[ap]\.m\.)?\b"
    r"|\b(?:\d{1,2}(?:st|nd|rd|th)?\.?\s+)?(?:jan|feb|mär|maart|mrt|mar|apr|mai|mei|may|jun|jul|aug|sep|o[ck]t|nov"
    r"|de[cz])[a-zä]*\.?\s+(?:\d{1,2}(?:st|nd|rd|th)?,?\s+)?\d{4}\b"
    r"|\b\d+\s+(?:min|hour|day|week|month|year|stund|tag|woch|monat|jahr|uur|dag|week|wek|maand|jaar)\w*\s+(?:ago"
    r"|geleden|read)\b",
    re.IGNORECASE,
)


_OWNER = re.compile(r"(?:©|copyright)[\s\d–-]*([^|.,·]{3,40})", re.IGNORECASE)
_DOMAIN = re.compile(r"\b([a-z-]{4,30})\.(?:com|org|net|de|at|ch|nl|be|eu|info|co\.uk|uk|io)\b", re.IGNORECASE)


_COMMENTS = re.compile(
    r"^\W*(?:\d+\s+)?(?:(?:leser)?kommentare?\b|(?:user |recent )?comments?\b|reacties?\b|leave a (?:reply"
    r"|comment)|kommentar (?:verfassen|schreiben|abgeben)"
    r"|\d+ (?:replies|responses|antworten|reacties|thoughts)|responses\b|schreibe? (?:einen )?kommentar|(?:geef"
    r"|plaats|laat) (?:een )?reactie|discussie\b|diskussion\b|trackbacks?\b|pingbacks?\b)",
    re.IGNORECASE,
)


def own_features(lines: Sequence[str], blocks: Sequence[Block], repeated: Container[str]) -> Floats:
    """What each line says by itself: `(n, len(OWN))` float64, most values within 0 to 1."""
    keys = [line_key(line) for line in lines]
    counts = Counter(keys)
    words = [_WORD.findall(line) for line in lines]
    folded = [[word.casefold() for word in some] for some in words]
    common = _function_words()
    stops = [sum(word in common for word in some) for some in folded]
    vocabulary = _core_vocabulary(lines, folded, stops)
    counted = _counted(lines)
    names, site = _page_names(lines, words)
    rows = []
    for i, line in enumerate(lines):
        row = _own(line, blocks[i], words[i], folded[i], stops[i], counts[keys[i]], keys[i] in repeated, vocabulary)
        opening = " ".join(folded[i][:2])
        row[OWN.index("counted")] = counted[i]
        author = len(words[i]) > 8 and opening in names
        known = author or (len(words[i]) > 8 and folded[i][0] in names)
        row[OWN.index("author")] = float(author)
        row[OWN.index("biography")] = float(known and bool(_BIO_VERB.intersection(folded[i][1:4])))
        if row[OWN.index("biography")] and row[OWN.index("bio")]:
            row[OWN.index("unmistakable")] = 1.0
        row[OWN.index("site_opening")] = float(any(word in site for word in folded[i][:3]))
        row[OWN.index("site_name")] = float(any(word in site for word in folded[i]))
        rows.append(row)
    return np.array(rows, np.float64)


def _glued(line: str, words: Sequence[str], function_share: float) -> bool:
    """A long run of words in capitals without any punctuation: other headlines glued together."""
    if len(words) < 14 or function_share > 0.2 or re.search(r"[.!?:;]", line):
        return False
    return sum(word[0].isupper() for word in words) >= 0.6 * len(words)


def _counted(lines: Sequence[str]) -> list[float]:
    """1.0 for the lines of a numbered list: a line near by carries the next or the previous number."""
    numbers = [int(match.group(1)) if (match := _NUMBERED.match(line)) else -9 for line in lines]
    return [
        float(number >= 0 and any(abs(other - number) == 1 and other >= 0 for other in numbers[max(0, i - 6) : i + 7]))
        for i, number in enumerate(numbers)
    ]


def _page_names(lines: Sequence[str], words: Sequence[list[str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of people that stand alone or in a byline on the page, and the words of the site's own name."""
    people: set[str] = set()
    site: set[str] = set()
    for line, some in zip(lines, words, strict=True):
        if 2 <= len(some) <= 6 and len(line) < 60 and (_BYLINE.match(line) or len(some) <= 3) and not _END.search(line):
            for first, last in pairwise(some):
                if first[0].isupper() and last[0].isupper():
                    people.add(f"{first} {last}".casefold())
                    people.update([first.casefold()] if _BYLINE.match(line) else [])
        if len(some) <= 12 and (match := _OWNER.search(line)):
            site.update(word.casefold() for word in _WORD.findall(match.group(1)) if len(word) > 3)
        site.update(match.group(1).casefold() for match in _DOMAIN.finditer(line) if len(line) < 60)
    return frozenset(people), frozenset(site - _function_words())


def _core_vocabulary(lines: Sequence[str], folded: Sequence[list[str]], stops: Sequence[int]) -> Counter[str]:
    """In how many sentence-like lines each content word (by its first six letters) stands."""
    count: Counter[str] = Counter()
    for line, words, stop in zip(lines, folded, stops, strict=True):
        if len(words) >= 15 and stop >= 0.25 * len(words) and _END.search(line):
            count.update({word[:6] for word in words if len(word) > 3} - _function_words())
    return count


OWN = (
    "bias unmistakable unpunctuated teaser_twice biography site_opening caption lead_in field counted arrows"
    " comments label notice notice_share bio author site_name structured length words long function_share"
    " function_count end_mark colon ellipsis question sentences commas"
    " sentence clause quoted lower_start capitals shouting digits no_letters separators contact credit byline date"
    " site_words site_share site_start site_short address twice returns link_density linked_short heading item short"
    " known_share known_count unbroken dialogue"
).split()


def _own(
    line: str,
    block: Block,
    words: list[str],
    folded: list[str],
    stops: int,
    count: int,
    returns: bool,
    vocabulary: Counter[str],
) -> list[float]:
    n = len(words)
    chars = len(line)
    end = bool(_END.search(line))
    share = stops / n if n else 0.0
    low = line.casefold()
    site = len(_site_words().findall(low))
    site_start = bool(_site_words().match(low.lstrip(" \t-–•*>»›→[("))) or (
        n > 1 and bool(_site_words().match(folded[1]))
    )
    address = sum(word in _address_words() for word in folded)
    caps = sum(word[0].isupper() for word in words[1:]) / (n - 1) if n > 1 else 0.5
    content = [word[:6] for word in folded if len(word) > 3 and word not in _function_words()]
    alone = 1 if end and n >= 15 else 0  # the line itself is part of the vocabulary
    known = sum(vocabulary[word] > alone for word in content)
    unbroken = max((len(piece.split()) for piece in re.split(r"[.!?…:;,–|()]", line)), default=0)
    quoted = line[0] in OPENING[:-1]
    caps_at_start = n > 1 and words[0][0].isupper() and words[1][0].isupper()
    notice = sum(word.startswith(_notice_words()) for word in folded)
    stands_for_site = site + sum(word in _function_words() or word in _address_words() for word in folded)
    return [
        1.0,
        float(unmistakable(line, n) or _glued(line, words, share) or (returns and n >= 4 and (n < 12 or not end))),
        float(n >= 14 and not re.search(r"[.!?:;]", line)),
        float(count > 1 and n >= 4 and not end),
        0.0,  # biography
        0.0,  # site_opening
        float(bool(_CAPTION.search(line))),
        float(n <= 25 and bool(_LEAD_IN.match(line))),
        float(n <= 12 and bool(_FIELD.match(line))),
        0.0,  # counted
        float(bool(_ARROW.search(line))),
        float(n <= 14 and bool(_COMMENTS.match(line))),
        float(0 < n <= 5 and site > 0 and stands_for_site >= n),
        min(notice, 3) / 3,
        min(notice / n, 0.3) / 0.3 if n else 0.0,
        0.0 if n < 8 or not caps_at_start else min(sum(word.startswith(_bio_words()) for word in folded[2:]), 3) / 3,
        0.0,  # author
        0.0,  # site_name
        float(block.kind != "line"),
        math.log1p(chars) / 6,
        math.log1p(n) / 4,
        min(n, 60) / 60,
        min(share, 0.6),
        min(stops, 12) / 12,
        float(end),
        float(line[-1] == ":"),
        float(line.endswith(("...", "…"))),
        float(line.rstrip(CLOSING).endswith("?")),
        min(len(_SENTENCE.findall(line)), 5) / 5,
        min(line.count(","), 4) / 4,
        float(end and n >= 6 and share >= 0.2),
        float(not end and n >= 10 and share >= 0.25),
        float(quoted),
        float(line[0].islower()),
        caps,
        sum(len(word) > 1 and word.isupper() for word in words) / n if n else 0.0,
        sum(char.isdigit() for char in line) / chars,
        float(n == 0),
        float(bool(_SEPARATOR.search(line))),
        float(bool(_CONTACT.search(line))),
        float(bool(_CREDIT.search(line))),
        float(n <= 8 and bool(_BYLINE.match(line))),
        float(n <= 10 and bool(_DATE.search(line))),
        min(site, 4) / 4,
        min(site / n, 1.0) if n else 0.0,
        float(site_start),
        float(site > 0 and n <= 12),
        min(address / n, 0.3) / 0.3 if n else 0.0,
        min(count - 1, 3) / 3,
        float(returns),
        block.link_density,
        block.link_density * (n < 15),
        float(block.kind == "heading"),
        float(block.kind == "item"),
        float(n <= 3),
        known / len(content) if content else 0.0,
        min(known, 10) / 10,
        min(unbroken, 30) / 30,
        float(quoted and end),
    ]
