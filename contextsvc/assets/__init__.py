"""Model and data files, pinned by SHA-256: their registry, their folders, and how they are pulled.

To pull an asset means to fetch its files into the folder `HOME/assets/NAME`. The folder gets this name only
after every file was verified and a record of the pull was written. So a folder with that name was complete
when it was published.
"""

from contextsvc.assets.folder import State, locate, origin, state
from contextsvc.assets.pulling import AssetSource, Notify, Preparation, Pulled, pull
from contextsvc.assets.registry import ASSETS, Asset, Pin, Repository, Wheel, find_asset

__all__ = [
    "ASSETS",
    "Asset",
    "AssetSource",
    "Notify",
    "Pin",
    "Preparation",
    "Pulled",
    "Repository",
    "State",
    "Wheel",
    "find_asset",
    "locate",
    "origin",
    "pull",
    "state",
]
