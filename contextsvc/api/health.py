"""Probes of the process and of the indexes. They are answered on the event loop and wait for nothing."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from contextsvc.api.indexes import IndexBrief
from contextsvc.api.operations import EngineHere, answers
from contextsvc.records.json import Json

health = APIRouter()


class Health(BaseModel):
    """State of the service and of its indexes."""

    status: Literal["ok", "degraded", "not_ready"]
    indexes: list[IndexBrief] | None = None
    num_fallbacks: int | None = None


@health.get("/livez", response_model_exclude_unset=True, responses=answers("live"))
async def live() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@health.get(
    "/readyz", response_model_exclude_unset=True, response_model=Health, responses=answers("ready", 503)
)
async def ready(engine: EngineHere, response: Response) -> Json:
    """Say whether models are loaded and every index can be used; 503 if an index cannot.

    The answer is the state last seen; the service looks again every second. `degraded`: the current
    generation of an index is damaged, and the last good one serves.
    """
    found = engine.readiness.states
    states = {index["state"] for index in found}
    view = {"indexes": found, "num_fallbacks": engine.library.num_fallbacks}
    if "unusable" in states:
        response.status_code = 503
        return {"status": "not_ready", **view}
    # Still 200: an older generation that serves is of more use than a service taken out of rotation.
    return {"status": "degraded" if "degraded" in states else "ok", **view}
