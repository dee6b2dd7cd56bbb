"""Opening a generation under a root, after its files were verified."""

from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest
from contextsvc.storage.generation.manifest import Manifest, inspect, read_manifest
from contextsvc.storage.generation.pointer import check_name, current, generations, no_generation
from contextsvc.storage.generation.verified import read_seen, write_seen


def open_manifest(
    root: Path, name: str, generation: str | None = None, trust_seen: bool = False
) -> tuple[Path, Manifest]:
    """Verify every file of a generation and return its folder and manifest.

    A publish meanwhile may remove the folder; the new current generation is opened then.

    Args:
        root: Folder of the indexes.
        name: The index.
        generation: Its id; None: the current one.
        trust_seen: Do not read files that were verified before and not touched since (`verified`).

    Raises:
        InvalidRequest: the name is not valid, or the index has no such generation.
        UnknownIndex: nothing was published under the name.
        CorruptIndex: files differ from the manifest; it names every problem.
    """
    index = root / check_name(name)
    if generation is not None:
        if generation not in generations(index):
            current(root, name)  # an unknown index is another error
            raise InvalidRequest(no_generation(name, generation, generations(index)))
        return open_generation(root, name, generation, trust_seen)
    now = current(root, name)
    while True:
        try:
            return open_generation(root, name, now, trust_seen)
        except CorruptIndex:
            before, now = now, current(root, name)
            if now == before:
                raise


def open_generation(
    root: Path, name: str, generation: str, trust_seen: bool = False
) -> tuple[Path, Manifest]:
    """As `open_manifest`, for a given generation, without reading CURRENT.

    Raises:
        CorruptIndex: files differ from the manifest, or there is no such generation. Its `__cause__` is the
            error of the operating system, if there was one: opening again may then succeed.
    """
    folder = root / name / "generations" / generation
    known = read_seen(root / name, generation) if trust_seen else None
    seen = None if known is None else dict(known)
    found, cause = inspect(folder, seen)
    try:
        if not found:
            if seen is not None and seen != known:
                write_seen(root / name, generation, seen)
            return folder, read_manifest(folder)
    except (OSError, ValueError, RecursionError) as error:  # removed since
        raise CorruptIndex(name, [str(error)]) from error
    raise CorruptIndex(name, found) from cause


def claimed_manifest(root: Path, name: str, generation: str) -> Manifest | None:
    """Return the manifest of a generation without a look at its files; None if it cannot be read."""
    try:
        return read_manifest(root / name / "generations" / generation)
    except (OSError, ValueError, RecursionError):
        return None
