"""What readers thought of answers: kept in a table of its own in the catalog's file.

It is the one thing there that no sync can make again, so it survives a rebuild. It needs neither the model nor the
lock: SQLite lets this process write beside another. Every call opens the file anew, so that nothing is written to a
catalog that has been put aside. Nothing here says who the reader was.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import logging
import re
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rag.errors import ArchiveIndexError, RagError, SettingsError
from rag.question import MAX_QUESTION
from rag.records import Answer

_log = logging.getLogger(__name__)

Verdict = Literal["up", "down"]

MAX_NOTE = 1_000  # characters
MAX_CITATIONS = 5
ID = r"[0-9a-f]{32}"
ARTICLE_ID = r"[a-z0-9-]{1,100}"
LANGUAGE = r"[a-z]{2,3}"
METHOD = r"[\x20-\x7e]{1,200}"  # "quotes" or "llm:<model>"

CATALOG = "catalog.sqlite3"  # the file of the catalog in the folder of an index
TABLE = "feedback"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, verdict TEXT NOT NULL, note TEXT, question TEXT NOT NULL,
    language TEXT NOT NULL, found INTEGER NOT NULL, confidence REAL NOT NULL, method TEXT NOT NULL,
    citations TEXT NOT NULL           -- [[article id, start, end], ...]
)
"""
_COLUMNS = ("id", "at", "verdict", "note", "question", "language", "found", "confidence", "method", "citations")
_WAIT = 30  # seconds for another process to finish a write; those of a sync take milliseconds

# What SQLite says of a sound file too: busy, locked, out of memory, interrupted, a fault of the disk, a full disk.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}


def new_id() -> str:
    """An id that nobody can guess and that says nothing."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Cited:
    """A quotation that an answer gave: code points `[start, end)` of the text of an article."""

    article_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """One reader's verdict on one answer, with what tells which answer it was. A new one gets an id and the time.

    Raises:
        SettingsError: a value is too long or of another form than expected.
    """

    verdict: Verdict
    question: str
    language: str
    found: bool
    confidence: float
    method: str = "quotes"
    citations: tuple[Cited, ...] = ()
    note: str | None = None
    id: str = field(default_factory=new_id)
    at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise SettingsError(f'the verdict is {self.verdict!r}, expected "up" or "down"')
        _check("the question", self.question, MAX_QUESTION)
        if not self.question.strip():
            raise SettingsError("the question is empty, expected the one that was answered")
        _check("the note", self.note or "", MAX_NOTE)
        for what, value, form, expected in (
            ("id of the feedback", self.id, ID, "32 hex digits in lower case"),
            ("language", self.language, LANGUAGE, "a code such as nl, de or en"),
            ("method", self.method, METHOD, 'a name such as "quotes"'),
            *(
                ("id of an article", cited.article_id, ARTICLE_ID, "small letters, digits and hyphens")
                for cited in self.citations
            ),
        ):
            if not re.fullmatch(form, value):
                raise SettingsError(f"the {what} is {value[:60]!r}, expected {expected}")
        if not 0 <= self.confidence <= 1:
            raise SettingsError(f"the confidence is {self.confidence}, expected a number from 0 to 1")
        if len(self.citations) > MAX_CITATIONS:
            raise SettingsError(f"there are {len(self.citations)} citations, expected at most {MAX_CITATIONS}")
        for cited in self.citations:
            if not 0 <= cited.start < cited.end < 2**31:
                raise SettingsError(
                    f"a citation goes from {cited.start} to {cited.end}, expected a start before its end, both from 0"
                )
        if self.at.utcoffset() != dt.timedelta(0):
            raise SettingsError(f"the time is {self.at.isoformat()}, expected one in UTC")

    @classmethod
    def about(cls, answer: Answer, verdict: Verdict, *, note: str | None = None) -> Feedback:
        """The verdict on an answer; to change it or to add a note later, add a `dataclasses.replace` of it."""
        return cls(
            verdict=verdict,
            question=answer.question,
            language=answer.language,
            found=answer.found,
            confidence=answer.confidence,
            method=answer.method,
            citations=tuple(Cited(item.article.id, item.start, item.end) for item in answer.citations),
            note=note,
        )

    def to_dict(self) -> dict[str, Any]:
        """The feedback as plain data, ready for JSON."""
        return {
            "id": self.id,
            "at": self.at.isoformat(timespec="seconds"),
            "verdict": self.verdict,
            "note": self.note,
            "question": self.question,
            "language": self.language,
            "found": self.found,
            "confidence": round(self.confidence, 4),
            "method": self.method,
            "citations": [
                {"article": cited.article_id, "start": cited.start, "end": cited.end} for cited in self.citations
            ],
        }


def _check(what: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise SettingsError(f"{what} has {len(text):,} characters, expected at most {longest:,}; shorten it")
    # A NUL ends the text for other readers of the file; half of a surrogate pair cannot be written at all.
    if re.search("[\0\ud800-\udfff]", text):
        raise SettingsError(f"{what} holds a character that is no text (NUL or half a pair); take it out")


# The store


def add(catalog: Path, feedback: Feedback) -> None:
    """Keep `feedback` in the catalog file, in place of what has the same id. Makes the file where there is none.

    Raises:
        ArchiveIndexError: the file cannot be written.
    """
    _write(catalog, [feedback])


def _write(catalog: Path, feedback: Sequence[Feedback]) -> None:
    marks = ", ".join("?" * len(_COLUMNS))
    with _connected(catalog, create=True) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN IMMEDIATE")
        db.execute(_SCHEMA)
        db.executemany(
            f"INSERT OR REPLACE INTO {TABLE} ({', '.join(_COLUMNS)}) VALUES ({marks})",
            (
                (
                    item.id,
                    item.at.isoformat(timespec="microseconds"),
                    item.verdict,
                    item.note,
                    item.question,
                    item.language,
                    item.found,
                    item.confidence,
                    item.method,
                    json.dumps([(cited.article_id, cited.start, cited.end) for cited in item.citations]),
                )
                for item in feedback
            ),
        )
        db.execute("COMMIT")


def kept(catalog: Path) -> list[Feedback]:
    """All feedback in the catalog file, newest first; none where there is no such file.

    Raises:
        ArchiveIndexError: the file cannot be read.
    """
    if not catalog.exists():
        return []
    with _connected(catalog) as db:
        if not _has_table(db):
            return []
        rows = db.execute(f"SELECT {', '.join(_COLUMNS)} FROM {TABLE} ORDER BY at DESC, rowid DESC").fetchall()
    return [_feedback(row) for row in rows]


def delete(catalog: Path, ids: Collection[str] | None = None) -> int:
    """Delete the feedback with these ids, or all of it; how many there were. What is deleted is overwritten on disk.

    Raises:
        ArchiveIndexError: the file cannot be written.
    """
    if not catalog.exists():
        return 0
    with _connected(catalog) as db:
        if not _has_table(db):
            return 0
        db.execute("BEGIN IMMEDIATE")
        if ids is None:
            count = db.execute(f"DELETE FROM {TABLE}").rowcount
        else:
            count = sum(db.execute(f"DELETE FROM {TABLE} WHERE id = ?", (item,)).rowcount for item in set(ids))
        db.execute("COMMIT")
        # The log still holds the old pages. Where another process reads, they go with its next checkpoint.
        db.execute("PRAGMA busy_timeout=0")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return count


def discard_all_else(catalog: Path) -> None:
    """Empty the catalog file of everything but the feedback, whatever wrote it. Only for who holds the index's lock.

    The file stays, so that feedback which another process writes meanwhile is not lost; a database unlinked under those
    who have it open could also damage the next one. Only a file that is no usable database is put aside; what feedback
    can still be read in it is carried over.

    Raises:
        ArchiveIndexError: the file can neither be emptied nor put aside.
    """
    if not catalog.exists():
        return
    try:
        with closing(sqlite3.connect(catalog, isolation_level=None, timeout=_WAIT)) as db:
            _drop_all_else(db)
    except sqlite3.DatabaseError as error:
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # missing where text is no UTF-8
        if code & 0xFF in _PASSING:  # the lower byte: the rest tells the kind more exactly
            raise ArchiveIndexError(
                f"{catalog} cannot be emptied ({error}); see that no other process is at work there and that the disk "
                "is not full, then try again"
            ) from error
        _put_aside(catalog, str(error))


def _drop_all_else(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    found = db.execute("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')").fetchall()
    sequences = []
    if any(name == "sqlite_sequence" for _, name in found):
        sequences = db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    for kind, name in found:
        if name != TABLE and not name.startswith("sqlite_"):
            db.execute(f'DROP {kind} "{name.replace(chr(34), chr(34) * 2)}"')
    # Counting goes on: a process that reads meanwhile keeps articles in memory by their revision.
    db.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", sequences)
    db.execute("COMMIT")


def _put_aside(catalog: Path, reason: str) -> None:
    try:
        carried = kept(catalog)
    except (RagError, ValueError, TypeError):  # what is damaged may hold anything
        carried = []
    aside = f"{catalog.name}.damaged-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%fZ}"
    try:
        for end in ("-wal", "-shm", ""):  # the database last: while it is there, this can be tried again
            if (found := catalog.with_name(catalog.name + end)).exists():
                found.rename(catalog.with_name(aside + end))
    except OSError as error:
        raise ArchiveIndexError(
            f"{catalog} is not usable ({reason}) and cannot be put aside ({error}); move it away and try again"
        ) from error
    _log.warning(
        "%s was not usable (%s) and is now %s; feedback carried over: %d", catalog, reason, aside, len(carried)
    )
    if carried:
        _write(catalog, carried[::-1])


@contextmanager
def _connected(catalog: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to the catalog file; errors of SQLite inside become ours."""
    try:
        if create:
            catalog.parent.mkdir(parents=True, exist_ok=True)
        address = f"{catalog.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT)) as db:
            db.execute("PRAGMA secure_delete=ON")  # not every build of SQLite has it on
            yield db
    except (sqlite3.DatabaseError, OSError) as error:
        raise ArchiveIndexError(
            f"the feedback in {catalog} cannot be read or written ({error}); if another process is at work there, try "
            "again later; if the file is damaged, build the index again with: python -m rag sync --rebuild"
        ) from error


def _has_table(db: sqlite3.Connection) -> bool:
    found = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (TABLE,))
    return found.fetchone() is not None


def _feedback(row: Sequence[Any]) -> Feedback:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Feedback(
        **{
            **values,
            "at": dt.datetime.fromisoformat(values["at"]),
            "found": bool(values["found"]),
            "citations": tuple(Cited(*item) for item in json.loads(values["citations"])),
        }
    )


# Export

# Where a spreadsheet begins to read a formula: at the sign, blanks skipped, at the start of a cell. A tab, a line break
# and (where commas are for decimals) a semicolon may start a new cell, whatever the quotation marks of CSV say.
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def to_jsonl(feedback: Sequence[Feedback]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(item.to_dict(), ensure_ascii=False) + "\n" for item in feedback)


def to_csv(feedback: Sequence[Feedback]) -> str:
    """A table for spreadsheets. A cell that one would take for a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for item in feedback:
        told = item.to_dict()
        told["found"] = "yes" if item.found else "no"
        told["citations"] = " ".join(f"{cited.article_id}:{cited.start}-{cited.end}" for cited in item.citations)
        writer.writerow([_cell(told[name]) for name in _COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
