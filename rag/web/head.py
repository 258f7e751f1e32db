"""Puts our own tags into the page that Gradio sends.

Gradio's `head` option adds them only when its scripts have run, so that our styles and scripts would come late. What
introduces the page to others as Gradio's is taken out.
"""

from __future__ import annotations

import re

from rag.web.guards import ASGIApp, Message, Receive, Scope, Send, inner_path

# What introduces the page to link previews as Gradio's, and a manifest that is not served.
_FOREIGN = re.compile(rb'<(?:meta\s+(?:property|name)="(?:og|twitter):[^>]*|link rel="manifest"[^>]*)>\s*')


class Head:
    """Adds `tags` to the <head> of the page at `/`."""

    def __init__(self, app: ASGIApp, tags: str) -> None:
        self.app = app
        self.tags = tags.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or inner_path(scope) != "/":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def gather(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await self._send(start, bytes(body), send)

        await self.app(scope, receive, gather)

    async def _send(self, start: Message, body: bytes, send: Send) -> None:
        body = _FOREIGN.sub(b"", body).replace(b"</head>", self.tags + b"</head>", 1)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})
