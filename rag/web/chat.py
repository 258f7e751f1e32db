"""The chat as Gradio blocks: the frame of the page, its tabs, its chart, and the functions that the page calls.

What stands in the frame is our own markup, and what moves in it our own scripts in `static`: they ask through Gradio's
HTTP API, so that questions pass its queue. Gradio's HTML component and its `js=` compile code with eval, which the
page's policy forbids; its Markdown component takes finished markup as it is.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from gradio import events

from rag.errors import RagError
from rag.web.access import Reader, reader_of
from rag.web.asking import WAITING, Questions
from rag.web.chart import chart
from rag.web.examples import examples
from rag.web.problems import Refused
from rag.web.room import masthead_html, room_html, sheet_html
from rag.web.texts import Texts
from rag.web.turns import refused, steps
from rag.web.uploads import uploads_html
from rag.web.wordings import reader_texts, texts_for

_log = logging.getLogger(__name__)


def theme() -> gr.themes.Base:
    """Ink on paper with system fonts only: a font by name would be fetched from the internet."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
    mono = ["ui-monospace", "Menlo", "Consolas", "monospace"]
    colours = {  # light, dark; the same as in room.css
        ("#fbfaf7", "#171716"): (  # paper
            *("body_background_fill", "background_fill_primary", "background_fill_secondary"),
            *("input_background_fill", "button_secondary_background_fill", "button_primary_text_color"),
        ),
        ("#1b1b1a", "#ecebe6"): ("body_text_color", "button_secondary_text_color"),  # ink
        ("#6b6862", "#a09c93"): (
            "body_text_color_subdued",
            "block_label_text_color",
            "input_placeholder_color",
        ),  # quiet
        ("#dedad2", "#34322e"): ("border_color_primary", "input_border_color", "button_secondary_border_color"),  # rule
        ("#1f4e79", "#8bb8e8"): (  # accent
            *("link_text_color", "button_primary_background_fill", "button_primary_background_fill_hover"),
            *("input_border_color_focus", "color_accent"),
        ),
    }
    values: dict[str, Any] = {
        name + suffix: colour
        for pair, names in colours.items()
        for suffix, colour in zip(("", "_dark"), pair, strict=True)
        for name in names
        if name + suffix != "color_accent_dark"  # which Gradio does not know
    }
    return gr.themes.Base(font=sans, font_mono=mono, radius_size="sm").set(**values)


def _texts(request: gr.Request) -> Texts:
    return reader_texts(request.query_params, request.headers)


def _reader(request: gr.Request) -> Reader:
    assert request.request is not None
    return reader_of(request.request.scope)


def build_chat(questions: Questions, *, root: str = "", uploads: bool = False, addresses: bool = False) -> gr.Blocks:
    """The chat as Gradio blocks, ready to mount. `root` is the path below which a proxy serves the application.

    `uploads`: readers may add articles, with `addresses` by their address too.
    """

    def greet(request: gr.Request) -> list[Any]:
        """What the reader's language and the archive make of the page."""
        texts, reader = _texts(request), _reader(request)
        overview, notice, offered, writes = None, "", tuple[str, ...](), False
        try:
            archive = questions.archive(reader)
            overview = archive.overview()
            writes = archive.model is not None
            offered = examples(archive, archive.corpus, texts.language)
        except RagError as error:
            notice = str(error)
        return [
            masthead_html(overview, texts, notice, sign_out=f"{root}/logout" if reader.signed_in else ""),
            gr.update(label=texts.tab_ask),
            gr.update(label=texts.tab_archive),
            room_html(overview, offered, texts, root=root, writes=writes),
            uploads_html(texts, addresses=addresses) if uploads else "",
            sheet_html(texts),
        ]

    def draw(request: gr.Request) -> Any:
        """The archive by month and language, drawn when the tab is opened."""
        try:
            return chart(questions.archive(_reader(request)).overview(), _texts(request))
        except RagError:
            return None  # the table beside it says why

    async def ask(question: str, request: gr.Request) -> dict[str, Any]:
        """Ask the archive one question; returns the answer with its quotations as plain data."""
        question = question.strip() if isinstance(question, str) else ""
        why = refused(question, texts_for("en"))
        if why:
            raise gr.Error(why, print_exception=False)
        try:
            return (await questions.ask(_reader(request), "chat", question)).to_dict()
        except (RagError, Refused) as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def turn(
        question: str, history: list[Any], options: dict[str, Any], number: int, request: gr.Request
    ) -> AsyncIterator[dict[str, Any]]:
        """A turn of the conversation, step by step, as the page shows it."""
        number = number if isinstance(number, int) else 0
        async for step in steps(questions, _reader(request), question, history, options, number, root=root):
            yield step

    def slot(elem_id: str, content: str = "") -> gr.Markdown:
        return gr.Markdown(
            content, elem_id=elem_id, elem_classes="or-slot", sanitize_html=False, latex_delimiters=[], container=False
        )

    texts = texts_for("en")
    blocks: gr.Blocks = gr.Blocks(title="On Record", analytics_enabled=False)
    with blocks, gr.Row(elem_id="or-desk"):
        with gr.Column(elem_id="or-main"):
            head = slot("or-head")
            with gr.Tabs(elem_id="or-tabs"):
                with gr.Tab(texts.tab_ask, id="ask") as asking:
                    room = slot("or-room")
                with gr.Tab(texts.tab_archive, id="archive") as archive:
                    dropping = slot("or-uploads")
                    figure = gr.Plot(show_label=False, container=False, elem_id="or-chart")
                    slot("or-archive", '<div class="or-list"></div>')  # filled by the page
        sheet = slot("or-beside")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(greet, outputs=[head, asking, archive, room, dropping, sheet], **quiet)
        archive.select(draw, outputs=figure, **quiet)
        # Questions wait for their turn in `Questions`, whichever way they came in, and not in Gradio's queue.
        events.api(ask, api_name="ask", concurrency_limit=None)
        events.api(turn, api_name="turn", api_visibility="undocumented", concurrency_limit=None)
    blocks.max_threads = 3 * WAITING  # so many events Gradio runs at most; questions that wait take no thread
    blocks.queue(max_size=2 * WAITING, default_concurrency_limit=4)
    return blocks
