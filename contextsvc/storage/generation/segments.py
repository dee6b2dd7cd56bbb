"""Finished parts of a build that was interrupted: folders that say what they hold, verified before use.

Not synced: a part that a power cut damages fails its hashes and is made again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contextsvc.storage.generation.manifest import FORMAT

PARTS = "parts"
_ABOUT = "part.json"


def part_folder(index: Path, number: int) -> Path:
    """An empty folder for a part of that number; of a former one of that number nothing is left."""
    folder = index / PARTS / f"{number:06d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def finish_part(folder: Path, made_with: Mapping[str, Any]) -> None:
    """Say what a part holds, in a file that is there whole or not at all."""
    about = {"format": FORMAT, "made_with": made_with, "files": _digests(folder)}
    partial = folder / f"{_ABOUT}.tmp"
    partial.write_text(json.dumps(about, sort_keys=True), encoding="utf-8")
    partial.rename(folder / _ABOUT)


def finished_parts(index: Path, made_with: Mapping[str, Any]) -> Iterator[Path]:
    """Folders of the parts that are whole and were made with the same; the others are removed."""
    for folder in sorted((index / PARTS).glob("*")):
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            # A part of another format cannot be opened, though it is whole.
            sound = about["format"] == FORMAT and about["made_with"] == json.loads(json.dumps(made_with))
            sound = sound and about["files"] == _digests(folder)
        except (OSError, ValueError, TypeError, KeyError):
            sound = False
        if sound:
            yield folder
        else:
            shutil.rmtree(folder, ignore_errors=True)


def drop_parts(index: Path) -> None:
    """Remove every part."""
    shutil.rmtree(index / PARTS, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(_ABOUT):
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
