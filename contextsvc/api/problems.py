"""Error -> status and `application/problem+json` (RFC 9457), in one table."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contextsvc.errors import (
    BudgetTooSmall,
    ContextError,
    Fault,
    IndexBusy,
    IndexMismatch,
    InvalidRequest,
    MissingAsset,
    MissingExtra,
    Overloaded,
    SettingError,
    UnknownDocument,
    UnknownIndex,
    UnknownPack,
    UserError,
)

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("contextsvc.api")

STATUS: Mapping[type[ContextError], int] = {
    UnknownIndex: 404,
    UnknownDocument: 404,
    UnknownPack: 404,
    IndexBusy: 409,
    IndexMismatch: 409,
    InvalidRequest: 422,
    BudgetTooSmall: 422,
    SettingError: 422,
    MissingAsset: 503,
    MissingExtra: 503,
    Overloaded: 429,
    UserError: 409,
    Fault: 500,
    ContextError: 500,
}


def status_of(error: ContextError) -> int:
    """The status of the nearest class in the table."""
    if isinstance(error, Overloaded) and error.waited:
        return 503
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem document; `type` is a stable name, not a page."""
    body = {
        "type": f"urn:contextsvc:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def refuse(_: Request, error: Exception) -> JSONResponse:
    """A refusal of this package: its message is meant for the caller."""
    assert isinstance(error, ContextError)
    status = status_of(error)
    if status >= 500:
        log.error("%s: %s", error.code, error)
    if isinstance(error, Overloaded):
        return problem(status, error.code, str(error), {"Retry-After": str(error.retry_after_seconds)})
    if isinstance(error, BudgetTooSmall):
        return problem(status, error.code, str(error), smallest_budget_tokens=error.smallest_tokens)
    return problem(status, error.code, str(error))


def invalid(_: Request, error: Exception) -> JSONResponse:
    """A body that does not fit the schema: where and why, without echoing it."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in found["loc"]), "why": found["msg"]}
        for found in error.errors()
    ]
    detail = "; ".join(f"{found['where']}: {found['why']}" for found in errors)
    return problem(422, InvalidRequest.code, detail, errors=errors)


def unrouted(_: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: no such route, no such method."""
    assert isinstance(error, HTTPException)
    # Named here: versions of Python differ in the phrase.
    known = {413: "content_too_large"}
    code = known.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))


def unknown(request: Request, error: Exception) -> JSONResponse:
    """Anything else is a defect: logged whole, told without details."""
    log.error("unexpected %s on %s", type(error).__name__, request.url.path, exc_info=error)
    return problem(500, "internal_error", "an unexpected error; the service's log has the details")
