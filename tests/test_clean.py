"""Cleaning: what stays, what goes, and that nothing is invented. The pages are made up for these tests."""

# ruff: noqa: E501 - a line of a dump is a paragraph

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.clean import clean, line_key
from rag.records import Block, Cleaned, Extract


def dump(text: str) -> Extract:
    """A plain-text dump: one block a line."""
    blocks, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            blocks.append(Block(at, at + len(line)))
        at += len(line) + 1
    return Extract(text, tuple(blocks))


def page(marked: str) -> tuple[Extract, list[str], list[str]]:
    """A dump from marked lines: `+` stays, `-` goes, `~` may do either."""
    rows = [line.strip() for line in marked.strip().splitlines() if line.strip()]
    extract = dump("\n".join(row[2:] for row in rows))
    return extract, [row[2:] for row in rows if row[0] == "+"], [row[2:] for row in rows if row[0] == "-"]


PAGES = {
    "nl news": """
- Ga naar hoofdinhoud
- Nieuws
- Sport
- Economie
- Inloggen
- Abonneer je
~ Muziekbedrijven slepen softwaremaker voor de rechter
- Door onze redactie
- 12 oktober 2024, 09:14
- Leestijd 3 min
- Beeld: ANP / Robin Utrecht
+ Drie muziekbedrijven eisen dat een softwaremaker stopt met het gebruik van hun opnames. Volgens de dagvaarding zijn miljoenen nummers zonder toestemming gekopieerd.
+ Dat bleek donderdag in Den Haag.
+ ‘Wij betalen onze artiesten’
+ ‘Wij betalen onze artiesten, dus anderen moeten dat ook doen’, zegt directeur Mieke Jansen. ‘Zo werkt dat al honderd jaar.’
+ „Nee.”
- Lees verder na de advertentie
- Lees ook: Deze zanger leeft van zijn remixen
+ De bedrijven wijzen erop dat de systemen patronen leren van het werk van anderen. Volgens hun advocaten valt dat niet onder een uitzondering in de wet.
- Dit bericht is niet beschikbaar.
- Om deze inhoud te tonen hebben wij je toestemming nodig.
+ Wat wil de wetgever?
+ Het ministerie werkt aan regels, maar die zijn er niet voor 2026. Tot die tijd moet de rechter het doen met de wet die er ligt.
+ Niemand weet hoe dat afloopt.
- Deel dit artikel
- Meest gelezen
- Reacties (14)
- Wij gaan zorgvuldig om met je gegevens. Lees meer in ons privacybeleid.
- Cookie-instellingen
- © 2024 Mediabedrijf BV
""",
    "nl paywall and embeds": """
- Menu
- Zoeken
- Mijn account
- Dit artikel is exclusief voor abonnees
+ Het kabinet trekt volgend jaar vierhonderd miljoen euro uit voor het herstel van oude bruggen. Dat staat in een brief die de minister vrijdag naar de Tweede Kamer stuurde.
+ De grootste klus ligt in Rotterdam, waar een hefbrug uit 1927 al twee jaar dicht is voor vrachtverkeer.
- Deze video kan niet worden afgespeeld.
- Advertentie
+ „Het is vijf voor twaalf”, zei de wethouder tegen verslaggevers. „Als er nu niets gebeurt, moeten we de weg afsluiten.”
+ Ze lachte niet.
- Schrijf je in voor onze nieuwsbrief en ontvang elke vrijdag het beste van de week
+ Ondernemers in de buurt houden hun hart vast. Een bakker vertelde dat hij al een derde van zijn klanten kwijt is.
- Word abonnee en lees verder
- Al abonnee? Log in
- Nieuwsbrief
- Schrijf je in voor onze nieuwsbrief en ontvang elke ochtend het belangrijkste nieuws in je mailbox.
- Algemene voorwaarden | Privacy | Cookies | Contact
""",
    "de news": """
- Zum Inhalt springen
- Startseite
- Politik
- Wirtschaft
- Anmelden
- E-Paper
- Von Jana Vogt
- Aktualisiert am 4. März 2024, 17:22 Uhr
- Foto: dpa / Karl Meier
+ Die Stadt Kassel will ihre Straßenbahnen künftig auch nachts fahren lassen. Der Verkehrsausschuss hat dem Vorschlag am Montag mit knapper Mehrheit zugestimmt.
+ „Die Leute wollen nach Hause“
+ „Wer um zwei Uhr aus der Kneipe kommt, soll sicher nach Hause kommen“, sagte die Dezernentin. „Das ist keine Frage des Geldes.“
+ Doch genau darum wird gestritten.
- Anzeige
- Lesen Sie auch: Warum Busfahrer fehlen
- Dieser Inhalt ist leider nicht verfügbar.
+ Die Verkehrsbetriebe rechnen mit Kosten von drei Millionen Euro im Jahr. Ein Teil davon soll durch höhere Fahrpreise gedeckt werden, den Rest trägt die Stadt.
+ Der Probebetrieb beginnt im Herbst.
- Artikel teilen
- Mehr zum Thema
- Meistgelesen
- Abonnieren Sie unseren Newsletter und verpassen Sie keine Nachrichten mehr.
- Impressum | Datenschutz | AGB
- © 2024 Verlagsgesellschaft mbH. Alle Rechte vorbehalten.
""",
    "de biography and affiliate note": """
- Menü
- Suche
- Von Peter Kranz
+ Wer ein gebrauchtes Fahrrad kauft, sollte zuerst auf den Rahmen achten. Risse an den Schweißnähten sind ein Zeichen dafür, dass das Rad einen Unfall hatte.
+ Danach kommen die Bremsen. Ziehen sie ungleichmäßig, ist meist nur der Belag verschlissen, und das lässt sich für wenige Euro beheben.
+ Auch die Kette verrät viel über die Pflege. Ist sie trocken und braun, hat der Vorbesitzer wohl auch an anderen Stellen gespart.
+ Am Ende zählt die Probefahrt.
- Transparenzhinweis: Einige Links auf dieser Seite sind Affiliate-Links. Kaufen Sie darüber ein, erhalten wir eine Provision.
- Peter Kranz ist freier Journalist und schreibt für uns über Technik und Verkehr.
- Kommentare (3)
- Kommentar schreiben
""",
    "en news": """
- Skip to main content
- Home
- News
- Sport
- Sign in
- Subscribe
- By Laura Finch
- Published 14 May 2024
- 4 min read
- Photo: Getty Images
+ The museum will return eleven bronze figures to Nigeria after a campaign that lasted more than thirty years. The trustees made the decision at a meeting on Tuesday evening.
+ ‘They were never ours’
+ “They were never ours to keep,” said the director. “We should have done this long ago.”
+ Not everyone agrees.
- Advertisement
- Read more: How the figures left Benin
- Sign up for Dispatch, our free newsletter on museums
- This post is unavailable.
- Story continues below advertisement
+ Two of the trustees voted against the return, arguing that the figures were bought in good faith. Their objection was noted in the minutes, which the museum published the next morning.
+ “I would do it again,” one of them said.
- Share this article
- Related stories
- Most read
- Sign up for our newsletter to get the day's biggest stories in your inbox.
- Terms of use | Privacy policy | Cookie settings
- © 2024 Northern Media Ltd. All rights reserved.
""",
    "en comments": """
- Home
- Login
+ The ferry to the island has not run since Friday, when a storm damaged the pier on the northern side of the harbour. Repairs are expected to take at least two weeks.
+ Residents say that the shops are running out of milk and fresh vegetables. The council has asked the coastguard to bring supplies by helicopter.
+ “We have seen worse,” said the owner of the only pub.
- 3 comments
- Leave a reply
- Your email address will not be published.
""",
    "en glued headlines": """
+ The orchestra will play its last concert in the old hall on Saturday before the building is torn down. A new hall is to open on the same site in four years.
+ Tickets sold out within an hour, and the queue reached around the block.
- Storm Leaves Thousands Without Power Mayor Quits After Vote City Wins Cup Final In Extra Time New Bridge Opens Next Month School Strike Ends Trains Delayed Again
+ Until then the musicians will rehearse in a former factory on the edge of the town.
- Follow us on Facebook and Twitter
- Newsletter
""",
    "de numbered list": """
- Startseite
- Kontakt
+ Drei Dinge sind beim Umzug wichtiger als alles andere, sagt die Beraterin, die seit zwanzig Jahren Menschen beim Packen hilft.
+ 1. Früh anfangen
+ 2. Weniger mitnehmen
+ 3. Freunde fragen
+ Wer sich daran hält, spart nach ihrer Erfahrung mehrere Tage und einen großen Teil der Kosten.
- Datenschutz
- Impressum
""",
}


@pytest.mark.parametrize("name", PAGES)
def test_story_stays(name: str) -> None:
    extract, stays, _ = page(PAGES[name])
    kept = clean(extract).text.split("\n\n")
    assert [line for line in stays if line not in kept] == []


@pytest.mark.parametrize("name", PAGES)
def test_furniture_goes(name: str) -> None:
    extract, _, goes = page(PAGES[name])
    kept = clean(extract).text.split("\n\n")
    assert [line for line in goes if line in kept] == []


WHOLE = {
    "three paragraphs": """De raad stemde in.
„Ik ben blij”, zei de wethouder.
Daarna ging iedereen naar huis.""",
    "hard-wrapped": """The company said on Monday that it would close three of its
plants in the north of the country, citing weak demand for its
products and the high price of energy.
Workers were told in a short meeting. "We had five minutes," said
one of them.
The union wants to fight the decision in court, but lawyers say
that the chances are small.""",
    "interview": """Frage: Herr Weber, wie geht es Ihnen?
Gut, danke.
Und dem Verlag?
Dem geht es schlechter. Wir haben im Herbst zwölf Leute entlassen müssen.
Warum?
Weil niemand mehr Anzeigen schaltet.
Was haben Sie dagegen getan?
Wir haben ein Abo eingeführt. Das läuft.
Und die Leser?
Die Leser sind treu geblieben.""",
    "direct speech": """“Who told you?” she asked.
“Nobody.”
“Then how do you know?”
“I was there.”
He looked out of the window for a long time before he went on.
“I saw all of it.”""",
    "one sentence": "Het bedrijf wilde niet reageren.",
    "news in brief": """Die Bundesbank hat am Donnerstag die Zinsen nicht verändert.
Analysten hatten damit gerechnet.
Der Dax gab leicht nach.""",
}


@pytest.mark.parametrize("name", WHOLE)
def test_text_without_furniture_is_left_whole(name: str) -> None:
    assert clean(dump(WHOLE[name])).text == WHOLE[name].replace("\n", "\n\n")


def test_subheadings_are_known_also_when_they_are_quotations() -> None:
    found = set()
    for marked in PAGES.values():
        cleaned = clean(page(marked)[0])
        found |= {cleaned.text[span.start : span.end] for span in cleaned.headings}
    assert {
        "‘Wij betalen onze artiesten’",
        "„Die Leute wollen nach Hause“",
        "‘They were never ours’",
        "Wat wil de wetgever?",
    } <= found


def test_direct_speech_and_short_sentences_are_no_headings() -> None:
    for marked in PAGES.values():
        cleaned = clean(page(marked)[0])
        for span in cleaned.headings:
            assert not cleaned.text[span.start : span.end].rstrip('”“’"').endswith((".", "!", ","))


def test_headings_that_the_format_names_stay_headings() -> None:
    text = "Was nun?\nDer Rat hat den Plan abgelehnt, und niemand weiß, wie es jetzt mit dem Bad weitergehen soll."
    blocks = (Block(0, 8, "heading"), Block(9, len(text), "paragraph"))
    cleaned = clean(Extract(text, blocks))
    assert [cleaned.text[span.start : span.end] for span in cleaned.headings] == ["Was nun?"]


def test_junk_glued_inside_a_paragraph_stays() -> None:
    line = (
        "The committee will meet again in June Advertisement to discuss the report, which has been delayed twice, "
        "and nobody expects that it will come to an agreement before the summer."
    )
    assert line in clean(dump(f"{line}\nThe chairman declined to say more about it.")).text


def test_headline_that_is_known_is_left_out() -> None:
    extract = dump(
        "Council says no\nThe council has rejected the plan for the new pool by a large majority.\nIt was late."
    )
    assert "Council says no" not in clean(extract, title="Council Says No").text


def test_line_repeated_across_the_archive_goes_but_a_short_answer_stays() -> None:
    extract = dump("“Why?”\nHij zei dat het nog weken kan duren voordat de brug weer open is.\nVerhalen uit de polder")
    assert "polder" in clean(extract).text
    keys = {line_key("Verhalen uit de polder"), line_key("“Why?”")}
    assert (
        clean(extract, repeated=keys).text
        == "“Why?”\n\nHij zei dat het nog weken kan duren voordat de brug weer open is."
    )


@pytest.mark.parametrize(
    "line",
    [
        "Deze site gebruikt cookies om uw bezoek prettiger te maken.",
        "Heb je een tip voor onze redactie? Stuur ons een bericht via de app.",
        "Met een gratis account lees je elke maand vijf artikelen op onze site.",
        "Um Ihnen diesen Inhalt zeigen zu können, benötigen wir Ihre Zustimmung.",
        "Please subscribe to our newsletter to keep reading articles on this site.",
    ],
)
def test_notice_in_full_sentences_goes_from_between_paragraphs(line: str) -> None:
    before = "De raad stemde dinsdag in met het plan om de oude haven te verbouwen tot een wijk met achthonderd huizen."
    after = "Volgens de wethouder is er jarenlang met bewoners overlegd, en dat is in het ontwerp terug te zien."
    assert clean(dump(f"Menu\nZoeken\nInloggen\nMijn account\n{before}\n{line}\n{after}\nDeel dit artikel")).text == (
        f"{before}\n\n{after}"
    )


@pytest.mark.parametrize(
    "line",
    [
        "„U krijgt uw geld terug”, zei de directeur, „maar niet deze maand.”",
        "Wie een cookie weigert, krijgt op veel sites nog een scherm te zien.",
        "De nieuwsbrief telt inmiddels 40.000 lezers en verdient zijn eigen geld.",
        "Wat betekent dat voor u?",
        "„Lesen Sie das Kleingedruckte“, rät der Anwalt.",
        "The newsletter now has 40,000 readers and pays for itself.",
    ],
)
def test_sentence_of_the_story_that_speaks_like_a_notice_stays(line: str) -> None:
    before = "De raad stemde dinsdag in met het plan om de oude haven te verbouwen tot een wijk met achthonderd huizen."
    after = "Volgens de wethouder is er jarenlang met bewoners overlegd, en dat is in het ontwerp terug te zien."
    assert line in clean(dump(f"{before}\n{line}\n{after}")).text


def test_marked_teasers_go_but_a_subheading_with_that_word_stays() -> None:
    story = "Der Rat hat den Plan für das neue Bad abgelehnt, und niemand weiß, wie es damit weitergehen soll."
    teasers = "Plus Welche Serien den Winter retten\nPlus Kinos im Porträt: Wo der Vorhang rauscht"
    assert clean(dump(f"{story}\n{teasers}\n{story}")).text == f"{story}\n\n{story}"
    assert "Plus Minus Null" in clean(dump(f"{story}\nPlus Minus Null\n{story}")).text


def test_line_key_folds_case_digits_and_space() -> None:
    assert line_key("  Reacties  (14) ") == line_key("reacties (3)")
    assert line_key("Reacties") != line_key("Reactie")


def test_nothing_gives_nothing() -> None:
    assert clean(Extract("", ())) == Cleaned("", (), ())
    assert clean(Extract(" \n ", (Block(0, 1),))).text == ""


def test_a_long_dump_is_quick() -> None:
    text = "\n".join([*(f"Menu {i}" for i in range(60)), *(WHOLE["hard-wrapped"].splitlines() * 20)])
    extract = dump(text)
    clean(extract)
    begun = time.process_time()
    clean(extract)
    assert time.process_time() - begun < 0.2  # about 20 ms where nothing else runs


LINES = st.lists(
    st.one_of(
        st.sampled_from([line[2:] for marked in PAGES.values() for line in marked.strip().splitlines()]),
        st.text(max_size=80).map(lambda text: text.replace("\n", " ")),
    ),
    max_size=25,
)


@given(LINES)
@settings(max_examples=80, deadline=None)
def test_cleaned_text_is_blocks_of_the_source_in_order(lines: list[str]) -> None:
    extract = dump("\n".join(lines))
    cleaned = clean(extract)
    position = 0
    parts = []
    for segment in cleaned.source_map:
        part = cleaned.text[segment.start : segment.start + segment.length]
        assert part
        assert part == extract.text[segment.source_start : segment.source_start + segment.length]
        assert segment.source_start >= position
        position = segment.source_start + segment.length
        parts.append(part)
    assert "\n\n".join(parts) == cleaned.text
    assert set(parts) <= {extract.text[block.start : block.end].strip() for block in extract.blocks}
    starts = {(segment.start, segment.start + segment.length) for segment in cleaned.source_map}
    assert all((span.start, span.end) in starts for span in cleaned.headings)


@pytest.mark.parametrize("name", PAGES)
def test_cleaning_again_loses_nothing_of_the_story(name: str) -> None:
    extract, stays, _ = page(PAGES[name])
    again = clean(dump(clean(extract).text)).text.split("\n\n")
    assert [line for line in stays if line not in again] == []
