"""Statistics of figures: comparison of two methods on the same questions, and percentiles of times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test

from contextsvc.errors import ShapeError
from contextsvc.measuring.statistics import bootstrap, mean_interval
from contextsvc.records.arrays import Float64Array, Int64Array

ROUNDS = 9_999

Values = Sequence[float] | Float64Array
"""One value a question: (n,), n >= 1. A share is the mean of zeros and ones."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean over questions of first minus second.

    Attributes:
        interval: 95 % bootstrap interval.
        p: Two-sided p-value of the paired randomisation test, at least 1 / (`ROUNDS` + 1).
    """

    mean: float
    interval: tuple[float, float]
    p: float


def difference(first: Values, second: Values, seed: int) -> Difference:
    """Compare two methods question by question.

    Under the null hypothesis each difference has either sign with equal probability. Signs are drawn `ROUNDS`
    times; if there are fewer combinations, all of them are tried.

    Raises:
        ShapeError: there is no pair, or the numbers of values differ.

    Source: Smucker, Allan, Carterette, CIKM 2007. https://doi.org/10.1145/1321440.1321528
    """
    if len(first) != len(second) or not len(first):
        raise ShapeError(f"pairs expected, found {len(first)} and {len(second)} scores")
    apart: Float64Array = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if len(apart) == 1:  # scipy refuses a single pair; either sign is as far from 0
        return Difference(float(apart[0]), mean_interval(apart, seed), 1.0)
    found = permutation_test(
        (apart,), lambda values, axis: values.mean(axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=ROUNDS, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Difference(float(apart.mean()), mean_interval(apart, seed), float(found.pvalue))


def ratio_interval(
    first: Values, second: Values, seed: int, statistic: Callable[..., Float64Array] = np.sum
) -> tuple[float, float] | None:
    """95 % bootstrap interval of the ratio of a statistic (with sums: of means), first over second.

    Both values of a question are drawn together. None if the second statistic is 0 in a draw.
    """
    above, below = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)

    def ratios(drawn: Int64Array) -> Float64Array:
        over, under = statistic(above[drawn], axis=1), statistic(below[drawn], axis=1)
        found: Float64Array = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
        return found

    low, high = resampled(len(above), ratios, seed)
    return None if np.isnan(low) else (low, high)


def resampled(num: int, statistic: Callable[[Int64Array], Float64Array], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of a statistic of drawn places: (rounds, num) in 0 to num -> (rounds,)."""
    places = np.arange(num, dtype=np.float64)
    return bootstrap(places, lambda samples: statistic(samples.astype(np.int64)), seed)


def quantile(times: Float64Array, percent: int, seed: int = 11) -> tuple[float, tuple[float, float]]:
    """A percentile, 0 to 100, of (n,) times with its 95 % bootstrap interval; n >= 1."""
    value = float(np.percentile(times, percent))
    return value, bootstrap(times, lambda samples: np.percentile(samples, percent, axis=1), seed)


def times_as_long(
    times: Float64Array, yardstick: Float64Array, seed: int = 11
) -> tuple[float, tuple[float, float]]:
    """The median over the median of a yardstick, with its 95 % bootstrap interval.

    Both hold one time a query, above 0, of the same queries in the same order: some are longer than others.

    Raises:
        ShapeError: the numbers of queries differ.
    """
    if len(times) != len(yardstick):
        raise ShapeError(f"pairs expected, found {len(times)} and {len(yardstick)} times")
    ratio = float(np.median(times) / np.median(yardstick))
    interval = ratio_interval(times, yardstick, seed, np.median)
    assert interval is not None
    return ratio, interval
