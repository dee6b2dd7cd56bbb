"""How an asset gets into the home folder: fetched aside, verified, prepared, published by one rename."""

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

from contextsvc.assets.folder import Manifest, folder_of, pin_of, state, verify
from contextsvc.assets.registry import ASSETS, Asset, Pin, named
from contextsvc.errors import CorruptAsset, Fault, MissingAsset, SettingError

Report = Callable[[str], None]
Preparation = Callable[[Path, Path], None]
"""Writes what is published (second folder) from the verified files (first folder)."""


class AssetSource(Protocol):
    """A place that assets come from."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def fetch(self, asset: Asset, into: Path) -> None:
        """Put the asset's files into an empty folder. The caller verifies them.

        Raises:
            MissingAsset: the source does not answer or does not hold the asset.
            CorruptAsset: what it holds is seen to differ.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did; `size_bytes` is what now lies in `folder`."""

    name: str
    folder: Path
    source: str
    seconds: float
    size_bytes: int


def pull(
    home: Path,
    name: str,
    sources: Sequence[AssetSource],
    report: Report,
    preparations: Mapping[str, Preparation] = MappingProxyType({}),
    registry: Mapping[str, Asset] = ASSETS,
) -> Pulled:
    """Bring an asset into `home` unless it is there and whole; a damaged one is replaced.

    Sources are tried in order; one whose files differ from the pins is passed over like one that does
    not answer. `report` gets a line for each that did not serve. One process at a time pulls an asset;
    another waits and then finds it there.

    Raises:
        MissingAsset: no source had it.
        CorruptAsset: none had the pinned files, or the preparation failed its own check.
        SettingError: the name or its preparation is unknown.
        Fault: `home` cannot be written.
    """
    asset = named(name, registry)
    if asset.preparation and asset.preparation not in preparations:
        known = ", ".join(preparations) or "none"
        raise SettingError(f"asset {name!r} needs the preparation {asset.preparation!r}; given: {known}")
    started = time.monotonic()
    folder = folder_of(home, asset)
    try:
        with _locked(folder, lambda: report(f"{name}: waiting for another pull of it")):
            source = "already there"
            if state(home, name, registry) != "present":
                source = _install(asset, folder, sources, report, preparations.get(asset.preparation))
    except OSError as error:
        raise Fault(f"asset {name!r} cannot be written to {folder}: {error}") from error
    manifest = Manifest.read(folder)
    size_bytes = sum(pin.size_bytes for pin in manifest.files.values()) if manifest else 0
    return Pulled(name, folder, source, time.monotonic() - started, size_bytes)


@contextmanager
def _locked(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the asset's lock. A file lock, not a pid file: the kernel drops it when its holder is killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(
    asset: Asset, folder: Path, sources: Sequence[AssetSource], report: Report, prepare: Preparation | None
) -> str:
    """The source used. The lock is held, so any scratch folder found belongs to a pull that died."""
    for leftover in folder.parent.glob(f".{asset.name}.*.part"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", suffix=".part", dir=folder.parent) as name:
        fetched, ready, old = (Path(name) / part for part in ("fetched", "ready", "old"))
        source = _fetch(asset, fetched, sources, report)
        ready.mkdir()
        if prepare is not None and asset.preparation:
            report(f"{asset.name}: preparing ({asset.preparation})")
            prepare(fetched, ready)
        else:
            _move(asset.files, fetched, ready)
        Manifest(asset.sha256, source, _pins(ready)).write(ready)
        _settle(ready)
        if folder.exists():  # a rename does not replace a folder that holds files
            folder.replace(old)
        ready.replace(folder)
    return source


def _fetch(asset: Asset, into: Path, sources: Sequence[AssetSource], report: Report) -> str:
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
            report(f"{asset.name}: {tried[-1]}")
        shutil.rmtree(into)
    raise error(
        f"asset {asset.name!r} was not pulled, nothing was kept; {'; '.join(tried) or 'no source given'}"
    )


def _move(files: Mapping[str, Pin], fetched: Path, ready: Path) -> None:
    """The pinned files alone: a source may leave files of its own beside them."""
    for member in files:
        target = ready / member
        target.parent.mkdir(parents=True, exist_ok=True)
        (fetched / member).replace(target)


def _pins(folder: Path) -> dict[str, Pin]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): pin_of(path) for path in files}


def _settle(folder: Path) -> None:
    """Readable for other users (libraries write private files), and on the disk before the name
    appears, or a power cut could publish empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
