"""Fit the reader's weights and print cross-validated figures.

    python benchmarks/fit_reader.py DATA [--write] [--keep FOLDER]

DATA is as in `xquad.py`; the data is CC BY-SA 4.0 (XQuAD: Artetxe, Ruder, Yogatama 2020). Every question is asked of
three archives (English, German, both), and the questions of `starter.jsonl` of the starter corpus. The ranking is a
conditional logit: the log-probability that the softmax over all sentences read gives to those that hold the answer.
Whether the archive answers is a logistic regression over questions as they are, with their topic left out, with their
paragraph left out, and with another name in place of theirs; whether the first sentence is right, another over those
that can be answered. All are fitted for a question in the sentence's language and for crossing over. Probabilities
assume two answerable questions to one that is not. Cross-validation is by topic, six folds. `--write` stores the
weights in the package; `--keep` keeps the archives.
"""

from __future__ import annotations

import argparse
import json
import operator
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import xquad

import rag.retrieve
from rag import Assistant
from rag.index import Index
from rag.reader import (
    _WEIGHTS,
    EVIDENCE,
    FEATURES,
    Reading,
    evidence,
    sentence_features,
)
from rag.retrieve import Candidate, Filter, Question, retrieve, understand

FOLDS = 6
READ = 8
STRANGERS = ("Ada Lovelace", "Orlin Vandermeij", "Tessa Quarrick", "Joost Abendrot", "Halvorsen", "Mirabel Okonta")


@dataclass(slots=True)
class Case:
    """One question against one archive: its candidates, the features of their sentences, which of them are right."""

    kind: str
    pair: str
    fold: int
    question: Question
    candidates: list[Candidate]
    rows: np.ndarray
    right: np.ndarray
    weight: float = 1.0
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))


Allowed = Callable[[tuple[int, str]], bool]
# A case, whether its first sentence is right, whether one of three is, and what `rag.reader.judge` says of it.
Outcome = tuple[Case, bool, bool, float, float]


def cases(assistant: Assistant, data: xquad.Data, archive: str, rng: random.Random) -> list[Case]:
    catalog, index, embedder = assistant._open()
    rag.retrieve.CANDIDATES = 24  # enough to leave a whole topic out and still have passages to read
    topics = sorted(set(data.topics))
    made = []
    vectors: dict[str, np.ndarray] = {}
    for item in data.questions:
        for language, text in item.texts.items():
            place, topic = item.paragraph, data.topics[item.paragraph]
            variants: list[tuple[str, str, Allowed]] = [("answerable", text, lambda at: True)]
            if archive == "mixed":
                # One language's version of the paragraph is left out, so that the question may have to cross over.
                left_out = (place, rng.choice(xquad.TEXT_LANGUAGES))
                variants = [("answerable", text, partial(operator.ne, left_out))]
            variants.append(("topic absent", text, partial(is_of_another_topic, data, topic)))
            variants.append(("paragraph absent", text, partial(is_another_paragraph, place)))
            for kind, asked, allowed in variants:
                question = understand(asked, index)
                if kind == "topic absent" and question.names and rng.random() < 0.5:
                    name = max(question.names, key=lambda name: len(name.text))
                    stranger = understand(asked.replace(name.text, rng.choice(STRANGERS)), index)
                    if stranger.unknown:
                        kind, question, allowed = "stranger", stranger, lambda at: True
                if question.text not in vectors:
                    vectors[question.text] = embedder.embed_queries([question.text])[0]
                vector = vectors[question.text]
                found = retrieve(question, vector, catalog=catalog, index=index, filter=Filter(), limit=120)
                kept = [c for c in found if allowed(where(c))][:READ]
                if not kept:
                    continue
                rows = np.vstack([sentence_features(question, c, index=index) for c in kept])
                right = np.array([answers(item, c, at) for c in kept for at in range(len(c.sentence_cosines))])
                if kind != "answerable":
                    right[:] = False
                pair = f"{language} → {archive}"
                made.append(Case(kind, pair, topics.index(topic) % FOLDS, question, kept, rows, right))
    return made


def is_of_another_topic(data: xquad.Data, topic: str, at: tuple[int, str]) -> bool:
    return data.topics[at[0]] != topic


def is_another_paragraph(place: int, at: tuple[int, str]) -> bool:
    return at[0] != place


def starter_cases(assistant: Assistant, data: xquad.Data, rng: random.Random) -> list[Case]:
    """The questions of `starter.jsonl` against the starter corpus, its answers left out, and XQuAD's as strangers."""
    catalog, index, embedder = assistant._open()
    rag.retrieve.CANDIDATES = 24
    lines = (Path(__file__).with_name("starter.jsonl")).read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    kinds = {"near miss": "paragraph absent", "unknown person": "stranger"}
    listed: list[tuple[str, str, str, int, list[str]]] = []
    for item in items:
        fold = int(item.get("fact", item["id"])[1:3]) % FOLDS
        if item["quotes"]:
            listed.append(("answerable", item["language"], item["question"], fold, item["quotes"]))
            listed.append(("paragraph absent", item["language"], item["question"], fold, item["quotes"]))
        else:
            listed.append((kinds.get(item["kind"], "topic absent"), item["language"], item["question"], fold, []))
    for number, other in enumerate(rng.sample(data.questions, 120)):
        for language, text in other.texts.items():
            listed.append(("topic absent", language, text, number % FOLDS, []))
    made = []
    for kind, language, text, fold, quotes in listed:
        question = understand(text, index)
        vector = embedder.embed_queries([question.text])[0]
        found = retrieve(question, vector, catalog=catalog, index=index, filter=Filter(), limit=60)
        if kind == "paragraph absent":
            found = [c for c in found if not holds(c.stored.passage.text, quotes)]
        kept = found[:READ]
        rows = np.vstack([sentence_features(question, c, index=index) for c in kept])
        right = np.array(
            [
                kind == "answerable" and holds(c.stored.passage.article.text[s.start : s.end], quotes)
                for c in kept
                for s in c.stored.passage.sentences
            ]
        )
        made.append(Case(kind, f"{language} → starter", fold, question, kept, rows, right, weight=STARTER_WEIGHT))
    return made


def holds(text: str, quotes: list[str]) -> bool:
    return any(" ".join(quote.split()) in " ".join(text.split()) for quote in quotes)


def where(candidate: Candidate) -> tuple[int, str]:
    article = candidate.stored.passage.article
    return xquad.position(article.path), article.language or ""


def answers(item: xquad.Asked, candidate: Candidate, at: int) -> bool:
    article = candidate.stored.passage.article
    sentence = candidate.stored.passage.sentences[at]
    return xquad.position(article.path) == item.paragraph and (
        item.answers[article.language or ""] in article.text[sentence.start : sentence.end]
    )


def split_columns(rows: np.ndarray) -> np.ndarray:
    """Every feature twice: for a question in the sentence's language, and for one that crosses over."""
    same = rows[:, [FEATURES.index("same_language")]]
    return np.hstack([rows * same, rows * (1 - same), same])


def fit_ranking(train: list[Case], l2: float = 0.003) -> np.ndarray:
    """Weights (2 * len(FEATURES) + 1,) of a conditional logit."""
    usable = [case for case in train if case.right.any()]
    matrix = np.concatenate([split_columns(case.rows) for case in usable])
    weight = np.array([case.weight for case in usable])
    weight /= weight.sum()
    right = np.concatenate([case.right for case in usable]).astype(float)
    starts = np.cumsum([0] + [len(case.right) for case in usable])[:-1]
    group = np.repeat(np.arange(len(usable)), [len(case.right) for case in usable])
    scale = matrix.std(axis=0) + 1e-9
    scaled = matrix / scale

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = scaled @ w
        score -= np.maximum.reduceat(score, starts)[group]
        odds = np.exp(score)
        share = odds / np.add.reduceat(odds, starts)[group]
        held = np.add.reduceat(share * right, starts)
        gradient = scaled.T @ (weight[group] * (share - share * right / held[group]))
        return -weight @ np.log(held) + l2 * w @ w, gradient + 2 * l2 * w

    fitted: np.ndarray = minimize(loss, np.zeros(matrix.shape[1]), jac=True, method="L-BFGS-B").x / scale
    return fitted


def ranked(case: Case, w: np.ndarray, index: Index) -> list[Reading]:
    """What `rag.reader.read` returns, with these weights."""
    scores = split_columns(case.rows) @ w
    owners = [(c, at) for c in case.candidates for at in range(len(c.sentence_cosines))]
    odds = np.exp(scores - scores.max())
    order = np.argsort(-scores)
    return [Reading(owners[i][0], owners[i][1], float(scores[i]), float(odds[i] / odds.sum())) for i in order]


def fit_logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, l2: float = 1e-3) -> tuple[np.ndarray, float]:
    """A logistic regression in which no piece of evidence may count against what it says."""
    scale = x.std(axis=0) + 1e-9
    centre = x.mean(axis=0)
    scaled = (x - centre) / scale
    sign = np.where(y, 1.0, -1.0)
    share = weight / weight.sum()

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (scaled @ w[:-1] + w[-1])
        slope = -sign * share / (1 + np.exp(margin))
        gradient = np.append(scaled.T @ slope + 2 * l2 * w[:-1], slope.sum())
        return share @ np.logaddexp(0, -margin) + l2 * w[:-1] @ w[:-1], gradient

    bounds = [(None, 0) if name in AGAINST else (0, None) for name in EVIDENCE] + [(None, None)]
    fitted = minimize(loss, np.zeros(len(EVIDENCE) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    coefficients = fitted[:-1] / scale
    return coefficients, float(fitted[-1] - coefficients @ centre)


KIND_WEIGHT = {"answerable": 1.0, "topic absent": 1.0, "paragraph absent": 0.3, "stranger": 0.6}
# Shares of the answerable questions that may be refused, and the confidence below which nothing is quoted.
LOST = {"same": 0.05, "cross": 0.06}
FLOOR = 0.1
AGAINST = ("names_unknown", "asked_not_given", "words_unknown")  # evidence that there is no answer
STARTER_WEIGHT = 3.0  # its questions are fewer, and nearer to what is asked of a press archive
PRIOR = 2.0  # answerable questions to one that is not


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the archives are kept for the next run")
    options = parser.parse_args()
    data = xquad.load(options.data)
    rng = random.Random(7)
    every: list[Case] = []
    indexes: dict[str, Index] = {}
    keep = options.keep or Path(tempfile.mkdtemp())
    for archive in ("en", "de", "mixed"):
        assistant = xquad.opened(data, archive, keep)
        every += cases(assistant, data, archive, rng)
        indexes[archive] = assistant._open()[1]
        print(archive, len(every), file=sys.stderr, flush=True)

    assistant = Assistant(corpus=Path(__file__).resolve().parent.parent / "corpus", index=keep / "starter")
    assistant.sync()
    every += starter_cases(assistant, data, rng)
    indexes["starter"] = assistant._open()[1]

    def of(case: Case) -> Index:
        return indexes[case.pair.rsplit(" ", 1)[1]]

    outcomes: list[Outcome] = []
    for fold in range(FOLDS):
        w = fit_ranking([case for case in every if case.fold != fold and case.kind == "answerable"])
        models = judgement_models([case for case in every if case.fold != fold], w, of)
        for case in every:
            if case.fold == fold:
                readings = ranked(case, w, of(case))
                at = np.argsort(-(split_columns(case.rows) @ w))
                first, three = bool(case.right[at[0]]), bool(case.right[at[:3]].any())
                outcomes.append((case, first, three, *sure(case, readings, models, of)))
    report(outcomes)

    w = fit_ranking([case for case in every if case.kind == "answerable"])
    models = judgement_models(every, w, of)
    count = len(FEATURES)
    same, cross = w[:count].copy(), w[count : 2 * count]
    same[FEATURES.index("same_language")] += w[-1]
    stored: dict[str, Any] = {
        "made_by": "python benchmarks/fit_reader.py DATA --write",
        "data": "XQuAD (Artetxe, Ruder, Yogatama 2020), first 24 articles, en and de, with Dutch questions of our own; "
        "benchmarks/starter.jsonl on the starter corpus",
        "licence": "CC BY-SA 4.0",
        "ranking": {name: named(FEATURES, part) for name, part in (("same", same), ("cross", cross))},
        **{
            model: {
                name: {**named(EVIDENCE, coefficients), "constant": round(constant, 4)}
                for name, (coefficients, constant) in pairs.items()
            }
            for model, pairs in models.items()
        },
        "threshold": {"same": threshold(outcomes, "same"), "cross": threshold(outcomes, "cross"), "confidence": FLOOR},
    }
    print(json.dumps(stored, indent=1))
    if options.write:
        _WEIGHTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def named(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}


Model = tuple[np.ndarray, float]


def judgement_models(train: list[Case], w: np.ndarray, of: Any) -> dict[str, dict[str, Model]]:
    """The two logistic regressions of `rag.reader.judge`, within a language and across."""
    parts: dict[str, list[tuple[np.ndarray, bool, bool, float]]] = {"same": [], "cross": []}
    for case in train:
        readings = ranked(case, w, of(case))
        first = np.argmax(split_columns(case.rows) @ w)
        told = evidence(case.question, readings, index=of(case))
        name = "same" if readings[0].candidate.same_language else "cross"
        parts[name].append(
            (told, case.kind == "answerable", bool(case.right[first]), KIND_WEIGHT[case.kind] * case.weight)
        )
    models: dict[str, dict[str, Model]] = {"answerable": {}, "right": {}}
    for name, rows in parts.items():
        told, answerable, right, weight = (np.array(column) for column in zip(*rows, strict=True))
        coefficients, constant = fit_logistic(told, answerable, weight)
        odds = weight[answerable].sum() / weight[~answerable].sum()
        models["answerable"][name] = coefficients, constant + float(np.log(PRIOR / odds))
        models["right"][name] = fit_logistic(told[answerable], right[answerable], weight[answerable])
    return models


def sure(case: Case, readings: list[Reading], models: dict[str, dict[str, Model]], of: Any) -> tuple[float, float]:
    """(answerable, confidence), as `rag.reader.judge` gives them with these weights."""
    told = evidence(case.question, readings, index=of(case))
    name = "same" if readings[0].candidate.same_language else "cross"
    answerable, right = (
        1 / (1 + np.exp(-(told @ models[model][name][0] + models[model][name][1]))) for model in ("answerable", "right")
    )
    return float(answerable), float(answerable * right)


def report(outcomes: list[Outcome]) -> None:
    print("pair             first  three | AUROC absent, paragraph, stranger | refused at 8 % lost | calibration error")
    for pair in dict.fromkeys(case.pair for case, *_ in outcomes):
        mine = [item for item in outcomes if item[0].pair == pair]
        by = {kind: [item for item in mine if item[0].kind == kind] for kind in KIND_WEIGHT}
        asked, absent = by["answerable"], by["topic absent"] + by["stranger"]
        rates = [xquad.auroc([i[4] for i in asked], [i[4] for i in by[kind]]) for kind in list(KIND_WEIGHT)[1:]]
        lost = float(np.quantile([item[3] for item in asked], 0.08))
        refused = [round(float(np.mean([i[3] < lost for i in by[kind]])), 3) for kind in ("topic absent", "stranger")]
        weighted = asked * round(PRIOR) + absent
        error = xquad.calibration_error([item[4] for item in weighted], [bool(item[1]) for item in weighted])
        first, three = (np.mean([item[i] for item in asked]) for i in (1, 2))
        print(f"{pair:16} {first:.3f}  {three:.3f} | {rates} | {refused} | {error}")


def threshold(outcomes: list[Outcome], name: str) -> float:
    """The probability at which no more than `LOST` of the answerable questions are refused."""
    mine = [
        item[3]
        for item in outcomes
        if item[0].kind == "answerable" and ("same" if item[0].candidates[0].same_language else "cross") == name
    ]
    return round(float(np.quantile(mine, LOST[name])), 3)


if __name__ == "__main__":
    main()
