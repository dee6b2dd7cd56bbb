"""Implement `ports.Cache` on disk with the library diskcache and a `Disk` class for bytes only.

diskcache itself unpickles values, and opens any path that its database names (CVE-2025-69872). Here a
database row that asks for this is a miss. Values are not authenticated, so a user who can write to the folder
can still replace them.

This module relies on private parts of diskcache: the methods of `Disk`, `Disk._directory` and the mode
constants. `tests/adapters/test_private_interfaces.py` checks them.
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
# Larger values are stored in files. diskcache names a file by two folders and 28 hexadecimal digits.
_INLINE_BYTES = 2**15
_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_FAILURES = (diskcache.Timeout, sqlite3.Error, OSError)
_Result = TypeVar("_Result")


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Storage layer of diskcache whose keys and values are bytes.

    Only files whose names have diskcache's own form are opened.
    """

    def put(self, key: bytes) -> tuple[memoryview, bool]:
        """Encode a key for the database."""
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: object) -> bytes:
        """Decode a key from the database. A pickled key raises an OSError."""
        if not raw or not isinstance(key, bytes):
            raise OSError("a key in the cache is not bytes; expected bytes")
        return key

    def store(
        self, value: bytes, read: bool, key: object = UNKNOWN
    ) -> tuple[int, int, str | None, memoryview | None]:
        """Return the database row of a value, as (size, mode, file name, value).

        A large value is first written to a file, and its row then holds the file name instead of the value.
        """
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
            # On a full disk diskcache would leave a partial file.
            path.unlink(missing_ok=True)
            raise
        return len(value), MODE_BINARY, name, None

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """Return the value of a database row.

        An OSError means that the row cannot be used. diskcache then treats the lookup as a miss.
        """
        if not read and mode == MODE_RAW and isinstance(value, bytes):
            return value
        if not read and mode == MODE_BINARY:
            return self._own_file(filename).read_bytes()
        raise OSError(f"a row of the cache has mode {mode!r}, expected bytes")

    def remove(self, file_path: object) -> None:
        """Remove the file that holds a value, but only if its name looks like a name that diskcache makes.

        Without this method, diskcache would remove any file whose path is written in its database.
        """
        with suppress(OSError):
            super().remove(str(self._own_file(file_path).relative_to(os.path.realpath(self._directory))))

    def _own_file(self, name: object) -> Path:
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise OSError(f"{name!r} is not a file name of the cache")
        path = Path(os.path.realpath(self._directory), name)
        # A symlink in place of the file or of a folder above it could lead to another file.
        if os.path.realpath(path) != str(path):
            raise OSError(f"{name!r} leads out of the cache")
        return path


class DiskcacheCache:
    """A `ports.Cache` in a folder that threads and processes may share.

    Args:
        folder: Folder of the cache; created if it does not exist.
        size_limit_bytes: Total size above which the oldest values are evicted. A single value larger than
            this is not stored.

    Raises:
        SettingError: the folder cannot be used. Later failures, such as a full disk or a damaged database, do
            not raise. They count as misses.
    """

    def __init__(self, folder: Path, size_limit_bytes: int) -> None:
        self._size_limit_bytes = size_limit_bytes
        try:
            # Rejected: least-recently-used. Then every hit would write, and other lookups would wait for it.
            self._cache = diskcache.Cache(
                str(folder),
                timeout=TIMEOUT_SECONDS,
                disk=BytesDisk,
                size_limit=size_limit_bytes,
                eviction_policy="least-recently-stored",
                statistics=0,
                tag_index=1,
            )
        except (*_FAILURES, TypeError, ValueError, AttributeError) as error:
            raise SettingError(
                f"the cache in {folder} cannot be used: {error}; remove the folder, set CONTEXTSVC_HOME to a "
                "folder that can be written, or turn the cache off with CONTEXTSVC_CACHE=0"
            ) from error

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None for a miss; see `ports.Cache.get`."""
        return _or_none(lambda: self._cache.get(_key_bytes(key)))

    def put(self, key: str, value: bytes, tag: str = "") -> None:
        """Store a value; see `ports.Cache.put`.

        Raises:
            TypeError: the value is not bytes, which is a defect of the caller.
        """
        if len(value) <= self._size_limit_bytes:
            _or_none(lambda: self._cache.set(_key_bytes(key), value, tag=tag or None))

    def drop(self, tag: str) -> bool:
        """Remove the values with a tag; see `ports.Cache.drop`."""
        return _or_none(lambda: self._cache.evict(tag)) is not None

    def close(self) -> None:
        """Close the connection of this thread.

        The connection of another thread closes when that thread ends.
        """
        _or_none(self._cache.close)


def _or_none(call: Callable[[], _Result]) -> _Result | None:
    try:
        return call()
    except _FAILURES:
        return None


def _key_bytes(key: str) -> bytes:
    # Keys are stored as bytes, because SQLite accepts no lone surrogate in a text.
    return key.encode("utf-8", "surrogatepass")
