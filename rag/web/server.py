"""The web application: every way in, and the guards around them all."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from typing import cast

import gradio as gr
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from rag import __version__
from rag.assistant import Assistant
from rag.errors import RagError, SettingsError
from rag.settings import Settings
from rag.web import api, archive, docs, editions, embed, guards, health, login, logs, mcp, openai, told, uploads
from rag.web.access import Access, Gate, Pace, check, reader_of
from rag.web.asking import Questions
from rag.web.assets import Assets
from rag.web.calls import PlainCalls, log_failures
from rag.web.chat import build_chat, theme
from rag.web.examples import examples
from rag.web.head import Head
from rag.web.logs import RequestLog
from rag.web.markup import error_html
from rag.web.meters import Meters
from rag.web.page import article_page, document, missing_page, response
from rag.web.texts import LANGUAGES, Texts
from rag.web.wordings import reader_texts

_STYLES = ("room.css", "archive.css")
_MAX_BODY = 1_000_000  # bytes; a question is 2,000 characters
_REQUESTS = 30  # a minute that ask or change something, and three for each question that a reader may ask
_MAX_OFFSET_DIGITS = 9
_MAX_SPANS = 20  # quotations marked lightly in one article

_say = functools.partial(print, flush=True)


def _offset(value: str | None) -> int | None:
    """The offset that a link gives; None where it gives none or something that is no number."""
    usable = value is not None and value.isascii() and value.isdigit() and len(value) <= _MAX_OFFSET_DIGITS
    return int(value) if usable and value is not None else None


def _spans(value: str | None) -> list[tuple[int, int]]:
    """The spans of a list such as "10-40,95-120"; what is no span is left out."""
    pairs = (part.split("-") for part in (value or "").split(",")[:_MAX_SPANS])
    spans = ((_offset(pair[0]), _offset(pair[-1])) for pair in pairs if len(pair) == 2)
    return [(start, end) for start, end in spans if start is not None and end is not None]


def _texts(request: Request) -> Texts:
    return reader_texts(request.query_params, request.headers)


def _article_routes(questions: Questions, root: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/article/{article_id:path}", response_class=HTMLResponse)
    def article(
        request: Request,
        article_id: str,
        start: str | None = None,
        end: str | None = None,
        also: str | None = None,
        v: str | None = None,
    ) -> HTMLResponse:
        texts = _texts(request)
        try:
            found, edition = editions.quoted(questions.archive(reader_of(request.scope)), article_id, v)
        except RagError as error:
            return response(document("On Record", f"<main>{error_html(str(error))}</main>", texts, root), 503)
        if found is None:
            return response(missing_page(texts, quoted=v is not None, root=root), 404)
        first, last = _offset(start), _offset(end)
        stale = (start is not None and first is None) or (end is not None and last is None)
        page = article_page(
            found, texts, start=first, end=last, also=_spans(also), stale=stale, edition=edition, root=root
        )
        return response(page)

    return router


def create_app(assistant: Assistant, settings: Settings) -> FastAPI:
    """The whole web application around an open assistant, guards included.

    The application does not close the assistant.
    """
    root = settings.root_path
    gate = Gate(settings)
    meters = Meters(log_questions=settings.log == "questions")
    questions = Questions(assistant, a_minute=settings.rate, meters=meters)
    chat, inner = _chat(questions, root, uploads=settings.uploads, addresses=settings.add_urls)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A mounted app's own start-up is not run by Starlette.
        async with inner.router.lifespan_context(inner):
            yield

    app = FastAPI(
        title="On Record", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    # Every open page of the chat holds a connection, for which a server that stops would wait.
    app.state.end_streams = chat.stop_event.set
    app.include_router(health.routes(assistant, questions, meters))
    app.include_router(_article_routes(questions, root))
    app.include_router(archive.routes(questions, root, _texts))
    app.include_router(embed.routes(questions, settings.embed_origins, root, _texts))
    if gate.password:
        app.include_router(login.routes(gate, root, _texts))
    if settings.uploads:
        by_address = settings.fetch_addresses if settings.add_urls else None
        app.include_router(uploads.routes(questions, root, fetched_from=by_address))
    app.include_router(openai.routes(questions, root))
    app.include_router(docs.routes(app, root))
    app.include_router(mcp.routes(questions))
    app.include_router(editions.routes(questions))
    app.include_router(api.routes(questions))
    app.mount("/api", told.unknown(app))
    app.mount("/v1", told.unknown(app, openai.tell))
    app.mount("/ui", GZipMiddleware(Assets()))
    styles = [*_STYLES]
    styles += ["uploads.css"] if settings.uploads else []
    styles += ["written.css"] if assistant.model else []
    tags = [f'<link rel="icon" href="{root}/ui/icon.svg" type="image/svg+xml">']
    tags += [f'<link rel="stylesheet" href="{root}/ui/{name}">' for name in styles]
    tags += [f'<script type="module" src="{root}/ui/room.js"></script>']
    app.mount("/", guards.OnlyRoutes(PlainCalls(Head(inner, "".join(tags)))))
    _guard(app, settings, gate)
    return app


def _chat(questions: Questions, root: str, *, uploads: bool, addresses: bool) -> tuple[gr.routes.App, FastAPI]:
    """Gradio's application, and the one that holds it: so one guard in front closes all its routes but a few."""
    log_failures()
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    gr.mount_gradio_app(
        inner,
        build_chat(questions, root=root, uploads=uploads, addresses=addresses),
        path="/",
        root_path=root or None,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        max_file_size="1kb",
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        theme=theme(),
    )
    mounts = (route.app for route in inner.routes if isinstance(route, Mount))
    return next(chat for chat in mounts if isinstance(chat, gr.routes.App)), inner


def _guard(app: FastAPI, settings: Settings, gate: Gate) -> None:
    """Puts the guards around everything; the last one added stands outermost."""
    names = settings.auth_proxy_header
    larger = {uploads.ADDRESS: uploads.MAX_BYTES} if settings.uploads else {}
    app.add_middleware(Pace, a_minute=_REQUESTS + 3 * settings.rate if settings.rate else 0)
    app.add_middleware(guards.BodyLimit, limit=_MAX_BODY, limits=larger)
    app.add_middleware(Access, gate=gate, stranger=login.stranger(gate, settings.root_path, _texts))
    app.add_middleware(guards.SecurityHeaders)
    app.add_middleware(guards.Origins, origins=settings.embed_origins, names=names)
    app.add_middleware(guards.AllowedHosts, hosts=settings.allowed_hosts)
    app.add_middleware(guards.HttpOnly)
    app.add_middleware(RequestLog)
    app.add_middleware(guards.Forwarded, proxies=settings.auth_proxy_addresses, names=names, prefix=settings.root_path)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, opened before the chat is built, so that a port in use is said at once.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The chat cannot listen on {host}:{port} ({reason}); choose another with --host and --port"
        ) from error


class Server(uvicorn.Server):
    """Serves the application, calls `when_ready` once it answers, and stops although pages of the chat are open."""

    def __init__(self, app: FastAPI, when_ready: Callable[[], None] = lambda: None) -> None:
        config = uvicorn.Config(
            app,
            http="h11",  # the other parser sets no limit to a request's headers
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        super().__init__(config)
        self._app = app
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.end_streams()
        await super().shutdown(sockets)


def _warm(assistant: Assistant) -> None:
    """Ask something once, so that the first reader does not wait for what is loaded or made at the first question."""
    with contextlib.suppress(RagError):  # whoever asks next is told
        assistant.search("press archive", limit=1)
        everybody = assistant.for_groups(())
        for language in LANGUAGES:
            examples(everybody, assistant.corpus, language)


def _open(address: str) -> None:
    """Open a browser window where there is a screen; a browser inside the terminal would take the terminal away."""
    with contextlib.suppress(webbrowser.Error):
        browser = webbrowser.get()
        if type(browser) is not webbrowser.GenericBrowser:  # that is what the text browsers are
            threading.Thread(target=browser.open, args=(address,), daemon=True).start()


def serve(
    assistant: Assistant,
    settings: Settings,
    host: str,
    port: int,
    open_browser: bool = False,
    announce: Callable[[str], None] = _say,
) -> None:
    """Serve the chat until interrupted, and `announce` its address when it is really reachable.

    Port 0 takes a free one. Names and addresses under which it is reached from elsewhere must be among the
    `allowed_hosts` of the settings.

    Raises:
        SettingsError: the address cannot be listened on, or nobody has decided who may ask there.
    """
    check(settings, host)
    logs.setup(cast(logs.Log, settings.log))
    listening = listen(host, port)
    with listening:
        port = listening.getsockname()[1]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host.strip("[]") else host)
        address = f"http://{shown}:{port}{settings.root_path}/"

        def ready() -> None:
            announce(f"On Record is ready: {address}")
            threading.Thread(target=_warm, args=(assistant,), daemon=True).start()
            if open_browser:
                _open(address)

        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when all is stopped
            Server(create_app(assistant, settings), ready).run(sockets=[listening])
