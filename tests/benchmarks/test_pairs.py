"""Two ways on the same questions."""

import numpy as np
import pytest

from benchmarks.pairs import difference, quantile, ratio_interval, times_as_long
from benchmarks.rows import Sheet
from contextsvc.errors import ShapeError


def test_few_pairs_are_tried_with_every_sign() -> None:
    # Of the eight ways to sign 1, 1, 1 two are as far from 0 as 3: p = 2/8.
    found = difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], seed=1)
    assert (found.mean, found.interval, found.p) == (1.0, (1.0, 1.0), 0.25)


def test_differences_that_cancel_are_no_evidence() -> None:
    assert difference([1.0, 0.0], [0.0, 1.0], seed=1).p == 1.0


def test_many_pairs_in_one_direction_are_strong_evidence_and_drawn_by_seed() -> None:
    better, worse = [float(n % 7) + 1 for n in range(60)], [float(n % 7) for n in range(60)]
    found = difference(better, worse, seed=1)
    assert found.p < 0.001
    assert found == difference(better, worse, seed=1)


def test_one_pair_is_no_evidence() -> None:
    found = difference([2.0], [0.5], seed=1)
    assert (found.mean, found.interval, found.p) == (1.5, (1.5, 1.5), 1.0)


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ShapeError, match="found 2 and 1"):
        difference([1.0, 2.0], [1.0], seed=1)
    with pytest.raises(ShapeError, match="found 0 and 0"):
        difference([], [], seed=1)


def test_a_row_says_the_difference_its_p_and_how_many_times_the_second_the_first_is() -> None:
    sheet = Sheet("b", "d@1", 1, "c", {"k": 5})
    row = sheet.difference("f", [2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    assert (row.benchmark, row.figure, row.settings) == ("b", "f", {"k": 5})
    assert (row.value, row.interval, row.n) == (1.0, (1.0, 1.0), 3)
    # Three times the first pair gives 2, three times the last one 4/3; either comes once in 27 draws.
    assert row.details == {"p": 0.25, "ratio": 1.5, "ratio_interval": (pytest.approx(4 / 3), 2.0)}
    nothing = sheet.difference("f", [1.0], [0.0]).details
    assert (nothing["ratio"], nothing["ratio_interval"]) == (None, None)


def test_pairs_are_drawn_together() -> None:
    # Each pair is 2 to 1, so every draw is; drawn apart, 2 to 10 would be among them.
    assert ratio_interval([2.0, 20.0], [1.0, 10.0], seed=1) == (2.0, 2.0)
    # Every fourth draw has the pair with 0 below twice.
    assert ratio_interval([1.0, 1.0], [1.0, 0.0], seed=1) is None


def test_a_percentile_lies_in_its_interval() -> None:
    value, (low, high) = quantile(np.arange(101.0), 95)
    assert value == 95
    assert 85 < low < 95 < high <= 100


def test_medians_are_compared_query_by_query() -> None:
    ours = np.array([10.0, 1.0, 100.0])
    # twice as long for every query, so whichever are drawn
    assert times_as_long(2 * ours, ours) == (2.0, (2.0, 2.0))
    value, (low, high) = times_as_long(np.array([30.0, 30.0, 30.0]), ours)
    assert value == 3
    assert (low, high) == (0.3, 30.0)
    with pytest.raises(ShapeError, match="3 and 2 times"):
        times_as_long(ours, ours[:2])
