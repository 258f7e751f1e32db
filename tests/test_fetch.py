"""Fetching: only from where it is allowed, within limits, and politely. The servers are real ones on loopback."""

from __future__ import annotations

import gzip
import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxies import NAME, certificate
from sites import ALLOWED, Page, Site, site

from rag import fetch
from rag.addresses import Address, is_public, normalised, reachable
from rag.errors import FetchError
from rag.fetch import Fetched, Fetcher, Known

STORY = (
    b"<html><body><p>The old bridge in the harbour will stay shut until the summer, the town says.</p></body></html>"
)
NOT_ALLOWED = "no public address|not the address of a page|user name"


def got(
    url: str,
    *,
    allowed: Sequence[str] = ALLOWED,
    known: Known | None = None,
    max_bytes: int = 100_000,
    seconds: float = 5,
    resolve: fetch.Resolve = fetch.system_addresses,
) -> Fetched:
    return Fetcher(allowed, max_bytes=max_bytes, pause=0, seconds=seconds, resolve=resolve).get(url, known)


@pytest.fixture
def news() -> Iterator[Site]:
    with site({"/story": Page(STORY)}) as served:
        yield served


def moved(to: str, status: int = 302) -> Page:
    return Page(status=status, headers={"Location": to})


def raw(sent: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent)

    return answer


# Where to


LOOPBACK = (
    "http://127.0.0.1/",
    "http://127.0.0.1:443/",
    "https://127.0.0.1/",
    "http://127.8.9.1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://0/",
    "http://0.0.0.0/",
    "http://127。0。0。1/",
    "http://１２７.０.０.１/",
    "http://ⓛocalhost/",
    "http://%31%32%37.0.0.1/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::1]/",
    "http://[fe80::1%25lo]/",
    "http://[::1%lo]/",
    "http://someone@127.0.0.1/",
    "http://news.example@127.0.0.1/",
    "http://news.example\\@127.0.0.1/",
)


@pytest.mark.parametrize("url", LOOPBACK)
def test_no_spelling_of_this_machine_is_fetched_from(url: str) -> None:
    with pytest.raises(FetchError, match=NOT_ALLOWED):
        got(url, allowed=())


PRIVATE = [
    ipaddress.ip_network(network)
    for network in (
        *"0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24".split(),
        *"192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24".split(),
        *"224.0.0.0/4 240.0.0.0/4 168.63.129.16/32".split(),
        *"::/128 ::1/128 ::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 4000::/2".split(),
        *"5f00::/16 8000::/1 fc00::/7 fe80::/10 fec0::/10 ff00::/8".split(),
    )
]


@st.composite
def private(draw: st.DrawFn) -> Address:
    """An address that is not public, also wrapped in IPv6 in the ways that a network may unwrap."""
    network = draw(st.sampled_from(PRIVATE))
    kind = type(network.network_address)
    address = kind(int(network.network_address) + draw(st.integers(0, network.num_addresses - 1)))
    if isinstance(address, ipaddress.IPv6Address):
        return address
    inner = int(address)
    prefix = int(ipaddress.IPv6Address(draw(st.sampled_from(["::", "::ffff:0:0", "64:ff9b::", "2002::", "2001::"]))))
    wrapped = prefix | (inner << 80 if prefix >> 112 == 0x2002 else inner)
    return ipaddress.IPv6Address(wrapped) if draw(st.booleans()) else ipaddress.IPv4Address(inner)


@given(private(), st.integers(0, 2))
def test_no_address_of_a_private_network_passes_alone_or_among_public_ones(address: Address, at: int) -> None:
    assert not is_public(address)
    found = ["1.1.1.1", "2606:4700:4700::1111"]
    for addresses in ([str(address)], [*found[:at], str(address), *found[at:]]):
        with pytest.raises(FetchError, match="no public address"):
            reachable("news.example", 443, addresses, [])


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass_on_the_ports_of_the_web_only(address: str) -> None:
    assert reachable("news.example", 443, [address], []) == [address]
    with pytest.raises(FetchError, match="port 8080"):
        reachable("news.example", 8080, [address], [])


def test_a_listed_network_opens_itself_alone(news: Site) -> None:
    assert got(news.at("/story"), allowed=["127.0.0.1/32"]).data == STORY
    for wrong in ("127.0.0.2/32", "10.0.0.0/8", "::1/128"):
        with pytest.raises(FetchError, match=r"port|public"):
            got(news.at("/story"), allowed=[wrong])
    assert reachable("x", 80, ["::ffff:10.0.0.1"], [ipaddress.ip_network("10.0.0.0/8")]) == ["::ffff:10.0.0.1"]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://news.example/", "gopher://x:70/_", "javascript:1", "//news.example/", "", "news"],
)
def test_only_addresses_of_the_web_are_taken(url: str) -> None:
    with pytest.raises(FetchError, match="not the address of a page"):
        normalised(url)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        (" HTTP://News.Example.:80/A?b=1#c ", "http://news.example/A?b=1"),
        ("https://news.example:443", "https://news.example/"),
        ("https://bücher.example/straße", "https://xn--bcher-kva.example/stra%C3%9Fe"),
        ("http://[2606:4700:0::1]:8080/", "http://[2606:4700::1]:8080/"),
    ],
)
def test_an_address_has_one_form(url: str, form: str) -> None:
    assert str(normalised(url)) == form


def test_a_name_is_resolved_once_for_a_connection_which_goes_to_what_was_checked(news: Site) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    assert got(news.at("/story", "news.example"), resolve=resolve).data == STORY
    assert asked == [("news.example", news.port)] * 2  # for robots.txt, for the page
    assert {headers["host"] for _, headers in news.asked} == {f"news.example:{news.port}"}


def test_a_name_that_turns_private_after_the_first_look_is_refused(news: Site) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]])
    with pytest.raises(FetchError, match=r"port|public"):
        got(news.at("/story", "news.example"), allowed=["127.0.0.1/32"], resolve=lambda host, port: next(answers))
    assert news.paths == ["/robots.txt"]


def test_what_stands_behind_a_private_name_is_not_told() -> None:
    with pytest.raises(FetchError) as private:
        got("http://wiki.corp/", resolve=lambda host, port: ["10.1.2.3"])
    with pytest.raises(FetchError) as unknown:
        got("http://wiki.corp/", resolve=lambda host, port: [])
    assert str(private.value) == str(unknown.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_checked_like_an_address(news: Site, status: int) -> None:
    news.pages["/from"] = moved("story#part", status)
    assert got(news.at("/from")).url == news.at("/story")
    with site({"/secret": Page(STORY)}, host="127.0.0.2") as inside:
        news.pages["/from"] = moved(inside.at("/secret"), status)
        with pytest.raises(FetchError, match=r"port|public"):
            got(news.at("/from"), allowed=["127.0.0.1/32"])
        assert not inside.asked


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "http://a:b@127.0.0.1/", "http://[", "", "http://169.254.169.254/"]
)
def test_a_redirect_to_what_may_not_be_fetched_ends_there(news: Site, to: str) -> None:
    news.pages["/from"] = moved(to)
    with pytest.raises(FetchError):
        got(news.at("/from"))


def test_redirects_end(news: Site) -> None:
    news.pages.update({f"/{n}": moved(f"/{n + 1}") for n in range(6)})
    with pytest.raises(FetchError, match="more than 5 times"):
        got(news.at("/0"))
    news.pages["/6"] = Page(STORY)
    assert got(news.at("/1")).data == STORY


def test_the_environments_proxies_and_a_sites_cookies_do_not_count(news: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    news.pages["/story"] = Page(STORY, headers={"Set-Cookie": "reader=1"})
    fetcher = Fetcher(ALLOWED, max_bytes=100_000, pause=0)
    for _ in range(2):
        assert fetcher.get(news.at("/story")).data == STORY
    for _, headers in news.asked:
        assert headers["user-agent"].startswith("OnRecord/")
        assert not headers.keys() & {"cookie", "authorization", "referer"}


# TLS


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Site]:
    certificate(tmp_path)
    with site({"/story": Page(STORY)}, certificate=tmp_path) as served:
        yield served


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Site) -> None:
    with pytest.raises(FetchError, match=r"certificate of 127\.0\.0\.1 is not valid: self.signed"):
        got(secure.at("/story"))
    assert not secure.asked


def test_the_certificate_has_to_be_that_of_the_name_and_not_of_the_address(
    secure: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    fetch._certificates.cache_clear()
    try:
        here: Callable[[str, int], list[str]] = lambda host, port: ["127.0.0.1"]  # noqa: E731
        assert got(secure.at("/story", NAME), resolve=here).data == STORY
        with pytest.raises(FetchError, match=r"certificate of other\.test is not valid: Hostname mismatch"):
            got(secure.at("/story", "other.test"), resolve=here)
    finally:
        fetch._certificates.cache_clear()


# How long, how much, what


def dripping(head: bytes, drop: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        for _ in range(200):
            handler.wfile.write(drop)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"", b""),
    ],
    ids=["body", "headers", "hints", "silence"],
)
def test_a_server_that_drips_is_left_when_the_time_is_over(news: Site, head: bytes, drop: bytes) -> None:
    news.pages["/slow"] = dripping(head, drop)
    began = time.monotonic()
    with pytest.raises(FetchError, match="in time"):
        got(news.at("/slow"), seconds=0.4)
    assert time.monotonic() - began < 2


def test_looking_a_name_up_counts_too() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(1)
        return []

    began = time.monotonic()
    with pytest.raises(FetchError, match="in time"):
        got("http://news.example/", seconds=0.3, resolve=slow)
    assert time.monotonic() - began < 0.9


def test_the_time_is_for_all_redirects_together(news: Site) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.25)
        handler.send_response(302)
        handler.send_header("Location", handler.path + "x")
        handler.end_headers()

    news.pages.update({f"/{'x' * n}": slow for n in range(1, 6)})
    with pytest.raises(FetchError, match="in time"):
        got(news.at("/x"), seconds=0.6)


def test_what_is_too_large_is_refused_before_it_is_read(news: Site) -> None:
    news.pages["/told"] = Page(b"a", headers={"Content-Length": "100000000000"})
    news.pages["/untold"] = raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"a" * 300_000)
    for path in ("/told", "/untold"):
        with pytest.raises(FetchError, match="more than 0 MB"):
            got(news.at(path))


def test_packed_pages_are_unpacked_and_bombs_are_not(news: Site) -> None:
    packed = {"Content-Encoding": "gzip"}
    news.pages["/story"] = Page(gzip.compress(STORY), headers=packed)
    assert got(news.at("/story")).data == STORY
    news.pages["/bomb"] = Page(gzip.compress(bytes(30_000_000)), headers=packed)
    with pytest.raises(FetchError, match="more than 0 MB"):
        got(news.at("/bomb"))
    news.pages["/twice"] = Page(gzip.compress(gzip.compress(STORY)), headers={"Content-Encoding": "gzip, gzip"})
    news.pages["/br"] = Page(STORY, headers={"Content-Encoding": "br"})
    for path in ("/twice", "/br"):
        with pytest.raises(FetchError, match="nothing but gzip"):
            got(news.at(path))
    for body in (gzip.compress(STORY)[:-20], b"no gzip", b"", gzip.compress(STORY)[:20] + b"\xff" * 40):
        news.pages["/damaged"] = Page(body, headers=packed)
        if body:
            with pytest.raises(FetchError, match="damaged"):
                got(news.at("/damaged"))
        else:
            assert got(news.at("/damaged")).data == b""


@pytest.mark.parametrize("kind", ["image/png", "application/json", "video/mp4", "application/zip"])
def test_what_is_no_article_is_refused_by_its_type(news: Site, kind: str) -> None:
    news.pages["/x"] = Page(b"x", type=kind)
    with pytest.raises(FetchError, match=f"of the type {kind}"):
        got(news.at("/x"))


def test_a_page_comes_with_its_type_and_encoding_and_untouched(news: Site) -> None:
    body = "<p>Straße</p>".encode("cp1252")
    news.pages["/x"] = Page(body, type='Text/HTML; Charset="Windows-1252"')
    found = got(news.at("/x"))
    assert (found.data, found.content_type, found.charset) == (body, "text/html", "windows-1252")


def test_whatever_goes_wrong_is_one_error_with_a_reason(news: Site) -> None:
    news.pages["/gone"] = Page(status=410)
    news.pages["/short"] = Page(b"abc", headers={"Content-Length": "10"})
    news.pages["/odd"] = Page(status=799)
    news.pages["/noise"] = raw(b"\x00\xff" * 100)
    news.pages["/nothing"] = raw(b"")
    for path, reason in {"/gone": "410 .Gone", "/short": "breaks off", "/noise": "breaks off", "/odd": "799"}.items():
        with pytest.raises(FetchError, match=reason):
            got(news.at(path))
    with pytest.raises(FetchError, match="breaks off"):
        got(news.at("/nothing"))
    with pytest.raises(FetchError, match="cannot be reached"):
        got("http://127.0.0.1:1/")


# Politely


def robots(text: str) -> Page:
    return Page(text.encode(), type="text/plain")


def test_robots_txt_is_asked_once_and_obeyed(news: Site) -> None:
    news.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /\n\nUser-agent: OnRecord\nDisallow: /private/\n")
    fetcher = Fetcher(ALLOWED, max_bytes=100_000, pause=0)
    for _ in range(2):
        assert fetcher.get(news.at("/story")).data == STORY
        with pytest.raises(FetchError, match="leave this page alone"):
            fetcher.get(news.at("/private/story"))
    assert news.paths == ["/robots.txt", "/story", "/story"]


def test_robots_txt_holds_for_where_a_redirect_leads(news: Site) -> None:
    with site({"/story": Page(STORY), "/robots.txt": robots("User-agent: *\nDisallow: /\n")}) as other:
        news.pages["/from"] = moved(other.at("/story"))
        with pytest.raises(FetchError, match="leave this page alone"):
            got(news.at("/from"))
        assert other.paths == ["/robots.txt"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_where_there_is_no_robots_txt_everything_may_be_fetched(news: Site, status: int) -> None:
    news.pages["/robots.txt"] = Page(status=status)
    assert got(news.at("/story")).data == STORY


@pytest.mark.parametrize(
    "answer", [Page(status=500), Page(status=503), Page(status=429), moved("http://169.254.169.254/robots.txt")]
)
def test_while_robots_txt_cannot_be_read_nothing_is_fetched(news: Site, answer: Page) -> None:
    news.pages["/robots.txt"] = answer
    fetcher = Fetcher(ALLOWED, max_bytes=100_000, pause=0)
    for _ in range(2):
        with pytest.raises(FetchError, match=r"robots\.txt could not be read"):
            fetcher.get(news.at("/story"))
    assert news.paths == ["/robots.txt"]


def test_a_host_is_left_in_peace_between_two_requests(news: Site) -> None:
    fetcher = Fetcher(ALLOWED, max_bytes=100_000, pause=0.3)
    began = time.monotonic()
    fetcher.get(news.at("/story"))
    assert time.monotonic() - began < 0.3
    fetcher.get(news.at("/story"))
    assert time.monotonic() - began > 0.3


def test_a_site_that_asks_for_a_longer_pause_gets_it(news: Site) -> None:
    news.pages["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 0.5\n")
    fetcher = Fetcher(ALLOWED, max_bytes=100_000, pause=0)
    began = time.monotonic()
    for _ in range(2):
        fetcher.get(news.at("/story"))
    assert time.monotonic() - began > 0.5


def test_what_has_not_changed_is_not_sent_again(news: Site) -> None:
    news.pages["/story"] = Page(STORY, tag='"one"', headers={"Last-Modified": "Mon, 06 Jan 2025 10:00:00 GMT"})
    first = got(news.at("/story"))
    assert not first.unchanged
    again = got(news.at("/story"), known=first.known)
    assert again.unchanged
    assert news.asked[-1][1]["if-modified-since"] == "Mon, 06 Jan 2025 10:00:00 GMT"
    news.pages["/story"] = Page(STORY + b" ", tag='"two"')
    assert got(news.at("/story"), known=first.known).data == STORY + b" "
    news.pages["/other"] = Page(STORY, tag='"one"')
    assert got(news.at("/other"), known=first.known).data == STORY
    news.pages["/stubborn"] = Page(status=304)
    with pytest.raises(FetchError, match="304"):
        got(news.at("/stubborn"))
