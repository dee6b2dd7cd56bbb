"""Locks that tell which of the processes that share a file are still alive.

An owner is one user of the shared file. Each owner holds an flock on a file of its own, which lies beside the
shared file. The kernel releases the lock when the process ends, for any reason. Rejected: process ids with
start times, which mean nothing in another container or without /proc.
"""

import fcntl
import glob
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}")


class Owner:
    """One of the owners (users) that share the file at `path`.

    Attributes:
        name: 32 hexadecimal digits; unique for each object, and new after each `leave`.
    """

    def __init__(self, path: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = path
        self._descriptor: int | None = None

    def enter(self) -> None:
        """Take the lock of this owner, and remove the files of owners that are gone.

        Call the method while holding a lock that all owners share. Otherwise another owner may remove this
        owner's file before the file is locked. The method may be called again. This is necessary if the
        folder was removed.

        Raises:
            OSError: this owner's file cannot be created or locked.
        """
        own = self._file(self.name)
        if self._descriptor is None or not own.exists():
            self._close()
            self._descriptor = os.open(own, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for other in self._path.parent.glob(glob.escape(f"{self._path.name}.owner-") + "*"):
            if other != own:
                _is_free(other)

    def leave(self) -> None:
        """Release the lock and take a new name, so that jobs under the old name count as abandoned."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._file(self.name).unlink()
        self._close()
        self.name = uuid.uuid4().hex

    def is_gone(self, name: str) -> bool:
        """Return whether the owner with this name has left or died; False if that is unknown."""
        if name == self.name:
            return False
        # Names come from the shared file, so only a valid name may become part of a path.
        return not _NAME.fullmatch(name) or _is_free(self._file(name))

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _file(self, name: str) -> Path:
        return Path(f"{self._path}.owner-{name}")


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock of a file within the context. The file is created if it does not exist.

    Args:
        path: File to lock.
        timeout_seconds: Longest wait for the lock.

    Raises:
        BlockingIOError: another process held the lock for `timeout_seconds`.
        OSError: the file cannot be created or locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with closing(os.fdopen(descriptor)):
        until = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
        yield


def _is_free(path: Path) -> bool:
    """Return whether the lock of an owner's file is free, and remove the file if it is."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
