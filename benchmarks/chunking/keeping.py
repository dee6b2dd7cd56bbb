"""Vectors kept by content: what was embedded once is never embedded again, also not by an interrupted run."""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.caching import cache_key
from contextsvc.ports import Cache, Embedder
from contextsvc.records import Float32Array

BATCH_TEXTS = 64
"""Texts that are embedded before their vectors are kept: what an interruption costs at most."""


class KeptPassages:
    """An `Embedder` that keeps the vectors of passages, too; `contextsvc.caching` keeps queries alone.

    The service has no use for it, because an index holds its sentences' vectors.
    """

    def __init__(self, embedder: Embedder, cache: Cache, report: Callable[[int, int], None]) -> None:
        """`report` is told (passages done, passages asked for) after every batch."""
        self._embedder, self._cache, self._report = embedder, cache, report
        self.fingerprint, self.dim = embedder.fingerprint, embedder.dim
        self.max_tokens = embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The wrapped embedder's."""
        return self._embedder.count_tokens(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """One at a time, as the service asks."""
        return self._kept("query-vector", texts, lambda some: self._embedder.embed_queries(some), 1)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Only passages not seen before reach the model."""
        return self._kept(
            "passage-vector", texts, lambda some: self._embedder.embed_passages(some), BATCH_TEXTS
        )

    def _kept(
        self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Float32Array], size: int
    ) -> Float32Array:
        keys = [cache_key(kind, self.fingerprint, text) for text in texts]
        known = [self._cache.get(key) for key in keys]
        missing = [row for row, value in enumerate(known) if value is None or len(value) != 4 * self.dim]
        missing.sort(key=lambda row: len(texts[row]))  # batches of one length pad little
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, value in enumerate(known):
            if value is not None and len(value) == 4 * self.dim:
                vectors[row] = np.frombuffer(value, dtype="<f4")
        for first in range(0, len(missing), size):
            rows = missing[first : first + size]
            vectors[rows] = embed([texts[row] for row in rows])
            for row in rows:
                self._cache.put(keys[row], vectors[row].astype("<f4").tobytes())
            self._report(first + len(rows), len(missing))
        return vectors
