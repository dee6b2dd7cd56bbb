"""Compare configurations of one index on the same queries, and recommend one.

The records come first, then `compare`, then the private functions in the order in which `compare` calls them.
The *widest* configuration is the one that sends the most tokens.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.measuring.non_inferiority import LARGEST_SHARE, NonInferiority, non_inferiority
from contextsvc.measuring.records import TargetKind, Threshold, Utilization, VerdictName
from contextsvc.measuring.statistics import mean_interval
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.arrays import Float64Array

VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
"""All verdict names, from the most to the least useful; `unmeasured` comes last."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings with which packs are made.

    Attributes:
        name: Name for people, unique in a comparison.
        max_chunks: Largest number of chunks in a pack.
        budget_tokens: Largest number of tokens in a pack.
        ordering: A name of `packing.ordering.ORDERINGS`.
    """

    name: str
    max_chunks: int
    budget_tokens: int
    ordering: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Measurement of one query under one configuration.

    Attributes:
        query: Text of the query.
        quality: Outcome of the target when the reader reads the whole pack: the mean log-probability per
            token, in nats. For readers without log-probabilities it is the likeness of the reader's answer to
            the target, in [0, 1]. Quality is finite, and higher is better. The target is the same text under
            every configuration.
        num_tokens: Tokens of the rendered pack.
        utilization: Measurement of the pack.

    Raises:
        ShapeError: the quality is not finite.
    """

    query: str
    quality: float
    num_tokens: int
    utilization: Utilization

    def __post_init__(self) -> None:
        if not math.isfinite(self.quality):
            raise ShapeError(f"the quality of {self.query!r} is {self.quality}, expected a finite number")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedThreshold:
    """Summary of the thresholds behind the verdicts of a comparison, for one kind of target and one origin.

    Attributes:
        target_kind: Kind of target that the thresholds belong to.
        lowest_eps: Smallest threshold, in the unit of the outcome.
        highest_eps: Largest threshold, in the unit of the outcome. It differs from `lowest_eps` if the reader
            is not calibrated, because then each pack has its own placebos and its own threshold.
        num_thresholds: Number of different thresholds.
        num_placebos: Total number of placebos behind these thresholds.
        origin: Where the placebos were drawn, in words.
        calibrated: Whether the placebos were drawn in the generation that is measured.
    """

    target_kind: TargetKind
    lowest_eps: float
    highest_eps: float
    num_thresholds: int
    num_placebos: int
    origin: str
    calibrated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationResult:
    """Result of one configuration over all queries. Intervals are 95 % bootstrap intervals over queries.

    Attributes:
        configuration: The configuration that was measured.
        num_queries: Number of queries, at least one.
        num_unscored: Number of queries whose measurement has no score, because a limit was reached. They do
            not count in `score`.
        score: Mean utilization, in [0, 1]. None if no query has a score.
        score_interval: Interval of `score`. None if `score` is None.
        tokens: Mean number of tokens per pack.
        tokens_interval: Interval of `tokens`.
        quality: Mean quality of the observations.
        quality_interval: Interval of `quality`.
        verdict_shares: Share of all sent tokens that have each verdict, in the order of `VERDICTS`. The
            shares add up to 1, or are all 0 if no token was sent.
        placebo_rate: Share of placebos whose verdict is live. None without placebos.
        share_dependent: Share of queries whose target depends on its context. A query does not count if a
            limit was reached before this was known. None if no query counts.
        share_sufficient: Share of queries for which the used chunks alone keep the quality
            (`Controls.sufficient`). A query does not count if this is not known or if it has no used chunks.
            None if no query counts.
        cost: Total cost of all measurements.
        against_widest: Comparison with the widest configuration, paired by query.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Results of all configurations on the same queries, and the recommendation.

    Attributes:
        index: Name of the index.
        generation: Id of the generation that was measured.
        reader: Fingerprint of the reader. With another reader the results may differ.
        method: How effects are computed, in words. If measurements have several methods, slashes separate
            them.
        outcome: Kind of score that quality and effects are measured in.
        margin: Quality that a query may lose before it counts as a loss, in the unit of the outcome.
        largest_share: Largest tolerable share of losing queries.
        thresholds: Thresholds that were used, sorted by kind of target, then by origin.
        results: Result of each configuration, sorted by mean tokens, most first. Ties keep the given order.
        widest: Name of the configuration that sends the most tokens. All others are compared with it.
        recommended: Name of the configuration that sends the fewest tokens among those that send fewer than
            the widest and are not inferior to it. None if there is none.
        reason: Why this configuration is recommended, or why none is, in one sentence.
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
        """Return the result of the configuration with this name.

        Raises:
            ShapeError: no configuration has that name.
        """
        for result in self.results:
            if result.configuration.name == name:
                return result
        raise ShapeError(f"no configuration {name!r} was compared")

    @property
    def shown(self) -> ConfigurationResult:
        """Result to show first: that of the recommended configuration, else that of the widest."""
        return self.result(self.widest if self.recommended is None else self.recommended)


def compare(
    index: str,
    generation: str,
    observations: Mapping[Configuration, Sequence[Observation]],
    margin: float,
    largest_share: float = LARGEST_SHARE,
    seed: int = 0,
) -> Comparison:
    """Compare each configuration with the widest one, and recommend the cheapest that is not inferior.

    The widest is the configuration that sends the most tokens. If several send equally many, the first given
    one is taken. Rejected: taking always the first given configuration as the reference. A recommended
    configuration must be cheaper than its reference, so the reference has to be the widest.

    Args:
        index: Name of the index.
        generation: Id of the generation that was measured.
        observations: Observations of each configuration. There is at least one configuration, and each has
            the same queries in the same order.
        margin: Quality that a query may lose before it counts as a loss, in the unit of quality.
        largest_share: Largest tolerable share of losing queries, between 0 and 1, both exclusive.
        seed: Seed of the bootstraps.

    Raises:
        ShapeError: there is no configuration or no query, two configurations share a name, queries differ,
            or measurements have different readers or outcomes.
        SettingError: `margin` or `largest_share` is out of range.
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
    widest_quality = [o.quality for o in widest_row]
    results = []
    for configuration, row in by_tokens:
        against_widest = non_inferiority([o.quality for o in row], widest_quality, margin, largest_share)
        if configuration is widest:  # Equal to itself, so no evidence is needed.
            against_widest = replace(against_widest, loss_bound=0.0, verdict="not inferior", num_needed=None)
        results.append(_result(configuration, row, against_widest, seed))
    recommended, reason = _recommendation(results)
    return Comparison(
        index=index,
        generation=generation,
        reader=readers.pop(),
        method=" / ".join(sorted({u.method for u in found})),
        outcome=outcomes.pop(),
        margin=margin,
        largest_share=largest_share,
        thresholds=_used_thresholds(found),
        results=tuple(results),
        widest=widest.name,
        recommended=recommended,
        reason=reason,
    )


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
    configuration: Configuration, row: Sequence[Observation], against_widest: NonInferiority, seed: int
) -> ConfigurationResult:
    found = [o.utilization for o in row]
    scores = [u.score for u in found if u.score is not None]
    score, score_interval = _mean(scores, seed) if scores else (None, None)
    tokens, tokens_interval = _mean([o.num_tokens for o in row], seed)
    quality, quality_interval = _mean([o.quality for o in row], seed)
    num_placebos = sum(len(u.controls.placebo_effects) for u in found)
    num_live = sum(u.controls.num_placebos_live for u in found)
    return ConfigurationResult(
        configuration=configuration,
        num_queries=len(row),
        num_unscored=len(row) - len(scores),
        score=score,
        score_interval=score_interval,
        tokens=tokens,
        tokens_interval=tokens_interval,
        quality=quality,
        quality_interval=quality_interval,
        verdict_shares=_verdict_shares(found),
        placebo_rate=num_live / num_placebos if num_placebos else None,
        share_dependent=_share(u.controls.depends_on_context for u in found),
        share_sufficient=_share(u.controls.sufficient for u in found),
        cost=sum((u.cost for u in found), Cost()),
        against_widest=against_widest,
    )


def _mean(values: Sequence[float], seed: int) -> tuple[float, tuple[float, float]]:
    numbers: Float64Array = np.array(values, dtype=np.float64)
    return float(numbers.mean()), mean_interval(numbers, seed)


def _verdict_shares(found: Sequence[Utilization]) -> dict[str, float]:
    tokens = dict.fromkeys(VERDICTS, 0)
    for verdict in (v for u in found for v in u.verdicts):
        tokens[verdict.verdict] += verdict.num_tokens
    sent = sum(tokens.values())
    return {name: num / sent if sent else 0.0 for name, num in tokens.items()}


def _share(answers: Iterable[bool | None]) -> float | None:
    """Return the share of true values among the known answers, or None if no answer is known."""
    known = [answer for answer in answers if answer is not None]
    return sum(known) / len(known) if known else None


def _recommendation(results: Sequence[ConfigurationResult]) -> tuple[str | None, str]:
    """Return the name of the recommended configuration, or None, and the reason.

    `results` begin with the widest configuration.
    """
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
    """Explain why no configuration is shown to be not inferior. `cheaper` begins with the cheapest one."""
    undecided = [r for r in cheaper if r.against_widest.verdict == "not enough evidence"]
    if not undecided:
        share = _percent(cheaper[0].against_widest.largest_share)
        return f"every cheaper configuration loses quality, on more than {share} of queries"
    pairs, name = min(
        ((r.against_widest, r.configuration.name) for r in undecided),
        key=lambda pair: (pair[0].num_needed or math.inf, pair[0].num_losses),
    )
    rate = f"{name!r} keeps losing quality at the same rate ({pairs.num_losses} of {pairs.num_pairs})"
    if pairs.num_needed is None:
        return (
            f"not enough evidence: {pairs.num_pairs} queries, and more would not help while {rate}: "
            f"{_percent(pairs.largest_share)} are tolerable"
        )
    return f"not enough evidence: {pairs.num_pairs} queries, {pairs.num_needed} are needed if {rate}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _used_thresholds(found: Sequence[Utilization]) -> tuple[UsedThreshold, ...]:
    groups: dict[tuple[TargetKind, str, bool], set[Threshold]] = {}
    for u in found:
        key = (u.target_kind, u.threshold.origin, u.threshold.calibrated)
        groups.setdefault(key, set()).add(u.threshold)
    return tuple(
        UsedThreshold(
            target_kind=kind,
            lowest_eps=min(t.eps for t in used),
            highest_eps=max(t.eps for t in used),
            num_thresholds=len(used),
            num_placebos=sum(t.num_placebos for t in used),
            origin=origin,
            calibrated=calibrated,
        )
        for (kind, origin, calibrated), used in sorted(groups.items())
    )
