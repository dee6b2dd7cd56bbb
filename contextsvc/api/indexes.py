"""Routes of indexes: list and describe."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from contextsvc.api.operations import EngineHere, answers
from contextsvc.api.utilization import IndexUtilization, NoUtilization
from contextsvc.records.json import Json

indexes = APIRouter()


class IndexView(BaseModel):
    """An index with its size, its settings and its last measured utilization.

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
    """Describe an index: its size, its settings and its last measured utilization.

    Utilization is the share of a pack's tokens that influenced the answer.
    """
    return engine.index(name)
