"""Retrieval, quotations and refusal on XQuAD's paragraphs as an archive.

    python benchmarks/xquad.py DATA [--json] [--archive en|de|mixed] [--keep FOLDER] [--all]

DATA holds `xquad-dev.en.json` and `xquad-dev.de.json` in SQuAD's form: the same paragraphs and questions at the same
positions in both languages. `xquad-nl.jsonl` beside this file holds Dutch questions on them (CC BY-SA 4.0, as XQuAD).
Every paragraph becomes a file of a corpus, without a headline; the corpus is synced and asked as users do it. A
question counts as answered right when the answer's span stands inside the quotation, in the right paragraph; a refusal
counts as wrong. The language of a question and that of the archive make a pair. Only questions about the development
articles are asked, which the cross-encoder was not trained on (`training/split.json`), unless `--all` is given. The
calibration error is over the questions as they are and, as often, with their topic left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rag import Answer, Assistant
from rag.figures import auroc, calibration_error

SPLIT = Path(__file__).resolve().parent.parent / "training" / "split.json"
DUTCH = Path(__file__).with_name("xquad-nl.jsonl")
TEXT_LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: its text by language, its paragraph's position, and the answer by the language of the text."""

    id: str
    texts: dict[str, str]
    paragraph: int
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    topics: tuple[str, ...]  # of each paragraph
    paragraphs: dict[str, tuple[str, ...]]  # by language
    questions: tuple[Asked, ...]


def load(folder: Path) -> Data:
    """Read the data; both languages stand in the same order."""
    raw = {
        language: json.loads((folder / f"xquad-dev.{language}.json").read_text(encoding="utf-8"))["data"]
        for language in TEXT_LANGUAGES
    }
    dutch = {}
    for line in DUTCH.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        dutch[item["id"]] = item["question"]
    listed = {
        language: [(article["title"], paragraph) for article in articles for paragraph in article["paragraphs"]]
        for language, articles in raw.items()
    }
    questions = []
    for at, ((_, english), (_, german)) in enumerate(zip(listed["en"], listed["de"], strict=True)):
        for one, other in zip(english["qas"], german["qas"], strict=True):
            texts = {"en": one["question"], "de": other["question"]}
            if one["id"] in dutch:
                texts["nl"] = dutch[one["id"]]
            answers = {"en": one["answers"][0]["text"], "de": other["answers"][0]["text"]}
            questions.append(Asked(one["id"], texts, at, answers))
    return Data(
        topics=tuple(title for title, _ in listed["en"]),
        paragraphs={
            language: tuple(paragraph["context"] for _, paragraph in items) for language, items in listed.items()
        },
        questions=tuple(questions),
    )


def build(data: Data, languages: tuple[str, ...], root: Path) -> Assistant:
    """An archive of the paragraphs in these languages; each is its own source, so that filters can leave any out."""
    corpus = root / "corpus"
    corpus.mkdir(parents=True)
    for language in languages:
        for at, text in enumerate(data.paragraphs[language]):
            head = json.dumps({"source": source(data, at), "language": language})
            (corpus / f"{at:03d}-{language}.md").write_text(f"---\n{head}\n---\n{_escaped(text)}\n", encoding="utf-8")
    assistant = Assistant(corpus=corpus, index=root / "index")
    assistant.sync(progress=sys.stderr.isatty())
    return assistant


def _escaped(text: str) -> str:
    """Text as Markdown that renders to itself."""
    return "".join("\\" + char if char in r"\`*_{}[]<>()#+-.!|~" else char for char in text)


def opened(data: Data, archive: str, keep: Path) -> Assistant:
    """The archive kept in this folder, built where it is not there yet."""
    root = keep / archive
    if (root / "index" / "manifest.json").exists():
        return Assistant(corpus=root / "corpus", index=root / "index")
    return build(data, TEXT_LANGUAGES if archive == "mixed" else (archive,), root)


def source(data: Data, paragraph: int) -> str:
    return f"{data.topics[paragraph]}/{paragraph}"


def position(path: str) -> int:
    return int(path[:3])


def right(answer: Answer, item: Asked, first: int) -> bool:
    """Whether any of the first citations holds the answer, in the right paragraph."""
    return any(
        position(citation.article.path) == item.paragraph
        and item.answers[citation.article.language or ""] in citation.quote
        for citation in answer.citations[:first]
    )


def development(data: Data) -> Data:
    """The data with the questions about development articles only."""
    topics = json.loads(SPLIT.read_text(encoding="utf-8"))["dev"]["xquad"]
    return replace(data, questions=tuple(item for item in data.questions if data.topics[item.paragraph] in topics))


def measure(assistant: Assistant, data: Data, language: str, every: int = 1) -> dict[str, Any]:
    """All figures for every n-th of the questions in one language."""
    rows: list[dict[str, Any]] = []
    everything = {source(data, at): data.topics[at] for at in range(len(data.topics))}
    for item in data.questions[::every]:
        if language not in item.texts:
            continue
        question = item.texts[language]
        hits = assistant.search(question, limit=5)
        answer = assistant.ask(question)
        topic = data.topics[item.paragraph]
        absent = assistant.ask(question, sources=[name for name, other in everything.items() if other != topic])
        missing = assistant.ask(question, sources=[n for n in everything if n != source(data, item.paragraph)])
        places = [position(hit.passage.article.path) for hit in hits]
        rows.append(
            {
                "passage_1": places[0] == item.paragraph,
                "passage_5": item.paragraph in places,
                "first": right(answer, item, 1),
                "three": right(answer, item, 3),
                "length": len(answer.citations[0].quote) if answer.citations else None,
                "whole": sum(len(citation.quote) for citation in answer.citations) if answer.citations else None,
                "found": answer.found,
                "confidence": answer.confidence,
                "absent_refused": not absent.found,
                "absent_confidence": absent.confidence,
                "missing_refused": not missing.found,
                "missing_confidence": missing.confidence,
                "ms": sum(answer.timings.values()),
            }
        )

    def mean(name: str) -> float:
        return round(statistics.fmean(row[name] for row in rows if row[name] is not None), 3)

    first = [row["first"] for row in rows]
    confidences = [row["confidence"] for row in rows]
    return {
        "questions": len(rows),
        "paragraph first": mean("passage_1"),
        "paragraph in five": mean("passage_5"),
        "first quotation": mean("first"),
        "any of three": mean("three"),
        "characters": round(mean("length")),
        "of the answer": round(mean("whole")),
        "answered": mean("found"),
        "refused, topic absent": mean("absent_refused"),
        "refused, paragraph absent": mean("missing_refused"),
        "AUROC, topic absent": round(auroc(confidences, [row["absent_confidence"] for row in rows]), 3),
        "AUROC, paragraph absent": round(auroc(confidences, [row["missing_confidence"] for row in rows]), 3),
        "calibration error": round(
            calibration_error(
                [*confidences, *(row["absent_confidence"] for row in rows)], [*first, *(False for _ in rows)]
            ),
            3,
        ),
        "ms": round(statistics.median(row["ms"] for row in rows), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--archive", choices=("en", "de", "mixed"), help="only this archive")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder in which the archives are kept for the next run")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask only every N-th question")
    parser.add_argument("--all", action="store_true", help="ask about all articles")
    options = parser.parse_args()
    data = load(options.data)
    if not options.all:
        data = development(data)
    figures: dict[str, dict[str, Any]] = {}
    for archive in [options.archive] if options.archive else ["en", "de", "mixed"]:
        with tempfile.TemporaryDirectory() as folder, opened(data, archive, options.keep or Path(folder)) as assistant:
            for language in ("en", "de", "nl"):
                figures[f"{language} → {archive}"] = measure(assistant, data, language, options.every)
    if options.json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        table(figures)


def table(figures: dict[str, dict[str, Any]]) -> None:
    """The figures as a Markdown table, a row a pair."""
    columns = list(next(iter(figures.values())))
    print("\n| question → archive | " + " | ".join(columns) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    for name, row in figures.items():
        print(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |")


if __name__ == "__main__":
    main()
