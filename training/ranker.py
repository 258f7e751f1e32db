"""The sentence ranker: e5's twelve layers over question and passage together, a score for every sentence and for none.

`<s> query: Q </s></s> passage: [context] S1 S2 … </s>` is read at once. The question and every sentence are pooled by
the mean of their token states, as e5 was trained; a sentence's score is 20 · (cosine − .8) and a learned linear term on
the sentence, its product with the question and their distance; the score of "none" comes from the first token. The
embedding table stays as it is, so that only the layers have to be shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rag.rerank import Spans
from rag.wordpieces import WordPieces

HIDDEN, LAYERS, HEADS, INNER, EPSILON = 384, 12, 12, 1536, 1e-12


class Layer(nn.Module):
    """A BERT layer, in the type of its input: autocast would carry the residuals in float32, at twice the time."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.out = nn.Linear(HIDDEN, HIDDEN)
        self.ln1 = nn.LayerNorm(HIDDEN, eps=EPSILON)
        self.up = nn.Linear(HIDDEN, INNER)
        self.down = nn.Linear(INNER, HIDDEN)
        self.ln2 = nn.LayerNorm(HIDDEN, eps=EPSILON)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        n, t, _ = x.shape
        qkv = linear(self.qkv, x).view(n, t, 3 * HEADS, HIDDEN // HEADS).transpose(1, 2)
        q, k, v = torch.split(qkv, HEADS, dim=1)
        # By hand: torch's flash attention for CPUs is three times slower backwards.
        weight = torch.softmax((q * (HIDDEN // HEADS) ** -0.5) @ k.transpose(2, 3) + bias, -1)
        x = norm(self.ln1, x + linear(self.out, (weight @ v).transpose(1, 2).reshape(n, t, HIDDEN)))
        return norm(self.ln2, x + linear(self.down, functional.gelu(linear(self.up, x))))


def linear(part: nn.Linear, x: Tensor) -> Tensor:
    return functional.linear(x, part.weight.to(x.dtype), part.bias.to(x.dtype))


def norm(part: nn.LayerNorm, x: Tensor) -> Tensor:
    return functional.layer_norm(x, (HIDDEN,), part.weight.to(x.dtype), part.bias.to(x.dtype), EPSILON)


class Ranker(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.dropout = dropout  # of the embedded input only: inside the layers it costs a fifth of the time
        self.linear = nn.Linear(3 * HIDDEN, 1)  # on (s, q · s, |q − s|) of vectors scaled to unit variance
        self.null = nn.Linear(HIDDEN, 1)
        for part in (self.linear, self.null):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def encode(self, x: Tensor, mask: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """x (n, t, 384) embedded, mask (n, t) bool -> states (n, t, 384) float32, computed in `dtype`."""
        x = functional.dropout(x, self.dropout, self.training).to(dtype)
        bias = torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        return x.float()

    def score(self, states: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
        """states (n, t, 384), pool (n, 1 + s, t) rows of means, the question first -> scores (n, s), none (n,)."""
        vectors = functional.normalize(pool @ states, dim=-1, eps=1e-6)
        q, s = vectors[:, :1], vectors[:, 1:]
        root = HIDDEN**0.5
        told = torch.cat([s * root, q * s * HIDDEN, (q - s).abs() * root], dim=-1)
        return 20 * ((q * s).sum(-1) - 0.8) + self.linear(told)[..., 0], self.null(states[:, 0])[..., 0]


def from_bert(bert: Any, dropout: float = 0.0) -> Ranker:
    """A ranker that begins as the bundled embedding model."""
    made = Ranker(dropout)
    layers: Any = made.layers
    with torch.no_grad():
        for mine, its in zip(layers, bert.encoder.layer, strict=True):
            a = its.attention
            parts = (a.self.query, a.self.key, a.self.value)
            mine.qkv.weight.copy_(torch.cat([p.weight for p in parts]))
            mine.qkv.bias.copy_(torch.cat([p.bias for p in parts]))
            for to, of in (
                (mine.out, a.output.dense), (mine.ln1, a.output.LayerNorm), (mine.up, its.intermediate.dense),
                (mine.down, its.output.dense), (mine.ln2, its.output.LayerNorm),
            ):  # fmt: skip
                to.weight.copy_(of.weight)
                to.bias.copy_(of.bias)
    return made


def collate(sequences: Sequence[tuple[list[int], Spans]], pieces: WordPieces) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (n, t, 384), mask (n, t), pool (n, 1 + s, t), and which sentences there are (n, s)."""
    n = len(sequences)
    t = -(-max(len(ids) for ids, _ in sequences) // 8) * 8
    s = max(len(spans) for _, spans in sequences)
    ids = np.full((n, t), 1, np.int64)
    mask = np.zeros((n, t), bool)
    pool = np.zeros((n, s, t), np.float32)
    there = np.zeros((n, s - 1), bool)
    for row, (got, spans) in enumerate(sequences):
        ids[row, : len(got)] = got
        mask[row, : len(got)] = True
        for at, (a, b) in enumerate(spans):
            if b > a:
                pool[row, at, a:b] = 1 / (b - a)
                if at:
                    there[row, at - 1] = True
    return (
        torch.from_numpy(pieces.embedded(ids)),
        torch.from_numpy(mask),
        torch.from_numpy(pool),
        torch.from_numpy(there),
    )
