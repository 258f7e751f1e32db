"""Chroma and Tantivy, for real, in a folder and on a server: what is added is found, what is removed is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromas import Chroma

from rag.catalog import StoredPassage
from rag.embed import BUNDLED, Embedder, load
from rag.index import Index, stems
from rag.records import Article, Passage, Sentence
from rag.remote import ChromaServer
from rag.shared import Shared

TEXTS = {
    "nl": "Robert Kyncl zei dat makers betaald moeten worden voor hun werk.",
    "de": "Die Gewerkschaften der Schauspieler verlangten klare Grenzen für digitale Doppelgänger.",
    "en": "Stability AI hired the director James Cameron for special effects.",
}


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load(BUNDLED)


def shared_on(chroma: Chroma, path: Path) -> Shared:
    return Shared(path, ChromaServer(chroma.url, name="archive"), lambda: None)


def stored(language: str, embedder: Embedder, text: str = "") -> StoredPassage:
    text = text or TEXTS[language]
    digest = hashlib.sha256(text.encode()).hexdigest()
    article = Article(language, "Title", text, f"{language}.md", digest, language=language)
    passage = Passage(article, 0, len(text), (Sentence(0, len(text), 0),))
    return StoredPassage(f"{language}:{digest[:8]}", passage, embedder.embed_passages([text, text]))


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroma]:
    with Chroma(tmp_path_factory.mktemp("server") / "chroma") as server:
        yield server


@pytest.fixture(params=["folder", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path, embedder: Embedder) -> Iterator[Index]:
    shared = None
    if request.param == "server":
        chroma: Chroma = request.getfixturevalue("chroma")
        Index.destroy(tmp_path, shared=(shared := shared_on(chroma, tmp_path)))
    opened = Index(tmp_path, shared)
    opened.add([stored(language, embedder) for language in TEXTS])
    yield opened
    opened.close()


def test_the_nearest_come_with_their_cosine(index: Index, embedder: Embedder) -> None:
    (query,) = embedder.embed_queries(["What must be paid to makers?"])
    item = stored("nl", embedder)
    ((found, cosine),) = index.nearest(query.tolist(), "nl", 5)
    assert found == item.id
    assert cosine == pytest.approx(float(item.vectors[0] @ query), abs=1e-4)
    assert index.nearest(query.tolist(), "fr", 5) == []


def test_stems_match_within_a_language(index: Index) -> None:
    found = index.matching(stemmed=stems("Gewerkschaft", "de"), forms=[], language="de", limit=5)
    assert [passage_id[:2] for passage_id, _ in found] == ["de"]
    assert index.matching(stemmed=stems("Gewerkschaft", "de"), forms=[], language="nl", limit=5) == []


def test_names_match_in_any_language_and_spelling(index: Index) -> None:
    assert index.matching(stemmed=[], forms=["stabilityai"], language="en", limit=5)
    assert index.knows("kyncl", as_name=True)
    assert not index.knows("lovelace")
    assert "kyncl" in index.names_beginning("ky")
    assert index.times_named("kyncl") == 1


def test_a_rare_word_tells_more_than_a_common_one(index: Index) -> None:
    assert index.rarity("kyncl") > index.rarity("die") * 0.99
    assert index.rarity("nowhere") > index.rarity("kyncl") > 0


def test_only_the_allowed_articles_match(index: Index) -> None:
    assert index.matching(stemmed=[], forms=["kyncl"], language="nl", limit=5, articles=["other"]) == []
    assert index.matching(stemmed=[], forms=["kyncl"], language="nl", limit=5, articles=["nl"])


def test_adding_again_replaces_and_removing_removes(index: Index, embedder: Embedder) -> None:
    item = stored("nl", embedder)
    index.add([item])
    assert (index.vectors_held(), index.words_held()) == (3, 3)
    index.remove([(item.id, "nl"), ("unknown", "nl"), ("unknown", "xx")])
    assert (index.vectors_held(), index.words_held()) == (2, 2)
    assert index.nearest(item.vectors[0].tolist(), "nl", 5) == []


def test_what_was_added_is_there_after_reopening(tmp_path: Path, embedder: Embedder) -> None:
    first = Index(tmp_path)
    first.add([stored("en", embedder)])
    first.close()
    second = Index(tmp_path)
    assert (second.vectors_held(), second.words_held()) == (1, 1)
    second.close()


def test_destroyed_indexes_can_be_made_again(tmp_path: Path, embedder: Embedder) -> None:
    first = Index(tmp_path)
    first.add([stored("en", embedder)])
    first.close()
    Index.destroy(tmp_path)
    second = Index(tmp_path)
    assert (second.vectors_held(), second.words_held()) == (0, 0)
    second.add([stored("en", embedder)])
    assert np.isclose(second.nearest(stored("en", embedder).vectors[0].tolist(), "en", 1)[0][1], 1, atol=1e-3)
    second.close()
