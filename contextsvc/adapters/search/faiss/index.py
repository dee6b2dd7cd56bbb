"""Implement `ports.VectorIndex` with FAISS, exact or approximate, with reproducible results.

FAISS finds candidates with float32 precision or less and returns ties in any order. The candidates are then
scored again in float64 from the stored float16 vectors, and sorted by (-score, id). If FAISS's rounding error
could have excluded a better candidate, an exact search fetches more candidates. So its results always equal
brute force. An approximate search may miss chunks, but the scores and the order of its results are exact.
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
MAX_EXACT = 20_000
"""If a filter allows at most this many chunks, they are searched exactly, even in an approximate index.

For so few chunks this is not slower than reading nearly all lists (`benchmarks.search`).
"""
EXTRA_CANDIDATES = 32
"""Minimum number of candidates that are fetched in addition to k, because of ties."""
BATCH_QUERIES = 8
"""Number of queries per call from which an exact search uses a matrix product."""
_BLOCK_ROWS = 8192
_TABLE_BYTES = (1 << 31) + 1
"""FAISS's limit for tables that it precomputes (`precomputed_table_max_bytes`). They count as bytes read."""
# The lock is needed because FAISS has one global limit on allocations. `faiss` is typed as Any, because its
# stubs have the C++ signatures.
_deserialising = threading.Lock()
_library: Any = faiss


class ApproximateSearch:
    """A FAISS index with inverted lists or with a neighbour graph, and its search effort.

    Attributes:
        index: The FAISS index.
        effort: Search effort without a filter: `nprobe` of inverted lists, or `efSearch` of a graph.
    """

    def __init__(self, index: Any, effort: int) -> None:
        self.index, self.effort = index, effort

    @property
    def max_effort(self) -> int:
        """Largest useful search effort. A larger effort finds nothing more."""
        return int(self.index.nlist) if _has_lists(self.index) else int(self.index.ntotal)

    def fetch(self, query: Float32Array, k: int, share: float) -> Int64Array:
        """Return about the k / share nearest rows, best first.

        Args:
            query: Query vector: (dim,).
            k: Number of wanted rows among the allowed rows.
            share: Share of the rows that are allowed, 0 to 1. The search effort is divided by this share.
        """
        effort = min(self.max_effort, round(self.effort / share))
        kinds = (_library.SearchParametersIVF, "nprobe"), (_library.SearchParametersHNSW, "efSearch")
        parameters, name = kinds[0] if _has_lists(self.index) else kinds[1]
        row = np.ascontiguousarray(query[np.newaxis], dtype=np.float32)
        _, ids = self.index.search(row, math.ceil(k / share), params=parameters(**{name: effort}))
        found: Int64Array = ids[0][ids[0] >= 0]
        return found


class FaissVectorIndex:
    """A `ports.VectorIndex` by inner product. The id of a chunk is the row number of its stored vector.

    Args:
        vectors: (n, dim) float16, C-contiguous, finite. The array is kept by reference, so it may be
            memory-mapped.
        max_norm: Upper bound of the vectors' Euclidean norms.
        approximate: Approximate search that finds candidates if more than `max_exact` chunks are allowed.
            None means that every search is exact.
        max_exact: Largest number of allowed chunks that are searched exactly.
    """

    def __init__(
        self,
        vectors: Float16Array,
        max_norm: float,
        approximate: ApproximateSearch | None = None,
        max_exact: int = MAX_EXACT,
    ) -> None:
        self._vectors, self._max_norm = vectors, max_norm
        self._approximate, self._max_exact = approximate, max_exact
        self._size, self._dim = vectors.shape
        self._scan = HalfPrecisionScan(vectors)

    def search(
        self, queries: Float32Array, k: int, allowed: BoolArray | None = None, exact: bool = False
    ) -> list[Ranking]:
        """Return the nearest chunks of each query; see `ports.VectorIndex.search`.

        Raises:
            ShapeError: as in the port, or a query is not finite.
        """
        if queries.ndim != 2 or queries.shape[1] != self._dim:
            raise ShapeError(f"queries have shape {queries.shape}, expected (n, {self._dim})")
        if k < 1:
            raise ShapeError(f"k is {k}, expected at least 1")
        if allowed is not None and allowed.shape != (self._size,):
            raise ShapeError(f"allowed has shape {allowed.shape}, expected ({self._size},)")
        if not np.isfinite(queries).all():
            raise ShapeError("a query holds NaN or infinity; expected finite values")
        if len(queries) >= BATCH_QUERIES and allowed is None and (exact or self._approximate is None):
            return self._search_exact_batch(queries, k)
        eligible = None if allowed is None else np.flatnonzero(allowed)
        return [self._search_one(query, k, allowed, eligible, exact) for query in queries]

    def search_at_depths(self, queries: Float32Array, depths: Sequence[int]) -> list[list[Ranking]]:
        """Return the results of the approximate search for several numbers of results k.

        FAISS searches once per query. The method uses as many threads as FAISS may use, so it is meant for
        measurements during a build.

        Args:
            queries: Query vectors: (n, dim).
            depths: Values of k.

        Returns:
            Results as [depth][query], in the order of `depths` and `queries`.

        Raises:
            ShapeError: the index has no approximate search.
        """
        search = self._approximate
        if search is None:
            raise ShapeError("the index is exact; expected one with an approximate search")
        with ThreadPoolExecutor(_library.omp_get_max_threads()) as pool:
            found = list(pool.map(lambda query: self._at_depths(search, query, depths), queries))
        return [[rankings[place] for rankings in found] for place in range(len(depths))]

    def _search_one(
        self, query: Float32Array, k: int, allowed: BoolArray | None, eligible: Int64Array | None, exact: bool
    ) -> Ranking:
        num_eligible = self._size if eligible is None else len(eligible)
        if self._approximate is not None and not exact and num_eligible > self._max_exact:
            ids = self._fetch_allowed(self._approximate, query, k, allowed, num_eligible / self._size)
            if len(ids) >= min(k + EXTRA_CANDIDATES, num_eligible):
                return self._rank(query, ids, k)[0]
        return self._search_exact(query, k, allowed, eligible)

    def _at_depths(
        self, search: ApproximateSearch, query: Float32Array, depths: Sequence[int]
    ) -> list[Ranking]:
        ids = search.fetch(query, _num_fetched(max(depths)), 1.0)
        return [
            self._rank(query, ids[: _num_fetched(k)], k)[0]
            if len(ids) >= min(k + EXTRA_CANDIDATES, self._size)
            else self._search_exact(query, k, None, None)
            for k in depths
        ]

    def _fetch_allowed(
        self, search: ApproximateSearch, query: Float32Array, k: int, allowed: BoolArray | None, share: float
    ) -> Int64Array:
        # Fetch the nearest of all chunks, half more than expected, and drop the chunks that are not allowed.
        # Rejected: the selector of FAISS. If the allowed chunks are far from the query, the selector gives
        # enough chunks but not the best. Here too few remain in that case, and the caller searches exactly.
        num_fetched = _num_fetched(k)
        if allowed is None:
            return search.fetch(query, num_fetched, 1.0)
        ids = search.fetch(query, num_fetched, share / 1.5)
        found: Int64Array = ids[allowed[ids]][:num_fetched]
        return found

    def _search_exact(
        self, query: Float32Array, k: int, allowed: BoolArray | None, eligible: Int64Array | None
    ) -> Ranking:
        num_eligible = self._size if eligible is None else len(eligible)
        # A few candidates are enough, because the error bound below tells whether more are needed. An
        # approximate search has no such bound.
        num_fetched = k + EXTRA_CANDIDATES
        while num_fetched < num_eligible:
            ids, scores = self._scan.search(query, num_fetched, allowed)
            ranking, last = self._rank(query, ids, k)
            if last > self._missed_bound(query, scores):
                return ranking
            num_fetched *= 4
        return self._rank(query, np.arange(self._size) if eligible is None else eligible, k)[0]

    def _search_exact_batch(self, queries: Float32Array, k: int) -> list[Ranking]:
        num_fetched = k + EXTRA_CANDIDATES
        if num_fetched >= self._size:
            return [self._search_exact(query, k, None, None) for query in queries]
        found = []
        for query, ids, scores in zip(queries, *scan_many(self._vectors, queries, num_fetched), strict=True):
            ranking, last = self._rank(query, ids, k)
            if last <= self._missed_bound(query, scores):
                ranking = self._search_exact(query, k, None, None)
            found.append(ranking)
        return found

    def _missed_bound(self, query: Float32Array, scores: Float32Array) -> float:
        """Return the highest score that a chunk outside the fetched ones can have.

        The bound includes the rounding of a score, which can turn a lower score into a tie.
        """
        # |fl(x.y) - x.y| <= g |x| |y| with g = dim u / (1 - dim u), u = 2^-24, for every order of sums.
        # Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1. Doubled for safety.
        error: float = self._dim * 2.0**-23 * self._max_norm * float(np.linalg.norm(query.astype(np.float64)))
        # A chunk that was not fetched scores at most the lowest fetched score + error. Rounding can move this
        # score and another one by half a step each, so one step is added.
        return float(scores.min()) + error + 10.0**-DECIMALS

    def _rank(self, query: Float32Array, ids: Int64Array, k: int) -> tuple[Ranking, float]:
        """Return the k best of the ids as a ranking, and the score of the last of these k."""
        scores = self._scores(query, ids)
        best = np.lexsort((ids, -scores))[:k]
        last = float(scores[best[-1]]) if len(best) else -np.inf
        return Ranking(ids[best].astype(np.int64), scores[best].astype(np.float32)), last

    def _scores(self, query: Float32Array, ids: Int64Array) -> Float64Array:
        wanted = query.astype(np.float64)
        scores = np.empty(len(ids))
        for start in range(0, len(ids), _BLOCK_ROWS):
            rows = self._vectors[ids[start : start + _BLOCK_ROWS]].astype(np.float64)
            # A matrix product is not used: the order of its sums depends on the number of rows, so equal rows
            # could get different scores.
            scores[start : start + _BLOCK_ROWS] = (rows * wanted).sum(axis=1)
        # Adding 0.0 turns -0.0 into 0.0.
        rounded: Float64Array = np.round(scores, DECIMALS) + 0.0
        return rounded


def _num_fetched(k: int) -> int:
    return max(4 * k, k + EXTRA_CANDIDATES)


def read_approximate(
    path: Path, shape: tuple[int, int], effort: int, name: str, mapped: bool = True
) -> ApproximateSearch:
    """Read an approximate index from a file whose SHA-256 was verified.

    FAISS reads damaged files without an error, so the caller must verify the file first.

    Args:
        path: File that `build.write_vector_index` wrote.
        shape: Expected (number, dimension) of the vectors.
        effort: Search effort; see `ApproximateSearch`.
        name: Name of the index, used in the error.
        mapped: True maps the file into memory, and little of the file is read. False loads a copy that may be
            changed.

    Raises:
        CorruptIndex: FAISS cannot read the file, or the file holds no approximate index of such vectors.
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
        raise CorruptIndex(
            name,
            [f"the vector index is {found}, expected inverted lists or a graph of vectors of shape {shape}"],
        )
    return ApproximateSearch(index, effort)


def is_approximate(index: Any) -> bool:
    """Return whether a FAISS index has inverted lists or a neighbour graph.

    Only such an index has a search effort that can be set.
    """
    return _has_lists(index) or isinstance(index, _library.IndexHNSW)


def _has_lists(index: Any) -> bool:
    return isinstance(index, _library.IndexIVF)
