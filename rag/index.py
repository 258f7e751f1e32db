"""The two search indexes: vectors in Chroma (through llama-index) and words in Tantivy.

Both are derived from the catalog and may be thrown away. Chroma keeps one collection a language, since a metadata
filter costs it a hundred times more than a collection of its own. Neither knows who may read what: a reader from whom
articles are kept is served by looking further down the ranking. Nothing outside this module and `chroma.py` knows
either library.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path

import tantivy

from rag.catalog import Catalog, StoredPassage
from rag.chroma import VectorIndex, language_of
from rag.embed import Vectors
from rag.errors import ArchiveIndexError, VectorsUnavailable
from rag.shared import Shared
from rag.terms import name_forms, text_forms

# Languages for which Tantivy has both a stemmer and stop words; in any other, words match as they are written.
_STEMMED = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
}
_PLAIN = "plain"
_TELLING = 10  # passages in a language from which a word that none of them holds tells something
BATCH = 256  # passages indexed at once
STORES = ("chroma", "tantivy")  # the two indexes, and the folders that hold them
# How far down its ranking Chroma is asked for what a reader may see, and by what factor further each time. With 100,000
# passages 50 of them take it 7 ms.
_DEEPEST, _DEEPER = 768, 4


@lru_cache
def _analyzer(stemmer: str | None) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.remove_long(60)).filter(tantivy.Filter.lowercase())
    if stemmer:
        builder = builder.filter(tantivy.Filter.stopword(stemmer)).filter(tantivy.Filter.stemmer(stemmer))
    return builder.filter(tantivy.Filter.ascii_fold()).build()


def _analysis(language: str | None) -> str:
    return language if language in _STEMMED else _PLAIN


@lru_cache(maxsize=8192)
def stems(text: str, language: str | None) -> tuple[str, ...]:
    """The stemmed words of a text, without stop words, in order. Plain words where we have no stemmer."""
    return tuple(_analyzer(_STEMMED.get(language or "")).analyze(text))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("article", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("language", tokenizer_name="raw", index_option="basic")
    for name in (*_STEMMED, _PLAIN):
        builder.add_text_field(f"body_{name}", tokenizer_name=f"stem_{name}", index_option="freq")
    # Forms are made by terms.py and parted by spaces; Tantivy only stores them.
    for name in ("forms", "names"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    return builder.build()


def settle(catalog: Catalog, index: Index, whole: bool = False) -> None:
    """Bring the indexes, and what other processes follow, in line with the catalog.

    `whole`: the catalog holds all that it shall hold.
    """
    added, removed = catalog.pending()
    index.mend(catalog, catalog.indexed() - len(removed))
    # Others answer from what was published: nothing is taken away under them before they are told.
    again = set(added)
    late = [item for item in removed if item[0] not in again] if index.shared is not None else []
    _take_out(catalog, index, [item for item in removed if item[0] in again] if index.shared is not None else removed)
    for start in range(0, len(added), BATCH):
        ids = added[start : start + BATCH]
        index.add(catalog.passages(ids))
        catalog.settle(ids, ())
    if index.shared is not None:
        index.shared.publish(catalog, whole=whole)
    _take_out(catalog, index, late)


def _take_out(catalog: Catalog, index: Index, removed: Sequence[tuple[str, str]]) -> None:
    index.remove(removed)
    catalog.settle((), (passage_id for passage_id, _ in removed))


class Index:
    """The indexes below the folder `path`. One process at a time may write to them.

    With `shared` the vectors are on a Chroma server, where many processes find them; a copy that follows another
    process leaves them alone.
    """

    def __init__(self, path: Path, shared: Shared | None = None) -> None:
        self.shared = shared
        self._tantivy_path = path / "tantivy"
        opened: VectorIndex | None = None
        try:
            opened = self._vectors = VectorIndex(path, shared.server if shared else None)
            self._tantivy_path.mkdir(parents=True, exist_ok=True)
            self._words = tantivy.Index(_schema(), path=str(self._tantivy_path))
        except ArchiveIndexError:
            raise
        except Exception as error:  # both libraries raise bare and Rust exceptions on damaged files
            if opened:
                opened.close()
            raise ArchiveIndexError(
                f"the search indexes in {path} cannot be opened ({type(error).__name__}: {str(error)[:200]}); "
                "they can be made again from the catalog with: python -m rag sync --rebuild"
            ) from error
        for name in (*_STEMMED, _PLAIN):
            self._words.register_tokenizer(f"stem_{name}", _analyzer(_STEMMED.get(name)))
        self._words.reload()
        self._rarities: dict[tuple[str, str], float] = {}
        self._hidden: frozenset[str] = frozenset()  # ids of articles

    def without(self, articles: frozenset[str]) -> Index:
        """These indexes as a reader sees them from whom these articles are kept, given by id. Only for asking.

        No passage of them is found, and no word or name is known for standing there. Only rarity counts all passages:
        it weighs what is found, and says of a word neither where it stands nor whether it does.
        """
        if not articles:
            return self
        view = copy(self)
        view._hidden = articles
        return view

    def close(self) -> None:
        """Close both indexes; Chroma's files stay open otherwise."""
        self._vectors.close()

    @staticmethod
    def destroy(path: Path, stores: Collection[str] = STORES, shared: Shared | None = None) -> None:
        """Remove these indexes of the folder `path`, for making them again. Not while they are open.

        Raises:
            ArchiveIndexError: the server that holds the vectors cannot be reached, or refuses us.
        """
        if "chroma" in stores and not (shared and shared.follows):
            VectorIndex.destroy(path, shared.server if shared else None)
        if "tantivy" in stores:
            shutil.rmtree(path / "tantivy", ignore_errors=True)

    @staticmethod
    def remade(path: Path, catalog: Catalog, stores: Collection[str] = STORES, shared: Shared | None = None) -> Index:
        """The indexes, of which these are made again from the catalog, without embedding anything."""
        # On a server others ask meanwhile: there the old ones go when the new ones come.
        Index.destroy(path, [name for name in stores if name != "chroma" or shared is None], shared)
        index = Index(path, shared)
        index._refill(catalog, stores)
        return index

    def mend(self, catalog: Catalog, least: int) -> None:
        """Write all vectors anew where a server does not hold the `least` of them: it has come back without its disk.

        Raises:
            VectorsUnavailable: it is away. IndexLocked: another process has taken over writing.
        """
        if self.shared is None or self.shared.follows:
            return
        if self._vectors.away:
            raise VectorsUnavailable(f"the Chroma server at {self.shared.server.url} does not answer; start it")
        self.shared.check()
        if self._vectors.held() < least:
            self._refill(catalog, ("chroma",))

    def _refill(self, catalog: Catalog, stores: Collection[str]) -> None:
        ids = catalog.indexed_ids()
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        if "chroma" in stores and not (self.shared and self.shared.follows):
            self._vectors.refill(catalog.passages(batch) for batch in batches)
        if "tantivy" in stores:
            for batch in batches:
                self.add(catalog.passages(batch), ("tantivy",))

    def damaged(self, expected: int, samples: Mapping[str, Vectors]) -> dict[str, str]:
        """What is wrong with either index, by its name in `STORES`; empty where nothing is.

        `expected` is how many passages each should hold, `samples` some of their vectors (n, dim) in each language. A
        server that is away is not damaged, and what another process writes is not ours to judge.
        """
        wrong = {}
        if not (self.shared and self.shared.follows) and not self._vectors.away:
            try:
                if (held := self.vectors_held()) != expected:
                    wrong["chroma"] = f"it holds {held} vectors of {expected}"
                for language, vectors in samples.items():
                    if not self._vectors.finds(language, vectors):
                        wrong["chroma"] = f"it does not find what it holds in the language {language}"
            except Exception as error:  # whatever the library raises on damaged files
                wrong["chroma"] = f"{type(error).__name__}: {str(error)[:100]}"
        try:
            if (held := self.words_held()) != expected:
                wrong["tantivy"] = f"it holds {held} texts of {expected}"
            for language in samples:
                self._hits(tantivy.Query.term_query(self._words.schema, "language", language, "basic"), 1)
        except Exception as error:
            wrong["tantivy"] = f"{type(error).__name__}: {str(error)[:100]}"
        return wrong

    def vectors_held(self) -> int:
        """How many vectors Chroma holds, in all languages."""
        return self._vectors.held()

    def words_held(self) -> int:
        """How many passages Tantivy holds."""
        return int(self._words.searcher().num_docs)

    def lacking(self, ids: Sequence[str], language: str) -> dict[str, list[str]]:
        """Those of these passages, given by id and of one language, that either index, named as in `STORES`, lacks."""
        query = tantivy.Query.term_set_query(self._words.schema, "id", list(ids))
        words = {passage_id for passage_id, _ in self._hits(query, len(ids))}
        held = {"chroma": self._vectors.present(ids, language), "tantivy": words}
        return {name: [one for one in ids if one not in there] for name, there in held.items()}

    # Writing

    def add(self, items: Sequence[StoredPassage], stores: Collection[str] = STORES) -> None:
        """Index these passages, in one index or both; one that is there already is replaced."""
        self.remove(((item.id, language_of(item)) for item in items), stores)
        if "chroma" in stores and not (self.shared and self.shared.follows):
            self._vectors.add(items)
        if "tantivy" in stores:
            self._add_words(items)

    def _add_words(self, items: Sequence[StoredPassage]) -> None:
        writer = self._words.writer(heap_size=64_000_000, num_threads=1)
        for item in items:
            text = f"{item.passage.context}\n{item.passage.text}"
            writer.add_document(
                tantivy.Document(
                    id=item.id,
                    article=item.passage.article.id,
                    language=language_of(item),
                    forms=" ".join(text_forms(text)),
                    names=" ".join(name_forms(text)),
                    **{f"body_{_analysis(item.passage.article.language)}": text},
                )
            )
        writer.commit()
        writer.wait_merging_threads()
        self._reload()

    def remove(self, items: Iterable[tuple[str, str]], stores: Collection[str] = STORES) -> None:
        """Take passages, given as (id, language), out of one index or both; unknown ones are passed over."""
        by_language: dict[str, list[str]] = {}
        for passage_id, language in items:
            by_language.setdefault(language, []).append(passage_id)
        if not by_language:
            return
        if "chroma" in stores and not (self.shared and self.shared.follows):
            self._vectors.remove(by_language)
        if "tantivy" not in stores:
            return
        writer = self._words.writer(heap_size=16_000_000, num_threads=1)
        for ids in by_language.values():
            for passage_id in ids:
                writer.delete_documents_by_term("id", passage_id)
        writer.commit()
        writer.wait_merging_threads()
        self._reload()

    def _reload(self) -> None:
        self._words.reload()
        self._rarities = {}  # a new one: who still counts by the old words keeps that in the old one

    # Asking

    def nearest(self, vector: Sequence[float], language: str, limit: int) -> list[tuple[str, float]]:
        """The ids of the passages in `language` whose vectors are nearest, with their cosine, best first.

        Fewer than there are only where very many nearer ones are hidden, or where a server has lost them.

        Raises:
            VectorsUnavailable: the server that holds them does not answer.
        """
        depth = limit
        while True:
            ranked = self._vectors.nearest(vector, language, depth)
            seen = [(item, cosine) for item, cosine in ranked if self._may_see(item)]
            if len(seen) >= limit or len(ranked) < depth or depth >= _DEEPEST:
                return seen[:limit]
            depth *= _DEEPER

    def matching(
        self,
        *,
        stemmed: Collection[str],
        forms: Collection[str],
        language: str,
        limit: int,
        articles: Collection[str] | None = None,
    ) -> list[tuple[str, float]]:
        """The ids of the passages in `language` that hold these words, with their BM25 score, best first.

        `stemmed` are stems in that language, `forms` are spellings of names and numbers; `articles`, where given, are
        the ids of those that may answer.
        """
        schema, body = self._words.schema, f"body_{_analysis(language)}"
        wanted = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, body, stem, "freq")) for stem in stemmed]
        wanted += [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "forms", form, "basic")) for form in forms]
        if not wanted:
            return []
        must = [
            tantivy.Query.boolean_query(wanted),
            tantivy.Query.const_score_query(tantivy.Query.term_query(schema, "language", language, "basic"), 0.0),
        ]
        if articles is not None:
            allowed = tantivy.Query.term_set_query(schema, "article", list(articles))
            must.append(tantivy.Query.const_score_query(allowed, 0.0))
        return self._hits(tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in must]), limit)

    def _hits(self, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
        """The ids of the passages that may be seen and that a query finds, with their scores, best first."""
        searcher = self._words.searcher()
        depth = limit
        while True:
            hits = searcher.search(query, depth, count=False).hits
            found = ((str(searcher.doc(address)["id"][0]), score) for score, address in hits)
            seen = [(item, score) for item, score in found if self._may_see(item)]
            if len(seen) >= limit or len(hits) < depth:
                return seen[:limit]
            depth = max(64, depth * _DEEPER)

    def _may_see(self, passage_id: str) -> bool:
        return passage_id.split(":", 1)[0] not in self._hidden

    def _held(self, field: str, term: str, passages: int = 1) -> bool:
        """Whether at least so many passages that may be seen hold a term."""
        searcher = self._words.searcher()
        if searcher.doc_freq(field, term) < passages:  # counts what was removed and what may not be seen, too
            return False
        return len(self._hits(tantivy.Query.term_query(self._words.schema, field, term, "basic"), passages)) >= passages

    def rarity(self, term: str, language: str | None = None) -> float:
        """How telling a term is: BM25's inverse document frequency (Robertson and Zaragoza 2009, section 3.3), >= 0.

        `term` is a stem where `language` is given, else a form.
        """
        field = f"body_{_analysis(language)}" if language else "forms"
        rarities = self._rarities
        if (field, term) not in rarities:
            searcher = self._words.searcher()
            held = searcher.doc_freq(field, term)
            rarity = math.log(1 + (searcher.num_docs - held + 0.5) / (held + 0.5))
            if not held:
                return rarity  # not kept: of words that nobody wrote there is no end
            rarities[field, term] = rarity
        return rarities[field, term]

    def is_telling(self, language: str) -> bool:
        """Whether there are so many passages in `language` that a word which none of them holds tells something."""
        return self._held("language", language, _TELLING)

    def unknown_share(self, stemmed: Collection[str], language: str) -> float:
        """How many of these stems (0 to 1) no passage in `language` holds; 0 where there are too few to tell."""
        if not stemmed or not self.is_telling(language):
            return 0.0
        body = f"body_{_analysis(language)}"
        return sum(not self._held(body, stem) for stem in stemmed) / len(stemmed)

    def knows(self, form: str, *, as_name: bool = False) -> bool:
        """Whether any passage holds this form (written like a name)."""
        return self._held("names" if as_name else "forms", form)

    def names_beginning(self, prefix: str) -> list[str]:
        """The forms written like names that begin with `prefix`, also those of hidden passages: see `times_named`."""
        return [form for form, _ in self._words.searcher().terms_with_prefix("names", prefix)]

    def times_named(self, form: str) -> int:
        """How many passages that may be seen hold this form, written like a name."""
        query = tantivy.Query.term_query(self._words.schema, "names", form, "basic")
        if self._hidden:
            hidden = tantivy.Query.term_set_query(self._words.schema, "article", list(self._hidden))
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.MustNot, hidden)])
        return int(self._words.searcher().search(query, 1, count=True).count or 0)  # type: ignore[attr-defined]
