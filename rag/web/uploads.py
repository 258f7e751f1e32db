"""Articles that readers add in the browser, and remove again, where the setting allows it.

They become files of the corpus, in a folder of their own, and a sync makes articles of them as of all others. What
cannot become one is taken away again, so that the folder holds what can be asked about. Where addresses are taken too,
what they lead to stands in another such folder. Only files of these folders can be removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from rag import adding, corpus
from rag.assistant import Assistant
from rag.errors import RagError
from rag.folder import ADDED, UPLOADS
from rag.records import Article
from rag.web import shapes
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.markup import escape
from rag.web.problems import Refused, problem, refusal
from rag.web.texts import Texts
from rag.web.told import BEARER, Told, errors

ADDRESS = "/api/uploads"
BY_ADDRESS = "/api/uploads/addresses"
MAX_BYTES = corpus.MAX_BYTES
SUFFIXES = corpus.SUFFIXES - corpus.CONTAINERS  # an upload is one article, which can be shown and removed again
_BINARY = {"schema": {"type": "string", "format": "binary"}}
LONGEST_NAME = 150  # bytes in UTF-8, without the suffix; file systems take 255 for all, encrypted ones 143 characters

_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows
_RESERVED = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)  # there, with any suffix
# Controls, formats (which may turn a name around), half characters, private and unassigned ones.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_WORDS = (
    *("upload_working", "upload_added", "upload_remove", "upload_sure", "upload_removing", "upload_removed"),
    *("upload_refused", "upload_not_removed", "upload_too_large", "upload_unreachable", "upload_unlisted"),
    "upload_fetching",
)
_MOST_ENTRIES = 10  # of a feed: a reader waits for them, politely fetched one after the other


def routes(questions: Questions, root: str, *, fetched_from: Sequence[str] | None = None) -> APIRouter:
    """The routes for uploads, as each reader may see them. `root` is the path below which a proxy serves the app.

    `fetched_from`: the addresses that are not public and may be fetched from all the same, where articles may be added
    by their address; None where not. One change is worked on at a time; others wait.
    """
    router = APIRouter(route_class=Told, tags=["uploads"], dependencies=[BEARER])
    turn = asyncio.Lock()
    folders = (UPLOADS,) if fetched_from is None else (UPLOADS, ADDED)
    if fetched_from is not None:
        _add_fetching(router, questions, fetched_from)

    async def in_turn(work: Callable[[], Response]) -> Response:
        async with turn:
            return await run_in_threadpool(_told, work)

    @router.post(
        ADDRESS,
        summary="Add an article",
        status_code=HTTPStatus.CREATED,
        responses={201: {"model": shapes.Uploaded}, **errors(401, 409, 413, 415, 422, 503, 507)},
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}},
    )
    async def add_upload(request: Request, name: str = "") -> Response:
        """Add the file in the body: 201 with its article, once that can be asked about."""
        data = await request.body()

        def work() -> Response:
            article = add(questions.archive(reader_of(request.scope)), name, data)
            address = f"{root}/article/{quote(article.id, safe='')}"
            return JSONResponse({"article": article.to_dict()}, HTTPStatus.CREATED, {"Location": address})

        return await in_turn(work)

    @router.delete(
        ADDRESS + "/{name}",
        summary="Remove an article that was added",
        status_code=HTTPStatus.NO_CONTENT,
        responses=errors(401, 404, 503, 507),
    )
    async def remove_upload(request: Request, name: str) -> Response:
        """Remove a file that was added, and its article: 204."""

        def work() -> Response:
            remove(questions.archive(reader_of(request.scope)), name, folders)
            return Response(status_code=HTTPStatus.NO_CONTENT)

        return await in_turn(work)

    @router.get(
        ADDRESS,
        summary="List the articles that were added",
        responses={200: {"model": shapes.Uploads}, **errors(401, 503, 507)},
    )
    def list_uploads(request: Request) -> Response:
        """The files that were added, each with its article; null where there is none yet."""

        def work() -> Response:
            articles = listed(questions.archive(reader_of(request.scope)), folders)
            told = [{"name": path.name, "article": found.to_dict() if found else None} for path, found in articles]
            return JSONResponse({"uploads": told}, headers={"Cache-Control": "no-store"})

        return _told(work)

    return router


def _add_fetching(router: APIRouter, questions: Questions, allowed: Sequence[str]) -> None:
    turn = asyncio.Lock()  # another than that of files, which need not wait for somebody's slow server

    @router.post(
        BY_ADDRESS,
        summary="Add an article by its address",
        status_code=HTTPStatus.CREATED,
        responses={201: {"model": shapes.Fetched}, **errors(400, 401, 413, 422, 503, 507)},
    )
    async def add_address(request: Request, sent: shapes.SentAddress) -> Response:
        """Add what stands at an address, of a feed its newest entries: 201 with the articles."""

        def work() -> Response:
            articles = fetch(questions.archive(reader_of(request.scope)), sent.url, allowed)
            return JSONResponse({"articles": [article.to_dict() for article in articles]}, HTTPStatus.CREATED)

        async with turn:
            return await run_in_threadpool(_told, work)


def _told(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Refused as error:
        return refusal(error)
    except RagError as error:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"It could not be done: {error}.")
    except OSError as error:
        return problem(
            HTTPStatus.INSUFFICIENT_STORAGE,
            f"The folder for uploads cannot be written to ({error.strerror or error}: {error.filename}); the server "
            "needs a corpus that it may write to. Whoever runs it can change that, or name another corpus.",
        )


def uploaded(root: Path, folders: Sequence[str] = (UPLOADS,)) -> list[Path]:
    """The files that were added to these folders of the corpus in `root`, sorted."""
    found = []
    for name in folders:
        folder = root / name
        if folder.is_dir() and not folder.is_symlink():  # a sync does not follow links to folders
            found += [path for path in corpus.files(folder) if path.parent == folder or name != UPLOADS]
    return found


def listed(assistant: Assistant, folders: Sequence[str] = (UPLOADS,)) -> list[tuple[Path, Article | None]]:
    """The files that were added to these folders, sorted, each with its article, None where there is none yet.

    On a view only those whose articles its reader may read; others as long as nothing is kept from him, since nobody
    knows who may read them.
    """
    found = [(path, _article(assistant, path)) for path in uploaded(assistant.corpus, folders)]
    hides = bool(assistant.hidden())
    return [(path, article) for path, article in found if article or not hides]


def add(assistant: Assistant, name: str, data: bytes) -> Article:
    """Keep `data` under a name like `name` in the corpus and return the article that became of it.

    `assistant` may be the view of the reader who adds it. What he may not read does not stand in his way, not even the
    same file; and his own article is returned also where it names groups that he is not in.

    Raises:
        Refused: it is no article, or one that is there already; nothing of it is kept.
        OSError: the folder cannot be written to. RagError: the index cannot be brought up to date.
    """
    name = file_name(name)
    if len(data) > MAX_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The file is larger than {MAX_BYTES // 10**6} MB.")
    _refuse_copy(assistant, data)
    path = _written(assistant.corpus / UPLOADS, name, data)
    whole = assistant.whole
    try:
        whole.sync()
        article = _article(whole, path)
        reason = dict(whole.skipped()).get(path.relative_to(assistant.corpus).as_posix(), "a sync passes it over")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if article is None:
        path.unlink(missing_ok=True)
        whole.sync()
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"It cannot be read as an article: {reason}.")
    return article


def fetch(assistant: Assistant, url: str, allowed: Sequence[str] = ()) -> list[Article]:
    """Add what stands at an address, of a feed its newest entries; the articles, also those that were there already.

    `assistant` may be the view of the reader who adds it, who sees the articles all the same. `allowed` are addresses
    that are not public and may be fetched from.

    Raises:
        Refused: nothing of it could be added. RagError: the index cannot be brought up to date.
    """
    whole = assistant.whole
    report = adding.add(whole, [url], allowed=allowed, limit=_MOST_ENTRIES)
    if report.unsynced:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"It will be there after the next sync: {report.unsynced}.")
    places = [place for _, place in report.added + report.updated + report.unchanged]
    articles = [article for place in places if (article := whole.article(corpus.identifier(place)))]
    if not articles:
        reason = report.failed[0][1] if report.failed else "a sync passes it over"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{reason[:1].upper()}{reason[1:]}.")
    return articles


def remove(assistant: Assistant, name: str, folders: Sequence[str] = (UPLOADS,)) -> None:
    """Remove the added file `name` and its article; if the index cannot follow, the file stays.

    `assistant` may be the view of the reader who removes it, for whom there is only what he may read.

    Raises:
        Refused: no such file was added.
        OSError: the folder cannot be written to. RagError: the index cannot be brought up to date.
    """
    found = [path for path, _ in listed(assistant, folders) if path.name == name]
    if not found:
        raise Refused(HTTPStatus.NOT_FOUND, "No file of this name was added here; it may have been removed already.")
    aside = _hidden(found[0].parent)
    found[0].replace(aside)
    try:
        assistant.whole.sync()
    except BaseException:
        aside.replace(found[0])
        raise
    aside.unlink(missing_ok=True)


def file_name(given: str) -> str:
    """The name under which a file named `given` may be kept on any system: as readable, but never a path or hidden.

    Raises:
        Refused: its suffix is none of `SUFFIXES`.
    """
    shown = "".join(" " if char.isspace() else char for char in given)
    shown = "".join(char for char in shown if unicodedata.category(char) not in _UNSEEN)
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", shown))[-1]
    stem, _, ending = _FORBIDDEN.sub("-", name).rstrip(". ").rpartition(".")
    suffix = f".{ending.lower()}"
    if "." in name and suffix in corpus.CONTAINERS:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"A file of type {suffix} may hold several articles, and here they are added one at a time; whoever runs "
            "the server can put it into the archive's folder.",
        )
    if "." not in name or suffix not in SUFFIXES:
        told = f"The file is of type {suffix[:20]}" if "." in name else "The file's name has no suffix"
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{told}; what can be read is {', '.join(sorted(SUFFIXES))}.")
    stem = " ".join(stem.split()).lstrip(".~ ").encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(". ")
    if _RESERVED.fullmatch(stem.split(".")[0].rstrip()):
        stem = f"_{stem}"
    return f"{stem or 'article'}{suffix}"


def _refuse_copy(assistant: Assistant, data: bytes) -> None:
    """Refuse what an article of the archive was made of, byte for byte."""
    digest = hashlib.sha256(data).digest()
    for path in corpus.files(assistant.corpus):
        try:
            same = path.stat().st_size == len(data) and hashlib.sha256(path.read_bytes()).digest() == digest
        except OSError:
            continue
        if same and (article := _article(assistant, path)):
            raise Refused(HTTPStatus.CONFLICT, f"The archive holds this file already: “{article.title}” ({path.name}).")


def _article(assistant: Assistant, path: Path) -> Article | None:
    return assistant.article(corpus.identifier(path.relative_to(assistant.corpus).as_posix()))


def _written(folder: Path, name: str, data: bytes) -> Path:
    """Write a file as a whole or not at all, under a name that is free."""
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise OSError(None, "it is a link, which a sync does not follow", str(folder))
    aside = _hidden(folder)
    try:
        aside.write_bytes(data)
        taken = {_alike(path.name) for path in folder.iterdir()}
        stem, suffix = name.rsplit(".", 1)
        names = itertools.chain([name], (f"{stem}-{number}.{suffix}" for number in itertools.count(2)))
        path = folder / next(free for free in names if _alike(free) not in taken)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return path


def _alike(name: str) -> str:
    """Equal for names that some file systems take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _hidden(folder: Path) -> Path:
    """A name that no sync reads."""
    return folder / f".{uuid.uuid4().hex}.part"


def uploads_html(texts: Texts, *, addresses: bool = False) -> str:
    """The place in the archive's tab where files are chosen or dropped, and removed; `uploads.js` brings it to life.

    `addresses`: articles may be added by their address too.
    """
    words = {name.removeprefix("upload_"): getattr(texts, name) for name in _WORDS}
    said = escape(json.dumps(words, ensure_ascii=False))
    size = MAX_BYTES // 10**6
    return (
        f'<section class="or-upload" lang="{texts.language}" aria-labelledby="or-upload-title" data-texts="{said}" '
        f'data-address="{ADDRESS}" data-limit="{MAX_BYTES}">'
        f'<h2 id="or-upload-title">{escape(texts.upload_title)}</h2>'
        '<label class="or-upload-drop"><input type="file" class="or-hidden" multiple aria-describedby="or-upload-hint" '
        f'accept="{",".join(sorted(SUFFIXES))}"><span class="or-upload-choose">{escape(texts.upload_choose)}'
        f'</span> <span aria-hidden="true">{escape(texts.upload_drop)}</span></label>'
        f'<p id="or-upload-hint" class="or-upload-hint">{escape(texts.upload_hint.format(size=size))}</p>'
        f"{_address_html(texts) if addresses else ''}"
        '<p class="or-upload-status" role="status"></p><div class="or-upload-problems" role="alert"></div>'
        f'<div class="or-upload-added" hidden><h3 id="or-upload-list">{escape(texts.upload_list)}</h3>'
        '<ul aria-labelledby="or-upload-list"></ul></div></section>'
    )


def _address_html(texts: Texts) -> str:
    return (
        '<form class="or-upload-address"><label for="or-upload-url">'
        f"{escape(texts.upload_address)}</label><div>"
        '<input id="or-upload-url" type="url" required maxlength="2000" placeholder="https://" autocomplete="off" '
        f'spellcheck="false" dir="ltr"><button type="submit">{escape(texts.upload_add)}</button></div></form>'
    )
