"""Bootstrap intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import ShapeError
from contextsvc.measuring.statistics import mean_interval


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_interval(np.full(9, 0.5), seed=0) == (0.5, 0.5)


def test_the_interval_of_a_fair_coin() -> None:
    # 100 tosses, half heads: the normal interval is .5 +- 1.96 * .05 = [.402, .598]
    low, high = mean_interval(np.array([0.0, 1.0] * 50), seed=0)
    assert low == pytest.approx(0.402, abs=0.02)
    assert high == pytest.approx(0.598, abs=0.02)


def test_the_seed_decides() -> None:
    values = np.array([0.1, 0.7, 0.9])
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ShapeError):
        mean_interval(np.array([]), seed=0)


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=20))
def test_the_interval_lies_among_the_values(values: list[float]) -> None:
    low, high = mean_interval(np.array(values), seed=0)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
