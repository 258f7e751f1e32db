"""What is configured, whether it is there, and whether the language model can be used: one finding for each.

What is found of the archive stands in `checkup.py`, and of the machine in `machine.py`. Nothing is built here; a
finding says what to do.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rag import checkup, embed
from rag.check import Checker
from rag.errors import LLMError, RagError
from rag.llm import LanguageModel, LazyModel, ModelFailed
from rag.machine import Finding
from rag.manifest import unfinished
from rag.prose import Draft, Reply, request
from rag.records import Article, Citation
from rag.rerank import open_reranker
from rag.stores import Stores

_QUOTE = "Forty ships had waited outside the harbour of Lindmouth for a pilot."
_QUESTION = "How many ships had waited outside the harbour of Lindmouth?"
Server = tuple[str, tuple[tuple[str, str], ...]]
_LONGEST = 80  # characters of a reply that are shown
_ADVICE = {
    "slow": "take a smaller model, or raise ON_RECORD_LLM_TIMEOUT",
    "failed": "check that it runs, and ON_RECORD_LLM_URL, ON_RECORD_LLM_MODEL and ON_RECORD_LLM_KEY",
}


def corpus(folder: Path) -> Finding:
    """The folder of the articles."""
    if not folder.is_dir():
        said = f"{folder} is not a folder; name one of articles with --corpus or ON_RECORD_CORPUS"
        return Finding("corpus", False, said)
    return Finding("corpus", True, f"{folder}, {sum(path.is_file() for path in folder.rglob('*'))} files")


def index(folder: Path, model: str, server: Server = ("", ()), *, repair: bool = False) -> Iterator[Finding]:
    """The index in a folder, which the embedding model of this name made, and what it holds; mended first if wanted.

    `server` is the Chroma server that holds the vectors: what `ON_RECORD_CHROMA_URL` and `…_HEADERS` say of it.
    """
    stores = Stores(folder, model, *server)
    try:
        if stores.exist() or unfinished(folder):
            yield from checkup.archive(stores, repair=repair)
        else:
            said = f"{folder}, not built yet: the first question builds it, or: python -m rag sync"
            yield Finding("index", True, said)
    finally:
        stores.close()


def embedding(name: str) -> Finding:
    """The embedding model of this name."""
    try:
        model = embed.load(name)
    except RagError as error:
        return Finding("embedding model", False, str(error))
    return Finding("embedding model", True, f"{name}: {model.name}, {model.dim} numbers a text")


def reranking(name: str) -> Finding:
    """The cross-encoder of this name."""
    try:
        opened = open_reranker(name)
    except RagError as error:
        return Finding("cross-encoder", False, str(error))
    return Finding("cross-encoder", True, name if opened else "off, by ON_RECORD_RERANK_MODEL")


def language_model(kind: str, *, url: str, model: str, key: str, seconds: float) -> Iterator[Finding]:
    """The language model that these settings name: what it is, whether it replies, how fast, and how usefully.

    It is asked one short question. The key is never said.
    """
    if not kind:
        yield Finding("language model", True, "none, so answers are quotations; ON_RECORD_LLM connects one")
        return
    try:
        lazy = LazyModel(kind, url=url, model=model, key=key, seconds=seconds)
        opened = lazy.opened()
    except RagError as error:
        yield Finding("language model", False, str(error))
        return
    # Of the address, what follows a question mark may be secret.
    place = (
        f" at {urlsplit(url)._replace(query='', fragment='').geturl()}, key {'set' if key else 'not set'}"
        if url
        else ""
    )
    yield Finding("language model", True, f"{kind}{place}, model {lazy.name}, time limit {seconds:g} s")
    yield from _asked(opened)


def _asked(model: LanguageModel) -> Iterator[Finding]:
    """What a model makes of a question: when it replies, whether as JSON, whether anything in that can be used."""
    article = Article("doctor", "Harbour reopens", _QUOTE, "doctor.md", "", "Test Gazette", dt.date(2025, 3, 1), "en")
    citation = Citation(1, article, 0, len(_QUOTE), _QUOTE, _QUOTE)
    wanted = request(_QUESTION, [citation], "en")
    assert wanted is not None
    reply, drafts, pieces = Reply(), list[Draft](), list[str]()
    first, began = 0.0, time.monotonic()
    try:
        for piece in model.stream(*wanted):
            first = first or time.monotonic() - began
            pieces.append(piece)
            drafts += reply.read(piece)
    except ModelFailed as error:
        after = f", after {len(''.join(pieces))} characters" if pieces else ""
        yield Finding("reply", False, f"{error}{after}; {_ADVICE[error.why]}")
        return
    total = time.monotonic() - began
    text = "".join(pieces)
    if not text.strip():
        yield Finding("reply", False, f"it is empty; {_ADVICE['failed']}")
        return
    speed = f"{len(pieces) / total:.0f} pieces and {len(text) / total:.0f} characters a second"
    yield Finding("reply", True, f"first piece after {first:.2f} s, whole after {total:.2f} s, {speed}")
    yield Finding("JSON schema", True, _schema(model, text))
    yield _statements(drafts + reply.end(), citation, text)


def _schema(model: LanguageModel, text: str) -> str:
    if not model.structured:
        return "not taken, so the text is read as it comes"
    try:
        json.loads(text)
    except ValueError:
        return "taken but not kept to, so the text is read as it comes"
    return "taken"


def _statements(drafts: list[Draft], citation: Citation, text: str) -> Finding:
    """Whether statements are found in a reply, and stand."""
    shown = " ".join(text.split())
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} …"
    if not drafts:
        return Finding("statements", False, f"none found in the reply ({shown}); take a larger model")
    checker = Checker()
    try:
        kept = sum(checker.judged(draft.text, draft.numbers, [citation], "en").supported for draft in drafts)
    except LLMError as error:
        return Finding("statements", False, str(error))
    if not kept:
        said = f"{len(drafts)} found, none of them supported ({shown}); take a larger model, or stay with quotations"
        return Finding("statements", False, said)
    return Finding("statements", True, f"{len(drafts)} found, {kept} supported by the quotation")
