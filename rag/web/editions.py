"""Whether what was quoted still reads so: the text that a link to a quotation means, and what became of many at once.

An article that a reader may not see is to him like one that is gone.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from rag.assistant import Assistant
from rag.records import Article
from rag.web import shapes
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.markup import VERSION
from rag.web.page import Edition
from rag.web.told import BEARER, Told, errors

MOST = 1_000  # quotations asked about at once: a browser keeps 50 turns, with five quotations and some nearest passages

State = Literal["same", "edited", "gone"]
_VERSION = re.compile(rf"[0-9a-f]{{{VERSION},64}}", re.ASCII)


class Quoted(shapes.Sent):
    """An article, and the beginning of the `text_sha256` that it had when it was quoted; empty where nobody knows."""

    id: shapes.Name
    version: Annotated[shapes.Text, Field(max_length=64)] = ""


class SentEditions(shapes.Sent):
    """The articles asked about."""

    articles: Annotated[list[Quoted], Field(max_length=MOST)]


class Editions(BaseModel):
    """What became of each article, in the order asked."""

    editions: list[State]


def quoted(archive: Assistant, article_id: str, version: str | None) -> tuple[Article | None, Edition]:
    """The article with the text that was quoted, if `version` says which and it is kept; else as it reads now."""
    now = archive.article(article_id)
    if now is None or version is None or _is(now, version):
        return now, "as quoted"
    before = archive.article(article_id, version) if _VERSION.fullmatch(version) else None
    return (before, "before") if before else (now, "since")


def state(archive: Assistant, article_id: str, version: str) -> State:
    """What became of an article since its text had this version."""
    now = archive.article(article_id)
    if now is None:
        return "gone"
    return "edited" if version and not _is(now, version) else "same"


def _is(article: Article, version: str) -> bool:
    return bool(_VERSION.fullmatch(version)) and article.text_sha256.startswith(version)


def routes(questions: Questions) -> APIRouter:
    """The route `/api/editions`."""
    router = APIRouter(prefix="/api", route_class=Told, tags=["archive"], dependencies=[BEARER])

    @router.post(
        "/editions",
        summary="Ask whether quoted articles have changed",
        responses={200: {"model": Editions}, **errors(400, 401, 413, 422, 500, 503)},
    )
    def states(request: Request, sent: SentEditions) -> JSONResponse:
        """What became of articles since they were quoted: `same`, `edited`, or `gone` from the archive."""
        archive = questions.archive(reader_of(request.scope))
        told = [state(archive, item.id, item.version) for item in sent.articles]
        return JSONResponse({"editions": told}, headers={"Cache-Control": "no-store"})

    return router
