"""The archive as a list: what is found and counted, what an address asks, how the page and the chart look."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Served, fetch
from test_catalog import make

from rag.catalog import Catalog
from rag.errors import SettingsError
from rag.records import Overview
from rag.web.archive import archive_html, form_html, list_html, skipped_html
from rag.web.chart import MONTHS, chart, period, period_name, periods
from rag.web.texts import LANGUAGES
from rag.web.wanted import MAX_QUERY, PAGE, Wanted, read
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from rag.assistant import Assistant

EN = texts_for("en")
LIGHT, DARK = "#fbfaf7", "#171716"
HOSTILE = "<img src=x onerror=alert(1)>\"'&\n\n# **x**"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite3", dim=4)
    yield opened
    opened.close()


def fill(catalog: Catalog) -> None:
    articles = [
        make("b.md", title="Künstler fordern Lizenz", source="Süddeutsche", date=dt.date(2025, 10, 3), language="de"),
        make("a.md", title="L’été des studios", author="Łukasz Øst", date=dt.date(2025, 10, 3), language="en"),
        make("c.md", title="Straße nach Hollywood", source="Bright", date=dt.date(2024, 2, 29), language="nl"),
        make("2025/nothing-known.txt", title="Без даты", source="Bright"),
    ]
    for article in articles:
        catalog.put_article(article, [])


# --- finding and counting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("", ["a.md", "b.md", "c.md", "2025/nothing-known.txt"]),
        ("kunstler LIZENZ", ["b.md"]),
        ("KÜNSTLER", ["b.md"]),
        ("ku\u0308nstler", ["b.md"]),
        ("strasse", ["c.md"]),
        ("lukasz ost", ["a.md"]),
        ("l'ete", ["a.md"]),
        ("даты", ["2025/nothing-known.txt"]),
        ("БЕЗ bright", ["2025/nothing-known.txt"]),
        ("2025/ known", ["2025/nothing-known.txt"]),
        ("lizenz hollywood", []),
        ("100%_", []),
        ("\0 ' \" --", []),
    ],
)
def test_every_word_occurs_whatever_its_case_and_accents_newest_first_undated_last(
    catalog: Catalog, query: str, paths: list[str]
) -> None:
    fill(catalog)
    found, total = catalog.find_articles(query)
    assert [article.path for article in found] == paths
    assert total == len(paths)


def test_a_page_of_what_matches_comes_with_the_whole_count(catalog: Catalog) -> None:
    fill(catalog)
    found, total = catalog.find_articles(limit=2, offset=1)
    assert ([article.path for article in found], total) == (["b.md", "c.md"], 4)
    assert catalog.find_articles(offset=4) == ([], 4)
    found, total = catalog.find_articles("o", sources=["Bright"], since=dt.date(2024, 2, 29))
    assert ([article.path for article in found], total) == (["c.md"], 1)


def test_the_overview_counts_what_is_known_and_leaves_out_what_is_not(catalog: Catalog) -> None:
    assert catalog.overview() == Overview()
    fill(catalog)
    overview = catalog.overview()
    assert overview == Overview(
        articles=4,
        languages={"de": 1, "en": 1, "nl": 1},
        sources={"Bright": 2, "Süddeutsche": 1},
        months={("2024-02", "nl"): 1, ("2025-10", "de"): 1, ("2025-10", "en"): 1},
        undated=1,
        first=dt.date(2024, 2, 29),
        last=dt.date(2025, 10, 3),
    )
    assert list(overview.sources) == ["Bright", "Süddeutsche"]


def test_lists_and_counts_read_an_index_and_no_article(catalog: Catalog) -> None:
    fill(catalog)
    for sql in (
        "SELECT revision FROM articles WHERE mentions('x', title, path, source, author) ORDER BY date DESC, path",
        "SELECT source, count(*) FROM articles WHERE source NOT NULL GROUP BY 1",
        "SELECT count(*), count(date), min(date), max(date) FROM articles",
    ):
        plan = " ".join(row[3] for row in catalog._rows(f"EXPLAIN QUERY PLAN {sql}"))
        assert "COVERING INDEX articles_listed" in plan, plan


def test_a_list_of_many_articles_is_quick(catalog: Catalog) -> None:
    with catalog.transaction():
        for number in range(5_000):
            day = dt.date(2015, 1, 1) + dt.timedelta(days=number % 3_000)
            text = " ".join(f"word{8 * number + place}" for place in range(8))  # no copies of one another
            article = make(
                f"{number}.md", text=text, title=f"Künstler {number}", source=f"Medium {number % 900}", date=day
            )
            catalog.put_article(article, [])
    began = time.perf_counter()
    assert catalog.overview().articles == 5_000
    assert catalog.find_articles("kunstler 4999")[1] == 1
    assert time.perf_counter() - began < 0.5  # 0.03 s where nothing else runs


def test_the_assistant_finds_with_the_filters_of_ask(starter: Assistant) -> None:
    everything = starter.articles()
    assert starter.find_articles() == (everything, len(everything))
    dutch, total = starter.find_articles(languages=["NL"], since=dt.date(2025, 1, 1))
    assert dutch == [a for a in everything if a.language == "nl" and a.date and a.date.year >= 2025]
    assert total == len(dutch) > 0
    with pytest.raises(SettingsError, match="later than"):
        starter.find_articles(since=dt.date(2025, 1, 2), until=dt.date(2025, 1, 1))
    assert starter.overview().articles == len(everything)


# --- periods ----------------------------------------------------------------------------------------------------------


def test_a_month_a_quarter_and_a_year_have_their_days_and_names() -> None:
    assert period("2024-02") == (dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    assert period("2025-Q4") == (dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    assert period("2025") == (dt.date(2025, 1, 1), dt.date(2025, 12, 31))
    assert [period_name("2025-10", language) for language in LANGUAGES] == [
        "oktober 2025",
        "Oktober 2025",
        "October 2025",
    ]
    assert [period_name(key, "de") for key in ("2025-Q4", "2025")] == ["Q4 2025", "2025"]


@given(st.one_of(st.text(max_size=9), st.from_regex(r"\d{4}-(Q?\d{0,2})", fullmatch=True)))
def test_what_is_no_period_is_refused_by_one_error(key: str) -> None:
    try:
        first, last = period(key)
    except ValueError:
        return
    assert first.day == 1
    assert first < last
    assert (last + dt.timedelta(days=1)).day == 1 or last == dt.date(9999, 12, 31)


# --- what an address asks ---------------------------------------------------------------------------------------------

KNOWN = Overview(
    articles=3, languages={"nl": 2, "de": 1}, sources={"Süddeutsche": 1, "A & B": 1}, months={("2025-10", "nl"): 1}
)


def test_an_address_is_read_and_written_alike() -> None:
    said = {
        "q": "a  b",
        "language": "NL",
        "source": "A & B",
        "since": "2025-01-02",
        "until": "2025-01-02",
        "month": "2025-Q4",
        "page": "3",
        "lang": "de",
    }
    wanted, notices = read(said, KNOWN, EN)
    day = dt.date(2025, 1, 2)
    assert not notices
    assert wanted == Wanted("a b", "nl", "A & B", day, day, "2025-Q4", 3, "de")
    address = wanted.href("/press")
    assert address.startswith("/press/archive?q=a+b&language=nl&source=A+%26+B&since=2025-01-02")
    assert Wanted().href("") == "/archive"


def test_an_outlet_is_known_without_its_accents() -> None:
    assert read({"source": "suddeutsche "}, KNOWN, EN)[0].source == "Süddeutsche"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("q", "x" * (MAX_QUERY + 1)),
        ("language", "xx"),
        ("source", "Nobody"),
        ("since", "yesterday"),
        ("since", "2025-02-30"),
        ("until", "20250101"),
        ("until", "٢٠٢٥-٠١-٠١"),
        ("month", "2025-13"),
        ("month", "2025-00"),
        ("month", "0000"),
        ("month", "2025-Q5"),
        ("month", "²⁰²⁵"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "²"),
        ("page", "9" * 30),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_that_cannot_be_used_is_said_and_left_out(name: str, value: str, language: str) -> None:
    wanted, notices = read({name: value}, KNOWN, texts_for(language))
    assert len(notices) == 1
    assert "{" not in notices[0]
    assert wanted == Wanted(query="x" * MAX_QUERY if name == "q" else "")


def test_dates_the_wrong_way_round_are_said_and_left_out() -> None:
    wanted, notices = read({"since": "2025-01-02", "until": "2025-01-01"}, KNOWN, EN)
    assert (wanted.since, wanted.until, len(notices)) == (None, None, 1)


def test_a_month_and_dates_allow_what_both_allow() -> None:
    assert Wanted(since=dt.date(2025, 10, 5), month="2025-10").days() == (dt.date(2025, 10, 5), dt.date(2025, 10, 31))
    assert Wanted(until=dt.date(2026, 1, 1), month="2025").days() == (dt.date(2025, 1, 1), dt.date(2025, 12, 31))


# --- markup -----------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Start tags with their attributes, and the text between."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_nothing_from_an_article_becomes_markup() -> None:
    article = make("x.md", title=HOSTILE, source=HOSTILE, author=HOSTILE, language="nl", id=HOSTILE)
    overview = Overview(1, {"nl": 1}, {HOSTILE: 1}, {("2025-10", "nl"): 1})
    wanted = Wanted(query=HOSTILE, source=HOSTILE)
    markup = archive_html([article], 1, overview, [(HOSTILE, HOSTILE)], wanted, EN, notices=[HOSTILE], root="/press")
    seen = Tags(markup)
    assert not seen.all("img")
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert "\n" not in markup  # or Gradio's Markdown would go on with what follows
    links = [attributes["href"] or "" for attributes in seen.all("a")]
    assert links
    assert all(link.startswith("/press/") for link in links)


def test_what_is_unknown_is_left_empty() -> None:
    markup = list_html([make("x.md", metadata={})], 1, Overview(1), Wanted(), EN)
    assert re.findall(r'<td role="cell" class="or-a-(\w+)"></td>', markup) == ["date", "source", "language", "author"]
    assert EN.sample not in markup
    assert "None" not in markup


def test_a_sample_is_marked_and_text_of_any_direction_keeps_its_own() -> None:
    article = make("x.md", title="כותרת ארוכה", source="מקור", language="he")
    markup = list_html([article], 1, Overview(1), Wanted(), EN)
    assert EN.sample in markup
    assert 'class="or-a-headline" dir="rtl" lang="he"' in markup
    assert "<bdi>מקור</bdi>" in markup


def test_an_article_of_which_there_is_a_later_version_leads_to_that() -> None:
    old, new, bare = make("old.md"), make("new.md", date=dt.date(2025, 10, 14)), make("bare.md", date=None, title="<b>")
    markup = list_html([old, new], 2, Overview(2), Wanted(lang="nl"), EN, later={old.id: new})
    link = f'<a href="/article/{new.id}?lang=nl">14 October 2025</a>'
    assert markup.count("or-a-later") == 1
    assert EN.superseded.format(version=link) in markup
    assert "&lt;b&gt;</a></span>" in list_html([old], 1, Overview(1), Wanted(), EN, later={old.id: bare})


def test_the_table_says_what_its_columns_and_rows_are() -> None:
    seen = Tags(list_html([make("x.md", date=dt.date(2025, 10, 13))], 1, Overview(1), Wanted(), EN))
    assert [cell.get("scope") for cell in seen.all("th")] == ["col"] * 5 + ["row"]
    assert seen.all("caption")
    assert seen.all("time") == [{"datetime": "2025-10-13"}]


def test_pages_lead_to_their_neighbours_and_keep_the_filters() -> None:
    articles = [make("x.md")]
    wanted = Wanted(query="a b", page=2, lang="de")
    links = [tag.get("href") for tag in Tags(list_html(articles, 3 * PAGE, Overview(200), wanted, EN)).all("a")]
    assert "/archive?q=a+b&lang=de" in links
    assert "/archive?q=a+b&page=3&lang=de" in links
    assert "or-a-pages" not in list_html(articles, PAGE, Overview(200), Wanted(), EN)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_choice_of_a_bar_is_named_and_can_be_taken_back(language: str) -> None:
    texts = texts_for(language)
    wanted = Wanted(query="x", language="nl", month="2025-10", page=2)
    markup = list_html([], 0, Overview(3), wanted, texts)
    clear = next(tag for tag in Tags(markup).all("a") if tag.get("class") == "or-a-clear")
    assert clear["href"] == "/archive?q=x"
    assert period_name("2025-10", language) in (clear["aria-label"] or "")


def test_how_many_of_how_many_is_said() -> None:
    assert "1\u00a0234 articles</p>" in list_html([], 0, Overview(1234), Wanted(), EN)
    assert "0 of 1\u00a0234 articles" in list_html([], 0, Overview(1234), Wanted(query="x"), EN)


def test_many_outlets_are_typed_and_few_are_chosen() -> None:
    few = Overview(2, sources={"A": 1, "B": 1})
    assert '<select name="source"' in form_html(few, Wanted(), EN)
    many = Overview(1500, sources={f"Outlet {number}": 1 for number in range(1500)})
    markup = form_html(many, Wanted(source="Outlet 7"), EN)
    assert '<input name="source" type="text" list="or-a-sources"' in markup
    assert len(Tags(markup).all("option")) >= 1500


def test_every_bar_of_the_chart_can_be_chosen_in_the_form() -> None:
    months: dict[tuple[str, str | None], int] = {
        (f"{2010 + number // 12}-{number % 12 + 1:02}", "nl"): 1 for number in range(MONTHS + 12)
    }
    overview = Overview(len(months), {"nl": len(months)}, {}, months)
    options = {tag["value"] for tag in Tags(form_html(overview, Wanted(), EN)).all("option")}
    assert set(periods(overview)) <= options
    chosen = Tags(form_html(overview, Wanted(month="1999-01"), EN)).all("option")
    assert [tag["value"] for tag in chosen if "selected" in tag and tag["value"]] == ["1999-01"]


def test_what_was_skipped_is_listed_with_its_reason_or_quietly_nothing() -> None:
    assert skipped_html([], EN) == f'<p class="or-a-skipped">{EN.archive_skipped_none}</p>'
    one = skipped_html([("a/b.pdf", "is encrypted")], EN)
    assert "1 file was" in one
    assert "a/b.pdf" in one
    assert "is encrypted" in one
    many = skipped_html([(f"{number}.pdf", "is encrypted") for number in range(1000)], EN)
    assert "1000 files" in many
    assert many.count("<li>") == 201


# --- the chart --------------------------------------------------------------------------------------------------------


def figure(overview: Overview, language: str = "en") -> dict[str, Any]:
    value = chart(overview, texts_for(language))
    assert value is not None
    assert value.type == "plotly"
    found: dict[str, Any] = json.loads(value.plot)
    return found


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


MANY = Overview(
    articles=40,
    months={
        **{("2025-10", language): 20 - at for at, language in enumerate(["nl", "en", "de", "fr", "es", "it", "pl"])},
        ("2025-12", None): 2,
        ("2025-08", "nl"): 1,
    },
)


def test_bars_stack_by_language_and_a_month_without_articles_is_a_gap() -> None:
    drawn = figure(MANY)
    assert drawn["layout"]["barmode"] == "stack"
    assert drawn["layout"]["xaxis"]["categoryarray"] == ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12"]
    bars = {trace["name"]: dict(zip(trace["x"], trace["y"], strict=True)) for trace in drawn["data"]}
    assert bars["Dutch"] == {"2025-08": 1, "2025-10": 20}
    assert bars["other languages"] == {"2025-10": 15 + 14}
    assert bars["language unknown"] == {"2025-12": 2}
    assert sum(sum(bar.values()) for bar in bars.values()) == sum(MANY.months.values())


def test_a_bar_says_what_it_is_in_the_readers_language_and_what_it_filters_by() -> None:
    dutch = next(trace for trace in figure(MANY, "de")["data"] if trace["name"] == "Niederländisch")
    assert dutch["hovertext"] == [
        "August 2025<br>Niederländisch: 1 Artikel",
        "Oktober 2025<br>Niederländisch: 20 Artikel",
    ]
    assert dutch["customdata"][1] == ["2025-10", "nl"]
    rest = next(trace for trace in figure(MANY)["data"] if trace["name"] == "other languages")
    assert rest["customdata"] == [["2025-10", ""]]


# What readers without one kind of cone see: Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
MISSING = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def lab(colour: str, missing: str) -> list[float]:
    """CIE L*a*b* (D65) of a colour as a reader without that cone sees it."""
    seen = np.clip(np.array(MISSING[missing]) @ np.array(linear(colour)), 0, 1)
    x, y, z = np.cbrt(np.array(TO_XYZ) @ seen / np.array([0.9505, 1, 1.089]))
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def test_every_colour_reads_on_both_papers() -> None:
    colours = [trace["marker"]["color"] for trace in figure(MANY)["data"]]
    for colour in colours:
        for paper in (LIGHT, DARK):
            high, low = sorted((luminance(colour), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 3, (colour, paper)
    assert len(set(colours[:5])) == 5


@pytest.mark.parametrize("missing", MISSING)
def test_the_languages_of_the_interface_are_told_apart_by_every_reader(missing: str) -> None:
    overview = Overview(months={("2025-10", language): 1 for language in LANGUAGES})
    colours = [trace["marker"]["color"] for trace in figure(overview)["data"]]
    for one, other in itertools.combinations(colours, 2):
        assert math.dist(lab(one, missing), lab(other, missing)) > 30, (one, other)


@pytest.mark.parametrize(("months", "grain"), [(60, r"\d{4}-\d\d"), (61, r"\d{4}-Q\d"), (240, r"\d{4}")])
def test_a_long_time_is_drawn_in_fewer_bars(months: int, grain: str) -> None:
    last = months - 1
    overview = Overview(months={("2001-01", "nl"): 1, (f"{2001 + last // 12}-{last % 12 + 1:02}", "nl"): 1})
    drawn = figure(overview)
    assert len(drawn["layout"]["xaxis"]["categoryarray"]) <= MONTHS
    assert all(re.fullmatch(grain, key) for key in drawn["layout"]["xaxis"]["categoryarray"])
    assert len(drawn["layout"]["xaxis"]["tickvals"]) <= 8


def test_an_archive_without_dates_has_no_chart() -> None:
    assert chart(Overview(articles=3), EN) is None


# --- over HTTP --------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_and_its_form_may_be_sent(server: Served, starter: Assistant) -> None:
    reply = fetch(server, "/archive", Accept_Language="nl")
    assert reply.status == 200
    assert '<html lang="nl">' in reply.text
    assert f"{len(starter.articles())} artikelen" in reply.text
    assert "<script" not in reply.text
    policy = reply.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    for article in starter.articles():
        assert f'href="/article/{quote(article.id, safe="")}"' in reply.text


def test_every_style_of_the_page_is_there(server: Served) -> None:
    for tag in Tags(fetch(server, "/archive").text).all("link"):
        assert fetch(server, urlsplit(tag["href"] or "").path).status == 200


def test_the_parts_are_what_the_page_holds(server: Served) -> None:
    part = fetch(server, "/archive?part=1&language=nl").text
    assert part.startswith('<div class="or-a"')
    listed = fetch(server, "/archive?part=list&language=nl").text
    assert listed.startswith('<div class="or-a-list">')
    assert listed in part
    assert part in fetch(server, "/archive?language=nl").text


def test_the_address_filters_and_keeps_the_language_of_the_page(server: Served, starter: Assistant) -> None:
    reply = fetch(server, "/archive?month=2025-10&language=nl&lang=de", Accept_Language="en")
    found, total = starter.find_articles(languages=["nl"], since=dt.date(2025, 10, 1), until=dt.date(2025, 10, 31))
    assert 0 < total == len(found)
    assert f"{total} von {len(starter.articles())} Artikel" in reply.text
    assert "Oktober 2025, Niederländisch" in reply.text
    links = [tag["href"] or "" for tag in Tags(reply.text).all("a")]
    assert [link for link in links if link.startswith("/article/") and link.endswith("?lang=de")]


@pytest.mark.parametrize(
    "asked",
    [
        "page=99",
        "page=x",
        "month=never",
        "since=2025-99-01",
        "language=xx",
        "source=%00",
        "q=" + "x" * 5000,
        "since=2025-02-01&until=2025-01-01",
        "month=2024&since=2025-01-01",
        "q=%ff%fe%00'%22",
        "lang=xx",
        "part=nothing",
    ],
)
def test_no_address_breaks_the_page(server: Served, asked: str) -> None:
    assert fetch(server, f"/archive?{asked}").status == 200


def test_a_page_beyond_the_last_is_the_last_and_says_so(server: Served) -> None:
    text = fetch(server, "/archive?page=99", Accept_Language="en").text
    assert "There is no page “99”; this is page 1." in text
    assert "or-a-table" in text
