"""What the terminal shows: JSON for programs, text for people, and an error as one line.

The commands (`cli.py`) say what; here is how it looks. Text from files and from readers cannot steer the terminal.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rag import settings
from rag.records import Answer, Article, Citation, Hit, SyncReport

if TYPE_CHECKING:
    from rag.adding import AddReport
    from rag.backup import BackupReport
    from rag.feedback import Feedback
    from rag.machine import Finding
    from rag.restore import RestoreReport

# C0 and C1 control characters and the bidirectional overrides: text from a file must not steer the terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WIDEST = 100
_EXCERPT = 280  # characters of a passage shown in a list


def print_json(data: Any) -> None:
    """Print plain data as JSON, in ASCII where the stream takes no UTF-8."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(data, ensure_ascii=not utf8, indent=2))


def complain(message: str) -> None:
    """Print an error to stderr, as one line."""
    print(f"on-record: {safe(' '.join(message.split()))}", file=sys.stderr)


def safe(text: str) -> str:
    """`text` without what a terminal would obey."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


class Page:
    """Text for people: wrapped and quietly coloured on a terminal, plain and unwrapped in a pipe."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.colour = self.terminal and settings.colour_wanted()
        self.width = min(shutil.get_terminal_size().columns, _WIDEST)

    def line(self, text: str = "", *, indent: str = "", style: str = "") -> None:
        for paragraph in safe(text).split("\n"):
            wrapped = [indent + paragraph]
            if self.terminal:
                wrapped = textwrap.wrap(
                    paragraph,
                    max(self.width, 20),
                    initial_indent=indent,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            for row in wrapped or [""]:
                print(f"\x1b[{style}m{row}\x1b[0m" if style and self.colour else row.rstrip())

    def table(self, rows: Sequence[Sequence[str]], *, heads: int = 1) -> None:
        """Columns in line, the first to the left and the others to the right; never wrapped. The heads come first."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for rank, row in enumerate(rows):
            cells = [safe(row[0]).ljust(widths[0])]
            cells += [safe(cell).rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            text = "  ".join(cells).rstrip()
            print(f"\x1b[1m{text}\x1b[0m" if rank < heads and self.colour else text)

    def answer(self, answer: Answer, *, struck: bool = False) -> None:
        """An answer and its citations; with `struck`, also the statements of a language model that were left out."""
        self.line(answer.text)
        for statement in answer.struck if struck else ():
            self.line()
            self.line(("" if self.colour else "struck: ") + f"{statement.text} ({statement.score:.2f})", style="9")
        if answer.method.startswith("llm:"):
            self.line()
            self.line(f"Written by {answer.method.removeprefix('llm:')}, checked against the quotations.", style="2")
        for citation in answer.citations:
            self.line()
            self.citation(citation, quoted=citation.quote in answer.text)
        if not answer.found and answer.nearest:
            self.line()
            self.line("Nearest passages, which do not answer the question:", style="2")
            self.hits(answer.nearest[:3])

    def citation(self, citation: Citation, *, quoted: bool) -> None:
        self.line(f"[{citation.number}] {_heading(citation.article)}", style="1")
        if not quoted:
            self.line(citation.quote, indent="    ")
        self.line(_place(citation.article, citation.start, citation.end), indent="    ", style="2")
        for article in citation.also_in:
            self.line(f"also in {_heading(article)}", indent="    ", style="2")

    def hits(self, hits: Sequence[Hit]) -> None:
        for rank, hit in enumerate(hits, 1):
            passage = hit.passage
            if rank > 1:
                self.line()
            self.line(f"{rank}. {_heading(passage.article)}", style="1")
            self.line(_excerpt(passage.text), indent="   ")
            place = _place(passage.article, passage.start, passage.end)
            self.line(f"{place} · score {hit.score:.3f}", indent="   ", style="2")

    def findings(self, findings: Iterable[Finding]) -> bool:
        """A line for each finding as it comes; whether all is well."""
        well = True
        for finding in findings:
            said = " ".join(finding.says.split())
            self.line(f"{'ok   ' if finding.ok else 'wrong'}  {finding.name}: {said}", style="" if finding.ok else "1")
            well = well and finding.ok
        return well

    def sync_report(self, report: SyncReport) -> None:
        self.line(
            f"{report.added} added, {report.updated} updated, {report.removed} removed, {report.unchanged} unchanged"
            + (f", {len(report.skipped)} skipped:" if report.skipped else "")
        )
        for path, reason in report.skipped:
            self.line(f"{path}: {reason}", indent="  ")

    def add_report(self, report: AddReport) -> None:
        """What became of each address; what failed goes to stderr, a line each."""
        told = (("added", report.added), ("updated", report.updated), ("unchanged", report.unchanged))
        for outcome, pairs in told:
            for _, place in pairs:
                self.line(f"{outcome}: {place}")
        if report.unsynced:
            self.line(f"The files are there and not yet in the index: {report.unsynced}")
        for url, reason in report.failed:
            complain(f"{url}: {reason}")

    def backup_report(self, report: BackupReport) -> None:
        held = f"{report.articles} articles in {report.files} files, {report.feedback} verdicts of readers"
        self.line(f"{held}: backed up to {report.file} ({report.size / 1e6:,.1f} MB)")
        if report.doubtful:
            self.line(f"{len(report.doubtful)} files are missing in it or half written:")
        for path, reason in report.doubtful:
            self.line(f"{path}: {reason}", indent="  ")

    def restore_report(self, report: RestoreReport) -> None:
        if report.finished:
            self.line("A restore that had been cut off is finished now; no other backup was read.")
        held = f"{report.articles} articles, {report.feedback} verdicts of readers, as of {report.made}"
        self.line(f"{held}: restored to {report.corpus} and {report.index}")
        for path in report.aside:
            self.line(f"what was there before is in {path}", indent="  ")
        if report.note:
            self.line(f"Before it can be used: {report.note}")

    def feedback(self, feedback: Sequence[Feedback]) -> None:
        for rank, item in enumerate(feedback):
            if rank:
                self.line()
            outcome = f"answered, confidence {item.confidence:.2f}" if item.found else "not found"
            self.line(f"{item.verdict} · {item.at:%Y-%m-%d %H:%M} UTC · {item.language} · {outcome}", style="1")
            self.line(" ".join(item.question.split()), indent="    ")
            if item.note:
                self.line(f"note: {' '.join(item.note.split())}", indent="    ")
            for cited in item.citations:
                self.line(f"{cited.article_id}, characters {cited.start}–{cited.end}", indent="    ", style="2")
            self.line(f"id {item.id}", indent="    ", style="2")


def _heading(article: Article) -> str:
    """What is known of an article in one line; what is unknown is left out."""
    known = (
        article.source,
        article.title,
        article.date.isoformat() if article.date else None,
        article.language,
        "sample article" if article.sample else None,
    )
    return " · ".join(" ".join(part.split()) for part in known if part)


def _place(article: Article, start: int, end: int) -> str:
    page = article.page_at(start)
    return f"{article.path}, characters {start}–{end}" + (f", page {page}" if page else "")


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    if len(flat) <= _EXCERPT:
        return flat
    cut = flat.rfind(" ", 0, _EXCERPT)
    return flat[: cut if cut > 0 else _EXCERPT] + " …"
