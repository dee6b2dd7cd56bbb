"""Signals of a score: similarity of chunks and sentences to a query, and terms in common, in context."""

from collections.abc import Mapping

import numpy as np

from contextsvc.packing.fusion import clip_similarity
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.storage.corpus import Corpus, chunks_around, windows_of
from contextsvc.storage.corpus.smoothing import REACH, TERMS_REACH, context_similarity, context_terms
from contextsvc.storage.library import LoadedIndex

SentenceScores = Mapping[int, Float64Array]
"""Scores of a chunk's sentences, in their order, by the number of the chunk."""

DECIMALS = 6
"""Decimals of similarities; rounded, they do not depend on the order of a sum."""


def chunk_similarity(corpus: Corpus, ids: Int64Array, query: Float32Array) -> Float64Array:
    """Similarity of the chunks' vectors to the query, in [0, 1]: (len(ids),).

    It is computed for chunks that only the lexical search found, too. Rejected: an assumed minimum for these.
    """
    vectors = corpus.chunk_vectors[ids].astype(np.float64)
    return clip_similarity(np.round(vectors @ query.astype(np.float64), DECIMALS))


def term_scores_in_context(index: LoadedIndex, ids: Int64Array, query: str) -> Float64Array:
    """BM25 scores smoothed with those of neighbouring chunks (`storage.corpus.smoothing`): (len(ids),), >= 0.

    They are computed for chunks that only the dense search found, too. Each neighbour is scored once.
    """
    around = chunks_around(index.corpus, ids, TERMS_REACH)
    numbers, places = np.unique(around, return_inverse=True)
    return context_terms(index.lexical.scores(query, numbers)[places.reshape(around.shape)])


def sentence_scores(corpus: Corpus, ids: Int64Array, query: Float32Array) -> SentenceScores:
    """Similarity of each sentence of the chunks, in its context, to the query, in [0, 1].

    Args:
        corpus: The chunks and their sentence vectors.
        ids: Numbers of some chunks; few, because all their vectors are read at once.
        query: (dim,) unit vector.
    """
    if not len(ids):
        return {}
    windows = windows_of(corpus, ids, REACH)
    # Candidates share neighbours and titles: each vector is read once.
    named = np.concatenate([windows.rows, windows.titles[:, None]], axis=1)
    rows, places = np.unique(named, return_inverse=True)
    # Not a matrix product: its order of sums depends on the number of rows; equal sentences could differ.
    products = (corpus.sentence_vectors[rows].astype(np.float32) * query).sum(axis=1)
    similarities = products.astype(np.float64)[places.reshape(named.shape)]
    titles = np.where(windows.titles >= 0, similarities[:, -1], np.nan)
    similarity = context_similarity(similarities[:, :-1], titles, windows.norms)
    scores = np.split(clip_similarity(np.round(similarity, DECIMALS)), windows.firsts[1:])
    return dict(zip(ids.tolist(), scores, strict=True))


def best_sentence_scores(scores: SentenceScores, ids: Int64Array) -> Float64Array:
    """Score of the best sentence of each chunk, in the order of `ids`: (len(ids),)."""
    return np.array([scores[number].max() for number in ids.tolist()], dtype=np.float64)
