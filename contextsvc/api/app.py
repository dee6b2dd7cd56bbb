"""The HTTP application, built from parts it is given."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contextsvc import __version__
from contextsvc.api.documents import documents
from contextsvc.api.limits import BodyLimit
from contextsvc.api.problems import invalid, refuse, unknown, unrouted
from contextsvc.api.routes import routes
from contextsvc.errors import ContextError
from contextsvc.service.engine import Engine


def create_app(build: Callable[[], Engine], max_body_bytes: int = 20_000_000) -> FastAPI:
    """The application.

    Args:
        build: Makes the engine, once, when the service starts: models load there, and every index
            that can be opened is.
        max_body_bytes: Longest request body.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = build()
        app.state.engine = engine
        engine.indexes()
        if engine.background:
            engine.background.start()
        yield
        if engine.background:
            engine.background.stop(timeout_seconds=5.0)

    app = FastAPI(
        title="contextsvc",
        version=__version__,
        description="Token-budgeted context packs with measured context utilization.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere, which a closed network cannot
        redoc_url=None,
    )
    app.add_exception_handler(ContextError, refuse)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, unknown)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.include_router(routes)
    app.include_router(documents)
    return app
