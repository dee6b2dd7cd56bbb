"""Configurations of the same index side by side, on the same queries: frozen records."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from contextsvc.errors import ShapeError
from contextsvc.measurements import Outcome, TargetKind, Utilization, VerdictName
from contextsvc.records import Cost

NonInferiorityVerdict = Literal["not inferior", "inferior", "not enough evidence"]

VERDICTS: tuple[VerdictName, ...] = get_args(VerdictName)
"""Every verdict, from the most to the least use."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """How packs are made.

    Attributes:
        name: What a person calls it; unique in a comparison.
        max_chunks: Most chunks of a pack.
        budget_tokens: Most tokens of a pack.
        ordering: A name of `steps.ordering.ORDERINGS`.
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
