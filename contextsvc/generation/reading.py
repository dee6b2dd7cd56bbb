"""Finding and opening generations under a root."""

import re
from pathlib import Path

from contextsvc.errors import ContextError, CorruptIndex, InvalidRequest, UnknownIndex
from contextsvc.generation.manifest import Manifest, problems, read_manifest

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_GENERATION = re.compile(r"[0-9]{8,}-[0-9a-f]{12}")


def check_name(name: str) -> str:
    """The name, if it is one: 1 to 64 of a-z 0-9 . _ - starting with a letter or digit, so no path.

    Raises:
        InvalidRequest: it is not.
    """
    if not _NAME.fullmatch(name):
        expected = "1 to 64 of a-z 0-9 . _ - starting with a letter or digit"
        raise InvalidRequest(f"{name[:80]!r} is no index name; expected {expected}")
    return name


def index_names(root: Path) -> list[str]:
    """Names of the indexes under the root that have been published, sorted; [] without a root."""
    if not root.is_dir():
        return []
    return sorted(
        path.name for path in root.iterdir() if _NAME.fullmatch(path.name) and (path / "CURRENT").exists()
    )


def current(root: Path, name: str) -> str:
    """Id of the published generation.

    Raises:
        InvalidRequest: the name is none.
        UnknownIndex: nothing was published under it.
        CorruptIndex: CURRENT cannot be read or holds no generation id.
    """
    try:
        found = (root / check_name(name) / "CURRENT").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UnknownIndex(name, str(root), index_names(root)) from None
    except OSError as error:
        raise CorruptIndex(name, [f"CURRENT: {error.strerror}"]) from error
    generation = found[:80].decode("utf-8", "replace").strip()
    if not _GENERATION.fullmatch(generation):
        raise CorruptIndex(name, [f"CURRENT: holds {generation!r}, expected a generation id"])
    return generation


def open_manifest(root: Path, name: str, generation: str | None = None) -> tuple[Path, Manifest]:
    """Folder and manifest of a generation, the current one unless named, after verifying every file.

    Raises:
        InvalidRequest: the name is none, or the index has no such generation.
        UnknownIndex: nothing was published under the name.
        CorruptIndex: with every problem found.
    """
    now = current(root, name)
    index = root / name
    if generation is not None and generation not in generations(index):
        there = ", ".join(generations(index)) or "none"
        raise InvalidRequest(f"index {name!r} has no generation {generation!r} (there: {there})")
    while True:
        folder = index / "generations" / (generation or now)
        found = problems(folder)
        if not found:
            return folder, read_manifest(folder)
        before, now = now, current(root, name)
        # A publish meanwhile may have removed the folder under us; then the new one is meant.
        if generation is not None or now == before:
            raise CorruptIndex(name, found)


def claimed_embedder(root: Path, name: str, generation: str) -> str:
    """The embedder that a generation's manifest names, unverified; empty when it cannot be read."""
    try:
        return read_manifest(root / name / "generations" / generation).embedder
    except ContextError:
        return ""


def generations(index: Path) -> list[str]:
    """Ids of the generations in an index's folder, oldest first."""
    folder = index / "generations"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if _GENERATION.fullmatch(path.name))
