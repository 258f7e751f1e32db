"""What is compared exactly between a statement and its quotation, in three languages and across them."""

from __future__ import annotations

import datetime as dt

import pytest

from rag.days import Day, days, weekdays
from rag.facts import Evidence, Facts, compare, negations
from rag.mentions import named, speakers
from rag.quantities import durations, numbers, ordinals, periods
from rag.records import Article

CONTEXT = {
    "en": "The port of Grelhaven has been shut since Monday. Harbour master Ilse Brandt said on Wednesday that 3.5 "
    "million tonnes of grain had been held up and that the first ships would leave on 14 March. Mayor Tom Okoye "
    "disagreed.",
    "nl": "De haven van Grelhaven is sinds maandag dicht. Havenmeester Ilse Brandt zei woensdag dat 3,5 miljoen ton "
    "graan was blijven liggen en dat de eerste schepen op 14 maart vertrekken. Burgemeester Tom Okoye is het daar niet "
    "mee eens.",
    "de": "Der Hafen von Grelhaven ist seit Montag geschlossen. Hafenmeisterin Ilse Brandt sagte am Mittwoch, dass 3,5 "
    "Millionen Tonnen Getreide liegen geblieben seien und die ersten Schiffe am 14. März ausliefen. Bürgermeister Tom "
    "Okoye widersprach.",
}
QUOTE = {code: text.split(". ", 1)[1].rsplit(". ", 1)[0] + "." for code, text in CONTEXT.items()}
DAY = dt.date(2025, 3, 13)  # a Thursday


def evidence(code: str, quote: str | None = None, context: str | None = None, title: str = "Port shut") -> Evidence:
    text = context or CONTEXT[code]
    article = Article(
        id="harbour", title=title, text=text, path="harbour.md", text_sha256="", source="Grelhaven Post", date=DAY,
        language=code,
    )  # fmt: skip
    return Evidence(quote or QUOTE[code], text, article)


RIGHT = [
    ("en", "Ilse Brandt said that 3.5 million tonnes of grain had been held up."),
    ("nl", "Volgens Ilse Brandt is drieënhalf miljoen ton graan blijven liggen."),
    ("de", "Laut Ilse Brandt blieben dreieinhalb Millionen Tonnen Getreide liegen."),
    ("en", "The first ships will leave on March 14, according to Brandt."),
    ("nl", "De eerste schepen vertrekken op 14 maart 2025, schreef de Grelhaven Post op 13 maart 2025."),
    ("de", "Die ersten Schiffe sollen am 14. März auslaufen, sagte Brandt am Mittwoch."),
    ("en", "More than three million tonnes of grain have been held up."),
]
WRONG = [
    ("numbers", "en", "Ilse Brandt said that 5.3 million tonnes of grain had been held up."),
    ("numbers", "nl", "Volgens Ilse Brandt is 3,5 miljard ton graan blijven liggen."),
    ("numbers", "de", "Laut Ilse Brandt blieben viereinhalb Millionen Tonnen Getreide liegen."),
    ("dates", "en", "The first ships will leave on 24 March, Brandt said."),
    ("dates", "nl", "Brandt zei vrijdag dat er graan was blijven liggen."),
    ("dates", "de", "Die ersten Schiffe sollen am 14. Mai auslaufen."),
    ("dates", "en", "The Grelhaven Post of 13 April 2025 reported that grain had been held up."),
    ("names", "en", "Harbour master Greta Lindqvist spoke of 3.5 million tonnes of grain."),
    ("names", "nl", "In Rotterdam is 3,5 miljoen ton graan blijven liggen."),
    ("names", "de", "Hafenmeisterin Greta Lindqvist sprach von 3,5 Millionen Tonnen Getreide."),
    ("speaker", "en", "Mayor Tom Okoye said that 3.5 million tonnes of grain had been held up."),
    ("speaker", "nl", "Volgens Tom Okoye is 3,5 miljoen ton graan blijven liggen."),
    ("speaker", "de", "Tom Okoye sagte, dass 3,5 Millionen Tonnen Getreide liegen geblieben seien."),
]


@pytest.mark.parametrize("code", list(CONTEXT))
@pytest.mark.parametrize(("language", "text"), RIGHT)
def test_what_the_quotation_says_is_not_held_against_a_statement(code: str, language: str, text: str) -> None:
    assert not compare(text, language, evidence(code)).wrong, compare(text, language, evidence(code))


@pytest.mark.parametrize("code", list(CONTEXT))
@pytest.mark.parametrize(("kind", "language", "text"), WRONG)
def test_what_it_does_not_say_is(code: str, kind: str, language: str, text: str) -> None:
    assert getattr(compare(text, language, evidence(code)), kind), compare(text, language, evidence(code))


def test_a_pronoun_is_resolved_by_the_passage_and_not_by_anybody() -> None:
    context = "Ilse Brandt runs the port. “We lost three days,” she said. Nobody else spoke."
    found = evidence("en", "“We lost three days,” she said.", context)
    assert not compare("Ilse Brandt said that three days had been lost.", "en", found).wrong
    assert compare("Tom Okoye said that three days had been lost.", "en", found).speaker


def test_a_number_beside_the_quotation_is_told_apart() -> None:
    context = "The port has 40 cranes. It lost three days."
    found = compare("It lost 40 days.", "en", evidence("en", "It lost three days.", context))
    assert found == Facts(numbers_beside=1)


def test_a_sentence_beside_the_quotation_is_not_in_it() -> None:
    context = "The studios respect copyright. Few of them say how their models were trained."
    found = evidence("en", "The studios respect copyright.", context)
    assert compare("Few of them say how their models were trained.", "en", found).strange
    assert not compare("The studios respect copyright, they say.", "en", found).strange


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("Germany has closed the border.", "Deutschland hat die Grenze geschlossen."),
        ("De Verenigde Staten sloten de grens.", "The United States has closed the border."),
        ("Syrians made up the largest group.", "Die größte Gruppe bildeten Syrer."),
        ("The fair in Cologne was cancelled.", "De beurs in Keulen ging niet door."),
        ("In Den Haag is gestemd.", "A vote was held in The Hague."),
    ],
)
def test_places_match_by_their_names_in_other_languages(said: str, quoted: str) -> None:
    from rag.terms import question_language

    code = question_language(quoted)
    assert not compare(said, question_language(said), evidence(code, quoted, quoted)).names


@pytest.mark.parametrize(
    ("said", "quoted", "right"),
    [
        ("It took three days.", "It took 72 hours.", True),
        ("It took four days.", "It took 72 hours.", False),
        ("One in five failed.", "20 per cent failed.", True),
        ("One in four failed.", "20 per cent failed.", False),
        ("The price rose by 20 euros.", "The price rose from 60 to 80 euros.", True),
        ("The price rose by 30 euros.", "The price rose from 60 to 80 euros.", False),
        ("It cost more than 400 euros.", "It cost 434 euros.", True),
        ("It cost more than 500 euros.", "It cost 434 euros.", False),
        ("Half of them left.", "50 per cent of them left.", True),
        ("Dozens of people came.", "47 people came.", True),
        ("Hundreds of people came.", "47 people came.", False),
        ("They pay it every month.", "They pay it every year.", False),
        ("They leave next year.", "They left last year.", False),
        ("At three o'clock it closed.", "It closed at 15:00.", True),
    ],
)
def test_amounts_are_compared_as_values(said: str, quoted: str, right: bool) -> None:
    assert compare(said, "en", evidence("en", quoted, quoted)).wrong is not right


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("dreieinhalb Millionen", "de", 3.5e6), ("drieëntwintig", "nl", 23), ("twenty-three", "en", 23),
        ("two hundred and ten", "en", 210), ("38.000", "de", 38_000), ("38,000", "en", 38_000), ("3,5", "nl", 3.5),
        ("anderhalf miljard", "nl", 1.5e9), ("zwölftausend", "de", 12_000), ("£48m", "en", 48e6),
        ("two billion", "en", 2e9), ("zwei Billionen", "de", 2e12), ("vijfentwintighonderd", "nl", 2500),
        ("1’200", "de", 1200), ("zwei Drittel", "de", 2 / 3), ("drei viertel", "de", 0.75), ("61-mal", "de", 61),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text: str, language: str, value: float) -> None:
    assert any(value == pytest.approx(each) for number in numbers(text, language) for each in number.values)


def test_articles_and_foreign_words_are_no_numbers() -> None:
    assert numbers("Een man en ein Mann and one man", None) == ()
    assert numbers("Ten minste dat is zeker", "nl") == ()
    assert numbers("At half-time they led in the third quarter", "en") == ()


def test_dates_are_read_as_they_are_written() -> None:
    assert days("on 6 March 2025 and on May 3") == (Day(6, 3, 2025), Day(3, 5, None))
    assert days("am 6. März 2025, im Mai") == (Day(6, 3, 2025), Day(None, 5, None))
    assert days("op 6 maart, in december 2024") == (Day(6, 3, None), Day(None, 12, 2024))
    assert days("Governor May said that he may march.") == ()
    assert weekdays("maandagavond, Mittwochs and on Fridays") == {0, 2, 4}


def test_spans_ordinals_and_periods_are_read() -> None:
    assert durations("72 hours", "en") & durations("drei Tage", "de")
    assert durations("a year and a half", "en") & {18 * 730.5}
    assert durations("3 MİNUTES and an mınute", "en") == frozenset()  # letters that case folding takes for others
    assert ordinals("the third round, in 2nd place") == {2, 3}
    assert ordinals("am 3. März") == frozenset()
    assert periods("every month, at the end of the year") == {("per", "month"), ("end", "year")}


def test_names_are_told_from_what_else_has_a_capital() -> None:
    def found(text: str, language: str) -> list[str]:
        return [" ".join(word.text for word in name) for name in named(text, language)]

    assert found("The mayor met Anna Weber in Bonn on Monday.", "en") == ["Anna Weber", "Bonn"]
    assert found("Der Käse verkaufte sich besser und brachte Geld ein.", "de") == []
    assert found("Gestern traf Silke Manthey den Präsidenten.", "de") == ["Silke Manthey"]
    assert found("Vijf Belgen kwamen naar Gent.", "nl") == ["Belgen", "Gent"]


def test_speakers_are_found_before_and_behind_what_they_say() -> None:
    assert speakers("Anna Weber said it. According to Tom Smit, no.", "en") == {"weber", "smit"}
    assert speakers("„Nein“, sagte Anna Weber. Laut der Sprecherin kam niemand.", "de") == {"weber"}
    assert speakers("Volgens wethouder Smit kan het, aldus De Krant.", "nl") >= {"smit"}


def test_negations_are_counted() -> None:
    assert negations("It is not true and nobody said so.", "en") == 2
    assert negations("Das ist kein Problem.", "de") == 1
    assert negations("Dat klopt niet.", "nl") == 1
