"""The list of files that were hashed before, so that opening an index again need not read them.

`ROOT/NAME/verified.json` has an entry for each file whose SHA-256 was once found equal to that in the
manifest of its generation (published version of the index NAME). The entry holds the SHA-256 and the status
that the file had at that time: device, inode, size, time of the last change of the content (mtime), and time
of the last change of anything (ctime). A program cannot set the ctime back, so every write to a file is
noticed. A disk that loses bits by itself is not noticed. Therefore `contextsvc index check` reads every byte,
and so does an update before it copies from a generation.

Sealing a generation hashes its files, too. The process that publishes the generation uses these hashes, so it
need not read the files again. This holds only for files whose last change came before the hashing, by the
clock of the file system (`clock_of`), because then a later change gets a later time.

An index that was copied to another folder is hashed once there. If verified.json is missing or cannot be
written, files are hashed again, and nothing else is lost.
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
"""Least time in nanoseconds between the last change of a file and its hashing. If the time is shorter, the
file is hashed again at the next opening. Some file systems count time in steps of up to two seconds, so a
later change could get the same time."""

FileStates = dict[str, list[int | str]]
"""SHA-256 and status of some files (`as_seen`), by file name."""


def as_seen(sha256: str, status: os.stat_result) -> list[int | str]:
    """Return the entry of verified.json for a file: its SHA-256 and five numbers of its status."""
    return [
        sha256,
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def is_settled(status: os.stat_result) -> bool:
    """Return whether every change of a file from now on is certain to change its times (`SETTLED_NS`)."""
    return time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) > SETTLED_NS


def clock_of(folder: Path) -> int:
    """Return the current time of a folder's file system, in nanoseconds; 0 if it cannot be found out.

    It is the time that a file changed now would get. It may differ from the clock of this machine: the file
    system may count in coarse steps, or belong to another machine.
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
    """Return the entries of a generation in verified.json; {} if there are none or they cannot be read."""
    found = _read(index).get(generation)
    return dict(found) if isinstance(found, dict) else {}


def write_seen(index: Path, generation: str, seen: Mapping[str, list[int | str]]) -> None:
    """Store the entries of a generation in verified.json, and drop the entries of removed generations.

    Processes that open an index call this without a lock. If two of them write at the same time, the entries
    of one are lost. If the folder is read-only, nothing is stored.
    """
    kept = {name: files for name, files in _read(index).items() if (index / "generations" / name).is_dir()}
    data = json.dumps({**kept, generation: dict(seen)}, sort_keys=True, indent=1)
    with suppress(OSError):
        replace_file(index / VERIFIED, data.encode(), sync=False)


def drop_partial_files(index: Path) -> None:
    """Remove temporary files of verified.json that a killed process left.

    If this removes the temporary file of a live process, that process hashes its files again later.
    """
    for partial in index.glob(f".{VERIFIED}*"):
        with suppress(OSError):
            partial.unlink()


def _read(index: Path) -> dict[str, object]:
    try:
        found = json.loads((index / VERIFIED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
