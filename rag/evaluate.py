"""How good an archive's answers are: questions with the quotations expected, each asked as a reader asks.

Whether a quotation is right is decided by its text alone: it holds one of the strings expected, white space folded. All
of these are looked up in the archive before the first question is asked, so that no figure rests on a quotation that
nobody could have found. `expected.py` reads the questions, `figures.py` counts, `scorecard.py` shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rag.assistant import Assistant
from rag.cite import verify
from rag.errors import CitationError
from rag.expected import Expected, folded, wrong
from rag.figures import DEPTH, UNKNOWN, Outcome, Report, report
from rag.records import Article


def evaluate(assistant: Assistant, questions: Sequence[Expected], *, archive: str, progress: bool = False) -> Report:
    """Ask everything, at least one question, and count.

    `archive` is what the report calls the archive. `progress` shows a bar on the standard error stream.

    Raises:
        SettingsError: no article that may answer holds an expected quotation. CitationError: a citation is not exact.
    """
    from tqdm import tqdm

    articles = assistant.articles()
    languages = article_languages(assistant, articles, questions)
    assistant.ask(
        questions[0].question, written=False
    )  # what is loaded at the first question is not the time of that one
    outcomes = [
        _outcome(assistant, expected, language)
        for expected, language in zip(
            tqdm(questions, unit="question", disable=not progress, leave=False), languages, strict=True
        )
    ]
    return report(outcomes, archive=archive, articles=len(articles), cross_encoder=assistant.rerank_model)


def article_languages(
    assistant: Assistant, articles: Sequence[Article], questions: Sequence[Expected]
) -> list[str | None]:
    """The language of the article that holds what is expected of each question; None where nothing is."""
    # A quotation stays within a paragraph: one expected across two could never be right.
    texts = {article.id: "\n".join(map(folded, article.text.split("\n\n"))) for article in articles}
    found: list[str | None] = []
    for expected in questions:
        holders: set[str] = set()
        for quote in map(folded, expected.quotes):
            holding = {article_id for article_id, text in texts.items() if quote in text}
            if not holding:
                raise wrong(
                    expected.line,
                    f"expects {quote!r}, which no article of the archive holds within one paragraph",
                    "a string copied from an article (run sync if the articles have changed)",
                )
            holders |= holding
        if any(expected.filters.values()):
            holders &= {item.id for item in assistant.find_articles(**expected.filters, limit=len(articles))[0]}
        if expected.quotes and not holders:
            raise wrong(
                expected.line,
                "expects what only articles outside its filters hold",
                "filters that let one of them answer, or no quotes",
            )
        spoken = sorted({article.language or UNKNOWN for article in articles if article.id in holders})
        found.append(expected.language if expected.language in spoken else spoken[0] if spoken else None)
    return found


def _outcome(assistant: Assistant, expected: Expected, language: str | None) -> Outcome:
    begun = time.perf_counter()
    answer = assistant.ask(expected.question, written=False, **expected.filters)
    ms = (time.perf_counter() - begun) * 1000
    for citation in answer.citations:
        if not verify(citation):
            raise CitationError(
                f"the answer to line {expected.line} of the questions quotes {citation.quote[:60]!r}, which is not an "
                f"exact span of {citation.article.path}; please report it"
            )
    hits = assistant.search(expected.question, limit=DEPTH, **expected.filters)
    return Outcome(
        expected=expected,
        article_language=language,
        passage=_rank(expected, (hit.passage.text for hit in hits)),
        right=_rank(expected, (citation.quote for citation in answer.citations)),
        found=answer.found,
        confidence=answer.confidence,
        quotes=tuple(citation.quote for citation in answer.citations),
        place=answer.citations[0].article.path if answer.citations else None,
        ms=ms,
    )


def _rank(expected: Expected, texts: Iterable[str]) -> int | None:
    """The place (from 1) of the first text that holds what is expected."""
    return next((rank for rank, text in enumerate(texts, 1) if expected.held_in(text)), None)
