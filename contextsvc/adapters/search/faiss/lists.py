"""An approximate index, learned from its vectors or taken over from a generation that learned before.

Learning where the lists lie takes most of the time of writing an index, and one changed document does not
move them. So the next generation may keep what was learned: vectors that stay keep their codes, those that
are new are assigned and encoded. It comes to the same bytes as adding all vectors to the emptied index.
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
    """The factory string for so many vectors: `{lists}` becomes 2 sqrt(n)."""
    return setting.replace("{lists}", str(max(1, round(2 * math.sqrt(num_vectors)))))


def empty(factory: str, dim: int) -> Any:
    """An index without vectors of length `dim`, not yet trained.

    Raises:
        SettingError: FAISS knows no such factory string, or its index is of another kind.
    """
    try:
        index = _library.index_factory(dim, factory, _library.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise SettingError(f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} is no FAISS index: {error}") from error
    if not is_approximate(index):
        raise SettingError(
            f"CONTEXTSVC_APPROXIMATE_INDEX {factory!r} is a {type(index).__name__}; expected inverted lists "
            "or a graph of neighbours, such as IVF{lists},SQ8 or HNSW32,SQ8"
        )
    return index


def learned(factory: str, vectors: Float16Array) -> Any:
    """An index of all vectors, trained on them; the same vectors make the same bytes.

    Raises:
        SettingError: as `empty`, or the index does not fit so many vectors.
    """
    index = empty(factory, vectors.shape[1])
    num_rows = len(vectors)
    if isinstance(index, _library.IndexIVF):
        index.cp.min_points_per_centroid = 1  # a warning on standard error otherwise
        index.cp.max_points_per_centroid = _TRAINING_ROWS_A_LIST
        num_rows = max(1, min(num_rows, _TRAINING_ROWS_A_LIST * index.nlist))
    # Evenly spaced: a corpus is in order of its documents, so that its first rows are about few things.
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


def can_take_over(index: Any) -> bool:
    """Whether codes can be moved: a graph knows its rows by number and drops none, blocks interleave them."""
    return isinstance(index, _library.IndexIVF) and isinstance(
        _library.downcast_InvertedLists(index.invlists), _library.ArrayInvertedLists
    )


def take_over(index: Any, vectors: Float16Array, rows: Int64Array) -> None:
    """Make an index that was read into memory one of other vectors; what it learned stays.

    Args:
        index: Of a kind that `can_take_over`; changed in place.
        vectors: (n, dim), all of them.
        rows: (n,), for each vector its row in the index, no row twice; -1: it is new.
    """
    place = np.full(index.ntotal, -1, dtype=np.int64)
    kept = np.flatnonzero(rows >= 0)
    place[rows[kept]] = kept
    lists = _library.downcast_InvertedLists(index.invlists)
    former = [get_invlist(lists, number) for number in range(index.nlist)]
    index.reset()
    fresh = np.flatnonzero(rows < 0)
    with _one_thread():
        for start in range(0, len(fresh), _BLOCK_ROWS):
            new = fresh[start : start + _BLOCK_ROWS]
            index.add_with_ids(np.ascontiguousarray(vectors[new], dtype=np.float32), new)
    for number, (ids, codes) in enumerate(former):
        added_ids, added_codes = get_invlist(lists, number)
        _fill(lists, number, np.concatenate([place[ids], added_ids]), np.concatenate([codes, added_codes]))
    index.ntotal = len(vectors)


def _fill(lists: Any, number: int, ids: Int64Array, codes: Any) -> None:
    # In order of rows, which is the order that adding them would give; -1 are gone.
    order = np.argsort(ids)
    order = order[np.searchsorted(ids[order], 0) :]
    ids, codes = ids[order], np.ascontiguousarray(codes[order])
    lists.resize(number, 0)
    if len(ids):
        lists.add_entries(number, len(ids), _library.swig_ptr(ids), _library.swig_ptr(codes))


@contextmanager
def _one_thread() -> Iterator[None]:
    # A graph comes out otherwise each time when several threads build it, sums may when several add.
    before = _library.omp_get_max_threads()
    _library.omp_set_num_threads(1)
    try:
        yield
    finally:
        _library.omp_set_num_threads(before)
