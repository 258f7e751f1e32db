"""Adding articles by their address: files below `added/`, articles after a sync, and nothing of what fails."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest
from sites import ALLOWED, Page, Site, site

from rag import Assistant, cli, corpus, stores
from rag.adding import AddReport, add
from rag.errors import CorpusError
from rag.folder import ADDED as FOLDER
from rag.webpage import extract_html, noted

ROOT = Path(__file__).resolve().parent.parent

STORY = """<!DOCTYPE html><html lang="en"><head><title>{title}</title>{head}</head><body>
<nav><a href="/">Home {noise}</a></nav>
<article><h1>{title}</h1>
<p>The old harbour crane of Ostmark will be taken down in May, since it no longer carries its own weight.</p>
<p>Harbour master Lena Vosskamp said that the steel goes to a foundry in the north for {price} crowns.</p>
</article></body></html>"""
DATED = '<meta property="article:published_time" content="2025-03-04"><meta name="author" content="Jo Pas">'


def story(title: str = "Harbour crane comes down", head: str = DATED, noise: str = "", price: str = "ninety") -> bytes:
    return STORY.format(title=title, head=head, noise=noise, price=price).encode()


@pytest.fixture
def news() -> Iterator[Site]:
    with site({"/2025/crane.html": Page(story(), tag='"1"')}) as served:
        yield served


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    home = tmp_path_factory.mktemp("adding")
    (home / "corpus").mkdir()
    with Assistant(corpus=home / "corpus", index=home / "index") as assistant:
        yield assistant


@pytest.fixture
def archive(opened: Assistant) -> Assistant:
    """An archive whose folder is empty, and whose index follows at the next sync."""
    for path in opened.corpus.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return opened


def added(archive: Assistant, *urls: str, limit: int = 50) -> AddReport:
    return add(archive, urls, allowed=ALLOWED, limit=limit, pause=0)


def counts(report: AddReport) -> tuple[int, int, int, int]:
    return len(report.added), len(report.updated), len(report.unchanged), len(report.failed)


def files(archive: Assistant) -> list[str]:
    return [path.relative_to(archive.corpus).as_posix() for path in corpus.files(archive.corpus)]


def test_a_page_becomes_a_file_and_answers_with_its_address(archive: Assistant, news: Site) -> None:
    url = news.at("/2025/crane.html")
    report = added(archive, url + "#top")
    ((told, place),) = report.added
    assert told == url + "#top"
    assert files(archive) == [place]
    assert place.startswith(f"{FOLDER}/127.0.0.1/crane-")
    assert (archive.corpus / place).read_text("utf-8").startswith(f"<!-- saved from url=({len(url):04}){url} -->")
    article = archive.article(corpus.identifier(place))
    assert article is not None
    assert (article.url, article.title, article.author) == (url, "Harbour crane comes down", "Jo Pas")
    assert article.date == dt.date(2025, 3, 4)
    assert archive.search("Who said that the steel goes to a foundry?")[0].passage.article == article


def test_what_the_folder_says_of_its_own_files_is_not_said_of_what_was_fetched(archive: Assistant, news: Site) -> None:
    (archive.corpus / "archive.yaml").write_text("source: The Folder\nsample: true\n", encoding="utf-8")
    ((_, place),) = added(archive, news.at("/2025/crane.html")).added
    article = archive.article(corpus.identifier(place))
    assert article is not None
    assert not article.sample
    assert article.source != "The Folder"


def test_a_second_time_it_is_asked_for_changes_only(archive: Assistant, news: Site) -> None:
    url = news.at("/2025/crane.html")
    ((_, place),) = added(archive, url).added
    before = (archive.corpus / place).stat().st_mtime_ns
    assert added(archive, url).unchanged == ((url, place),)
    assert news.asked[-1][1]["if-none-match"] == '"1"'
    news.pages["/2025/crane.html"] = Page(story(noise="other words around it"), tag='"2"')
    assert added(archive, url).unchanged == ((url, place),)
    assert (archive.corpus / place).stat().st_mtime_ns == before
    news.pages["/2025/crane.html"] = Page(story(price="eighty"), tag='"3"')
    assert added(archive, url).updated == ((url, place),)
    assert "eighty crowns" in archive.search("steel foundry crowns")[0].passage.article.text
    (archive.corpus / place).unlink()
    assert added(archive, url).added == ((url, place),)
    assert [path.name for path in (archive.corpus / FOLDER).iterdir() if path.suffix == ".part"] == []


def test_what_fails_is_told_and_leaves_nothing_and_the_others_go_on(archive: Assistant, news: Site) -> None:
    news.pages["/empty"] = Page(b"<html><body></body></html>")
    news.pages["/groups"] = Page(story(head='<meta name="on-record:groups" content="board">'))
    news.pages["/front.txt"] = Page(b"---\ngroups: [board]\n---\nThe crane is gone.", type="text/plain")
    news.pages["/odd.xml"] = Page(b"<note>hello</note>", type="application/xml")
    urls = {path: news.at(path) for path in ("/gone", "/empty", "/groups", "/front.txt", "/odd.xml")}
    report = added(
        archive, *urls.values(), "http://127.0.0.1@x/", "http://169.254.169.254/", news.at("/2025/crane.html")
    )
    assert counts(report) == (1, 0, 0, 7)
    reasons = dict(report.failed)
    assert "404" in reasons[urls["/gone"]]
    assert "no text" in reasons[urls["/empty"]]
    assert "not clear who may read" in reasons[urls["/groups"]]
    assert "not clear who may read" in reasons[urls["/front.txt"]]
    assert "neither a page nor a feed" in reasons[urls["/odd.xml"]]
    assert "no public address" in reasons["http://169.254.169.254/"]
    assert files(archive) == [report.added[0][1]]
    assert sorted(path.name for path in (archive.corpus / FOLDER).iterdir()) == [".fetched.json", "127.0.0.1"]


def test_a_page_that_can_no_longer_be_read_leaves_the_one_before(archive: Assistant, news: Site) -> None:
    url = news.at("/2025/crane.html")
    ((_, place),) = added(archive, url).added
    news.pages["/2025/crane.html"] = Page(b"<html><body></body></html>")
    assert counts(added(archive, url)) == (0, 0, 0, 1)
    assert archive.article(corpus.identifier(place)) is not None


def test_the_folder_says_who_may_read_what_is_added(archive: Assistant, news: Site) -> None:
    (archive.corpus / "archive.yaml").write_text("groups: [legal]\n", "utf-8")
    report = add(archive.for_groups([]), [news.at("/2025/crane.html")], allowed=ALLOWED, pause=0)
    identifier = corpus.identifier(report.added[0][1])
    assert archive.for_groups(["legal"]).article(identifier) is not None
    assert archive.for_groups([]).article(identifier) is None


def test_no_site_speaks_in_our_name(archive: Assistant, news: Site) -> None:
    marks = "".join(
        f'<META NAME="on-record:{name}" content="{value}">'
        for name, value in {"url": "https://bank.example/", "sample": "true", "source": "The Bank"}.items()
    )
    note = "<!-- saved from url=(0021)https://bank.example/ -->"
    news.pages["/spoof"] = Page(note.encode() + story(head=marks))
    ((_, place),) = added(archive, news.at("/spoof")).added
    article = archive.article(corpus.identifier(place))
    assert article is not None
    assert (article.url, article.source, article.sample) == (news.at("/spoof"), None, False)


@pytest.mark.parametrize(
    ("canonical", "counts"),
    [
        ("{site}/2025/crane", True),
        ("/2025/crane", True),
        ("https://elsewhere.example/2025/crane", False),
        ("{site}/", False),
        ("javascript:alert(1)", False),
    ],
)
def test_a_pages_own_address_counts_on_its_own_host(
    archive: Assistant, news: Site, canonical: str, counts: bool
) -> None:
    named = canonical.format(site=news.at(""))
    news.pages["/amp--crane"] = Page(story(head=f'<link rel="canonical" href="{named}">'))
    ((_, place),) = added(archive, news.at("/amp--crane")).added
    article = archive.article(corpus.identifier(place))
    assert article is not None
    assert article.url == (news.at("/2025/crane") if counts else news.at("/amp--crane"))


@pytest.mark.parametrize(
    "url", ["https://quay.example/a", "https://quay.example/a--b?c=d--e-->f", "http://[::1]:8080/"]
)
def test_where_a_page_is_from_is_read_as_browsers_write_it(url: str) -> None:
    page = noted("<p>Text</p>", url)
    assert page.index("-->") == page.index(" -->") + 1, "the address ends no comment"
    assert extract_html(page).metadata["url"] == url
    browsers = "<!DOCTYPE html>\n" + page.replace("<p>", "<html><body><p>")
    assert extract_html(browsers).metadata["url"] == url
    assert "url" not in extract_html("<!-- saved from url=(0014)about:internet --><p>Text</p>").metadata
    assert "url" not in extract_html(f"<p>Text</p>{page}").metadata


def test_redirects_lead_to_one_file(archive: Assistant, news: Site) -> None:
    news.pages["/short"] = Page(status=301, headers={"Location": "/2025/crane.html"})
    report = added(archive, news.at("/2025/crane.html"), news.at("/short"))
    assert counts(report) == (1, 0, 1, 0)
    assert report.added[0][1] == report.unchanged[0][1]


def test_documents_and_plain_texts_are_added_as_they_are(archive: Assistant, news: Site) -> None:
    first = io.BytesIO()
    with pypdf.PdfWriter() as writer:
        writer.append(next((ROOT / "corpus").glob("*.pdf")), pages=(0, 1))
        writer.write(first)
    pdf = first.getvalue()
    news.pages["/paper"] = Page(pdf, type="application/octet-stream")
    news.pages["/notes.md"] = Page(
        "Die Straße am Hafen bleibt bis zum Sommer gesperrt.".encode("cp1252"), type="text/markdown"
    )
    report = added(archive, news.at("/paper"), news.at("/notes.md"))
    assert [Path(place).suffix for _, place in report.added] == [".pdf", ".txt"]
    assert (archive.corpus / report.added[0][1]).read_bytes() == pdf
    assert "Straße" in (archive.corpus / report.added[1][1]).read_text("utf-8")


def test_a_page_in_another_encoding_is_kept_in_utf_8(archive: Assistant, news: Site) -> None:
    text = story("Мост закрыт до лета").decode()
    news.pages["/ru"] = Page(text.encode("windows-1251"), type="text/html; charset=windows-1251")
    ((_, place),) = added(archive, news.at("/ru")).added
    assert "Мост закрыт до лета" in (archive.corpus / place).read_text("utf-8")


FEED = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>The Quay</title>
<language>en-GB</language>
<item><title>From the feed</title><link>/bare</link><author>x@quay.example (Mo Reed)</author>
  <pubDate>Mon, 10 Mar 2025 23:30:00 -0500</pubDate></item>
<item><title>Another "title" &lt; this</title><link>/2025/crane.html</link>
  <pubDate>Sun, 09 Mar 2025 10:00:00 GMT</pubDate></item>
<item><title>Whole &amp; here</title><pubDate>Sat, 08 Mar 2025 10:00:00 GMT</pubDate><content:encoded><![CDATA[
<p>The ferry to Sandholm sails again from Monday, twice a day and with a new captain.</p>
<p>Captain Ida Brook said that ninety people had asked for a ticket before noon.</p>]]></content:encoded></item>
<item><title>Gone</title><link>/gone</link><pubDate>Fri, 07 Mar 2025 10:00:00 GMT</pubDate></item>
</channel></rss>"""


def test_the_entries_of_a_feed_become_articles_and_what_the_pages_do_not_say_the_feed_says(
    archive: Assistant, news: Site
) -> None:
    news.pages["/feed"] = Page(FEED.encode(), type="application/rss+xml", tag='"f"')
    bare = story(head="").decode().replace("<title>Harbour crane comes down</title>", "").replace("<h1>", "<p>")
    news.pages["/bare"] = Page(bare.replace("</h1>", "</p>").replace("Ostmark", "Westmark").encode())
    report = added(archive, news.at("/feed"))
    assert counts(report) == (3, 0, 0, 1)
    assert report.failed[0][0] == news.at("/gone")
    found = {article.title: article for article in archive.articles()}
    bare_article, crane, ferry = (found[t] for t in ("From the feed", "Harbour crane comes down", "Whole & here"))
    assert (bare_article.author, bare_article.date) == ("Mo Reed", dt.date(2025, 3, 10))
    assert (crane.author, crane.date) == ("Jo Pas", dt.date(2025, 3, 4)), "the page's own word comes first"
    assert (ferry.source, ferry.language, ferry.date) == ("The Quay", "en", dt.date(2025, 3, 8))
    assert ferry.url == news.at("/feed")
    assert ferry.text.endswith("Captain Ida Brook said that ninety people had asked for a ticket before noon.")

    news.asked.clear()
    assert counts(added(archive, news.at("/feed"))) == (0, 0, 3, 1)
    assert "if-none-match" not in news.asked[1][1], "what failed is tried again"
    news.pages["/gone"] = Page(story("Found again").replace(b"Ostmark", b"Eastmark"))
    assert counts(added(archive, news.at("/feed"))) == (1, 0, 3, 0)
    news.asked.clear()
    assert counts(added(archive, news.at("/feed"))) == (0, 0, 4, 0)
    assert news.paths == ["/robots.txt", "/feed"]
    assert counts(added(archive, news.at("/feed"), limit=9)) == (0, 0, 4, 0)


def test_of_a_feed_the_newest_are_taken(archive: Assistant, news: Site) -> None:
    news.pages["/feed"] = Page(FEED.replace("/bare", "/2025/crane.html?1").encode(), type="text/html")
    news.pages["/2025/crane.html?1"] = Page(story())
    assert [url for url, _ in added(archive, news.at("/feed"), limit=1).added] == [news.at("/2025/crane.html?1")]
    assert counts(added(archive, news.at("/feed"), limit=2)) == (1, 0, 1, 0)


def test_a_feed_in_a_feed_is_not_followed_nor_one_that_a_page_names(archive: Assistant, news: Site) -> None:
    news.pages["/feed"] = Page(FEED.replace("/bare", "/feed").replace("/gone", "/feed2").encode())
    news.pages["/feed2"] = Page(FEED.encode())
    failed = dict(added(archive, news.at("/feed")).failed)
    assert "a feed, named in a feed" in failed[news.at("/feed2")]
    news.asked.clear()
    link = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    news.pages["/page"] = Page(story(head=link))
    assert counts(added(archive, news.at("/page"))) == (1, 0, 0, 0)
    assert news.paths == ["/robots.txt", "/page"]


def test_a_folder_that_is_a_link_is_not_written_through(archive: Assistant, news: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (archive.corpus / FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match="it is a link"):
        added(archive, news.at("/2025/crane.html"))
    assert not news.asked
    assert not list((tmp_path / "elsewhere").iterdir())


def test_beside_a_process_that_writes_the_files_are_there_and_wait(
    archive: Assistant, news: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_PATIENCE", 0.2)
    archive.sync()
    with Assistant(corpus=archive.corpus, index=archive.path) as second:
        report = added(second, news.at("/2025/crane.html"))
    assert counts(report) == (1, 0, 0, 0)
    assert report.unsynced
    assert archive.sync().added == 1


def test_damaged_notes_of_what_was_fetched_cost_a_request_only(archive: Assistant, news: Site) -> None:
    url = news.at("/2025/crane.html")
    added(archive, url)
    for text in ("{", "[]", '{"x": 1}', '{"x": {"known": {}, "places": 1}}', '{"x": {"known": {"url": 1}}}'):
        (archive.corpus / FOLDER / ".fetched.json").write_text(text, "utf-8")
        assert counts(added(archive, url)) == (0, 0, 1, 0)


def test_the_command_adds_tells_and_ends_with_2_where_nothing_could_be_added(
    tmp_path: Path, news: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus").mkdir()
    where = ["--corpus", str(tmp_path / "corpus"), "--index", str(tmp_path / "index")]
    good, bad = news.at("/2025/crane.html"), news.at("/gone")
    assert cli.main(["add", good, *where]) == cli.ERROR
    assert "ON_RECORD_FETCH_ADDRESSES" in capsys.readouterr().err or not news.asked
    monkeypatch.setenv("ON_RECORD_FETCH_ADDRESSES", "127.0.0.1")
    assert cli.main(["add", good, bad, *where]) == cli.FOUND
    out, err = capsys.readouterr()
    assert out.startswith(f"added: {FOLDER}/127.0.0.1/crane-")
    assert f"on-record: {bad}: 127.0.0.1 answered 404 (Not Found)" in err
    assert cli.main(["add", "--json", bad, *where]) == cli.ERROR
    assert json.loads(capsys.readouterr().out)["failed"] == [
        {"url": bad, "reason": "127.0.0.1 answered 404 (Not Found)"}
    ]
