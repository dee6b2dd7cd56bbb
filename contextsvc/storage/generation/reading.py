"""Finding and opening generations under a root."""

from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest
from contextsvc.storage.generation.manifest import Manifest, problems, read_manifest
from contextsvc.storage.generation.pointer import check_name, current, generations
from contextsvc.storage.generation.verified import read_seen, write_seen


def open_manifest(
    root: Path, name: str, generation: str | None = None, trust_seen: bool = False
) -> tuple[Path, Manifest]:
    """Folder and manifest of a generation, the current one unless named, after verifying every file.

    Args:
        root: Folder of the indexes.
        name: The index.
        generation: Its id; None: the current one.
        trust_seen: Do not read files again that were verified before and not touched since (`verified`).

    Raises:
        InvalidRequest: the name is none, or the index has no such generation.
        UnknownIndex: nothing was published under the name.
        CorruptIndex: with every problem found.
    """
    index = root / check_name(name)
    if generation is not None:
        if generation not in generations(index):
            current(root, name)  # an index that is not there is told as that
            there = ", ".join(generations(index)) or "none"
            raise InvalidRequest(f"index {name!r} has no generation {generation!r} (there: {there})")
        return open_generation(root, name, generation, trust_seen)
    now = current(root, name)
    while True:
        try:
            return open_generation(root, name, now, trust_seen)
        except CorruptIndex:
            before, now = now, current(root, name)
            # A publish meanwhile may have removed the folder under us; then the new one is meant.
            if now == before:
                raise


def open_generation(
    root: Path, name: str, generation: str, trust_seen: bool = False
) -> tuple[Path, Manifest]:
    """As `open_manifest`, whatever CURRENT says.

    Raises:
        CorruptIndex: with every problem found; also when there is no such generation.
    """
    folder = root / name / "generations" / generation
    known = read_seen(root / name, generation) if trust_seen else None
    seen = None if known is None else dict(known)
    found = problems(folder, seen)
    try:
        if not found:
            if seen is not None and seen != known:
                write_seen(root / name, generation, seen)
            return folder, read_manifest(folder)
    except (OSError, ValueError, RecursionError) as error:  # removed since
        found = [str(error)]
    raise CorruptIndex(name, found)


def claimed_manifest(root: Path, name: str, generation: str) -> Manifest | None:
    """What a generation says of itself, its files not looked at; None when that cannot be read."""
    try:
        return read_manifest(root / name / "generations" / generation)
    except (OSError, ValueError, RecursionError):
        return None
