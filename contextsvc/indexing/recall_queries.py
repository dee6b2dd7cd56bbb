"""Queries that measure the recall of a vector index."""

import numpy as np

from contextsvc.records.arrays import Float32Array
from contextsvc.storage.corpus.view import Corpus

NUM_HELD_OUT = 200
"""Number of queries, if there are so many."""


def held_out_sentences(corpus: Corpus, num_sentences: int = NUM_HELD_OUT) -> Float32Array:
    """Vectors of sentences spread evenly over the corpus: (n, dim) float32, n <= num_sentences, distinct.

    The index does not hold them: it holds chunk vectors. Each is the middle sentence of a chunk. Chunks of
    one sentence are left out, because chunk and sentence have the same vector.
    """
    lengths = corpus.chunk_table["end_sentence"] - corpus.chunk_table["first_sentence"]
    chunks = np.flatnonzero(lengths > 1)
    spread = np.linspace(0, len(chunks) - 1, min(num_sentences, len(chunks))).round().astype(np.int64)
    drawn = chunks[spread]
    middle = (corpus.chunk_table["first_sentence"] + lengths // 2)[drawn]
    rows = np.unique(corpus.sentence_table["row"][middle])
    return np.asarray(corpus.sentence_vectors[rows], dtype=np.float32)
