"""VectorIndex by FAISS, made reproducible: exact, or approximate and scored again.

FAISS finds candidates in float32 or less and returns ties in any order. They are scored again in float64
from the stored float16 vectors and sorted by (-score, id). An exact search fetches more where FAISS's
rounding error could have kept a better one out, so it equals brute force, always. An approximate one may
miss some, but what it returns has its true score, in order.
"""

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from contextsvc.adapters.search.faiss.scan import Float16Array, HalfPrecisionScan, scan_many
from contextsvc.errors import CorruptIndex, ShapeError
from contextsvc.records.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from contextsvc.records.packs import Ranking

DECIMALS = 6
FEW = 20_000
"""So many allowed chunks are scored exactly, whatever the index: that is no slower than lists that have to be
read nearly all for the few that a filter leaves (`benchmarks.search`)."""
SPARE = 32
"""So many more than asked for are fetched at the least, for those that tie."""
MANY = 8
"""So many queries at once are searched exactly by a product of matrices."""
_BLOCK_ROWS = 8192
_TABLE_BYTES = (1 << 31) + 1
"""Most that FAISS computes beside product codes (`precomputed_table_max_bytes`), and counts as read."""
# The limit on allocations is a global of the library; the stubs give the C++ signatures.
_deserialising = threading.Lock()
_library: Any = faiss


class ApproximateSearch:
    """A FAISS index of inverted lists or a graph of neighbours, and how hard it tries.

    Attributes:
        effort: Lists it reads (`nprobe`) or candidates it holds (`efSearch`) for a search without filter.
    """

    def __init__(self, index: Any, effort: int) -> None:
        self.index, self.effort = index, effort

    @property
    def most_effort(self) -> int:
        """Beyond it trying harder finds nothing more."""
        return int(self.index.nlist) if _has_lists(self.index) else int(self.index.ntotal)

    def fetch(self, query: Float32Array, k: int, share: float) -> Int64Array:
        """About the k / share nearest rows, best first; tries harder the smaller the share is."""
        effort = min(self.most_effort, round(self.effort / share))
        kinds = (_library.SearchParametersIVF, "nprobe"), (_library.SearchParametersHNSW, "efSearch")
        parameters, name = kinds[0] if _has_lists(self.index) else kinds[1]
        row = np.ascontiguousarray(query[np.newaxis], dtype=np.float32)
        _, ids = self.index.search(row, math.ceil(k / share), params=parameters(**{name: effort}))
        found: Int64Array = ids[0][ids[0] >= 0]
        return found


class FaissVectorIndex:
    """Nearest chunks by inner product; ids are row numbers of the stored vectors.

    Args:
        vectors: (n, dim) float16, C-contiguous, finite; kept by reference, so that they may be mapped.
        longest: Upper bound of their lengths.
        approximate: What finds candidates where more than `few` chunks are allowed; None: always exact.
    """

    def __init__(
        self,
        vectors: Float16Array,
        longest: float,
        approximate: ApproximateSearch | None = None,
        few: int = FEW,
    ) -> None:
        self._vectors, self._longest = vectors, longest
        self._approximate, self._few = approximate, few
        self._size, self._dim = vectors.shape
        self._scan = HalfPrecisionScan(vectors)

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """As `VectorIndex.search` says; queries must be finite."""
        if queries.ndim != 2 or queries.shape[1] != self._dim:
            raise ShapeError(f"queries are {queries.shape}, expected (n, {self._dim})")
        if k < 1:
            raise ShapeError(f"k is {k}, expected at least 1")
        if allowed is not None and allowed.shape != (self._size,):
            raise ShapeError(f"allowed is {allowed.shape}, expected ({self._size},)")
        if not np.isfinite(queries).all():
            raise ShapeError("a query holds a value that is not finite")
        if len(queries) >= MANY and allowed is None and (exact or self._approximate is None):
            return self._exactly_many(queries, k)
        eligible = None if allowed is None else np.flatnonzero(allowed)
        return [self._search_one(query, k, allowed, eligible, exact) for query in queries]

    def search_at_depths(self, queries: Float32Array, depths: Sequence[int]) -> list[list[Ranking]]:
        """For each k of `depths` what the approximate search finds, from one look at its lists a query.

        In as many threads as FAISS may use: for measuring, when nobody else waits.

        Raises:
            ShapeError: the index has no approximate search.
        """
        search = self._approximate
        if search is None:
            raise ShapeError("an exact index was asked what its approximate search finds")
        with ThreadPoolExecutor(_library.omp_get_max_threads()) as pool:
            found = list(pool.map(lambda query: self._at_depths(search, query, depths), queries))
        return [[rankings[place] for rankings in found] for place in range(len(depths))]

    def _search_one(
        self, query: Float32Array, k: int, allowed: BoolArray | None, eligible: Int64Array | None, exact: bool
    ) -> Ranking:
        num_eligible = self._size if eligible is None else len(eligible)
        if self._approximate is not None and not exact and num_eligible > self._few:
            ids = self._approximately(self._approximate, query, k, allowed, num_eligible / self._size)
            if len(ids) >= min(k + SPARE, num_eligible):
                return self._ranked(query, ids, k)[0]
        return self._exactly(query, k, allowed, eligible)

    def _at_depths(
        self, search: ApproximateSearch, query: Float32Array, depths: Sequence[int]
    ) -> list[Ranking]:
        ids = search.fetch(query, _num_fetched(max(depths)), 1.0)
        return [
            self._ranked(query, ids[: _num_fetched(k)], k)[0]
            if len(ids) >= min(k + SPARE, self._size)
            else self._exactly(query, k, None, None)
            for k in depths
        ]

    def _approximately(
        self, search: ApproximateSearch, query: Float32Array, k: int, allowed: BoolArray | None, share: float
    ) -> Int64Array:
        # The allowed ones among the nearest of all, and half as many more for chance. Not FAISS's own
        # selection while it searches: where a filter allows what is far from the query, that returns
        # enough, but not the best. Here too few are left then, and the caller searches exactly.
        num_fetched = _num_fetched(k)
        if allowed is None:
            return search.fetch(query, num_fetched, 1.0)
        ids = search.fetch(query, num_fetched, share / 1.5)
        found: Int64Array = ids[allowed[ids]][:num_fetched]
        return found

    def _exactly(
        self, query: Float32Array, k: int, allowed: BoolArray | None, eligible: Int64Array | None
    ) -> Ranking:
        num_eligible = self._size if eligible is None else len(eligible)
        # Few, because it is then known whether they suffice; an approximate search has no such test.
        num_fetched = k + SPARE
        while num_fetched < num_eligible:
            ids, scores = self._scan.search(query, num_fetched, allowed)
            ranking, last = self._ranked(query, ids, k)
            if last > self._most_missed(query, scores):
                return ranking
            num_fetched *= 4
        return self._ranked(query, np.arange(self._size) if eligible is None else eligible, k)[0]

    def _exactly_many(self, queries: Float32Array, k: int) -> list[Ranking]:
        num_fetched = k + SPARE
        if num_fetched >= self._size:
            return [self._exactly(query, k, None, None) for query in queries]
        found = []
        for query, ids, scores in zip(queries, *scan_many(self._vectors, queries, num_fetched), strict=True):
            ranking, last = self._ranked(query, ids, k)
            if last <= self._most_missed(query, scores):
                ranking = self._exactly(query, k, None, None)
            found.append(ranking)
        return found

    def _most_missed(self, query: Float32Array, scores: Float32Array) -> float:
        """What those can score that were not fetched, where these were, and tie by rounding."""
        # |fl(x.y) - x.y| <= g |x| |y| with g = dim u / (1 - dim u), u = 2^-24, whatever the order of sums.
        # Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1. Twice, for safety.
        error: float = self._dim * 2.0**-23 * self._longest * float(np.linalg.norm(query.astype(np.float64)))
        # What was not fetched scores at most the least + error; half a rounding step more can tie.
        return float(scores.min()) + error + 10.0**-DECIMALS

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


def _num_fetched(k: int) -> int:
    return max(4 * k, k + SPARE)


def read_approximate(
    path: Path, shape: tuple[int, int], effort: int, name: str, mapped: bool = True
) -> ApproximateSearch:
    """The index in a file whose SHA-256 was verified, memory-mapped: opening reads little of it.

    FAISS reads damaged files without complaint, so nothing unverified may come here.

    Args:
        path: What `faiss_building` wrote.
        shape: Number and length of the vectors it must hold.
        effort: As `ApproximateSearch`.
        name: The index's name, for the error.
        mapped: False reads it into memory, where it may be changed.

    Raises:
        CorruptIndex: FAISS cannot read it, or it is no index of lists or neighbours of such vectors.
    """
    try:
        with _deserialising:
            _library.set_deserialization_vector_byte_limit(path.stat().st_size + _TABLE_BYTES)
            flags = _library.IO_FLAG_MMAP_IFC | _library.IO_FLAG_READ_ONLY if mapped else 0
            index = _library.read_index(str(path), flags)
    except (OSError, RuntimeError) as error:
        raise CorruptIndex(name, [f"FAISS cannot read the vector index: {error}"]) from error
    found = (type(index).__name__, index.metric_type, index.ntotal, index.d)
    if not is_approximate(index) or found[1:] != (faiss.METRIC_INNER_PRODUCT, *shape):
        raise CorruptIndex(name, [f"the vector index is {found}, expected lists or neighbours of {shape}"])
    return ApproximateSearch(index, effort)


def is_approximate(index: Any) -> bool:
    """A kind of FAISS index whose effort can be chosen: inverted lists, or a graph of neighbours."""
    return _has_lists(index) or isinstance(index, _library.IndexHNSW)


def _has_lists(index: Any) -> bool:
    return isinstance(index, _library.IndexIVF)
