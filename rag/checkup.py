"""Whether an archive is well: the catalog whole, every passage in both indexes, each found by its own words.

What is wrong with an index can be mended from the catalog, without embedding anything; what is wrong with the catalog
is only told, and nothing is ever deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rag.catalog import Catalog, StoredPassage
from rag.errors import RagError, VectorsUnavailable
from rag.index import Index, stems
from rag.machine import Finding
from rag.manifest import unfinished
from rag.stores import Stores
from rag.terms import text_forms

Found = list[tuple[str, float]]  # ids of passages, and how near or how well they match
_AT_ONCE = 500  # passages looked at together
_SAMPLE = 40  # passages that look for themselves
_FIRST = 5  # among so many first ones a passage has to find itself: Chroma's search is approximate
_SAME = 0.999  # cosine of a vector with itself, kept in half precision
_SHOWN = 3  # ids named of those that are missing
_RESTORE = "restore a backup (python -m rag restore FILE --force), or build it anew (python -m rag sync --rebuild)"
_REPAIR = "python -m rag doctor --repair makes it again from the catalog"


def archive(stores: Stores, *, repair: bool = False) -> Iterator[Finding]:
    """What is found of an index that was begun; with `repair`, after mending what can be.

    Opening the stores mends what a crash left behind, as it does for every reader.
    """
    if unfinished(stores.path):
        said = f"a restore into {stores.path} was cut off; finish it with: python -m rag restore FILE"
        yield Finding("index", False, said)
        return
    try:
        found = list(_looked_at(stores))
        if repair:
            yield _repaired(stores, [finding.name for finding in found if not finding.ok])
            found = list(_looked_at(stores))
        yield from found
    except VectorsUnavailable as error:
        yield Finding("Chroma", False, f"{error}; questions are answered from the catalog until then")
    except RagError as error:
        yield Finding("index", False, str(error))


def _repaired(stores: Stores, wrong: Sequence[str]) -> Finding:
    """Both indexes made again where anything is wrong with them, and the catalog is whole."""
    if "catalog" in wrong or "vectors" in wrong:
        return Finding("repair", False, f"nothing was changed: what the indexes are made from is damaged; {_RESTORE}")
    if not {"index", "Chroma", "Tantivy"} & set(wrong):
        return Finding("repair", True, "nothing had to be mended")
    held = stores.remake()
    return Finding("repair", True, f"both indexes were made again from the catalog, {held} passages; none was embedded")


def _looked_at(stores: Stores) -> Iterator[Finding]:
    with stores.reading() as (catalog, index, _):
        yield counts(stores.path, catalog, index)
        yield articles(catalog)
        whole = database(catalog)
        yield whole
        if whole.ok:
            yield vectors(catalog)
            yield chroma(catalog, index)
            yield tantivy(catalog, index)


def counts(path: Path, catalog: Catalog, index: Index) -> Finding:
    """Whether the catalog and both indexes hold as many passages."""
    expected, words = catalog.indexed(), index.words_held()
    held = expected if _not_ours(index) else index.vectors_held()
    added, removed = catalog.pending()
    waiting = f"; {len(added)} passages wait to be indexed, {len(removed)} to be taken out" if added or removed else ""
    if held == words == expected:
        return Finding("index", True, f"{path}{waiting}")
    missing = f"{path} holds {held} vectors and {words} texts, expected {expected} of each"
    return Finding("index", False, f"{missing}{waiting}; {_REPAIR}")


def _not_ours(index: Index) -> bool:
    """Whether the vectors are those of another process, which this index follows."""
    return index.shared is not None and index.shared.follows


def articles(catalog: Catalog) -> Finding:
    """How much there is to answer from."""
    held, passages, skipped = catalog.count(), sum(catalog.languages().values()), len(catalog.skipped())
    skips = f"; {skipped} files were skipped: python -m rag sync names them" if skipped else ""
    if not held:
        return Finding("articles", False, f"none; put some into the corpus and run: python -m rag sync{skips}")
    return Finding("articles", True, f"{held}, in {passages} passages{skips}")


def database(catalog: Catalog) -> Finding:
    """Whether SQLite finds its file sound."""
    try:
        wrong = [row[0] for row in catalog.database.rows(f"PRAGMA quick_check({_SHOWN})") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        wrong = [str(error)]
    if wrong:
        return Finding("catalog", False, f"damaged: {'; '.join(wrong)}; {_RESTORE}")
    return Finding("catalog", True, "SQLite finds it sound")


def vectors(catalog: Catalog) -> Finding:
    """Whether every article has passages, and every passage and sentence a vector: of length 1, of so many numbers."""
    bare = "SELECT a.id FROM articles a WHERE NOT EXISTS (SELECT 1 FROM passages p WHERE p.article_id = a.id)"
    wrong = [row[0] for row in catalog.database.rows(bare)]
    seen, last = 0, 0
    of_some = (
        "SELECT rowid, id, json_array_length(sentences), vectors FROM passages WHERE rowid > ? ORDER BY rowid LIMIT ?"
    )
    while rows := catalog.database.rows(of_some, (last, _AT_ONCE)):
        last = rows[-1][0]
        for _, passage_id, sentences, held in rows:
            matrix = np.frombuffer(held, np.float16) if len(held) == 2 * catalog.dim * (1 + sentences) else None
            lengths = (
                None if matrix is None else np.linalg.norm(matrix.astype(np.float32).reshape(-1, catalog.dim), axis=1)
            )
            if lengths is None or not np.all(np.abs(lengths - 1) < 0.01):
                wrong.append(passage_id)
            seen += 1 + sentences
    if wrong:
        return Finding("vectors", False, f"missing or damaged of {_named(wrong)}; {_RESTORE}")
    return Finding("vectors", True, f"{seen}, of {catalog.dim} numbers, each of length 1")


def chroma(catalog: Catalog, index: Index) -> Finding:
    """Whether Chroma has the vector of every passage, and some passages are found by theirs."""
    if _not_ours(index):
        return Finding("Chroma", True, "another process writes it, and may be ahead of this copy")
    return _complete(("Chroma", "vector"), catalog, index, _nearest)


def tantivy(catalog: Catalog, index: Index) -> Finding:
    """Whether Tantivy has the text of every passage, and some passages are found by theirs."""
    return _complete(("Tantivy", "text"), catalog, index, _matching)


def _complete(
    told: tuple[str, str], catalog: Catalog, index: Index, find: Callable[[StoredPassage, Index], Found]
) -> Finding:
    """Whether the index of this name has what it keeps of every passage, and finds some passages by it."""
    name, kept = told
    missing = [one for language, ids in _ids(catalog) for one in index.lacking(ids, language)[name.lower()]]
    if missing:
        return Finding(name, False, f"it lacks the {kept}s of {_named(missing)}; {_REPAIR}")
    sample = _sample(catalog)
    lost = [item.id for item in sample if not _is_among(item, find(item, index), catalog)]
    if lost:
        return Finding(name, False, f"it does not find {_named(lost)} by their own {kept}s; {_REPAIR}")
    return Finding(name, True, f"it has every {kept}; {len(sample)} of {len(sample)} passages find themselves")


def _ids(catalog: Catalog) -> Iterator[tuple[str, list[str]]]:
    """The ids of all passages that the indexes should hold, some at a time, each time of one language."""
    for language in catalog.languages():
        rows = catalog.database.rows("SELECT id FROM passages WHERE indexed AND language = ?", (language,))
        for start in range(0, len(rows), _AT_ONCE):
            yield language, [row[0] for row in rows[start : start + _AT_ONCE]]


def _sample(catalog: Catalog) -> list[StoredPassage]:
    """Passages from all over the archive."""
    ids = catalog.indexed_ids()
    return catalog.passages(ids[:: max(1, len(ids) // _SAMPLE)][:_SAMPLE])


def _language(item: StoredPassage) -> str:
    return item.passage.article.language or "und"


def _nearest(item: StoredPassage, index: Index) -> Found:
    found = index.nearest(item.vectors[0].tolist(), _language(item), _FIRST)
    return [(passage_id, cosine) for passage_id, cosine in found if cosine > _SAME]


def _matching(item: StoredPassage, index: Index) -> Found:
    text, language = f"{item.passage.context}\n{item.passage.text}", item.passage.article.language
    return index.matching(
        stemmed=set(stems(text, language)), forms=set(text_forms(text)), language=_language(item), limit=_FIRST
    )


def _is_among(item: StoredPassage, hits: Sequence[tuple[str, float]], catalog: Catalog) -> bool:
    """Whether a passage is found, or others with the same text, of which there may be more than places."""
    ids = [passage_id for passage_id, _ in hits]
    return item.id in ids or any(found.passage.text == item.passage.text for found in catalog.passages(ids))


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{', '.join(ids[:_SHOWN])}{more}"
