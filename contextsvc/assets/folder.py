"""Where an asset lies and whether it is whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from contextsvc.assets.registry import ASSETS, Asset, Pin, named
from contextsvc.errors import CorruptAsset, MissingAsset

MANIFEST = "asset.json"

State = Literal["absent", "present", "damaged"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds.

    Attributes:
        pinned: `Asset.sha256` at the time of the pull; another one now means another version.
        source: Where the files came from.
        files: What is published; for a prepared asset these are not the pinned files.
    """

    pinned: str
    source: str
    files: Mapping[str, Pin]

    def write(self, folder: Path) -> None:
        """Into the folder, beside the files."""
        files = {member: asdict(pin) for member, pin in sorted(self.files.items())}
        content = {"pinned": self.pinned, "source": self.source, "files": files}
        (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """None when there is none that can be read."""
        try:
            content = json.loads((folder / MANIFEST).read_text("utf-8"))
            files = {str(member): Pin(**pin) for member, pin in content["files"].items()}
            return cls(str(content["pinned"]), str(content["source"]), files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def folder_of(home: Path, asset: Asset) -> Path:
    """Where the asset lies or would lie."""
    return home / "assets" / asset.name


def locate(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> Path:
    """Folder of a pulled asset. Cheap: compares names and sizes; `state` hashes.

    Raises:
        MissingAsset: it was never pulled, is another version, or files are gone or cut short.
        SettingError: no asset has that name.
    """
    asset = named(name, registry)
    folder = folder_of(home, asset)
    command = f"contextsvc assets pull {name}"
    manifest = Manifest.read(folder)
    if manifest is None:
        raise MissingAsset(f"asset {name!r} is not in {folder}; pull it: {command}")
    if manifest.pinned != asset.sha256:
        raise MissingAsset(
            f"{folder} holds another version of {name!r} than the pinned one; pull it: {command}"
        )
    for member, pin in manifest.files.items():
        path = folder / member
        found = path.stat().st_size if path.is_file() else None
        if found != pin.size_bytes:
            what = "is gone" if found is None else f"has {found} bytes, expected {pin.size_bytes}"
            raise MissingAsset(f"{path} {what}; pull it again: {command}")
    return folder


def state(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> State:
    """Whether an asset is there and whole; hashes every file. Another version counts as absent.

    Raises:
        SettingError: no asset has that name.
    """
    asset = named(name, registry)
    folder = folder_of(home, asset)
    manifest = Manifest.read(folder)
    if manifest is None:
        return "damaged" if folder.exists() else "absent"
    if manifest.pinned != asset.sha256:
        return "absent"
    try:
        # The manifest could have been edited; it is believed only where the registry has no pins.
        verify(folder, manifest.files if asset.preparation else asset.files)
    except CorruptAsset:
        return "damaged"
    return "present"


def origin(home: Path, name: str, registry: Mapping[str, Asset] = ASSETS) -> str:
    """The source that a pulled asset came from; empty when none is there."""
    manifest = Manifest.read(folder_of(home, named(name, registry)))
    return manifest.source if manifest else ""


def verify(folder: Path, files: Mapping[str, Pin]) -> None:
    """Compare every file with its pin; files without one are ignored.

    Raises:
        CorruptAsset: naming the first file that differs, what was found and what was expected.
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
    """What a file is."""
    with path.open("rb") as file:
        return Pin(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)
