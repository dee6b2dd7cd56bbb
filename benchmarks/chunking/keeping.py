"""Vectors kept by content: what was embedded once is never embedded again, also not by an interrupted run."""

from collections.abc import Callable, Sequence

import numpy as np

from contextsvc.ports import Cache, Embedder
from contextsvc.records.arrays import Float32Array
from contextsvc.service.caching import CachedEmbedder, cache_key

BATCH_TEXTS = 64
"""Texts that are embedded before their vectors are kept: what an interruption costs at most."""


class KeptPassages(CachedEmbedder):
    """Keeps the vectors of passages, too: the service has no use for it, because an index holds them."""

    def __init__(self, embedder: Embedder, cache: Cache, report: Callable[[int, int], None]) -> None:
        """`report` is told (passages done, passages asked for) after every batch."""
        super().__init__(embedder, cache)
        self._report = report

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Only passages not seen before reach the model."""
        keys = [cache_key("passage-vector", str(self.fingerprint), text) for text in texts]
        vectors, missing = np.zeros((len(texts), self.dim), dtype=np.float32), list[int]()
        for row, key in enumerate(keys):
            known = self._cache.get(key)
            if known is None or len(known) != 4 * self.dim:
                missing.append(row)
            else:
                vectors[row] = np.frombuffer(known, dtype="<f4")
        missing.sort(key=lambda row: len(texts[row]))  # batches of one length pad little
        for first in range(0, len(missing), BATCH_TEXTS):
            rows = missing[first : first + BATCH_TEXTS]
            vectors[rows] = self._embedder.embed_passages([texts[row] for row in rows])
            for row in rows:
                self._cache.put(keys[row], vectors[row].astype("<f4").tobytes())
            self._report(first + len(rows), len(missing))
        return vectors
