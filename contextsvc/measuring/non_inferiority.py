"""Decide query by query whether one configuration is not inferior to another.

A query *loses* if its quality is more than a margin below its quality under the other configuration. A
configuration is not inferior if, with 95 % confidence, less than a tolerable share of queries lose.

Rejected: a test of the mean, because one lucky query can decide the test. Also rejected: a test that
concludes "not inferior" if it finds no difference, because with one query it never finds one.

Source of the bounds: Clopper and Pearson, Biometrika 1934. https://doi.org/10.1093/biomet/26.4.404
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contextsvc.errors import SettingError, ShapeError

NonInferiorityVerdict = Literal["not inferior", "inferior", "not enough evidence"]

LARGEST_SHARE = 0.05
"""Largest tolerable share of losing queries. 59 queries without a loss are enough to show that fewer lose."""

CONFIDENCE = 0.95
_MOST_QUERIES = 1_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """Result of comparing a configuration with the widest one (the one that sends the most tokens).

    Attributes:
        num_pairs: Number of queries that were compared.
        num_losses: Number of queries that lose more than the margin.
        loss_bound: One-sided 95 % upper bound of the share of queries that lose. It is 1 without pairs, and 0
            for the widest configuration itself.
        largest_share: Largest tolerable share of losing queries.
        verdict: `not inferior` if `loss_bound` is below `largest_share`. `inferior` if the one-sided 95 %
            lower bound is above `largest_share`. Otherwise `not enough evidence`.
        num_needed: Total number of queries at which `loss_bound` would fall below `largest_share` if queries
            kept losing at the same rate. None if the verdict is not `not enough evidence`. None also if no
            number is enough, because the rate itself is too high.
    """

    num_pairs: int
    num_losses: int
    loss_bound: float
    largest_share: float
    verdict: NonInferiorityVerdict
    num_needed: int | None


def loss_bound(num_losses: int, num_pairs: int) -> float:
    """Compute the one-sided 95 % Clopper-Pearson upper bound of the share of queries that lose.

    If the true share were equal to the bound, `num_losses` or fewer losses would have a probability of 5 %.
    The bound is 1 if all pairs lose, and if there are no pairs. Without losses it is
    1 - 0.05 ** (1 / num_pairs).

    Args:
        num_losses: Number of queries that lose.
        num_pairs: Number of queries that were compared.

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
    """Compute the smallest number of queries at which the loss bound falls below `largest_share`.

    Args:
        loss_share: Share of these queries that is assumed to lose, in [0, 1]. The number of losses is rounded
            up.
        largest_share: Largest tolerable share of losing queries, between 0 and 1, both exclusive.

    Returns:
        The number of queries. None if `loss_share` is not below `largest_share`, or is so close to it that a
        million queries are not enough.

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
    # `exactly` is P(exactly `losses`) and `at_most` is P(at most `losses`) in n queries that each lose with
    # probability largest_share. Both are updated from n to n + 1: a new sum for every n would be quadratic.
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
    """Compare a configuration with the widest one, and decide whether it is not inferior.

    It is not inferior if, with 95 % confidence, less than `largest_share` of queries lose quality.

    Args:
        quality: Quality of each query under the configuration; higher is better.
        widest_quality: Quality of the same queries, in the same order, under the widest configuration.
        margin: Largest difference that is not a loss, in the unit of quality, at least 0. Differences are
            compared with a tolerance of 1e-9.
        largest_share: Largest tolerable share of losing queries, between 0 and 1, both exclusive.

    Returns:
        The numbers of pairs and losses, the bound, and the verdict. Without queries the verdict is `not
        enough evidence`, and `num_needed` assumes no losses.

    Raises:
        ShapeError: the numbers of queries differ.
        SettingError: the margin is negative or infinite, or `largest_share` is not between 0 and 1.
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
    return NonInferiority(
        num_pairs=n,
        num_losses=losses,
        loss_bound=upper,
        largest_share=largest_share,
        verdict=verdict,
        num_needed=needed,
    )


def _require_share(largest_share: float) -> None:
    if not 0 < largest_share < 1:
        raise SettingError(f"largest_share is {largest_share}, expected a number between 0 and 1")


def _probability_of_at_most(num_losses: int, num_pairs: int, share: float) -> float:
    """Compute the binomial probability of at most `num_losses` losses, for 0 < share < 1.

    It is computed with logarithms, so that no factor overflows.
    """
    chosen, win, loss = math.lgamma(num_pairs + 1), math.log1p(-share), math.log(share)
    return math.fsum(
        math.exp(
            chosen - math.lgamma(k + 1) - math.lgamma(num_pairs - k + 1) + k * loss + (num_pairs - k) * win
        )
        for k in range(num_losses + 1)
    )
