"""Exact inner products of float16 rows by FAISS's scalar quantiser, without a copy.

FAISS treats half precision as a quantiser whose codes are the rows themselves. So a memory-mapped array is
scanned in place: no copy, no further file, no cost to open. Rejected: numpy, which converts one number at a
time.

Relies on the SWIG interface of FAISS: `swig_ptr`, `select_InvertedListScanner`, `scan_codes`.
`tests/adapters/test_private_interfaces.py` checks it.
"""

import threading
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from contextsvc.records.arrays import BoolArray, Float32Array, Int64Array

Float16Array = NDArray[np.float16]
# Typed as Any: the stubs have the C++ signatures, but the wrapper accepts arrays and keywords.
_library: Any = faiss
_BLOCK_ROWS = 8192


class HalfPrecisionScan:
    """Exact scan over (n, dim) float16 rows, C-contiguous and kept by reference. Thread-safe."""

    def __init__(self, rows: Float16Array) -> None:
        self._rows = rows
        self._quantizer = _library.ScalarQuantizer(rows.shape[1], _library.ScalarQuantizer.QT_fp16)
        # FAISS requires row numbers, although it returns positions (see `_tools`).
        self._numbers = np.arange(len(rows), dtype=np.int64)
        self._all = np.full((len(rows) + 7) // 8, 255, dtype=np.uint8)
        self._of_thread = threading.local()

    def search(
        self, query: Float32Array, k: int, allowed: BoolArray | None = None
    ) -> tuple[Int64Array, Float32Array]:
        """(rows, scores) of the k largest inner products in float32, in any order; fewer if fewer are
        allowed.

        Args:
            query: (dim,), finite.
            k: At least 1.
            allowed: (n,) rows to search; None: all.
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
        # One scanner for each thread, because it stores the query, and one selector whose bits are replaced.
        # New ones for each query would leak: the wrapper never frees a scanner, nor a selector that a scanner
        # uses.
        if not hasattr(self._of_thread, "tools"):
            selector = _library.IDSelectorBitmap(self._all)
            # True: it returns pairs of list and position; in list 0 the pair equals the row number.
            scanner = self._quantizer.select_InvertedListScanner(
                _library.METRIC_INNER_PRODUCT, None, True, selector, False
            )
            self._of_thread.tools = (scanner, selector)
        tools: tuple[Any, Any] = self._of_thread.tools
        return tools


def scan_many(rows: Float16Array, queries: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """(rows, scores) of the k largest inner products of each query in float32, in any order; both (n, k).

    A matrix product reads the rows once for all queries. Rejected: FAISS's own search in blocks, which spends
    most of its time on selection.

    Args:
        rows: (num_rows, dim) float16.
        queries: (n, dim), finite.
        k: 1 to num_rows.
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
