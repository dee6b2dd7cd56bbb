"""Whether one way of making packs is as good as another, query by query.

A query *loses* when its quality is more than a margin below the other's. A way is not inferior
when, with 95 % confidence, fewer than a tolerable share of queries lose. Rejected: a test of the
mean, which one lucky query can carry; and "no difference was found", which holds for any two at
n = 1.

Source of the bounds: Clopper and Pearson, Biometrika 1934. https://doi.org/10.1093/biomet/26.4.404
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contextsvc.errors import SettingError, ShapeError

NonInferiorityVerdict = Literal["not inferior", "inferior", "not enough evidence"]

LARGEST_SHARE = 0.05
"""Losing queries that are tolerable: 59 queries without a loss are enough to show fewer."""

CONFIDENCE = 0.95
_MOST_QUERIES = 1_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a configuration holds the quality of the widest one, query by query.

    Attributes:
        num_pairs: Queries that were compared.
        num_losses: Those that lose more than the margin.
        loss_bound: One-sided 95 % upper bound of the share of queries that lose; 1 without pairs,
            0 for the widest itself, which loses nothing against itself.
        largest_share: The share of losing queries that is tolerable.
        verdict: `not inferior`: the bound is below `largest_share`; `inferior`: the one-sided
            95 % lower bound is above it; else `not enough evidence`.
        num_needed: Queries in all, not on top, at which the bound would fall below
            `largest_share` if losses went on at the rate seen; None where a verdict was reached,
            and where no number would do because the rate seen is itself too high.
    """

    num_pairs: int
    num_losses: int
    loss_bound: float
    largest_share: float
    verdict: NonInferiorityVerdict
    num_needed: int | None


def loss_bound(num_losses: int, num_pairs: int) -> float:
    """One-sided 95 % Clopper-Pearson upper bound of the share of queries that lose.

    The share at which so few losses, or fewer, have a probability of 5 %; 1 when all lose, and
    when there are no pairs. Without losses it is 1 - 0.05 ** (1 / num_pairs).

    Raises:
        ShapeError: `num_losses` is not in [0, num_pairs].

    >>> [round(loss_bound(0, n), 4) for n in (1, 59, 149, 299)]
    [0.95, 0.0495, 0.0199, 0.01]
    """
    if not 0 <= num_losses <= num_pairs:
        raise ShapeError(f"found {num_losses} losses in {num_pairs} pairs")
    if num_losses == num_pairs:
        return 1.0
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if _probability_of_at_most(num_losses, num_pairs, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def num_needed(loss_share: float, largest_share: float) -> int | None:
    """The fewest queries at which the bound falls below `largest_share`, losses going on at that rate.

    Losses are whole: a started one counts. None where the rate is not below `largest_share`, or
    so near below that a million queries would not do.

    Raises:
        ShapeError: `loss_share` is not in [0, 1].
        SettingError: `largest_share` is not between 0 and 1.

    >>> [num_needed(0.0, share) for share in (0.05, 0.02, 0.01)]
    [59, 149, 299]
    >>> num_needed(0.02, 0.05), num_needed(0.05, 0.05)
    (181, None)
    """
    _require_share(largest_share)
    if not 0 <= loss_share <= 1:
        raise ShapeError(f"the share of losses is {loss_share}, expected 0 to 1")
    if loss_share >= largest_share:
        return None
    odds = largest_share / (1 - largest_share)
    # P(exactly `losses`) and P(at most `losses`) in n queries that lose with probability
    # largest_share, carried from n to n + 1: a binomial sum at every n would be quadratic.
    losses, exactly, at_most = 0, 1.0, 1.0
    for n in range(1, _MOST_QUERIES + 1):
        at_most -= largest_share * exactly
        exactly *= n / (n - losses) * (1 - largest_share)
        if losses < math.ceil(loss_share * n - _ROUNDING):
            exactly *= (n - losses) / (losses + 1) * odds
            losses += 1
            at_most += exactly
        if at_most < 1 - CONFIDENCE:
            return n
    return None


def non_inferiority(
    quality: Sequence[float],
    widest_quality: Sequence[float],
    margin: float,
    largest_share: float = LARGEST_SHARE,
) -> NonInferiority:
    """Whether a configuration loses more than the margin on fewer than `largest_share` of queries.

    Args:
        quality: One number a query, higher is better.
        widest_quality: The widest configuration's, same queries, same order.
        margin: In the unit of quality; a difference equal to it, to 1e-9, is no loss.
        largest_share: Between 0 and 1.

    Returns:
        Without queries: not enough evidence, with what is needed if none loses.

    Raises:
        ShapeError: the numbers of queries differ.
        SettingError: the margin is negative, or `largest_share` is not between 0 and 1.
    """
    _require_share(largest_share)
    if not 0 <= margin < math.inf:
        raise SettingError(f"the margin is {margin}, expected a number of at least 0")
    if len(quality) != len(widest_quality):
        raise ShapeError(f"{len(quality)} queries cannot be paired with {len(widest_quality)}")
    pairs = zip(quality, widest_quality, strict=True)
    n, losses = len(quality), sum(widest - own > margin + _ROUNDING for own, widest in pairs)
    upper, lower = loss_bound(losses, n), 1 - loss_bound(n - losses, n)
    verdict: NonInferiorityVerdict = "not enough evidence"
    if upper < largest_share:
        verdict = "not inferior"
    elif lower > largest_share:
        verdict = "inferior"
    undecided = verdict == "not enough evidence"
    needed = num_needed(losses / n if n else 0.0, largest_share) if undecided else None
    return NonInferiority(n, losses, upper, largest_share, verdict, needed)


def _require_share(largest_share: float) -> None:
    if not 0 < largest_share < 1:
        raise SettingError(f"largest_share is {largest_share}, expected a number between 0 and 1")


def _probability_of_at_most(num_losses: int, num_pairs: int, share: float) -> float:
    """Of a binomial; 0 < share < 1. Through logarithms, so that no factor overflows."""
    chosen, win, loss = math.lgamma(num_pairs + 1), math.log1p(-share), math.log(share)
    return math.fsum(
        math.exp(
            chosen - math.lgamma(k + 1) - math.lgamma(num_pairs - k + 1) + k * loss + (num_pairs - k) * win
        )
        for k in range(num_losses + 1)
    )
