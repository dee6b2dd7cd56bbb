"""VectorIndex by FAISS: exact inner product, made reproducible.

FAISS finds candidates in float32 and returns ties in any order. The candidates are scored again in
float64 from the stored vectors and sorted by (-score, id); where FAISS's rounding error could have kept
a better one out, more are fetched. So the answer equals brute force, always.
"""

import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.records import BoolArray, Float32Array, Float64Array, Int64Array, Ranking

Vectors = NDArray[np.float16] | Float32Array

DECIMALS = 6
_BLOCK_ROWS = 8192
# The limit on allocations is a global of the library.
_deserialising = threading.Lock()


class FaissVectorIndex:
    """Nearest chunks by inner product over a flat index; ids are row numbers of the stored vectors."""

    def __init__(self, index: Any, vectors: Vectors) -> None:
        self._index = index
        self._vectors = vectors
        self._size, self._dim = vectors.shape
        self._longest = max((_longest(block) for block in _blocks(vectors)), default=0.0)

    @staticmethod
    def serialize(vectors: Vectors) -> bytes:
        """The flat index of (n, dim) vectors as bytes; n = 0 is legal. The caller writes and syncs them:
        FAISS's own writer leaves a partial file on a full disk.

        Raises:
            ShapeError: not two-dimensional, or a value is not finite.
        """
        if vectors.ndim != 2:
            raise ShapeError(f"vectors are (n, dim), found shape {vectors.shape}")
        index = faiss.IndexFlatIP(vectors.shape[1])
        for block in _blocks(vectors):
            if not np.isfinite(block).all():
                raise ShapeError("a vector holds a value that is not finite")
            index.add(np.ascontiguousarray(block, dtype=np.float32))
        data: bytes = faiss.serialize_index(index).tobytes()
        return data

    @classmethod
    def load(cls, data: bytes | Path, vectors: Vectors, name: str = "vectors") -> "FaissVectorIndex":
        """The index of these vectors from bytes or a file whose SHA-256 was verified.

        FAISS reads damaged files without complaint, so nothing unverified may come here.

        Args:
            data: What `serialize` gave.
            vectors: What it was given, (n, dim); scores are computed from them.
            name: The index's name, for the error.

        Raises:
            CorruptIndex: FAISS cannot read it, or it is not the flat index of n vectors of dim.
        """
        try:
            content = data if isinstance(data, bytes) else data.read_bytes()
            with _deserialising:
                faiss.set_deserialization_vector_byte_limit(len(content))
                index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
        except (OSError, RuntimeError) as error:
            raise CorruptIndex(name, [f"FAISS cannot read the vector index: {error}"]) from error
        found = (type(index).__name__, index.metric_type, index.ntotal, index.d)
        if found not in [(kind, faiss.METRIC_INNER_PRODUCT, *vectors.shape) for kind in _FLAT]:
            raise CorruptIndex(name, [f"the vector index is {found}, expected one of {vectors.shape}"])
        return cls(index, vectors)

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Ranking]:
        """As `VectorIndex.search` says; queries must be finite."""
        if queries.ndim != 2 or queries.shape[1] != self._dim:
            raise ShapeError(f"queries are {queries.shape}, expected (n, {self._dim})")
        if k < 1:
            raise ShapeError(f"k is {k}, expected at least 1")
        if allowed is not None and allowed.shape != (self._size,):
            raise ShapeError(f"allowed is {allowed.shape}, expected ({self._size},)")
        if not np.isfinite(queries).all():
            raise ShapeError("a query holds a value that is not finite")
        eligible = None if allowed is None else np.flatnonzero(allowed)
        return [self._search_one(query, k, allowed, eligible) for query in queries]

    def _search_one(
        self, query: Float32Array, k: int, allowed: BoolArray | None, eligible: Int64Array | None
    ) -> Ranking:
        num_eligible = self._size if eligible is None else len(eligible)
        num_fetched = max(4 * k, k + 32)
        # |fl(x.y) - x.y| <= g |x| |y| with g = dim u / (1 - dim u), u = 2^-24, whatever the order of sums.
        # Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1. Twice, for safety.
        error = self._dim * 2.0**-23 * self._longest * float(np.linalg.norm(query.astype(np.float64)))
        while num_fetched < num_eligible:
            ids, floor = self._fetch(query, num_fetched, allowed)
            ranking, last = self._ranked(query, ids, k)
            # What was not fetched scores at most floor + error; half a rounding step more can tie.
            if last > floor + error + 10.0**-DECIMALS:
                return ranking
            num_fetched *= 4
        return self._ranked(query, np.arange(self._size) if eligible is None else eligible, k)[0]

    def _fetch(self, query: Float32Array, k: int, allowed: BoolArray | None) -> tuple[Int64Array, float]:
        """Ids of FAISS's k best and the score of the last of them."""
        row = np.ascontiguousarray(query[np.newaxis], dtype=np.float32)
        # The stubs give the C++ signatures, the wrapper takes arrays and keywords.
        library: Any = faiss
        # Selecting all, too: without a selector one query is cut among threads, which took 32 ms instead of
        # 2 (10,000 vectors) on two busy cores; requests are the parallelism here.
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = library.IDSelectorAll() if bits is None else library.IDSelectorBitmap(bits)
        scores, ids = self._index.search(row, k, params=library.SearchParameters(sel=selector))
        return ids[0][ids[0] >= 0], float(scores[0].min())

    def _ranked(self, query: Float32Array, ids: Int64Array, k: int) -> tuple[Ranking, float]:
        """The k best of the ids, and the last one's score."""
        scores = self._scores(query, ids)
        best = np.lexsort((ids, -scores))[:k]
        last = float(scores[best[-1]]) if len(best) else -np.inf
        return Ranking(ids[best].astype(np.int64), scores[best].astype(np.float32)), last

    def _scores(self, query: Float32Array, ids: Int64Array) -> Float64Array:
        wanted = query.astype(np.float64)
        scores = np.empty(len(ids))
        for start in range(0, len(ids), _BLOCK_ROWS):
            rows = self._vectors[ids[start : start + _BLOCK_ROWS]].astype(np.float64)
            # Not a matrix product: its order of sums depends on the number of rows; equal rows could differ.
            scores[start : start + _BLOCK_ROWS] = (rows * wanted).sum(axis=1)
        # Plus zero, for -0.0 is printed otherwise.
        rounded: Float64Array = np.round(scores, DECIMALS) + 0.0
        return rounded


_FLAT = ("IndexFlatIP", "IndexFlat")


def _blocks(vectors: Vectors) -> list[Vectors]:
    return [vectors[start : start + _BLOCK_ROWS] for start in range(0, len(vectors), _BLOCK_ROWS)]


def _longest(vectors: Vectors) -> float:
    return float(np.linalg.norm(vectors.astype(np.float32), axis=1).max())
