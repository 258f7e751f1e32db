"""Fine-tune the sentence ranker. Goes on from WORK/last.pt where there is one.

    python training/train.py WORK [--epochs N] [--device cuda]

WORK is what `data.py` filled. A step takes twelve questions, each with a passage that answers and one that retrieval
ranks high and that does not. The loss of a passage is the cross-entropy over its sentences and "none"; half as much
counts that of the sentences of both passages together. An epoch takes 40 minutes on two CPU cores with bfloat16, if
glibc's malloc is told to keep its memory (`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000`), and thrice that
if not.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import backbone
from ranker import Ranker, collate, from_bert

from rag.figures import auroc
from rag.rerank import sequence
from rag.unpacked import bert
from rag.wordpieces import WordPieces

QUESTIONS, TOKENS = 12, 5000  # a batch
CONTEXT = 0.5  # how often a passage is shown with what places it
NEGATIVE_ONLY = 0.12  # how often a question is shown without its answer
PRESS, SQUAD, SPANISH, HALF, OTHER = 2, 0.6, 0.15, 1000, 300  # the mix of an epoch: see `epoch_items`
RATE, HEAD_RATE, WARM = 1e-4, 1e-3, 200  # learning rates, and steps until they are reached
MINUTES = 5.0  # between checkpoints
Item = dict[str, Any]


def epoch_items(data: Item, epoch: int) -> list[Item]:
    """Our own articles twice; XQuAD's pairs of nl, de and en on de and en; parts of the rest, others every epoch."""
    rng = random.Random(1000 + epoch)
    kept: list[Item] = []
    half: list[Item] = []
    other: list[Item] = []
    for item in data["items"]:
        q, p = data["questions"][item["q"]], data["passages"][item["mine"][0]]
        if q["side"] != "train" or p["side"] != "train":
            continue
        ours = (q["lang"] in ("en", "de", "nl"), p["lang"] in ("en", "de"))
        if q["source"] == "press":
            kept += [item] * PRESS
        elif q["source"] == "nq":
            kept.append(item)
        elif q["source"] in ("squad", "es"):
            if item["answer"] is None or rng.random() < (SQUAD if q["source"] == "squad" else SPANISH):
                kept.append(item)
        elif all(ours):
            kept.append(item)
        else:
            (half if any(ours) else other).append(item)
    return kept + rng.sample(half, HALF) + rng.sample(other, OTHER)


def examples(data: Item, epoch: int) -> list[list[Item]]:
    """Groups: a question with one or two passages; each passage's sentences, which are right, which do not count."""
    rng = random.Random(2000 + epoch)
    groups = []
    for item in epoch_items(data, epoch):
        question = data["questions"][item["q"]]["toks"]
        shown: list[tuple[int, list[int], list[int]]] = []
        if item["answer"] is None:
            shown.append((rng.choice(item["mine"][:3]), [], []))
            if item["hard"] and rng.random() < 0.3:
                shown.append((rng.choice(item["hard"][:4]), [], []))
        else:
            if rng.random() > NEGATIVE_ONLY:
                p = rng.choice(list(item["gold"]))
                shown.append((p, item["gold"][p], item["masked"].get(p, [])))
            if item["hard"]:
                hard = item["hard"][min(int(rng.expovariate(0.6)), len(item["hard"]) - 1)]
                shown.append((hard, [], []))
        group = []
        for p, right, masked in shown:
            passage = data["passages"][p]
            context = passage["context_toks"] if rng.random() < CONTEXT else []
            ids, spans = sequence(question, data["prefix"], passage["toks"], context)
            group.append({"ids": ids, "spans": spans, "right": right, "masked": masked})
        if group:
            groups.append(group)
    return groups


def batches(groups: list[list[Item]], epoch: int) -> list[list[list[Item]]]:
    """Batches of about one length, in random order."""
    rng = random.Random(3000 + epoch)
    size = {id(group): max(len(example["ids"]) for example in group) for group in groups}
    rng.shuffle(groups)
    made = []
    for start in range(0, len(groups), QUESTIONS * 50):
        batch: list[list[Item]] = []
        count = longest = 0
        for group in sorted(groups[start : start + QUESTIONS * 50], key=lambda group: size[id(group)]):
            longest = max(longest, size[id(group)])
            if batch and (len(batch) >= QUESTIONS or longest * (count + len(group)) > TOKENS):
                made.append(batch)
                batch, count, longest = [], 0, size[id(group)]
            batch.append(group)
            count += len(group)
        made.append(batch)
    rng.shuffle(made)
    return made


def loss_of(
    model: Ranker, batch: list[list[Item]], pieces: WordPieces, device: str, dtype: torch.dtype
) -> tuple[Tensor, int, int]:
    """The loss, how many questions have a right sentence first, and how many have one."""
    flat = [(example, number) for number, group in enumerate(batch) for example in group]
    x, mask, pool, there = (part.to(device) for part in collate([(e["ids"], e["spans"]) for e, _ in flat], pieces))
    scores, null = model.score(model.encode(x, mask, dtype), pool)
    right, counts = torch.zeros_like(there), there.clone()
    for row, (example, _) in enumerate(flat):
        for s in example["right"]:
            right[row, s] = there[row, s]
        for s in example["masked"]:
            counts[row, s] = False
    scores = scores.masked_fill(~counts, -1e4)
    target = torch.cat([right, ~right.any(1)[:, None]], 1)
    logp = functional.log_softmax(torch.cat([scores, null[:, None]], 1), 1)
    loss = -torch.logsumexp(logp.masked_fill(~target, -1e4), 1).mean()
    owner = torch.tensor([number for _, number in flat], device=device)
    joint, hits = [], 0
    for number in range(len(batch)):
        rows = owner == number
        if right[rows].any():
            mine, goal = scores[rows].reshape(-1), right[rows].reshape(-1)
            joint.append(torch.logsumexp(mine, 0) - torch.logsumexp(mine[goal], 0))
            hits += bool(goal[mine.argmax()])
    if joint:
        loss = loss + 0.5 * torch.stack(joint).mean()
    return loss, hits, len(joint)


def develop(
    model: Ranker, data: Item, cases: list[Item], pieces: WordPieces, device: str, dtype: torch.dtype
) -> dict[str, dict[str, float]]:
    """Per kind of case: how often a right sentence is first, by its cosine and by the model, and the AUROC of the best
    score less that of "none", with the passage that answers and without it."""
    model.eval()
    rows: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        item = case["item"]
        question = data["questions"][item["q"]]["toks"]
        x, mask, pool, _ = (
            part.to(device)
            for part in collate(
                [sequence(question, data["prefix"], data["passages"][p]["toks"]) for p in case["shown"]], pieces
            )
        )
        with torch.inference_mode():
            scores, null = (part.cpu().numpy() for part in model.score(model.encode(x, mask, dtype), pool))
        flat, right, best, rest = [], [], [-20.0], [-20.0]
        for row, p in enumerate(case["shown"]):
            own = scores[row, : len(data["passages"][p]["toks"])]
            flat += own.tolist()
            right += [i in item["gold"].get(p, []) or i in item["masked"].get(p, []) for i in range(len(own))]
            (best if p in item["gold"] else rest).append(float((own - null[row]).max()))
        for name in (case["pair"], "all"):
            r = rows[name]
            r["cosine"].append(right[int(np.argmax(case["dense"]))])
            r["model"].append(right[int(np.argmax(flat))])
            r["with"].append(max(best + rest))
            r["without"].append(max(rest))
    model.train()
    return {
        name: {
            "cosine": round(float(np.mean(r["cosine"])), 3),
            "first": round(float(np.mean(r["model"])), 3),
            "auroc": auroc(r["with"], r["without"]),
        }
        for name, r in sorted(rows.items())
    }


def parameters(model: Ranker) -> list[Item]:
    named = list(model.named_parameters())
    layers = [(name, p) for name, p in named if name.startswith("layers")]
    return [
        {"params": [p for _, p in layers if p.dim() > 1], "base": RATE, "weight_decay": 0.01},
        {"params": [p for _, p in layers if p.dim() < 2], "base": RATE, "weight_decay": 0.0},
        {"params": [p for name, p in named if not name.startswith("layers")], "base": HEAD_RATE, "weight_decay": 0.0},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--float32", action="store_true", help="where bfloat16 is slower")
    options = parser.parse_args()
    device, dtype = options.device, torch.float32 if options.float32 else torch.bfloat16
    torch.manual_seed(5)
    data = pickle.loads((options.work / "data.pickle").read_bytes())
    cases = pickle.loads((options.work / "development.pickle").read_bytes())
    pieces = backbone.pieces()
    model = from_bert(bert(pieces), dropout=0.1).train().to(device)
    optimizer = torch.optim.AdamW(parameters(model), lr=RATE, betas=(0.9, 0.98))
    step, last = 0, options.work / "last.pt"
    if last.exists():
        kept = torch.load(last, weights_only=False)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        step = kept["step"]
    plan = [len(batches(examples(data, epoch), epoch)) for epoch in range(options.epochs)]
    total, saved, window = sum(plan), time.time(), list[tuple[float, int, int]]()
    for epoch in range(options.epochs):
        begun = sum(plan[:epoch])
        if step >= begun + plan[epoch]:
            continue
        for batch in batches(examples(data, epoch), epoch)[step - begun :]:
            factor = min(1.0, (step + 1) / WARM) * max(0.02, 1 - max(step - WARM, 0) / (total - WARM))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            loss, hits, asked = loss_of(model, batch, pieces, device, dtype)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            window.append((float(loss), hits, asked))
            if time.time() - saved > MINUTES * 60 or step == total:
                part = last.with_suffix(".part")
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, part)
                part.replace(last)
                recent = np.array(window[-200:])
                line = {
                    "step": step, "of": total, "loss": round(recent[:, 0].mean(), 3),
                    "first": round(recent[:, 1].sum() / recent[:, 2].sum(), 3),
                    "development": develop(model, data, cases, pieces, device, dtype),
                }  # fmt: skip
                with (options.work / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)
                saved = time.time()


if __name__ == "__main__":
    main()
