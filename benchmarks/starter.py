"""Answers and refusals on the starter corpus.

    python benchmarks/starter.py [--json] [--misses]

`starter.jsonl` holds facts asked in three languages, each with the exact strings that answer it, and questions that the
archive cannot answer. A quotation is right when it holds one of these strings. A question is "within" where an article
in its own language holds the fact, and "across" where only articles in other languages do. A refusal counts as wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from xquad import auroc, calibration_error, table

from rag import Answer, Assistant
from rag.cite import verify

ROOT = Path(__file__).resolve().parent.parent


def asked(assistant: Assistant) -> list[dict[str, Any]]:
    """Every question with its answer and what is right about it."""
    languages = {article.path: article.language for article in assistant.articles()}
    rows = []
    for line in (ROOT / "benchmarks" / "starter.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        answer = assistant.ask(item["question"])
        within = item["language"] in {languages[path] for path in item.get("articles", [])}
        if not all(verify(citation) for citation in answer.citations):
            raise AssertionError(f"a citation of {item['question']!r} is not exact")
        kind = ("within" if within else "across") if item["quotes"] else item["kind"]
        rows.append({**item, "answer": answer, "group": kind})
    return rows


def right(answer: Answer, quotes: list[str], first: int) -> bool:
    """Whether any of the first citations holds one of the strings, white space folded."""
    wanted = [" ".join(quote.split()) for quote in quotes]
    return any(quote in " ".join(c.quote.split()) for c in answer.citations[:first] for quote in wanted)


def figures(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = {}
    strangers = [row for row in rows if not row["quotes"]]
    for language in ("en", "de", "nl"):
        for group in ("within", "across"):
            mine = [row for row in rows if row["language"] == language and row["group"] == group]
            answers = [row["answer"] for row in mine]
            first = [right(row["answer"], row["quotes"], 1) for row in mine]
            confidences = [answer.confidence for answer in answers]
            told[f"{language}, {group}"] = {
                "questions": len(mine),
                "first quotation": round(statistics.fmean(first), 3),
                "any of three": round(statistics.fmean(right(r["answer"], r["quotes"], 3) for r in mine), 3),
                "characters": round(
                    statistics.fmean([len(a.citations[0].quote) for a in answers if a.citations] or [0])
                ),
                "answered": round(statistics.fmean(answer.found for answer in answers), 3),
                "AUROC": auroc(confidences, [row["answer"].confidence for row in strangers]),
                "calibration error": calibration_error(confidences, first),
                "ms": round(statistics.median(sum(answer.timings.values()) for answer in answers), 1),
            }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--misses", action="store_true", help="list what went wrong")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, Assistant(ROOT / "corpus", Path(root) / "index") as assistant:
        assistant.sync(progress=sys.stderr.isatty())
        rows = asked(assistant)
    told = figures(rows)
    refused = {
        kind: [not row["answer"].found for row in rows if row["group"] == kind]
        for kind in dict.fromkeys(row["group"] for row in rows if not row["quotes"])
    }
    if options.json:
        print(json.dumps({"answers": told, "refused": {k: [sum(v), len(v)] for k, v in refused.items()}}, indent=1))
    else:
        table(told)
        print("\nRefused, of the questions without an answer:")
        for kind, outcomes in refused.items():
            print(f"- {kind}: {sum(outcomes)} of {len(outcomes)}")
    if options.misses:
        for row in rows:
            answer = row["answer"]
            if row["quotes"] and not right(answer, row["quotes"], 1):
                rank = "three" if right(answer, row["quotes"], 3) else "-"
                got = answer.citations[0].quote if answer.citations else "(not found)"
                print(
                    f"{row['id']} {answer.confidence:.2f} {rank} {row['question']}\n    {got}\n    {row['quotes'][:2]}"
                )
            elif not row["quotes"] and answer.found:
                got = answer.citations[0].quote
                print(f"{row['id']} {answer.confidence:.2f} {row['group']}: {row['question']}\n    {got}")


if __name__ == "__main__":
    main()
