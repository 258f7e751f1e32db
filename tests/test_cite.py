"""The gate for quotations: whatever passes is an exact, whole piece of one paragraph; everything else is None."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.cite import cite, quotable, verify
from rag.records import Article, Passage, Span

PARAGRAPHS = [
    "Café talk.",
    "“We sell music,” she said. “Not time.”",
    "Ein Satz: „So nicht.“",
    "Z\u0065\u0301ro 𝄞 clef.",
]


def article_of(blocks: list[tuple[str, bool]]) -> Article:
    """An article of blocks, each a paragraph or (True) a heading."""
    text, headings = "", []
    for block, heading in blocks:
        text += "\n\n" if text else ""
        if heading:
            headings.append(Span(len(text), len(text) + len(block)))
        text += block
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Article("a", "Title", text, "a.md", digest, headings=tuple(headings))


def whole(article: Article) -> Passage:
    return Passage(article, 0, len(article.text), ())


articles = st.lists(st.tuples(st.sampled_from(PARAGRAPHS), st.booleans()), min_size=1, max_size=5).map(article_of)


@given(article=articles, data=st.data())
def test_whatever_is_cited_is_an_exact_whole_piece_of_one_paragraph(article: Article, data: st.DataObject) -> None:
    offset = st.integers(-3, len(article.text) + 3)
    start, end = data.draw(offset), data.draw(offset)
    first, last = sorted((data.draw(st.integers(0, len(article.text))), data.draw(st.integers(0, len(article.text)))))
    citation = cite(1, Passage(article, first, last, ()), start, end)
    if citation is None:
        return
    assert article.text[start:end] == citation.quote
    assert citation.quote.strip() == citation.quote != ""
    assert "\n\n" not in citation.quote
    assert citation.quote in citation.context
    assert not any(heading.start < end and start < heading.end for heading in article.headings)
    assert verify(citation)


@given(article=articles)
def test_every_whole_paragraph_can_be_cited_and_no_heading_can(article: Article) -> None:
    start = 0
    for block in article.text.split("\n\n"):
        citation = cite(2, whole(article), start, start + len(block))
        is_heading = Span(start, start + len(block)) in article.headings
        assert (citation is None) == is_heading
        start += len(block) + 2


ARTICLE = article_of([("A heading", True), ("First one. Second 1,000.", False), ("Third; e\u0301te\u0301.", False)])


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (-5, 5, "before the text"),
        (11, 9999, "past the text"),
        (20, 20, "empty"),
        (21, 11, "backwards"),
        (11, 22, "a space at its end"),
        (21, 28, "a space at its start"),
        (11, 40, "two paragraphs"),
        (0, 9, "a heading"),
        (5, 16, "half a heading"),
        (12, 16, "begins within a word"),
        (11, 14, "ends within a word"),
        (37, 45, "parts a letter from its accent"),
    ],
)
def test_a_span_that_is_not_quotable_gives_no_citation(start: int, end: int, why: str) -> None:
    assert cite(1, whole(ARTICLE), start, end) is None, why


def test_a_sentence_is_cited_with_its_passage_as_context() -> None:
    start = ARTICLE.text.index("Second")
    passage = Passage(ARTICLE, 11, 35, ())
    citation = cite(3, passage, start, start + len("Second 1,000."))
    assert citation is not None
    assert (citation.number, citation.quote, citation.context) == (3, "Second 1,000.", passage.text)


def test_a_quotation_that_reaches_over_its_passage_widens_the_context() -> None:
    citation = cite(1, Passage(ARTICLE, 22, 35, ()), 11, 35)
    assert citation is not None
    assert citation.context == citation.quote == "First one. Second 1,000."


def test_a_span_elsewhere_than_in_the_passage_gives_no_citation() -> None:
    assert cite(1, Passage(ARTICLE, 22, 35, ()), 11, 21) is None


def test_citations_are_numbered_from_one() -> None:
    assert cite(0, whole(ARTICLE), 11, 21) is None


def test_verify_refuses_a_citation_made_past_the_gate() -> None:
    good = cite(1, whole(ARTICLE), 11, 21)
    assert good is not None
    assert verify(good)
    assert not verify(dataclasses.replace(good, context="another passage"))
    assert not verify(dataclasses.replace(good, start=12, quote=ARTICLE.text[12:21]))
    assert not verify(dataclasses.replace(good, article=dataclasses.replace(ARTICLE, headings=(Span(11, 21),))))


def test_a_decomposed_accent_stays_with_its_letter() -> None:
    start = ARTICLE.text.index("e\u0301te")
    assert not quotable(ARTICLE, start + 1, len(ARTICLE.text))
    assert quotable(ARTICLE, start, len(ARTICLE.text))
