"""`python -m contextsvc`: the command line."""

from contextsvc.cli.main import run

if __name__ == "__main__":
    run()
