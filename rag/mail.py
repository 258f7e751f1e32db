"""An e-mail message -> the article in it: a newsletter, or a message that forwards one.

Who sends it is the outlet where the message says that it goes to subscribers, and else the author. What forwards
an article in its own text has a sender and a date that are not the article's: they stay unknown.
"""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from typing import Any, cast

from rag import groups
from rag.errors import UnreadableFile
from rag.formats import built, extract_text, text_of
from rag.records import Extract
from rag.webpage import extract_html

_HEADERS = ("from", "subject", "date", "received", "message-id")  # a message has at least one of them
# "Fwd:" as mail programs write it in English, Dutch, German, French and Spanish.
_FORWARDED = re.compile(r"\s*(?:(?:fwd?|fw|doorgestuurd|doorst|wg|weitergeleitet|tr|rv)\s*:\s*)+", re.IGNORECASE)
_SUBSCRIBERS = ("list-unsubscribe", "list-id")  # RFC 2369, 2919
_LOCKED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


def extract_mail(data: bytes) -> Extract:
    """The article in an e-mail message: its text, HTML where that says as much, and what its headers declare.

    Attachments are left out, but for a forwarded message where there is no text around it.

    Raises:
        UnreadableFile: if it is no message, is encrypted, or forwards several without a text.
    """
    try:
        return _article(email.message_from_bytes(data, policy=email.policy.default))
    except (UnreadableFile, RecursionError):
        raise
    except Exception as error:  # of broken messages the library lets errors of many kinds through
        raise UnreadableFile(f"the message is damaged and cannot be read ({type(error).__name__})") from error


def _article(message: EmailMessage) -> Extract:
    if not any(name in message for name in _HEADERS):
        raise UnreadableFile("the file is no e-mail message: it has no headers such as From and Subject")
    found = _text(message)
    while not found.blocks and (inner := _forwarded(message)):
        if len(inner) > 1:
            raise UnreadableFile(f"it forwards {len(inner)} messages; save each as a file of its own")
        message = inner[0]
        found = _text(message)
    if not found.blocks and any(part.get_content_type() in _LOCKED for part in message.walk()):
        raise UnreadableFile("the message is encrypted; save it decrypted")
    return replace(found, metadata={**found.metadata, **_metadata(message)})


def _forwarded(part: EmailMessage) -> list[EmailMessage]:
    """The messages in a message, without those that these hold in turn."""
    inner = cast(list[EmailMessage], part.get_payload()) if part.is_multipart() else []
    if part.get_content_type() == "message/rfc822":
        return inner
    return [message for one in inner for message in _forwarded(one)]


# --- text -------------------------------------------------------------------------------------------------------------


def _text(message: EmailMessage) -> Extract:
    """The parts of a message that are its text, one after another."""
    found = _extracts(message)
    if len(found) == 1:
        return found[0]
    pieces = [
        (extract.text[block.start : block.end], block.kind, block.link_density)
        for extract in found
        for block in extract.blocks
    ]
    return built(pieces, {name: value for extract in reversed(found) for name, value in extract.metadata.items()})


def _extracts(part: EmailMessage) -> list[Extract]:
    kind = part.get_content_type()
    if part.get_content_disposition() == "attachment" or part.get_filename() or kind == "message/rfc822":
        return []
    if part.is_multipart():
        inner = [_extracts(one) for one in cast(list[EmailMessage], part.get_payload())]
        if kind != "multipart/alternative":
            return [extract for found in inner for extract in found]
        # The last is the richest (RFC 2046), as long as it says as much as the others.
        most = max((_size(found) for found in inner), default=0)
        return next((found for found in reversed(inner) if 2 * _size(found) >= most), [])
    if kind not in ("text/plain", "text/html") and not kind.startswith("multipart/"):  # one whose parts were lost
        return []
    text = _decoded(part, html=kind == "text/html")
    if kind == "text/html":
        found = extract_html(text)
    else:
        groups.refuse_unread(text)
        found = extract_text(text)
    return [found] if found.blocks else []


def _size(extracts: list[Extract]) -> int:
    """How much a part says: its characters outside links."""
    blocks = [block for extract in extracts for block in extract.blocks]
    return sum(round((block.end - block.start) * (1 - block.link_density)) for block in blocks)


def _decoded(part: EmailMessage, *, html: bool) -> str:
    """The text of a part: in the encoding that it names, or where that cannot be, in the one that it has."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data:
        return ""
    named = (part.get_content_charset() or "utf-8").lower()
    try:
        text = data.decode({"iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "ascii"}.get(named, named))
    except (LookupError, UnicodeError):
        return text_of(data, html=html)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


# --- headers ----------------------------------------------------------------------------------------------------------


def _metadata(message: EmailMessage) -> dict[str, Any]:
    subject = _words(_said(message, "subject"))
    title = _FORWARDED.sub("", subject, count=1)
    found: dict[str, Any] = {"title": title or None, "url": _address(_words(_said(message, "archived-at")))}
    if title == subject:  # or sender and date are those of who forwards it
        name = _sender(message)
        subscribers = any(name in message for name in _SUBSCRIBERS) and "list-post" not in message
        found["source" if subscribers else "author"] = name
        found["date"] = _date(message)
    return {name: value for name, value in found.items() if value}


def _said(message: EmailMessage, name: str) -> Any:
    """What a header says, as the library parses it; None where it is missing or too broken for that."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name), None)
    if raw is None:
        return None
    try:
        if not raw.isascii():  # it ought to be; which encoding it is in stands nowhere
            raw = text_of(raw.encode("ascii", "surrogateescape"))
        return email.policy.default.header_fetch_parse(name, raw)
    except Exception:  # errors of many kinds
        return None


def _words(said: object) -> str:
    return " ".join(str(said or "").split())


def _sender(message: EmailMessage) -> str | None:
    """The name of the sender; None where there is only an address."""
    addresses = [*getattr(_said(message, "from"), "addresses", ())]
    name = _words(addresses[0].display_name) if len(addresses) == 1 else ""
    return name if name and "@" not in name else None


def _date(message: EmailMessage) -> dt.date | None:
    """The day on which it was sent, where it was sent."""
    moment = getattr(_said(message, "date"), "datetime", None)
    return moment.date() if isinstance(moment, dt.datetime) else None


def _address(text: str) -> str | None:
    match = re.fullmatch(r"<?(https?://[^\s<>]+)>?", text)
    return match[1] if match else None
