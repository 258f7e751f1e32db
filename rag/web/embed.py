"""The panel: the conversation on a page made for a frame, for a wiki to show, and the script that puts it there.

Nothing of the archive stands in the page itself, which is served to anybody: what it shows, it asks for, with the token
that the page around hands to it. It needs no cookie and keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from rag.errors import RagError
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.assets import Assets
from rag.web.examples import examples
from rag.web.markup import escape
from rag.web.page import response
from rag.web.room import examples_html, room_html
from rag.web.texts import Texts, archive_line

_THEMES = ("light", "dark")  # else as the reader's system has it
_STYLES = ("room.css", "embed.css")


def embed_policy(origins: Iterable[str]) -> str:
    """The content security policy of the panel: its own scripts and styles, in frames of its own and these origins."""
    ancestors = " ".join(("'self'", *origins))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors {ancestors}"
    )


def embed_page(texts: Texts, *, theme: str = "", origins: Sequence[str] = (), root: str = "") -> str:
    """The panel in a language and a theme (light, dark, else the system's); it listens to pages of these origins."""
    links = "".join(f'<link rel="stylesheet" href="{root}/ui/{name}">\n' for name in _STYLES)
    chosen = f' data-theme="{theme}"' if theme in _THEMES else ""
    return (
        f'<!doctype html>\n<html lang="{texts.language}"{chosen}>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="{theme if chosen else "light dark"}">\n'
        "<title>On Record</title>\n"
        f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml">\n{links}'
        f'<script type="module" src="{root}/ui/embed.js"></script>\n</head>\n'
        f'<body class="or-embed" data-origins="{escape(json.dumps(list(origins)))}">\n'
        '<div id="or-desk"><main id="or-main"><header class="or-embed-head"><h1>On Record</h1>'
        '<p class="or-archive" role="status"></p></header>'
        f'<div id="or-room" class="prose">{room_html(None, (), texts, root=root, compact=True)}</div>'
        "</main></div>\n</body>\n</html>\n"
    )


def routes(questions: Questions, origins: Sequence[str], root: str, texts_of: Callable[[Request], Texts]) -> APIRouter:
    """The panel, what it shows of the archive, and `widget.js`. `origins` are those whose pages may show it."""
    router = APIRouter(include_in_schema=False)
    files = Assets()
    policy = embed_policy(origins)

    @router.get("/embed", response_class=HTMLResponse)
    def panel(request: Request, theme: str = "") -> HTMLResponse:
        return response(embed_page(texts_of(request), theme=theme, origins=origins, root=root), policy=policy)

    @router.get("/embed/room")
    def furnish(request: Request) -> JSONResponse:
        """The archive in one line and the examples, as markup, for who may see them."""
        texts = texts_of(request)
        line, offered = "", ""
        try:
            archive = questions.archive(reader_of(request.scope))
            line = archive_line(archive.overview(), texts)
            offered = examples_html(examples(archive, archive.corpus, texts.language), texts)
        except RagError as error:
            line = str(error)
        return JSONResponse({"line": line, "examples": offered}, headers={"Cache-Control": "no-store"})

    @router.get("/widget.js")
    async def widget(request: Request) -> Response:
        answer = await files.get_response("widget.js", request.scope)
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer

    return router
