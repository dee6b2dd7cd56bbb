"""Registry of assets (registry.json): files with SHA-256, and the wheel and repository that hold them.

The pins (hash and size of each file) were computed from the wheels. The files of all-MiniLM-L6-v2 are equal
in the hub repository at the given revision, except for the model card. The model card is left out because
nothing reads it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from contextsvc.errors import SettingError


@dataclass(frozen=True, slots=True)
class Pin:
    """Expected hash and size of a file."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that holds the files as data under the path `prefix`.

    The code of the wheel is never imported.
    """

    name: str
    version: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A hub repository that holds the same files as the wheel. `revision` is a commit."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A folder of pinned files.

    Attributes:
        name: Name of the folder under `HOME/assets`.
        purpose: What the asset is used for, in words.
        licence: SPDX identifier of the licence.
        files: Pin (hash and size) of each file, by its path relative to the folder.
        wheel: Wheel that holds the files.
        repository: Hub repository with exactly these files; None if none is known.
        preparation: Name of the step between verification and publication; empty if there is none.
    """

    name: str
    purpose: str
    licence: str
    files: Mapping[str, Pin]
    wheel: Wheel
    repository: Repository | None = None
    preparation: str = ""

    def __post_init__(self) -> None:
        for member in (self.name, *self.files):
            path = PurePosixPath(member)
            if path.is_absolute() or ".." in path.parts or "\\" in member or not path.parts:
                raise SettingError(f"asset {self.name!r} names {member!r}; expected a path inside its folder")

    @property
    def size_bytes(self) -> int:
        """Total size of the pinned files, before any preparation."""
        return sum(pin.size_bytes for pin in self.files.values())

    @property
    def sha256(self) -> str:
        """SHA-256 of the asset.

        For one file this is the file's hash. For several files it is the hash of what `sha256sum` would print
        for them, sorted by path.
        """
        if len(self.files) == 1:
            return next(iter(self.files.values())).sha256
        lines = (f"{pin.sha256}  {member}\n" for member, pin in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read_registry() -> Mapping[str, Asset]:
    entries = json.loads(resources.files(__package__).joinpath("registry.json").read_text("utf-8"))
    return MappingProxyType({name: _asset(name, entry) for name, entry in entries.items()})


def _asset(name: str, entry: dict[str, Any]) -> Asset:
    return Asset(
        name=name,
        purpose=entry["purpose"],
        licence=entry["licence"],
        files=MappingProxyType({member: Pin(*pin) for member, pin in entry["files"].items()}),
        wheel=Wheel(**entry["wheel"]),
        repository=Repository(**entry["repository"]) if "repository" in entry else None,
        preparation=entry.get("preparation", ""),
    )


ASSETS = _read_registry()
"""Every asset by name."""


def find_asset(name: str, registry: Mapping[str, Asset] = ASSETS) -> Asset:
    """Return an asset by its name.

    Raises:
        SettingError: the name is unknown.
    """
    try:
        return registry[name]
    except KeyError:
        raise SettingError(f"unknown asset {name!r}; choose from {', '.join(registry)}") from None
