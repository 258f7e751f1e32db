"""Which addresses may be fetched: what a URL has to look like, and which hosts it may lead to.

Whoever names an address to a server borrows the server's place in its network. So only public addresses may be reached,
unless an operator lists others; what a name resolves to is looked at, since a name and a spelling can be anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

import httpx

from rag.errors import FetchError

LONGEST = 2_000  # characters of an address

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # as the URL standard tells an IPv4 address from a name
_EXPECTED = "expected one such as https://news.example/article"

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_UNICAST = ip_network("2000::/3")  # all that is given out of IPv6 (RFC 4291); the rest is for special uses
# `is_global` knows some of these in some releases of Python only, and some are global by the letter.
_SPECIAL: tuple[Network, ...] = (
    ip_network("192.0.0.0/24"),  # protocol assignments; a cloud has its metadata there
    ip_network("192.88.99.0/24"),  # relays of 6to4
    ip_network("168.63.129.16/32"),  # a cloud's own services, on a public address
    ip_network("2001::/23"),  # protocol assignments, among them Teredo, which holds an IPv4 address
    ip_network("2001:db8::/32"),
    ip_network("2002::/16"),  # 6to4, which holds an IPv4 address
    ip_network("3fff::/20"),
)


def normalised(url: str) -> httpx.URL:
    """An address in the one form that is compared, fetched and written down: without a fragment or a default port.

    Raises:
        FetchError: it is none of a page on the web, or has a user's name in it.
    """
    if len(url) > LONGEST:
        raise FetchError(f"the address has {len(url)} characters; at most {LONGEST} are taken")
    try:
        parts = httpx.URL(url.strip())
        host = _host(parts.raw_host.decode("ascii").lower())
    except (httpx.InvalidURL, ValueError):
        raise FetchError(f"this is not the address of a page; {_EXPECTED}") from None
    if parts.scheme not in _PORTS or (parts.port is not None and not 0 < parts.port < 65536):
        raise FetchError(f"this is not the address of a page; {_EXPECTED}")
    if parts.userinfo:
        raise FetchError("the address has a user name or a password in it; leave them out")
    port = None if parts.port == _PORTS[parts.scheme] else parts.port
    return parts.copy_with(host=host, port=port, raw_path=parts.raw_path, fragment=None)


def _host(host: str) -> str:
    """A host as it is written down. Raises ValueError for what is none, as for an IPv4 address in an odd spelling."""
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone of this machine")
        return str(IPv6Address(host))
    name = host.removesuffix(".")
    if not _HOST.fullmatch(name):
        raise ValueError("not a host name")
    return str(IPv4Address(name)) if _NUMBER.fullmatch(name) else name


def is_public(address: Address) -> bool:
    """Whether an address belongs to one host on the public internet; what wraps an IPv4 address counts as that one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST or address.scope_id:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def reachable(host: str, port: int, found: Sequence[str], allowed: Sequence[Network]) -> list[str]:
    """The addresses, of those `found` for a host, to connect to: all of them, or none.

    Each has to be public, and the port one of the web's, unless the address lies in an allowed network. What stands
    behind a name that is not public is not told: the answer would draw a map of the network.

    Raises:
        FetchError: one of them may not be reached, or there is none.
    """
    for address in map(ip_address, found):
        plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
        if any(plain in network for network in allowed):
            continue
        if port not in _PORTS.values():
            raise FetchError(f"the address has the port {port}; only 80 and 443 are fetched from")
        if not is_public(address):
            break
    else:
        if found:
            return list(found)
    raise FetchError(
        f"the host {host} has no public address; correct its name, or list its network in ON_RECORD_FETCH_ADDRESSES "
        "if articles may be fetched from it"
    )
