"""Fit the reader's weights and print cross-validated figures.

    python training/fit_reader.py DATA [--write] [--keep FOLDER]

DATA is as in `benchmarks/xquad.py`; the data is CC BY-SA 4.0 (XQuAD: Artetxe, Ruder, Yogatama 2020). Only development
articles are used: those of XQuAD and of `articles/` that the cross-encoder was not trained on (`split.json`), asked of
archives that hold all articles. Every question is asked of three archives of XQuAD's paragraphs (English, German, both)
or of one of our own articles (all three languages).

The ranking is a conditional logit: the log-probability that the softmax over all sentences read gives to those that
hold the answer. Whether the archive answers is a logistic regression over questions as they are, with their topic or
only their passage left out, with another name in place of theirs, near misses, questions about something else and
noise, some of them asked of eight articles; whether the first sentence is right, another over those that can be
answered. All are fitted for a question in the sentence's language and for crossing over, with the cross-encoder and
without. Probabilities assume three answerable questions to one that is not. Cross-validation is by article, six folds.

The threshold is where answering and refusing cost the same: an answer to a question that has none costs three refusals
of one that has, and of sixteen questions that people ask an archive fifteen are taken to have one. `--write` stores the
weights in the package; `--keep` keeps archives and what was read of them.
"""

from __future__ import annotations

import argparse
import json
import pickle
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
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import press
import xquad

import rag.retrieve
from rag import Assistant
from rag.figures import auroc, calibration_error
from rag.index import Index
from rag.reader import _WEIGHTS, EVIDENCE, FEATURES, WITH, WITHOUT, Reading, evidence, sentence_features, shared
from rag.rerank import Relevance, Reranker, open_reranker
from rag.retrieve import Candidate, Filter, Question, retrieve, understand

HERE = Path(__file__).resolve().parent

FOLDS = 6
READ = 12  # passages, as in rag/assistant.py
KINDS = ("answerable", "topic absent", "paragraph absent", "near miss", "stranger", "noise")
STRANGERS = ("Ada Lovelace", "Orlin Vandermeij", "Tessa Quarrick", "Joost Abendrot", "Halvorsen", "Mirabel Okonta")
NOISE = (
    "asdf jkl", "hallo daar", "test", "xkcd qwop zzt", "wat is dat", "und dann", "the of and", "lorem ipsum dolor",
    "please help me", "ja aber warum", "vertel eens iets", "guten morgen zusammen", "12 34 56", "how about it then",
    "was meinst du", "doe maar", "blub blub", "what else", "en nu", "sdkfjh sdkjfh skdjfh",
)  # fmt: skip


@dataclass(slots=True)
class Case:
    """One question of one archive: its candidates, their sentences' features, which of them are right."""

    kind: str
    pair: str
    archive: str
    fold: int
    question: Question
    candidates: list[Candidate]
    relevance: list[Relevance]
    rows: np.ndarray
    right: np.ndarray
    readings: list[Reading] = field(default_factory=list)


Right = Callable[[Candidate, int], bool]


class Collector:
    """Asks questions of one archive and keeps what came, reading every passage once a question."""

    def __init__(self, archive: str, assistant: Assistant, reranker: Reranker) -> None:
        self.archive, self.reranker = archive, reranker
        self.catalog, self.index, self.embedder = assistant._open()
        self.cases: list[Case] = []
        self._read: dict[tuple[str, str], Relevance] = {}
        self._vectors: dict[str, np.ndarray] = {}

    def ask(
        self, kind: str, pair: str, fold: int, text: str, right: Right | None, leave_out: Right | None = None,
        only: frozenset[str] | None = None,
    ) -> None:  # fmt: skip
        """`leave_out` says of a sentence whether its passage is; `only` names the sources that may answer."""
        question = understand(text, self.index)
        if question.text not in self._vectors:
            self._vectors[question.text] = self.embedder.embed_queries([question.text])[0]
        found = retrieve(
            question, self._vectors[question.text], catalog=self.catalog, index=self.index,
            filter=Filter(sources=only), limit=120,
        )  # fmt: skip
        if leave_out:
            found = [c for c in found if not any(leave_out(c, at) for at in range(len(c.sentence_cosines)))]
        found = found[:READ]
        if not found:
            return
        missing = [c for c in found if (question.text, c.stored.id) not in self._read]
        scores = self.reranker.scores(question.text, [c.stored.passage for c in missing])
        self._read.update({(question.text, c.stored.id): s for c, s in zip(missing, scores, strict=True)})
        relevance = [self._read[question.text, c.stored.id] for c in found]
        rows = np.vstack(
            [sentence_features(question, c, r, index=self.index) for c, r in zip(found, relevance, strict=True)]
        )
        held = [right is not None and right(c, at) for c in found for at in range(len(c.sentence_cosines))]
        self.cases.append(Case(kind, pair, self.archive, fold, question, found, relevance, rows, np.array(held)))


def sentences_of(candidate: Candidate) -> list[str]:
    text = candidate.stored.passage.article.text
    return [text[s.start : s.end] for s in candidate.stored.passage.sentences]


def xquad_cases(data: xquad.Data, held: list[str], archive: str, collector: Collector, rng: random.Random) -> None:
    everything = [xquad.source(data, at) for at in range(len(data.topics))]
    for item in data.questions:
        place, topic = item.paragraph, data.topics[item.paragraph]
        if topic not in held:
            continue
        fold = held.index(topic) % FOLDS
        for language, text in item.texts.items():
            if rng.random() < 0.5:  # half of them in each archive: reading takes long
                continue
            right = partial(answers, item)
            texts = rng.choice(xquad.TEXT_LANGUAGES) if archive == "mixed" else archive
            # In the mixed archive every second question finds its answer twice; for the others one version is left out,
            # so that they may have to cross over.
            twice = archive == "mixed" and rng.random() < 0.5
            other = partial(is_version, place, texts) if archive == "mixed" and not twice else None
            pair = f"{language} → {language if twice and language != 'nl' else texts}"
            ask = partial(collector.ask, pair=pair, fold=fold)
            ask("answerable", text=text, right=right, leave_out=other)
            ask("topic absent", text=text, right=None, leave_out=partial(is_of_topic, data, topic))
            ask("paragraph absent", text=text, right=None, leave_out=partial(is_paragraph, place))
            names = understand(text, collector.index).names
            if names and rng.random() < 0.5:
                name = max(names, key=lambda name: len(name.text)).text
                if (asked := text.replace(name, rng.choice(STRANGERS))) != text:
                    ask("stranger", text=asked, right=None)
            if rng.random() < 0.3:
                few = rng.sample(everything, 7)
                ask("answerable", text=text, right=right, only=frozenset([*few, xquad.source(data, place)]))
                ask(
                    "topic absent",
                    text=text,
                    right=None,
                    leave_out=partial(is_of_topic, data, topic),
                    only=frozenset(few),
                )


def press_cases(written: list[press.Written], collector: Collector, rng: random.Random) -> None:
    sources = [press.source(item) for item in written]
    for fold, item in enumerate(article for article in written if article.side == "dev"):
        for fact in item.facts:
            for language, text in fact.questions.items():
                ask = partial(collector.ask, pair=f"{language} → {item.language}", fold=fold % FOLDS, text=text)
                right = partial(holds, item.key, fact.answers)
                ask("answerable", right=right)
                if rng.random() < 0.5:
                    ask("topic absent", right=None, leave_out=partial(is_of_article, item.key))
                else:
                    ask("paragraph absent", right=None, leave_out=right)
                if rng.random() < 0.3:
                    few = rng.sample(sources, 5)
                    ask("answerable", right=right, only=frozenset([*few, press.source(item)]))
                    ask("topic absent", right=None, leave_out=partial(is_of_article, item.key), only=frozenset(few))
        for miss in item.near_misses:
            for language, text in miss.items():
                collector.ask("near miss", f"{language} → {item.language}", fold % FOLDS, text, None)


def elsewhere(questions: list[tuple[str, str]], collector: Collector, languages: list[str], rng: random.Random) -> None:
    """Questions about something else, and noise."""
    for number, (language, text) in enumerate(questions):
        collector.ask("topic absent", f"{language} → {rng.choice(languages)}", number % FOLDS, text, None)
    for number, text in enumerate(NOISE):
        collector.ask("noise", f"? → {rng.choice(languages)}", number % FOLDS, text, None)


def answers(item: xquad.Asked, candidate: Candidate, at: int) -> bool:
    article, sentence = candidate.stored.passage.article, candidate.stored.passage.sentences[at]
    return xquad.position(article.path) == item.paragraph and (
        item.answers[article.language or ""] in article.text[sentence.start : sentence.end]
    )


def is_paragraph(place: int, candidate: Candidate, at: int) -> bool:
    return xquad.position(candidate.stored.passage.article.path) == place


def is_version(place: int, language: str, candidate: Candidate, at: int) -> bool:
    return is_paragraph(place, candidate, at) and candidate.stored.passage.article.language != language


def is_of_topic(data: xquad.Data, topic: str, candidate: Candidate, at: int) -> bool:
    return data.topics[xquad.position(candidate.stored.passage.article.path)] == topic


def is_of_article(key: str, candidate: Candidate, at: int) -> bool:
    return candidate.stored.passage.article.path.startswith(key)


def holds(key: str, quotes: tuple[str, ...], candidate: Candidate, at: int) -> bool:
    return is_of_article(key, candidate, at) and any(quote in sentences_of(candidate)[at] for quote in quotes)


# --- fitting ----------------------------------------------------------------------------------------------------------

RELEVANCE = [FEATURES.index(name) for name in ("relevance", "relevance_over_none")]
SAME = FEATURES.index("same_language")


def columns(rows: np.ndarray, mode: str) -> np.ndarray:
    """Every feature twice: for a question in the sentence's language, and for one that crosses over."""
    if mode == WITHOUT:
        rows = rows.copy()
        rows[:, RELEVANCE] = 0
    same = rows[:, [SAME]]
    return np.hstack([rows * same, rows * (1 - same), same])


def fit_ranking(train: list[Case], mode: str, l2: float = 0.003) -> np.ndarray:
    """Weights (2 * len(FEATURES) + 1,) of a conditional logit."""
    usable = [case for case in train if case.right.any()]
    matrix = np.concatenate([columns(case.rows, mode) for case in usable])
    right = np.concatenate([case.right for case in usable]).astype(float)
    sizes = [len(case.right) for case in usable]
    starts = np.cumsum([0, *sizes])[:-1]
    group = np.repeat(np.arange(len(usable)), sizes)
    scale = matrix.std(axis=0) + 1e-9
    scaled = matrix / scale

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = scaled @ w
        score -= np.maximum.reduceat(score, starts)[group]
        odds = np.exp(score)
        share = odds / np.add.reduceat(odds, starts)[group]
        held = np.add.reduceat(share * right, starts)
        gradient = scaled.T @ (share - share * right / held[group]) / len(usable)
        return -np.log(held).mean() + l2 * w @ w, gradient + 2 * l2 * w

    fitted: np.ndarray = minimize(loss, np.zeros(matrix.shape[1]), jac=True, method="L-BFGS-B").x / scale
    return fitted


def read(case: Case, w: np.ndarray, mode: str) -> list[Reading]:
    """What `rag.reader.read` returns, with these weights."""
    scores = columns(case.rows, mode) @ w
    owners = [(c, at) for c in case.candidates for at in range(len(c.sentence_cosines))]
    told = case.rows[:, RELEVANCE] * (mode == WITH)
    return shared(
        [
            Reading(c, at, float(scores[i]), 0.0, float(told[i, 0]), float(told[i, 1]))
            for i, (c, at) in enumerate(owners)
        ]
    )


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


KIND_WEIGHT = {
    "answerable": 1.0,
    "topic absent": 0.6,
    "paragraph absent": 0.4,
    "near miss": 1.5,
    "stranger": 0.6,
    "noise": 1.0,
}
AGAINST = ("names_unknown", "asked_not_given", "words_unknown")  # evidence that there is no answer
PRIOR = 3.0  # answerable questions to one that is not, for the probabilities
WRONG, ASKED = 3.0, 15.0  # refusals that an answer to nothing costs; answerable questions to one that is not, as asked
THRESHOLD = WRONG * PRIOR / (WRONG * PRIOR + ASKED)
Model = tuple[np.ndarray, float]
Models = dict[str, dict[str, Model]]


def fit(train: list[Case], mode: str, indexes: dict[str, Index]) -> tuple[np.ndarray, Models]:
    """The ranking, and the two logistic regressions of `rag.reader.judge`, within a language and across."""
    w = fit_ranking([case for case in train if case.kind == "answerable"], mode)
    parts: dict[str, list[tuple[np.ndarray, bool, bool, float]]] = {"same": [], "cross": []}
    for case in train:
        readings = read(case, w, mode)
        told = evidence(case.question, readings, index=indexes[case.archive])
        answerable = bool(case.right.any())
        if case.kind == "answerable" and not answerable:
            continue  # retrieval missed it
        parts["same" if readings[0].candidate.same_language else "cross"].append(
            (told, answerable, is_right(case, readings[0]), KIND_WEIGHT[case.kind])
        )
    models: Models = {"answerable": {}, "right": {}}
    for name, rows in parts.items():
        x, able, correct, weight = (np.array(column) for column in zip(*rows, strict=True))
        coefficients, constant = fit_logistic(x, able, weight)
        odds = weight[able].sum() / weight[~able].sum()
        models["answerable"][name] = coefficients, constant + float(np.log(PRIOR / odds))
        models["right"][name] = fit_logistic(x[able], correct[able], weight[able])
    return w, models


def is_right(case: Case, reading: Reading) -> bool:
    at = 0
    for candidate in case.candidates:
        if candidate is reading.candidate:
            return bool(case.right[at + reading.position])
        at += len(candidate.sentence_cosines)
    raise AssertionError("a reading of another question")


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    same: bool
    first: bool
    three: bool
    answerable: float
    confidence: float


def outcome(case: Case, w: np.ndarray, models: Models, mode: str, index: Index) -> Outcome:
    readings = read(case, w, mode)
    told = evidence(case.question, readings, index=index)
    same = readings[0].candidate.same_language
    name = "same" if same else "cross"
    answerable, right = (
        float(1 / (1 + np.exp(-(told @ models[model][name][0] + models[model][name][1]))))
        for model in ("answerable", "right")
    )
    first, *rest = (is_right(case, reading) for reading in readings[:3])
    return Outcome(case, same, first, first or any(rest), answerable, answerable * right)


def report(outcomes: list[Outcome]) -> None:
    print(
        "pair             n    first  three | AUROC "
        + ", ".join(KINDS[1:])
        + " | refused, the answerable first | calibration error"
    )
    groups: dict[str, list[Outcome]] = {}
    for item in outcomes:
        language, _, text = item.case.pair.partition(" → ")
        style = "press" if item.case.archive == "press" else "xquad"
        for name in (f"{style} {item.case.pair}", f"{style} {'within' if language == text else 'across'}", style):
            if language != "?" or name == style:
                groups.setdefault(name, []).append(item)
    for name, mine in sorted(groups.items(), key=lambda pair: (pair[0].split()[0], "→" in pair[0], pair[0])):
        by = {kind: [item for item in mine if item.case.kind == kind] for kind in KINDS}
        asked = by["answerable"]
        rates = [
            round(auroc([i.confidence for i in asked], [i.confidence for i in by[kind]]), 3) if by[kind] else None
            for kind in KINDS[1:]
        ]
        refused = [
            round(float(np.mean([i.answerable < THRESHOLD for i in by[kind]])), 3) if by[kind] else None
            for kind in KINDS
        ]
        weighted = asked * 3 + some_without(by)
        error = round(calibration_error([i.confidence for i in weighted], [i.first for i in weighted]), 3)
        first, three = np.mean([i.first for i in asked]), np.mean([i.three for i in asked])
        print(f"{name:16} {len(asked):4} {first:.3f}  {three:.3f} | {rates} | {refused} | {error}")


def some_without(by: dict[str, list[Outcome]]) -> list[Outcome]:
    """As many unanswerable cases, of all kinds, as there are answerable ones."""
    rest = [item for kind in KINDS[1:] for item in by[kind]]
    return random.Random(1).sample(rest, min(len(rest), len(by["answerable"])))


def named(names: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True) if value}


def stored(w: np.ndarray, models: Models) -> dict[str, Any]:
    count = len(FEATURES)
    same, cross = w[:count].copy(), w[count : 2 * count]
    same[SAME] += w[-1]
    return {
        "ranking": {name: named(FEATURES, part) for name, part in (("same", same), ("cross", cross))},
        **{
            model: {
                name: {**named(EVIDENCE, coefficients), "constant": round(constant, 4)}
                for name, (coefficients, constant) in pairs.items()
            }
            for model, pairs in models.items()
        },
        "threshold": round(THRESHOLD, 3),
    }


def collect(data: xquad.Data, keep: Path) -> tuple[list[Case], dict[str, Index]]:
    rng = random.Random(7)
    rag.retrieve.CANDIDATES = 24  # enough to leave a whole topic out and still have passages to read
    held = json.loads((HERE / "split.json").read_text(encoding="utf-8"))["dev"]["xquad"]
    written = press.load()
    reranker = open_reranker("bundled")
    assert reranker is not None
    cases: list[Case] = []
    indexes: dict[str, Index] = {}
    strangers = [(lang, text) for q in rng.sample(data.questions, 50) for lang, text in q.texts.items()]
    ours = [
        (lang, text)
        for item in written
        if item.side == "dev"
        for fact in rng.sample(item.facts, 1)
        for lang, text in fact.questions.items()
    ]
    for archive in ("en", "de", "mixed", "press"):
        assistant = press.opened(written, keep) if archive == "press" else xquad.opened(data, archive, keep)
        collector = Collector(archive, assistant, reranker)
        if archive == "press":
            press_cases(written, collector, rng)
            elsewhere(strangers, collector, ["en", "de", "nl"], rng)
        else:
            xquad_cases(data, held, archive, collector, rng)
            elsewhere(ours, collector, [archive] if archive != "mixed" else ["en", "de"], rng)
        cases += collector.cases
        indexes[archive] = collector.index
        print(archive, len(cases), file=sys.stderr, flush=True)
    return cases, indexes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the archives are kept for the next run")
    options = parser.parse_args()
    data = xquad.load(options.data)
    keep = options.keep or Path(tempfile.mkdtemp())
    kept = keep / "cases.pickle"
    if kept.exists():
        cases = pickle.loads(kept.read_bytes())
        indexes = {
            name: (press.opened(press.load(), keep) if name == "press" else xquad.opened(data, name, keep))._open()[1]
            for name in ("en", "de", "mixed", "press")
        }
    else:
        cases, indexes = collect(data, keep)
        kept.write_bytes(pickle.dumps(cases))
    weights: dict[str, Any] = {
        "made_by": "python training/fit_reader.py DATA --write",
        "data": "development articles (training/split.json) of XQuAD (Artetxe, Ruder, Yogatama 2020), en and de, with "
        "Dutch questions of our own, and of our own articles",
        "licence": "CC BY-SA 4.0",
    }
    for mode in (WITHOUT, WITH):
        print(f"\n{mode}, cross-validated")
        outcomes: list[Outcome] = []
        for fold in range(FOLDS):
            w, models = fit([case for case in cases if case.fold != fold], mode, indexes)
            outcomes += [outcome(c, w, models, mode, indexes[c.archive]) for c in cases if c.fold == fold]
        report(outcomes)
        weights[mode] = stored(*fit(cases, mode, indexes))
    if options.write:
        _WEIGHTS.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
