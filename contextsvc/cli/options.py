"""Options that several commands share, and the settings that they change."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from contextsvc.settings import Settings

JsonFlag = typer.Option("--json", help="Print JSON for programs.")

RootOption = typer.Option(help="Folder of the indexes.  [default: CONTEXTSVC_ROOT, else indexes]")

StrictFlag = typer.Option("--strict", help="Exit with 1 if a source was skipped.")

ResumeFlag = typer.Option("--resume", help="Continue an interrupted run from its finished parts.")


def settings_with(**options: Any) -> "Settings":
    """Return the settings of the environment. Each option that is not None replaces the setting of its name.

    Raises:
        SettingError: a setting is wrong.
    """
    from contextsvc.settings import Settings

    given = {name: value for name, value in options.items() if value is not None}
    return replace(Settings.from_env(), **given)
