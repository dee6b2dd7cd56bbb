"""What the assets are: every file pinned by SHA-256 in registry.json, and who carries it.

The pins were computed from the wheels. Those of all-MiniLM-L6-v2 are also the hub's at the named
revision; its model card is left out, because the two differ there and nothing reads it.
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
    """What a file has to be."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that carries the files as data under `prefix`; its code is never imported."""

    name: str
    version: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A hub repository that holds the same files at `revision`, a commit."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A folder of pinned files.

    Attributes:
        name: Its folder under `HOME/assets`.
        purpose: What it is for, in words.
        licence: SPDX identifier.
        files: Relative path to what the file has to be; a Mapping so that a path occurs once.
        wheel: Where the files can be had without a hub.
        repository: Where else; None when no hub is known to hold exactly these files.
        preparation: Name of the step between verification and publication; empty: none.
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
        """Of the files as they are fetched."""
        return sum(pin.size_bytes for pin in self.files.values())

    @property
    def sha256(self) -> str:
        """The file's own where there is one file, else of the lines `sha256sum` prints, sorted by path."""
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


def named(name: str, registry: Mapping[str, Asset] = ASSETS) -> Asset:
    """The asset of that name.

    Raises:
        SettingError: there is none.
    """
    try:
        return registry[name]
    except KeyError:
        raise SettingError(f"unknown asset {name!r}; choose from {', '.join(registry)}") from None
