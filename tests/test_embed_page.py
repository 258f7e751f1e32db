"""The panel as the server gives it: a page without anything of the archive, its policy, and the script for a wiki."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from loopback import ROOT, Served, Server, fetch

from rag.settings import Settings
from rag.web.embed import embed_page, embed_policy
from rag.web.texts import LANGUAGES
from rag.web.wordings import texts_for

if TYPE_CHECKING:
    from rag.assistant import Assistant

SECRET = "a secret that the wiki's backend knows too"
ORIGINS = ("https://wiki.example:8443", "http://localhost:8080")


@pytest.fixture(scope="module")
def locked(starter: Assistant) -> Iterator[Served]:
    """An application that asks for the tokens of a wiki."""
    with Server(starter, Settings(auth_secret=SECRET, embed_origins=ORIGINS)) as served:
        yield served


class Tags(HTMLParser):
    """The start tags of a page with their attributes, and what stands inside its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("script", "style"):
            self.inline += data.strip()


def policy_of(headers: Any) -> dict[str, list[str]]:
    directives = (part.split() for part in headers["content-security-policy"].split(";"))
    return {name: values for name, *values in directives}


def test_only_the_listed_origins_may_frame_the_panel_and_nothing_foreign_runs_in_it(
    locked: Served, server: Served
) -> None:
    policy = policy_of(fetch(locked, "/embed").headers)
    assert policy["frame-ancestors"] == ["'self'", *ORIGINS]
    assert policy_of(fetch(server, "/embed").headers)["frame-ancestors"] == ["'self'"]
    assert policy.pop("frame-ancestors")
    assert policy.pop("default-src") == ["'none'"]
    assert {value for values in policy.values() for value in values} == {"'self'", "'none'"}
    assert "x-frame-options" not in fetch(locked, "/embed").headers
    for path in ("/", "/article/x", "/archive"):  # and nothing else may be framed by them
        assert "wiki.example" not in fetch(locked, path, Accept="text/html").headers["content-security-policy"]


def test_the_policy_lists_origins_as_they_are() -> None:
    assert embed_policy(ORIGINS).endswith(f"frame-ancestors 'self' {' '.join(ORIGINS)}")


def test_the_page_is_open_to_anybody_and_holds_nothing_of_the_archive(locked: Served, starter: Assistant) -> None:
    page = fetch(locked, "/embed?lang=en")
    assert page.status == 200
    overview = starter.overview()
    told = [*overview.sources, *(article.title for article in starter.articles()), f"{overview.articles} articles"]
    assert not [text for text in told if text in page.text]
    assert not re.search(r"<button[^>]*>[^<]*\?</button>", page.text)  # an example


def test_the_page_has_no_inline_script_or_style(locked: Served) -> None:
    tags = Tags(fetch(locked, "/embed").text)
    assert not tags.inline
    assert [attributes["src"] for tag, attributes in tags.found if tag == "script"] == ["/ui/embed.js"]
    assert not [name for _, attributes in tags.found for name in attributes if name == "style" or name.startswith("on")]
    origins = next(attributes["data-origins"] for tag, attributes in tags.found if tag == "body")
    assert json.loads(origins or "") == list(ORIGINS)


def test_what_is_shown_of_the_archive_asks_for_a_token(locked: Served, starter: Assistant) -> None:
    refused = fetch(locked, "/embed/room?lang=en")
    assert refused.status == 401
    assert str(starter.overview().articles) not in refused.text
    token = jwt.encode({"sub": "ada", "exp": int(time.time()) + 60, "aud": "on-record"}, SECRET, "HS256")
    furnished = fetch(locked, "/embed/room?lang=en", Authorization=f"Bearer {token}")
    assert furnished.status == 200
    assert "no-store" in furnished.headers["cache-control"]
    told = json.loads(furnished.text)
    assert told["line"].startswith(f"{starter.overview().articles} articles, 3 languages")
    assert told["examples"].count("<button") == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_address_chooses_the_language_and_else_the_browser_does(server: Served, language: str) -> None:
    asked = f'placeholder="{texts_for(language).placeholder}"'
    assert asked in fetch(server, f"/embed?lang={language}", Accept_Language="fr").text
    assert asked in fetch(server, "/embed", Accept_Language=language).text
    assert asked in fetch(server, "/embed?lang=tlh", Accept_Language=language).text


def test_the_address_chooses_the_theme_and_what_is_no_theme_is_ignored(server: Served) -> None:
    for theme in ("light", "dark"):
        page = fetch(server, f"/embed?theme={theme}").text
        assert f'data-theme="{theme}"' in page
        assert f'<meta name="color-scheme" content="{theme}">' in page
    plain = fetch(server, "/embed").text
    assert '<meta name="color-scheme" content="light dark">' in plain
    for theme in ("auto", "pink", "%22%3E%3Cscript%3E"):
        assert fetch(server, f"/embed?theme={theme}&q=%3Cb%3E&source=%3Ci%3E").text == plain


def test_below_a_path_everything_is_asked_below_it() -> None:
    tags = Tags(embed_page(texts_for("en"), root="/press"))
    addresses = [attributes.get("src") or attributes.get("href") for _, attributes in tags.found]
    assert not [address for address in addresses if address and not address.startswith("/press/")]
    assert ("section", "/press") in [(tag, attributes.get("data-root")) for tag, attributes in tags.found]


def test_the_widget_is_a_script_for_other_sites_that_is_asked_for_anew_and_small(locked: Served) -> None:
    script = fetch(locked, "/widget.js")
    assert script.status == 200
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert script.headers["cache-control"] == "no-cache"
    assert len(script.text.encode()) < 8_000
    again = fetch(locked, "/widget.js", If_None_Match=script.headers["etag"])
    assert again.status == 304
    assert again.headers["cross-origin-resource-policy"] == "cross-origin"


def test_the_widget_needs_nothing_else(locked: Served) -> None:
    script = fetch(locked, "/widget.js").text
    assert not re.search(r"\b(import|fetch|eval|XMLHttpRequest|innerHTML|localStorage|sessionStorage|cookie)\b", script)


def test_the_widget_is_given_to_modules_of_listed_origins_only(locked: Served) -> None:
    listed = fetch(locked, "/widget.js", Origin=ORIGINS[0])
    assert listed.headers["access-control-allow-origin"] == ORIGINS[0]
    other = fetch(locked, "/widget.js", Origin="https://wiki.example")  # another port
    assert other.status == 403
    assert "access-control-allow-origin" not in other.headers


def test_the_widget_calls_itself_as_the_panel_does() -> None:
    script = (ROOT / "rag" / "web" / "static" / "widget.js").read_text("utf-8")
    for language in LANGUAGES:
        words = re.search(rf'{language}: {{ title: "(.+?)"', script)
        assert words
        assert words[1] == texts_for(language).placeholder
