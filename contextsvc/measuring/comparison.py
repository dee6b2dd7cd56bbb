"""Configurations of the same index side by side, on the same queries: frozen records."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.measuring.non_inferiority import LARGEST_SHARE, NonInferiority, non_inferiority
from contextsvc.measuring.records import TargetKind, Threshold, Utilization, VerdictName
from contextsvc.measuring.statistics import mean_interval
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import Float64Array

VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
"""Every verdict, from the most to the least use."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """How packs are made.

    Attributes:
        name: What a person calls it; unique in a comparison.
        max_chunks: Most chunks of a pack.
        budget_tokens: Most tokens of a pack.
        ordering: A name of `packing.ordering.ORDERINGS`.
    """

    name: str
    max_chunks: int
    budget_tokens: int
    ordering: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One query under one configuration.

    Attributes:
        quality: Mean log-probability a token, in nats, of a target that is the same text under
            every configuration; likeness of the answer to it, in [0, 1], for readers without
            log-probabilities. Finite; higher is better.
        num_tokens: Tokens of the rendered pack.
    """

    query: str
    quality: float
    num_tokens: int
    utilization: Utilization

    def __post_init__(self) -> None:
        if not math.isfinite(self.quality):
            raise ShapeError(f"the quality of {self.query!r} is {self.quality}, expected a finite number")


@dataclass(frozen=True, slots=True)
class UsedThreshold:
    """The thresholds that verdicts rest on, for one kind of target and one origin.

    Attributes:
        lowest_eps: Smallest used, in units of the outcome; `highest_eps` the largest. They differ
            where the reader is not calibrated and every pack draws its own.
        num_thresholds: Distinct ones.
        num_placebos: Placebos all of them rest on.
        origin: Where the placebos were drawn, in words.
        calibrated: They were drawn in the generation that is measured.
    """

    target_kind: TargetKind
    lowest_eps: float
    highest_eps: float
    num_thresholds: int
    num_placebos: int
    origin: str
    calibrated: bool


@dataclass(frozen=True, slots=True)
class ConfigurationResult:
    """One configuration over all queries. Intervals are 95 % bootstraps over queries.

    Attributes:
        num_queries: Queries, at least one.
        num_unscored: Those whose measurement stayed partial: they are missing from `score`.
        score: Mean utilization, in [0, 1]; None, with its interval, where no query has one.
        tokens: Mean tokens of a pack.
        quality: Mean quality, as `Observation` says.
        verdict_shares: Share of all sent tokens by verdict, every name of `VERDICTS` in that
            order; they add up to 1, or are all 0 where nothing was sent.
        placebo_rate: Share of placebos called live; None without placebos.
        share_dependent: Share of queries whose target depends on its context, of those where a
            limit did not come first; None without any.
        share_sufficient: Share, of those with live chunks, where these alone hold the quality;
            None as above.
        cost: Of measuring utilization, all queries together.
        against_widest: Paired by query with the widest configuration.
    """

    configuration: Configuration
    num_queries: int
    num_unscored: int
    score: float | None
    score_interval: tuple[float, float] | None
    tokens: float
    tokens_interval: tuple[float, float]
    quality: float
    quality_interval: tuple[float, float]
    verdict_shares: dict[str, float]
    placebo_rate: float | None
    share_dependent: float | None
    share_sufficient: float | None
    cost: Cost
    against_widest: NonInferiority


@dataclass(frozen=True, slots=True)
class Comparison:
    """Configurations over the same queries, and which of them to use.

    Attributes:
        reader: Fingerprint of the reader: another reader may compare otherwise.
        outcome: What `quality` and effects are.
        margin: What a query may lose before it counts as a loss, in units of the outcome.
        largest_share: The share of losing queries that is tolerable.
        thresholds: By kind of target, then origin.
        results: The widest first, then by mean tokens, most first; ties in the order given.
        widest: Name of the configuration that sends the most tokens: the yardstick.
        recommended: Name of the cheapest one that is not inferior to it; None where there is none.
        reason: Why, in one sentence.
    """

    index: str
    generation: str
    reader: str
    method: str
    outcome: Outcome
    margin: float
    largest_share: float
    thresholds: tuple[UsedThreshold, ...]
    results: tuple[ConfigurationResult, ...]
    widest: str
    recommended: str | None
    reason: str

    def result(self, name: str) -> ConfigurationResult:
        """The result of the configuration of that name.

        Raises:
            ShapeError: there is none.
        """
        for found in self.results:
            if found.configuration.name == name:
                return found
        raise ShapeError(f"no configuration {name!r} was compared")

    @property
    def shown(self) -> ConfigurationResult:
        """The recommended configuration, else the widest: the one to look at first."""
        return self.result(self.widest if self.recommended is None else self.recommended)


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
