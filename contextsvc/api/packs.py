"""Routes of packs: make, read and delete."""

import json
import logging
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from contextsvc.api.operations import Body, EngineHere, GoneHere, answers
from contextsvc.api.utilization import IndexUtilization, NoUtilization, PackUtilization
from contextsvc.records.json import Json
from contextsvc.records.packs import DropReason
from contextsvc.service.slots import run_served

packs = APIRouter()
usage = logging.getLogger("contextsvc.usage")

TagText = Annotated[str, Field(max_length=256)]


class ContextBody(Body):
    """A request for a context pack. A field that is left out takes its value from the service's settings.

    `measure` is true to measure the pack before the answer, or "background" to measure it later. `response`
    is the answer whose likelihood is measured. `sentences` measures the sentences of influential chunks, too.
    `explain` adds the candidates that were left out and the signals behind each score.
    """

    # Types are checked here. `records.requests` checks the ranges of the values.
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


class PartView(BaseModel):
    """A part of a packed chunk, with `explain`: a run of sentences that was taken whole.

    Parts of greater `gain` were taken first. `lift` is the share of the gain that a part has because it
    stands beside a better one.
    """

    start: int
    end: int
    gain: float
    lift: float


class PackedChunkView(BaseModel):
    """A chunk in a pack: all that the pack took from one section, in the order of its text.

    `citation` is the mark before the chunk in the pack's text, such as `[1]`.

    The chunk's text is the document's text at `spans`, which are (start, end) character offsets in the
    document. Several spans are joined by a line with an ellipsis. `start` is the start of the first span and
    `end` is the end of the last one.
    """

    citation: str
    chunk_id: str
    doc_id: str
    title: str
    section: list[str]
    source: str
    also_in: list[str]
    start: int
    end: int
    spans: list[tuple[int, int]]
    repeated: list[tuple[int, int]]
    text: str
    num_tokens: int
    score: float
    rank: int
    signals: dict[str, float] | None = None
    parts: list[PartView] | None = None


class Dropped(BaseModel):
    """A candidate that was left out, with the reason.

    `start` and `end` are character offsets in the document.
    """

    chunk_id: str
    doc_id: str
    start: int
    end: int
    score: float
    rank: int
    reason: DropReason
    detail: str


class FilterView(BaseModel):
    """The number of documents that the filter of a request allowed."""

    num_documents: int


class PackView(BaseModel):
    """A context pack.

    `drops` and `signals` are present if `explain` was requested or the pack is read by its id. `cache` and
    `trace` are present in the answer to `POST /v1/context`, and so is `filter` if the request has filters.
    """

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
    chunks: list[PackedChunkView]
    filter: FilterView | None = None
    drops: list[Dropped] | None = None
    utilization: PackUtilization | IndexUtilization | NoUtilization
    cache: dict[str, Literal["hit", "miss", "off"]] | None = None
    trace: dict[str, Any] | None = None


@packs.post(
    "/v1/context",
    response_model=PackView,
    response_model_exclude_unset=True,
    responses=answers("pack", 404, 409, 422, 429, 500, 503),
)
async def make_context(body: ContextBody, engine: EngineHere, gone: GoneHere) -> JSONResponse:
    """Make a context pack from the best chunks for a query that fit a token budget.

    The answer holds the rendered text of the pack and its exact number of tokens.
    """
    steps = engine.context_steps(**body.model_dump(exclude={"tags"}))
    view = await run_served(steps, gone)
    _record_usage(view, body.tags)
    # The answer is not checked against PackView, which took longer than a cached answer. The tests check it.
    return JSONResponse(view)


@packs.get(
    "/v1/packs/{pack_id}",
    response_model=PackView,
    response_model_exclude_unset=True,
    responses=answers("kept_pack", 404),
)
def read_pack(pack_id: str, engine: EngineHere) -> Json:
    """Read a pack that was made before.

    The answer holds the candidates that were left out, and the utilization if it was measured.

    A pack keeps the text of its chunks, also of documents that were deleted since. It can be read until the
    cache evicts it or `DELETE` removes it. With `CONTEXTSVC_DROP_PACKS` it can be read only while its
    generation (the published version of the index that it was made from) is stored.
    """
    return engine.pack(pack_id)


@packs.delete("/v1/packs/{pack_id}", status_code=204, responses=answers("", 404, 500))
def delete_pack(pack_id: str, engine: EngineHere) -> None:
    """Delete a pack, its text and its measurements. A smaller pack that `minimize` made from it stays."""
    engine.delete_pack(pack_id)


def _record_usage(view: Json, tags: dict[str, str]) -> None:
    # Log one line for each pack, so that cost can be attributed to tasks, workflows and teams.
    line = {key: view[key] for key in ("pack_id", "index", "generation", "num_tokens", "budget_tokens")}
    usage.info(json.dumps({**line, "cache": view["cache"], "tags": tags}, sort_keys=True))
