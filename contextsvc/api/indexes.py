"""Routes of indexes: list and describe."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contextsvc.api.operations import EngineHere, answers
from contextsvc.api.utilization import IndexUtilization, NoUtilization
from contextsvc.packing.answerability import ThresholdOrigin
from contextsvc.records.json import Json

indexes = APIRouter()


class AnswerThreshold(BaseModel):
    """The least `answer_score` of an answerable pack, and its expected error.

    `origin` is "setting" (CONTEXTSVC_ANSWERABLE), "index" (chosen on `num_questions` questions made from the
    chunks of the index) or "default" (the index has too few chunks for that, or `num_questions` is null and
    an earlier version built it). `flagged` is the share of these questions that are called not answerable.
    `passed` is the share that are called answerable although the search leaves out their subject. Both are
    null if the origin is another.
    """

    threshold: float
    origin: ThresholdOrigin
    num_questions: int | None
    flagged: float | None
    passed: float | None


class IndexView(BaseModel):
    """An index with its size, its settings, its answer threshold and its last measured utilization.

    Utilization is the share of a pack's tokens that influenced the answer. A generation is one published
    version of the index.
    """

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
    answerable: AnswerThreshold
    utilization: IndexUtilization | NoUtilization


class IndexBrief(BaseModel):
    """An index in a list, with its state. `reason` says why the index is unusable or degraded."""

    name: str
    state: Literal["ready", "degraded", "unusable"]
    generation: str | None = None
    num_documents: int | None = None
    num_chunks: int | None = None
    built_at: str | None = None
    reason: str | None = None


class IndexList(BaseModel):
    """All indexes, sorted by name."""

    indexes: list[IndexBrief]


@indexes.get(
    "/v1/indexes",
    response_model=IndexList,
    response_model_exclude_unset=True,
    responses=answers("indexes"),
)
def list_indexes(engine: EngineHere) -> Json:
    """List every index with its state."""
    return {"indexes": engine.indexes()}


@indexes.get(
    "/v1/indexes/{name}",
    response_model=IndexView,
    response_model_exclude_unset=True,
    responses=answers("index", 404, 409, 500),
)
def read_index(name: str, engine: EngineHere) -> Json:
    """Describe an index: its size, its settings, its answer threshold and its last measured utilization.

    Utilization is the share of a pack's tokens that influenced the answer.
    """
    return engine.index(name)
