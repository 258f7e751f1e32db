"""An answer as a wiki takes it: its statements as text, and where each quotation stands as a footnote.

Articles are made by others: nothing of them may end a footnote, call a template or become markup of the wiki. Each
syntax therefore has one function that makes text safe, and all that comes from elsewhere passes through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from rag.answer import framed, in_marks
from rag.records import Answer, Citation
from rag.web.copies import escaped, in_own_marks, joined, line, link, link_to, markdown, place, writer, written
from rag.web.texts import Texts
from rag.web.wordings import texts_for

# What MediaWiki reads anywhere in a text: tags and entities, templates and tables, links (also bare addresses, whose
# scheme ends in a letter), bold, signatures, switches such as __TOC__ (in Japanese also with wide lines).
_WIKITEXT = re.compile(r"[&<>{}\[\]|=]|'(?=')|~(?=~)|[_\uff3f](?=[_\uff3f])|(?<=[A-Za-z]):(?=\S)|!(?=!)")
# What it reads at the beginning of a line: lists, indents, a header cell of a table, a rule.
_LINE_BEGINS = re.compile(r"^(?:[*#:;!]|-(?=---))")

# What DokuWiki leaves alone, with its usual smileys, typography and plugins: words and quiet punctuation.
_CALM = re.compile(
    r"(?:[^\W_]|[ ,?€“”„‘’–]"
    r"|[.:;](?=[ ”“’]|\Z)"
    r"|(?<=[^\W\d_])-(?=[^\W\d_])"
    r"|(?<![^ ])\((?=[^\W\d_]{3})|(?<=[^\W\d_])\)(?=[ :,.]|\Z))*"
)
# Letters that are more than that: smileys in words, CamelCase, 640x480, and the m of "m(", which a footnote may follow.
_UNQUIET = re.compile(r"\b(?i:LOL|FIXME|DELETEME)\b|[a-z][A-Z]|\d[xX]\d|\b[mM]\Z")


@dataclass(frozen=True, slots=True)
class _Syntax:
    """How a wiki writes things: text from elsewhere, a link (address, words), a footnote, an item of a list.

    A footnote is made of its name, what it says, and whether it is the first of this name.
    """

    text: Callable[[str], str]
    link: Callable[[str, str], str]
    footnote: Callable[[str, str, bool], str]
    item: str = ""


def mediawiki(answer: Answer, base: str) -> str:
    """The answer as wikitext, each quotation with a `<ref>`: parts with a blank line between them.

    The wiki lists the footnotes at the end of the page or where it has `<references />`. An answer that was not found
    is copied as in `plain`. `base` is the address of the application, for links to articles without one of their own.
    """
    return _copied(answer, base, _MEDIAWIKI)


def dokuwiki(answer: Answer, base: str) -> str:
    """The same for DokuWiki, with footnotes in double parentheses; it folds equal ones into one itself."""
    return _copied(answer, base, _DOKUWIKI)


def markdown_footnotes(answer: Answer, base: str) -> str:
    """The same as Markdown, with `[^…]` and the footnotes at the end.

    A footnote is named by what it says: answers pasted beside each other neither mix up their footnotes nor repeat one.
    """
    if not answer.found:
        return markdown(answer, base)
    statements, footnotes = _told(answer, base, _MARKDOWN)
    return joined("\n\n", [*statements, *(f"[^{name}]: {said}" for name, said in footnotes.items())])


def _copied(answer: Answer, base: str, syntax: _Syntax) -> str:
    if answer.found:
        return joined("\n\n", _told(answer, base, syntax)[0])
    texts = texts_for(answer.language)
    near = []
    for hit in answer.nearest:
        article = hit.passage.article
        address = link(article, hit.passage.start, hit.passage.end, base)
        headline = _headline(article.title, address, texts, syntax)
        near.append(syntax.item + place(article, headline, texts, syntax.text))
    title = syntax.text(f"{texts.nearest}:") if near else ""
    return joined("\n\n", [syntax.text(answer.question), syntax.text(answer.text), title, "\n".join(near)])


def _told(answer: Answer, base: str, syntax: _Syntax) -> tuple[list[str], dict[str, str]]:
    """The statements with their footnotes, and what each footnote says, by its name and in order."""
    texts = texts_for(answer.language)
    cited = {citation.number: citation for citation in answer.citations}
    prose = [_parts(text, cited) for text in written(answer, texts)]
    footnotes: dict[str, str] = {}

    def footnote(citation: Citation) -> str:
        article = citation.article
        headline = _headline(article.title, link_to(citation, base), texts, syntax)
        quoted = syntax.text(in_own_marks(citation, texts)) if prose else ""
        said = joined(" – ", [quoted, place(article, headline, texts, syntax.text, citation)])
        name = "or-" + sha256(said.encode()).hexdigest()[:10]
        first = name not in footnotes
        footnotes[name] = said
        return syntax.footnote(name, said, first)

    statements = []
    for parts in prose or [[framed(citation, texts.language), citation] for citation in answer.citations]:
        said = ""
        for part in parts:
            if isinstance(part, Citation):
                said += footnote(part)
            elif text := syntax.text(part):
                said += " " * (bool(said) and part[0].isspace()) + text
        statements.append(said)
    if prose:
        statements.append(syntax.text(writer(answer, texts)))
    return statements, footnotes


def _parts(text: str, cited: dict[int, Citation]) -> list[str | Citation]:
    """A written statement cut at its markers; a marker that cites nothing stays text."""
    parts: list[str | Citation] = []
    end = 0
    for found in re.finditer(r"\[(\d{1,3})\]", text):
        if citation := cited.get(int(found[1])):
            parts += [text[end : found.start()], citation]
            end = found.end()
    return [*parts, text[end:]]


def _headline(title: str, address: str, texts: Texts, syntax: _Syntax) -> str:
    """The headline in quotation marks, as a link where there is an address."""
    words = in_marks(line(title), texts.language)
    return syntax.link(address, words) if address else syntax.text(words)


def _wikitext(text: str) -> str:
    """A line of text that MediaWiki shows as it is written: what it would read becomes an entity."""
    safe = _WIKITEXT.sub(_entity, line(text))
    return _LINE_BEGINS.sub(_entity, safe)


def _entity(found: re.Match[str]) -> str:
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(found[0], f"&#{ord(found[0])};")


def _unformatted(text: str) -> str:
    """A line of text that DokuWiki shows as it is written: whole in its marks for that, where it needs them."""
    shown = line(text)
    if _CALM.fullmatch(shown) and not _UNQUIET.search(shown):
        return shown
    if "%%" in shown or shown.endswith("%"):
        # The end of these marks can stand in a text as well: it is cut in two, each half in its own.
        halves = re.sub(r"</(?=nowiki>)", "</</nowiki><nowiki>", shown, flags=re.IGNORECASE)
        return f"<nowiki>{halves}</nowiki>"
    return f"%%{shown}%%"


def _dokuwiki_link(address: str, words: str) -> str:
    """The words of a link cannot be escaped; brackets, which would end it, stand before it."""
    shown = line(words)
    if re.search(r"[\[\]]", shown):
        return f"{_unformatted(shown)}, [[{address}]]"
    return f"[[{address}|{shown}]]"


_MEDIAWIKI = _Syntax(
    text=_wikitext,
    link=lambda address, words: f"[{joined(' ', [address, _wikitext(words)])}]",
    footnote=lambda name, said, first: f'<ref name="{name}">{said}</ref>' if first else f'<ref name="{name}" />',
    item="* ",
)
_DOKUWIKI = _Syntax(
    text=_unformatted,
    link=_dokuwiki_link,
    # A parenthesis at the end would end the footnote one too early.
    footnote=lambda name, said, first: f"(({said}{' ' * said.endswith(')')}))",
    item="  * ",
)
_MARKDOWN = _Syntax(
    text=escaped,
    link=lambda address, words: f"[{escaped(words)}](<{address}>)",
    footnote=lambda name, said, first: f"[^{name}]",
)
