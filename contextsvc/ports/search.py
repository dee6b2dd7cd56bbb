"""Search ports: embedding, vector search, lexical search, reranking."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Ranking


class Embedder(Protocol):
    """Turns texts into unit vectors whose inner product is cosine similarity."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, hash of the weights, precision, pooling and prompts; changes when vectors may change."""
        ...

    @property
    def dim(self) -> int:
        """Dimension of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest passage, in the model's own tokens, that the model reads whole."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Number of the model's own tokens of each text, without special tokens and without truncation."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """Vectors in the order of the texts: (n, dim) float32, unit rows; (0, dim) for no texts."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Vectors in the order of the texts: (n, dim) float32, unit rows; (0, dim) for no texts."""
        ...


class VectorIndex(Protocol):
    """Search for the nearest chunks by inner product."""

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """Rank the nearest chunks of each query.

        Args:
            queries: (n, dim) unit rows.
            k: Length of a ranking, or the number of allowed chunks if that is less.
            allowed: (num_chunks,) chunks that may be found; None: all. Applied before the search.
            exact: Compare with every vector. Otherwise an approximate index may miss a better chunk.

        Returns:
            One ranking per query: best first, of equal scores the lower id first. Scores are inner products
            with the stored vectors, rounded to 1e-6.

        Raises:
            ShapeError: queries are not (n, dim), k < 1, or `allowed` has another length.
        """
        ...


class LexicalIndex(Protocol):
    """Search for chunks that share terms with a query, by BM25 with weights fixed when the index was built.

    It takes text instead of terms: each search engine has an analyser of its own.
    """

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """Rank the best chunks of each query.

        Args:
            queries: Texts.
            k: Length of a ranking, or the number of allowed chunks with a positive score if that is less.
            allowed: (num_chunks,) chunks that may be found; None: all. Applied before the search.

        Returns:
            One ranking per query: best first, of equal scores the lower id first. Scores are rounded to 1e-6.
            A query without a known term has an empty ranking.

        Raises:
            ShapeError: k < 1 or `allowed` has another length.
        """
        ...

    def scores(self, query: str, ids: Int64Array) -> Float64Array:
        """Score of each chunk in `ids`, as `search` returns it: (len(ids),); 0 if no term is shared.

        Raises:
            ShapeError: an id is not that of a chunk.
        """
        ...

    def coverage(self, query: str, ids: Int64Array) -> Float64Array:
        """Share of the query's terms that each chunk in `ids` holds, in [0, 1]: (len(ids),).

        The weight of a term is its idf, however often it occurs in query or chunk. A term in no chunk of the
        index has the idf of 0 chunks, so it counts as missing. Rounded to 1e-6; 0 for a query without terms.

        Raises:
            ShapeError: an id is not that of a chunk.
        """
        ...


class Reranker(Protocol):
    """A model that scores a text for a query by reading both at once."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of model and settings; changes when scores may change."""
        ...

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """Scores in the order of the texts: (n,) float32 in [0, 1], higher is better; (0,) for no texts."""
        ...
