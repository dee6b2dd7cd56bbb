"""Haystack as its tutorials set it up: two pipelines over an in-memory store, both with one model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

from benchmarks.peers.protocol import Passage, Text


class Dense:
    """Chunks of 150 words, 50 of them shared, as in the tutorial that embeds them with this very model.

    Its DocumentCleaner, called optional there, is left out: it rewrites texts, and spans would mean nothing.

    Source: https://haystack.deepset.ai/tutorials/30_file_type_preprocessing_index_pipeline
    """

    packages = ("haystack-ai", "sentence-transformers-haystack", "sentence-transformers", "torch")

    def __init__(self, model: Path) -> None:
        self._embedding = {"model": str(model), "progress_bar": False}
        # Embedders of one model share it; the pipelines' are made when there is something to put into them.
        SentenceTransformersTextEmbedder(**self._embedding).run("warm")
        self._store = InMemoryDocumentStore()
        self._search = Pipeline()

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; the index stays in memory, which is the default."""
        self._store = InMemoryDocumentStore()
        indexing = Pipeline()
        indexing.add_component(
            "splitter", DocumentSplitter(split_by="word", split_length=150, split_overlap=50)
        )
        indexing.add_component("embedder", SentenceTransformersDocumentEmbedder(**self._embedding))
        indexing.add_component("writer", DocumentWriter(self._store))
        indexing.connect("splitter", "embedder")
        indexing.connect("embedder", "writer")
        read = [Document(id=text.doc_id, content=text.text) for text in documents]
        indexing.run({"splitter": {"documents": read}})
        self._search = self._searching()
        return int(self._store.count_documents())

    def _searching(self) -> Pipeline:
        search = Pipeline()
        search.add_component("embedder", SentenceTransformersTextEmbedder(**self._embedding))
        search.add_component("dense", InMemoryEmbeddingRetriever(self._store))
        search.connect("embedder.embedding", "dense.query_embedding")
        return search

    def embedded(self) -> Iterable[str]:
        """The chunks."""
        return (document.content for document in self._store.filter_documents())

    def ask(self, query: str, k: int) -> list[Passage]:
        """By the dot product of vectors of length one."""
        return _passages(self._run(query, k))

    def _run(self, query: str, k: int) -> list[Any]:
        found = self._search.run({"embedder": {"text": query}, "dense": {"top_k": k}})
        return list(found["dense"]["documents"])


class Hybrid(Dense):
    """With BM25 beside the vectors, the two joined by reciprocal rank fusion.

    The tutorial of hybrid retrieval lets a cross-encoder rank what both found, which would be another model;
    where there is none, the joiner's own page has it fuse ranks, with this embedder. Chunks stay as above:
    the tutorial's 512 words are for a model that reads 512 tokens, and it says to go by the model's limit.

    Source: https://haystack.deepset.ai/tutorials/33_hybrid_retrieval and
    https://docs.cloud.deepset.ai/docs/documentjoiner
    """

    def _searching(self) -> Pipeline:
        search = super()._searching()
        search.add_component("sparse", InMemoryBM25Retriever(self._store))
        search.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
        search.connect("sparse", "joiner")
        search.connect("dense", "joiner")
        return search

    def _run(self, query: str, k: int) -> list[Any]:
        top = {"top_k": k}
        found = self._search.run(
            {"embedder": {"text": query}, "dense": top, "sparse": {"query": query, **top}, "joiner": top}
        )
        return list(found["joiner"]["documents"])


def _passages(found: Iterable[Any]) -> list[Passage]:
    return [
        Passage(one.meta["source_id"], one.content, one.score, start, start + len(one.content))
        for one in found
        for start in [one.meta["split_idx_start"]]
    ]
