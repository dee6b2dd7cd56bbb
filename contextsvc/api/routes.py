"""Each route parses, calls the engine, answers."""

import json
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from contextsvc.api import examples
from contextsvc.api.schemas import (
    ContextBody,
    Health,
    IndexList,
    IndexView,
    PackUtilization,
    PackView,
    Problem,
    UtilizationBody,
)
from contextsvc.records.json import Json
from contextsvc.service.engine import Ask, Engine

routes = APIRouter()
usage = logging.getLogger("contextsvc.usage")


# async, so that it runs where it stands: a plain function would cost a hop to a worker thread
async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


EngineHere = Annotated[Engine, Depends(_engine)]


def answers(example: Json, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of an operation's answers."""
    problems: dict[int | str, dict[str, Any]] = {
        status: {
            "model": Problem,
            "content": {"application/problem+json": {"example": examples.PROBLEMS[status]}},
        }
        for status in refusals
    }
    return {200: {"content": {"application/json": {"example": example}}}, **problems}


@routes.post(
    "/v1/context",
    response_model=PackView,
    response_model_exclude_unset=True,
    responses=answers(examples.PACK, 404, 409, 422, 429, 503),
)
def make_context(body: ContextBody, engine: EngineHere) -> JSONResponse:
    """The best chunks for a query that fit a token budget, rendered and counted."""
    fields = body.model_dump(exclude={"tags"})
    view = engine.context(Ask(**fields))
    _record_usage(view, body.tags)
    # As it is: checking it against PackView again took longer than a cached answer; the tests check it.
    return JSONResponse(view)


@routes.get(
    "/v1/packs/{pack_id}",
    response_model=PackView,
    response_model_exclude_unset=True,
    responses=answers(examples.PACK, 404),
)
def read_pack(pack_id: str, engine: EngineHere) -> Json:
    """A pack made before, with what was left out of it and its utilization if it was measured."""
    return engine.pack(pack_id)


@routes.post(
    "/v1/packs/{pack_id}/utilization",
    response_model=PackUtilization,
    response_model_exclude_unset=True,
    responses=answers(examples.UTILIZATION, 404, 409, 422, 429, 503),
)
def measure_pack(pack_id: str, engine: EngineHere, body: UtilizationBody | None = None) -> Json:
    """The share of a pack's tokens that influenced the answer, measured now by ablation or known."""
    body = body or UtilizationBody(response=None)
    return engine.utilization(pack_id, body.response, body.sentences, body.minimize)


@routes.get(
    "/v1/indexes",
    response_model=IndexList,
    response_model_exclude_unset=True,
    responses=answers(examples.INDEXES),
)
def list_indexes(engine: EngineHere) -> Json:
    """Every index under the root."""
    return {"indexes": engine.indexes()}


@routes.get(
    "/v1/indexes/{name}",
    response_model=IndexView,
    response_model_exclude_unset=True,
    responses=answers(examples.INDEX, 404, 409),
)
def read_index(name: str, engine: EngineHere) -> Json:
    """One index: its manifest and its last measured utilization."""
    return engine.index(name)


# async: answered on the event loop, so that liveness does not wait for a worker thread
@routes.get("/livez", response_model_exclude_unset=True, responses=answers({"status": "ok"}))
async def live() -> Health:
    """The process answers."""
    return Health(status="ok")


@routes.get(
    "/readyz", response_model_exclude_unset=True, response_model=Health, responses=answers(examples.READY)
)
def ready(engine: EngineHere, response: Response) -> Json:
    """Models are loaded and every index can be opened; else 503 and which cannot.

    `degraded`: the current generation of an index is damaged, and the last good one serves.
    """
    indexes = engine.indexes()
    states = {index["state"] for index in indexes}
    view = {"indexes": indexes, "num_fallbacks": engine.library.num_fallbacks}
    if "unusable" in states:
        response.status_code = 503
        return {"status": "not_ready", **view}
    # Still 200: an older generation that serves is of more use than a service taken out of rotation.
    return {"status": "degraded" if "degraded" in states else "ok", **view}


def _record_usage(view: Json, tags: dict[str, str]) -> None:
    # One line a pack, for whoever attributes cost to tasks, workflows and teams.
    line = {key: view[key] for key in ("pack_id", "index", "generation", "num_tokens", "budget_tokens")}
    usage.info(json.dumps({**line, "cache": view["cache"], "tags": tags}, sort_keys=True))
