"""Strips web furniture from an extract: lines whose subject is the site and not the story.

Every block gets a probability to belong to the article, in two looks: one at the line alone (`furniture`), one at the
company it keeps: what stands around it, where the article's run of text begins and ends. Both are logistic
regressions over named features; the weights are data, in `clean_weights.json`, which `benchmarks/fit_cleaning.py`
writes. Cleaning only ever leaves out whole blocks: when in doubt a block stays, for a lost paragraph cannot be found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rag.furniture import OWN, Floats, line_key, own_features
from rag.records import Block, Cleaned, Extract, Segment, Span
from rag.signs import CLOSING, model

__all__ = ["CLEANING_VERSION", "clean", "line_key"]

CLEANING_VERSION = 2


def clean(
    extract: Extract,
    *,
    language: str | None = None,
    title: str | None = None,
    repeated: Container[str] = frozenset(),
) -> Cleaned:
    """The article without its furniture: the kept blocks, parted by a blank line, and the way back to `extract`.

    `repeated` holds the `line_key`s that stand in several articles of the archive. `title` is the known headline: a
    block that only says it again is left out. `language` is not needed: the word lists of all languages count at once.
    """
    del language
    blocks = [block for block in extract.blocks if extract.text[block.start : block.end].strip()]
    lines = [extract.text[block.start : block.end].strip() for block in blocks]
    keep = decide(keep_probabilities(lines, blocks, repeated), structured=any(b.kind != "line" for b in blocks))
    headline = line_key(title) if title else None
    kept = [i for i, line in enumerate(lines) if keep[i] and line_key(line) != headline]
    parts: list[str] = []
    segments: list[Segment] = []
    headings: list[Span] = []
    at = 0
    for position, i in enumerate(kept):
        line, raw = lines[i], extract.text[blocks[i].start : blocks[i].end]
        segments.append(Segment(at, blocks[i].start + len(raw) - len(raw.lstrip()), len(line)))
        following = lines[kept[position + 1]] if position + 1 < len(kept) else ""
        if _is_heading(blocks[i], line, following):
            headings.append(Span(at, at + len(line)))
        parts.append(line)
        at += len(line) + 2
    return Cleaned("\n\n".join(parts), tuple(headings), tuple(segments))


_FINISHED = re.compile(rf"[.!?…:;,][{re.escape(CLOSING)}]*$")


def _is_heading(block: Block, line: str, following: str) -> bool:
    """Whether a kept block is a subheading. In a dump: a short line without a full stop that stands over a longer one.

    A subheading may be a quotation itself („Niemand hörte zu“): then no full stop stands inside the marks either,
    while direct speech in the text ends its sentence.
    """
    if block.kind != "line":
        return block.kind == "heading"
    if len(line) > 90 or len(line.split()) > 14 or len(following) <= len(line):
        return False
    if line[0].islower() or following[0].islower():
        return False  # a sentence cut by a line break
    if line[0] in "-–—•*·":
        return False  # an item of a list
    question = line.endswith("?") and len(line) < 60 and len(following) > 80
    return question or not _FINISHED.search(line)


def decide(probabilities: Floats, *, structured: bool) -> list[bool]:
    """Which blocks stay. `structured` tells a page whose structure was known from a plain dump.

    The less furniture a page shows the more is kept: where nearly every line reads like an article, one that does not
    is more likely a short remark than the one piece of furniture.
    """
    if not len(probabilities):
        return []
    furniture = float(np.mean(probabilities < 0.5))
    limits = model()["threshold"]["structured" if structured else "line"]
    limit = limits["probability"] * min(1.0, furniture / limits["furniture_share"])
    return [bool(p > limit) for p in probabilities]


def keep_probabilities(lines: Sequence[str], blocks: Sequence[Block], repeated: Container[str] = frozenset()) -> Floats:
    """The probability of each line to belong to the article: `(n,)` float64; 0 for what is furniture beyond doubt."""
    if not lines:
        return np.zeros(0)
    own = own_features(lines, blocks, repeated)
    return second_look(lines, own, logistic(own, model()["own"]), model()["context"])


def second_look(lines: Sequence[str], own: Floats, first: Floats, weights: Mapping[str, float]) -> Floats:
    found = logistic(np.hstack([own, context_features(lines, first, own)]), weights)
    found[own[:, OWN.index("unmistakable")] > 0] = 0.0
    return found


def logistic(features: Floats, weights: Mapping[str, float]) -> Floats:
    """`features` `(n, k)` weighed with `weights`, which stand in the order of the columns: `(n,)` within 0 to 1."""
    values = np.fromiter(weights.values(), np.float64)
    logits: Floats = features @ values
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))
    return probabilities


CONTEXT = (
    "alone before after before2 after2 near wide best_before best_after between weak_between mass_before mass_after"
    " run_edge in_run far since_site since_comments page_share page_lines position outside outside_long"
    " continues continued under_site heading_like late_biography late_notice late_site"
    " among_teasers strange_among_teasers after_last under_label under_last_label known_after_last"
    " counted_under_label counted_after_last counted_strange"
).split()


def context_features(lines: Sequence[str], first: Floats, own: Floats) -> Floats:
    """What the lines around each line say about it: `(n, len(CONTEXT))` float64.

    `first` is the first look's probability of every line, `own` its features.
    """
    n = len(lines)
    column = {name: own[:, i] for i, name in enumerate(OWN)}
    chars = np.array([len(line) for line in lines], np.float64)
    size = np.minimum(chars, 600)
    ends = column["end_mark"]
    lower = np.array([line[:1].islower() for line in lines], np.float64)
    mass = first * size
    total = float(mass.sum()) or 1.0
    ahead = (np.cumsum(mass) - mass) / total
    late = np.clip((ahead - 0.6) / 0.4, 0, 1)
    start, stop = _run(first, size)
    index = np.arange(n)
    gap = np.maximum(np.maximum(start - index, index - stop + 1), 0)
    outside = (gap > 0).astype(np.float64)
    best_before = np.maximum.reduce([_shift(first, k) for k in (1, 2, 3)])
    best_after = np.maximum.reduce([_shift(first, -k) for k in (1, 2, 3)])
    after = _shift(first, -1)
    comments = column["comments"] * (size < 80) * (ahead > 0.2)
    since_site, since_comments = _since(column["site_short"] * (first < 0.5), comments)
    teaser_like = (1 - ends) * (size < 120) * (size > 15) * (first < 0.7)
    teasers = sum((_shift(teaser_like, k) for k in (-3, -2, -1, 1, 2, 3)), np.zeros(n)) / 6
    paragraph = (size > 150) & (first > 0.5) & (ends > 0)
    last = int(np.flatnonzero(paragraph)[-1]) if paragraph.any() else n
    after_last = (index > last).astype(np.float64)
    heads = np.maximum.reduce([column[name] for name in ("lead_in", "label", "comments")])
    label = (first < 0.4) * (1 - ends) * (size < 60) * heads
    under_label = _below(label > 0, paragraph)
    rows = {
        "alone": np.log(np.maximum(first, 1e-4) / np.maximum(1 - first, 1e-4)) / 5,
        "before": _shift(first, 1),
        "after": after,
        "before2": _shift(first, 2),
        "after2": _shift(first, -2),
        "near": _window(first, size, 3),
        "wide": _window(first, size, 8),
        "best_before": best_before,
        "best_after": best_after,
        "between": np.minimum(best_before, best_after),
        "weak_between": (_shift(first, 1) + _shift(first, 2) + after + _shift(first, -2)) / 4,
        "mass_before": ahead,
        "mass_after": 1.0 - ahead - mass / total,
        "run_edge": ((index == start) | (index == stop - 1)).astype(np.float64),
        "in_run": 1.0 - outside,
        "far": np.log1p(gap) / 4,
        "since_site": np.exp(-since_site / 3),
        "since_comments": np.minimum(since_comments / 3, 1.0),
        "page_share": np.full(n, mass.sum() / size.sum()),
        "page_lines": np.full(n, math.log1p(n) / 6),
        "position": index / n,
        "outside": outside * first,
        "outside_long": outside * (size > 150),
        "continues": (1 - ends) * _shift(lower, -1),
        "continued": lower * _shift(1 - ends, 1),
        "under_site": (since_site == 1) * first,
        "heading_like": (size < 90) * (1 - ends) * np.minimum(1.0, after * 1.2),
        "late_biography": late * column["biography"],
        "late_notice": late * column["notice"],
        "late_site": late * column["site_opening"],
        "among_teasers": teasers,
        "strange_among_teasers": teasers * (1 - column["known_share"]) * (size < 250),
        "after_last": after_last,
        "under_label": under_label,
        "under_last_label": under_label * after_last,
        "known_after_last": after_last * column["known_share"],
        "counted_under_label": column["counted"] * under_label,
        "counted_after_last": column["counted"] * after_last,
        "counted_strange": column["counted"] * (1 - column["known_share"]),
    }
    return np.column_stack([rows[name] for name in CONTEXT])


def _shift(values: Floats, by: int) -> Floats:
    """`values` moved down by `by` lines (up when negative), with zeros where nothing stands."""
    moved = np.zeros_like(values)
    if abs(by) < len(values):
        if by > 0:
            moved[by:] = values[:-by]
        else:
            moved[:by] = values[-by:]
    return moved


def _window(first: Floats, size: Floats, reach: int) -> Floats:
    """The mean of `first` over the lines up to `reach` away, longer lines weighing more."""
    weight = np.sqrt(size)
    kernel = np.ones(2 * reach + 1)
    above = np.convolve(first * weight, kernel)[reach : reach + len(first)]
    below = np.convolve(weight, kernel)[reach : reach + len(first)]
    mean: Floats = above / np.maximum(below, 1.0)
    return mean


def _below(label: NDArray[np.bool_], paragraph: NDArray[np.bool_]) -> Floats:
    """1.0 for the lines under a label with no paragraph of the article between them."""
    under = np.zeros(len(label))
    open_ = False
    for i in range(len(label)):
        if paragraph[i]:
            open_ = False
        under[i] = float(open_)
        open_ = open_ or bool(label[i])
    return under


def _since(site: Floats, comments: Floats) -> tuple[Floats, Floats]:
    """How many lines ago the last label of the site stood (far: 99), and the first sign of comments (0: none yet)."""
    last, begun = -99, -1
    since_site, since_comments = np.zeros(len(site)), np.zeros(len(site))
    for i in range(len(site)):
        since_site[i] = i - last
        since_comments[i] = i - begun if begun >= 0 else 0
        if site[i]:
            last = i
        if begun < 0 and comments[i]:
            begun = i
    return since_site, since_comments


def _run(first: Floats, size: Floats) -> tuple[int, int]:
    """The article's run `[start, stop)`: the stretch of lines with the largest sum of text less furniture.

    A line counts by its size when it reads like text and against the run by a constant when it does not, so that a
    caption or a teaser inside does not end the run and forty menu entries do.
    """
    gain = np.where(first >= 0.5, np.minimum(size, 300) * (first - 0.5) * 2, -25.0 * (1 - 2 * first) - 5)
    best, best_at, total, begin = 0.0, (0, len(first)), 0.0, 0
    for i, value in enumerate(gain.tolist()):
        if total <= 0:
            total, begin = 0.0, i
        total += value
        if total > best:
            best, best_at = total, (begin, i + 1)
    return best_at
