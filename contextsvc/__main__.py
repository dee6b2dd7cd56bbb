"""`python -m contextsvc`."""

from contextsvc.cli.main import run

if __name__ == "__main__":
    run()
