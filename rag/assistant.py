"""Wires the stages up. Reads like the diagram:

question ─ understand ─ embed ─ retrieve ─ read ─ answer ─ cite
files ─ corpus ─ clean ─ split ─ embed ─ catalog ─ index
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rag import answer as answers
from rag import feedback as verdicts
from rag import groups as readership
from rag import settings as settings_module
from rag.clock import Clock
from rag.errors import CorpusError, LLMError, SettingsError
from rag.feedback import Feedback
from rag.followup import standalone
from rag.question import MAX_QUESTION, check_question
from rag.reader import judge, mode, read
from rag.records import Answer, Article, Event, Hit, Overview, SyncReport
from rag.rerank import LazyReranker
from rag.retrieve import Candidate, Filter, Question, checked_filter, copies_of, retrieve, understand
from rag.stores import Opened, Stores
from rag.terms import question_language

if TYPE_CHECKING:
    from llama_index.core.llms import LLM
    from llama_index.core.query_engine import CustomQueryEngine
    from llama_index.core.retrievers import BaseRetriever

    from rag.written import Writer

MAX_HISTORY = 6  # earlier turns that a follow-up question may refer to
_READ = 12  # passages that the reader looks into


class Assistant:
    """Answers questions about the articles in a folder.

    `corpus` is the folder of the articles, `index` the folder in which what is made of them is kept; both come from the
    settings where they are left out. The index is built when it is first needed. An assistant reads beside others; from
    its first `sync` until `close` it is the only one that may write to its index. It sees every article; what it is for
    a reader who may not is `for_groups`. `llm`, any language model of llama-index, or the one that the settings name,
    writes answers; without one they are quotations.

    Raises:
        IndexMismatch: the index was built with another model or another version; the message holds the command.
        IndexLocked: another process is writing to the index (on `sync`, and on the first use of a new index).
        CorpusError: the corpus is not a folder. SettingsError, LLMError: there is no such language model.
    """

    def __init__(
        self, corpus: str | Path | None = None, index: str | Path | None = None, llm: LLM | None = None
    ) -> None:
        settings = settings_module.load()
        if corpus is not None:
            settings = replace(settings, corpus=Path(corpus))
        self.corpus = settings.corpus.expanduser().resolve()
        self.path = Path(index).expanduser() if index is not None else settings.index_path
        self._stores = Stores(self.path, settings.embed_model, settings.chroma_url, settings.chroma_headers)
        self.rerank_model = settings.rerank_model
        self._cross_encoder = LazyReranker(settings.rerank_model)
        self._writer: Writer | None = None
        if llm is not None or settings.llm:
            from rag.written import Writer  # whose rules take a while to compile

            self._writer = Writer(
                llm,
                kind=settings.llm,
                url=settings.llm_url,
                model=settings.llm_model,
                key=settings.llm_key,
                seconds=settings.llm_timeout,
            )
        self.groups: frozenset[str] | None = None  # of the reader whose view this is
        self._whole: Assistant | None = None

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def for_groups(self, groups: Collection[str]) -> Assistant:
        """This archive as a reader in these groups sees it: as if no article were there that he may not read.

        Those name groups, none of them his; names are compared without case. Answers, lists, counts, known names and
        mended spellings come from what he may read. He is told of skipped files if nothing is kept from him.

        A view shares everything with the assistant it is of (`whole`), which alone is synced, tells what readers
        thought, and is closed: closing a view does nothing. A view of a view sees no more than that.

        Raises:
            SettingsError: the groups are one text instead of several.
        """
        if isinstance(groups, str):
            raise SettingsError(f"groups is the text {groups!r}, expected a list such as [{groups!r}]")
        names = readership.folded(groups)
        view = copy.copy(self)
        view.groups = names if self.groups is None else names & self.groups
        view._whole = self.whole
        return view

    @property
    def whole(self) -> Assistant:
        """The assistant that this is a view of; itself where it is none."""
        return self._whole or self

    # Asking

    def ask(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        languages: Collection[str] | None = None,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        language: str | None = None,
        written: bool = True,
    ) -> Answer:
        """Answer a question from the archive.

        `history` holds earlier (question, answer text) pairs, oldest first. `languages`, `sources`, `since` and `until`
        (inclusive) say which articles may answer; an undated article is outside any date filter. `language` is that of
        the answer's framing, by default the question's own. Where a language model is connected, it writes the answer,
        of which only statements that the quotations support are kept; not so with `written` False.

        Raises:
            SettingsError: the question is empty or too long, or a filter cannot be used.
        """
        last = None
        for event in self.stream(question, history, languages, sources, since, until, language, written):
            last = event.data
        assert isinstance(last, Answer)
        return last

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        languages: Collection[str] | None = None,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        language: str | None = None,
        written: bool = True,
    ) -> Iterator[Event]:
        """Answer as `ask` does, step by step: the "hits", then each "statement", then the whole "answer"."""
        check_question(question)
        chosen = checked_filter(languages, sources, since, until)
        clock = Clock()
        writer = self._writer if written else None
        recent = [(earlier[:MAX_QUESTION], told) for earlier, told in history[-MAX_HISTORY:]]
        full = writer.standalone(question, recent) if writer else standalone(question, recent)
        full = full if len(full) <= MAX_QUESTION else question
        with self._reading() as opened:
            understood = understand(full, opened[1])
            clock.lap("understand")
            candidates = _candidates(understood, chosen, _READ, opened, clock)
        yield Event("hits", answers.nearest(candidates))
        reranker = self._cross_encoder.opened()
        relevance = reranker.scores(understood.text, [it.stored.passage for it in candidates]) if reranker else None
        clock.lap("rerank")
        with self._reading() as (catalog, index, _):
            # Whoever takes the events may have taken his time: what was removed meanwhile may not answer.
            held = {item.id for item in catalog.passages([candidate.stored.id for candidate in candidates])}
            if relevance:
                relevance = [told for told, it in zip(relevance, candidates, strict=True) if it.stored.id in held]
            candidates = [candidate for candidate in candidates if candidate.stored.id in held]
            readings = read(understood, candidates, relevance, index=index)
            judgement = judge(understood, readings, mode(relevance), index=index)
            dated = chosen.since or chosen.until
            circumstances = answers.Circumstances(
                undated_left_out=catalog.undated(sources=chosen.sources, languages=chosen.languages) if dated else 0,
                archive_empty=catalog.count() == 0,
                nothing_allowed=not candidates,
                copies=copies_of(candidates, catalog),
            )
        clock.lap("read")
        framing = language or (question_language(question) if full == question else understood.language)
        sure = judgement.confidence
        if judgement.found:
            result = answers.from_quotes(
                question, readings, sure, standalone=full, language=framing, circumstances=circumstances
            )
        else:
            result = answers.not_found(
                question, understood, candidates, sure, language=framing, circumstances=circumstances
            )
        clock.lap("answer")
        if writer is None or not result.found:
            for statement in result.statements:
                yield Event("statement", statement, result.citations)
            yield Event("answer", replace(result, timings=clock.laps))
            return
        for event in writer.write(full, result):
            if isinstance(event.data, Answer):
                clock.lap("write")
                event = replace(event, data=replace(event.data, timings={**clock.laps, **event.data.timings}))
            yield event

    @property
    def model(self) -> str | None:
        """The name of the language model that writes answers; None where none is connected."""
        return self._writer.name if self._writer else None

    def translate(self, article_id: str, start: int, end: int, language: str) -> str:
        """The language model's translation of the quotation `[start:end]` of an article. It is never cited.

        Raises:
            LLMError: no model is connected, or it gave nothing. CitationError: there is no such quotation.
        """
        if self._writer is None:
            raise LLMError("no language model is connected, so nothing can be translated; set ON_RECORD_LLM")
        return self._writer.translate(self.article(article_id), start, end, language)

    def search(
        self,
        query: str,
        limit: int = 10,
        languages: Collection[str] | None = None,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
    ) -> list[Hit]:
        """The passages nearest to a query, best first, without asking whether any of them answers it.

        Raises:
            SettingsError: the query is empty or too long, `limit` is not positive, or a filter cannot be used.
        """
        check_question(query)
        if limit < 1:
            raise SettingsError(f"limit is {limit}, expected 1 or more")
        chosen = checked_filter(languages, sources, since, until)
        with self._reading() as opened:
            candidates = _candidates(understand(query, opened[1]), chosen, limit, opened, Clock())
        return [Hit(candidate.stored.passage, candidate.score) for candidate in candidates]

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """The article with this id, or None.

        With `version`, the beginning of a `text_sha256`, the article as it read then; None where that is not kept.
        """
        with self._reading() as (catalog, _, _):
            return catalog.article(article_id, version)

    def superseded(self, ids: Sequence[str]) -> dict[str, str]:
        """For each of these articles that a later version supersedes: the id of the latest."""
        with self._reading() as (catalog, _, _):
            return catalog.superseded(ids)

    def articles(self) -> list[Article]:
        """All articles of the archive, newest first, the undated last."""
        with self._reading() as (catalog, _, _):
            return catalog.articles()

    def find_articles(
        self,
        query: str = "",
        *,
        languages: Collection[str] | None = None,
        sources: Collection[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Article], int]:
        """A page of the articles with every word of `query` in headline, source, author or path; how many there are.

        Newest first, the undated last. The filters are those of `ask`, and so are the errors.
        """
        chosen = asdict(checked_filter(languages, sources, since, until))
        with self._reading() as (catalog, _, _):
            return catalog.find_articles(query, **chosen, limit=limit, offset=offset)

    def hidden(self) -> frozenset[str]:
        """The ids of the articles that are kept from the reader of this view; none where it is no view."""
        with self._reading() as (catalog, _, _):
            return catalog.hidden()

    def overview(self) -> Overview:
        """How many articles there are, by language, source and month. Reads none of them."""
        with self._reading() as (catalog, _, _):
            return catalog.overview()

    def size(self) -> tuple[int, int]:
        """How many articles there are, and how many passages."""
        with self._reading() as (catalog, _, _):
            return catalog.count(), sum(catalog.languages().values())

    def skipped(self) -> list[tuple[str, str]]:
        """The files that the last sync could not read, with the reason."""
        with self._reading() as (catalog, _, _):
            return catalog.skipped()

    def as_retriever(self, limit: int = 10) -> BaseRetriever:
        """A llama-index retriever over this archive."""
        from rag.llama import ArchiveRetriever

        return ArchiveRetriever(self, limit=limit)

    def as_query_engine(self) -> CustomQueryEngine:
        """A llama-index query engine that answers as `ask` does, with the citations as source nodes."""
        from rag.llama import ArchiveQueryEngine

        return ArchiveQueryEngine(assistant=self)

    # Feedback, which needs neither the model nor the lock

    def add_feedback(self, given: Feedback) -> None:
        """Keep a reader's verdict on an answer, in place of what was kept under the same id."""
        verdicts.add(self.path / verdicts.CATALOG, given)

    def feedback(self) -> list[Feedback]:
        """What readers thought of answers, newest first. Not on a view, whose reader may not see what others asked."""
        self._refuse_view("feedback")
        return verdicts.kept(self.path / verdicts.CATALOG)

    def delete_feedback(self, ids: Collection[str] | None = None) -> int:
        """Delete the feedback with these ids, or all of it (not on a view); how much there was."""
        if ids is None:
            self._refuse_view("delete_feedback")
        return verdicts.delete(self.path / verdicts.CATALOG, ids)

    # Keeping the index

    def sync(self, progress: bool = False, rebuild: bool = False, ray: str = "") -> SyncReport:
        """Bring the index in line with the corpus: add, update and remove articles.

        Unchanged files cost a stat. `rebuild` makes everything but the feedback anew, also after a change of the model.
        `progress` shows a bar on the standard error stream. `ray`, an address or "auto", embeds on that Ray cluster.

        Raises:
            CorpusError: the corpus is not a folder. IndexLocked: another process is writing.
            SettingsError: this is a view, or there is no Ray.
        """
        self._refuse_view("sync")
        self._stores.refuse_copy()
        if not self.corpus.is_dir():
            expected = "expected a folder of articles; name one with --corpus or ON_RECORD_CORPUS"
            raise CorpusError(f"the corpus {self.corpus} is not a folder; {expected}")
        from rag.ingest import ingest  # reading files is nothing that a question needs

        with self._stores.writing(rebuild=rebuild) as (catalog, index, embedder):
            return ingest(self.corpus, catalog=catalog, index=index, embedder=embedder, progress=progress, ray=ray)

    def follow(self, name: str = "") -> int:
        """Bring this index in line with what another process publishes on the Chroma server; how many articles changed.

        The first call makes the index, which must be new, a copy of the archive `name` there, or of the only one, and
        waits until that is whole. A copy is never synced. Raises errors of this package (`RagError`) that say why not.
        """
        self._refuse_view("follow")
        return self._stores.follow(name)

    def close(self) -> None:
        """Close the stores and let others write. They are opened again when they are needed. Nothing on a view."""
        if self.groups is None:
            self._stores.close()

    @contextmanager
    def _reading(self) -> Iterator[Opened]:
        """The stores as this reader sees them, open for one step. An index that was never begun is built first."""
        if not self._stores.exist():
            self.whole.sync()
        with self._stores.reading() as (catalog, index, embedder):
            if self.groups is not None:
                catalog = catalog.for_groups(self.groups)
                index = index.without(catalog.hidden())
            yield catalog, index, embedder

    def _open(self) -> Opened:
        """The stores, for who knows that nobody closes them."""
        with self._reading() as opened:
            return opened

    def _refuse_view(self, what: str) -> None:
        if self.groups is not None:
            raise SettingsError(f"{what} is not for a reader's view of the archive; use its `whole` for that")


def _candidates(understood: Question, chosen: Filter, limit: int, opened: Opened, clock: Clock) -> list[Candidate]:
    catalog, index, embedder = opened
    vector = embedder.embed_queries([understood.text])[0]
    clock.lap("embed")
    found = retrieve(understood, vector, catalog=catalog, index=index, filter=chosen, limit=limit)
    clock.lap("retrieve")
    return found
