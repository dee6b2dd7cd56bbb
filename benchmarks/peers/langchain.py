"""LangChain as its documentation sets it up: a splitter, HuggingFaceEmbeddings, a flat FAISS index."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.retrievers import BM25Retriever
from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
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
        read = [Document(page_content=text.text, metadata={"source": text.doc_id}) for text in documents]
        self._pieces = self._splitter().split_documents(read)
        self._store = FAISS.from_documents(self._pieces, self._model)
        return len(self._pieces)

    def embedded(self) -> Iterable[str]:
        """The chunks; what the semantic chunker embeds to find its borders is no longer there."""
        return (piece.page_content for piece in self._pieces)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Nearest first; the store's scores are squared distances, turned round here."""
        return [
            Passage(piece.metadata["source"], piece.page_content, -float(distance), *_span(piece))
            for piece, distance in self._store.similarity_search_with_score(query, k)
        ]


def _span(piece: Any) -> tuple[int | None, int | None]:
    start = piece.metadata.get("start_index")
    return (None, None) if start is None else (start, start + len(piece.page_content))


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

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        self._words: Any = None

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
        found = both.invoke(query)[:k]
        return [
            Passage(piece.metadata["source"], piece.page_content, -float(rank), *_span(piece))
            for rank, piece in enumerate(found, start=1)
        ]
