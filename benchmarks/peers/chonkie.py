"""Chonkie as its documentation sets it up: a chunker, the embeddings refinery, and a flat FAISS index.

Chonkie passes chunks to a vector database of the user and has none itself. Exact search by cosine stands in.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from chonkie import EmbeddingsRefinery, RecursiveChunker, SemanticChunker, SentenceTransformerEmbeddings

from benchmarks.peers.protocol import Passage, Text


class _Chonkie:
    _chunker: Callable[..., Any]
    packages = ("chonkie", "chonkie-core", "sentence-transformers", "torch", "faiss-cpu")

    def __init__(self, model: Path) -> None:
        self._model = SentenceTransformerEmbeddings(str(model))
        self._model.embed("warm")
        self._chunks: list[tuple[str, Any]] = []  # with the document each is of
        self._index: Any = None

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; all chunks go to the refinery at once, which batches them by length."""
        chunker = self._chunker()
        self._chunks = [(text.doc_id, chunk) for text in documents for chunk in chunker.chunk(text.text)]
        refined = EmbeddingsRefinery(self._model).refine([chunk for _, chunk in self._chunks])
        self._index = faiss.IndexFlatIP(self._model.dimension)
        self._index.add(np.stack([chunk.embedding for chunk in refined]))
        return len(refined)

    def embedded(self) -> Iterable[str]:
        """The chunks; what the semantic chunker embeds to find its borders is no longer there."""
        return (chunk.text for _, chunk in self._chunks)

    def ask(self, query: str, k: int) -> list[Passage]:
        """By cosine; MiniLM's vectors have length one."""
        scores, rows = self._index.search(self._model.embed(query)[None], min(k, len(self._chunks)))
        found = [(*self._chunks[row], score) for row, score in zip(rows[0], scores[0], strict=True)]
        return [
            Passage(doc_id, chunk.text, float(score), chunk.start_index, chunk.end_index)
            for doc_id, chunk, score in found
        ]


class Recursive(_Chonkie):
    """RecursiveChunker with its own figures, 2,048 characters: the first choice of its guide for RAG.

    Source: "Choosing a Chunker" and "Recursive Chunker" of https://docs.chonkie.ai
    """

    def _chunker(self) -> Any:
        return RecursiveChunker()


class Semantic(_Chonkie):
    """SemanticChunker over the same model, 512 tokens: the guide's choice where quality comes first.

    The guide also names a `similarity_threshold` of .5, which this version takes and does not look at; its
    `threshold` of .8 stays. Hybrid search and rerankers Chonkie has none.
    """

    def _chunker(self) -> Any:
        return SemanticChunker(self._model, chunk_size=512)
