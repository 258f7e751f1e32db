"""The terminal: `python -m rag sync | ask | search | serve | feedback`.

Whatever is slow to import is imported inside the command that needs it, so that `--help` answers at once. Errors of
ours become one line on stderr. What is printed looks as `terminal.py` says.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import __version__, settings
from rag.errors import RagError, SettingsError
from rag.terminal import Page, complain, print_json

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.feedback import Feedback

FOUND, NOT_FOUND, ERROR, INTERRUPTED = 0, 1, 2, 130

_EXIT_CODES = """\
exit codes:
  0    found, or done
  1    not found: the archive does not hold the answer
  2    error (also a wrong argument); one line on stderr says what and what to do
  130  interrupted
"""


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
            complain(str(error))
        else:
            complain(f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where")
        return ERROR


# Commands


def _sync(args: argparse.Namespace) -> int:
    with _assistant(args) as assistant:
        report = assistant.sync(progress=sys.stderr.isatty(), rebuild=args.rebuild)
    if args.json:
        print_json(report.to_dict())
    else:
        Page().sync_report(report)
    return FOUND


def _ask(args: argparse.Namespace) -> int:
    question = _words(args.question, "question")
    with _assistant(args) as assistant:
        _build_new(assistant)
        answer = assistant.ask(question, language=args.answer_language, **_filters(args))
    if args.json:
        print_json(answer.to_dict())
    else:
        Page().answer(answer)
    return FOUND if answer.found else NOT_FOUND


def _search(args: argparse.Namespace) -> int:
    query = _words(args.query, "query")
    with _assistant(args) as assistant:
        _build_new(assistant)
        hits = assistant.search(query, limit=args.limit, **_filters(args))
    if args.json:
        print_json([hit.to_dict() for hit in hits])
    elif hits:
        Page().hits(hits)
    else:
        Page().line("Nothing found.")
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


def _feedback(args: argparse.Namespace) -> int:
    from rag import feedback

    catalog = _index(args) / feedback.CATALOG  # only this file: the model stays where it is
    if args.delete_all or args.delete:
        return _delete_feedback(args, catalog)
    found = feedback.kept(catalog)
    if args.export:
        _export(args.export, found, replace=args.force)
        if args.json:
            print_json({"exported": len(found), "file": str(args.export)})
        else:
            Page().line(f"{len(found)} exported to {args.export}")
    elif args.json:
        print_json([item.to_dict() for item in found])
    elif found:
        Page().feedback(found)
    else:
        Page().line(f"No feedback in {catalog.parent}.")
    return FOUND


def _delete_feedback(args: argparse.Namespace, catalog: Path) -> int:
    from rag import feedback

    known = {item.id for item in feedback.kept(catalog)}
    if unknown := sorted(set(args.delete or ()) - known):
        raise SettingsError(
            f"there is no feedback with the id {', '.join(unknown)} and nothing was deleted; the list without --delete "
            "shows the ids"
        )
    if args.delete_all and known and not args.yes and not _sure(f"Delete all feedback ({len(known)})?"):
        Page().line("Nothing deleted.")
        return FOUND
    deleted = feedback.delete(catalog, None if args.delete_all else args.delete)
    if args.json:
        print_json({"deleted": deleted})
    else:
        Page().line(f"{deleted} deleted")
    return FOUND


def _sure(question: str) -> bool:
    """Ask on the terminal; where there is none, nobody can answer.

    Raises:
        SettingsError: stdin is no terminal.
    """
    if not sys.stdin.isatty():
        raise SettingsError(
            "deleting all feedback cannot be undone, and there is no terminal to ask; add --yes to do it"
        )
    sys.stderr.write(f"{question} It cannot be brought back. [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _export(path: Path, found: Sequence[Feedback], *, replace: bool) -> None:
    from rag import feedback

    # The mark at the beginning tells Excel that the file is in UTF-8.
    formats = {".jsonl": (feedback.to_jsonl, "utf-8"), ".csv": (feedback.to_csv, "utf-8-sig")}
    if path.suffix.lower() not in formats:
        raise SettingsError(f"{path} ends in {path.suffix or 'nothing'!r}, expected .jsonl or .csv; name it so")
    write, encoding = formats[path.suffix.lower()]
    text = write(found)
    try:
        with path.open("w" if replace else "x", encoding=encoding, newline="") as file:
            file.write(text)
    except FileExistsError:
        raise SettingsError(f"{path} exists; add --force to write over it, or name another file") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror or error}); name another file") from None


def _settings(args: argparse.Namespace) -> settings.Settings:
    found = settings.load()
    return dataclasses.replace(found, corpus=args.corpus) if args.corpus else found


def _assistant(args: argparse.Namespace) -> Assistant:
    from rag.assistant import Assistant

    return Assistant(corpus=_settings(args).corpus, index=_index(args))


def _index(args: argparse.Namespace) -> Path:
    """The folder of the index."""
    index: Path = args.index or _settings(args).index_path
    return index.expanduser()


def _build_new(assistant: Assistant) -> None:
    """Build an index on its first use here, where the wait can be seen, and not silently inside a question."""
    if sys.stderr.isatty() and not assistant.path.exists():
        assistant.sync(progress=True)


def _filters(args: argparse.Namespace) -> dict[str, Any]:
    if args.since and args.until and args.since > args.until:
        raise SettingsError(f"--since {args.since} is after --until {args.until}; swap the two")
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
    feedback = command(
        "feedback",
        _feedback,
        "list, export or delete what readers thought of answers",
        [as_json],
        [
            "feedback",
            "feedback --export feedback.csv",
            "feedback --delete 0f8fad5bd9cb469fa16570867728950e",
            "feedback --delete-all --yes",
        ],
    )
    what = feedback.add_mutually_exclusive_group()
    what.add_argument("--export", type=Path, metavar="FILE", help="write all of it to a new .jsonl or .csv file")
    what.add_argument("--delete", action="append", metavar="ID", help="delete the one with this id; may be repeated")
    what.add_argument("--delete-all", action="store_true", help="delete all of it; asks first")
    feedback.add_argument("--force", action="store_true", help="let --export write over a file")
    feedback.add_argument("--yes", action="store_true", help="let --delete-all go ahead without asking")
    return parser
