"""Health probes of the process and of the indexes. They are answered on the event loop without waiting."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from contextsvc.api.indexes import IndexBrief
from contextsvc.api.operations import EngineHere, answers
from contextsvc.records.json import Json

health = APIRouter()


class Health(BaseModel):
    """State of the service and of its indexes.

    `num_fallbacks` counts how often an older generation (published version) was opened in place of a damaged
    one.
    """

    status: Literal["ok", "degraded", "not_ready"]
    indexes: list[IndexBrief] | None = None
    num_fallbacks: int | None = None


@health.get("/livez", response_model_exclude_unset=True, responses=answers("live"))
async def live() -> Health:
    """Report that the process answers."""
    return Health(status="ok")


@health.get(
    "/readyz", response_model_exclude_unset=True, response_model=Health, responses=answers("ready", 503)
)
async def ready(engine: EngineHere, response: Response) -> Json:
    """Report whether the models are loaded and every index can be used. The status is 503 if an index cannot.

    The answer holds the states of the last check. The service checks all indexes every second. `degraded`
    means that the current generation (published version) of an index is damaged and the last good one serves.
    """
    found = engine.readiness.states
    states = {index["state"] for index in found}
    view = {"indexes": found, "num_fallbacks": engine.library.num_fallbacks}
    if "unusable" in states:
        response.status_code = 503
        return {"status": "not_ready", **view}
    # The status stays 200, because serving an older generation is better than leaving the rotation.
    return {"status": "degraded" if "degraded" in states else "ok", **view}
