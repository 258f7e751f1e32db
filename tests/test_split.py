"""Sentences and passages: the cuts of hard sentences in three languages, and what holds for every text."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.records import Article, Sentence, Span
from rag.split import LARGEST, passages, sentences

# A language, and a paragraph in which "|" marks each cut.
HARD = """
de|Der Zug kam um 10.30 Uhr an. |Er war pünktlich.
de|Das gilt z. B. für Hunde. |Katzen sind anders.
de|Das gilt z.B. für Berlin, d. h. für die Hauptstadt.
de|Viele Länder, u. a. Frankreich, stimmten zu. |Die USA nicht.
de|Am 13. Oktober begann die Messe. |Am 14. Oktober endete sie.
de|Der 2. Weltkrieg endete 1945. |Danach begann der Wiederaufbau.
de|Im 19. Jahrhundert war das anders.
de|Sie feierte ihren 80. Geburtstag. |Viele Gäste kamen.
de|Beim diesjährigen 13. Festival spielten viele.
de|Er trägt die Nr. 10. |Das gefällt ihm.
de|„Warum?“, fragte er.
de|„Warum?“ fragte er. |Niemand antwortete.
de|„Das ist gut.“ |Er ging.
de|„Das ist gut.“, sagte er. |Er ging.
de|„Das ist gut“, sagte er. |„Wir machen weiter.“
de|„Wir haben gewonnen. |Das ist schön. |Jetzt feiern wir“, sagte Müller.
de|„Gemischt geschlossen.” |Er ging.
de|»Das ist gut.« |Er ging.
de|Sie sagte: „Ich komme.“ |Dann ging sie.
de|„Er sagte: ‚Ich gehe.‘ |Dann ging er“, erzählt sie.
de|„Das bleibt offen. |Und es geht weiter. |Bis zum Schluss.
de|Laut Dr. Müller ist Prof. Dr. Schmidt krank.
de|Die Firma Meier Inc. hat 5 Mio. Euro Umsatz. |Das ist viel.
de|Das kostet ca. 1.000 Euro. |Mehr nicht.
de|Er wohnt in St. Pauli. |Sie auch.
de|Ich weiß nicht … vielleicht.
de|Ich weiß nicht ... |Vielleicht morgen.
de|Das war … Wahnsinn.
de|Er sagte nichts… |Dann ging er.
de|Er ging. |[…] Danach war Ruhe.
de|Das Spiel endete 3:2. |Trainer Klopp war froh.
de|Die Zahl lag bei 3,5 Prozent bzw. 1.200 Fällen usw. |Das überraschte.
de|Sie kauften Äpfel, Birnen usw. und gingen.
de|Papst Johannes XXIII. starb 1963. |Ihm folgte Paul VI.
de|Am 13.10. Beginn, am 14.10. Ende.
de|Vom 1. 10. 2025 bis 3. 10. 2025 ist zu.
de|Das geschah 2019. |Politiker reagierten spät.
de|Es waren mehr als 15. |Polizisten kamen.
de|Das steht auf S. 5 in Abs. 3 des Gesetzes.
de|J. K. Rowling schrieb das Buch.
de|Er kam (endlich!) Montag an.
de|Er kam. |(Sie kam nicht.) |Dann war Schluss.
de|Das Feuer ist gelöscht. (dpa) |Die Polizei ermittelt.
de|Nein! |Doch! |Oh!
de|Ist das so?! |Ja.
de|Hilfe!, rief sie.
de|Die 1. Bundesliga startet am 3. August.
nl|Dat geldt o.a. voor Amsterdam. |Maar niet voor Utrecht.
nl|Volgens dhr. Jansen en mevr. De Vries is dat zo.
nl|Bijv. De Volkskrant schreef erover.
nl|Het is m.a.w. niet klaar. |Dat duurt nog.
nl|Drs. P. zong het lied.
nl|Schrijver J. De Smet en A.F.Th. van der Heijden kwamen.
nl|De film komt d.w.z. later.
nl|‘Waarom?’ vroeg hij. |Niemand wist het.
nl|‘We doen het niet’, zegt zij. |‘Echt niet.’
nl|‘We doen het niet. |Echt niet’, zegt zij.
nl|"Dat is niet waar." |Hij liep weg.
nl|"Dat is niet waar," zegt hij. |"Echt niet."
nl|"Ja!" riep ze.
nl|„Komt u mee?” vroeg ze. |„Nee.”
nl|’Dat kan niet.’ |Hij zweeg.
nl|Het is klaar. |'s Avonds gaat hij weg.
nl|Dat kost 1.000 euro. |'t Is niet anders.
nl|Op 13 okt. 2025 begon het.
nl|Hij werkt bij Philips N.V. in Eindhoven.
nl|Om 10.30 uur begon het. |Om 11.00 uur was het klaar.
nl|De wet (art. 5 lid 2) geldt. |Dat zei prof. dr. Van den Berg.
nl|Zij kochten appels, peren enz. |Daarna gingen ze.
nl|Hij wachtte… en wachtte.
nl|Hij wachtte... |Toen kwam ze.
nl|Hij koos een iPhone. |iPhones zijn duur. |eBay ook.
nl|Minister-president mr. drs. Jan Peter Balkenende sprak.
nl|Hij kwam uit de V.S. |Daar was het warm.
nl|Hij haalde 8.5 van de 10. |Zij een 9.
nl|Zie nr. 5, blz. 12. |Daar staat het.
nl|Er zijn ca. 30 mensen. |Max. 50 mogen binnen.
en|The U.S. Senate voted. |It passed.
en|He lives in the U.S. |He likes it.
en|Uber works in London and Washington, D.C. |It pays taxes.
en|“Why?” he asked. |No one knew.
en|“Why?” Smith asked. |No one knew.
en|“Why?” |Smith left.
en|“It is done,” said Mr. Smith. |“We move on.”
en|“It is done.” |He left.
en|“We won. |It is good. |We celebrate,” she said.
en|"Stop!" she cried. |"Go."
en|‘Stop!’ she cried. |‘Go.’
en|J. K. Rowling wrote it. |Don A. Stevenson did not.
en|At 5 p.m. the bell rang. |At 6 p.m. Monday it rang again.
en|It closed at 5 p.m. |She left.
en|Apple Inc. and Google Ltd. agreed. |So did Amazon Corp. |The deal is done.
en|See No. 5 and Fig. 3. |That is all.
en|Did he say no. |He did.
en|On Oct. 13, 2025, it began. |On Jan. 5 it ended.
en|It grew 3.5 percent, i.e. more, e.g. Germany.
en|Yahoo! said no. |Yahoo! Japan agreed.
en|He wrote “Who's Afraid of Virginia Woolf?” in 1962.
en|I thought … maybe. |Then … nothing.
en|I thought... |Maybe not.
en|I thought . . . maybe.
en|He left.[1] |She stayed.[2]
en|The band R.E.M. toured. |MGMT did not.
en|It costs $5. |$6 is too much.
en|In 2019. |2020 was worse.
en|“He told me ‘I quit.’ |Then he left,” she said.
en|“This never closes. |It goes on.
en|He moved to St. Louis. |Dr. Jones lives on Main St. |They met.
en|What?! |No way. |OK...
en|Visit example.com. |Send mail to a.b@example.com today.
en|It was 98.6 degrees. |It was U.S.-based.
en|1. Open the box. |2. Close it.
en|He said: "I agree." |(He did not.) |Then he left.
""".strip().splitlines()


def cut(text: str, language: str | None, headings: tuple[Span, ...] = ()) -> list[str]:
    return [text[found.start : found.end] for found in sentences(text, language, headings)]


@pytest.mark.parametrize("line", HARD)
def test_hard_sentences_are_cut_where_a_reader_cuts(line: str) -> None:
    language, _, marked = line.partition("|")
    assert cut(marked.replace("|", ""), language) == [part.strip() for part in marked.split("|")]


def test_a_blank_line_ends_a_sentence_also_inside_a_quotation() -> None:
    assert cut("„Das ist offen\n\nEs geht weiter. Bald.", "de") == ["„Das ist offen", "Es geht weiter.", "Bald."]


def test_a_line_break_inside_a_paragraph_is_white_space() -> None:
    assert cut("This sentence was\nwrapped. So\nwas this.", "en") == ["This sentence was\nwrapped.", "So\nwas this."]


def test_items_of_a_list_in_one_paragraph_are_sentences() -> None:
    assert cut("What he wants:\n• more money\n• less work", "en") == ["What he wants:", "• more money", "• less work"]


def test_headings_are_no_sentences_but_count_as_paragraphs() -> None:
    text = "“Why now?”\n\nIt began. It ended."
    found = sentences(text, "en", (Span(0, 10),))
    assert found == (Sentence(12, 21, 1), Sentence(22, 31, 1))


def test_german_ordinals_are_known_without_a_language() -> None:
    assert cut("Das ist der 3. Versuch. Er gelang.", None) == ["Das ist der 3. Versuch.", "Er gelang."]


def test_a_list_without_full_stops_does_not_become_one_endless_sentence() -> None:
    text = "\n".join(f"Item {i} of a long table without any full stop" for i in range(60))
    assert max(map(len, cut(text, "en"))) < 100


MARKS = "“ ” „ ‘ ’ \" ' » « . ! ? … ... , : ( ) [1] • - 。 \n \n\n".split(" ")
WORDS = "Er Sie The z. B. U.S. Dr. 13. Oktober 3.5 iPhone een said ö".split(" ")
PIECES = st.sampled_from([*MARKS, *WORDS, "\u00a0", "\t", "Ein Satz. ", "It was said so often that no one heard it. "])
TEXTS = st.one_of(
    st.lists(PIECES, max_size=80).map(" ".join), st.lists(PIECES, max_size=40).map("".join), st.text(max_size=200)
)
LANGUAGES = st.sampled_from(["nl", "de", "en", "fr", None])


@settings(max_examples=200, deadline=None)
@given(TEXTS, LANGUAGES)
def test_sentences_cover_all_that_is_not_white_space_once_and_in_order(text: str, language: str | None) -> None:
    at = 0
    for sentence in sentences(text, language):
        assert not text[at : sentence.start].strip()
        quote = text[sentence.start : sentence.end]
        assert quote
        assert quote == quote.strip()
        assert "\n\n" not in quote
        at = sentence.end
    assert not text[at:].strip()


def article(text: str, headings: tuple[Span, ...] = (), **known: object) -> Article:
    known = {"title": "The headline", "language": "en"} | known
    return Article(id="a", text=text, path="a.txt", text_sha256="", headings=headings, **known)  # type: ignore[arg-type]


def spans(text: str, *headings: str) -> tuple[Span, ...]:
    return tuple(Span(text.index(heading), text.index(heading) + len(heading)) for heading in headings)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8), LANGUAGES)
def test_passages_rebuild_the_sentences_of_the_article(
    parts: list[str], heads: list[bool], language: str | None
) -> None:
    text, headings = "", []
    for part, head in zip((" ".join(part.split()) for part in parts), heads, strict=False):
        if part:
            start = len(text) + 2 if text else 0
            text = f"{text}\n\n{part}" if text else part
            if head:
                headings.append(Span(start, start + len(part)))
    made = article(text, tuple(headings), language=language)
    found = passages(made)
    assert [s for p in found for s in p.sentences] == list(sentences(text, language, headings))
    for passage in found:
        assert (passage.start, passage.end) == (passage.sentences[0].start, passage.sentences[-1].end)
        assert not any(h.start < passage.end and h.end > passage.start for h in headings)
        assert passage.end - passage.start <= LARGEST or len(passage.sentences) == 1


def test_short_paragraphs_are_joined_and_long_ones_parted() -> None:
    short = "A short paragraph of a few words."
    long = " ".join(["This is one sentence of a rather long paragraph."] * 40)
    sizes = [len(p.text) for p in passages(article("\n\n".join([short, short, short, long])))]
    assert len(sizes) >= 3
    assert all(250 <= size <= LARGEST for size in sizes[1:])


def test_a_passage_never_runs_across_a_heading() -> None:
    text = "Before it.\n\nA subheading\n\nAfter it."
    found = passages(article(text, spans(text, "A subheading")))
    assert [p.text for p in found] == ["Before it.", "After it."]
    assert [p.context for p in found] == ["The headline", "The headline · A subheading"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "13 October 2025"), ("nl", "13 oktober 2025"), ("de", "13. Oktober 2025"), (None, "13 October 2025")],
)
def test_the_context_has_the_date_in_figures_and_in_words(language: str | None, expected: str) -> None:
    (passage,) = passages(article("One sentence.", language=language, date=dt.date(2025, 10, 13)))
    assert passage.context == f"The headline · 2025-10-13, {expected}"


FILLER = " ".join(["Nothing much happens in this sentence, which is only here to fill the page."] * 8)


@pytest.mark.parametrize(
    ("first", "later", "name"),
    [
        ("Warner Music is led by Robert Kyncl. Kyncl is new.", "Kyncl wants to be paid.", "Robert Kyncl"),
        ("It was Don Allen Stevenson III. Stevenson paints.", "Stevenson praised it.", "Don Allen Stevenson III"),
        ("De maker is Vincent van Gogh. Van Gogh wachtte.", "Later kwam Gogh terug.", "Vincent van Gogh"),
        ("Warner Music is led by Robert Kyncl. Kyncl said so.", "He wants to be paid.", "Robert Kyncl"),
        ("De baas heet Robert Kyncl. Dat zegt Kyncl zelf.", "Hij wil geld zien.", "Robert Kyncl"),
        ("Der Chef heißt Robert Kyncl. So sagt es Kyncl.", "Er will Geld sehen.", "Robert Kyncl"),
    ],
)
def test_the_context_says_who_is_meant_by_a_surname_or_a_pronoun(first: str, later: str, name: str) -> None:
    last = passages(article(f"{first} {FILLER}\n\n{later} {FILLER}"))[-1]
    assert last.text.startswith(later)
    assert name in last.context.split(" · ")


def test_a_pronoun_is_not_taken_for_a_place() -> None:
    text = f"It fell in Buenos Aires. The people of Aires ran. {FILLER}\n\nHe wants to be paid. {FILLER}"
    assert passages(article(text))[-1].context == "The headline"


def test_a_passage_with_the_full_name_needs_no_name_in_its_context() -> None:
    text = f"Robert Kyncl spoke. Kyncl is new. {FILLER}\n\nRobert Kyncl spoke again. {FILLER}"
    assert passages(article(text))[-1].context == "The headline"


def test_first_words_that_serve_as_title_are_not_said_twice() -> None:
    text = "It began in the middle of things. Then it ended."
    (passage,) = passages(article(text, title="It began in the…"))
    assert passage.context == ""


def test_an_empty_text_has_no_passages() -> None:
    assert passages(article("")) == ()
    assert sentences("  \n\n \n", "nl") == ()
