"""Finished segments of an interrupted build, which a resumed build can use.

A segment is a folder of files and a description with their hashes. The hashes are verified before a segment
is used. Segments are not synced to the disk: if a power cut damages a segment, its hashes are wrong and the
segment is made again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contextsvc.storage.generation.disk import disk_writes
from contextsvc.storage.generation.manifest import FORMAT

FOLDER = "parts"
"""Folder of the segments; the name is older than the word."""

_DESCRIPTION = "part.json"


@disk_writes()
def segment_folder(index: Path, number: int) -> Path:
    """Make an empty folder for a segment and return it. An old segment with this number is removed.

    Raises:
        WriteError: the operating system refused to make the folder.
    """
    folder = index / FOLDER / f"{number:06d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@disk_writes()
def finish_segment(folder: Path, made_with: Mapping[str, Any]) -> None:
    """Write the description of a finished segment, in one step.

    Args:
        folder: Folder of the segment.
        made_with: Embedder and settings of the build. A resumed build uses a segment only if its own embedder
            and settings are equal to these.

    Raises:
        WriteError: the operating system refused to write the description.
    """
    about = {"format": FORMAT, "made_with": made_with, "files": _digests(folder)}
    partial = folder / f"{_DESCRIPTION}.tmp"
    partial.write_text(json.dumps(about, sort_keys=True), encoding="utf-8")
    partial.rename(folder / _DESCRIPTION)


def finished_segments(index: Path, made_with: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of the segments that a resumed build can use, in order, and remove the others.

    A segment can be used if its hashes are right and its build had the same embedder and settings.

    Args:
        index: Folder of the index.
        made_with: Embedder and settings of the resumed build.
    """
    for folder in sorted((index / FOLDER).glob("*")):
        try:
            about = json.loads((folder / _DESCRIPTION).read_bytes())
            # A part of another file format cannot be opened, even if its hashes are right.
            sound = about["format"] == FORMAT and about["made_with"] == json.loads(json.dumps(made_with))
            sound = sound and about["files"] == _digests(folder)
        except (OSError, ValueError, TypeError, KeyError):
            sound = False
        if sound:
            yield folder
        else:
            shutil.rmtree(folder, ignore_errors=True)


def drop_segments(index: Path) -> None:
    """Remove all segments of an index."""
    shutil.rmtree(index / FOLDER, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(_DESCRIPTION):
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
