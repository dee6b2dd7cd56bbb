"""Building of a generation (a version of an index) in a staging folder, and its publication.

If the process or the machine crashes at any moment, the published generation stays as it is.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contextsvc.errors import ContextError, ShapeError
from contextsvc.storage.generation.disk import disk_writes, sync_folder, write_synced
from contextsvc.storage.generation.locking import writing
from contextsvc.storage.generation.manifest import (
    DESCRIBED,
    MANIFEST,
    FileEntry,
    Manifest,
    describe,
    manifest_bytes,
    problems,
    read_manifest,
    side_by_side,
)
from contextsvc.storage.generation.pointer import (
    best_pointer,
    generations,
    move_pointer,
    next_pointer,
    read_pointer,
    run_steps,
)
from contextsvc.storage.generation.retention import remove_others
from contextsvc.storage.generation.verified import (
    FileStates,
    as_seen,
    clock_of,
    drop_partial_files,
    write_seen,
)

KEEP = 2
"""Default number of generations that a publish keeps, the new one included."""


@dataclass(frozen=True, slots=True)
class Published:
    """Result of a publish.

    Attributes:
        manifest: Manifest of the generation that is current after the publish.
        changed: Whether the current generation changed. False means that it already had the same content.
    """

    manifest: Manifest
    changed: bool


class Stage:
    """A generation that is being built.

    Write files into `folder`, then call `seal`, then call `publish`. `stage` makes the object.

    Attributes:
        folder: Folder of the new generation.
        index: Folder of the index.
    """

    def __init__(self, root: Path, name: str, folder: Path, keep: int) -> None:
        self.folder, self.index = folder, root / name
        self._root, self._name, self._keep = root, name, keep
        self._manifest: Manifest | None = None
        self._seen: FileStates = {}

    @disk_writes()
    def seal(self, description: Mapping[str, Any]) -> Manifest:
        """Hash and sync every file of the new generation, then write its manifest and return the manifest.

        Args:
            description: Values of the fields named in `DESCRIBED`, no more and no less. They must be JSON.

        Raises:
            ShapeError: the fields are other ones, a value is not JSON, or the folder holds an entry that is
                not a plain file.
            WriteError: the operating system refused to write.
        """
        if set(description) != set(DESCRIBED):
            raise ShapeError(f"expected the fields {DESCRIBED}, found {sorted(description)}")
        paths = sorted(path for path in self.folder.iterdir() if path.name != MANIFEST)
        clock = clock_of(self.folder)
        entries = side_by_side(_sync_and_describe, paths, sum(path.lstat().st_size for path in paths))
        files = {path.name: entry for path, (entry, _) in zip(paths, entries, strict=True)}
        # Any later write to these files gets a later time than `clock`, so that it will be noticed.
        self._seen = {
            path.name: as_seen(entry.sha256, status)
            for path, (entry, status) in zip(paths, entries, strict=True)
            if status.st_ctime_ns < clock
        }
        known = [int(generation.split("-")[0]) for generation in generations(self.index)]
        try:
            manifest = describe(self._name, max(known, default=0) + 1, description, files)
            write_synced(self.folder / MANIFEST, manifest_bytes(manifest))
            self._manifest = read_manifest(self.folder)
        except (TypeError, ValueError) as error:
            raise ShapeError(
                f"the description of index {self._name!r} cannot be written as JSON: {error}"
            ) from error
        sync_folder(self.folder)
        return self._manifest

    @disk_writes()
    def publish(self) -> Published:
        """Make the sealed generation current, keep the newest previous generations, and remove all others.

        If the current generation has the same content and is not damaged, this method only removes the
        staging folder.

        Raises:
            ShapeError: `seal` was not called before.
            WriteError: the operating system refused to write.
        """
        before = self._sound_twin()
        if before is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return Published(before, changed=False)
        run_steps(self.publish_steps())
        # The files were just hashed, so a process that opens the generation need not hash them again.
        write_seen(self.index, self._sealed().generation, self._seen)
        return Published(self._sealed(), changed=True)

    def publish_steps(self) -> Iterator[str]:
        """Publish the generation and yield a name after each step, so that a test can simulate a crash."""
        generation = self._sealed().generation
        previous = best_pointer(self._root, self._name)
        self.folder.rename(self.index / "generations" / generation)
        yield "renamed"
        sync_folder(self.index / "generations")
        yield "generations synced"
        pointer = next_pointer(generation, previous, self._keep, self.index)
        yield from move_pointer(self.index, pointer)
        # The pointer decides, not the number: generations that were rolled back or crashed have high numbers.
        remove_others(self.index, {pointer.generation, *pointer.before})
        yield "collected"

    def _sealed(self) -> Manifest:
        if self._manifest is None:
            raise ShapeError("publish was called before seal")
        return self._manifest

    def _sound_twin(self) -> Manifest | None:
        try:
            pointer = read_pointer(self._root, self._name)
        except ContextError:
            return None
        if not pointer.generation.endswith(self._sealed().content_hash[:12]):
            return None
        folder = self.index / "generations" / pointer.generation
        if problems(folder):
            return None
        manifest = read_manifest(folder)
        return manifest if manifest.content_hash == self._sealed().content_hash else None


@contextmanager
def stage(root: Path, name: str, keep: int = KEEP) -> Iterator[Stage]:
    """Take the writer's lock of an index and yield a new stage for the `with` block.

    At the end of the block the staging folder is removed, unless the stage was published.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        keep: Number of generations that a publish keeps, the new one included; at least 1.

    Raises:
        ContextError: for the same reasons as `locking.writing`.
    """
    with writing(root, name) as index:
        holder = index / "generations"
        for leftover in holder.glob("staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        drop_partial_files(index)
        # Rejected: tempfile.mkdtemp, because other users could not read a folder with its mode.
        folder = holder / f"staging-{os.getpid()}"
        try:
            with disk_writes():
                folder.mkdir()
            yield Stage(root, name, folder, keep)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sync_and_describe(path: Path) -> tuple[FileEntry, os.stat_result]:
    """Hash and sync a file, and return its manifest entry and its status from before the hashing."""
    if path.is_symlink() or not path.is_file():
        raise ShapeError(f"expected plain files only in a generation, found {path.name}")
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return FileEntry(sha256, status.st_size), status
