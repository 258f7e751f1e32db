"""The one way that a question takes through the web application, whoever brings it: limits, groups, meters, log.

The chat, the HTTP interface, the one of OpenAI's kind and the agents' tools all ask here, so that no way in is open
wider than another. A question is answered from the articles that its reader may see. So many are worked on at once,
others wait in a queue, and where that is full, or too slow, the answer is honestly that the server is busy. What waits
for a language model has seats of its own, so that quotations never wait for one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rag.assistant import Assistant
from rag.errors import RagError
from rag.records import Answer, Event, Hit
from rag.web.access import Reader
from rag.web.meters import Meters, Way
from rag.web.problems import Refused
from rag.web.rate import Rate

AT_ONCE = 2  # questions worked on at the same time; each uses all cores, but not all the time
WRITTEN_AT_ONCE = 4  # of those that a language model answers, which mostly wait for it
WAITING = 64  # questions that wait for their turn
SHARE = WAITING // 2  # of these, one reader's
PATIENCE = 20.0  # seconds for which one waits at most

_Result = TypeVar("_Result")


class Busy(Refused):
    """Too many questions at once: come again in a moment."""

    def __init__(self) -> None:
        super().__init__(503, "Too many questions are being asked at once; ask again in a few seconds.", retry_after=5)


class TooOften(Refused):
    """One reader asks too many questions a minute."""

    def __init__(self, a_minute: int, retry_after: float) -> None:
        super().__init__(
            429,
            f"More than {a_minute} questions in a minute came from here; wait a little before the next one.",
            retry_after=retry_after,
        )


class _Seats:
    """Where so much is worked on at once, in threads of its own, while others wait for their turn."""

    def __init__(self, at_once: int, name: str) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._workers = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._waiting: Counter[str] = Counter()  # by reader

    def full(self, reader: Reader) -> bool:
        """Whether nobody else may wait here, or this reader not once more."""
        return self._free.locked() and (self._waiting.total() >= WAITING or self._waiting[reader.name] >= SHARE)

    async def worked(self, reader: Reader, work: Callable[[], _Result], began: Callable[[], None]) -> _Result:
        """Does the work in its turn; `began` is told when that has come. Raises `Busy` where it does not come."""
        async with self._taken(reader):
            began()
            working = asyncio.get_running_loop().run_in_executor(self._workers, work)
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:  # a thread cannot be stopped, so its seat is taken until its step is done
                await asyncio.wait([working])
                raise

    @contextlib.asynccontextmanager
    async def _taken(self, reader: Reader) -> AsyncIterator[None]:
        self._waiting[reader.name] += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting[reader.name] -= 1
            self._waiting += Counter()  # forgets who no longer waits
        try:
            yield
        finally:
            self._free.release()


class Questions:
    """Asks an open assistant on behalf of readers. All of its methods belong in one event loop.

    `a_minute` is how many questions one reader may ask a minute; 0 sets no limit.
    """

    def __init__(self, assistant: Assistant, *, a_minute: int = 0, meters: Meters) -> None:
        self._assistant = assistant
        self._meters = meters
        self._quoted = _Seats(AT_ONCE, "question")
        self._written = _Seats(WRITTEN_AT_ONCE, "written-question")
        self._rate = Rate(a_minute)

    def archive(self, reader: Reader) -> Assistant:
        """The assistant as this reader may see it: lists, articles and counts of what his groups may read."""
        return self._assistant.for_groups(reader.groups)

    async def ask(
        self,
        reader: Reader,
        way: Way,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        written: bool = False,
        **options: Any,
    ) -> Answer:
        """The answer to a question; options are those of `Assistant.ask`. It is `written` where a model is connected.

        Raises:
            Refused: too many questions. RagError: as `Assistant.ask`.
        """
        last = None
        async for event in self.stream(reader, way, question, history, written=written, **options):
            last = event.data
        assert isinstance(last, Answer)
        return last

    async def stream(
        self,
        reader: Reader,
        way: Way,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        written: bool = False,
        **options: Any,
    ) -> AsyncIterator[Event]:
        """The answer step by step, as `Assistant.stream` gives it. Raises as `ask` does.

        The seat is free again as soon as the answer is there, however slowly it is taken.
        """
        events: asyncio.Queue[Event | Exception | None] = asyncio.Queue()  # None after the last
        archive = self.archive(reader)
        loop = asyncio.get_running_loop()
        seats = self._written if written and archive.model else self._quoted
        left = False

        def work() -> None:
            for event in archive.stream(question, history, written=written, **options):
                if left:
                    return
                if isinstance(event.data, Answer):
                    asked.answered(event.data)
                loop.call_soon_threadsafe(events.put_nowait, event)

        async def seated() -> None:
            try:
                with asked:
                    await self._worked(seats, reader, work, asked.began)
            except (Refused, RagError) as error:
                events.put_nowait(error)
            except Exception:  # whose message may quote the question; the log has the rest of it
                events.put_nowait(Refused(500, "The question could not be answered; the server's log says where."))
            else:
                events.put_nowait(None)

        asked = self._meters.asked(reader, way, question)
        task = asyncio.create_task(seated())
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            left = True
            task.cancel()  # while it waits for its turn; what is under way ends at its next step

    async def search(self, reader: Reader, query: str, limit: int, **filters: Any) -> list[Hit]:
        """The passages nearest to a query; filters are those of `Assistant.search`. Raises as `ask` does."""
        return await self._worked(self._quoted, reader, lambda: self.archive(reader).search(query, limit, **filters))

    async def translate(self, reader: Reader, article_id: str, start: int, end: int, language: str) -> str:
        """The language model's translation of a quotation; what is given and raised is as `Assistant.translate` has it.

        Raises:
            Refused: too many questions, of which this counts as one.
        """
        archive = self.archive(reader)
        return await self._worked(self._written, reader, lambda: archive.translate(article_id, start, end, language))

    async def _worked(
        self, seats: _Seats, reader: Reader, work: Callable[[], _Result], began: Callable[[], None] = lambda: None
    ) -> _Result:
        """Does the work on one of these seats, unless the reader has asked too much."""
        if seats.full(reader):
            raise Busy
        if wait := self._rate.wait(reader.name):
            raise TooOften(self._rate.a_minute, wait)
        return await seats.worked(reader, work, began)
