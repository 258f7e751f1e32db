"""The store of truth: what goes in comes out, and nothing removed stays."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.catalog import Catalog, StoredPassage
from rag.errors import ArchiveIndexError
from rag.records import Article, Passage, Segment, Sentence, Span

DIM = 4


def make(path: str = "a.md", text: str = "Heading\n\nOne fact. Another fact.", **known: object) -> Article:
    values = {
        "id": path.replace(".", "-"),
        "title": "Title",
        "text": text,
        "path": path,
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "headings": (Span(0, 7),),
        "source_map": (Segment(0, 3, len(text)),),
        "metadata": {"sample": True, "facts_from": ["Bright"]},
        **known,
    }
    return Article(**values)  # type: ignore[arg-type]


def passage(article: Article) -> StoredPassage:
    text = article.text
    sentences = (Sentence(9, 18, 1), Sentence(19, len(text), 1))
    vectors = np.arange(12, dtype=np.float32).reshape(3, DIM) / np.float32(16)
    return StoredPassage(f"{article.id}:9:x", Passage(article, 9, len(text), sentences, "Title"), vectors)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite3", dim=DIM)
    yield opened
    opened.close()


def test_an_article_comes_back_as_it_was(catalog: Catalog) -> None:
    article = make(date=dt.date(2025, 10, 13), language="nl", source="Bright", author="A", url="https://example.org/a")
    catalog.put_article(article, [passage(article)])
    assert catalog.article(article.id) == article
    assert catalog.articles() == [article]


def test_unknown_metadata_stays_unknown(catalog: Catalog) -> None:
    article = make()
    catalog.put_article(article, [])
    found = catalog.article(article.id)
    assert found is not None
    assert (found.date, found.source, found.author, found.url, found.language) == (None,) * 5


def test_a_passage_comes_back_with_its_vectors(catalog: Catalog) -> None:
    article = make(language="nl")
    stored = passage(article)
    catalog.put_article(article, [stored])
    (found,) = catalog.passages([stored.id, "unknown"])
    assert found.passage == stored.passage
    assert np.array_equal(found.vectors, stored.vectors)
    assert catalog.languages() == {"nl": 1}


def test_replacing_an_article_leaves_no_old_passage_and_tells_the_indexes(catalog: Catalog) -> None:
    article = make()
    stored = passage(article)
    catalog.put_article(article, [stored])
    catalog.settle([stored.id], [])
    catalog.put_article(make(title="New title"), [])
    assert catalog.passages([stored.id]) == []
    assert catalog.pending() == ([], [(stored.id, "und")])
    found = catalog.article(article.id)
    assert found is not None
    assert found.title == "New title"


def test_earlier_texts_of_an_article_are_kept_until_it_is_removed(catalog: Catalog) -> None:
    old, new = make(text="It holds forty."), make(text="It holds sixty.")
    catalog.put_article(old, [])
    catalog.put_article(replace(old, title="Another title"), [])
    catalog.put_article(new, [passage(new)])
    assert catalog.article(new.id) == catalog.article(new.id, new.text_sha256) == new
    assert catalog.article(new.id, old.text_sha256[:12]) == replace(old, title="Another title")
    assert catalog.article(new.id, "0" * 12) is None
    for number in range(25):
        catalog.put_article(make(text=f"It holds {number}."), [])
    assert catalog.article(new.id, old.text_sha256) is None
    assert catalog.article(new.id, new.text_sha256) is None
    assert catalog.article(new.id, make(text="It holds 23.").text_sha256) is not None
    assert catalog.remove_article(new.path)
    assert not catalog.remove_article(new.path)
    catalog.put_article(make(text="It is back."), [])
    assert catalog.article(new.id, make(text="It holds 23.").text_sha256) is None


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.transaction():
            catalog.put_article(make(), [])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert catalog.count() == 0


def test_filters_take_dates_inclusively_and_leave_the_undated_out(catalog: Catalog) -> None:
    for day in (1, 2, 3):
        catalog.put_article(make(f"{day}.md", date=dt.date(2025, 1, day), source="S"), [])
    catalog.put_article(make("0.md", source="T"), [])
    assert catalog.allowed(since=dt.date(2025, 1, 2)) == ["2-md", "3-md"]
    assert catalog.allowed(until=dt.date(2025, 1, 2)) == ["1-md", "2-md"]
    assert catalog.allowed(sources=["T"]) == ["0-md"]
    assert catalog.allowed(sources=[]) == []
    assert catalog.undated() == 1


def test_a_file_that_is_no_database_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").write_text("not a database, only text that is long enough to be looked at")
    with pytest.raises(ArchiveIndexError, match="rag sync"):
        Catalog(tmp_path / "catalog.sqlite3", dim=DIM)


def test_what_is_written_is_on_disk(tmp_path: Path, catalog: Catalog) -> None:
    catalog.put_article(make(), [])
    other = sqlite3.connect(tmp_path / "catalog.sqlite3")
    assert other.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    other.close()


def test_an_article_that_is_replaced_all_the_time_is_read_whole_every_time(catalog: Catalog) -> None:
    articles = [make(), make(text="Heading\n\nOne fact. A longer fact.")]
    catalog.put_article(articles[0], [passage(articles[0])])

    def replace() -> None:
        for article in articles * 200:
            with catalog.transaction():
                catalog.put_article(article, [passage(article)])

    writer = threading.Thread(target=replace)
    writer.start()
    while writer.is_alive():
        assert catalog.article("a-md") in articles
        assert catalog.articles()[0] in articles
        assert catalog.passages(["a-md:9:x"])[0].passage.article in articles
        assert catalog.passages_of(["a-md"])[0].passage.article in articles
