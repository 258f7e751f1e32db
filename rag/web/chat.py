"""The chat: Gradio blocks around `Assistant.stream`, with our own markup for everything an answer shows.

Gradio's HTML component compiles templates with eval, which the page's policy forbids (it stays empty); its Markdown
component takes finished markup as it is. See `markup` for why that is safe.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio import events

from rag.assistant import MAX_QUESTION, Assistant
from rag.errors import RagError
from rag.records import Answer, Hit, Statement
from rag.web.markup import answer_html, error_html, escape, turn_html, working_html
from rag.web.texts import Texts, archive_line, reader_language
from rag.web.wordings import texts_for

MAX_WAITING = 64  # questions in the queue
AT_ONCE = 4  # questions under way at the same time
_HISTORY = 6  # earlier turns that a follow-up question may refer to
_KEPT = 50  # turns that stay on the screen
_FRESH = 60.0  # seconds for which the archive line is not counted again

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished turn of the conversation: its number (from 0), what was asked, what was answered, and how it looks."""

    number: int
    question: str
    answer: str
    html: str


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
            "input_border_color_focus",
        ),
    }
    values: dict[str, Any] = {
        name + suffix: colour
        for pair, names in colours.items()
        for suffix, colour in zip(("", "_dark"), pair, strict=True)
        for name in names
    }
    return gr.themes.Base(font=sans, font_mono=mono, radius_size="sm").set(**values)


def _archive(assistant: Assistant) -> Callable[[Texts], str]:
    """The archive in one line, counted anew at most once a minute."""
    counted: tuple[int, set[str], set[dt.date]] = (0, set(), set())
    at = float("-inf")

    def line(texts: Texts) -> str:
        nonlocal counted, at
        if time.monotonic() - at > _FRESH or not counted[0]:
            articles = assistant.articles()
            languages = {article.language for article in articles if article.language}
            counted = len(articles), languages, {article.date for article in articles if article.date}
            at = time.monotonic()
        return archive_line(*counted, texts)

    return line


def _masthead(texts: Texts, line: str) -> str:
    return (
        f'<header class="or-masthead" lang="{texts.language}"><h1>On Record</h1>'
        f'<p class="or-tagline">{escape(texts.tagline)}</p><p class="or-archive">{escape(line)}</p></header>'
    )


def _refused(question: str, texts: Texts) -> str | None:
    """Why a question is not even asked. Gradio itself enforces no length on the server."""
    if not question:
        return texts.empty
    return texts.too_long.format(length=len(question), limit=MAX_QUESTION) if len(question) > MAX_QUESTION else None


def _stream(
    assistant: Assistant, question: str, turns: tuple[Turn, ...], number: int, texts: Texts, root: str
) -> Iterator[tuple[str, Answer | None]]:
    """What stands under the question, step by step, and at last the answer with it.

    Raises:
        RagError: as the assistant does.
    """
    hits: tuple[Hit, ...] = ()
    statements: list[Statement] = []
    history = tuple((turn.question, turn.answer) for turn in turns[-_HISTORY:])
    for event in assistant.stream(question, history=history):
        if isinstance(event.data, Answer):
            spoken = texts_for(event.data.language)
            yield answer_html(event.data, spoken, root=root, turn=number), event.data
            return
        if isinstance(event.data, Statement):
            statements.append(event.data)
        else:
            hits = event.data
        yield working_html(hits, statements, texts), None


def build_chat(assistant: Assistant, *, root: str = "") -> gr.Blocks:
    """The chat as Gradio blocks, ready to mount. `root` is the path below which a proxy serves the application."""
    line = _archive(assistant)

    def reader(request: gr.Request) -> Texts:
        return texts_for(reader_language(request.headers.get("accept-language")))

    def greet(request: gr.Request) -> list[Any]:
        texts = reader(request)
        try:
            archive = line(texts)
        except RagError as error:
            archive = str(error)
        return [
            _masthead(texts, archive),
            gr.update(label=texts.question, placeholder=texts.placeholder),
            gr.update(value=texts.ask),
            f'<p class="or-eg" lang="{texts.language}">{escape(texts.examples_title)}</p>',
            *texts.examples,
        ]

    def answer(question: str, turns: tuple[Turn, ...], request: gr.Request) -> Iterator[list[Any]]:
        """Outputs: past turns, the turn under way, the question field, the examples, the turns for the session."""
        texts = reader(request)
        question = question.strip() if isinstance(question, str) else ""
        past = "".join(turn.html for turn in turns)
        number = turns[-1].number + 1 if turns else 0
        refused = _refused(question, texts)
        if refused:
            yield [past, error_html(refused), gr.skip(), gr.skip(), gr.skip()]
            return
        yield [past, turn_html(question, working_html((), (), texts), texts), "", gr.update(visible=False), gr.skip()]
        try:
            for body, found in _stream(assistant, question, turns, number, texts, root):
                if found is None:
                    yield [gr.skip(), turn_html(question, body, texts), gr.skip(), gr.skip(), gr.skip()]
                    continue
                whole = turn_html(question, body, texts_for(found.language))
                turns = (*turns, Turn(number, question, found.text, whole))[-_KEPT:]
                yield [gr.skip(), whole, gr.skip(), gr.skip(), turns]
        except RagError as error:
            yield [gr.skip(), turn_html(question, error_html(str(error)), texts), question, gr.skip(), gr.skip()]
        except Exception:
            _log.exception("The question could not be answered")
            yield [gr.skip(), turn_html(question, error_html(texts.failed), texts), question, gr.skip(), gr.skip()]

    def ask(question: str) -> dict[str, Any]:
        """Ask the archive one question; returns the answer with its quotations as plain data."""
        question = question.strip() if isinstance(question, str) else ""
        refused = _refused(question, texts_for("en"))
        if refused:
            raise gr.Error(refused, print_exception=False)
        try:
            found: dict[str, Any] = assistant.ask(question).to_dict()
        except RagError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return found

    def plain(elem_id: str) -> gr.Markdown:
        return gr.Markdown("", elem_id=elem_id, sanitize_html=True, latex_delimiters=[], container=False)

    texts = texts_for("en")
    blocks: gr.Blocks = gr.Blocks(title="On Record", analytics_enabled=False)
    with blocks, gr.Column(elem_id="or-room"):
        turns = gr.State(())
        masthead, past, now = plain("or-head"), plain("or-past"), plain("or-now")
        with gr.Row(elem_id="or-asking"):
            field = gr.Textbox(
                label=texts.question,
                placeholder=texts.placeholder,
                autofocus=True,
                max_lines=5,
                scale=1,
                elem_id="or-question",
            )
            button = gr.Button(texts.ask, variant="primary", scale=0, min_width=88, elem_id="or-ask")
        with gr.Column(elem_id="or-examples") as examples:
            eg = plain("or-eg")
            buttons = [gr.Button(example, size="sm", elem_classes="or-example") for example in texts.examples]
        blocks.load(
            greet,
            outputs=[masthead, field, button, eg, *buttons],
            show_progress="hidden",
            api_visibility="private",
        )
        outputs = [past, now, field, examples, turns]
        limits: dict[str, Any] = {
            "show_progress": "hidden",
            "trigger_mode": "once",
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "ask",
            "api_visibility": "private",
        }
        gr.on([field.submit, button.click], answer, [field, turns], outputs, **limits)
        for example_button in buttons:
            example_button.click(answer, [example_button, turns], outputs, **limits)
        events.api(ask, api_name="ask", concurrency_limit=AT_ONCE, concurrency_id="ask")
    blocks.queue(max_size=MAX_WAITING, default_concurrency_limit=AT_ONCE)
    return blocks
