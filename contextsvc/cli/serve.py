"""`contextsvc serve`: the HTTP service."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from contextsvc.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address; default: CONTEXTSVC_HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: CONTEXTSVC_PORT or 8000.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the indexes.")] = None,
) -> None:
    """Serve the indexes under the root over HTTP."""
    import uvicorn

    from contextsvc.api.app import create_app
    from contextsvc.wiring import build_engine

    settings = Settings.from_env()
    settings = replace(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        root=root or settings.root,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    engine = build_engine(settings)  # before the server: what is missing is told as any command tells it
    app = create_app(lambda: engine, settings.max_body_bytes)
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None)
