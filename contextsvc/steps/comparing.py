"""Which configuration to use: the cheapest that holds the quality of the widest.

Quality is compared query by query on one and the same target (`steps.inferiority`). Each verdict
errs once in twenty by itself, so that among many configurations the cheapest that passes is also
the one that luck favours most: confirm it on queries of its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from contextsvc.comparisons import (
    VERDICTS,
    Comparison,
    Configuration,
    ConfigurationResult,
    NonInferiority,
    Observation,
    UsedThreshold,
)
from contextsvc.errors import ShapeError
from contextsvc.measurements import TargetKind, Threshold, Utilization
from contextsvc.records import Cost, Float64Array
from contextsvc.steps.inferiority import LARGEST_SHARE, non_inferiority
from contextsvc.steps.statistics import mean_interval


def compare(
    index: str,
    generation: str,
    observations: Mapping[Configuration, Sequence[Observation]],
    margin: float,
    largest_share: float = LARGEST_SHARE,
    seed: int = 0,
) -> Comparison:
    """Means with intervals, verdicts against the widest configuration, and a recommendation.

    The widest is the one that sends the most tokens, the first given of equals. Rejected: the
    first given whatever it sends, because "cheaper than the widest" must hold of every other.

    Args:
        observations: One configuration or more; each with the same queries in the same order.
        margin: What a query may lose before it counts as a loss, in the unit of quality.
        largest_share: The share of losing queries that is tolerable, between 0 and 1.
        seed: Of the bootstraps.

    Raises:
        ShapeError: there is nothing to compare, two configurations share a name, queries differ,
            or more than one reader or outcome is among the measurements.
        SettingError: the margin or `largest_share` is out of range.
    """
    _require_pairs(observations)
    found = [o.utilization for row in observations.values() for o in row]
    readers, outcomes = {u.reader for u in found}, {u.outcome for u in found}
    if len(readers) > 1 or len(outcomes) > 1:
        raise ShapeError(
            f"expected one reader and one outcome, found {sorted(readers)} and {sorted(outcomes)}"
        )
    by_tokens = sorted(observations.items(), key=lambda item: -sum(o.num_tokens for o in item[1]))
    widest, widest_row = by_tokens[0]
    wide = [o.quality for o in widest_row]
    results = []
    for configuration, row in by_tokens:
        pairs = non_inferiority([o.quality for o in row], wide, margin, largest_share)
        if configuration is widest:
            pairs = NonInferiority(len(row), 0, 0.0, largest_share, "not inferior", None)
        results.append(_result(configuration, row, pairs, seed))
    recommended, reason = _recommendation(results)
    return Comparison(
        index, generation, readers.pop(), " / ".join(sorted({u.method for u in found})), outcomes.pop(),
        margin, largest_share, _thresholds(found), tuple(results), widest.name, recommended, reason,
    )  # fmt: skip


def _require_pairs(observations: Mapping[Configuration, Sequence[Observation]]) -> None:
    names = [configuration.name for configuration in observations]
    if len(set(names)) != len(names) or not names:
        raise ShapeError(f"expected configurations with a name each, found {names}")
    first = [o.query for o in observations[next(iter(observations))]]
    if not first:
        raise ShapeError(f"a comparison needs at least one query, found none under {names[0]!r}")
    for configuration, row in observations.items():
        queries = [o.query for o in row]
        if queries != first:
            raise ShapeError(
                f"expected the same queries in the same order under every configuration: "
                f"{names[0]!r} has {len(first)}, {configuration.name!r} {len(queries)} or others"
            )


def _result(
    configuration: Configuration, row: Sequence[Observation], pairs: NonInferiority, seed: int
) -> ConfigurationResult:
    found = [o.utilization for o in row]
    scores = [u.score for u in found if u.score is not None]
    score, score_interval = _mean(scores, seed) if scores else (None, None)
    tokens = dict.fromkeys(VERDICTS, 0)
    for verdict in (v for u in found for v in u.verdicts):
        tokens[verdict.verdict] += verdict.num_tokens
    sent = sum(tokens.values())
    num_placebos = sum(len(u.controls.placebo_effects) for u in found)
    return ConfigurationResult(
        configuration,
        len(row),
        len(row) - len(scores),
        score,
        score_interval,
        *_mean([o.num_tokens for o in row], seed),
        *_mean([o.quality for o in row], seed),
        {name: num / sent if sent else 0.0 for name, num in tokens.items()},
        sum(u.controls.num_placebos_live for u in found) / num_placebos if num_placebos else None,
        _share(u.controls.depends_on_context for u in found),
        _share(u.controls.sufficient for u in found),
        sum((u.cost for u in found), Cost()),
        pairs,
    )


def _mean(values: Sequence[float], seed: int) -> tuple[float, tuple[float, float]]:
    numbers: Float64Array = np.array(values, dtype=np.float64)
    return float(numbers.mean()), mean_interval(numbers, seed)


def _share(answers: Iterable[bool | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [answer for answer in answers if answer is not None]
    return sum(known) / len(known) if known else None


def _thresholds(found: Sequence[Utilization]) -> tuple[UsedThreshold, ...]:
    groups: dict[tuple[TargetKind, str, bool], set[Threshold]] = {}
    for u in found:
        key = (u.target_kind, u.threshold.origin, u.threshold.calibrated)
        groups.setdefault(key, set()).add(u.threshold)
    return tuple(
        UsedThreshold(
            kind, min(t.eps for t in used), max(t.eps for t in used),
            len(used), sum(t.num_placebos for t in used), origin, calibrated,
        )
        for (kind, origin, calibrated), used in sorted(groups.items())
    )  # fmt: skip


def _recommendation(results: Sequence[ConfigurationResult]) -> tuple[str | None, str]:
    """A name or None, and why; `results` have the widest first."""
    widest = results[0]
    if len(results) == 1:
        return None, "only one configuration was measured: there is nothing to compare it with"
    cheaper = sorted(
        (r for r in results if r.tokens < widest.tokens), key=lambda r: (r.tokens, r.configuration.name)
    )
    if not cheaper:
        return None, f"no configuration sends fewer tokens than {widest.configuration.name!r}"
    best = next((r for r in cheaper if r.against_widest.verdict == "not inferior"), None)
    if best is None:
        return None, _why_none(cheaper)
    pairs = best.against_widest
    return best.configuration.name, (
        f"{best.configuration.name!r} sends {best.tokens:,.0f} tokens a query, "
        f"{100 * (1 - best.tokens / widest.tokens):.0f} % fewer than {widest.configuration.name!r}, "
        f"and loses quality on {pairs.num_losses} of {pairs.num_pairs} queries: with 95 % confidence "
        f"on at most {_percent(pairs.loss_bound)}, where {_percent(pairs.largest_share)} are tolerable"
    )


def _why_none(cheaper: Sequence[ConfigurationResult]) -> str:
    """`cheaper` has the cheapest first; none of them is shown to be not inferior."""
    undecided = [r for r in cheaper if r.against_widest.verdict == "not enough evidence"]
    if not undecided:
        share = _percent(cheaper[0].against_widest.largest_share)
        return f"every cheaper configuration loses quality, on more than {share} of queries"
    pairs, name = min(
        ((r.against_widest, r.configuration.name) for r in undecided),
        key=lambda pair: (pair[0].num_needed or math.inf, pair[0].num_losses),
    )
    seen = f"losses of {name!r} go on as seen ({pairs.num_losses} of {pairs.num_pairs})"
    if pairs.num_needed is None:
        return (
            f"not enough evidence: {pairs.num_pairs} queries, and more would not help while the {seen}: "
            f"{_percent(pairs.largest_share)} are tolerable"
        )
    return f"not enough evidence: {pairs.num_pairs} queries, {pairs.num_needed} are needed if the {seen}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
