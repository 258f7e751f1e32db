"""The terminal: `python -m rag sync | add | ask | search | serve | eval | feedback | mcp | backup | restore | doctor`.

What may be typed stands in `arguments.py`; what is printed looks as `terminal.py` says. Whatever is slow to import is
imported inside the command that needs it, so that `--help` answers at once. Errors of ours become one line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import arguments, settings
from rag.errors import RagError, SettingsError
from rag.terminal import Page, complain, print_json

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.feedback import Feedback
    from rag.machine import Finding

FOUND, NOT_FOUND, ERROR, INTERRUPTED = 0, 1, 2, 130


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
        report = assistant.sync(progress=sys.stderr.isatty(), rebuild=args.rebuild, ray=args.ray or "")
    if args.json:
        print_json(report.to_dict())
    else:
        Page().sync_report(report)
    return FOUND


def _add(args: argparse.Namespace) -> int:
    from rag import adding

    allowed = _settings(args).fetch_addresses
    with _assistant(args) as assistant:
        report = adding.add(assistant, args.url, allowed=allowed, limit=args.limit, progress=sys.stderr.isatty())
    if args.json:
        print_json(report.to_dict())
    else:
        Page().add_report(report)
    return FOUND if report.added or report.updated or report.unchanged else ERROR


def _ask(args: argparse.Namespace) -> int:
    question = _words(args.question, "question")
    with _assistant(args) as assistant:
        _build_new(assistant)
        answer = assistant.ask(question, language=args.answer_language, written=not args.quotes, **_filters(args))
    if args.json:
        print_json(answer.to_dict())
    else:
        Page().answer(answer, struck=args.debug)
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
    from rag.watch import watching
    from rag.web.server import serve

    wanted = _settings(args)
    if args.follow is not None:
        wanted = dataclasses.replace(wanted, uploads=False)  # what is added is added where the archive is written
        args.index = args.index or wanted.home / f"copy-{args.follow or 'archive'}"
    with _assistant(args) as assistant, contextlib.ExitStack() as stack:
        if args.follow is not None:
            from rag.follow import following

            assistant.follow(args.follow)
            stack.enter_context(following(assistant.follow))
        else:
            assistant.sync(progress=sys.stderr.isatty())
        if args.watch:
            stack.enter_context(watching(assistant.corpus, assistant.sync))
        serve(
            assistant,
            wanted,
            host=wanted.host if args.host is None else args.host,
            port=wanted.port if args.port is None else args.port,
        )
    return FOUND


def _eval(args: argparse.Namespace) -> int:
    from rag import evaluate, expected, scorecard

    if args.plot:
        scorecard.check_picture(args.plot)
    starter = settings.Settings().corpus.resolve()
    if args.file is None:
        if args.corpus and args.corpus.expanduser().resolve() != starter:
            raise SettingsError(
                f"--corpus names {args.corpus}, but the built-in questions are about the starter corpus; add a FILE of "
                "questions about your articles, or leave --corpus out"
            )
        args.corpus = starter
    questions = expected.load(args.file or expected.BUILT_IN)
    with _assistant(args) as assistant:
        _build_new(assistant)
        name = "the starter corpus" if assistant.corpus == starter else f"the archive {assistant.corpus.name}"
        report = evaluate.evaluate(assistant, questions, archive=name, progress=sys.stderr.isatty())
    if args.plot:
        scorecard.plot(report, args.plot)
    if args.json:
        print_json(report.to_dict())
    else:
        scorecard.show(report, Page())
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


def _mcp(args: argparse.Namespace) -> int:
    from rag.mcp import serve_stdio

    with _assistant(args) as assistant:
        serve_stdio(assistant)
    return FOUND


def _backup(args: argparse.Namespace) -> int:
    from rag.backup import back_up

    report = back_up(args.file, corpus=_settings(args).corpus, index=_index(args), force=args.force)
    if args.json:
        print_json(report.to_dict())
    else:
        Page().backup_report(report)
    return NOT_FOUND if report.doubtful else FOUND


def _restore(args: argparse.Namespace) -> int:
    from rag.restore import restore

    wanted = _settings(args)
    report = restore(args.file, corpus=wanted.corpus, index=_index(args), model=wanted.embed_model, force=args.force)
    if args.json:
        print_json(report.to_dict())
    else:
        Page().restore_report(report)
    return FOUND


def _doctor(args: argparse.Namespace) -> int:
    wanted = _settings(args)
    findings = _findings(wanted, _index(args), repair=args.repair)
    if args.json:
        found = list(findings)
        well = all(finding.ok for finding in found)
        print_json({"ok": well, "findings": [finding.to_dict() for finding in found]})
    else:
        well = Page().findings(findings)
    return FOUND if well else NOT_FOUND


def _findings(wanted: settings.Settings, index: Path, *, repair: bool) -> Iterator[Finding]:
    from rag import doctor, machine

    servers = {settings.variable(name): getattr(wanted, name) for name in ("llm_url", "chroma_url")}
    models = {settings.variable(name): getattr(wanted, name) for name in ("embed_model", "rerank_model")}
    yield doctor.corpus(wanted.corpus.expanduser())
    yield from doctor.index(index, wanted.embed_model, (wanted.chroma_url, wanted.chroma_headers), repair=repair)
    yield doctor.embedding(wanted.embed_model)
    yield doctor.reranking(wanted.rerank_model)
    yield machine.outward(servers, models)
    yield machine.connections(servers)
    yield machine.disk(index, wanted.corpus.expanduser())
    yield machine.memory()
    yield machine.versions()
    yield from doctor.language_model(
        wanted.llm, url=wanted.llm_url, model=wanted.llm_model, key=wanted.llm_key, seconds=wanted.llm_timeout
    )


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


def _parser() -> argparse.ArgumentParser:
    return arguments.parser(
        {
            "sync": _sync,
            "add": _add,
            "ask": _ask,
            "search": _search,
            "serve": _serve,
            "eval": _eval,
            "feedback": _feedback,
            "mcp": _mcp,
            "backup": _backup,
            "restore": _restore,
            "doctor": _doctor,
        }
    )
