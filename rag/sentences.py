"""The sentences of a text in Dutch, German and English, with exact offsets.

Every cut is found by walking over the text, so offsets are carried and never searched for; no library splits three
languages and keeps them, so the rules stand here. A full stop ends a sentence unless what stands before it is an
abbreviation, an initial or an ordinal; what follows decides in doubt. Quotation marks carry no state: whether one
opens or closes is read off the white space around it, so that an unclosed one cannot swallow what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.records import Sentence, Span

LONGEST = 1200  # code points; past this it is a list or a table without full stops, cut at its lines or semicolons

_OPEN = "\"'“”„‟«»‹›‘’‚‛([{¿¡*_"
_CLOSE = "\"'“”„‟«»‹›‘’)]}*_"
_QUOTE = "\"'“”„‟«»‹›‘’"

# --- the words that decide --------------------------------------------------------------------------------------------

# Before a name or a noun; a sentence does not end after them, whatever follows.
_NEVER = frozenset(
    # titles
    "dr drs dhr mevr mw mej prof ir ing mag mr mrs ms messrs mme mlle hr fr hrn frl sen rep gov gen col lt capt cpt sgt"
    " cmdr adm rev hon pres supt insp ste mt ft dipl jhr fam bgm dipl-ing"
    # pointing on
    " z.b d.h i.e e.g u.a o.a m.a.w d.w.z t.o.v m.b.t i.v.m i.p.v n.a.v o.l.v t.a.v t.g.v i.t.t m.i m.n v.a s.a s.o"
    " u.u z.t m.e b.v bijv bv vgl cf vs ca resp evtl ggf inkl exkl sog bzw zgn zg excl incl lt betr bspw einschl"
    " insb insbes eig jr.prof viz approx ehem gegr geb nr nrs abs bd kap abb bijl blz urt drucks".split()
)
# Titles are titles only with a capital: "gen", "rep", "sen", "col", "lt" and "fr" are something else without.
_CAPITALISED = frozenset(
    "gen rep sen col fr hon pres ing ir mag adm rev ms hr mt ft no vol mon tue wed thu fri sat sun mo di mi do"
    " sa so".split()
)
# Can stand at the end of a sentence as well: one ends there when a word follows that begins sentences.
_MAYBE = frozenset(
    "usw etc enz e.a e.d o.i.d u.ä o.ä u.s.w u.v.m ff inc corp ltd co bros llc plc cie jr sr jun sen ph.d m.a b.a m.sc"
    " b.sc str ave blvd rd sq mio mrd mln mld bn std min sek tsd chr v.chr n.chr dept univ est assoc intl mult jh jhdt"
    " jhd st eds ed max aufl ausg hrsg hg gest verh ev a.d i.r a.g o.g n.l c.s s.l".split()
)
# Abbreviations only where a number follows.
_BEFORE_NUMBER = frozenset(
    "jan feb febr mär mrt mar apr jun jul aug sep sept okt oct nov dez dec no art fig vol p pp s hfdst par tel ch sec"
    " mon tue wed thu fri sat sun mo di mi do sa so anm rdn rn tz az ziff vers versie dl bl afl t".split()
)
_CLOCK = frozenset("a.m p.m".split())
_AFTER_CLOCK = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Jan|Febr)uary|March|April|May|June|July|August|\w+ber\b|[A-Z]{2,4}\b"
    r"|(?:Eastern|Pacific|Central|Mountain|London|Greenwich)\b"
)

# Words that begin sentences and are hardly ever names or nouns when they carry a capital.
STARTERS = frozenset(
    # Dutch
    """de het een dit dat deze die er hij zij ze wij we ik je jij jullie u ook maar en want dus toch toen nu dan daar
    daarna daarom daarnaast daarbij hier als wanneer omdat hoewel terwijl volgens voor na naar op over onder met zonder
    bij van tegen tussen sinds tijdens vanaf vanwege binnen buiten wat wie waar waarom hoe welke zo zijn haar hun onze
    mijn veel sommige alle alleen geen niet niemand iemand iedereen inmiddels intussen bovendien echter nog eerst later
    vandaag gisteren morgen momenteel uiteindelijk eerder volgende vorig vorige dergelijke hetzelfde sindsdien
    waarmee waarbij waardoor waarvan waarin waarop womit wobei wodurch worauf woran
    """
    # German
    """der die das den dem des ein eine einer einem einen es er sie wir ihr ich man dieser diese dieses diesem diesen
    jener jene jenes auch aber und oder doch denn dann da damals dabei dafür dagegen damit danach daher darum deshalb
    deswegen dort hier heute gestern jetzt nun nach vor seit bei beim mit ohne für gegen über unter zwischen während
    wegen trotz laut wenn als ob weil obwohl nachdem bevor wie was wer wo warum wann welche welcher welches so sein
    seine seinen ihre ihren ihrem unser unsere mein meine viele einige manche alle nur kein keine nicht niemand jeder
    jede jedes noch schon erst später zuerst zunächst zudem außerdem allerdings jedoch trotzdem dennoch vielleicht
    inzwischen
    im in am an auf aus zu zum zur vom ab bis durch um ins sogar gerade bereits zwar eigentlich natürlich allein
    """
    # English
    """the a an this that these those he she it they we you i his her its their our my your there here and but or so yet
    if when while although though because since after before as at by for from in on of to with without under over
    during until then now also however meanwhile still today yesterday what who where why how which some many most
    all no not nobody none both each every such one once even only just according despite instead later earlier
    """.split()
)

_GERMAN = re.compile(r"\b(?:und|nicht|ist|für|sich|eine|dem|im|wurde|auf)\b")
# After these an ordinal follows, and not the last word of a sentence.
_BEFORE_ORDINAL = re.compile(
    r"(?:d(?:er|ie|as|en|em|es)|am|im|zum|zur|vom|beim|ins|ab|bis|seit|jede[rsnm]?|diese[rsnm]?|[msdk]?eine?[rsnm]?"
    r"|ihr(?:e[rsnm]?)?|unsere?[rsnm]?|euer|und|bzw\.|zweite[rnms]?|artikel|[a-zäöüß]{3,}(?:en|e|er|em|es))$"
)
_BEFORE_CARDINAL = frozenset(
    "als um gegen mit von auf über unter rund etwa ca circa nur bei nach vor aus oder sind waren".split()
)
_GERMAN_MONTH = re.compile(
    r"(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)s?\b"
)
_AFTER_ORDINAL = re.compile(
    r"(?:Jan|Jän|Feb|Mär|Apr|Jun|Jul|Aug|Sep|Okt|Nov|Dez)\b|Jahr(?:hundert|zehnt|tausend|gang|estag)\w*|Jh|Jhd|Weltkrieg\w*"
    r"|Geburtstag\w*|Todestag\w*|Platz\w*|Liga|Bundesliga|Runde|Spieltag\w*|Klasse|Mal|Minute|Aufl(?:age)?|Senat|Zivilsenat|Strafsenat|Lebensjahr\w*|Tag"
    r"|Woche|Stock|Etage|Stunde|Etappe|Ausgabe|Staffel|Folge|Kapitel|Bezirk\w*|Arrondissement|Armee|Division|Hälfte|Rang|Stelle"
)
# "“Why?” Smith asked." is one sentence though a capital follows: an English attribution of a name and such a verb.
_ATTRIBUTION = re.compile(
    r"(?:(?:Mr|Mrs|Ms|Dr|Prof|Sen|Rep)\.\s)?[A-Z][\w’'.-]+(?:\s[A-Z][\w’'.-]+){0,2}\s(?:said|says|asked|asks|added|adds|told|replied|wrote|writes"
    r"|tweeted|continued|explained|recalled|joked|quipped|wondered|shouted|cried|exclaimed|argued|insisted|answered)"
    r"(?=\s*(?:[.,:;]|$|(?:in|at|on|to|during|when|as|after|with|of|about|me|us|reporters)\b))"
)
_AGENCIES = (
    r"\((?:dpa|afp|ap|anp|apa|reuters|kna|epd|sid|red|mz|belga|novum|bloomberg|ots|dts)(?:\s?[/,-]\s?[a-z]{2,9})*\)"
)

_STOP = re.compile(
    r"(?<![.!?…‽])(?P<stop>\.(?:[ \u00a0]\.){2,}+|[.!?…‽]++)"
    rf"(?P<close>(?:[{re.escape(_CLOSE)}]|(?<=[.!?…])\[\d{{1,3}}\]|[¹²³⁰-⁹])*(?:\s[{re.escape(_QUOTE)}](?=\s|$))?(?:\s{_AGENCIES})?)"
    r"(?P<gap>\s+|$)"
    r"|(?P<wide>[。！？｡।॥؟]+[」』”’）]*)\s*"
    r"|(?<=[a-zäöüßéèë]{3})\.(?P<glued>(?=[A-ZÄÖÜ][a-zäöüß]+,?\s[a-zäöü]))",
)
_LINE_ITEM = re.compile(r"\n[ \t]*(?=(?P<mark>[•▪●◦‣■–*+-]|\d{1,2}[.)])\s)")
_WORD = re.compile(r"[^\W_]+")
_LEAD = re.compile(rf"(?:[\[(](?:…|\.\.\.)[\])]\s*|[{re.escape(_OPEN)}]|[-–—•·▪●|/]+\s)*")
_TWAS = re.compile(r"['’`][stnk]\s[A-ZÀ-Þ]")
_CAMEL = re.compile(r"[a-z]{1,8}[A-Z]")
_ROMAN = re.compile(r"[IVX]{2,6}$|V$|X$")
_PARTICLE = re.compile(r"(?:De|Den|Der|Die|Van|Von|Ten|Ter|In)\s(?:'t\s|de[nr]?\s)?[A-Z]")
_DOTTED_CAPITALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$")


# --- sentences --------------------------------------------------------------------------------------------------------


def sentences(text: str, language: str | None, headings: Sequence[Span] = ()) -> tuple[Sentence, ...]:
    """The sentences of `text` in order, without the white space around them.

    A blank line always ends a sentence; every character of a paragraph that is not white space is in exactly one
    sentence. Headings are no sentences, but count as paragraphs. `language` is ISO 639-1; it only decides what is
    ambiguous (German ordinals), and is told from the paragraph where it is None.
    """
    found: list[Sentence] = []
    for number, paragraph in enumerate(paragraphs(text)):
        for part in _without(paragraph, headings):
            body = text[part.start : part.end]
            german = language == "de" or (language is None and bool(_GERMAN.search(body)))
            start = 0
            for end in [*_cuts(body, german), len(body)]:
                found.extend(Sentence(part.start + s, part.start + e, number) for s, e in _shortened(body, start, end))
                start = end
    return tuple(found)


def paragraphs(text: str) -> Iterator[Span]:
    """The parts of `text` between blank lines, without the white space around them."""
    start = 0
    for gap in re.finditer(r"\n\s*\n|\Z", text):
        span = _trimmed(text, start, gap.start())
        if span:
            yield Span(*span)
        start = gap.end()


def _without(paragraph: Span, headings: Sequence[Span]) -> Iterator[Span]:
    start = paragraph.start
    for heading in headings:
        if heading.end > start and heading.start < paragraph.end:
            if heading.start > start:
                yield Span(start, heading.start)
            start = heading.end
    if start < paragraph.end:
        yield Span(start, paragraph.end)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _shortened(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentence, or its lines or clauses where it is so long that it must be something else."""
    if end - start > LONGEST:
        pattern = re.compile(r"\n" if "\n" in body[start:end] else r";\s")
        last = start
        for cut in pattern.finditer(body, start, end):
            if span := _trimmed(body, last, cut.end()):
                yield span
            last = cut.end()
        start = last
    if span := _trimmed(body, start, end):
        yield span


def _cuts(body: str, german: bool) -> Iterator[int]:
    """Where a new sentence begins within a paragraph, as offsets into it."""
    start = 0
    items = _line_items(body)
    for match in _STOP.finditer(body):
        while items and items[0] <= match.start():
            start = items.pop(0)
            yield start
        if match.end() >= len(body):
            break
        if match["wide"] is not None or match["glued"] is not None or _ends(body, start, match, german):
            cut = match.end()
            while items and items[0] <= cut:
                items.pop(0)
            start = cut
            yield cut
    yield from items


def _line_items(body: str) -> list[int]:
    """Where the items of a list begin that stands as the lines of one paragraph."""
    if "\n" not in body:
        return []
    found = [(match.end(), match["mark"]) for match in _LINE_ITEM.finditer(body)]
    first = body[:1]
    return [at for at, mark in found if mark in "•▪●◦‣■" or mark == first or (mark[0].isdigit() and first.isdigit())]


def _ends(body: str, start: int, match: re.Match[str], german: bool) -> bool:
    """Whether the sentence that began at `start` ends with this run of full stops, question or exclamation marks."""
    stop, close, follow = match["stop"], match["close"], match.end()
    lead = _LEAD.match(body, follow)
    at = lead.end() if lead else follow
    opened = at > follow and body[follow] in _QUOTE
    char = body[at : at + 1]
    if not char:
        return True
    begins = _begins(body, at, char, stop, opened)
    word = _WORD.match(body, at)
    starter = word is not None and word[0].lower() in STARTERS and (word[0] in "AIU" or not word[0].isupper())
    if not begins:
        return False
    if match.start() == start:
        return False  # nothing but marks so far: "… und dann", ". Text"
    quoted = any(mark in _QUOTE for mark in close)
    if quoted and _ATTRIBUTION.match(body, at) and not opened:
        return False
    if ")" in close or "]" in close:
        bracket = body.rfind("(" if ")" in close else "[", start, match.start())
        if bracket > start + 1 and not starter:
            return False
    before = body[max(start, match.start() - 40) : match.start()]
    if _is_ellipsis(stop):
        return _ellipsis_ends(before, body, match, german, starter, char)
    if "!" in stop or "?" in stop:
        return not (before.endswith(("Yahoo", "Jeopardy")) and not quoted and not starter)
    return _full_stop_ends(before, body, at, german, starter, char, fresh=match.start() - start <= 3)


def _begins(body: str, at: int, char: str, stop: str, opened: bool) -> bool:
    """Whether what stands at `at` can begin a sentence."""
    if char.isupper() or char.istitle():
        return True
    if char.isdigit():
        return not _is_ellipsis(stop)
    if char.islower():
        if _CAMEL.match(body, at):
            return True
        return (opened and stop == ".") or bool(_TWAS.match(body, max(at - 1, 0)))
    return char not in ",;:.!?…)]}%"  # a letter without case, a currency sign, a hash, an emoji


def _is_ellipsis(stop: str) -> bool:
    return "…" in stop or stop.count(".") > 1


def _ellipsis_ends(before: str, body: str, match: re.Match[str], german: bool, starter: bool, char: str) -> bool:
    if before[-1:] in ("[", "("):  # an omission, not a pause
        return False
    if "!" in match["stop"] or "?" in match["stop"]:
        return True
    spaced = before[-1:].isspace() and not match["close"]
    return starter or not (spaced and german)


def _full_stop_ends(before: str, body: str, at: int, german: bool, starter: bool, char: str, fresh: bool) -> bool:
    tokens = before.split()
    if not tokens or before[-1:].isspace():
        return True
    token = tokens[-1].lstrip(_OPEN).rstrip(_CLOSE + ".")
    previous = tokens[-2].lstrip(_OPEN) if len(tokens) > 1 else ""
    token = re.split(r"[/–—]", token)[-1]
    if not token:
        return True
    if token.isdigit() or re.fullmatch(r"\d{1,2}\.\d{1,2}", token):
        return _number_ends(token, previous, body, at, german, starter, fresh)
    low = token.lower()
    spaced = len(low) < 3 or low == "chr"  # "z. B.", "v. Chr."
    chain = (previous + low).lower() if spaced and re.fullmatch(r"(?:[^\W\d_]\.)+", previous) else low
    if chain in _CLOCK:
        return not _AFTER_CLOCK.match(body, at)
    if _in(chain, token, _NEVER) or _in(low.rsplit("-", 1)[-1], token, _NEVER):
        return False
    if chain in _MAYBE or low in _MAYBE:
        return starter
    if char.isdigit() and _in(low, token, _BEFORE_NUMBER):
        return False
    if (len(token) == 1 or "." in token) and _PARTICLE.match(body, at):
        return False
    if chain != low or _DOTTED_CAPITALS.match(token):
        return starter
    if len(token) == 1:
        return starter and token.isupper()
    if _ROMAN.match(token):
        return starter or not german
    return True


def _in(low: str, token: str, table: frozenset[str]) -> bool:
    return low in table and (low not in _CAPITALISED or token[:1].isupper())


def _number_ends(token: str, previous: str, body: str, at: int, german: bool, starter: bool, fresh: bool) -> bool:
    """Whether a sentence ends after a number and a full stop: not after an ordinal, an item's number, half a date."""
    if fresh:
        return False
    if german and re.match(r"\d{4}\b", body[at : at + 5]) and re.fullmatch(r"\d{1,2}\.\d*", f"{previous}{token}"):
        return False
    if re.match(r"\d{1,2}\.(?:\s?\d{2,4}\b|\s[A-ZÄÖÜ])", body[at : at + 10]) and len(token) <= 2:
        return False
    if len(token) < 3 and not starter and _GERMAN_MONTH.match(body, at):
        return False
    if not german or starter or (len(token) > 3 and "." not in token):
        return True
    if _AFTER_ORDINAL.match(body, at):
        return False
    previous = previous.lower()
    return previous in _BEFORE_CARDINAL or not _BEFORE_ORDINAL.match(previous)
