"""Cache on disk by diskcache, through a Disk that stores and fetches bytes and nothing else.

diskcache unpickles what its database tells it to and opens the path that the database names
(CVE-2025-69872). Here a row that asks for either is a miss. Whoever can write the folder can still
replace values: a value is not authenticated.
"""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW, UNKNOWN

from contextsvc.errors import SettingError

TIMEOUT_SECONDS = 0.25
# Larger values lie in files of their own, named by diskcache: two folders and 28 hexadecimal digits.
_INLINE_BYTES = 2**15
_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_TROUBLE = (diskcache.Timeout, sqlite3.Error, OSError)
_Result = TypeVar("_Result")


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys and values are bytes; a file lies where diskcache itself would put it, or is not touched."""

    def put(self, key: bytes) -> tuple[memoryview, bool]:
        """A key as the database holds it."""
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """A key from the database; a pickled one is refused."""
        if not raw or not isinstance(key, bytes):
            raise OSError("a key in the cache is not bytes")
        return key

    def store(
        self, value: bytes, read: bool, key: object = UNKNOWN
    ) -> tuple[int, int, str | None, memoryview | None]:
        """(size, mode, file name, value) of a row; a large value is written to its file first."""
        if read or not isinstance(value, bytes):
            raise TypeError(f"the cache holds bytes, found {type(value).__name__}")
        if len(value) < _INLINE_BYTES:
            return 0, MODE_RAW, None, sqlite3.Binary(value)
        name, _ = self.filename(key, value)
        path = Path(self._directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(value)
        except OSError:
            # A full disk: diskcache would leave the part that was written.
            path.unlink(missing_ok=True)
            raise
        return len(value), MODE_BINARY, name, None

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """The bytes of a row; diskcache takes the OSError for a miss."""
        if not read and mode == MODE_RAW and isinstance(value, bytes):
            return value
        if not read and mode == MODE_BINARY:
            return self._own_file(filename).read_bytes()
        raise OSError(f"a row of the cache is not bytes (mode {mode!r})")

    def remove(self, file_path: object) -> None:
        """Remove a value's file; diskcache would remove any file that the database names."""
        with suppress(OSError):
            super().remove(str(self._own_file(file_path).relative_to(os.path.realpath(self._directory))))

    def _own_file(self, name: object) -> Path:
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise OSError(f"{name!r} is not a file of the cache")
        path = Path(os.path.realpath(self._directory), name)
        # A link in its place would lead elsewhere.
        if os.path.realpath(path) != str(path):
            raise OSError(f"{name!r} leads out of the cache")
        return path


class DiskcacheCache:
    """The Cache port in a folder that threads and processes may share.

    Args:
        folder: Made if it does not exist.
        size_limit_bytes: What is stored first is evicted first above it. A larger value is not kept.

    Raises:
        SettingError: the folder cannot be used. A wrong folder should be seen at start; whatever fails
            later, a full disk or a damaged database, is a miss.
    """

    def __init__(self, folder: Path, size_limit_bytes: int) -> None:
        self._size_limit_bytes = size_limit_bytes
        try:
            # Stored first, not used least: a hit then writes nothing, so that readers never wait.
            self._cache = diskcache.Cache(
                str(folder), timeout=TIMEOUT_SECONDS, disk=BytesDisk, size_limit=size_limit_bytes,
                eviction_policy="least-recently-stored", statistics=0, tag_index=1,
            )  # fmt: skip
        except (*_TROUBLE, TypeError, ValueError, AttributeError) as error:
            raise SettingError(
                f"the cache in {folder} cannot be used: {error}; remove the folder, set CONTEXTSVC_HOME "
                f"to one that can be written, or turn it off with CONTEXTSVC_CACHE=0"
            ) from error

    def get(self, key: str) -> bytes | None:
        """As `Cache.get` says."""
        return _or_miss(lambda: self._cache.get(_encoded(key)))

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """As `Cache.put` says.

        Raises:
            TypeError: the value is not bytes (a defect of the caller's code).
        """
        if len(value) <= self._size_limit_bytes:
            _or_miss(lambda: self._cache.set(_encoded(key), value, tag=tag or None))

    def drop(self, tag: str) -> bool:
        """As `Cache.drop` says."""
        return _or_miss(lambda: self._cache.evict(tag)) is not None

    def close(self) -> None:
        """Close this thread's connection; others close with their threads."""
        _or_miss(self._cache.close)


def _or_miss(call: Callable[[], _Result]) -> _Result | None:
    try:
        return call()
    except _TROUBLE:
        return None


def _encoded(key: str) -> bytes:
    # As bytes, for SQLite takes no lone surrogate in a text.
    return key.encode("utf-8", "surrogatepass")
