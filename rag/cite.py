"""The gate through which every quotation passes: pure, total, and silent rather than wrong.

A span that is not exactly a piece of an article's running text never becomes a citation. Choosing the span is the
reader's work; here it is only judged, by its offsets alone. Nothing is searched for and nothing is moved into place.
"""

from __future__ import annotations

import unicodedata

from rag.records import Article, Citation, Passage


def quotable(article: Article, start: int, end: int) -> bool:
    """Whether `article.text[start:end]` may be quoted as it stands.

    It lies inside the text, has no white space around it, stays within one paragraph, touches no heading, and cuts no
    word and no accented letter in two.
    """
    text = article.text
    if not 0 <= start < end <= len(text):
        return False
    quote = text[start:end]
    if quote != quote.strip() or "\n\n" in quote:
        return False
    if any(heading.start < end and start < heading.end for heading in article.headings):
        return False
    return not (_inside_word(text, start) or _inside_word(text, end))


def cite(number: int, passage: Passage, start: int, end: int) -> Citation | None:
    """Cite the span `start` to `end` of the passage's article; None where it may not be quoted.

    The span touches the passage. Where it reaches over its edge, to a neighbouring sentence, the context grows with it.
    """
    article = passage.article
    touches = start < passage.end and passage.start < end
    if number < 1 or not touches or not quotable(article, start, end):
        return None
    context = article.text[min(start, passage.start) : max(end, passage.end)]
    return Citation(number, article, start, end, quote=article.text[start:end], context=context)


def verify(citation: Citation) -> bool:
    """Whether a citation, wherever it comes from, still holds against its article."""
    article, start, end = citation.article, citation.start, citation.end
    return (
        citation.number >= 1
        and quotable(article, start, end)
        and article.text[start:end] == citation.quote
        and citation.quote in citation.context
        and citation.context in article.text
    )


def _inside_word(text: str, offset: int) -> bool:
    """Whether a cut before `offset` would part two letters of a word, or a letter from its combining accent."""
    if not 0 < offset < len(text):
        return False
    before, after = text[offset - 1], text[offset]
    return bool(unicodedata.combining(after)) or (before.isalnum() and after.isalnum())
