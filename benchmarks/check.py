"""How well the check of written answers tells what a quotation supports from what it does not.

    python benchmarks/check.py [FILE]

FILE holds passages with statements of known kinds (`training/pairs.py` says how); by default
`statements/untouched.jsonl`, which was written by somebody who had not seen the check, and which nothing was fitted or
tuned on. "Exact" are wrong names, numbers, dates and speakers; "others" are contradicted, half true and unrelated
statements. `seen.jsonl` is the half that weights and threshold were fitted on.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "training")]
from fit_check import table  # noqa: E402
from pairs import load  # noqa: E402

from rag.check import Checker, threshold  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=HERE / "statements" / "untouched.jsonl")
    pairs = load([parser.parse_args().file])
    checker = Checker()
    checker.score(pairs[0].text, pairs[0].evidence)  # loads the model
    scores, spent = [], []
    for pair in pairs:
        began = time.perf_counter()
        scores.append(checker.score(pair.text, pair.evidence))
        spent.append((time.perf_counter() - began) * 1000)
    print(table(pairs, np.array(scores), threshold()))
    print(f"a check takes {statistics.median(spent):.0f} ms (median; nine in ten below {np.quantile(spent, 0.9):.0f})")


if __name__ == "__main__":
    main()
