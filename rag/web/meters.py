"""What is counted and logged of the questions: how many, how they ended, how long they took. Never their words.

The names follow Prometheus's conventions: base units, `_total` for what only grows. A registry belongs to one running
application, so that two in a process do not count together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, cast, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, Summary
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rag import __version__
from rag.assistant import Assistant
from rag.errors import RagError, SettingsError
from rag.records import Answer
from rag.web import logs
from rag.web.access import Reader
from rag.web.problems import Refused

Way = Literal["chat", "api", "openai", "mcp"]
# How a question ends: "left" is a reader who went away before his answer.
Outcome = Literal["found", "not_found", "busy", "too_often", "invalid", "failed", "left"]

_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)  # seconds; up to 20 for a turn, a minute for a model
_STAGES = ("wait", "understand", "embed", "retrieve", "rerank", "read", "answer", "write", "check")


class Meters:
    """The counters of one running application. `log_questions`: whether the log holds the questions themselves."""

    def __init__(self, *, log_questions: bool = False) -> None:
        self.log_questions = log_questions
        self._registry = registry = CollectorRegistry()
        self.questions = Counter(
            "on_record_questions",
            "Questions, by the way they came in and how they ended.",
            ("way", "outcome"),
            registry=registry,
        )
        self.durations = Histogram(
            "on_record_question_duration_seconds",
            "Time from a question to its whole answer, the wait for its turn included; of answered questions.",
            ("way",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.stages = Summary(
            "on_record_stage_duration_seconds",
            "Time that each stage took of answered questions; wait is for a question's turn, check is part of write.",
            ("stage",),
            registry=registry,
        )
        self.waiting = Gauge("on_record_questions_waiting", "Questions that wait for their turn.", registry=registry)
        self.under_way = Gauge("on_record_questions_under_way", "Questions that are worked on.", registry=registry)
        # From zero on, so that the first of a kind is seen as a step.
        for way in get_args(Way):
            self.durations.labels(way)
            for outcome in get_args(Outcome):
                self.questions.labels(way, outcome)
        for stage in _STAGES:
            self.stages.labels(stage)
        started = Gauge("on_record_start_time_seconds", "When this application started.", registry=registry)
        started.set_to_current_time()
        Info("on_record_build", "The version that runs.", registry=registry).info({"version": __version__})
        ProcessCollector(registry=registry)

    def asked(self, reader: Reader, way: Way, question: str) -> Asked:
        """A question that comes in, to be entered while it is under way."""
        return Asked(self, reader, way, question)

    def exposed(self, accept: str, archive: Assistant) -> tuple[bytes, str]:
        """All counters in the format that the header Accept asks for, and its content type. Reads the disk.

        `archive` is what the reader may see of the index, whose size is told too.
        """
        encode, content_type = choose_encoder(accept)
        return encode(cast(CollectorRegistry, _Told(self._registry, archive))), content_type


class Asked(contextlib.AbstractContextManager["Asked"]):
    """One question under way: entered when it comes in, left when it is answered or refused."""

    def __init__(self, meters: Meters, reader: Reader, way: Way, question: str) -> None:
        self._meters, self._reader, self._way, self._question = meters, reader, way, question
        self._answer: Answer | None = None
        self._came = time.monotonic()
        self._began: float | None = None

    def __enter__(self) -> Asked:
        self._meters.waiting.inc()
        return self

    def began(self) -> None:
        """Its turn has come. Said where it is left too, in the event loop, or the two might cross."""
        self._began = time.monotonic()
        self._meters.waiting.dec()
        self._meters.under_way.inc()

    def answered(self, answer: Answer) -> None:
        """This is its answer."""
        self._answer = answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._meters.waiting if self._began is None else self._meters.under_way).dec()
        outcome = _outcome(self._answer, error)
        self._meters.questions.labels(self._way, outcome).inc()
        spent = time.monotonic() - self._came
        if self._answer is not None:
            self._measure(self._answer, spent)
        self._log(outcome, spent, error if outcome == "failed" else None)

    def _measure(self, answer: Answer, spent: float) -> None:
        self._meters.durations.labels(self._way).observe(spent)
        if self._began is not None:
            self._meters.stages.labels("wait").observe(self._began - self._came)
        for stage, ms in answer.timings.items():
            self._meters.stages.labels(stage).observe(ms / 1000)

    def _log(self, outcome: Outcome, spent: float, error: BaseException | None) -> None:
        answer = self._answer
        logs.note(reader=self._reader.name)
        logs.write(
            "question",
            logging.ERROR if outcome == "failed" else logging.INFO,
            error,
            way=self._way,
            outcome=outcome,
            ms=round(spent * 1000),
            waited_ms=None if self._began is None else round((self._began - self._came) * 1000),
            language=answer and answer.language,
            found=answer and answer.found,
            confidence=answer and round(answer.confidence, 3),
            reader=self._reader.name,
            question=self._question if self._meters.log_questions else None,
        )


def _outcome(answer: Answer | None, error: BaseException | None) -> Outcome:
    """How a question ended; one whose answer was there is answered, although its reader left while it was told."""
    if answer is not None:
        return "found" if answer.found else "not_found"
    if isinstance(error, Refused) and error.status in (429, 503):
        return "too_often" if error.status == 429 else "busy"
    if isinstance(error, SettingsError) or (isinstance(error, Refused) and error.status < 500):
        return "invalid"
    return "left" if error is None or isinstance(error, asyncio.CancelledError | GeneratorExit) else "failed"


class _Told(Collector):
    """The counters, and after them what the index holds and takes on disk; not while it cannot be opened."""

    def __init__(self, counted: CollectorRegistry, archive: Assistant) -> None:
        self._counted = counted
        self._archive = archive

    def collect(self) -> Iterator[Metric]:
        yield from self._counted.collect()
        with contextlib.suppress(RagError):
            articles, passages = self._archive.size()
            yield GaugeMetricFamily("on_record_index_articles", "Articles in the index.", articles)
            yield GaugeMetricFamily("on_record_index_passages", "Passages in the index.", passages)
            if self._archive.hidden():
                return  # the bytes are those of all articles
        size = _bytes(self._archive.path)
        yield GaugeMetricFamily("on_record_index_size_bytes", "What the index takes on disk.", size)


def _bytes(folder: Path) -> int:
    """The bytes of all files below a folder. A sync makes and deletes some meanwhile."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += (Path(parent) / name).stat().st_size
    return size
