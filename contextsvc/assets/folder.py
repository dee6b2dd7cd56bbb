"""Folder of an asset: its path, the record of its pull, and the verification of its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from contextsvc.assets.registry import ASSETS, Asset, Pin, find_asset
from contextsvc.errors import CorruptAsset, MissingAsset

RECORD_FILE = "asset.json"

State = Literal["absent", "present", "damaged"]


@dataclass(frozen=True, slots=True)
class PullRecord:
    """Record of a pull, stored in the asset's folder as `asset.json`.

    Attributes:
        pinned: `Asset.sha256` at the time of the pull. If the registry's value is different now, the folder
            holds another version.
        source: Name of the source that gave the files.
        files: Pin (hash and size) of each published file. The published files of a prepared asset differ from
            the files in the registry.
    """

    pinned: str
    source: str
    files: Mapping[str, Pin]

    def write(self, folder: Path) -> None:
        """Write the record into the folder, beside the files."""
        files = {member: asdict(pin) for member, pin in sorted(self.files.items())}
        content = {"pinned": self.pinned, "source": self.source, "files": files}
        (folder / RECORD_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "PullRecord | None":
        """Read the record file of an asset folder. Return None if it is missing or cannot be read."""
        try:
            content = json.loads((folder / RECORD_FILE).read_text("utf-8"))
            files = {str(member): Pin(**pin) for member, pin in content["files"].items()}
            return cls(str(content["pinned"]), str(content["source"]), files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def folder_of(home: Path, asset: Asset) -> Path:
    """Return the path of an asset's folder, whether the asset was pulled or not."""
    return home / "assets" / asset.name


def locate(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> Path:
    """Return the folder of a pulled asset.

    The function checks only names and sizes of files; `state` also checks their hashes.

    Args:
        home: Home folder of the service.
        name: Name of the asset.
        registry: Known assets by name.

    Raises:
        MissingAsset: the asset was never pulled, has another version, or a file is missing or has another
            size.
        SettingError: the name is unknown.
    """
    asset = find_asset(name, registry)
    folder = folder_of(home, asset)
    command = f"contextsvc assets pull {name}"
    record = PullRecord.read(folder)
    if record is None:
        raise MissingAsset(f"asset {name!r} is not in {folder}; pull it: {command}")
    if record.pinned != asset.sha256:
        raise MissingAsset(
            f"{folder} holds another version of {name!r} than the expected one; pull it: {command}"
        )
    for member, pin in record.files.items():
        path = folder / member
        found = path.stat().st_size if path.is_file() else None
        if found != pin.size_bytes:
            what = "is missing" if found is None else f"has {found} bytes, expected {pin.size_bytes}"
            raise MissingAsset(f"{path} {what}; pull it again: {command}")
    return folder


def state(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> State:
    """Return the state of an asset: `absent`, `present` or `damaged`.

    Every file is hashed. An asset of another version counts as absent.

    Args:
        home: Home folder of the service.
        name: Name of the asset.
        registry: Known assets by name.

    Raises:
        SettingError: the name is unknown.
    """
    asset = find_asset(name, registry)
    folder = folder_of(home, asset)
    record = PullRecord.read(folder)
    if record is None:
        return "damaged" if folder.exists() else "absent"
    if record.pinned != asset.sha256:
        return "absent"
    try:
        # The record may have been edited, so it is used only if the registry has no pins for the files.
        verify(folder, record.files if asset.preparation else asset.files)
    except CorruptAsset:
        return "damaged"
    return "present"


def origin(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> str:
    """Return the name of the source that a pulled asset came from, or "" if the asset was not pulled.

    Raises:
        SettingError: the name of the asset is unknown.
    """
    record = PullRecord.read(folder_of(home, find_asset(name, registry)))
    return record.source if record else ""


def verify(folder: Path, files: Mapping[str, Pin]) -> None:
    """Compare every pinned file with its pin (expected hash and size). Other files are ignored.

    Args:
        folder: Folder of the files.
        files: Pin of each file, by its path relative to the folder.

    Raises:
        CorruptAsset: a file is missing or differs. The error names the file, the found and the expected hash.
    """
    for member, expected in files.items():
        path = folder / member
        if not path.is_file():
            raise CorruptAsset(f"{member} is missing; expected SHA-256 {expected.sha256}")
        found = pin_of(path)
        if found != expected:
            raise CorruptAsset(
                f"{member} has SHA-256 {found.sha256} and {found.size_bytes} bytes; "
                f"expected {expected.sha256} and {expected.size_bytes} bytes"
            )


def pin_of(path: Path) -> Pin:
    """Return the pin of a file: its SHA-256 and its size."""
    with path.open("rb") as file:
        return Pin(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)
