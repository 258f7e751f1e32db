"""Articles added and removed through the web application: what is taken, under which name, what is refused and why."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import sys
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import ROOT, Served, Server
from sites import ALLOWED, Page, site
from stories import HARBOUR

from rag import Assistant
from rag.settings import Settings
from rag.web.problems import Refused
from rag.web.uploads import LONGEST_NAME, SUFFIXES, file_name, uploads_html
from rag.web.wordings import texts_for

LIBRARY = """---
title: Bibliotheek krijgt nieuwe vleugel
language: nl
---
De bibliotheek van Oudemeer krijgt een nieuwe vleugel met ruimte voor twintigduizend boeken.

Wethouder Pim Zandstra zei dat de bouw in het voorjaar begint en vier miljoen euro kost.
"""
SHIPS = "How many ships waited outside the breakwater?"


@dataclass(frozen=True)
class Reply:
    status: int
    kind: str
    told: Any
    location: str | None


@dataclass(frozen=True)
class Desk:
    """A served archive to which articles may be added."""

    served: Served
    assistant: Assistant

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.served.host, self.served.port, timeout=60)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        content = response.read()
        kind = response.getheader("content-type", "")
        told = json.loads(content) if "json" in kind else content.decode()
        connection.close()
        return Reply(response.status, kind, told, response.getheader("location"))

    def add(self, name: str, content: str | bytes) -> Reply:
        data = content.encode() if isinstance(content, str) else content
        return self.send("POST", f"/api/uploads?name={quote(name)}", data)

    def names(self) -> list[str]:
        return [item["name"] for item in self.send("GET", "/api/uploads").told["uploads"]]

    def kept(self) -> list[str]:
        """Everything in the folder for uploads, hidden files too."""
        folder = self.assistant.corpus / "uploads"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    (home / "corpus").mkdir()
    (home / "corpus" / "library.md").write_text(LIBRARY, encoding="utf-8")
    (home / "corpus" / "archive.yaml").write_text("sample: true\nsource: The Folder\n", encoding="utf-8")
    with Assistant(corpus=home / "corpus", index=home / "index") as assistant:
        assistant.sync()
        with Server(assistant, Settings(uploads=True, root_path="/press")) as served:
            yield Desk(served, assistant)


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """A desk with nothing added yet."""
    shutil.rmtree(opened.assistant.corpus / "uploads", ignore_errors=True)
    opened.assistant.sync()
    return opened


def test_an_added_article_can_be_asked_about_at_once_and_removed_again(desk: Desk) -> None:
    reply = desk.add("Harbour news.md", HARBOUR)
    assert reply.status == 201
    article = reply.told["article"]
    assert article["title"] == "Harbour reopens"
    assert article["path"] == "uploads/Harbour news.md"
    assert reply.location == f"/press/article/{article['id']}"
    answer = desk.assistant.ask(SHIPS)
    assert "forty ships" in answer.citations[0].quote
    assert desk.send("GET", "/api/uploads").told == {"uploads": [{"name": "Harbour news.md", "article": article}]}

    assert desk.send("DELETE", f"/api/uploads/{quote('Harbour news.md')}").status == 204
    assert not desk.assistant.ask(SHIPS).found
    assert desk.assistant.article(article["id"]) is None
    assert (desk.names(), desk.kept()) == ([], [])


def test_what_the_folder_says_of_its_files_is_not_said_of_an_upload(desk: Desk) -> None:
    told = desk.add("plain.txt", HARBOUR.split("---")[2]).told["article"]
    assert (told["sample"], told["source"]) == (False, None)
    samples = {article.path: article.sample for article in desk.assistant.articles()}
    assert samples == {"library.md": True, "uploads/plain.txt": False}


def test_an_e_mail_message_can_be_added(desk: Desk) -> None:
    text = HARBOUR.split("---")[2].strip()
    reply = desk.add("Mail.EML", f"From: Ann <a@example.org>\nSubject: Harbour reopens\nMIME-Version: 1.0\n\n{text}\n")
    assert reply.status == 201
    assert (reply.told["article"]["path"], reply.told["article"]["author"]) == ("uploads/Mail.eml", "Ann")


def test_a_second_file_of_the_same_name_stands_beside_the_first(desk: Desk) -> None:
    desk.add("news.md", HARBOUR)
    reply = desk.add("NEWS.md", HARBOUR.replace("forty", "sixty"))
    assert reply.told["article"]["path"] == "uploads/NEWS-2.md"
    assert desk.names() == ["NEWS-2.md", "news.md"]


@pytest.mark.parametrize(
    ("name", "content", "status", "detail"),
    [
        ("empty.md", "", 422, "empty"),
        ("broken.pdf", b"%PDF-1.7 and then nothing of the kind", 422, "cannot be read as an article"),
        ("fake.docx", "no archive at all", 422, "cannot be read as an article"),
        ("blank.txt", " \n ", 422, "empty"),
        ("program.exe", "MZ", 415, ".docx, .eml, .htm, .html, .markdown, .md, .pdf, .txt"),
        ("dump.zip", b"PK", 415, "several articles"),
        ("book.EPUB", b"PK", 415, "several articles"),
        ("export.jsonl", "{}", 415, "several articles"),
        ("no suffix", HARBOUR, 415, "no suffix"),
        ("", HARBOUR, 415, "no suffix"),
        (".md", HARBOUR + " ", 201, ""),
        ("copy.md", LIBRARY, 409, "“Bibliotheek krijgt nieuwe vleugel” (library.md)"),
    ],
)
def test_what_is_no_article_or_a_copy_is_refused_in_plain_words_and_not_kept(
    desk: Desk, name: str, content: str | bytes, status: int, detail: str
) -> None:
    reply = desk.add(name, content)
    assert reply.status == status
    if status == 201:
        assert desk.names() == ["article.md"]
        return
    assert reply.kind == "application/problem+json"
    assert reply.told["status"] == status
    assert detail in reply.told["detail"]
    assert reply.told["detail"][0].isupper()
    assert reply.told["detail"].endswith(".")
    assert desk.kept() == []
    assert desk.assistant.skipped() == []


@pytest.mark.parametrize("name", ["../library.md", "..%2Flibrary.md", "library.md", "uploads", ".", "..", "none.md"])
def test_only_what_was_added_can_be_removed(desk: Desk, name: str) -> None:
    desk.add("news.md", HARBOUR)
    assert desk.send("DELETE", f"/api/uploads/{name}").status in (404, 405)
    assert len(desk.assistant.articles()) == 2
    assert desk.names() == ["news.md"]


@pytest.mark.parametrize(
    "name", ["../../escape.md", "..\\..\\escape.md", "/etc/escape.md", "C:\\escape.md", ".escape.md"]
)
def test_a_path_in_the_name_leads_nowhere(desk: Desk, name: str) -> None:
    assert desk.add(name, HARBOUR).told["article"]["path"] == "uploads/escape.md"
    assert desk.kept() == ["escape.md"]


def test_the_limit_for_uploads_is_20_mb_and_for_all_else_stays_at_1_mb(desk: Desk) -> None:
    long = HARBOUR + "\n" + "<!-- " + "x" * 1_500_000 + " -->\n"
    assert desk.add("long.md", long).status == 201
    assert desk.add("longer.md", b"x" * 20_000_001).status == 413
    assert desk.send("POST", "/api/feedback", b"x" * 1_000_001).status == 413
    assert desk.send("POST", "/api/uploads/x", b"x" * 1_000_001).status == 413


def test_another_site_may_neither_add_nor_remove(desk: Desk) -> None:
    desk.add("news.md", HARBOUR)
    origin = "https://evil.example"
    assert desk.send("POST", "/api/uploads?name=a.md", LIBRARY.encode(), Origin=origin).status == 403
    assert desk.send("DELETE", "/api/uploads/news.md", Origin=origin).status == 403
    assert desk.names() == ["news.md"]


def test_several_at_once_are_taken_one_after_the_other(desk: Desk) -> None:
    stories = [HARBOUR.replace("Lindmouth", f"Lindmouth{number}") for number in range(4)]
    replies: list[Reply] = []
    sending = [threading.Thread(target=lambda s=story: replies.append(desk.add("news.md", s))) for story in stories]
    for thread in sending:
        thread.start()
    for thread in sending:
        thread.join()
    assert [reply.status for reply in replies] == [201] * 4
    assert desk.names() == ["news-2.md", "news-3.md", "news-4.md", "news.md"]
    assert {reply.told["article"]["path"] for reply in replies} == {f"uploads/{name}" for name in desk.names()}


def test_a_corpus_that_cannot_be_written_to_is_said(desk: Desk) -> None:
    (desk.assistant.corpus / "uploads").write_text("in the way")
    try:
        reply = desk.add("news.md", HARBOUR)
    finally:
        (desk.assistant.corpus / "uploads").unlink()
    assert (reply.status, reply.kind) == (507, "application/problem+json")
    assert "cannot be written to" in reply.told["detail"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_in_place_of_the_folder_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    link = desk.assistant.corpus / "uploads"
    link.symlink_to(tmp_path)
    try:
        reply = desk.add("news.md", HARBOUR)
        assert desk.names() == []
    finally:
        link.unlink()
    assert reply.status == 507
    assert "link" in reply.told["detail"]
    assert list(tmp_path.iterdir()) == []


def test_while_another_process_writes_nothing_changes_and_it_is_said(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    (corpus / "uploads").mkdir(parents=True)
    (corpus / "uploads" / "old.md").write_text(HARBOUR, encoding="utf-8")
    with Assistant(corpus=corpus, index=tmp_path / "index") as writer:
        writer.sync()
        with (
            Assistant(corpus=corpus, index=tmp_path / "index") as reader,
            Server(reader, Settings(uploads=True)) as served,
        ):
            desk = Desk(served, reader)
            added, removed = desk.add("new.md", LIBRARY), desk.send("DELETE", "/api/uploads/old.md")
            assert desk.kept() == ["old.md"]
            assert desk.names() == ["old.md"]
    for reply in (added, removed):
        assert reply.status == 503
        assert "another process is writing" in reply.told["detail"]


def test_without_the_setting_there_are_no_uploads(server: Served, starter: Assistant) -> None:
    desk = Desk(server, starter)
    assert desk.add("news.md", HARBOUR).status in (404, 405)
    assert desk.send("GET", "/api/uploads").status == 404
    assert desk.send("DELETE", "/api/uploads/x.md").status in (404, 405)
    assert desk.add("news.md", b"x" * 1_000_001).status == 413
    assert not (ROOT / "corpus" / "uploads" / "news.md").exists()


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Köln: „Streit“ um KI?.PDF", "Köln- „Streit“ um KI-.pdf"),
        ("cafe\u0301.md", "café.md"),
        ("a\tb\nc\x00\x1b.md", "a b c.md"),
        ("innocent\u202efdp.md", "innocentfdp.md"),
        ("...hidden.md", "hidden.md"),
        ("~$lock.docx", "$lock.docx"),
        ("CON.md", "_CON.md"),
        ("nul.tar.md", "_nul.tar.md"),
        ("lpt¹.md", "_lpt¹.md"),
        ("console.md", "console.md"),
        ("trailing . .md", "trailing.md"),
        ("name.md. ", "name.md"),
        ("stream.md:x.md", "stream.md-x.md"),
        ("新聞.html", "新聞.html"),
        ("a/b\\c.txt", "c.txt"),
    ],
)
def test_a_name_stays_readable_and_fits_any_system(given: str, kept: str) -> None:
    assert file_name(given) == kept


@given(st.text(max_size=400), st.sampled_from(sorted(SUFFIXES)))
def test_any_name_becomes_one_that_is_safe_or_is_refused(text: str, suffix: str) -> None:
    name = file_name(text + suffix)
    assert Path(name).suffix == suffix
    assert Path(name).name == name
    assert not set(name) & set('<>:"/\\|?*')
    assert not name.startswith((".", " ", "~"))
    assert not [char for char in name if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert len(name.encode()) <= LONGEST_NAME + 10
    assert unicodedata.is_normalized("NFC", name)
    assert file_name(name) == name
    with contextlib.suppress(Refused):
        assert Path(file_name(text)).suffix in SUFFIXES


@pytest.mark.parametrize("language", ["nl", "de", "en"])
def test_the_drop_zone_is_one_line_of_markup_that_says_formats_and_limit(language: str) -> None:
    content = uploads_html(texts_for(language))
    assert "\n" not in content
    assert f'accept="{",".join(sorted(SUFFIXES))}"' in content
    assert "20 MB" in content
    assert "{" not in content.replace(content[content.index("data-texts") : content.index("data-address")], "")


# By their address


PAGE = """<!DOCTYPE html><html lang="en"><head><title>Crane comes down</title></head><body><article>
<h1>Crane comes down</h1><p>The old harbour crane of Ostmark will be taken down in May, said Lena Vosskamp.</p>
<p>The steel goes to a foundry in the north, which pays ninety crowns for it.</p></article></body></html>"""
STEEL = "Who pays ninety crowns for the steel of the crane?"


@pytest.fixture
def fetching(desk: Desk) -> Iterator[Desk]:
    """The desk where articles may be added by their address, from this machine too."""
    shutil.rmtree(desk.assistant.corpus / "added", ignore_errors=True)
    settings = Settings(uploads=True, add_urls=True, fetch_addresses=ALLOWED, rate=0)
    with Server(desk.assistant, settings) as served:
        yield Desk(served, desk.assistant)


def fetched(desk: Desk, url: object, **headers: str) -> Reply:
    body = json.dumps({"url": url}).encode()
    return desk.send("POST", "/api/uploads/addresses", body, Content_Type="application/json", **headers)


def test_an_article_is_added_by_its_address_listed_and_removed_like_a_file(fetching: Desk) -> None:
    with site({"/crane.html": Page(PAGE.encode())}) as news:
        url = news.at("/crane.html")
        reply = fetched(fetching, url)
        again = fetched(fetching, url)
    assert (reply.status, again.status) == (201, 201)
    (article,) = reply.told["articles"]
    assert (article["title"], article["url"]) == ("Crane comes down", url)
    assert article["path"].startswith("added/")
    assert again.told == reply.told
    assert "foundry" in fetching.assistant.ask(STEEL).citations[0].quote
    fetching.add("harbour.md", HARBOUR)
    name = article["path"].rpartition("/")[2]
    assert set(fetching.names()) == {"harbour.md", name}
    assert fetching.send("DELETE", f"/api/uploads/{quote(name)}").status == 204
    assert fetching.names() == ["harbour.md"]
    assert not fetching.assistant.ask(STEEL).found


@pytest.mark.parametrize(
    ("url", "status", "detail"),
    [
        ("ftp://example.org/a", 422, "not the address of a page"),
        ("http://10.0.0.1/", 422, "no public address"),
        ("", 422, "not the address of a page"),
        ("http://" + "a" * 2_000, 422, "url"),
        (None, 422, "url"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line_and_nothing_is_kept(
    fetching: Desk, url: object, status: int, detail: str
) -> None:
    reply = fetched(fetching, url)
    assert (reply.status, reply.kind) == (status, "application/problem+json")
    assert detail in reply.told["detail"]
    assert "\n" not in reply.told["detail"]
    assert fetching.names() == []


def test_no_other_site_may_have_the_server_fetch_something(fetching: Desk) -> None:
    assert fetched(fetching, "http://127.0.0.1/", Origin="https://evil.example").status == 403
    assert fetched(fetching, "http://127.0.0.1/", Sec_Fetch_Site="cross-site").status == 403


def test_addresses_are_taken_only_where_uploads_and_addresses_are_on(desk: Desk) -> None:
    assert fetched(desk, "http://127.0.0.1/").status in (404, 405)
    with Server(desk.assistant, Settings(add_urls=True)) as without:
        assert fetched(Desk(without, desk.assistant), "http://127.0.0.1/").status == 404
    assert "or-upload-url" not in uploads_html(texts_for("en"))
    assert "or-upload-url" in uploads_html(texts_for("en"), addresses=True)
