"""Building a generation aside and making it current, so that a crash at any point loses nothing."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from contextsvc.errors import ContextError, Fault, IndexBusy, SettingError, ShapeError
from contextsvc.generation.manifest import (
    DESCRIBED,
    MANIFEST,
    FileEntry,
    Manifest,
    describe,
    manifest_bytes,
    problems,
    read_manifest,
)
from contextsvc.generation.reading import check_name, current, generations


@dataclass(frozen=True, slots=True)
class Published:
    """What is current after a publish; `changed` is False when the same content was current already."""

    manifest: Manifest
    changed: bool


class Stage:
    """A generation being built: write plain files into `folder`, then seal, then publish."""

    def __init__(self, root: Path, name: str, folder: Path) -> None:
        self.folder = folder
        self._root, self._name = root, name
        self._manifest: Manifest | None = None

    def seal(self, description: Mapping[str, Any]) -> Manifest:
        """Hash and sync every file, then write the manifest, last.

        Args:
            description: Exactly the fields named in `DESCRIBED`, of JSON values.

        Raises:
            ShapeError: another set of fields, values that are not JSON, or something not a plain file.
        """
        if set(description) != set(DESCRIBED):
            raise ShapeError(f"a generation is described by {DESCRIBED}, found {sorted(description)}")
        paths = sorted(path for path in self.folder.iterdir() if path.name != MANIFEST)
        files = {path.name: _sync_and_describe(path) for path in paths}
        known = [int(generation.split("-")[0]) for generation in generations(self._root / self._name)]
        try:
            manifest = describe(self._name, max(known, default=0) + 1, description, files)
            write_synced(self.folder / MANIFEST, manifest_bytes(manifest))
            self._manifest = read_manifest(self.folder)
        except (TypeError, ValueError) as error:
            raise ShapeError(
                f"index {self._name!r} is described by what JSON cannot hold: {error}"
            ) from error
        sync_folder(self.folder)
        return self._manifest

    def publish(self) -> Published:
        """Make the sealed generation current, keep the one before it, remove the rest.

        If the current generation holds the same content and is sound, the stage is dropped instead.

        Raises:
            ShapeError: not sealed.
        """
        before = self._sound_twin()
        if before is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return Published(before, changed=False)
        for _ in self.publish_steps():
            pass
        return Published(self._sealed(), changed=True)

    def publish_steps(self) -> Iterator[str]:
        """Publish, pausing after each step with its name, so that a crash can be tried between any two."""
        index, generation = self._root / self._name, self._sealed().generation
        previous = _current_or_none(self._root, self._name)
        self.folder.rename(index / "generations" / generation)
        yield "renamed"
        sync_folder(index / "generations")
        yield "generations synced"
        write_synced(index / "CURRENT.tmp", generation.encode())
        yield "CURRENT.tmp written"
        (index / "CURRENT.tmp").rename(index / "CURRENT")
        yield "CURRENT replaced"
        sync_folder(index)
        yield "published"
        # The one that was current, not the last but one by number: that may be a crashed writer's.
        remove_others(index, {generation, previous})
        yield "collected"

    def _sealed(self) -> Manifest:
        if self._manifest is None:
            raise ShapeError("publish was called before seal")
        return self._manifest

    def _sound_twin(self) -> Manifest | None:
        generation = _current_or_none(self._root, self._name)
        if generation is None or not generation.endswith(self._sealed().content_hash[:12]):
            return None
        folder = self._root / self._name / "generations" / generation
        if problems(folder):
            return None
        manifest = read_manifest(folder)
        return manifest if manifest.content_hash == self._sealed().content_hash else None


@contextmanager
def stage(root: Path, name: str) -> Iterator[Stage]:
    """Take the writer's lock and a fresh staging folder; whatever was not published is gone at the end.

    Raises:
        InvalidRequest: the name is none.
        SettingError: the root cannot be written.
        IndexBusy: another writer holds the lock.
        Fault: the operating system failed while building, a full disk for one.
    """
    holder = root / check_name(name) / "generations"
    try:
        holder.mkdir(parents=True, exist_ok=True)
        sync_folder(holder.parent)
        sync_folder(root)
        with suppress(PermissionError):
            sync_folder(root.absolute().parent)
        lock = (root / name / "LOCK").open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingError(f"cannot write an index under {root}: {error}; set CONTEXTSVC_ROOT") from error
    with lock:
        _take_lock(lock, name)
        for leftover in holder.glob("staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        # Named by hand: tempfile.mkdtemp would shut other users out of the published folder.
        folder = holder / f"staging-{os.getpid()}"
        try:
            folder.mkdir()
            yield Stage(root, name, folder)
        except OSError as error:
            raise Fault(f"building index {name!r} failed: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_others(index: Path, keep: set[str | None]) -> None:
    """Remove the generations not named; one that resists is left for the next time."""
    for generation in generations(index):
        if generation not in keep:
            shutil.rmtree(index / "generations" / generation, ignore_errors=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file so that it survives a power cut (its name may not: sync the folder too)."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_lock(lock: IO[str], name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read(200) or "another process"
        raise IndexBusy(f"index {name!r} is being built by {holder}; wait for it to end") from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}")
    lock.flush()


def _current_or_none(root: Path, name: str) -> str | None:
    with suppress(ContextError):
        return current(root, name)
    return None


def _sync_and_describe(path: Path) -> FileEntry:
    if path.is_symlink() or not path.is_file():
        raise ShapeError(f"a generation holds plain files only, found {path.name}")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return FileEntry(sha256, os.fstat(file.fileno()).st_size)
