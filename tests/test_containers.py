"""Files that hold several articles, and e-mail: what is read out of them, where each stands, what is refused."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rag import Assistant, containers, corpus, exports
from rag.errors import UnreadableFile
from rag.groups import is_about
from rag.records import Article, Extract

HARBOUR = (
    "The council of the small harbour town decided on Monday evening that the old lighthouse will be rebuilt, although "
    "the money for it has not been found yet and nobody knows who will pay for it in the end."
)
MUSEUM = (
    "“We have waited for this for eleven years,” said Maria Jansen, who leads the council. “The museum on the ground "
    "floor belongs to all of us, and it opens in the spring, if the weather allows it.”"
)
LIBRARY = (
    "De bibliotheek van Oudemeer krijgt een nieuwe vleugel met ruimte voor twintigduizend boeken, en de wethouder zei "
    "dat de bouw in het voorjaar begint en vier miljoen euro kost, als de gemeenteraad daar geld voor vindt."
)
Found = dict[str, Extract | UnreadableFile]


def found(path: Path, **options: Any) -> Found:
    """What is read out of a file, by the place inside it."""
    told = list(corpus.documents(path, path.parent, **options))
    assert len({place for place, _ in told}) == len(told)
    return {place.removeprefix(f"{path.name}/"): extract for place, extract in told}


def articles(path: Path) -> dict[str, Article]:
    return {
        place: corpus.article(f"{path.name}/{place}", extract)
        for place, extract in found(path).items()
        if isinstance(extract, Extract)
    }


def reasons(told: Found) -> dict[str, str]:
    return {place: str(extract) for place, extract in told.items() if isinstance(extract, UnreadableFile)}


def reason(path: Path, **options: Any) -> str:
    """Why a file as a whole cannot be read."""
    with pytest.raises(UnreadableFile) as error:
        found(path, **options)
    return str(error.value)


# --- zip --------------------------------------------------------------------------------------------------------------


def packed(
    path: Path, members: Mapping[str, str | bytes] | Sequence[tuple[str | zipfile.ZipInfo, str | bytes]]
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return path


def test_the_articles_of_a_zip_file_have_places_of_their_own_and_their_own_metadata(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = packed(
        tmp_path / "in" / "dump.zip",
        {
            "b/Müller.txt": HARBOUR,
            "a.md": f"---\ntitle: The lighthouse\ndate: 2025-10-13\n---\n{MUSEUM}",
            "page.html": f"<html><body><h1>The museum</h1><p>{MUSEUM}</p></body></html>",
            "notes.xyz": "no article",
            ".hidden.md": HARBOUR,
            ".git/x.md": HARBOUR,
            "__MACOSX/._a.md": b"\x00\x05\x16\x07",
            "~$lock.docx": "x",
            "empty.md": "",
        },
    )
    told = dict(corpus.documents(path, tmp_path))
    assert list(told) == [f"in/dump.zip/{name}" for name in ("a.md", "b/Müller.txt", "empty.md", "page.html")]
    assert "empty" in str(told["in/dump.zip/empty.md"])
    extract = told["in/dump.zip/a.md"]
    assert isinstance(extract, Extract)
    article = corpus.article("in/dump.zip/a.md", extract)
    assert (article.title, article.date, article.text) == ("The lighthouse", dt.date(2025, 10, 13), MUSEUM)
    assert (article.path, article.id) == ("in/dump.zip/a.md", corpus.identifier("in/dump.zip/a.md"))
    assert corpus.files(tmp_path) == [path]


def test_ids_of_articles_in_files_of_their_own_are_what_they_always_were() -> None:
    assert corpus.identifier("news/2025/harbour.md") == "news-2025-harbour-b8936f74"
    assert corpus.identifier("dump.zip/a.md") != corpus.identifier("dump.zip/a.txt")


def test_a_sync_takes_all_articles_of_a_file_and_follows_it_when_one_goes(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    packed(
        folder / "dump.zip", {"a.md": f"# The lighthouse\n\n{HARBOUR}", "b.md": f"# The museum\n\n{MUSEUM}", "c.md": ""}
    )
    with Assistant(corpus=folder, index=tmp_path / "index") as assistant:
        report = assistant.sync()
        assert report.added == 2
        assert [place for place, _ in report.skipped] == ["dump.zip/c.md"]
        assert assistant.ask("When does the museum open?").citations[0].article.path == "dump.zip/b.md"
        packed(folder / "dump.zip", {"a.md": f"# The lighthouse\n\n{HARBOUR}"})
        assert assistant.sync().removed == 1
        assert [article.path for article in assistant.articles()] == ["dump.zip/a.md"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../up.md", "leads out"),
        ("a/../../up.md", "leads out"),
        ("/etc/up.md", "leads out"),
        ("C:\\up.md", "leads out"),
        ("..\\up.md", "leads out"),
        ("bell\a.md", "plain names"),
        ("x" * 1100 + ".md", "plain names"),
        ("inner.zip", "not unpacked"),
        ("book.epub", "not unpacked"),
        ("export.jsonl", "not unpacked"),
    ],
)
def test_a_member_with_a_bad_name_is_refused_and_the_others_are_read(tmp_path: Path, name: str, expected: str) -> None:
    told = found(packed(tmp_path / "a.zip", {name: HARBOUR, "good.md": MUSEUM}))
    assert isinstance(told.pop("good.md"), Extract)
    ((place, why),) = reasons(told).items()
    assert expected in why
    assert ".." not in place
    assert not place.startswith("/")


def test_names_of_tools_that_say_no_encoding_or_write_backslashes_are_read(tmp_path: Path) -> None:
    # Two names of equal length, exchanged in the bytes: zipfile would set the flag for UTF-8.
    path = packed(
        tmp_path / "a.zip", {"_M__ller.md": HARBOUR, "_M_.md": MUSEUM, "dir\\c.md": LIBRARY, "./d.md": HARBOUR}
    )
    data = path.read_bytes().replace(b"_M__ller.md", "_Müller.md".encode()).replace(b"_M_.md", b"_\x81_.md")
    path.write_bytes(data)
    assert list(found(path)) == ["_Müller.md", "_ü_.md", "d.md", "dir/c.md"]


def test_of_two_members_with_one_name_the_last_holds(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = packed(tmp_path / "a.zip", [("a.md", HARBOUR), ("./a.md", LIBRARY), ("a.md", MUSEUM)])
    assert [article.text for article in articles(path).values()] == [MUSEUM]


def test_a_link_in_a_zip_file_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    told = found(packed(tmp_path / "a.zip", [(link, "/etc/passwd"), ("good.md", HARBOUR)]))
    assert "link" in reasons(told)["link.md"]


def with_flags(path: Path, member: str, *, flags: int = 0, method: int | None = None, size: int | None = None) -> Path:
    """A zip file whose directory says something else of a member than is true."""
    data = bytearray(path.read_bytes())
    at = data.rindex(member.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    struct.pack_into("<H", data, at + 8, flags)
    if method is not None:
        struct.pack_into("<H", data, at + 10, method)
    if size is not None:
        struct.pack_into("<I", data, at + 24, size)
    path.write_bytes(data)
    return path


def test_encrypted_and_rarely_packed_members_are_refused_one_by_one(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"good.md": HARBOUR, "locked.md": HARBOUR, "odd.md": HARBOUR})
    with_flags(path, "locked.md", flags=1)
    with_flags(path, "odd.md", method=zipfile.ZIP_LZMA)
    told = found(path)
    assert isinstance(told["good.md"], Extract)
    assert "password" in reasons(told)["locked.md"]
    assert "rare method" in reasons(told)["odd.md"]


@pytest.mark.parametrize("size", [3, len(HARBOUR.encode()) + 1000])
def test_a_header_that_lies_about_a_size_costs_that_member_only(tmp_path: Path, size: int) -> None:
    path = with_flags(packed(tmp_path / "a.zip", {"bad.md": HARBOUR, "good.md": HARBOUR}), "bad.md", size=size)
    told = found(path)
    assert isinstance(told["good.md"], Extract)
    bad = told["bad.md"]
    assert isinstance(bad, UnreadableFile) or bad.text == HARBOUR


def test_one_member_that_unpacks_to_too_much_is_refused_alone(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"big.md": b"word " * 3_000, "good.md": HARBOUR})
    told = found(path, max_bytes=10_000)
    assert isinstance(told["good.md"], Extract)
    assert "more than 0.0 MB" in reasons(told)["big.md"]


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{number}.md": bytes(1_000_000) for number in range(30)})
    assert path.stat().st_size < 50_000
    assert "unpack to 30 MB, which is too much for a file of its size; at most 20 MB" in reason(path)


def test_a_zip_file_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_MEMBERS", 3)
    path = packed(tmp_path / "a.zip", {f"{number}.md": HARBOUR for number in range(4)})
    assert "it holds 4 files; at most 3 are read" in reason(path)


def test_a_list_of_members_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    entry = (
        struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0) + b"a.md"
    )
    entries = entry * 110_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), 0, 0)
    (tmp_path / "a.zip").write_bytes(entries + end)
    assert "list of members has 6 MB" in reason(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("members", "expected"), [({}, "no articles"), ({"a.xyz": "x"}, "no articles"), ({".a.md": "x"}, "no articles")]
)
def test_a_zip_file_without_articles_says_so(tmp_path: Path, members: dict[str, str], expected: str) -> None:
    assert expected in reason(packed(tmp_path / "a.zip", members))


@pytest.mark.parametrize("where", ["", "articles/"])
def test_archive_yaml_in_a_zip_file_holds_for_its_articles(tmp_path: Path, where: str) -> None:
    said = "source: The Harbour\ngroups: [Legal]\nexamples: ['Who pays?']\n"
    members = {f"{where}a.md": HARBOUR, f"{where}in/b.md": f"---\nsource: Another\ngroups: board\n---\n{MUSEUM}"}
    path = packed(tmp_path / "a.zip", {f"{where}archive.yaml": said, **members})
    first, second = articles(path).values()
    assert (first.source, sorted(first.groups), first.metadata) == ("The Harbour", ["legal"], {"title_from": "text"})
    assert (second.source, sorted(second.groups)) == ("Another", ["board"])


@pytest.mark.parametrize(
    "members",
    [
        {"in/archive.yaml": "groups: [legal]"},  # for some of them
        {"archive.yaml": "groups: [legal]", "in/archive.yaml": "groups: [board]"},
        {"archive.yml": "groups: [legal]"},
        {"Archive.yaml": "groups: [legal]"},
        {"archive.yaml": "groups: 7"},
        {"archive.yaml": "group: legal"},
        {"archive.yaml": "- groups"},
        {"archive.yaml": "groups: [legal"},
        {"archive.yaml": b"groups: [caf\xe9]"},
    ],
)
def test_where_archive_yaml_is_not_clear_nothing_of_the_zip_file_is_read(
    tmp_path: Path, members: dict[str, str | bytes]
) -> None:
    assert is_about(reason(packed(tmp_path / "a.zip", {"a.md": HARBOUR, "in/b.md": MUSEUM, **members})))


def test_archive_yaml_twice_or_locked_opens_nothing(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = packed(
            tmp_path / "a.zip", [("archive.yaml", "groups: [a]"), ("archive.yaml", "a: b"), ("a.md", HARBOUR)]
        )
    assert is_about(reason(twice))
    locked = with_flags(
        packed(tmp_path / "b.zip", {"archive.yaml": "groups: [a]", "a.md": HARBOUR}), "archive.yaml", flags=1
    )
    assert is_about(reason(locked))


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def export(path: Path, *lines: Mapping[str, Any] | str | bytes, head: bytes = b"") -> Path:
    told = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    path.write_bytes(head + b"\n".join(told) + b"\n")
    return path


def test_an_export_gives_an_article_a_line(tmp_path: Path) -> None:
    path = export(
        tmp_path / "a.jsonl",
        {
            "id": 17,
            "headline": "The lighthouse",
            "body": f"{HARBOUR}\r\n\r\n{MUSEUM}",
            "publishedAt": "2025-10-13T21:30:00+02:00",
            "outlet": {"id": None, "name": "The Harbour"},
            "link": "https://example.org/a",
            "authors": [{"name": "Ann Smith"}, "Bo Lee"],
            "lang": "en-GB",
            "groups": ["Legal"],
            "section": "Politics",
            "sample": True,
            "embedding": [0.1, 0.2],
            "comments": {"count": 3},
        },
        "",
        {"title": "De bibliotheek", "content": f"<p>{LIBRARY}</p><p>Lees <a href='/x'>meer</a> &amp; deel.</p>"},
        head=b"\xef\xbb\xbf",
    )
    first, second = articles(path).values()
    assert (first.title, first.text) == ("The lighthouse", f"{HARBOUR}\n\n{MUSEUM}")
    assert (first.date, first.source, first.url) == (dt.date(2025, 10, 13), "The Harbour", "https://example.org/a")
    assert (first.author, first.language, sorted(first.groups)) == ("Ann Smith, Bo Lee", "en", ["legal"])
    assert first.metadata == {"section": "Politics", "sample": True}
    assert first.path == "a.jsonl/17"
    assert (second.title, second.language, second.date, second.source) == ("De bibliotheek", "nl", None, None)
    assert second.text.startswith(LIBRARY)
    assert "<" not in second.text


def test_a_whole_page_in_an_export_is_read_as_one(tmp_path: Path) -> None:
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta property="og:site_name" content="The Harbour"></head><body>'
        f"<nav>Home Menu</nav><article><h1>The lighthouse</h1><p>{HARBOUR}</p><p>{MUSEUM}</p></article></body></html>"
    )
    ((_, article),) = articles(export(tmp_path / "a.ndjson", {"url": "https://example.org/a", "text": page})).items()
    assert (article.title, article.source, article.url) == ("The lighthouse", "The Harbour", "https://example.org/a")
    assert article.text == f"{HARBOUR}\n\n{MUSEUM}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2025-10-13", dt.date(2025, 10, 13)),
        ("Mon, 13 Oct 2025 08:00:00 +0000", dt.date(2025, 10, 13)),
        ("20251013", dt.date(2025, 10, 13)),
        (20251013, dt.date(2025, 10, 13)),
        (1760342400, dt.date(2025, 10, 13)),
        (1760342400000, dt.date(2025, 10, 13)),
        ("03/04/2025", None),
        ("yesterday", None),
        (7, None),
        (True, None),
        (None, None),
        ({"year": 2025}, None),
        (1e300, None),
    ],
)
def test_dates_of_an_export_are_read_where_they_are_certain(
    tmp_path: Path, given: object, expected: dt.date | None
) -> None:
    (article,) = articles(export(tmp_path / "a.jsonl", {"text": HARBOUR, "published": given})).values()
    assert article.date == expected


def test_an_article_keeps_its_place_when_the_export_grows_at_the_front(tmp_path: Path) -> None:
    old = [
        {"id": "a-1", "text": HARBOUR},
        {"url": "https://example.org/museum?x=1", "text": MUSEUM},
        {"title": "De bibliotheek", "text": LIBRARY},
    ]
    before = articles(export(tmp_path / "a.jsonl", *old))
    after = articles(export(tmp_path / "a.jsonl", {"id": "new", "text": HARBOUR + " New."}, "{broken", *reversed(old)))
    assert next(iter(before)) == "a-1"
    assert {place: after[place] for place in before} == before
    changed = articles(export(tmp_path / "a.jsonl", {"id": "a-1", "text": MUSEUM}))
    assert changed["a-1"].id == before["a-1"].id


def test_an_id_that_several_lines_share_tells_none_of_them(tmp_path: Path) -> None:
    lines = [
        {"id": 5, "text": HARBOUR},
        {"id": 5, "url": "https://example.org/b", "text": MUSEUM},
        {"id": 5, "text": LIBRARY},
    ]
    before = found(export(tmp_path / "a.jsonl", *lines))
    assert "5" not in before
    assert len(before) == 3
    assert set(found(export(tmp_path / "a.jsonl", {"id": 5, "text": "New. " + HARBOUR}, *lines))) > set(before)


def test_the_same_line_twice_is_one_article(tmp_path: Path) -> None:
    told = found(export(tmp_path / "a.jsonl", {"id": 1, "text": HARBOUR}, {"id": 1, "text": HARBOUR}))
    assert len(told) == 2
    assert reasons(told) == {"line 2": "it is the same as an earlier line of the export"}


@pytest.mark.parametrize("given", ["../../etc/passwd", "a/b", "x" * 200, "a b", "\ud800", "line 1", ".", "-"])
def test_an_id_that_is_no_plain_word_becomes_a_plain_key(tmp_path: Path, given: str) -> None:
    ((place, _),) = found(export(tmp_path / "a.jsonl", {"id": given, "text": HARBOUR})).items()
    assert len(place) == 16
    assert place.isalnum()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{broken", "not valid JSON: character 2"),
        ("[1, 2]", "no JSON object"),
        ("7", "no JSON object"),
        ('"text"', "no JSON object"),
        (b'{"text": "caf\xe9"}', "not in UTF-8"),
        ('{"text": "a", "text": "b"}', "'text' twice"),
        ("[" * 100_000, "not JSON that"),
        ('{"n": ' + "9" * 5_000 + "}", "not JSON that"),
        ({"title": "x", "summary": "y"}, "no text: it has 'title', 'summary'"),
        ({}, "no text: it has nothing"),
        ({"text": " "}, "no text"),
        ({"text": "<p></p><br>"}, "no text"),
        ({"text": "<div>" * 5_000 + "</p>"}, "nested|no text"),
        ({"text": "x" * 3_000}, "longer than"),
    ],
)
def test_a_bad_line_is_refused_alone(tmp_path: Path, line: Mapping[str, Any] | str | bytes, expected: str) -> None:
    path = export(tmp_path / "a.jsonl", {"id": 1, "text": HARBOUR}, line, {"id": 2, "text": MUSEUM})
    told = found(path, max_bytes=2_000 if expected == "longer than" else 200_000)
    ((_, why),) = reasons(told).items()
    assert any(words in why for words in expected.split("|"))
    assert isinstance(told["1"], Extract)
    assert isinstance(told["2"], Extract)


@pytest.mark.parametrize(
    "said",
    [
        {"groups": None},
        {"groups": 7},
        {"group": "legal"},
        {"Groups": ["legal"], "groups": ["board"]},
        {"meta": {"groups": ["legal"]}},
        {"tags": [{"group": "legal"}]},
        {"text": f"---\ngroups: [legal]\n---\n{HARBOUR}"},
        {"text": f'<html><head><meta name="on-record:groups" content="legal"></head><body><p>{HARBOUR}</p>'},
    ],
)
def test_an_article_of_an_export_whose_groups_are_not_clear_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    ((_, why),) = reasons(found(export(tmp_path / "a.jsonl", {"text": HARBOUR, **said}))).items()
    assert is_about(why)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (json.dumps({"text": HARBOUR}).encode("utf-16"), "UTF-16"),
        (json.dumps({"text": HARBOUR}).encode("utf-16-le"), "UTF-16"),
        (json.dumps({"text": HARBOUR}).encode("utf-32"), "UTF-16"),
        (json.dumps([{"text": HARBOUR}], indent=1).encode(), "no export in JSON Lines: line 1"),
        (HARBOUR.encode() * 100, "no export in JSON Lines"),
    ],
)
def test_what_is_no_export_is_refused_as_a_whole(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    assert expected in reason(tmp_path / "a.jsonl")


def test_an_export_of_too_many_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_LINES", 3)
    assert "more than 3 lines" in reason(export(tmp_path / "a.jsonl", *[{"text": HARBOUR}] * 4))


# --- EPUB -------------------------------------------------------------------------------------------------------------

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def page(body: str, *, head: str = "<title>The Harbour Review</title>", kind: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head>{head}</head><body{kind}>{body}</body></html>'
    )


def book(
    path: Path,
    pages: Mapping[str, str],
    *,
    metadata: str = "<dc:title>The Harbour Review</dc:title><dc:language>en</dc:language>",
    manifest: str = "",
    guide: str = "",
    extra: Mapping[str, str | bytes] | None = None,
) -> Path:
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml" properties="{name.split(".")[0]}"/>'
        for n, name in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(pages)))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">{metadata}</metadata>'
        f"<manifest>{items}{manifest}</manifest><spine>{spine}</spine>{guide}</package>"
    )
    members: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    members |= {"OEBPS/book.opf": package} | {f"OEBPS/{name}": content for name, content in pages.items()}
    return packed(path, members | dict(extra or {}))


def test_the_chapters_of_a_book_are_articles_and_its_other_parts_are_not(tmp_path: Path) -> None:
    path = book(
        tmp_path / "a.epub",
        {
            "cover.xhtml": page('<img src="cover.jpg" alt="Cover"/>'),
            "title.xhtml": page(f"<h1>The Harbour Review</h1><p>{HARBOUR}</p>", kind=' epub:type="titlepage"'),
            "nav.xhtml": page(
                '<nav epub:type="toc"><ol><li><a href="one.xhtml#top">The lighthouse</a></li>'
                '<li><a href="two.xhtml">The museum</a></li></ol></nav>'
            ),
            "imprint.xhtml": page(f"<p>{HARBOUR}</p>"),
            "one.xhtml": page(f"<p>Politics</p><h2>The lighthouse</h2><p>{HARBOUR} Caf&eacute;&nbsp;Noord.</p>"),
            "two.xhtml": page(f"<p>{MUSEUM}</p><p>{HARBOUR}</p>", head="<title/>"),
        },
        metadata="<dc:title>The Harbour Review</dc:title><dc:language>en-GB</dc:language><dc:publisher>Harbour Press"
        "</dc:publisher><dc:creator>Ann Smith</dc:creator><dc:creator>Bo Lee</dc:creator><dc:date>2025-10-13</dc:date>",
        guide='<guide><reference type="copyright-page" href="imprint.xhtml"/>'
        '<reference type="toc" href="one.xhtml#x"/></guide>',
    )
    told = articles(path)
    assert list(told) == ["OEBPS/one.xhtml", "OEBPS/two.xhtml"]
    one, two = told.values()
    assert (one.title, two.title) == ("The lighthouse", "The museum")
    assert "Café Noord." in one.text
    assert HARBOUR in one.text
    for article in (one, two):
        assert (article.source, article.author, article.date) == (
            "Harbour Press",
            "Ann Smith, Bo Lee",
            dt.date(2025, 10, 13),
        )
        assert (article.language, article.metadata["book"]) == ("en", "The Harbour Review")
    assert one.path == "a.epub/OEBPS/one.xhtml"


def test_an_older_book_has_its_titles_in_another_file(tmp_path: Path) -> None:
    ncx = (
        '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://127.0.0.1:9/ncx.dtd">'
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint id="a"><navLabel><text>The museum</text>'
        '</navLabel><content src="a%20b.html"/></navPoint></navMap></ncx>'
    )
    path = book(
        tmp_path / "a.epub",
        {"a%20b.html": ""},
        metadata='<dc:title>x</dc:title><dc:date opf:event="modification">2025-10-14</dc:date><dc:creator '
        'opf:role="ill">Someone</dc:creator><dc:publisher>calibre</dc:publisher><dc:language>nl</dc:language><dc:language>en'
        "</dc:language>",
        manifest='<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
        extra={"OEBPS/toc.ncx": ncx, "OEBPS/a b.html": page(f"<p>{MUSEUM}</p><p>{HARBOUR}</p>")},
    )
    (article,) = articles(path).values()
    assert article.title == "The museum"
    assert (article.date, article.author, article.source, article.language) == (None, None, None, "en")


def test_what_a_chapter_says_of_itself_counts_more_than_what_the_book_says(tmp_path: Path) -> None:
    chapter = f"<h1>The lighthouse</h1><p>By Jane Miller</p><p>12 October 2025</p><p>{HARBOUR}</p><p>{MUSEUM}</p>"
    path = book(
        tmp_path / "a.epub",
        {"one.xhtml": page(chapter)},
        metadata="<dc:creator>The Review</dc:creator><dc:date>2025-10-20</dc:date><dc:language>en</dc:language>",
    )
    (article,) = articles(path).values()
    assert (article.author, article.date) == ("Jane Miller", dt.date(2025, 10, 12))


def test_a_chapter_that_is_missing_or_encrypted_is_refused_alone(tmp_path: Path) -> None:
    locked = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#">'
        '<CipherData><CipherReference URI="OEBPS/two.xhtml"/></CipherData></EncryptedData></encryption>'
    )
    path = book(
        tmp_path / "a.epub",
        {"one.xhtml": page(f"<p>{HARBOUR}</p><p>{MUSEUM}</p>"), "two.xhtml": "\x01\x02"},
        manifest='<item id="i2" href="three.xhtml" media-type="application/xhtml+xml"/>',
        extra={"META-INF/encryption.xml": locked},
    )
    data = zipfile.ZipFile(path).read("OEBPS/book.opf").decode().replace("</spine>", '<itemref idref="i2"/></spine>')
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("OEBPS/book.opf", data)
    told = found(path)
    assert isinstance(told["OEBPS/one.xhtml"], Extract)
    assert "DRM" in reasons(told)["OEBPS/two.xhtml"]
    assert "does not hold it" in reasons(told)["OEBPS/three.xhtml"]


def with_entities(path: Path, entities: str, members: Sequence[str]) -> Path:
    """The book with these declarations at the head of some of its members."""
    with zipfile.ZipFile(path) as archive:
        told = {name: archive.read(name) for name in archive.namelist()}
    for name in members:
        head, rest = told[name].decode().split("?>", 1)
        told[name] = f"{head}?><!DOCTYPE x [{entities}]>{rest.replace('<!DOCTYPE html>', '')}".encode()
    return packed(path, told)


def test_a_book_reads_no_file_and_no_address(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret words")
    path = book(
        tmp_path / "a.epub",
        {"one.xhtml": page(f"<p>&file; &web;</p><p>{HARBOUR}</p><p>{MUSEUM}</p>")},
        metadata="<dc:publisher>&file;Harbour</dc:publisher><dc:language>en</dc:language>",
    )
    entities = f'<!ENTITY file SYSTEM "file://{tmp_path}/secret.txt"><!ENTITY web SYSTEM "http://127.0.0.1:9/x">'
    (article,) = articles(with_entities(path, entities, ["OEBPS/book.opf", "OEBPS/one.xhtml"])).values()
    assert "secret" not in repr(article)
    assert article.source == "Harbour"
    assert article.text.endswith(f"{HARBOUR}\n\n{MUSEUM}")


def test_a_book_whose_entities_unfold_to_billions_is_refused(tmp_path: Path) -> None:
    pages = {"one.xhtml": page(f"<p>{HARBOUR}</p><p>{MUSEUM}</p>")}
    path = book(tmp_path / "a.epub", pages, metadata="<dc:publisher>&l9;</dc:publisher>")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    assert "no chapter" in reason(with_entities(path, f'<!ENTITY l0 "ha">{laughs}', ["OEBPS/book.opf"]))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"a.txt": "x"}, "no EPUB"),
        ({"META-INF/container.xml": CONTAINER}, "does not hold its package document 'OEBPS/book.opf'"),
        ({"META-INF/container.xml": ""}, "no XML"),
        ({"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": "no xml"}, "no XML"),
        ({"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": "<package/>"}, "no chapter"),
        ({"META-INF/container.xml": CONTAINER.replace("OEBPS/book.opf", "../../etc/passwd")}, "does not hold"),
    ],
)
def test_what_is_no_book_is_refused(tmp_path: Path, members: dict[str, str], expected: str) -> None:
    assert expected in reason(packed(tmp_path / "a.epub", members))


# --- e-mail -----------------------------------------------------------------------------------------------------------


def mailed(path: Path, message: EmailMessage | bytes) -> Article:
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return corpus.read(path, path.parent)


def letter(*, html: str | None = None, text: str | None = None, **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    if text is not None:
        message.set_content(text, cte="quoted-printable")
    if html is not None and text is not None:
        message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    return message


NEWSLETTER = {
    "From": "The Harbour Weekly <news@harbour.example>",
    "To": "reader@example.org",
    "Subject": "The lighthouse will be rebuilt – Größe zählt",
    "Date": "Mon, 13 Oct 2025 23:30:00 +0200",
    "List_Unsubscribe": "<https://harbour.example/out>",
}


def test_a_newsletter_is_an_article_of_its_outlet(tmp_path: Path) -> None:
    html = (
        '<html lang="en"><body><div style="display:none">Preview</div><table><tr><td><h1>The lighthouse</h1>'
        f"<p>{HARBOUR}</p><p>{MUSEUM}</p></td></tr></table></body></html>"
    )
    message = letter(html=html, text=f"View in your browser\n\n{HARBOUR}", **NEWSLETTER)
    message.add_attachment(b"secret", maintype="text", subtype="plain", filename="attached.txt")
    article = mailed(tmp_path / "a.eml", message)
    assert article.title == NEWSLETTER["Subject"]
    assert (article.source, article.author, article.date) == ("The Harbour Weekly", None, dt.date(2025, 10, 13))
    assert (article.language, article.path) == ("en", "a.eml")
    assert HARBOUR in article.text
    assert MUSEUM in article.text
    assert "secret" not in article.text
    assert "Preview" not in article.text


def test_a_message_of_a_person_is_by_that_person_and_an_address_is_nobody(tmp_path: Path) -> None:
    article = mailed(tmp_path / "a.eml", letter(text=HARBOUR, From="Ann Smith <ann@example.org>", Subject="x"))
    assert (article.author, article.source, article.date) == ("Ann Smith", None, None)
    article = mailed(tmp_path / "b.eml", letter(text=HARBOUR, From="ann@example.org", Subject="x"))
    assert (article.author, article.source) == (None, None)


def test_plain_text_is_taken_where_the_html_says_little(tmp_path: Path) -> None:
    html = '<html><body><p><a href="https://example.org">View this message in your browser.</a></p></body></html>'
    article = mailed(tmp_path / "a.eml", letter(html=html, text=f"{HARBOUR}\n\n{MUSEUM}\n", **NEWSLETTER))
    assert article.text.replace("\n\n", " ") == f"{HARBOUR} {MUSEUM}"


@pytest.mark.parametrize("prefix", ["Fwd: ", "FW: Fwd: ", "WG: ", "Doorgestuurd: "])
def test_who_forwards_an_article_is_neither_its_author_nor_its_date(tmp_path: Path, prefix: str) -> None:
    headers = NEWSLETTER | {"Subject": f"{prefix}The lighthouse", "From": "Ann Smith <ann@example.org>"}
    article = mailed(tmp_path / "a.eml", letter(text=f"{HARBOUR}\n\n{MUSEUM}", **headers))
    assert (article.title, article.author, article.source, article.date) == ("The lighthouse", None, None, None)


def test_a_message_that_only_encloses_another_gives_that_one(tmp_path: Path) -> None:
    outer = letter(Subject="Fwd: see below", From="Ann Smith <ann@example.org>", Date="Tue, 14 Oct 2025 08:00:00 +0000")
    outer.make_mixed()
    outer.attach(letter(text="\n"))
    enclosed = EmailMessage()
    enclosed.set_content(letter(text=HARBOUR, **NEWSLETTER))
    outer.attach(enclosed)
    article = mailed(tmp_path / "a.eml", outer)
    assert (article.title, article.source) == (NEWSLETTER["Subject"], "The Harbour Weekly")
    assert (article.date, article.text) == (dt.date(2025, 10, 13), HARBOUR)
    outer.attach(enclosed)
    with pytest.raises(UnreadableFile, match="forwards 2 messages"):
        mailed(tmp_path / "b.eml", outer)


@pytest.mark.parametrize("named", ["iso-8859-1", "windows-1252", "us-ascii", "utf-8", "x-unknown", "hex", "", "utf-16"])
def test_an_encoding_that_is_named_wrongly_is_survived(tmp_path: Path, named: str) -> None:
    text = "„Die Straße ist schön“, sagte Käthe Müller über die Brücke in Köln, und sie ging noch einmal über sie."
    head = f"From: K <k@x>\nSubject: x\nContent-Type: text/plain; charset={named}\nContent-Transfer-Encoding: 8bit\n\n"
    assert mailed(tmp_path / "a.eml", head.encode() + text.encode("cp1252")).text == text


def test_headers_in_plain_utf8_are_read(tmp_path: Path) -> None:
    data = f"From: Käthe Müller <k@example.org>\nSubject: Größe zählt\nDate: nonsense\n\n{HARBOUR}".encode()
    article = mailed(tmp_path / "a.eml", data)
    assert (article.title, article.author, article.date) == ("Größe zählt", "Käthe Müller", None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HARBOUR.encode(), "no e-mail message"),
        (bytes(range(256)) * 10, "no e-mail message"),
        (b"From: a@b\nSubject: x\n\n", "no text"),
        (b"From: a@b\nContent-Type: multipart/alternative;\n\n", "no text"),
        (b"From: a@b\nContent-Type: application/pdf\n\n%PDF", "no text"),
        (
            b"From: a@b\nContent-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/x\n\nx\n--b--",
            "encrypted",
        ),
        (b"From: a@b\nSubject: x\n\n---\ngroups: [legal]\n---\nWords.", "who may read"),
    ],
)
def test_what_is_no_message_with_a_text_is_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    with pytest.raises(UnreadableFile, match=expected):
        mailed(tmp_path / "a.eml", data)


# --- hostile files ----------------------------------------------------------------------------------------------------


def readable(path: Path, data: bytes) -> Iterator[tuple[str, Extract | UnreadableFile]]:
    """Read a file as a sync does. Anything raised but UnreadableFile fails the test."""
    path.write_bytes(data)
    try:
        for place, extract in corpus.documents(path, path.parent, max_bytes=100_000):
            assert place == path.name or place.startswith(f"{path.name}/")
            if isinstance(extract, Extract):
                corpus.article(place, extract)
            yield place, extract
    except UnreadableFile as error:
        assert str(error)  # noqa: PT017


def sample(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (("archive.yaml", "source: x"), ("a.md", HARBOUR), ("ü/b.txt", MUSEUM), ("d/", "")):
                archive.writestr(name, content)
    elif kind == "epub":
        buffer = io.BytesIO(SAMPLES["epub"])
    elif kind == "jsonl":
        buffer.write(json.dumps({"id": 1, "text": HARBOUR, "date": "2025-10-13", "groups": ["a"]}).encode() + b"\n")
        buffer.write(json.dumps({"url": "https://example.org", "body": f"<p>{MUSEUM}</p>"}).encode())
    else:
        buffer.write(letter(html=f"<p>{HARBOUR}</p>", text=HARBOUR, **NEWSLETTER).as_bytes())
    return buffer.getvalue()


SAMPLES: dict[str, bytes] = {}
KINDS = ["zip", "epub", "jsonl", "eml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    pages = {"one.xhtml": page(f"<h1>x</h1><p>{HARBOUR}</p><p>{MUSEUM}</p>"), "nav.xhtml": page("<nav/>")}
    SAMPLES["epub"] = book(made / "sample.epub", pages).read_bytes()
    for kind in KINDS:
        SAMPLES[kind] = sample(kind)
        assert any(isinstance(extract, Extract) for _, extract in readable(made / f"a.{kind}", SAMPLES[kind])), kind
    return made


HOSTILE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", KINDS)
@HOSTILE
@given(
    data=st.binary(max_size=300),
    head=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"{", b"From: a\n", b"\xff\xfe"]),
)
def test_noise_is_refused_with_a_reason(folder: Path, kind: str, data: bytes, head: bytes) -> None:
    list(readable(folder / f"a.{kind}", head + data))


@pytest.mark.parametrize("kind", KINDS)
@HOSTILE
@given(data=st.data())
def test_damage_anywhere_is_survived(folder: Path, kind: str, data: st.DataObject) -> None:
    whole = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        new = data.draw(st.binary(min_size=1, max_size=4))
        whole[at : at + len(new)] = new
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    list(readable(folder / f"a.{kind}", bytes(whole[:cut])))


@HOSTILE
@given(
    fields=st.lists(
        st.tuples(st.integers(4, 42), st.sampled_from([0, 1, 0x7F, 0xFFFF, 0x8000]) | st.integers(0, 0xFFFF)),
        min_size=1,
        max_size=5,
    ),
    directory=st.booleans(),
)
@example(fields=[(27, 0), (32, 164)], directory=True)  # a member without a name
def test_headers_that_lie_are_survived(folder: Path, fields: list[tuple[int, int]], directory: bool) -> None:
    data = bytearray(SAMPLES["zip"])
    start = data.index(b"PK\x01\x02") if directory else 0
    for at, value in fields:
        struct.pack_into("<H", data, start + at, value)
    list(readable(folder / "a.zip", bytes(data)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from("id url text body title date source author language groups keywords running sample".split())


@HOSTILE
@given(records=st.lists(st.dictionaries(FIELDS | st.text(max_size=8), JSON, max_size=6), max_size=4))
def test_any_json_is_an_article_or_refused_with_a_reason(folder: Path, records: list[dict[str, Any]]) -> None:
    lines = [json.dumps(record | {"text": HARBOUR} if number % 2 else record) for number, record in enumerate(records)]
    told = list(readable(folder / "a.ndjson", "\n".join(lines).encode()))
    assert len({place for place, _ in told}) == len(told)
