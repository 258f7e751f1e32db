"""The terminal: `python -m rag sync | ask | search | serve`.

The only module that prints. Whatever is slow to import is imported inside the command that needs it, so that `--help`
answers at once. Errors of ours become one line on stderr.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import __version__, settings
from rag.errors import RagError, SettingsError
from rag.records import Answer, Article, Citation, Hit, SyncReport

if TYPE_CHECKING:
    from rag.assistant import Assistant

FOUND, NOT_FOUND, ERROR, INTERRUPTED = 0, 1, 2, 130

_EXIT_CODES = """\
exit codes:
  0    found, or done
  1    not found: the archive does not hold the answer
  2    error (also a wrong argument); one line on stderr says what and what to do
  130  interrupted
"""

# C0 and C1 control characters and the bidirectional overrides: text from a file must not steer the terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WIDEST = 100
_EXCERPT = 280  # characters of a passage shown in a list


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    args = _parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has left. Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        elif isinstance(error, RagError):
            _complain(str(error))
        else:
            _complain(f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where")
        return ERROR


# Commands


def _sync(args: argparse.Namespace) -> int:
    with _assistant(args) as assistant:
        report = assistant.sync(progress=sys.stderr.isatty(), rebuild=args.rebuild)
    if args.json:
        _print_json(report.to_dict())
    else:
        _Page().sync_report(report)
    return FOUND


def _ask(args: argparse.Namespace) -> int:
    question = _words(args.question, "question")
    with _assistant(args) as assistant:
        _build_new(assistant)
        answer = assistant.ask(question, language=args.answer_language, **_filters(args))
    if args.json:
        _print_json(answer.to_dict())
    else:
        _Page().answer(answer)
    return FOUND if answer.found else NOT_FOUND


def _search(args: argparse.Namespace) -> int:
    query = _words(args.query, "query")
    with _assistant(args) as assistant:
        _build_new(assistant)
        hits = assistant.search(query, limit=args.limit, **_filters(args))
    if args.json:
        _print_json([hit.to_dict() for hit in hits])
    elif hits:
        _Page().hits(hits)
    else:
        _Page().line("Nothing found.")
    return FOUND if hits else NOT_FOUND


def _serve(args: argparse.Namespace) -> int:
    from rag.web.server import serve

    wanted = _settings(args)
    with _assistant(args) as assistant:
        assistant.sync(progress=sys.stderr.isatty())
        serve(
            assistant,
            wanted,
            host=wanted.host if args.host is None else args.host,
            port=wanted.port if args.port is None else args.port,
        )
    return FOUND


def _settings(args: argparse.Namespace) -> settings.Settings:
    found = settings.load()
    return dataclasses.replace(found, corpus=args.corpus) if args.corpus else found


def _assistant(args: argparse.Namespace) -> Assistant:
    from rag.assistant import Assistant

    wanted = _settings(args)
    return Assistant(corpus=wanted.corpus, index=args.index or wanted.index_path)


def _build_new(assistant: Assistant) -> None:
    """Build an index on its first use here, where the wait can be seen, and not silently inside a question."""
    if sys.stderr.isatty() and not assistant.path.exists():
        assistant.sync(progress=True)


def _filters(args: argparse.Namespace) -> dict[str, Any]:
    if args.since and args.until and args.since > args.until:
        raise SettingsError(f"--since {args.since} is after --until {args.until}; exchange the two")
    return {
        "languages": args.language or None,
        "sources": args.source or None,
        "since": args.since,
        "until": args.until,
    }


def _words(given: str, what: str) -> str:
    """The question from the command line, or from stdin for "-"."""
    try:
        words = (sys.stdin.read() if given == "-" else given).strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"the {what} on stdin is not {error.encoding} text; write it in that encoding") from None
    if not words:
        raise SettingsError(f'the {what} is empty; write it in quotation marks, or "-" to read it from stdin')
    return words


# What is printed


def _print_json(data: Any) -> None:
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(data, ensure_ascii=not utf8, indent=2))


def _complain(message: str) -> None:
    print(f"on-record: {_safe(' '.join(message.split()))}", file=sys.stderr)


def _safe(text: str) -> str:
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


class _Page:
    """Text for people: wrapped and quietly coloured on a terminal, plain and unwrapped in a pipe."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.colour = self.terminal and settings.colour_wanted()
        self.width = min(shutil.get_terminal_size().columns, _WIDEST)

    def line(self, text: str = "", *, indent: str = "", style: str = "") -> None:
        for paragraph in _safe(text).split("\n"):
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

    def answer(self, answer: Answer) -> None:
        self.line(answer.text)
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

    def sync_report(self, report: SyncReport) -> None:
        self.line(
            f"{report.added} added, {report.updated} updated, {report.removed} removed, {report.unchanged} unchanged"
            + (f", {len(report.skipped)} skipped:" if report.skipped else "")
        )
        for path, reason in report.skipped:
            self.line(f"{path}: {reason}", indent="  ")


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


# Arguments


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a language code such as nl, de or en")
    return value.lower()


def _date(value: str) -> dt.date:
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a date such as 2025-10-01") from None


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value) or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number from 1 to 9999")
    return int(value)


def _port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port: a number from 0 to 65535 (0: any free one)")
    return int(value)


def _parser() -> argparse.ArgumentParser:
    installed = Path(sys.argv[0]).stem == "on-record"
    program = "on-record" if installed else "python -m rag"

    def examples(*lines: str) -> str:
        return "examples:\n" + "".join(f"  {program} {line}\n" for line in lines)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--corpus", type=Path, metavar="FOLDER", help="the articles (default: the starter corpus)")
    common.add_argument("--index", type=Path, metavar="FOLDER", help="the index (default: one for each corpus)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON")

    filters = argparse.ArgumentParser(add_help=False)
    group = filters.add_argument_group("which articles may answer")
    group.add_argument(
        "--language", action="append", type=_language, metavar="CODE", help="nl, de, en …; may be repeated"
    )
    group.add_argument("--source", action="append", metavar="NAME", help="an outlet; may be repeated")
    group.add_argument("--since", type=_date, metavar="DATE", help="from this day on, such as 2025-10-01")
    group.add_argument("--until", type=_date, metavar="DATE", help="up to and with this day")

    parser = argparse.ArgumentParser(
        prog=program,
        description="Answers questions about a press archive with the archive's own words.",
        epilog=examples("sync", 'ask "What did Kyncl say about licensing?"', "serve")
        + f"\n'{program} COMMAND --help' tells more about a command.\n\n"
        + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"On Record {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Any, help: str, parents: Sequence[Any], shown: Sequence[str]) -> Any:
        made = commands.add_parser(
            name,
            parents=[*parents, common],
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=examples(*shown) + "\n" + _EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    sync = command(
        "sync",
        _sync,
        "bring the index in line with the folder of articles",
        [as_json],
        ["sync", "sync --corpus path/to/articles", "sync --rebuild", "sync --json"],
    )
    sync.add_argument(
        "--rebuild", action="store_true", help="make the whole index anew, as after a change of the model"
    )
    ask = command(
        "ask",
        _ask,
        "answer a question with quotations and their place in the source",
        [filters, as_json],
        [
            'ask "Wat zei Kyncl over licenties?"',
            'ask "Who sued Stability AI?" --language de --language nl --since 2025-01-01',
            'ask "What did Kyncl say?" --source "The Daily Example" --json',
            "ask - < question.txt",
        ],
    )
    ask.add_argument("question", help='the question, or "-" to read it from stdin')
    ask.add_argument(
        "--answer-language", type=_language, metavar="CODE", help="language of the answer (default: the question's)"
    )
    search = command(
        "search",
        _search,
        "list the passages nearest to some words or to a question",
        [filters, as_json],
        ["search licensing", 'search "opt-out" --limit 3 --language nl', "search licensing --json"],
    )
    search.add_argument("query", help='words or a question, or "-" to read them from stdin')
    search.add_argument("--limit", type=_count, default=10, metavar="N", help="how many passages (default: 10)")
    serve = command(
        "serve",
        _serve,
        "open the chat for a browser",
        [],
        ["serve", "serve --port 8000", "serve --corpus path/to/articles"],
    )
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, metavar="PORT", help="port to listen on; 0: any free one (default: 7860)")
    return parser
