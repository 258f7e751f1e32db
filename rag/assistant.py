"""Wires the stages up. Reads like the diagram:

question ─ understand ─ embed ─ retrieve ─ read ─ answer ─ cite
files ─ corpus ─ clean ─ split ─ embed ─ catalog ─ index
"""

from __future__ import annotations

import atexit
import datetime as dt
import json
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rag import answer as answers
from rag import settings as settings_module
from rag.catalog import Catalog
from rag.clean import CLEANING_VERSION
from rag.embed import Embedder, load
from rag.errors import ArchiveIndexError, CorpusError, IndexLocked, IndexMismatch, LLMError, SettingsError
from rag.followup import standalone
from rag.index import Index
from rag.ingest import ingest
from rag.reader import judge, read
from rag.records import Answer, Article, Event, Hit, SyncReport
from rag.retrieve import Candidate, Filter, Question, retrieve, understand
from rag.split import SPLITTING_VERSION
from rag.terms import question_language

if TYPE_CHECKING:
    from llama_index.core.query_engine import CustomQueryEngine
    from llama_index.core.retrievers import BaseRetriever

MAX_QUESTION = 2_000  # characters
_READ = 8  # passages that the reader looks into
_MANIFEST = "manifest.json"


class Assistant:
    """Answers questions about the articles in a folder.

    `corpus` is the folder of the articles, `index` the folder in which what is made of them is kept; both come from the
    settings where they are left out. The index is built when it is first needed. An assistant reads beside others; from
    its first `sync` until `close` it is the only one that may write to its index.

    Raises:
        IndexMismatch: the index was built with another model or another version; the message holds the command.
        IndexLocked: another process is writing to the index (on `sync`, and on the first use of a new index).
        CorpusError: the corpus is not a folder.
    """

    def __init__(
        self, corpus: str | Path | None = None, index: str | Path | None = None, llm: Any | None = None
    ) -> None:
        if llm is not None:
            raise LLMError("this version answers in quotations only; leave `llm` out")
        settings = settings_module.load()
        if corpus is not None:
            settings = replace(settings, corpus=Path(corpus))
        self.corpus = settings.corpus.expanduser().resolve()
        self.path = Path(index).expanduser() if index is not None else settings.index_path
        self._model = settings.embed_model
        self._guard = threading.RLock()
        self._embedder: Embedder | None = None
        self._catalog: Catalog | None = None
        self._index: Index | None = None
        self._lock: FileLock | None = None

    def __enter__(self) -> Assistant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
    ) -> Answer:
        """Answer a question from the archive.

        `history` holds earlier (question, answer text) pairs, oldest first. `languages`, `sources`, `since` and `until`
        (inclusive) say which articles may answer; an undated article is outside any date filter. `language` is that of
        the answer's framing, by default the question's own.

        Raises:
            SettingsError: the question is empty or too long, or a filter cannot be used.
        """
        last = None
        for event in self.stream(question, history, languages, sources, since, until, language):
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
    ) -> Iterator[Event]:
        """Answer as `ask` does, step by step: the "hits", then each "statement", then the whole "answer"."""
        _check_question(question)
        chosen = _filter(languages, sources, since, until)
        catalog, index, _ = self._open()
        clock = _Clock()
        full = standalone(question, history)
        understood = understand(full, index)
        clock.lap("understand")
        candidates = self._candidates(understood, chosen, _READ, clock)
        yield Event("hits", answers.nearest(candidates))
        readings = read(understood, candidates, index=index)
        judgement = judge(understood, readings, index=index)
        clock.lap("read")
        framing = language or (question_language(question) if full == question else understood.language)
        circumstances = answers.Circumstances(
            undated_left_out=catalog.undated() if chosen.since or chosen.until else 0,
            archive_empty=catalog.count() == 0,
            nothing_allowed=not candidates,
        )
        sure = judgement.confidence
        if judgement.found:
            result = answers.from_quotes(question, readings, sure, language=framing, circumstances=circumstances)
        else:
            result = answers.not_found(
                question, understood, candidates, sure, language=framing, circumstances=circumstances
            )
        clock.lap("answer")
        for statement in result.statements:
            yield Event("statement", statement)
        yield Event("answer", replace(result, timings=clock.laps))

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
        _check_question(query)
        if limit < 1:
            raise SettingsError(f"limit is {limit}, expected 1 or more")
        chosen = _filter(languages, sources, since, until)
        _, index, _ = self._open()
        candidates = self._candidates(understand(query, index), chosen, limit, _Clock())
        return [Hit(candidate.stored.passage, candidate.score) for candidate in candidates]

    def article(self, article_id: str) -> Article | None:
        """The article with this id, or None."""
        return self._open()[0].article(article_id)

    def articles(self) -> list[Article]:
        """All articles of the archive, newest first, the undated last."""
        return self._open()[0].articles()

    def skipped(self) -> list[tuple[str, str]]:
        """The files that the last sync could not read, with the reason."""
        return self._open()[0].skipped()

    def as_retriever(self, limit: int = 10) -> BaseRetriever:
        """A llama-index retriever over this archive."""
        from rag.llama import ArchiveRetriever

        return ArchiveRetriever(self, limit=limit)

    def as_query_engine(self) -> CustomQueryEngine:
        """A llama-index query engine that answers as `ask` does, with the citations as source nodes."""
        from rag.llama import ArchiveQueryEngine

        return ArchiveQueryEngine(assistant=self)

    def _candidates(self, understood: Question, chosen: Filter, limit: int, clock: _Clock) -> list[Candidate]:
        catalog, index, embedder = self._open()
        vector = embedder.embed_queries([understood.text])[0]
        clock.lap("embed")
        found = retrieve(understood, vector, catalog=catalog, index=index, filter=chosen, limit=limit)
        clock.lap("retrieve")
        return found

    # Keeping the index

    def sync(self, progress: bool = False, rebuild: bool = False) -> SyncReport:
        """Bring the index in line with the corpus: add, update and remove articles.

        Unchanged files cost a stat and a hash. `rebuild` makes everything anew, also after a change of the model.
        `progress` shows a bar on the standard error stream.

        Raises:
            CorpusError: the corpus is not a folder. IndexLocked: another process is writing.
        """
        if not self.corpus.is_dir():
            raise CorpusError(
                f"the corpus {self.corpus} is not a folder; expected a folder of articles; name one with --corpus or "
                "ON_RECORD_CORPUS"
            )
        with self._guard:
            self._close_stores()
            self._acquire()
            if rebuild:
                self._discard()
            catalog, index, embedder = self._open(writing=True)
            return ingest(self.corpus, catalog=catalog, index=index, embedder=embedder, progress=progress)

    def close(self) -> None:
        """Close the stores and let others write. The assistant opens them again when it is used again."""
        with self._guard:
            self._close_stores()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def _open(self, *, writing: bool = False) -> tuple[Catalog, Index, Embedder]:
        with self._guard:
            if self._catalog is None or self._index is None or self._embedder is None:
                if not writing and not (self.path / _MANIFEST).exists():
                    self.sync()
                    return self._open()
                self.path.mkdir(parents=True, exist_ok=True)
                self._embedder = self._embedder or load(self._model)
                self._check_manifest(self._embedder)
                self._catalog = Catalog(self.path / "catalog.sqlite3", dim=self._embedder.dim)
                self._index = Index(self.path)
                if writing:
                    self._repair(self._catalog)
            return self._catalog, self._index, self._embedder

    def _repair(self, catalog: Catalog) -> None:
        """Where the indexes do not hold what the catalog says they hold, make them again from it."""
        assert self._index is not None
        indexed = catalog.indexed()
        if (self._index.vectors_held(), self._index.words_held()) == (indexed, indexed):
            return
        self._index.close()
        Index.destroy(self.path)
        catalog.unsettle()
        self._index = Index(self.path)

    def _acquire(self) -> None:
        if self._lock is not None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise IndexLocked(
                f"another process is writing to the index {self.path}; wait for it or stop it, or use another index "
                "with --index"
            ) from None
        self._lock = lock

    def _check_manifest(self, embedder: Embedder) -> None:
        """Compare the manifest of the index with what this process would build; write it where there is none."""
        ours = {
            "model": embedder.name,
            "dimension": embedder.dim,
            "cleaning": CLEANING_VERSION,
            "splitting": SPLITTING_VERSION,
        }
        file = self.path / _MANIFEST
        if not file.exists():
            file.write_text(json.dumps(ours, indent=1) + "\n", encoding="utf-8")
            return
        try:
            theirs = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise ArchiveIndexError(
                f"{file} is damaged; build the index again with: python -m rag sync --rebuild"
            ) from None
        differing = [name for name in ours if theirs.get(name) != ours[name]]
        if differing:
            found = ", ".join(f"{name} {theirs.get(name)}" for name in differing)
            expected = ", ".join(f"{name} {ours[name]}" for name in differing)
            raise IndexMismatch(
                f"the index {self.path} was built with {found}, and this is {expected}; build it again with: "
                "python -m rag sync --rebuild"
            )

    def _discard(self) -> None:
        Index.destroy(self.path)
        for name in (_MANIFEST, "catalog.sqlite3", "catalog.sqlite3-wal", "catalog.sqlite3-shm"):
            (self.path / name).unlink(missing_ok=True)

    def _close_stores(self) -> None:
        if self._index is not None:
            self._index.close()
        if self._catalog is not None:
            self._catalog.close()
        self._index = self._catalog = None


class _Clock:
    """Milliseconds per stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1000
        self._last = now


def _check_question(question: str) -> None:
    if not question.strip():
        raise SettingsError("the question is empty; expected a few words")
    if len(question) > MAX_QUESTION:
        raise SettingsError(
            f"the question has {len(question):,} characters, expected at most {MAX_QUESTION:,}; shorten it"
        )


def _filter(
    languages: Collection[str] | None,
    sources: Collection[str] | None,
    since: dt.date | None,
    until: dt.date | None,
) -> Filter:
    for name, value in (("languages", languages), ("sources", sources)):
        if isinstance(value, str):
            raise SettingsError(f"{name} is the text {value!r}, expected a list such as [{value!r}]")
    for name, day in (("since", since), ("until", until)):
        if day is not None and (isinstance(day, dt.datetime) or not isinstance(day, dt.date)):
            raise SettingsError(f"{name} is {day!r}, expected a datetime.date")
    if since and until and since > until:
        raise SettingsError(f"since ({since}) is later than until ({until}); exchange them")
    return Filter(
        languages=frozenset(code.lower() for code in languages) if languages else None,
        sources=frozenset(sources) if sources else None,
        since=since,
        until=until,
    )


_default: Assistant | None = None
_default_guard = threading.Lock()


def ask(question: str, **options: Any) -> Answer:
    """Ask the archive that the settings name: the starter corpus where they name none. Built on first use.

    Takes the options of `Assistant.ask`.
    """
    global _default
    with _default_guard:
        if _default is None:
            _default = Assistant()
            atexit.register(_default.close)
    return _default.ask(question, **options)
