"""Writes that survive a power cut."""

import os
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a file so that it survives a power cut (its name may not: sync the folder too)."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
