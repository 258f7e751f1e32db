"""Training examples for the sentence ranker.

    python training/data.py DATA WORK

DATA holds `xquad-dev.LANG.json` (en, de, es, ro, ru, tr, el), `squad2-sample.en.json`, `squad2-dev-half.es.json` and
`nq-sample.en.json`, all in SQuAD's form; `articles/` beside this file our own. WORK gets `data.pickle` (all passages,
questions and items) and `development.pickle` (a few cases of the development articles). Which articles are development
articles says `split.json`, and `press.py` for our own.

Passages are cut by the project's own splitter. An item is a question with the passages of the paragraph it was asked
of: those with its answer are its positives; its negatives are the passages that retrieval ranks highest and that do
not answer.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import pickle
import random
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import backbone
import press

from rag.records import Article
from rag.split import passages as split_passages
from rag.unpacked import bert

HERE = Path(__file__).resolve().parent

LANGUAGES = ("en", "de", "es", "ro", "ru", "tr", "el")
DUTCH = HERE.parent / "benchmarks" / "xquad-nl.jsonl"
HARD = 8  # negatives kept an item
Item = dict[str, Any]


def untokenised(text: str) -> str:
    """Natural Questions come with spaces around every sign."""
    text = re.sub(r"``\s?|\s?''", '"', text)
    text = re.sub(r" -- ", " – ", text)
    text = re.sub(r"(\w) - (\w)", r"\1-\2", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£]) ", r"\1", text)
    text = re.sub(r" ('s|n't|'re|'ve|'d|'ll|'m)\b", r"\1", text)
    return " ".join(text.split())


class Builder:
    """Gathers passages, questions and items, each a plain dict so that a pickle of them outlives this code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dev = json.loads((HERE / "split.json").read_text(encoding="utf-8"))["dev"]
        self.passages: list[Item] = []
        self.questions: list[Item] = []
        self.items: list[Item] = []
        self.paragraphs = 0

    def load(self, name: str) -> list[Any]:
        loaded: list[Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))["data"]
        return loaded

    def side(self, source: str, title: str) -> str:
        return "dev" if title in self.dev["xquad" if source == "es" else source] else "train"

    def paragraph(self, source: str, side: str, article: Article) -> list[int]:
        """The numbers of a text's passages; `title` in them is what must not be parted by the split."""
        made = []
        for passage in split_passages(article):
            made.append(len(self.passages))
            self.passages.append({
                "source": source, "side": side, "title": article.title, "lang": article.language,
                "paragraph": self.paragraphs, "context": passage.context.replace("_", " "),
                "sents": [article.text[s.start : s.end] for s in passage.sentences],
                "spans": [(s.start, s.end) for s in passage.sentences],
            })  # fmt: skip
        self.paragraphs += 1
        return made

    def question(self, source: str, side: str, title: str, language: str, text: str) -> int:
        self.questions.append(
            {"source": source, "side": side, "title": title, "lang": language, "text": " ".join(text.split())}
        )
        return len(self.questions) - 1

    def item(self, question: int, mine: list[int], answer: tuple[str, int] | None) -> None:
        """A question on one paragraph; `answer` is its text and where it begins, None where there is none."""
        gold: dict[int, list[int]] = {}
        masked: dict[int, list[int]] = {}  # sentences with the answer's words elsewhere: neither right nor wrong
        if answer is not None:
            text, start = answer
            for p in mine:
                for i, (a, b) in enumerate(self.passages[p]["spans"]):
                    if a < start + len(text) and start < b:
                        gold.setdefault(p, []).append(i)
                    elif len(text) > 2 and text.lower() in self.passages[p]["sents"][i].lower():
                        masked.setdefault(p, []).append(i)
            if not gold:
                return
        self.items.append({"q": question, "mine": mine, "gold": gold, "masked": masked, "answer": answer and answer[0]})


def add_xquad(b: Builder) -> None:
    """Every question in every language on the text in every language."""
    raw = {lang: b.load(f"xquad-dev.{lang}.json") for lang in LANGUAGES}
    lines = DUTCH.read_text(encoding="utf-8").splitlines()
    dutch = {got["id"]: got["question"] for got in map(json.loads, lines)}
    for at, article in enumerate(raw["en"]):
        title, side = article["title"], b.side("xquad", article["title"])
        for number in range(len(article["paragraphs"])):
            versions = {lang: raw[lang][at]["paragraphs"][number] for lang in LANGUAGES}
            mine = {
                lang: b.paragraph("xquad", side, text_of(title, lang, v["context"])) for lang, v in versions.items()
            }
            for qa in versions["en"]["qas"]:
                asked, answers = {}, {}
                for lang, version in versions.items():
                    other = next((q for q in version["qas"] if q["id"] == qa["id"]), None)
                    if other is None:
                        continue
                    asked[lang] = b.question("xquad", side, title, lang, other["question"])
                    if found := located(version["context"], other["answers"][0]):
                        answers[lang] = found
                if qa["id"] in dutch:
                    asked["nl"] = b.question("xquad", side, title, "nl", dutch[qa["id"]])
                for question in asked.values():
                    for lang, answer in answers.items():
                        b.item(question, mine[lang], answer)


def add_squad(b: Builder, source: str, name: str, language: str) -> None:
    """One language, with questions that have no answer."""
    titles = [article["title"] for article in b.load("xquad-dev.en.json")]
    for at, article in enumerate(b.load(name)):
        title = titles[at] if source == "es" else article["title"]  # the Spanish set holds XQuAD's articles again
        side = b.side(source, title)
        for paragraph in article["paragraphs"]:
            clean = untokenised if source == "nq" else str
            context = clean(paragraph["context"])
            mine = b.paragraph(source, side, text_of(title, language, context))
            for qa in paragraph["qas"]:
                question = b.question(source, side, title, language, qa["question"])
                if qa["is_impossible"] or not qa["answers"]:
                    b.item(question, mine, None)
                    continue
                start = int(qa["answers"][0]["answer_start"] / max(len(paragraph["context"]), 1) * len(context))
                if found := located(context, {"text": clean(qa["answers"][0]["text"]), "answer_start": start}):
                    b.item(question, mine, found)


def add_press(b: Builder) -> None:
    for written in press.load():
        article = Article(
            id=written.key, title=written.title, text=written.text, path=written.key, text_sha256="",
            language=written.language, source=written.source, date=dt.date.fromisoformat(written.date),
        )  # fmt: skip
        mine = b.paragraph("press", written.side, article)
        for fact in written.facts:
            gold: dict[int, list[int]] = defaultdict(list)
            for p in mine:
                for i, sentence in enumerate(b.passages[p]["sents"]):
                    if any(answer in sentence for answer in fact.answers):
                        gold[p].append(i)
            for language, text in fact.questions.items():
                question = b.question("press", written.side, written.title, language, text)
                b.items.append(
                    {"q": question, "mine": mine, "gold": dict(gold), "masked": {}, "answer": fact.answers[0]}
                )
        for miss in written.near_misses:
            for language, text in miss.items():
                b.item(b.question("press", written.side, written.title, language, text), mine, None)


def text_of(title: str, language: str, text: str) -> Article:
    return Article(id="", title=title, text=text, path="", text_sha256="", language=language)


def located(context: str, answer: dict[str, Any]) -> tuple[str, int] | None:
    """The answer at its place, or where it stands nearest to that."""
    text, start = answer["text"], answer["answer_start"]
    found = [m.start() for m in re.finditer(re.escape(text), context)]
    return (text, min(found, key=lambda f: abs(f - start))) if found else None


def stems(text: str) -> set[str]:
    return {w[:5] for w in re.findall(r"\w{3,}", text.lower())}


Matrix = npt.NDArray[np.float32]


def mine_negatives(b: Builder, q_vectors: Matrix, p_vectors: Matrix) -> None:
    """`hard` of every item: the passages of its side that rank highest and do not answer; `mine` in that order too.

    Of the text's language, except among our own articles: an archive mixes them. Within a language shared words count.
    """
    pools: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, p in enumerate(b.passages):
        pools[p["side"], "press" if p["source"] == "press" else p["lang"]].append(i)
    words = [stems(" ".join(p["sents"])) for p in b.passages]
    lower = [" ".join(p["sents"]).lower() for p in b.passages]
    for item in b.items:
        question, own = b.questions[item["q"]], b.passages[item["mine"][0]]
        pool = np.array(pools[question["side"], "press" if own["source"] == "press" else own["lang"]])
        scores = p_vectors[pool] @ q_vectors[item["q"]]
        best = np.argsort(-scores)[:40]
        base = dict(zip(pool[best].tolist(), scores[best].tolist(), strict=True))
        if question["lang"] == own["lang"]:
            asked = stems(question["text"])
            base = {p: s + 0.055 * len(asked & words[p]) / max(len(asked), 1) for p, s in base.items()}
        answer = (item["answer"] or "").lower()
        item["hard"] = [
            p
            for p in sorted(base, key=lambda p: -base[p])
            if p not in item["gold"]
            and not (answer and answer in lower[p] and own["source"] != "press")
            and not (item["answer"] is None and b.passages[p]["paragraph"] == own["paragraph"])
            # The Spanish set holds XQuAD's paragraphs again.
            and not (b.passages[p]["title"] == question["title"] and b.passages[p]["source"] != own["source"])
        ][:HARD]
        item["mine"] = sorted(item["mine"], key=lambda p: -float(p_vectors[p] @ q_vectors[item["q"]]))


def cases(b: Builder, q_vectors: Matrix, embed: Any) -> list[Item]:
    """Per kind of data and pair of languages, questions of development articles with their passage and hard ones."""
    rng = random.Random(3)
    by_pair = defaultdict(list)
    for item in b.items:
        question, text = b.questions[item["q"]], b.passages[item["mine"][0]]
        if question["side"] != "dev" or item["answer"] is None:
            continue
        pair = f"{question['lang']} → {text['lang']}"
        if question["source"] == "xquad" and {question["lang"], text["lang"]} <= {"en", "de", "nl"}:
            by_pair[f"xquad {pair}"].append(item)
        elif question["source"] == "press":
            by_pair[f"press {'within' if question['lang'] == text['lang'] else 'across'}"].append(item)
        elif question["source"] != "es" and question["source"] != "xquad":
            by_pair[question["source"]].append(item)
    made = []
    for pair, items in sorted(by_pair.items()):
        for item in rng.sample(items, min(90 if "press" in pair else 20, len(items))):
            shown = [*item["gold"], *item["hard"][:4]]
            vectors = embed(["passage: " + s for p in shown for s in b.passages[p]["sents"]])
            made.append({"pair": pair, "item": item, "shown": shown, "dense": vectors @ q_vectors[item["q"]]})
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    options.work.mkdir(exist_ok=True)
    torch.set_num_threads(2)
    b = Builder(options.data)
    add_xquad(b)
    for source, name, language in (
        ("squad", "squad2-sample.en.json", "en"),
        ("es", "squad2-dev-half.es.json", "es"),
        ("nq", "nq-sample.en.json", "en"),
    ):
        add_squad(b, source, name, language)
    add_press(b)
    print(len(b.passages), "passages", len(b.questions), "questions", len(b.items), "items", flush=True)
    pieces = backbone.pieces()
    model = bert(pieces)

    def ids(texts: list[str]) -> list[list[int]]:
        return [pieces.ids(text) for text in texts]

    def embed(texts: list[str]) -> Matrix:
        return backbone.embed(model, pieces, texts)

    for p in b.passages:
        p["toks"] = ids(p["sents"])
        p["context_toks"] = ids([p["context"] + "."])[0]
    for q in b.questions:
        q["toks"] = ids(["query: " + q["text"]])[0]
    q_vectors = embed(["query: " + q["text"] for q in b.questions])
    p_vectors = embed(
        ["passage: " + " ".join([p["context"]] * (p["source"] == "press") + p["sents"]) for p in b.passages]
    )
    mine_negatives(b, q_vectors, p_vectors)
    with (options.work / "data.pickle").open("wb") as file:
        pickle.dump(
            {"passages": b.passages, "questions": b.questions, "items": b.items, "prefix": ids(["passage:"])[0]}, file
        )
    with (options.work / "development.pickle").open("wb") as file:
        pickle.dump(cases(b, q_vectors, embed), file)


if __name__ == "__main__":
    main()
