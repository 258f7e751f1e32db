"""The two search indexes: vectors in Chroma (through llama-index) and words in Tantivy.

Both are derived from the catalog and may be thrown away. Chroma keeps one collection a language, since a metadata
filter costs it a hundred times more than a collection of its own. Neither knows who may read what: a reader from whom
articles are kept is served by looking further down the ranking. Nothing outside this module knows either library.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from rag.catalog import UNKNOWN_LANGUAGE, Catalog, StoredPassage
from rag.embed import Vectors
from rag.errors import ArchiveIndexError
from rag.records import Article
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
_PREFIX = "passages-"  # of the names of the collections
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


def settle(catalog: Catalog, index: Index) -> None:
    """Bring the indexes in line with the catalog."""
    added, removed = catalog.pending()
    index.remove(removed)
    catalog.settle((), (passage_id for passage_id, _ in removed))
    for start in range(0, len(added), BATCH):
        ids = added[start : start + BATCH]
        index.add(catalog.passages(ids))
        catalog.settle(ids, ())


class Index:
    """The indexes below the folder `path`. One process at a time may write to them."""

    def __init__(self, path: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        self._chroma_path, self._tantivy_path = path / "chroma", path / "tantivy"
        try:
            self._client: Any = chromadb.PersistentClient(
                str(self._chroma_path), settings=Settings(anonymized_telemetry=False, allow_reset=True)
            )
            self._collections = {item.name.removeprefix(_PREFIX): item for item in self._client.list_collections()}
            self._tantivy_path.mkdir(parents=True, exist_ok=True)
            self._words = tantivy.Index(_schema(), path=str(self._tantivy_path))
        except Exception as error:  # both libraries raise bare and Rust exceptions on damaged files
            raise ArchiveIndexError(
                f"the search indexes in {path} cannot be opened ({type(error).__name__}: {str(error)[:200]}); "
                "they can be made again from the catalog with: python -m rag sync --rebuild"
            ) from error
        for name in (*_STEMMED, _PLAIN):
            self._words.register_tokenizer(f"stem_{name}", _analyzer(_STEMMED.get(name)))
        self._words.reload()
        self._stores: dict[str, Any] = {}
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
        self._client.close()
        self._stores.clear()

    @staticmethod
    def destroy(path: Path, stores: Collection[str] = STORES) -> None:
        """Remove the files of these indexes below `path`, for making them again. Not while they are open."""
        for name in stores:
            shutil.rmtree(path / name, ignore_errors=True)

    def damaged(self, expected: int, samples: Mapping[str, Vectors]) -> dict[str, str]:
        """What is wrong with either index, by its name in `STORES`; empty where nothing is.

        `expected` is how many passages each should hold, `samples` one of their vectors (dim,) in each language.
        """
        wrong = {}
        try:
            if (held := self.vectors_held()) != expected:
                wrong["chroma"] = f"it holds {held} vectors of {expected}"
            for language, vector in samples.items():
                if language not in self._collections or not self._finds(language, vector):
                    wrong["chroma"] = f"it finds nothing in the language {language}"
        except Exception as error:  # whatever the library raises on damaged files
            wrong["chroma"] = f"{type(error).__name__}: {str(error)[:100]}"
        if (held := self.words_held()) != expected:
            wrong["tantivy"] = f"it holds {held} texts of {expected}"
        return wrong

    def _finds(self, language: str, vector: Vectors) -> bool:
        found = self._collections[language].query(vector.tolist(), n_results=1, include=["embeddings"])
        return bool(found["ids"][0]) and np.asarray(found["embeddings"]).size > 0

    def vectors_held(self) -> int:
        """How many vectors Chroma holds, in all languages."""
        return sum(collection.count() for collection in self._collections.values())

    def words_held(self) -> int:
        """How many passages Tantivy holds."""
        return int(self._words.searcher().num_docs)

    # Writing

    def add(self, items: Sequence[StoredPassage], stores: Collection[str] = STORES) -> None:
        """Index these passages, in one index or both; one that is there already is replaced."""
        self.remove(((item.id, _language(item)) for item in items), stores)
        if "chroma" in stores:
            self._add_vectors(items)
        if "tantivy" in stores:
            self._add_words(items)

    def _add_vectors(self, items: Sequence[StoredPassage]) -> None:
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

        by_language: dict[str, list[StoredPassage]] = {}
        for item in items:
            by_language.setdefault(_language(item), []).append(item)
        for language, group in by_language.items():
            nodes = []
            for item in group:
                article = item.passage.article
                node = TextNode(
                    id_=item.id,
                    text=item.passage.text,
                    metadata=node_metadata(article, item.passage.start, item.passage.end),
                    embedding=item.vectors[0].tolist(),
                )
                node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=article.id)
                nodes.append(node)
            self._store(language, create=True).add(nodes)

    def _add_words(self, items: Sequence[StoredPassage]) -> None:
        writer = self._words.writer(heap_size=64_000_000, num_threads=1)
        for item in items:
            text = f"{item.passage.context}\n{item.passage.text}"
            writer.add_document(
                tantivy.Document(
                    id=item.id,
                    article=item.passage.article.id,
                    language=_language(item),
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
        for language, ids in by_language.items():
            if "chroma" in stores and language in self._collections:
                self._collections[language].delete(ids=ids)
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

    def _store(self, language: str, *, create: bool = False) -> Any:
        """llama-index's vector store over the collection of a language; None where there is none."""
        from llama_index.vector_stores.chroma import ChromaVectorStore

        if language not in self._stores:
            if language not in self._collections:
                if not create:
                    return None
                # Cosine is not the default; and without a function of its own Chroma would fetch a model.
                self._collections[language] = self._client.create_collection(
                    f"{_PREFIX}{language}", metadata={"hnsw:space": "cosine"}, embedding_function=None
                )
            self._stores[language] = ChromaVectorStore(chroma_collection=self._collections[language])
        return self._stores[language]

    # Asking

    def nearest(self, vector: Sequence[float], language: str, limit: int) -> list[tuple[str, float]]:
        """The ids of the passages in `language` whose vectors are nearest, with their cosine, best first.

        Fewer than there are only where very many nearer ones are hidden.
        """
        from llama_index.core.vector_stores.types import VectorStoreQuery

        store = self._store(language)
        if store is None:
            return []
        depth = limit
        while True:
            found = store.query(VectorStoreQuery(query_embedding=list(vector), similarity_top_k=depth))
            # llama-index reports exp(-distance), and Chroma's cosine distance is 1 - cosine.
            ranked = [(item, 1 + math.log(score)) for item, score in zip(found.ids, found.similarities, strict=True)]
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


def _language(item: StoredPassage) -> str:
    return item.passage.article.language or UNKNOWN_LANGUAGE


def node_metadata(article: Article, start: int, end: int) -> dict[str, Any]:
    """What a llama-index node says of its span, as far as known; offsets are code points of `article.text`."""
    known = {name: value for name, value in article.to_dict().items() if value is not None}
    return {"article_id": known.pop("id"), **known, "start": start, "end": end}
