"""Who among the processes that share a file still lives, told by locks that the system frees.

An owner holds an flock on a file of its own, beside the shared one, for as long as it lives; however its
process ends, the lock is free at once. Process ids with start times were rejected: they say nothing of
another container, nor where there is no /proc.
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
    """One owner among those that share the file at `path`.

    Attributes:
        name: 32 hexadecimal digits, others for each object and after each `leave`.
    """

    def __init__(self, path: Path) -> None:
        self.name = uuid.uuid4().hex
        self._path = path
        self._descriptor: int | None = None

    def enter(self) -> None:
        """Be alive to the others, and tidy the files of those that are not.

        Call it under a lock that all owners share, or another may tidy the file before it is locked.
        Calling it again is fine, and needed when the folder was removed meanwhile.

        Raises:
            OSError: the file cannot be made or locked.
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
        """Be gone; who enters again is another owner, to whom what this one held is free."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._file(self.name).unlink()
        self._close()
        self.name = uuid.uuid4().hex

    def is_gone(self, name: str) -> bool:
        """Whether that owner has left or died; False also where that cannot be told."""
        if name == self.name:
            return False
        # Names come from the shared file: only one of our own form may lead to another file.
        return not _NAME.fullmatch(name) or _is_free(self._file(name))

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _file(self, name: str) -> Path:
        return Path(f"{self._path}.owner-{name}")


@contextmanager
def locked(path: Path, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock of a file, which is made if it does not exist.

    Raises:
        BlockingIOError: another process held it for that long.
        OSError: the file cannot be made or locked.
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
    """Whether nobody holds the lock of an owner's file, which is then removed."""
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
