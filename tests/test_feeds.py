"""Feeds: what RSS and Atom say of their entries, in any state that feeds come in."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import feeds
from rag.errors import FetchError
from rag.feeds import Entry

AT = "https://dehaven.example/feeds/nieuws.xml"

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>De Haven &amp; meer</title><link>/</link><language>nl-NL</language>
<item><title>Ouder nieuws</title><link>https://dehaven.example/oud</link>
  <pubDate>Fri, 03 Jan 2025 12:00:00 +0100</pubDate></item>
<item><title><![CDATA[Brug &amp; kade: „dicht” <b>tot</b> de zomer]]></title><link>/a/brug?x=1&amp;y=2</link>
  <guid isPermaLink="false">abc</guid><pubDate>Mon, 06 Jan 2025 00:30:00 +0200</pubDate>
  <dc:creator>Mira de Wit</dc:creator><description>Kort &lt;p&gt;gezegd&lt;/p&gt;</description></item>
<item><title>Zonder datum: AT&amp;amp;T</title><guid>https://dehaven.example/guid</guid>
  <author>jan@dehaven.example (Jan Pas)</author></item>
</channel></rss>"""

ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://z.example/base/">
<title type="html">Zeitung &amp;amp; Co</title>
<entry><title type="html">Stra&amp;szlig;e &lt;em&gt;gesperrt&lt;/em&gt;</title>
  <link rel="self" href="s"/><link rel="alternate" href="artikel/1"/><id>tag:1</id>
  <updated>2025-02-01T23:30:00-05:00</updated><author><name>Eva Übel</name></author>
  <author><name>B. Cz</name></author></entry>
<entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Ganz <b>hier</b></div></title><id>tag:2</id>
  <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Der ganze Text.</p></div></content>
  <published>2025-02-03</published></entry>
</feed>"""

WHOLE = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>The Quay</title>
<language>en</language><item><title>Crane down</title>
<content:encoded><![CDATA[<p>The crane is <a href="/x">gone</a>.</p>
<script>alert(1)</script><p onclick="x()">It stood here for sixty years.</p>]]></content:encoded></item>
<item><title>Plain &lt; simple</title><description>Only a summary.</description></item></channel></rss>"""


def read(feed: str | bytes, limit: int = 50, charset: str = "") -> list[Entry]:
    return feeds.entries(feed.encode() if isinstance(feed, str) else feed, AT, charset, limit=limit)


def test_an_rss_feed_in_dutch_comes_newest_first_with_links_made_whole() -> None:
    newest, older, undated = read(RSS)
    assert newest.url == "https://dehaven.example/a/brug?x=1&y=2"
    assert newest.title == "Brug & kade: „dicht” tot de zomer"
    assert (newest.author, newest.language, newest.source) == ("Mira de Wit", "nl-NL", "De Haven & meer")
    assert newest.date == dt.date(2025, 1, 6), "the day there, not in UTC"
    assert older.title == "Ouder nieuws"
    assert (undated.url, undated.title) == ("https://dehaven.example/guid", "Zonder datum: AT&T")
    assert (undated.author, undated.date) == ("Jan Pas", None)


def test_an_atom_feed_in_german_with_its_base_and_its_text_constructs() -> None:
    whole, linked = read(ATOM)
    assert linked.url == "https://z.example/base/artikel/1"
    assert (linked.title, linked.author) == ("Straße gesperrt", "Eva Übel, B. Cz")
    assert linked.date == dt.date(2025, 2, 1), "the day there, not in UTC"
    assert (whole.url, whole.title, whole.date) == (None, "Ganz hier", dt.date(2025, 2, 3))
    assert whole.content == "<p>Der ganze Text.</p>"
    assert whole.source == "Zeitung & Co"


def test_an_english_feed_with_whole_texts_gives_them_without_what_runs() -> None:
    crane, plain = read(WHOLE)
    assert crane.url is None
    assert (
        crane.content
        == '<p>The crane is <a href="https://dehaven.example/x">gone</a>.</p>\n<p>It stood here for sixty years.</p>'
    )
    assert (plain.title, plain.content) == ("Plain < simple", "Only a summary.")


def test_at_most_so_many_entries_and_each_once() -> None:
    assert [entry.title for entry in read(RSS, limit=1)] == ["Brug & kade: „dicht” tot de zomer"]
    item = RSS[RSS.index("<item><title>Ouder") : RSS.index("<item><title><![CDATA")]
    assert len(read(RSS.replace(item, item * 3))) == 3


@pytest.mark.parametrize(
    "data",
    [
        RSS.encode("utf-8-sig"),
        RSS.replace("utf-8", "windows-1252").encode("cp1252"),
        RSS.replace("utf-8", "utf-16").encode("utf-16"),
        RSS.removesuffix("</channel></rss>").encode(),
        RSS.replace("&amp;y=2", "&y=2").encode(),
        RSS.replace("</dc:creator>", "").encode(),
        RSS.replace('<?xml version="1.0" encoding="utf-8"?>', "<!-- first --> <!DOCTYPE rss>").encode(),
    ],
    ids=["mark", "windows", "utf-16", "cut", "bare ampersand", "open tag", "doctype"],
)
def test_a_feed_may_be_broken_or_in_another_encoding(data: bytes) -> None:
    assert feeds.is_feed(data)
    assert {entry.title for entry in read(data)} >= {"Ouder nieuws", "Brug & kade: „dicht” tot de zomer"}


def test_the_servers_encoding_counts_where_the_feed_names_none() -> None:
    bare = RSS.replace(' encoding="utf-8"', "").encode("cp1252")
    assert "Brug & kade: „dicht” tot de zomer" in {entry.title for entry in read(bare, charset="windows-1252")}


@pytest.mark.parametrize(
    ("data", "known"),
    [
        (b"<!-- <rss> --><html><body><rss></body></html>", False),
        (b"<!DOCTYPE html><p>feed</p>", False),
        (b'<?xml version="1.0"?><rdf:RDF xmlns:rdf="x"/>', True),
        (b"<atom:feed/>", True),
        (b"%PDF-1.4 <rss>", False),
        (b"", False),
    ],
)
def test_a_feed_is_told_by_its_first_element(data: bytes, known: bool) -> None:
    assert feeds.is_feed(data) is known


def test_nothing_is_fetched_or_opened_by_reading_a_feed() -> None:
    for name in ("/etc/hostname", "http://127.0.0.1:9/"):
        with pytest.raises(FetchError, match="cannot be read as a feed"):
            read(name)
    entity = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    told = read(f"{entity}<rss version='2.0'><channel><item><title>a&x;b</title></item></channel></rss>")
    assert told[0].title is not None
    assert "a" in told[0].title
    with open("/etc/hostname", encoding="utf-8") as file:  # noqa: PTH123
        assert file.read().strip() not in told[0].title


def test_entities_that_grow_do_not() -> None:
    grown = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    bomb = f'<!DOCTYPE rss [<!ENTITY e0 "bang">{grown}]><rss version="2.0"><channel><item><title>&e8;</title>'
    assert sum(len(entry.title or "") for entry in read(f"{bomb}</item></channel></rss>")) < 1_000


def test_a_feed_that_is_too_large_is_refused() -> None:
    with pytest.raises(FetchError, match="5\\.0 MB; at most 5 MB"):
        read(b"<rss>" + b" " * 5_000_000)


@given(st.binary(max_size=300), st.integers(0, len(RSS)), st.integers(0, 40))
def test_no_bytes_do_more_harm_than_to_be_refused(noise: bytes, at: int, lost: int) -> None:
    data = RSS.encode()
    for broken in (noise, data[:at] + noise + data[at + lost :]):
        try:
            found = read(broken)
        except FetchError:
            continue
        for entry in found:
            assert entry.url is None or entry.url.startswith(("http://", "https://"))
