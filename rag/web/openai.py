"""The archive as a model in the way of OpenAI's interface, so that programs made for that can ask it: `/v1`.

The last message of the user is the question, the answer is quotations in Markdown, with the sources below and as data
beside it. Where a language model is connected, the archive is a second model, whose answers that one writes. What
steers a language model is taken and ignored.
"""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Field

from rag.records import Answer, Event, Statement
from rag.web import copies, shapes
from rag.web.access import reader_of
from rag.web.asking import Questions
from rag.web.problems import Refused, retry_after, told_to_openai
from rag.web.told import BEARER, STREAM_HEADERS, Told, errors, kept_alive, refused, while_here
from rag.web.wordings import texts_for

MODEL = "on-record"
WRITTEN = "on-record-written"  # where a language model is connected

# A number in brackets that nothing follows which would make a link, an image or a reference of it.
_MARKER = re.compile(r"\\\[(\d{1,3})\\\](?![(\[:])")
_TURNS = ("user", "assistant")


class Part(BaseModel):
    """A part of a message: text, or something that is not read."""

    type: str
    text: shapes.Text | None = None


class Message(BaseModel):
    """A message of the conversation; of parts, those with text are read."""

    role: str
    content: shapes.Text | list[Part] | None = None

    @property
    def text(self) -> str:
        if not isinstance(self.content, list):
            return self.content or ""
        return "\n".join(part.text or "" for part in self.content if part.type == "text")


class StreamOptions(BaseModel):
    """`include_usage`: whether the counts of tokens, which are none, come as a last chunk."""

    include_usage: bool = False


class SentChat(BaseModel):
    """A conversation whose last message of the user is the question. Other fields are accepted and ignored."""

    model: str = Field(examples=[MODEL])
    messages: list[Message] = Field(
        min_length=1, examples=[[{"role": "user", "content": "What did Kyncl say about licensing?"}]]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    model_config = ConfigDict(extra="ignore")

    def asked(self) -> tuple[str, list[list[str]]]:
        """The question, and the earlier ones with their answers, oldest first.

        Raises:
            Refused: there is no question.
        """
        said = [(message.role, message.text.strip()) for message in self.messages if message.role in _TURNS]
        while said and said[-1][0] != "user":
            said.pop()
        if not said or not said[-1][1]:
            raise Refused(400, "There is no message of the role user that holds text; add one with the question.")
        pairs = [
            [question, answer]
            for (asker, question), (answerer, answer) in itertools.pairwise(said)
            if asker == "user" and answerer == "assistant"
        ]
        return said[-1][1], pairs


class Model(BaseModel):
    """The archive, as OpenAI's interface tells of a model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(BaseModel):
    """All models: the archive in quotations, and, where a language model is connected, in its words."""

    object: Literal["list"]
    data: list[Model]


class LinkedCitation(shapes.Citation):
    """A citation with the address at which it can be read."""

    url: str


class Reply(BaseModel):
    """What the archive says, in Markdown."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(BaseModel):
    """The one reply."""

    index: int
    message: Reply
    logprobs: None
    finish_reason: Literal["stop"]


class Usage(BaseModel):
    """Always nothing: tokens are not counted here."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """An answer. `citations`, `found` and `confidence` are this archive's own."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    found: bool
    confidence: float
    citations: list[LinkedCitation]


class UnknownModel(Refused):
    """Another model is asked for than those there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        there = "the one there is, is" if len(known) == 1 else "those there are, are"
        super().__init__(404, f"There is no model {name[:60]!r} here; {there} {' and '.join(map(repr, known))}.")


_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def error(why: Refused) -> dict[str, Any]:
    """A refusal as plain data: as OpenAI's clients know it, and a problem (RFC 9457) all the same."""
    code = "model_not_found" if isinstance(why, UnknownModel) else None
    return told_to_openai(400 if why.status == 422 else why.status, str(why), code)


def tell(why: Refused) -> JSONResponse:
    """A refusal as an answer."""
    body = error(why)
    return JSONResponse(body, body["status"], retry_after(why.retry_after), media_type="application/problem+json")


class _Told(Told):
    tell = staticmethod(tell)


def base_of(request: Request, root: str) -> str:
    """The address of the application as the client knows it, without a slash at its end."""
    # A proxy that is not one of ours has lost this header before.
    host = request.headers.get("x-forwarded-host", request.url.netloc).split(",")[0].strip()
    return f"{request.url.scheme}://{host}{root}"


def routes(questions: Questions, root: str) -> APIRouter:
    """The routes below `/v1`. `root` is the path below which a proxy serves the application."""
    router = APIRouter(prefix="/v1", route_class=_Told, tags=["OpenAI"], dependencies=[BEARER])
    began = int(time.time())
    chunks = {"schema": {"type": "string"}, "example": "data: {…}\n\ndata: [DONE]\n\n"}

    def described(name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": began, "owned_by": MODEL}

    def known(request: Request) -> list[str]:
        return [MODEL] if questions.archive(reader_of(request.scope)).model is None else [MODEL, WRITTEN]

    def check(name: str, request: Request) -> None:
        if name not in known(request):
            raise UnknownModel(name, known(request))

    @router.get("/models", summary="List the models", responses={200: {"model": Models}, **errors(401)})
    def models(request: Request) -> JSONResponse:
        """The archive as a model; as a second one where a language model is connected."""
        return JSONResponse({"object": "list", "data": [described(name) for name in known(request)]})

    @router.get("/models/{name}", summary="Describe a model", responses={200: {"model": Model}, **errors(401, 404)})
    def one_model(request: Request, name: str) -> JSONResponse:
        """The archive, if that is the name."""
        check(name, request)
        return JSONResponse(described(name))

    @router.post(
        "/chat/completions",
        summary="Ask the archive as a model",
        responses={
            200: {"model": Completion, "content": {"text/event-stream": chunks}},
            **errors(400, 401, 404, 413, 429, 500, 503),
        },
    )
    async def complete(request: Request, sent: SentChat) -> Response:
        """The answer in exact quotations as Markdown, or that the archive does not hold one.

        Asked as `on-record-written`, a language model writes it, with the numbers of quotations and their sources. With
        `stream` it comes in chunks as OpenAI's does; the last one with a choice holds what else a completion has.
        """
        check(sent.model, request)
        question, pairs = sent.asked()
        history = [(earlier, answer) for earlier, answer in pairs]
        reader, base, written = reader_of(request.scope), base_of(request, root), sent.model == WRITTEN
        if not sent.stream:
            asked = questions.ask(reader, "openai", question, history, written=written)
            completion = _completion(await while_here(request, asked), base, sent.model)
            return JSONResponse(completion, headers={"Cache-Control": "no-store"})
        events = questions.stream(reader, "openai", question, history, written=written)
        # Until the first step is there, what is wrong can still be told by the status.
        await while_here(request, anext(events))
        usage = bool(sent.stream_options and sent.stream_options.include_usage)
        chunked = _streamed(events, base, sent.model, usage)
        return StreamingResponse(kept_alive(chunked), headers=STREAM_HEADERS, media_type="text/event-stream")

    return router


def content(answer: Answer, base: str) -> str:
    """An answer as Markdown: what it says, then its sources, or what came nearest, with their addresses.

    `base` is the address of the application. Nothing from an article is markup in it.
    """
    parts = [*(_stated(statement) for statement in answer.statements), *_rest(answer, base)]
    return "\n\n".join(parts)


def _stated(statement: Statement) -> str:
    known = frozenset(map(str, statement.citations))
    escaped = copies.escaped(statement.text)
    return _MARKER.sub(lambda found: f"[{found[1]}]" if found[1] in known else found[0], escaped)


def _rest(answer: Answer, base: str) -> list[str]:
    """What an answer says beside its statements, and where all of it stands."""
    texts = texts_for(answer.language)
    beside = answer.text.removeprefix("\n\n".join(statement.text for statement in answer.statements))
    places = []
    for citation in answer.citations:
        headline = _linked(citation.article.title, copies.link_to(citation, base))
        place = copies.place(citation.article, headline, texts, copies.escaped, citation)
        places.append(f"{citation.number}. {place}")
    for hit in answer.nearest:
        near = hit.passage
        headline = _linked(near.article.title, copies.link(near.article, near.start, near.end, base))
        places.append(f"- {copies.place(near.article, headline, texts, copies.escaped)}")
    heading = f"{copies.escaped(texts.nearest)}:" if answer.nearest else ""
    return [part for part in (copies.escaped(beside), heading, "\n".join(places)) if part]


def _linked(title: str, address: str) -> str:
    return f"[{copies.escaped(title)}](<{address}>)"


def _own(answer: Answer, base: str) -> dict[str, Any]:
    """What a completion holds beyond OpenAI's."""
    citations = [item.to_dict() | {"url": copies.link_to(item, base)} for item in answer.citations]
    return {"found": answer.found, "confidence": round(answer.confidence, 4), "citations": citations}


def _completion(answer: Answer, base: str, model: str) -> dict[str, Any]:
    reply = {"role": "assistant", "content": content(answer, base), "refusal": None}
    choice = {"index": 0, "message": reply, "logprobs": None, "finish_reason": "stop"}
    return _frame("chat.completion", model) | {"choices": [choice], "usage": _USAGE} | _own(answer, base)


def _frame(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


async def _streamed(events: AsyncIterator[Event], base: str, model: str, usage: bool) -> AsyncIterator[bytes]:
    """An answer under way as the chunks of a completion."""
    frame = _frame("chat.completion.chunk", model)

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse(frame | {"choices": [choice]} | more)

    try:
        yield chunk({"role": "assistant", "content": ""})
        begun = False
        async for event in events:
            if isinstance(event.data, Statement):
                yield chunk({"content": "\n\n" * begun + _stated(event.data)})
                begun = True
            elif isinstance(event.data, Answer):
                for part in _rest(event.data, base):
                    yield chunk({"content": "\n\n" * begun + part})
                    begun = True
                yield chunk({}, "stop", **_own(event.data, base))
        if usage:
            yield _sse(frame | {"choices": [], "usage": _USAGE})
    except Exception as failure:
        yield _sse(error(refused(failure)))
    yield format_sse_event(data_str="[DONE]")


def _sse(data: object) -> bytes:
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False))
