"""Files that belong to a generation but are made after it was sealed: calibrations and measured scores.

    ROOT/NAME/calibrations/ID/     placebo effects that were drawn in a generation, one file each
    ROOT/NAME/utilization/ID.json  the last measured score of a generation

They go when their generation goes. Measurements write them without the writer's lock.
"""

import errno
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from contextsvc.storage.generation.disk import WriteError, replace_file
from contextsvc.storage.generation.pointer import GENERATION

CALIBRATIONS = "calibrations"
UTILIZATION = "utilization"
_ATTEMPTS = 5


def companions_of(folder: Path, kind: str) -> Path:
    """Return the folder of all files of a kind; `folder` is ROOT/NAME/generations/ID."""
    return folder.parent.parent / kind


def write_companion(path: Path, data: bytes) -> None:
    """Replace a file in one step (`disk.replace_file`), and make its folder if it does not exist.

    Raises:
        WriteError: the operating system refused.
    """
    for attempt in range(_ATTEMPTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(path, data)
        except WriteError as error:
            # A publish removed the folder of an old generation in between.
            if error.errno != errno.ENOENT or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def remove_companions(index: Path, keep: Collection[str]) -> None:
    """Remove the files of all generations that are not named; a file that resists stays for the next time."""
    for kind in (CALIBRATIONS, UTILIZATION):
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in list((index / kind).iterdir()):
                found = GENERATION.search(path.name)
                if found and found[0] not in keep:
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
