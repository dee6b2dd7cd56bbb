"""Masks, verdicts, scores and thresholds by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.steps.ablation import (
    leave_one_out_masks,
    threshold_from,
    utilization_score,
    verdict_of,
)


def test_masks_of_no_units() -> None:
    assert leave_one_out_masks(0).shape == (2, 0)


def test_a_pack_without_tokens_scores_0() -> None:
    assert utilization_score([], [], 1.0, 0.1) == 0.0


def test_the_threshold_is_what_95_of_100_placebos_stay_under() -> None:
    threshold = threshold_from([i / 100 for i in range(101)], "by hand", seed=0)
    assert threshold.eps == pytest.approx(0.95)
    assert threshold.low <= 0.95 <= threshold.high
    assert threshold.num_placebos == 101


def test_a_threshold_is_never_negative() -> None:
    assert threshold_from([-1.0] * 20, "", seed=0).eps == 0.0


def test_a_threshold_needs_20_placebos() -> None:
    with pytest.raises(ShapeError, match="at least 20 placebos, found 19"):
        threshold_from([0.1] * 19, "", seed=0)


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.integers(1, 99)), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_higher_threshold_never_raises_the_score(
    units: list[tuple[float, int]], one: float, other: float
) -> None:
    effects, tokens = [e for e, _ in units], [n for _, n in units]
    low, high = sorted((one, other))
    assert (
        0
        <= utilization_score(effects, tokens, 0.5, high)
        <= utilization_score(effects, tokens, 0.5, low)
        <= 1
    )


@given(st.integers(0, 12))
def test_each_unit_is_left_out_once(num_units: int) -> None:
    masks = leave_one_out_masks(num_units)
    assert masks.shape == (2 + num_units, num_units)
    np.testing.assert_array_equal(masks[2:].sum(axis=1), [num_units - 1] * num_units)
    np.testing.assert_array_equal(masks[2:].sum(axis=0), [num_units - 1] * num_units)


@given(st.floats(-1, 1), st.floats(0, 1))
def test_a_verdict_is_symmetric(effect: float, eps: float) -> None:
    opposite = {"live": "harmful", "harmful": "live", "dead": "dead"}
    assert verdict_of(-effect, eps) == opposite[verdict_of(effect, eps)]
