"""Records of a measurement: frozen, and measured by ablation, never estimated."""

from dataclasses import dataclass
from typing import Literal

from contextsvc.errors import ShapeError
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.fingerprints import Fingerprint

VerdictName = Literal["live", "redundant", "dead", "harmful", "unmeasured"]

TargetKind = Literal["response", "answer"]

FEWEST_PLACEBOS = 20
"""Fewest placebos that a threshold may rest on; of fewer, the 95th percentile is just the largest."""


@dataclass(frozen=True, slots=True)
class Target:
    """The text whose likelihood is measured.

    Attributes:
        text: The text.
        kind: `response`: the caller sent it; `answer`: the reader wrote it.
    """

    text: str
    kind: TargetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of the ablation for one chunk.

    Attributes:
        effect: Contribution of the chunk to question and target together, in nats a token (in likeness of
            the target, for a reader without log-probabilities). Negative: both are likelier without the
            chunk. Near-duplicates in the pack share one effect, that of their group. None if a limit was
            reached before the chunk was measured.
        necessity: Loss of question and target when this chunk alone is removed from the pack, same unit.
        num_tokens: Tokens of the chunk in the rendered pack.
        group: Number of its group of near-duplicates, from 0; None if it has none.
    """

    chunk_id: str
    effect: float | None
    necessity: float | None
    verdict: VerdictName
    num_tokens: int
    group: int | None = None


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """Result of the ablation for one sentence of a live or redundant chunk.

    Attributes:
        start: First character of the sentence in its document; `end` is exclusive.
        effect: Contribution to question and target together, in the unit of `Verdict.effect`.
    """

    chunk_id: str
    start: int
    end: int
    effect: float
    verdict: VerdictName


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The effect above which a unit is live, and the placebos that it was computed from.

    Attributes:
        eps: Upper tolerance limit of placebo effects: 95 % of placebos stay below it, with 95 % confidence.
            In the unit of effects, at least 0.
        low: 2.5th percentile of the bootstrapped 95th percentile of the placebos; at most eps.
        high: 97.5th percentile of the same; at least eps.
        num_placebos: Number of placebos; 0 if there was none.
        origin: Where the placebos were drawn, in words.
        calibrated: Whether they were drawn in the generation that is measured (`contextsvc calibrate`).
    """

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str
    calibrated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Placebo effects of one reader, one method and one kind of target; a threshold is computed from them.

    Attributes:
        reader: The reader that they belong to.
        method: `Measurer.method` of the measurer that drew them.
        origin: Where the placebos were drawn, in words.
        placebo_effects: At least 20.
    """

    reader: Fingerprint
    method: str
    target_kind: TargetKind
    origin: str
    placebo_effects: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.placebo_effects) < FEWEST_PLACEBOS:
            raise ShapeError(
                f"found {len(self.placebo_effects)} placebos, expected at least {FEWEST_PLACEBOS} in a "
                "calibration"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Checks that say whether a measurement can be believed.

    Attributes:
        full: Outcome of the target with the whole pack; None if a limit was reached first.
        no_context: Outcome without any chunk; None likewise.
        unrelated: Outcome with one placebo instead of the pack, the best of them; None likewise, and
            without placebos.
        depends_on_context: Whether `full` exceeds `no_context` and `unrelated` by more than the threshold;
            None likewise.
        live_only: Outcome with the chunks that count as used, as a prompt of their own; None likewise, and
            if no chunk counts.
        sufficient: Whether `full` exceeds `live_only` by at most the threshold; None where `live_only` is.
        placebo_effects: Effects of the placebos in this pack, found as the effect of a chunk is.
        num_placebos_live: Placebos whose verdict is live; at most one in twenty is expected.
    """

    full: float | None
    no_context: float | None
    unrelated: float | None
    depends_on_context: bool | None
    live_only: float | None
    sufficient: bool | None
    placebo_effects: tuple[float, ...]
    num_placebos_live: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilization:
    """Share of a pack's tokens that materially influenced the target, measured by ablation.

    Attributes:
        score: Tokens of the live chunks, and of one chunk a redundant group, divided by the tokens of the
            rendered pack; in [0, 1]. None if a limit left a chunk unmeasured.
        strict_score: The same, with live chunks alone.
        interval: 95 % interval of the score by bootstrap of the threshold; (0, 1) if the score is None.
        verdicts: One a chunk, in the order of the pack.
        sentences: One a sentence of the live and redundant chunks, in the order of the pack; empty if
            sentences were not asked for.
        target: The text whose likelihood was measured.
        target_kind: `response`: the caller sent it; `answer`: the reader wrote it.
        outcome: The unit of effects and controls.
        reader: Fingerprint of the reader; the measurement says how this reader uses the context.
        method: How effects are found, in words.
        note: What a person must know to read the score; may be empty.
        partial: Whether a limit left a mask unscored; a measurement with higher limits may say more.
    """

    pack_id: str
    score: float | None
    strict_score: float | None
    interval: tuple[float, float]
    verdicts: tuple[Verdict, ...]
    sentences: tuple[SentenceVerdict, ...]
    threshold: Threshold
    controls: Controls
    target: str
    target_kind: TargetKind
    outcome: Outcome
    reader: str
    method: str
    cost: Cost
    note: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalPack:
    """The smallest pack found that holds the quality of a measured pack.

    Attributes:
        chunk_ids: Chunks that it keeps, in the order of the pack.
        quality: Outcome of the target with these chunks alone, as a prompt of their own.
        full: Outcome of the target with the whole pack.
        margin: Most that `quality` may be below `full`: the threshold of the measurement.
        num_tokens: Tokens of `text`.
        num_tokens_saved: Tokens of the whole pack less these.
        cost: Cost of the search, without that of the measurement.
    """

    pack_id: str
    chunk_ids: tuple[str, ...]
    text: str
    quality: float
    full: float
    margin: float
    num_tokens: int
    num_tokens_saved: int
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilizationSummary:
    """Summary of the last `measure` run over a generation: the score to expect of its other packs.

    Attributes:
        score: Mean score of the queries, in [0, 1].
        strict_score: Mean strict score of the queries, in [0, 1].
        interval: 95 % bootstrap interval of `score` over queries.
        num_queries: Queries that were measured to the end; the means are over these.
        share_dependent: Share of queries whose target depends on its context.
        share_sufficient: Share of queries whose live chunks alone hold the quality, of those with live
            chunks; None if no query has one.
        num_placebos: Placebos of all queries.
        placebo_rate: Share of placebos whose verdict is live; None without placebos.
        thresholds: The threshold of each kind of target; the mean of eps where queries had different ones.
        cost: Cost of all measurements, partial ones included.
    """

    generation: str
    score: float
    strict_score: float
    interval: tuple[float, float]
    num_queries: int
    share_dependent: float
    share_sufficient: float | None
    num_placebos: int
    placebo_rate: float | None
    thresholds: dict[str, Threshold]
    reader: str
    method: str
    cost: Cost
