"""What may be typed after `python -m rag`: the commands, their arguments, their help.

What the commands do stands in `cli.py`, which hands its functions in.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag import __version__

Command = Callable[[argparse.Namespace], int]

_EXIT_CODES = """\
exit codes:
  0    found, or done
  1    not found: the archive does not hold the answer; of doctor: something is wrong; of backup: it lacks a file
  2    error (also a wrong argument); one line on stderr says what and what to do
  130  interrupted
"""


def parser(run: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The whole command line; `run` holds what each command does, by its name."""
    installed = Path(sys.argv[0]).stem == "on-record"
    program = "on-record" if installed else "python -m rag"

    def examples(*lines: str) -> str:
        return "examples:\n" + "".join(f"  {program} {line}\n" for line in lines)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--corpus", type=Path, metavar="FOLDER", help="the articles (default: the starter corpus)")
    common.add_argument("--index", type=Path, metavar="FOLDER", help="the index (default: one for each corpus)")
    common.add_argument(
        "--debug",
        action="store_true",
        help="show the traceback of an error, and what was struck of a written answer",
    )

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

    made = argparse.ArgumentParser(
        prog=program,
        description="Answers questions about a press archive with the archive's own words.",
        epilog=examples("sync", 'ask "What did Kyncl say about licensing?"', "serve")
        + f"\n'{program} COMMAND --help' tells more about a command.\n\n"
        + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"On Record {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, help: str, parents: Sequence[Any], shown: Sequence[str]) -> Any:
        added = commands.add_parser(
            name,
            parents=[*parents, common],
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog=examples(*shown) + "\n" + _EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run[name])
        return added

    sync = command(
        "sync",
        "bring the index in line with the folder of articles",
        [as_json],
        ["sync", "sync --corpus path/to/articles", "sync --rebuild", "sync --ray auto", "sync --json"],
    )
    sync.add_argument(
        "--rebuild", action="store_true", help="make the whole index anew, as after a change of the model"
    )
    sync.add_argument(
        "--ray",
        type=_cluster,
        metavar="ADDRESS",
        help="share the embedding among the machines of the Ray cluster at host:port; auto: the one running here",
    )
    add = command(
        "add",
        "fetch articles by their address, or those of a feed, into the folder, and sync",
        [as_json],
        [
            "add https://news.example/2025/article.html",
            "add https://news.example/a.html https://other.example/b.pdf --json",
            "add https://news.example/feed.xml --limit 20 --corpus path/to/articles",
        ],
    )
    add.add_argument("url", nargs="+", metavar="URL", help="of a page, a PDF, a plain text, or an RSS or Atom feed")
    add.add_argument(
        "--limit", type=_count, default=50, metavar="N", help="of a feed so many entries, the newest (default: 50)"
    )
    ask = command(
        "ask",
        "answer a question with quotations and their place in the source",
        [filters, as_json],
        [
            'ask "Wat zei Kyncl over licenties?"',
            'ask "Who sued Stability AI?" --language de --language nl --since 2025-01-01',
            'ask "What did Kyncl say?" --source "The Daily Example" --json',
            "ask - < question.txt",
            'ask "What did Kyncl say about licensing?" --quotes',
        ],
    )
    ask.add_argument("question", help='the question, or "-" to read it from stdin')
    ask.add_argument(
        "--answer-language", type=_language, metavar="CODE", help="language of the answer (default: the question's)"
    )
    ask.add_argument("--quotes", action="store_true", help="quotations only, although a language model is connected")
    search = command(
        "search",
        "list the passages nearest to some words or to a question",
        [filters, as_json],
        ["search licensing", 'search "opt-out" --limit 3 --language nl', "search licensing --json"],
    )
    search.add_argument("query", help='words or a question, or "-" to read them from stdin')
    search.add_argument("--limit", type=_count, default=10, metavar="N", help="how many passages (default: 10)")
    serve = command(
        "serve",
        "open the chat for a browser",
        [],
        ["serve", "serve --port 8000", "serve --corpus path/to/articles --watch", "serve --follow"],
    )
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, metavar="PORT", help="port to listen on; 0: any free one (default: 7860)")
    kept = serve.add_mutually_exclusive_group()
    kept.add_argument("--watch", action="store_true", help="follow the folder: what changes there is synced at once")
    kept.add_argument(
        "--follow",
        nargs="?",
        const="",
        metavar="NAME",
        help="answer from the archive that another process writes to the Chroma server (NAME where there are several)",
    )
    evaluation = command(
        "eval",
        "measure how well an archive's answers are",
        [as_json],
        ["eval", "eval questions.jsonl --corpus path/to/articles", "eval questions.jsonl --plot figure.svg --json"],
    )
    evaluation.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="JSON Lines of questions with the quotations expected (default: questions about the starter corpus)",
    )
    evaluation.add_argument("--plot", type=Path, metavar="PICTURE", help="draw the figures into a .png or .svg file")
    feedback = command(
        "feedback",
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
    command(
        "mcp",
        "serve the archive to an agent's program, which starts this itself, over stdin and stdout",
        [],
        ["mcp", "mcp --corpus path/to/articles"],
    )
    backup = command(
        "backup",
        "write the whole archive to one file: articles, vectors, feedback; also while it is served and synced",
        [as_json],
        ["backup archive.tar.gz", "backup archive.tar.gz --force --corpus path/to/articles"],
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="the file to write, such as archive.tar.gz")
    backup.add_argument("--force", action="store_true", help="write over a file that is there")
    restore = command(
        "restore",
        "put the archive in a backup into a folder of articles and an index, without embedding anything",
        [as_json],
        ["restore archive.tar.gz --corpus path/to/articles", "restore archive.tar.gz --force"],
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="a file that `backup` wrote")
    restore.add_argument(
        "--force", action="store_true", help="where the folders are not empty, keep what is there under another name"
    )
    doctor = command(
        "doctor",
        "say what is configured, and whether it and the archive are well; a language model is asked one short question",
        [as_json],
        ["doctor", "doctor --corpus path/to/articles", "doctor --repair", "doctor --json"],
    )
    doctor.add_argument(
        "--repair", action="store_true", help="make damaged search indexes again from the catalog, embedding nothing"
    )
    return made


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a language code such as nl, de or en")
    return value.lower()


def _date(value: str) -> dt.date:
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a date such as 2025-10-01") from None


def _cluster(value: str) -> str:
    if value != "auto" and not re.fullmatch(r"\S+:[0-9]{1,5}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not the address of a Ray cluster: host:port, or auto")
    return value


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value) or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number from 1 to 9999")
    return int(value)


def _port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port: a number from 0 to 65535 (0: any free one)")
    return int(value)
