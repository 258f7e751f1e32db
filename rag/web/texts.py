"""What the screen says, in Dutch, German and English.

Answers themselves are worded by the answering stage; here stand the labels around them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from babel.dates import format_date

LANGUAGES = ("nl", "de", "en")


@dataclass(frozen=True, slots=True)
class Texts:
    """The interface in one language. Fields with braces are formatted with the names shown in them."""

    language: str
    tagline: str
    question: str
    placeholder: str
    ask: str
    examples_title: str
    examples: tuple[str, str, str]
    articles: tuple[str, str]  # one, several
    languages: tuple[str, str]
    period: str
    archive_empty: str
    searching: str
    looking_at: str
    quotation_of: str
    sample: str
    open_article: str
    also_in: str
    page: str
    nearest: str
    sure: str
    likely: str
    thin: str
    confidence_tip: str
    unsupported: str
    too_long: str
    empty: str
    failed: str
    to_chat: str
    original: str
    stale: str
    not_found_title: str
    not_found: str


_EN = Texts(
    language="en",
    tagline="Ask in English, Dutch or German. The archive answers in its own words.",
    question="Your question",
    placeholder="Ask the archive",
    ask="Ask",
    examples_title="For example",
    examples=(
        "What did Kyncl say about licensing?",
        "Why did the studios turn OpenAI down?",
        "Which scene did Netflix make with AI?",
    ),
    articles=("article", "articles"),
    languages=("language", "languages"),
    period="{first} to {last}",
    archive_empty="The archive is still empty.",
    searching="Searching the archive",
    looking_at="Closest headlines so far",
    quotation_of="quotation {number} of {total}",
    sample="sample article",
    open_article="Read it in the article",
    also_in="Also in",
    page="page {page}",
    nearest="Closest in the archive",
    sure="sure",
    likely="likely",
    thin="thin",
    confidence_tip="The first quotation answers the question with a probability of {percent} %",
    unsupported="not supported by a quotation",
    too_long="This question has {length} characters; up to {limit} fit. Please shorten it; nothing is lost.",
    empty="Please type a question first.",
    failed="Something went wrong on our side. Your question is still in the field; please try again.",
    to_chat="Ask the archive",
    original="Original page",
    stale="The link names a place that this article does not have, so nothing is marked.",
    not_found_title="No such article",
    not_found="The archive holds no article at this address. It may have been removed or renamed.",
)

_NL = Texts(
    language="nl",
    tagline="Vraag in het Nederlands, Duits of Engels. Het archief antwoordt in zijn eigen woorden.",
    question="Uw vraag",
    placeholder="Vraag het archief",
    ask="Vraag",
    examples_title="Bijvoorbeeld",
    examples=(
        "Wat zei Kyncl over licenties?",
        "Waarom wezen de studio's OpenAI af?",
        "Welke scène maakte Netflix met AI?",
    ),
    articles=("artikel", "artikelen"),
    languages=("taal", "talen"),
    period="{first} tot {last}",
    archive_empty="Het archief is nog leeg.",
    searching="Zoekt in het archief",
    looking_at="Dichtstbijzijnde koppen tot nu toe",
    quotation_of="citaat {number} van {total}",
    sample="voorbeeldartikel",
    open_article="Lees het in het artikel",
    also_in="Ook in",
    page="pagina {page}",
    nearest="Het dichtst erbij in het archief",
    sure="zeker",
    likely="waarschijnlijk",
    thin="mager",
    confidence_tip="Het eerste citaat beantwoordt de vraag met een kans van {percent} %",
    unsupported="niet door een citaat gedekt",
    too_long="Deze vraag telt {length} tekens; er passen er {limit}. Kort hem in; er gaat niets verloren.",
    empty="Typ eerst een vraag.",
    failed="Er ging bij ons iets mis. Uw vraag staat nog in het veld; probeer het opnieuw.",
    to_chat="Vraag het archief",
    original="Oorspronkelijke pagina",
    stale="De link noemt een plaats die dit artikel niet heeft; daarom is er niets gemarkeerd.",
    not_found_title="Dit artikel is er niet",
    not_found="Het archief heeft geen artikel op dit adres. Misschien is het verwijderd of hernoemd.",
)

_DE = Texts(
    language="de",
    tagline="Fragen Sie auf Deutsch, Englisch oder Niederländisch. Das Archiv antwortet mit seinen eigenen Worten.",
    question="Ihre Frage",
    placeholder="Das Archiv fragen",
    ask="Fragen",
    examples_title="Zum Beispiel",
    examples=(
        "Was sagte Kyncl über Lizenzen?",
        "Warum lehnten die Studios OpenAI ab?",
        "Welche Szene hat Netflix mit KI erzeugt?",
    ),
    articles=("Artikel", "Artikel"),
    languages=("Sprache", "Sprachen"),
    period="{first} bis {last}",
    archive_empty="Das Archiv ist noch leer.",
    searching="Sucht im Archiv",
    looking_at="Nächstliegende Überschriften bisher",
    quotation_of="Zitat {number} von {total}",
    sample="Beispielartikel",
    open_article="Im Artikel lesen",
    also_in="Auch in",
    page="Seite {page}",
    nearest="Am nächsten kommt im Archiv",
    sure="sicher",
    likely="wahrscheinlich",
    thin="dünn",
    confidence_tip="Das erste Zitat beantwortet die Frage mit einer Wahrscheinlichkeit von {percent} %",
    unsupported="durch kein Zitat gedeckt",
    too_long="Diese Frage hat {length} Zeichen; bis zu {limit} passen. Bitte kürzen; es geht nichts verloren.",
    empty="Bitte geben Sie zuerst eine Frage ein.",
    failed="Bei uns ist etwas schiefgegangen. Ihre Frage steht noch im Feld; bitte versuchen Sie es noch einmal.",
    to_chat="Das Archiv fragen",
    original="Originalseite",
    stale="Der Link nennt eine Stelle, die dieser Artikel nicht hat; deshalb ist nichts markiert.",
    not_found_title="Diesen Artikel gibt es nicht",
    not_found="Das Archiv hat unter dieser Adresse keinen Artikel. Vielleicht wurde er entfernt oder umbenannt.",
)

_ALL = {texts.language: texts for texts in (_EN, _NL, _DE)}


def texts_for(language: str | None) -> Texts:
    """The interface in `language` (ISO 639-1), in English where it does not speak it."""
    return _ALL.get((language or "")[:2].lower(), _EN)


def reader_language(accept_language: str | None) -> str:
    """The language of nl, de and en that a browser's Accept-Language header ranks first; en where it names none."""
    best, best_weight = "en", 0.0
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower()[:2]
        try:
            weight = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def archive_line(articles: int, languages: Collection[str], dates: Collection[dt.date], texts: Texts) -> str:
    """The archive in one line (15 articles, 3 languages, Mar 2024 to Jan 2026); what is not known is left out."""
    if not articles:
        return texts.archive_empty
    parts = [f"{articles:,} ".replace(",", "\N{NO-BREAK SPACE}") + texts.articles[articles != 1]]
    if languages:
        parts.append(f"{len(languages)} {texts.languages[len(languages) != 1]}")
    if dates:
        first, last = (format_date(day, "MMM y", locale=texts.language) for day in (min(dates), max(dates)))
        parts.append(first if first == last else texts.period.format(first=first, last=last))
    return ", ".join(parts)


def confidence_word(confidence: float, texts: Texts) -> str:
    """A word for a calibrated probability (0 to 1): sure from 0.8, likely from 0.5, thin below."""
    if confidence >= 0.8:
        return texts.sure
    return texts.likely if confidence >= 0.5 else texts.thin
