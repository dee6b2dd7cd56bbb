"""Building a generation aside and making it current, so that a crash at any point loses nothing."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contextsvc.errors import ContextError, ShapeError
from contextsvc.storage.generation.disk import sync_folder, write_synced
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
    pointed,
    read_pointer,
    through,
)
from contextsvc.storage.generation.retention import remove_others
from contextsvc.storage.generation.verified import FileStates, as_seen, clock_of, write_seen

KEEP = 2
"""Generations that a publish leaves, the new one included, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is current after a publish; `changed` is False when the same content was current already."""

    manifest: Manifest
    changed: bool


class Stage:
    """A generation being built: write plain files into `folder`, then seal, then publish.

    Attributes:
        folder: Of the new generation.
        index: Of the index.
    """

    def __init__(self, root: Path, name: str, folder: Path, keep: int) -> None:
        self.folder, self.index = folder, root / name
        self._root, self._name, self._keep = root, name, keep
        self._manifest: Manifest | None = None
        self._seen: FileStates = {}

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
        clock = clock_of(self.folder)
        entries = side_by_side(_sync_and_describe, paths, sum(path.lstat().st_size for path in paths))
        files = {path.name: entry for path, (entry, _) in zip(paths, entries, strict=True)}
        # Whatever is written from here on bears a later time than these, so that it will be noticed.
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
                f"index {self._name!r} is described by what JSON cannot hold: {error}"
            ) from error
        sync_folder(self.folder)
        return self._manifest

    def publish(self) -> Published:
        """Make the sealed generation current, keep as many before it as asked, remove the rest.

        If the current generation holds the same content and is sound, the stage is dropped instead.

        Raises:
            ShapeError: not sealed.
        """
        before = self._sound_twin()
        if before is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return Published(before, changed=False)
        through(self.publish_steps())
        # What was hashed a moment ago need not be hashed again by who opens it now.
        write_seen(self.index, self._sealed().generation, self._seen)
        return Published(self._sealed(), changed=True)

    def publish_steps(self) -> Iterator[str]:
        """Publish, pausing after each step with its name, so that a crash can be tried between any two."""
        generation = self._sealed().generation
        former = best_pointer(self._root, self._name)
        self.folder.rename(self.index / "generations" / generation)
        yield "renamed"
        sync_folder(self.index / "generations")
        yield "generations synced"
        pointer = pointed(generation, former, self._keep, self.index)
        yield from move_pointer(self.index, pointer)
        # By the pointer, not by number: what a crashed writer left or was rolled back has high numbers too.
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
    """Take the writer's lock and a fresh staging folder; whatever was not published is gone at the end.

    Args:
        root: Folder of the indexes.
        name: The index.
        keep: Generations that a publish leaves, the new one included; at least 1.

    Raises:
        ContextError: as `locking.writing`.
    """
    with writing(root, name) as index:
        holder = index / "generations"
        for leftover in holder.glob("staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        # Named by hand: tempfile.mkdtemp would shut other users out of the published folder.
        folder = holder / f"staging-{os.getpid()}"
        try:
            folder.mkdir()
            yield Stage(root, name, folder, keep)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sync_and_describe(path: Path) -> tuple[FileEntry, os.stat_result]:
    """And what the system said of the file before it was read."""
    if path.is_symlink() or not path.is_file():
        raise ShapeError(f"a generation holds plain files only, found {path.name}")
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return FileEntry(sha256, status.st_size), status
