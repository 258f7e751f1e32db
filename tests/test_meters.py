"""What is counted and logged: every question once, as it ended, and not a word of what anybody asked or sent along."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from loopback import Served, Server, run
from prometheus_client.parser import text_string_to_metric_families
from stories import CONTRACT, HARBOUR

from rag.assistant import Assistant
from rag.errors import EmbedderError, RagError, SettingsError
from rag.settings import Settings
from rag.web import asking, health, logs
from rag.web.access import AUDIENCE, Reader
from rag.web.asking import Questions
from rag.web.meters import Meters
from rag.web.problems import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from rag.web.guards import ASGIApp, Receive, Scope, Send

FOUND = "What did Kyncl say about licensing?"
NOT_FOUND = "Which vaccine did the zebrafish of Paramaribo receive?"
CANARY = "kanarienvogel"
ANNA = Reader("wiki:anna")


@contextlib.contextmanager
def logged(log: logs.Log) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The log as it is written meanwhile: call it for the lines so far. Every one of them must be JSON."""
    root, ours = logging.getLogger(), logging.getLogger("rag.web")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    logs.setup(log, stream)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])


def samples(exposition: str) -> dict[tuple[str, ...], float]:
    """The value of every sample, by its name and its labels' values in the order of their names."""
    families = text_string_to_metric_families(exposition)
    return {
        (sample.name, *dict(sorted(sample.labels.items())).values()): sample.value
        for it in families
        for sample in it.samples
    }


def counted(meters: Meters, archive: Assistant) -> dict[tuple[str, ...], float]:
    return samples(meters.exposed("", archive)[0].decode())


def ended(meters: Meters, archive: Assistant) -> dict[tuple[str, ...], float]:
    """How many questions ended how, by outcome and way."""
    return {
        key[1:]: value
        for key, value in counted(meters, archive).items()
        if key[0] == "on_record_questions_total" and value
    }


def ask(assistant: Assistant, meters: Meters, *questions: str, a_minute: int = 0) -> list[object]:
    """Ask all of these at once; the answers or the errors."""

    async def asked() -> list[object]:
        archive = Questions(assistant, a_minute=a_minute, meters=meters)
        under_way = (archive.ask(ANNA, "api", question) for question in questions)
        return list(await asyncio.gather(*under_way, return_exceptions=True))

    return run(asked())


class Failing(Assistant):
    """An assistant that fails while it answers, with the question in its message."""

    def __init__(self, index: Path, error: type[Exception] = RuntimeError) -> None:
        super().__init__(index=index)
        self.error = error

    def for_groups(self, groups: object) -> Assistant:
        return self

    def stream(self, question: str, *_: Any, **__: Any) -> Any:
        try:
            raise KeyError(question)
        except KeyError as error:
            raise self.error(f"cannot do {question}") from error


# --- counters ---------------------------------------------------------------------------------------------------------


def test_an_answered_question_is_counted_and_timed(starter: Assistant) -> None:
    meters = Meters()
    ask(starter, meters, FOUND)
    ask(starter, meters, NOT_FOUND)
    assert ended(meters, starter) == {("found", "api"): 1, ("not_found", "api"): 1}
    values = counted(meters, starter)
    assert values["on_record_question_duration_seconds_count", "api"] == 2
    whole = values["on_record_question_duration_seconds_sum", "api"]
    stages = {key[1]: value for key, value in values.items() if key[0] == "on_record_stage_duration_seconds_sum"}
    assert 0 < stages["rerank"] < whole
    assert sum(stages.values()) == pytest.approx(whole, rel=0.3)


def test_what_is_refused_is_counted_apart_and_not_timed(starter: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    meters = Meters()
    _, second = ask(starter, meters, FOUND, FOUND, a_minute=1)
    assert isinstance(second, Refused)
    (invalid,) = ask(starter, meters, " ")
    assert isinstance(invalid, SettingsError)
    monkeypatch.setattr(asking, "WAITING", 0)
    busy = ask(starter, meters, *[FOUND] * (asking.AT_ONCE + 1))[-1]
    assert isinstance(busy, Refused)
    found = 1 + asking.AT_ONCE
    assert ended(meters, starter) == {
        ("found", "api"): found,
        ("too_often", "api"): 1,
        ("invalid", "api"): 1,
        ("busy", "api"): 1,
    }
    assert counted(meters, starter)["on_record_question_duration_seconds_count", "api"] == found


def test_a_reader_who_leaves_before_his_answer_is_counted_as_such(starter: Assistant) -> None:
    meters = Meters()

    async def leave() -> None:
        events = Questions(starter, meters=meters).stream(ANNA, "chat", FOUND)
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)

    run(leave())
    assert ended(meters, starter) == {("left", "chat"): 1}


def test_the_questions_waiting_and_under_way_are_shown(starter: Assistant) -> None:
    meters = Meters()

    def now() -> tuple[float, float]:
        values = counted(meters, starter)
        return values["on_record_questions_waiting",], values["on_record_questions_under_way",]

    assert now() == (0, 0)
    with meters.asked(ANNA, "mcp", FOUND) as first, meters.asked(ANNA, "mcp", FOUND):
        assert now() == (2, 0)
        first.began()
        assert now() == (1, 1)
    assert now() == (0, 0)


def test_every_kind_of_ending_is_there_from_zero_on(starter: Assistant) -> None:
    questions = [key[1:] for key in counted(Meters(), starter) if key[0] == "on_record_questions_total"]
    assert {("busy", "chat"), ("found", "openai"), ("failed", "mcp")} <= set(questions)


def test_two_applications_do_not_count_together(starter: Assistant) -> None:
    one, other = Meters(), Meters()
    ask(starter, one, " ")
    assert ended(one, starter)
    assert not ended(other, starter)


def test_the_size_of_the_index_is_shown(starter: Assistant) -> None:
    values = counted(Meters(), starter)
    assert values["on_record_index_articles",] == len(starter.articles())
    assert values["on_record_index_passages",] > len(starter.articles())
    assert values["on_record_index_size_bytes",] > 100_000


def test_the_size_is_that_of_what_the_reader_may_see(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name, text in (("harbour.md", HARBOUR), ("contract.md", CONTRACT)):
        (tmp_path / "corpus" / name).write_text(text, "utf-8")
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        assistant.sync()
        every, some = (counted(Meters(), archive) for archive in (assistant, assistant.for_groups(())))
    for name in ("on_record_index_articles", "on_record_index_passages"):
        assert every[name,] > some[name,] > 0


def test_an_index_that_cannot_be_opened_takes_no_other_counter_along(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", "utf-8")
    with Assistant(index=tmp_path) as assistant:
        values = counted(Meters(), assistant)
    assert ("on_record_index_articles",) not in values
    assert values["on_record_index_size_bytes",] == 1
    assert ("on_record_questions_waiting",) in values


def test_the_names_follow_the_conventions(starter: Assistant) -> None:
    for kind in text_string_to_metric_families(Meters().exposed("", starter)[0].decode()):
        assert kind.name.startswith(("on_record_", "process_")), kind.name
        assert re.fullmatch(r"[a-z_]+", kind.name)
        assert kind.documentation


# --- log lines --------------------------------------------------------------------------------------------------------


def test_a_question_is_logged_without_its_words(starter: Assistant) -> None:
    with logged("on") as lines:
        (answer,) = ask(starter, Meters(), f"{FOUND} {CANARY}")
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["level"] == "info"
    assert line["event"] == "question"
    assert (line["way"], line["reader"], line["language"]) == ("api", "wiki:anna", "en")
    assert line["outcome"] == ("found" if line["found"] else "not_found")
    assert line["ms"] > 0
    assert 0 <= line["confidence"] <= 1
    told = json.dumps(line)
    assert CANARY not in told
    assert "Kyncl" not in told
    assert answer


def test_a_question_is_logged_with_its_words_where_that_is_set(starter: Assistant) -> None:
    with logged("questions") as lines:
        ask(starter, Meters(log_questions=True), FOUND)
    assert [line["question"] for line in lines()] == [FOUND]


def test_without_a_log_only_failures_are_told(starter: Assistant, tmp_path: Path) -> None:
    with logged("off") as lines:
        ask(starter, Meters(), FOUND, " ")
        assert lines() == []
        ask(Failing(tmp_path), Meters(), FOUND)
        assert [line["outcome"] for line in lines()] == ["failed"]


def test_a_failure_is_told_by_type_and_place_and_never_by_its_message(starter: Assistant, tmp_path: Path) -> None:
    with logged("on") as lines:
        ask(Failing(tmp_path), Meters(), CANARY)
    (line,) = lines()
    assert (line["level"], line["event"], line["outcome"]) == ("error", "question", "failed")
    assert line["error"] == "RuntimeError"
    assert line["because"]["error"] == "KeyError"
    assert any(step.startswith("test_meters:") and step.endswith(" stream") for step in line["trace"])
    assert CANARY not in json.dumps(line)


def test_why_the_archive_cannot_be_asked_is_told(starter: Assistant, tmp_path: Path) -> None:
    with logged("on") as lines:
        ask(Failing(tmp_path, EmbedderError), Meters(), "which model")
    assert lines()[0]["reason"] == "cannot do which model"


def test_no_value_can_forge_a_line() -> None:
    forged = 'x\n{"event": "login"}\r\u2028\u0085\x1b[2J\x9b"'
    with logged("on") as lines:
        logs.write("question", reader=forged)
    (line,) = lines()
    assert line["reader"] == forged


@pytest.mark.parametrize("name", ["mcp.server", "asyncio", "gradio", "pydantic"])
def test_what_other_libraries_say_is_told_by_its_place(name: str) -> None:
    with logged("on") as lines:
        try:
            raise ValueError(CANARY)
        except ValueError:
            logging.getLogger(name).exception(f"cannot use {CANARY} as %s", CANARY)
    (line,) = lines()
    assert (line["logger"], line["error"]) == (name, "ValueError")
    assert re.fullmatch(r"test_meters\.py:\d+", line["place"])
    assert CANARY not in json.dumps(line)


def test_what_we_say_ourselves_is_told_in_full() -> None:
    with logged("on") as lines:
        logging.getLogger("rag.feedback").warning("%s was not usable", "catalog.sqlite3")
    assert lines()[0]["message"] == "catalog.sqlite3 was not usable"


# --- requests ---------------------------------------------------------------------------------------------------------


def request(app: ASGIApp, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """One request to the application behind the log: status, headers and text."""
    sent = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    path, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": sent}
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    run(logs.RequestLog(app)(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    return told[0]["status"], answered, b"".join(message.get("body", b"") for message in told[1:]).decode()


def answering(status: int = 200) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        logs.note(reader="wiki:anna")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def test_a_request_is_logged_by_its_path_alone() -> None:
    with logged("on") as lines:
        request(answering(), f"/api/search?q={CANARY}&token={CANARY}", Authorization=CANARY, Cookie=CANARY)
    (line,) = lines()
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/api/search", 200)
    assert line["reader"] == "wiki:anna"
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/article/x", 200, ["article"]),
        ("/api/articles/x", 200, ["article"]),
        ("/login", 303, ["login"]),
        ("/login", 401, ["refused"]),
        ("/api/ask", 429, ["refused"]),
        ("/api/ask", 500, ["failed"]),
        ("/nowhere", 404, ["request"]),
        ("/healthz", 200, []),
        ("/readyz", 503, []),
        ("/metrics", 200, []),
        ("/metrics", 401, ["refused"]),
        ("/ui/room.js", 200, []),
        ("/gradio_api/queue/data", 200, []),
        ("/gradio_api/queue/join", 403, ["refused"]),
    ],
)
def test_a_request_is_called_what_it_is(path: str, status: int, told: list[str]) -> None:
    with logged("on") as lines:
        request(answering(status), path)
    assert [line["event"] for line in lines()] == told


def test_an_answer_says_the_id_under_which_it_is_logged() -> None:
    with logged("on") as lines:
        ids = [request(answering(), "/api/articles")[1]["x-request-id"] for _ in range(2)]
    assert [line["request"] for line in lines()] == ids
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("abc-DEF-123", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("short", False),
        ("with spaces in it", False),
        ("new\nline-here", False),
        ('"quotation"', False),
    ],
)
def test_a_clients_own_id_is_taken_where_it_is_one(sent: str, kept: bool) -> None:
    assert (request(answering(), "/", X_Request_Id=sent)[1]["x-request-id"] == sent) is kept


def test_an_exception_becomes_a_problem_and_its_message_goes_nowhere() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError(CANARY)

    with logged("on") as lines:
        status, headers, text = request(app, "/api/ask", "POST")
    assert status == 500
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] in json.loads(text)["detail"]
    (line,) = lines()
    assert (line["event"], line["status"], line["error"]) == ("failed", 500, "ValueError")
    assert CANARY not in json.dumps(line) + text


def test_an_exception_amid_an_answer_is_logged_and_goes_no_further() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(CANARY)

    with logged("on") as lines:
        request(app, "/api/ask")
    assert [(line["event"], line["error"]) for line in lines()] == [("failed", "ValueError")]


# --- the running server -----------------------------------------------------------------------------------------------


def fetch(server: Served, path: str, sent: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """A GET, or a POST of `sent` as JSON: status, headers and text."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if sent is None:
        connection.request("GET", path, headers=named)
    else:
        connection.request("POST", path, json.dumps(sent), named | {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text


def test_a_question_to_the_server_shows_in_its_metrics(server: Served) -> None:
    def answered() -> float:
        return samples(fetch(server, "/metrics")[2])["on_record_questions_total", "found", "api"]

    before = answered()
    assert fetch(server, "/api/ask", {"question": FOUND})[0] == 200
    assert answered() == before + 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text;version=1.0.0,*/*;q=0.1", "application/openmetrics-text")],
)
def test_metrics_come_in_the_format_that_is_asked_for(server: Served, accept: str, content_type: str) -> None:
    status, headers, text = fetch(server, "/metrics", Accept=accept)
    assert status == 200
    assert headers["content-type"].startswith(f"{content_type}; version=")
    assert "on_record_build_info{version=" in text


def test_a_question_and_its_request_share_an_id_in_the_log(server: Served) -> None:
    with logged("on") as lines:
        fetch(server, "/api/ask", {"question": f"{FOUND} {CANARY}"}, X_Request_Id="mine-12345678")
        found = {line["event"]: line for line in lines()}
    assert found["question"]["request"] == found["request"]["request"] == "mine-12345678"
    assert found["question"]["reader"] == found["request"]["reader"]
    assert CANARY not in json.dumps(found)


def test_metrics_and_logs_hold_no_secret(starter: Assistant) -> None:
    secret = "s3cret-s3cret-s3cret-s3cret-s3cret-s3cret"
    good = jwt.encode({"sub": "anna", "aud": AUDIENCE, "exp": 2**31}, secret, "HS256")
    bad = jwt.encode({"sub": "anna", "aud": "elsewhere", "exp": 2**31}, secret, "HS256")
    settings = Settings(auth_secret=secret, auth_password="open sesame", rate=1)
    with logged("on") as lines, Server(starter, settings) as guarded:
        replies = [
            fetch(guarded, "/api/ask", {"question": CANARY}, Authorization=f"Bearer {token}")
            for token in (good, good, bad)
        ]
        replies += [fetch(guarded, f"/embed?token={good}"), fetch(guarded, "/metrics")]
        told = json.dumps(lines()) + "".join(text for _, _, text in replies)
    assert "refused" in told
    for piece in (secret, "open sesame", *good.split(".")[1:], *bad.split(".")[1:]):
        assert piece not in told
    assert CANARY not in json.dumps(lines())


# --- readiness --------------------------------------------------------------------------------------------------------


def test_readiness_tells_strangers_nothing_of_the_archive(server: Served) -> None:
    assert (fetch(server, "/healthz")[0], fetch(server, "/healthz")[2]) == (200, '{"status":"ok"}')
    status, _, text = fetch(server, "/readyz")
    assert (status, json.loads(text)) == (200, {"status": "ready"})


def test_an_index_is_ready_when_it_finds_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT", 0.0)
    (tmp_path / "corpus").mkdir()
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        assistant.sync()
        index = health._Index(assistant)
        assert index.trouble() == "The index holds no articles yet."
        (tmp_path / "corpus" / "a.txt").write_text("The ferry sails at nine. It returns at noon.", "utf-8")
        assistant.sync()
        assert index.trouble() is None


def test_why_an_index_is_unusable_is_for_the_log_and_not_for_strangers(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{", "utf-8")
    with Assistant(index=tmp_path) as assistant, logged("on") as lines, Server(assistant) as broken:
        status, headers, text = fetch(broken, "/readyz")
        told = [line for line in lines() if line["event"] == "failed"]
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert str(tmp_path) not in text
    assert [str(tmp_path) in line["reason"] for line in told] == [True]


def test_probes_in_quick_succession_ask_the_index_once(starter: Assistant) -> None:
    asked = []

    class Counting(Assistant):
        def search(self, *_: Any, **__: Any) -> Any:
            asked.append(1)
            raise RagError

    index = health._Index(Counting(index=starter.path))
    assert index.trouble() == index.trouble()
    assert len(asked) == 1
