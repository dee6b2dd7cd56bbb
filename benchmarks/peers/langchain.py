"""LangChain as its documentation sets it up: a splitter, HuggingFaceEmbeddings, a flat FAISS index."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faiss
from langchain_classic.retrievers import EnsembleRetriever, ParentDocumentRetriever
from langchain_community.docstore.in_memory import InMemoryDocstore
from langchain_community.retrievers import BM25Retriever
from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_core.stores import InMemoryStore
from langchain_experimental.text_splitter import SemanticChunker
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks.peers.protocol import Passage, Text


class _LangChain:
    _splitter: Callable[..., Any]
    packages: tuple[str, ...] = (
        "langchain-core", "langchain-community", "langchain-experimental", "langchain-huggingface",
        "sentence-transformers", "torch",
    )  # fmt: skip

    def __init__(self, model: Path) -> None:
        self._model = HuggingFaceEmbeddings(model_name=str(model))
        self._model.embed_query("warm")
        self._pieces: list[Any] = []
        self._store: Any = None

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; the index stays in memory, which is the default."""
        self._pieces = self._splitter().split_documents(_read(documents))
        self._store = FAISS.from_documents(self._pieces, self._model)
        return len(self._pieces)

    def embedded(self) -> Iterable[str]:
        """The chunks; what the semantic chunker embeds to find its borders is no longer there."""
        return (piece.page_content for piece in self._pieces)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Nearest first; the store's scores are squared distances, turned round here."""
        return [
            _passage(piece, -float(distance))
            for piece, distance in self._store.similarity_search_with_score(query, k)
        ]


class Semantic(_LangChain):
    """SemanticChunker, which embeds every sentence with its neighbours; then every chunk is embedded."""

    def _splitter(self) -> Any:
        return SemanticChunker(self._model)


class Plain(_LangChain):
    """RecursiveCharacterTextSplitter with the figures of the tutorials: 1,000 characters, 200 shared."""

    def _splitter(self) -> Any:
        return RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)


class Hybrid(Plain):
    """The same chunks, BM25 and vectors, each half of an ensemble that fuses them by reciprocal rank.

    Each is asked for k. The ensemble takes chunks with equal text for one, and tells no scores: minus the
    rank stands for them.

    Source: https://python.langchain.com/docs/how_to/ensemble_retriever/
    """

    packages = (*_LangChain.packages, "langchain-classic", "rank-bm25")
    _words: Any = None

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`, BM25 included, its words whatever stands between spaces."""
        number = super().build(documents)
        self._words = BM25Retriever.from_documents(self._pieces)
        return number

    def ask(self, query: str, k: int) -> list[Passage]:
        """By the sum of .5 / (60 + rank), ranks from one."""
        self._words.k = k
        vectors = self._store.as_retriever(search_kwargs={"k": k})
        both = EnsembleRetriever(retrievers=[self._words, vectors], weights=[0.5, 0.5])
        return _by_rank(both.invoke(query)[:k])


class Parents(_LangChain):
    """ParentDocumentRetriever with the figures of its page: 400 characters are searched, 2,000 are given.

    Source: https://reference.langchain.com/python/langchain-classic/retrievers/parent_document_retriever
    """

    packages = (*_LangChain.packages, "langchain-classic", "faiss-cpu")

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; the index stays in memory."""
        flat = faiss.IndexFlatL2(len(self._model.embed_query("warm")))
        self._store = FAISS(self._model, flat, InMemoryDocstore(), {})
        self._parents = ParentDocumentRetriever(
            vectorstore=self._store,
            docstore=InMemoryStore(),
            child_splitter=RecursiveCharacterTextSplitter(chunk_size=400, add_start_index=True),
            parent_splitter=RecursiveCharacterTextSplitter(chunk_size=2000, add_start_index=True),
        )
        self._parents.add_documents(_read(documents))
        self._pieces = [self._store.docstore.search(key) for key in self._store.index_to_docstore_id.values()]
        return len(self._pieces)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Parents of the k nearest, each once, in the order of their nearest; without scores, as above."""
        self._parents.search_kwargs = {"k": k}
        return _by_rank(self._parents.invoke(query))


def _read(documents: Iterable[Text]) -> list[Any]:
    return [Document(page_content=text.text, metadata={"source": text.doc_id}) for text in documents]


def _by_rank(found: Iterable[Any]) -> list[Passage]:
    return [_passage(piece, -float(rank)) for rank, piece in enumerate(found, start=1)]


def _passage(piece: Any, score: float) -> Passage:
    # The semantic chunker tells no places.
    return Passage(piece.metadata["source"], piece.page_content, score, piece.metadata.get("start_index"))
