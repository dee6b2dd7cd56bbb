"""What every operation of the HTTP interface shares: the engine, examples, and how work is run."""

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
    """A request body. An unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """Problem document (RFC 9457); `code` is stable, `detail` is for a person."""

    type: str
    title: str
    status: int
    detail: str
    code: str


# async: a plain function would be called in a worker thread
async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _gone(request: Request) -> Gone:
    async def gone() -> None:
        # The body has been read: the next message that matters says that the connection is closed.
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


EngineHere = Annotated[Engine, Depends(_engine)]

GoneHere = Annotated[Gone, Depends(_gone)]
"""Ends when the client of this request has closed its connection."""


@cache
def examples() -> Json:
    """Recorded answers of a real service, by name; `python -m tools.record_examples` records them."""
    text = resources.files("contextsvc.api").joinpath("examples.json").read_text("utf-8")
    found: Json = json.loads(text)
    return found


def answers(name: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Answers of an operation for the OpenAPI document: an example of success, and of each refusal.

    Args:
        name: Key of the example of success in `examples`; empty: success has no body.
        refusals: Statuses that the operation may answer.
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
