"""From readings to quotations: which sentences are quoted, in which order, and how far each quotation reaches.

The question's kind (`kinds.py`) shapes them. The margins are shares of the reader's softmax and ratios of them, so that
they keep their meaning when the reader is fitted anew. Every quotation passes `cite`; what does not pass is left out.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import takewhile
from types import MappingProxyType

from rapidfuzz import fuzz

from rag.alike import agree, bare, folded
from rag.cite import cite
from rag.kinds import (
    GIVES,
    Kind,
    enumerates,
    gives_reason,
    goes_on,
    introduces,
    kinds,
    name_asked,
    names_somebody,
    refers_back,
    turns,
)
from rag.reader import Reading
from rag.records import Article, Citation, Sentence
from rag.terms import fold, leans, names, question_language, text_forms, words

MAX_CITATIONS = 5
_FEW = 3  # of them where the question asks for one thing
_SEVERAL: frozenset[Kind] = frozenset({"list", "keywords", "name"})

# Shares are those of the reader's softmax over all sentences. Citations are added until theirs sum to _ENOUGH, and none
# with less than _WORTH of the best one's; what a list or a name brings up shares the softmax.
_ENOUGH, _ENOUGH_OF_SEVERAL = 0.95, 0.995
_WORTH, _WORTH_OF_SEVERAL = 0.04, 0.01
# What a sentence needs of the best one's share to be put before it, because it gives the date, the number or the person
# asked for, says who the name is, or names several where several are asked for.
_GIVES_IT, _INTRODUCES, _ENUMERATES = 0.35, 0.05, 0.2
_OWN = 0.6  # of the best one's share, from which a sentence in the question's own language comes before one that is not
_ALIKE = 0.8  # of the first one's share, from which articles answer about equally well, so that the newest comes first
_NEAR = 0.135  # of the share of the sentence quoted, from which a neighbour (or the lead of its list) belongs to it
_LEANING_LIMIT = 280  # characters: a leaning sentence takes the one before along up to this length
_NEAR_LIMIT = 260  # characters: neighbours that score nearly alike are quoted together up to this length
_MAX_SENTENCES = 3
_SAME = 88  # rapidfuzz ratio from which two quotations count as one, where they name the same names and numbers

Fits = Callable[[str], bool]
Key = tuple[str, int]  # a sentence: its article's id and its start


def choose(
    readings: Sequence[Reading], question: str, copies: Mapping[str, Sequence[Article]] = MappingProxyType({})
) -> list[Citation]:
    """The citations of an answer: at most five, best first, fewer when the reader is sure, none twice.

    The question's kind shapes them: what is put first, how far each reaches, how many there are. Where several
    articles answer about equally well, the newest comes first. `copies` are those of the articles read, by id; a
    citation says which of them hold the same quotation.
    """
    if not readings:
        return []
    wanted = kinds(question)
    limit = MAX_CITATIONS if wanted & _SEVERAL else _FEW
    wide = not {"list", "name"}.isdisjoint(wanted)
    enough, worth = (_ENOUGH_OF_SEVERAL, _WORTH_OF_SEVERAL) if wide else (_ENOUGH, _WORTH)
    name = name_asked(question)
    floor, fits = _preference(name, wanted)
    share_of = {_key(item): item.share for item in readings}
    worthy = [item for item in readings if item.share >= worth * readings[0].share]
    if name is not None:
        worthy = [item for item in worthy if _names(_text(item), name)] or worthy
    ordered = _in_order(worthy, wanted, floor, fits)
    members = _members(ordered[0], readings) if "list" in wanted else []
    belong = {_key(item) for item in members}
    citations: list[Citation] = []
    quoted: list[Reading] = []
    covered: set[Key] = set()
    told = 0.0
    for reading in [ordered[0], *members, *ordered[1:]]:
        if told >= enough and _key(reading) not in belong:
            break
        if _key(reading) in covered:
            told += 0.0 if _key(reading) in belong else reading.share
            continue
        article = reading.passage.article
        nearby = {} if _key(reading) in belong else share_of
        chosen = _reach(reading, nearby, covered | belong, question, wanted)
        covered |= {(article.id, sentence.start) for sentence in chosen}
        citation = cite(len(citations) + 1, reading.passage, chosen[0].start, chosen[-1].end)
        if citation is None:
            continue
        also_in = [other for other in copies.get(article.id, ()) if _holds(other.text, citation.quote)]
        twin = next((other for other in citations if _same(other, citation)), None)
        if twin is None:
            citations.append(replace(citation, also_in=tuple(also_in)))
            quoted.append(reading)
        else:
            known = {other.id: other for other in (*twin.also_in, article, *also_in) if other.id != twin.article.id}
            citations[twin.number - 1] = replace(twin, also_in=tuple(known.values()))
        told += reading.share
        if len(citations) == limit:
            break
    return _newest_first(citations, quoted, fits)


def _preference(name: str | None, wanted: Collection[Kind]) -> tuple[float, Fits | None]:
    """What a text needs to have of what the kinds ask for, and of the best one's share, to be put first."""
    if name is not None:
        return _INTRODUCES, partial(introduces, name=name)
    if "date" in wanted:
        return _GIVES_IT, lambda text: GIVES["date"].search(text) is not None
    if "number" in wanted:
        return _GIVES_IT, lambda text: GIVES["number"].search(text) is not None
    if "list" in wanted:
        return _ENUMERATES, enumerates
    return _GIVES_IT, names_somebody if "person" in wanted else None


def _in_order(readings: Sequence[Reading], wanted: Collection[Kind], floor: float, fits: Fits | None) -> list[Reading]:
    """The readings in the order in which they are quoted: the best first, or one nearly as good that fits better.

    One in the question's own language fits better than one that is not, and one that gives what is asked for better
    still.

    Words or a name alone ask for no one sentence: there the best of every article come before others of the same.
    """
    ordered = list(readings)
    least = _OWN * ordered[0].share
    own = next((at for at, item in enumerate(ordered) if item.share >= least and item.candidate.same_language), 0)
    ordered.insert(0, ordered.pop(own))
    if fits is not None:
        least = floor * ordered[0].share
        at = next((at for at, item in enumerate(ordered) if item.share >= least and fits(_text(item))), 0)
        ordered.insert(0, ordered.pop(at))
    if not {"keywords", "name"}.isdisjoint(wanted):
        heads = {item.passage.article.id: item for item in reversed(ordered)}
        ordered.sort(key=lambda item: heads[item.passage.article.id] is not item)
    return ordered


def _members(first: Reading, readings: Sequence[Reading]) -> list[Reading]:
    """What belongs to the list that the first reading begins or stands in, however small its share.

    That is the sentences after it that go on ("Second, ...", "The other is ..."), and the items after a colon: a
    paragraph of one sentence each. Items bring each other along only where what leads up to them fits the question too.
    """
    passage = first.passage
    sentences = passage.sentences
    texts = [passage.article.text[sentence.start : sentence.end] for sentence in sentences]
    places: list[int] = []
    at = first.position + 1
    while at < len(sentences) and sentences[at].paragraph == first.sentence.paragraph and goes_on(texts[at]):
        places.append(at)
        at += 1
    size = Counter(sentence.paragraph for sentence in sentences)
    top = first.position
    while top > 0 and size[sentences[top].paragraph] == 1 and not texts[top].endswith(":"):
        top -= 1
    found = {_key(item): item for item in readings}
    lead = found.get((passage.article.id, sentences[top].start))
    if texts[top].endswith(":") and lead is not None and lead.share >= _NEAR * first.share:
        items = takewhile(lambda at: size[sentences[at].paragraph] == 1, range(top + 1, len(sentences)))
        places += [at for at in items if at != first.position]
    return [found[key] for at in places if (key := (passage.article.id, sentences[at].start)) in found]


def _newest_first(citations: list[Citation], quoted: Sequence[Reading], fits: Fits | None) -> list[Citation]:
    """The citations numbered anew: where the first of several articles answer about equally well, the newest first.

    That holds among articles in the question's own language, or among others: which it is matters more than the date.
    """

    def leads(at: int) -> bool:
        first = quoted[0]
        alike = _ALIKE * first.share <= quoted[at].share and (fits is None or fits(citations[at].quote))
        alike = alike and quoted[at].candidate.same_language == first.candidate.same_language
        return alike and citations[at].article.id not in {citation.article.id for citation in citations[:at]}

    head = list(takewhile(leads, range(len(citations))))
    head.sort(key=lambda at: citations[at].article.date or dt.date.min, reverse=True)
    order = head + list(range(len(head), len(citations)))
    return [replace(citations[at], number=number) for number, at in enumerate(order, 1)]


def _key(reading: Reading) -> Key:
    return reading.passage.article.id, reading.sentence.start


def _text(reading: Reading) -> str:
    return reading.passage.article.text[reading.sentence.start : reading.sentence.end]


def _names(text: str, name: str) -> bool:
    return fold(words(name)[-1].text) in text_forms(text)


def _same(one: Citation, other: Citation) -> bool:
    """Whether two quotations say the same in the same words; reports from one template do not."""
    alike = fuzz.ratio(one.quote, other.quote, score_cutoff=_SAME) > 0
    return alike and agree(one.quote, other.quote, one.article.language)


def _holds(text: str, quote: str) -> bool:
    """Whether a quotation stands in a text, whatever signs and quotation marks are used there."""
    return quote in text or f" {bare(quote)} " in f" {_folded(text)} "


_folded = lru_cache(maxsize=64)(folded)


def _reach(
    reading: Reading,
    share_of: Mapping[Key, float],
    covered: Collection[Key],
    question: str,
    wanted: Collection[Kind],
) -> tuple[Sentence, ...]:
    """The sentences of one quotation: the one that answers, with neighbours where it cannot be understood alone.

    That is where it leans on the one before; where it lacks what the question asks for and a neighbour has it (who
    speaks, why); and where a neighbour scores nearly as well, so that the reader cannot tell which of them answers.
    """
    article, sentences = reading.passage.article, reading.passage.sentences
    first = last = reading.position

    def text(position: int) -> str:
        return article.text[sentences[position].start : sentences[position].end]

    def joins(position: int, limit: int) -> bool:
        if not 0 <= position < len(sentences):
            return False
        start, end = min(position, first), max(position, last)
        between = [sentences[at] for at in range(start, end + 1) if not first <= at <= last]
        return (
            end - start < _MAX_SENTENCES
            and sentences[end].end - sentences[start].start <= limit
            and all(other.paragraph == reading.sentence.paragraph for other in between)
            and all((article.id, other.start) not in covered for other in between)
        )

    if leans(text(first)) and joins(first - 1, _LEANING_LIMIT):
        first -= 1
    for lack in _lacks(question, wanted, article.language):
        if not lack.complete(" ".join(text(at) for at in range(first, last + 1))):
            order = [last + step if step > 0 else first + step for step in lack.order]
            found = next((at for at in order if joins(at, _LEANING_LIMIT) and lack.mends(text(at))), first)
            first, last = min(first, found), max(last, found)
    while True:
        near = [
            (share_of.get((article.id, sentences[position].start), 0.0), position)
            for position in (first - 1, last + 1)
            if joins(position, _NEAR_LIMIT)
        ]
        if not near or max(near)[0] < _NEAR * reading.share:
            return sentences[first : last + 1]
        first, last = min(first, max(near)[1]), max(last, max(near)[1])


@dataclass(frozen=True, slots=True)
class _Lack:
    """What a quotation may lack: whether a text is complete, whether a neighbour mends it, and where to look for one
    (-1 is the sentence before, 1 the one after)."""

    complete: Callable[[str], bool]
    mends: Callable[[str], bool]
    order: tuple[int, ...]


def _lacks(question: str, wanted: Collection[Kind], language: str | None) -> list[_Lack]:
    """What a quotation for this question may lack: its speaker, its reason, what takes it back."""
    lacks = []
    if "statement" in wanted:
        # "Who said ...?" names what it was about, not who said it.
        told = () if "person" in wanted else names(question, question_language(question))
        asked = [name.parts[-1] for name in told if not name.text[0].isdigit()]

        def named(text: str) -> list[bool]:
            held = text_forms(text)
            return [any(form in held for form in part) for part in asked]

        def speaks(text: str) -> bool:
            if not asked:
                return names_somebody(text) if "person" in wanted else not refers_back(text, language)
            return all(named(text)) or (any(named(text)) and not refers_back(text, language))

        lacks.append(_Lack(speaks, lambda text: any(named(text)) if asked else names_somebody(text), (-1, -2, 1)))
    if "reason" in wanted:
        gives = partial(gives_reason, language=language)
        lacks.append(_Lack(gives, gives, (1, -1)))
    if "yes_no" in wanted:
        lacks.append(_Lack(lambda text: False, turns, (1,)))
    return lacks
