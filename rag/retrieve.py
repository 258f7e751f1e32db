"""From a question to the passages that may answer it, whatever language they are in.

Candidates are taken per language, from Chroma by meaning and from Tantivy by words, so that the question's own
language does not crowd out the others. Then all are scored alike: by the cosine of the passage, by that of its best
sentence, and by the words they share. Words count only where they can: stems within a language, names and numbers
everywhere. Plain rank fusion, which counts a passage down for sharing no words with a question in another language,
is wrong here.

A story that several outlets print is read once: a passage whose sentences all stand in passages of its copies that come
before it takes no place. What a later version supersedes is not read at all.

Catalog and index may be those of a reader from whom articles are kept. He gets what he would get if they were not
there: nothing is taken away after the best have been chosen, so that no place is lost to what he may not see.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from rapidfuzz.distance import OSA

from rag.alike import bare
from rag.catalog import UNKNOWN_LANGUAGE, Catalog, StoredPassage
from rag.embed import Vectors
from rag.errors import SettingsError, VectorsUnavailable
from rag.index import Index, stems
from rag.records import Article
from rag.terms import Name, content_words, fold, names, question_language, text_forms, words

# What a share of the question's stems (same language only) and of its names and numbers adds to the two cosines.
# Fitted as a conditional logit on XQuAD's development articles.
STEM_WEIGHT = 0.11
NAME_WEIGHT = 0.06
_BEGINNING = 5  # letters in which two stems must agree
_PARTLY = 0.7  # what such a stem counts
CANDIDATES = 12  # a language, from each index; the right passage is among the first five in 98 %
_DEEPEST, _DEEPER = 768, 4  # how far down an index is asked where copies take the places, and by what factor each time


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the archive understands it.

    `text` is what is embedded: typing errors in names mended by the archive's own spelling. `names` are those that the
    archive holds, `unknown` those of which it holds no part.
    """

    text: str
    language: str
    names: tuple[Name, ...]
    unknown: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which articles may answer; None lets all of them."""

    languages: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def by_article(self) -> bool:
        """Whether it says more than a language, for which there are collections."""
        return self.sources is not None or self.since is not None or self.until is not None


def checked_filter(
    languages: Collection[str] | None,
    sources: Collection[str] | None,
    since: dt.date | None,
    until: dt.date | None,
) -> Filter:
    """The filter that somebody asks for; an empty list lets everything pass.

    Raises:
        SettingsError: a value is of the wrong kind, or the days are in the wrong order.
    """
    for name, value in (("languages", languages), ("sources", sources)):
        if isinstance(value, str):
            raise SettingsError(f"{name} is the text {value!r}, expected a list such as [{value!r}]")
    for name, day in (("since", since), ("until", until)):
        if day is not None and (isinstance(day, dt.datetime) or not isinstance(day, dt.date)):
            raise SettingsError(f"{name} is {day!r}, expected a datetime.date")
    if since and until and since > until:
        raise SettingsError(f"since ({since}) is later than until ({until}); swap them")
    return Filter(
        languages=frozenset(code.lower() for code in languages) if languages else None,
        sources=frozenset(sources) if sources else None,
        since=since,
        until=until,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with the evidence for it. `sentence_cosines` stand in the order of `passage.sentences`.

    `stem_share` and `name_share` (0 to 1) say how much of the question's stems and names the passage and its context
    hold, weighted by rarity.
    """

    stored: StoredPassage
    cosine: float
    sentence_cosines: tuple[float, ...]
    stem_share: float
    name_share: float
    same_language: bool
    score: float


def understand(question: str, index: Index) -> Question:
    """Read a question against the archive: its language, the names in it, which of them the archive knows."""
    language = question_language(question)
    text = question
    found = list(names(question, language))
    if not any(char.isupper() for char in question):
        found = _uncapitalised(question, index)
    known, unknown = [], []
    for name in found:
        parts = []
        for part in name.parts:
            if any(index.knows(form) for form in part):
                parts.append(part)
            elif mended := _mended(part[0], index):
                parts.append((mended,))
                text = _respelled(text, part[0], mended)
        if len(parts) == len(name.parts) or (parts and len(parts[-1][0]) > 3 and parts[-1][0] == name.parts[-1][0]):
            known.append(Name(name.text, tuple(parts)))
        else:
            unknown.append(name)
    return Question(text, language, tuple(known), tuple(unknown))


def _uncapitalised(question: str, index: Index) -> list[Name]:
    """The names of a question typed in lower case: words that the archive writes as names, and numbers."""
    found = []
    for word in content_words(question):
        form = fold(word.text)
        if len(form) > 2 and (form.isdigit() or index.knows(form, as_name=True) or _is_misspelled(form, index)):
            found.append(Name(word.text, ((form,),)))
    return found


def _is_misspelled(form: str, index: Index) -> bool:
    return not index.knows(form) and _mended(form, index) is not None


def _mended(form: str, index: Index) -> str | None:
    """The archive's name that is one typing error away from `form`, the most common one where there are several.

    Errors in the first letter are not looked for: that would need the whole vocabulary, and people rarely make them.
    """
    if len(form) < 5 or form.isdigit():
        return None
    near = [
        known
        for known in index.names_beginning(form[:1])
        if abs(len(known) - len(form)) <= 1 and OSA.distance(form, known, score_cutoff=1) <= 1
    ]
    count, best = max(((index.times_named(known), known) for known in near), default=(0, ""))
    return best if count else None


def _respelled(text: str, form: str, mended: str) -> str:
    for word in words(text):
        if fold(word.text) == form:
            return text[: word.start] + mended.capitalize() + text[word.end :]
    return text


def retrieve(
    question: Question,
    vector: Vectors,
    *,
    catalog: Catalog,
    index: Index,
    filter: Filter,
    limit: int,
) -> list[Candidate]:
    """The `limit` best passages for a question whose unit vector (dim,) is given, best first."""
    held = catalog.languages()
    languages = [language for language in held if filter.languages is None or language in filter.languages]
    if filter.by_article:
        stored = _allowed_passages(question, vector, languages, catalog=catalog, index=index, filter=filter)
    else:

        def near(language: str, depth: int) -> list[str]:
            try:
                found = [found for found, _ in index.nearest(vector.tolist(), language, depth)]
            except VectorsUnavailable:
                found = []
            if len(found) < min(depth, held[language]):  # nearly all that is near is hidden, or a server is away
                found = catalog.nearest(vector, language, depth)
            return found

        def worded(language: str, depth: int) -> list[str]:
            return [found for found, _ in _lexical(question, language, depth, index=index)]

        takes = [partial(take, language) for language in languages for take in (near, worded)]
        stored = _told_once(takes, {}, catalog=catalog, filter=filter)
    candidates = [score(question, vector, item, index=index) for item in stored]
    candidates.sort(key=lambda candidate: (-candidate.score, candidate.stored.id))
    copies = catalog.copies(_articles(stored))
    once = {item.id for item in _without_copies([candidate.stored for candidate in candidates], copies)}
    return [candidate for candidate in candidates if candidate.stored.id in once][:limit]


def copies_of(candidates: Iterable[Candidate], catalog: Catalog) -> dict[str, tuple[Article, ...]]:
    """The copies in other articles of what was found, also those that were not: by article id, the oldest first."""
    found = catalog.copies(_articles(candidate.stored for candidate in candidates))
    return {one: tuple(filter(None, map(catalog.article, others))) for one, others in found.items()}


def _articles(stored: Iterable[StoredPassage]) -> list[str]:
    return list({item.passage.article.id for item in stored})


def _told_once(
    takes: Sequence[Callable[[int], list[str]]], held: dict[str, StoredPassage], *, catalog: Catalog, filter: Filter
) -> list[StoredPassage]:
    """The best `CANDIDATES` passages of each ranking, not counting copies and articles that later versions supersede.

    Each of `takes` gives the ids of as many of the best passages as it is asked for, and is asked for more where there
    are such. `held` are passages that are there already, by id. An earlier version answers where the filter's dates
    leave the later one out.
    """
    kept: dict[str, StoredPassage] = {}
    depth, waiting = CANDIDATES, list(takes)
    while waiting:
        found = [(take, take(depth)) for take in waiting]
        unknown = {key for _, ids in found for key in ids if key not in held}
        held.update((item.id, item) for item in catalog.passages(list(unknown)))
        ranked = [(take, ids, [held[key] for key in ids if key in held]) for take, ids in found]
        articles = _articles(item for _, _, items in ranked for item in items)
        copies = catalog.copies(articles)
        outdated = catalog.superseded(articles, since=filter.since, until=filter.until)
        waiting = []
        for take, ids, items in ranked:
            told = _without_copies([item for item in items if item.passage.article.id not in outdated], copies)
            kept.update((item.id, item) for item in told[:CANDIDATES])
            if len(told) < CANDIDATES and len(ids) == depth < _DEEPEST:
                waiting.append(take)
        depth *= _DEEPER
    return list(kept.values())


def _without_copies(stored: Sequence[StoredPassage], copies: Mapping[str, Collection[str]]) -> list[StoredPassage]:
    """These passages without those whose sentences all stand in others that are copies: of equals the first is kept.

    What another passage has beside them is never left out.
    """
    kept: dict[str, StoredPassage] = {}
    concerned = set(copies).union(*copies.values())
    said = {item.id: _said(item) for item in stored if item.passage.article.id in concerned}
    for item in stored:
        others = copies.get(item.passage.article.id, ())
        near = [other for other in kept.values() if other.passage.article.id in others]
        if near and said[item.id] <= frozenset().union(*(said[other.id] for other in near)):
            continue
        for other in near:
            if said[other.id] <= said[item.id]:
                del kept[other.id]
        kept[item.id] = item
    return list(kept.values())


def _said(item: StoredPassage) -> frozenset[str]:
    text = item.passage.article.text
    return frozenset(_bare(text[sentence.start : sentence.end]) for sentence in item.passage.sentences)


_bare = lru_cache(maxsize=8192)(bare)


def _allowed_passages(
    question: Question,
    vector: Vectors,
    languages: Collection[str],
    *,
    catalog: Catalog,
    index: Index,
    filter: Filter,
) -> list[StoredPassage]:
    """Candidates among the articles that the filter allows, exactly scored: Chroma's own filter is far slower."""
    wanted = None if filter.languages is None else list(languages)
    articles = catalog.allowed(sources=filter.sources, since=filter.since, until=filter.until, languages=wanted)
    ranked: list[tuple[float, StoredPassage]] = []
    for start in range(0, len(articles), 500):  # SQLite takes a limited number of values
        for item in catalog.passages_of(articles[start : start + 500]):
            ranked.append((float(item.vectors[0] @ vector), item))
    by_language: dict[str, list[tuple[float, StoredPassage]]] = {}
    for pair in ranked:
        by_language.setdefault(pair[1].passage.article.language or UNKNOWN_LANGUAGE, []).append(pair)

    def near(language: str, depth: int) -> list[str]:
        return [item.id for _, item in by_language[language][:depth]]

    def worded(language: str, depth: int) -> list[str]:
        return [found for found, _ in _lexical(question, language, depth, index=index, articles=articles)]

    for pairs in by_language.values():
        pairs.sort(key=lambda pair: -pair[0])
    takes = [partial(take, language) for language in by_language for take in (near, worded)]
    return _told_once(takes, {item.id: item for _, item in ranked}, catalog=catalog, filter=filter)


def _lexical(
    question: Question, language: str, depth: int, *, index: Index, articles: Sequence[str] | None = None
) -> list[tuple[str, float]]:
    stemmed = question_stems(question) if language == question.language else frozenset()
    forms = {form for name in question.names for part in name.parts for form in part}
    return index.matching(stemmed=stemmed, forms=forms, language=language, limit=depth, articles=articles)


def score(question: Question, vector: Vectors, item: StoredPassage, *, index: Index) -> Candidate:
    """One passage against a question."""
    passage = item.passage
    same = passage.article.language == question.language
    cosines = item.vectors @ vector
    text = f"{passage.context}\n{passage.text}"
    stem_share = share_of_stems(question, stems(text, question.language), index=index) if same else 0.0
    name_share = share_of_names(question, cached_forms(text), index=index)
    best = float(cosines[1:].max()) if len(cosines) > 1 else float(cosines[0])
    return Candidate(
        stored=item,
        cosine=float(cosines[0]),
        sentence_cosines=tuple(float(value) for value in cosines[1:]),
        stem_share=stem_share,
        name_share=name_share,
        same_language=same,
        score=float(cosines[0]) + best + STEM_WEIGHT * stem_share + NAME_WEIGHT * name_share,
    )


cached_forms = lru_cache(maxsize=8192)(text_forms)


@lru_cache(maxsize=64)
def question_stems(question: Question) -> frozenset[str]:
    """The stems of the question's words that carry its topic."""
    told = " ".join(word.text for word in content_words(question.text, question.language))
    return frozenset(stems(told, question.language))


def share_of_stems(question: Question, found: Collection[str], *, index: Index) -> float:
    """How much of the question's stems stand among `found` (0 to 1), weighted by rarity.

    A long stem that only begins like one of them counts in part: "licens" and "licenc", German compounds.
    """
    wanted = {stem: index.rarity(stem, question.language) for stem in question_stems(question)}
    total = sum(wanted.values())
    if not total:
        return 0.0
    held = frozenset(found)
    beginnings = {stem[:_BEGINNING] for stem in held if len(stem) > _BEGINNING}
    matched = 0.0
    for stem, weight in wanted.items():
        if stem in held:
            matched += weight
        elif len(stem) > _BEGINNING and stem[:_BEGINNING] in beginnings:
            matched += _PARTLY * weight
    return matched / total


def share_of_names(question: Question, found: Collection[str], *, index: Index) -> float:
    """How much of the question's names and numbers stand among the forms `found` (0 to 1), weighted by rarity.

    A name that the archive does not know counts in full against every passage.
    """
    total = held = 0.0
    for name in question.names + question.unknown:
        for part in name.parts:
            weight = index.rarity(part[0])
            total += weight
            if any(form in found for form in part):
                held += weight
    return held / total if total else 0.0
