"""The language model, where one is connected: any `LLM` of llama-index, asked within a time limit.

Nothing here trusts what comes back. `prose.py` takes it apart, `check.py` judges it.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import LLMError, SettingsError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM, ChatResponse

OPENAI_LIKE, GGUF = "openai-like", "gguf:"
_WINDOW = 4096  # tokens of a model from a file: the longest prompt takes 2,000
_LONGEST = 700  # tokens of a reply
_LONGEST_TEXT = 8_000  # characters of a reply that are read: no answer is longer
_TRIES = 2  # more, after a 429 or a 5xx, as far as the time limit leaves room

Why = Literal["slow", "failed"]


class ModelFailed(LLMError):
    """The model gave no whole reply; `why` says whether it was too slow, or failed otherwise."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


class LanguageModel:
    """An `LLM` of llama-index, asked within `seconds`. Safe to use from several threads.

    `secret`, the key of `llm` where it has one, is kept out of messages; `server` is what the model runs on, if that
    is in this process.

    Raises:
        SettingsError: `llm` is none.
    """

    def __init__(self, llm: LLM, *, seconds: float, secret: str = "", server: object = None) -> None:
        from llama_index.core.base.llms.base import BaseLLM
        from llama_index.llms.openai import OpenAI

        if not isinstance(llm, BaseLLM):
            raise SettingsError(
                f"llm is a {type(llm).__name__}, expected a language model of llama-index, such as "
                "llama_index.llms.openai_like.OpenAILike; or leave it out"
            )
        self.llm = llm
        self.seconds = seconds
        self.name = str(llm.metadata.model_name or llm.class_name())
        self._structured = isinstance(llm, OpenAI)  # until a server says that it takes no schema
        self._secret = secret or str(getattr(llm, "api_key", None) or "")
        self._server = server  # in this process: it stops when nobody holds it

    @property
    def structured(self) -> bool:
        """Whether it is asked for JSON by a schema: until a server says that it takes none."""
        return self._structured

    def stream(self, system: str, asked: str, schema: Mapping[str, Any] | None = None) -> Iterator[str]:
        """The reply piece by piece; as JSON by `schema` where the server takes one.

        Raises:
            ModelFailed: no whole reply within the time limit.
        """
        pieces: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()  # None after the last
        left = threading.Event()

        def work() -> None:
            try:
                for piece in self._pieces(system, asked, schema):
                    if left.is_set():
                        return
                    pieces.put(piece)
                pieces.put(None)
            except Exception as error:  # whatever the library raises: it is told below
                pieces.put(error)

        deadline = time.monotonic() + self.seconds
        # A thread of its own, since nothing else ends a server that says one letter a second. It dies with the request.
        threading.Thread(target=work, name="language-model", daemon=True).start()
        read = 0
        try:
            while True:
                piece = pieces.get(timeout=max(0.0, deadline - time.monotonic()))
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise self._failed(piece)
                read += len(piece)
                if read > _LONGEST_TEXT:
                    raise ModelFailed("failed", f"{self.name} wrote more than {_LONGEST_TEXT:,} characters")
                yield piece
        except queue.Empty:
            raise ModelFailed("slow", f"{self.name} did not finish within {self.seconds:g} s") from None
        finally:
            left.set()

    def complete(self, system: str, asked: str) -> str:
        """The whole reply, without white space around it. Raises as `stream` does."""
        return "".join(self.stream(system, asked)).strip()

    def _pieces(self, system: str, asked: str, schema: Mapping[str, Any] | None) -> Iterator[str]:
        from llama_index.core.llms import ChatMessage, MessageRole

        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=system),
            ChatMessage(role=MessageRole.USER, content=asked),
        ]
        if schema is not None and self._structured:
            form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
            try:
                yield from _deltas(self.llm.stream_chat(messages, response_format=form))
                return
            except Exception as error:
                if getattr(error, "status_code", None) not in (400, 404, 415, 422, 501):
                    raise
                self._structured = False
        yield from _deltas(self.llm.stream_chat(messages))

    def _failed(self, error: Exception) -> ModelFailed:
        slow = "timeout" in type(error).__name__.lower()
        said = str(error).replace(self._secret, "…") if self._secret else str(error)
        said = " ".join(said.split())[:200]  # not sooner: half a key is no longer found
        return ModelFailed(
            "slow" if slow else "failed", f"{self.name} failed ({type(error).__name__}{': ' if said else ''}{said})"
        )


def _deltas(responses: Iterable[ChatResponse]) -> Iterator[str]:
    """What each step adds. Not every model says that; all say what there is so far."""
    known = ""
    for response in responses:
        so_far = str(response.message.content or "")
        piece = so_far.removeprefix(known) if response.delta is None else response.delta
        known = so_far
        if piece:
            yield piece


class LazyModel:
    """The model that the settings name, or an `LLM` that is there already; opened once, when somebody first needs it.

    `kind` is `openai-like`, or `gguf:` and the path of a file. Safe to use from several threads.

    Raises:
        SettingsError: something that it needs is not set, or `llm` is none. LLMError: there is no such file.
    """

    def __init__(
        self, kind: str = "", *, url: str = "", model: str = "", key: str = "", seconds: float, llm: LLM | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._opened = None if llm is None else LanguageModel(llm, seconds=seconds)
        self._kind, self._url, self._model, self._key, self._seconds = kind, url, model, key, seconds
        self._path = Path(kind.removeprefix(GGUF)).expanduser()
        if self._opened is not None:
            self.name = self._opened.name
        elif kind == OPENAI_LIKE:
            if not url or not model:
                missing = "ON_RECORD_LLM_MODEL" if url else "ON_RECORD_LLM_URL"
                raise SettingsError(
                    f"ON_RECORD_LLM is {OPENAI_LIKE} and {missing} is not set, expected the address of a server "
                    "with OpenAI's interface (such as http://127.0.0.1:11434/v1) and a name of a model there; set both"
                )
            self.name = model
        else:
            if not self._path.is_file():
                raise LLMError(
                    f"ON_RECORD_LLM names {self._path}, which is not a file; expected a model in the GGUF format"
                )
            self.name = self._path.stem

    def opened(self) -> LanguageModel:
        """The model.

        Raises:
            LLMError: the file or the package that reads it cannot be loaded.
        """
        with self._lock:
            if self._opened is None:
                if self._kind == OPENAI_LIKE:
                    llm = _openai_like(self._url, self._model, self._key, self._seconds)
                    self._opened = LanguageModel(llm, seconds=self._seconds, secret=self._key)
                else:
                    self._opened = _from_file(self._path, self._seconds)
            return self._opened


def _openai_like(url: str, model: str, key: str, seconds: float) -> LLM:
    from llama_index.llms.openai_like import OpenAILike

    return OpenAILike(
        model=model,
        api_base=url,
        api_key=key or "none",  # the client insists on one
        is_chat_model=True,
        temperature=0.0,
        max_tokens=_LONGEST,
        timeout=seconds,
        max_retries=_TRIES,
        default_headers={"Connection": "close"},  # nothing is saved by keeping one open, and nobody would close it
    )


def _from_file(path: Path, seconds: float) -> LanguageModel:
    """llama.cpp in this process. It listens on a loopback port of its own, which only we have the key to."""
    try:
        import xllamacpp
    except ImportError:
        raise LLMError(
            "a model from a file needs the package xllamacpp, which is not installed; run: pip install xllamacpp"
        ) from None
    key = secrets.token_urlsafe(24)
    given = xllamacpp.CommonParams()
    given.model.path = str(path)
    given.n_ctx = _WINDOW
    given.n_parallel = 1
    given.hostnames = ["127.0.0.1"]
    given.port = 0
    given.api_keys = [key]
    given.ui = False
    given.verbosity = -1
    try:
        server = xllamacpp.Server(given)
    except Exception as error:  # the library raises what llama.cpp says
        raise LLMError(
            f"{path} cannot be loaded ({error}); expected a model in the GGUF format that fits into memory"
        ) from error
    llm = _openai_like(f"{server.listening_address}/v1", path.stem, key, seconds)
    return LanguageModel(llm, seconds=seconds, secret=key, server=server)
