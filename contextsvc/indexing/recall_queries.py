"""Choose queries that measure the recall of a vector index."""

import numpy as np

from contextsvc.records.arrays import Float32Array
from contextsvc.storage.corpus.view import Corpus

NUM_HELD_OUT = 200
"""Largest number of queries. A small corpus gives fewer."""


def held_out_sentences(corpus: Corpus, num_sentences: int = NUM_HELD_OUT) -> Float32Array:
    """Return vectors of sentences that are spread evenly over the corpus, to be used as queries.

    The vector index holds chunk vectors, so it does not hold these vectors. Each is the vector of the middle
    sentence of a chunk. Chunks of one sentence are left out, because they have the same vector as their
    sentence.

    Args:
        corpus: The corpus.
        num_sentences: Largest number of sentences.

    Returns:
        (n, dim) float32, n <= num_sentences, distinct rows of the corpus.
    """
    lengths = corpus.chunk_table["end_sentence"] - corpus.chunk_table["first_sentence"]
    chunks = np.flatnonzero(lengths > 1)
    spread = np.linspace(0, len(chunks) - 1, min(num_sentences, len(chunks))).round().astype(np.int64)
    drawn = chunks[spread]
    middle = (corpus.chunk_table["first_sentence"] + lengths // 2)[drawn]
    rows = np.unique(corpus.sentence_table["row"][middle])
    return np.asarray(corpus.sentence_vectors[rows], dtype=np.float32)
