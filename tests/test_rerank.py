"""The cross-encoder: what it says of sentences, and what it must not depend on."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest

from rag.errors import RerankerError
from rag.records import Article, Passage
from rag.rerank import BUNDLED, OFF, HubCrossEncoder, Relevance, Reranker, open_reranker
from rag.split import passages

TEXTS = {
    "en": "The ferry from Brandtwijk runs again from Monday. A return ticket costs nine euros. Captain Ilse Moerman "
    "said the new engine is far quieter than the old one. The pier was painted blue.",
    "de": "Die Fähre aus Brandtwijk fährt ab Montag wieder. Eine Rückfahrkarte kostet neun Euro. Kapitänin Ilse "
    "Moerman sagte, die neue Maschine sei viel leiser als die alte. Der Anleger wurde blau gestrichen.",
    "nl": "De veerboot uit Brandtwijk vaart vanaf maandag weer. Een retourtje kost negen euro. Kapitein Ilse Moerman "
    "zei dat de nieuwe motor veel stiller is dan de oude. De steiger werd blauw geverfd.",
}
ASKED = {
    1: (
        "How much is a return ticket for the ferry?",
        "Was kostet die Rückfahrt mit der Fähre?",
        "Wat kost een retour met de veerboot?",
    ),
    2: (
        "What did the captain say about the engine?",
        "Was sagte die Kapitänin über die Maschine?",
        "Wat zei de kapitein over de motor?",
    ),
}


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    found = open_reranker(BUNDLED)
    assert found is not None
    return found


def passage(text: str, language: str = "en", title: str = "Ferry") -> Passage:
    article = Article(id="x", title=title, text=text, path="x.md", text_sha256="", language=language)
    (only,) = passages(article)
    return only


def best(found: Relevance) -> int:
    return max(range(len(found.sentences)), key=lambda at: found.sentences[at])


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(("at", "question"), [(at, question) for at, asked in ASKED.items() for question in asked])
def test_the_sentence_that_answers_is_first_within_and_across_languages(
    reranker: Reranker, language: str, at: int, question: str
) -> None:
    (found,) = reranker.scores(question, [passage(TEXTS[language], language)])
    assert best(found) == at


@pytest.mark.parametrize("language", TEXTS)
def test_none_counts_for_more_where_nothing_answers(reranker: Reranker, language: str) -> None:
    held = passage(TEXTS[language], language)

    def over_none(question: str) -> float:
        (found,) = reranker.scores(question, [held])
        assert found.none is not None
        return max(found.sentences) - found.none

    assert over_none(ASKED[1][0]) > over_none("Who won the chess championship in 1972?") + 2


def test_every_sentence_has_a_score_also_those_that_do_not_fit(reranker: Reranker) -> None:
    long = "The council met again and again and spoke of the harbour, the dyke and the price of both. " * 60
    article = Article(id="x", title="Long", text=long.strip(), path="x.md", text_sha256="", language="en")
    sentences = tuple(sentence for part in passages(article) for sentence in part.sentences)
    whole = Passage(article, 0, len(article.text), sentences, "")
    (found,) = reranker.scores("What did the council speak of?", [whole])
    assert len(found.sentences) == len(sentences)
    assert found.sentences[-1] < min(found.sentences[:5])
    assert math.isfinite(found.sentences[-1])


def test_a_passage_is_scored_alike_in_any_company(reranker: Reranker) -> None:
    held = [passage(TEXTS[language], language) for language in TEXTS] + [passage("Short. Very short.")]
    question = ASKED[2][0]
    together = reranker.scores(question, held)
    for one, other in zip(together, (reranker.scores(question, [each])[0] for each in held), strict=True):
        assert one.sentences == pytest.approx(other.sentences, abs=1e-4)
        assert one.none == pytest.approx(other.none, abs=1e-4)


def test_no_passage_is_no_work(reranker: Reranker) -> None:
    assert reranker.scores("Anything?", []) == []


def test_it_may_be_asked_from_several_threads(reranker: Reranker) -> None:
    held = [passage(TEXTS[language], language) for language in TEXTS]
    expected = {question: reranker.scores(question, held) for question in (*ASKED[1], *ASKED[2])}
    found: dict[str, list[Relevance]] = {}

    def ask(question: str) -> None:
        found[question] = reranker.scores(question, held)

    threads = [threading.Thread(target=ask, args=(question,)) for question in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_it_can_be_off() -> None:
    assert open_reranker(OFF) is None


def test_another_cross_encoder_scores_every_sentence(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ferry", "ticket", "engine", "costs", "captain"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast: Any = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(words), **sizes, num_labels=1)  # type: ignore[arg-type, call-arg]
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    fast.save_pretrained(tmp_path / "model")
    ours = open_reranker(str(tmp_path / "model"))
    assert isinstance(ours, HubCrossEncoder)
    held = passage(TEXTS["en"])
    (found, again) = ours.scores("ferry ticket", [held, held])
    assert found.none is None
    theirs = CrossEncoder(str(tmp_path / "model"), num_labels=1)
    sentences = [held.article.text[s.start : s.end] for s in held.sentences]
    expected = theirs.predict([("ferry ticket", sentence) for sentence in sentences]).tolist()
    assert found.sentences == pytest.approx(expected, abs=1e-5)
    assert again.sentences == pytest.approx(expected, abs=1e-5)


def test_a_cross_encoder_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match=r"cannot be loaded.*expected.*ON_RECORD_RERANK_MODEL"):
        open_reranker(str(tmp_path / "nothing"))
