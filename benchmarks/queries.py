"""Queries for an index that has none: words of its own sentences, drawn by seed."""

import numpy as np

from contextsvc.storage.corpus import Corpus


def drawn_queries(corpus: Corpus, num_queries: int, seed: int) -> list[str]:
    """Distinct queries of 4 to 12 words, each a run of words from a random chunk."""
    rng = np.random.default_rng(seed)
    queries: dict[str, None] = {}
    while len(queries) < num_queries:
        words = corpus.chunk(int(rng.integers(corpus.num_chunks))).text.split()
        size = int(rng.integers(4, 13))
        if len(words) > size:
            first = int(rng.integers(len(words) - size))
            queries[" ".join(words[first : first + size])] = None
    return list(queries)
