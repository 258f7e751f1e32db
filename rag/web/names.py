"""Who speaks in an archive, and about what: the names that questions about it can be made of.

A capital makes no name: "Monday", "Officials" and every German noun have one. Whoever is taken for a speaker stands
beside a verb of saying, and is a full name, the surname of one, or a word that is never written without its capital.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from babel import Locale

from rag.dateline import MONTHS
from rag.records import Article, Span
from rag.sentences import STARTERS, paragraphs
from rag.terms import FUNCTION_WORDS, LANGUAGES, Word, fold, words

_DAYS = (
    "monday tuesday wednesday thursday friday saturday sunday maandag dinsdag woensdag donderdag vrijdag zaterdag"
    " zondag montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"
)
_CALENDAR = frozenset([*_DAYS.split(), *(fold(month) for names in MONTHS.values() for month in names)])
# "Dutch", "Duits": capitals that Dutch and English give to adjectives.
_TONGUES = frozenset(
    fold(name) for code in LANGUAGES for name in Locale(code).languages.values() if name and name.isalpha()
)
_PEOPLES = re.compile(r"(?:[ei]an|ican|ese|ish|aanse?|[nt]se|sche?|anen|ers|ezen)$")
_PARTICLES = frozenset("van von de den der het 't ’t ten ter zu zur di da del la le el al bin dos".split())
_DETERMINERS = frozenset(
    "the a an this that these those his her its their our every de het een dit dat deze die zijn hun onze elke der die"
    " das den dem des ein eine einer einem einen eines dieser diese dieses seine ihre im am zum zur vom beim"
    " ins".split()
)
# A name after one of these is not the one who speaks: "the mayor of Portwick said".
_PREPOSITIONS = frozenset(
    "of for from in at by with to on near about against aan bij in met op te tegen uit van voor naar namens tegenover"
    " an auf aus bei für in mit nach von vor zu gegen gegenüber über".split()
)
_SAYS = {
    "en": "said|says|told|warned|warns|wrote|argued|argues|added|explained|insisted|believes|stressed",
    "nl": "zei|zegt|vertelde|vertelt|waarschuwde|waarschuwt|benadrukte|benadrukt|stelde|stelt|vindt|vond|schreef"
    "|schrijft|noemde|noemt|verwacht",
    "de": "sagte|sagt|erklärte|erklärt|meinte|meint|betonte|betont|warnte|warnt|forderte|fordert|kritisierte|schrieb",
}
# Before a name in English only after a quotation or a comma: in "she said Netflix would" somebody else speaks.
_SAID_BY = {
    "en": r"(?:[,”’\"'] ?(?:said|says|added|explained|wrote|argued|warned)|\b[Aa]ccording to)",
    "nl": r"\b(?:zei|zegt|vertelde|vertelt|waarschuwde|waarschuwt|benadrukt|stelt|vindt|aldus|[Vv]olgens)",
    "de": r"\b(?:sagte|sagt|erklärte|meinte|betonte|warnte|forderte|[Ll]aut|[Nn]ach Angaben von)",
}
_AFTER = {code: re.compile(rf" (?:{verbs})\b") for code, verbs in _SAYS.items()}
# What stands behind "X said" or "according to X" is what X says; behind "said X" it may be who X is.
_REPORTED = {
    "en": re.compile(rf"(?:\w (?:{_SAYS['en']})|\b[Aa]ccording to) [^.!?]+"),
    "nl": re.compile(rf"(?:[a-zà-ÿ] (?:{_SAYS['nl']}) (?:dat|over)|\b[Vv]olgens) [^.!?]+"),
    "de": re.compile(rf"(?:\w (?:{_SAYS['de']}), |\b(?:[Ll]aut|[Nn]ach Angaben von) )[^.!?]+"),
}
_QUOTED = re.compile(r"[“„\"«][^“”„\"«»]{10,}[”“\"»]|[‘‚][^‘‚]{10,}?[’‘](?!\w)")
# "zei trainer Marijke Bos": in Dutch and English what somebody is has no capital.
_BEFORE = {
    code: re.compile(verb + (r"(?P<between>) $" if code == "de" else r"(?P<between>(?: [a-zà-ÿ-]+){0,2}) $"))
    for code, verb in _SAID_BY.items()
}
_SENTENCE_START = re.compile(r"(?:^|[.!?…:][\"”’“)]*\s+|\n)[\"“„‘‚'»(]*$")
_GRAMMAR = frozenset().union(*FUNCTION_WORDS.values()) | _PREPOSITIONS | _DETERMINERS
_POSSESSIVE = re.compile(r"(?<=\w)[’']s?$")
_LONGEST = 20_000  # characters of an article that are looked at
_MOST_WORDS = 4  # of a name
_OFTEN = 4  # times that an article names what it is about, where its headline does not
_REACH = 60  # characters before a name in which its verb stands
# Nouns that are about nothing.
_EMPTY = frozenset(
    "time times year years day days week weeks month night people thing things way end part one first last best man"
    " tijd jaar jaren dag dagen week weken maand mensen keer einde deel beste man afloop wel weer alleen vooral altijd"
    " steeds eerst graag samen zeit jahr jahre jahren tag tage woche wochen monat menschen mal uhr prozent euro ende"
    " teil mann frau".split()
)
_BREAKS = r"(?=[.,;:!?”\"’“)]|$|\s(?P<next>\w+))"
_NOUNS = {
    "en": re.compile(rf"\bthe (?P<noun>(?:(?!\w+est )[a-z-]+ )?(?P<head>[a-z-]{{3,}})){_BREAKS}"),
    "nl": re.compile(rf"\b(?:de|het) (?P<noun>(?:[a-zà-ÿ-]+e )?(?P<head>[a-zà-ÿ-]{{3,}}|[A-Z][a-zà-ÿ]+)){_BREAKS}"),
    # "die" and "das" are the same in the accusative; after "den", the plural of the dative ends in n.
    "de": re.compile(
        r"\b(?:die|das|den(?! \w+n\b)) (?P<noun>(?P<head>[A-ZÄÖÜ][a-zäöüß-]{2,}))(?=[.,;:!?“\"’)]|$|\s[a-z])"
    ),
}


Key = tuple[str, ...]  # the words of a name, their case folded


@dataclass(frozen=True, slots=True)
class Topic:
    """What may be spoken about: a phrase that fits after "about" in `language`, or a name, which fits in any (None)."""

    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who says something, by the full name where one is known, in articles of these languages.

    `bare` is the name without what German puts before it with a capital ("Kämmerer"), for readers of other languages.
    The topics are what is named where they speak, the most telling first.
    """

    name: str
    bare: str
    languages: frozenset[str]
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of an archive, the most frequent first: who speaks, and which places and what else headlines name."""

    speakers: tuple[Speaker, ...]
    places: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mention:
    """A run of words with capitals in an article, which are its `key`.

    `inside` a sentence, not at its beginning; `bound` by an article before it; `placed` after "in"; `alone` where it
    stands before no noun; `speaks` beside a verb of saying; `told` behind one or between quotation marks, so that it
    may be what somebody speaks about.
    """

    article: int
    paragraph: Span
    name: str
    key: Key
    inside: bool
    german: bool
    bound: bool
    placed: bool
    alone: bool
    speaks: bool
    told: bool


def names(articles: Sequence[Article]) -> Names:
    """The names in `articles`, those in other languages than nl, de and en left out."""
    mentions = [mention for number, article in enumerate(articles) for mention in _mentions(number, article)]
    owners = _owners(mentions, articles)
    held: dict[Key, list[_Mention]] = {}
    beside: dict[tuple[int, Span], list[_Mention]] = {}
    for mention in mentions:
        if owner := owners.get(mention.key):
            held.setdefault(owner, []).append(mention)
            beside.setdefault((mention.article, mention.paragraph), []).append(mention)
    titles = [frozenset(fold(word.text) for word in words(article.title)) for article in articles]
    headed = {owner for owner in held if any(owner[-1] in titles[mention.article] for mention in held[owner])}
    ranked = sorted(
        held,
        key=lambda owner: (len({mention.article for mention in held[owner]}), owner in headed, len(held[owner])),
        reverse=True,
    )
    shown = {owner: _shown(owner, held[owner]) for owner in ranked}
    subjects = {owner for owner in ranked if _is_subject(owner, held[owner])}
    speakers, places, others = list[Speaker](), list[str](), list[str]()
    for owner in ranked:
        said = [mention for mention in held[owner] if mention.speaks]
        if not said and owner in subjects & headed:
            placed = sum(mention.placed for mention in held[owner])
            (places if placed > 1 else others).append(shown[owner])
        if not said:
            continue
        topics = Counter[Topic]()
        for mention in said:
            topics.update(_topics(articles[mention.article], mention, titles[mention.article]))
            here = beside[mention.article, mention.paragraph]
            spoken = {owners[other.key] for other in here if other.told}
            spoken -= {owner} | {owners[other.key] for other in here if other.speaks}
            topics.update({Topic(shown[other], None): _OFTEN for other in spoken & subjects if other})
        languages = frozenset(articles[mention.article].language or "" for mention in said)
        foreign = all(mention.german for mention in held[owner]) and sum(part not in _PARTICLES for part in owner) > 2
        bare = shown[owner].split(" ", 1)[1] if foreign else shown[owner]
        speakers.append(Speaker(shown[owner], bare, languages, tuple(topic for topic, _ in topics.most_common())))
    return Names(tuple(speakers), tuple(places), tuple(others))


# --- runs of words with capitals --------------------------------------------------------------------------------------


def _mentions(number: int, article: Article) -> Iterator[_Mention]:
    language = article.language or ""
    if language not in LANGUAGES:
        return
    headings = set(article.headings)
    for span in paragraphs(article.text[:_LONGEST]):
        if span not in headings:
            text = article.text[span.start : span.end]
            told = [found.span() for found in chain(_QUOTED.finditer(text), _REPORTED[language].finditer(text))]
            for first, last in _runs(text, language):
                yield _mention(number, span, text, first, last, language, told)


def _mention(
    number: int, span: Span, text: str, first: Word, last: Word, language: str, told: Sequence[tuple[int, int]]
) -> _Mention:
    name = _POSSESSIVE.sub("", text[first.start : last.end])
    before, after = text[max(0, first.start - _REACH) : first.start], text[last.end : last.end + _REACH]
    preceding = words(before)[-1].text.casefold() if before[-1:].isspace() and words(before) else ""
    following = words(after)[:1]
    inside = not _SENTENCE_START.search(before)
    said_by = _BEFORE[language].search(before)
    speaks = bool(said_by and not _is_grammar(said_by["between"])) or (
        bool(_AFTER[language].match(after)) and not (inside and preceding in _PREPOSITIONS)
    )
    bound = inside and preceding in _DETERMINERS
    return _Mention(
        article=number,
        paragraph=span,
        name=name,
        key=tuple(fold(part) for part in name.split() if part),
        inside=inside,
        german=language == "de",
        bound=bound,
        placed=preceding == "in",
        alone=not after[:1].isspace() or not following or _is_grammar(following[0].text),
        speaks=speaks and not bound,
        told=any(start <= first.start < end for start, end in told),
    )


def _is_grammar(text: str) -> bool:
    return any(word in _GRAMMAR for word in text.casefold().split())


def _runs(text: str, language: str) -> Iterator[tuple[Word, Word]]:
    """The first and the last word of each run of words with capitals, with "van" and "de" between them."""
    listed = words(text)
    at = 0
    while at < len(listed):
        first = last = at
        at += 1
        if not _capital(listed, first, text, language):
            continue
        while (step := _step(listed, last, text, language)) is not None:
            last = step
        at = last + 1
        yield listed[first], listed[last]


def _step(listed: Sequence[Word], last: int, text: str, language: str) -> int | None:
    """The word that goes on with the name that has come to `last`: the next one, or that behind a "van der"."""
    if _POSSESSIVE.search(listed[last].text):
        return None
    for at in range(last + 1, min(last + 4, len(listed))):
        gap = text[listed[at - 1].end : listed[at].start]
        initial = gap == ". " and len(listed[at - 1].text) == 1 and at == last + 1
        if gap not in (" ", "\u00a0", "-", "‑") and not initial:
            return None
        if _capital(listed, at, text, language):
            return at
        if listed[at].text not in _PARTICLES:
            return None
    return None


def _capital(listed: Sequence[Word], at: int, text: str, language: str) -> bool:
    """Whether the capital of a word may be that of a name."""
    word = listed[at]
    form = word.text.casefold()
    if not word.text[0].isupper() or form in _CALENDAR:
        return False
    if form in _PARTICLES and at + 1 < len(listed) and text[word.end : listed[at + 1].start] == " ":
        # "Van Dalen", but not "De burgemeester"
        return listed[at + 1].text[0].isupper() and form not in ("das", "la", "el", "al")
    return form not in FUNCTION_WORDS[language] and not (form in STARTERS and _starts(text, word.start))


def _starts(text: str, at: int) -> bool:
    return _SENTENCE_START.search(text[max(0, at - _REACH) : at]) is not None


# --- whose name it is -------------------------------------------------------------------------------------------------


def _owners(mentions: Sequence[_Mention], articles: Sequence[Article]) -> dict[Key, Key | None]:
    """Each name with that of whom it means: "Hollmann" and "Mayor Katrin Hollmann" with "Katrin Hollmann". None for
    what is no name, or that of several people."""
    bound = {mention.key[0] for mention in mentions if mention.bound}
    lower = {
        fold(word.text) for article in articles for word in words(article.text[:_LONGEST]) if word.text[0].islower()
    }
    proper = {part for mention in mentions if mention.inside and not mention.german for part in mention.key}
    camel = {mention.key[-1] for mention in mentions if any(char.isupper() for char in mention.name.split()[-1][1:])}
    placed = {mention.key[-1] for mention in mentions if mention.placed}

    def person(mention: _Mention) -> Key:
        """The name without what its bearer is: a word that is a noun elsewhere, or has its capital from its place."""
        key = mention.key
        while sum(part not in _PARTICLES for part in key) > 2:
            noun = key[0] in bound | lower or not (mention.german or mention.inside or key[0] in proper)
            if not noun:
                break
            key = key[1:]
        return key

    persons = {mention: person(mention) for mention in mentions}
    full = {key for key in persons.values() if not _is_surname(key) and key[0] not in bound and len(key) <= _MOST_WORDS}
    owned = {key: next((key[at:] for at in range(len(key) - 2, 0, -1) if key[at:] in full), key) for key in full}
    german = full - {persons[mention] for mention in mentions if not mention.german}
    bearers: dict[Key, set[Key]] = {}
    for key in full:
        # "Firma OpenAI" is no longer name of what is known as OpenAI.
        if key not in german or key[-1] not in proper | camel:
            for at in range(1, len(key)):
                bearers.setdefault(key[at:], set()).add(owned[key])

    common = lower | bound | _TONGUES
    known = proper | camel | placed

    def owner(key: Key) -> Key | None:
        if not _is_surname(key):
            return owned.get(key)
        borne = bearers.get(key, set())
        if len(borne) == 1:
            return next(iter(borne))
        form = key[-1]
        is_name = len(form) > 2 and form in known and form not in common and not _PEOPLES.search(form)
        return key if is_name and not borne else None

    return {key: owner(whose) for key, whose in {mention.key: persons[mention] for mention in mentions}.items()}


def _is_surname(key: Key) -> bool:
    return len(key) == 1 or key[0] in _PARTICLES


def _shown(owner: Key, held: Sequence[_Mention]) -> str:
    """The name as it is written most often."""
    spellings = Counter(
        " ".join(mention.name.split()[-len(owner) :]) for mention in held if len(mention.key) >= len(owner)
    )
    return spellings.most_common(1)[0][0]


def _is_subject(owner: Key, held: Sequence[_Mention]) -> bool:
    """Whether a name stands for something by itself: "Portwick", and not the adjective "Dutch" or a noun in German."""
    if len(held) < 2 or any(mention.bound for mention in held):
        return False
    if all(mention.german for mention in held):
        return sum(mention.placed for mention in held) > 1 or any(mention.speaks for mention in held)
    return any(mention.alone and mention.inside for mention in held)


# --- what is spoken about ---------------------------------------------------------------------------------------------


def _topics(article: Article, mention: _Mention, title: frozenset[str]) -> dict[Topic, int]:
    """The nouns of the paragraph that the article is about, each with the article that it has in the text."""
    language = article.language or ""
    text = article.text[:_LONGEST]
    counts = Counter(fold(word.text) for word in words(text))
    here = {fold(word.text) for word in words(text[mention.paragraph.start : mention.paragraph.end])}
    found: dict[Topic, int] = {}
    for match in _NOUNS[language].finditer(text):
        head = fold(match["head"])
        following = match.groupdict().get("next")
        if head not in here or head in _EMPTY | _CALENDAR | set(mention.key) or _is_grammar(head):
            continue
        if following and not _is_grammar(following):
            continue
        if head in title or counts[head] >= _OFTEN:
            found[Topic(match[0].strip(), language)] = counts[head] + _OFTEN * (head in title)
    return found
