"""Signals of a score: similarity of chunks and sentences to a query, and terms in common with the query.

"In context" means that the value of a sentence or chunk is smoothed with the values of its neighbours
(`storage.corpus.smoothing`).
"""

from collections.abc import Mapping

import numpy as np

from contextsvc.packing.fusion import clip_similarity
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.storage.corpus import Corpus, chunks_around, windows_of
from contextsvc.storage.corpus.smoothing import REACH, TERMS_REACH, context_similarity, context_terms
from contextsvc.storage.library import SearchableCorpus

SentenceScores = Mapping[int, Float64Array]
"""Scores of a chunk's sentences, in their order, keyed by the number of the chunk."""

DECIMALS = 6
"""Number of decimals of similarities. Rounded similarities do not depend on the order of a sum."""


def chunk_similarity(corpus: Corpus, ids: Int64Array, query: Float32Array) -> Float64Array:
    """Compute the similarity of the chunks' vectors to the query, in [0, 1]: (len(ids),).

    It is also computed for chunks that only the lexical search found. An assumed minimum for these chunks was
    rejected.
    """
    vectors = corpus.chunk_vectors[ids].astype(np.float64)
    return clip_similarity(np.round(vectors @ query.astype(np.float64), DECIMALS))


def term_scores_in_context(index: SearchableCorpus, ids: Int64Array, query: str) -> Float64Array:
    """Compute BM25 scores of chunks, smoothed with the scores of neighbouring chunks: (len(ids),), >= 0.

    They are also computed for chunks that only the dense search found. Each neighbour is scored only once.
    """
    around = chunks_around(index.corpus, ids, TERMS_REACH)
    numbers, places = np.unique(around, return_inverse=True)
    return context_terms(index.lexical.scores(query, numbers)[places.reshape(around.shape)])


def sentence_scores(corpus: Corpus, ids: Int64Array, query: Float32Array) -> SentenceScores:
    """Compute the similarity of each sentence in context to the query, in [0, 1], for some chunks.

    Args:
        corpus: The chunks and their sentence vectors.
        ids: Numbers of the chunks. They should be few, because all their vectors are read at once.
        query: (dim,) unit vector.

    Returns:
        For each chunk number, the similarities of the chunk's sentences in order.
    """
    if not len(ids):
        return {}
    windows = windows_of(corpus, ids, REACH)
    # Chunks share neighbours and titles, so each vector is read only once.
    named = np.concatenate([windows.rows, windows.titles[:, None]], axis=1)
    rows, places = np.unique(named, return_inverse=True)
    # Not a matrix product, because its order of sums depends on the number of rows: results for equal
    # sentences could differ.
    products = (corpus.sentence_vectors[rows].astype(np.float32) * query).sum(axis=1)
    similarities = products.astype(np.float64)[places.reshape(named.shape)]
    titles = np.where(windows.titles >= 0, similarities[:, -1], np.nan)
    similarity = context_similarity(similarities[:, :-1], titles, windows.norms)
    scores = np.split(clip_similarity(np.round(similarity, DECIMALS)), windows.firsts[1:])
    return dict(zip(ids.tolist(), scores, strict=True))


def best_sentence_scores(scores: SentenceScores, ids: Int64Array) -> Float64Array:
    """Return the score of the best sentence of each chunk, in the order of `ids`: (len(ids),)."""
    return np.array([scores[number].max() for number in ids.tolist()], dtype=np.float64)
