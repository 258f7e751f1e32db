"""A real nginx from Debian's package on loopback, with TLS, in front of the application.

Its configuration, certificate and temporary files are below a folder of the test.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import free_port, need, running

NAME = "archive.test"  # which the tests' browser looks for on this machine

_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {state}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {state}/body;
    proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi;
    scgi_temp_path {state}/scgi;
    {maps}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {state}/certificate.pem;
        ssl_certificate_key {state}/key.pem;
        {locations}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running nginx."""

    port: int
    path: str
    """Below which it serves the application: /archive."""

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}{self.path}"

    @property
    def address(self) -> str:
        """The same for programs that know no name of this machine but 127.0.0.1."""
        return f"https://127.0.0.1:{self.port}{self.path}"


def certificate(state: Path) -> None:
    """Makes a key and a self-signed certificate for `NAME` and 127.0.0.1."""
    need("openssl", "openssl")
    names = f"subjectAltName=DNS:{NAME},IP:127.0.0.1"
    kind = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
    files = ["-keyout", str(state / "key.pem"), "-out", str(state / "certificate.pem")]
    subprocess.run(
        ["openssl", "req", *kind, "-subj", f"/CN={NAME}", "-addext", names, *files], check=True, capture_output=True
    )


@contextlib.contextmanager
def nginx(state: Path, locations: str, path: str, maps: str = "") -> Iterator[Proxy]:
    """An nginx with TLS that serves the `location` blocks given; `maps` stand outside of the server's block.

    `state` is an empty folder.
    """
    need("nginx-light", "nginx")
    port = free_port()
    certificate(state)
    settings = state / "nginx.conf"
    # Its workers would give up root for a user who may not enter the test's folder.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    settings.write_text(
        _CONFIGURATION.format(user=user, state=state, port=port, maps=maps, locations=locations), "utf-8"
    )
    command = ["nginx", "-p", str(state), "-e", "stderr", "-c", str(settings)]
    with running(command, state / "nginx.log", f"https://127.0.0.1:{port}/"):
        yield Proxy(port, path)
