"""LlamaIndex as its documentation sets it up: a splitter, HuggingFaceEmbedding, a flat FAISS index."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import faiss
from llama_index.core import Document, StorageContext, VectorStoreIndex, node_parser
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import MetadataReplacementPostProcessor
from llama_index.core.retrievers import AutoMergingRetriever, QueryFusionRetriever
from llama_index.core.schema import MetadataMode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.faiss import FaissVectorStore

from benchmarks.peers.protocol import Passage, Text


class _LlamaIndex:
    _splitter: Callable[..., Any]
    packages: tuple[str, ...] = (
        "llama-index-core", "llama-index-embeddings-huggingface", "sentence-transformers", "torch",
    )  # fmt: skip
    _flat: Any = faiss.IndexFlatL2

    def __init__(self, model: Path) -> None:
        self._model = HuggingFaceEmbedding(model_name=str(model))
        self._dim = len(self._model.get_text_embedding("warm"))
        self._nodes: list[Any] = []
        self._index: Any = None

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; the index stays in memory, which is the default."""
        read = [Document(text=text.text, doc_id=text.doc_id) for text in documents]
        parsed = self._splitter().get_nodes_from_documents(read)
        self._nodes = node_parser.get_leaf_nodes(parsed)  # all, unless the splitter makes parents
        store = FaissVectorStore(faiss_index=self._flat(self._dim))
        context = StorageContext.from_defaults(vector_store=store)
        context.docstore.add_documents([node for node in parsed if node.child_nodes])
        self._index = VectorStoreIndex(self._nodes, storage_context=context, embed_model=self._model)
        return len(self._nodes)

    def embedded(self) -> Iterable[str]:
        """The chunks; what the semantic splitter embeds to find its borders is no longer there."""
        return (node.get_content(metadata_mode=MetadataMode.EMBED) for node in self._nodes)

    def ask(self, query: str, k: int) -> list[Passage]:
        """Nearest first; the store's scores are squared distances, turned round here."""
        found = self._index.as_retriever(similarity_top_k=k).retrieve(query)
        return [_passage(hit.node, -float(hit.score)) for hit in found]


def _passage(node: Any, score: float) -> Passage:
    return Passage(node.ref_doc_id, node.text, score, node.start_char_idx, node.end_char_idx)


class Semantic(_LlamaIndex):
    """SemanticSplitterNodeParser, which embeds every sentence with its neighbours, then every chunk."""

    def _splitter(self) -> Any:
        return node_parser.SemanticSplitterNodeParser(
            buffer_size=1, breakpoint_percentile_threshold=95, embed_model=self._model
        )


class Plain(_LlamaIndex):
    """SentenceSplitter as `VectorStoreIndex.from_documents` makes it: 1,024 tokens, 200 of them shared."""

    def _splitter(self) -> Any:
        return node_parser.SentenceSplitter()


class Hybrid(_LlamaIndex):
    """Chunks of 256 tokens, vectors and BM25, fused by reciprocal rank; queries are taken as they are.

    The page has a model make up three more queries, and says that `num_queries=1` leaves that out. It asks
    each retriever for as many as it wants; here that is k.

    Source: https://developers.llamaindex.ai/python/framework/integrations/retrievers/reciprocal_rerank_fusion/
    """

    packages = (*_LlamaIndex.packages, "llama-index-retrievers-bm25", "bm25s", "PyStemmer")
    # The fusion ranks by score, highest first: of distances it would make the farthest the best.
    _flat = faiss.IndexFlatIP
    _words: Any = None

    def _splitter(self) -> Any:
        return node_parser.SentenceSplitter(chunk_size=256)

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`, BM25 included."""
        number = super().build(documents)
        self._words = BM25Retriever.from_defaults(nodes=self._nodes)
        return number

    def ask(self, query: str, k: int) -> list[Passage]:
        """By the sum of 1 / (60 + rank), ranks from nought."""
        self._words.similarity_top_k = min(k, len(self._nodes))  # more is an error of BM25's
        both = QueryFusionRetriever(
            [self._index.as_retriever(similarity_top_k=k), self._words],
            llm=MockLLM(),  # there must be one, and it is not asked
            similarity_top_k=k,
            num_queries=1,
            mode="reciprocal_rerank",
            use_async=False,  # nothing here waits for a network
        )
        return [_passage(hit.node, float(hit.score)) for hit in both.retrieve(query)]


class Merging(_LlamaIndex):
    """Chunks of 128 tokens within chunks of 512 within chunks of 2,048, all the parser's own figures.

    A chunk takes the place of its children if more than half of them are found. The more are asked for, the
    more are merged. So the six nearest come first, which is what the page asks for, then what k adds.

    Source: https://developers.llamaindex.ai/python/framework/integrations/retrievers/auto_merging_retriever/
    """

    _flat = faiss.IndexFlatIP  # as for `Hybrid`: merged chunks are ranked by score, highest first

    def _splitter(self) -> Any:
        return node_parser.HierarchicalNodeParser.from_defaults()

    def ask(self, query: str, k: int) -> list[Passage]:
        """By mean score, the six nearest before the others; minus the rank stands for the score."""
        nodes: dict[str, Any] = {}
        for few in (min(6, k), k):
            near = self._index.as_retriever(similarity_top_k=few)
            found = AutoMergingRetriever(near, self._index.storage_context).retrieve(query)
            nodes |= {hit.node_id: hit.node for hit in found}
        return [_passage(node, -float(rank)) for rank, node in enumerate(nodes.values(), start=1)][:k]


class Window(_LlamaIndex):
    """Sentences, each replaced by itself, the three before and the three after, the parser's own figures.

    Source: https://developers.llamaindex.ai/python/examples/node_postprocessor/metadatareplacementdemo
    """

    def _splitter(self) -> Any:
        return node_parser.SentenceWindowNodeParser.from_defaults()

    def ask(self, query: str, k: int) -> list[Passage]:
        """Windows of the nearest sentences; two of them may overlap."""
        found = self._index.as_retriever(similarity_top_k=k).retrieve(query)
        windows = MetadataReplacementPostProcessor("window").postprocess_nodes(found)
        return [_passage(hit.node, -float(hit.score)) for hit in windows]
