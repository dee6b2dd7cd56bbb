"""`contextsvc serve`: run the HTTP service."""

from pathlib import Path
from typing import Annotated

import typer

from contextsvc.cli.options import RootOption, settings_with


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.  [default: CONTEXTSVC_HOST, else 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port to listen on.  [default: CONTEXTSVC_PORT, else 8000]"),
    ] = None,
    root: Annotated[Path | None, RootOption] = None,
) -> None:
    """Serve all indexes over HTTP."""
    import logging

    # Set up logging before the settings are read, because ignored settings are logged.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = settings_with(host=host, port=port, root=root)

    import uvicorn

    from contextsvc.api.app import create_app
    from contextsvc.wiring import build_engine

    engine = build_engine(
        settings
    )  # build it before the server starts, so that a missing model ends the command with its error
    app = create_app(lambda: engine, settings.max_body_bytes)
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None)
