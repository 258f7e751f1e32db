"""Fits the weights of the cleaner: `python benchmarks/fit_cleaning.py PAGES_DIR [--check]`.

PAGES_DIR holds `labels.jsonl` (per page a few texts to keep and to drop), `html/` and `text/`. The few hand-made
labels are joined by many weak ones: a line counts as article where trafilatura, reading the page's HTML, keeps it.
`--check` prints cross-validated figures (by page, and trained on one language for the other) and writes nothing.
Needs scikit-learn, which the product itself does not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trafilatura
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cleaning import dump

from rag import clean, furniture
from rag.records import Block, Extract
from rag.webpage import extract_html

WEIGHTS = Path(clean.__file__).with_name("clean_weights.json")
WRITTEN = Path(__file__).with_name("cleaning_lines.json")
WRITTEN_PAGES = 24
WRITTEN_WEIGHT = {"nl": 0.12}  # of a written line; no real page is Dutch
RETURNS = -3.0  # a line that stands in several articles: enough to drop a doubtful one, not a sentence that reads well
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Page:
    """One page in one form, with a weak or firm label for every line."""

    name: str
    language: str
    form: str
    blocks: tuple[Block, ...]
    lines: tuple[str, ...]
    labels: Floats
    weights: Floats
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


def fold(text: str) -> str:
    return " ".join(text.split())


def load(folder: Path) -> list[Page]:
    pages = []
    for record in map(json.loads, (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()):
        html = (folder / "html" / f"{record['page']}.html").read_bytes().decode("utf-8", "replace")
        plain = (folder / "text" / f"{record['page']}.txt").read_text(encoding="utf-8")
        outputs = [
            trafilatura.extract(html, include_comments=False, favor_precision=precision, favor_recall=recall) or ""
            for precision, recall in ((False, False), (True, False), (False, True))
        ]
        for form, extract in (
            ("text", dump(plain)),
            ("html", extract_html(html)),
            ("visible", extract_html(html, second_opinion=False)),
        ):
            pages.append(_labelled(record, form, extract, outputs))
    return pages


def _labelled(record: dict[str, Any], form: str, extract: Extract, outputs: Sequence[str]) -> Page:
    lines = tuple(fold(extract.text[block.start : block.end]) for block in extract.blocks)
    votes = np.array(
        [[_holds(line, output_lines, whole) for line in lines] for output_lines, whole in map(_parts, outputs)]
    )
    labels = votes[0].astype(float)
    weights = np.where(votes.all(axis=0) | ~votes.any(axis=0), 1.0, 0.4)
    blocks, extract_signs = extract.blocks, furniture.own_features(lines, extract.blocks, frozenset())
    keep, drop = [fold(text) for text in record["keep"]], [fold(text) for text in record["drop"]]
    for i, line in enumerate(lines):
        if any(text in line or (len(line) > 30 and line in text) for text in keep):
            labels[i], weights[i] = 1.0, 16.0
        elif any(text in line and (len(text) >= 12 or len(line) < 3 * len(text)) for text in drop):
            labels[i], weights[i] = 0.0, 16.0
        elif _sign(line, blocks[i], extract_signs[i]):
            labels[i], weights[i] = 0.0, 1.0
    weights /= max(len(lines), 30) ** 0.5
    return Page(
        record["page"], record["language"], form, extract.blocks, lines, labels, weights, tuple(keep), tuple(drop)
    )


def _sign(line: str, block: Block, features: Floats) -> bool:
    """Furniture beyond doubt, whatever trafilatura says of it."""
    sign = dict(zip(furniture.OWN, features, strict=True))
    short = len(line) < 200 and block.kind != "heading"
    return short and any(sign[name] > 0 for name in ("unmistakable", "label", "no_letters", "byline"))


def _parts(output: str) -> tuple[frozenset[str], str]:
    return frozenset(fold(line.lstrip("- ")) for line in output.splitlines()), fold(output)


def _holds(line: str, output_lines: frozenset[str], whole: str) -> bool:
    return (
        line in output_lines
        or (len(line) >= 40 and line in whole)
        or any(len(other) > 0.6 * len(line) and other in line for other in output_lines if len(other) >= 40)
    )


def augmented(pages: Iterable[Page], written: dict[str, dict[str, list[str]]] | None = None) -> list[Page]:
    """The pages, and what else people hand over: the bare article, a short piece cut out of it, made-up pages."""
    rng = np.random.default_rng(3)
    written = json.loads(WRITTEN.read_text(encoding="utf-8")) if written is None else written
    more = []
    for page in pages:
        more.append(page)
        kept = np.flatnonzero(page.labels > 0.5)
        if page.form == "visible":
            continue
        if len(kept) >= 2:
            more.append(_take(page, kept, "bare", 0.5))
        if len(kept) >= 6:
            first = kept[len(kept) // 3]
            more.append(_take(page, np.arange(max(0, first - 6), min(len(page.lines), first + 10)), "cut", 0.5))
        if page.form == "text" and page.language in written and len(kept) >= 4:
            story = [(page.lines[i], 1.0) for i in kept[: int(rng.integers(4, 30))]]
            more.append(_written_page(rng, page.name, page.language, written[page.language], story))
    for number in range(WRITTEN_PAGES):
        for language, lines in written.items():
            story = [(str(text), 1.0) for text in rng.permutation(lines["paragraph"])[: int(rng.integers(2, 8))]]
            more.append(_written_page(rng, f"written-{number}", language, lines, story))
            talk = story_lines(rng, lines["short"] + lines["keep"], int(rng.integers(4, 16)))
            talk += story_lines(rng, lines["paragraph"], number % 3)
            more.append(_as_page(f"written-{number}", language, [(str(text), 1.0) for text in rng.permutation(talk)]))
    return more


def _written_page(
    rng: np.random.Generator, name: str, language: str, written: dict[str, list[str]], story: list[tuple[str, float]]
) -> Page:
    """A dump made of written lines around and inside a story."""
    furniture_lines = written["furniture"] + written["notice"]
    drawn = [(text, 1.0) for text in story_lines(rng, written["short"] + written["keep"], int(rng.integers(2, 7)))]
    drawn += [(text, 0.0) for text in story_lines(rng, furniture_lines, int(rng.integers(0, 6)))]
    body = list(story)
    for entry in drawn:
        body.insert(int(rng.integers(1, len(body) + 1)), entry)
    for heading in story_lines(rng, written["heading"], 2):
        at = int(rng.integers(1, len(body)))
        if body[at][1] and len(body[at][0]) > 100:
            body.insert(at, (heading, 1.0))
    count = int(rng.integers(0, 3))
    head = story_lines(rng, written["menu"], 12 * count) + story_lines(rng, furniture_lines, 3 * count)
    if count and rng.random() < 0.25:
        body.insert(int(rng.integers(1, len(body) + 1)), (_teasers(rng, written, 1)[0], 0.0))
    parts = [
        story_lines(rng, written["label"], 1) + _teasers(rng, written, int(rng.integers(3, 8))),
        story_lines(rng, written["label"], 1) + _teasers(rng, written, int(rng.integers(2, 5))),
        story_lines(rng, written["comment_label"], 1) + story_lines(rng, written["comments"], 3),
        story_lines(rng, furniture_lines, 5 * count),
    ]
    foot = [text for i in rng.permutation(len(parts)) for text in parts[i]] if count else []
    foot += story_lines(rng, written["notice"], count) + story_lines(rng, written["menu"], 8 * count)
    return _as_page(name, language, [(text, 0.0) for text in head] + body + [(text, 0.0) for text in foot])


def _teasers(rng: np.random.Generator, written: dict[str, list[str]], count: int) -> list[str]:
    """Headlines of other stories, some numbered, some followed by a sentence or two of their own."""
    lines: list[str] = []
    sentences = story_lines(rng, written["teaser_sentence"], count)
    for headline in story_lines(rng, written["teaser"] + written["widget"], count):
        lines.append(headline)
        if sentences and rng.random() < 0.4:
            lines.append(sentences.pop())
    return [f"{number}. {line}" for number, line in enumerate(lines, 1)] if rng.random() < 0.25 else lines


def _as_page(name: str, language: str, lines: Sequence[tuple[str, float]]) -> Page:
    blocks, at = [], 0
    for text, _ in lines:
        blocks.append(Block(at, at + len(text)))
        at += len(text) + 1
    labels = np.array([label for _, label in lines])
    return Page(
        name,
        language,
        "written",
        tuple(blocks),
        tuple(text for text, _ in lines),
        labels,
        np.full(len(lines), WRITTEN_WEIGHT.get(language, 0.08)),
    )


def story_lines(rng: np.random.Generator, lines: Sequence[str], count: int) -> list[str]:
    return [str(line) for line in rng.permutation(np.array(lines, dtype=object))[:count]]


def _take(page: Page, which: NDArray[np.intp], form: str, weight: float) -> Page:
    return Page(
        page.name,
        page.language,
        form,
        tuple(page.blocks[i] for i in which),
        tuple(page.lines[i] for i in which),
        page.labels[which],
        page.weights[which] * weight,
    )


def fit(pages: Sequence[Page], strength: float = 0.2) -> dict[str, Any]:
    """Both looks; the second learns from first looks at pages that the first look was not fitted on."""
    own = [furniture.own_features(page.lines, page.blocks, frozenset()) for page in pages]
    labels = np.concatenate([page.labels for page in pages])
    weights = np.concatenate([page.weights for page in pages])
    groups = np.concatenate([[page.name] * len(page.lines) for page in pages])
    matrix = np.vstack(own)
    held_out = np.zeros(len(labels))
    for train, test in GroupKFold(5).split(matrix, labels, groups):
        held_out[test] = clean.logistic(
            matrix[test], _regression(matrix[train], labels[train], weights[train], furniture.OWN, strength)
        )
    context, at = [], 0
    for page, features in zip(pages, own, strict=True):
        context.append(clean.context_features(page.lines, held_out[at : at + len(page.lines)], features))
        at += len(page.lines)
    looks = {
        "own": _regression(matrix, labels, weights, furniture.OWN, strength),
        "context": _regression(
            np.hstack([matrix, np.vstack(context)]), labels, weights, [*furniture.OWN, *clean.CONTEXT], strength
        ),
    }
    for look in looks.values():
        look["returns"] = RETURNS  # no page tells what returns across an archive
    return looks


def _regression(
    features: Floats, labels: Floats, weights: Floats, names: Sequence[str], strength: float
) -> dict[str, float]:
    model = LogisticRegression(C=strength, max_iter=400, fit_intercept=False)
    model.fit(features, labels, sample_weight=weights * len(weights) / weights.sum() / 4)
    return {name: round(float(value), 4) for name, value in zip(names, model.coef_[0], strict=True)}


def probabilities(page: Page, model: dict[str, Any]) -> Floats:
    own = furniture.own_features(page.lines, page.blocks, frozenset())
    first = clean.logistic(own, model["own"])
    return clean.second_look(page.lines, own, first, model["context"])


def score(pages: Sequence[Page], found: Sequence[Floats], threshold: float) -> tuple[float, float]:
    """The share of texts to keep that are kept, and of texts to drop that are dropped."""
    kept: list[bool] = []
    dropped: list[bool] = []
    for page, probability in zip(pages, found, strict=True):
        text = " ".join(
            line
            for line, p in zip(page.lines, probability, strict=True)
            if p >= threshold * min(1, float((probability < 0.5).mean()) / 0.3)
        )
        kept += [text_ in text for text_ in page.keep]
        dropped += [text_ not in text for text_ in page.drop]
    return float(np.mean(kept)), float(np.mean(dropped))


def check(pages: Sequence[Page]) -> None:
    names = sorted({page.name for page in pages})
    folds = {name: i % 5 for i, name in enumerate(np.random.default_rng(7).permutation(names))}
    rounds: dict[str, list[tuple[set[str], set[str]]]] = {
        "by page": [],
        "German for English": [],
        "English for German": [],
    }
    for number in range(5):
        test = {name for name in names if folds[name] == number}
        rounds["by page"].append((set(names) - test, test))
    german = {name for name in names if name.startswith("de")}
    rounds["German for English"].append((german, set(names) - german))
    rounds["English for German"].append((set(names) - german, german))
    for label, splits in rounds.items():
        tested: list[Page] = []
        found: list[Floats] = []
        for train, test in splits:
            model = fit(augmented(page for page in pages if page.name in train))
            for page in pages:
                if page.name in test:
                    tested.append(page)
                    found.append(probabilities(page, model))
        for form in ("text", "html"):
            chosen = [i for i, page in enumerate(tested) if page.form == form]
            row = [
                (t, *score([tested[i] for i in chosen], [found[i] for i in chosen], t))
                for t in (0.2, 0.25, 0.28, 0.3, 0.35, 0.4, 0.5, 0.55, 0.6)
            ]
            print(f"{label:20s} {form:5s}", "  ".join(f"{t}: {k:.3f}/{d:.3f}" for t, k, d in row))


def check_written(pages: Sequence[Page]) -> None:
    """How dumps of written lines fare when the other half of those lines was learnt from."""
    written = json.loads(WRITTEN.read_text(encoding="utf-8"))
    halves = [
        {language: {kind: some[part::2] for kind, some in kinds.items()} for language, kinds in written.items()}
        for part in (0, 1)
    ]
    counts = {language: np.zeros(4) for language in written}
    for train, test in (halves, halves[::-1]):
        model = fit(augmented(pages, train))
        for page in augmented([], test):
            limit = 0.28 * min(1.0, float((probabilities(page, model) < 0.5).mean()) / 0.3)
            stays, labels = probabilities(page, model) > limit, page.labels > 0.5
            counts[page.language] += [(stays & labels).sum(), labels.sum(), (~stays & ~labels).sum(), (~labels).sum()]
    for language, (kept, to_keep, dropped, to_drop) in counts.items():
        print(f"written lines, unseen   {language}  kept {kept / to_keep:.3f}  dropped {dropped / to_drop:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--check", action="store_true", help="print cross-validated figures, write nothing")
    options = parser.parse_args()
    pages = load(options.pages)
    if options.check:
        check(pages)
        check_written(pages)
        return
    data = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    data.update(fit(augmented(pages)))
    text = json.dumps(data, ensure_ascii=False, indent=1)
    WEIGHTS.write_text(re.sub(r"\\n", " ", text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
