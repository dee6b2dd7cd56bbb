from collections.abc import Callable

import numpy as np
import pytest

from contextsvc.adapters.faiss import FaissVectorIndex
from contextsvc.errors import ShapeError
from contextsvc.ports import VectorIndex
from contextsvc.records import Float32Array, Ranking
from tests.fakes.vector_index import ExactVectorIndex

Build = Callable[[Float32Array], VectorIndex]


def build_faiss(vectors: Float32Array) -> VectorIndex:
    return FaissVectorIndex.load(FaissVectorIndex.serialize(vectors), vectors)


pytestmark = pytest.mark.parametrize("build", [ExactVectorIndex, build_faiss])

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0], [-1, 0]], dtype=np.float32)
EAST = np.array([[1, 0]], dtype=np.float32)


def rows(ranking: Ranking) -> list[tuple[int, float]]:
    return [
        (int(number), round(float(score), 6))
        for number, score in zip(ranking.ids, ranking.scores, strict=True)
    ]


def test_best_first_with_ties_by_id(build: Build) -> None:
    (found,) = build(VECTORS).search(EAST, k=4)
    assert rows(found) == [(0, 1.0), (3, 1.0), (2, 0.6), (1, 0.0)]
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_k_beyond_the_size_gives_all(build: Build) -> None:
    (found,) = build(VECTORS).search(EAST, k=100)
    assert rows(found) == [(0, 1.0), (3, 1.0), (2, 0.6), (1, 0.0), (4, -1.0)]


def test_one_ranking_a_query_in_order(build: Build) -> None:
    north, east = build(VECTORS).search(np.array([[0, 1], [1, 0]], dtype=np.float32), k=1)
    assert rows(north) == [(1, 1.0)]
    assert rows(east) == [(0, 1.0)]
    assert build(VECTORS).search(np.empty((0, 2), np.float32), k=1) == []


def test_only_the_allowed_are_found(build: Build) -> None:
    allowed = np.array([False, True, True, True, False])
    assert rows(build(VECTORS).search(EAST, 2, allowed)[0]) == [(3, 1.0), (2, 0.6)]
    assert rows(build(VECTORS).search(EAST, 9, allowed)[0]) == [(3, 1.0), (2, 0.6), (1, 0.0)]
    assert rows(build(VECTORS).search(EAST, 2, np.zeros(5, dtype=np.bool_))[0]) == []


def test_scores_that_round_to_the_same_are_ties(build: Build) -> None:
    close = np.array([[0.5, 0], [0.5 + 2.0**-22, 0], [0.5 + 2.0**-18, 0]], dtype=np.float32)
    # 2^-22 is 2.4e-7, below half of 1e-6; 2^-18 is 3.8e-6.
    assert rows(build(close).search(EAST, 3)[0]) == [(2, 0.500004), (0, 0.5), (1, 0.5)]


def test_an_empty_index_finds_nothing(build: Build) -> None:
    empty = build(np.empty((0, 2), np.float32))
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
