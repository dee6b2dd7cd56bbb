"""Bodies of requests and answers. Ranges are checked where the records are made, in one place."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contextsvc.records.packs import DropReason

TagText = Annotated[str, Field(max_length=256)]


class Body(BaseModel):
    """A request body: an unknown field is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ContextBody(Body):
    """What is asked for."""

    index: str = Field(max_length=64)
    query: str
    budget_tokens: int
    max_chunks: int | None = None
    tokenizer: str | None = None
    ordering: str | None = None
    filters: dict[str, Any] | None = None
    exact: bool = False
    trim: bool | None = None
    answerable_only: bool = False
    measure: bool | Literal["background"] = False
    response: str | None = Field(None, max_length=100_000)
    sentences: bool = False
    explain: bool = False
    tags: dict[TagText, TagText] = Field(default_factory=dict, max_length=16)

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {
                "index": "python-reference",
                "query": "how does try finally behave with return?",
                "budget_tokens": 800,
                "tags": {"team": "search", "workflow": "docs-bot"},
            }
        },
    )


class UtilizationBody(Body):
    """Whose answer to watch; without a response the reader writes its own.

    `sentences` measures the sentences of live chunks, too; `minimize` returns the smallest pack that
    holds the quality.
    """

    response: str | None = Field(None, max_length=100_000)
    sentences: bool = False
    minimize: bool = False

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"response": "The finally clause runs."}}
    )


class Span(BaseModel):
    """A chunk in a pack.

    Its text is what stands at `spans` in the document, joined by a line with an ellipsis; from `start`
    to `end`, which are the first and the last edge of these, nothing is left out where there is one span.
    """

    chunk_id: str
    doc_id: str
    title: str
    section: list[str]
    source: str
    also_in: list[str]
    start: int
    end: int
    spans: list[tuple[int, int]]
    text: str
    num_tokens: int
    score: float
    rank: int
    signals: dict[str, float] | None = None


class Dropped(BaseModel):
    """A candidate that was left out."""

    chunk_id: str
    doc_id: str
    start: int
    end: int
    score: float
    rank: int
    reason: DropReason
    detail: str


class ThresholdView(BaseModel):
    """When an effect counts."""

    eps: float
    low: float
    high: float
    num_placebos: int
    origin: str
    calibrated: bool


class CostView(BaseModel):
    """What a measurement took."""

    reader_calls: int
    reader_tokens: int
    seconds: float


VerdictWord = Literal["live", "redundant", "dead", "harmful", "unmeasured"]


class VerdictView(BaseModel):
    """What ablation said of a chunk; `group` numbers near-duplicates that were ablated together."""

    chunk_id: str
    effect: float | None
    necessity: float | None
    verdict: VerdictWord
    num_tokens: int
    group: int | None


class SentenceView(BaseModel):
    """What ablation said of a sentence of a live chunk; the span is the document's."""

    chunk_id: str
    start: int
    end: int
    effect: float
    verdict: VerdictWord


class MinimalView(BaseModel):
    """The smallest pack found that holds the quality; it is kept under its own id."""

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
    """Whether the measurement can be believed."""

    full: float | None
    no_context: float | None
    unrelated: float | None
    depends_on_context: bool | None
    live_only: float | None
    sufficient: bool | None
    placebo_effects: list[float]
    num_placebos_live: int


class PackUtilization(BaseModel):
    """Measured on this pack."""

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
    target_kind: Literal["response", "answer"]
    outcome: Literal["log-probability", "likeness"]
    reader: str
    method: str
    cost: CostView
    note: str
    partial: bool
    cache: dict[str, str] | None = None
    minimal: MinimalView | None = None


class IndexUtilization(BaseModel):
    """Measured on the generation by the last `contextsvc measure`."""

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
    """No score, and why."""

    scope: Literal["pack", "index"]
    score: None
    reason: str


class PackView(BaseModel):
    """A context pack. `drops` and `signals` come with `explain`; `cache` and `trace` with a request."""

    pack_id: str
    index: str
    generation: str
    query: str
    text: str
    num_tokens: int
    budget_tokens: int
    tokenizer: str
    ordering: str
    exact: bool
    trim: bool
    answerable: bool
    answer_score: float
    answer_threshold: float
    chunks: list[Span]
    drops: list[Dropped] | None = None
    utilization: PackUtilization | IndexUtilization | NoUtilization
    cache: dict[str, Literal["hit", "miss", "off"]] | None = None
    trace: dict[str, Any] | None = None


class IndexView(BaseModel):
    """An index and its last measured utilization."""

    name: str
    generation: str
    embedder: str
    dim: int
    num_documents: int
    num_chunks: int
    num_sentences: int
    num_vectors: int
    settings: dict[str, Any]
    built_at: str
    num_bytes: int
    utilization: IndexUtilization | NoUtilization


class IndexBrief(BaseModel):
    """An index in a list; one that is unusable, or served by an older generation, says why."""

    name: str
    state: Literal["ready", "degraded", "unusable"]
    generation: str | None = None
    num_documents: int | None = None
    num_chunks: int | None = None
    built_at: str | None = None
    reason: str | None = None


class IndexList(BaseModel):
    """All indexes, by name."""

    indexes: list[IndexBrief]


class Health(BaseModel):
    """`ok`, or what is missing."""

    status: Literal["ok", "degraded", "not_ready"]
    indexes: list[IndexBrief] | None = None
    num_fallbacks: int | None = None


class Problem(BaseModel):
    """RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
