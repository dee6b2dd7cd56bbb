"""Sentences to ask a vector index with, that no chunk was made to match."""

import numpy as np

from contextsvc.records.arrays import Float32Array
from contextsvc.storage.corpus.view import Corpus

NUM_HELD_OUT = 200


def held_out_sentences(corpus: Corpus, num_sentences: int = NUM_HELD_OUT) -> Float32Array:
    """Vectors of sentences spread evenly over the corpus: (n, dim) float32, n <= num_sentences, distinct.

    They are in no index: an index holds chunk vectors. A sentence that is a chunk alone is left out, for its
    chunk has the very same vector; so are copies. From each chunk that is drawn it is the middle one.
    """
    lengths = corpus.chunk_table["end_sentence"] - corpus.chunk_table["first_sentence"]
    chunks = np.flatnonzero(lengths > 1)
    spread = np.linspace(0, len(chunks) - 1, min(num_sentences, len(chunks))).round().astype(np.int64)
    drawn = chunks[spread]
    middle = (corpus.chunk_table["first_sentence"] + lengths // 2)[drawn]
    rows = np.unique(corpus.sentence_table["row"][middle])
    return np.asarray(corpus.sentence_vectors[rows], dtype=np.float32)
