"""Companions: files that belong to a generation (a published version of an index) but are made after it.

A companion is a calibration or a measured score:

    ROOT/NAME/calibrations/ID/     measured effects of placebos (unrelated chunks that serve as a control) in
                                   the generation ID, one file per calibration
    ROOT/NAME/utilization/ID.json  the last measured utilization of the generation ID (the share of a pack's
                                   tokens that influenced the answer)

The companions of a generation are removed with the generation. Measurements write companions without the
lock of the index's writer.
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
    """Return the folder that holds the companions of one kind, for all generations of an index.

    Args:
        folder: Folder of any generation: ROOT/NAME/generations/ID.
        kind: `CALIBRATIONS` or `UTILIZATION`.
    """
    return folder.parent.parent / kind


def write_companion(path: Path, data: bytes) -> None:
    """Write a companion in one step (`disk.replace_file`), and make its folder if it does not exist.

    Args:
        path: The file, which is replaced if it exists.
        data: The new content.

    Raises:
        WriteError: the operating system refused to write the file.
    """
    for attempt in range(_ATTEMPTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(path, data)
        except WriteError as error:
            # A publish may have removed the folder of an old generation in between.
            if error.errno != errno.ENOENT or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def remove_companions(index: Path, keep: Collection[str]) -> None:
    """Remove the companions of all generations except some.

    If a file cannot be removed, it stays and the next call tries again.

    Args:
        index: Folder of the index.
        keep: Ids of the generations whose companions are kept.
    """
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
