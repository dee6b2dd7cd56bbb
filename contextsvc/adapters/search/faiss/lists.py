"""Train an approximate index, and reuse a trained index for other vectors.

An approximate index groups the vectors into inverted lists. Training takes most of the time of writing an
index, and one changed document hardly changes what training gives. So the next generation (one published
version of an index) may reuse the trained lists. Kept vectors then keep their codes, and new vectors are
assigned to lists and encoded. The result has the same bytes as adding all vectors to the emptied index.

This module relies on the SWIG interface of FAISS: `downcast_InvertedLists`, `add_entries`, `swig_ptr` and
`contrib.inspect_tools`. `tests/adapters/test_private_interfaces.py` checks it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np
from faiss.contrib.inspect_tools import get_invlist

from contextsvc.adapters.search.faiss.index import is_approximate
from contextsvc.adapters.search.faiss.scan import Float16Array
from contextsvc.errors import SettingError
from contextsvc.records.arrays import Int64Array

_BLOCK_ROWS = 8192
_TRAINING_ROWS_A_LIST = 64
_library: Any = faiss


def factory_for(setting: str, num_vectors: int) -> str:
    """Return the FAISS factory string for a number of vectors n: `{lists}` is replaced by 2 sqrt(n)."""
    return setting.replace("{lists}", str(max(1, round(2 * math.sqrt(num_vectors)))))


def empty(factory: str, dim: int) -> Any:
    """Return an untrained index without vectors, for vectors of length `dim`.

    Raises:
        SettingError: FAISS does not know the factory string, or the string makes an index of another kind.
    """
    try:
        index = _library.index_factory(dim, factory, _library.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} is not a factory string of FAISS: {error}"
        ) from error
    if not is_approximate(index):
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} makes a {type(index).__name__}; expected inverted "
            "lists or a neighbour graph, such as IVF{lists},SQ8 or HNSW32,SQ8"
        )
    return index


def train_index(factory: str, vectors: Float16Array) -> Any:
    """Train an index and add all vectors. The same vectors give the same bytes.

    Args:
        factory: FAISS factory string.
        vectors: The vectors: (n, dim).

    Raises:
        SettingError: the factory string is unknown to FAISS, makes an index of another kind, or does not suit
            the vectors.
    """
    index = empty(factory, vectors.shape[1])
    num_rows = len(vectors)
    if isinstance(index, _library.IndexIVF):
        index.cp.min_points_per_centroid = 1  # with a larger minimum FAISS may print a warning
        index.cp.max_points_per_centroid = _TRAINING_ROWS_A_LIST
        num_rows = max(1, min(num_rows, _TRAINING_ROWS_A_LIST * index.nlist))
    # The training rows are evenly spaced, because the first rows of a corpus belong to few documents.
    chosen = np.linspace(0, len(vectors) - 1, num_rows).round().astype(np.int64)
    try:
        with _one_thread():
            index.train(np.ascontiguousarray(vectors[chosen], dtype=np.float32))
            for start in range(0, len(vectors), _BLOCK_ROWS):
                index.add(np.ascontiguousarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float32))
    except RuntimeError as error:
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} does not fit {len(vectors)} chunks: {error}"
        ) from error
    return index


def can_replace_vectors(index: Any) -> bool:
    """Return whether an index has plain inverted lists, whose codes can be moved.

    A neighbour graph has no such lists.
    """
    return isinstance(index, _library.IndexIVF) and isinstance(
        _library.downcast_InvertedLists(index.invlists), _library.ArrayInvertedLists
    )


def replace_vectors(index: Any, vectors: Float16Array, rows: Int64Array) -> None:
    """Replace the vectors of a trained index, in place.

    Args:
        index: Index for which `can_replace_vectors` is True, loaded into memory.
        vectors: Vectors that the index holds afterwards: (n, dim).
        rows: For each of these vectors, its row in the index before the call, or -1 for a new vector: (n,).
            No row occurs twice.
    """
    place = np.full(index.ntotal, -1, dtype=np.int64)
    kept = np.flatnonzero(rows >= 0)
    place[rows[kept]] = kept
    lists = _library.downcast_InvertedLists(index.invlists)
    previous = [get_invlist(lists, number) for number in range(index.nlist)]
    index.reset()
    fresh = np.flatnonzero(rows < 0)
    with _one_thread():
        for start in range(0, len(fresh), _BLOCK_ROWS):
            new = fresh[start : start + _BLOCK_ROWS]
            index.add_with_ids(np.ascontiguousarray(vectors[new], dtype=np.float32), new)
    for number, (ids, codes) in enumerate(previous):
        added_ids, added_codes = get_invlist(lists, number)
        _fill(lists, number, np.concatenate([place[ids], added_ids]), np.concatenate([codes, added_codes]))
    index.ntotal = len(vectors)


def _fill(lists: Any, number: int, ids: Int64Array, codes: Any) -> None:
    # The entries are sorted by row, as if the vectors had been added in order. Rows of -1 are removed.
    order = np.argsort(ids)
    order = order[np.searchsorted(ids[order], 0) :]
    ids, codes = ids[order], np.ascontiguousarray(codes[order])
    lists.resize(number, 0)
    if len(ids):
        lists.add_entries(number, len(ids), _library.swig_ptr(ids), _library.swig_ptr(codes))


@contextmanager
def _one_thread() -> Iterator[None]:
    # With several threads a graph would differ each time, and sums might differ.
    before = _library.omp_get_max_threads()
    _library.omp_set_num_threads(1)
    try:
        yield
    finally:
        _library.omp_set_num_threads(before)
