"""Words as they match across spellings: folded forms, names and numbers, and what kind of thing a question asks for.

Stemmed words help within one language only; names and numbers are the evidence that crosses languages. This module
says what is a name, and in which forms one matches another (case, accents, apostrophes, possessives, hyphens, spacing).
It knows no archive: which names an archive holds is `index.py`'s to say.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

LANGUAGES = ("nl", "de", "en")


def is_whole(text: str) -> bool:
    """Whether every character is a whole one. Half of a surrogate pair can be said in JSON, and no store takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_WORD = re.compile(r"\d{1,3}(?:[.,’']\d{3})+(?!\d)|\d+[.,]\d+|[^\W_]+(?:[’'][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"[’']s?$")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_FLAT = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i"})

# Words that carry the grammar of a question or a sentence, not its topic. They tell the language of a short question
# better than a statistical detector does, and they are never names.
FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        """a about according after all also an and any are as at be because been before between but by can could did do
        does during each for from get give had has have he her his how i if in into is it its long made make many may me
        more most much must near next no not of on one or other our out over said say says she should since so some
        such tell than that the their them then there these they this those through to under until up us was we were
        what when where which while who whom whose why will with would you your""".split()
    ),
    "nl": frozenset(
        """aan al als bij dan dat de deed deze die dit doe doen door dus een en er ging had hadden heb hebben heeft
        heel het hij hoe hoeveel hun iets ik in is ja je jij kan kon kunnen maar mag mede met mijn moet
        moeten na naar niet niets nog nu of om omdat ondanks onder ons onze ook op over sinds te tegen
        tijdens toen tot tussen uit vaak van vanaf veel via volgens voor waar waarin waarmee waarom waarover
        waarvan wanneer waren was wat welk welke werd werden wie wil worden wordt zal ze zeggen zegt zei
        zich zij zijn zo zonder zou zouden""".split()
    ),
    "de": frozenset(
        """aber alle als also am an auch auf aus bei beim bis dann das dass dem den denn der des die dies diese diesem
        diesen dieser dieses doch durch ein eine einem einen einer eines er es etwas für gab gegen gibt hat hatte hatten
        haben ihr ihre ihrem ihren ihrer im in ins ist ja jede kann kein keine können man mehr mit muss müssen nach
        nicht noch nun nur ob oder ohne sagen sagt sagte schon sehr sei sein seine seinem seinen seiner seit sich sie
        sind so soll sollen sowie trotz über um und uns unter vom von vor war waren warum was wegen weil welche welchem
        welchen welcher welches wem wen wenn wer werden wessen wie wieso wieviel wieviele will wird wo wann wofür womit
        woran
        worüber worum wurde wurden zu zum zur zwischen""".split()
    ),
}
_ANY_FUNCTION_WORD = frozenset().union(*FUNCTION_WORDS.values())

_LEANS = re.compile(
    r"[\"“„»«'‚‘’(\s]*(he|she|it|they|this|these|that|those|his|her|hers|its|their|but|however|such|instead|also|"
    r"er|sie|es|dies|diese[mnrs]?|sein(e[mnrs]?)?|ihr(e[mnrs]?)?|aber|doch|jedoch|dabei|damit|dadurch|dort|deren|dessen|"
    r"dafür|dagegen|stattdessen|auch|hij|zij|ze|het|dit|deze|dat|zijn|haar|hun|maar|echter|daar|daarmee|daarbij|"
    r"daarvoor|daartegen|toch|ook|zo|so)\b(?!['’])",
    re.IGNORECASE,
)

# In German every noun has a capital, so a capital alone does not make a name; one straight after such a word does.
_GERMAN_BEFORE_NAME = frozenset(
    """sagte sagt sagten meint meinte erklärte erklärt hat hatte ist war will wollte kritisierte wurde wird tat macht
    machte nannte nennt heißt hieß findet fand forderte fordert warnte warnt""".split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its span (half-open, code points) and how it is written."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name or a number in a question: how it is written there, and the groups of forms that stand for its parts.

    Every part must be matched, each by any form of its group.
    """

    text: str
    parts: tuple[tuple[str, ...], ...]


def words(text: str) -> list[Word]:
    """The words and numbers of a text, in order."""
    return [Word(match.start(), match.end(), match.group()) for match in _WORD.finditer(text)]


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """One form for all spellings of a word: lower case, no accents, no apostrophes, no possessive; 1.000 as 1000."""
    if word[0].isdigit():
        if re.fullmatch(r"\d{1,3}(?:[.,’']\d{3})+", word):
            return re.sub(r"\D", "", word)
        return word.replace(",", ".")
    word = _POSSESSIVE.sub("", word).replace("’", "").replace("'", "")
    decomposed = unicodedata.normalize("NFKD", word.casefold().translate(_FLAT))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@lru_cache(maxsize=65536)
def forms(word: str) -> tuple[str, ...]:
    """The forms under which a word is found: folded, with umlauts spelled out, and the parts of a CamelCase word."""
    found = [fold(word)]
    lowered = word.casefold()
    if _POSSESSIVE.search(word):  # "Bob's" is also typed as "Bobs"
        found.append(fold(re.sub(r"[’']", "", word)))
    if any(char in lowered for char in "äöüß"):
        found.append(fold(lowered.translate(_UMLAUTS)))
    parts = re.findall(r"[A-ZÄÖÜ]+(?![a-zäöü])|[A-ZÄÖÜ][a-zäöüß]+", word)
    if len(parts) > 1 and sum(map(len, parts)) == len(word):
        found += [fold(part) for part in parts]
    return tuple(dict.fromkeys(form for form in found if form))


def capitalised(word: str) -> bool:
    """Whether a word is written like a name: with a capital, first or inside it."""
    return word[0].isupper() or (len(word) > 1 and word[1:] != word[1:].lower())


def _adjacent(text: str, left: Word, right: Word) -> bool:
    return text[left.end : right.start] in (" ", "-", "\u00a0", "‑", "–")


def text_forms(text: str) -> frozenset[str]:
    """All forms of all words of a text, with neighbours that carry capitals or a hyphen joined as well.

    So "Stability AI", "Stability-AI" and "StabilityAI" share a form.
    """
    found: set[str] = set()
    previous: Word | None = None
    for word in words(text):
        found.update(forms(word.text))
        if previous and _adjacent(text, previous, word) and capitalised(word.text) and capitalised(previous.text):
            found.add(fold(previous.text) + fold(word.text))
        previous = word
    return frozenset(found)


def name_forms(text: str) -> frozenset[str]:
    """The forms of the words of a text that are written like names: with a capital inside a sentence."""
    found: set[str] = set()
    previous: Word | None = None
    for word in words(text):
        if capitalised(word.text) and len(word.text) > 2:
            inside = previous is not None and re.fullmatch(r"[\s,;(\-–‑]+", text[previous.end : word.start])
            if inside:
                found.update(forms(word.text))
        previous = word
    return frozenset(found)


def names(question: str, language: str | None) -> tuple[Name, ...]:
    """The names and numbers of a question, as far as its capitals show them; neighbouring words make one name."""
    listed = words(question)
    # A question typed in capitals or as a headline shows nothing by them.
    lowered = [word for word in listed if word.text[0].islower()]
    if listed and not lowered and len(listed) > 4:
        return ()
    runs: list[list[Word]] = []
    for position, word in enumerate(listed):
        if word.text[0].isdigit():
            runs.append([word])
            continue
        if not capitalised(word.text) or fold(word.text) in _ANY_FUNCTION_WORD:
            continue
        joins = bool(runs) and runs[-1][-1] is listed[position - 1] and _adjacent(question, listed[position - 1], word)
        if position and joins and not runs[-1][-1].text[0].isdigit() and not _POSSESSIVE.search(runs[-1][-1].text):
            runs[-1].append(word)
        else:
            runs.append([word])
    first = listed[0] if listed else None
    found = []
    for run in runs:
        if language == "de" and len(run) == 1 and not run[0].text[0].isdigit():
            at = listed.index(run[0])
            before = listed[at - 1].text.casefold() if at else ""
            camel = run[0].text[1:] != run[0].text[1:].lower()
            if before not in _GERMAN_BEFORE_NAME and not camel:
                continue
        elif len(run) == 1 and run[0] is first and len(listed) > 1 and not run[0].text[0].isdigit():
            rest = run[0].text[1:]
            possessive = _POSSESSIVE.search(run[0].text) is not None
            if rest == rest.lower() and not possessive and language is not None:
                continue  # the first word of a sentence has its capital anyway
        found.append(
            Name(
                text=_POSSESSIVE.sub("", question[run[0].start : run[-1].end]),
                parts=tuple(_with_joined(run, index) for index in range(len(run))),
            )
        )
    return tuple(found)


def _with_joined(run: list[Word], index: int) -> tuple[str, ...]:
    own = list(forms(run[index].text))
    if index + 1 < len(run):
        own.append(fold(run[index].text) + fold(run[index + 1].text))
    if index:
        own.append(fold(run[index - 1].text) + fold(run[index].text))
    return tuple(dict.fromkeys(own))


def content_words(text: str, language: str | None = None) -> list[Word]:
    """The words of a text that are not function words of `language`; without it, of any of our languages."""
    function_words = FUNCTION_WORDS.get(language, _ANY_FUNCTION_WORD) if language else _ANY_FUNCTION_WORD
    return [word for word in words(text) if word.text.casefold() not in function_words]


def leans(sentence: str) -> bool:
    """Whether a sentence needs the one before it: it begins with a pronoun or with a word that takes something up."""
    return _LEANS.match(sentence) is not None


@lru_cache(maxsize=1024)
def question_language(question: str) -> str:
    """The language of a question (ISO 639-1), by its function words, else by a statistical detector."""
    folded = [word.text.casefold() for word in words(question)]
    votes = {language: sum(word in listed for word in folded) for language, listed in FUNCTION_WORDS.items()}
    # A word that only one of the languages has counts double: "was" is both German and English.
    for language, listed in FUNCTION_WORDS.items():
        others = frozenset().union(*(words_ for other, words_ in FUNCTION_WORDS.items() if other != language))
        votes[language] += sum(word in listed and word not in others for word in folded)
    best, second = sorted(votes.values(), reverse=True)[:2]
    if best > second and best * 3 >= len(folded):
        return max(votes, key=lambda language: votes[language])
    return _detected(question)


def _detected(text: str) -> str:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    global _identifier
    if _identifier is None:
        _identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    language, probability = _identifier.classify(text)
    return str(language) if probability > 0.8 or language in LANGUAGES else "en"


_identifier = None
