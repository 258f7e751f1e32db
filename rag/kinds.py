"""What kind of answer a question wants, told by small word patterns in Dutch, German and English.

Two readers use it: the reader, whose features `asks` and `GIVES` were fitted as they stand (change them and fit it
anew), and the answer, which is shaped by `kinds`. Here nothing is known of archives or scores, only of wording. What
looks like more than one kind is of all of them; where no pattern tells, a question has no kind, and nothing is shaped.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from rag.terms import content_words, words

Kind = Literal["date", "number", "person", "reason", "statement", "list", "yes_no", "keywords", "name"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_ASKS: dict[Kind, re.Pattern[str]] = {
    "date": re.compile(
        r"\b(when|(what|which) (year|date|day|month|century|decade|time)|since when|how long ago|wann|seit wann|"
        r"(welche[mnsr]?|im) (jahr|datum|tag|monat|jahrhundert)|wanneer|sinds wanneer|"
        r"wel(k|ke) (jaar|datum|dag|maand|eeuw))\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"\b(how (many|much|long|old|far|large|big|tall|high|fast|often|deep|wide)|(what|which) (percentage|number|"
        r"percent|share|amount|population|price|cost|score)|wie ?(viel\w*|lange|alt|weit|gro(ß|ss)|hoch|schnell|oft|"
        r"teuer|tief|breit)|prozent\w*|hoeveel\w*|percentage|"
        r"hoe (lang|oud|ver|groot|hoog|snel|vaak|duur|diep|breed))\b",
        re.IGNORECASE,
    ),
    "person": re.compile(
        r"\b(who|whom|whose|wer|wem|wen|wessen|wie (is|was|zei|zegt|heeft|had|noemde|leidt|won|schreef|werd|waren|zijn|"
        r"maakte|speelde|richtte|wil|wilde|kreeg|gaf|deed|vond|waarschuwde|noemt|vergeleek|werkt))\b",
        re.IGNORECASE,
    ),
    "reason": re.compile(r"\b(why|how come|warum|wieso|weshalb|waarom|wegens)\b", re.IGNORECASE),
}
GIVES: dict[Kind, re.Pattern[str]] = {
    "date": re.compile(
        r"\b(1[0-9]{3}|20[0-9]{2}|(19|20)?[0-9]0s|januar[iy]?|january|februar[iy]?|february|märz|maart|march|april|mai|"
        r"mei|may|jun[ie]|jul[iy]|august(us)?|september|o[ck]tober|november|de[cz]ember|century|jahrhunderts?|eeuw|"
        r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
        r"sonntag|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|yesterday|gestern|gisteren)\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"\d|\b(twent|thirt|fort|fift|sixt|sevent|eight|ninet)(y|een|ieth)|(twin|der|veer|vijf|zes|zeven|tach|negen)tig|"
        r"(zwan|vier|fünf|sech|sieb|acht|neun)zig|dreißig|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|"
        r"twelve|dozens?|half|thirds?|quarter|hundreds?|"
        r"thousands?|millions?|billions?|twice|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|hälfte|"
        r"hundert\w*|tausend\w*|millionen|milliarden?|doppelt|dutzend\w*|twee|drie|vijf|zes|zeven|negen|tien|twaalf|"
        r"helft|honderd\w*|duizend\w*|miljoen\w*|miljard\w*|tientallen)\b",
        re.IGNORECASE,
    ),
    "person": re.compile(r"(?<=[a-zäöüß,] )[A-ZÄÖÜ][a-zäöüßé]+( (van|von|de|der|den|du|la))* [A-ZÄÖÜ]"),
    "reason": re.compile(
        r"\b(because|since|due to|so that|in order to|therefore|as a result|fear\w*|worr(y|ied)|concern\w*|"
        r"weil|da|denn|"
        r"wegen|aufgrund|deshalb|damit|um|daher|grund|sorg\w*|fürcht\w*|omdat|want|doordat|vanwege|wegens|daarom|zodat|"
        r"zorgen|bang|vrees\w*|vrez\w*)\b",
        re.IGNORECASE,
    ),
}


def asks(question: str) -> frozenset[Kind]:
    """What a question asks for: "date", "number", "person", "reason"; empty where no word tells."""
    found: set[Kind] = {kind for kind, pattern in _ASKS.items() if pattern.search(question)}
    if "date" in found:
        found.discard("number")
    return frozenset(found)


_QUESTION_WORD = re.compile(
    r"\b(who|whom|whose|what|which|when|where|why|how|"
    r"wie|wat|welke?|waar|waar(aan|bij|door|in|mee|naar|om|op|over|toe|uit|van|voor)|wanneer|hoe|hoeveel|"
    r"wer|wem|wen|wessen|was|welche[mnrs]?|wann|warum|wieso|weshalb|wieviele?|"
    r"wo(bei|durch|für|gegen|her|hin|mit|nach|ran|rauf|raus|rin|rüber|rum|von|vor|zu)?)\b",
    re.IGNORECASE,
)
# Dutch and German begin a question with any verb; these are those of English and the frequent ones of the other two.
# "Was" is not among them: in German it asks what.
_VERB_FIRST = re.compile(
    r"\W*(is|are|were|do|does|did|has|have|had|can|could|will|would|should|may|must|"
    r"zijn|waren|heeft|hebben|hadden|kan|kunnen|kon|mag|mogen|moet|moeten|gaat|gaan|wordt|worden|werd|werden|doet|doen|"
    r"zal|zullen|zou|wil|willen|krijgt|krijgen|klopt|komt|blijft|"
    r"ist|sind|war|hat|hatte|haben|hatten|kann|können|konnte|darf|dürfen|muss|müssen|soll|sollen|wird|wurde|wurden|"
    r"will|wollen|gibt|gab|kommt|bleibt|blieb|macht|stimmt|gehört|was (?=(there|it|he|she|the|any|this|that)\b))\b",
    re.IGNORECASE,
)
_VERB_ENDING = re.compile(r"\W*[A-ZÄÖÜ]?[a-zäöüß]{2,}(t|te|en|de|den|ten)\b(?!-)")
_STATEMENT = re.compile(
    r"\b(says?|said|saying|tells?|told|thinks?|thought|argue[sd]?|claim(s|ed)?|warn(s|ed|ing)?|threaten(s|ed)?|calls?|"
    r"according to|view|opinion|believes?|believed|respond(s|ed)?|reacts?|reacted|insists?|insisted|explain(s|ed)?|"
    r"announce[sd]?|criticis\w+|criticiz\w+|demands?|demanded|"
    r"zei|zeggen|zegt|gezegd|vindt|vond|vinden|vertel(t|de|len)|volgens|noemt|noemde|waarschuw\w*|beweer\w*|stelt|stelde|"
    r"denkt|dacht|denken|reageer\w*|schrijft|schreef|mening|eist|eiste|"
    r"sagt|sagte|sagten|sagen|gesagt|meint|meinte|meinen|erklärte?|laut|nach (Ansicht|Meinung|Angaben|Auffassung)|"
    r"warnt|warnte|gewarnt|nennt|nannte|behaupte\w*|forder(t|te|n|ten)|äußer\w*|reagier\w*|findet|denkt|denken|schreibt|"
    r"schrieb|hält|halten)\b",
    re.IGNORECASE,
)
_NOT_PLURAL = r"(?:is|was|has|does|us|this|its|his|\w*(?:ss|us))\b"
_LIST = re.compile(
    # which film stars; not "which newspaper carries the ad", where the word in s is the verb
    rf"\bwhich (?!{_NOT_PLURAL})(?:(?!{_NOT_PLURAL}|of |in |on |at )[\w'-]+ ){{0,2}}(?!{_NOT_PLURAL})"
    r"(?:[\w'-]+s|people|men|women|media|children|authors)\b(?! (?:the|a|an|its|his|her|their|that)\b)|"
    r"\b(?:what|who) (?:are|were) (?:the|all)\b|\bwho (?:else|all)\b|\bwho (?:supports?|signed|joined|backs?|are)\b|"
    r"^\W*(?:name|list|give me|noem|geef|nenne?|zähle?|liste)\b|"
    r"\bwelke (?:[a-zà-ÿ]+e )?(?:[\w-]+(?:en|[’']s)\b|[\w-]+s (?:\w+ )?\w+n\b)|"
    r"\bwat zijn (?:de|het|alle)\b|\bwie (?:allemaal|zijn de|doen)\b|"
    r"\bwie\b.*\ballemaal\b|"
    r"\bwelche[n]? (?:[a-zäöüß]+en )?[A-ZÄÖÜ][\w-]*(?:en|innen|er|s)\b(?! (?:ist|hat|wird|war|wurde)\b)|"
    r"\bwelche (?!Rolle|Frage|Branche|Sprache|Sache)[A-ZÄÖÜ][\w-]*e (?:sind|gibt|[a-zäöüß]+en)\b|"
    r"\b(?:was|wer) sind die\b|\bwer alles\b|\bwer\b.*\balles\b",
    re.IGNORECASE,
)
_WHO_IS = re.compile(
    r"\W*(?:who|what|wie|wat|wer|was) (?:is|was|are|were|zijn|ist|war|sind) (?P<name>[^?]+?)\W*", re.IGNORECASE
)
_PARTICLES = frozenset("van von de der den het ten ter zu zur di da del la le al bin the".split())
_MOST_KEYWORDS = 6


def kinds(question: str) -> frozenset[Kind]:
    """The kinds of answer that a question wants; empty where no word tells."""
    found: set[Kind] = set(asks(question))
    if name_asked(question) is not None:
        found.add("name")
    if _STATEMENT.search(question):
        found.add("statement")
    if _LIST.search(question):
        found.add("list")
    if not _QUESTION_WORD.search(question) or _VERB_FIRST.match(question):
        if _VERB_FIRST.match(question) or (question.rstrip().endswith("?") and _VERB_ENDING.match(question)):
            found.add("yes_no")
        elif "list" not in found and not question.rstrip().endswith("?") and len(words(question)) <= _MOST_KEYWORDS:
            found.add("keywords")
    return frozenset(found)


def name_asked(question: str) -> str | None:
    """The name that is all a question consists of, alone or after "who is"; None where it asks for more.

    A single word counts as a name, and so does what is written with capitals throughout.
    """
    asked = _WHO_IS.fullmatch(question)
    told = (asked["name"] if asked else question).strip(" \t\n.!?\"'“”„«»")
    listed = words(told)
    if not listed or len(listed) > 4 or _QUESTION_WORD.fullmatch(told):
        return None
    if question.rstrip().endswith("?") and not asked:
        return None
    alone = len(listed) == 1 and not asked and bool(content_words(told))
    capitals = all(word.text[0].isupper() or word.text.casefold() in _PARTICLES for word in listed)
    return told if alone or (capitals and any(word.text[0].isupper() for word in listed)) else None


_SAYS = (
    r"(?:said|says|told|warned|warns|wrote|writes|argued|argues|added|explained|insisted|insists|believes|stressed|called|"
    r"zei|zegt|vertelde|vertelt|waarschuwde|waarschuwt|benadrukte|benadrukt|stelde|stelt|vindt|vond|schreef|schrijft|noemde|"
    r"noemt|verwacht|"
    r"sagte|sagt|erklärte|erklärt|meinte|meint|betonte|betont|warnte|warnt|forderte|fordert|kritisierte|schrieb|nannte|nennt)"
)
_SPEAKER = re.compile(
    rf"\b[A-ZÄÖÜ][\w-]+ {_SAYS}\b|"
    rf"\b(?:{_SAYS}|aldus|[Vv]olgens|[Ll]aut|[Aa]ccording to) (?:[a-zäöüß-]+ ){{0,2}}[A-ZÄÖÜ]"
)
_FULL_NAME = re.compile(r"\b[A-ZÄÖÜ][a-zäöüßéè-]+(?: [A-ZÄÖÜ]\.)? (?:(?:van|von|de|der|den|du|la) )*[A-ZÄÖÜ][\w-]+")
_PRONOUN = {
    "en": re.compile(r"\b(?:he|she|his|her|him)\b", re.IGNORECASE),
    "nl": re.compile(r"\b(?:hij|zij|ze|hem|haar)\b", re.IGNORECASE),
    "de": re.compile(r"\b(?:er|sie|ihm|ihr)\b", re.IGNORECASE),
}
_BECAUSE = {
    "en": re.compile(
        r"\b(?:because|since|due to|so that|in order to|therefore|as a result|fear\w*|worr(?:y|ied|ies)|concern\w*|"
        r"reasons?|owing to)\b",
        re.IGNORECASE,
    ),
    "nl": re.compile(
        r"\b(?:omdat|want|doordat|vanwege|wegens|daarom|zodat|zorgen|bang|vrees\w*|vrez\w*|redenen?|dankzij)\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"\b(?:weil|denn|wegen|aufgrund|deshalb|damit|daher|grund|gründe|sorgen?|fürcht\w*|bedenken|angst)\b",
        re.IGNORECASE,
    ),
}
# Not "openness is slow, audits are tedious, and money is gone": there clauses stand in a row.
_ITEM = r"(?:(?!\b(?:is|are|was|were|has|had|ist|sind|war|waren|hat|zijn|heeft)\b)[^,;:]){2,40}?"
_ENUMERATION = re.compile(rf"\w\S*, (?:{_ITEM}, )*{_ITEM},? (?:and|as well as|en|und|sowie) \w")
_GOES_ON = re.compile(
    r"\W*(?:(?:and|en|und) )?(?:first|second|third|fourth|fifth|finally|lastly|also|another|one (?:is|of)|"
    r"the (?:other|next|last|first|second|third)|in addition|besides|furthermore|moreover|so (?:did|does|has|have)|"
    r"ook|daarnaast|verder|bovendien|ten (?:eerste|tweede|derde|slotte)|tot slot|evenals|"
    r"(?:een|de) (?:andere?|eerste|tweede|derde)|"
    r"auch|außerdem|zudem|ferner|weiterhin|erstens|zweitens|drittens|schließlich|dazu|hinzu|"
    r"(?:eine?|der|die|das) (?:(?:andere|weitere|zweite|dritte)[rs]?))\b",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"[\"“„‘'(]*(but|however|yet|though|maar|echter|toch|wel|aber|doch|jedoch|allerdings|dennoch)\b", re.IGNORECASE
)
_ROLE = (
    r"(?:CEO|COO|CFO|Chef|[\w-]*(?:man|vrouw|director|regisseur\w*|president|präsident\w*|minister\w*|meesters?|meister\w*|"
    r"mayor|executive|actor|actress|acteur|actrice|schauspieler\w*|author|auteur|autor\w*|writer|schrijver|schrijfster|"
    r"singer|zanger\w*|sänger\w*|professor\w*|hoogleraar|trainer\w*|coach|boss|baas|head|leader|leider|leiter\w*|founder|"
    r"oprichter|gründer\w*|spokes\w+|sprecher\w*|woordvoerder\w*|critic|künstler\w*|service|dienst|firma|company|bedrijf|"
    r"model\w*))"
)


def names_somebody(sentence: str) -> bool:
    """Whether a sentence names somebody, by a full name or beside a verb of saying."""
    return _SPEAKER.search(sentence) is not None or _FULL_NAME.search(sentence) is not None


def refers_back(sentence: str, language: str | None) -> bool:
    """Whether a sentence speaks of somebody by a pronoun only."""
    pronoun = _PRONOUN.get(language or "")
    return pronoun is not None and pronoun.search(sentence) is not None and not names_somebody(sentence)


def gives_reason(sentence: str, language: str | None) -> bool:
    """Whether a sentence says why, by its words."""
    because = _BECAUSE.get(language or "")
    return because is not None and because.search(sentence) is not None


def enumerates(sentence: str) -> bool:
    """Whether a sentence lists several: "A, B and C"."""
    return _ENUMERATION.search(sentence) is not None


def goes_on(sentence: str) -> bool:
    """Whether a sentence adds to what was counted up before it: "Second, ...", "Daarnaast ...", "Außerdem ..."."""
    return _GOES_ON.match(sentence) is not None


def turns(sentence: str) -> bool:
    """Whether a sentence takes back something of the one before it: "But ...", "Maar ...", "Doch ..."."""
    return _TURNS.match(sentence) is not None


def introduces(sentence: str, name: str) -> bool:
    """Whether a sentence says who or what `name` is: by an apposition, a verb of being, or a role before it."""
    listed = [re.escape(word.text) for word in words(name)]
    full = r"[\s-]+".join(listed)
    called = rf"\b(?:{full}|{listed[-1]})" if len(listed) > 1 else rf"\b{full}"
    of = r"(?:of|from|at|van|von|bei|bij|aus)"
    says = (
        rf"{called}, (?:the|a|an|de|het|een|der|die|das|ein|eine|former|[\w-]+ {of})\b|"
        rf"{called} (?:is|was|ist|war) (?:the|a|an|one of|de|het|een|der|die|das|eine?|einer der|{_ROLE})\b|"
        rf"{called} (?:leads|runs|heads|directs|leidt|leitet|führt)\b(?! er\b)|"
        rf"{called} {of} [A-ZÄÖÜ]|\b{_ROLE} {full}\b"
    )
    return re.search(says, sentence, re.IGNORECASE) is not None
