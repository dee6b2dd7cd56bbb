"""Opening of a generation (a published version of an index) after its files were verified."""

from pathlib import Path

from contextsvc.errors import CorruptIndex, InvalidRequest
from contextsvc.storage.generation.manifest import Manifest, inspect, read_manifest
from contextsvc.storage.generation.pointer import check_name, current, generations, no_generation
from contextsvc.storage.generation.verified import read_seen, write_seen


def open_manifest(
    root: Path, name: str, generation: str | None = None, trust_seen: bool = False
) -> tuple[Path, Manifest]:
    """Verify every file of a generation and return its folder and manifest.

    If a publish removes the current generation in between, the new current generation is opened.

    Args:
        root: Folder of all indexes.
        name: Name of the index.
        generation: Id of the generation; None for the current generation.
        trust_seen: Whether to skip files that were verified before and did not change since (`verified`).

    Raises:
        InvalidRequest: the name is not valid, or the index has no such generation.
        UnknownIndex: no index was published under the name.
        CorruptIndex: files differ from the manifest. The error names every problem.
    """
    index = root / check_name(name)
    if generation is not None:
        if generation not in generations(index):
            current(root, name)  # raises if the index itself is unknown
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
    """Verify every file of a given generation and return its folder and manifest. CURRENT is not read.

    The arguments are those of `open_manifest`.

    Raises:
        CorruptIndex: files differ from the manifest, or there is no such generation. If the operating system
            raised an error, it is the `__cause__`, and opening the generation again may succeed.
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
    except (OSError, ValueError, RecursionError) as error:  # the folder was removed in between
        raise CorruptIndex(name, [str(error)]) from error
    raise CorruptIndex(name, found) from cause


def claimed_manifest(root: Path, name: str, generation: str) -> Manifest | None:
    """Return the manifest of a generation without checking any other file; None if it cannot be read."""
    try:
        return read_manifest(root / name / "generations" / generation)
    except (OSError, ValueError, RecursionError):
        return None
