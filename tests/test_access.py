"""Who may ask: tokens, a password, a proxy, origins, limits, over a real server; and who may read what."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jwt
import pytest
from loopback import Reply, Served, Server, fetch

from rag.errors import SettingsError
from rag.settings import Settings, load
from rag.values import Token
from rag.web import access
from rag.web.access import Gate, check

if TYPE_CHECKING:
    from rag.assistant import Assistant

SECRET = "a secret that only the wiki and the archive know"
PROGRAM = "a-program-with-a-long-token"
LAWYER = "a-program-of-the-lawyers"
ASK = json.dumps({"question": "What did Kyncl say about licensing?"}).encode()
PROTECTED = ("/", "/config", "/article/none", "/archive", "/api/articles", "/v1/models", "/metrics", "/docs")


def signed(key: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token as a wiki's backend signs it, good for ten minutes; a claim that is None is left out."""
    known = {"sub": "alice", "aud": "on-record", "exp": int(time.time()) + 600, **claims}
    return jwt.encode({name: value for name, value in known.items() if value is not None}, key, algorithm)


def bearer(token: str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def served(assistant: Assistant, **settings: Any) -> Iterator[Served]:
    with Server(assistant, Settings(**{"rate": 0, **settings})) as running:
        yield running


@pytest.fixture(scope="module")
def closed(starter: Assistant) -> Iterator[Served]:
    """A server that wants a program's token, a wiki's, or the password."""
    settings = {
        "auth_tokens": (Token(PROGRAM), Token(LAWYER, frozenset({"legal"}))),
        "auth_secret": SECRET,
        "auth_password": "open sesame",
    }
    with served(starter, **settings) as running:
        yield running


# --- a decision before it listens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_nobody_has_to_decide(host: str) -> None:
    check(Settings(), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "archive.example"])
def test_anywhere_else_it_does_not_start_before_somebody_has_decided(host: str) -> None:
    with pytest.raises(SettingsError, match=r"nothing says who may ask.*ON_RECORD_AUTH=none"):
        check(Settings(), host)


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "none"},
        {"auth_tokens": (Token(PROGRAM),)},
        {"auth_password": "open sesame"},
        {"auth_secret": SECRET},
        {"auth_proxy_header": ("remote-user",), "auth_proxy_addresses": ("10.0.0.1",)},
    ],
)
def test_every_way_in_is_a_decision(settings: dict[str, Any]) -> None:
    check(Settings(**settings), "0.0.0.0")


def test_a_header_that_anybody_could_send_is_no_decision() -> None:
    with pytest.raises(SettingsError, match="ON_RECORD_AUTH_PROXY_ADDRESSES"):
        check(Settings(auth_proxy_header=("remote-user",)), "0.0.0.0")


def test_a_name_for_others_on_an_open_server_is_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check(Settings(allowed_hosts=("localhost", "archive.example")), "127.0.0.1")
    assert "archive.example" in caplog.text


def test_secrets_show_neither_in_the_settings_nor_in_what_is_said_of_wrong_ones() -> None:
    given = {
        "ON_RECORD_AUTH_TOKENS": PROGRAM,
        "ON_RECORD_AUTH_PASSWORD": "open sesame",
        "ON_RECORD_AUTH_SECRET": SECRET,
    }
    shown = repr(load(given, env_file=None))
    assert not [secret for secret in given.values() if secret in shown]
    for name, value in (("TOKENS", "tooshort"), ("PASSWORD", "sesame"), ("SECRET", "open sesame")):
        with pytest.raises(SettingsError) as caught:
            load({f"ON_RECORD_AUTH_{name}": value}, env_file=None)
        assert value not in str(caught.value)


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROTECTED)
def test_without_credentials_nothing_of_the_archive_is_shown(closed: Served, path: str) -> None:
    reply = fetch(closed, path)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert json.loads(reply.text)["status"] == 401
    assert "content-security-policy" in reply.headers


@pytest.mark.parametrize(
    "path", ["/gradio_api/call/turn", "/gradio_api/queue/join", "/api/ask", "/api/feedback", "/mcp"]
)
def test_without_credentials_nothing_can_be_asked(closed: Served, path: str) -> None:
    assert fetch(closed, path, method="POST", body=b"{}").status == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/ui/room.css", "/login", "/widget.js", "/embed"])
def test_what_holds_nothing_of_the_archive_is_open(closed: Served, path: str) -> None:
    assert fetch(closed, path).status == 200


def test_a_programs_token_opens(closed: Served) -> None:
    assert fetch(closed, "/api/ask", method="POST", body=ASK, **bearer(PROGRAM)).status == 200
    assert fetch(closed, "/api/articles", **bearer(PROGRAM)).status == 200


def test_the_token_of_a_wikis_reader_opens(closed: Served) -> None:
    assert fetch(closed, "/api/articles", **bearer(signed())).status == 200


def unsigned() -> str:
    head, claims, _ = signed().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    assert head != none
    return f"{none}.{claims}."


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "cannot be used"),
        ("no-token-of-this-server", "cannot be used"),
        (PROGRAM[:-1], "cannot be used"),
        (signed(exp=int(time.time()) - 10), "expired"),
        (signed(aud="another service"), "cannot be used"),
        (signed(aud=None), "cannot be used"),
        (signed(exp=None), "cannot be used"),
        (signed(sub=None), "cannot be used"),
        (signed(sub=7), "cannot be used"),
        (signed(key="another secret, as long as the one that is known"), "cannot be used"),
        (signed(algorithm="HS512", key=SECRET * 2), "cannot be used"),
        (unsigned(), "cannot be used"),
        (signed() + "x", "cannot be used"),
        (signed(exp=int(time.time()) + 90 * 24 * 3600), "sign one for minutes"),
    ],
)
def test_a_token_that_is_not_good_is_refused_with_its_reason_and_without_itself(
    closed: Served, token: str, why: str
) -> None:
    reply = fetch(closed, "/api/articles", **bearer(token))
    assert reply.status == 401
    assert why in json.loads(reply.text)["detail"]
    assert not token or token not in reply.text


def test_a_bad_token_is_refused_although_strangers_may_ask(starter: Assistant) -> None:
    with served(starter, auth="none", auth_secret=SECRET) as both:
        assert fetch(both, "/api/articles").status == 200
        assert fetch(both, "/api/articles", **bearer(signed(aud="x"))).status == 401


def test_the_key_of_another_service_does_no_harm_where_none_is_needed(server: Served) -> None:
    assert fetch(server, "/v1/models", **bearer("sk-of-another-service")).status == 200


def test_an_error_below_v1_is_one_for_openais_client_too(closed: Served) -> None:
    told = json.loads(fetch(closed, "/v1/models").text)
    assert told["error"]["message"] == told["detail"]


# --- the password -----------------------------------------------------------------------------------------------------

PAGE: dict[str, Any] = {"Accept": "text/html,application/xhtml+xml"}


def sign_in(at: Served, password: str, next: str = "/") -> Reply:
    body = f"password={quote(password)}&next={quote(next, safe='')}".encode()
    return fetch(at, "/login", method="POST", body=iter([body]), Content_Type="application/x-www-form-urlencoded")


def test_a_person_without_a_session_is_led_to_the_password_and_back(closed: Served) -> None:
    reply = fetch(closed, "/article/none?start=1&end=5", **PAGE)
    assert (reply.status, reply.headers["location"]) == (303, "/login?next=%2Farticle%2Fnone%3Fstart%3D1%26end%3D5")
    page = fetch(closed, reply.headers["location"], **PAGE)
    assert page.status == 200
    assert 'value="/article/none?start=1&amp;end=5"' in page.text
    opened = sign_in(closed, "open sesame", "/article/none?start=1&end=5")
    assert (opened.status, opened.headers["location"]) == (303, "/article/none?start=1&end=5")
    cookie = opened.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    session = cookie.split(";")[0]
    assert fetch(closed, "/", Cookie=session, **PAGE).status == 200
    assert fetch(closed, "/api/articles", Cookie=session).status == 200
    assert fetch(closed, "/api/articles", Cookie=session[:-2]).status == 401


def test_a_wrong_password_is_said_and_opens_nothing(closed: Served) -> None:
    reply = sign_in(closed, "open barley")
    assert reply.status == 401
    assert 'role="alert"' in reply.text
    assert "barley" not in reply.text
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nX: y"]
)
def test_signing_in_leads_to_no_other_site(closed: Served, next: str) -> None:
    reply = sign_in(closed, "open sesame", next)
    assert (reply.status, reply.headers["location"]) == (303, "/")


def test_who_tries_passwords_has_to_wait(starter: Assistant) -> None:
    with served(starter, auth_password="open sesame") as guessed:
        statuses = [sign_in(guessed, f"guess {number}").status for number in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert sign_in(guessed, "open sesame").status == 429


def test_a_session_is_no_token_and_a_token_no_session(closed: Served) -> None:
    session = sign_in(closed, "open sesame").headers["set-cookie"].split(";")[0].partition("=")[2]
    assert fetch(closed, "/api/articles", **bearer(session)).status == 401
    assert fetch(closed, "/api/articles", Cookie=f"{access.SESSION}={signed()}").status == 401


def test_of_ipv6_a_whole_network_is_one_client() -> None:
    gate = Gate(Settings())
    names = {
        reader.name
        for address in ("2001:db8::1", "2001:db8::ffff:2", "192.0.2.1")
        if (reader := gate.reader({"headers": [], "client": (address, 1)}))
    }
    assert names == {"address:2001:db8::/64", "address:192.0.2.1"}


def test_sessions_end_with_the_password() -> None:
    old = Gate(Settings(auth_password="open sesame", auth_secret=SECRET))
    new = Gate(Settings(auth_password="close sesame", auth_secret=SECRET))
    scope = {"headers": [(b"cookie", f"{access.SESSION}={old.session()}".encode())], "client": ("192.0.2.1", 1)}
    assert old.reader(scope) is not None
    assert new.reader(scope) is None


# --- a proxy that has checked -----------------------------------------------------------------------------------------


def test_a_proxys_word_counts_from_its_address_only(starter: Assistant) -> None:
    header = {"auth_proxy_header": ("remote-user", "remote-groups")}
    with served(starter, **header, auth_proxy_addresses=("127.0.0.1/32",)) as behind:
        assert fetch(behind, "/api/articles").status == 401
        assert fetch(behind, "/api/articles", Remote_User="alice").status == 200
    with served(starter, **header, auth_proxy_addresses=("192.0.2.7/32",)) as elsewhere:
        assert fetch(elsewhere, "/api/articles", Remote_User="alice").status == 401


def test_groups_come_from_the_proxys_header_in_utf_8_as_a_rule() -> None:
    gate = Gate(Settings(auth_proxy_header=("remote-user", "remote-groups"), auth_proxy_addresses=("127.0.0.1",)))
    scope = {
        "headers": [(b"remote-user", b"alice"), (b"remote-groups", "Legal, Geschäftsführung,".encode())],
        "client": None,
    }
    reader = gate.reader(scope)
    assert reader is not None
    assert reader.groups == {"legal", "geschäftsführung"}


@pytest.mark.parametrize("groups", [None, "legal", {"legal": True}, [7, None, ["legal"]], [""]])
def test_groups_of_another_form_than_a_list_of_names_open_nothing(groups: object) -> None:
    scope = {"headers": [(b"authorization", f"Bearer {signed(groups=groups)}".encode())], "client": None}
    reader = Gate(Settings(auth_secret=SECRET)).reader(scope)
    assert reader is not None
    assert reader.groups == frozenset()


# --- what each may read -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An archive of one article for everybody and one for the lawyers."""
    from rag.assistant import Assistant

    folder = tmp_path_factory.mktemp("grouped")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "open.md").write_text(
        "---\ntitle: The harbour is dredged\nlanguage: en\nsource: The Gazette\n---\n\n"
        "The harbour of Portwick is dredged until May, the harbour master said. Ships wait outside.\n",
        "utf-8",
    )
    (folder / "corpus" / "secret.md").write_text(
        "---\ntitle: The harbour settles\nlanguage: en\nsource: Privileged\ngroups: [legal]\n---\n\n"
        "The harbour of Portwick settles with Zanzibarco for nine million, its lawyers said in confidence.\n",
        "utf-8",
    )
    with Assistant(corpus=folder / "corpus", index=folder / "index") as assistant:
        assistant.sync()
        yield assistant


@pytest.fixture(scope="module")
def parted(grouped: Assistant) -> Iterator[Served]:
    """That archive, open to strangers, with tokens for more."""
    tokens = (Token(PROGRAM), Token(LAWYER, frozenset({"legal"})))
    with served(grouped, auth="none", auth_tokens=tokens, auth_secret=SECRET) as running:
        yield running


def ways_to_read(at: Served, secret: str, headers: dict[str, Any]) -> dict[str, str]:
    """Everything that a reader gets to see of the archive, by the way it takes."""
    question = "What did the harbour of Portwick settle with Zanzibarco for?"
    ask = json.dumps({"question": question}).encode()
    chat = json.dumps({"messages": [{"role": "user", "content": question}], "model": "on-record"}).encode()
    turn = json.dumps({"data": [question, [], {}, 1]}).encode()
    event = json.loads(fetch(at, "/gradio_api/call/turn", method="POST", body=turn, **headers).text)["event_id"]
    stream = {"Accept": "text/event-stream", **headers}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": json.loads(ask)}}
    agent = {"Accept": "application/json, text/event-stream", "Content_Type": "application/json", **headers}
    replies = {
        "chat": fetch(at, f"/gradio_api/call/turn/{event}", **headers),
        "ask": fetch(at, "/api/ask", method="POST", body=ask, **headers),
        "ask, streamed": fetch(at, "/api/ask", method="POST", body=ask, **stream),
        "openai": fetch(at, "/v1/chat/completions", method="POST", body=chat, **headers),
        "mcp": fetch(at, "/mcp", method="POST", body=iter([json.dumps(call).encode()]), **agent),
        "search": fetch(at, "/api/search?q=Zanzibarco%20settles", **headers),
        "articles": fetch(at, "/api/articles", **headers),
        "article": fetch(at, f"/api/articles/{secret}", **headers),
        "page": fetch(at, f"/article/{secret}", **headers),
        "archive": fetch(at, "/archive", **headers),
    }
    assert replies["ask"].status == replies["chat"].status == replies["archive"].status == 200
    return {name: reply.text for name, reply in replies.items()}


SECRETS = re.compile("nine million|Privileged|The harbour settles")


@pytest.fixture(scope="module")
def secret(grouped: Assistant) -> str:
    """The id of the article for the lawyers."""
    return next(article.id for article in grouped.articles() if article.groups)


@pytest.mark.parametrize("token", [None, PROGRAM, signed(groups=["board"])])
def test_articles_for_a_group_leave_no_trace_for_others_on_any_way(
    parted: Served, secret: str, token: str | None
) -> None:
    headers = bearer(token) if token else {}
    for way, text in ways_to_read(parted, secret, headers).items():
        assert not SECRETS.search(text.replace(secret, "")), way
    one, other = (fetch(parted, f"/archive?source={name}", **headers).text for name in ("Privileged", "Nowhere"))
    assert one.replace("Privileged", "Nowhere") == other


@pytest.mark.parametrize("token", [LAWYER, signed(groups=["Legal "])])
def test_they_are_there_for_their_group_on_every_way(parted: Served, secret: str, token: str) -> None:
    for way, text in ways_to_read(parted, secret, bearer(token)).items():
        assert SECRETS.search(text), way


def test_a_client_cannot_give_itself_groups(parted: Served) -> None:
    sent = json.dumps({"question": "What did the harbour settle for?", "groups": ["legal"]}).encode()
    assert fetch(parted, "/api/ask", method="POST", body=sent).status == 422
    text = fetch(parted, "/api/articles?groups=legal", Remote_Groups="legal", X_Groups="legal").text
    assert "Privileged" not in text


# --- other origins ----------------------------------------------------------------------------------------------------

WIKI = "https://wiki.example"


@pytest.fixture(scope="module")
def embedded(starter: Assistant) -> Iterator[Served]:
    with served(starter, embed_origins=(WIKI,), auth_secret=SECRET, auth_password="open sesame") as running:
        yield running


def test_a_listed_origin_may_use_what_is_for_programs_with_a_token(embedded: Served) -> None:
    asked: dict[str, Any] = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type",
    }
    preflight = fetch(embedded, "/api/ask", method="OPTIONS", Origin=WIKI, **asked)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == WIKI
    assert "access-control-allow-credentials" not in preflight.headers
    reply = fetch(embedded, "/api/ask", method="POST", body=ASK, Origin=WIKI, **bearer(signed()))
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, WIKI)
    assert fetch(embedded, "/api/articles", Origin=WIKI).headers["access-control-allow-origin"] == WIKI


def test_a_listed_origin_gets_nothing_by_its_readers_cookie(embedded: Served) -> None:
    session = sign_in(embedded, "open sesame").headers["set-cookie"].split(";")[0]
    assert fetch(embedded, "/api/articles", Cookie=session).status == 200
    assert fetch(embedded, "/api/articles", Cookie=session, Origin=WIKI).status == 401


@pytest.mark.parametrize("path", ["/config", "/gradio_api/call/turn", "/login", "/api/uploads", "/archive"])
def test_the_rest_is_closed_to_listed_origins_too(embedded: Served, path: str) -> None:
    assert fetch(embedded, path, method="POST", body=b"{}", Origin=WIKI, **bearer(signed())).status == 403


@pytest.mark.parametrize(
    "origin", [WIKI + ":8443", "http://wiki.example", WIKI + ".evil.example", "https://evil.example", "null"]
)
def test_an_origin_is_exact(embedded: Served, origin: str) -> None:
    reply = fetch(embedded, "/api/articles", Origin=origin, **bearer(signed()))
    assert reply.status == 403
    assert "access-control-allow-origin" not in reply.headers


# --- limits -----------------------------------------------------------------------------------------------------------


def test_one_reader_who_asks_too_often_waits_and_others_do_not(starter: Assistant) -> None:
    with served(starter, rate=3, auth_secret=SECRET) as limited:
        statuses = [fetch(limited, "/api/search?q=licensing", **bearer(signed(sub="alice"))).status for _ in range(5)]
        assert statuses == [200] * 3 + [429] * 2
        refused = fetch(limited, "/api/ask", method="POST", body=ASK, **bearer(signed(sub="alice")))
        assert refused.status == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert fetch(limited, "/api/search?q=licensing", **bearer(signed(sub="bob"))).status == 200


@pytest.mark.parametrize("path", ["/api/feedback", "/gradio_api/queue/join", "/gradio_api/call/turn"])
def test_who_sends_too_much_of_anything_waits(starter: Assistant, path: str) -> None:
    with served(starter, rate=1, auth_secret=SECRET) as limited:
        sent = [fetch(limited, path, method="POST", body=b"{}", **bearer(signed(sub="alice"))) for _ in range(34)]
        assert [reply.status == 429 for reply in sent] == [False] * 33 + [True]
        assert 1 <= int(sent[-1].headers["retry-after"]) <= 60
        assert fetch(limited, path, method="POST", body=b"{}", **bearer(signed(sub="bob"))).status != 429


def test_two_hundred_questions_at_once_are_answered_or_told_that_the_server_is_busy(server: Served) -> None:
    with ThreadPoolExecutor(200) as pool:
        replies = list(pool.map(lambda _: fetch(server, "/api/ask", method="POST", body=ASK), range(200)))
    statuses = {reply.status for reply in replies}
    assert statuses <= {200, 503}
    assert 503 in statuses
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 503)
    assert sum(reply.status == 200 for reply in replies) >= 10
    assert fetch(server, "/healthz").status == 200
    assert fetch(server, "/api/ask", method="POST", body=ASK).status == 200
