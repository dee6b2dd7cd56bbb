"""`python -m contextsvc`."""

from contextsvc.cli.main import run

run()
