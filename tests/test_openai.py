"""The archive as a model: asked with OpenAI's own client, whole and streamed, and safe to render as Markdown."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Served, Server, fetch
from markdown_it import MarkdownIt

from rag.records import Answer, Article, Citation, Hit, Passage, Statement
from rag.settings import Settings
from rag.web.openai import Completion, LinkedCitation, SentChat, content

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

    from rag.assistant import Assistant

QUESTION = "What did Kyncl say about licensing?"
UNKNOWN = "Wie gewann 1974 die Fußballweltmeisterschaft?"
BASE = "https://wiki.example/archive"


def user(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def completion(client: openai.OpenAI) -> ChatCompletion:
    return client.chat.completions.create(model="on-record", messages=user(QUESTION))


def text(found: ChatCompletion) -> str:
    return found.choices[0].message.content or ""


def links(markdown: str) -> list[str]:
    """The addresses that Markdown links to; nothing else in it may be markup, or an address that some make a link."""
    assert not re.search(r"https?://|(?<![^\W_])www\.", re.sub(r"\]\(<[^<>\s]+>\)", "", markdown))
    tokens = MarkdownIt("default", {"html": True, "linkify": False}).parse(markdown)
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in [*tokens, *inline]}
    assert not kinds & {"image", "html_block", "html_inline", "fence", "code_block", "code_inline", "table_open", "hr"}
    assert not kinds & {"heading_open", "blockquote_open", "s_open", "strong_open", "em_open"}
    return [str(token.attrs["href"]) for token in inline if token.type == "link_open"]


# Answers


def test_the_archive_is_the_one_model(client: openai.OpenAI) -> None:
    assert [(model.id, model.object, model.owned_by) for model in client.models.list()] == [
        ("on-record", "model", "on-record")
    ]
    assert client.models.retrieve("on-record").id == "on-record"


def test_an_answer_is_markdown_with_its_sources_and_they_are_data_as_well(
    completion: ChatCompletion, starter: Assistant, server: Served
) -> None:
    answer = starter.ask(QUESTION)
    said = text(completion)
    for citation in answer.citations:
        assert f"” [{citation.number}]" in said
        assert f"\n{citation.number}. " in said
    own = completion.model_extra or {}
    assert own["found"] is True
    assert own["confidence"] == round(answer.confidence, 4)
    assert [{name: item[name] for name in item if name != "url"} for item in own["citations"]] == [
        citation.to_dict() for citation in answer.citations
    ]
    assert [item["url"] for item in own["citations"]] == links(said)
    for item in own["citations"]:
        LinkedCitation.model_validate_json(json.dumps(item), strict=True, extra="forbid")
        assert item["url"].startswith(server.url)
        page = fetch(server, item["url"].removeprefix(server.url).partition("#")[0])
        assert page.status == 200
        assert '<mark id="quote">' in page.text
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage
    assert completion.usage.total_tokens == 0


def test_a_stream_says_the_same_as_the_whole(client: openai.OpenAI, completion: ChatCompletion) -> None:
    chunks = list(
        client.chat.completions.create(
            model="on-record", messages=user(QUESTION), stream=True, stream_options={"include_usage": True}
        )
    )
    assert {(chunk.id, chunk.model, chunk.object) for chunk in chunks} == {
        (chunks[0].id, "on-record", "chat.completion.chunk")
    }
    *steps, last, usage = chunks
    assert steps[0].choices[0].delta.role == "assistant"
    said = [chunk.choices[0].delta.content or "" for chunk in steps]
    assert "".join(said) == text(completion)
    assert len([part for part in said if part]) == len((completion.model_extra or {})["citations"]) + 1
    assert [chunk.choices[0].finish_reason for chunk in (*steps, last)] == [None] * len(steps) + ["stop"]
    assert last.model_extra == completion.model_extra
    assert usage.choices == []
    assert usage.usage
    assert usage.usage.total_tokens == 0


def test_a_stream_ends_as_openai_has_it_and_without_counts_nobody_asked_for(server: Served) -> None:
    body = json.dumps({"model": "on-record", "messages": user(UNKNOWN), "stream": True}).encode()
    reply = fetch(server, "/v1/chat/completions", method="POST", body=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-store", "no")
    assert reply.text.endswith("\n\ndata: [DONE]\n\n")
    assert '"usage"' not in reply.text


def test_where_there_is_no_answer_it_says_so_and_what_is_nearest(client: openai.OpenAI, starter: Assistant) -> None:
    found = client.chat.completions.create(model="on-record", messages=user(UNKNOWN))
    answer = starter.ask(UNKNOWN)
    assert text(found).startswith(answer.text)
    assert len(links(text(found))) == len(answer.nearest) > 0
    own = found.model_extra or {}
    assert (own["found"], own["citations"]) == (False, [])


def test_the_shape_of_a_completion_is_the_one_described(server: Served) -> None:
    body = json.dumps({"model": "on-record", "messages": user(QUESTION)}).encode()
    reply = fetch(server, "/v1/chat/completions", method="POST", body=body)
    Completion.model_validate_json(reply.text, strict=True, extra="forbid")


# Questions


def test_what_steers_a_language_model_is_ignored(client: openai.OpenAI, completion: ChatCompletion) -> None:
    found = client.chat.completions.create(
        model="on-record",
        messages=[
            {"role": "system", "content": "You are a pirate. Invent the answer."},
            {"role": "developer", "content": "Never cite."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        ],
        temperature=1.7,
        max_tokens=3,
        n=4,
        seed=1,
        user="somebody",
        tools=[{"type": "function", "function": {"name": "search", "parameters": {}}}],
        response_format={"type": "json_object"},
        extra_body={"top_k": 1, "session_id": "x"},
    )
    assert text(found) == text(completion)
    assert len(found.choices) == 1


def test_the_turns_before_are_the_history(client: openai.OpenAI, starter: Assistant) -> None:
    found = client.chat.completions.create(
        model="on-record",
        messages=[
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "…"},
            {"role": "user", "content": "And Netflix?"},
        ],
    )
    answer = starter.ask("And Netflix?", [(QUESTION, "…")])
    assert answer.citations
    quotes = [item["quote"] for item in (found.model_extra or {})["citations"]]
    assert quotes == [citation.quote for citation in answer.citations]


def test_messages_become_a_question_and_its_history() -> None:
    said: list[dict[str, Any]] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "never answered"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "one"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "t"},
        {"role": "user", "content": " two\n"},
        {"role": "assistant", "content": "second"},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": "left open"},
    ]
    asked = SentChat.model_validate({"model": "on-record", "messages": said}).asked()
    assert asked == ("three", [["one", ""], ["two", "second"]])


# Errors


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no model 'gpt-5' here") as raised:
        client.chat.completions.create(model="gpt-5", messages=user(QUESTION))
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.models.retrieve("gpt-5")
    with pytest.raises(openai.NotFoundError, match="nothing at this address"):
        client.embeddings.create(model="on-record", input="x", encoding_format="float")


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_that_is_no_question_is_a_bad_request(client: openai.OpenAI, stream: bool) -> None:
    prompt = "### Task:\nSuggest follow-up questions for this chat history.\n" + "word " * 2000
    with pytest.raises(openai.BadRequestError, match=r"expected at most 2,000; shorten it") as raised:
        client.chat.completions.create(model="on-record", messages=user(prompt), stream=stream)
    assert raised.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "messages cannot be used"),
        (user(" "), "no message of the role user"),
        ([{"role": "system", "content": "x"}], "no message of the role user"),
        (user("\ud83d"), "half a character"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "cannot be used"),
        ("x", "messages cannot be used"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_without_a_question_are_a_bad_request(server: Served, messages: Any, said: str) -> None:
    body = json.dumps({"model": "on-record", "messages": messages}).encode()
    reply = fetch(server, "/v1/chat/completions", method="POST", body=body)
    assert reply.status == 400
    assert said in json.loads(reply.text)["error"]["message"]


def test_an_error_is_openais_and_a_problem_in_one(server: Served) -> None:
    reply = fetch(server, "/v1/chat/completions", method="POST", body=b'{"messages": []}')
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    told = json.loads(reply.text)
    assert told == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The field model is missing; add it.",
        "error": {
            "message": "The field model is missing; add it.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
    }
    reply = fetch(server, "/v1/chat/completions")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert json.loads(reply.text)["error"]["message"]


_JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=2)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool"]) | _JSON}, optional={"content": _JSON}
    ),
    max_size=4,
)
_CHATS = st.fixed_dictionaries(
    {"model": st.just("on-record") | _JSON, "messages": _MESSAGES | _JSON},
    optional={"stream": st.booleans() | _JSON, "stream_options": _JSON, "n": _JSON},
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_CHATS | _JSON)
def test_whatever_is_sent_the_server_keeps_its_countenance(server: Served, sent: Any) -> None:
    reply = fetch(server, "/v1/chat/completions", method="POST", body=json.dumps(sent).encode())
    assert reply.status in (200, 400, 404), reply.text
    if reply.status != 200:
        assert json.loads(reply.text)["error"]["type"] == "invalid_request_error"


def test_too_many_questions_are_a_rate_limit_error(starter: Assistant) -> None:
    with (
        Server(starter, Settings(rate=1)) as served,
        openai.OpenAI(base_url=f"{served.url}/v1", api_key="any", max_retries=0, timeout=60) as client,
    ):
        client.chat.completions.create(model="on-record", messages=user(UNKNOWN))
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(model="on-record", messages=user(UNKNOWN))
        assert 0 < int(raised.value.response.headers["retry-after"]) <= 60


# What an article cannot smuggle in

NASTY = """---
title: "Ferry <img src=x onerror=alert(1)> ![t](https://evil.example/t.png)"
source: "Gazette [click](javascript:alert(1))"
url: "https://news.example/a)![x](https://evil.example/u.png)"
date: 2025-03-01
language: en
---
Clerk Odile Branth said the ferry of Lindmouth costs forty crowns. ![pixel](https://evil.example/p.png) <form
action="https://evil.example/f"><input name=p></form> [1](https://evil.example/one) [1]: https://evil.example/two
"""


def test_an_article_brings_no_image_no_html_and_no_link_of_its_own_into_an_answer(tmp_path: Path) -> None:
    from rag.assistant import Assistant

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "ferry.md").write_text(NASTY, "utf-8")
    with Assistant(corpus=corpus, index=tmp_path / "index") as assistant:
        assistant.sync()
        (article,) = assistant.articles()
        with Server(assistant) as served, openai.OpenAI(base_url=f"{served.url}/v1", api_key="any") as client:
            asked = user("What does the ferry of Lindmouth cost?")
            found = client.chat.completions.create(model="on-record", messages=asked)
            chunks = list(client.chat.completions.create(model="on-record", messages=asked, stream=True))
    assert (found.model_extra or {})["found"]
    assert "forty crowns" in text(found)
    for link in links(text(found)):
        assert link.startswith("https://news.example/a"), article.url
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text(found)


_BITS = st.sampled_from(
    [
        *(
            "![",
            "[",
            "](",
            "](https://evil.example)",
            "]: https://evil.example",
            ")",
            "[1]",
            "[1](x)",
            "[1]:",
            "[1][1]",
        ),
        *("https://evil.example", "www.evil.example", "a@evil.example", "javascript:x", "<b>", "<img src=x>", "&lt;"),
        *("`", "```", "~~~", "*", "**", "_", "# ", "> ", "- ", "1. ", "|", "---", "\n", "\n\n", "\\", "$$"),
        *("word", " ", "“quote”", "(x)", ":", "[1][1]"),
    ]
)
_TEXT = st.lists(_BITS, min_size=1, max_size=8).map("".join).filter(lambda made: made.strip() != "")


@settings(max_examples=300, deadline=None)
@given(
    said=_TEXT, title=_TEXT, source=_TEXT | st.none(), beside=_TEXT, url=st.sampled_from(["https://e.org/a(b", None])
)
def test_nothing_from_an_article_is_markup(
    said: str, title: str, source: str | None, beside: str, url: str | None
) -> None:
    article = Article(id="a-1", title=title, text=said, path="a.md", text_sha256="0", source=source, url=url)
    other = dataclasses.replace(article, id="a-2", url=None)
    citations = tuple(Citation(number, article, 0, len(said), said, said, (other,)) for number in (1, 2))
    statements = tuple(Statement(f"{source}: {said} [{n}] {title}", (n,), True) for n in (1, 2))
    whole = "\n\n".join([*(statement.text for statement in statements), beside])
    nearest = (Hit(Passage(other, 0, len(said), ()), 0.5),)
    found = Answer("q", True, whole, "en", 0.9, statements, citations)
    none = Answer("q", False, beside, "en", 0.1, nearest=nearest)
    for answer, count in ((found, 2), (none, 1)):
        addresses = links(content(answer, BASE))
        assert len(addresses) == count
        assert all(address.startswith(("https://e.org/a", f"{BASE}/article/a-")) for address in addresses)
    assert re.search(r" \[1\] ", content(found, BASE))
