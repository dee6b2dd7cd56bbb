"""The `contextsvc` command.

Exit code 0 means success. Exit code 1 means that the caller can correct the command. Exit code 2 means a
wrong setting, which the operator has to correct, or a fault of the machine or the data.
"""

import sys
from typing import Annotated

import typer

from contextsvc import __version__
from contextsvc.cli import assets, index, measure, pack, serve
from contextsvc.errors import ContextError, SettingError, UserError

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
app.command("calibrate")(measure.calibrate)
app.command("serve")(serve.serve)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Token-budgeted context packs for language models, with measured context utilization."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def run(arguments: list[str] | None = None) -> None:
    """Run the command line, then exit with its exit code."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        app(arguments)
    except SystemExit as leaving:
        # The parser refuses a command with code 2. Here code 2 means a wrong setting or a fault.
        return 0 if not leaving.code else 1
    except KeyboardInterrupt:
        _say("stopped")
        return 1
    except ContextError as error:
        _say(f"error: {error}")
        return 1 if isinstance(error, UserError) and not isinstance(error, SettingError) else 2
    except Exception:  # noqa: BLE001 - any other exception is reported as a defect
        import traceback

        _say(f"error: unexpected; please report it with this:\n{traceback.format_exc()}")
        return 2
    return 0


def _say(line: str) -> None:
    from contextsvc.cli.output import say

    say(line)
