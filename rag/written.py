"""An answer in the words of a language model: what it writes is checked statement by statement, as it comes.

Whatever the model does, the quotations stand. Where it fails, is slow or writes nothing that they support, they are
the answer, and it says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rag import followup, prose
from rag.answer import from_prose
from rag.check import Checker
from rag.cite import quotable
from rag.errors import CitationError, LLMError
from rag.llm import LazyModel, ModelFailed
from rag.records import Answer, Article, Event, Statement
from rag.terms import fold

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

_log = logging.getLogger(__name__)


class Writer:
    """A language model, loaded when it is first needed, and the check of what it writes. Safe for several threads.

    `llm`, any language model of llama-index, else the one of this `kind` is `model`. Raises as `LazyModel`.
    """

    def __init__(self, llm: LLM | None = None, *, kind: str, url: str, model: str, key: str, seconds: float) -> None:
        self.model = LazyModel(kind, url=url, model=model, key=key, seconds=seconds, llm=llm)
        self._checker = Checker()

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.name

    def standalone(self, question: str, history: Sequence[tuple[str, str]]) -> str:
        """The question with what a follow-up leaves out: as the model says, or by `followup.standalone` where it says
        nothing usable."""
        by_rules = followup.standalone(question, history)
        if not history:
            return by_rules
        try:
            return prose.rewritten(self.model.opened(), question, history) or by_rules
        except LLMError:  # whose message may quote what the server says, and so the question
            _log.warning("The question could not be rewritten", exc_info=True)
            return by_rules

    def write(self, question: str, quoted: Answer) -> Iterator[Event]:
        """The steps of a written answer over the quotations of `quoted`: each statement that stands, then the answer.

        `question` stands alone; the language is that of `quoted`. Of the time that it took, `check` (ms) is what the
        check needed.
        """
        kept: list[Statement] = []
        struck: list[Statement] = []
        told: set[str] = set()
        why, spent = "", 0.0
        try:
            for draft in prose.drafts(self.model.opened(), question, quoted.citations, quoted.language):
                if fold(draft.text) in told:
                    continue
                told.add(fold(draft.text))
                began = time.perf_counter()
                statement = self._checker.judged(draft.text, draft.numbers, quoted.citations, quoted.language)
                spent += time.perf_counter() - began
                if statement.supported:
                    kept.append(statement)
                    yield Event("statement", statement, quoted.citations)
                else:
                    struck.append(statement)
        except LLMError as error:
            _log.warning("The language model wrote no whole answer", exc_info=True)
            why = error.why if isinstance(error, ModelFailed) else "failed"
        if not kept:
            for statement in quoted.statements:
                yield Event("statement", statement, quoted.citations)
        yield Event("answer", from_prose(quoted, kept, struck, why, self.name, timings={"check": spent * 1000}))

    def translate(self, article: Article | None, start: int, end: int, language: str) -> str:
        """The model's translation of the quotation `[start:end]` of an article. It is never cited.

        Raises:
            LLMError: it gave nothing. CitationError: there is no such quotation.
        """
        if article is None or not quotable(article, start, end):
            raise CitationError(f"there is no quotation [{start}:{end}] in this article; ask again")
        translation = prose.translated(self.model.opened(), article.text[start:end], language)
        if not translation:
            raise LLMError(f"{self.name} gave no translation; try again, or connect a larger model")
        return translation
