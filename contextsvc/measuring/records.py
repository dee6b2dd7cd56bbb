"""Records of a measurement. They are immutable. Their numbers come from an ablation, not from an estimate.

A measurement removes units (chunks or sentences) from a prompt and scores the target (a given text) with the
reader (the language model that measures). The outcome is the score of the target. The effect of a unit is its
contribution to question and target together: to the sum of their mean log-probabilities per token. A placebo
is an unrelated chunk put into the pack as a control. A generation is one published version of an index.
"""

from dataclasses import dataclass
from typing import Literal

from contextsvc.errors import ShapeError
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.fingerprints import Fingerprint

VerdictName = Literal["live", "redundant", "dead", "harmful", "unmeasured"]

TargetKind = Literal["response", "answer"]

FEWEST_PLACEBOS = 20
"""Smallest number of placebos for a threshold. With fewer, the 95th percentile is just the largest effect."""


@dataclass(frozen=True, slots=True)
class Target:
    """The text whose likelihood is measured.

    Attributes:
        text: The text.
        kind: `response` if the caller sent the text, `answer` if the reader wrote it.
    """

    text: str
    kind: TargetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of the ablation for one chunk.

    Attributes:
        chunk_id: Id of the chunk.
        effect: Contribution of the chunk to question and target together, in nats per token. For a reader
            without log-probabilities it is in likeness of the reader's answer to the target. A negative
            effect means that both are likelier without the chunk. Near-duplicates in the pack share the
            effect of their group. None if a limit was reached before the chunk was measured.
        necessity: How much question and target together lose when only this chunk is removed from the pack,
            in the unit of `effect`. None if a limit was reached first.
        verdict: What the effect says about the chunk.
        num_tokens: Tokens of the chunk in the rendered pack.
        group: Number of its group of near-duplicates, from 0. None if the pack has no near-duplicate of it.
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
        chunk_id: Id of the chunk.
        start: Offset of the sentence's first character in its document.
        end: Offset one past the sentence's last character in its document.
        effect: Contribution to question and target together, in the unit of `Verdict.effect`.
        verdict: What the effect says about the sentence.
    """

    chunk_id: str
    start: int
    end: int
    effect: float
    verdict: VerdictName


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The effect above which a unit is live, and the origin of this number.

    Attributes:
        eps: Upper tolerance limit of placebo effects: with 95 % confidence, 95 % of placebos stay below it.
            It is in the unit of effects, and at least 0.
        low: 2.5th percentile of the bootstrapped 95th percentile of the placebo effects; at most eps.
        high: 97.5th percentile of the bootstrapped 95th percentile of the placebo effects; at least eps.
        num_placebos: Number of placebos that eps was computed from; 0 if there was none.
        origin: Where the placebos were drawn, in words.
        calibrated: Whether the placebos were drawn in the generation that is measured, by
            `contextsvc calibrate`.
    """

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str
    calibrated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Placebo effects of one reader, one method and one kind of target. A threshold is computed from them.

    Attributes:
        reader: Fingerprint of the reader that measured the effects.
        method: `Measurer.method` of the measurer that drew the placebos.
        target_kind: Kind of the targets.
        origin: Where the placebos were drawn, in words.
        placebo_effects: Effect of each placebo; at least 20 numbers.
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
        full: Outcome of the target with the whole pack. None if a limit was reached first.
        no_context: Outcome of the target without any chunk. None if a limit was reached first.
        unrelated: Outcome of the target with one placebo instead of the pack; the highest, if there are
            several placebos. None without placebos, or if a limit was reached first.
        depends_on_context: Whether `full` exceeds `no_context` and `unrelated` by more than the threshold.
            None if a limit was reached first.
        live_only: Outcome of the target with only the used chunks, as a prompt of their own. None if no chunk
            counts as used, or if a limit was reached first.
        sufficient: Whether `full` exceeds `live_only` by at most the threshold. None if `live_only` is None.
        placebo_effects: Effect of each placebo in this pack, computed like the effect of a chunk.
        num_placebos_live: Number of placebos whose verdict is live. At most one in twenty is expected.
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

    A chunk counts as used if it is live, or if it is the first of a group whose chunks are all redundant.

    Attributes:
        pack_id: Id of the pack.
        score: Tokens of the used chunks divided by the tokens of the rendered pack, in [0, 1]. None if a
            limit left a chunk unmeasured.
        strict_score: Tokens of the live chunks divided by the tokens of the rendered pack, in [0, 1]. None if
            `score` is None.
        interval: 95 % interval of `score` by bootstrap of the threshold; (0, 1) if `score` is None.
        verdicts: One verdict per chunk, in the order of the pack.
        sentences: One verdict per sentence of the live and redundant chunks, in the order of the pack. Empty
            if the caller did not request sentences.
        threshold: The threshold that the verdicts rest on.
        controls: Checks that say whether the measurement can be believed.
        target: The text whose likelihood was measured.
        target_kind: `response` if the caller sent the text, `answer` if the reader wrote it.
        outcome: Kind of score that effects and controls are measured in.
        reader: Fingerprint of the reader. The measurement says how this reader uses the context.
        method: How effects are computed, in words.
        cost: Cost of the measurement.
        note: What a person must know to read the score; may be empty.
        partial: Whether a limit left a mask unscored. A measurement with higher limits may say more.
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
    """The smallest pack found that keeps the quality of a measured pack.

    Attributes:
        pack_id: Id of the smaller pack.
        chunk_ids: Ids of the chunks that the smaller pack keeps, in the order of the measured pack.
        text: Rendered text of the smaller pack.
        quality: Outcome of the target with the kept chunks alone, as a prompt of their own.
        full: Outcome of the target with the whole measured pack.
        margin: Largest amount by which `quality` may be below `full`: the threshold of the measurement.
        num_tokens: Tokens of `text`.
        num_tokens_saved: Tokens of the measured pack minus `num_tokens`.
        cost: Cost of the search, without the cost of the measurement.
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
    """Summary of the last `measure` run over a generation. Its score is the expected score of other packs.

    Attributes:
        generation: Id of the generation.
        score: Mean score of the queries, in [0, 1].
        strict_score: Mean strict score of the queries, in [0, 1].
        interval: 95 % bootstrap interval of `score` over queries.
        num_queries: Number of queries whose measurement has a score. The means are taken over these queries.
        share_dependent: Share of queries whose target depends on its context.
        share_sufficient: Share of queries for which the used chunks alone keep the quality. A query without
            used chunks does not count. None if no query counts.
        num_placebos: Number of placebos of all queries.
        placebo_rate: Share of placebos whose verdict is live. None without placebos.
        thresholds: Threshold of each kind of target. If queries had different ones, eps is their mean.
        reader: Fingerprint of the reader.
        method: How effects are computed, in words.
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
