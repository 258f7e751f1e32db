"""What the evidence of a check is worth: a logistic regression over the model's logit and the comparison of names.

    python training/fit_check.py [--write]

Fitted on what of `benchmarks/statements/seen.jsonl` has no wrong number, date or speaker, since that is struck anyway;
the figures it prints, and the threshold, are cross-validated by passage.
No weight may speak for a statement because something in it is wrong. `--write` puts the weights into the package.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import backbone
from pairs import EXACT, OTHER, Pair, load

from rag import check
from rag.entail import Entailment
from rag.facts import Facts, compare

HERE = Path(__file__).resolve().parent
SEEN = HERE.parent / "benchmarks" / "statements" / "seen.jsonl"
NAMES = tuple(check.vector(Facts(), 0.0, same=True))
AGAINST = frozenset(NAMES) - {"logit", "same"}  # their weights may not be above 0
SMOOTH = 0.002  # of the squared weights
STRUCK = 0.14  # of the supported statements: rather a true one too few than a false one shown
FOLDS = 9
Floats = npt.NDArray[np.float64]


def features(pairs: Sequence[Pair], model: Entailment) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(n, features), in the order of NAMES, and (n,) whether a number, a date or a speaker is wrong."""
    rows, wrong = [], []
    for pair in pairs:
        facts = compare(pair.text, pair.language, pair.evidence)
        same = pair.language == pair.evidence.article.language
        rows.append(list(check.vector(facts, model.logit(pair.text, pair.evidence), same=same).values()))
        wrong.append(facts.wrong)
    return np.array(rows), np.array(wrong)


def fit(x: Floats, y: npt.NDArray[np.bool_]) -> Floats:
    """Weights and, last, the constant: each class counts as much as the other."""
    weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w[:-1] + w[-1]
        p = 1 / (1 + np.exp(-z))
        value = float((weight * (np.logaddexp(0, z) - y * z)).mean() + SMOOTH * (w[:-1] ** 2).sum() / 2)
        slope = weight * (p - y) / len(y)
        return value, np.append(x.T @ slope + SMOOTH * w[:-1], slope.sum())

    bounds = [(0, None) if name == "logit" else (None, 0) if name in AGAINST else (None, None) for name in NAMES]
    start = np.zeros(len(NAMES) + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]).x)


def probabilities(x: Floats, w: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(x @ w[:-1] + w[-1]))))


def table(pairs: Sequence[Pair], p: Floats, threshold: float) -> str:
    """What is struck, by kind, by language of the statement and in all."""
    kinds = np.array([pair.kind for pair in pairs])
    languages = np.array([pair.language for pair in pairs])
    struck = p < threshold

    def share(which: npt.NDArray[np.bool_]) -> str:
        return f"{struck[which].mean():.3f} ({which.sum()})" if which.any() else "-"

    lines = ["| statements | supported struck | exact caught | others caught |", "| --- | --- | --- | --- |"]
    for name, of in [("all", languages != ""), *((code, languages == code) for code in ("en", "nl", "de"))]:
        groups = (kinds == "supported", np.isin(kinds, EXACT), np.isin(kinds, OTHER))
        lines.append(f"| {name} | {' | '.join(share(of & group) for group in groups)} |")
    lines.append("")
    lines += [f"{kind}: {share(kinds == kind)}" for kind in (*EXACT, *OTHER)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pairs = load([SEEN])
    x, wrong = features(pairs, Entailment(backbone.pieces()))
    y = np.array([pair.kind == "supported" for pair in pairs])
    passages = sorted({pair.passage for pair in pairs})
    fold = np.array([passages.index(pair.passage) % FOLDS for pair in pairs])
    p = np.zeros(len(y))
    for number in range(FOLDS):
        mine, rest = (fold == number) & ~wrong, (fold != number) & ~wrong
        p[mine] = probabilities(x[mine], fit(x[rest], y[rest]))
    # As high as it can be for that share: nothing is gained below the first statement that stands.
    threshold = float(np.sort(p[y])[round(STRUCK * y.sum())]) - 1e-3
    print(table(pairs, p, threshold))
    w = fit(x[~wrong], y[~wrong])
    found: dict[str, Any] = {
        "weights": {name: round(float(value), 4) for name, value in zip(NAMES, w, strict=False)},
        "constant": round(float(w[-1]), 4),
        "threshold": round(threshold, 4),
    }
    print(json.dumps(found, indent=2))
    if options.write:
        path = HERE.parent / "rag" / "check_weights.json"
        path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
