"""A server with OpenAI's interface on loopback that says what a test wants it to: real HTTP, no model behind it.

    with Scripted("Said one. [1]", Failure(500), perfect) as model:
        assistant = Assistant(corpus, index, llm=model.llm())  # or the settings that model.settings() gives

The replies are given one after another, the last of them from then on. `model.script(...)` begins anew.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from llama_index.llms.openai_like import OpenAILike

NAME = "scripted-1b"
KEY = "sk-scripted-0123456789abcdef"


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    path: str
    headers: Mapping[str, str]  # names in small letters
    body: Mapping[str, Any]

    @property
    def system(self) -> str:
        return "\n".join(said["content"] for said in self.body["messages"] if said["role"] == "system")

    @property
    def prompt(self) -> str:
        return "\n".join(said["content"] for said in self.body["messages"] if said["role"] == "user")

    @property
    def structured(self) -> bool:
        return "response_format" in self.body

    @property
    def quotations(self) -> dict[int, str]:
        """The quotations that were shown, by number; empty where the request is about something else."""
        return {int(number): quote for number, quote in re.findall(r"^\[(\d+)\].*?“(.*)”$", self.prompt, re.MULTILINE)}

    @property
    def question(self) -> str:
        """The question that an answer is to be written to, or the last one of a conversation."""
        found = re.findall(r"^(?:Question|Q): (.*)$", self.prompt, re.MULTILINE)
        return str(found[-1]) if found else ""


@dataclass(frozen=True)
class Said:
    """A reply of `text`, streamed in pieces of `size` characters, each after `pause` seconds.

    `cut`: after so many characters the connection breaks. `finish`: why the model stopped, as OpenAI says it.
    """

    text: str
    size: int = 16
    pause: float = 0.0
    cut: int | None = None
    finish: str = "stop"


@dataclass(frozen=True)
class Failure:
    """No reply but a status and a message; `headers` such as Retry-After."""

    status: int
    message: str = "The server cannot do this now."
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """A body of these very bytes, such as JSON that is broken."""

    body: bytes
    kind: str = "text/event-stream"


@dataclass(frozen=True)
class Silent:
    """No answer at all, until the server stops or the client leaves."""


Reply = str | Said | Failure | Raw | Silent
Script = Reply | Callable[[Asked], Reply]


# Models for many tests


def as_json(*statements: tuple[str, Sequence[int]]) -> str:
    """Statements as the schema wants them: (text, numbers of the quotations)."""
    return json.dumps({"statements": [{"text": text, "quotations": list(given)} for text, given in statements]})


def perfect(asked: Asked) -> str:
    """The perfect model: each quotation that it is shown comes back as a statement with its number, as JSON.

    A follow-up question comes back as it is, and of a translation there is none.
    """
    if not asked.quotations:
        return asked.question
    return as_json(*((quote, [number]) for number, quote in asked.quotations.items()))


def prosaic(asked: Asked) -> str:
    """As `perfect`, in sentences with markers."""
    return "\n".join(f"{quote} [{number}]" for number, quote in asked.quotations.items()) or asked.question


def about(prepared: Mapping[str, Script], otherwise: Script = perfect) -> Callable[[Asked], Reply]:
    """A model with a prepared reply to some questions."""

    def reply(asked: Asked) -> Reply:
        return _given(prepared.get(asked.question, otherwise), asked)

    return reply


def without_schema(then: Script) -> Callable[[Asked], Reply]:
    """A server that refuses a JSON schema and otherwise replies."""

    def reply(asked: Asked) -> Reply:
        return Failure(400, "response_format is not supported here") if asked.structured else _given(then, asked)

    return reply


def echo_key(asked: Asked) -> Failure:
    """A server that says which key it refuses."""
    return Failure(401, f"Incorrect API key provided: {asked.headers['authorization'].removeprefix('Bearer ')}.")


def _given(script: Script, asked: Asked) -> Reply:
    return script(asked) if callable(script) else script


class Scripted:
    """The server, for the length of a `with`."""

    def __init__(self, *replies: Script) -> None:
        self.asked: list[Asked] = []
        self._guard = threading.Lock()
        self._replies: tuple[Script, ...] = replies or (perfect,)
        self._next = 0
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, *replies: Script) -> None:
        """From now on these replies, and nothing asked so far."""
        with self._guard:
            self._replies, self._next = replies, 0
            self.asked.clear()

    def reply(self, asked: Asked) -> Reply:
        """What is next in the script."""
        with self._guard:
            script = self._replies[min(self._next, len(self._replies) - 1)]
            self._next += 1
            self.asked.append(asked)
        return _given(script, asked)

    def llm(self, **options: Any) -> OpenAILike:
        """The model as an object of llama-index that asks this server."""
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            **{
                "model": NAME,
                "api_base": self.url,
                "api_key": KEY,
                "is_chat_model": True,
                "max_retries": 1,
                "timeout": 20.0,
                **options,
            }
        )

    def settings(self) -> dict[str, str]:
        """The environment that connects this server."""
        return {
            "ON_RECORD_LLM": "openai-like",
            "ON_RECORD_LLM_URL": self.url,
            "ON_RECORD_LLM_MODEL": NAME,
            "ON_RECORD_LLM_KEY": KEY,
        }


class _Handler(BaseHTTPRequestHandler):
    model: ClassVar[Scripted]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.close_connection = True  # so that no client keeps one open
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        reply = self.model.reply(asked)
        with contextlib.suppress(ConnectionError, TimeoutError):  # the client has left
            match reply:
                case Silent():
                    self.model.stopping.wait(60)
                case Failure():
                    told = {"error": {"message": reply.message, "type": "error", "code": reply.status}}
                    self._whole(json.dumps(told).encode(), "application/json", reply.status, reply.headers)
                case Raw():
                    self._whole(reply.body, reply.kind)
                case _:
                    said = Said(reply) if isinstance(reply, str) else reply
                    if body.get("stream"):
                        self._stream(said)
                    else:
                        self._whole(json.dumps(_completion(said)).encode(), "application/json")

    def _whole(self, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, said: Said) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        text = said.text if said.cut is None else said.text[: said.cut]
        for at in range(0, len(text), said.size):
            if said.pause and self.model.stopping.wait(said.pause):
                return
            self._event(_chunk({"role": "assistant", "content": text[at : at + said.size]}, None))
        if said.cut is None:  # otherwise the connection ends in the middle of the body
            self._event(_chunk({}, said.finish))
            self._chunked(b"data: [DONE]\n\n")
            self._chunked(b"")

    def _event(self, data: object) -> None:
        self._chunked(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _chunked(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr."""


def _chunk(delta: Mapping[str, str], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": NAME, "choices": [choice]}


def _completion(said: Said) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.text}
    choice = {"index": 0, "message": message, "finish_reason": said.finish}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": NAME, "choices": [choice]}
