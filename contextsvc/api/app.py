"""The HTTP application: routes, handlers of errors, and the start and end of the service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contextsvc import __version__
from contextsvc.api.documents import documents
from contextsvc.api.health import health
from contextsvc.api.indexes import indexes
from contextsvc.api.packs import packs
from contextsvc.api.problems import BodyLimit, client_gone, invalid, refuse, unknown, unrouted
from contextsvc.api.utilization import utilization
from contextsvc.errors import ContextError
from contextsvc.service.engine import Engine
from contextsvc.service.slots import ClientGone


def create_app(build: Callable[[], Engine], max_body_bytes: int = 20_000_000) -> FastAPI:
    """Make the HTTP application.

    Args:
        build: Makes the engine. It is called once, when the service starts. Models are loaded then, and every
            index that can be opened is opened before the first request.
        max_body_bytes: Length of the longest request body that is accepted.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = build()
        app.state.engine = engine
        engine.readiness.start()
        if engine.background:
            engine.background.start()
        yield
        engine.readiness.stop()
        if engine.background:
            engine.background.stop(timeout_seconds=5.0)

    app = FastAPI(
        title="contextsvc",
        version=__version__,
        description="Token-budgeted context packs with measured context utilization.",
        lifespan=lifespan,
        docs_url=None,  # this page loads scripts from another host, which fails in a closed network
        redoc_url=None,
    )
    app.add_exception_handler(ContextError, refuse)
    app.add_exception_handler(ClientGone, client_gone)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, unknown)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    for router in (packs, utilization, indexes, documents, health):
        app.include_router(router)
    return app
