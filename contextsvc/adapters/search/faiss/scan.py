"""Exact inner products by FAISS's scalar quantiser, straight from the stored float16 rows.

Half precision is a quantiser to FAISS whose codes are the rows themselves, so a memory-mapped array is
scanned where it lies: nothing is copied, nothing further is stored, opening costs nothing. numpy would
convert one number at a time.
"""

import threading
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from contextsvc.records.arrays import BoolArray, Float32Array, Int64Array

Float16Array = NDArray[np.float16]
# The stubs give the C++ signatures, the wrapper takes arrays and keywords.
_library: Any = faiss
_BLOCK_ROWS = 8192


class HalfPrecisionScan:
    """Scans (n, dim) float16 rows, C-contiguous, kept by reference; any number of threads may ask."""

    def __init__(self, rows: Float16Array) -> None:
        self._rows = rows
        self._quantizer = _library.ScalarQuantizer(rows.shape[1], _library.ScalarQuantizer.QT_fp16)
        # FAISS asks for numbers of the rows, although it gives positions (below).
        self._numbers = np.arange(len(rows), dtype=np.int64)
        self._all = np.full((len(rows) + 7) // 8, 255, dtype=np.uint8)
        self._of_thread = threading.local()

    def search(
        self, query: Float32Array, k: int, allowed: BoolArray | None = None
    ) -> tuple[Int64Array, Float32Array]:
        """Rows with the k largest inner products in float32, and these, in any order; fewer if there are."""
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
        # One scanner a thread, for it holds the query, and one selector whose bits are exchanged: neither
        # a query, because the wrapper frees no scanner, and no selector once a scanner was given it.
        if not hasattr(self._of_thread, "tools"):
            selector = _library.IDSelectorBitmap(self._all)
            # True: it gives pairs of list and position, which in list 0 is the row's number.
            scanner = self._quantizer.select_InvertedListScanner(
                _library.METRIC_INNER_PRODUCT, None, True, selector, False
            )
            self._of_thread.tools = (scanner, selector)
        tools: tuple[Any, Any] = self._of_thread.tools
        return tools


def scan_many(rows: Float16Array, queries: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """For each query the rows with the k largest inner products in float32, and these, in any order.

    Both are (n, k); k is at most the number of rows. Of some dozens of queries a matrix product reads the
    rows once, not once each. Not FAISS's own search of many in blocks: it spends most of its time choosing.
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
