"""Model and data files pinned by SHA-256: what they are, where they lie, how they get there.

An asset is the folder `HOME/assets/NAME`. Its manifest is written after every file was verified and
before the folder gets its name, so a folder that bears the name was whole when it got it.
"""

from contextsvc.assets.folder import State, locate, origin, state
from contextsvc.assets.pulling import AssetSource, Preparation, Pulled, Report, pull
from contextsvc.assets.registry import ASSETS, Asset, Pin, Repository, Wheel, named

__all__ = [
    "ASSETS",
    "Asset",
    "AssetSource",
    "Pin",
    "Preparation",
    "Pulled",
    "Report",
    "Repository",
    "State",
    "Wheel",
    "locate",
    "named",
    "origin",
    "pull",
    "state",
]
