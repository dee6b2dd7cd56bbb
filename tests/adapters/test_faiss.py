from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.faiss import FaissVectorIndex
from contextsvc.errors import CorruptIndex, ShapeError
from tests.fakes.vector_index import ExactVectorIndex

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float16]]


def unit_rows(num_rows: int, dim: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(num_rows, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def load(vectors: Vectors) -> FaissVectorIndex:
    return FaissVectorIndex.load(FaissVectorIndex.serialize(vectors), vectors)


@given(
    num_distinct=st.integers(1, 30), num_rows=st.integers(1, 250), k=st.integers(1, 20),
    share_allowed=st.sampled_from([None, 0.02, 0.5, 1.0]), seed=st.integers(0, 2**16),
)  # fmt: skip
def test_it_equals_brute_force_however_many_duplicates(
    num_distinct: int, num_rows: int, k: int, share_allowed: float | None, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_rows(num_distinct, 5, seed)[random.integers(0, num_distinct, num_rows)]
    queries = unit_rows(2, 5, seed + 1).astype(np.float32)
    allowed = None if share_allowed is None else random.random(num_rows) < share_allowed
    found = load(vectors).search(queries, k, allowed)
    expected = ExactVectorIndex(vectors).search(queries, k, allowed)
    assert [ranking.ids.tolist() for ranking in found] == [ranking.ids.tolist() for ranking in expected]
    assert [r.scores.tolist() for r in found] == [r.scores.tolist() for r in expected]


def test_ties_across_the_border_of_what_is_fetched_are_by_id() -> None:
    # 400 equal vectors: FAISS fetches max(4 k, k + 32) = 42 of them, any of them.
    vectors = np.repeat(np.array([[0.6, 0.8], [1, 0]], dtype=np.float16), [400, 5], axis=0)
    (found,) = load(vectors).search(np.array([[0, 1]], dtype=np.float32), k=10)
    assert found.ids.tolist() == list(range(10))
    allowed = np.arange(405) % 3 == 2
    (found,) = load(vectors).search(np.array([[0, 1]], dtype=np.float32), k=3, allowed=allowed)
    assert found.ids.tolist() == [2, 5, 8]


def test_it_takes_only_bytes_of_these_vectors(tmp_path: Path) -> None:
    vectors = unit_rows(3, 4, 0)
    data = FaissVectorIndex.serialize(vectors)
    (tmp_path / "vectors.faiss").write_bytes(data)
    FaissVectorIndex.load(tmp_path / "vectors.faiss", vectors)
    euclid = faiss.IndexFlatL2(4)
    euclid.add(vectors.astype(np.float32))
    wrong = [
        b"",
        data[:-1],
        data[: len(data) // 2],
        b"x" * len(data),
        faiss.serialize_index(euclid).tobytes(),
    ]
    for content in wrong:
        with pytest.raises(CorruptIndex, match="'docs'"):
            FaissVectorIndex.load(content, vectors, "docs")
    with pytest.raises(CorruptIndex, match="vector index"):
        FaissVectorIndex.load(data, vectors[:2])
    with pytest.raises(CorruptIndex, match="cannot read"):
        FaissVectorIndex.load(tmp_path / "nowhere", vectors)


def test_a_length_in_the_file_cannot_make_it_allocate() -> None:
    vectors = unit_rows(3, 4, 0)
    data = bytearray(FaissVectorIndex.serialize(vectors))
    # The vectors are the last thing in the file, behind their number (in units of 4 bytes).
    at = len(data) - 3 * 4 * 4 - 8
    assert int.from_bytes(data[at : at + 8], "little") == 12
    data[at : at + 8] = (2**38).to_bytes(8, "little")
    with pytest.raises(CorruptIndex):
        FaissVectorIndex.load(bytes(data), vectors)


def test_the_same_vectors_make_the_same_bytes() -> None:
    assert FaissVectorIndex.serialize(unit_rows(9, 4, 0)) == FaissVectorIndex.serialize(unit_rows(9, 4, 0))


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ShapeError, match="finite"):
        FaissVectorIndex.serialize(np.array([[np.nan, 0]], dtype=np.float16))
    with pytest.raises(ShapeError, match="finite"):
        load(unit_rows(3, 2, 0)).search(np.array([[np.inf, 0]], dtype=np.float32), 1)
    with pytest.raises(ShapeError, match="found shape"):
        FaissVectorIndex.serialize(np.zeros(3, np.float32))


def test_threads_find_what_one_finds() -> None:
    index = load(unit_rows(500, 8, 0))
    queries = unit_rows(64, 8, 1).astype(np.float32)
    alone = [index.search(query[np.newaxis], 5)[0].ids.tolist() for query in queries]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda query: index.search(query[np.newaxis], 5)[0].ids.tolist(), queries)
        assert list(found) == alone
