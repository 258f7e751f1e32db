"""`python -m rag doctor`: what it finds of an archive and of the machine, and what `--repair` mends."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stories import BAKERY, DEMOLITION, HARBOUR

from rag import Assistant, checkup, cli, machine
from rag.catalog import Catalog, StoredPassage
from rag.index import Index
from rag.stores import Stores

QUESTION = "How many ships waited outside the breakwater?"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus and its index, which no test changes."""
    corpus, index = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("home") / "index"
    for name, text in {"harbour.md": HARBOUR, "crane.md": DEMOLITION, "bakkerij.md": BAKERY}.items():
        (corpus / name).write_text(text, "utf-8")
    with Assistant(corpus=corpus, index=index) as assistant:
        assistant.sync()
    return corpus, index


@pytest.fixture
def index(built: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the index."""
    return Path(shutil.copytree(built[1], tmp_path / "index"))


@pytest.fixture
def stores(index: Path) -> Iterator[Stores]:
    opened = Stores(index, "bundled")
    yield opened
    opened.close()


def looked(stores: Stores, *, repair: bool = False) -> dict[str, tuple[bool, str]]:
    return {found.name: (found.ok, found.says) for found in checkup.archive(stores, repair=repair)}


def one_of(catalog: Catalog) -> StoredPassage:
    return catalog.passages(catalog.indexed_ids())[0]


def wrong(found: dict[str, tuple[bool, str]]) -> set[str]:
    return {name for name, (ok, _) in found.items() if not ok}


def test_a_sound_archive_is_told_so_and_has_nothing_to_mend(stores: Stores) -> None:
    found = looked(stores, repair=True)
    assert list(found) == ["repair", "index", "articles", "catalog", "vectors", "Chroma", "Tantivy"]
    assert wrong(found) == set()
    assert found["repair"][1] == "nothing had to be mended"
    assert "themselves" in found["Chroma"][1]
    assert "themselves" in found["Tantivy"][1]


@pytest.mark.parametrize(("name", "store"), [("Chroma", "chroma"), ("Tantivy", "tantivy")])
def test_a_passage_that_an_index_lacks_is_found_by_its_id_and_mended(
    name: str, store: str, stores: Stores, built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with stores.writing() as (catalog, opened, embedder):
        gone = one_of(catalog)
        opened.remove([(gone.id, gone.passage.article.language or "")], (store,))
        opened.add([dataclasses.replace(gone, id="stranger:0:0")], (store,))  # so that the counts agree
    found = looked(stores)
    assert wrong(found) == {name}
    assert gone.id in found[name][1]
    assert "doctor --repair" in found[name][1]
    monkeypatch.setattr(type(embedder), "embed_passages", None)
    mended = looked(stores, repair=True)
    assert wrong(mended) == set()
    assert "none was embedded" in mended["repair"][1]
    stores.close()
    with Assistant(corpus=built[0], index=stores.path) as assistant:
        assert "forty ships" in assistant.ask(QUESTION).citations[0].quote


def test_a_vector_that_leads_to_another_passage_is_found_and_mended(stores: Stores) -> None:
    with stores.writing() as (catalog, opened, _):
        item = one_of(catalog)
        opened.add([dataclasses.replace(item, vectors=np.roll(item.vectors, 1, axis=1))], ("chroma",))
    found = looked(stores)
    assert wrong(found) == {"Chroma"}
    assert f"does not find {item.id}" in found["Chroma"][1]
    assert wrong(looked(stores, repair=True)) == set()


@pytest.mark.parametrize(
    "change",
    ["vectors = zeroblob(length(vectors))", "vectors = substr(vectors, 1, 768)", "sentences = '[]'"],
    ids=["not of length 1", "too few", "too many"],
)
def test_damaged_vectors_are_told_and_never_deleted(stores: Stores, change: str) -> None:
    with stores.writing() as (catalog, _, _), catalog.database.transaction() as db:
        damaged = one_of(catalog).id
        db.execute(f"UPDATE passages SET {change} WHERE id = ?", (damaged,))
    before = (stores.path / "catalog.sqlite3").read_bytes()
    found = looked(stores, repair=True)
    assert damaged in found["vectors"][1]
    assert "restore a backup" in found["vectors"][1]
    assert "nothing was changed" in found["repair"][1]
    assert (stores.path / "catalog.sqlite3").read_bytes() == before


def test_a_damaged_catalog_is_told_with_what_to_do(index: Path) -> None:
    catalog = index / "catalog.sqlite3"
    data = bytearray(catalog.read_bytes())
    for page in range(4, len(data) // 4096):  # but the first ones, with which it opens
        data[page * 4096 : page * 4096 + 12] = b"\xff" * 12
    catalog.write_bytes(data)
    stores = Stores(index, "bundled")
    found = looked(stores, repair=True)
    stores.close()
    assert found["index"][0] is False or found["catalog"][0] is False
    said = " ".join(says for ok, says in found.values() if not ok)
    assert "restore a backup" in said
    assert "sync --rebuild" in said
    assert catalog.exists()


def test_an_article_without_passages_is_told(stores: Stores) -> None:
    with stores.writing() as (catalog, opened, _):
        article = one_of(catalog).passage.article
        with catalog.database.transaction() as db:
            db.execute("DELETE FROM passages WHERE article_id = ?", (article.id,))
        added, removed = catalog.pending()
        opened.remove(removed)
        catalog.settle(added, [passage_id for passage_id, _ in removed])
    assert article.id in looked(stores)["vectors"][1]


def test_who_writes_is_told_where_something_has_to_be_mended(stores: Stores, built: tuple[Path, Path]) -> None:
    with stores.writing() as (catalog, opened, _):
        gone = one_of(catalog)
        opened.remove([(gone.id, gone.passage.article.language or "")])
        opened.add([dataclasses.replace(gone, id="stranger:0:0")])
    stores.close()
    with Assistant(corpus=built[0], index=stores.path) as assistant:
        assistant.sync()
        found = looked(Stores(stores.path, "bundled"), repair=True)
        assert "another process is writing" in found["index"][1]


def test_a_restore_that_was_cut_off_is_told(index: Path, stores: Stores) -> None:
    staged = index.with_name("index.restoring")
    staged.mkdir()
    (staged / "restore.json").write_text("{}", "utf-8")
    assert "finish it with: python -m rag restore" in looked(stores)["index"][1]


def test_an_index_that_lost_its_folders_is_mended_by_opening_it(index: Path, stores: Stores) -> None:
    shutil.rmtree(index / "chroma")
    shutil.rmtree(index / "tantivy")
    assert wrong(looked(stores)) == set()


# The machine


def test_a_socket_beyond_loopback_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        assert machine.connections({}).ok
    with socket.create_server(("0.0.0.0", 0)) as listening:
        found = machine.connections({})
        assert not found.ok
        assert f"0.0.0.0 port {listening.getsockname()[1]}" in found.says
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as outward:
        try:
            outward.connect(("::ffff:192.0.2.7", 9))  # sends nothing
        except OSError:
            pytest.skip("there is no way to other networks here")
        assert "192.0.2.7 port 9" in machine.connections({}).says
        assert machine.connections({"ON_RECORD_LLM_URL": "http://192.0.2.7:9"}).ok
    assert machine.connections({}).ok


def test_what_the_settings_would_connect_to_is_told(tmp_path: Path) -> None:
    here = {"ON_RECORD_LLM_URL": "http://127.0.0.1:8080/v1", "ON_RECORD_CHROMA_URL": ""}
    models = {"ON_RECORD_EMBED_MODEL": "bundled", "ON_RECORD_RERANK_MODEL": "off"}
    assert "nothing in them" in machine.outward(here, models).says
    found = machine.outward(
        {"ON_RECORD_LLM_URL": "https://models.example/v1?key=hidden"},
        {"ON_RECORD_EMBED_MODEL": "someone/model", "ON_RECORD_RERANK_MODEL": str(tmp_path)},
    )
    assert "ON_RECORD_LLM_URL leads to models.example;" in found.says
    assert "ON_RECORD_EMBED_MODEL names someone/model" in found.says
    assert "RERANK" not in found.says
    assert "hidden" not in found.says


def test_too_little_room_is_told(built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = machine.disk(built[1], built[0])
    assert sound.ok
    assert "GB free" in sound.says
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    assert "free some space" in machine.disk(built[1], built[0]).says


def test_the_command_repairs_and_says_what_it_did(
    index: Path, built: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Stores(index, "bundled")
    with opened.writing() as (catalog, held, _):
        gone = one_of(catalog)
        held.remove([(gone.id, gone.passage.article.language or "")], ("tantivy",))
        held.add([dataclasses.replace(gone, id="stranger:0:0")], ("tantivy",))
    opened.close()
    where = ["--corpus", str(built[0]), "--index", str(index)]
    assert cli.main(["doctor", "--json", *where]) == 1
    told = {found["name"]: found for found in json.loads(capsys.readouterr().out)["findings"]}
    assert [name for name, found in told.items() if not found["ok"]] == ["Tantivy"]
    for name in ("settings", "connections", "disk", "memory", "versions"):
        assert told[name]["ok"], told[name]
    assert cli.main(["doctor", "--repair", *where]) == 0
    assert "both indexes were made again from the catalog" in capsys.readouterr().out
    assert cli.main(["doctor", *where]) == 0


def test_ids_are_looked_up_by_language(stores: Stores) -> None:
    with stores.reading() as (catalog, opened, _):
        assert isinstance(opened, Index)
        ids = catalog.indexed_ids()
        dutch = [item.id for item in catalog.passages(ids) if item.passage.article.language == "nl"]
        assert opened.lacking([*dutch, "none"], "nl") == {"chroma": ["none"], "tantivy": ["none"]}
        assert opened.lacking(dutch, "fi") == {"chroma": dutch, "tantivy": []}
