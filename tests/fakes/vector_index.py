"""A vector index by brute force."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import BoolArray, Float32Array
from contextsvc.records.packs import Ranking


class ExactVectorIndex:
    """Search by exact fractions, rounded once: slow, but it shares no arithmetic with the real indexes."""

    def __init__(self, vectors: NDArray[np.float16] | Float32Array) -> None:
        self._dim = vectors.shape[1]
        self._rows = [[Fraction(float(value)) for value in row] for row in vectors]

    def search(
        self,
        queries: Float32Array,
        k: int,
        allowed: BoolArray | None = None,
        exact: bool = True,  # noqa: ARG002 - it always is
    ) -> list[Ranking]:
        """As `VectorIndex.search` says."""
        if queries.ndim != 2 or queries.shape[1] != self._dim or k < 1:
            raise ShapeError(f"queries are {queries.shape}, k is {k}")
        if allowed is not None and allowed.shape != (len(self._rows),):
            raise ShapeError(f"allowed is {allowed.shape}")
        return [
            self._search_one([Fraction(float(value)) for value in query], k, allowed) for query in queries
        ]

    def _search_one(self, query: list[Fraction], k: int, allowed: BoolArray | None) -> Ranking:
        found = []
        for number, row in enumerate(self._rows):
            if allowed is None or allowed[number]:
                product = sum((x * y for x, y in zip(row, query, strict=True)), Fraction())
                found.append((-float(round(product, 6)), number))
        best = sorted(found)[:k]
        ids = np.array([number for _, number in best], dtype=np.int64)
        return Ranking(ids, np.array([-score for score, _ in best], dtype=np.float32) + np.float32(0))
