"""Two ways on the same questions: how far apart, how sure, and how likely by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test

from contextsvc.errors import ShapeError
from contextsvc.records import Float64Array
from contextsvc.steps.statistics import mean_interval

ROUNDS = 9_999


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean over questions of first minus second.

    Attributes:
        interval: 95 % bootstrap interval.
        p: Two-sided, of the paired randomisation test; at least 1 / (`ROUNDS` + 1).
    """

    mean: float
    interval: tuple[float, float]
    p: float


def difference(first: Sequence[float], second: Sequence[float], seed: int) -> Difference:
    """Compare two ways question by question.

    Under the null hypothesis either way might have given either score, so that each difference is as
    likely with the other sign: signs are drawn anew `ROUNDS` times, or all are tried where they are fewer.

    Raises:
        ShapeError: there is no pair, or numbers differ.

    Source: Smucker, Allan, Carterette, CIKM 2007. https://doi.org/10.1145/1321440.1321528
    """
    if len(first) != len(second) or not len(first):
        raise ShapeError(f"pairs expected, found {len(first)} and {len(second)} scores")
    apart: Float64Array = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    found = permutation_test(
        (apart,), lambda values, axis: values.mean(axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=ROUNDS, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Difference(float(apart.mean()), mean_interval(apart, seed), float(found.pvalue))
