"""The contract of every VectorIndex."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contextsvc.adapters.search.faiss.build import VectorPlan, open_vector_index, write_vector_index
from contextsvc.errors import ShapeError
from contextsvc.ports import VectorIndex
from contextsvc.records.packs import Ranking
from tests.fakes.vector_index import ExactVectorIndex

Float16Array = NDArray[np.float16]
Build = Callable[[Float16Array], VectorIndex]
NOBODY = np.zeros((0, 2), dtype=np.float32)


def build_faiss(vectors: Float16Array) -> VectorIndex:
    with tempfile.TemporaryDirectory() as folder:
        write_vector_index(Path(folder), vectors, NOBODY, VectorPlan(1_000, "", 1.0))
        return open_vector_index(Path(folder), vectors)


def build_approximate(vectors: Float16Array) -> VectorIndex:
    """An index of one inverted list, which finds everything."""
    with tempfile.TemporaryDirectory() as folder:
        write_vector_index(Path(folder), vectors, NOBODY, VectorPlan(0, "IVF1,SQ8", 1.0))
        return open_vector_index(Path(folder), vectors)


pytestmark = pytest.mark.parametrize("build", [ExactVectorIndex, build_faiss, build_approximate])

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0], [-1, 0]], dtype=np.float16)
EAST = np.array([[1, 0]], dtype=np.float32)


def rows(ranking: Ranking) -> list[tuple[int, float]]:
    return [
        (int(number), round(float(score), 6))
        for number, score in zip(ranking.ids, ranking.scores, strict=True)
    ]


@pytest.mark.parametrize("exact", [False, True])
def test_best_first_with_ties_by_id(build: Build, exact: bool) -> None:
    (found,) = build(VECTORS).search(EAST, k=4, exact=exact)
    # 0.6 as float16
    assert rows(found) == [(0, 1.0), (3, 1.0), (2, 0.600098), (1, 0.0)]
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_k_beyond_the_size_gives_all(build: Build) -> None:
    (found,) = build(VECTORS).search(EAST, k=100)
    assert rows(found) == [(0, 1.0), (3, 1.0), (2, 0.600098), (1, 0.0), (4, -1.0)]


def test_one_ranking_a_query_in_order(build: Build) -> None:
    north, east = build(VECTORS).search(np.array([[0, 1], [1, 0]], dtype=np.float32), k=1)
    assert rows(north) == [(1, 1.0)]
    assert rows(east) == [(0, 1.0)]
    assert build(VECTORS).search(np.empty((0, 2), np.float32), k=1) == []


@pytest.mark.parametrize("exact", [False, True])
def test_only_the_allowed_are_found(build: Build, exact: bool) -> None:
    allowed = np.array([False, True, True, True, False])
    index = build(VECTORS)
    assert rows(index.search(EAST, 2, allowed, exact)[0]) == [(3, 1.0), (2, 0.600098)]
    assert rows(index.search(EAST, 9, allowed, exact)[0]) == [(3, 1.0), (2, 0.600098), (1, 0.0)]
    assert rows(index.search(EAST, 2, np.zeros(5, dtype=np.bool_), exact)[0]) == []


def test_scores_that_round_to_the_same_are_ties(build: Build) -> None:
    vectors = np.array([[0.5, 0], [0.5, 2.0**-14], [0.5, 2.0**-10]], dtype=np.float16)
    # Scores of 0.5, 0.5 + 2^-22 and 0.5 + 2^-18: 2^-22 is 2.4e-7, below half of 1e-6; 2^-18 is 3.8e-6.
    query = np.array([[1, 2.0**-8]], dtype=np.float32)
    assert rows(build(vectors).search(query, 3)[0]) == [(2, 0.500004), (0, 0.5), (1, 0.5)]


def test_an_empty_index_finds_nothing(build: Build) -> None:
    empty = build(np.empty((0, 2), np.float16))
    assert rows(empty.search(EAST, 3)[0]) == []
    assert rows(empty.search(EAST, 3, np.empty(0, dtype=np.bool_))[0]) == []


def test_shapes_that_do_not_fit_are_refused(build: Build) -> None:
    index = build(VECTORS)
    with pytest.raises(ShapeError):
        index.search(np.ones((1, 3), np.float32), 1)
    with pytest.raises(ShapeError):
        index.search(np.ones(2, np.float32), 1)
    with pytest.raises(ShapeError):
        index.search(EAST, 0)
    with pytest.raises(ShapeError):
        index.search(EAST, 1, np.ones(4, dtype=np.bool_))
