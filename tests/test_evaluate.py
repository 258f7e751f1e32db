"""Evaluating an archive: the questions as they are read, real answers on a small archive, the figures, the command."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stories import BAKERY, DEMOLITION

from rag import cli, expected
from rag.assistant import Assistant
from rag.errors import CitationError, SettingsError
from rag.evaluate import article_languages, evaluate
from rag.expected import Expected, load
from rag.figures import Outcome, auroc, calibration_error, reliability, report
from rag.records import Answer, Citation

ARTICLES = {
    "harbour.md": DEMOLITION,
    "bakkerij.md": BAKERY
    + """
Op de gevel stond in 1925 al: “Bread is our word.”
""",
    "brot.md": """\
---
title: Ein Satz über der Tür
source: Der Kahn
date: 2025-10-01
language: de
---
Über der Tür der alten Backstube steht bis heute der Satz „Bread is our word“. Niemand weiß, wer ihn schrieb.
""",
}
OVEN = {"question": "Wat zei bakker Terhorst over de oven?", "quotes": ["De oven is op en  ik ben\nhet ook"]}
CRANE = {"question": "What did harbour master Lena Vosskamp say about the crane?", "quotes": ["sixty years"]}
BEAMS = {
    "question": "How many beams of the crane have cracks?",
    "quotes": ["will be taken down in May"],
}  # the wrong one
NOBODY = {"question": "What did Ada Lovelace say about quantum computers?", "kind": "unknown person"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    root = tmp_path_factory.mktemp("evaluate")
    (root / "quay").mkdir()
    for name, text in ARTICLES.items():
        (root / "quay" / name).write_text(text, "utf-8")
    with Assistant(corpus=root / "quay", index=root / "index") as assistant:
        assistant.sync()
    with Assistant(corpus=root / "quay", index=root / "index") as assistant:
        yield assistant


@pytest.fixture
def where(archive: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that lead to the archive, away from any setting of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ON_RECORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ON_RECORD_HOME", str(tmp_path / "home"))
    return ["--corpus", str(archive.corpus), "--index", str(archive.path)]


def written(folder: Path, *items: dict[str, Any]) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in items) + "\n", "utf-8")
    return path


# Reading


def test_a_question_is_read_with_all_that_it_may_say(tmp_path: Path) -> None:
    full = {
        "id": "q7",
        "question": "Who?",
        "quotes": ["he"],
        "language": "NL",
        "kind": "who",
        "languages": ["en"],
        "sources": ["The Quay Courier"],
        "since": "2025-01-01",
        "until": "2025-12-31",
        "note": "ignored",
    }
    path = written(tmp_path, full, OVEN)
    path.write_text("\ufeff" + path.read_text("utf-8").replace("\n", "\n\n"), "utf-8")
    first, second = load(path)
    assert first == Expected(
        line=1,
        id="q7",
        question="Who?",
        quotes=("he",),
        language="nl",
        kind="who",
        languages=("en",),
        sources=("The Quay Courier",),
        since=dt.date(2025, 1, 1),
        until=dt.date(2025, 12, 31),
    )
    assert (second.line, second.id, second.language, second.kind) == (3, "3", "nl", None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"question": "Who?"', "is no JSON"),
        ("[]", "'[]'"),
        ('{"quotes": []}', "has no question"),
        ('{"question": " "}', "some text"),
        ('{"question": "Who?", "quotes": "he"}', "a list of texts"),
        ('{"question": "Who?", "quotes": [""]}', "none of them empty"),
        ('{"question": "Who?", "qoutes": ["he"]}', "expected 'quotes'"),
        ('{"question": "Who?", "language": "Dutch"}', "nl, de or en"),
        ('{"question": "Who?", "since": "2025"}', "2025-10-01"),
        ('{"question": "Who?", "since": "2025-10-02", "until": "2025-10-01"}', "the earlier one first"),
        (json.dumps({"question": "Who? " * 500}), "2,000 characters"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(line: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(f'{{"question": "Who?"}}\n\n{line}\n', "utf-8")
    with pytest.raises(SettingsError, match="line 3 of the questions") as caught:
        load(path)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b'{"question": "\xff"}'])
def test_a_file_without_readable_questions_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"questions\.jsonl"):
        load(path)


# Asking


def test_answers_are_counted_as_what_they_are(archive: Assistant, tmp_path: Path) -> None:
    result = evaluate(archive, load(written(tmp_path, OVEN, CRANE, BEAMS, NOBODY)), archive="the quay")
    assert [(o.found, o.right == 1, o.passage, o.cost) for o in result.outcomes] == [
        (True, True, 1, 0),
        (True, True, 1, 0),
        (True, False, result.outcomes[2].passage, 3),
        (False, False, None, 0),
    ]
    assert [(pair.question, pair.article, pair.figures.questions) for pair in result.pairs] == [
        ("en", "en", 2),
        ("nl", "nl", 1),
    ]
    assert [pair.figures.first for pair in result.pairs] == [0.5, 1.0]
    assert result.total.answered == 1.0
    assert result.cost == 3 / 4
    assert result.cost_of_silence == 3 / 4
    assert [(kind.kind, kind.questions, kind.refused) for kind in result.kinds] == [("unknown person", 1, 1.0)]
    assert result.total.auroc == 1.0
    assert result.articles == 3
    assert 0 < result.ms <= result.ms_90


def test_the_article_is_that_in_the_questions_language_where_one_holds_the_answer(
    archive: Assistant, tmp_path: Path
) -> None:
    asked = {"question": "Who?", "quotes": ["Bread is our word"]}  # stands in a German and a Dutch article
    items = [{**asked, "language": language} for language in ("nl", "de", "en")]
    items += [{**asked, "language": "en", "languages": ["nl"]}, {"question": "Who?", "language": "en"}]
    assert article_languages(archive, archive.articles(), load(written(tmp_path, *items))) == [
        "nl",
        "de",
        "de",
        "nl",
        None,
    ]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({**CRANE, "quotes": ["sixty years", "seventy years"]}, "'seventy years', which no article"),
        ({**CRANE, "quotes": ["north. The city"]}, "within one paragraph"),
        ({**CRANE, "since": "2025-09-01"}, "outside its filters"),
    ],
)
def test_what_nobody_could_quote_is_an_error_and_not_a_miss(
    item: dict[str, Any], told: str, archive: Assistant, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="line 2 of the questions") as caught:
        evaluate(archive, load(written(tmp_path, OVEN, item)), archive="the quay")
    assert told in str(caught.value)


def test_the_filters_of_a_question_hold(archive: Assistant, tmp_path: Path) -> None:
    without = {"question": OVEN["question"], "languages": ["en"]}
    assert archive.ask(str(without["question"])).found
    (outcome,) = evaluate(archive, load(written(tmp_path, without)), archive="the quay").outcomes
    assert not outcome.found


class Cutting(Assistant):
    """Cuts the first word of every quotation in two."""

    def ask(self, *args: Any, **options: Any) -> Answer:
        answer = super().ask(*args, **options)
        cut = [
            Citation(c.number, c.article, c.start + 2, c.end, c.article.text[c.start + 2 : c.end], c.context)
            for c in answer.citations
        ]
        return replace(answer, citations=tuple(cut))


def test_a_quotation_that_is_not_exact_ends_the_evaluation(archive: Assistant, tmp_path: Path) -> None:
    with (
        Cutting(archive.corpus, archive.path) as cutting,
        pytest.raises(CitationError, match="line 1 of the questions"),
    ):
        evaluate(cutting, load(written(tmp_path, CRANE)), archive="the quay")


def test_every_quotation_of_the_built_in_set_stands_in_the_starter_corpus(starter: Assistant) -> None:
    questions = load(expected.BUILT_IN)
    languages = article_languages(starter, starter.articles(), questions)
    pairs = {(item.language, language) for item, language in zip(questions, languages, strict=True) if language}
    assert pairs == {(one, other) for one in ("de", "en", "nl") for other in ("de", "en", "nl")}


# Counting


def outcome(
    confidence: float,
    *,
    quotes: int = 1,
    right: int | None = 1,
    passage: int | None = 1,
    found: bool = True,
    **other: Any,
) -> Outcome:
    """What became of a question with this many quotations expected; the answer's are ten and five characters long."""
    item = Expected(1, "1", "Who?", ("he",) * quotes, other.get("language", "en"), other.get("kind"))
    given = ("x" * 10, "y" * 5) if found else ()
    return Outcome(
        item, other.get("article", "en") if quotes else None, passage, right, found, confidence, given, None, confidence
    )


def test_the_figures_are_those_computed_by_hand() -> None:
    missed: dict[str, Any] = {"right": None, "passage": None}
    made = report(
        [
            outcome(0.95),
            outcome(0.75, right=2, passage=5),
            outcome(0.25, **missed, found=False, article="nl"),
            outcome(0.65, right=4, passage=10, article="nl"),
            outcome(0.72, **missed, quotes=0, kind="near miss"),
            outcome(0.05, **missed, quotes=0, found=False, kind="noise", language="de"),
        ],
        archive="the quay",
        articles=3,
        cross_encoder="bundled",
    )
    total = made.total
    assert (total.questions, total.recall_1, total.recall_5, total.recall_10) == (4, 0.25, 0.5, 0.75)
    assert (total.first, total.three, total.answered) == (0.25, 0.5, 0.75)
    assert (total.characters, total.characters_all) == (10, 15)
    assert total.cost == (0 + 3 + 1 + 3) / 4
    assert total.auroc == (2 + 1 + 2 - 1 + 1 + 1) / 8  # .95 and .75 beat both, .25 and .65 only the second
    assert [(p.question, p.article, p.figures.first) for p in made.pairs] == [("en", "en", 0.5), ("en", "nl", 0.0)]
    assert made.pairs[0].figures.auroc == 1.0  # against the one question in English without an answer
    assert [(k.kind, k.refused, k.auroc) for k in made.kinds] == [("near miss", 0.0, 0.5), ("noise", 1.0, 1.0)]
    assert [(g.language, g.questions, g.answerable, g.refused) for g in made.languages] == [
        ("de", 1, 0, 1.0),
        ("en", 5, 4, 0.0),
    ]
    assert (made.cost, made.cost_of_silence) == (10 / 6, 4 / 6)
    counts = [(b.questions, b.right) for b in made.bins]
    assert counts == [(1, 0), (0, None), (1, 0), *[(0, None)] * 3, (1, 0), (2, 0), (0, None), (1, 1)]
    # the bins' distances, each with its questions: .05, .25, .65, twice .735, and .95 from 1
    assert made.everything.calibration_error == pytest.approx((0.05 + 0.25 + 0.65 + 2 * 0.735 + 0.05) / 6)
    assert made.ms == pytest.approx((0.65 + 0.72) / 2)
    assert made.ms_90 == 0.95
    assert made.to_dict()["answers"][1]["right_of_three"] is True
    assert json.loads(json.dumps(made.to_dict()))["pairs"][1]["article"] == "nl"


def test_what_cannot_be_measured_is_none_and_not_a_number() -> None:
    strange = report(
        [outcome(0.1, quotes=0, right=None, found=False)], archive="the quay", articles=1, cross_encoder="off"
    )
    assert (strange.total.first, strange.total.auroc, strange.total.ms, strange.pairs) == (None, None, None, ())
    known = report([outcome(0.9)], archive="the quay", articles=1, cross_encoder="off")
    assert (known.everything.refused, known.total.auroc, known.kinds) == (None, None, ())


def test_the_measures_follow_their_definitions() -> None:
    assert auroc([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    assert auroc([0.1], [0.9]) == 0
    assert calibration_error([1.0, 1.0, 0.0], [True, False, False]) == pytest.approx(1 / 3)
    assert calibration_error([0.7, 0.7, 0.7, 0.7], [True, True, True, False]) == pytest.approx(0.05)
    assert [item.questions for item in reliability([0.0, 0.49, 0.5, 1.0], [True] * 4, bins=2)] == [2, 2]


# The command


def test_eval_prints_a_table_that_fits_and_names_the_archive(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, OVEN, CRANE, BEAMS, NOBODY)
    assert cli.main(["eval", str(path), *where]) == cli.FOUND
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "The archive quay: 3 articles, 4 questions (3 with an answer, 1 without), cross-encoder bundled"
    assert max(map(len, lines)) <= 100
    (row,) = [line for line in lines if line.startswith("en → en")]
    assert row.split()[3] == "2"
    assert "unknown person" in printed.out
    assert not printed.err


def test_eval_as_json_holds_every_answer_under_stable_keys(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", str(written(tmp_path, OVEN, NOBODY)), "--json", *where]) == cli.FOUND
    data = json.loads(capsys.readouterr().out)
    assert list(data) == [
        *(
            "version",
            "archive",
            "articles",
            "cross_encoder",
            "all",
            "with_answer",
            "pairs",
            "without_answer",
            "languages",
        ),
        *("bins", "answers"),
    ]
    assert data["all"]["questions"] == 2
    assert len(data["bins"]) == 10
    oven, nobody = data["answers"]
    assert oven["quote"].endswith("zei bakker Joris Terhorst.")
    assert (oven["found"], oven["right"], oven["article"]) == (True, True, "bakkerij.md")
    assert (nobody["found"], nobody["right"], nobody["quote"], nobody["answerable"]) == (False, False, None, False)


def test_eval_draws_a_picture_that_says_what_it_shows(
    where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, OVEN, CRANE, NOBODY)
    for name in ("figure.png", "figure.SVG"):
        assert cli.main(["eval", str(path), "--plot", name, *where]) == cli.FOUND
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")
    drawn = Path("figure.SVG").read_text("utf-8")
    assert "The archive quay: 3 articles" in drawn
    assert "nl → nl" in drawn
    assert "calibration error" in drawn
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["questions.jsonl", "--plot", "figure.jpg"], ".png or .svg"),
        (["questions.jsonl", "--plot", "nowhere/figure.png"], "cannot be written"),
        (["nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        ([], "add a FILE"),
    ],
)
def test_an_evaluation_that_cannot_be_done_ends_with_2_and_one_line(
    arguments: list[str], told: str, where: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, NOBODY)
    assert cli.main(["eval", *arguments, *where]) == cli.ERROR
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_without_a_file_the_starter_corpus_is_measured_whatever_the_settings_name(
    starter: Assistant,
    where: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ON_RECORD_CORPUS", str(tmp_path / "elsewhere"))
    few = [json.loads(line) for line in expected.BUILT_IN.read_text("utf-8").splitlines()[:2]]
    monkeypatch.setattr(expected, "BUILT_IN", written(tmp_path, *few))
    assert cli.main(["eval", "--index", str(starter.path)]) == cli.FOUND
    assert capsys.readouterr().out.startswith(f"The starter corpus: {len(starter.articles())} articles, 2 questions")
