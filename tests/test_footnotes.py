"""An answer pasted into a wiki: its quotations with their footnotes, and nothing in it that becomes markup there."""

from __future__ import annotations

import dataclasses
import html
import re
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from test_copies import ARTICLE, BARE, BASE, SAMPLE, citing, found, hit, letters
from wikis import Wiki
from wikis import dokuwiki as real_dokuwiki
from wikis import mediawiki as real_mediawiki

from rag.records import Answer, Citation, Hit, Passage, Statement
from rag.web.copies import link_to, markdown
from rag.web.footnotes import dokuwiki, markdown_footnotes, mediawiki

LINK = "https://daily.example/a?b=1&c=2#:~:text=Licensing%20comes%20first."
QUOTED = found(citing(ARTICLE, "Licensing comes first."), citing(SAMPLE, "First line.", 2), language="en")
AT = "start=0&end=11&v=000000000000#quote"
NAME = "or-[0-9a-f]{10}"


def unnamed(copied: str) -> str:
    """The copy with its footnotes numbered as they come."""
    names = list(dict.fromkeys(re.findall(NAME, copied)))
    for number, name in enumerate(names, 1):
        copied = copied.replace(name, f"or-{number}")
    return copied


def test_mediawiki_gets_the_quotation_and_a_footnote_with_its_source() -> None:
    assert unnamed(mediawiki(QUOTED, BASE)) == (
        "The Daily Example, 13 October 2025: “Licensing comes first.”"
        f'<ref name="or-1">The Daily Example, [{LINK} “Warner wants licences”], 13 October 2025</ref>\n'
        "\n"
        "The Daily Example, 13 October 2025 (sample article, in German): “First line.”"
        f'<ref name="or-2">The Daily Example, [{BASE}/article/nl-a-1?{AT} “Warner wants licences”], '
        "13 October 2025, page 1, sample article</ref>"
    )


def test_dokuwiki_gets_the_same_in_its_own_way() -> None:
    assert dokuwiki(QUOTED, BASE) == (
        "The Daily Example, 13 October 2025: “Licensing comes first.”"
        f"((The Daily Example, [[{LINK}|“Warner wants licences”]], 13 October 2025))\n"
        "\n"
        "The Daily Example, 13 October 2025 (sample article, in German): “First line.”"
        f"((The Daily Example, [[{BASE}/article/nl-a-1?{AT}|“Warner wants licences”]], "
        "13 October 2025, page 1, sample article))"
    )


def test_markdown_gets_its_footnotes_at_the_end() -> None:
    assert unnamed(markdown_footnotes(QUOTED, BASE)) == (
        "The Daily Example, 13 October 2025: “Licensing comes first.”[^or-1]\n"
        "\n"
        "The Daily Example, 13 October 2025 (sample article, in German): “First line.”[^or-2]\n"
        "\n"
        f"[^or-1]: The Daily Example, [“Warner wants licences”](<{LINK}>), 13 October 2025\n"
        "\n"
        f"[^or-2]: The Daily Example, [“Warner wants licences”](<{BASE}/article/nl-a-1?{AT}>), "
        "13 October 2025, page 1, sample article"
    )


def test_only_what_is_known_of_an_article_is_said() -> None:
    bare = found(citing(BARE, "First line."))
    link = f"{BASE}/article/b?{AT}"
    assert unnamed(mediawiki(bare, BASE)) == (
        f'“Some first words…”: “First line.”<ref name="or-1">[{link} “Some first words…”]</ref>'
    )
    assert unnamed(mediawiki(bare, "")).endswith('<ref name="or-1">“Some first words…”</ref>')
    assert dokuwiki(bare, "") == "%%“Some first words…”: “First line.”%%((%%“Some first words…”%%))"


def test_answers_pasted_beside_each_other_share_a_footnote_only_if_it_says_the_same() -> None:
    def names(answer: Answer) -> list[str]:
        return re.findall(rf"\[\^({NAME})\]:", markdown_footnotes(answer, BASE))

    alone = found(citing(SAMPLE, "First line."))
    assert names(alone) == names(QUOTED)[1:]
    assert names(dataclasses.replace(alone, language="de")) != names(alone)
    assert len({*names(QUOTED), *names(found(citing(BARE, "First line.")))}) == 3


def test_a_written_answer_keeps_its_markers_as_footnotes_that_hold_the_quotation() -> None:
    statements = (Statement("She pays [1], “all” [2][1]. Not [9].", (1, 2), True), Statement("[1]: all.", (), False))
    answer = dataclasses.replace(QUOTED, statements=statements, method="llm:small")
    first = f"“Licensing comes first.” – The Daily Example, [{LINK} “Warner wants licences”], 13 October 2025"
    copied = unnamed(mediawiki(answer, BASE))
    assert copied.startswith(f'She pays<ref name="or-1">{first}</ref>, “all”<ref name="or-2">„First line.“ – The ')
    assert '</ref><ref name="or-1" />. Not &#91;9&#93;.\n\n<ref name="or-1" />&#58; all. (not supported' in copied
    copied = unnamed(markdown_footnotes(answer, BASE))
    assert copied.startswith("She pays[^or-1], “all”[^or-2][^or-1]\\. Not \\[9\\].\n\n[^or-1]\\: all. (not supported")
    assert "\n\nWritten by small. Every sentence" in copied
    assert copied.index("Written by") < copied.index("[^or-1]: ")
    assert len(re.findall(r"(?m)^\[\^or-\d\]:", copied)) == 2
    assert dokuwiki(answer, BASE).count("((“Licensing comes first.” – The Daily Example, [[") == 3


def test_what_was_not_found_is_copied_with_what_came_near_and_no_footnote() -> None:
    answer = Answer("Who?", False, "Es gibt keine.", "de", 0.1, nearest=(hit(ARTICLE), hit(BARE)))
    told = "Who?\n\nEs gibt keine.\n\nAm ehesten passt im Archiv:\n\n"
    link = f"{BASE}/article/b?{AT}"
    near = "The Daily Example, {}https://daily.example/a?b=1&c=2{}„Warner wants licences“{}, 13. Oktober 2025\n"
    assert mediawiki(answer, BASE) == f"{told}* {near.format('[', ' ', ']')}* [{link} „Some first words…“]"
    assert dokuwiki(answer, BASE) == f"{told}  * {near.format('[[', '|', ']]')}  * [[{link}|„Some first words…“]]"
    assert markdown_footnotes(answer, BASE) == markdown(answer, BASE)


SIGNS = (
    "< > & {{ }} [[ ]] [ ] ' '' ''' | || ~~~~ __TOC__ * # : ; = == ---- -{ }- <nowiki> </nowiki> </NOWIKI> --> <!-- "
    "<ref> </ref> &lt; &#91; {{Evil}} [[Category:X]] https://evil.example mailto:a@evil.example news:x #REDIRECT ! !! "
    "<script>alert(1)</script> <html> {| |} (( )) ( ) ** // __ % %% %%% \\\\ \\\\a\\b ~~NOTOC~~ <code> <file> <php> ^ "
    "> -> (c) ... 640x480 :-) 8-) m( m =) :?: LOL fixme CamelCase {{rss>http://evil.example}} www.evil.example - \n\n "
    "~ <a@evil.example> \x00 \x7f' ＿＿目次＿＿ é 𝄞 \u202e [1] [^x] [^x]: ` ``` $ word, “said” don't U.S. 5% . \n \n*"
).split(" ")
hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.lists(st.tuples(st.sampled_from(SIGNS), st.sampled_from(["", " "])).map("".join), min_size=1, max_size=8).map(
        "".join
    ),
).filter(lambda text: bool(letters(text)))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    language = draw(st.sampled_from(["nl", "de", "en"]))
    citations = []
    for number in range(1, draw(st.integers(1, 2)) + 1):
        text = draw(hostile)
        article = dataclasses.replace(
            ARTICLE,
            id=draw(hostile),
            text=text,
            title=draw(hostile),
            source=draw(st.none() | hostile),
            language=draw(st.sampled_from(["en", "de", None])),
            url=draw(st.none() | hostile.map("https://daily.example/".__add__)),
        )
        also = (dataclasses.replace(article, source=draw(hostile)),) * draw(st.booleans())
        citations.append(Citation(number, article, 0, len(text), text, text, also))
    answer = Answer(draw(hostile), True, draw(hostile), language, 0.5, citations=tuple(citations))
    kind = draw(st.sampled_from(["quotes", "written", "missing"]))
    if kind == "written":
        said = Statement(f"{draw(hostile)}[1]{draw(hostile)} [2] {draw(hostile)}", (1, 2), draw(st.booleans()))
        return dataclasses.replace(answer, method="llm:x", statements=(said,))
    if kind == "missing":
        hits = tuple(Hit(Passage(cited.article, 0, len(cited.quote), ()), 1) for cited in citations)
        return dataclasses.replace(answer, found=False, citations=(), nearest=hits)
    return answer


def said_of(answer: Answer) -> list[str]:
    """Everything from elsewhere that a copy of the answer has to show."""
    if not answer.found:
        parts = [answer.question, answer.text, *(near.passage.article.title for near in answer.nearest)]
    else:
        cited = answer.citations
        if answer.method != "quotes":
            numbers = re.findall(r"\[(\d{1,3})\]", answer.statements[0].text)
            cited = tuple(citation for citation in cited if str(citation.number) in numbers)
        parts = [part for citation in cited for part in (citation.quote, citation.article.title)]
        parts += [also.source or "" for citation in cited for also in citation.also_in]
    return [letters(part) for part in parts]


def marked(answer: Answer) -> int:
    """How many footnote marks a copy has to have."""
    if answer.method == "quotes":
        return len(answer.citations)
    numbers = {str(citation.number) for citation in answer.citations}
    return sum(number.lstrip("0") in numbers for number in re.findall(r"\[(\d{1,3})\]", answer.statements[0].text))


@settings(deadline=None)
@given(answers())
def test_nothing_from_outside_becomes_wikitext(answer: Answer) -> None:
    copied = mediawiki(answer, BASE)
    tags = re.findall(rf'<ref name="{NAME}">|</ref>|<ref name="{NAME}" />', copied)
    opened = [tag for tag in tags if not tag.endswith("/>")]
    assert all((tag == "</ref>") == bool(at % 2) for at, tag in enumerate(opened))
    assert len(tags) - len(opened) // 2 == marked(answer)
    rest = re.sub(rf'<ref name="{NAME}">|</ref>|<ref name="{NAME}" />', "\n", copied)
    links = re.findall(r"\[(https://[!#-&(-;=?-Z_a-z~]+) ([^\[\]]+)\]", rest)
    assert len(links) == (len(answer.nearest) or len(opened) // 2)
    assert all(address.startswith(("https://daily.example/", BASE)) for address, _ in links)
    assert not any(re.search(r"~~|__|&#?\w+;", address) for address, _ in links)
    rest = re.sub(r"\[https://[^ ]+ ([^\[\]]+)\]", r"\1", rest)
    assert not re.search(r"[<>{}\[\]|=]|''|~~|__|＿＿|!!|[A-Za-z]:\S|[\x00-\x09\x0b-\x1f\x7f]", rest)
    assert not re.search(r"&(?!amp;|lt;|gt;|#\d+;)", rest)
    assert not re.search(r"(?m)^(?:[#:;!\s]|-{4}|\*(?! ))", copied.replace("\n\n", "\n"))
    assert len(re.findall(r"(?m)^\*", rest)) == len(answer.nearest)
    shown = letters(html.unescape(rest))
    for said in said_of(answer):
        assert said in shown


DOKUWIKI = re.compile(
    r"(?P<text>%%(?P<alt>.*?)%%|<nowiki>(?P<raw>.*?)</nowiki>)|(?P<link>\[\[(?P<address>[^|\]]*)\|?(?P<words>.*?)\]\])"
    r"|(?P<open>\(\()|(?P<close>\)\))|(?P<item>(?<=\n)  \* )|(?P<plain>.)",
    re.DOTALL | re.IGNORECASE,
)


@settings(deadline=None)
@given(answers())
def test_nothing_from_outside_becomes_markup_of_dokuwiki(answer: Answer) -> None:
    copied = dokuwiki(answer, BASE)
    kinds, shown, quiet = [], "", ""
    for token in DOKUWIKI.finditer(copied):
        kind = token.lastgroup or ""
        kind = next(name for name in ("text", "link", "open", "close", "item", "plain") if token[name])
        kinds += [kind] * (kind in ("link", "open", "close", "item"))
        shown += token["alt"] or token["raw"] or token["words"] or token["plain"] or ""
        quiet += token["plain"] or "\n"
        if kind == "link":
            assert re.fullmatch(r"https://(?:daily|wiki)\.example/[!#-&(-;=?-Z_a-z~]*", token["address"])
    footnotes = marked(answer) if answer.found else 0
    assert kinds == ["open", "link", "close"] * footnotes or kinds == ["item", "link"] * len(answer.nearest)
    # What stands outside of the marks has nothing that DokuWiki reads. The spaced dash is ours.
    assert not re.search(r"""[^\w\s,?€“”„‘’–.:;()-]|_|\.\.|--|\(\(|\)\)|[:;]-|(?<=\s)m\Z|[.:]\w|\(c\)""", quiet)
    for said in said_of(answer):
        assert said in letters(shown)


@settings(deadline=None)
@given(answers())
def test_nothing_from_outside_becomes_a_footnote_of_markdown(answer: Answer) -> None:
    copied = markdown_footnotes(answer, BASE)
    if not answer.found:
        return
    named = re.findall(rf"(?m)^\[\^({NAME})\]: ", copied)
    marks = re.findall(rf"\[\^({NAME})\](?!:)", re.sub(r"\\.", "", copied))
    assert (set(named), len(set(named)), len(marks)) == (set(marks), len(named), marked(answer))
    rest = re.sub(rf"(?m)^\[\^{NAME}\]: |\[\^{NAME}\]", "", copied)
    assert not re.search(r"(?<!\\)(?:\\\\)*\[\^", rest)
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(rest)
    flat = [child for token in tokens for child in (token, *(token.children or ()))]
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in flat}
    assert kinds <= {"paragraph", "inline", "text", "text_special", "link", "softbreak"}
    links = [str(token.attrs["href"]) for token in flat if token.type == "link_open"]
    assert len(links) == len(named)
    assert set(links) <= {MarkdownIt().normalizeLink(link_to(citation, BASE)) for citation in answer.citations}
    shown = letters("".join(token.content for token in flat if token.type in ("text", "text_special")))
    for said in said_of(answer):
        assert said in shown


def samples() -> list[Answer]:
    """Answers in which every sign stands in a quotation, a headline, an outlet, an address and a statement."""
    made = []
    for at in range(0, len(SIGNS), 4):
        some = SIGNS[at : at + 4]
        text = f"{' '.join(some)} {''.join(some)} word"
        article = dataclasses.replace(ARTICLE, text=text, title=text, source=text, url=f"https://daily.example/{text}")
        quoted = found(Citation(1, article, 0, len(text), text, text, (article,)))
        written = Statement(f"{text}[1]{text} m[1]", (1,), supported=False)
        made += [quoted, dataclasses.replace(quoted, method="llm:x", statements=(written,))]
        made.append(Answer(text, False, text, "en", 0, nearest=(Hit(Passage(article, 0, 5, ()), 1),)))
    return made


def page(wiki: Wiki, name: str, text: str) -> str:
    with urllib.request.urlopen(wiki.origin + wiki.write(name, text), timeout=30) as reply:
        return str(reply.read().decode())


@pytest.mark.parametrize("which", ["mediawiki", "dokuwiki"])
def test_a_real_wiki_shows_hostile_text_as_it_is_written(tmp_path: Path, which: str) -> None:
    copy, real = (mediawiki, real_mediawiki) if which == "mediawiki" else (dokuwiki, real_dokuwiki)
    all_of_them = samples()
    with real(tmp_path) as wiki:
        told = page(wiki, "pasted", "\n\n".join(copy(answer, BASE) for answer in all_of_them))
    begin, end = (
        ('id="mw-content-text"', "printfooter") if which == "mediawiki" else ("wikipage start", "wikipage stop")
    )
    content = told.split(begin, 1)[1].rsplit(end, 1)[0].partition(">")[2]
    tags = set(re.findall(r"<(\w+)", content))
    assert tags <= {"a", "p", "sup", "span", "div", "ol", "ul", "li", "br"}, tags
    marks = re.findall(r'class="reference"' if which == "mediawiki" else r'class="fn_top"', content)
    assert len(marks) == sum(marked(answer) for answer in all_of_them if answer.found)
    outside = set(re.findall(r'href="(?:https?:)?//([^/"]+)', content)) - {wiki.origin.partition("//")[2]}
    assert outside == {"daily.example"}
    shown = letters(html.unescape(re.sub(r"<[^>]*>", "", content)))
    for answer in all_of_them:
        for said in said_of(answer):
            assert said in shown
