"""Parts that all operations of the HTTP interface share: body, problem document, engine and examples."""

import json
from functools import cache
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from contextsvc.records.json import Json
from contextsvc.service.engine import Engine
from contextsvc.service.slots import Gone


class Body(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is stable and made for programs, `detail` is made for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str


# This function is async because a plain one would be called in a worker thread.
async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _gone(request: Request) -> Gone:
    async def gone() -> None:
        # The body has been read, so the only further message of interest is that the connection is closed.
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


EngineHere = Annotated[Engine, Depends(_engine)]

GoneHere = Annotated[Gone, Depends(_gone)]
"""Function whose awaitable ends when the client of this request has closed its connection."""


@cache
def examples() -> Json:
    """Return recorded answers of a real service, by name. `python -m tools.record_examples` records them."""
    text = resources.files("contextsvc.api").joinpath("examples.json").read_text("utf-8")
    found: Json = json.loads(text)
    return found


def answers(name: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of an operation for the OpenAPI document, each with an example.

    Args:
        name: Key of the successful answer in `examples`. An empty string means that success has no body.
        refusals: HTTP statuses of the refusals that the operation may answer with.

    Returns:
        The `responses` argument of a route: a description of the answer for each status.
    """
    problems: dict[int | str, dict[str, Any]] = {
        status: {
            "model": Problem,
            "content": {"application/problem+json": {"example": examples()["problems"][str(status)]}},
        }
        for status in refusals
    }
    if not name:
        return problems
    return {200: {"content": {"application/json": {"example": examples()[name]}}}, **problems}
