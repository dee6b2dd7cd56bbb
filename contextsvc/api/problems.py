"""Refusals: errors as problem documents (RFC 9457), and the limit on the length of a body."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    UnknownChoice,
    UnknownDocument,
    UnknownIndex,
    UnknownPack,
    UserError,
)

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499
"""HTTP status for the access log when the client has left. The client does not see it."""

log = logging.getLogger("contextsvc.api")

STATUS: Mapping[type[ContextError], int] = {
    UnknownIndex: 404,
    UnknownDocument: 404,
    UnknownPack: 404,
    IndexBusy: 409,
    IndexMismatch: 409,
    InvalidRequest: 422,
    BudgetTooSmall: 422,
    UnknownChoice: 422,
    SettingError: 500,
    MissingAsset: 503,
    MissingExtra: 503,
    Overloaded: 429,
    UserError: 409,
    Fault: 500,
    ContextError: 500,
}


def status_of(error: ContextError) -> int:
    """Return the HTTP status of an error: that of its nearest class in the table `STATUS`."""
    if isinstance(error, Overloaded) and error.waited:
        return 503
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Make a problem document. Its `type` is a stable name, not the address of a page."""
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
    """Answer an error of this package with its public text. The log has the whole text."""
    assert isinstance(error, ContextError)
    status, detail = status_of(error), error.public_text
    if status >= 500 and not isinstance(error, Overloaded):
        log.error("%s: %s", error.code, error)
    elif detail != str(error):
        log.info("%s: %s", error.code, error)
    if isinstance(error, Overloaded):
        return problem(status, error.code, detail, {"Retry-After": str(error.retry_after_seconds)})
    if isinstance(error, BudgetTooSmall):
        return problem(status, error.code, detail, smallest_budget_tokens=error.smallest_tokens)
    return problem(status, error.code, detail)


def invalid(_: Request, error: Exception) -> JSONResponse:
    """Answer a body that does not fit the schema: say where and why, without repeating its values."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(str(part) for part in found["loc"]), "why": found["msg"]}
        for found in error.errors()
    ]
    detail = "; ".join(f"{found['where']}: {found['why']}" for found in errors)
    return problem(422, InvalidRequest.code, detail, errors=errors)


def unrouted(_: Request, error: Exception) -> JSONResponse:
    """Answer what the framework itself refuses, such as an unknown route or method."""
    assert isinstance(error, HTTPException)
    # This code is fixed here, because versions of Python differ in the phrase for 413.
    known = {413: "content_too_large"}
    code = known.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))


def unknown(request: Request, error: Exception) -> JSONResponse:
    """Answer any other exception without details. It is a defect, and the log has all the details."""
    log.error("unexpected %s on %s", type(error).__name__, request.url.path, exc_info=error)
    return problem(500, "internal_error", "an unexpected error; the service's log has the details")


def client_gone(_: Request, __: Exception) -> Response:
    """Return an empty answer for a client that closed its connection while its request waited."""
    return Response(status_code=CLIENT_GONE)


class BodyLimit:
    """Middleware that refuses a body longer than `max_bytes` with status 413.

    If the header `content-length` is too large, the body is not read. Otherwise the request is refused as
    soon as more bytes have arrived than allowed.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_bytes:
            await problem(413, "content_too_large", self._reason)(scope, receive, send)
            return
        num_bytes = 0

        async def counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_bytes:
                # The application is reading the body, so its handler `unrouted` answers this exception.
                raise HTTPException(413, self._reason)
            return message

        await self._app(scope, counted, send)

    @property
    def _reason(self) -> str:
        return f"the body is longer than {self._max_bytes} bytes; CONTEXTSVC_MAX_BODY_BYTES raises the limit"
