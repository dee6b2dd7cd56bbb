"""What ablation found: frozen records, measured and never estimated."""

from dataclasses import dataclass
from typing import Literal

from contextsvc.records import Cost

VerdictName = Literal["live", "dead", "harmful"]
TargetKind = Literal["response", "answer"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ablation said of one chunk.

    Attributes:
        effect: Nats a token the target loses when the chunk is removed; negative: it gains.
        num_tokens: The chunk's tokens in the rendered pack.
    """

    chunk_id: str
    effect: float
    verdict: VerdictName
    num_tokens: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """When an effect counts, and how it was obtained.

    Attributes:
        eps: Nats a token: the 95th percentile of the effect of placebos.
        low: 2.5th percentile of eps under the bootstrap.
        high: 97.5th percentile.
        num_placebos: How many placebos it rests on.
        origin: Where the placebos were drawn, in words.
    """

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str


@dataclass(frozen=True, slots=True)
class Controls:
    """Whether the measurement itself can be believed.

    Attributes:
        full: Mean log-probability a token of the target with the whole pack.
        no_context: The same with no chunk.
        depends_on_context: `full - no_context` exceeds the threshold.
        live_only: The same with the live chunks alone; None when no chunk is live.
        sufficient: The live chunks alone hold the quality within the threshold; None as above.
        placebo_effects: Effects of unrelated chunks put into this pack.
        num_placebos_live: How many of them passed for live; should be rare.
    """

    full: float
    no_context: float
    depends_on_context: bool
    live_only: float | None
    sufficient: bool | None
    placebo_effects: tuple[float, ...]
    num_placebos_live: int


@dataclass(frozen=True, slots=True)
class Utilization:
    """The share of a pack's tokens that materially influenced the target, by leave-one-out.

    Attributes:
        score: Tokens of live chunks over tokens of the rendered pack, in [0, 1].
        interval: 95 % interval of the score under the bootstrap of the threshold.
        target: The text whose likelihood was watched.
        target_kind: `response`: the caller's own; `answer`: the reader's.
        reader: Fingerprint of the reader: what it measures is this reader's use of the context.
        note: A sentence for a person when the score needs one.
    """

    pack_id: str
    score: float
    interval: tuple[float, float]
    verdicts: tuple[Verdict, ...]
    threshold: Threshold
    controls: Controls
    target: str
    target_kind: TargetKind
    reader: str
    method: str
    cost: Cost
    note: str = ""


@dataclass(frozen=True, slots=True)
class UtilizationSummary:
    """The last `measure` run over a generation: what an unmeasured pack of it can expect.

    Attributes:
        score: Mean of the queries' scores.
        interval: 95 % bootstrap interval over queries.
        num_queries: How many were measured.
        share_dependent: Share of queries whose target depends on its context at all.
        share_sufficient: Share, of those with live chunks, where these alone hold the quality.
        placebo_rate: Share of placebos called live; None without placebos.
        thresholds: The thresholds used, by kind of target.
    """

    generation: str
    score: float
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
