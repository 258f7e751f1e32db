"""The signs of web furniture in the form of a line: word lists, patterns, and what is furniture beyond doubt.

The word lists are data (`clean_weights.json`) and hold all languages at once, so that a Dutch notice on a German page
counts too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

OPENING = "\"'“”„‟«»‹›‘’‚‛("
CLOSING = "\"'“”„«»‹›‘’)]"


@cache
def model() -> dict[str, Any]:
    model: dict[str, Any] = json.loads(Path(__file__).with_name("clean_weights.json").read_text(encoding="utf-8"))
    return model


@cache
def word_list(name: str) -> frozenset[str]:
    return frozenset(word for words in model()[name].values() for word in words.split())


def function_words() -> frozenset[str]:
    return word_list("function_words")


def address_words() -> frozenset[str]:
    return word_list("address_words")


@cache
def site_words() -> re.Pattern[str]:
    """Matches the beginning of a word about the site; an entry ending in `$` is a whole word."""
    stems = [stem for words in model()["site_words"].values() for stem in words.split()]
    return re.compile("|".join(rf"\b{re.escape(stem.rstrip('$'))}" + r"\b" * stem.endswith("$") for stem in stems))


@cache
def notice_words() -> tuple[str, ...]:
    return tuple(word for words in model()["notice_words"].values() for word in words.split())


@cache
def bio_words() -> tuple[str, ...]:
    return tuple(word for words in model()["bio_words"].values() for word in words.split())


WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
END = re.compile(rf"[.!?…][{re.escape(CLOSING)}]*$")
SENTENCE = re.compile(rf"[.!?…][{re.escape(CLOSING)}]*(?=\s+[{re.escape(OPENING)}]*[A-ZÄÖÜÀ-Þ0-9]|$)")
SEPARATOR = re.compile(r"[|»·›•→▸►✓★]| - | – .* – .* – | / ")
CONTACT = re.compile(r"https?://|www\.|\w@\w|\[at\]|\+\d{2}[\d /-]{5}|(?:^|\s)@\w+|\b(?:tel|fax)\b", re.IGNORECASE)
CREDIT = re.compile(
    r"(?:^|[.)\s(|–-])(?:fotos?|photos?|bild(?:er|quelle|nachweis)?|images?|pictures?|beeld|illustrati(?:on|e)"
    r"|grafik|credits?|fotograf(?:ie|in)?"
    r"|titelbild|screenshot)(?: (?:by|von|door|credit))?\s?[:/©]|©|\(c\)|/\s?(?:getty|dpa|afp|anp|imago|reuters"
    r"|ap)\b|\b(?:getty images|picture alliance|shutterstock|stock\.adobe|unsplash|pixabay|flickr)\b",
    re.IGNORECASE,
)
CAPTION = re.compile(
    r"^\W*(?:abb(?:\.|ildung)|bild|fotos?|photos?|fig(?:\.|uur|ure)|afb(?:\.|eelding)|images?|grafik|grafiek"
    r"|illustrati(?:on|e)|beeld|symbolbild)"
    r"\s*\d*\s*[:.|–-](?=\s)|^.*\((?:[^()]{0,30}, )?(?:links|rechts|left|right|l\.|r\.|m\.|mitte|midden|centre"
    r"|center|archivbild|archivfoto|symbolbild|symbolfoto|file photo)\)",
    re.IGNORECASE,
)
LEAD_IN = re.compile(
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
BIO_VERB = frozenset(
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
_CONSENT = re.compile(
    r"^\W*(?:(?:deze|onze|diese|unsere|this|our) (?:\w+ )?(?:web)?(?:site|seite)|wij?|wir|we)\b.{0,40}"
    r"\b(?:gebruik\w*|plaats\w*|verwende\w*|nutz\w*|setz\w*|uses?)\b.{0,40}\bcookies?\b",
    re.IGNORECASE,
)
PAID = re.compile(r"^\W*(Plus|Premium|Abo\+?|Exclusief|Exklusiv)\s+[A-ZÄÖÜ]")  # a mark before another story's headline
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
    if words > 12 or not DATE.search(line):
        return False
    left = WORD.findall(DATE.sub(" ", line).casefold())
    return all(word in _DATELINE_WORDS or word in function_words() for word in left)


def unmistakable(line: str, words: int) -> bool:
    """Whether a line is furniture by its form alone: a photo credit, a pointer to other articles, a failed embed."""
    chars = len(line)
    if _NOTICE.match(line) or (_CONSENT.match(line) and line[0] not in OPENING):
        return True
    if chars > 250:
        return False
    return bool(
        (chars < 200 and CREDIT.search(line))
        or (CAPTION.match(line) and words <= 30)
        or (words <= 20 and LEAD_IN.match(line) and (":" in line or not END.search(line)))
        or _ADVERTISING.match(line)
        or (words <= 30 and _CALL.match(line))
        or _READING_TIME.match(line)
        or _date_alone(line, words)
        or (words <= 25 and _BROKEN.match(line))
        or (words <= 14 and COMMENTS.match(line) and not END.search(line))
    )


FIELD = re.compile(r"^[^\W\d_][\w .()/-]{1,28}: \S")
NUMBERED = re.compile(r"^[(#]?(\d{1,3})[.):]?\s+\S")
ARROW = re.compile(
    r"[←→▶►▸]\s*$|^\s*[←→▶►▸]\s|\s[←→]\s|^\W*(?:next|previous|prev|older|newer|vorherige|nächste|vorige|volgende)\w*\b"
)
BYLINE = re.compile(
    r"^(?:von|by|door|par|text|autor(?:in)?|auteur|author|posted|published|geschrieben|written|tekst)\b:?\s",
    re.IGNORECASE,
)
DATE = re.compile(
    r"\b\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[:.]\d{2}\s?(?:uhr|uur|h|am|pm"
    r"|[ap]\.m\.)?\b"
    r"|\b(?:\d{1,2}(?:st|nd|rd|th)?\.?\s+)?(?:jan|feb|mär|maart|mrt|mar|apr|mai|mei|may|jun|jul|aug|sep|o[ck]t|nov"
    r"|de[cz])[a-zä]*\.?\s+(?:\d{1,2}(?:st|nd|rd|th)?,?\s+)?\d{4}\b"
    r"|\b\d+\s+(?:min|hour|day|week|month|year|stund|tag|woch|monat|jahr|uur|dag|week|wek|maand|jaar)\w*\s+(?:ago"
    r"|geleden|read)\b",
    re.IGNORECASE,
)


OWNER = re.compile(r"(?:©|copyright)[\s\d–-]*([^|.,·]{3,40})", re.IGNORECASE)
DOMAIN = re.compile(r"\b([a-z-]{4,30})\.(?:com|org|net|de|at|ch|nl|be|eu|info|co\.uk|uk|io)\b", re.IGNORECASE)


COMMENTS = re.compile(
    r"^\W*(?:\d+\s+)?(?:(?:leser)?kommentare?\b|(?:user |recent )?comments?\b|reacties?\b|leave a (?:reply"
    r"|comment)|kommentar (?:verfassen|schreiben|abgeben)"
    r"|\d+ (?:replies|responses|antworten|reacties|thoughts)|responses\b|schreibe? (?:einen )?kommentar|(?:geef"
    r"|plaats|laat) (?:een )?reactie|discussie\b|diskussion\b|trackbacks?\b|pingbacks?\b)",
    re.IGNORECASE,
)


_WE = frozenset("wij we ons onze wir uns unser unsere unseren unserem unserer our us".split())


def speaks_for_site(folded: Sequence[str], site: int, notice: int) -> tuple[float, ...]:
    """Whether a line talks to the reader about the site, for the site, asks for something, or names the site its own.

    `folded` are the words of the line, case folded; `site` and `notice` say how many are words of sites and notices.
    """
    about = site + notice > 0
    addressed = any(word in address_words() for word in folded)
    asks = bool(folded) and folded[0] in word_list("request_words")
    own, things = word_list("own_words"), word_list("self_words")
    named = [
        i
        for i, word in enumerate(folded[:-1])
        if word in own and (folded[i + 1] in things or (i + 2 < len(folded) and folded[i + 2] in things))
    ]
    return (
        float(addressed and about),
        float(about and any(word in _WE for word in folded)),
        float(asks and (about or addressed)),
        float(bool(named)),
        float(bool(named) and named[0] <= 1),
    )
