"""Signing in with the archive's password, and what a stranger sees. Complete without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from rag.web.access import SESSION, SESSION_SECONDS, Gate, reader_of
from rag.web.guards import FORM_POLICY, ASGIApp, Receive, Scope, Send
from rag.web.markup import escape
from rag.web.page import document, response
from rag.web.rate import Rate
from rag.web.texts import Texts

_TRIES = 10  # a minute from one address
_LONGEST_PASSWORD = 1_000  # characters
_STYLES = ("room.css", "login.css")
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # a path here, and no other site's address


def login_page(texts: Texts, *, root: str = "", next: str = "/", problem: str = "") -> str:
    """The page with the password's field; `next` is where it leads."""
    said = f'<p class="or-error" role="alert" id="or-problem">{escape(problem)}</p>\n' if problem else ""
    described = ' aria-describedby="or-problem" aria-invalid="true"' if problem else ""
    body = (
        f'<main class="or-door">\n<h1>On Record</h1>\n<p class="or-frame">{escape(texts.tagline)}</p>\n{said}'
        f'<form method="post" action="{escape(root)}/login">\n'
        f'<label for="or-password">{escape(texts.password)}</label>\n'
        '<input id="or-password" name="password" type="password" autocomplete="current-password" required autofocus'
        f"{described}>\n"
        f'<input type="hidden" name="next" value="{escape(next)}">\n'
        f'<button type="submit">{escape(texts.sign_in)}</button>\n</form>\n</main>'
    )
    return document(texts.sign_in, body, texts, root, _STYLES, to_chat=False)


def denied_page(texts: Texts, *, root: str = "") -> str:
    """What a stranger sees where there is no password to know."""
    body = f'<main class="or-door">\n<h1>{escape(texts.denied_title)}</h1>\n<p>{escape(texts.denied)}</p>\n</main>'
    return document(texts.denied_title, body, texts, root, _STYLES, to_chat=False)


def stranger(gate: Gate, root: str, texts_of: Callable[[Request], Texts]) -> ASGIApp:
    """What answers who asks for a page and may not have it: the way to sign in, or that there is none."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if gate.password:
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            said: Response = RedirectResponse(f"{root}/login?next={quote(wanted, safe='')}", 303)
        else:
            said = response(denied_page(texts_of(request), root=root), 401)
        await said(scope, receive, send)

    return answer


def routes(gate: Gate, root: str, texts_of: Callable[[Request], Texts]) -> APIRouter:
    """`/login` and `/logout`, where there is a password."""
    router = APIRouter(include_in_schema=False)
    tries = Rate(_TRIES)

    @router.get("/login")
    def show(request: Request, next: str = "/") -> HTMLResponse:
        return _shown(login_page(texts_of(request), root=root, next=_local(next)))

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        form = await request.form()
        wanted, password = _local(str(form.get("next", "/"))), str(form.get("password", ""))[:_LONGEST_PASSWORD]
        texts = texts_of(request)
        if tries.wait(reader_of(request.scope).name):
            page = login_page(texts, root=root, next=wanted, problem=texts.password_too_often)
            return _shown(page, 429)
        if not gate.knows(password):
            return _shown(login_page(texts, root=root, next=wanted, problem=texts.password_wrong), 401)
        found = RedirectResponse(f"{root}{wanted}", 303)
        found.set_cookie(
            SESSION,
            gate.session(),
            max_age=SESSION_SECONDS,
            path=f"{root}/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return found

    @router.post("/logout")
    def sign_out() -> Response:
        found = RedirectResponse(f"{root}/login", 303)
        found.delete_cookie(SESSION, path=f"{root}/")
        return found

    return router


def _shown(page: str, status: int = 200) -> HTMLResponse:
    return response(page, status, policy=FORM_POLICY)


def _local(wanted: str) -> str:
    """Where to go from here, if it is a path of this application."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"
