"""The records: what cannot be made, what cannot be changed, and what they look like as plain data."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import records
from rag.errors import CitationError, RagError
from rag.records import Answer, Article, Citation, Hit, Passage, Statement, SyncReport

TEXT = "“We license,” Kyncl said. 𝄞 Music pays."
ARTICLE = Article(
    id="a",
    title="Title",
    text=TEXT,
    path="nl/a.pdf",
    text_sha256="0" * 64,
    source="The Daily Example",
    date=dt.date(2025, 10, 13),
    language="en",
    metadata={"sample": True},
    pages=(0, 10, 26),
)


@given(start=st.integers(-5, len(TEXT) + 5), end=st.integers(-5, len(TEXT) + 5), quote=st.text(max_size=5))
def test_a_citation_is_exact_or_cannot_be_made(start: int, end: int, quote: str) -> None:
    inside = 0 <= start < end <= len(TEXT)
    for candidate in (quote, TEXT[max(start, 0) : max(end, 0)]):
        if inside and TEXT[start:end] == candidate:
            assert Citation(1, ARTICLE, start, end, candidate, TEXT).quote == TEXT[start:end]
        else:
            with pytest.raises(CitationError, match=r"nl/a\.pdf"):
                Citation(1, ARTICLE, start, end, candidate, TEXT)


def test_every_record_is_frozen_and_slotted() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(records, inspect.isclass)
        if kind.__module__ == records.__name__ and dataclasses.is_dataclass(kind)
    ]
    assert len(kinds) > 8
    for kind in kinds:
        assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
        assert "__slots__" in vars(kind), kind


def test_a_citation_of_a_paged_document_knows_its_page() -> None:
    start = TEXT.index("Music")
    assert Citation(1, ARTICLE, start, len(TEXT), "Music pays.", TEXT).page == 3
    assert Citation(1, ARTICLE, 0, 1, "“", TEXT).page == 1
    assert dataclasses.replace(ARTICLE, pages=()).page_at(5) is None


def test_an_answer_becomes_json_and_keeps_everything() -> None:
    citation = Citation(1, ARTICLE, 1, 11, "We license", TEXT, also_in=(ARTICLE,))
    hit = Hit(Passage(ARTICLE, 0, 25, ()), 0.98765432)
    answer = Answer(
        question="What?",
        found=True,
        text="… [1]",
        language="en",
        confidence=0.912345,
        statements=(Statement("…", (1,), supported=True),),
        citations=(citation,),
        nearest=(hit,),
        timings={"embed": 12.3456},
    )
    plain = json.loads(json.dumps(answer.to_dict()))
    assert set(plain) == {item.name for item in dataclasses.fields(Answer)} | {"sources"}
    assert plain["confidence"] == 0.9123
    assert plain["statements"] == [{"text": "…", "citations": [1], "supported": True, "score": 1.0}]
    cited = plain["citations"][0]
    assert TEXT[cited["start"] : cited["end"]] == cited["quote"] == "We license"
    assert cited["article"]["date"] == "2025-10-13"
    assert cited["article"]["sample"] is True
    assert "text" not in cited["article"]
    assert cited["also_in"][0]["id"] == "a"
    assert plain["nearest"][0]["text"] == TEXT[:25]


@given(text=st.text(st.sampled_from("ab é“\n𝄞😀👩‍💻𐍈"), min_size=1, max_size=40), data=st.data())
def test_offsets_in_utf_16_units_hold_the_quotation_for_javascript(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    article = dataclasses.replace(ARTICLE, text=text)
    units = text.encode("utf-16-le")
    cited = Citation(1, article, start, end, text[start:end], text).to_dict()
    hit = Hit(Passage(article, start, end, ()), 1).to_dict()
    for told in (cited, hit):
        assert units[2 * told["start_utf16"] : 2 * told["end_utf16"]].decode("utf-16-le") == text[start:end]
        assert (told["start"], told["end"]) == (start, end)


def test_a_sync_report_names_each_skipped_file_with_its_reason() -> None:
    report = SyncReport(added=2, skipped=(("b.pdf", "password-protected"),))
    assert report.to_dict()["skipped"] == [{"path": "b.pdf", "reason": "password-protected"}]


def test_one_except_catches_every_error_of_ours() -> None:
    from rag import errors

    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(kinds) > 5
    assert all(issubclass(kind, RagError) for kind in kinds)
    with pytest.raises(RagError):
        raise errors.UnreadableFile("empty")
