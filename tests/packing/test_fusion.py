"""Fusion by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.packing.fusion import (
    best_first,
    clip_similarity,
    convex_fusion,
    pool_candidates,
    share_of_best,
)
from contextsvc.records.packs import Ranking


def ranking(ids: list[int], scores: list[float]) -> Ranking:
    return Ranking(np.array(ids, dtype=np.int64), np.array(scores, dtype=np.float32))


def test_candidates_are_pooled_once_each() -> None:
    found = pool_candidates([ranking([7, 2], [0.9, 0.1]), ranking([2, 5], [3.0, 1.0])])
    assert found.tolist() == [2, 5, 7]
    assert pool_candidates([]).tolist() == []


def test_signals_lie_in_0_to_1() -> None:
    assert share_of_best(np.array([1.0, 4.0])).tolist() == [0.25, 1.0]
    assert share_of_best(np.array([0.0, 0.0])).tolist() == [0.0, 0.0]
    assert share_of_best(np.array([])).tolist() == []
    assert clip_similarity(np.array([-0.2, 0.4, 1.1])).tolist() == [0.0, 0.4, 1.0]


def test_ties_go_to_the_lower_id() -> None:
    rows = best_first(np.array([0.5, 0.9, 0.5]), np.array([8, 3, 1]))
    assert rows.tolist() == [1, 2, 0]


@pytest.mark.parametrize("weights", [[], [1.0], [0.0, 0.0], [-1.0, 2.0]])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ShapeError):
        convex_fusion([np.ones(2), np.ones(2)], weights)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_fused_scores_stay_between_the_signals(signals: list[list[float]], row: int) -> None:
    arrays = [np.array(signal) for signal in signals]
    fused = convex_fusion(arrays, list(range(1, len(arrays) + 1)))
    column = [signal[row] for signal in signals]
    assert min(column) - 1e-6 <= fused[row] <= max(column) + 1e-6
