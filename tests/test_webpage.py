"""Reading a web page: blocks with exact offsets, structure that is furniture, and what the page declares."""

# ruff: noqa: E501 - pages read better unbroken

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.clean import clean
from rag.webpage import extract_html

PAGE = """<!DOCTYPE html>
<html lang="nl-NL"><head>
<title>Brug blijft dicht - De Haven</title>
<meta property="og:title" content="Brug blijft dicht tot de zomer">
<meta property="og:site_name" content="De Haven">
<link rel="canonical" href="https://dehaven.example/brug">
<script type="application/ld+json">
{"@context": "https://schema.org", "@graph": [
  {"@type": "WebSite", "name": "De Haven"},
  {"@type": "NewsArticle", "headline": "Brug blijft dicht", "datePublished": "2024-03-05T09:12:00+01:00",
   "author": [{"@type": "Person", "name": "Mira de Wit"}, {"@type": "Person", "name": "Jan Pas"}],
   "publisher": {"@type": "Organization", "name": "Havenpers"}}]}
</script>
<style>p {color: red}</style>
</head><body>
<nav><ul><li><a href="/">Voorpagina</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<div class="cookie-banner"><p>Wij gebruiken cookies om deze site beter te maken.</p></div>
<article class="post tag-widget category-sidebar">
<h1>Brug blijft dicht tot de zomer</h1>
<p class="byline">Door Mira de Wit</p>
<p>De oude hefbrug in de haven gaat dit voorjaar <em>niet</em> meer open, zegt de
   gemeente. Een keuring wees uit dat de kabels <a href="/kabels">te zwak</a> zijn.</p>
<figure><img src="brug.jpg" alt=""><figcaption>De brug in beter tijden.</figcaption></figure>
<h2>„Niemand heeft ons iets verteld”</h2>
<p>Winkeliers aan de kade zijn boos. „Wij lezen het in de krant”, zegt een bakker.<br><br>Hij is niet de enige.</p>
<aside class="related"><h3>Lees ook</h3><p>De haven in cijfers, een overzicht van alles wat er gebeurt.</p></aside>
<p hidden>Deze alinea is voor niemand bestemd.</p>
<ul><li>Vrachtwagens rijden om via de ring, dat duurt twintig minuten langer.</li></ul>
</article>
<section id="comments"><p>Schandalig dat dit zo lang duurt, ze hadden het al jaren geleden moeten regelen.</p></section>
<footer><p>De Haven is een uitgave van Havenpers.</p></footer>
</body></html>"""


def blocks(html: str) -> list[str]:
    extract = extract_html(html)
    return [extract.text[block.start : block.end] for block in extract.blocks]


def test_article_stays_in_order_with_white_space_folded() -> None:
    found = [text for text in blocks(PAGE) if len(text) > 40 or text.startswith(("„", "Hij"))]
    assert found == [
        "De oude hefbrug in de haven gaat dit voorjaar niet meer open, zegt de gemeente. "
        "Een keuring wees uit dat de kabels te zwak zijn.",
        "„Niemand heeft ons iets verteld”",
        "Winkeliers aan de kade zijn boos. „Wij lezen het in de krant”, zegt een bakker.",
        "Hij is niet de enige.",
        "Vrachtwagens rijden om via de ring, dat duurt twintig minuten langer.",
    ]


def test_parts_of_the_site_and_hidden_text_are_left_out() -> None:
    text = extract_html(PAGE).text
    for furniture in (
        "Voorpagina",
        "cookies",
        "beter tijden",
        "Lees ook",
        "niemand bestemd",
        "Schandalig",
        "uitgave",
        "color",
    ):
        assert furniture not in text


def test_kinds_and_link_density() -> None:
    extract = extract_html(PAGE)
    kinds = {extract.text[block.start : block.end][:8]: block for block in extract.blocks}
    assert kinds["„Niemand"].kind == "heading"
    assert kinds["Vrachtwa"].kind == "item"
    assert kinds["De oude "].kind == "paragraph"
    assert 0 < kinds["De oude "].link_density < 0.2
    assert kinds["Winkelie"].link_density == 0


def test_metadata_comes_from_what_the_page_declares() -> None:
    assert extract_html(PAGE).metadata == {
        "title": "Brug blijft dicht",
        "date": "2024-03-05",
        "author": "Mira de Wit, Jan Pas",
        "source": "Havenpers",
        "language": "nl",
        "url": "https://dehaven.example/brug",
    }


def test_address_that_was_fetched_wins() -> None:
    assert extract_html(PAGE, url="https://example.org/x").metadata["url"] == "https://example.org/x"


def test_metadata_without_json_ld() -> None:
    html = """<html><head><meta property="og:title" content="Ein Titel"><meta name="author" content="Ada Kern">
    <meta property="article:published_time" content="2023-11-02T10:00:00Z"><meta property="og:locale" content="de_DE"></head>
    <body><p>Ein Satz steht hier für sich, damit die Seite etwas sagt.</p></body></html>"""
    metadata = extract_html(html).metadata
    assert metadata == {"title": "Ein Titel", "author": "Ada Kern", "date": "2023-11-02", "language": "de"}


def test_one_time_element_gives_the_date_and_several_do_not() -> None:
    one = '<body><time datetime="2024-01-05T10:00">5 January</time><p>Something happened in the town on Friday.</p></body>'
    assert extract_html(one).metadata["date"] == "2024-01-05"
    assert "date" not in extract_html(one.replace("<p>", '<time datetime="2023-02-01">1 Feb</time><p>')).metadata


def test_what_is_not_declared_is_absent() -> None:
    assert extract_html("<p>Only a sentence and nothing about it.</p>").metadata == {}


def test_broken_declarations_do_no_harm() -> None:
    html = '<script type="application/ld+json">{"@type": "NewsArticle", </script><meta name="date" content="yesterday"><p>It rained.</p>'
    assert extract_html(html).text == "It rained."
    assert "date" not in extract_html(html).metadata


def test_no_text_gives_no_blocks() -> None:
    for html in ("", " ", "<html></html>", "<!-- -->", "<script>x()</script>"):
        assert extract_html(html).blocks == ()


def test_page_that_calls_its_article_a_sidebar_keeps_it() -> None:
    story = "<p>The council met on Monday to talk about the old pool, which has been closed for three years.</p>" * 4
    assert "old pool" in extract_html(f'<body><div class="sidebar">{story}</div></body>').text


def test_deeply_nested_page_is_read() -> None:
    assert "At the bottom." in extract_html("<div>" * 200 + "<p>At the bottom.</p>" + "</div>" * 200).text


def test_cleaned_page_is_the_article() -> None:
    extract = extract_html(PAGE)
    cleaned = clean(extract, title=str(extract.metadata["title"]))
    for kept in ("De oude hefbrug", "„Niemand heeft", "„Wij lezen het", "Hij is niet de enige.", "Vrachtwagens"):
        assert kept in cleaned.text
    assert "Door Mira de Wit" not in cleaned.text
    assert [cleaned.text[span.start : span.end] for span in cleaned.headings][-1] == "„Niemand heeft ons iets verteld”"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p", "div", "h2", "li", "td", "span", "a href=x", "br", "nav", "b"]), st.text(max_size=40)
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_blocks_are_exact_folded_and_in_order(parts: list[tuple[str, str]]) -> None:
    extract = extract_html("<body>" + "".join(f"<{tag}>{text}</{tag.split()[0]}>" for tag, text in parts) + "</body>")
    texts = [extract.text[block.start : block.end] for block in extract.blocks]
    assert "\n".join(texts) == extract.text
    assert all(text == " ".join(text.split()) and text for text in texts)
    assert all(0 <= block.link_density <= 1 for block in extract.blocks)


def test_a_subheading_between_two_paragraphs_stays() -> None:
    first = "De haven van Lindermonde ging zaterdag weer open, nadat een storm haar negen dagen had afgesloten."
    second = "Havenmeester Greta Olvers vertelde dat veertig schepen buiten de golfbreker op een loods hadden gewacht."
    page = f"<html><body><article><h1>Haven open</h1><p>{first}</p><h2>Negen dagen dicht</h2><p>{second}</p></article>"
    extract = extract_html(page + "</body></html>")
    kinds = {extract.text[block.start : block.end]: block.kind for block in extract.blocks}
    assert kinds["Negen dagen dicht"] == "heading"
