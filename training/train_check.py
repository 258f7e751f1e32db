"""Fine-tune the model that judges whether a quotation supports a statement, and put it into the package.

    python training/train_check.py READER.pt WORK [--epochs N] [--device cuda]

READER.pt is a checkpoint of the reader's cross-encoder (`train.py`), from whose layers it begins, or of this model, to
go on from; WORK keeps `check.pt`. Trained on `statements/*.jsonl`: supported or not, and half as much which kind it
is. What the exact comparisons find anyway (`rag/facts.py`) is left out, since a model of this size cannot see a digit
and learns to distrust near-copies instead; and a sentence of each quotation is shown as it is, and turned into its
opposite (`opposites.py`). At every epoch it is tried on `benchmarks/statements/seen.jsonl`. Writes `check-int8.onnx`
and `check-head.npz`, by default into the package. A pass over 14,000 pairs takes seven minutes on two CPU cores with
bfloat16, if glibc's malloc keeps its memory (`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000`).
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import backbone
from export import calibration, graph
from opposites import flipped
from pairs import KINDS, Pair, load
from ranker import HIDDEN, Ranker

from rag.entail import Spans, sequence
from rag.facts import compare
from rag.figures import auroc
from rag.sentences import sentences
from rag.wordpieces import WordPieces

HERE = Path(__file__).resolve().parent
SEEN = HERE.parent / "benchmarks" / "statements" / "seen.jsonl"
BATCH = 24
SWAPPED = 0.1  # how often a supported statement is also shown beside a quotation of something else
ALONE = 0.15  # how often a pair is shown without the passage around the quotation
RATE, HEAD_RATE, WARM = 1e-4, 1e-3, 60
AVERAGED = 0.998  # of the moving average of all weights, which is what is kept
Read = tuple[list[int], Spans]


class CheckModel(nn.Module):
    """The layers of the ranker and two linear heads on (first token, statement, quotation, their product, distance)."""

    def __init__(self) -> None:
        super().__init__()
        self.ranker = Ranker(dropout=0.1)
        self.support = nn.Linear(5 * HIDDEN, 1)
        self.kind = nn.Linear(5 * HIDDEN, len(KINDS))
        for part in (self.support, self.kind):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, x: Tensor, mask: Tensor, pool: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """x (n, t, 384) embedded, mask (n, t), pool (n, 2, t) rows of means -> logits (n,), of kinds (n, 8)."""
        state = self.ranker.encode(x, mask, dtype)
        whole, said, quoted = functional.layer_norm(torch.cat([state[:, :1], pool @ state], 1), (HIDDEN,)).unbind(1)
        told = torch.cat([whole, said, quoted, said * quoted, (said - quoted).abs()], -1)
        return self.support(told)[:, 0], self.kind(told)


def collate(rows: Sequence[Read], pieces: WordPieces) -> tuple[Tensor, Tensor, Tensor]:
    """x, mask and pool, as `CheckModel` takes them."""
    n, t = len(rows), -(-max(len(ids) for ids, _ in rows) // 8) * 8
    ids, mask, pool = np.full((n, t), 1, np.int64), np.zeros((n, t), bool), np.zeros((n, 2, t), np.float32)
    for row, (got, spans) in enumerate(rows):
        ids[row, : len(got)] = got
        mask[row, : len(got)] = True
        for at, (start, end) in enumerate(spans):
            pool[row, at, start:end] = 1 / max(1, end - start)
    return torch.from_numpy(pieces.embedded(ids)), torch.from_numpy(mask), torch.from_numpy(pool)


def chosen(pairs: Sequence[Pair], rng: random.Random) -> list[Pair]:
    """The pairs that the exact comparisons do not settle, and near-copies of each quotation."""
    kept, passages = [], set()
    for pair in pairs:
        evidence = pair.evidence
        if pair.kind != "supported" and compare(pair.text, pair.language, evidence).wrong:
            continue
        kept.append(pair)
        language = evidence.article.language or "en"
        cut = [evidence.quote[one.start : one.end] for one in sentences(evidence.quote, language)]
        if pair.passage in passages or not cut:
            continue
        passages.add(pair.passage)
        copied = rng.choice(cut)
        kept.append(replace(pair, text=copied, language=language, kind="supported"))
        if turned := flipped(copied, language, rng):
            kept.append(replace(pair, text=turned, language=language, kind="contradicted"))
    return kept


def shown(pairs: Sequence[Pair], rng: random.Random, pieces: WordPieces) -> list[tuple[Read, int]]:
    """The pairs of an epoch with their kinds, as the model reads them."""
    rows = []
    for pair in pairs:
        evidence = pair.evidence
        if rng.random() < ALONE:
            evidence = replace(evidence, context=evidence.quote)
        rows.append((sequence(pair.text, evidence, pieces), KINDS.index(pair.kind)))
        if pair.kind == "supported" and rng.random() < SWAPPED:
            other = rng.choice(pairs)
            if other.passage != pair.passage:
                rows.append((sequence(pair.text, other.evidence, pieces), KINDS.index("unrelated")))
    return rows


def batches(rows: list[tuple[Read, int]], rng: random.Random) -> list[list[tuple[Read, int]]]:
    """Batches of about one length, in random order."""
    rng.shuffle(rows)
    made = []
    for start in range(0, len(rows), BATCH * 20):
        part = sorted(rows[start : start + BATCH * 20], key=lambda row: len(row[0][0]))
        made += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    rng.shuffle(made)
    return made


def logits(
    model: CheckModel, pairs: Sequence[Pair], pieces: WordPieces, device: str, dtype: torch.dtype
) -> list[float]:
    """The logit of every pair."""
    model.eval()
    rows = [sequence(pair.text, pair.evidence, pieces) for pair in pairs]
    found = [0.0] * len(rows)
    order = sorted(range(len(rows)), key=lambda at: len(rows[at][0]))
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            told, _ = model(*(each.to(device) for each in collate([rows[at] for at in part], pieces)), dtype)
            for at, value in zip(part, told.tolist(), strict=True):
                found[at] = value
    return found


def told(pairs: Sequence[Pair], scores: Sequence[float]) -> str:
    """AUROC of supported statements against each other kind, and against all."""
    by_kind = {kind: [s for pair, s in zip(pairs, scores, strict=True) if pair.kind == kind] for kind in KINDS}
    rest = [score for kind in KINDS[1:] for score in by_kind[kind]]
    parts = [f"{kind} {auroc(by_kind['supported'], by_kind[kind]):.3f}" for kind in KINDS[1:]]
    return f"all {auroc(by_kind['supported'], rest):.3f}, " + ", ".join(parts)


def train(model: CheckModel, options: argparse.Namespace, pieces: WordPieces) -> CheckModel:
    """Trains it; returns the moving average of it."""
    device, dtype = options.device, torch.float32 if options.float32 else torch.bfloat16
    rng = random.Random(options.seed)
    pairs, seen = load(sorted(options.statements.glob("*.jsonl"))), load([SEEN])
    model.to(device)
    kept = copy.deepcopy(model)
    named = list(model.named_parameters())
    layers = [value for name, value in named if "layers" in name]
    heads = [value for name, value in named if name.startswith(("support", "kind"))]
    groups = [
        {"params": [p for p in layers if p.dim() > 1], "base": RATE, "weight_decay": 0.01},
        {"params": [p for p in layers if p.dim() < 2], "base": RATE, "weight_decay": 0.0},
        {"params": heads, "base": HEAD_RATE, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))
    total = options.epochs * len(batches(shown(chosen(pairs, rng), rng, pieces), rng))
    step = 0
    for epoch in range(options.epochs):
        losses = []
        for batch in batches(shown(chosen(pairs, rng), rng, pieces), rng):
            factor = min(1.0, (step + 1) / WARM) * max(0.02, 1 - step / total)
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            kind = torch.tensor([number for _, number in batch], device=device)
            support, kinds = model(*(each.to(device) for each in collate([read for read, _ in batch], pieces)), dtype)
            wanted = (kind == 0).float()
            loss = functional.binary_cross_entropy_with_logits(support, wanted, pos_weight=torch.tensor(1.5))
            loss = loss + 0.5 * functional.cross_entropy(kinds, kind)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            losses.append(loss.detach().item())
            share = min(AVERAGED, step / (step + 10))
            with torch.no_grad():
                for mine, new in zip(kept.parameters(), model.parameters(), strict=True):
                    mine.lerp_(new, 1 - share)
            if step % 50 == 0:
                print(f"step {step} of {total}, loss {np.mean(losses[-50:]):.3f}", flush=True)
        print(f"epoch {epoch + 1}: {told(seen, logits(model, seen, pieces, device, dtype))}", flush=True)
        print(f"  average: {told(seen, logits(kept, seen, pieces, device, dtype))}", flush=True)
        torch.save({"model": kept.state_dict()}, options.work / "check.pt")
        model.train()
    return kept


def export(model: CheckModel, out: Path, pieces: WordPieces) -> None:
    """Eight bits into `out`, by the means of `export.py`, calibrated on pairs of the seen half."""
    model.eval()
    read = [sequence(pair.text, pair.evidence, pieces) for pair in load([SEEN])[::9]]
    with torch.inference_mode():
        inputs = calibration(model.ranker, read, pieces)
    state = {name: values.numpy() for name, values in model.ranker.state_dict().items()}
    (out / "check-int8.onnx").write_bytes(graph(state, inputs))
    weight, bias = (part.detach().numpy() for part in (model.support.weight, model.support.bias))
    np.savez(out / "check-head.npz", weight=weight[0], bias=bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", type=Path, help="a checkpoint of the reader, or of this model to go on from")
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--statements", type=Path, default=HERE / "statements")
    parser.add_argument("--out", type=Path, default=HERE.parent / "rag")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--float32", action="store_true", help="where bfloat16 is slower")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    pieces = backbone.pieces()
    model = CheckModel()
    kept = torch.load(options.reader, weights_only=False, map_location="cpu")["model"]
    (model if "support.weight" in kept else model.ranker).load_state_dict(kept)
    export(train(model, options, pieces).cpu(), options.out, pieces)


if __name__ == "__main__":
    main()
