"""For people who compose with llama-index: our retriever and our query engine in its interfaces.

Nothing here falls back on llama-index's global settings, which would reach for a hosted model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import ConfigDict, SkipValidation

from rag.chroma import node_metadata
from rag.records import Passage

if TYPE_CHECKING:
    from rag.assistant import Assistant


def _node(passage: Passage) -> TextNode:
    return TextNode(
        id_=f"{passage.article.id}:{passage.start}-{passage.end}",
        text=passage.text,
        metadata=node_metadata(passage.article, passage.start, passage.end),
        start_char_idx=passage.start,
        end_char_idx=passage.end,
    )


class ArchiveRetriever(BaseRetriever):
    """Passages of the archive as nodes, best first. Higher scores are better; they reach about 2."""

    def __init__(self, assistant: Assistant, limit: int = 10) -> None:
        self._assistant = assistant
        self._limit = limit
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._assistant.search(query_bundle.query_str, limit=self._limit)
        return [NodeWithScore(node=_node(hit.passage), score=hit.score) for hit in hits]


class ArchiveQueryEngine(CustomQueryEngine):
    """Answers as `Assistant.ask` does. The source nodes are the citations, whose text is the exact quotation; the
    whole `Answer` as plain data stands in the response's metadata under "answer"."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    assistant: SkipValidation[Any]

    def custom_query(self, query_str: str) -> Response:
        answer = self.assistant.ask(query_str)
        nodes = [
            NodeWithScore(
                node=TextNode(
                    id_=f"{citation.article.id}:{citation.start}-{citation.end}",
                    text=citation.quote,
                    metadata=node_metadata(citation.article, citation.start, citation.end),
                    start_char_idx=citation.start,
                    end_char_idx=citation.end,
                ),
                score=answer.confidence if citation.number == 1 else None,
            )
            for citation in answer.citations
        ]
        return Response(response=answer.text, source_nodes=nodes, metadata={"answer": answer.to_dict()})
