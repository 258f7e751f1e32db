"""Names in a statement, and to whom it attributes something: what is written like a name, and what it matches."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rapidfuzz import fuzz

from rag.places import countries, same_place
from rag.quantities import numbers
from rag.terms import FUNCTION_WORDS, Word, capitalised, fold, words

_TITLES = frozenset(
    """mr mrs ms dr prof sir lord lady judge mayor president minister chancellor senator governor chairman chairwoman
    director professor councillor secretary inspector captain herr frau bürgermeister bürgermeisterin präsident
    präsidentin ministerin kanzler kanzlerin richter richterin sprecher sprecherin vorsitzende vorsitzender
    direktor direktorin burgemeester minister-president wethouder rechter voorzitter directeur woordvoerder
    woordvoerster hoogleraar universität landgericht amtsgericht oberlandesgericht verwaltungsgericht
    finanzministerin außenminister außenministerin innenminister innenministerin verteidigungsminister
    gesundheitsminister stadt chief head boss chef court council state government parliament ministry department
    university bank street road party union university monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december spring summer autumn
    winter north south east west northern southern eastern western internet god christmas easter university
    supreme high district federal national royal office agency committee commission association society
    institute museum club city town county village river lake sea island team cabinet senate chamber house board
    congress act law art bill euro euros dollar i earth sun moon pasen ostern kerst weihnachten year's cup
    league championship world war olympic games islands canary stock exchange kamer tweede eerste raad staat""".split()
)


@lru_cache(maxsize=2048)
def known_forms(text: str) -> frozenset[str]:
    """The folded words of a text, parts of hyphenated ones too, and its initials."""
    listed = words(text)
    found = {fold(word.text) for word in listed}
    capitals = "".join(word.text[0] for word in listed if word.text[0].isupper())
    found |= {capitals[at : at + size].casefold() for size in (2, 3, 4) for at in range(len(capitals) - size + 1)}
    return frozenset(found)


def has(form: str, known: frozenset[str]) -> bool:
    if form in known or not same_place().get(form, frozenset()).isdisjoint(known):
        return True
    if (own := countries(form)) and any(not own.isdisjoint(countries(other)) for other in known):
        return True
    for ending in ("s", "es", "en", "er", "e", "n", "se", "ischen", "ische"):
        if form.endswith(ending) and len(form) > len(ending) + 2 and form.removesuffix(ending) in known:
            return True
        if form + ending in known:
            return True
    if len(form) < 5:
        return False
    return any(
        (len(other) >= 5 and (other.startswith(form) or form.startswith(other)) and abs(len(other) - len(form)) <= 4)
        or (len(other) >= 5 and abs(len(other) - len(form)) <= 2 and fuzz.ratio(form, other) >= 84)
        for other in known
    )


_JOINTS = (" ", "-", "–", " & "), (" ", " & ")  # between the words of a name; a German hyphen makes nouns


@lru_cache(maxsize=1024)
def named(text: str, language: str) -> tuple[tuple[Word, ...], ...]:
    """The names of a statement, as runs of words with capitals. In German, where nouns have them too, only what can
    hardly be a noun: two and more in a row, what follows a title or stands before a verb of saying, an abbreviation."""
    listed = words(text)
    runs: list[list[Word]] = []
    for at, word in enumerate(listed):
        if not capitalised(word.text) or fold(word.text) in _function_words():
            continue
        joined = (
            bool(runs)
            and at > 0
            and runs[-1][-1] is listed[at - 1]
            and text[listed[at - 1].end : word.start] in _JOINTS[language == "de"]
        )
        if joined:
            runs[-1].append(word)
        else:
            runs.append([word])
    found: list[tuple[Word, ...]] = []
    for run in runs:
        kept = [word for word in run if fold(word.text) not in _TITLES]
        while kept and kept[0].start == 0 and numbers(kept[0].text, language):
            del kept[0]  # "Vijf Belgen": the capital is the sentence's
        if not kept:
            continue
        at = listed.index(kept[0])
        first = at == 0 or text[listed[at - 1].end : kept[0].start].strip() in (".", ":", "!", "?")
        before = fold(listed[at - 1].text) if at else ""
        after = listed[listed.index(kept[-1]) + 1].text if listed.index(kept[-1]) + 1 < len(listed) else ""
        short = len(kept) == 1 and kept[0].text.isupper() and len(kept[0].text) > 1
        country = len(kept) == 1 and bool(countries(fold(kept[0].text)) or fold(kept[0].text) in same_place())
        if language == "de":
            person = len(kept) > 1 and not any(
                word.text.endswith(_NOUN_ENDINGS) or _is_counted(word.text) for word in kept
            )
            said = len(run) == 1 and after.casefold() in _SAYS and before not in _GERMAN_ARTICLES
            titled = len(kept) == 1 and len(run) > 1 and kept[0] is run[-1] and not kept[0].text.endswith(_NOUN_ENDINGS)
            if not (short or country or person or said or titled):
                continue
        elif (
            first
            and len(run) == 1
            and not short
            and not country
            and after.casefold() not in _SAYS
            and not kept[0].text.endswith(("'s", "’s"))
        ):
            continue
        found.append(tuple(kept))
    return tuple(found)


MARKED = re.compile(r"[“„\"'‘»«]([^“”„\"'‘’»«]{2,40})[”“\"'’«»]")
_GERMAN_ARTICLES = frozenset(
    """der die das dem den des ein eine einen einem einer eines kein keine keinen keiner sein seine seinen ihr ihre
    ihren im am zum zur beim vom ins viele mehrere alle zwei drei vier fünf einige diese dieser dieses diesen
    jede jeder jedes neue neuen neuer große großen ersten erste letzten""".split()
)
_NOUN_ENDINGS = tuple("ung ungen keit heit schaft tion ionen tät ismus nis tum chen".split())


def _is_counted(word: str) -> bool:
    return bool(numbers(word, "de")) or word in _MEASURES


_MEASURES = frozenset(
    """Prozent Millionen Million Milliarden Milliarde Euro Pfund Dollar Franken Kilometer Kilo Liter Cent Meter Tonnen
    Uhr Ende Anfang Mitte""".split()
)


@cache
def _function_words() -> frozenset[str]:
    return frozenset().union(*({fold(word) for word in listed} for listed in FUNCTION_WORDS.values()))


# Who said it

_SAYS = frozenset(
    """says said saying tells told thinks thought argues argued claims claimed warns warned warning threatens calls
    called believes believed insists insisted explains explained announces announced demands demanded wrote
    writes added adds stated states stressed stresses noted notes described describes confirmed confirms denied
    denies expects expected acknowledged admitted reported reports declared predicted suggested criticised
    praised promised vowed urged zei zegt vertelde vertelt vindt vond waarschuwde waarschuwt benadrukte
    benadrukt stelde stelt schreef schrijft noemde noemt verwacht verwachtte verklaarde verklaart meldde meldt
    kondigde liet laat eist eiste bevestigde ontkende voorspelde beloofde erkende gaf reageerde betoogde
    beweerde sagte sagt sagten erklärte erklärt meinte meint betonte betont warnte warnt forderte fordert
    kritisierte schrieb nannte nennt kündigte bestätigte teilte berichtete berichtet versprach räumte verlangte
    bezeichnete sprach hält hielt rechnet rechnete erwartet erwartete zufolge lobte begründete""".split()
)
_SAYING = "|".join(
    sorted(
        map(re.escape, _SAYS - {"gaf", "liet", "laat", "hält", "hielt", "calls", "called", "zufolge"}),
        key=len,
        reverse=True,
    )
)
_N = (
    r"(?P<name>[A-ZÄÖÜ][\w'’-]+(?:\s+(?:van|von|de|der|den|het|la|zu|ter|ten)){0,3}(?:\s+[A-ZÄÖÜ](?:\.|[\w'’-]+)){0,3})"
)
_BETWEEN = (
    r"(?:(?!(?:aan|an|to|in|that|dat|dass|he|she|it|they|hij|zij|ze|er|sie|on|op|am|at|the day|of)\b)"
    r"[a-zäöüß-]+\s+){0,3}"
)
_SPEAKERS = (
    re.compile(
        rf"{_N}(?:,[^,\"“”„«»]{{2,60}},)?\s+(?:also |later |has |had |hat |heeft |on \w+ |am \w+ )?(?:{_SAYING})\b"
    ),
    re.compile(
        rf"\b(?:said|says|added|adds|argued|warned|warns|zei|zegt|zeggen|sagte|sagt|erklärte|meinte|meint|betonte|warnte|aldus)\s+"
        rf"{_BETWEEN}{_N}"
    ),
    re.compile(
        rf"\b(?:[Aa]ccording to|[Vv]olgens|[Aa]ldus|[Ll]aut|[Nn]ach (?:Angaben|Worten|Ansicht|Aussage|Einschätzung|"
        rf"Auskunft)(?: von| der| des)?|[Ss]o|in the words of)\s+{_BETWEEN}{_N}"
    ),
    re.compile(rf"{_N}\s+zufolge\b"),
)


@lru_cache(maxsize=2048)
def speakers(text: str, language: str | None) -> frozenset[str]:
    """The folded last words of the names to which a text attributes something."""
    found = set()
    for pattern in _SPEAKERS:
        for match in pattern.finditer(text):
            run = [word.text for word in words(match["name"]) if capitalised(word.text)]
            listed = [word for word in run if fold(word) not in _function_words()]
            before = [*words(text[: match.start("name")])][-1:]
            led = [fold(word) for word in (*(word.text for word in before), *run) if fold(word) in _GERMAN_ARTICLES]
            if language == "de" and len(listed) == 1 and led:
                continue  # "sagte die Sprecherin", "Der Dekan sagte": a noun
            if len(listed) == 1 and (
                listed[0].endswith((*_NOUN_ENDINGS, "in", "er", "chef", "en"))
                if language == "de"
                else match.start("name") == 0
            ):
                continue  # what begins a sentence has a capital anyway
            if before and fold(before[0].text) in ("van", "von", "of", "bei", "bij", "at", "from"):
                continue  # "the founder of Natrix": the firm
            if listed and fold(listed[-1]) not in _TITLES and fold(listed[-1]) not in _function_words():
                found.add(fold(listed[-1]))
    return frozenset(found)
