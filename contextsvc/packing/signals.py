"""What a query and some chunks of an index have in common, each in context: the signals of a score."""

from collections.abc import Mapping

import numpy as np

from contextsvc.packing.fusion import as_share
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.storage.corpus import Corpus, chunks_around, windows_of
from contextsvc.storage.corpus.smoothing import REACH, TERMS_REACH, context_similarity, context_terms
from contextsvc.storage.library import LoadedIndex

SentenceScores = Mapping[int, Float64Array]
"""By number of a chunk: of each of its sentences, in order."""

DECIMALS = 6
"""What is equal but for the order of a sum is equal."""


def chunk_similarity(corpus: Corpus, ids: Int64Array, query: Float32Array) -> Float64Array:
    """Of the chunks' own vectors, in [0, 1]: (len(ids),).

    Also for chunks that only the lexical search found: a true value beats an assumed minimum.
    """
    vectors = corpus.chunk_vectors[ids].astype(np.float64)
    return as_share(np.round(vectors @ query.astype(np.float64), DECIMALS))


def terms_in_context(index: LoadedIndex, ids: Int64Array, query: str) -> Float64Array:
    """Scores by terms, with the chunks beside (`storage.corpus.smoothing`), not negative: (len(ids),).

    Also for chunks that only the dense search found. Each neighbour is scored once.
    """
    around = chunks_around(index.corpus, ids, TERMS_REACH)
    numbers, places = np.unique(around, return_inverse=True)
    return context_terms(index.lexical.scores(query, numbers)[places.reshape(around.shape)])


def sentence_scores(corpus: Corpus, ids: Int64Array, query: Float32Array) -> SentenceScores:
    """Similarity of the chunks' sentences in their contexts, in [0, 1]; all are read at once, being few."""
    if not len(ids):
        return {}
    windows = windows_of(corpus, ids, REACH)
    # Candidates share neighbours and titles: each vector is read once.
    named = np.concatenate([windows.rows, windows.titles[:, None]], axis=1)
    rows, places = np.unique(named, return_inverse=True)
    # Not a matrix product: its order of sums depends on the number of rows; equal sentences could differ.
    products = (corpus.sentence_vectors[rows].astype(np.float32) * query).sum(axis=1)
    found = products.astype(np.float64)[places.reshape(named.shape)]
    titles = np.where(windows.titles >= 0, found[:, -1], np.nan)
    similarity = context_similarity(found[:, :-1], titles, windows.norms)
    scores = np.split(as_share(np.round(similarity, DECIMALS)), windows.firsts[1:])
    return dict(zip(ids.tolist(), scores, strict=True))


def best_sentences(scores: SentenceScores, ids: Int64Array) -> Float64Array:
    """Of each of the chunks named the score of its best sentence, in their order: (len(ids),)."""
    return np.array([scores[number].max() for number in ids.tolist()], dtype=np.float64)
