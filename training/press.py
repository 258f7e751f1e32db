"""Our own articles with their questions: `articles/*.jsonl`, invented, an article a line.

    python training/press.py FOLDER
    python -m rag eval FOLDER/questions.jsonl --corpus FOLDER/corpus --index FOLDER/index

writes all articles as a corpus, and the questions about development articles for `eval`. Every fourth article of a
language in each file is a development article, which the cross-encoder was not trained on.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rag import Assistant

HERE = Path(__file__).resolve().parent

LANGUAGES = ("en", "de", "nl")


@dataclass(frozen=True, slots=True)
class Fact:
    """A question by language, and the exact strings of the text that answer it, any of them."""

    kind: str
    questions: dict[str, str]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """An article; `key` is its file name's beginning, `side` "train" or "dev"."""

    key: str
    side: str
    title: str
    language: str
    date: str
    source: str
    text: str
    facts: tuple[Fact, ...]
    near_misses: tuple[dict[str, str], ...]


def load() -> list[Written]:
    made = []
    for path in sorted((HERE / "articles").glob("*.jsonl")):
        count: Counter[str] = Counter()
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            item = json.loads(line)
            count[item["language"]] += 1
            made.append(
                Written(
                    key=f"{path.stem}{at:02d}",
                    side="train" if count[item["language"]] % 4 else "dev",
                    title=item["title"],
                    language=item["language"],
                    date=item["date"],
                    source=item["source"],
                    text=item["text"],
                    facts=tuple(
                        Fact(fact["kind"], {lang: fact[lang] for lang in LANGUAGES}, tuple(fact["answers"]))
                        for fact in item["facts"]
                    ),
                    near_misses=tuple({lang: miss[lang] for lang in LANGUAGES} for miss in item["near_misses"]),
                )
            )
    return made


def write(written: list[Written], corpus: Path) -> None:
    """All articles as Markdown files; each is its own source, so that filters can leave any out."""
    corpus.mkdir(parents=True, exist_ok=True)
    for item in written:
        head = {"title": item.title, "date": item.date, "source": source(item), "language": item.language}
        (corpus / f"{item.key}.md").write_text(
            f"---\n{json.dumps(head, ensure_ascii=False)}\n---\n{item.text}\n", encoding="utf-8"
        )


def questions(written: list[Written]) -> list[dict[str, Any]]:
    """The questions about development articles, as `python -m rag eval` reads them."""
    made: list[dict[str, Any]] = []
    for item in written:
        if item.side == "dev":
            for fact in item.facts:
                for language, text in fact.questions.items():
                    made.append({"question": text, "language": language, "kind": fact.kind, "quotes": fact.answers})
            for miss in item.near_misses:
                made += [{"question": text, "language": lang, "kind": "near miss"} for lang, text in miss.items()]
    return made


def opened(written: list[Written], keep: Path) -> Assistant:
    """The archive of all these articles in this folder, built where it is not there yet."""
    root = keep / "press"
    corpus = root / "corpus"
    if not (root / "index" / "manifest.json").exists():
        write(written, corpus)
    assistant = Assistant(corpus=corpus, index=root / "index")
    assistant.sync(progress=sys.stderr.isatty())
    return assistant


def source(item: Written) -> str:
    return f"{item.source} {item.key}"


def main() -> None:
    folder = Path(sys.argv[1])
    written = load()
    write(written, folder / "corpus")
    lines = [json.dumps(item, ensure_ascii=False) for item in questions(written)]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(written)} articles, {len(lines)} questions")


if __name__ == "__main__":
    main()
