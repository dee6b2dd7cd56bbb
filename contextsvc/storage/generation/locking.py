"""One writer a time: an advisory lock that the system frees when its holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from contextsvc.errors import Fault, IndexBusy, SettingError
from contextsvc.storage.generation.disk import sync_folder
from contextsvc.storage.generation.pointer import check_name


@contextmanager
def writing(root: Path, name: str) -> Iterator[Path]:
    """The index's folder, made if need be, while no other process nor thread writes it.

    Raises:
        InvalidRequest: the name is none.
        SettingError: the root cannot be written.
        IndexBusy: another writer holds the lock.
        Fault: the operating system failed while it was held, a full disk for one.
    """
    index = root / check_name(name)
    try:
        if not (index / "generations").is_dir():
            (index / "generations").mkdir(parents=True, exist_ok=True)
            sync_folder(index)
            sync_folder(root)
            with suppress(PermissionError):
                sync_folder(root.absolute().parent)
        lock = (index / "LOCK").open("a+", encoding="utf-8")
    except OSError as error:
        raise SettingError(f"cannot write an index under {root}: {error}; set CONTEXTSVC_ROOT") from error
    with lock:
        _take(lock, name)
        try:
            yield index
        except OSError as error:
            raise Fault(f"writing index {name!r} failed: {error}; what was published still serves") from error


def _take(lock: IO[str], name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read(200) or "another process"
        raise IndexBusy(f"index {name!r} is being written by {holder}; wait for it to end") from None
    # Who holds it is a courtesy: on a full disk the lock is held all the same.
    with suppress(OSError):
        lock.truncate(0)
        lock.write(f"process {os.getpid()} since {datetime.now(UTC).isoformat(timespec='seconds')}")
        lock.flush()
