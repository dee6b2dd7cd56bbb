"""Model and data files, pinned by SHA-256: the registry, the folders, and pulling.

An asset is the folder `HOME/assets/NAME`. Its record is written after every file was verified and before the
folder gets its name. So a folder with that name was complete when it was published.
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
