"""From readings to an answer: what is said around the quotations, or where there are none.

Which sentences are quoted is `quotes.py`'s to choose. The framing says only what is known of an article.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from babel import Locale
from babel.dates import format_date

from rag.quotes import choose
from rag.reader import Reading
from rag.records import Answer, Article, Citation, Hit, Statement
from rag.retrieve import Candidate, Question

_NEAREST = 3

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "dated_source": "{source}, {date}{about}: {quote}",
        "source": "{source}{about}: {quote}",
        "dated_title": "“{title}”, {date}{about}: {quote}",
        "title": "“{title}”{about}: {quote}",
        "in_language": "in {name}",
        "also_in": " (also in {names})",
        "same_report": " (same report also in {names})",
        "one_source": "All of this comes from one source.",
        "sources": "These quotations come from {count} independent sources.",
        "sample": "sample article",
        "not_found": "The archive holds no answer to this question.",
        "unknown_one": "No article mentions {names}.",
        "or": " or ",
        "undated": "{count} articles without a date were left out by the date filter.",
        "undated_one": "One article without a date was left out by the date filter.",
        "empty": "The archive is empty: there is no article to answer from.",
        "filtered": "No article passes these filters.",
        "struck": "{count} statements of the language model were left out: the quotations do not support them.",
        "struck_one": "One statement of the language model was left out: the quotations do not support it.",
        "slow": "The language model took too long; these are the quotations.",
        "failed": "The language model could not be used; these are the quotations.",
        "unusable": "The language model wrote nothing that could be used; these are the quotations.",
        "unsupported": "The language model's statements ({count}) are not supported; these are the quotations.",
        "broken_off": "The language model broke off; what it had written before was checked.",
    },
    "nl": {
        "dated_source": "{source}, {date}{about}: {quote}",
        "source": "{source}{about}: {quote}",
        "dated_title": "‘{title}’, {date}{about}: {quote}",
        "title": "‘{title}’{about}: {quote}",
        "in_language": "in het {name}",
        "also_in": " (ook in {names})",
        "same_report": " (hetzelfde bericht ook in {names})",
        "one_source": "Dit komt allemaal uit één bron.",
        "sources": "Deze citaten komen uit {count} onafhankelijke bronnen.",
        "sample": "voorbeeldartikel",
        "not_found": "Het archief heeft geen antwoord op deze vraag.",
        "unknown_one": "Geen enkel artikel noemt {names}.",
        "or": " of ",
        "undated": "{count} artikelen zonder datum vallen buiten het datumfilter.",
        "undated_one": "Eén artikel zonder datum valt buiten het datumfilter.",
        "empty": "Het archief is leeg: er is geen artikel om uit te antwoorden.",
        "filtered": "Geen enkel artikel voldoet aan deze filters.",
        "struck": "{count} beweringen van het taalmodel zijn weggelaten: de citaten onderbouwen ze niet.",
        "struck_one": "Eén bewering van het taalmodel is weggelaten: de citaten onderbouwen die niet.",
        "slow": "Het taalmodel deed er te lang over; dit zijn de citaten.",
        "failed": "Het taalmodel was niet te gebruiken; dit zijn de citaten.",
        "unusable": "Het taalmodel schreef niets bruikbaars; dit zijn de citaten.",
        "unsupported": "De beweringen van het taalmodel ({count}) zijn niet onderbouwd; dit zijn de citaten.",
        "broken_off": "Het taalmodel brak af; wat het daarvoor schreef, is gecontroleerd.",
    },
    "de": {
        "dated_source": "{source}, {date}{about}: {quote}",
        "source": "{source}{about}: {quote}",
        "dated_title": "„{title}“, {date}{about}: {quote}",
        "title": "„{title}“{about}: {quote}",
        "in_language": "auf {name}",
        "also_in": " (auch in {names})",
        "same_report": " (derselbe Bericht auch in {names})",
        "one_source": "Alles davon stammt aus einer Quelle.",
        "sources": "Diese Zitate stammen aus {count} unabhängigen Quellen.",
        "sample": "Beispielartikel",
        "not_found": "Das Archiv hat keine Antwort auf diese Frage.",
        "unknown_one": "Kein Artikel erwähnt {names}.",
        "or": " oder ",
        "undated": "{count} Artikel ohne Datum fallen aus dem Datumsfilter heraus.",
        "undated_one": "Ein Artikel ohne Datum fällt aus dem Datumsfilter heraus.",
        "empty": "Das Archiv ist leer: Es gibt keinen Artikel, aus dem sich antworten ließe.",
        "filtered": "Kein Artikel entspricht diesen Filtern.",
        "struck": "{count} Aussagen des Sprachmodells fehlen: Die Zitate belegen sie nicht.",
        "struck_one": "Eine Aussage des Sprachmodells fehlt: Die Zitate belegen sie nicht.",
        "slow": "Das Sprachmodell brauchte zu lange; dies sind die Zitate.",
        "failed": "Das Sprachmodell war nicht zu gebrauchen; dies sind die Zitate.",
        "unusable": "Das Sprachmodell schrieb nichts Brauchbares; dies sind die Zitate.",
        "unsupported": "Die Aussagen des Sprachmodells ({count}) sind nicht belegt; dies sind die Zitate.",
        "broken_off": "Das Sprachmodell brach ab; was es vorher schrieb, ist geprüft.",
    },
}
_MARKS = "\"“”„»«‘’‚'"
_QUOTES = {"en": ("“", "”"), "nl": ("“", "”"), "de": ("„", "“")}


def framing_language(language: str) -> str:
    """The language an answer is framed in: the asked one where we have it, else English."""
    return language if language in _TEXTS else "en"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an answer says beside its quotations: how many undated articles a date filter left out, and whether the
    archive, or what the filters leave of it, is empty; and the copies of the articles read, by id."""

    undated_left_out: int = 0
    archive_empty: bool = False
    nothing_allowed: bool = False
    copies: Mapping[str, Sequence[Article]] = field(default_factory=dict)


def from_quotes(
    question: str,
    readings: Sequence[Reading],
    confidence: float,
    *,
    standalone: str,
    language: str,
    circumstances: Circumstances,
) -> Answer:
    """An answer made of quotations alone, best first. `standalone` is the question with what a follow-up leaves out."""
    framing = framing_language(language)
    citations = choose(readings, standalone, circumstances.copies)
    statements = tuple(
        Statement(_stated(citation, framing, circumstances), (citation.number,), supported=True)
        for citation in citations
    )
    found = Answer(
        question=question,
        found=True,
        text="",
        language=framing,
        confidence=confidence,
        statements=statements,
        citations=tuple(citations),
    )
    lines = [statement.text for statement in statements] + _sources(found, circumstances)
    return replace(found, text="\n\n".join(lines + _undated(circumstances, _TEXTS[framing])))


def not_found(
    question: str,
    understood: Question,
    candidates: Sequence[Candidate],
    confidence: float,
    *,
    language: str,
    circumstances: Circumstances,
) -> Answer:
    """An answer that says that there is none, what is missing as far as known, and what came nearest."""
    framing = framing_language(language)
    texts = _TEXTS[framing]
    if circumstances.archive_empty:
        lines = [texts["empty"]]
    elif circumstances.nothing_allowed:
        lines = [texts["filtered"]]
    else:
        lines = [texts["not_found"]]
        missing = [name.text for name in understood.unknown if not name.text[0].isdigit()]
        if missing:
            names = texts["or"].join(missing)
            lines.append(texts["unknown_one"].format(names=names))
    lines += _undated(circumstances, texts)
    return Answer(
        question=question,
        found=False,
        text=" ".join(lines),
        language=framing,
        confidence=confidence,
        nearest=nearest(candidates),
    )


def from_prose(
    quoted: Answer,
    kept: Sequence[Statement],
    struck: Sequence[Statement],
    why: str,
    model: str,
    *,
    timings: Mapping[str, float],
) -> Answer:
    """An answer in the words of a language model over the quotations of `quoted`: what was kept of them.

    `why` says what became of the model: "" where nothing did, "slow" or "failed". Where nothing is kept, the
    quotations are the answer. A line says what is missing.
    """
    texts = _TEXTS[quoted.language]
    beside = quoted.text.removeprefix("\n\n".join(statement.text for statement in quoted.statements)).split("\n\n")
    notes = []
    if kept and struck:
        notes.append((texts["struck_one"] if len(struck) == 1 else texts["struck"]).format(count=len(struck)))
    if kept and why:
        notes.append(texts["broken_off"])
    if not kept:
        notes.append(texts[why or ("unsupported" if struck else "unusable")].format(count=len(struck)))
    statements = tuple(kept) or quoted.statements
    lines = [*(statement.text for statement in statements), *(line for line in beside if line), *notes]
    return replace(
        quoted,
        text="\n\n".join(lines),
        statements=statements,
        struck=tuple(struck),
        method=f"llm:{model}" if kept else quoted.method,
        timings=timings,
    )


def nearest(candidates: Sequence[Candidate]) -> tuple[Hit, ...]:
    """The best passage of each of the best articles, as hits."""
    kept: dict[str, Hit] = {}
    for candidate in candidates:
        passage = candidate.stored.passage
        kept.setdefault(passage.article.id, Hit(passage, candidate.score))
    return tuple(kept.values())[:_NEAREST]


def _stated(citation: Citation, language: str, circumstances: Circumstances) -> str:
    """The statement that a quotation makes: framed, with its number and where else it stands."""
    names = list(dict.fromkeys(other.source or other.title for other in citation.also_in))
    names = [name for name in names if name != citation.article.source]
    kind = "same_report" if _is_one_report(citation, circumstances) else "also_in"
    also = _TEXTS[language][kind].format(names=", ".join(names)) if names else ""
    return f"{framed(citation, language)} [{citation.number}]{also}"


def _is_one_report(citation: Citation, circumstances: Circumstances) -> bool:
    """Whether all the articles that a quotation also stands in are copies of the one that is quoted."""
    copies = {other.id for other in circumstances.copies.get(citation.article.id, ())}
    return bool(citation.also_in) and copies.issuperset(other.id for other in citation.also_in)


def _sources(found: Answer, circumstances: Circumstances) -> list[str]:
    """How many independent sources several quotations have, where copies make them look like more."""
    if len(found.citations) < 2 or not any(_is_one_report(item, circumstances) for item in found.citations):
        return []
    texts = _TEXTS[found.language]
    return [texts["one_source"] if found.sources == 1 else texts["sources"].format(count=found.sources)]


def framed(citation: Citation, language: str) -> str:
    """A quotation with who said it where and when, as far as known, in the language of the answer (nl, de or en)."""
    texts = _TEXTS[language]
    article = citation.article
    kind = ("dated_" if article.date else "") + ("source" if article.source else "title")
    about = [texts["sample"]] if article.sample else []
    if article.language is not None and article.language != language:
        about.append(texts["in_language"].format(name=language_name(article.language, language)))
    return texts[kind].format(
        source=article.source,
        title=article.title,
        date=date_text(article.date, language) if article.date else "",
        about=f" ({', '.join(about)})" if about else "",
        quote=in_marks(citation.quote, language),
    )


def in_marks(text: str, language: str) -> str:
    """`text` in the quotation marks of `language`; direct speech from end to end has its own already."""
    if not text or (text[0] in _MARKS and text[-1] in _MARKS):
        return text
    opening, closing = _QUOTES[framing_language(language)]
    return f"{opening}{text}{closing}"


def date_text(day: dt.date, language: str) -> str:
    """A date as people write it in `language`: 13 October 2025, 13 oktober 2025, 13. Oktober 2025."""
    return str(format_date(day, "d. MMMM y" if language == "de" else "d MMMM y", locale=language))


def language_name(code: str, language: str) -> str:
    """The name of the language `code` in `language`: Dutch, Nederlands, Niederländisch; the code where unknown."""
    return str(Locale(language).languages.get(code, code))


def _undated(circumstances: Circumstances, texts: dict[str, str]) -> list[str]:
    count = circumstances.undated_left_out
    if not count:
        return []
    return [(texts["undated_one"] if count == 1 else texts["undated"]).format(count=count)]
