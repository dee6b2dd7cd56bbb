"""Finished parts of an interrupted build, which a resumed build can use.

A part is a folder of files and a description with their hashes. The hashes are verified before a part is
used. Parts are not synced to the disk: if a power cut damages a part, its hashes are wrong and the part is
made again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contextsvc.storage.generation.disk import disk_writes
from contextsvc.storage.generation.manifest import FORMAT

PARTS = "parts"
_ABOUT = "part.json"


@disk_writes()
def part_folder(index: Path, number: int) -> Path:
    """Make an empty folder for a part and return it. An old part with this number is removed.

    Raises:
        WriteError: the operating system refused to make the folder.
    """
    folder = index / PARTS / f"{number:06d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@disk_writes()
def finish_part(folder: Path, made_with: Mapping[str, Any]) -> None:
    """Write the description of a finished part, in one step.

    Args:
        folder: Folder of the part.
        made_with: Embedder and settings of the build. A resumed build uses a part only if its own embedder
            and settings are equal to these.

    Raises:
        WriteError: the operating system refused to write the description.
    """
    about = {"format": FORMAT, "made_with": made_with, "files": _digests(folder)}
    partial = folder / f"{_ABOUT}.tmp"
    partial.write_text(json.dumps(about, sort_keys=True), encoding="utf-8")
    partial.rename(folder / _ABOUT)


def finished_parts(index: Path, made_with: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of the parts that a resumed build can use, in order, and remove all other parts.

    A part can be used if its hashes are right and its build had the same embedder and settings.

    Args:
        index: Folder of the index.
        made_with: Embedder and settings of the resumed build.
    """
    for folder in sorted((index / PARTS).glob("*")):
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            # A part of another file format cannot be opened, even if its hashes are right.
            sound = about["format"] == FORMAT and about["made_with"] == json.loads(json.dumps(made_with))
            sound = sound and about["files"] == _digests(folder)
        except (OSError, ValueError, TypeError, KeyError):
            sound = False
        if sound:
            yield folder
        else:
            shutil.rmtree(folder, ignore_errors=True)


def drop_parts(index: Path) -> None:
    """Remove all parts of an index."""
    shutil.rmtree(index / PARTS, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(_ABOUT):
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
