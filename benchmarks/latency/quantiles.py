"""Percentiles of times, and how many times as long one side takes, with their intervals."""

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.measuring.statistics import bootstrap
from contextsvc.records.arrays import Float64Array

SEED = 11


def quantile(times: Float64Array, percent: int) -> tuple[float, tuple[float, float]]:
    """A percentile with its bootstrap interval.

    Args:
        times: (n,), n >= 1.
        percent: 0 to 100.
    """
    value = float(np.percentile(times, percent))
    return value, bootstrap(times, lambda samples: np.percentile(samples, percent, axis=1), SEED)


def times_as_long(times: Float64Array, yardstick: Float64Array) -> tuple[float, tuple[float, float]]:
    """The median as a multiple of a yardstick's median, with its bootstrap interval.

    Queries are drawn in pairs: both sides had the same ones, and some are longer than others.

    Args:
        times: (n,), n >= 1, of each query.
        yardstick: (n,), of the same queries in the same order, above 0.

    Raises:
        ShapeError: the numbers of queries differ.
    """
    if len(times) != len(yardstick):
        raise ShapeError(f"pairs expected, found {len(times)} and {len(yardstick)} times")

    def ratio(places: Float64Array) -> Float64Array:
        drawn = places.astype(np.int64)
        found: Float64Array = np.median(times[drawn], axis=-1) / np.median(yardstick[drawn], axis=-1)
        return found

    places = np.arange(len(times), dtype=np.float64)
    return float(ratio(places)), bootstrap(places, ratio, SEED)
