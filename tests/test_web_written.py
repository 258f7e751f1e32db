"""Written answers through the web application, without a browser: seats, the chat's steps, HTTP, OpenAI's interface."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import openai
import pytest
from loopback import Reply, Served, Server, fetch, run
from scripted import NAME, Asked, Failure, Said, Silent, as_json, perfect

from rag.records import Answer
from rag.settings import Settings
from rag.web import asking, shapes, told
from rag.web.access import Reader
from rag.web.asking import Questions
from rag.web.meters import Meters
from rag.web.problems import Refused
from rag.web.turns import steps
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from scripted import Scripted

    from rag.assistant import Assistant

QUESTION = "What did Kyncl say about licensing?"
UNKNOWN = "Wie gewann 1974 die Fußballweltmeisterschaft?"
ANNA = Reader("anna")
INVENTED = "Zebras painted the parliament purple in 1742."


@pytest.fixture(scope="module")
def at(_written: tuple[Assistant, Scripted]) -> Iterator[Served]:
    """The application with a language model."""
    with Server(_written[0]) as served:
        yield served


def post(server: Served, path: str, body: dict[str, Any], **headers: str) -> Reply:
    return fetch(server, path, method="POST", body=json.dumps(body).encode(), **headers)


def events(text: str) -> list[tuple[str, Any]]:
    found = re.findall(r"^event: (\w+)\ndata: (.*)$", text, re.MULTILINE)
    return [(kind, json.loads(data)) for kind, data in found]


def with_invention(asked: Asked) -> str:
    """Everything that the quotations say, and one thing that they do not."""
    return as_json((INVENTED, [1]), *((quote, [number]) for number, quote in asked.quotations.items()))


def turn(assistant: Assistant, **options: Any) -> list[dict[str, Any]]:
    """The chat's steps of an answer."""

    async def taken() -> list[dict[str, Any]]:
        questions = Questions(assistant, meters=Meters())
        given = {"lang": "en", "written": True, **options}
        return [step async for step in steps(questions, ANNA, QUESTION, [], given, 7)]

    return run(taken())


# Seats


def test_a_model_that_takes_its_time_does_not_keep_quotations_waiting(writer: Assistant, model: Scripted) -> None:
    told = threading.Event()

    def held(asked: Asked) -> str:
        assert told.wait(60)
        return perfect(asked)

    model.script(held)

    async def both() -> tuple[Answer, list[bool], list[Answer]]:
        questions = Questions(writer, meters=Meters())
        slow = [
            asyncio.ensure_future(questions.ask(ANNA, "api", QUESTION, written=True))
            for _ in range(asking.WRITTEN_AT_ONCE + 1)
        ]
        while len(model.asked) < asking.WRITTEN_AT_ONCE:
            await asyncio.sleep(0.02)
        quoted = await questions.ask(ANNA, "api", QUESTION)
        done = [task.done() for task in slow]
        told.set()
        return quoted, done, await asyncio.gather(*slow)

    quoted, done, written = run(both())
    assert quoted.method == "quotes"
    assert not any(done)
    assert {answer.method for answer in written} == {f"llm:{NAME}"}


def test_a_queue_of_written_questions_that_is_full_is_busy_and_quotations_are_not(
    writer: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WAITING", 0)

    async def asked() -> tuple[list[Any], Answer]:
        questions = Questions(writer, meters=Meters())
        many = [questions.ask(ANNA, "api", QUESTION, written=True) for _ in range(asking.WRITTEN_AT_ONCE + 1)]
        found = await asyncio.gather(*many, questions.ask(ANNA, "api", QUESTION), return_exceptions=True)
        return found[:-1], found[-1]  # type: ignore[return-value]

    written, quoted = run(asked())
    assert [answer.status for answer in written if isinstance(answer, Refused)] == [503]
    assert quoted.method == "quotes"


def test_a_translation_counts_as_a_question(writer: Assistant, model: Scripted) -> None:
    model.script("De haven blijft dicht.")
    citation = writer.ask(QUESTION, written=False).citations[0]
    span = (citation.article.id, citation.start, citation.end)

    async def twice() -> None:
        questions = Questions(writer, a_minute=1, meters=Meters())
        await questions.translate(ANNA, *span, "nl")
        await questions.translate(ANNA, *span, "nl")

    with pytest.raises(Refused, match="More than 1 questions"):
        run(twice())


# The chat's steps


def test_in_the_chat_statements_come_one_by_one_and_never_before_their_cards(
    writer: Assistant, model: Scripted
) -> None:
    model.script(lambda asked: Said(with_invention(asked), size=40, pause=0.05))
    hits, *written, answer = turn(writer)
    assert NAME in hits["html"]
    assert len(written) > 1
    assert all(step["kind"] == "statement" and step["prose"] in step["html"] for step in written)
    assert [step["prose"].count("<p>") for step in written] == sorted({step["prose"].count("<p>") for step in written})
    for step in (*written, answer):
        cards = set(re.findall(r'id="(quote-7-\d)"', step["html"]))
        assert set(re.findall(r'href="#(quote-7-\d)"', step["html"])) <= cards
        assert cards
        assert "Zebras" not in step["html"]
    assert answer["html"].startswith(written[-1]["html"][: len('<div class="or-prose"')])
    assert texts_for("en").written_by.format(model=NAME) in answer["html"]
    assert "One statement of the language model was left out" in answer["html"]
    assert "[1]" not in answer["heard"]
    assert answer["heard"]
    assert answer["feedback"]["method"] == f"llm:{NAME}"


def test_without_being_asked_to_the_chat_lets_no_model_write(writer: Assistant, model: Scripted) -> None:
    for options in ({"written": False}, {"written": "true"}, {"written": 1}):
        *_, answer = turn(writer, **options)
        assert answer["feedback"]["method"] == "quotes"
    assert not model.asked


def test_a_model_that_fails_leaves_the_quotations_and_a_line(writer: Assistant, model: Scripted) -> None:
    model.script(Failure(400))
    quoted = turn(writer, written=False)[-1]
    *steps_before, answer = turn(writer)
    assert [step["kind"] for step in steps_before] == ["hits"]
    line = "The language model could not be used; these are the quotations."
    assert answer["html"].replace(f'<p class="or-aside" lang="en">{line}</p>', "") == quoted["html"]
    assert answer["copies"] == quoted["copies"]


# HTTP


def test_the_api_writes_where_a_model_is_connected_unless_it_is_asked_not_to(at: Served, model: Scripted) -> None:
    model.script(with_invention)
    told = json.loads(post(at, "/api/ask", {"question": QUESTION}).text)
    shapes.Answer.model_validate_json(json.dumps(told), strict=True, extra="forbid")
    assert (told["method"], told["struck"]) == (f"llm:{NAME}", 1)
    assert "Zebras" not in json.dumps(told)
    quoted = json.loads(post(at, "/api/ask", {"question": QUESTION, "written": False}).text)
    assert (quoted["method"], quoted["struck"]) == ("quotes", 0)
    assert quoted["citations"] == told["citations"]


def test_a_stream_of_the_api_brings_each_statement_with_what_it_cites(at: Served, model: Scripted) -> None:
    told = events(post(at, "/api/ask", {"question": QUESTION}, Accept="text/event-stream").text)
    answer = told[-1][1]
    statements = [data for kind, data in told if kind == "statement"]
    assert [kind for kind, _ in told] == ["hits", *["statement"] * len(answer["statements"]), "answer"]
    for statement in statements:
        cited = statement.pop("cited")
        assert [one["number"] for one in cited] == statement["citations"]
        assert all(one in answer["citations"] for one in cited)
    assert statements == answer["statements"]
    assert answer["method"] == f"llm:{NAME}"


def translate(server: Served, answer: Answer, **changed: Any) -> Reply:
    cited = answer.citations[0]
    span = {"article": cited.article.id, "start": cited.start, "end": cited.end, "language": "nl"}
    return post(server, "/api/translate", span | changed)


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("/api/ask", {"question": QUESTION}, "event: answer\n"),
        (
            "/v1/chat/completions",
            {"model": "on-record-written", "stream": True, "messages": [{"role": "user", "content": QUESTION}]},
            "data: [DONE]\n",
        ),
    ],
)
def test_a_stream_says_that_it_lives_while_the_model_thinks(
    at: Served, model: Scripted, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], last: str
) -> None:
    def slow(asked: Asked) -> str:
        time.sleep(0.8)
        return perfect(asked)

    monkeypatch.setattr(told, "SILENCE", 0.2)
    model.script(slow)
    text = post(at, path, body, Accept="text/event-stream").text
    assert text.count(": keep-alive\n\n") >= 2
    assert last in text
    assert "keep-alive" not in text[text.index(last) :]


def test_a_quotation_is_translated_and_its_words_go_to_the_model_as_data(
    at: Served, writer: Assistant, model: Scripted
) -> None:
    answer = writer.ask(QUESTION, written=False)
    model.script("“Eerst <b>licenties</b>.”")
    reply = translate(at, answer, version=answer.citations[0].article.text_sha256[:12])
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert json.loads(reply.text) == {"translation": "Eerst <b>licenties</b>.", "model": NAME, "language": "nl"}
    shapes.Translation.model_validate_json(reply.text, strict=True, extra="forbid")
    (asked,) = model.asked
    assert " ".join(answer.citations[0].quote.split()) in asked.prompt
    assert "Dutch" in asked.system


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"article": "none"}, 404, "no such quotation"),
        ({"end": 2**31 - 1}, 404, "no such quotation"),
        ({"version": "0" * 12}, 404, "no such quotation"),  # the article had another text
        ({"language": "English, and then a poem"}, 422, "language"),
        ({"start": -1}, 422, "start"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_what_cannot_be_translated_is_told_as_a_problem_and_no_model_asked(
    at: Served, writer: Assistant, model: Scripted, changed: dict[str, Any], status: int, said: str
) -> None:
    reply = translate(at, writer.ask(QUESTION, written=False), **changed)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert said in json.loads(reply.text)["detail"]
    assert not model.asked


@pytest.mark.parametrize("script", [Failure(400, "the secret innards"), Failure(401), ""])
def test_a_model_that_does_not_translate_is_told_without_its_words(
    at: Served, writer: Assistant, model: Scripted, script: Failure | str
) -> None:
    model.script(script)
    reply = translate(at, writer.ask(QUESTION, written=False))
    assert (reply.status, json.loads(reply.text)["detail"]) == (
        502,
        "The language model gave no translation; try again.",
    )


def test_without_a_model_nothing_is_translated_and_the_api_says_so(server: Served, starter: Assistant) -> None:
    reply = translate(server, starter.ask(QUESTION))
    assert reply.status == 409
    assert "No language model is connected" in json.loads(reply.text)["detail"]


# OpenAI's interface


@pytest.fixture
def client(at: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{at.url}/v1", api_key="any", max_retries=0, timeout=60) as opened:
        yield opened


def test_the_archive_that_writes_is_a_second_model_only_where_one_is_connected(
    client: openai.OpenAI, server: Served
) -> None:
    assert [model.id for model in client.models.list()] == ["on-record", "on-record-written"]
    assert client.models.retrieve("on-record-written").id == "on-record-written"
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as without:
        assert [model.id for model in without.models.list()] == ["on-record"]
        with pytest.raises(openai.NotFoundError, match="the one there is, is 'on-record'"):
            without.chat.completions.create(model="on-record-written", messages=[{"role": "user", "content": QUESTION}])


@pytest.mark.parametrize("name", ["on-record", "on-record-written"])
def test_each_model_answers_in_its_own_way_whole_and_streamed(
    client: openai.OpenAI, model: Scripted, name: str
) -> None:
    model.script(with_invention)
    messages: Any = [{"role": "user", "content": QUESTION}]
    whole = client.chat.completions.create(model=name, messages=messages)
    said = whole.choices[0].message.content or ""
    chunks = list(client.chat.completions.create(model=name, messages=messages, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == said
    assert {whole.model, *(chunk.model for chunk in chunks)} == {name}
    written = name == "on-record-written"
    assert bool(model.asked) == written
    assert ("One statement of the language model was left out" in said) == written
    assert "Zebras" not in said
    assert "\n1. " in said
    assert "[1]" in said


# Readers with a slow model


def test_a_model_that_says_nothing_in_time_leaves_the_quotations(starter: Assistant, model: Scripted) -> None:
    from rag.assistant import Assistant as Opened

    model.script(Silent())
    with Opened(corpus=starter.corpus, index=starter.path, llm=model.llm(timeout=0.5, max_retries=0)) as impatient:
        answer = turn(impatient)[-1]
        assert "The language model took too long; these are the quotations." in answer["html"]
        with Server(impatient, Settings(rate=0)) as served:
            assert translate(served, impatient.ask(QUESTION, written=False)).status == 502
