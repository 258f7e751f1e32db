"""Files to articles: formats, encodings, metadata, and the reason given for what cannot be read."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import corpus
from rag.dateline import byline_in, date_in, dates
from rag.errors import CorpusError, UnreadableFile
from rag.formats import extract_text
from rag.metadata import detected
from rag.records import Article

BODY = [
    "The council of the small harbour town decided on Monday evening that the old lighthouse will be rebuilt, "
    "although the money for it has not been found yet and nobody knows who will pay.",
    "“We have waited for this for eleven years,” said Maria Jansen, who leads the council. “The lighthouse belongs to "
    "us, and we will not let it fall into the sea.”",
    "The plan foresees a new roof, a new lamp and a small museum on the ground floor. Work on the lighthouse is to "
    "begin in the spring, if the weather allows it, and to take two years.",
]
BODY_NL = [
    "De gemeenteraad van het kleine havenstadje heeft maandagavond besloten dat de oude vuurtoren wordt herbouwd, "
    "hoewel het geld daarvoor nog niet is gevonden en niemand weet wie er gaat betalen.",
    "‘We hebben hier elf jaar op gewacht’, zegt Maria Jansen, die de raad leidt. ‘De vuurtoren is van ons, en we laten "
    "hem niet in zee vallen.’",
    "Het plan voorziet in een nieuw dak, een nieuwe lamp en een klein museum op de begane grond. Het werk aan de "
    "vuurtoren moet in het voorjaar beginnen en twee jaar duren.",
]


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, name: str, content: str | bytes) -> Article:
    return corpus.read(save(folder, name, content), folder)


def reason(folder: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(UnreadableFile) as error:
        read(folder, name, content)
    return str(error.value)


def assert_leads_back(article: Article, path: Path) -> None:
    source = corpus.extract(path).text
    covered = 0
    for segment in article.source_map:
        piece = article.text[segment.start : segment.start + segment.length]
        assert piece == source[segment.source_start : segment.source_start + segment.length]
        covered += len(piece)
    assert covered + 2 * article.text.count("\n\n") >= len(article.text)


# --- which files ------------------------------------------------------------------------------------------------------


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "sub/c.PDF", ".hidden.md", ".git/d.md", "notes.xyz", "~$lock.docx"):
        save(tmp_path, name, "x")
    assert [path.relative_to(tmp_path).as_posix() for path in corpus.files(tmp_path)] == ["a.txt", "b.md", "sub/c.PDF"]


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = save(tmp_path, "outside/secret.txt", "secret")
    root = tmp_path / "root"
    inside = save(root, "inside.txt", "inside")
    (root / "link.txt").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent, target_is_directory=True)
    assert corpus.files(root) == [inside]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="not a folder"):
        corpus.files(tmp_path / "missing")


# --- formats ----------------------------------------------------------------------------------------------------------


def test_markdown_loses_its_markup_and_keeps_its_words(tmp_path: Path) -> None:
    text = f"""---
title: "The lighthouse"
date: 2025-10-13
author: [Ann Smith, Bo Lee]
source: The Harbour
language: en-GB
url: https://example.org/a
sample: true
facts_from: ["One", "Two"]
---
<!-- a comment -->
{BODY[0].replace("old lighthouse", "**old** [lighthouse](https://example.org/x)")}

## What they *said*

{BODY[1]}

- A first item of the list, which is long enough to be a sentence of its own.
- A second item of the list, which is long enough to be a sentence of its own.

{BODY[2]} <!-- and another -->
"""
    article = read(tmp_path, "a.md", text)
    assert (article.title, article.date, article.author) == (
        "The lighthouse",
        dt.date(2025, 10, 13),
        "Ann Smith, Bo Lee",
    )
    assert (article.source, article.language, article.url) == ("The Harbour", "en", "https://example.org/a")
    assert article.metadata == {"sample": True, "facts_from": ["One", "Two"]}
    assert article.sample
    for paragraph in BODY:
        assert paragraph in article.text
    assert "comment" not in article.text
    assert not set("*[<#") & set(article.text)
    assert [article.text[span.start : span.end] for span in article.headings] == ["What they said"]
    assert_leads_back(article, tmp_path / "a.md")


def test_markdown_tables_become_lines(tmp_path: Path) -> None:
    found = corpus.extract(save(tmp_path, "a.md", "| a | b |\n|---|---|\n| one | two |\n"))
    assert found.text == "a | b\none | two"


def test_a_rule_at_the_head_is_not_front_matter(tmp_path: Path) -> None:
    assert corpus.extract(save(tmp_path, "a.md", "---\nJust a line of text.\n---\n")).text.startswith("Just a line")


def test_html_gives_text_and_what_the_page_declares(tmp_path: Path) -> None:
    page = (
        '<html lang="en"><head><title>x</title><meta property="og:title" content="The lighthouse">'
        '<meta property="article:published_time" content="2025-10-13T08:00:00Z">'
        '<meta name="on-record:sample" content="true"></head><body><h1>The lighthouse</h1>'
        + "".join(f"<p>{paragraph}</p>" for paragraph in BODY)
        + "</body></html>"
    )
    article = read(tmp_path, "a.html", page)
    assert (article.title, article.date, article.language) == ("The lighthouse", dt.date(2025, 10, 13), "en")
    assert article.sample
    assert all(paragraph in article.text for paragraph in BODY)


def test_a_page_title_loses_the_name_of_the_site(tmp_path: Path) -> None:
    page = "<html><head><title>The lighthouse - a story returns - The Harbour</title></head><body><p>Menu</p>"
    page += "<h1>The lighthouse - a story returns</h1><h1>x</h1>" + "".join(f"<p>{text}</p>" for text in BODY)
    article = read(tmp_path, "a.html", page)
    assert article.title == "The lighthouse - a story returns"
    assert article.text.startswith(BODY[0])


def test_word_documents_give_text_headings_and_real_properties(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("What they said", 2)
    for paragraph in BODY:
        document.add_paragraph(paragraph)
    document.core_properties.title, document.core_properties.author = "The lighthouse", "Ann Smith"
    document.core_properties.created = dt.datetime(2025, 10, 13, 8, 0)
    document.save(str(tmp_path / "a.docx"))
    article = corpus.read(tmp_path / "a.docx", tmp_path)
    assert (article.title, article.author, article.date) == ("The lighthouse", "Ann Smith", dt.date(2025, 10, 13))
    assert all(paragraph in article.text for paragraph in BODY)
    assert [article.text[span.start : span.end] for span in article.headings] == ["What they said"]


def test_properties_that_a_word_processor_writes_by_itself_are_not_metadata(tmp_path: Path) -> None:
    document = docx.Document()
    for paragraph in BODY:
        document.add_paragraph(paragraph)
    document.save(str(tmp_path / "a.docx"))
    article = corpus.read(tmp_path / "a.docx", tmp_path)
    assert (article.date, article.author, article.metadata.get("title_from")) == (None, None, "text")


def pdf(*pages: list[tuple[int, int, str]], title: str = "") -> bytes:
    """A PDF by hand: each line is (height in points, type size in points, text)."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    objects.append(f"<< /Title ({title}) >>".encode())
    kids = []
    for lines in pages:
        stream = "".join(f"BT /F1 {size} Tf 1 0 0 1 50 {y} Tm ({text}) Tj ET\n" for y, size, text in lines).encode(
            "cp1252"
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R /Info 4 0 R >>" % (len(objects) + 1)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s%s\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        table,
        trailer,
        len(out),
    )


PAGES = pdf(
    [
        (780, 8, "The Harbour, 13 October 2025"),
        (740, 20, "The lighthouse will be rebuilt"),
        (700, 11, "The council of the small harbour town decided on Monday that the old light-"),
        (686, 11, "house will be rebuilt, although the money for it has not been found yet and"),
        (672, 11, "nobody knows who will pay for it in the end."),
        (648, 11, "The plan foresees a new roof, a new lamp and a small museum on the ground and"),
        (20, 8, "Page 1 of 2"),
    ],
    [
        (780, 8, "The Harbour, 13 October 2025"),
        (740, 11, "first floor, which is to show the history of the harbour and of its people."),
        (716, 11, "Work is to begin in the spring, if the weather allows it, and take two years."),
        (20, 8, "Page 2 of 2"),
    ],
)


def test_pdf_lines_become_paragraphs_and_pages_stay_known(tmp_path: Path) -> None:
    article = read(tmp_path, "a.pdf", PAGES)
    assert article.title == "The lighthouse will be rebuilt"
    assert article.date == dt.date(2025, 10, 13)
    paragraphs = article.text.split("\n\n")
    assert paragraphs[-3].startswith("The council")
    assert "the old lighthouse will be rebuilt" in paragraphs[-3]
    assert "on the ground and first floor, which" in paragraphs[-2]
    assert "Page" not in article.text
    assert "The Harbour," not in article.text
    assert article.page_at(article.text.index("The council")) == 1
    assert article.page_at(article.text.index("first floor")) == 2
    assert article.page_at(article.text.index("Work is")) == 2


# --- plain text -------------------------------------------------------------------------------------------------------


def blocks(folder: Path, text: str) -> list[str]:
    found = corpus.extract(save(folder, "a.txt", text))
    return [found.text[block.start : block.end] for block in found.blocks]


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab .\n\t-•1\u00a0") | st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_the_blocks_of_a_text_hold_all_of_it_once_and_in_order(text: str) -> None:
    at = 0
    for block in extract_text(text).blocks:
        assert not text[at : block.start].strip()
        assert text[block.start : block.end] == text[block.start : block.end].strip() != ""
        at = block.end
    assert not text[at:].strip()


def test_a_dump_has_a_block_for_each_line(tmp_path: Path) -> None:
    assert blocks(tmp_path, "Home\nMenu\n\n" + "\n".join(BODY)) == ["Home", "Menu", *BODY]


def test_hand_wrapped_text_has_a_block_for_each_paragraph(tmp_path: Path) -> None:
    wrapped = [textwrap.fill(paragraph, 72) for paragraph in BODY]
    text = "A headline\n\n" + "\n\n".join(wrapped)
    assert blocks(tmp_path, text) == ["A headline", *wrapped]
    article = corpus.read(tmp_path / "a.txt", tmp_path)
    assert wrapped[1] in article.text
    assert_leads_back(article, tmp_path / "a.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_encodings_are_detected(tmp_path: Path, encoding: str) -> None:
    text = "Die Straße ist schön, sagte Käthe Müller über die Brücke in Köln; naïef, één.\r\n" * 3
    assert corpus.extract(save(tmp_path, "a.txt", text.encode(encoding))).text == text.replace("\r\n", "\n")


def test_quotation_marks_of_windows_are_detected(tmp_path: Path) -> None:
    text = "„Schön“, sagte sie – und ging … “Fine”, he’s said."
    assert corpus.extract(save(tmp_path, "a.txt", text.encode("cp1252"))).text == text


def test_a_page_may_name_its_encoding(tmp_path: Path) -> None:
    page = '<html><head><meta charset="iso-8859-7"></head><body><p>Καλημέρα κόσμε, τι κάνεις σήμερα;</p></body></html>'
    assert "Καλημέρα κόσμε" in corpus.extract(save(tmp_path, "a.html", page.encode("iso-8859-7"))).text


def test_a_broken_end_of_utf8_does_not_change_the_rest(tmp_path: Path) -> None:
    text = "Größe, Übermut und Äpfel für die schöne Königin" * 3
    assert corpus.extract(save(tmp_path, "a.txt", (text + "ü").encode()[:-1])).text.startswith(text)


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "empty"),
        ("a.md", b" \n\n ", "empty"),
        ("a.txt", bytes(range(256)) * 20, "binary"),
        ("a.md", b"\x89PNG\r\n\x1a\n" + b"\x01\x02\x03\x80" * 50, "binary"),
        ("a.pdf", b"%PDF-1.4 and nothing more", "damaged"),
        ("a.pdf", PAGES[:400], "damaged|no text"),
        ("a.pdf", pdf([]), "no text"),
        ("a.docx", b"PK\x03\x04 and nothing more", "damaged"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "password"),
        ("a.md", b"---\ntitle: a\nsource: [b\n---\nText.", r"front matter .* line \d"),
        ("a.md", b"---\ntitle: {a: b}\n---\nText.", "title is"),
        ("a.md", b"---\ntags: &a [*a]\n---\nText.", "alias"),
        ("a.md", b"---\nn: .nan\n---\n" + "\n\n".join(BODY).encode(), "metadata cannot be kept"),
        ("a.html", b"<html><body>" + b"<div>" * 5000 + b"deep", "nested|no text"),
        ("a.md", b"---\ndate: 7\n---\nText.", "date is 7"),
        ("a.md", b"---\ntitle: Nothing else\n---\n", "no text"),
        ("a.html", b"<html><body><script>x()</script></body></html>", "no text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    assert re.search(expected, reason(tmp_path, name, content))


def test_a_pdf_with_a_password_is_refused_and_one_without_is_read(tmp_path: Path) -> None:
    for password, owner in (("secret", "secret"), ("", "owner")):
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(PAGES))
        writer.encrypt(password, owner, algorithm="RC4-128")
        with (tmp_path / "a.pdf").open("wb") as file:
            writer.write(file)
        if password:
            with pytest.raises(UnreadableFile, match="password"):
                corpus.extract(tmp_path / "a.pdf")
        else:
            assert "lighthouse" in corpus.extract(tmp_path / "a.pdf").text


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="MB"):
        corpus.extract(save(tmp_path, "a.txt", "word " * 100), max_bytes=400)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        corpus.extract(tmp_path / "a.txt")


# --- metadata from the text -------------------------------------------------------------------------------------------


def test_headline_byline_and_date_line_are_metadata_and_not_text(tmp_path: Path) -> None:
    head = "Vuurtoren wordt na elf jaar wachten toch herbouwd\nDoor: Jan van den Berg\n"
    head += "Gepubliceerd op 13 oktober 2025, 09:15\n"
    article = read(tmp_path, "a.txt", head + "\n".join(BODY_NL))
    assert article.title == "Vuurtoren wordt na elf jaar wachten toch herbouwd"
    assert (article.author, article.date, article.language) == ("Jan van den Berg", dt.date(2025, 10, 13), "nl")
    assert "Gepubliceerd" not in article.text
    assert "Jan van den Berg" not in article.text
    assert "title_from" not in article.metadata


def test_furniture_may_stand_before_the_headline(tmp_path: Path) -> None:
    head = (
        "Ga naar de inhoud\nMenu\nInloggen\nBinnenland\nVuurtoren wordt na elf jaar wachten toch herbouwd\n13-10-2025\n"
    )
    article = read(tmp_path, "a.txt", head + "\n".join(BODY_NL))
    assert article.title == "Vuurtoren wordt na elf jaar wachten toch herbouwd"
    assert article.date == dt.date(2025, 10, 13)


def test_a_text_that_begins_in_the_middle_keeps_its_opening(tmp_path: Path) -> None:
    article = read(tmp_path, "a.txt", "\n".join(BODY))
    assert article.title == "The council of the small harbour town decided on Monday…"
    assert article.text.startswith(BODY[0])
    assert article.metadata == {"title_from": "text"}
    assert (article.date, article.author, article.source, article.url) == (None, None, None, None)


def test_neither_name_nor_time_of_a_file_nor_a_date_in_the_story_is_its_date(tmp_path: Path) -> None:
    text = BODY[0] + " The vote of 3 March 2021 had failed.\n" + "\n".join(BODY[1:])
    assert read(tmp_path, "2025-10-13-lighthouse-by-ann-smith.txt", text).date is None


def test_front_matter_wins_over_the_text(tmp_path: Path) -> None:
    head = "---\ntitle: Another title\ndate: 2020-01-02\nlanguage: de\n---\n"
    article = read(tmp_path, "a.md", head + "By Ann Smith\n\n13 October 2025\n\n" + "\n\n".join(BODY))
    assert (article.title, article.date, article.language) == ("Another title", dt.date(2020, 1, 2), "de")
    assert article.author == "Ann Smith"


def test_a_headline_in_markdown_is_the_title_and_stands_once(tmp_path: Path) -> None:
    article = read(tmp_path, "a.md", "# The lighthouse returns\n\n" + "\n\n".join(BODY))
    assert article.title == "The lighthouse returns"
    assert article.text.startswith(BODY[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("13 oktober 2025, 09:15", "2025-10-13"),
        ("maandag 13 oktober 2025", "2025-10-13"),
        ("13. Oktober 2025", "2025-10-13"),
        ("Montag, 13. Okt. 2025 um 09:15 Uhr", "2025-10-13"),
        ("Veröffentlicht am 13.10.2025", "2025-10-13"),
        ("Stand: 13.10.2025, 9:15 Uhr", "2025-10-13"),
        ("03.04.2025", "2025-04-03"),
        ("Oct. 13, 2025", "2025-10-13"),
        ("Published Monday, October 13th, 2025 9:15 AM EDT", "2025-10-13"),
        ("Published 12 October 2025 | Updated 13 October 2025", "2025-10-12"),
        ("13-10-2025", "2025-10-13"),
        ("2025-10-13", "2025-10-13"),
        ("10/13/2025", "2025-10-13"),
        ("By Ann Smith Oct 13, 2025 5 min read", "2025-10-13"),
        ("03/04/2025", None),
        ("03-04-2025", None),
        ("31 februari 2025", None),
        ("Release: 13.10.2025", None),
        ("Verkündet am: 13.10.2025", None),
        ("The council met again on 13 October 2025 to talk about the lighthouse.", None),
        ("12 October 2025 and 13 October 2025", None),
        ("Vandaag, 09:15", None),
    ],
)
def test_date_lines(line: str, expected: str | None) -> None:
    found = date_in(line)
    assert (found[0].isoformat() if found else None) == expected


def test_dashes_are_read_day_first_where_the_language_does(tmp_path: Path) -> None:
    assert dates("03-04-2025", "nl")[0][2] == dt.date(2025, 4, 3)
    assert dates("03/04/2025", "nl") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Door Jan van den Berg", "Jan van den Berg"),
        ("door: Jan de Vries en Piet Bakker", "Jan de Vries, Piet Bakker"),
        ("Tekst: Anna Smit", "Anna Smit"),
        ("Door onze redactie", "onze redactie"),
        ("Von Anna Schmidt und Bernd Müller", "Anna Schmidt, Bernd Müller"),
        ("VON Anna Schmidt", "Anna Schmidt"),
        ("Autorin: Anna-Lena Schmidt", "Anna-Lena Schmidt"),
        ("By Ann Smith", "Ann Smith"),
        ("By Ann Smith, political editor", "Ann Smith"),
        ("Written by Ann B. Smith", "Ann B. Smith"),
        ("By Ann Smith Oct 13, 2025 5 min read", "Ann Smith"),
        ("By far the best thing of the year", None),
        ("Von Rechten und Pflichten", None),
        ("Door het hoge water zijn wegen afgesloten", None),
        ("By Monday they had gone", None),
        ("Von Anna Schmidt stammt der Satz, dass alles gut wird.", None),
    ],
)
def test_bylines(line: str, expected: str | None) -> None:
    assert byline_in(line) == expected


# --- the rest of an article -------------------------------------------------------------------------------------------


def test_the_id_is_stable_url_safe_and_told_from_the_path(tmp_path: Path) -> None:
    first = read(tmp_path, "nl/Één ‘kop’ & meer.txt", "\n".join(BODY))
    assert first.path == "nl/Één ‘kop’ & meer.txt"
    assert first.id == read(tmp_path, "nl/Één ‘kop’ & meer.txt", "\n".join(BODY_NL)).id
    assert first.id != read(tmp_path, "de/Één ‘kop’ & meer.txt", "\n".join(BODY)).id
    assert set(first.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("value", "expected"), [("en-GB", "en"), ("NL", "nl"), ("Deutsch", "de"), ("pt_BR", "pt"), ("Klingon", None)]
)
def test_languages_are_two_small_letters(tmp_path: Path, value: str, expected: str | None) -> None:
    article = read(tmp_path, "a.md", f"---\ntitle: T t\nlanguage: {value}\n---\n" + "\n\n".join(BODY))
    assert article.language == (expected or "en")  # what cannot be read is detected instead


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ".join(BODY), "en"),
        (" ".join(BODY_NL), "nl"),
        ("Der Rat hat am Montag beschlossen, den Turm neu zu bauen.", "de"),
        ("Kyncl 2025", None),
        ("1234 5678 " * 9, None),
    ],
)
def test_the_language_is_detected_or_left_unknown(text: str, expected: str | None) -> None:
    assert detected(text) == expected


def test_metadata_can_be_written_as_json(tmp_path: Path) -> None:
    head = "---\ntitle: T t\nseen: 2025-10-13\nwhen: 2025-10-13 10:00:00\n1: one\nnested: {a: [1, 2.5, null]}\n---\n"
    metadata: dict[str, Any] = dict(read(tmp_path, "a.md", head + "\n\n".join(BODY)).metadata)
    assert json.loads(json.dumps(metadata)) == metadata
    assert metadata["seen"] == "2025-10-13"


def test_line_keys_count_what_returns(tmp_path: Path) -> None:
    first = corpus.extract(save(tmp_path, "a.txt", "Read 12 more\n" + BODY[0]))
    second = corpus.extract(save(tmp_path, "b.txt", "read 7  more\n" + BODY[1]))
    assert len(corpus.line_keys(first) & corpus.line_keys(second)) == 1
