"""Who may read an article: the groups that its file names, and the catalog's table of them.

An article without groups is for everybody; any other is for readers who are in at least one of its groups. What does
not clearly say who may read an article never opens it: such a file is refused.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from rag.errors import UnreadableFile

KEY = "groups"
NOBODY = ""  # the group of an article whose groups cannot be told; no reader can be in it

UNCLEAR = "it is not clear who may read the file"
_EXPECTED = "expected names, such as 'groups: [legal, board]', in quotation marks where in doubt"
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# A line "groups:" below a first line "---", as in front matter.
_UNREAD = re.compile(r"\s*---[ \t]*\n(?:.*\n){0,60}?[ \t]*[\"']?groups?[\"']?[ \t]*:", re.IGNORECASE)


def folded(names: Iterable[str]) -> frozenset[str]:
    """The names as they are compared: without case, and without blanks around them. Blank ones are left out."""
    plain = (" ".join(unicodedata.normalize("NFC", name).casefold().split()) for name in names)
    return frozenset(name for name in plain if name)


def declared(metadata: Mapping[str, Any]) -> frozenset[str]:
    """The groups that metadata names, folded; none where it does not speak of groups, which is for everybody.

    Raises:
        UnreadableFile: if it speaks of groups and names none, or not as a list or a text with commas.
    """
    keys = [key for key in metadata if key.strip().casefold() in (KEY, "group")]
    if not keys:
        return frozenset()
    if len(keys) > 1 or keys[0].strip().casefold() != KEY:
        told = " and ".join(repr(key) for key in keys)
        raise UnreadableFile(f"{UNCLEAR}: its metadata has {told}; write 'groups' for who may read it, once")
    given = metadata[keys[0]]
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise UnreadableFile(f"{UNCLEAR}: its groups are {given!r}; {_EXPECTED}")
    if any(_UNFIT.search(name) for name in listed) or not (names := folded(listed)):
        raise UnreadableFile(f"{UNCLEAR}: its groups are {given!r}; {_EXPECTED}")
    return names


def settled(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with its groups, where it names any, folded and in order under their own key. Raises as `declared`."""
    names = declared(metadata)
    rest = {key: value for key, value in metadata.items() if key.strip().casefold() != KEY}
    return {**rest, KEY: sorted(names)} if names else rest


def refuse_unread(text: str) -> None:
    """Refuse a text whose head looks like front matter with groups: for who found no front matter in it.

    Raises:
        UnreadableFile: if it does.
    """
    if _UNREAD.match(text[:8000]):
        raise UnreadableFile(
            f"{UNCLEAR}: it begins like front matter with groups, which could not be read; front matter stands in "
            "Markdown files between two lines '---', the first of them at the very top; for others use archive.yaml"
        )


def refuse_page(metadata: Mapping[str, Any]) -> None:
    """Refuse a web page that speaks of groups: a page comes from anywhere and does not say who may read it here.

    Raises:
        UnreadableFile: if it does.
    """
    if any(key.strip().casefold() in (KEY, "group") for key in metadata):
        raise UnreadableFile(
            f"{UNCLEAR}: the page itself names groups, which pages cannot; name them in archive.yaml, or make the "
            "page a Markdown file with front matter"
        )


def is_about(reason: str) -> bool:
    """Whether a file was skipped since its groups could not be told."""
    return reason.startswith(UNCLEAR)


# --- the catalog's table ----------------------------------------------------------------------------------------------

# By revision, not by id: lists and counts of articles then need nothing but their own index.
_TABLE = f"""
CREATE TABLE article_{KEY} (
    revision INTEGER NOT NULL REFERENCES articles (revision) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (revision, name)
) WITHOUT ROWID
"""
# The revisions of the articles that a reader may not read, whose groups are given as a list in JSON.
HIDDEN = "SELECT revision FROM article_groups EXCEPT SELECT revision FROM article_groups WHERE name IN ({})".format(
    "SELECT value FROM json_each(?)"
)


def prepare(db: sqlite3.Connection) -> None:
    """Make the table where there is none, with the groups that articles written before it have in their metadata.

    Their files are read again by the next sync.
    """
    if _exists(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if not _exists(db):  # another process may have been faster
            db.execute(_TABLE)
            _fill(db)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _exists(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'article_groups'").fetchone())


def _fill(db: sqlite3.Connection) -> None:
    for revision, path, said in db.execute(
        "SELECT revision, path, metadata FROM articles WHERE metadata LIKE '%group%'"
    ).fetchall():
        metadata = json.loads(said)
        try:
            names = declared(metadata)
        except UnreadableFile:
            names = frozenset({NOBODY})
        if names:
            metadata.pop(KEY, None)
            add(db, revision, names)
            db.execute("UPDATE articles SET metadata = ? WHERE revision = ?", (json.dumps(metadata), revision))
            db.execute("UPDATE parts SET sha256 = '' WHERE place = ?", (path,))
            unread = "UPDATE files SET sha256 = '', mtime_ns = 0 WHERE path = (SELECT file FROM parts WHERE place = ?)"
            db.execute(unread, (path,))


def add(db: sqlite3.Connection, revision: int, names: Iterable[str]) -> None:
    """Note who may read the article with this revision."""
    db.executemany("INSERT INTO article_groups VALUES (?, ?)", ((revision, name) for name in names))
