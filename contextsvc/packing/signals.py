"""Signals of a score: similarity of chunks and sentences to a query, and terms in common with the query.

"In context" means that the value of a sentence or chunk is smoothed with the values of its neighbours
(`storage.corpus.smoothing`).
"""

from collections.abc import Sequence

import numpy as np

from contextsvc.packing.fusion import clip_similarity
from contextsvc.packing.units import Sentences
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Chunk
from contextsvc.records.packs import Occurrences
from contextsvc.storage.corpus import Corpus, chunks_around, windows_of
from contextsvc.storage.corpus.files import KINDS
from contextsvc.storage.corpus.smoothing import REACH, TERMS_REACH, context_similarity, context_terms
from contextsvc.storage.library import SearchableCorpus

WINDOW_TOKENS = 40
"""Largest number of tokens of a window (a run of whole sentences) in which terms count as near each other."""

_HEADING = KINDS.index("heading")

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


def found_sentences(
    index: SearchableCorpus, ids: Int64Array, chunks: Sequence[Chunk], query: str, vector: Float32Array
) -> Sentences:
    """Return the sentences of some chunks with their similarity to the query and their terms.

    Args:
        index: The index.
        ids: Numbers of the chunks. They should be few, because all their vectors are read at once.
        chunks: The chunks with these numbers.
        query: The query.
        vector: (dim,) unit vector of the query.
    """
    firsts, sizes = _places(index.corpus, ids)
    first_numbers = index.corpus.chunk_table["first_sentence"][ids]
    numbers = np.arange(int(sizes.sum())) + np.repeat(first_numbers - firsts, sizes)
    rows = index.corpus.sentence_table[numbers]
    found = index.lexical.occurrences(query, [chunk.text for chunk in chunks])
    return Sentences(
        chunks=ids,
        firsts=firsts,
        numbers=numbers,
        units=rows["unit"].astype(np.int64),
        headings=rows["kind"] == _HEADING,
        num_tokens=rows["num_tokens"].astype(np.int64),
        rows=rows["row"].astype(np.int64),
        similarity=sentence_similarity(index.corpus, ids, vector),
        terms=_terms(found, chunks, firsts, sizes, rows["start"]),
        weights=found.weights,
    )


def _terms(
    found: Occurrences, chunks: Sequence[Chunk], firsts: Int64Array, sizes: Int64Array, starts: Int64Array
) -> BoolArray:
    """Return which terms each sentence holds: (num_sentences, num_terms).

    Terms in lines that are repeated before a chunk, such as a table's header, count for its first sentence.

    Args:
        found: Terms in the texts of the chunks.
        chunks: The chunks.
        firsts: Place of each chunk's first sentence: (num_chunks,).
        sizes: Number of sentences of each chunk: (num_chunks,).
        starts: Offset of each sentence in its document: (num_sentences,).
    """
    begins = np.array([chunk.start for chunk in chunks], dtype=np.int64)
    repeated = np.array([chunk.offset(chunk.start) for chunk in chunks], dtype=np.int64)
    # Offsets that ascend over all chunks, so that one search finds the sentences of all occurrences.
    stride = 1 + max((len(chunk.text) for chunk in chunks), default=0)
    base = stride * np.arange(len(chunks))
    offsets = starts + np.repeat(base - begins + repeated, sizes)
    places = np.searchsorted(offsets, base[found.texts] + found.offsets, side="right") - 1
    held = np.zeros((len(starts), len(found.weights)), dtype=np.bool_)
    held[np.maximum(places, firsts[found.texts]), found.terms] = True
    return held


def sentence_similarity(corpus: Corpus, ids: Int64Array, query: Float32Array) -> Float64Array:
    """Compute the similarity of each sentence in context to the query, in [0, 1], for some chunks.

    Args:
        corpus: The chunks and their sentence vectors.
        ids: Numbers of the chunks. They should be few, because all their vectors are read at once.
        query: (dim,) unit vector.

    Returns:
        (num_sentences,) similarities, chunk by chunk.
    """
    if not len(ids):
        return np.zeros(0)
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
    return clip_similarity(np.round(similarity, DECIMALS))


def best_sentence_similarity(corpus: Corpus, ids: Int64Array, query: Float32Array) -> Float64Array:
    """Compute the similarity of the best sentence in context of some chunks: (len(ids),).

    Arguments: see `sentence_similarity`.
    """
    return _best_of_each(sentence_similarity(corpus, ids, query), _places(corpus, ids)[0])


def best_similarity(sentences: Sentences) -> Float64Array:
    """Return the similarity of the best sentence of each chunk: (num_chunks,)."""
    return _best_of_each(sentences.similarity, sentences.firsts)


def _places(corpus: Corpus, ids: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the place of each chunk's first sentence among those of all chunks, and its number of sentences.

    Returns:
        (len(ids),) places, ascending from 0, and (len(ids),) numbers.
    """
    table = corpus.chunk_table[ids]
    sizes = (table["end_sentence"] - table["first_sentence"]).astype(np.int64)
    return np.cumsum(sizes) - sizes, sizes


def _best_of_each(values: Float64Array, firsts: Int64Array) -> Float64Array:
    """Return the greatest value of each chunk's sentences: (num_chunks,)."""
    # `reduceat` takes no empty list of places.
    best: Float64Array = np.maximum.reduceat(values, firsts) if len(firsts) else np.zeros(0)
    return best


def window_coverage(sentences: Sentences) -> Float64Array:
    """Compute the weighted share of the query's terms that the best window of each chunk holds, in [0, 1].

    A window is a run of sentences of at most `WINDOW_TOKENS` tokens, or one longer sentence. A chunk that
    holds the terms far apart, each in another sentence, scores less than one that holds them together.

    Returns:
        (num_chunks,) shares.
    """
    if not len(sentences.firsts):
        return np.zeros(0)
    ends = np.concatenate([[0], np.cumsum(sentences.num_tokens)])
    last = np.searchsorted(ends, ends[:-1] + WINDOW_TOKENS, side="right") - 1
    last = np.maximum(last, np.arange(1, len(ends)))
    last = np.minimum(last, np.repeat(sentences.ends, sentences.ends - sentences.firsts))
    counts = np.zeros((len(ends), len(sentences.weights)), dtype=np.int64)
    np.cumsum(sentences.terms, axis=0, out=counts[1:])
    shares = (counts[last] > counts[:-1]) @ sentences.weights
    return _best_of_each(shares, sentences.firsts).round(DECIMALS)
