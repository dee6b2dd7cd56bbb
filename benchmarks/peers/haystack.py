"""Haystack as its tutorials set it up: components over an in-memory store, all with one model."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nltk
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import DocumentSplitter, HierarchicalDocumentSplitter
from haystack.components.retrievers import AutoMergingRetriever, SentenceWindowRetriever
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
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

    packages: tuple[str, ...] = (
        "haystack-ai", "sentence-transformers-haystack", "sentence-transformers", "torch",
    )  # fmt: skip

    def __init__(self, model: Path) -> None:
        self._embedding = {"model": str(model), "progress_bar": False}
        # Embedders of one model share it; the pipelines' are made when there is something to put into them.
        SentenceTransformersTextEmbedder(**self._embedding).run("warm")
        self._store, self._parents = InMemoryDocumentStore(), InMemoryDocumentStore()
        self._search = Pipeline()

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; the index stays in memory, which is the default."""
        # The parts of a part name it as their source; metadata goes down to all parts of a text.
        read = [Document(content=text.text, meta={"doc_id": text.doc_id}) for text in documents]
        split = self._splitter().run(documents=read)["documents"]
        self._store, self._parents = InMemoryDocumentStore(), InMemoryDocumentStore()
        self._parents.write_documents([one for one in split if one.meta.get("__children_ids")])
        leaves = [one for one in split if not one.meta.get("__children_ids")]
        embedder = SentenceTransformersDocumentEmbedder(**self._embedding)
        self._store.write_documents(embedder.run(leaves)["documents"])
        self._search = self._searching()
        return int(self._store.count_documents())

    def _splitter(self) -> Any:
        return DocumentSplitter(split_by="word", split_length=150, split_overlap=50)

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


class _Sentences(Dense):
    packages = (*Dense.packages, "nltk")

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        # Where the splitter looks for its data before it downloads them.
        nltk.data.path.insert(0, str(model.parent / "punkt_tab"))


class Merging(_Sentences):
    """Five sentences within ten within twenty within the text; the retriever's own threshold of a half.

    Blocks have no default; the 10 and 3 words of the page are for texts of a line. The more are asked for,
    the more are merged. So the ten nearest come first, which is the default of retrievers, then what k adds.
    The retriever gives no order: here a block is as near as the nearest part of it that was found.

    Source: https://docs.haystack.deepset.ai/docs/automergingretriever
    """

    def _splitter(self) -> Any:
        return HierarchicalDocumentSplitter({20, 10, 5}, split_by="sentence")

    def ask(self, query: str, k: int) -> list[Passage]:
        """The ten nearest before the others; minus the rank stands for the score."""
        blocks: dict[str, Any] = {}
        for few in (min(10, k), k):
            found = self._run(query, few)
            # A text that was not split has no parent, which the retriever takes for a mistake.
            parts = [one for one in found if one.meta["__parent_id"]]
            given = AutoMergingRetriever(self._parents).run(parts)["documents"]
            given += [one for one in found if not one.meta["__parent_id"]]
            for part in found:
                blocks |= {
                    block.id: block
                    for block in given
                    if block.meta["doc_id"] == part.meta["doc_id"] and part.content in block.content
                }
        passages = _passages(blocks.values())[:k]
        return [replace(passage, score=-float(rank)) for rank, passage in enumerate(passages, start=1)]


class Window(_Sentences):
    """Sentences as in the tutorial, each replaced by itself, the three before and the three after.

    Source: https://haystack.deepset.ai/tutorials/42_sentence_window_retriever and
    https://docs.haystack.deepset.ai/docs/sentencewindowretriever, which names the default of three
    """

    def _splitter(self) -> Any:
        return DocumentSplitter(split_by="sentence", split_length=1, split_overlap=0)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Windows of the nearest sentences; two of them may overlap."""
        found = self._run(query, k)
        windows = SentenceWindowRetriever(self._store).run(found)["context_windows"]
        return [
            Passage(one.meta["doc_id"], text, one.score) for one, text in zip(found, windows, strict=True)
        ]


def _passages(found: Iterable[Any]) -> list[Passage]:
    return [
        Passage(one.meta["doc_id"], one.content, one.score, one.meta.get("split_idx_start", 0))
        for one in found
    ]
