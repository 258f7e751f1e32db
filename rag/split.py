"""An article -> passages: a few sentences each, small enough to be about one thing.

A passage carries what is needed to find it (headline, date, who "he" is) beside its text, never in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.dateline import written
from rag.records import Article, Passage, Sentence
from rag.sentences import STARTERS, sentences

__all__ = ["SPLITTING_VERSION", "passages", "sentences"]

SPLITTING_VERSION = 1

# Code points. Retrieval was measured on paragraphs of about 750; what is shorter than SMALLEST says too little alone.
SMALLEST, WANTED, LARGEST = 300, 500, 900

# --- passages ---------------------------------------------------------------------------------------------------------


def passages(article: Article) -> tuple[Passage, ...]:
    """The passages of `article` in order: every sentence is in exactly one, and none runs across a heading."""
    found: list[Passage] = []
    names = _names(article.text)
    for heading, section in _sections(article):
        for group in _joined([chunk for paragraph in _by_paragraph(section) for chunk in _halved(paragraph)]):
            start, end = group[0].start, group[-1].end
            found.append(Passage(article, start, end, tuple(group), _context(article, heading, start, end, names)))
    return tuple(found)


def _sections(article: Article) -> Iterator[tuple[str, list[Sentence]]]:
    """Each heading's text with the sentences under it."""
    headings = list(article.headings)
    title, section = "", list[Sentence]()
    for sentence in sentences(article.text, article.language, article.headings):
        while headings and headings[0].start <= sentence.start:
            if section:
                yield title, section
            title, section = article.text[headings[0].start : headings.pop(0).end], []
        section.append(sentence)
    if section:
        yield title, section


def _by_paragraph(section: list[Sentence]) -> Iterator[list[Sentence]]:
    group: list[Sentence] = []
    for sentence in section:
        if group and sentence.paragraph != group[-1].paragraph:
            yield group
            group = []
        group.append(sentence)
    yield group


def _length(group: Sequence[Sentence]) -> int:
    return group[-1].end - group[0].start


def _halved(group: list[Sentence]) -> Iterator[list[Sentence]]:
    """A paragraph that is too long, in parts of about equal length that end where a sentence ends."""
    parts = math.ceil(_length(group) / LARGEST)
    if parts < 2 or len(group) < 2:
        yield group
        return
    middle = group[0].start + _length(group) // parts
    cut = min(range(1, len(group)), key=lambda i: abs(group[i].start - middle))
    yield group[:cut]
    yield from _halved(group[cut:])


def _joined(chunks: list[list[Sentence]]) -> list[list[Sentence]]:
    """Short chunks joined with what follows, or at the end of a section with what precedes."""
    groups: list[list[Sentence]] = []
    for chunk in chunks:
        last = groups[-1] if groups else None
        if last is not None:
            size = chunk[-1].end - last[0].start
            short = min(_length(last), _length(chunk)) < SMALLEST
            if size <= WANTED or (short and size <= LARGEST):
                last.extend(chunk)
                continue
        groups.append(list(chunk))
    return groups


# --- context ----------------------------------------------------------------------------------------------------------

_PART = r"(?=\w*[a-zß-ÿ])[A-ZÀ-Þ]\w+(?:[-’'](?!s\b)\w+)*"
_PARTICLE = r"(?:van(?: de[nr]?| ’t| 't)?|von(?: de[rmn])?|de|di|da|del|el|al|bin|la|le|ten|ter|zu)(?=\s)"
_NAME = re.compile(
    rf"(?<![\w.’'-]){_PART}(?:\s(?:[A-Z]\.|{_PARTICLE}|{_PART})){{1,4}}(?:\s(?:Jr\.|Sr\.|I{{2,3}}))?(?!\w)"
)
_GENERATION = frozenset(["Jr.", "Sr.", "II", "III"])
_DETERMINER = re.compile(
    r"\b(?:d(?:er|ie|as|en|em|es)|eine?[rnms]?|beim?|zu[mr]|vo[mn]|i[mn]|am|the|an?|de|het|een|this|dies\w*)\s$",
    re.IGNORECASE,
)
_SPEAKS = (
    r"(?:said|says|told|tells|warned|called|wrote|praised|asked|argued|believes?|thinks|leads?|wants|answered|added"
    r"|sagte?|meinte?|warnte?|schrieb|lobte?|fragte?|fordert\w*|nannte|nennt|leitet\w*|erklärte?|betonte?|will"
    r"|zei|zegt|vindt|vond|schreef|noemde|noemt|waarschuwde|waarschuwt|vertelt|vertelde|leidt|wil|stelt|stelde|schrijft|schreibt"
    r"|benadrukt|benadrukte|verwacht|prees|according to|volgens|aldus|laut|zufolge)"
)
# Only those that cannot mean "they" or a possession: Dutch "zij", German "sie" and "ihr" would name the wrong person.
_PRONOUN = re.compile(
    rf"\b(?:he|she|him|his|hij|hem|er|ihm|ihn|He|She|His|Hij|Er)\b"
    rf"|\b(?:{_SPEAKS} (?:zij|ze|sie)|(?:[Zz]ij|[Zz]e|[Ss]ie) {_SPEAKS})\b"
)
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Name:
    """A full name: where it is introduced, the surname it goes by later, and whether its bearer speaks or acts."""

    at: int
    full: str
    surname: str
    person: bool


def _names(text: str) -> list[Name]:
    """Full names in order of appearance. Only what returns by its last word alone counts: it is how people return."""
    found: dict[str, Name] = {}
    for match in _NAME.finditer(text):
        words = match[0].split()
        if words[0].lower() in STARTERS:
            if _DETERMINER.match(words[0] + " "):
                continue
            words = words[1:]
        if len(words) < 2 or words[-1].lower() in STARTERS or not words[-1][0].isupper() or not words[0][0].isupper():
            continue
        full = " ".join(words)
        if full in found or _DETERMINER.search(text[max(0, match.start() - 10) : match.start()]):
            continue
        surname = words[-2] if words[-1] in _GENERATION and len(words) > 2 else words[-1]
        name = re.escape(surname)
        if re.search(rf"(?<!{re.escape(words[-2])}\s)\b{name}\b", text[match.end() :]):
            person = re.search(rf"\b{_SPEAKS}\s(?:\w+\s)?{name}\b|\b{name}\s{_SPEAKS}\b", text) is not None
            found[full] = Name(match.start(), full, surname, person)
    return list(found.values())


def _context(article: Article, heading: str, start: int, end: int, names: Sequence[Name]) -> str:
    """What places a passage: headline, subheading, date, and who is meant by a surname or a pronoun."""
    text = article.text[start:end]
    parts = []
    if not text.startswith(article.title.rstrip("… ")):
        parts.append(article.title)
    heading = " ".join(heading.split())
    if heading and heading != article.title:
        parts.append(heading)
    if article.date:
        parts.append(f"{article.date.isoformat()}, {written(article.date, article.language)}")
    earlier = [name for name in names if name.at < start and name.full not in text]
    words = set(re.findall(r"[^\W_]+(?:-[^\W_]+)*", text))
    meant = [name.full for name in earlier if name.surname in words or f"{name.surname}s" in words]
    people = [name for name in earlier if name.person]
    if not meant and people and _PRONOUN.search(text) and not any(start <= name.at < end for name in names):
        meant = [max(people, key=lambda name: article.text.rfind(name.surname, 0, start)).full]
    parts.extend(meant[:_MOST_NAMES])
    return " · ".join(parts)
