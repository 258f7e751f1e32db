"""Measures cleaning: `python benchmarks/cleaning.py PAGES_DIR [--json] [--errors]`.

PAGES_DIR holds `labels.jsonl` (one page a line: `page`, `language`, `keep`, `drop`), `html/NAME.html` and
`text/NAME.txt`. A text to keep counts when it stands in the cleaned text (white space folded), a text to drop when it
does not. No title and no archive is given to the cleaner, as for a single file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from charset_normalizer import from_bytes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from rag.clean import clean
from rag.records import Block, Extract
from rag.webpage import extract_html


def dump(text: str) -> Extract:
    """A plain-text dump as blocks: one a line, empty lines left out."""
    blocks, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            blocks.append(Block(at, at + len(line)))
        at += len(line) + 1
    return Extract(text, tuple(blocks))


def decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return str(from_bytes(raw).best() or raw.decode("utf-8", "replace"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--errors", action="store_true", help="list every text lost or left standing")
    options = parser.parse_args()
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    seconds: dict[str, list[float]] = {"html": [], "text": []}
    errors: list[tuple[str, str, str, str]] = []
    clean(dump("Warm up."))
    for line in (options.pages / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for form, suffix in (("html", "html"), ("text", "txt")):
            page = options.pages / form / f"{record['page']}.{suffix}"
            if not page.exists():
                continue
            source = decoded(page.read_bytes())
            begun = time.process_time()
            cleaned = clean(extract_html(source) if form == "html" else dump(source))
            seconds[form].append(time.process_time() - begun)
            found = " ".join(cleaned.text.split())
            for label in ("keep", "drop"):
                for text in record[label]:
                    right = (" ".join(text.split()) in found) == (label == "keep")
                    for group in (form, f"{form} {record['language']}"):
                        counts[group][2 * (label == "drop")] += right
                        counts[group][2 * (label == "drop") + 1] += 1
                    if not right:
                        errors.append((form, record["page"], "lost" if label == "keep" else "left", text))
    table = {
        group: {
            "kept": round(k / max(1, ks), 4),
            "keep_texts": ks,
            "dropped": round(d / max(1, ds), 4),
            "drop_texts": ds,
        }
        for group, (k, ks, d, ds) in sorted(counts.items())
    }
    if options.json:
        print(
            json.dumps(
                {"figures": table, "errors": errors if options.errors else len(errors)}, ensure_ascii=False, indent=1
            )
        )
        return
    for group, row in table.items():
        kept = f"kept {row['kept']:.3f} of {row['keep_texts']}"
        print(f"{group:8s} {kept}   dropped {row['dropped']:.3f} of {row['drop_texts']}")
    for form, times in seconds.items():
        print(f"{form:8s} {1000 * sum(times) / len(times):.1f} ms a page, {1000 * max(times):.0f} ms at most")
    for error in errors if options.errors else ():
        print("  ".join(error))


if __name__ == "__main__":
    main()
