"""LlamaIndex as its documentation sets it up: a splitter, HuggingFaceEmbedding, a flat FAISS index."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import faiss
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.node_parser import SemanticSplitterNodeParser, SentenceSplitter
from llama_index.core.schema import MetadataMode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

from benchmarks.peers.protocol import Passage, Text


class _LlamaIndex:
    packages = ("llama-index-core", "llama-index-embeddings-huggingface", "sentence-transformers", "torch")

    def __init__(self, model: Path) -> None:
        self._model = HuggingFaceEmbedding(model_name=str(model))
        self._dim = len(self._model.get_text_embedding("warm"))
        self._nodes: list[Any] = []
        self._index: Any = None

    def _splitter(self) -> Any:
        raise NotImplementedError

    def build(self, documents: Iterable[Text]) -> int:
        """As the `Side` says; the index stays in memory, which is the default."""
        read = [Document(text=text.text, doc_id=text.doc_id) for text in documents]
        self._nodes = self._splitter().get_nodes_from_documents(read)
        store = FaissVectorStore(faiss_index=faiss.IndexFlatL2(self._dim))
        self._index = VectorStoreIndex(
            self._nodes,
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=self._model,
        )
        return len(self._nodes)

    def embedded(self) -> Iterable[str]:
        """The chunks; what the semantic splitter embeds to find its borders is no longer there."""
        return (node.get_content(metadata_mode=MetadataMode.EMBED) for node in self._nodes)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Nearest first; the store's scores are squared distances, turned round here."""
        found = self._index.as_retriever(similarity_top_k=k).retrieve(query)
        return [
            Passage(
                hit.node.ref_doc_id,
                hit.node.text,
                -float(hit.score),
                hit.node.start_char_idx,
                hit.node.end_char_idx,
            )
            for hit in found
        ]


class Semantic(_LlamaIndex):
    """SemanticSplitterNodeParser, which embeds every sentence with its neighbours, then every chunk."""

    def _splitter(self) -> Any:
        return SemanticSplitterNodeParser(
            buffer_size=1, breakpoint_percentile_threshold=95, embed_model=self._model
        )


class Plain(_LlamaIndex):
    """SentenceSplitter as `VectorStoreIndex.from_documents` makes it: 1,024 tokens, 200 of them shared."""

    def _splitter(self) -> Any:
        return SentenceSplitter()
