"""Follow-up questions: "And what about Netflix?", "Wanneer was dat?", "Und warum?" made to stand alone.

Rules over function words, names and the questions before; no language model. When in doubt a question stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.terms import content_words, names, question_language, words

_CONTINUES = re.compile(
    r"\s*(and|but|or|so|also|then|en|maar|of|dus|und|aber|oder|also|what about|how about|hoe zit het( dan)? met|"
    r"(en )?wat (is er )?met|wat dacht je van|was ist mit|wie sieht es (bei|mit)|wie steht es (um|mit))\b",
    re.IGNORECASE,
)
# Words that take something up which was said before. Of those that may also stand before a noun ("die Studios", "that
# year"), _points_back looks at what follows.
_PRONOUNS = frozenset(
    """he she it they him her them his its their that this those these there then
    hij zij ze hem haar hun het dat dit die deze daar toen daarover ervan erover daarmee
    er sie es ihn ihm ihnen sein seine ihr ihre das dies dieser diese dort damals darüber davon dafür dagegen
    damit""".split()
)
_ARTICLES_TOO = frozenset(
    "het dat dit die deze her his its their that this those these das die sein seine ihr ihre".split()
)
_VERBS = frozenset(
    """is was were are did does do be been happen happened say said mean means
    was waren werd gebeurde zei zeggen kost gekost war waren ist sind geschah passierte sagte gesagt""".split()
)


def standalone(question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question with what it leaves out, taken from the questions before it, oldest first in `history`.

    A question that names somebody new keeps the rest of the earlier one ("And Netflix?" after "What did Kyncl say
    about licensing?" asks what Netflix said about licensing); any other is asked together with the earlier one.
    """
    if not history or not _is_follow_up(question):
        return question
    earlier = standalone(history[-1][0], history[:-1])
    new, old = _named(question), _named(earlier)
    telling = content_words(question)
    if not new and len(telling) == 1 and telling[0].text[0].isupper():
        new = [
            telling[0].text
        ]  # "Und Ellison?": in German a capital alone makes no name, but here nothing else is said
    if new and len(telling) > sum(len(words(name)) for name in new) + 1:
        return question
    if new and old:
        return earlier.replace(old[0], new[0], 1)
    return f"{question.strip()} {earlier}"


def _named(question: str) -> list[str]:
    return [name.text for name in names(question, question_language(question)) if not name.text[0].isdigit()]


def _is_follow_up(question: str) -> bool:
    telling = content_words(question)
    named = names(question, question_language(question))
    if len(telling) <= 1 and not (named and len(words(question)) > 2 and not _CONTINUES.match(question)):
        bare = not telling and 0 < len(words(question)) <= 3  # "Why?", and not "Hello" or "???"
        return bool(named) or bare or _points_back(question) or bool(_CONTINUES.match(question))
    if _CONTINUES.match(question) and len(telling) <= 4:
        return True
    return not named and len(telling) <= 4 and _points_back(question)


def _points_back(question: str) -> bool:
    """Whether a pronoun takes up something that the question itself does not name."""
    listed = [word.text for word in words(question)]
    for position, word in enumerate(listed):
        if word.casefold() not in _PRONOUNS:
            continue
        following = listed[position + 1] if position + 1 < len(listed) else ""
        if word.casefold() not in _ARTICLES_TOO or not following or following.casefold() in _VERBS:
            return True
        if following[0].islower() and not content_words(following):
            return True
    return False
