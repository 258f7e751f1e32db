"""The web application over a real server: what it answers, what it refuses, and how an article's page looks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import http.client
import json
import os
import re
import signal
import socket
import string
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import ROOT, Served, Server, fetch

from rag.errors import SettingsError
from rag.records import Answer, Article, Citation, Hit, Overview, Passage, Span, Statement
from rag.settings import Settings
from rag.web.guards import host_name
from rag.web.markup import answer_html, article_href, escape, quote_href, working_html
from rag.web.page import article_page, web_address
from rag.web.server import listen
from rag.web.texts import LANGUAGES, Texts, archive_line, confidence_word, reader_language
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from rag.assistant import Assistant


# --- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example:80"]
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/config", "/article/x"])
def test_a_foreign_host_name_is_refused(server: Served, host: str, path: str) -> None:
    assert fetch(server, path, Host=host).status == 400


def test_a_missing_host_is_refused(server: Served) -> None:
    assert fetch(server, "/healthz", Host="").status == 400


def test_a_forwarded_host_counts_from_a_listed_proxy_only_and_must_be_allowed_too(starter: Assistant) -> None:
    page = '"root":"{}"'
    with Server(starter, Settings(allowed_hosts=("archive.example",), auth_proxy_addresses=("127.0.0.1/32",))) as named:
        assert fetch(named, "/", X_Forwarded_Host="evil.example").status == 400
        assert (
            page.format("https://archive.example")
            in fetch(named, "/", X_Forwarded_Host="archive.example", X_Forwarded_Proto="https").text
        )
    with Server(starter) as unlisted:
        text = fetch(unlisted, "/", X_Forwarded_Host="evil.example", X_Forwarded_Proto="https").text
        assert "evil.example" not in text
        assert page.format(unlisted.url) in text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:7860", "[::1]:7860", "localhost."])
def test_loopback_names_are_allowed(server: Served, host: str) -> None:
    assert fetch(server, "/healthz", Host=host).status == 200


@pytest.mark.parametrize("authority", ["", "a b", "a/b", "a:b", "[::1", "a:1:2", "user@host", "a,b"])
def test_a_malformed_host_has_no_name(authority: str) -> None:
    assert host_name(authority) == ""


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "file://", "http://[", "x"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/config"), ("POST", "/gradio_api/queue/join"), ("OPTIONS", "/")])
def test_a_foreign_origin_is_refused_and_never_reflected(server: Served, origin: str, method: str, path: str) -> None:
    reply = fetch(server, path, method=method, Origin=origin, Access_Control_Request_Method="POST")
    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_the_own_origin_may_ask_and_gets_no_cors_permission(server: Served) -> None:
    reply = fetch(server, "/config", Origin=server.url)
    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_a_name_from_the_settings_is_allowed_with_its_origin(starter: Assistant) -> None:
    settings = Settings(allowed_hosts=("archive.example",), root_path="/press", auth_proxy_addresses=("127.0.0.1/32",))
    with Server(starter, settings) as named:
        assert fetch(named, "/healthz", Host="archive.example").status == 200
        assert fetch(named, "/config", Host="archive.example", Origin="https://archive.example").status == 200
        assert fetch(named, "/config", Host="archive.example", Origin="https://other.example").status == 403
        assert fetch(named, "/healthz", Host="other.example").status == 400
        page = fetch(named, "/", Host="archive.example", X_Forwarded_Proto="https").text
        assert "/press/ui/room.css" in page
        assert '"root":"https://archive.example/press"' in page


def test_head_is_answered_like_get(server: Served) -> None:
    reply = fetch(server, "/", method="HEAD")
    assert (reply.status, reply.text) == (200, "")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_post_from_another_site_without_an_origin_is_refused(server: Served, site: str) -> None:
    reply = fetch(server, "/gradio_api/queue/join", method="POST", body=b"{}", Sec_Fetch_Site=site)
    assert reply.status == 403


def test_a_large_body_is_refused_by_its_length(server: Served) -> None:
    reply = fetch(server, "/gradio_api/queue/join", method="POST", Content_Length="1000001")
    assert reply.status == 413


def test_a_large_body_without_a_length_is_refused(server: Served) -> None:
    chunks = (b"x" * 100_000 for _ in range(11))
    assert fetch(server, "/gradio_api/queue/join", method="POST", body=chunks).status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/upload/"),
        ("GET", "/gradio_api/upload_progress"),
        ("GET", "/gradio_api/file=https://example.org/"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/proxy=https://x.hf.space/"),
        ("POST", "/gradio_api/run/ask"),
        ("POST", "/gradio_api/api/ask"),
        ("POST", "/gradio_api/component_server"),
        ("GET", "/gradio_api/deep_link?session_hash=x"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/vibe-code"),
        ("GET", "/gradio_api/dev/reload"),
        ("POST", "/gradio_api/process_recording"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("GET", "/docs/../server.py"),
        ("GET", "/docs/redoc.standalone.js"),
        ("GET", "/redoc"),
        ("GET", "/svelte/x.js"),
        ("GET", "/static/../../../../../../etc/passwd"),
        ("GET", "/assets/%2e%2e/%2e%2e/%2e%2e/config.json"),
        ("GET", "/assets/..%2f..%2fconfig.json"),
        ("GET", "//etc/passwd"),
        ("GET", "/ui/..%2fserver.py"),
        ("GET", "/ui/../server.py"),
        ("GET", "/ui/%2e%2e/server.py"),
        ("GET", "/ui/server.py"),
    ],
)
def test_what_the_chat_does_not_need_is_closed(server: Served, method: str, path: str) -> None:
    reply = fetch(server, path, method=method, body=b"{}" if method == "POST" else None)
    assert reply.status in (404, 405)
    assert "root:" not in reply.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/article/none", "/ui/room.css", "/monitoring", "/config"])
def test_every_answer_carries_the_security_headers(server: Served, path: str) -> None:
    headers = fetch(server, path).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_refusals_carry_the_security_headers_too(server: Served) -> None:
    assert "content-security-policy" in fetch(server, "/", Host="evil.example").headers


def test_the_chat_page_is_served_and_names_no_other_host_to_load_from(server: Served) -> None:
    reply = fetch(server, "/")
    assert reply.status == 200
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", reply.text)
    assert "fonts.googleapis" not in reply.text
    assert int(reply.headers["content-length"]) == len(reply.text.encode())


def test_our_styles_and_scripts_come_with_the_page_itself_and_nothing_calls_it_gradios(server: Served) -> None:
    head = fetch(server, "/").text.partition("</head>")[0]
    assert '<link rel="stylesheet" href="/ui/room.css">' in head
    assert '<script type="module" src="/ui/room.js"></script>' in head
    assert '<link rel="icon" href="/ui/icon.svg"' in head
    assert not re.findall(r"og:|twitter:|githubusercontent|manifest", head)


def test_what_we_add_to_the_page_stays_light() -> None:
    static = ROOT / "rag" / "web" / "static"

    def loaded(script: str) -> set[str]:
        """A script with all that it imports."""
        imported = re.findall(r'from "\./([\w-]+\.js)"', (static / script).read_text("utf-8"))
        return {script}.union(*map(loaded, imported))

    always = {"room.css", "archive.css", "icon.svg", "thumb.svg", *loaded("room.js")}
    assert {"conversation.js", "sheet.js"} < always
    assert sum((static / name).stat().st_size for name in always) <= 60_000  # bytes, before packing


def test_our_scripts_are_sent_packed_and_asked_about_again(server: Served) -> None:
    plain = fetch(server, "/ui/room.js")
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == "no-cache"
    packed = fetch(server, "/ui/room.js", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert fetch(server, "/ui/room.js", If_None_Match=plain.headers["etag"]).status == 304


def test_an_index_that_cannot_be_opened_is_said_on_an_articles_page(tmp_path: Path) -> None:
    from rag.assistant import Assistant

    (tmp_path / "corpus").mkdir()
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").write_text("{", "utf-8")
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant, Server(assistant) as broken:
        reply = fetch(broken, "/article/x")
    assert reply.status == 503
    assert "sync --rebuild" in Page(reply.text).main


# --- health -----------------------------------------------------------------------------------------------------------


def test_health_and_readiness(server: Served) -> None:
    assert json.loads(fetch(server, "/healthz").text) == {"status": "ok"}
    reply = fetch(server, "/readyz")
    assert reply.status == 200
    assert json.loads(reply.text) == {"status": "ready"}


def test_an_empty_archive_is_healthy_but_not_ready(tmp_path: Path) -> None:
    from rag.assistant import Assistant

    (tmp_path / "corpus").mkdir()
    with Assistant(corpus=tmp_path / "corpus", index=tmp_path / "index") as assistant:
        assistant.sync()
        with Server(assistant) as empty:
            assert fetch(empty, "/healthz").status == 200
            assert fetch(empty, "/readyz").status == 503


def test_a_port_in_use_is_said_in_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1:\d+ .*--port"),
    ):
        listen("127.0.0.1", taken.getsockname()[1])


def test_the_app_says_its_address_when_it_answers_and_stops_quietly(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ON_RECORD_", "COV", "BROWSER"))},
        "ON_RECORD_HOME": str(tmp_path / "home"),
        "ON_RECORD_CORPUS": str(tmp_path / "corpus"),
        "ON_RECORD_PORT": "0",
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
    }
    with subprocess.Popen(
        [sys.executable, ROOT / "app.py"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"On Record is ready: http://127\.0\.0\.1:(\d+)/\n", line)
        try:
            assert found is not None, line
            assert fetch(Served("127.0.0.1", int(found[1])), "/healthz").status == 200
            # An open page of the chat holds such a connection.
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
            connection.request("GET", "/gradio_api/heartbeat/abc")
            held = connection.getresponse()
            assert held.read(5) == b"data:"
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        held.close()
        connection.close()
    assert errors == ""


# --- the article page -------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page says: the text inside <main>, inside its marks, and the marks' ids."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.main = ""
        self.marked = ""
        self.targets: list[str | None] = []
        self.links: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link"):
            self._open.append(tag)
        if tag == "mark":
            self.targets.append(dict(attrs).get("id"))
            self.marked += " " if self.marked and not self.marked.endswith(" ") else ""
        if tag == "a":
            self.links.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("p", "h1", "h2"):
            self.main += "\n"

    def handle_data(self, data: str) -> None:
        if "main" in self._open:
            self.main += data
        if "mark" in self._open:
            self.marked += data


def fold(text: str) -> str:
    return " ".join(text.split())


def make(text: str, **known: object) -> Article:
    fields = {"id": "a/b.md", "title": "A headline", "path": "a/b.md", "text_sha256": "0", "text": text, **known}
    return Article(**fields)  # type: ignore[arg-type]


TEXT = st.text(st.sampled_from("ab <>&\"'é😀\n\t“”${}`*_#[]"), min_size=1, max_size=80)


@given(TEXT, st.integers(0, 80), st.integers(0, 80))
def test_the_page_says_the_whole_article_and_marks_exactly_the_quotation(text: str, start: int, end: int) -> None:
    page = Page(article_page(make(text), texts_for("en"), start=start, end=end))
    assert fold(text) in fold(page.main)
    valid = start < end <= len(text) and bool(text[start:end].strip())
    assert fold(page.marked) == (fold(text[start:end]) if valid else "")
    assert page.targets == (["quote"] + [None] * (len(page.targets) - 1) if valid else [])
    assert (texts_for("en").stale in page.main) is not valid


@given(TEXT, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=5), st.integers(0, 40))
def test_other_quotations_are_marked_lightly_and_the_chosen_one_keeps_its_mark(
    text: str, also: list[tuple[int, int]], start: int
) -> None:
    end = start + 9
    content = article_page(make(text), texts_for("en"), start=start, end=end, also=also)
    page = Page(content)
    assert fold(text) in fold(page.main)
    usable = [(one, two) for one, two in also if one < two <= len(text) and text[one:two].strip()]
    chosen = range(start, end) if end <= len(text) and text[start:end].strip() else range(0)
    lit = [
        index for index in range(len(text)) if any(one <= index < two for one, two in usable) and index not in chosen
    ]
    light = "".join(re.findall(r'<mark class="or-light">(.*?)</mark>', content))
    assert "".join(html.unescape(light).split()) == "".join("".join(text[index] for index in lit).split())
    strong = "".join(re.findall(r'<mark(?: id="quote")?>(.*?)</mark>', content))
    assert "".join(html.unescape(strong).split()) == "".join("".join(text[index] for index in chosen).split())


@given(TEXT, TEXT, TEXT)
def test_nothing_from_an_article_becomes_markup(text: str, title: str, author: str) -> None:
    hostile = "<img src=x onerror=alert(1)><script>x</script>\"' onload=x "
    article = make(text + hostile, title=hostile + title, source=hostile, author=author + hostile, language="en")
    content = article_page(article, texts_for("de"), start=1, end=len(article.text) - 1)
    assert set(Page(content).tags) <= {
        *("html", "head", "meta", "title", "link", "body", "nav", "a", "main", "article", "header", "p", "h1", "h2"),
        *("span", "time", "mark", "bdi"),
    }


def test_every_sentence_of_the_archive_can_be_linked_to(server: Served, starter: Assistant) -> None:
    for article in starter.articles():
        end = len(article.text.split("\n\n")[0])
        path = quote_href(article, 0, end).removesuffix("#quote")
        reply = fetch(server, path)
        assert reply.status == 200
        assert fetch(server, path.partition("&v=")[0]).text == reply.text  # as links were before
        page = Page(reply.text)
        assert fold(page.marked) == fold(article.text[:end])
        assert page.targets[0] == "quote"
        assert fold(article.text) in fold(page.main)
        assert article.sample == ("sample article" in page.main)
        assert "script" not in page.tags
        assert reply.headers["cache-control"].startswith("private")
        assert "script-src" not in reply.headers["content-security-policy"]
        assert "default-src 'none'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    "query",
    [
        "?start=5",
        "?end=5",
        "?start=9&end=3",
        "?start=0&end=99999999",
        "?start=-1&end=4",
        "?start=x&end=y",
        "?start=²&end=5",
        "?start=&end=",
        f"?start={'9' * 5000}&end={'9' * 5000}",
    ],
)
def test_bad_offsets_show_the_article_without_a_mark_and_say_so(server: Served, starter: Assistant, query: str) -> None:
    article = starter.articles()[0]
    reply = fetch(server, article_href(article.id) + quote(query, safe="?=&-"))
    assert reply.status == 200
    page = Page(reply.text)
    assert not page.targets
    assert fold(article.text) in fold(page.main)
    assert texts_for("en").stale in page.main


@pytest.mark.parametrize(
    "name", ["none", "..%2f..%2f..%2fetc%2fpasswd", "%00", "a" * 3000, "%F0%9F%98%80", "'%20OR%201=1"]
)
def test_an_unknown_article_is_a_calm_404(server: Served, name: str) -> None:
    reply = fetch(server, f"/article/{name}", Accept_Language="nl")
    assert reply.status == 404
    assert texts_for("nl").not_found in Page(reply.text).main


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("https://example.org/a?b=1&c=2", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("/etc/passwd", False),
        ("https://user:pass@example.org", False),
        ("http://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_web_addresses_are_linked(address: str | None, linked: bool) -> None:
    assert (web_address(address) == address) is linked or (not linked and web_address(address) is None)
    page = Page(article_page(make("Text.", url=address), texts_for("en")))
    outside = [link for link in page.links if link["href"] != "/"]
    assert len(outside) == linked
    assert all(link["rel"] == "noopener noreferrer" and link["href"] == address for link in outside)


def test_subheadings_are_headings_and_paragraphs_are_paragraphs() -> None:
    article = make("One.\n\nTwo of\nthree.\n\nA heading\n\nFour.", headings=(Span(21, 30),))
    content = article_page(article, texts_for("en"), start=6, end=9)
    content = content.replace(' dir="auto"', "")
    assert '<p>One.</p>\n<p><mark id="quote">Two</mark> of three.</p>\n<h2>A heading</h2>\n<p>Four.</p>' in content


def test_what_is_not_known_is_left_out() -> None:
    page = Page(article_page(make("Nothing is known about this text.", title="Nothing is known …"), texts_for("en")))
    assert "None" not in page.main
    assert "sample" not in page.main
    assert "time" not in page.tags


def test_a_headline_with_which_the_text_begins_is_still_a_headline() -> None:
    content = article_page(make("Brexit talks resumed.", title="Brexit"), texts_for("en"))
    assert '<h1 dir="auto">Brexit</h1>' in content
    guessed = make("Brexit talks resumed.", title="Brexit talks …", metadata={"title_from": "text"})
    assert '<h1 class="or-hidden"' in article_page(guessed, texts_for("en"))


def test_a_root_path_stands_before_every_address() -> None:
    content = article_page(make("Text."), texts_for("en"), root="/archive")
    assert all(found.startswith("/archive/") for found in re.findall(r'(?:href|src)="([^"]+)"', content))


# --- the markup of an answer ------------------------------------------------------------------------------------------


def answer(text: str, *, found: bool = True, method: str = "quotes", also: tuple[Article, ...] = ()) -> Answer:
    article = make(f"Before. {text} After.", title=text, source=text, language="nl", metadata={"sample": True})
    start = article.text.index(text)
    citation = Citation(1, article, start, start + len(text), text, article.text, also)
    passage = Passage(article, 0, len(article.text), ())
    return Answer(
        question=text,
        found=found,
        text=text,
        language="en",
        confidence=0.9,
        statements=(Statement(f"{text} [1] [7]", (1,), True),),
        citations=(citation,) if found else (),
        nearest=() if found else (Hit(passage, 0.5),),
        method=method,
    )


@given(TEXT.filter(str.strip), st.booleans(), st.sampled_from(["quotes", "llm:x"]))
def test_an_answer_is_one_line_of_markup_with_nothing_from_outside_in_it(text: str, found: bool, method: str) -> None:
    content = answer_html(answer(text, found=found, method=method), texts_for("en"))
    assert "\n" not in content
    allowed = {
        "article",
        "div",
        "span",
        "time",
        "h3",
        "blockquote",
        "p",
        "a",
        "section",
        "ul",
        "li",
        "bdi",
        "button",
        "details",
        "summary",
    }
    assert set(Page(content).tags) <= allowed
    assert set(re.findall(r"[&]\w*", content)) <= {"&", "&amp", "&lt", "&gt", "&quot"}


def test_a_card_says_who_when_and_that_it_is_a_sample_and_quotes_once() -> None:
    words = "Licences come first."
    content = answer_html(answer(words), texts_for("en"))
    assert content.count(f'<blockquote lang="nl" dir="auto">{words}</blockquote>') == 1
    assert 'aria-label="quotation 1 of 1, Licences come first., Dutch, sample article"' in content
    assert "sample article" in content
    assert "(Dutch)" in content
    assert "/article/a%2Fb.md?start=8&amp;end=28&amp;v=0#quote" in content
    assert ">sure<span" in content
    assert "90%" in content


def test_independent_sources_are_counted_once_above_the_quotations() -> None:
    texts = texts_for("en")
    one = answer("Licences come first.")
    assert texts.sources.format(count=1) not in answer_html(one, texts)
    (citation,) = one.citations
    other = dataclasses.replace(citation, number=2, article=dataclasses.replace(citation.article, id="b", source="B"))
    two = dataclasses.replace(
        one, citations=(citation, other), text=f"{one.text}\n\nThey come from 2 sources.\n\nMore."
    )
    content = answer_html(two, texts)
    assert content.index(texts.sources.format(count=2)) < content.index("or-card")
    assert "They come from 2 sources." not in content  # which says the same
    assert "More." in content


def test_a_marker_links_only_to_a_quotation_that_is_there() -> None:
    content = answer_html(answer("Yes.", method="llm:x"), texts_for("en"), turn=3)
    assert 'href="#quote-3-1"' in content
    assert 'id="quote-3-1"' in content
    assert "[7]" in content
    assert "#quote-3-7" not in content


def test_an_unsupported_statement_is_marked_as_such() -> None:
    found = dataclasses.replace(answer("Yes.", method="llm:x"), statements=(Statement("He sings.", (), False),))
    assert texts_for("en").unsupported in answer_html(found, texts_for("en"))


def test_not_found_has_no_quotation_and_no_confidence() -> None:
    content = answer_html(answer("Nothing.", found=False), texts_for("en"))
    assert "blockquote" not in content
    assert "or-confidence" not in content
    assert texts_for("en").nearest in content


def test_what_is_shown_while_it_works_names_each_article_once() -> None:
    hit = answer("Headline", found=False).nearest[0]
    assert working_html((hit, hit), texts_for("en")).count("Headline") == 1


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("nl", "nl"),
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr-FR,fr;q=0.9,nl;q=0.3,en;q=0.2", "nl"),
        ("en;q=0.1,de;q=0.8", "de"),
        ("zh", "en"),
        ("*;q=x,;;,de;q=oops", "en"),
    ],
)
def test_the_readers_language_is_the_best_that_the_screen_speaks(header: str | None, language: str) -> None:
    assert reader_language(header) == language


@given(st.text(max_size=60))
def test_any_accept_language_header_is_read(header: str) -> None:
    assert reader_language(header) in LANGUAGES


def test_the_archive_in_one_line() -> None:
    three = Overview(15, {"nl": 5, "de": 4, "en": 6}, first=dt.date(2024, 3, 4), last=dt.date(2026, 1, 22))
    assert archive_line(three, texts_for("en")) == "15 articles, 3 languages, Mar 2024 to Jan 2026"
    assert archive_line(Overview(1, {"nl": 1}), texts_for("nl")) == "1 artikel, 1 taal"
    assert archive_line(Overview(), texts_for("de")) == texts_for("de").archive_empty


@pytest.mark.parametrize("language", LANGUAGES)
def test_confidence_is_one_of_three_words(language: str) -> None:
    texts = texts_for(language)
    words = [confidence_word(value, texts) for value in (0.0, 0.49, 0.5, 0.79, 0.8, 1.0)]
    assert words == [texts.thin, texts.thin, texts.likely, texts.likely, texts.sure, texts.sure]


def places(text: object) -> list[str]:
    """The names in braces of a text, or of each of several."""
    parts = text if isinstance(text, tuple) else (text,)
    return sorted(name for part in parts for _, name, _, _ in string.Formatter().parse(part) if name)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(Texts)])
def test_every_text_stands_in_every_language_with_the_same_places_to_fill(name: str, language: str) -> None:
    text, english = getattr(texts_for(language), name), getattr(texts_for("en"), name)
    assert type(text) is type(english)
    assert all(part.strip() == part != "" for part in (text if isinstance(text, tuple) else (text,)))
    assert places(text) == places(english)


def test_every_text_is_used() -> None:
    package = ROOT / "rag" / "web"
    code = "\n".join(file.read_text("utf-8") for file in package.glob("*.py"))
    code += "\n".join(file.read_text("utf-8") for file in (package / "static").glob("*.js"))
    unused = [item.name for item in dataclasses.fields(Texts) if not re.search(rf"[.\"']{item.name}\b", code)]
    assert not unused


@given(st.text())
def test_escaped_text_has_no_markup_and_no_line_breaks(text: str) -> None:
    assert not set(escape(text)) & set("<>\"'\n\r")
