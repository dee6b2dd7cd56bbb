"""The lock of an index that allows one writer at a time. The system frees the lock when its holder dies."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path

from contextsvc.errors import Fault, IndexBusy, SettingError
from contextsvc.storage.generation.disk import WriteError, sync_folder
from contextsvc.storage.generation.pointer import check_name


@contextmanager
def writing(root: Path, name: str) -> Iterator[Path]:
    """Hold the writer's lock of an index during a `with` block, and yield the folder of the index.

    The folder is made if it does not exist. A `WriteError` that is raised in the block becomes a Fault. Any
    other OSError, such as a ConnectionError of an embedder, is not changed.

    Args:
        root: Folder of all indexes.
        name: Name of the index.

    Raises:
        InvalidRequest: the name is not valid.
        SettingError: the folder of all indexes cannot be written.
        IndexBusy: another process or thread holds the lock.
        Fault: a file of the index could not be written, for example because the disk is full.
    """
    index = root / check_name(name)
    try:
        if not (index / "generations").is_dir():
            (index / "generations").mkdir(parents=True, exist_ok=True)
            sync_folder(index)
            sync_folder(root)
            _sync_if_allowed(root.absolute().parent)
        # Without a buffer: if the disk is full, closing would write the buffer again and fail.
        lock = (index / "LOCK").open("a+b", buffering=0)
    except OSError as error:
        raise SettingError(f"cannot write an index under {root}: {error}; set CONTEXTSVC_ROOT") from error
    with lock:
        _take(lock, name)
        try:
            yield index
        except WriteError as error:
            raise Fault(
                f"writing index {name!r} failed: {error}; the published generation still serves"
            ) from error


def _sync_if_allowed(folder: Path) -> None:
    try:
        sync_folder(folder)
    except WriteError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise


def _take(lock: RawIOBase, name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = (lock.read(200) or b"").decode("utf-8", "replace") or "another process"
        raise IndexBusy(f"index {name!r} is being written by {holder}; wait until it ends") from None
    # The file names the holder only for the message above. On a full disk the lock is held without a name.
    with suppress(OSError):
        lock.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        lock.write(f"process {os.getpid()} since {since}".encode())
