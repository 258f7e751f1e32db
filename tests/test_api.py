"""The HTTP interface: what it answers, how it streams, that every error is a problem, and that it is described."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from fastapi import Request
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from loopback import Reply, Served, Server, fetch, run
from starlette.requests import ClientDisconnect

from rag.assistant import Assistant
from rag.settings import Settings
from rag.web import shapes
from rag.web.told import refused, while_here

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUESTION = "What did Kyncl say about licensing?"
UNKNOWN = "Wie gewann 1974 die Fußballweltmeisterschaft?"


def ask(server: Served, body: Any, **headers: str) -> Reply:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fetch(server, "/api/ask", method="POST", body=sent, **headers)


def get(server: Served, path: str, **query: Any) -> Reply:
    return fetch(server, f"{path}?{urlencode(query, doseq=True)}" if query else path)


def problem(reply: Reply, status: int) -> str:
    """The detail of a problem, which the reply is."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text
    told = json.loads(reply.text)
    assert (told["type"], told["status"]) == ("about:blank", status)
    assert told["title"]
    return str(told["detail"])


def events(text: str) -> list[tuple[str, Any]]:
    """The server-sent events of a stream: kind and data."""
    assert text.endswith("\n\n")
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    assert "".join(f"event: {kind}\ndata: {data}\n\n" for kind, data in found) == text  # and nothing in between
    return [(kind, json.loads(data)) for kind, data in found]


def timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "timings"}


# Asking


@pytest.mark.parametrize("question", [QUESTION, UNKNOWN])
def test_an_answer_is_the_one_that_the_assistant_gives(server: Served, starter: Assistant, question: str) -> None:
    reply = ask(server, {"question": question})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.headers["cache-control"] == "no-store"
    told = json.loads(reply.text)
    assert timeless(told) == timeless(starter.ask(question).to_dict())
    assert told["found"] == (question == QUESTION)
    shapes.Answer.model_validate_json(reply.text, strict=True, extra="forbid")


def test_filters_history_and_the_language_of_the_framing_are_heeded(server: Served, starter: Assistant) -> None:
    dutch = json.loads(ask(server, {"question": QUESTION, "languages": ["nl"], "language": "de"}).text)
    assert {item["article"]["language"] for item in dutch["citations"]} == {"nl"}
    assert dutch["language"] == "de"
    (source,) = {item["article"]["source"] for item in dutch["citations"]}
    filtered = {"question": QUESTION, "sources": [source], "since": "2025-10-13", "until": "2025-10-13"}
    for item in json.loads(ask(server, filtered).text)["citations"]:
        assert (item["article"]["source"], item["article"]["date"]) == (source, "2025-10-13")
    history = [[QUESTION, "…"]]
    followed = json.loads(ask(server, {"question": "When was that?", "history": history}).text)
    assert timeless(followed) == timeless(starter.ask("When was that?", [(QUESTION, "…")]).to_dict())


def test_a_stream_tells_what_came_nearest_each_statement_and_then_all(server: Served, starter: Assistant) -> None:
    reply = ask(server, {"question": QUESTION}, Accept="text/event-stream")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-store", "no")
    told = events(reply.text)
    answer = starter.ask(QUESTION).to_dict()
    assert [kind for kind, _ in told] == ["hits", *["statement"] * len(answer["statements"]), "answer"]
    assert told[0][1]
    for hit in told[0][1]:
        shapes.Hit.model_validate_json(json.dumps(hit), strict=True, extra="forbid")
    assert [data for kind, data in told if kind == "statement"] == [
        statement | {"cited": [answer["citations"][number - 1] for number in statement["citations"]]}
        for statement in answer["statements"]
    ]
    assert timeless(told[-1][1]) == timeless(answer)


def test_what_is_wrong_before_a_stream_begins_is_told_by_the_status(server: Served) -> None:
    for accept in ("text/event-stream", "application/json"):
        assert "is empty" in problem(ask(server, {"question": " "}, Accept=accept), 422)
        assert "2,001 characters" in problem(ask(server, {"question": "x" * 2001}, Accept=accept), 422)


def test_too_many_questions_are_told_with_the_time_to_wait(starter: Assistant) -> None:
    with Server(starter, Settings(rate=1)) as served:
        assert ask(served, {"question": UNKNOWN}).status == 200
        for accept in ("application/json", "text/event-stream"):
            reply = ask(served, {"question": UNKNOWN}, Accept=accept)
            assert "More than 1 question" in problem(reply, 429)
            assert 0 < int(reply.headers["retry-after"]) <= 60
        problem(get(served, "/api/search", q="licensing"), 429)


def _left(server: Served) -> float:
    name = 'on_record_questions_total{outcome="left",way="api"}'
    return float(re.search(rf"^{re.escape(name)} (\S+)$", fetch(server, "/metrics").text, re.MULTILINE)[1])  # type: ignore[index]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_client_that_leaves_ends_the_work(server: Served, accept: str) -> None:
    before = _left(server)
    body = json.dumps({"question": QUESTION})
    clients = [http.client.HTTPConnection(server.host, server.port, timeout=20) for _ in range(6)]
    for client in clients:
        client.request("POST", "/api/ask", body, {"Content-Type": "application/json", "Accept": accept})
    for client in clients:
        client.close()
    until = time.monotonic() + 20
    while _left(server) < before + 4:  # two are worked on at once and may be done before it is noticed
        assert time.monotonic() < until
        time.sleep(0.05)


def test_work_goes_on_while_a_client_is_here_and_ends_when_it_leaves() -> None:
    async def both() -> None:
        never = asyncio.Event()

        async def staying() -> dict[str, Any]:
            await never.wait()
            return {"type": "http.disconnect"}

        async def leaving() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        scope = {"type": "http", "headers": []}
        assert await while_here(Request(scope, staying), asyncio.sleep(0.01, "done")) == "done"
        work = asyncio.ensure_future(asyncio.sleep(60))
        with pytest.raises(ClientDisconnect):
            await while_here(Request(scope, leaving), work)
        await asyncio.sleep(0)
        assert work.cancelled()

    run(both())


# What cannot be used


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "not valid JSON"),
        (b'{"question": "\xff"}', 400, "UTF-8"),
        (b"[" * 100_000, 400, "JSON"),
        (b'{"question": ' + b"9" * 10_000 + b"}", 400, "JSON"),
        ([], 422, "not a JSON object"),
        (b"", 422, "not a JSON object"),
        ({}, 422, "question is missing"),
        ({"question": 1}, 422, "question cannot be used"),
        ({"question": "\ud83d"}, 422, "question cannot be used"),
        ({"question": "x", "answer": 1}, 422, "answer is not known"),
        ({"question": "x", "languages": "en"}, 422, "languages cannot be used"),
        ({"question": "x", "languages": ["en"] * 201}, 422, "languages cannot be used"),
        ({"question": "x", "sources": [1]}, 422, "sources.0 cannot be used"),
        ({"question": "x", "since": "2025-13-01"}, 422, "since cannot be used"),
        ({"question": "x", "since": 20250101}, 422, "expected a date such as"),
        ({"question": "x", "since": "2025-01-02", "until": "2025-01-01"}, 422, "swap them"),
        ({"question": "x", "history": [["a"]]}, 422, "history.0 cannot be used"),
        ({"question": "x", "history": {"a": "b"}}, 422, "history cannot be used"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_question_that_cannot_be_used_is_told_as_a_problem(
    server: Served, body: Any, status: int, detail: str
) -> None:
    assert detail in problem(ask(server, body), status)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_WORDS = st.text(max_size=40)
_DATES = st.dates().map(str) | _WORDS
_FIELDS = {
    "history": st.lists(st.lists(_WORDS, max_size=3), max_size=3),
    "languages": st.lists(st.sampled_from(["en", "nl", "xx", "\0"]), max_size=3) | st.none(),
    "sources": st.lists(_WORDS, max_size=2) | st.none(),
    "since": _DATES | st.none(),
    "until": _DATES | st.none(),
    "language": _WORDS | st.none(),
}
_BODIES = st.fixed_dictionaries(
    {"question": _WORDS | _JSON}, optional={name: values | _JSON for name, values in _FIELDS.items()}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_BODIES | _JSON, accept=st.sampled_from(["*/*", "text/event-stream"]))
@example(body={"question": "And?", "history": [["Why?", ""]] * 20_000}, accept="*/*")
@example(body={"question": "a\0b\u202e", "since": "0001-01-01"}, accept="text/event-stream")
def test_whatever_is_sent_the_server_keeps_its_countenance(server: Served, body: Any, accept: str) -> None:
    reply = ask(server, body, Accept=accept)
    if reply.status != 200:
        assert reply.status in (400, 422), reply.text
        problem(reply, reply.status)
    elif accept == "text/event-stream":
        assert events(reply.text)[-1][0] == "answer"


def test_an_error_nobody_foresaw_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    told = refused(RuntimeError("the password is tulip"))
    assert told.status == 500
    assert "tulip" not in str(told)
    assert "tulip" in caplog.text


# Searching and reading


def test_a_search_tells_the_passages_nearest_first(server: Served, starter: Assistant) -> None:
    reply = get(server, "/api/search", q="licensing", limit=4, language=["en", "nl"])
    found = [hit.to_dict() for hit in starter.search("licensing", 4, languages=["en", "nl"])]
    assert json.loads(reply.text) == {"query": "licensing", "hits": found}
    assert len(found) == 4
    shapes.Found.model_validate_json(reply.text, strict=True, extra="forbid")


def test_the_list_of_articles_comes_page_by_page_and_filtered(server: Served, starter: Assistant) -> None:
    articles, total = starter.find_articles()
    first = json.loads(get(server, "/api/articles", limit=3).text)
    second = get(server, "/api/articles", limit=3, offset=3)
    shapes.Listing.model_validate_json(second.text, strict=True, extra="forbid")
    assert (first["total"], first["limit"], first["offset"]) == (total, 3, 0)
    ids = [article["id"] for article in first["articles"] + json.loads(second.text)["articles"]]
    assert ids == [article.id for article in articles[:6]]
    filtered = json.loads(get(server, "/api/articles", q="sora", language="en", since="2025-10-01").text)["articles"]
    expected, _ = starter.find_articles("sora", languages=["en"], since=shapes._day("2025-10-01"))
    assert [article["id"] for article in filtered] == [article.id for article in expected] != []


def test_an_article_comes_with_its_text_into_which_all_offsets_point(server: Served, starter: Assistant) -> None:
    for article in starter.articles():
        reply = get(server, f"/api/articles/{article.id}")
        shapes.WholeArticle.model_validate_json(reply.text, strict=True, extra="forbid")
        told = json.loads(reply.text)
        assert told["text"] == article.text
        assert [(item["start"], item["end"]) for item in told["headings"]] == [
            (heading.start, heading.end) for heading in article.headings
        ]
        assert [item["start"] for item in told["pages"]] == list(article.pages)
        units = article.text.encode("utf-16-le")
        for item in told["headings"]:
            inside = units[2 * item["start_utf16"] : 2 * item["end_utf16"]].decode("utf-16-le")
            assert inside == article.text[item["start"] : item["end"]]


@pytest.mark.parametrize(
    "wanted",
    [
        *("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "a%00b", "con", "nul.txt", "LPT1", "", "%ff%fe"),
        *("a" * 10_000, "..\\..\\windows", "C%3A%5C", quote("😀"), "'%20OR%201=1--", "%2e%2e/%2e%2e/corpus"),
    ],
    ids=lambda wanted: wanted[:20],
)
def test_an_id_that_names_nothing_is_not_found_whatever_it_looks_like(server: Served, wanted: str) -> None:
    problem(fetch(server, f"/api/articles/{wanted}"), 404)


@pytest.mark.parametrize(
    ("path", "query", "detail"),
    [
        ("/api/search", {}, "parameter q is missing"),
        ("/api/search", {"q": " "}, "is empty"),
        ("/api/search", {"q": "x" * 2001}, "2,001 characters"),
        ("/api/search", {"q": "x", "limit": 0}, "limit cannot be used"),
        ("/api/search", {"q": "x", "limit": 10**30}, "limit cannot be used"),
        ("/api/search", {"q": "x", "languages": "en"}, "languages is not known"),
        ("/api/search", {"q": "x", "since": "yesterday"}, "since cannot be used: expected a date"),
        ("/api/articles", {"q": "x" * 201}, "q cannot be used"),
        ("/api/articles", {"offset": -1}, "offset cannot be used"),
        ("/api/articles", {"offset": 2**63}, "offset cannot be used"),
        ("/api/articles", {"limit": 201}, "limit cannot be used"),
        ("/api/articles", {"since": "2025-02-01", "until": "2025-01-01"}, "swap them"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_told_as_a_problem(
    server: Served, path: str, query: dict[str, Any], detail: str
) -> None:
    assert detail in problem(get(server, path, **query), 422)


# Addresses that are none


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/ask/", "/api/../x", "/api/feedback/a/b"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PROPFIND"])
def test_an_unknown_address_below_api_is_a_problem(server: Served, path: str, method: str) -> None:
    reply = fetch(server, path, method=method, body=b"{}" if method == "POST" else None)
    problem(reply, 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/ask", "POST"),
        ("PUT", "/api/feedback", "POST"),
        ("GET", "/api/feedback/abc", "DELETE"),
        ("POST", "/api/search", "GET"),
        ("DELETE", "/api/articles/abc", "GET"),
        ("PROPFIND", "/api/articles", "GET"),
    ],
)
def test_a_wrong_method_is_a_problem_that_names_the_right_one(
    server: Served, method: str, path: str, allowed: str
) -> None:
    reply = fetch(server, path, method=method, body=b"{}" if method in ("POST", "PUT") else None)
    assert allowed in problem(reply, 405)
    assert reply.headers["allow"] == allowed


# What describes it


@pytest.fixture(scope="module")
def described(starter: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The OpenAPI document of an application below a path, with all that can be switched on."""
    with Server(starter, Settings(uploads=True, root_path="/archive", rate=0), proxied=True) as served:
        reply = fetch(served, "/archive/openapi.json")
        assert reply.status == 200
        yield json.loads(reply.text)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_way_in_for_programs_is_described(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": "/archive"}]
    assert {
        *("/api/ask", "/api/translate", "/api/search", "/api/articles", "/api/articles/{article_id}", "/api/feedback"),
        *("/api/feedback/{feedback_id}", "/api/uploads", "/v1/chat/completions", "/v1/models", "/healthz", "/readyz"),
    } <= described["paths"].keys()
    assert not {path for path in described["paths"] if path.startswith(("/article/", "/archive", "/embed", "/login"))}
    found = set(references(described))
    assert {name.removeprefix("#/components/schemas/") for name in found} <= described["components"]["schemas"].keys()


def test_every_operation_has_a_summary_an_example_of_its_answer_and_its_errors(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            if not path.startswith(("/api/", "/v1/")):
                continue
            assert operation["security"] == [{"token": []}, {}], where
            answers = operation["responses"]
            good = [status for status in answers if status.startswith("2")]
            assert len(good) == 1, where
            if good != ["204"]:
                assert answers[good[0]]["content"]["application/json"]["schema"]["$ref"], where
            wrong = {status: answer for status, answer in answers.items() if status not in good}
            assert "401" in wrong, where
            for answer in wrong.values():
                assert list(answer["content"]) == ["application/problem+json"], where


def test_the_page_that_describes_it_loads_nothing_from_elsewhere_and_can_be_tried(
    server: Served, browser: Browser
) -> None:
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/docs")
    page.get_by_text("Read an article").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_placeholder("article_id").fill("none-such")
    page.get_by_role("button", name="Execute").click()
    page.get_by_text("There is no article with this id").first.wait_for()
    page.close()
    assert [url for url in asked if not url.startswith(server.url)] == []
    assert [text for text in said if "404" not in text] == []


def test_the_page_lets_no_foreign_script_run(server: Served) -> None:
    policy = fetch(server, "/docs").headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert fetch(server, "/docs/redoc.standalone.js").status == 404
    assert fetch(server, "/docs/..%2fcore.py").status == 404
