"""Our retriever and query engine in llama-index's interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag import Assistant

QUESTION = "What did Kyncl say about licensing?"


def test_the_retriever_gives_nodes_that_are_exact_passages(starter: Assistant) -> None:
    nodes = starter.as_retriever(limit=4).retrieve(QUESTION)
    assert len(nodes) == 4
    scores = [node.score or 0.0 for node in nodes]
    assert scores == sorted(scores, reverse=True)
    for node in nodes:
        article = starter.article(node.node.metadata["article_id"])
        assert article is not None
        start, end = node.node.metadata["start"], node.node.metadata["end"]
        assert article.text[start:end] == node.node.get_content()


def test_the_query_engine_answers_as_ask_does(starter: Assistant) -> None:
    answer = starter.ask(QUESTION)
    response = starter.as_query_engine().query(QUESTION)
    assert str(response) == answer.text
    assert [node.node.get_content() for node in response.source_nodes] == [c.quote for c in answer.citations]
    assert response.metadata is not None
    assert response.metadata["answer"]["found"] is True


def test_the_retriever_composes_with_llama_index(starter: Assistant) -> None:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import QueryBundle

    retriever = starter.as_retriever(limit=2)
    assert isinstance(retriever, BaseRetriever)
    assert len(retriever.retrieve(QueryBundle(QUESTION))) == 2
