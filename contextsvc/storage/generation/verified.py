"""What was hashed before and not touched since, so that opening an index again does not read all of it.

`ROOT/NAME/verified.json` holds, for each file of a generation that once had the SHA-256 its manifest
wants, what the system said of the file then: device, inode, size, times of the last change of content and of
the last change of anything. The last of these cannot be set back, so whatever writes to a file is noticed.
What is not noticed is a disk that loses bits by itself: `contextsvc index check` reads every byte, and so
does whatever builds upon a generation.

Sealing a generation hashes its files, so that who publishes need not hash them again to serve them. That
counts for files that were last changed before hashing began by the file system's clock (`clock_of`): a later
change bears a later time.

An index that was copied elsewhere is hashed once there. A file that is not there, or cannot be written, costs
time alone.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

VERIFIED = "verified.json"
SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was hashed is hashed again next time: a later change could bear
the same time, which some systems count in steps of up to two seconds."""

FileStates = dict[str, list[int | str]]
"""By file name, its SHA-256 and what the system said of it."""


def as_seen(sha256: str, status: os.stat_result) -> list[int | str]:
    """What is kept of a file."""
    return [
        sha256,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def is_settled(status: os.stat_result) -> bool:
    """Whether a change from now on will show in the file's times."""
    return time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) > SETTLED_NS


def clock_of(folder: Path) -> int:
    """The time, in nanoseconds, that the file system gives to what is changed in a folder now.

    0 if it cannot be told. It is the file system's own: in its steps, and of its machine where that differs.
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
    """What is known of a generation's files; nothing where that cannot be read."""
    found = _read(index).get(generation)
    return dict(found) if isinstance(found, dict) else {}


def write_seen(index: Path, generation: str, seen: Mapping[str, list[int | str]]) -> None:
    """Keep it for the next opening, and forget generations that are gone; a folder that is read-only keeps
    nothing, and of two writers at a time one is forgotten."""
    kept = {name: files for name, files in _read(index).items() if (index / "generations" / name).is_dir()}
    data = json.dumps({**kept, generation: dict(seen)}, sort_keys=True, indent=1)
    # One name for all: what a dead process left is overwritten, and what two mixed up is no JSON.
    fresh = index / f".{VERIFIED}"
    with suppress(OSError):
        try:
            fresh.write_text(data, "utf-8")
            fresh.replace(index / VERIFIED)
        finally:
            fresh.unlink(missing_ok=True)


def _read(index: Path) -> dict[str, object]:
    try:
        found = json.loads((index / VERIFIED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
