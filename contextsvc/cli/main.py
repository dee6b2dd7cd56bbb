"""The `contextsvc` command: exit code 0, 1 for what the caller can mend, 2 for a fault."""

import sys
import traceback
from typing import Annotated

import typer

from contextsvc import __version__
from contextsvc.cli import assets, index, measure, pack, serve
from contextsvc.cli.output import say
from contextsvc.errors import ContextError, UserError

app = typer.Typer(
    name="contextsvc",
    help="Token-budgeted context packs for language models, with measured context utilization.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(assets.app, name="assets")
app.add_typer(index.app, name="index")
app.command("pack")(pack.pack)
app.command("measure")(measure.measure)
app.command("calibrate")(measure.calibrate_command)
app.command("serve")(serve.serve)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Token-budgeted context packs for language models, with measured context utilization."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        app(arguments)
    except SystemExit as leaving:
        # The parser's own refusals leave with 2, which here is kept for faults.
        return 0 if not leaving.code else 1
    except KeyboardInterrupt:
        say("stopped")
        return 1
    except ContextError as error:
        say(f"error: {error}")
        return 1 if isinstance(error, UserError) else 2
    except Exception:  # noqa: BLE001 - the last line of defence: a defect is told as one
        say(f"error: unexpected; please report it with this:\n{traceback.format_exc()}")
        return 2
    return 0
