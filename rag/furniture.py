"""What a line of text says by itself about being article or web furniture: named features, most within 0 to 1.

`signs` holds the words and patterns; `clean` weighs the features and looks at the company a line keeps.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rag.records import Block
from rag.signs import (
    ARROW,
    BIO_VERB,
    BYLINE,
    CAPTION,
    CLOSING,
    COMMENTS,
    CONTACT,
    CREDIT,
    DATE,
    DOMAIN,
    END,
    FIELD,
    LEAD_IN,
    NUMBERED,
    OPENING,
    OWNER,
    PAID,
    SENTENCE,
    SEPARATOR,
    WORD,
    address_words,
    bio_words,
    function_words,
    notice_words,
    site_words,
    speaks_for_site,
    unmistakable,
)

Floats = NDArray[np.float64]


def line_key(line: str) -> str:
    """The form in which repeated lines are counted: case, digits and white space folded."""
    return re.sub(r"\d+", "0", " ".join(line.casefold().split()))


def own_features(lines: Sequence[str], blocks: Sequence[Block], repeated: Container[str]) -> Floats:
    """What each line says by itself: `(n, len(OWN))` float64, most values within 0 to 1."""
    keys = [line_key(line) for line in lines]
    counts = Counter(keys)
    words = [WORD.findall(line) for line in lines]
    folded = [[word.casefold() for word in some] for some in words]
    common = function_words()
    stops = [sum(word in common for word in some) for some in folded]
    vocabulary = _core_vocabulary(lines, folded, stops)
    counted = _counted(lines)
    names, site = _page_names(lines, words)
    paid = [bool(PAID.match(line)) and len(line) < 120 and not END.search(line) for line in lines]
    rows = []
    for i, line in enumerate(lines):
        row = _own(line, blocks[i], words[i], folded[i], stops[i], counts[keys[i]], keys[i] in repeated, vocabulary)
        opening = " ".join(folded[i][:2])
        row[OWN.index("counted")] = counted[i]
        if paid[i] and sum(paid[max(0, i - 3) : i + 4]) > 1:
            row[OWN.index("unmistakable")] = 1.0
        author = len(words[i]) > 8 and opening in names
        known = author or (len(words[i]) > 8 and folded[i][0] in names)
        row[OWN.index("author")] = float(author)
        row[OWN.index("biography")] = float(known and bool(BIO_VERB.intersection(folded[i][1:4])))
        if row[OWN.index("biography")] and row[OWN.index("bio")]:
            row[OWN.index("unmistakable")] = 1.0
        row[OWN.index("site_opening")] = float(any(word in site for word in folded[i][:3]))
        row[OWN.index("site_name")] = float(any(word in site for word in folded[i]))
        rows.append(row)
    return np.array(rows, np.float64)


def _glued(line: str, words: Sequence[str], function_share: float) -> bool:
    """A long run of words in capitals without any punctuation: other headlines glued together."""
    if len(words) < 14 or function_share > 0.2 or re.search(r"[.!?:;]", line):
        return False
    return sum(word[0].isupper() for word in words) >= 0.6 * len(words)


def _counted(lines: Sequence[str]) -> list[float]:
    """1.0 for the lines of a numbered list: a line near by carries the next or the previous number."""
    numbers = [int(match.group(1)) if (match := NUMBERED.match(line)) else -9 for line in lines]
    return [
        float(number >= 0 and any(abs(other - number) == 1 and other >= 0 for other in numbers[max(0, i - 6) : i + 7]))
        for i, number in enumerate(numbers)
    ]


def _page_names(lines: Sequence[str], words: Sequence[list[str]]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of people that stand alone or in a byline on the page, and the words of the site's own name."""
    people: set[str] = set()
    site: set[str] = set()
    for line, some in zip(lines, words, strict=True):
        if 2 <= len(some) <= 6 and len(line) < 60 and (BYLINE.match(line) or len(some) <= 3) and not END.search(line):
            for first, last in pairwise(some):
                if first[0].isupper() and last[0].isupper():
                    people.add(f"{first} {last}".casefold())
                    people.update([first.casefold()] if BYLINE.match(line) else [])
        if len(some) <= 12 and (match := OWNER.search(line)):
            site.update(word.casefold() for word in WORD.findall(match.group(1)) if len(word) > 3)
        site.update(match.group(1).casefold() for match in DOMAIN.finditer(line) if len(line) < 60)
    return frozenset(people), frozenset(site - function_words())


def _core_vocabulary(lines: Sequence[str], folded: Sequence[list[str]], stops: Sequence[int]) -> Counter[str]:
    """In how many sentence-like lines each content word (by its first six letters) stands."""
    count: Counter[str] = Counter()
    for line, words, stop in zip(lines, folded, stops, strict=True):
        if len(words) >= 15 and stop >= 0.25 * len(words) and END.search(line):
            count.update({word[:6] for word in words if len(word) > 3} - function_words())
    return count


OWN = (
    "bias unmistakable unpunctuated teaser_twice biography site_opening caption lead_in field counted arrows"
    " comments label notice notice_share bio author site_name structured length words long function_share"
    " function_count end_mark colon ellipsis question sentences commas"
    " sentence clause quoted lower_start capitals shouting digits no_letters separators contact credit byline date"
    " site_words site_share site_start site_short address twice returns link_density linked_short heading item short"
    " known_share known_count unbroken dialogue addressed_site we_site request names_itself"
    " opens_with_itself several_signs"
).split()


def _own(
    line: str,
    block: Block,
    words: list[str],
    folded: list[str],
    stops: int,
    count: int,
    returns: bool,
    vocabulary: Counter[str],
) -> list[float]:
    n = len(words)
    chars = len(line)
    end = bool(END.search(line))
    share = stops / n if n else 0.0
    low = line.casefold()
    site = len(site_words().findall(low))
    site_start = bool(site_words().match(low.lstrip(" \t-–•*>»›→[("))) or (
        n > 1 and bool(site_words().match(folded[1]))
    )
    address = sum(word in address_words() for word in folded)
    caps = sum(word[0].isupper() for word in words[1:]) / (n - 1) if n > 1 else 0.5
    content = [word[:6] for word in folded if len(word) > 3 and word not in function_words()]
    alone = 1 if end and n >= 15 else 0  # the line itself is part of the vocabulary
    known = sum(vocabulary[word] > alone for word in content)
    unbroken = max((len(piece.split()) for piece in re.split(r"[.!?…:;,–|()]", line)), default=0)
    quoted = line[0] in OPENING[:-1]
    caps_at_start = n > 1 and words[0][0].isupper() and words[1][0].isupper()
    notice = sum(word.startswith(notice_words()) for word in folded)
    spoken = (0.0,) * 5 if quoted else speaks_for_site(folded, site, notice)
    stands_for_site = site + sum(word in function_words() or word in address_words() for word in folded)
    return [
        1.0,
        float(unmistakable(line, n) or _glued(line, words, share) or (returns and n >= 4 and (n < 12 or not end))),
        float(n >= 14 and not re.search(r"[.!?:;]", line)),
        float(count > 1 and n >= 4 and not end),
        0.0,  # biography
        0.0,  # site_opening
        float(bool(CAPTION.search(line))),
        float(n <= 25 and bool(LEAD_IN.match(line))),
        float(n <= 12 and bool(FIELD.match(line))),
        0.0,  # counted
        float(bool(ARROW.search(line))),
        float(n <= 14 and bool(COMMENTS.match(line))),
        float(0 < n <= 5 and site > 0 and stands_for_site >= n),
        min(notice, 3) / 3,
        min(notice / n, 0.3) / 0.3 if n else 0.0,
        0.0 if n < 8 or not caps_at_start else min(sum(word.startswith(bio_words()) for word in folded[2:]), 3) / 3,
        0.0,  # author
        0.0,  # site_name
        float(block.kind != "line"),
        math.log1p(chars) / 6,
        math.log1p(n) / 4,
        min(n, 60) / 60,
        min(share, 0.6),
        min(stops, 12) / 12,
        float(end),
        float(line[-1] == ":"),
        float(line.endswith(("...", "…"))),
        float(line.rstrip(CLOSING).endswith("?")),
        min(len(SENTENCE.findall(line)), 5) / 5,
        min(line.count(","), 4) / 4,
        float(end and n >= 6 and share >= 0.2),
        float(not end and n >= 10 and share >= 0.25),
        float(quoted),
        float(line[0].islower()),
        caps,
        sum(len(word) > 1 and word.isupper() for word in words) / n if n else 0.0,
        sum(char.isdigit() for char in line) / chars,
        float(n == 0),
        float(bool(SEPARATOR.search(line))),
        float(bool(CONTACT.search(line))),
        float(bool(CREDIT.search(line))),
        float(n <= 8 and bool(BYLINE.match(line))),
        float(n <= 10 and bool(DATE.search(line))),
        min(site, 4) / 4,
        min(site / n, 1.0) if n else 0.0,
        float(site_start),
        float(site > 0 and n <= 12),
        min(address / n, 0.3) / 0.3 if n else 0.0,
        min(count - 1, 3) / 3,
        float(returns),
        block.link_density,
        block.link_density * (n < 15),
        float(block.kind == "heading"),
        float(block.kind == "item"),
        float(n <= 3),
        known / len(content) if content else 0.0,
        min(known, 10) / 10,
        min(unbroken, 30) / 30,
        float(quoted and end),
        *spoken,
        float(sum(spoken) + (notice > 1 and not quoted) >= 2),
    ]
