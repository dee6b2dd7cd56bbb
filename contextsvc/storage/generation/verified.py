"""Files that were hashed before and not touched since, so that opening an index again does not read them all.

`ROOT/NAME/verified.json` holds, for each file of a generation that once had the SHA-256 of its manifest, the
system's status of the file at that time: device, inode, size, time of the last change of content, time of the
last change of anything. A program cannot set the last of these back, so every write to a file is noticed.
A disk that loses bits by itself is not noticed: `contextsvc index check` reads every byte, and so does an
update before it copies from a generation.

Sealing a generation hashes its files, so that the publisher does not hash them again to serve them. This
counts only for files that were last changed before hashing began, by the clock of the file system
(`clock_of`): a later change then bears a later time.

An index that was copied elsewhere is hashed once there. If verified.json is missing or cannot be written,
files are hashed again; nothing else is lost.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from contextsvc.storage.generation.disk import replace_file

VERIFIED = "verified.json"
SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was hashed is hashed again next time: a later change could
bear the same time, because some file systems count time in steps of up to two seconds."""

FileStates = dict[str, list[int | str]]
"""By file name: its SHA-256 and its status (`as_seen`)."""


def as_seen(sha256: str, status: os.stat_result) -> list[int | str]:
    """Return the SHA-256 and the status of a file, as verified.json holds them."""
    return [
        sha256,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def is_settled(status: os.stat_result) -> bool:
    """Say whether a change from now on will show in the file's times."""
    return time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) > SETTLED_NS


def clock_of(folder: Path) -> int:
    """Return the time in nanoseconds that the file system gives to a change in a folder now.

    0 if it cannot be told. This is the file system's own clock: it has its steps, and may run on another
    machine.
    """
    probe = folder / ".clock"
    with suppress(OSError):
        try:
            probe.touch()
            return probe.stat().st_ctime_ns
        finally:
            probe.unlink(missing_ok=True)
    return 0


def read_seen(index: Path, generation: str) -> FileStates:
    """Return the known files of a generation; an empty dictionary if they cannot be read."""
    found = _read(index).get(generation)
    return dict(found) if isinstance(found, dict) else {}


def write_seen(index: Path, generation: str, seen: Mapping[str, list[int | str]]) -> None:
    """Store the known files of a generation, and forget generations that were removed.

    Readers call this without a lock. Of two at the same time one is forgotten. A read-only folder stores
    nothing.
    """
    kept = {name: files for name, files in _read(index).items() if (index / "generations" / name).is_dir()}
    data = json.dumps({**kept, generation: dict(seen)}, sort_keys=True, indent=1)
    with suppress(OSError):
        replace_file(index / VERIFIED, data.encode(), sync=False)


def drop_partial_files(index: Path) -> None:
    """Remove temporary files that a killed process left. A live reader that loses one hashes files again."""
    for partial in index.glob(f".{VERIFIED}*"):
        with suppress(OSError):
            partial.unlink()


def _read(index: Path) -> dict[str, object]:
    try:
        found = json.loads((index / VERIFIED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
