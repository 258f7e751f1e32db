"""What programs may ask for, as an OpenAPI document, and a page on which people read it and try it out.

The page is Swagger UI from the package fastapi-offline, which carries its files: nothing is loaded from elsewhere.
"""

from __future__ import annotations

import copy
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from rag.web.told import Problem

_DESCRIPTION = """\
Answers questions about a press archive with the archive's own words: exact quotations, and where they stand. Where a
language model is connected, it may write the answer, of which only what the quotations support is told.

Offsets are half-open. `start` and `end` count Unicode code points of the article's text, as Python does;
`start_utf16` and `end_utf16` are the same places in UTF-16 units, as JavaScript counts.

Errors are problem details (RFC 9457, `application/problem+json`) whose `detail` is a sentence for people. Where there
are too many questions, 429 and 503 say in `Retry-After` after how many seconds to ask again.
"""
# What Swagger UI needs: it sets styles by script, and its pictures stand in its style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_TAGS = {
    "archive": "Ask, search, list, read.",
    "feedback": "What readers think of answers.",
    "uploads": "Articles that readers add, where the setting `ON_RECORD_UPLOADS` allows it.",
    "OpenAI": "The same archive for programs made for OpenAI's interface, as a model named `on-record`; where a "
    "language model is connected, as `on-record-written` too, whose answers it writes.",
}
_SHOWN = ("/api/", "/v1/", "/healthz", "/readyz", "/metrics")


def document(app: FastAPI, root: str) -> dict[str, Any]:
    """The OpenAPI document of the application's routes for programs. `root` is the path below which it is served."""
    told = copy.deepcopy(app.openapi())
    told["info"]["description"] = _DESCRIPTION
    told["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    told["servers"] = [{"url": root or "/"}]
    told["paths"] = {path: item for path, item in told["paths"].items() if path.startswith(_SHOWN)}
    for operation in (operation for item in told["paths"].values() for operation in item.values()):
        if "security" in operation:
            operation["security"].append({})  # where the archive is open to everybody
        if "application/json" in operation["responses"].get("422", {}).get("content", {}):
            del operation["responses"]["422"]  # FastAPI's own error, of which ours take the place
    schemas = told["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    return told


def routes(app: FastAPI, root: str) -> APIRouter:
    """The routes `/openapi.json` and `/docs`, about the routes of `app` at the time of asking."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    def openapi() -> JSONResponse:
        return JSONResponse(document(app, root))

    @router.get("/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(_page(root), headers={"Content-Security-Policy": POLICY})

    @router.get("/docs/{name}")
    def file(name: str) -> FileResponse:
        if name not in _FILES:
            raise HTTPException(404)
        path = str(resources.files("fastapi_offline") / "static" / name)
        return FileResponse(path, media_type=_FILES[name], headers={"Cache-Control": "private, max-age=86400"})

    return router


def _page(root: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<title>HTTP interface · On Record</title>\n"
        f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml">\n'
        f'<link rel="stylesheet" href="{root}/docs/swagger-ui.css">\n</head>\n'
        f'<body>\n<div id="docs" data-document="{root}/openapi.json"></div>\n'
        f'<script src="{root}/docs/swagger-ui-bundle.js"></script>\n<script src="{root}/ui/docs.js"></script>\n'
        "</body>\n</html>\n"
    )
