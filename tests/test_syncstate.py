"""What a sync remembers: files and their parts, which lines are repeated, and the vectors of texts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.catalog import Catalog, StoredPassage
from rag.records import Article, Passage, Sentence
from rag.syncstate import FileRecord, PartRecord, SyncState, digest, hashed, text_key

DIM = 4


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite3", dim=DIM)
    yield opened
    opened.close()


@pytest.fixture
def state(catalog: Catalog) -> SyncState:
    return SyncState(catalog.database, DIM)


def put(state: SyncState, lines: dict[str, frozenset[int]]) -> None:
    for place in lines:
        state.put_part(place, PartRecord("all.zip", "", repeated=digest(state.repeated_in(place))))
    state.note_lines(lines)


def test_files_and_parts_come_back_as_they_were(state: SyncState) -> None:
    file, part = FileRecord("s", 1, 2, "x"), PartRecord("a.zip", "t", "no text", "d")
    state.put_file("a.zip", file)
    state.put_part("a.zip/b.md", part)
    assert state.files() == {"a.zip": file}
    assert state.parts("a.zip") == {"a.zip/b.md": part}
    assert state.files_of_parts() == {"a.zip"}
    state.remove_file("a.zip")
    state.remove_part("a.zip/b.md")
    assert (state.files(), state.parts("a.zip"), state.files_of_parts()) == ({}, {}, set())


def test_copies_of_one_story_do_not_make_its_lines_furniture(state: SyncState) -> None:
    story = frozenset(hashed(f"{number} " + "a long paragraph of one story " * 5) for number in range(4))
    quip, footer = hashed("a short line of it"), hashed("all rights reserved")
    own = [frozenset({hashed(f"{number} " + "words of another story entirely " * 5)}) for number in range(3)]
    put(state, {f"copy{number}": story | {quip, footer} for number in range(3)})
    assert state.repeated() == frozenset()
    put(state, {f"other{number}": found | {footer} for number, found in enumerate(own)})
    assert state.repeated() == {footer}


def test_parts_become_stale_when_their_lines_become_repeated_and_again_when_they_no_longer_are(
    state: SyncState,
) -> None:
    footer = hashed("all rights reserved")
    own = [frozenset({hashed(f"{number} " + "words of a story of its own " * 5), footer}) for number in range(4)]
    put(state, {f"{number}.md": own[number] for number in range(2)})
    assert state.stale() == set()
    put(state, {"2.md": own[2]})
    assert {place for place, part in state.parts("all.zip").items() if part.stale} == {"0.md", "1.md", "2.md"}
    for number in range(3):  # cleaned again
        place = f"{number}.md"
        state.put_part(place, PartRecord("all.zip", "", repeated=digest(state.repeated_in(place))))
    put(state, {"3.md": own[3]})
    state.put_part("3.md", PartRecord("all.zip", "", repeated=digest(state.repeated_in("3.md"))))
    assert {place for place, part in state.parts("all.zip").items() if part.stale} == set()
    state.remove_part("0.md")
    state.remove_part("1.md")
    state.note_lines({})
    assert state.repeated() == frozenset()
    assert {place for place, part in state.parts("all.zip").items() if part.stale} == {"2.md", "3.md"}


def test_what_is_repeated_does_not_depend_on_the_order_in_which_it_is_told(tmp_path: Path) -> None:
    choice = random.Random(5)
    lines = {f"{number}.md": frozenset(choice.sample(range(60), 12)) for number in range(30)}
    found = []
    for order in range(3):
        places = sorted(lines)
        random.Random(order).shuffle(places)
        opened = Catalog(tmp_path / f"{order}.sqlite3", dim=DIM)
        state = SyncState(opened.database, DIM)
        for place in places[:10]:
            put(state, {place: frozenset(range(100, 120))})  # and reads otherwise afterwards
        for start in range(0, 30, 10):
            put(state, {place: lines[place] for place in places[start : start + 10]})
        put(state, {place: lines[place] for place in places[:10]})
        found.append(state.repeated())
        opened.close()
    assert found[0] == found[1] == found[2]
    assert 0 < len(found[0]) <= 60


def article(path: str) -> Article:
    return Article(id=path, title="T", text="One fact. Another.", path=path, text_sha256="0" * 64)


def test_the_vector_of_a_text_is_found_again_until_its_article_is_gone(catalog: Catalog, state: SyncState) -> None:
    keys = tuple(text_key(text) for text in ("all of it", "One fact.", "Another."))
    vectors = np.arange(12, dtype=np.float32).reshape(3, DIM) / np.float32(16)
    told = article("a.md")
    passage = Passage(told, 0, 18, (Sentence(0, 9, 0), Sentence(10, 18, 0)))
    with catalog.transaction():
        catalog.put_article(told, [StoredPassage("a", passage, vectors, keys)])
    unknown = text_key("never seen")
    found = state.vectors([*keys, unknown])
    assert found.keys() == set(keys)
    assert all(np.array_equal(found[key], vectors[row]) for row, key in enumerate(keys))

    with catalog.transaction():
        state.spare("a.md")
        catalog.remove_article("a.md")
    found = state.vectors(keys)
    assert all(np.array_equal(found[key], vectors[row]) for row, key in enumerate(keys))
    state.forget_spared()
    assert state.vectors(keys) == {}
