"""Route that measures the utilization of a pack, and the schemas of measurements.

Utilization is the share of a pack's tokens that influenced the answer. A reader is the language model that
measures it. A placebo is an unrelated chunk that is put into the pack as a control.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contextsvc.api.operations import Body, EngineHere, GoneHere, answers
from contextsvc.measuring.records import TargetKind, VerdictName
from contextsvc.ports.reading import Outcome
from contextsvc.records.json import Json
from contextsvc.service.slots import run_served

utilization = APIRouter()


class UtilizationBody(Body):
    """What to measure.

    `response` is the answer whose likelihood is measured. Without a response, the reader (the language model
    that measures) writes an answer. `sentences` measures the sentences of influential chunks, too. `minimize`
    adds the smallest pack found that keeps the quality of the answer.
    """

    response: str | None = Field(None, max_length=100_000)
    sentences: bool = False
    minimize: bool = False

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"response": "The finally clause runs."}}
    )


class ThresholdView(BaseModel):
    """The effect above which a chunk counts as influential, and the placebos behind this threshold.

    A placebo is an unrelated chunk put into a pack as a control. `eps` is the threshold. `low` and `high` are
    the ends of its bootstrap interval.
    """

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str
    calibrated: bool


class CostView(BaseModel):
    """Cost of a measurement: calls of the reader, tokens that the reader read, and seconds."""

    reader_calls: int
    reader_tokens: int
    seconds: float


class VerdictView(BaseModel):
    """Verdict on a chunk. Near-duplicates that were removed together have the same number as `group`."""

    chunk_id: str
    effect: float | None
    necessity: float | None
    verdict: VerdictName
    num_tokens: int
    group: int | None


class SentenceView(BaseModel):
    """Whether one sentence of an influential chunk influenced the answer.

    `start` and `end` are character offsets in the document.
    """

    chunk_id: str
    start: int
    end: int
    effect: float
    verdict: VerdictName


class MinimalView(BaseModel):
    """The smallest pack found that keeps the quality of the answer. It is stored under its own id.

    `quality` and `full` say how likely the answer is with the smaller pack and with the whole pack, in the
    unit that `outcome` of the measurement names. `margin` is the largest accepted difference.
    """

    pack_id: str
    chunk_ids: list[str]
    text: str
    quality: float
    full: float
    margin: float
    num_tokens: int
    num_tokens_saved: int
    cost: CostView


class ControlsView(BaseModel):
    """Controls that say whether the measurement can be believed.

    `full`, `no_context`, `unrelated` and `live_only` say how likely the answer is with the whole pack,
    without any chunk, with an unrelated chunk, and with only the chunks that count as used. `outcome` of the
    measurement names their unit.
    """

    full: float | None
    no_context: float | None
    unrelated: float | None
    depends_on_context: bool | None
    live_only: float | None
    sufficient: bool | None
    placebo_effects: list[float]
    num_placebos_live: int


class PackUtilization(BaseModel):
    """Utilization measured on this pack: the share of its tokens that influenced the answer."""

    scope: Literal["pack"]
    pack_id: str
    score: float | None
    strict_score: float | None
    interval: tuple[float, float]
    verdicts: list[VerdictView]
    sentences: list[SentenceView]
    threshold: ThresholdView
    controls: ControlsView
    target: str
    target_kind: TargetKind
    outcome: Outcome
    reader: str
    method: str
    cost: CostView
    note: str
    partial: bool
    cache: dict[str, str] | None = None
    minimal: MinimalView | None = None


class IndexUtilization(BaseModel):
    """Mean utilization of many queries, measured on this generation by the last `contextsvc measure`.

    A generation is one published version of an index.
    """

    scope: Literal["index"]
    generation: str
    score: float
    strict_score: float
    interval: tuple[float, float]
    num_queries: int
    share_dependent: float
    share_sufficient: float | None
    num_placebos: int
    placebo_rate: float | None
    thresholds: dict[str, ThresholdView]
    reader: str
    method: str
    cost: CostView


class NoUtilization(BaseModel):
    """A missing score, and the reason."""

    scope: Literal["pack", "index"]
    score: None
    reason: str


@utilization.post(
    "/v1/packs/{pack_id}/utilization",
    response_model=PackUtilization,
    response_model_exclude_unset=True,
    responses=answers("utilization", 404, 409, 422, 429, 500, 503),
)
async def measure_pack(
    pack_id: str, engine: EngineHere, gone: GoneHere, body: UtilizationBody | None = None
) -> Json:
    """Measure the share of a pack's tokens that influenced the answer.

    If the same measurement was made before and is still stored, it is returned without measuring again.
    """
    body = body or UtilizationBody(response=None)
    steps = engine.utilization_steps(pack_id, body.response, body.sentences, body.minimize)
    return await run_served(steps, gone)
