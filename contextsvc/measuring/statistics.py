"""Compute bootstrap intervals."""

from collections.abc import Callable

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array

ROUNDS = 2_000
"""Number of resamples of a bootstrap."""


def bootstrap(
    values: Float64Array, statistic: Callable[[Float64Array], Float64Array], seed: int
) -> tuple[float, float]:
    """Compute the 95 % percentile interval of a statistic under resampling with replacement.

    Args:
        values: The observed values: (n,), n >= 1.
        statistic: Computes the statistic of each resample: (ROUNDS, n) samples -> (ROUNDS,) values.
        seed: Seed of the resampling. The same seed gives the same interval.

    Returns:
        The lower and the upper end of the interval.

    Raises:
        ShapeError: there are no values.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    if len(values) == 0:
        raise ShapeError("an interval needs at least one value, found none")
    draws = np.random.default_rng(seed).integers(0, len(values), size=(ROUNDS, len(values)))
    low, high = np.percentile(statistic(values[draws]), [2.5, 97.5])
    return float(low), float(high)


def mean_interval(values: Float64Array, seed: int) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of the mean of (n,) values, n >= 1."""
    return bootstrap(values, lambda samples: samples.mean(axis=1), seed)
