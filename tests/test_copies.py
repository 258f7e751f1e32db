"""What is copied: whole, in the reader's language, and nothing in it that a Markdown reader would take for markup."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.answer import in_marks
from rag.records import Answer, Article, Citation, Hit, Passage, Sentence, Statement
from rag.web.copies import link_to, markdown, plain, quotation

BASE = "https://wiki.example/archive"
TEXT = "First line. Licensing comes first. “We pay,” she said. “You pay.”"
ARTICLE = Article(
    id="nl-a-1",
    title="Warner wants licences",
    text=TEXT,
    path="a.pdf",
    text_sha256="0" * 64,
    source="The Daily Example",
    date=dt.date(2025, 10, 13),
    language="en",
    url="https://daily.example/a?b=1&c=2",
)


def citing(article: Article, quote: str, number: int = 1, also_in: tuple[Article, ...] = ()) -> Citation:
    start = article.text.index(quote)
    return Citation(number, article, start, start + len(quote), quote, article.text, also_in)


def found(*citations: Citation, language: str = "en", question: str = "Who pays?") -> Answer:
    return Answer(question, True, "unused", language, 0.9, citations=citations)


def hit(article: Article) -> Hit:
    return Hit(Passage(article, 0, 11, (Sentence(0, 11, 0),)), 0.5)


BARE = dataclasses.replace(ARTICLE, id="b", source=None, date=None, language=None, url=None, title="Some first words…")
SAMPLE = dataclasses.replace(ARTICLE, language="de", metadata={"sample": True}, pages=(0, 12), url=None)


def test_a_found_answer_is_the_question_the_quotations_and_where_they_stand() -> None:
    answer = found(citing(ARTICLE, "Licensing comes first."), citing(BARE, "First line.", 2))
    assert plain(answer, BASE) == (
        "Who pays?\n"
        "\n"
        "“Licensing comes first.”\n"
        "The Daily Example, “Warner wants licences”, 13 October 2025\n"
        "https://daily.example/a?b=1&c=2#:~:text=Licensing%20comes%20first.\n"
        "\n"
        "“First line.”\n"
        "“Some first words…”\n"
        "https://wiki.example/archive/article/b?start=0&end=11&v=000000000000#quote"
    )
    assert markdown(answer, BASE + "/") == (
        "**Who pays?**\n"
        "\n"
        "> “Licensing comes first.”\n"
        ">\n"
        "> The Daily Example, *Warner wants licences*, 13 October 2025, "
        "<https://daily.example/a?b=1&c=2#:~:text=Licensing%20comes%20first.>\n"
        "\n"
        "> “First line.”\n"
        ">\n"
        "> *Some first words…*, <https://wiki.example/archive/article/b?start=0&end=11&v=000000000000#quote>"
    )


@pytest.mark.parametrize(
    ("language", "place"),
    [
        ("en", "“Warner wants licences”, 13 October 2025, page 2, sample article (also in Die Zeitung)"),
        ("nl", "“Warner wants licences”, 13 oktober 2025, pagina 2, voorbeeldartikel (ook in Die Zeitung)"),
        ("de", "„Warner wants licences“, 13. Oktober 2025, Seite 2, Beispielartikel (auch in Die Zeitung)"),
    ],
)
def test_the_source_is_named_in_the_readers_language_and_the_quotation_marked_in_its_own(
    language: str, place: str
) -> None:
    also = (dataclasses.replace(ARTICLE, id="z", source="Die Zeitung"),)
    copied = quotation(citing(SAMPLE, "Licensing comes first.", also_in=also), language, BASE)
    assert copied.split("\n") == [
        "„Licensing comes first.“",
        f"The Daily Example, {place}",
        f"{BASE}/article/nl-a-1?start=12&end=34&v=000000000000#quote",
    ]
    rich = markdown(found(citing(SAMPLE, "Licensing comes first.", also_in=also), language=language), BASE)
    assert place.split("licences")[1][1:] in rich


def test_direct_speech_keeps_the_marks_that_it_has() -> None:
    assert quotation(citing(ARTICLE, "“We pay,” she said. “You pay.”"), "nl", BASE).startswith("“We pay,” she")
    assert in_marks("„Ja“", "de") == "„Ja“"
    assert in_marks("", "de") == ""


def test_an_article_in_a_language_that_we_do_not_speak_is_quoted_in_the_marks_of_the_reader() -> None:
    french = dataclasses.replace(ARTICLE, language="fr")
    assert quotation(citing(french, "First line."), "de", BASE).startswith("„First line.“\n")


def test_what_is_no_web_address_is_not_linked() -> None:
    for url in ("javascript:alert(1)", "https://user:word@daily.example/", "file:///etc/passwd", "daily.example/a"):
        article = dataclasses.replace(ARTICLE, url=url)
        assert quotation(citing(article, "First line."), "en", BASE).endswith(
            "/article/nl-a-1?start=0&end=11&v=000000000000#quote"
        )
        assert quotation(citing(article, "First line."), "en", "").endswith("13 October 2025")


def test_a_link_leads_to_the_very_words_on_the_articles_own_page() -> None:
    long = "It was – so-called “fair use”, A&B said – the first of its kind that he_knew of in all of France."
    words = {
        "First line.": "First%20line.",
        "so-called, A&B": "so%2Dcalled%2C%20A%26B",
        long: "It%20was%20%E2%80%93%20so%2Dcalled%20%E2%80%9Cfair,of%20in%20all%20of%20France.",
    }
    for quote, said in words.items():
        article = dataclasses.replace(ARTICLE, text=quote)
        assert link_to(citing(article, quote), BASE) == f"https://daily.example/a?b=1&c=2#:~:text={said}"
    for fragment in ("#part", "#part:~:text=of%20another"):
        article = dataclasses.replace(ARTICLE, url=f"https://daily.example/a{fragment}")
        assert link_to(citing(article, "First line."), BASE) == "https://daily.example/a#part:~:text=First%20line."


@settings(deadline=None)
@given(address=st.text(st.characters(exclude_categories=["Cs"])), quote=st.text("a-,& \n~_'(", min_size=1))
def test_an_address_ends_no_link_early_whatever_it_holds(address: str, quote: str) -> None:
    article = dataclasses.replace(ARTICLE, text=quote, url="https://daily.example/?" + address)
    found = link_to(Citation(1, article, 0, len(quote), quote, quote), BASE)
    assert re.fullmatch(r"https://daily\.example/\?[!#-&(-;=?-Z_a-z~]*", found)
    assert not re.search(r"__|~~|&#?\w+;", found)
    assert not set(found.partition(":~:text=")[2]) & set("-&")


@pytest.mark.parametrize(
    ("language", "closest"),
    [
        ("en", "Closest in the archive"),
        ("nl", "Wat er in het archief het dichtst bij komt"),
        ("de", "Am ehesten passt im Archiv"),
    ],
)
def test_not_found_says_so_and_calls_what_came_near_no_answer(language: str, closest: str) -> None:
    answer = Answer("Who?", False, "There is none.", language, 0.1, nearest=(hit(BARE), hit(BARE)))
    title = in_marks("Some first words…", language)
    link = f"{BASE}/article/b?start=0&end=11&v=000000000000#quote"
    assert plain(answer, BASE) == f"Who?\n\nThere is none.\n\n{closest}:\n\n{title}\n{link}\n\n{title}\n{link}"
    assert markdown(answer, BASE) == (
        f"**Who?**\n\nThere is none.\n\n{closest}:\n\n- *Some first words…*, <{link}>\n- *Some first words…*, <{link}>"
    )
    alone = dataclasses.replace(answer, nearest=())
    assert plain(alone, BASE) == "Who?\n\nThere is none."


def test_a_written_answer_keeps_its_numbers_and_says_what_nothing_supports() -> None:
    statements = (Statement("She pays [1].", (1,), True), Statement("All of it.", (), False))
    answer = dataclasses.replace(found(citing(ARTICLE, "First line.")), statements=statements, method="llm:small")
    assert plain(answer, "").split("\n\n")[1:3] == ["She pays [1].", "All of it. (not supported by a quotation)"]
    assert plain(answer, "").split("\n\n")[3].startswith("Written by small. ")
    assert "\n\n[1] “First line.”\n" in plain(answer, "")
    assert r"She pays \[1\]." in markdown(answer, "")
    assert "\n\n> \\[1\\] “First line.”\n" in markdown(answer, "")


def test_of_a_written_answer_those_quotations_are_copied_that_it_cites() -> None:
    both = found(citing(ARTICLE, "First line."), citing(ARTICLE, "Licensing comes first.", 2))
    answer = dataclasses.replace(both, statements=(Statement("Yes. [2]", (2,), True),), method="llm:a*b")
    for copied in (plain(answer, ""), markdown(answer, "")):
        assert "Licensing comes first." in copied
        assert "First line." not in copied
    assert r"Written by a\*b" in markdown(answer, "")
    assert [text in plain(both, "") for text in ("First line.", "Written by")] == [True, False]


def letters(text: str) -> str:
    """What of a text is neither white space nor a control character."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]", "", text)


hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.lists(
        st.sampled_from(
            "# - + * _ ~ ` ``` > < | [ ] ( ) ! \\ & &amp; = --- 1. 2) :-- a [x](http://evil.example) <script> "
            "https://evil.example www.evil.example a@evil.example [x]: $ ** ~~ é ‮ \n\n \r\n \t".split(" ")
        ),
        min_size=1,
        max_size=8,
    ).map(" ".join),
).filter(lambda text: bool(letters(text)))


def rendered(source: str) -> tuple[list[Token], str]:
    """The tokens that Markdown makes of a text, and the words that it shows."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(source)
    flat = [child for token in tokens for child in (token, *(token.children or ()))]
    return flat, "".join(token.content for token in flat if token.type in ("text", "text_special"))


@settings(deadline=None)
@given(
    question=hostile,
    text=hostile,
    title=hostile,
    source=st.none() | hostile,
    address=hostile,
    statement=hostile,
    language=st.sampled_from(["nl", "de", "en", "fr"]),
)
def test_hostile_text_stays_text(
    question: str, text: str, title: str, source: str | None, address: str, statement: str, language: str
) -> None:
    article = dataclasses.replace(
        ARTICLE, text=text, title=title, source=source, url="https://daily.example/" + address, language=language
    )
    citation = Citation(1, article, 0, len(text), text, text, (dataclasses.replace(article, title=statement),))
    quoted = found(citation, language=language, question=question)
    written = dataclasses.replace(quoted, method="llm:x", statements=(Statement(statement, (1,), True),))
    missing = Answer(question, False, statement, language, 0, nearest=(Hit(Passage(article, 0, len(text), ()), 1),))
    for answer in (quoted, written, missing):
        tokens, shown = rendered(markdown(answer, BASE))
        kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
        assert kinds <= {
            *("paragraph", "inline", "text", "text_special", "strong", "em", "blockquote", "softbreak"),
            *("link", "bullet_list", "list_item"),
        }
        assert sum(token.type == "link_open" for token in tokens) == 1
        shown = letters(shown)
        for said in (question, title, source or "", text if answer.found else statement):
            assert letters(said) in shown
        for copied in (markdown(answer, BASE), plain(answer, BASE)):
            assert not re.search(r"[^\S\n]\n|\n{3}|\s\Z|\A\s|[\x00-\x09\x0b-\x1f\x7f-\x9f]", copied)
        assert letters(question) == letters(plain(answer, BASE).split("\n")[0])
