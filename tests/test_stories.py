"""The same story in several articles: found where it is one report, kept apart where it only looks like one."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tellings import BRUG, FERRY, REPORTS, TEMPLATES, TOLL, ZOO, Report, Toll

from rag import Assistant
from rag.alike import Telling, agree, bare, is_copy, lines_of, related, supersedes
from rag.catalog import Catalog
from rag.records import Answer, Article

DAY = dt.date(2025, 3, 4)
NEXT = DAY + dt.timedelta(days=1)


def told(text: str, language: str = "en", **known: Any) -> Telling:
    values = {"title": "A headline", "source": None, "date": DAY, "url": None, **known}
    return Telling(text=text, language=language, lines=lines_of(text, language, ()), **values)


def printed(report: Report, paragraphs: int = 4, *, dateline: bool = False, mark: str = "", **known: Any) -> Telling:
    text = "\n\n".join(report.paragraphs[:paragraphs])
    return told((report.dateline if dateline else "") + text + mark, report.language, **known)


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.language)
@pytest.mark.parametrize("paragraphs", [1, 2, 3, 4])
def test_a_report_cut_at_the_end_under_another_headline_is_a_copy(report: Report, paragraphs: int) -> None:
    whole = printed(report, dateline=True, title="Something happened on Tuesday")
    cut = printed(report, paragraphs, mark=" (npd)", title="What a night", source="Courier", date=NEXT)
    assert related(whole.lines, cut.lines)
    assert is_copy(whole, cut)
    assert is_copy(cut, whole)
    assert not supersedes(cut, whole)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.language)
def test_a_byline_and_an_agency_in_lines_of_their_own_are_no_sentences(report: Report) -> None:
    text = "\n\n".join(("By Ada Lorimer", *report.paragraphs[:3], "(npd)"))
    assert is_copy(printed(report), told(text, report.language))


def test_a_sentence_edited_lightly_is_still_the_same_and_one_with_another_meaning_is_not_counted() -> None:
    edited = [
        FERRY.paragraphs[0].replace("Nobody was hurt, the coastguard said", "No one was hurt, said the coastguard")
    ]
    assert is_copy(printed(FERRY), told("\n\n".join([*edited, *FERRY.paragraphs[1:3]])))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("214 passengers", "241 passengers"),
        ("Edith Crome", "Judith Crome"),
        ("Tuesday", "Thursday"),
        ("nearly six", "ten"),
    ],
)
def test_a_copy_with_another_name_number_or_day_is_none(ours: str, theirs: str) -> None:
    whole = printed(FERRY)
    assert ours in whole.text
    assert not is_copy(whole, told(whole.text.replace(ours, theirs)))


def test_a_shorter_article_that_says_something_of_its_own_is_no_copy() -> None:
    own = "Mayor Ada Brook of Dorum called for a second rescue boat on Wednesday."
    assert not is_copy(printed(FERRY), told("\n\n".join((*FERRY.paragraphs[:3], own))))
    assert is_copy(printed(FERRY, 3), told("\n\n".join((*FERRY.paragraphs, own))))  # the longer may


def test_a_report_that_comes_again_weeks_later_in_another_outlet_is_no_copy() -> None:
    assert is_copy(printed(ZOO, date=DAY), printed(ZOO, date=None, source="Courier"))
    assert not is_copy(printed(ZOO, date=DAY), printed(ZOO, date=DAY + dt.timedelta(days=30), source="Courier"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_reports_from_one_template_stay_two(name: str) -> None:
    language, one, other = TEMPLATES[name]
    for first, second in permutations((one, other)):
        gazette = told(first, language, source="Gazette")
        assert not is_copy(gazette, told(second, language, source="Courier"))
        later = told(second, language, source="Gazette", date=NEXT)
        assert not is_copy(gazette, later)
        assert not supersedes(later, gazette)


def test_headlines_for_different_days_over_the_same_words_keep_two_apart() -> None:
    text = (
        "The fog over Lindmouth and Harwell lifts by noon. Temperatures reach 14 degrees, with a weak wind from Dorum."
    )
    assert is_copy(told(text, title="Fog by the sea"), told(text, title="A mild day"))
    assert not is_copy(told(text, title="The weather on Monday"), told(text, title="The weather on Tuesday"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BERLIN (dpa) – Die Frau ging.", "die frau ging"),
        ("LONDON, March 3 (Reuters) - The ship sank.", "the ship sank"),
        ("Den Haag (ANP) - De man zei niets. (ANP/red)", "de man zei niets"),
        ("Meier (SPD) sagte nein.", "meier spd sagte nein"),
        ("Anna Smith (Labour) – the mayor – left.", "anna smith labour the mayor left"),
        ("NATO – the alliance – met.", "nato the alliance met"),
    ],
)
def test_datelines_and_agencies_are_told_from_names_with_a_party(text: str, expected: str) -> None:
    assert bare(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "language", "same"),
    [
        ("Twelve ships sank off Dorum.", "12 ships sank off Dorum.", "en", True),
        ("Es waren 3,5 Millionen Euro.", "Es waren dreieinhalb Millionen Euro.", "de", True),
        ("Minister Anna Vos weigerde.", "Vos weigerde.", "nl", True),
        ("Dorum beat Harwell.", "Harwell beat Dorum.", "en", False),
        ("De brug gaat maandag open.", "De brug gaat dinsdag open.", "nl", False),
        ("It cost 1,200 crowns.", "It cost 1.2 crowns.", "en", False),
    ],
)
def test_names_days_and_numbers_as_values_agree_or_not(one: str, other: str, language: str, same: bool) -> None:
    assert agree(one, other, language) is same
    assert agree(other, one, language) is same


# --- later versions ---------------------------------------------------------------------------------------------------


def version(toll: Toll, text: str, **known: Any) -> Telling:
    return told(text, toll.language, **{"source": "Gazette", **known})


@pytest.mark.parametrize("toll", TOLL, ids=lambda toll: toll.language)
def test_a_corrected_version_supersedes_though_its_number_is_another(toll: Toll) -> None:
    old, new = version(toll, toll.wrong), version(toll, f"{toll.right}\n\n{toll.notice}")
    assert supersedes(new, old)
    assert not supersedes(old, new)
    assert not is_copy(old, new)
    for date in (None, NEXT):  # a correction is one whenever it comes
        assert supersedes(replace(new, date=date), old)
    assert not supersedes(replace(new, date=DAY - dt.timedelta(days=1)), old)
    assert not supersedes(replace(new, source="Courier"), old)


@pytest.mark.parametrize("toll", TOLL, ids=lambda toll: toll.language)
def test_without_a_notice_another_number_on_another_day_is_other_news(toll: Toll) -> None:
    assert not supersedes(version(toll, toll.right, date=NEXT), version(toll, toll.wrong))


def test_one_address_makes_two_texts_versions_of_one_article() -> None:
    (toll, *_) = TOLL
    url = "https://www.gazette.example/toll-rises"
    old, new = version(toll, toll.wrong, url=url), version(toll, toll.right, url=url + "/", date=NEXT)
    assert supersedes(new, old)
    assert supersedes(replace(new, source=None), replace(old, source=None))  # of one host
    assert not supersedes(replace(new, date=DAY), old)  # nothing says which is the later
    front = "https://gazette.example/"  # an address of no article
    assert not supersedes(replace(new, url=front), replace(old, url=front))


def test_a_later_version_without_an_address_or_a_notice_holds_all_of_the_older() -> None:
    grown = printed(BRUG, source="Gazette", date=NEXT)
    assert supersedes(grown, printed(BRUG, 3, source="Gazette"))
    assert not supersedes(printed(BRUG, 3, source="Gazette", date=NEXT), printed(BRUG, source="Gazette"))
    assert not supersedes(printed(BRUG, source="Gazette", date=None), printed(BRUG, 3, source="Gazette"))
    assert not supersedes(printed(BRUG, date=NEXT), printed(BRUG, 3))  # whose they are is not known


def test_correction_officers_and_updates_of_other_reports_are_no_notices() -> None:
    (toll, *_) = TOLL
    for line in ("Correction officers went home.", "Updates to the pier are planned.", "Updated figures come in May."):
        assert not supersedes(version(toll, f"{toll.right}\n\n{line}", date=NEXT), version(toll, toll.wrong))
    language, one, other = TEMPLATES["a forecast for another day"]
    today = told(one, language, source="Gazette")
    assert not supersedes(told(f"Updated: 14:30\n\n{other}", language, source="Gazette", date=NEXT), today)


@settings(max_examples=80, deadline=None)
@given(
    text=st.text(st.sampled_from("aB é.,’'0123456789²٣½\n“(-–):%$第。"), max_size=120),
    other=st.text(st.sampled_from("aB é.,’'0123456789²٣½\n“(-–):%$第。"), max_size=120),
    language=st.sampled_from(["en", "nl", "de", "ja", None]),
)
def test_any_two_texts_can_be_compared(text: str, other: str, language: str | None) -> None:
    one = told(f"{text} {other}", language, title=text)  # type: ignore[arg-type]
    two = told(f"{other} {text}", language, title=other, date=NEXT)  # type: ignore[arg-type]
    assert is_copy(one, two) is is_copy(two, one) or len(one.lines) != len(two.lines)
    supersedes(one, two)


# --- in the catalog ---------------------------------------------------------------------------------------------------


def article(report: Report, path: str, paragraphs: int = 4, **known: Any) -> Article:
    text = known.pop("text", "\n\n".join(report.paragraphs[:paragraphs]))
    values = {"title": path, "date": DAY, "source": path, "language": report.language, **known}
    return Article(id=path, text=text, path=path, text_sha256=hashlib.sha256(text.encode()).hexdigest(), **values)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite3", dim=4)
    yield opened
    opened.close()


WHOLE, CUT, BRIEF, OTHER = (
    article(FERRY, "whole.md"),
    article(FERRY, "cut.md", 2, date=NEXT),
    article(FERRY, "brief.md", 1, date=NEXT),
    article(ZOO, "other.md"),
)


@pytest.mark.parametrize("order", list(permutations((WHOLE, CUT, BRIEF, OTHER)))[::5], ids=lambda order: order[0].id)
def test_copies_are_found_in_whatever_order_they_come(catalog: Catalog, order: tuple[Article, ...]) -> None:
    for item in order:
        catalog.put_article(item, [])
    assert catalog.copies([item.id for item in order]) == {
        "whole.md": ("brief.md", "cut.md"),
        "cut.md": ("whole.md", "brief.md"),
        "brief.md": ("whole.md", "cut.md"),
    }
    assert catalog.superseded([item.id for item in order]) == {}


def test_a_brief_item_is_found_beside_a_long_report_by_its_opening(catalog: Catalog) -> None:
    body = [f"{FERRY.paragraphs[1]} {number} hours later." for number in range(2, 40)]
    catalog.put_article(article(FERRY, "long.md", text="\n\n".join((FERRY.paragraphs[0], *body))), [])
    catalog.put_article(article(FERRY, "short.md", text="\n\n".join(FERRY.paragraphs[:1])), [])
    assert catalog.copies(["short.md"]) == {"short.md": ("long.md",)}


def test_what_is_removed_or_changed_is_no_copy_any_more(catalog: Catalog) -> None:
    for item in (WHOLE, CUT, BRIEF):
        catalog.put_article(item, [])
    catalog.remove_article("cut.md")
    assert catalog.copies(["whole.md"]) == {"whole.md": ("brief.md",)}
    catalog.put_article(replace(BRIEF, text=BRIEF.text.replace("214", "124")), [])
    assert catalog.copies(["whole.md"]) == {}
    catalog.put_article(BRIEF, [])
    assert catalog.copies(["whole.md"]) == {"whole.md": ("brief.md",)}
    for path in ("whole.md", "brief.md"):
        catalog.remove_article(path)
    with catalog.database.held() as db:
        for table in ("article_kin", "article_sketches", "sketch_bands"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_an_article_that_is_superseded_is_told_with_the_latest_version_that_the_dates_leave(catalog: Catalog) -> None:
    first, second, third = (
        article(BRUG, f"{count}.md", count, source="Krant", date=DAY + dt.timedelta(days=count)) for count in (2, 3, 4)
    )
    for item in (third, first, second):
        catalog.put_article(item, [])
    ids = [first.id, second.id, third.id]
    assert catalog.superseded(ids) == {"2.md": "4.md", "3.md": "4.md"}
    assert catalog.superseded(ids, until=second.date) == {"2.md": "3.md"}
    assert catalog.superseded(ids, until=first.date) == {}
    assert catalog.copies(["4.md"]) == {}  # the older versions are no other outlets
    catalog.remove_article("4.md")
    assert catalog.superseded(ids) == {"2.md": "3.md"}


def test_readers_are_told_of_copies_and_versions_that_they_may_read_alone(catalog: Catalog) -> None:
    for item in (WHOLE, replace(CUT, groups=frozenset({"legal"}))):
        catalog.put_article(item, [])
    catalog.put_article(article(BRUG, "old.md", 3, source="Krant"), [])
    catalog.put_article(article(BRUG, "new.md", source="Krant", date=NEXT, groups=frozenset({"legal"})), [])
    reader, lawyer = catalog.for_groups([]), catalog.for_groups(["legal"])
    assert reader.copies(["whole.md", "cut.md"]) == {}
    assert lawyer.copies(["whole.md"]) == {"whole.md": ("cut.md",)}
    assert reader.superseded(["old.md", "new.md"]) == {}
    assert lawyer.superseded(["old.md", "new.md"]) == {"old.md": "new.md"}


def test_an_older_catalog_is_looked_at_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    opened = Catalog(path, dim=4)
    for item in (WHOLE, CUT, OTHER):
        opened.put_article(item, [])
    opened.close()
    with sqlite3.connect(path) as db:
        for table in ("article_kin", "article_sketches", "sketch_bands", "unsketched"):
            db.execute(f"DROP TABLE {table}")
    db.close()
    again = Catalog(path, dim=4)
    assert again.copies(["whole.md"]) == {"whole.md": ("cut.md",)}
    again.put_article(BRIEF, [])
    assert again.copies(["other.md", "brief.md"]) == {"brief.md": ("whole.md", "cut.md")}
    again.close()


# --- in answers -------------------------------------------------------------------------------------------------------

OUTLETS = {"whole": ("Gazette", 4), "three": ("Courier", 3), "two": ("Evening Post", 2)}


def write(corpus: Path, path: str, text: str, **known: Any) -> None:
    head = "".join(f"{name}: {value}\n" for name, value in known.items() if value)
    (corpus / path).write_text(f"---\n{head}---\n\n{text}\n", encoding="utf-8")


def write_report(corpus: Path, report: Report, path: str, source: str, paragraphs: int, **known: Any) -> None:
    text = report.dateline * (paragraphs == 4) + "\n\n".join(report.paragraphs[:paragraphs])
    values = {
        "title": f"{source} reports {path.removesuffix('.md')}",
        "date": DAY,
        "language": report.language,
        **known,
    }
    write(corpus, path, text, source=source, **values)


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Three reports in three outlets each, one of them for lawyers only; corrected articles; and template pairs."""
    root = tmp_path_factory.mktemp("press")
    corpus = root / "corpus"
    corpus.mkdir()
    for report in REPORTS:
        for name, (source, paragraphs) in OUTLETS.items():
            write_report(corpus, report, f"{report.language}-{name}.md", source, paragraphs)
        write_report(corpus, report, f"{report.language}-law.md", "Law Monthly", 3, groups="[legal]")
    for toll in TOLL:
        known = {"source": "Gazette", "date": DAY, "language": toll.language, "title": f"News from {toll.language}"}
        # The correction comes before what it corrects, or after it, as the files are read.
        at = "az" if toll.language == "en" else "za"
        write(corpus, f"{at[0]}-{toll.language}-right.md", f"{toll.right}\n\n{toll.notice}", **{**known, "date": NEXT})
        write(corpus, f"{at[1]}-{toll.language}-wrong.md", toll.wrong, **known)
    for name in ("a verdict", "a verdict in Dutch", "a verdict in German"):
        language, *pair = TEMPLATES[name]
        for source, text in zip(("Gazette", "Courier"), pair, strict=True):
            write(corpus, f"{name}-{source}.md", text, source=source, date=DAY, language=language, title=name)
    with Assistant(corpus=corpus, index=root / "index") as assistant:
        assistant.sync()
        yield assistant


def outlets(answer: Answer, number: int = 1) -> list[str]:
    citation = answer.citations[number - 1]
    return sorted(item.source or "" for item in (citation.article, *citation.also_in))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.language)
def test_one_report_in_three_outlets_is_one_source(press: Assistant, report: Report) -> None:
    answer = press.for_groups([]).ask(report.question)
    first = answer.citations[0]
    assert report.answer in first.quote
    assert outlets(answer) == ["Courier", "Evening Post", "Gazette"]
    told = [item.id for citation in answer.citations for item in (citation.article, *citation.also_in)]
    assert len(set(told)) == 3
    assert answer.sources == answer.to_dict()["sources"] == 1
    phrase = {"en": "(same report also in ", "nl": "(hetzelfde bericht ook in ", "de": "(derselbe Bericht auch in "}
    assert phrase[report.language] in answer.text
    assert "Law Monthly" not in str(answer.to_dict())


def test_a_quotation_that_some_cut_away_is_only_in_the_others(press: Assistant) -> None:
    answer = press.for_groups([]).ask("How old is the man from Delfzijl?", languages=["nl"])
    assert "52" in answer.citations[0].quote
    assert outlets(answer) == ["Courier", "Gazette"]


def test_who_may_read_a_copy_is_told_of_it(press: Assistant) -> None:
    answer = press.for_groups(["legal"]).ask(FERRY.question)
    assert outlets(answer) == ["Courier", "Evening Post", "Gazette", "Law Monthly"]


def test_the_copy_that_passes_the_filter_is_quoted(press: Assistant) -> None:
    answer = press.ask(FERRY.question, sources=["Evening Post"])
    assert answer.citations[0].article.source == "Evening Post"
    assert "Gazette" in outlets(answer)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.language)
def test_a_report_is_found_once_and_leaves_room_for_others(press: Assistant, report: Report) -> None:
    hits = press.search(report.question, limit=10)
    text = "\n".join(hit.passage.text for hit in hits)
    assert [text.count(paragraph) for paragraph in report.paragraphs] == [1, 1, 1, 1]
    assert {hit.passage.article.language for hit in hits} == {"en", "nl", "de"}


@pytest.mark.parametrize(
    ("question", "named", "other"),
    [
        ("What sentence did Piers Lomax get?", "Lomax", "Whitlock"),
        ("Wat kreeg Bas Mulder van de rechtbank?", "Mulder", "Dekker"),
        ("Wozu wurde Kerstin Lau verurteilt?", "Kerstin Lau", "Ortmann"),
    ],
)
def test_verdicts_from_one_template_are_quoted_each_for_itself(
    press: Assistant, question: str, named: str, other: str
) -> None:
    answer = press.ask(question)
    assert named in answer.citations[0].quote
    assert not [item.path for citation in answer.citations[:1] for item in citation.also_in]
    for citation in answer.citations:
        assert all((named in citation.quote) == (named in item.text) for item in citation.also_in)
        assert all((other in citation.quote) == (other in item.text) for item in citation.also_in)


@pytest.mark.parametrize("toll", TOLL, ids=lambda toll: toll.language)
def test_the_corrected_version_answers_and_the_older_one_only_where_the_dates_leave_it_out(
    press: Assistant, toll: Toll
) -> None:
    answer = press.ask(toll.question)
    assert answer.found
    cited = [citation.article.path for citation in answer.citations]
    assert all("wrong" not in path for path in cited)
    assert any(f" {_number(toll.right, toll.wrong)} " in citation.quote for citation in answer.citations)
    assert all("wrong" not in hit.passage.article.path for hit in press.search(toll.question, limit=20))
    before = press.ask(toll.question, until=DAY)
    assert any(f" {_number(toll.wrong, toll.right)} " in citation.quote for citation in before.citations)
    assert f"{toll.language}-wrong.md" in {item.path[2:] for item in press.find_articles()[0]}  # the list shows it


def _number(text: str, other: str) -> str:
    (word,) = set(text.split()) - set(other.split())
    return word


def test_twenty_copies_take_one_place_and_removing_the_newer_version_brings_the_older_back(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(20):
        write_report(corpus, FERRY, f"{number}.md", f"Outlet {number}", 2, title="The Marigold ran aground")
    write(corpus, "insurer.md", "The insurer of the Marigold paid 31 passengers for wet luggage.", language="en")
    (toll, *_) = TOLL
    write(corpus, "wrong.md", toll.wrong, source="Gazette", date=DAY, language="en")
    write(corpus, "right.md", f"{toll.right}\n\n{toll.notice}", source="Gazette", date=DAY, language="en")
    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant:
        assistant.sync()
        paths = [hit.passage.article.path for hit in assistant.search("passengers of the Marigold", limit=12)]
        assert "insurer.md" in paths
        assert "right.md" in paths
        assert len(paths) == len(set(paths)) <= 4
        answer = assistant.ask(FERRY.question)
        assert len(answer.citations[0].also_in) == 19
        assert answer.sources == len({citation.article.path for citation in answer.citations}) < 3
        assert "nine" in assistant.ask(toll.question).citations[0].quote
        (corpus / "right.md").unlink()
        assistant.sync()
        assert "seven" in assistant.ask(toll.question).citations[0].quote
