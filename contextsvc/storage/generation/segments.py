"""Finished parts of an interrupted build: folders that describe themselves and are verified before use.

They are not synced: a part that a power cut damages fails its hashes and is made again.
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
    """Make an empty folder for a part; an old part of the same number is removed.

    Raises:
        WriteError: the operating system refused.
    """
    folder = index / PARTS / f"{number:06d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@disk_writes()
def finish_part(folder: Path, made_with: Mapping[str, Any]) -> None:
    """Write the description of a part, in one step.

    Args:
        folder: The part.
        made_with: Embedder and settings; a resumed build takes only parts that were made with the same.

    Raises:
        WriteError: the operating system refused.
    """
    about = {"format": FORMAT, "made_with": made_with, "files": _digests(folder)}
    partial = folder / f"{_ABOUT}.tmp"
    partial.write_text(json.dumps(about, sort_keys=True), encoding="utf-8")
    partial.rename(folder / _ABOUT)


def finished_parts(index: Path, made_with: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of sound parts that were made with the same settings; remove all others."""
    for folder in sorted((index / PARTS).glob("*")):
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            # A part of another format cannot be opened, even if it is sound.
            sound = about["format"] == FORMAT and about["made_with"] == json.loads(json.dumps(made_with))
            sound = sound and about["files"] == _digests(folder)
        except (OSError, ValueError, TypeError, KeyError):
            sound = False
        if sound:
            yield folder
        else:
            shutil.rmtree(folder, ignore_errors=True)


def drop_parts(index: Path) -> None:
    """Remove all parts."""
    shutil.rmtree(index / PARTS, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(_ABOUT):
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
