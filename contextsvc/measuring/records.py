"""What ablation found: frozen records, measured and never estimated."""

from dataclasses import dataclass
from typing import Literal

from contextsvc.errors import ShapeError
from contextsvc.ports.reading import Cost, Outcome
from contextsvc.records.fingerprints import Fingerprint

VerdictName = Literal["live", "redundant", "dead", "harmful", "unmeasured"]

TargetKind = Literal["response", "answer"]

FEWEST_PLACEBOS = 20
"""That a threshold rests on: fewer have no 95th percentile but their maximum."""


@dataclass(frozen=True, slots=True)
class Target:
    """A text whose likelihood is watched, and whose it is: the caller's response or the reader's answer."""

    text: str
    kind: TargetKind


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ablation said of one chunk.

    Attributes:
        effect: What the chunk adds to question and target, in nats a token of each (in likeness of
            the target for readers without log-probabilities); negative: they are likelier without
            it. Of a chunk with near-duplicates in the pack: what all of them add together. None: a
            limit was reached before it was measured.
        necessity: What question and target lose when this chunk alone is removed from the whole pack.
        num_tokens: The chunk's tokens in the rendered pack.
        group: Number of its group of near-duplicates, from 0; None for a chunk that has none.
    """

    chunk_id: str
    effect: float | None
    necessity: float | None
    verdict: VerdictName
    num_tokens: int
    group: int | None = None


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """What ablation said of one sentence of a live chunk; the span is the document's, in characters."""

    chunk_id: str
    start: int
    end: int
    effect: float
    verdict: VerdictName


@dataclass(frozen=True, slots=True)
class Threshold:
    """When an effect counts, and how it was obtained.

    Attributes:
        eps: Nats a token: what 95 % of placebos stay under, with 95 % confidence.
        low: 2.5th percentile of the placebos' 95th percentile under the bootstrap; at most eps.
        high: Its 97.5th percentile; at least eps.
        num_placebos: How many placebos it rests on.
        origin: Where the placebos were drawn, in words.
        calibrated: They were drawn in the generation that is measured (`contextsvc calibrate`).
    """

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """Placebo effects of one reader, method and kind of target, from which its threshold is computed.

    Attributes:
        reader: Whose effects they are.
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
                f"a calibration needs {FEWEST_PLACEBOS} placebos, found {len(self.placebo_effects)}"
            )


@dataclass(frozen=True, slots=True)
class Controls:
    """Whether the measurement itself can be believed.

    Attributes:
        full: The outcome with the whole pack; None, as the next three, if a limit came first.
        no_context: The same with no chunk.
        unrelated: The same with one unrelated chunk instead of the pack, the best of the placebos;
            None without placebos, too.
        depends_on_context: `full` exceeds both of them by more than the threshold.
        live_only: The same with the live chunks and one of each redundant group, read as a prompt
            of its own; None when no chunk is live, or if a limit came first.
        sufficient: The live chunks alone hold the quality within the threshold; None as above.
        placebo_effects: Effects of unrelated chunks put into this pack, found as a chunk's is.
        num_placebos_live: How many of them passed for live; should be rare.
    """

    full: float | None
    no_context: float | None
    unrelated: float | None
    depends_on_context: bool | None
    live_only: float | None
    sufficient: bool | None
    placebo_effects: tuple[float, ...]
    num_placebos_live: int


@dataclass(frozen=True, slots=True)
class Utilization:
    """The share of a pack's tokens that materially influenced the target, by ablation.

    Attributes:
        score: Tokens of live chunks and of one chunk a redundant group over tokens of the rendered
            pack, in [0, 1]; None where a limit left a chunk unmeasured.
        strict_score: The same with live chunks alone.
        interval: 95 % interval of the score under the bootstrap of the threshold; of a partial
            measurement the scores that the unmeasured chunks still allow.
        sentences: Of the live chunks, where sentences were asked for; in order of the pack.
        target: The text whose likelihood was watched.
        target_kind: `response`: the caller's own; `answer`: the reader's.
        reader: Fingerprint of the reader: what it measures is this reader's use of the context.
        note: A sentence for a person when the score needs one.
        partial: A limit left masks unscored: the next measurement may say more.
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


@dataclass(frozen=True, slots=True)
class MinimalPack:
    """The smallest pack found that holds the quality of a measured one.

    Attributes:
        chunk_ids: What it keeps, in order of the pack.
        quality: The outcome with these alone, read as a prompt of its own.
        full: The outcome with the whole pack.
        margin: The most that `full - quality` may be: the threshold of the measurement.
        num_tokens: Of its rendered text.
        num_tokens_saved: Against the whole pack.
        cost: Of finding it, the measurement not counted.
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


@dataclass(frozen=True, slots=True)
class UtilizationSummary:
    """The last `measure` run over a generation: what an unmeasured pack of it can expect.

    Attributes:
        score: Mean of the queries' scores.
        interval: 95 % bootstrap interval over queries.
        strict_score: Mean of the strict scores.
        num_queries: How many were measured to the end.
        share_dependent: Share of queries whose target depends on its context at all.
        share_sufficient: Share, of those with live chunks, where these alone hold the quality.
        placebo_rate: Share of placebos called live; None without placebos.
        thresholds: The thresholds used, by kind of target.
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
