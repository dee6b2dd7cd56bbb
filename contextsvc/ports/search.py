"""Finding chunks: vectors, neighbours, terms, a second look."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Ranking


class Embedder(Protocol):
    """Turns texts into unit vectors whose inner product is cosine similarity."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Name, weights hash, precision, pooling and prompts: changes when vectors may change."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Longest passage, in the model's own tokens, that is not cut silently."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The model's own tokens of each text, special tokens not counted, nothing cut."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept; n = 0 gives (0, dim)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """(n, dim) float32, unit rows, order kept; n = 0 gives (0, dim)."""
        ...


class VectorIndex(Protocol):
    """Nearest chunks by inner product."""

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """One ranking a query: min(k, number allowed) ids with inner products.

        Scores are the stored vectors', rounded to 1e-6; best first, ties by id. `allowed` is
        (num_chunks,) and is applied before the search. An approximate index may miss a better chunk,
        never with `exact`.

        Raises:
            ShapeError: queries are not (n, dim), k < 1, or `allowed` has another length.
        """
        ...


class LexicalIndex(Protocol):
    """Chunks that share terms with a query, by BM25 whose weights the generation froze.

    It takes text, not terms: the analyser belongs to the index, as it does in the engines that
    may stand here one day.
    """

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """One ranking a query: at most k ids with positive scores, rounded to 1e-6.

        Best first, ties by id; a query without a known term gives an empty ranking. `allowed` as
        in `VectorIndex`.

        Raises:
            ShapeError: k < 1 or `allowed` has another length.
        """
        ...

    def scores(self, query: str, ids: Int64Array) -> Float64Array:
        """Of the chunks that are named, in their order, what `search` would give: (len(ids),).

        0 where no term is shared.

        Raises:
            ShapeError: there is no such chunk.
        """
        ...

    def coverage(self, query: str, ids: Int64Array) -> Float64Array:
        """The share of the query's terms that each of the chunks named holds, in [0, 1]: (len(ids),).

        A term weighs its idf, however often it occurs in query or chunk; one that no chunk of the index
        holds weighs the idf of that, so that it counts as missing. Rounded to 1e-6; 0 for a query without
        terms.

        Raises:
            ShapeError: there is no such chunk.
        """
        ...


class Reranker(Protocol):
    """Scores texts against a query by reading both at once."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Changes when scores may change."""
        ...

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """(n,) float32 in [0, 1], higher is better, order kept: sorting is ours; n = 0 gives (0,)."""
        ...
