"""Pull an asset into the home folder.

The files are fetched into a temporary folder (.NAME.*.part), verified and prepared. A rename then publishes
the folder.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from contextsvc.assets.folder import PullRecord, folder_of, pin_of, state, verify
from contextsvc.assets.registry import ASSETS, Asset, Pin, find_asset
from contextsvc.errors import CorruptAsset, Fault, MissingAsset, SettingError

Notify = Callable[[str], None]
"""Function that receives lines of progress for the user."""

Preparation = Callable[[Path, Path], None]
"""Function that reads the verified files in the first folder and writes the files to publish into the second.
"""


class AssetSource(Protocol):
    """A source of assets, such as a package index or a model hub."""

    @property
    def name(self) -> str:
        """Display name of the source."""
        ...

    def fetch(self, asset: Asset, into: Path) -> None:
        """Put the asset's files into an empty folder. The caller verifies the files.

        Args:
            asset: Asset whose files are fetched.
            into: Folder to write into.

        Raises:
            MissingAsset: the source does not answer or does not have the asset.
            CorruptAsset: the source's files differ from the pins.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pulled:
    """Result of a pull.

    Attributes:
        name: Name of the asset.
        folder: Folder of the asset.
        source: Name of the source, or `already there`.
        seconds: Duration of the pull.
        size_bytes: Total size of the published files.
    """

    name: str
    folder: Path
    source: str
    seconds: float
    size_bytes: int


def pull(
    home: Path,
    name: str,
    sources: Sequence[AssetSource],
    notify: Notify,
    preparations: Mapping[str, Preparation] = MappingProxyType({}),
    registry: Mapping[str, Asset] = ASSETS,
) -> Pulled:
    """Pull an asset into `home` unless it is already present. A damaged asset is replaced.

    Only one process at a time pulls an asset. Another process waits and then finds the asset present.

    Args:
        home: Home folder of the service.
        name: Name of the asset.
        sources: Sources in order of preference. A source that fails, or whose files differ from the pins, is
            skipped.
        notify: Function that receives a line of progress, for example for each skipped source.
        preparations: Known preparations by name. A preparation converts the fetched files before publication.
        registry: Known assets by name.

    Raises:
        MissingAsset: no source has the asset.
        CorruptAsset: no source has the pinned files, or the preparation failed its own check.
        SettingError: the name of the asset or of its preparation is unknown.
        Fault: `home` cannot be written.
    """
    asset = find_asset(name, registry)
    if asset.preparation and asset.preparation not in preparations:
        known = ", ".join(preparations) or "none"
        raise SettingError(f"asset {name!r} needs the preparation {asset.preparation!r}; given: {known}")
    started = time.monotonic()
    folder = folder_of(home, asset)
    try:
        with _locked(folder, lambda: notify(f"{name}: waiting for another pull of it")):
            source = "already there"
            if state(home, name, registry) != "present":
                source = _install(asset, folder, sources, notify, preparations.get(asset.preparation))
    except OSError as error:
        raise Fault(f"asset {name!r} cannot be written to {folder}: {error}") from error
    record = PullRecord.read(folder)
    size_bytes = sum(pin.size_bytes for pin in record.files.values()) if record else 0
    return Pulled(name, folder, source, time.monotonic() - started, size_bytes)


@contextmanager
def _locked(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the asset's file lock within the context. The kernel releases the lock if the process is killed.

    Args:
        folder: Folder of the asset.
        waiting: Function that is called once if another process holds the lock.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(
    asset: Asset, folder: Path, sources: Sequence[AssetSource], notify: Notify, prepare: Preparation | None
) -> str:
    """Install the asset and return the name of its source.

    The caller holds the lock, so any temporary folder that exists is a leftover and is removed.
    """
    for leftover in folder.parent.glob(f".{asset.name}.*.part"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", suffix=".part", dir=folder.parent) as name:
        fetched, ready, old = (Path(name) / part for part in ("fetched", "ready", "old"))
        source = _fetch(asset, fetched, sources, notify)
        ready.mkdir()
        if prepare is not None and asset.preparation:
            notify(f"{asset.name}: preparing ({asset.preparation})")
            prepare(fetched, ready)
        else:
            _move(asset.files, fetched, ready)
        PullRecord(asset.sha256, source, _pins(ready)).write(ready)
        _settle(ready)
        if folder.exists():  # moved away first, because a rename cannot replace a folder that holds files
            folder.replace(old)
        ready.replace(folder)
    return source


def _fetch(asset: Asset, into: Path, sources: Sequence[AssetSource], notify: Notify) -> str:
    tried: list[str] = []
    error: type[MissingAsset | CorruptAsset] = MissingAsset
    for source in sources:
        into.mkdir()
        try:
            source.fetch(asset, into)
            verify(into, asset.files)
            return source.name
        except (MissingAsset, CorruptAsset) as reason:
            error = CorruptAsset if isinstance(reason, CorruptAsset) else error
            tried.append(f"{source.name}: {reason}")
            notify(f"{asset.name}: {tried[-1]}")
        shutil.rmtree(into)
    raise error(
        f"asset {asset.name!r} could not be pulled, and nothing was changed; "
        f"{'; '.join(tried) or 'no source given'}"
    )


def _move(files: Mapping[str, Pin], fetched: Path, ready: Path) -> None:
    """Move only the pinned files, because a source may leave other files beside them."""
    for member in files:
        target = ready / member
        target.parent.mkdir(parents=True, exist_ok=True)
        (fetched / member).replace(target)


def _pins(folder: Path) -> dict[str, Pin]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): pin_of(path) for path in files}


def _settle(folder: Path) -> None:
    """Make files readable for other users and sync them to disk.

    Libraries write files that only their owner can read. Without a sync before the rename, a power cut could
    leave a published folder with empty files.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
