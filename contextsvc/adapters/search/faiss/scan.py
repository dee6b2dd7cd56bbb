"""Compute exact inner products of float16 rows with FAISS's scalar quantiser, without a copy of the rows.

For FAISS half precision is a quantiser whose codes are the rows themselves. So a memory-mapped array is
scanned in place. This needs no copy and no further file, and opening costs nothing. Rejected: numpy, which
converts one number at a time.

This module relies on the SWIG interface of FAISS: `swig_ptr`, `select_InvertedListScanner`, `scan_codes`.
`tests/adapters/test_private_interfaces.py` checks it.
"""

import threading
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from contextsvc.records.arrays import BoolArray, Float32Array, Int64Array

Float16Array = NDArray[np.float16]
# `faiss` is typed as Any: its stubs have the C++ signatures, but its wrapper accepts arrays and keywords.
_library: Any = faiss
_BLOCK_ROWS = 8192


class HalfPrecisionScan:
    """Exact scan over (n, dim) float16 rows, which are C-contiguous and kept by reference. Thread-safe."""

    def __init__(self, rows: Float16Array) -> None:
        self._rows = rows
        self._quantizer = _library.ScalarQuantizer(rows.shape[1], _library.ScalarQuantizer.QT_fp16)
        # FAISS requires row numbers as an argument, although it returns positions (see `_tools`).
        self._numbers = np.arange(len(rows), dtype=np.int64)
        self._all = np.full((len(rows) + 7) // 8, 255, dtype=np.uint8)
        self._of_thread = threading.local()

    def search(
        self, query: Float32Array, k: int, allowed: BoolArray | None = None
    ) -> tuple[Int64Array, Float32Array]:
        """Return (rows, scores) of the k largest inner products in float32, in any order.

        Fewer than k are returned if fewer rows are allowed.

        Args:
            query: Finite query vector: (dim,).
            k: Number of results, at least 1.
            allowed: Whether each row may be returned: (n,). None allows all rows.
        """
        wanted = np.ascontiguousarray(query, dtype=np.float32)
        found = np.full(k, -np.inf, dtype=np.float32)
        ids = np.full(k, -1, dtype=np.int64)
        if len(self._rows) == 0:
            return ids[:0], found[:0]
        bits = self._all if allowed is None else np.packbits(allowed, bitorder="little")
        scanner, selector = self._tools()
        pointer = _library.swig_ptr
        selector.bitmap = pointer(bits)
        scanner.set_query(pointer(wanted))
        scanner.set_list(0, 0.0)
        codes, numbers = pointer(self._rows.view(np.uint8)), pointer(self._numbers)
        scanner.scan_codes(len(self._rows), codes, numbers, pointer(found), pointer(ids), k)
        there = ids >= 0
        return ids[there], found[there]

    def _tools(self) -> tuple[Any, Any]:
        # Each thread has one scanner, because a scanner stores the query, and one selector, whose bits are
        # replaced. New objects for each query would leak memory: the wrapper frees neither a scanner nor a
        # selector that a scanner uses.
        if not hasattr(self._of_thread, "tools"):
            selector = _library.IDSelectorBitmap(self._all)
            # True makes the scanner return pairs of list and position. In list 0 such a pair equals the row
            # number.
            scanner = self._quantizer.select_InvertedListScanner(
                _library.METRIC_INNER_PRODUCT, None, True, selector, False
            )
            self._of_thread.tools = (scanner, selector)
        tools: tuple[Any, Any] = self._of_thread.tools
        return tools


def scan_many(rows: Float16Array, queries: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """Return (rows, scores) of the k largest inner products of each query in float32, in any order.

    A matrix product reads the rows once for all queries. Rejected: FAISS's own search in blocks, which spends
    most of its time on selection.

    Args:
        rows: Rows to scan: (num_rows, dim) float16.
        queries: Finite query vectors: (n, dim).
        k: Number of results per query, 1 to num_rows.

    Returns:
        (rows, scores), both of shape (n, k).
    """
    wanted = np.ascontiguousarray(queries, dtype=np.float32)
    scores = np.full((len(wanted), k), -np.inf, dtype=np.float32)
    ids = np.full((len(wanted), k), -1, dtype=np.int64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        products = wanted @ rows[start : start + _BLOCK_ROWS].astype(np.float32).T
        least = scores.min(axis=1)
        for query, found in enumerate(products):
            better = np.flatnonzero(found > least[query])
            if len(better):
                both = np.concatenate([scores[query], found[better]])
                kept = np.argpartition(both, len(better))[len(better) :]
                scores[query] = both[kept]
                ids[query] = np.concatenate([ids[query], start + better])[kept]
    return ids, scores
