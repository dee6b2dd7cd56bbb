"""Two ways on the same questions: how far apart, how sure, and how likely by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import permutation_test

from benchmarks.rows import Row
from contextsvc.errors import ShapeError
from contextsvc.measuring.statistics import bootstrap, mean_interval
from contextsvc.records.arrays import Float64Array

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
    if len(apart) == 1:  # either sign is as far from 0, and scipy takes no single one
        return Difference(float(apart[0]), mean_interval(apart, seed), 1.0)
    found = permutation_test(
        (apart,), lambda values, axis: values.mean(axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=ROUNDS, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Difference(float(apart.mean()), mean_interval(apart, seed), float(found.pvalue))


def difference_row(
    benchmark: str,
    figure: str,
    first: Sequence[float],
    second: Sequence[float],
    dataset: str,
    settings: dict[str, Any],
    seed: int,
    command: str,
) -> Row:
    """First less second as a row; its details say p and how many times the second the first is.

    The arguments are those of `rows.mean_row`, with a value a question of either way. `ratio` is of the
    means, None where the second is 0; `ratio_interval` is as the function of that name has it.

    Raises:
        ShapeError: there is no pair, or numbers differ.
    """
    apart, whole = difference(first, second, seed), sum(second)
    details = {
        "p": apart.p,
        "ratio": sum(first) / whole if whole else None,
        "ratio_interval": ratio_interval(first, second, seed),
    }
    return Row(
        benchmark, figure, apart.mean, apart.interval, len(first), dataset, settings, seed, command, details
    )


def ratio_interval(first: Sequence[float], second: Sequence[float], seed: int) -> tuple[float, float] | None:
    """95 % bootstrap interval of the ratio of means, first over second; pairs are drawn together.

    None where the second is 0 in a draw: then there are too few questions to say.
    """
    above, below = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)

    def ratios(samples: Float64Array) -> Float64Array:
        drawn = samples.astype(np.int64)
        over, under = above[drawn].sum(axis=1), below[drawn].sum(axis=1)
        found: Float64Array = np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)
        return found

    low, high = bootstrap(np.arange(len(above), dtype=np.float64), ratios, seed)
    return None if np.isnan(low) else (low, high)
