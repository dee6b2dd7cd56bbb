"""Search ports: embedding, vector search, lexical search and reranking."""

from collections.abc import Sequence
from typing import Protocol

from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.records.packs import Occurrences, Ranking


class Embedder(Protocol):
    """A model that turns texts into unit vectors, whose inner products are cosine similarities."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the embedder. It changes whenever vectors may change.

        It holds the model's name, the hash of the weights, precision, pooling and prompts.
        """
        ...

    @property
    def dim(self) -> int:
        """Number of components of each vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Length of the longest passage that the model reads untruncated, in the model's own tokens."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, in the model's own tokens.

        Special tokens are not counted, and the text is not truncated.
        """
        ...

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """Return the unit vector of each query, in order: (n, dim) float32. No texts give (0, dim)."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Return the unit vector of each passage, in order: (n, dim) float32. No texts give (0, dim)."""
        ...


class VectorIndex(Protocol):
    """Index of vectors that finds the chunks nearest to a query, by inner product."""

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """Find the nearest chunks of each query and rank them.

        Args:
            queries: Unit vectors of the queries, one per row: (n, dim).
            k: Number of chunks in each ranking. A ranking is shorter if fewer chunks are allowed.
            allowed: For each chunk, whether the search may find it: (num_chunks,). The filter is applied
                before the search. None allows all chunks.
            exact: Whether to compare each query with every vector. Otherwise an approximate index may miss a
                better chunk.

        Returns:
            One ranking per query, best chunk first. Of chunks with equal scores, the one with the lower id
            is first. Scores are inner products with the stored vectors, rounded to 1e-6.

        Raises:
            ShapeError: `queries` does not have shape (n, dim), k < 1, or the length of `allowed` is not the
                number of chunks.
        """
        ...


SHORT_FORM = 0.5
"""Share of a term's weight that a short or long form of the term counts (`LexicalIndex.coverage`). On the
tune half of SQuAD's articles, every share from 0 to .8 gives the same area under ROC (within .0005)."""

SHORT_FORM_LETTERS = 3
"""Least number of letters of a short form. Shorter words begin too many other words by chance."""


class LexicalIndex(Protocol):
    """Index of terms that finds chunks which share terms with a query, ranked by BM25.

    The weights of the terms are fixed when the index is built. Methods take the query as text, not as terms,
    because each search engine splits text into terms in its own way.
    """

    def search(self, queries: Sequence[str], k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """Find the best chunks of each query and rank them.

        Args:
            queries: Texts of the queries.
            k: Number of chunks in each ranking. A ranking is shorter if fewer allowed chunks have a positive
                score.
            allowed: For each chunk, whether the search may find it: (num_chunks,). The filter is applied
                before the search. None allows all chunks.

        Returns:
            One ranking per query, best chunk first. Of chunks with equal scores, the one with the lower id
            is first. Scores are rounded to 1e-6. A query without a known term has an empty ranking.

        Raises:
            ShapeError: k < 1, or the length of `allowed` is not the number of chunks.
        """
        ...

    def scores(self, query: str, ids: Int64Array) -> Float64Array:
        """Return the BM25 score of each chunk in `ids` for a query, in the order of `ids`: (len(ids),).

        The scores are those that `search` returns. A chunk that shares no term with the query has score 0.

        Raises:
            ShapeError: there is no chunk with one of the ids.
        """
        ...

    def coverage(self, query: str, ids: Int64Array) -> Float64Array:
        """Return the weighted share of the query's terms that each chunk in `ids` holds, in [0, 1].

        Each term is weighted by its inverse document frequency (idf). It counts once, however often it occurs
        in the query or in the chunk. A term that no chunk of the index holds has the idf of 0 chunks.

        A term that a chunk does not hold counts `SHORT_FORM` of its weight if the chunk holds a short or long
        form of it, such as "max" and "maximum". That is a term that it begins with, or that begins with it.
        Both consist of letters only, and the shorter one has at least `SHORT_FORM_LETTERS`.

        Returns:
            (len(ids),) shares in the order of `ids`, rounded to 1e-6. For a query without terms all are 0.

        Raises:
            ShapeError: there is no chunk with one of the ids.
        """
        ...

    def occurrences(self, query: str, texts: Sequence[str]) -> Occurrences:
        """Find the terms of a query in some texts, which need not be chunks of the index.

        The weight of a term is its inverse document frequency (idf) in the index, divided by the sum over all
        terms of the query. A term that no chunk of the index holds has the idf of 0 chunks. In one text the
        occurrences are in ascending order of their offsets.
        """
        ...

    def num_terms(self, query: str) -> int:
        """Return the number of distinct terms of a query, terms that no chunk holds included."""
        ...

    def rare_words(self, text: str, k: int) -> list[str]:
        """Return the words of a text whose terms the fewest chunks hold, rarest first.

        A word is returned in lower case. It has at least two characters, of which one is a letter. Of several
        words with the same term, the first in the text is returned. Of equally rare words, the alphabetically
        first comes first. A term that no chunk holds is the rarest.

        Returns:
            At most k words; fewer if the text has fewer.
        """
        ...


class Reranker(Protocol):
    """A model that reads a query and a text together and scores how well the text answers the query."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the model and its settings. It changes whenever scores may change."""
        ...

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """Return the score of each text for a query, in the order of the texts.

        Returns:
            (n,) float32 in [0, 1]. A higher score is better.
        """
        ...
